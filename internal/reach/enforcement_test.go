package reach

import (
	"strings"
	"testing"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// The parts of the clusters below.
const (
	awsNode = `---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: aws-node, namespace: kube-system}
spec:
  selector: {matchLabels: {app: aws-node}}
  template:
    metadata: {labels: {app: aws-node}}
    spec:
      hostNetwork: true
      containers:
        - name: aws-node
          image: 602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon-k8s-cni:v1
          env: [{name: ENABLE_POD_ENI, value: "true"}]
        - name: aws-eks-nodeagent
          image: 602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon/aws-network-policy-agent:v1
          args: ["--enable-network-policy=true"]
`
	calicoNode = `---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: calico-node, namespace: kube-system}
spec:
  selector: {matchLabels: {app: calico-node}}
  template:
    metadata: {labels: {app: calico-node}}
    spec: {hostNetwork: true, containers: [{name: calico-node, image: "quay.io/calico/node:v3.30"}]}
`
	ciliumNode = `---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: cilium, namespace: kube-system}
spec:
  selector: {matchLabels: {app: cilium}}
  template:
    metadata: {labels: {app: cilium}}
    spec: {hostNetwork: true, containers: [{name: cilium-agent, image: "quay.io/cilium/cilium:v1.18"}]}
`
	denyDB = `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: shop}
spec: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress]}
`
	alone = `---
apiVersion: v1
kind: Pod
metadata: {name: alone, namespace: shop, labels: {app: db}}
spec: {containers: [{name: c, image: i}]}
`
	ownGroups = `---
apiVersion: vpcresources.k8s.aws/v1beta1
kind: SecurityGroupPolicy
metadata: {name: db, namespace: shop}
spec: {podSelector: {matchLabels: {app: db}}, securityGroups: {groupIds: [sg-1]}}
`
)

var denyByCalico = "---\n" + policyOf("deny", `{selector: "app == 'db'", types: [Ingress]}`)

func nodeOf(name, labels string) string {
	return "---\napiVersion: v1\nkind: Node\nmetadata: {name: " + name + ", labels: " + labels + "}\n"
}

// live makes of manifests a cluster, in which db runs on a node.
func live(e *estate.Estate, node string) *estate.Estate {
	for _, w := range estate.Workloads.In(e) {
		w.Origin.Cluster = "shop"
		if w.Namespace == "shop" && w.Name == "db" && node != "" {
			w.Pods[0].NodeName = node
		}
	}
	return e
}

func TestEnforcement(t *testing.T) {
	for _, test := range []struct {
		claim     string
		manifests string
		node      string // of db
		question  string
		want      Verdict
		state     trace.Ternary
		by        string // part of what the layer says
	}{
		{"nothing enforces, and everything is reachable", denyDB, "", "shop/web shop/db TCP 5432", Allowed, trace.No, "nothing enforces network policies"},
		{"the VPC CNI enforces NetworkPolicies", awsNode + denyDB, "", "shop/web shop/db TCP 5432", Denied, trace.Yes, "the VPC CNI"},
		{"and does not read Calico's", awsNode + denyByCalico, "", "shop/web shop/db TCP 5432", Allowed, trace.No, "only the VPC CNI enforces policies there, and does not read this kind"},
		{"Calico enforces both", calicoNode + denyByCalico, "", "shop/web shop/db TCP 5432", Denied, trace.Yes, "Calico"},
		{"Calico beside the VPC CNI enforces its own", awsNode + calicoNode + denyByCalico, "", "shop/web shop/db TCP 5432", Denied, trace.Yes, "the VPC CNI and Calico"},
		{"Cilium does not read Calico's policies", ciliumNode + denyByCalico, "", "shop/web shop/db TCP 5432", Allowed, trace.No, "only Cilium"},
		{"Cilium enforces NetworkPolicies", ciliumNode + denyDB, "", "shop/web shop/db TCP 5432", Denied, trace.Yes, "Cilium"},
		{"the VPC CNI passes over a pod without an owner", awsNode + denyDB + alone, "", "shop/web shop/alone TCP 80", Allowed, trace.No, "a pod that has no owner"},
		{"Calico does not", calicoNode + denyDB + alone, "", "shop/web shop/alone TCP 80", Denied, trace.Yes, "Calico"},
		{"Fargate has no agent", awsNode + denyDB + nodeOf("n1", "{}"), "fargate-ip-10-0-0-1", "shop/web shop/db TCP 5432", Allowed, trace.No, "Fargate"},
		{"Windows has none", awsNode + denyDB + nodeOf("n1", "{}") + nodeOf("w1", "{kubernetes.io/os: windows}"), "w1", "shop/web shop/db TCP 5432", Allowed, trace.No, "node w1"},
		{"a node beside it has one", awsNode + denyDB + nodeOf("n1", "{}") + nodeOf("w1", "{kubernetes.io/os: windows}"), "n1", "shop/web shop/db TCP 5432", Denied, trace.Yes, "the VPC CNI"},
		{"on which of them a pod runs may not be known", awsNode + denyDB + nodeOf("n1", "{}") + nodeOf("w1", "{kubernetes.io/os: windows}"), "", "shop/web shop/db TCP 5432", Denied, trace.Unclear, "taken to be enforced: DaemonSet aws-node does not run on w1"},
		{"Calico does not see pods with security groups of their own", awsNode + calicoNode + ownGroups + denyByCalico, "", "shop/web shop/db TCP 5432", Allowed, trace.No, "only the VPC CNI"},
		{"unless the mode is standard", strings.Replace(awsNode, "{name: ENABLE_POD_ENI", "{name: POD_SECURITY_GROUP_ENFORCING_MODE, value: standard}, {name: ENABLE_POD_ENI", 1) + calicoNode + ownGroups + denyByCalico, "", "shop/web shop/db TCP 5432", Denied, trace.Yes, "Calico"},
		{"or pods get no interface of their own", strings.Replace(awsNode, `"true"`, `"false"`, 1) + calicoNode + ownGroups + denyByCalico, "", "shop/web shop/db TCP 5432", Denied, trace.Yes, "Calico"},
		{"the VPC CNI does see them", awsNode + ownGroups + denyDB, "", "shop/web shop/db TCP 5432", Denied, trace.Yes, "the VPC CNI"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			n := New(trace.New(live(placed(estateOf(t, shopPods+test.manifests)), test.node)))
			if got := verdictOf(t, n, test.question); got != test.want {
				t.Errorf("%s is %s, want %s", test.question, got, test.want)
			}
			l := ingressLayer(t, n, test.question)
			if l.Enforced != test.state || !strings.Contains(l.By, test.by) {
				t.Errorf("enforced %s by %q, want %s by %q", l.Enforced, l.By, test.state, test.by)
			}
			if (l.Verdict == Allowed) != (test.want == Allowed) {
				t.Errorf("the layer says %s: %s", l.Verdict, l.Why)
			}
		})
	}
}

