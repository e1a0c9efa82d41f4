package access

import (
	"math/bits"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
)

// A right is an entry of the table of rights that techniques need.
type right uint8

const (
	createPods right = iota
	createTemplates
	updateDeployments
	updateDaemonSets
	updateStatefulSets
	updateReplicaSets
	updateReplicationControllers
	updateCronJobs
	updatePods
	execPods
	execPodsByGet
	attachPods
	ephemeralContainers
	makeTokens
	impersonateUsers
	impersonateGroups
	impersonateAccounts
	bindClusterRoles
	bindRoles
	writeRoleBindings
	writeClusterRoleBindings
	escalateRoles
	updateRoles
	escalateClusterRoles
	updateClusterRoles
	createRequests
	approveRequests
	approveSigners
	proxyNodes
	createSecrets
	readSecrets
	mutateRequests
	createMutations
	bindMutations
	createVolumes
	createClaims
	updateNamespaces
	validateRequests
	convertObjects
	everything
	boundToRole  // no right of the API: stands in a binding of a Role
	writesCustom // no right of the table: see operators
	nRights
)

// rights is a set of them.
type rights uint64

func (r rights) next() right { return right(bits.TrailingZeros64(uint64(r))) }

func set(list ...right) rights {
	var out rights
	for _, r := range list {
		out |= 1 << r
	}
	return out
}

// A rightInfo says what allows a right: any of the verbs on any of the
// resources.
type rightInfo struct {
	verbs     []string
	group     string
	resources []string
	cluster   bool // on what stands in no namespace
}

const certificatesGroup, admissionGroup = "certificates.k8s.io", "admissionregistration.k8s.io"

// rightTable has what Kubernetes' page on good practices for RBAC warns of as
// ways to more rights, and beside it what follows from what the API server does
// with a request. Not each row was looked up, and these are unverified:
// attachPods, execPodsByGet, updatePods, createClaims, and those of mutating
// policies. That test/e2e agrees with a real API server is about direct rights,
// not about what they lead to.
var rightTable = [nRights]rightInfo{
	createPods:                   {verbs: []string{"create"}, resources: []string{"pods"}},
	createTemplates:              {}, // of several groups: see templates
	updateDeployments:            {verbs: []string{"update", "patch"}, group: "apps", resources: []string{"deployments"}},
	updateDaemonSets:             {verbs: []string{"update", "patch"}, group: "apps", resources: []string{"daemonsets"}},
	updateStatefulSets:           {verbs: []string{"update", "patch"}, group: "apps", resources: []string{"statefulsets"}},
	updateReplicaSets:            {verbs: []string{"update", "patch"}, group: "apps", resources: []string{"replicasets"}},
	updateReplicationControllers: {verbs: []string{"update", "patch"}, resources: []string{"replicationcontrollers"}},
	updateCronJobs:               {verbs: []string{"update", "patch"}, group: "batch", resources: []string{"cronjobs"}},
	updatePods:                   {verbs: []string{"update", "patch"}, resources: []string{"pods"}},
	execPods:                     {verbs: []string{"create"}, resources: []string{"pods/exec"}},
	execPodsByGet:                {verbs: []string{"get"}, resources: []string{"pods/exec"}},
	attachPods:                   {verbs: []string{"create", "get"}, resources: []string{"pods/attach"}},
	ephemeralContainers:          {verbs: []string{"update", "patch"}, resources: []string{"pods/ephemeralcontainers"}},
	makeTokens:                   {verbs: []string{"create"}, resources: []string{"serviceaccounts/token"}},
	impersonateUsers:             {verbs: []string{"impersonate"}, resources: []string{"users"}, cluster: true},
	impersonateGroups:            {verbs: []string{"impersonate"}, resources: []string{"groups"}, cluster: true},
	impersonateAccounts:          {verbs: []string{"impersonate"}, resources: []string{"serviceaccounts"}},
	bindClusterRoles:             {verbs: []string{"bind"}, group: rbacv1.GroupName, resources: []string{"clusterroles"}},
	bindRoles:                    {verbs: []string{"bind"}, group: rbacv1.GroupName, resources: []string{"roles"}},
	writeRoleBindings:            {verbs: []string{"create", "update", "patch"}, group: rbacv1.GroupName, resources: []string{"rolebindings"}},
	writeClusterRoleBindings:     {verbs: []string{"create", "update", "patch"}, group: rbacv1.GroupName, resources: []string{"clusterrolebindings"}, cluster: true},
	escalateRoles:                {verbs: []string{"escalate"}, group: rbacv1.GroupName, resources: []string{"roles"}},
	updateRoles:                  {verbs: []string{"update", "patch"}, group: rbacv1.GroupName, resources: []string{"roles"}},
	escalateClusterRoles:         {verbs: []string{"escalate"}, group: rbacv1.GroupName, resources: []string{"clusterroles"}, cluster: true},
	updateClusterRoles:           {verbs: []string{"update", "patch"}, group: rbacv1.GroupName, resources: []string{"clusterroles"}, cluster: true},
	createRequests:               {verbs: []string{"create"}, group: certificatesGroup, resources: []string{"certificatesigningrequests"}, cluster: true},
	approveRequests:              {verbs: []string{"update", "patch"}, group: certificatesGroup, resources: []string{"certificatesigningrequests/approval"}, cluster: true},
	approveSigners:               {verbs: []string{"approve"}, group: certificatesGroup, resources: []string{"signers"}, cluster: true},
	proxyNodes:                   {verbs: []string{"get", "create"}, resources: []string{"nodes/proxy"}, cluster: true},
	createSecrets:                {verbs: []string{"create"}, resources: []string{"secrets"}},
	readSecrets:                  {verbs: []string{"get", "list", "watch"}, resources: []string{"secrets"}},
	mutateRequests:               {verbs: []string{"create", "update", "patch"}, group: admissionGroup, resources: []string{"mutatingwebhookconfigurations"}, cluster: true},
	createMutations:              {verbs: []string{"create", "update", "patch"}, group: admissionGroup, resources: []string{"mutatingadmissionpolicies"}, cluster: true},
	bindMutations:                {verbs: []string{"create", "update", "patch"}, group: admissionGroup, resources: []string{"mutatingadmissionpolicybindings"}, cluster: true},
	createVolumes:                {verbs: []string{"create"}, resources: []string{"persistentvolumes"}, cluster: true},
	createClaims:                 {verbs: []string{"create"}, resources: []string{"persistentvolumeclaims"}},
	updateNamespaces:             {verbs: []string{"update", "patch"}, resources: []string{"namespaces"}},
	validateRequests:             {verbs: []string{"create", "update", "patch"}, group: admissionGroup, resources: []string{"validatingwebhookconfigurations"}, cluster: true},
	convertObjects:               {verbs: []string{"update", "patch"}, group: "apiextensions.k8s.io", resources: []string{"customresourcedefinitions"}, cluster: true},
	everything:                   {verbs: []string{"*"}, group: "*", resources: []string{"*"}},
	boundToRole:                  {},
	writesCustom:                 {},
}

