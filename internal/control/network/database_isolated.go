package network

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/reach"
)

var databaseIsolated = &control.Control{
	ID:       "database-isolated",
	Title:    "Only its owner's pods reach a database",
	Severity: control.Critical,
	Refs:     []control.Ref{control.AWS("eks-pod-security-groups"), control.Project("kubernetes-network-policies"), control.NSA("Network separation and hardening")},
	Serves:   []string{"S17", "S18", "S16"},
	Since:    "0.1.0",
	Check: control.Traced(doors, (*door).at, judgeIsolated, doorKinds...).
		Needs(policyKinds...).
		Needs(estate.Workloads.Kind, estate.SecurityGroupPolicies.Kind, estate.ConfigMaps.Kind).
		Helped(slices.Concat(doorDetails, nodeKinds)...).
		Helped(estate.ServiceAccounts.Kind, estate.Namespaces.Kind, estate.Nodes.Kind, estate.Addons.Kind).
		Helped(networkKinds...),
}

// judgeIsolated looks for a pod that is no client and that no layer stops.
func judgeIsolated(s *control.Subject, d *door) {
	f, n := fabricOf(s.Graph()), reach.Of(s.Graph())
	to := n.Endpoint(d.place.Subject)
	if to == nil {
		s.Unknownf("where %s stands is not known", d.name)
		return
	}
	// A port that is not known may be any.
	ports := reach.PortsOf(reach.TCP, 0, lastPort)
	if d.port > 0 {
		ports = reach.PortsOf(reach.TCP, int(d.port), int(d.port))
	}
	gap := ""
	for x := range n.Reaching(to, ports) {
		p := f.pods[x.Workload]
		if p == nil || p.platform || d.owners[x.Workload] || ofPlatform(s, x.Namespace) {
			continue
		}
		var why string
		switch {
		case x.Verdict == reach.Unknown:
			why = undecided(n, x, to)
		case secretPeer(x.Workload):
			why = "it may be a client, as its settings come from a Secret; name the host of the database in a variable or a ConfigMap"
		case len(d.owners) == 0:
			why = "no client of it is known, so that its owner cannot be told from others"
		default:
			s.Failf(d.groupsAt, "%s is no client of it and reaches it: %s", p, chain(n.Ask(x.Endpoint, to, x.Protocol, x.Port)))
			return
		}
		if gap == "" {
			gap = fmt.Sprintf("whether %s reaches %s is not decided: %s", p, d.name, why)
		}
	}
	if gap != "" {
		s.Unknownf("%s", gap)
	}
}

// undecided says why it is not known whether a workload reaches an endpoint.
func undecided(n *reach.Network, x reach.Source, to *reach.Endpoint) string {
	if x.Unenforced != "" {
		return "whether its policies are enforced is not known: " + x.Unenforced
	}
	l, _ := n.Ask(x.Endpoint, to, x.Protocol, x.Port).Decisive()
	return l.Why
}

// lastPort is the highest port there is.
const lastPort = 65535

// chain writes the rules by which a pod gets through.
func chain(a *reach.Answer) string {
	var whys []string
	for _, l := range a.Layers {
		if l.Kind == reach.EgressPolicies || len(l.Rules) > 0 {
			whys = append(whys, l.Why)
		}
	}
	return strings.Join(whys, "; ")
}

// secretPeer reports whether a Secret may name what a workload connects to.
func secretPeer(w *estate.Workload) bool {
	return slices.ContainsFunc(w.Facts, func(f estate.Fact) bool {
		if f.ValueFrom == nil || f.ValueFrom.Kind != "Secret" {
			return false
		}
		name := strings.ToUpper(f.Name)
		return strings.HasSuffix(name, "*") || slices.ContainsFunc([]string{"HOST", "URL", "URI", "DSN", "ENDPOINT", "CONNECTION"}, func(word string) bool {
			return strings.Contains(name, word)
		})
	})
}

func name(sg *estate.SecurityGroup) string {
	if sg.GroupId != "" {
		return sg.GroupId
	}
	return sg.Arn
}