// ingressLayer asks what the policies of the second end say.
func ingressLayer(t *testing.T, n *Network, question string) Layer {
	t.Helper()
	words := strings.Fields(question)
	var ends [2]*Endpoint
	for _, e := range n.endpoints {
		for i := range ends {
			if e.Name == words[i] {
				ends[i] = e
			}
		}
	}
	for _, l := range n.Ask(ends[0], ends[1], TCP, 5432).Layers {
		if l.Kind == IngressPolicies {
			return l
		}
	}
	t.Fatal("no layer of ingress policies")
	return Layer{}
}

// Files do not show what enforces policies: they are taken to be enforced, and
// the explanation says so.
func TestEnforcementOfFiles(t *testing.T) {
	n := New(trace.New(placed(estateOf(t, shopPods+denyDB))))
	l := ingressLayer(t, n, "shop/web shop/db")
	if l.Enforced != trace.Unclear || l.Verdict != Denied || !strings.HasPrefix(l.By, "taken to be enforced: manifests do not show") {
		t.Errorf("%s by %q: %s", l.Enforced, l.By, l.Verdict)
	}
	if _, _, ok := n.Unenforced(); ok {
		t.Error("files are said to be without enforcement")
	}
}

func TestUnenforced(t *testing.T) {
	for _, test := range []struct {
		claim, manifests string
		want             bool
	}{
		{"nothing there", denyDB, true},
		{"the VPC CNI without the feature", strings.Replace(awsNode, "=true", "=false", 1), true},
		{"the VPC CNI with it", awsNode, false},
		{"on some nodes", awsNode + nodeOf("n1", "{}") + nodeOf("w1", "{kubernetes.io/os: windows}"), false},
		{"on no node that there is", awsNode + nodeOf("w1", "{kubernetes.io/os: windows}"), true},
	} {
		n := New(trace.New(live(placed(estateOf(t, shopPods+test.manifests)), "")))
		why, _, ok := n.Unenforced()
		if ok != test.want || ok == (why == "") {
			t.Errorf("%s: %v %q", test.claim, ok, why)
		}
		if want := map[bool]Verdict{true: Allowed, false: Denied}[ok]; strings.Contains(test.manifests, "kind: NetworkPolicy") && verdictOf(t, n, "shop/web shop/db TCP 5432") != want {
			t.Errorf("%s: the verdict is not %s", test.claim, want)
		}
	}
}

