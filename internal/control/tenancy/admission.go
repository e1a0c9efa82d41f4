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

const rbacAPI = "rbac.authorization.k8s.io"

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
