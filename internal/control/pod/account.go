package pod

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

// accountName returns the name of the service account that the pods of w run
// as.
func accountName(w *estate.Workload) string {
	s := &w.Template.Spec
	return cmp.Or(s.ServiceAccountName, s.DeprecatedServiceAccount, "default")
}

// account returns the service account that the pods of w run as. Every
// namespace has a default account, which files do not show: it is empty. Another
// one that is not known is said to be so, and ok is false.
func account(s *control.Subject, w *estate.Workload) (a *corev1.ServiceAccount, ok bool) {
	name := accountName(w)
	ref := estate.NamedRef(estate.ServiceAccounts.Kind, "serviceaccount", w.Namespace, name)
	if found, ok := control.Find(s, estate.ServiceAccounts, ref.ID); ok {
		return &found.Object, true
	}
	switch {
	case !s.Read(estate.ServiceAccounts.Kind):
		s.Unknownf("service account %s/%s was not read (add its manifest, or --kube)", w.Namespace, name)
		return nil, false
	case name != "default":
		s.Unknownf("service account %s/%s was not found (add its manifest, or --kube)", w.Namespace, name)
		return nil, false
	}
	return &corev1.ServiceAccount{}, true
}
