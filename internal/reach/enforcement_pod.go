package reach

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// Enforcement says whether something enforces NetworkPolicies on every node.
func (n *Network) Enforcement() Enforcement { return n.enforcer.cluster }

// Unenforced reports whether nothing enforces policies anywhere in the cluster,
// so that everything reaches everything as far as policies go, and why.
func (n *Network) Unenforced() (why string, place trace.Place, ok bool) {
	c := n.enforcer.cluster
	if c.State != trace.No || !c.Nowhere {
		return "", trace.Place{}, false
	}
	return c.Why, c.Place, true
}

// A hold says whether the policies of a pod are enforced, API by API.
type hold struct {
	state [apis]trace.Ternary
	by    agents
	why   string // where nothing does, or it is not known
}

// says names what enforces the policies of an API, or says why nothing does.
func (h *hold) says(a api) string {
	switch {
	case h.state[a] == trace.Yes:
		return h.by.String()
	case h.state[a] == trace.No && h.by != 0:
		return "only " + h.by.String() + " enforces policies there, and does not read this kind"
	case h.state[a] == trace.No:
		return h.why
	case h.why != "":
		return "taken to be enforced: " + h.why
	}
	return "taken to be enforced: whether this version of " + h.by.String() + " reads this kind is not known"
}

// at says whether the NetworkPolicies of a pod are enforced. What enforces other
// policies enforces these too.
func (e *enforcement) at(p *point) trace.Ternary { return e.holds[p.id].state[kubernetesAPI] }

// by names what enforces the policies of a pod, or says why nothing does.
func (e *enforcement) by(p *point) string { return e.holds[p.id].says(kubernetesAPI) }

// of says whether a policy is enforced on a pod.
func (e *enforcement) of(p *policy, pod uint32) trace.Ternary { return e.holds[pod].state[p.api()] }

func (p *policy) api() api { return apiOf(p.place.Subject.Kind) }

// freesNode reports whether what enforces the policies of a pod leaves it its own
// node, or may: the agents of Calico and Cilium ask policies about it.
func (e *enforcement) freesNode(pod uint32) bool {
	by := e.holds[pod].by
	return by == 0 || by.has(vpcCNI) || by.has(autoNode)
}

// notes says what one must know of what enforces the policies of a pod.
func (e *enforcement) notes(p *point) []string {
	if !e.slow || !e.holds[p.id].by.has(vpcCNI) {
		return nil
	}
	return []string{"when a pod starts, the VPC CNI lets everything through until it has seen it; NETWORK_POLICY_ENFORCING_MODE strict does not"}
}

// hold says of each pod what enforces its policies.
func (e *enforcement) hold(n *Network) {
	branches := newBranchPods(n)
	known := map[hold]*hold{}
	e.holds = make([]*hold, n.pods)
	for i, p := range n.points[:n.pods] {
		h := e.holdOf(p, branches.has(p))
		if known[h] == nil {
			known[h] = &h
		}
		e.holds[i] = known[h]
	}
}

// holdOf says what enforces the policies of the pods of a point. Of several the
// one that isolates least decides.
func (e *enforcement) holdOf(p *point, branch trace.Ternary) hold {
	var out hold
	for i, node := range nodesOf(p) {
		h := e.holdOn(node, p.endpoint.Workload, branch)
		if i == 0 {
			out = h
			continue
		}
		if least(out.state[kubernetesAPI], h.state[kubernetesAPI]) != out.state[kubernetesAPI] {
			out.why = h.why
		}
		out.by &= h.by
		for a := range apis {
			out.state[a] = least(out.state[a], h.state[a])
		}
	}
	return out
}

// least returns the state that isolates least.
func least(a, b trace.Ternary) trace.Ternary {
	switch {
	case a == trace.No || b == trace.No:
		return trace.No
	case a == trace.Unclear || b == trace.Unclear:
		return trace.Unclear
	}
	return trace.Yes
}

// nodesOf returns the nodes on which the pods of a point run, "" for one that is
// not known.
func nodesOf(p *point) []string {
	var out []string
	for i := range p.endpoint.Workload.Pods {
		if pod := &p.endpoint.Workload.Pods[i]; !slices.Contains(out, pod.NodeName) && p.holds(pod) {
			out = append(out, pod.NodeName)
		}
	}
	if len(out) == 0 {
		return []string{""}
	}
	slices.Sort(out)
	return out
}

// holds reports whether a pod of the workload may be one of the point.
func (p *point) holds(pod *estate.Pod) bool {
	for a := range podAddresses(pod) {
		if slices.Contains(p.addresses, a) {
			return true
		}
	}
	return len(p.addresses) == 0
}

