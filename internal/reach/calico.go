package reach

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// calico compiles the policies of Calico. Sources of the rules: the comments of
// projectcalico.org/v3 and the reference of Calico on its resources; where they
// are silent, what its agents do.
type calico struct {
	*Network
	tiers    map[string]*tier
	services map[[2]string]*service // by namespace and name
	accounts map[[2]string]map[string]string
	// byAccount are the points of pods by the names of their service accounts.
	byAccount map[string][]uint32
	entities  []entity
}

// addCalico compiles the policies of Calico into their tiers.
func (n *Network) addCalico(tiers map[string]*tier) {
	e := n.graph.Estate
	c := &calico{Network: n, tiers: tiers}
	for _, r := range estate.CalicoTiers.In(e) {
		c.addTier(&r.Object)
	}
	for _, r := range estate.CalicoNetworkPolicies.In(e) {
		c.add(&r.Object.Spec, trace.Place{Subject: estate.CalicoNetworkPolicies.Ref(r), Origin: &r.Origin}, "NetworkPolicy", r.Object.Namespace, r.Object.Name)
	}
	for _, r := range estate.CalicoGlobalNetworkPolicies.In(e) {
		c.add(&r.Object.Spec, trace.Place{Subject: estate.CalicoGlobalNetworkPolicies.Ref(r), Origin: &r.Origin}, "GlobalNetworkPolicy", "", r.Object.Name)
	}
	c.addStaged()
	c.guardHosts()
}

// addStaged compiles the policies that somebody thinks of enforcing.
func (c *calico) addStaged() {
	enforced := c.policies
	c.policies = nil
	e := c.graph.Estate
	add := func(r *estate.Resource[estate.CalicoStagedNetworkPolicy], ref estate.Ref, kind string) {
		if action := r.Object.Spec.StagedAction; action == "" || action == "Set" {
			c.add(&r.Object.Spec.CalicoPolicySpec, trace.Place{Subject: ref, Origin: &r.Origin}, kind, r.Object.Namespace, r.Object.Name)
		}
	}
	for _, r := range estate.CalicoStagedNetworkPolicies.In(e) {
		add(r, estate.CalicoStagedNetworkPolicies.Ref(r), "StagedNetworkPolicy")
	}
	for _, r := range estate.CalicoStagedGlobalNetworkPolicies.In(e) {
		add(r, estate.CalicoStagedGlobalNetworkPolicies.Ref(r), "StagedGlobalNetworkPolicy")
	}
	for _, r := range estate.CalicoStagedKubernetesNetworkPolicies.In(e) {
		if action := r.Object.Spec.StagedAction; action != "" && action != "Set" {
			continue
		}
		np := &estate.Resource[networkingPolicy]{Origin: r.Origin}
		np.Object.ObjectMeta, np.Object.Spec = r.Object.ObjectMeta, r.Object.Spec.NetworkPolicySpec
		c.addNetworkPolicy(np, c.tiers["default"])
		p := c.policies[len(c.policies)-1]
		p.place.Subject, p.name = estate.CalicoStagedKubernetesNetworkPolicies.Ref(r), "Staged"+p.name
	}
	c.staged, c.policies = c.policies, enforced
}

// builtinTiers are made by Calico itself, beside those of the Network Policy API;
// the first version of that API had others.
var builtinTiers = map[string]tier{
	"adminnetworkpolicy":         {order: adminOrder, end: pass},
	"baselineadminnetworkpolicy": {order: baselineOrder, end: pass},
}

func (c *calico) addTier(o *estate.CalicoTier) {
	t := c.tiers[o.Name]
	if t == nil {
		t = &tier{name: o.Name}
		c.tiers[o.Name] = t
	}
	t.order, t.end = lastOrder, deny
	if o.Spec.Order != nil {
		t.order = *o.Spec.Order
	}
	if o.Spec.DefaultAction == "Pass" {
		t.end = pass
	}
}

