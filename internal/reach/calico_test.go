package reach

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/manifest"
	"github.com/eksafe/eksafe/internal/trace"
)

// estateOf reads manifests.
func estateOf(t *testing.T, manifests string) *estate.Estate {
	t.Helper()
	file := filepath.Join(t.TempDir(), "all.yaml")
	if err := os.WriteFile(file, []byte(manifests), 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := manifest.Read(context.Background(), []string{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return read.Estate
}

// named returns the endpoint of a name; "10.0.0.1" is that of an address.
func named(t *testing.T, n *Network, name string) (points set) {
	t.Helper()
	for _, e := range n.endpoints {
		if e.Name == name {
			return e.points
		}
	}
	if p, ok := parsePrefix(name); ok {
		at := n.atoms + n.addresses.atom(p.Addr())
		return interval(at, at+1)
	}
	t.Fatalf("nothing is named %s", name)
	return nil
}

// verdictOf reads "shop/web shop/db TCP 80" and returns what becomes of it.
func verdictOf(t *testing.T, n *Network, question string) Verdict {
	t.Helper()
	var from, to, name string
	var port uint16
	if _, err := fmt.Sscan(question, &from, &to, &name, &port); err != nil {
		t.Fatal(question, err)
	}
	protocol, err := ParseProtocol(name)
	if err != nil {
		t.Fatal(err)
	}
	out := Denied
	for i := range named(t, n, from).points() {
		for j := range named(t, n, to).points() {
			out = worst(out, n.verdict(i, j, protocol, port))
		}
	}
	return out
}

// The cluster of the tables: web, api and db in shop, and a client in another
// namespace. Each pod has one address.
const shopPods = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: shop}}
---
apiVersion: v1
kind: Namespace
metadata: {name: other, labels: {team: other}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web, namespace: shop, labels: {role: front}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: default, namespace: shop}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: default, namespace: other}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: web
      containers: [{name: c, image: i, ports: [{name: http, containerPort: 8080}]}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: shop}
spec:
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      containers: [{name: c, image: i, ports: [{name: http, containerPort: 9090}]}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: db, namespace: shop}
spec:
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers: [{name: c, image: i, ports: [{name: sql, containerPort: 5432}]}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: client, namespace: other}
spec:
  selector: {matchLabels: {app: client}}
  template:
    metadata: {labels: {app: client}}
    spec:
      containers: [{name: c, image: i}]
