package identity

import (
	"cmp"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var clusterAdmins = &control.Control{
	ID:       "cluster-admins",
	Title:    "Administrators of the cluster are few, named and visible",
	Severity: control.High,
	Refs:     []control.Ref{control.CISEKS("4.1.1"), control.AWS("eks-access-policies"), control.ATTACK("T1078.004")},
	Serves:   []string{"S28", "S30"},
	Since:    "0.1.0",
	Check: control.Each(estate.Clusters, judgeClusterAdmins, estate.AccessEntries.Kind).
		Helped(estate.ConfigMaps.Kind, estate.ClusterRoleBindings.Kind, estate.Users.Kind, estate.Groups.Kind, estate.IAMRoles.Kind,
			estate.ManagedPolicies.Kind, estate.ServiceAccounts.Kind, estate.PodIdentityAssociations.Kind),
}

const mastersGroup = access.Masters

// A clusterAdmin is somebody with every right in a cluster, and where it says
// so.
type clusterAdmin struct {
	who   string
	by    string
	how   string   // the chain of one that becomes it; "" for one that is
	names []string // by which eksafe.yaml may name it
	place trace.Place
}

func (a clusterAdmin) told(c *estate.Cluster) string {
	if a.how != "" {
		return "becomes an administrator of cluster " + c.Name + ": " + a.how
	}
	return "is an administrator of cluster " + c.Name + " by " + a.by
}

func judgeClusterAdmins(s *control.Subject, c *estate.Cluster) {
	mode, known := c.AccessConfig.AuthenticationMode.Get()
	if !known {
		s.Unknownf("accessConfig.authenticationMode of cluster %s is not known; read the cluster live (--aws), or write it into the template", c.Name)
		return
	}
	g := gathering{s: s, cluster: c, groups: map[string][]clusterAdmin{}}
	if mode != "CONFIG_MAP" {
		g.accessEntries()
	}
	if mode != "API" {
		g.awsAuth()
	}
	g.bindings()
	maybe := g.chains()
	possible := g.creator(mode)

	admins := g.admins()
	people := s.Config().People
	limit := config.Or(people.MaxClusterAdmins, config.DefaultMaxClusterAdmins)
	if len(admins) > limit {
		var who []string
		for _, a := range admins {
			who = append(who, a.who+" ("+a.by+")")
		}
		s.Failf("", "%s of the cluster where %d may be: %s", count(len(admins), "administrator"), limit, listed(who))
	}
	if len(people.ClusterAdmins) > 0 {
		for _, a := range admins {
			if !named(people.ClusterAdmins, a.names...) {
				s.FailAt(a.place, "%s %s, and people.clusterAdmins of eksafe.yaml does not name it", a.who, a.told(c))
			}
		}
	}
	for i, a := range maybe {
		if i == maxListed || len(people.ClusterAdmins) == 0 && len(admins) < limit {
			break
		}
		if !named(people.ClusterAdmins, a.names...) {
			s.Unknownf("whether %s becomes an administrator of cluster %s is not decided: it perhaps %s", a.who, c.Name, a.by)
		}
	}
	if possible && (len(people.ClusterAdmins) > 0 || len(admins) == limit) {
		s.Unknownf("whether the creator of cluster %s becomes its administrator is not known; write accessConfig.bootstrapClusterCreatorAdminPermissions into the template", c.Name)
	}
}

// A gathering collects who is administrator of one cluster.
type gathering struct {
	s       *control.Subject
	cluster *estate.Cluster
	found   []clusterAdmin
	groups  map[string][]clusterAdmin // who is in which group of Kubernetes, by IAM
	bound   []access.Identity         // users and groups that are bound to cluster-admin
}

func (g *gathering) admins() []clusterAdmin {
	slices.SortFunc(g.found, func(a, b clusterAdmin) int { return cmp.Or(cmp.Compare(a.who, b.who), cmp.Compare(a.by, b.by)) })
	return slices.CompactFunc(g.found, func(a, b clusterAdmin) bool { return a.who == b.who })
}

// principal notes somebody whom IAM lets in, with groups and a user name.
func (g *gathering) principal(arn, user string, groups []string, by string, place trace.Place) {
	a := clusterAdmin{who: who(arn), by: by, names: []string{arn, estate.ShortName(arn), user}, place: place}
	for _, group := range groups {
		if group == mastersGroup {
			a.by = by + " in group " + mastersGroup
			g.found = append(g.found, a)
			continue
		}
		g.groups[group] = append(g.groups[group], a)
	}
}

// who returns "role ops" or "user alice" of an ARN.
func who(arn string) string {
	if strings.Contains(arn, ":user/") {
		return "user " + estate.ShortName(arn)
	}
	return "role " + estate.ShortName(arn)
}

func (g *gathering) accessEntries() {
	for _, e := range control.All(g.s, estate.AccessEntries) {
		if !g.lets(e) {
			continue
		}
		place := trace.Place{Subject: estate.AccessEntries.Ref(e), Origin: estate.AccessEntries.Origin(e)}
		g.principal(e.PrincipalArn, e.Username, e.KubernetesGroups, "its access entry", place)
		policies, known := e.AccessPolicies.Get()
		if !known {
			g.s.Unknownf("the access policies of %s are not known; allow eks:ListAssociatedAccessPolicies", who(e.PrincipalArn))
		}
		for _, p := range policies {
			if strings.HasSuffix(p.PolicyArn, ":cluster-access-policy/AmazonEKSClusterAdminPolicy") && p.AccessScope.Type == "cluster" {
				g.found = append(g.found, clusterAdmin{
					who: who(e.PrincipalArn), by: "AmazonEKSClusterAdminPolicy", names: []string{e.PrincipalArn, estate.ShortName(e.PrincipalArn), e.Username}, place: place,
				})
			}
		}
	}
}

// lets reports whether the entry is one of the cluster's. Names of clusters are
// unique within a region of an account; a template knows neither.
func (g *gathering) lets(e *estate.AccessEntry) bool {
	same := func(a, b string) bool { return a == "" || b == "" || a == b }
	c := g.cluster
	return e.ClusterName == c.Arn ||
		e.ClusterName == c.Name && same(e.Origin.Account, c.Origin.Account) && same(e.Origin.Region, c.Origin.Region)
}

func (g *gathering) awsAuth() {
	if !g.s.Read(estate.ConfigMaps.Kind) {
		g.s.Unknownf("whom aws-auth lets into cluster %s is not known; read the cluster (--kube)", g.cluster.Name)
		return
	}
	for _, c := range authMaps(g.s, g.cluster) {
		place := trace.Place{Subject: estate.ConfigMaps.Ref(c), Origin: &c.Origin}
		if c.AWSAuth.Unreadable {
			g.s.Unknownf("a part of aws-auth of cluster %s cannot be read", g.cluster.Name)
		}
		for _, e := range c.AWSAuth.Roles {
			place.Field = "data.mapRoles"
			g.principal(e.Arn, e.Username, e.Groups, "aws-auth", place)
		}
		for _, e := range c.AWSAuth.Users {
			place.Field = "data.mapUsers"
			g.principal(e.Arn, e.Username, e.Groups, "aws-auth", place)
		}
	}
}

// authMaps returns the aws-auth of the cluster: one, unless a file shows it
// beside the live one.
func authMaps(s *control.Subject, c *estate.Cluster) []*estate.ConfigMap {
	var out []*estate.ConfigMap
	for _, m := range control.All(s, estate.ConfigMaps) {
		if m.AWSAuth != nil && belongs(s, c, m.Origin) {
			out = append(out, m)
		}
	}
	return out
}

// belongs reports whether an object of Kubernetes is one of the cluster's. A
// file does not say; it is taken for every cluster's.
func belongs(s *control.Subject, c *estate.Cluster, o estate.Origin) bool {
	return len(control.All(s, estate.Clusters)) == 1 || o.Cluster == "" || o.Cluster == c.Arn || estate.ShortName(o.Cluster) == c.Name
}

func (g *gathering) bindings() {
	if !g.s.Read(estate.ClusterRoleBindings.Kind) {
		g.s.Unknownf("who is bound to cluster-admin in cluster %s is not known; read the cluster (--kube)", g.cluster.Name)
		return
	}
	for _, b := range control.All(g.s, estate.ClusterRoleBindings) {
		if b.Object.RoleRef.Name != "cluster-admin" || b.Object.RoleRef.Kind != "ClusterRole" || !belongs(g.s, g.cluster, b.Origin) {
			continue
		}
		place := trace.Place{Subject: estate.ClusterRoleBindings.Ref(b), Origin: &b.Origin, Field: "subjects"}
		by := "ClusterRoleBinding " + b.Object.Name
		for _, sub := range b.Object.Subjects {
			if sub.Kind == "User" || sub.Kind == "Group" {
				g.bound = append(g.bound, standingOf(g.s).InCluster(g.cluster, access.IdentityKind(sub.Kind), sub.Name))
			}
			switch {
			case sub.Kind == "ServiceAccount":
				name := sub.Namespace + "/" + sub.Name
				g.hold(clusterAdmin{who: "service account " + name, by: by, names: []string{name}, place: place})
			case ofTheSystem(sub.Kind, sub.Name):
			case sub.Kind == "Group" && len(g.groups[sub.Name]) > 0:
				for _, a := range g.groups[sub.Name] {
					a.by = a.by + " in group " + sub.Name + " and " + by
					a.names = append(slices.Clone(a.names), sub.Name)
					g.hold(a)
				}
			default:
				g.hold(clusterAdmin{who: strings.ToLower(sub.Kind) + " " + sub.Name, by: by, names: []string{sub.Name}, place: place})
			}
		}
	}
}

// hold notes somebody unless eksafe.yaml names it as the platform itself.
func (g *gathering) hold(a clusterAdmin) {
	if !named(g.s.Config().Platform.Subjects, a.names...) {
		g.found = append(g.found, a)
	}
}

// ofTheSystem reports whether a user or group is a part of Kubernetes or EKS.
// Names that stand for everybody are not.
func ofTheSystem(kind, name string) bool {
	if strings.HasPrefix(name, "eks:") {
		return true
	}
	if kind == "Group" {
		return name == mastersGroup || name == "system:nodes"
	}
	return strings.HasPrefix(name, "system:") && name != "system:anonymous" && !strings.HasPrefix(name, "system:serviceaccount:")
}

// chains notes who becomes an administrator over AWS: by writing itself an
// access entry, or by becoming somebody who is one. It returns who perhaps does.
// Administrators of the account, who can do that too, are counted by admins-few.
func (g *gathering) chains() (maybe []clusterAdmin) {
	st := standingOf(g.s)
	masters := st.InCluster(g.cluster, access.KubernetesGroup, mastersGroup)
	steps := st.Steps()
	for _, b := range g.bound {
		steps = append(slices.Clip(steps), access.Step{From: b, To: masters, Technique: "binding", How: "is bound to cluster-admin", Certain: access.Yes})
	}
	reach := access.Reaching(steps, masters, func(s *access.Step) bool { return s.From.Kind != access.Administrator })
	for _, id := range reach.Who(false) {
		switch id.Kind {
		case access.IAMUser, access.IAMRole, access.AWSAccount, access.ServiceAccount:
		default:
			if id.Name != access.Everybody {
				continue
			}
		}
		chain, _ := reach.Chain(id)
		a := clusterAdmin{who: st.whois(id), by: outline(chain), how: told(chain), names: []string{id.Name, estate.ShortName(id.Name)}, place: trace.Place{Subject: g.s.Ref(), Origin: &g.cluster.Origin}}
		if id.Kind == access.ServiceAccount {
			a.names = []string{id.Namespace + "/" + id.Name}
		}
		if p, ok := st.Principal(id); ok {
			a.place = placeOf(p)
			if is, _ := p.Administrator(); is != access.No {
				continue // admins-few counts or asks for it
			}
		}
		known := slices.ContainsFunc(g.found, func(f clusterAdmin) bool { return slices.Contains(f.names, a.names[0]) })
		switch {
		case known || onlyServices(g.s, id):
		case chain.Certain() == access.Yes:
			g.hold(a)
		default:
			a.by = told(chain)
			maybe = append(maybe, a)
		}
	}
	return maybe
}

// creator counts whoever created the cluster where no access entry shows it:
// with aws-auth alone it is hidden, and a cluster that does not exist yet will
// make an entry that no template shows. possible is true where that is not
// known.
func (g *gathering) creator(mode string) (possible bool) {
	if mode == "CONFIG_MAP" {
		g.s.Failf("accessConfig.authenticationMode", "whoever created the cluster is its administrator, is listed nowhere, and cannot be removed while aws-auth alone lets people in")
		return false
	}
	if g.cluster.Endpoint != "" {
		return false // it exists, and the entry of its creator is among those that were read
	}
	bootstrap, known := g.cluster.AccessConfig.BootstrapClusterCreatorAdminPermissions.Get()
	if bootstrap {
		g.found = append(g.found, clusterAdmin{
			who: "the creator of the cluster", by: "bootstrapClusterCreatorAdminPermissions",
			place: trace.Place{Subject: g.s.Ref(), Origin: &g.cluster.Origin, Field: "accessConfig.bootstrapClusterCreatorAdminPermissions"},
		})
	}
	return !known
}
