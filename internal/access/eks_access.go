package access

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

// An EKSRule is what an access policy gives to a principal in a cluster. It is
// the principal's own: whoever it impersonates in the cluster does not have it.
type EKSRule struct {
	Who     Identity
	Cluster string // as in identities
	// Namespaces are names and patterns such as "dev-*"; nil is the whole cluster.
	Namespaces []string
	Rules      []rbacv1.PolicyRule
	Known      bool // false: what the policy allows is written down nowhere
	Grant      Grant
}

// A cluster is a cluster with its name in identities.
type cluster struct {
	*estate.Cluster
	label   string
	account string
	// entries are those of the cluster by their principal.
	entries map[string]*estate.AccessEntry
	maps    []*estate.ConfigMap // aws-auth
	nodes   []node
	bound   map[string][]string // what boundSubjects found, by kind
}

func (a *AWS) clusters() []*cluster {
	var out []*cluster
	all := estate.Clusters.In(a.estate)
	for _, c := range all {
		k := &cluster{Cluster: c, account: accountIn(c.Arn, c.Origin), entries: map[string]*estate.AccessEntry{}, bound: map[string][]string{}}
		if len(all) > 1 {
			k.label = c.Name
		}
		for _, e := range estate.AccessEntries.In(a.estate) {
			if k.has(e.ClusterName, &e.Origin) {
				k.entries[e.PrincipalArn] = e
			}
		}
		for _, m := range estate.ConfigMaps.In(a.estate) {
			if m.AWSAuth != nil && k.holds(&m.Origin, len(all)) {
				k.maps = append(k.maps, m)
			}
		}
		k.nodes = a.nodesOf(k)
		out = append(out, k)
	}
	return out
}

// has reports whether a resource that names its cluster is this one's. Names of
// clusters are unique within a region of an account; a template knows neither.
func (c *cluster) has(name string, o *estate.Origin) bool {
	same := func(a, b string) bool { return a == "" || b == "" || a == b }
	return name == c.Arn || name == c.Name && same(o.Account, c.Origin.Account) && same(o.Region, c.Origin.Region)
}

// holds reports whether an object of Kubernetes is in the cluster. A file does
// not say; it is taken for every cluster's.
func (c *cluster) holds(o *estate.Origin, clusters int) bool {
	return clusters == 1 || o.Cluster == "" || o.Cluster == c.Arn || estate.ShortName(o.Cluster) == c.Name
}

func (c *cluster) masters() Identity {
	return Identity{Kind: KubernetesGroup, Cluster: c.label, Name: Masters}
}

// InCluster returns the user or group of this name in a cluster of the estate.
func (a *AWS) InCluster(c *estate.Cluster, kind IdentityKind, name string) Identity {
	i := Identity{Kind: kind, Name: name}
	if len(estate.Clusters.In(a.estate)) > 1 {
		i.Cluster = c.Name
	}
	return i
}

// modes returns how the cluster lets principals in; both where that is not
// known, and then unclearly.
func (c *cluster) modes() (api, configMap Answer) {
	mode, known := c.AccessConfig.AuthenticationMode.Get()
	if !known {
		return Unclear, Unclear
	}
	return answer(mode != "CONFIG_MAP"), answer(mode != "API")
}

// enter adds whom principals of AWS are in a cluster.
func (a *AWS) enter(c *cluster) {
	api, configMap := c.modes()
	if api == Unclear {
		a.gaps = append(a.gaps, "how cluster "+c.Name+" lets principals in is not known")
	}
	if api != No {
		for _, arn := range sortedKeys(c.entries) {
			a.accessEntry(c, c.entries[arn], api)
		}
	}
	if configMap != No {
		for _, m := range c.maps {
			a.awsAuth(c, m, configMap, api)
		}
	}
	a.creator(c)
	if len(a.accounts[c.account]) > 0 {
		a.add(Step{From: administrator(c.account), To: c.masters(), Technique: "eks-api", How: "lets itself into cluster " + c.Name + " as its administrator", Certain: Yes})
	}
}

// creator adds whoever created a cluster where no access entry shows it: with
// aws-auth alone it is hidden, and a cluster that does not exist yet will make
// an entry that no template shows.
func (a *AWS) creator(c *cluster) {
	mode := c.AccessConfig.AuthenticationMode.Or("")
	bootstrap, known := c.AccessConfig.BootstrapClusterCreatorAdminPermissions.Get()
	certain, field := No, "accessConfig.authenticationMode"
	switch {
	case mode == "CONFIG_MAP":
		certain = Yes
	case c.Endpoint != "":
	case !known:
		certain = Unclear
	case bootstrap:
		certain, field = Yes, "accessConfig.bootstrapClusterCreatorAdminPermissions"
	}
	a.add(Step{
		From: Identity{Kind: Anybody, Cluster: c.label, Name: "the creator of cluster " + c.Name}, To: c.masters(), Technique: "cluster-creator",
		How: "created cluster " + c.Name, Certain: certain,
		Grants: []Grant{{Subject: estate.Clusters.Ref(c.Cluster), Origin: &c.Origin, Field: field, Says: "whoever created the cluster is its administrator"}},
	})
}

