package pod

import (
	"strings"

	"github.com/eksafe/eksafe/internal/control"
)

// The twins of the family for the API server. The Pod Security Standards have none:
// the API server enforces them itself where a namespace has the label that
// namespace-enforces asks for.

var rootReadonlyAdmission = control.ForPods("",
	control.AdmissionValidation{
		Expression: "variables.windows || variables.containers.all(c, c.?securityContext.?readOnlyRootFilesystem.orValue(false))",
		Message:    "every container must set securityContext.readOnlyRootFilesystem: true",
	})

var tokenAutomountAdmission = control.ForPods(
	"a token is refused although a binding gives its account a right, and although the account says no where the pod is silent: neither account nor bindings are seen",
	control.AdmissionValidation{
		Expression: "has(variables.spec.automountServiceAccountToken) && !variables.spec.automountServiceAccountToken",
		Message:    "the pod must set automountServiceAccountToken: false",
	})

var resourceLimitsAdmission = control.ForPods(
	"what a LimitRange gives to containers is not seen in templates of controllers; in pods it has been filled in before",
	control.AdmissionValidation{
		Expression: given("variables.spec.?resources.?limits[?'memory']") +
			" || variables.containers.all(c, " + given("c.?resources.?limits[?'memory']") + ")",
		Message: "every container must have a memory limit",
	},
	control.AdmissionValidation{
		Expression: given("variables.spec.?resources.?requests[?'cpu']") + " || " + given("variables.spec.?resources.?limits[?'cpu']") +
			" || variables.containers.all(c, " + given("c.?resources.?requests[?'cpu']") + " || " + given("c.?resources.?limits[?'cpu']") + ")",
		Message: "every container must have a CPU request",
	})

// given is the expression of a quantity that is there and not nothing.
func given(optional string) string {
	return "quantity(string(" + optional + ".orValue('0'))).isGreaterThan(quantity('0'))"
}

// hostPathsAdmission are the paths of the node that a pod mounts, as
// runtime-sockets reads them: without double slashes, and /run for /var/run. The
// API server itself refuses "..".
var hostPathsAdmission = []control.AdmissionExpression{
	{Name: "hostPaths", Expression: "variables.spec.?volumes.orValue([]).filter(v, has(v.hostPath)).map(v, '/' + string(v.hostPath.path).split('/').filter(s, s != '' && s != '.').join('/'))"},
	{Name: "paths", Expression: "variables.hostPaths.map(p, p == '/var/run' || p.startsWith('/var/run/') ? '/run' + p.substring(8) : p)"},
}

var runtimeSocketsAdmission = func() *control.Admission {
	folders := make([]string, len(powers))
	for i, p := range powers {
		folders[i] = p.path
	}
	a := control.ForPods("",
		control.AdmissionValidation{
			Expression: "variables.windows || variables.paths.all(p, p != '/' && !" + celList(sockets) + ".exists(s, s == p || s.startsWith(p + '/')))",
			Message:    "no volume may hold a socket of the container runtime",
		},
		control.AdmissionValidation{
			Expression: "variables.windows || variables.paths.all(p, !" + celList(folders) + ".exists(f, f == p || f.startsWith(p + '/') || p.startsWith(f + '/'))) && " +
				"variables.spec.?volumes.orValue([]).all(v, !(v.?hostPath.?type.orValue('') in ['CharDevice', 'BlockDevice']))",
			Message: "no volume may hold devices, /proc, or the folders of the kubelet or of the runtime",
		})
	a.Variables = append(a.Variables, hostPathsAdmission...)
	return a
}()

// celList returns the expression of a list of texts without quotes.
func celList(items []string) string { return "['" + strings.Join(items, "', '") + "']" }

// keyForm is how the ID of an access key looks.
const keyForm = `'(^|[^A-Za-z0-9])(AKIA|ASIA)[A-Z0-9]{16}([^A-Za-z0-9]|$)'`

var awsKeysStaticAdmission = control.ForPods(
	"keys that stand in a ConfigMap are not seen; and variables with the SDK's names from a Secret are refused although the container names a store that is not of AWS",
	control.AdmissionValidation{
		Expression: "variables.containers.all(c, c.?env.orValue([]).all(e, !e.?value.orValue('').matches(" + keyForm + ")) && " +
			"c.?args.orValue([]).all(a, !a.matches(" + keyForm + ")) && c.?command.orValue([]).all(a, !a.matches(" + keyForm + ")))",
		Message: "no variable or argument may hold a key of AWS; give the workload a role",
	},
	control.AdmissionValidation{
		Expression: "variables.containers.all(c, c.?env.orValue([]).all(e, !(e.name in ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) || " +
			"e.?value.orValue('') == '' && !has(e.valueFrom)))",
		Message: "no variable may be a static key of AWS; give the workload a role",
	})

var namespaceEnforcesAdmission = control.ForKind("", "v1", "", []string{"namespaces"},
	control.AdmissionValidation{
		Expression: "object.metadata.?labels[?'pod-security.kubernetes.io/enforce'].orValue('') in ['baseline', 'restricted']",
		Message:    "the namespace must have the label pod-security.kubernetes.io/enforce: baseline or restricted",
	})