---
apiVersion: v1
kind: Service
metadata: {name: sql, namespace: shop}
spec: {selector: {app: db}, ports: [{port: 3306, targetPort: sql}]}
---
apiVersion: v1
kind: Service
metadata: {name: by-hand, namespace: shop}
spec: {ports: [{port: 3306}]}
---
apiVersion: projectcalico.org/v3
kind: NetworkSet
metadata: {name: partners, namespace: shop, labels: {kind: partner}}
spec: {nets: [203.0.113.0/24]}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkSet
metadata: {name: everywhere, labels: {kind: partner}}
spec: {nets: [198.51.100.0/24]}
`

// placed gives each pod an address of its own.
func placed(e *estate.Estate) *estate.Estate {
	for i, name := range []string{"web", "api", "db", "client"} {
		for _, w := range estate.Workloads.In(e) {
			if w.Name == name {
				w.Pods = []estate.Pod{{Name: name + "-0", PodIP: fmt.Sprintf("10.0.%d.5", i)}}
			}
		}
	}
	return e
}

// policyOf writes a NetworkPolicy of Calico in shop.
func policyOf(name, spec string) string {
	return "apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: " + name + ", namespace: shop}\nspec: " + spec + "\n"
}

func globalOf(name, spec string) string {
	return "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: " + name + "}\nspec: " + spec + "\n"
}

func tierOf(name, spec string) string {
	return "apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {name: " + name + "}\nspec: " + spec + "\n"
}

// Sources: the reference of Calico on NetworkPolicy, GlobalNetworkPolicy, Tier
// and NetworkSet, and the comments of projectcalico.org/v3.
func TestCalico(t *testing.T) {
	const denyRest = `{selector: "app == 'db'", order: 900, types: [Ingress]}`
	allowAll := `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Allow}]}`
	for _, test := range []struct {
		claim     string
		manifests []string
		want      []string // questions and verdicts
	}{
		{"rules of egress alone restrict egress alone", []string{
			policyOf("p", `{selector: "app == 'db'", egress: [{action: Allow, protocol: UDP}]}`),
		}, []string{"shop/db 192.0.2.1 TCP 443 denied", "shop/db 192.0.2.1 UDP 443 allowed", "shop/web shop/db TCP 5432 allowed"}},
		{"without rules ingress is restricted", []string{
			policyOf("p", `{selector: "app == 'db'"}`),
		}, []string{"shop/web shop/db TCP 5432 denied", "shop/db 192.0.2.1 TCP 443 allowed"}},
		{"the first rule that matches decides, and Log decides nothing", []string{
			policyOf("p", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Log}, {action: Deny, source: {selector: "app == 'web'"}}, {action: Allow}]}`),
		}, []string{"shop/web shop/db TCP 5432 denied", "shop/api shop/db TCP 5432 allowed"}},
		{"a policy of lower order is asked first", []string{
			policyOf("a", `{selector: "app == 'db'", order: 20, types: [Ingress], ingress: [{action: Allow}]}`),
			policyOf("b", `{selector: "app == 'db'", order: 10, types: [Ingress], ingress: [{action: Deny}]}`),
		}, []string{"shop/web shop/db TCP 5432 denied"}},
		{"policies of one order are asked by name, and one without an order last", []string{
			policyOf("c", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Allow}]}`),
			policyOf("b", `{selector: "app == 'db'", order: 10, types: [Ingress], ingress: [{action: Allow}]}`),
			policyOf("a", `{selector: "app == 'db'", order: 10, types: [Ingress], ingress: [{action: Deny, source: {selector: "app == 'web'"}}]}`),
		}, []string{"shop/web shop/db TCP 5432 denied", "shop/api shop/db TCP 5432 allowed"}},
		{"names of policies in the datastore begin with their tier", []string{
			policyOf("default.a", `{tier: default, selector: "app == 'db'", types: [Ingress], ingress: [{action: Deny}]}`),
			policyOf("b", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Allow}]}`),
		}, []string{"shop/web shop/db TCP 5432 denied"}},
		{"NetworkPolicies stand in the default tier with order 1000", []string{
			"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: np, namespace: shop}\nspec: {podSelector: {matchLabels: {app: db}}, ingress: [{}]}\n",
			policyOf("before", `{selector: "app == 'db'", order: 999, types: [Ingress], ingress: [{action: Deny, source: {selector: "app == 'web'"}}]}`),
			policyOf("behind", `{selector: "app == 'db'", order: 1001, types: [Ingress], ingress: [{action: Deny}]}`),
		}, []string{"shop/web shop/db TCP 5432 denied", "shop/api shop/db TCP 5432 allowed"}},
		{"tiers are asked by order, one without an order last", []string{
			tierOf("late", "{}"), tierOf("early", "{order: 10}"),
			policyOf("late.a", `{tier: late, selector: "app == 'db'", types: [Ingress], ingress: [{action: Deny}]}`),
			policyOf("early.b", `{tier: early, selector: "app == 'db'", types: [Ingress], ingress: [{action: Allow, source: {selector: "app == 'web'"}}, {action: Pass}]}`),
			policyOf("c", allowAll),
		}, []string{"shop/web shop/db TCP 5432 allowed", "other/client shop/db TCP 5432 allowed"}},
		{"the end of a tier denies if a policy of the direction applied", []string{
			tierOf("early", "{order: 10}"),
			policyOf("early.b", `{tier: early, selector: "app == 'db'", types: [Egress], egress: [{action: Allow}]}`),
			policyOf("c", allowAll),
		}, []string{"shop/web shop/db TCP 5432 allowed", "shop/db 192.0.2.1 TCP 443 allowed"}},
		{"the end of a tier denies what its policies do not decide", []string{
			tierOf("early", "{order: 10}"),
			policyOf("early.b", `{tier: early, selector: "app == 'db'", types: [Ingress], ingress: [{action: Allow, source: {selector: "app == 'web'"}}]}`),
			policyOf("c", allowAll),
		}, []string{"shop/web shop/db TCP 5432 allowed", "shop/api shop/db TCP 5432 denied"}},
		{"a tier may pass on what its policies do not decide", []string{
			tierOf("early", "{order: 10, defaultAction: Pass}"),
			policyOf("early.b", `{tier: early, selector: "app == 'db'", types: [Ingress], ingress: [{action: Deny, source: {selector: "app == 'web'"}}]}`),
			policyOf("c", allowAll),
		}, []string{"shop/web shop/db TCP 5432 denied", "shop/api shop/db TCP 5432 allowed"}},
		{"Pass in the last tier leaves it to the profile, which allows", []string{
			policyOf("p", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Pass, source: {selector: "app == 'web'"}}]}`),
		}, []string{"shop/web shop/db TCP 5432 allowed", "shop/api shop/db TCP 5432 denied"}},
		{"a staged policy decides nothing", []string{
			strings.Replace(policyOf("p", `{selector: "app == 'db'", types: [Ingress]}`), "kind: NetworkPolicy", "kind: StagedNetworkPolicy", 1),
			strings.Replace(globalOf("p", `{types: [Ingress]}`), "kind: GlobalNetworkPolicy", "kind: StagedGlobalNetworkPolicy", 1),
		}, []string{"shop/web shop/db TCP 5432 allowed"}},
		{"what an unknown tier does is not known", []string{
			policyOf("p", `{tier: security, selector: "app == 'db'", types: [Ingress], ingress: [{action: Allow, source: {selector: "app == 'web'"}}]}`),
		}, []string{"shop/web shop/db TCP 5432 unknown", "shop/web shop/api TCP 9090 allowed"}},
		{"a selector of a rule is about the namespace of its policy", []string{
			policyOf("p", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Allow, source: {selector: all()}}]}`),
		}, []string{"shop/web shop/db TCP 5432 allowed", "other/client shop/db TCP 5432 denied", "203.0.113.9 shop/db TCP 5432 allowed", "198.51.100.9 shop/db TCP 5432 denied"}},
		{"a rule without selectors is about everybody", []string{
			policyOf("p", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Allow, protocol: TCP}]}`),
		}, []string{"other/client shop/db TCP 5432 allowed", "192.0.2.1 shop/db TCP 5432 allowed", "192.0.2.1 shop/db UDP 5432 denied"}},
		{"namespaceSelector chooses namespaces by their labels", []string{
			policyOf("p", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Allow, source: {namespaceSelector: "team == 'other'"}}]}`),
		}, []string{"other/client shop/db TCP 5432 allowed", "shop/web shop/db TCP 5432 denied", "192.0.2.1 shop/db TCP 5432 denied"}},
		{"global() chooses the sets of the cluster", []string{
			policyOf("p", `{selector: "app == 'db'", types: [Egress], egress: [{action: Allow, destination: {namespaceSelector: global(), selector: "kind == 'partner'"}}]}`),
		}, []string{"shop/db 198.51.100.9 TCP 443 allowed", "shop/db 203.0.113.9 TCP 443 denied", "shop/db shop/web TCP 8080 denied"}},
		{"a set of networks of a namespace is a peer by its labels", []string{
			policyOf("p", `{selector: "app == 'db'", types: [Egress], egress: [{action: Allow, destination: {selector: "kind == 'partner'"}}]}`),
		}, []string{"shop/db 203.0.113.9 TCP 443 allowed", "shop/db 198.51.100.9 TCP 443 denied", "shop/db 203.0.114.9 TCP 443 denied"}},
		{"notSelector of a namespace's rule is about the others in it", []string{
			policyOf("p", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Allow, source: {notSelector: "app == 'web'"}}]}`),
		}, []string{"shop/api shop/db TCP 5432 allowed", "shop/web shop/db TCP 5432 denied", "192.0.2.1 shop/db TCP 5432 denied", "other/client shop/db TCP 5432 denied"}},
		{"notSelector of a global rule is about everything else", []string{
			globalOf("p", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Allow, source: {notSelector: "app == 'web'"}}]}`),
		}, []string{"shop/api shop/db TCP 5432 allowed", "shop/web shop/db TCP 5432 denied", "192.0.2.1 shop/db TCP 5432 allowed", "other/client shop/db TCP 5432 allowed"}},
		{"a global policy selects pods of every namespace", []string{
			globalOf("p", `{types: [Ingress]}`),
		}, []string{"other/client shop/web TCP 8080 denied", "shop/web other/client TCP 80 denied"}},
		{"a global policy may choose namespaces", []string{
			globalOf("p", `{namespaceSelector: "team == 'shop'", types: [Ingress]}`),
		}, []string{"other/client shop/web TCP 8080 denied", "shop/web other/client TCP 80 allowed"}},
		{"a policy may choose service accounts", []string{
			policyOf("p", `{serviceAccountSelector: "role == 'front'", types: [Ingress]}`),
		}, []string{"shop/api shop/web TCP 8080 denied", "shop/web shop/api TCP 9090 allowed"}},
		{"a rule may name service accounts", []string{
			policyOf("p", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Allow, source: {serviceAccounts: {names: [web]}}}]}`),
		}, []string{"shop/web shop/db TCP 5432 allowed", "shop/api shop/db TCP 5432 denied"}},
		{"a rule may select service accounts", []string{
			globalOf("p", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Allow, source: {serviceAccounts: {selector: role == 'front'}}}]}`),
		}, []string{"shop/web shop/db TCP 5432 allowed", "other/client shop/db TCP 5432 denied"}},
		{"labels that Calico gives cannot be forged", []string{
			globalOf("p", `{selector: "projectcalico.org/namespace == 'shop' && app == 'db'", types: [Ingress], ingress: [{action: Allow, source: {selector: "projectcalico.org/serviceaccount == 'web'"}}]}`),
			"apiVersion: v1\nkind: Pod\nmetadata: {name: forger, namespace: other, labels: {projectcalico.org/serviceaccount: web}}\nspec: {containers: [{name: c, image: i}]}\n",
		}, []string{"shop/web shop/db TCP 5432 allowed", "other/forger shop/db TCP 5432 denied"}},
		{"nets match pods by their addresses, and notNets leave out", []string{
			policyOf("p", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Allow, source: {nets: [10.0.0.0/22], notNets: [10.0.1.0/24]}}]}`),
		}, []string{"shop/web shop/db TCP 5432 allowed", "shop/api shop/db TCP 5432 denied", "192.0.2.1 shop/db TCP 5432 denied", "10.0.3.9 shop/db TCP 5432 allowed"}},
		{"conditions about the own end limit a rule to some pods", []string{
			policyOf("p", `{types: [Ingress], ingress: [{action: Allow, source: {selector: all()}, destination: {selector: "app == 'db'"}}, {action: Allow, source: {selector: all()}, destination: {nets: [10.0.1.0/24]}}]}`),
		}, []string{"shop/web shop/db TCP 5432 allowed", "shop/web shop/api TCP 9090 allowed", "shop/api shop/web TCP 8080 denied"}},
		{"a named port is one of the pod that receives", []string{
			policyOf("p", `{types: [Ingress], ingress: [{action: Allow, protocol: TCP, destination: {ports: [http]}}]}`),
		}, []string{"shop/db shop/web TCP 8080 allowed", "shop/db shop/web TCP 9090 denied", "shop/db shop/api TCP 9090 allowed", "shop/web shop/db TCP 8080 denied"}},
		{"a named port of egress is one of each peer", []string{
			policyOf("p", `{selector: "app == 'db'", types: [Egress], egress: [{action: Allow, protocol: TCP, destination: {selector: all(), ports: [http, "7000:7001"]}}]}`),
		}, []string{"shop/db shop/web TCP 8080 allowed", "shop/db shop/web TCP 9090 denied", "shop/db shop/api TCP 9090 allowed", "shop/db shop/api TCP 7001 allowed", "shop/db shop/api TCP 7002 denied"}},
		{"notPorts leave out numbers, ranges and names", []string{
			policyOf("p", `{selector: "app == 'db'", types: [Egress], egress: [{action: Allow, protocol: TCP, destination: {selector: all(), notPorts: [http, 22, "7000:7001"]}}]}`),
		}, []string{"shop/db shop/web TCP 8080 denied", "shop/db shop/web TCP 9090 allowed", "shop/db shop/api TCP 9090 denied", "shop/db shop/api TCP 22 denied", "shop/db shop/api TCP 7001 denied", "shop/db shop/api TCP 7002 allowed"}},
		{"notPorts of ingress are names of the pod itself", []string{
			policyOf("p", `{types: [Ingress], ingress: [{action: Allow, protocol: TCP, destination: {notPorts: [http]}}]}`),
		}, []string{"shop/db shop/web TCP 8080 denied", "shop/db shop/web TCP 9090 allowed", "shop/db shop/api TCP 8080 allowed", "shop/db shop/api TCP 9090 denied"}},
		{"protocols are names or numbers", []string{
			policyOf("p", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Allow, protocol: 17}, {action: Allow, protocol: sctp}]}`),
		}, []string{"shop/web shop/db UDP 53 allowed", "shop/web shop/db SCTP 53 allowed", "shop/web shop/db TCP 53 denied"}},
		{"notProtocol is every other", []string{
			policyOf("p", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Allow, notProtocol: TCP}]}`),
		}, []string{"shop/web shop/db UDP 53 allowed", "shop/web shop/db ICMP 2048 allowed", "shop/web shop/db TCP 53 denied"}},
		{"ICMP has types and codes", []string{
			policyOf("p", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Allow, protocol: ICMP, icmp: {type: 8}}, {action: Allow, protocol: ICMP, icmp: {type: 3, code: 4}}]}`),
		}, []string{"shop/web shop/db ICMP 2048 allowed", "shop/web shop/db ICMP 2049 allowed", "shop/web shop/db ICMP 772 allowed", "shop/web shop/db ICMP 773 denied", "shop/web shop/db TCP 8 denied"}},
		{"notICMP leaves out a type", []string{
			policyOf("p", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Allow, protocol: ICMP, notICMP: {type: 8}}]}`),
		}, []string{"shop/web shop/db ICMP 2048 denied", "shop/web shop/db ICMP 772 allowed"}},
		{"ipVersion limits to addresses of a family", []string{
			policyOf("p", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Allow, ipVersion: 4}]}`),
		}, []string{"shop/web shop/db TCP 5432 allowed", "192.0.2.1 shop/db TCP 5432 allowed", "2001:db8::1 shop/db TCP 5432 denied"}},
		{"a client chooses its source port: an allowance counts, a denial does not", []string{
			policyOf("p", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Deny, protocol: TCP, source: {selector: "app == 'web'", ports: [53]}}, {action: Allow, protocol: TCP, source: {selector: all(), ports: [1000]}}]}`),
		}, []string{"shop/web shop/db TCP 5432 allowed", "shop/web shop/db UDP 5432 denied"}},
		{"every source port is no limit", []string{
			policyOf("p", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Deny, protocol: TCP, source: {ports: ["1:65535"]}}, {action: Allow}]}`),
		}, []string{"shop/web shop/db TCP 5432 denied", "shop/web shop/db UDP 5432 allowed"}},
		{"a Service stands for its pods at the ports at which they answer", []string{
			policyOf("p", `{selector: "app == 'web'", types: [Egress], egress: [{action: Allow, destination: {services: {name: sql}}}]}`),
		}, []string{"shop/web shop/db TCP 5432 allowed", "shop/web shop/db TCP 3306 denied", "shop/web shop/api TCP 5432 denied"}},
		{"nobody knows what stands behind a Service without a selector", []string{
			policyOf("p", `{selector: "app == 'web'", types: [Egress], egress: [{action: Allow, destination: {services: {name: by-hand}}}]}`),
		}, []string{"shop/web shop/db TCP 3306 unknown"}},
		{"sources behind a Service come from any port", []string{
			policyOf("p", `{selector: "app == 'web'", types: [Ingress], ingress: [{action: Allow, source: {services: {name: sql}}}]}`),
		}, []string{"shop/db shop/web TCP 8080 allowed", "shop/api shop/web TCP 8080 denied"}},
		{"an allowance of some requests allows the connection", []string{
			policyOf("p", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Allow, protocol: TCP, http: {methods: [GET]}}]}`),
		}, []string{"shop/web shop/db TCP 5432 allowed"}},
		{"hooks of the host decide nothing about pods", []string{
			globalOf("untracked", `{doNotTrack: true, applyOnForward: true, types: [Ingress]}`),
			globalOf("prednat", `{preDNAT: true, applyOnForward: true, types: [Ingress]}`),
		}, []string{"shop/web shop/db TCP 5432 allowed"}},
		{"a policy that holds for forwarded traffic as well holds for pods", []string{
			globalOf("forward", `{applyOnForward: true, types: [Ingress]}`),
		}, []string{"shop/web shop/db TCP 5432 denied"}},
		{"a selector that cannot be read leaves it open", []string{
			policyOf("p", `{selector: "app ==", types: [Ingress], ingress: [{action: Allow, source: {selector: "app == 'web'"}}]}`), policyOf("rest", denyRest),
		}, []string{"shop/web shop/db TCP 5432 unknown", "other/client shop/web TCP 8080 unknown", "shop/db other/client TCP 80 allowed"}},
		{"domains lead somewhere in the internet", []string{
			policyOf("p", `{selector: "app == 'db'", types: [Egress], egress: [{action: Allow, destination: {domains: [example.com]}}]}`),
		}, []string{"shop/db 192.0.2.1 TCP 443 unknown", "shop/db shop/web TCP 443 denied"}},
	} {
		t.Run(test.claim, func(t *testing.T) {
			n := New(trace.New(placed(estateOf(t, shopPods+"---\n"+strings.Join(test.manifests, "---\n")))))
			for _, line := range test.want {
				at := strings.LastIndexByte(line, ' ')
				if got := verdictOf(t, n, line[:at]); got.String() != line[at+1:] {
					t.Errorf("%s is %s, want %s", line[:at], got, line[at+1:])
				}
			}
		})
	}
}

// Pods whose addresses nobody knows may stand in a net, and a service account
// that no file shows may have any label.
func TestCalicoDoubt(t *testing.T) {
	bare := strings.ReplaceAll(shopPods, "kind: ServiceAccount", "kind: ConfigMap")
	for _, test := range []struct{ claim, policy, question, want string }{
		{"a net may hold a pod", policyOf("p", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Allow, source: {nets: [10.0.0.0/24]}}]}`), "shop/web shop/db TCP 5432", "unknown"},
		{"a net of all private addresses holds every pod", policyOf("p", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Allow, source: {nets: ["0.0.0.0/0", "::/0"]}}]}`), "shop/web shop/db TCP 5432", "allowed"},
		{"the own address may be in a net", policyOf("p", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Deny, destination: {nets: [10.0.0.0/24]}}, {action: Allow}]}`), "shop/web shop/db TCP 5432", "unknown"},
		{"a service account may have a label", policyOf("p", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Allow, source: {serviceAccounts: {selector: has(role)}}}]}`), "shop/web shop/db TCP 5432", "unknown"},
		{"a policy may select by it", policyOf("p", `{serviceAccountSelector: has(role), types: [Ingress]}`), "shop/web shop/db TCP 5432", "unknown"},
		{"the name of a service account is known", policyOf("p", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Allow, source: {serviceAccounts: {names: [web]}}}]}`), "shop/web shop/db TCP 5432", "allowed"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			n := New(trace.New(estateOf(t, bare+"---\n"+test.policy)))
			if got := verdictOf(t, n, test.question); got.String() != test.want {
				t.Errorf("%s is %s, want %s", test.question, got, test.want)
			}
		})
	}
}