// identityOf returns the user or role of an ARN, as the estate has it if it was
// read.
func (a *AWS) identityOf(arn string) Identity {
	if p := a.named(canonical(arn)); p != nil {
		return p.Identity()
	}
	if strings.Contains(arn, ":user/") {
		return Identity{Kind: IAMUser, Name: arn}
	}
	return Identity{Kind: IAMRole, Name: canonical(arn)}
}

func (a *AWS) accessEntry(c *cluster, e *estate.AccessEntry, certain Answer) {
	who := a.identityOf(e.PrincipalArn)
	ref := estate.AccessEntries.Ref(e)
	grant := func(field, says string) []Grant {
		return []Grant{{Subject: ref, Origin: &e.Origin, Field: field, Says: says}}
	}
	if e.Type != "" && e.Type != "STANDARD" {
		a.add(Step{
			From: who, To: Identity{Kind: KubernetesGroup, Cluster: c.label, Name: "system:nodes"}, Technique: "access-entry",
			How: "joins cluster " + c.Name + " as a node", Grants: grant("type", "the access entry is one of "+e.Type), Certain: certain,
		})
		return
	}
	user := e.Username
	if p, ok := a.Principal(who); user == "" && ok && !strings.HasPrefix(who.Name, "arn:") {
		user = templateUserName(p)
	} else if user == "" {
		user = defaultUserName(e.PrincipalArn)
	}
	a.signsIn(c, who, "access-entry", user, e.KubernetesGroups, grant("username", "the access entry lets it in as "+user), grant("kubernetesGroups", "the access entry puts it into its groups"), certain)
	policies, known := e.AccessPolicies.Get()
	if !known {
		a.gaps = append(a.gaps, "the access policies of "+who.Name+" are not known")
	}
	for _, p := range policies {
		name := estate.ShortName(p.PolicyArn)
		g := grant("accessPolicies", "the access entry has "+name)[0]
		rule := EKSRule{Who: who, Cluster: c.label, Grant: g}
		rule.Rules, rule.Known = AccessPolicyRules(p.PolicyArn)
		if p.AccessScope.Type != "cluster" {
			rule.Namespaces = append([]string{}, p.AccessScope.Namespaces...)
		}
		rule.Known = rule.Known && certain == Yes
		a.rules = append(a.rules, rule)
		if n, ok := accessPolicyName(p.PolicyArn); ok && n == clusterAdminPolicy && p.AccessScope.Type == "cluster" {
			a.add(Step{From: who, To: c.masters(), Technique: "access-policy", How: "is an administrator of cluster " + c.Name + " by " + name, Grants: []Grant{g}, Certain: certain})
		}
	}
}

// signsIn adds the user and groups as whom a principal is let in. A part of the
// user name that the session chooses stands for every user it makes.
func (a *AWS) signsIn(c *cluster, who Identity, technique, user string, groups []string, asUser, inGroups []Grant, certain Answer) {
	add := func(to Identity, how string, grants []Grant) {
		a.add(Step{From: who, To: to, Technique: technique, How: how, Grants: grants, Certain: certain})
	}
	if user != "" {
		add(Identity{Kind: KubernetesUser, Cluster: c.label, Name: user}, "is user "+user+" in cluster "+c.Name, asUser)
	}
	if pattern, free := sessionPattern(user, who.Name); free {
		for _, name := range a.boundSubjects(c, rbacv1.UserKind) {
			if Match(pattern, name) {
				add(Identity{Kind: KubernetesUser, Cluster: c.label, Name: name}, "names its session so that it is user "+name+" in cluster "+c.Name, asUser)
			}
		}
	}
	for _, g := range groups {
		add(Identity{Kind: KubernetesGroup, Cluster: c.label, Name: g}, "is in group "+g+" of cluster "+c.Name, inGroups)
	}
}

// sessionPattern returns the pattern of the user names that a template makes.
// free is true where whoever takes the role chooses a part, or where a template
// does not know its account.
func sessionPattern(template, arn string) (pattern string, free bool) {
	pattern = template
	if account := accountOf(arn); account != "" {
		pattern = strings.ReplaceAll(pattern, "{{AccountID}}", account)
	} else if strings.Contains(pattern, "{{AccountID}}") {
		pattern, free = strings.ReplaceAll(pattern, "{{AccountID}}", "*"), true
	}
	for _, part := range []string{"{{SessionName}}", "{{SessionNameRaw}}"} {
		if strings.Contains(pattern, part) {
			pattern, free = strings.ReplaceAll(pattern, part, "*"), true
		}
	}
	return pattern, free
}

