package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/access/accesstest"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/kube"
	kuberig "github.com/eksafe/eksafe/test/rig/kube"
)

// An apiServer answers SubjectAccessReviews and reads.
type apiServer struct {
	client *http.Client
	url    string
}

func newAPIServer(t *testing.T, kubeconfig string) *apiServer {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	return &apiServer{client, config.Host}
}

func (s *apiServer) call(t *testing.T, method, path string, in, out any) {
	t.Helper()
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %s\n%s", method, path, resp.Status, data)
	}
	if err := json.Unmarshal(data, out); err != nil {
		t.Fatal(err)
	}
}

// allows asks the server itself.
func (s *apiServer) allows(t *testing.T, who accesstest.Principal, q access.Query) bool {
	t.Helper()
	review := authorizationv1.SubjectAccessReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SubjectAccessReview"},
		Spec:     authorizationv1.SubjectAccessReviewSpec{User: who.User, Groups: who.Groups},
	}
	if q.URL != "" {
		review.Spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{Path: q.URL, Verb: q.Verb}
	} else {
		review.Spec.ResourceAttributes = &authorizationv1.ResourceAttributes{
			Namespace: q.Namespace, Verb: q.Verb, Group: q.Group, Resource: q.Resource, Subresource: q.Subresource, Name: q.Name,
		}
	}
	s.call(t, http.MethodPost, "/apis/authorization.k8s.io/v1/subjectaccessreviews", review, &review)
	return review.Status.Allowed
}

// typed fills in what the API server wants to see of an object.
func typed(t *testing.T, kind string, object any) string {
	t.Helper()
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	fields["apiVersion"], fields["kind"] = "rbac.authorization.k8s.io/v1", kind
	if data, err = json.Marshal(fields); err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestWhoCanAgreesWithTheServer applies RBAC to a real API server, reads it as
// an audit does, and asks both the same: every principal of the set, every
// verb, resource and namespace, and the roles that Kubernetes ships bound too.
func TestWhoCanAgreesWithTheServer(t *testing.T) {
	rig := kuberig.Start(t)
	set := accesstest.Random(rand.New(rand.NewPCG(2026, 11)))
	bind := func(namespace, role, user string) {
		set.RoleBindings = append(set.RoleBindings, rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shipped-" + strings.ReplaceAll(role, ":", "-")},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
		})
	}
	// No controller runs that would aggregate these into edit, view and admin.
	bind("a", "system:aggregate-to-edit", "x")
	bind("b", "system:aggregate-to-view", "x")
	bind("b", "system:aggregate-to-admin", "y")
	for i := range uint64(3) { // more of the same, under other names
		more := accesstest.Random(rand.New(rand.NewPCG(i, 12)))
		for _, b := range more.RoleBindings {
			b.Name = fmt.Sprintf("more-%d-%s", i, b.Name)
			set.RoleBindings = append(set.RoleBindings, b)
		}
	}
	var manifests []string
	for _, o := range set.ClusterRoles {
		manifests = append(manifests, typed(t, "ClusterRole", o))
	}
	for _, o := range set.Roles {
		manifests = append(manifests, typed(t, "Role", o))
	}
	for _, o := range set.ClusterRoleBindings {
		manifests = append(manifests, typed(t, "ClusterRoleBinding", o))
	}
	for _, o := range set.RoleBindings {
		manifests = append(manifests, typed(t, "RoleBinding", o))
	}
	rig.Apply(t, strings.Join(manifests, "\n---\n"))
	server := newAPIServer(t, rig.Admin)

	e, err := kube.Read(t.Context(), kube.Options{Kubeconfig: rig.Admin})
	if err != nil {
		t.Fatal(err)
	}
	g := access.New(e)
	yes, no := 0, 0
	for _, who := range set.Principals() {
		for _, verb := range []string{"get", "list", "create", "deletecollection", "impersonate"} {
			for _, resource := range []struct{ group, name, sub string }{{"", "pods", ""}, {"", "secrets", ""}, {"", "pods", "exec"}, {"apps", "deployments", ""}} {
				for _, namespace := range []string{"", "a", "b", "kube-system"} {
					q := access.Query{Verb: verb, Group: resource.group, Resource: resource.name, Subresource: resource.sub, Namespace: namespace}
					want := server.allows(t, who, q)
					if got := g.Can(who.Identity, q); got != want {
						t.Errorf("%s, %s: %v, the server says %v", who.Identity.Label(), q, got, want)
					}
					listed := slices.ContainsFunc(g.WhoCan(q), func(h access.Holder) bool {
						return h.Identity == who.Identity && h.Direct() && h.Certain == access.Yes && len(h.Only) == 0
					})
					if set.Names(who.Identity) && listed != want {
						t.Errorf("%s, %s: listed among those who can: %v, the server says %v", who.Identity.Label(), q, listed, want)
					}
					if want {
						yes++
					} else {
						no++
					}
				}
			}
		}
	}
	r := rand.New(rand.NewPCG(3, 3))
	for range 300 {
		who := set.Principals()[r.IntN(len(set.Principals()))]
		q := accesstest.RandomQuery(r)
		if got, want := g.Can(who.Identity, q), server.allows(t, who, q); got != want {
			t.Errorf("%s, %s: %v, the server says %v", who.Identity.Label(), q, got, want)
		}
	}
	t.Logf("%d yes, %d no", yes, no)
	if yes < 50 || no < 50 {
		t.Errorf("%d yes, %d no: the cases prove little", yes, no)
	}

	t.Run("the roles that no file shows are those of the server", func(t *testing.T) { shippedRoles(t, server) })
}