const nodePod = `---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: shop}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {hostNetwork: true, containers: [{name: c, image: i}]}
---
`

// Where Calico guards nodes, what reaches pods in their network is not computed.
func TestHostEndpoints(t *testing.T) {
	host := func(spec string) string {
		return "apiVersion: projectcalico.org/v3\nkind: HostEndpoint\nmetadata: {name: node, labels: {role: node}}\nspec: " + spec + "\n---\n"
	}
	const auto = "{node: n1, interfaceName: '*', expectedIPs: [10.9.0.1], profiles: [projectcalico-default-allow]}"
	for _, test := range []struct{ claim, manifests, question, want string }{
		{"without endpoints of hosts no policy holds", globalOf("p", "{types: [Ingress]}"), "192.0.2.1 shop/agent TCP 80", "allowed"},
		{"a global policy selects hosts as well", host(auto) + globalOf("p", "{types: [Ingress]}"), "192.0.2.1 shop/agent TCP 80", "unknown"},
		{"in its direction alone", host(auto) + globalOf("p", "{types: [Ingress]}"), "shop/agent 192.0.2.1 TCP 80", "allowed"},
		{"one of namespaces selects no host", host(auto) + globalOf("p", "{namespaceSelector: all(), types: [Ingress]}"), "192.0.2.1 shop/agent TCP 80", "allowed"},
		{"an endpoint without policies and profiles denies", host("{node: n1, interfaceName: eth0}"), "192.0.2.1 shop/agent TCP 80", "unknown"},
		{"the profile of Calico's own endpoints allows", host(auto), "192.0.2.1 shop/agent TCP 80", "allowed"},
		{"a host is a peer by its labels", host(auto) + policyOf("p", `{selector: "app == 'db'", types: [Egress], egress: [{action: Allow, destination: {namespaceSelector: global(), selector: role == 'node'}}]}`), "shop/db 10.9.0.1 TCP 443", "allowed"},
		{"and so may be the pods in its network", host(auto) + policyOf("p", `{selector: "app == 'db'", types: [Egress], egress: [{action: Allow, destination: {namespaceSelector: global(), selector: role == 'node'}}]}`), "shop/db shop/agent TCP 443", "unknown"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			n := New(trace.New(placed(estateOf(t, shopPods+nodePod+test.manifests))))
			if got := verdictOf(t, n, test.question); got.String() != test.want {
				t.Errorf("%s is %s, want %s", test.question, got, test.want)
			}
		})
	}
}

