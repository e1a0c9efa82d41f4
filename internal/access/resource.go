package access

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// query returns the query of a verb on "resource" or "resource/subresource".
func query(verb, group, resource string) Query {
	resource, sub, _ := strings.Cut(resource, "/")
	return Query{Verb: verb, Group: group, Resource: resource, Subresource: sub}
}

// A resource is a kind of object by the names under which people know it.
type resource struct {
	name, group string
	cluster     bool // stands in no namespace
	short       []string
}

// resources are those of Kubernetes itself, as of 1.37. Where several groups
// have a name, the first is meant.
var resources = []resource{
	{"bindings", "", false, nil},
	{"componentstatuses", "", true, []string{"cs"}},
	{"configmaps", "", false, []string{"cm"}},
	{"endpoints", "", false, []string{"ep"}},
	{"events", "", false, []string{"ev"}},
	{"limitranges", "", false, []string{"limits"}},
	{"namespaces", "", true, []string{"ns"}},
	{"nodes", "", true, []string{"no"}},
	{"persistentvolumeclaims", "", false, []string{"pvc"}},
	{"persistentvolumes", "", true, []string{"pv"}},
	{"pods", "", false, []string{"po"}},
	{"podtemplates", "", false, nil},
	{"replicationcontrollers", "", false, []string{"rc"}},
	{"resourcequotas", "", false, []string{"quota"}},
	{"secrets", "", false, nil},
	{"serviceaccounts", "", false, []string{"sa"}},
	{"services", "", false, []string{"svc"}},
	{"users", "", true, nil}, // of impersonate alone
	{"groups", "", true, nil},
	{"mutatingwebhookconfigurations", admissionGroup, true, nil},
	{"validatingwebhookconfigurations", admissionGroup, true, nil},
	{"mutatingadmissionpolicies", admissionGroup, true, nil},
	{"mutatingadmissionpolicybindings", admissionGroup, true, nil},
	{"validatingadmissionpolicies", admissionGroup, true, nil},
	{"validatingadmissionpolicybindings", admissionGroup, true, nil},
	{"customresourcedefinitions", "apiextensions.k8s.io", true, []string{"crd", "crds"}},
	{"apiservices", "apiregistration.k8s.io", true, nil},
	{"controllerrevisions", "apps", false, nil},
	{"daemonsets", "apps", false, []string{"ds"}},
	{"deployments", "apps", false, []string{"deploy"}},
	{"replicasets", "apps", false, []string{"rs"}},
	{"statefulsets", "apps", false, []string{"sts"}},
	{"selfsubjectreviews", authenticationGroup, true, nil},
	{"tokenreviews", authenticationGroup, true, nil},
	{"localsubjectaccessreviews", authorizationGroup, false, nil},
	{"selfsubjectaccessreviews", authorizationGroup, true, nil},
	{"selfsubjectrulesreviews", authorizationGroup, true, nil},
	{"subjectaccessreviews", authorizationGroup, true, nil},
	{"horizontalpodautoscalers", "autoscaling", false, []string{"hpa"}},
	{"cronjobs", "batch", false, []string{"cj"}},
	{"jobs", "batch", false, nil},
	{"certificatesigningrequests", certificatesGroup, true, []string{"csr"}},
	{"signers", certificatesGroup, true, nil}, // of approve, attest and sign alone
	{"leases", "coordination.k8s.io", false, nil},
	{"endpointslices", "discovery.k8s.io", false, nil},
	{"flowschemas", "flowcontrol.apiserver.k8s.io", true, nil},
	{"prioritylevelconfigurations", "flowcontrol.apiserver.k8s.io", true, nil},
	{"ingresses", "networking.k8s.io", false, []string{"ing"}},
	{"ingressclasses", "networking.k8s.io", true, nil},
	{"networkpolicies", "networking.k8s.io", false, []string{"netpol"}},
	{"runtimeclasses", "node.k8s.io", true, nil},
	{"poddisruptionbudgets", "policy", false, []string{"pdb"}},
	{"clusterroles", "rbac.authorization.k8s.io", true, nil},
	{"clusterrolebindings", "rbac.authorization.k8s.io", true, nil},
	{"roles", "rbac.authorization.k8s.io", false, nil},
	{"rolebindings", "rbac.authorization.k8s.io", false, nil},
	{"priorityclasses", "scheduling.k8s.io", true, []string{"pc"}},
	{"csidrivers", "storage.k8s.io", true, nil},
	{"csinodes", "storage.k8s.io", true, nil},
	{"csistoragecapacities", "storage.k8s.io", false, nil},
	{"storageclasses", "storage.k8s.io", true, []string{"sc"}},
	{"volumeattachments", "storage.k8s.io", true, nil},
}