// defaultUserName is the user name that EKS gives an entry without one.
func defaultUserName(arn string) string {
	head, rest, ok := strings.Cut(withoutPath(arn), ":iam::")
	account, name, isRole := strings.Cut(rest, ":role/")
	if !ok || !isRole {
		return arn
	}
	return head + ":sts::" + account + ":assumed-role/" + name + "/{{SessionName}}"
}

// templateUserName is the user name that EKS will give an entry of a principal
// that a template makes in some account.
func templateUserName(p *Principal) string {
	if p.UserName != "" {
		return "arn:aws:iam::{{AccountID}}:user/" + p.UserName
	}
	return "arn:aws:sts::{{AccountID}}:assumed-role/" + p.Ref.Name + "/{{SessionName}}"
}

// boundSubjects returns the names that bindings of the cluster give rights to.
func (a *AWS) boundSubjects(c *cluster, kind string) []string {
	if out, ok := c.bound[kind]; ok {
		return out
	}
	var out []string
	add := func(o *estate.Origin, subjects []rbacv1.Subject) {
		if !c.holds(o, len(estate.Clusters.In(a.estate))) {
			return
		}
		for _, s := range subjects {
			if s.Kind == kind {
				out = append(out, s.Name)
			}
		}
	}
	for _, b := range estate.ClusterRoleBindings.In(a.estate) {
		add(&b.Origin, b.Object.Subjects)
	}
	for _, b := range estate.RoleBindings.In(a.estate) {
		add(&b.Origin, b.Object.Subjects)
	}
	slices.Sort(out)
	out = slices.Compact(out)
	c.bound[kind] = out
	return out
}

// awsAuth adds whom the ConfigMap lets in. An access entry of a principal comes
// before what it says. It knows roles by ARNs without a path: another never
// lets anybody in.
func (a *AWS) awsAuth(c *cluster, m *estate.ConfigMap, certain, api Answer) {
	if m.AWSAuth.Unreadable {
		a.gaps = append(a.gaps, "a part of aws-auth of cluster "+c.Name+" cannot be read")
	}
	entered := func(arn string) Answer {
		if api == No || c.entries[arn] == nil {
			return certain
		}
		if api == Unclear {
			return Unclear
		}
		return No
	}
	let := func(e estate.AWSAuthEntry, field string) {
		arn := canonical(e.Arn)
		if strings.Contains(arn, ":role/") && withoutPath(arn) != arn {
			return
		}
		who := a.identityOf(arn)
		grants := []Grant{{Subject: estate.ConfigMaps.Ref(m), Origin: &m.Origin, Field: field, Says: "aws-auth lets it in"}}
		a.signsIn(c, who, "aws-auth", e.Username, e.Groups, grants, grants, entered(who.Name))
	}
	for _, e := range m.AWSAuth.Roles {
		let(e, "data.mapRoles")
	}
	for _, e := range m.AWSAuth.Users {
		let(e, "data.mapUsers")
	}
	for _, account := range m.AWSAuth.Accounts {
		grants := []Grant{{Subject: estate.ConfigMaps.Ref(m), Origin: &m.Origin, Field: "data.mapAccounts", Says: "aws-auth lets in every principal of the account"}}
		for _, p := range a.accounts[account] {
			arn := withoutPath(p.Ref.ID)
			a.signsIn(c, p.Identity(), "aws-auth", arn, nil, grants, nil, entered(p.Ref.ID))
		}
		if len(a.accounts[account]) == 0 {
			a.signsIn(c, Identity{Kind: AWSAccount, Name: account}, "aws-auth", "arn:aws:iam::"+account+":*", nil, grants, nil, certain)
		}
	}
}

// seize adds how a principal lets itself into clusters by the API of EKS, and
// onto their nodes.
func (a *AWS) seize(p *Principal, clusters []*cluster) {
	if a.mastery[p] == Yes || a.unchangeable(p) || a.closed {
		return
	}
	for _, c := range clusters {
		a.letItselfIn(p, c)
		a.associate(p, c)
		for _, n := range c.nodes {
			a.logIn(p, c, n)
		}
	}
}

