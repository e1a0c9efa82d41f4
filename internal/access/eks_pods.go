package access

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

const (
	roleAnnotation     = "eks.amazonaws.com/role-arn"
	audienceAnnotation = "eks.amazonaws.com/audience"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// A node is a node group, or an instance without one.
type node struct {
	name      string
	role      string // ARN; "" where it is not known
	instances []*estate.Instance
	metadata  estate.MetadataOptions // of the template, where no instance shows it
	ref       estate.Ref
	origin    *estate.Origin
}

func (n node) identity(c *cluster) Identity {
	return Identity{Kind: NodeIdentity, Cluster: c.label, Name: n.name}
}

func (a *AWS) nodesOf(c *cluster) []node {
	var out []node
	index := map[string]int{}
	for _, g := range estate.Nodegroups.In(a.estate) {
		if !c.has(g.ClusterName, &g.Origin) {
			continue
		}
		index[g.NodegroupName] = len(out)
		out = append(out, node{name: g.NodegroupName, role: g.NodeRole, metadata: a.templateMetadata(g), ref: estate.Nodegroups.Ref(g), origin: &g.Origin})
	}
	for _, i := range estate.Instances.In(a.estate) {
		if !c.has(i.Tags["eks:cluster-name"], &i.Origin) {
			continue
		}
		if n, ok := index[i.Tags["eks:nodegroup-name"]]; ok {
			out[n].instances = append(out[n].instances, i)
			continue
		}
		out = append(out, node{name: i.InstanceId, instances: []*estate.Instance{i}, ref: estate.Instances.Ref(i), origin: &i.Origin})
	}
	return out
}

// templateMetadata returns how the nodes of a group answer pods, by its launch
// template or, without one, as EKS makes it.
func (a *AWS) templateMetadata(g *estate.Nodegroup) estate.MetadataOptions {
	ref, known := g.LaunchTemplate.Get()
	if known && ref == (estate.LaunchTemplateReference{}) && strings.HasPrefix(g.AmiType, "AL2023") {
		// EKS requires tokens and one hop there (checked 2026-11-23); of other images
		// that is not documented.
		return estate.MetadataOptions{HttpTokens: estate.Known("required"), HttpPutResponseHopLimit: estate.Known(1)}
	}
	for _, t := range estate.LaunchTemplates.In(a.estate) {
		named := ref.Id != "" && (t.LaunchTemplateId == ref.Id || t.Arn == ref.Id) || ref.Id == "" && ref.Name != "" && t.LaunchTemplateName == ref.Name
		current := t.VersionNumber == "" || t.VersionNumber == ref.Version || ref.Version == "$Latest" && t.LatestVersion ||
			(ref.Version == "$Default" || ref.Version == "") && t.DefaultVersion
		if named && current {
			return t.LaunchTemplateData.MetadataOptions
		}
	}
	return estate.MetadataOptions{}
}

// answersPods says whether some node hands its role to pods. A hop limit binds
// answers to tokens alone, so that without their being required it binds
// nothing.
func (n node) answersPods() Answer {
	options := []estate.MetadataOptions{n.metadata}
	if len(n.instances) > 0 {
		options = nil
		for _, i := range n.instances {
			options = append(options, i.MetadataOptions)
		}
	}
	out := No
	for _, o := range options {
		tokens, hops := o.HttpTokens.Or(""), o.HttpPutResponseHopLimit.Or(0)
		switch {
		case o.HttpEndpoint.Or("") == "disabled":
		case tokens == "optional" || hops > 1:
			return Yes
		case tokens == "" || hops == 0:
			out = Unclear
		}
	}
	return out
}

// answersNode says whether whoever is on a node gets its role.
func (n node) answersNode() Answer {
	off := func(o estate.MetadataOptions) bool { return o.HttpEndpoint.Or("") == "disabled" }
	if len(n.instances) > 0 {
		return answer(slices.ContainsFunc(n.instances, func(i *estate.Instance) bool { return !off(i.MetadataOptions) }))
	}
	return answer(!off(n.metadata))
}

// A serviceAccount is a service account of a cluster, read or merely used.
type serviceAccount struct {
	namespace, name string
	object          *estate.Origin // nil where it was not read
	annotations     map[string]string
	host, pod       bool // it runs in the network of the node, or in one of its own
}

func (s *serviceAccount) identity(c *cluster) Identity {
	return Identity{Kind: ServiceAccount, Cluster: c.label, Namespace: s.namespace, Name: s.name}
}

func (a *AWS) serviceAccounts(c *cluster) []*serviceAccount {
	clusters := len(estate.Clusters.In(a.estate))
	type key struct{ namespace, name string }
	found := map[key]*serviceAccount{}
	get := func(namespace, name string) *serviceAccount {
		k := key{cmp.Or(namespace, "default"), cmp.Or(name, "default")}
		s, ok := found[k]
		if !ok {
			s = &serviceAccount{namespace: k.namespace, name: k.name}
			found[k] = s
		}
		return s
	}
	for _, o := range estate.ServiceAccounts.In(a.estate) {
		if c.holds(&o.Origin, clusters) {
			s := get(o.Object.Namespace, o.Object.Name)
			s.object, s.annotations = &o.Origin, o.Object.Annotations
		}
	}
	for _, w := range estate.Workloads.In(a.estate) {
		if c.holds(&w.Origin, clusters) {
			s := get(w.Namespace, w.Template.Spec.ServiceAccountName)
			s.host = s.host || w.Template.Spec.HostNetwork
			s.pod = s.pod || !w.Template.Spec.HostNetwork
		}
	}
	for _, p := range estate.PodIdentityAssociations.In(a.estate) {
		if c.has(p.ClusterName, &p.Origin) {
			get(p.Namespace, p.ServiceAccount)
		}
	}
	out := slices.Collect(maps.Values(found))
	slices.SortFunc(out, func(s, o *serviceAccount) int {
		return cmp.Or(cmp.Compare(s.namespace, o.namespace), cmp.Compare(s.name, o.name))
	})
	return out
}

// pods adds the roles of service accounts and nodes, and what nodes are in the
// cluster.
func (a *AWS) pods(c *cluster) {
	accounts := a.serviceAccounts(c)
	a.webIdentities(c, accounts)
	for _, p := range estate.PodIdentityAssociations.In(a.estate) {
		if c.has(p.ClusterName, &p.Origin) {
			a.podIdentity(c, p)
		}
	}
	for _, n := range c.nodes {
		a.add(Step{
			From: n.identity(c), To: Identity{Kind: KubernetesGroup, Cluster: c.label, Name: "system:nodes"}, Technique: "kubelet",
			How: "has the credentials of the kubelet", Certain: Yes,
		})
		if n.role == "" {
			continue
		}
		role := a.identityOf(n.role)
		step := Step{
			From: n.identity(c), To: role, Technique: "metadata", How: "fetches the node's role " + estate.ShortName(role.Name),
			Grants: []Grant{{Subject: n.ref, Origin: n.origin, Field: "nodeRole", Says: "the nodes have the role"}}, Certain: n.answersNode(),
		}
		a.add(step)
		open := n.answersPods()
		for _, s := range accounts {
			step.From = s.identity(c)
			switch {
			case s.host:
				step.Certain = n.answersNode()
			case s.pod:
				step.Certain = both(open, a.leaves(c, s.namespace))
			default:
				continue
			}
			if len(c.nodes) > 1 {
				step.Certain = both(step.Certain, Unclear) // on which nodes the pods run is not followed
			}
			a.add(step)
		}
	}
}

// leaves says whether pods of a namespace reach the metadata service as far as
// network policies go: they do where there is none.
func (a *AWS) leaves(c *cluster, namespace string) Answer {
	clusters := len(estate.Clusters.In(a.estate))
	for _, p := range estate.NetworkPolicies.In(a.estate) {
		if c.holds(&p.Origin, clusters) && p.Object.Namespace == namespace {
			return Unclear
		}
	}
	if len(estate.CalicoGlobalNetworkPolicies.In(a.estate))+len(estate.CalicoNetworkPolicies.In(a.estate))+
		len(estate.CiliumNetworkPolicies.In(a.estate))+len(estate.CiliumClusterwideNetworkPolicies.In(a.estate))+
		len(estate.ClusterNetworkPolicies.In(a.estate)) > 0 || a.estate.Coverage(estate.NetworkPolicies.Kind).State != estate.Read {
		return Unclear
	}
	return Yes
}

// webIdentities adds the roles whose trust lets in the tokens of service
// accounts. With the annotation a pod has the token; without it, whoever starts
// a pod of the service account can ask for one.
func (a *AWS) webIdentities(c *cluster, accounts []*serviceAccount) {
	issuer := issuerOf(c.Cluster)
	for _, r := range a.roles {
		if r.trust == nil || r.linked {
			continue
		}
		for i := range r.trust.Statements {
			s := &r.trust.Statements[i]
			if s.Deny || !s.Names(AssumeRoleWithWebIdentity) || s.ForeignToken() {
				continue
			}
			for _, id := range s.Named("Federated") {
				if issuer != "" && issuerIn(id) == issuer {
					a.tokens(c, r, s, issuer, accounts)
				}
			}
		}
	}
}

func (a *AWS) tokens(c *cluster, r *role, s *Statement, issuer string, accounts []*serviceAccount) {
	for _, sa := range accounts {
		certain := Yes
		audience := cmp.Or(sa.annotations[audienceAnnotation], TokenAudience)
		subject := "system:serviceaccount:" + sa.namespace + ":" + sa.name
		for _, cond := range s.Conditions {
			switch key := strings.ToLower(cond.Key); key {
			case strings.ToLower(issuer) + ":sub":
				certain = both(certain, cond.compare(subject))
			case strings.ToLower(issuer) + ":aud":
				certain = both(certain, cond.compare(audience))
			default:
				certain = both(certain, cond.decide(Request{}))
			}
		}
		if certain == No || r.refuses(subject, issuer) {
			continue
		}
		step := Step{
			From: sa.identity(c), To: r.principal.Identity(), Technique: "web-identity", How: "takes role " + r.principal.Ref.Name + " with its token",
			Grants: []Grant{r.trusts("its trust policy lets the service account in")}, Certain: certain,
		}
		if annotated := sa.annotations[roleAnnotation]; annotated == r.Arn {
			step.Grants = append(step.Grants, Grant{
				Subject: estate.NamedRef(estate.ServiceAccounts.Kind, string(estate.ServiceAccounts.Kind), sa.namespace, sa.name), Origin: sa.object,
				Field: "metadata.annotations[" + roleAnnotation + "]", Says: "the service account names the role",
			})
		} else {
			step.Certain = both(certain, Unclear)
		}
		a.add(step)
	}
}

// refuses reports whether a Deny of the trust keeps a token out whatever else
// is allowed.
func (r *role) refuses(subject, issuer string) bool {
	return slices.ContainsFunc(r.trust.Statements, func(s Statement) bool {
		if !s.Deny || !s.Names(AssumeRoleWithWebIdentity) {
			return false
		}
		return !slices.ContainsFunc(s.Conditions, func(c Condition) bool {
			return !strings.EqualFold(c.Key, issuer+":sub") || c.compare(subject) != Yes
		})
	})
}

func (a *AWS) podIdentity(c *cluster, p *estate.PodIdentityAssociation) {
	certain, trust := Unclear, []Grant(nil)
	role := a.identityOf(p.RoleArn)
	if r := a.roleByID[role.Name]; r != nil && r.trust != nil {
		certain, trust = r.servesPod(c, p), []Grant{r.trusts("its trust policy lets pods in")}
	}
	a.add(Step{
		From: Identity{Kind: ServiceAccount, Cluster: c.label, Namespace: p.Namespace, Name: p.ServiceAccount}, To: role, Technique: "pod-identity",
		How: "has role " + estate.ShortName(role.Name) + " by Pod Identity", Certain: certain,
		Grants: append([]Grant{{Subject: estate.PodIdentityAssociations.Ref(p), Origin: &p.Origin, Field: "roleArn", Says: "the association gives the role"}}, trust...),
	})
}

// servesPod says whether the trust lets pods of a service account in: Pod
// Identity tells it their cluster, namespace and service account as tags.
func (r *role) servesPod(c *cluster, p *estate.PodIdentityAssociation) Answer {
	tags := map[string]string{
		"kubernetes-namespace": p.Namespace, "kubernetes-service-account": p.ServiceAccount, "eks-cluster-name": c.Name, "eks-cluster-arn": c.Arn,
	}
	out := No
	for i := range r.trust.Statements {
		s := &r.trust.Statements[i]
		if s.Deny || !s.Names(assumeRole) || !slices.Contains(s.Named("Service"), PodIdentityService) {
			continue
		}
		holds := Yes
		for _, cond := range s.Conditions {
			value := ""
			switch key := strings.ToLower(cond.Key); {
			case key == "aws:sourcearn":
				value = c.Arn
			case key == "aws:sourceaccount":
				value = c.account
			case strings.HasPrefix(key, "aws:requesttag/"):
				value = tags[strings.TrimPrefix(key, "aws:requesttag/")]
			}
			if value == "" {
				holds = both(holds, Unclear)
			} else {
				holds = both(holds, cond.compare(value))
			}
		}
		out = either(out, holds)
	}
	return out
}

// logIn adds the nodes that a principal gets onto by Systems Manager or with a
// key of EC2 Instance Connect.
func (a *AWS) logIn(p *Principal, c *cluster, n node) {
	managed := Unclear // whether the node takes part in Systems Manager
	if r := a.roleByID[a.identityOf(n.role).Name]; r != nil {
		managed, _ = r.principal.Can(Request{Action: "ssm:UpdateInstanceInformation", Resource: "*", Some: true})
	}
	for _, way := range []struct {
		action, how string
		certain     Answer
	}{
		{"ssm:StartSession", "opens a session on ", managed},
		{"ssm:SendCommand", "runs a command on ", managed},
		{"ec2-instance-connect:SendSSHPublicKey", "logs in by SSH, if it reaches it, to ", Unclear},
	} {
		if way.certain == No || !a.calls(p, way.action) {
			continue
		}
		resources := []string{"arn:aws:ec2:*:*:instance/*"}
		if len(n.instances) > 0 {
			resources = nil
			for _, i := range n.instances {
				resources = append(resources, i.Arn)
			}
		}
		can, by := a.may(p, Request{Action: way.action}, resources...)
		a.add(Step{From: p.Identity(), To: n.identity(c), Technique: "node-session", How: way.how + "nodes " + n.name, Grants: by, Certain: both(can, way.certain)})
	}
}