// A policy that nothing enforces beside one that something does is said.
func TestIdlePolicyIsNoted(t *testing.T) {
	n := New(trace.New(live(placed(estateOf(t, shopPods+awsNode+denyByCalico+denyDB)), "")))
	var ends [2]*Endpoint
	for _, e := range n.endpoints {
		if e.Name == "shop/web" {
			ends[0] = e
		}
		if e.Name == "shop/db" {
			ends[1] = e
		}
	}
	a := n.Ask(ends[0], ends[1], TCP, 5432)
	notes := strings.Join(a.Notes, "\n")
	for _, want := range []string{"nothing enforces Calico NetworkPolicy shop/deny on shop/db", "NETWORK_POLICY_ENFORCING_MODE"} {
		if a.Verdict != Denied || !strings.Contains(notes, want) {
			t.Errorf("%s, notes %q, want %q", a.Verdict, notes, want)
		}
	}
}

// Cilium's rules are not computed: neither isolation nor reachability is claimed
// where they may decide.
func TestCilium(t *testing.T) {
	policy := func(spec string) string {
		return "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: p, namespace: shop}\nspec: " + spec + "\n"
	}
	for _, test := range []struct {
		claim, manifests string
		want             Verdict
		byDefault        trace.Ternary
	}{
		{"a rule without peers allows nothing", policy("{endpointSelector: {matchLabels: {app: db}}, ingress: [{}]}"), Denied, trace.Yes},
		{"a rule may allow", policy("{endpointSelector: {matchLabels: {k8s:app: db}}, ingress: [{fromEntities: [cluster]}]}"), Unknown, trace.Unclear},
		{"a rule of peers that are not read may allow", policy("{endpointSelector: {}, ingress: [{fromCIDR: [0.0.0.0/0]}]}"), Unknown, trace.Unclear},
		{"it selects others", policy("{endpointSelector: {matchLabels: {app: web}}, ingress: [{}]}"), Allowed, trace.No},
		{"it is about egress", policy("{endpointSelector: {matchLabels: {app: db}}, egress: [{}]}"), Allowed, trace.No},
		{"a denial may deny", policy("{endpointSelector: {matchLabels: {app: db}}, ingressDeny: [{fromEntities: [world]}], enableDefaultDeny: {ingress: false}}"), Unknown, trace.Unclear},
		{"without a default of denial it opens nothing and closes nothing", policy("{endpointSelector: {matchLabels: {app: db}}, ingress: [{fromEntities: [all]}], enableDefaultDeny: {ingress: false}}"), Allowed, trace.No},
		{"what a NetworkPolicy allows stays allowed beside rules that allow", policy("{endpointSelector: {matchLabels: {app: db}}, ingress: [{fromEntities: [host]}]}") +
			strings.Replace(denyDB, "policyTypes: [Ingress]", "ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]", 1), Allowed, trace.Unclear},
		{"a reserved label selects nobody knows what", policy("{endpointSelector: {matchLabels: {reserved:host: ''}}, ingress: [{}]}"), Unknown, trace.Unclear},
	} {
		t.Run(test.claim, func(t *testing.T) {
			n := New(trace.New(placed(estateOf(t, shopPods+test.manifests))))
			if got := verdictOf(t, n, "shop/web shop/db TCP 5432"); got != test.want {
				t.Errorf("it is %s, want %s", got, test.want)
			}
			for _, w := range estate.Workloads.In(n.graph.Estate) {
				if d := n.Default(w, Ingress); w.Name == "db" && d.Denied != test.byDefault {
					t.Errorf("denied by default: %s, want %s: %s", d.Denied, test.byDefault, d.Why)
				}
			}
		})
	}
}