// Policies that somebody thinks of are compiled, and decide nothing.
func TestStaged(t *testing.T) {
	n := New(trace.New(estateOf(t, shopPods+`---
apiVersion: projectcalico.org/v3
kind: StagedNetworkPolicy
metadata: {name: set, namespace: shop}
spec: {stagedAction: Set, types: [Ingress]}
---
apiVersion: projectcalico.org/v3
kind: StagedNetworkPolicy
metadata: {name: delete, namespace: shop}
spec: {stagedAction: Delete}
---
apiVersion: projectcalico.org/v3
kind: StagedKubernetesNetworkPolicy
metadata: {name: np, namespace: shop}
spec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}
`)))
	var got []string
	for _, p := range n.staged {
		got = append(got, p.name)
	}
	if want := []string{"Calico StagedNetworkPolicy shop/set", "StagedNetworkPolicy shop/np"}; !slices.Equal(got, want) || len(n.policies) > 0 {
		t.Errorf("staged are %q, enforced %d, want %q", got, len(n.policies), want)
	}
}

// An explanation names the policy of Calico and its rule.
func TestCalicoExplained(t *testing.T) {
	n := New(trace.New(placed(estateOf(t, shopPods+"---\n"+
		policyOf("p", `{selector: "app == 'db'", types: [Ingress], ingress: [{action: Deny, source: {selector: "app == 'web'"}}, {action: Allow}]}`)))))
	find := func(name string) *Endpoint {
		return n.endpoints[slices.IndexFunc(n.endpoints, func(e *Endpoint) bool { return e.Name == name })]
	}
	a := n.Ask(find("shop/web"), find("shop/db"), TCP, 5432)
	l, ok := a.Decisive()
	if !ok || a.Verdict != Denied || l.Why != "Calico NetworkPolicy shop/p denies it" || len(l.Rules) != 1 || l.Rules[0].Field != "spec.ingress[0]" {
		t.Errorf("%s: %q %v", a.Verdict, l.Why, l.Rules)
	}
	if a = n.Ask(find("shop/api"), find("shop/db"), TCP, 5432); a.Verdict != Allowed || len(a.Layers) < 2 || a.Layers[1].Why != "Calico NetworkPolicy shop/p allows it" {
		t.Errorf("%s: %v", a.Verdict, a.Layers)
	}
}