// tier returns the tier of a policy; known is false for one that no source
// shows. Nobody knows what comes before it and what its end does: it is asked
// first, and what it says is in doubt.
func (c *calico) tier(name string, live bool) (t *tier, known bool) {
	name = cmp.Or(name, "default")
	if t := c.tiers[name]; t != nil {
		return t, !math.IsInf(t.order, -1)
	}
	t = &tier{name: name, order: math.Inf(-1)}
	known = false
	if builtin, ok := builtinTiers[name]; ok {
		t.order, t.end, known = builtin.order, builtin.end, true
	} else if live && c.graph.Estate.Coverage(estate.CalicoTiers.Kind).State == estate.Read {
		// Agents ask a tier that is not there last.
		t.order, known = lastOrder, true
	}
	c.tiers[name] = t
	return t, known
}

// add compiles a policy.
func (c *calico) add(s *estate.CalicoPolicySpec, at trace.Place, kind, namespace, name string) {
	if s.DoNotTrack || s.PreDNAT {
		return // their hooks are those of hosts alone
	}
	full := name
	if namespace != "" {
		full = namespace + "/" + name
	}
	t, known := c.tier(s.Tier, at.Origin.Cluster != "")
	p := &policy{
		place: at, name: "Calico " + kind + " " + full, tier: t, order: lastOrder,
		key: strings.TrimPrefix(name, t.name+"."), applies: calicoTypes(s),
		selector: "spec.selector", whole: s.Selector == "" || s.Selector == "all()",
	}
	if s.Order != nil {
		p.order = *s.Order
	}
	p.selected = c.selected(s, namespace)
	if !known {
		p.selected.sure = nil
	}
	for d, list := range [2][]estate.CalicoRule{Ingress: s.Ingress, Egress: s.Egress} {
		for i := range list {
			r, ok := c.rule(&list[i], Direction(d), namespace, p)
			if !ok {
				continue
			}
			r.field = "spec." + Direction(d).String() + "[" + itoa(i) + "]"
			c.place(&r, &list[i], Direction(d), namespace)
			if !known {
				r.doubt = "tier " + t.name + " is not known; read it"
			}
			p.rules[d] = append(p.rules[d], r)
		}
	}
	c.policies = append(c.policies, p)
}

// calicoTypes differ from those of Kubernetes: a policy that has egress rules
// alone restricts egress alone.
func calicoTypes(s *estate.CalicoPolicySpec) [2]bool {
	if len(s.Types) > 0 {
		return [2]bool{Ingress: slices.Contains(s.Types, "Ingress"), Egress: slices.Contains(s.Types, "Egress")}
	}
	return [2]bool{Ingress: len(s.Ingress) > 0 || len(s.Egress) == 0, Egress: len(s.Egress) > 0}
}

// calicoBlocks lists the blocks that Calico's resources name.
func (n *Network) calicoBlocks(add func(...string)) {
	e := n.graph.Estate
	rules := func(s *estate.CalicoPolicySpec) {
		for _, r := range slices.Concat(s.Ingress, s.Egress) {
			for _, end := range [...]*estate.CalicoEntityRule{&r.Source, &r.Destination} {
				add(end.Nets...)
				add(end.NotNets...)
			}
		}
	}
	for _, r := range estate.CalicoNetworkPolicies.In(e) {
		rules(&r.Object.Spec)
	}
	for _, r := range estate.CalicoGlobalNetworkPolicies.In(e) {
		rules(&r.Object.Spec)
	}
	for _, r := range slices.Concat(estate.CalicoStagedNetworkPolicies.In(e), estate.CalicoStagedGlobalNetworkPolicies.In(e)) {
		rules(&r.Object.Spec.CalicoPolicySpec)
	}
	for _, r := range estate.CalicoStagedKubernetesNetworkPolicies.In(e) {
		for _, in := range r.Object.Spec.Ingress {
			addBlocks(add, in.From)
		}
		for _, out := range r.Object.Spec.Egress {
			addBlocks(add, out.To)
		}
	}
	for _, r := range slices.Concat(estate.CalicoNetworkSets.In(e), estate.CalicoGlobalNetworkSets.In(e)) {
		add(r.Object.Spec.Nets...)
	}
	for _, r := range estate.CalicoHostEndpoints.In(e) {
		add(r.Object.Spec.ExpectedIPs...)
	}
}

func addBlocks(add func(...string), list []networkingPeer) {
	for _, p := range list {
		if p.IPBlock != nil {
			add(p.IPBlock.CIDR)
			add(p.IPBlock.Except...)
		}
	}
}