// templates are the kinds beside pods that make pods of a template.
var templates = []rightInfo{
	{verbs: []string{"create"}, group: "apps", resources: []string{"deployments", "daemonsets", "statefulsets", "replicasets"}},
	{verbs: []string{"create"}, group: "batch", resources: []string{"jobs", "cronjobs"}},
	{verbs: []string{"create"}, resources: []string{"replicationcontrollers"}},
}

// updated names the controllers whose template an update changes. That of a Job
// never changes.
var updated = map[right]string{
	updateDeployments: "Deployment", updateDaemonSets: "DaemonSet", updateStatefulSets: "StatefulSet",
	updateReplicaSets: "ReplicaSet", updateReplicationControllers: "ReplicationController", updateCronJobs: "CronJob",
}

// namelessRights are those that a rule with names does not give, beside those
// whose requests have none.
var namelessRights = set(everything)

// clusterRights are on what stands in no namespace: a RoleBinding gives none.
var clusterRights = func() rights {
	var out rights
	for i, r := range rightTable {
		if r.cluster {
			out |= 1 << i
		}
	}
	return out
}()

// A queried is one way in which a right may be written.
type queried struct {
	right right
	query Query
	rule  []rbacv1.PolicyRule
}

// rightQueries are all queries whose answer yes gives a right.
var rightQueries = func() []queried {
	var out []queried
	add := func(t right, info rightInfo) {
		for _, resource := range info.resources {
			for _, verb := range info.verbs {
				q := query(verb, info.group, resource)
				out = append(out, queried{t, q, []rbacv1.PolicyRule{q.rule()}})
			}
		}
	}
	for t, info := range rightTable {
		add(right(t), info)
	}
	for _, info := range templates {
		add(createTemplates, info)
	}
	return out
}()

// judge finds out which rights of the table the shape gives: on any name, and
// beside names where requests have one.
func (s *shape) judge() {
	for i := range rightQueries {
		q := &rightQueries[i]
		named := !q.query.nameless()
		if (s.gives&q.right.set() == 0 || named && s.named&q.right.set() == 0) && s.mayName(q.query) && s.covers(q.rule) {
			if s.gives&q.right.set() == 0 {
				s.gives |= q.right.set()
				s.how[q.right] = uint8(i)
			}
			if named {
				s.named |= q.right.set()
				s.howNamed[q.right] = uint8(i)
			}
		}
	}
}

// mayName reports in little time whether the shape may be about the group of
// the query: most are not.
func (s *shape) mayName(q Query) bool {
	return slices.Contains(s.rule.APIGroups, q.Group) || slices.Contains(s.rule.APIGroups, rbacv1.APIGroupAll)
}

// wording returns the query by which the shape gives a right, on some names or
// on any.
func (s *shape) wording(t right, named bool) Query {
	if named {
		return rightQueries[s.howNamed[t]].query
	}
	return rightQueries[s.how[t]].query
}
