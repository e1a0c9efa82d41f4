package tenancy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/control"
)

var rbacEscalation = &control.Control{
	ID:        "rbac-escalation",
	Title:     "Nobody outside the platform can give themselves more rights",
	Severity:  control.High,
	Refs:      []control.Ref{control.CISEKS("4.1.8"), control.Project("kubernetes-rbac-good-practices")},
	Serves:    []string{"S28", "S30"},
	Since:     "0.1.0",
	Admission: rbacEscalationAdmission,
	Check:     bindings(judgeEscalation, append(slices.Clone(bindingKinds), chainKinds...)...),
}

const rbacGroup = "rbac.authorization.k8s.io"

// An escalation is a right with which a subject becomes more than it is.
type escalation struct {
	verbs     []string // any of them
	group     string
	resources []string // any of them
	part      string   // where the rule says it
	what      string   // what the subject can do with it
	// named says what a limit to some names leaves: nil if nothing changes.
	named func(names []string) named
}

// A named is what an escalation is worth that is limited to some names.
type named int

const (
	asBad   named = iota // as without the limit
	unclear              // it depends on what they can do
	harmless
)

func dependsOnThem([]string) named { return unclear }

// onlyView tells of bind: whoever may bind view alone gains nothing, whoever
// may bind cluster-admin everything.
func onlyView(names []string) named {
	switch {
	case slices.Contains(names, clusterAdmin):
		return asBad
	case !slices.ContainsFunc(names, func(n string) bool { return n != "view" }):
		return harmless
	}
	return unclear
}

var escalations = []escalation{
	{[]string{"escalate"}, rbacGroup, []string{"roles", "clusterroles"}, "verbs", "can write any right into a role", nil},
	{[]string{"bind"}, rbacGroup, []string{"roles", "clusterroles"}, "verbs", "can bind any role, cluster-admin too", onlyView},
	{[]string{"impersonate"}, "", []string{"users", "groups", "serviceaccounts"}, "verbs", "can act as somebody else", dependsOnThem},
	{[]string{"impersonate"}, "authentication.k8s.io", []string{"uids", "userextras/scopes"}, "verbs", "can act as somebody else", dependsOnThem},
	{[]string{"get", "create"}, "", []string{"nodes/proxy"}, "resources", "can run commands in every pod of a node, past the API server's log", nil},
	{[]string{"create"}, "", []string{"serviceaccounts/token"}, "resources", "can make tokens of service accounts", dependsOnThem},
}

func judgeEscalation(s *control.Subject, b *binding) {
	holder, ok := b.outsider(s)
	if !ok || b.roleless(s) {
		return
	}
	// Within one namespace Kubernetes' own admin and edit may become its service
	// accounts, as everybody may who makes pods there.
	if b.role.builtin && b.namespace != "" {
		b.judgeAdmins(s)
		return
	}
	told, doubts := false, []string(nil)
	for _, r := range b.role.rules {
		// What "all" includes is rbac-wildcards' to say.
		if r.wildcard() {
			continue
		}
		for _, e := range escalations {
			if !e.within(r) {
				continue
			}
			worth := asBad
			if len(r.ResourceNames) > 0 && e.named != nil {
				worth = e.named(r.ResourceNames)
			}
			switch worth {
			case asBad:
				told = true
				s.FailAt(b.at(r, e.part), "%s %s in %s: %s", holder, e.what, b.scope(), b.name())
			case unclear:
				doubts = append(doubts, e.doubt(s, holder, r.ResourceNames))
			}
			break
		}
	}
	if told || b.judgeAdmins(s) {
		return
	}
	for _, doubt := range doubts {
		if doubt != "" {
			s.Unknownf("%s", doubt)
		}
	}
}

// doubt says what is not known of an escalation that is limited to some names,
// "" if it is harmless: whom they name is followed, and is nobody strong.
func (e *escalation) doubt(s *control.Subject, holder string, names []string) string {
	switch {
	case slices.Contains(e.verbs, "bind"):
		return fmt.Sprintf("%s can bind %s, and whether that is more than it has is not judged", holder, strings.Join(names, ", "))
	case e.group == "authentication.k8s.io":
		return fmt.Sprintf("%s %s, but only as %s, and what that gives is not known", holder, e.what, strings.Join(names, ", "))
	}
	if unread := chainsOf(s.Graph()).graph.Unread(); len(unread) > 0 {
		return fmt.Sprintf("%s %s, but only by the names %s, and what those can do is not known: %s", holder, e.what, strings.Join(names, ", "), unread[0])
	}
	return ""
}

// judgeAdmins fails whoever becomes cluster admin by steps that begin with the
// binding. It reports whether somebody does.
func (b *binding) judgeAdmins(s *control.Subject) bool {
	found := false
	for i, who := range b.subjects {
		if platformSubject(s.Config(), b.namespace, who) {
			continue
		}
		h, ok := b.toAdmin(s, who)
		switch {
		case !ok:
		case h.Certain == access.Yes:
			s.Failf(b.field(i), "%s can become cluster admin: it %s", subjectName(b.namespace, who), h.Chain.Sentence())
			found = true
		}
	}
	return found
}

func (e *escalation) within(r rule) bool {
	return slices.ContainsFunc(e.verbs, func(verb string) bool {
		return slices.ContainsFunc(e.resources, func(resource string) bool { return r.covers(verb, e.group, resource) })
	})
}
