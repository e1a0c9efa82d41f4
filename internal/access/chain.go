package access

import (
	"fmt"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

// A Grant is one statement that gives a right: a rule of a role and the binding
// that gives it, an access entry, a line of aws-auth, a statement of a policy.
type Grant struct {
	Subject estate.Ref     // where it is written
	Origin  *estate.Origin // nil where it is not written in the estate: a rule of AWS or Kubernetes itself
	Field   string         // "rules[2]", "roleRef", "policies[0].policyDocument"
	Says    string         // "Role deployer allows create deployments"
}

// An IdentityKind says what kind of identity somebody has.
type IdentityKind string

const (
	KubernetesUser  IdentityKind = "User"           // of a cluster
	KubernetesGroup IdentityKind = "Group"          // of a cluster
	ServiceAccount  IdentityKind = "ServiceAccount" // of a cluster
	NodeIdentity    IdentityKind = "Node"           // the kubelet and whatever runs beside it
	IAMUser         IdentityKind = "IAMUser"        // of an account
	IAMRole         IdentityKind = "IAMRole"        // of an account
	AWSAccount      IdentityKind = "Account"        // any principal of an account
	Anybody         IdentityKind = "Anybody"        // without a sign-in
)

// An Identity is somebody who can do something: a user or group of Kubernetes,
// a service account, a node, a principal of AWS.
type Identity struct {
	Kind      IdentityKind `json:"kind"`                // what it is
	Cluster   string       `json:"cluster,omitempty"`   // name of the cluster; "" where the estate has one or for AWS
	Namespace string       `json:"namespace,omitempty"` // of a service account
	Name      string       `json:"name"`                // "alice", "system:masters", "deployer", an ARN in AWS
}

// String returns "system:serviceaccount:prod:deployer", "group dev-team",
// an ARN.
func (i Identity) String() string {
	switch i.Kind {
	case ServiceAccount:
		return "system:serviceaccount:" + i.Namespace + ":" + i.Name
	case IAMUser, IAMRole, Anybody:
		return i.Name
	}
	return strings.ToLower(string(i.Kind)) + " " + i.Name
}

// A Step is how one identity becomes another or gains what the other has. The
// rights of To are then From's too.
type Step struct {
	From, To  Identity
	Technique string  // "assume-role", "access-entry", "create-workload", "impersonate" …: an entry of the table of techniques
	How       string  // one phrase: "creates a pod that runs as prod/deployer"
	Grants    []Grant // all of them are needed
	// Certain is Yes, or Unclear where a condition or something unread decides.
	Certain Answer
	// Unread are the policies of AWS, by ARN, that decide and were named and not
	// read, where nothing but them makes the step unclear.
	Unread []string
}

// String returns "alice → system:serviceaccount:prod:deployer: creates a pod …".
func (s Step) String() string { return fmt.Sprintf("%s → %s: %s", s.From, s.To, s.How) }

// A Chain is the steps from somebody to a right, in order; none where the right
// is its own.
type Chain struct {
	Steps []Step
	// Grants give the right itself to whom the last step leads to.
	Grants []Grant
}

// Certain is Yes where every step is.
func (c Chain) Certain() Answer {
	out := Yes
	for _, s := range c.Steps {
		out = both(out, s.Certain)
	}
	return out
}
