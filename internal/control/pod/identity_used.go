package pod

import (
	"regexp"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/platform"
	"github.com/eksafe/eksafe/internal/trace"
)

var identityUsed = &control.Control{
	ID:       "identity-used",
	Title:    "Workloads that use AWS have a role of their own",
	Severity: control.Medium,
	Refs:     []control.Ref{control.CISEKS("5.2.1"), control.AWS("eks-irsa"), control.AWS("eks-pod-identity-role")},
	Serves:   []string{"S19", "S28"},
	Since:    "0.1.0",
	Check: control.Traced(awsUsers, func(u awsUser) trace.Place { return u.place }, judgeIdentity, estate.Workloads.Kind).
		Helped(estate.ConfigMaps.Kind, estate.ServiceAccounts.Kind, estate.PodIdentityAssociations.Kind),
}

// roleAnnotation names the role of a service account (IRSA).
const roleAnnotation = "eks.amazonaws.com/role-arn"

// An awsUser is a workload, with the evidence that it uses AWS.
type awsUser struct {
	place      trace.Place
	workload   *estate.Workload
	evidence   string // "" for none
	associated bool   // by Pod Identity
}

type accountKey struct{ namespace, name string }

func awsUsers(g *trace.Graph) []awsUser {
	associated := map[accountKey]bool{}
	for _, a := range estate.PodIdentityAssociations.In(g.Estate) {
		associated[accountKey{a.Namespace, a.ServiceAccount}] = true
	}
	configMaps := map[accountKey]*estate.ConfigMap{}
	for _, c := range estate.ConfigMaps.In(g.Estate) {
		configMaps[accountKey{c.Namespace, c.Name}] = c
	}
	var out []awsUser
	for _, w := range estate.Workloads.In(g.Estate) {
		out = append(out, awsUser{
			place:      trace.Place{Subject: estate.Workloads.Ref(w), Origin: &w.Origin},
			workload:   w,
			evidence:   usesAWS(w, configMaps),
			associated: associated[accountKey{w.Namespace, accountName(w)}],
		})
	}
	return out
}

// sdkVariables are set for the SDK of AWS and for nobody else.
var sdkVariables = []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_STS_REGIONAL_ENDPOINTS"}

// apiHostRE matches the endpoints of AWS's APIs: sqs.eu-west-1.amazonaws.com, a
// bucket. Databases, caches and load balancers have a name of their own in
// front, and are none.
var apiHostRE = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:[a-z0-9-]+(?:-fips)?\.[a-z]{2}(?:-[a-z]+)+-\d|(?:sts|iam|s3|route53|cloudfront)|(?:[a-z0-9.-]+\.)?s3(?:[.-][a-z]{2}(?:-[a-z]+)+-\d|\.dualstack\.[a-z]{2}(?:-[a-z]+)+-\d)?)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)$`)
})

// usesAWS returns what tells that the workload calls an API of AWS.
func usesAWS(w *estate.Workload, configMaps map[accountKey]*estate.ConfigMap) string {
	evidence := ""
	lastingContainers(&w.Template.Spec, func(_ string, c *corev1.Container) {
		for _, e := range c.Env {
			if evidence == "" && slices.Contains(sdkVariables, e.Name) {
				evidence = "variable " + e.Name
			}
		}
	})
	if evidence != "" {
		return evidence
	}
	for _, f := range w.Facts {
		if apiHostRE().MatchString(f.Host) {
			return "host " + f.Host
		}
		if f.ValueFrom == nil || f.ValueFrom.Kind != "ConfigMap" {
			continue
		}
		c := configMaps[accountKey{w.Namespace, f.ValueFrom.Name}]
		if c == nil {
			continue
		}
		for _, cf := range c.Facts {
			if apiHostRE().MatchString(cf.Host) && (f.ValueFrom.Key == "" || cf.Field == "data["+f.ValueFrom.Key+"]") {
				return "host " + cf.Host
			}
		}
	}
	return ""
}

func judgeIdentity(s *control.Subject, u awsUser) {
	w := u.workload
	if u.evidence == "" {
		s.NotApplicable()
		return
	}
	if u.associated {
		return
	}
	a, ok := account(s, w)
	if !ok || a.Annotations[roleAnnotation] != "" || selfMadeIdentity(&w.Template.Spec) {
		return
	}
	if why := platform.Expected(w); why != "" {
		s.Expected(why)
		return
	}
	if !s.Read(estate.PodIdentityAssociations.Kind) {
		s.Unknownf("whether Pod Identity gives service account %s/%s a role is not known; read it live (--aws)", w.Namespace, accountName(w))
		return
	}
	s.Failf(w.TemplateField("spec.serviceAccountName"), "it uses AWS (%s), and service account %s has no role: what it gets is its node's", u.evidence, accountName(w))
}

// selfMadeIdentity reports whether the pod mounts a token and names a role
// itself, as the webhook of EKS would.
func selfMadeIdentity(spec *corev1.PodSpec) bool {
	named := map[string]bool{}
	lastingContainers(spec, func(_ string, c *corev1.Container) {
		for _, e := range c.Env {
			named[e.Name] = true
		}
	})
	return named["AWS_ROLE_ARN"] && named["AWS_WEB_IDENTITY_TOKEN_FILE"]
}
