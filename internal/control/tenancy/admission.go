package tenancy

import (
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/platform"
)

// The twins of the family for the API server.

var namespacePerStageAdmission = control.ForPods(
	"only the namespace default is refused: stages and projects are told by what else stands in a namespace",
	control.AdmissionValidation{
		Expression: "request.namespace != 'default'",
		Message:    "default belongs to no project and no stage; name a namespace",
	})

const (
	rbacAPI      = "rbac.authorization.k8s.io"
	clusterAdmin = "cluster-admin"
)

var bindingResources = []string{"rolebindings", "clusterrolebindings"}

var rbacAnonymousAdmission = control.ForKind(rbacAPI, "v1", "", bindingResources,
	control.AdmissionValidation{
		Expression: "object.?subjects.orValue([]).all(s, " +
			"!(s.kind == 'User' && s.name == 'system:anonymous' || s.kind == 'Group' && s.name in ['system:unauthenticated', 'system:authenticated']) || " +
			"request.kind.kind == 'ClusterRoleBinding' && object.metadata.name == object.roleRef.name && " +
			"(object.roleRef.name == 'system:public-info-viewer' && s.kind == 'Group' || " +
			"object.roleRef.name in ['system:basic-user', 'system:discovery'] && s.name == 'system:authenticated'))",
		Message: "nothing may be bound to everybody: name a user, a group or a service account",
	})

var defaultAccountPowerlessAdmission = control.ForKind(rbacAPI, "v1", "", bindingResources,
	control.AdmissionValidation{
		Expression: "request.kind.kind == 'ClusterRoleBinding' && object.metadata.name in ['" + strings.Join(platform.Discoveries(), "', '") + "'] && object.roleRef.name == object.metadata.name || " +
			"object.?subjects.orValue([]).all(s, " +
			"!(s.kind == 'ServiceAccount' && s.name == 'default') && " +
			"!(s.kind == 'Group' && (s.name == 'system:serviceaccounts' || s.name.startsWith('system:serviceaccounts:'))) && " +
			"!(s.kind == 'User' && s.name.matches('^system:serviceaccount:[^:]*:default$')))",
		Message: "no right may be bound to a default service account, or to all service accounts; make an account of its own",
	})

var rbacWildcardsAdmission = control.ForKind(rbacAPI, "v1",
	"a role is refused although nobody outside the platform has it, and a binding to cluster-admin is not seen: the control judges roles by who is bound to them",
	[]string{"roles", "clusterroles"},
	control.AdmissionValidation{
		Expression: "object.metadata.?labels[?'kubernetes.io/bootstrapping'].orValue('') == 'rbac-defaults' || " +
			"!has(object.rules) || object.rules == null || object.rules.all(r, !('*' in r.verbs) && !('*' in r.?apiGroups.orValue([])) && !r.?resources.orValue([]).exists(x, x.startsWith('*')))",
		Message: "no role may say \"*\": name verbs, groups and resources",
	})

var rbacEscalationAdmission = control.ForKind(rbacAPI, "v1",
	"a role is refused although nobody outside the platform has it, and bindings are not seen; what names make unclear to the control is admitted",
	[]string{"roles", "clusterroles"}, escalationValidations()...)

// escalationValidations writes the table of escalations in CEL. What a wildcard
// includes is left to rbac-wildcards, as by the control.
func escalationValidations() []control.AdmissionValidation {
	const judged = "object.metadata.?labels[?'kubernetes.io/bootstrapping'].orValue('') != 'rbac-defaults' && has(object.rules) && object.rules != null && object.rules.exists(r, " +
		"!('*' in r.verbs) && !('*' in r.?apiGroups.orValue([])) && !r.?resources.orValue([]).exists(x, x.startsWith('*')) && "
	var out []control.AdmissionValidation
	for _, e := range escalations {
		right := "r.verbs.exists(v, v in " + list(e.verbs) + ") && '" + e.group + "' in r.?apiGroups.orValue([]) && " +
			"r.?resources.orValue([]).exists(x, x in " + list(e.resources) + ")"
		if e.named != nil {
			limit := "size(r.?resourceNames.orValue([])) == 0"
			if e.named([]string{clusterAdmin}) == asBad {
				limit = "(" + limit + " || '" + clusterAdmin + "' in r.resourceNames)"
			}
			right += " && " + limit
		}
		out = append(out, control.AdmissionValidation{
			Expression: "!(" + judged + right + "))",
			Message:    "who has this role " + e.what + ": take " + strings.Join(e.verbs, " and ") + " on " + strings.Join(e.resources, ", ") + " away",
		})
	}
	return out
}

// list returns strings as a list of CEL.
func list(of []string) string { return "['" + strings.Join(of, "', '") + "']" }