// agentsOn returns what enforces policies on a node; certain is false, and why
// says it, where that is not known.
func (e *enforcement) agentsOn(node string) (set agents, certain bool, why string) {
	set, read := e.nodes[node]
	switch c := &e.cluster; {
	case read && set != 0:
		return set, true, ""
	case fargateNode(node):
		return 0, true, "node " + node + " is of Fargate, where nothing enforces network policies"
	case c.State == trace.Yes:
		return e.any, true, ""
	case c.Nowhere:
		return 0, true, c.Why
	case read:
		return 0, true, "nothing enforces network policies on node " + node
	case c.State == trace.No:
		return e.any, false, c.Why + ", and on which node the pod runs is not known"
	default:
		return e.any, false, c.Why
	}
}

// holdOn says what enforces the policies of a pod of a workload on a node.
func (e *enforcement) holdOn(node string, w *estate.Workload, branch trace.Ternary) hold {
	set, certain, why := e.agentsOn(node)
	if onFargate(w) && !fargateNode(node) {
		set, certain, why = 0, true, "it runs on Fargate, where nothing enforces network policies"
	}
	out := hold{why: why}
	if set == 0 && !certain {
		return out // nothing is known of it: every state is Unclear
	}
	doubtful := agents(0)
	if !certain {
		doubtful = set
	}
	// The controller of the VPC CNI finds pods by their owners.
	if w.Controller == "Pod" && len(w.OwnerReferences) == 0 {
		if set.has(vpcCNI) {
			set, out.why = set&^(1<<vpcCNI), "the VPC CNI enforces no policy on a pod that has no owner"
		}
		if set.has(autoNode) {
			doubtful, out.why = doubtful|1<<autoNode, "whether EKS Auto Mode enforces policies on a pod that has no owner is not known"
		}
	}
	if set.has(calicoAgent) {
		switch branch {
		case trace.Yes:
			set, out.why = set&^(1<<calicoAgent), "Calico enforces no policy on a pod that has security groups of its own, unless POD_SECURITY_GROUP_ENFORCING_MODE is standard"
		case trace.Unclear:
			doubtful |= 1 << calicoAgent
			out.why = "whether Calico sees the traffic of a pod that has security groups of its own is not known; read the settings of the VPC CNI (--kube)"
		}
	}
	out.by = set
	for a := range apis {
		out.state[a] = trace.No
		for r := range agentKinds {
			if !set.has(r) || reads[r][a] == trace.No {
				continue
			}
			state := reads[r][a]
			if doubtful.has(r) {
				state = trace.Unclear
			}
			if out.state[a] != trace.Yes {
				out.state[a] = state
			}
		}
	}
	return out
}

// branchPods are the pods that have a network interface of their own, whose
// traffic passes Calico by.
type branchPods struct {
	on       trace.Ternary
	policies map[string][]*estate.SecurityGroupPolicy // by namespace
	accounts map[[2]string]labels.Set
}

func newBranchPods(n *Network) *branchPods {
	e := n.graph.Estate
	out := &branchPods{on: branchInterfaces(e), policies: map[string][]*estate.SecurityGroupPolicy{}, accounts: map[[2]string]labels.Set{}}
	for _, r := range estate.SecurityGroupPolicies.In(e) {
		out.policies[r.Object.Namespace] = append(out.policies[r.Object.Namespace], &r.Object)
	}
	for _, r := range estate.ServiceAccounts.In(e) {
		out.accounts[[2]string{r.Object.Namespace, r.Object.Name}] = r.Object.Labels
	}
	return out
}

// branchInterfaces says whether pods get interfaces that Calico does not police.
func branchInterfaces(e *estate.Estate) trace.Ternary {
	decide := func(on, standard bool) trace.Ternary {
		if on && !standard {
			return trace.Yes
		}
		return trace.No
	}
	for _, w := range estate.Workloads.In(e) {
		if w.Controller == "DaemonSet" && w.Namespace == "kube-system" && w.Name == "aws-node" {
			return decide(setting(w, "ENABLE_POD_ENI") == "true", setting(w, "POD_SECURITY_GROUP_ENFORCING_MODE") == "standard")
		}
	}
	for _, a := range estate.Addons.In(e) {
		if on, ok := a.EnablePodENI.Get(); ok && a.AddonName == "vpc-cni" {
			return decide(on, a.PodSecurityGroupEnforcingMode.Or("") == "standard")
		}
	}
	return trace.Unclear
}

// has says whether the traffic of a pod passes Calico by.
func (b *branchPods) has(p *point) trace.Ternary {
	for _, policy := range b.policies[p.namespace.name] {
		account := b.accounts[[2]string{p.namespace.name, accountOf(p)}]
		if b.on != trace.No && matchesOr(policy.Spec.PodSelector, p.labels) && matchesOr(policy.Spec.ServiceAccountSelector, account) {
			return b.on
		}
	}
	return trace.No
}

// matchesOr reports whether a selector matches; without one everything does.
func matchesOr(selector *metav1.LabelSelector, have labels.Set) bool {
	if selector == nil {
		return true
	}
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(have)
}

// accountOf returns the service account of a pod.
func accountOf(p *point) string {
	if name := p.endpoint.Workload.Template.Spec.ServiceAccountName; name != "" {
		return name
	}
	return "default"
}
