package tenancy

import (
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/platform"
)

var defaultAccountPowerless = &control.Control{
	ID:        "default-account-powerless",
	Title:     "The default service accounts hold no rights",
	Severity:  control.Medium,
	Refs:      []control.Ref{control.CISEKS("4.1.5"), control.Project("kubernetes-rbac-good-practices")},
	Serves:    []string{"S30"},
	Since:     "0.1.0",
	Admission: defaultAccountPowerlessAdmission,
	Check:     bindings(judgeDefaultAccount),
}

func judgeDefaultAccount(s *control.Subject, b *binding) {
	if b.namespace == "" && b.place.Subject.Name == b.ref.Name && platform.Discovery(b.ref.Name) {
		return
	}
	for i, who := range b.subjects {
		namespace, account := accountNamespace(b.namespace, who)
		switch {
		case !account:
		case who.Kind == rbacv1.GroupKind && namespace == "":
			s.Failf(b.field(i), "the group of all service accounts has %s %s, every default account too", b.ref.Kind, b.ref.Name)
		case who.Kind == rbacv1.GroupKind:
			s.Failf(b.field(i), "the group of all service accounts of %s has %s %s, the default account too", namespace, b.ref.Kind, b.ref.Name)
		case who.Name == "default" || who.Name == "system:serviceaccount:"+namespace+":default":
			s.Failf(b.field(i), "the default service account of %s has %s %s, and with it every pod there that names no account", namespace, b.ref.Kind, b.ref.Name)
		}
	}
}
