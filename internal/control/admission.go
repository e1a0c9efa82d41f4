package control

// An Admission is the twin of a control for the API server: CEL that holds one
// object to it when it is written. It knows that object alone.
type Admission struct {
	Rules       []AdmissionRule
	Variables   []AdmissionExpression // each may use those before it
	Validations []AdmissionValidation
	// Differs says where the twin decides otherwise than the control, by what the
	// control knows of other objects; empty where it does not.
	Differs string
}

// An AdmissionRule names resources of the API.
type AdmissionRule struct {
	Group     string
	Versions  []string
	Resources []string
}

// An AdmissionExpression is a named expression.
type AdmissionExpression struct{ Name, Expression string }

// An AdmissionValidation is what must be true, and what is said where it is not.
type AdmissionValidation struct{ Expression, Message string }

// ForPods returns the twin of a control on pod templates. Expressions have the
// variables spec, of the pod, and containers, of all that a template has. It
// holds templates of controllers and pods alike: what a template may not say no
// pod may.
func ForPods(differs string, validations ...AdmissionValidation) *Admission {
	return &Admission{
		Rules: []AdmissionRule{
			{"", []string{"v1"}, []string{"pods", "replicationcontrollers"}},
			{"apps", []string{"v1"}, []string{"deployments", "statefulsets", "daemonsets", "replicasets"}},
			{"batch", []string{"v1"}, []string{"jobs", "cronjobs"}},
		},
		Variables: []AdmissionExpression{
			// dyn: no kind has all of these fields, and the server would warn.
			{"spec", "request.kind.kind == 'Pod' ? dyn(object).spec : " +
				"request.kind.kind == 'CronJob' ? dyn(object).spec.jobTemplate.spec.template.spec : dyn(object).spec.template.spec"},
			{"containers", "variables.spec.containers + variables.spec.?initContainers.orValue([])"},
			{"windows", "variables.spec.?os.?name.orValue('linux') == 'windows'"},
		},
		Validations: validations,
		Differs:     differs,
	}
}

// ForKind returns the twin of a control on resources of one group.
func ForKind(group, version, differs string, resources []string, validations ...AdmissionValidation) *Admission {
	return &Admission{Rules: []AdmissionRule{{group, []string{version}, resources}}, Validations: validations, Differs: differs}
}