func TestDefault(t *testing.T) {
	open := func(name, spec string) string {
		return "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: " + name + ", namespace: shop}\nspec: " + spec + "\n"
	}
	for _, test := range []struct {
		claim, manifests string
		want             trace.Ternary
		partly           bool
		opened           string // "deny spec.ingress[0]"
	}{
		{"nothing", "", trace.No, false, ""},
		{"a NetworkPolicy", denyDB, trace.Yes, false, ""},
		{"a rule that allows everything", denyDB + open("open", "{podSelector: {}, ingress: [{}]}"), trace.Yes, false, "open spec.ingress[0]"},
		{"blocks of every address", denyDB + open("open", `{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}, {ipBlock: {cidr: "::/0"}}]}]}`), trace.Yes, false, "open spec.ingress[0]"},
		{"rules that do together", denyDB + open("open", `{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}, {from: [{ipBlock: {cidr: "::/0"}}]}]}`), trace.Yes, false, "open "},
		{"rules that leave a family", denyDB + open("open", `{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}`), trace.Yes, false, ""},
		{"a rule that is asked too late", "---\n" + policyOf("p", `{types: [Ingress], ingress: [{action: Deny, source: {nets: [192.0.2.0/24]}}, {action: Allow}]}`), trace.Yes, false, ""},
		{"a tier that passes on", "---\n" + tierOf("t", "{order: 1, defaultAction: Pass}") + "---\n" + policyOf("p", `{tier: t, types: [Ingress]}`), trace.No, false, ""},
		{"a part that is denied", "---\n" + tierOf("t", "{order: 1, defaultAction: Pass}") + "---\n" + policyOf("p", `{tier: t, types: [Ingress], ingress: [{action: Deny, source: {nets: [192.0.2.0/24]}}]}`), trace.No, true, ""},
		{"rules that deny everything", "---\n" + tierOf("t", "{order: 1, defaultAction: Pass}") + "---\n" + policyOf("p", `{tier: t, types: [Ingress], ingress: [{action: Allow, source: {selector: "app == 'web'"}}, {action: Deny}]}`), trace.Yes, false, ""},
		{"a tier that nobody shows", "---\n" + policyOf("p", `{tier: t, types: [Ingress]}`), trace.Unclear, false, ""},
		{"a policy that nothing enforces", awsNode + denyByCalico, trace.Yes, false, ""},
	} {
		t.Run(test.claim, func(t *testing.T) {
			n := New(trace.New(placed(estateOf(t, shopPods+test.manifests))))
			for _, w := range estate.Workloads.In(n.graph.Estate) {
				if w.Name != "db" {
					continue
				}
				d := n.Default(w, Ingress)
				opened := ""
				if !d.Opened.Subject.IsZero() {
					opened = d.Opened.Subject.Name + " " + d.Opened.Field
				}
				if d.Denied != test.want || d.Partly != test.partly || opened != test.opened {
					t.Errorf("denied %s, partly %v, opened by %q: %s", d.Denied, d.Partly, opened, d.Why)
				}
			}
		})
	}
}

// Pods that will run on Fargate have no agent, whichever node they run on now.
func TestUnenforcedOnFargate(t *testing.T) {
	onFargate := strings.Replace(shopPods, "labels: {app: db}", "labels: {app: db, eks.amazonaws.com/fargate-profile: f}", 1)
	if onFargate == shopPods {
		t.Fatal("no template has the label app: db")
	}
	for manifests, want := range map[string]Verdict{shopPods: Denied, onFargate: Allowed} {
		n := New(trace.New(placed(estateOf(t, manifests+denyDB))))
		if got := verdictOf(t, n, "shop/web shop/db TCP 5432"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
