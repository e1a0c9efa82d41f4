package network

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/control/controltest"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/trace"
)

// manifests is an estate of files alone: a pod and its policies, and nothing of
// the cluster or of AWS.
func manifests(policies ...networkingv1.NetworkPolicySpec) *estate.Estate {
	e := &estate.Estate{Sources: []estate.Source{{Kind: estate.ManifestSource}}}
	for _, k := range estate.Kinds() {
		if k.Provider == estate.KubernetesProvider {
			e.Sources[0].Coverage = append(e.Sources[0].Coverage, estate.Coverage{Kind: k.Kind, State: estate.Read})
		}
	}
	w := &estate.Workload{Origin: estate.Origin{File: "web.yaml"}, Controller: "Deployment"}
	w.Namespace, w.Name, w.Template.Labels = "shop", "web", map[string]string{"app": "web"}
	w.Template.Spec.Containers = []corev1.Container{{Name: "web", Image: "web:1", Ports: []corev1.ContainerPort{{ContainerPort: 8443}}}}
	estate.Workloads.Add(e, w)
	for i, spec := range policies {
		p := &estate.Resource[networkingv1.NetworkPolicy]{Origin: estate.Origin{File: "policies.yaml"}}
		p.Object.Namespace, p.Object.Name, p.Object.Spec = "shop", string(rune('a'+i)), spec
		estate.NetworkPolicies.Add(e, p)
	}
	return e
}

func judge(e *estate.Estate, c *control.Control) control.Result {
	return control.Run(trace.New(e), []*control.Control{c}, controltest.Now, nil)[0]
}

func TestManifestsAlone(t *testing.T) {
	selects := func(app string) metav1.LabelSelector {
		return metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
	}
	block := func(cidr string) networkingv1.NetworkPolicySpec {
		return networkingv1.NetworkPolicySpec{PodSelector: selects("web"), Egress: []networkingv1.NetworkPolicyEgressRule{{
			To:    []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: cidr}}},
			Ports: []networkingv1.NetworkPolicyPort{{}},
		}}}
	}
	moved := selects("web")
	for _, test := range []struct {
		claim   string
		estate  *estate.Estate
		control *control.Control
		verdict finding.Verdict
		why     string // part of the reason or of the message
	}{
		{"manifests need not show the plugin", manifests(), policyEnforced, finding.Unknown, "manifests do not show which network plugin runs"},
		{"a namespace without policies is open, wherever that is written", manifests(), defaultDenyIngress, finding.Fail, "no policy denies ingress by default"},
		{"egress rules without types restrict egress", manifests(block("10.0.2.0/28")), defaultDenyEgress, finding.Pass, ""},
		{"what stands in a private network is not known without AWS", manifests(block("10.0.2.0/28")), egressLeast, finding.Unknown, "read the subnets (--aws)"},
		{"the internet is known without AWS", manifests(block("0.0.0.0/0")), egressLeast, finding.Fail, "the internet"},
		{"a peer may run and stand in no file", manifests(networkingv1.NetworkPolicySpec{PodSelector: selects("web"), Ingress: []networkingv1.NetworkPolicyIngressRule{{
			From: []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &moved}},
		}}}), policyAlive, finding.Unknown, "manifests do not show what else the cluster runs"},
		{"an operator may make the pods that a policy selects", manifests(networkingv1.NetworkPolicySpec{PodSelector: selects("wbe")}), policyAlive, finding.Unknown, "it selects no pod"},
		{"whether nodes answer is not known without AWS", manifests(), metadataClosed, finding.Unknown, "no source shows the nodes"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			r := judge(test.estate, test.control)
			said := r.Why
			for _, f := range r.Findings {
				said += f.Message
			}
			for _, g := range r.Gaps {
				said += g.Why
			}
			if r.Verdict != test.verdict || !strings.Contains(said, test.why) {
				t.Errorf("%s: %s, want %s: %s", r.Control.ID, r.Verdict, test.verdict, said)
			}
		})
	}
}

// Of three equal policies two are needless, and which does not depend on their
// order.
func TestShadowsKeepOne(t *testing.T) {
	spec := networkingv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}}
	e := manifests(spec, spec, spec)
	for range 2 {
		var got []string
		for _, f := range judge(e, policyAlive).Findings {
			got = append(got, f.Subject.Name)
		}
		if !slices.Equal(got, []string{"b", "c"}) {
			t.Errorf("needless are %v, want b and c", got)
		}
		slices.Reverse(estate.NetworkPolicies.In(e))
	}
}

// Where files show no plugin, the add-on that AWS shows decides.
func TestAddonBesideManifests(t *testing.T) {
	for _, test := range []struct {
		name    string
		enabled estate.Optional[bool]
		want    finding.Verdict
	}{
		{"vpc-cni", estate.Known(true), finding.Pass},
		{"vpc-cni", estate.Known(false), finding.Unknown},
		{"vpc-cni", estate.Optional[bool]{}, finding.Unknown},
		{"coredns", estate.Known(true), finding.Unknown},
	} {
		e := manifests()
		e.Sources = append(e.Sources, estate.Source{Kind: estate.AWSSource, Coverage: []estate.Coverage{{Kind: estate.Addons.Kind, State: estate.Read}}})
		estate.Addons.Add(e, &estate.Addon{AddonName: test.name, EnableNetworkPolicy: test.enabled})
		if r := judge(e, policyEnforced); r.Verdict != test.want {
			t.Errorf("%s %v: %s, want %s: %s", test.name, test.enabled, r.Verdict, test.want, r.Why)
		}
	}
}

// One policy among ten thousand opens what all others close.
func TestOnePolicyOpensEveryDatabase(t *testing.T) {
	if testing.Short() {
		t.Skip("builds 10,000 workloads")
	}
	e := large(500)
	// Each /28 is opened by its 20 clients alone, so that every database passes.
	if r := judge(e, databaseIsolated); r.Verdict != finding.Pass || r.Subjects != 500 {
		t.Fatalf("%s, %d subjects: %s", r.Verdict, r.Subjects, r.Why)
	}
	for _, p := range estate.NetworkPolicies.In(e) {
		if p.Object.Namespace == "team-7" && p.Object.Name == "app-3" {
			p.Object.Spec.Egress[0].To[0].IPBlock.CIDR = "10.0.0.0/8"
		}
	}
	r := judge(e, databaseIsolated)
	if len(r.Findings) != 499 || !strings.Contains(r.Findings[0].Message, "team-7/app-3 is no client") {
		t.Fatalf("%s: %d findings, want one for each database but its own", r.Verdict, len(r.Findings))
	}
}