// entryARNs returns how policies may name the access entries of a cluster, all
// of them or that of one principal.
func (c *cluster) entryARNs(principal string) []string {
	name := "*"
	if principal != "" {
		kind, rest, _ := strings.Cut(principal[strings.LastIndexByte(principal, ':')+1:], "/")
		name = kind + "/" + accountOf(principal) + "/" + rest[strings.LastIndexByte(rest, '/')+1:] + "/*"
	}
	if head, ok := strings.CutSuffix(c.Arn, ":cluster/"+c.Name); ok {
		return []string{head + ":access-entry/" + c.Name + "/" + name}
	}
	return []string{c.Arn, "arn:aws:eks:*:*:access-entry/" + c.Name + "/" + name}
}

func (c *cluster) arns() []string {
	if strings.HasPrefix(c.Arn, "arn:") {
		return []string{c.Arn}
	}
	return []string{c.Arn, "arn:aws:eks:*:*:cluster/" + c.Name}
}

// letItselfIn adds the ways over access entries. An entry may be for a principal
// of any account, so that one's own having one already hinders nobody.
func (a *AWS) letItselfIn(p *Principal, c *cluster) {
	const create, associate, update, configure = "eks:CreateAccessEntry", "eks:AssociateAccessPolicy", "eks:UpdateAccessEntry", "eks:UpdateClusterConfig"
	if !a.calls(p, create) && !a.calls(p, associate) && !a.calls(p, update) {
		return
	}
	api, _ := c.modes()
	open, opened := api, []Grant(nil)
	if api != Yes {
		// The API can be switched on, and never off again.
		can, by := a.may(p, Request{Action: configure}, c.arns()...)
		open, opened = either(api, can), by
	}
	if open == No {
		return
	}
	step := Step{From: p.Identity(), To: c.masters(), Technique: "eks-api"}
	made, byMade := a.may(p, Request{Action: create}, c.arns()...)
	policy, byPolicy := a.may(p, Request{Action: associate}, c.entryARNs("")...)
	if certain := both(open, both(made, policy)); certain != No {
		step.How = "makes an access entry of cluster " + c.Name + " with " + clusterAdminPolicy
		step.Grants, step.Certain = slices.Concat(opened, byMade, byPolicy), certain
		a.add(step)
	}
	own := c.entries[p.Ref.ID]
	if own != nil && api != No {
		arns := c.entryARNs(p.Ref.ID)
		if strings.HasPrefix(own.Arn, "arn:") {
			arns = []string{own.Arn}
		}
		if policy, by := a.may(p, Request{Action: associate}, arns...); policy != No {
			step.How = "gives its access entry of cluster " + c.Name + " " + clusterAdminPolicy
			step.Grants, step.Certain = by, both(api, policy)
			a.add(step)
		}
	}
	a.chooseNames(p, c, both(open, made), slices.Concat(opened, byMade))
	if own != nil {
		can, by := a.may(p, Request{Action: update}, c.entryARNs(p.Ref.ID)...)
		a.chooseNames(p, c, both(api, can), by)
	}
}

// chooseNames adds the users and groups that bindings give rights to and an
// access entry may name: none of Kubernetes' or AWS's own.
func (a *AWS) chooseNames(p *Principal, c *cluster, certain Answer, grants []Grant) {
	if certain == No {
		return
	}
	for _, as := range []struct {
		kind IdentityKind
		rbac string
	}{{KubernetesUser, rbacv1.UserKind}, {KubernetesGroup, rbacv1.GroupKind}} {
		for _, name := range a.boundSubjects(c, as.rbac) {
			if slices.ContainsFunc([]string{"system:", "eks:", "aws:", "amazon:", "iam:"}, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
				continue
			}
			a.add(Step{
				From: p.Identity(), To: Identity{Kind: as.kind, Cluster: c.label, Name: name}, Technique: "eks-api",
				How: "writes an access entry of cluster " + c.Name + " as " + strings.ToLower(as.rbac) + " " + name, Grants: grants, Certain: certain,
			})
		}
	}
}

// associate adds the roles that a principal may give to service accounts. It
// has them where it also starts pods in the cluster.
func (a *AWS) associate(p *Principal, c *cluster) {
	const create, passRole = "eks:CreatePodIdentityAssociation", "iam:PassRole"
	if !a.calls(p, create) || !a.calls(p, passRole) {
		return
	}
	made, byMade := a.may(p, Request{Action: create}, c.arns()...)
	if made == No {
		return
	}
	for _, taker := range a.services[PodIdentityService] {
		r := a.roleByID[taker.Ref.ID]
		if r.linked || r.account != c.account {
			continue
		}
		can, by := a.may(p, Request{Action: passRole, PassedTo: PodIdentityService}, r.principal.spellings()...)
		if can == No {
			continue
		}
		a.add(Step{
			From: p.Identity(), To: r.principal.Identity(), Technique: "pass-role-pods",
			How:    "gives " + r.principal.title() + " to pods of cluster " + c.Name + ", if it starts any",
			Grants: slices.Concat(by, byMade), Certain: Unclear,
		})
	}
}