// shippedRoles holds what eksafe takes the roles of Kubernetes for against those
// of a server, in whose view every right of one is a right of the other.
func shippedRoles(t *testing.T, server *apiServer) {
	for _, name := range []string{"cluster-admin", "admin", "edit", "view", "system:auth-delegator", "system:basic-user"} {
		var live rbacv1.ClusterRole
		server.call(t, http.MethodGet, "/apis/rbac.authorization.k8s.io/v1/clusterroles/"+name, nil, &live)
		rules := live.Rules
		if live.AggregationRule != nil && len(rules) == 0 {
			// No controller runs here that would write them.
			var all rbacv1.ClusterRoleList
			server.call(t, http.MethodGet, "/apis/rbac.authorization.k8s.io/v1/clusterroles", nil, &all)
			e := &estate.Estate{}
			for _, r := range all.Items {
				estate.ClusterRoles.Add(e, &estate.Resource[rbacv1.ClusterRole]{Object: r})
			}
			rules = access.RulesOf(e, name)
		}
		differs(t, name+" of the server", rules, access.RulesOf(&estate.Estate{}, name))
	}
}

// differs compares rules by the single rights that they give. The API group
// extensions, which no server has had for long, is passed over.
func differs(t *testing.T, name string, a, b []rbacv1.PolicyRule) {
	t.Helper()
	rights := func(rules []rbacv1.PolicyRule) map[string]bool {
		out := map[string]bool{}
		for _, r := range rules {
			for _, verb := range r.Verbs {
				for _, group := range r.APIGroups {
					for _, resource := range r.Resources {
						if group != "extensions" {
							out[fmt.Sprint(verb, " ", group, " ", resource, r.ResourceNames)] = true
						}
					}
				}
				for _, url := range r.NonResourceURLs {
					out[verb+" "+url] = true
				}
			}
		}
		return out
	}
	x, y := rights(a), rights(b)
	if len(x) == 0 {
		t.Errorf("%s: no rights were read", name)
	}
	for right := range x {
		if !y[right] {
			t.Errorf("%s gives %q, and eksafe does not know it", name, right)
		}
	}
	for right := range y {
		if !x[right] {
			t.Errorf("%s does not give %q, which eksafe takes it for", name, right)
		}
	}
}