// ParseQuery reads a right as people write it for kubectl: the verb, and
// RESOURCE[.GROUP][/SUBRESOURCE][/NAME], "*" for every resource, or a path of
// the server. Singulars and short names will do. The last part is a subresource
// where the resource has one of that name, otherwise a name.
func ParseQuery(verb, what, namespace string) (Query, error) {
	switch {
	case verb == "" || strings.ContainsFunc(verb, func(r rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz-:*", r) }):
		return Query{}, fmt.Errorf("%q is no verb: use get, list, create, update, patch, delete, or another of the API", verb)
	case strings.HasPrefix(what, "/"):
		return Query{Verb: verb, URL: what}, nil
	}
	parts := strings.Split(what, "/")
	if slices.Contains(parts, "") || len(parts) > 3 {
		return Query{}, fmt.Errorf("%q is no resource: write RESOURCE[.GROUP][/SUBRESOURCE][/NAME], such as secrets or pods/exec", what)
	}
	q := Query{Verb: verb, Namespace: namespace}
	q.Resource, q.Group, _ = strings.Cut(parts[0], ".")
	found, ok := lookUp(q.Resource, q.Group)
	switch {
	case q.Resource == "*":
		q.Group = cmp.Or(q.Group, "*")
	case ok:
		q.Resource, q.Group = found.name, found.group
		if found.cluster && !(found.name == "namespaces" && namespace != Everywhere) {
			q.Namespace = ""
		}
	case q.Group == "":
		hint := "a custom resource needs its group: widgets.example.com"
		if near := nearest(q.Resource); near != "" {
			hint = "did you mean " + near + "? " + hint
		}
		return Query{}, fmt.Errorf("resolving resource %q: Kubernetes has none of that name; %s", q.Resource, hint)
	}
	switch rest := parts[1:]; {
	case len(rest) == 2:
		q.Subresource, q.Name = rest[0], rest[1]
	case len(rest) == 1 && slices.Contains(subresources, rest[0]):
		q.Subresource = rest[0]
	case len(rest) == 1:
		q.Name = rest[0]
	}
	return q, nil
}

// subresources are the words that are one after a resource, as of Kubernetes
// 1.37.
var subresources = []string{
	"approval", "attach", "binding", "ephemeralcontainers", "eviction", "exec", "finalize", "log", "portforward", "proxy", "resize", "rollback",
	"scale", "status", "token", "*",
}

func lookUp(name, group string) (resource, bool) {
	name = strings.ToLower(name)
	i := slices.IndexFunc(resources, func(r resource) bool {
		return (group == "" || group == r.group) && (name == r.name || name == singular(r.name) || slices.Contains(r.short, name))
	})
	if i < 0 {
		return resource{}, false
	}
	return resources[i], true
}

func singular(plural string) string {
	switch {
	case strings.HasSuffix(plural, "ies"):
		return strings.TrimSuffix(plural, "ies") + "y"
	case strings.HasSuffix(plural, "sses"):
		return strings.TrimSuffix(plural, "es")
	case plural == "endpoints":
		return plural
	}
	return strings.TrimSuffix(plural, "s")
}

// nearest returns the resource that differs from a misspelt one by a letter
// or two, "" for none.
func nearest(name string) string {
	best, at := "", 3
	for _, r := range resources {
		if d := distance(strings.ToLower(name), r.name); d < at {
			best, at = r.name, d
		}
	}
	return best
}

// distance is the number of letters to add, drop or change.
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := last
			if a[i] != b[j] {
				change++
			}
			last = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
