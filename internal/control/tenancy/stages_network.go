package tenancy

import (
	"strings"
	"sync"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/platform"
	"github.com/eksafe/eksafe/internal/reach"
	"github.com/eksafe/eksafe/internal/trace"
)

// wayKinds are the kinds that decide who reaches whom, beside workloads.
var wayKinds = []estate.Kind{
	estate.NetworkPolicies.Kind, estate.CalicoNetworkPolicies.Kind, estate.CalicoGlobalNetworkPolicies.Kind, estate.CalicoTiers.Kind,
	estate.CiliumNetworkPolicies.Kind, estate.CiliumClusterwideNetworkPolicies.Kind, estate.ClusterNetworkPolicies.Kind,
	estate.AWSClusterNetworkPolicies.Kind, estate.AdminNetworkPolicies.Kind, estate.BaselineAdminNetworkPolicies.Kind,
	estate.ApplicationNetworkPolicies.Kind, estate.SecurityGroupPolicies.Kind, estate.ServiceAccounts.Kind, estate.ConfigMaps.Kind,
	estate.Nodes.Kind, estate.Addons.Kind, estate.Clusters.Kind, estate.Nodegroups.Kind, estate.Instances.Kind, estate.LaunchTemplates.Kind,
	estate.DBInstances.Kind, estate.DBClusters.Kind, estate.DBProxies.Kind, estate.DBSubnetGroups.Kind, estate.Subnets.Kind,
	estate.SecurityGroups.Kind, estate.VPCs.Kind, estate.NetworkAcls.Kind, estate.RouteTables.Kind, estate.PrefixLists.Kind,
}

// ways is a check of every namespace before production: whether its pods reach
// production.
func ways() control.Check {
	return namespaces(judgeWays, wayKinds...)
}

func judgeWays(s *control.Subject, n *namespace) {
	stage := stageOf(s.Config(), n.name, n.labels)
	if stage == "" || stage == prod || len(n.workloads) == 0 {
		s.NotApplicable()
		return
	}
	x := trace.Derive(s.Graph(), newCrossings).in(s)[n.name]
	network := reach.Of(s.Graph())
	switch {
	case x != nil && x.Verdict == reach.Allowed:
		at := trace.Place{Subject: x.From.Ref, Origin: x.From.Origin}
		s.FailAt(at, "%s reaches %s of production at %s %d: %s", x.From, x.To, x.Protocol, x.Port, route(x.Explain()))
	case x != nil:
		l, _ := x.Explain().Decisive()
		s.Unknownf("whether %s reaches %s of production is not decided: %s", x.From, x.To, l.Why)
	case network.Enforcement().State == trace.Unclear:
		s.Unknownf("whether the policies that keep %s from production are enforced is not known: %s", n.name, network.Enforcement().Why)
	}
}

// route writes what lets a connection through, layer by layer.
func route(a *reach.Answer) string {
	var whys []string
	for _, l := range a.Layers {
		if l.Kind == reach.EgressPolicies || l.Kind == reach.IngressPolicies || len(l.Rules) > 0 {
			whys = append(whys, l.Why)
		}
	}
	return strings.Join(whys, "; ")
}

// crossings are the ways into production by the namespace where they begin.
type crossings struct {
	graph *trace.Graph
	once  sync.Once
	ways  map[string]*reach.Crossing
}

func newCrossings(g *trace.Graph) *crossings { return &crossings{graph: g} }

// in computes the ways once: what a stage is, users declare, and that is the same
// for all subjects of a run.
func (c *crossings) in(s *control.Subject) map[string]*reach.Crossing {
	c.once.Do(func() { c.compute(s.Config()) })
	return c.ways
}

func (c *crossings) compute(declared *config.Config) {
	spaces := map[string]string{}
	for _, n := range listNamespaces(c.graph) {
		if !platformNamespace(declared, n.name) {
			spaces[n.name] = stageOf(declared, n.name, n.labels)
		}
	}
	// A database is of production if a workload of production names it.
	ofProduction := map[estate.Ref]bool{}
	for _, h := range c.graph.HopsOf(trace.DatabaseLeg) {
		if h.Client != nil && spaces[h.Client.Namespace] == prod {
			ofProduction[h.To] = true
		}
	}
	application := func(e *reach.Endpoint) bool { return e.Workload != nil && platform.Expected(e.Workload) == "" }
	c.ways = reach.Of(c.graph).Crossings(func(e *reach.Endpoint) string {
		if stage := spaces[e.Namespace]; application(e) && stage != "" && stage != prod {
			return e.Namespace
		}
		return ""
	}, func(e *reach.Endpoint) bool {
		return application(e) && spaces[e.Namespace] == prod || ofProduction[e.Ref]
	})
}
