package edge

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// aclCheck returns a Check that judges the web ACL of every entry from the
// internet. An entry that has none is the business of alb-waf.
func aclCheck(judge func(*control.Subject, entry, *acl), helped ...estate.Kind) control.Check {
	return control.Traced(entries, func(e entry) trace.Place { return e.place },
		func(s *control.Subject, e entry) {
			if a := protecting(s, e); a != nil {
				judge(s, e, a)
			}
		},
		estate.LoadBalancers.Kind, estate.Distributions.Kind, estate.Ingresses.Kind, estate.Gateways.Kind).
		Helped(slices.Concat([]estate.Kind{
			estate.WebACLs.Kind, estate.RuleGroups.Kind, estate.WebACLAssociations.Kind,
			estate.IngressClasses.Kind, estate.IngressClassParameters.Kind,
			estate.GatewayClasses.Kind, estate.LoadBalancerConfigurations.Kind,
		}, helped)...)
}

// name returns what people call an entry.
func (e entry) name() string {
	if e.distribution != nil {
		return "distribution " + e.distribution.Id
	}
	return e.balancer.Name()
}

// behindCDN reports whether a distribution stands before the entry. Such a load
// balancer sees CloudFront's addresses: whatever judges by the address of a
// client belongs to the distribution.
func (e entry) behindCDN() bool { return e.balancer != nil && len(e.balancer.Distributions()) > 0 }

// An acl is a web ACL whose rules are known.
type acl struct {
	*estate.WebACL
	rules []estate.Rule
	steps []step
}

// A step is a rule in the order in which requests meet it; those of rule groups
// of one's own stand in place of the rule that runs the group.
type step struct {
	rule   estate.Rule
	action string // in effect; empty for a managed group
	at     trace.Place
	field  string // "action", "overrideAction": what decides the action at that place
	// group is the rule group of one's own that the step belongs to, nil for a
	// rule of the web ACL; unread is true where the group was not read.
	group  *estate.RuleGroup
	unread bool
}

func (st step) managed() *estate.ManagedRuleGroupStatement {
	return st.rule.Statement.ManagedRuleGroupStatement
}

func (st step) place(field string) trace.Place {
	p := st.at
	p.Field += "." + field
	return p
}

// counts reports whether a whole managed group only counts.
func (st step) counts() bool { return st.rule.OverrideAction == "Count" }

// stops reports whether an action keeps a program from its target. A browser
// passes a challenge, and a person a puzzle: most attacks are by neither.
func stops(action string) bool {
	return action == "Block" || action == "Captcha" || action == "Challenge"
}

// protecting returns the web ACL of an entry. Where there is none it says that
// the subject does not count, and where it is not known, why.
func protecting(s *control.Subject, e entry) *acl {
	var name estate.Optional[string]
	if e.distribution != nil {
		name = e.distribution.DistributionConfig.WebACLId
	} else {
		name = e.balancer.WebACL
	}
	key, known := name.Get()
	switch {
	case !known:
		s.Unknownf("the web ACL of %s is not known; read it live (--aws)", e.name())
		return nil
	case key == "":
		s.NotApplicable()
		return nil
	}
	w := findACL(s, key)
	if w == nil {
		s.Unknownf("web ACL %s of %s was not read; read it live (--aws)", estate.ShortName(aclName(key)), e.name())
		return nil
	}
	a := readACL(s, w)
	if a == nil {
		s.Unknownf("the rules of web ACL %s are not known; allow wafv2:GetWebACL", w.Name)
	}
	return a
}

// readACL returns a web ACL with its rules, nil where they are not known.
func readACL(s *control.Subject, w *estate.WebACL) *acl {
	if w == nil {
		return nil
	}
	rules, known := w.Rules.Get()
	// A statement has one member: none means that nobody read it.
	if !known || slices.ContainsFunc(rules, func(r estate.Rule) bool { return r.Statement == estate.Statement{} }) {
		return nil
	}
	a := &acl{WebACL: w, rules: rules}
	a.steps = expand(s, a)
	return a
}

// findACL finds a web ACL by ARN or, as an annotation may name it, by the name
// of a regional one.
func findACL(s *control.Subject, key string) *estate.WebACL {
	if w, ok := control.Find(s, estate.WebACLs, key); ok && (w.Arn == key || w.Scope != "CLOUDFRONT") {
		return w
	}
	for _, w := range control.All(s, estate.WebACLs) {
		if w.Name == key && w.Scope != "CLOUDFRONT" {
			return w
		}
	}
	return nil
}

// aclName returns the name in the ARN of a web ACL, which ends in its ID.
func aclName(key string) string {
	if _, path, ok := strings.Cut(key, ":regional/webacl/"); ok {
		key, _, _ = strings.Cut(path, "/")
	} else if _, path, ok := strings.Cut(key, ":global/webacl/"); ok {
		key, _, _ = strings.Cut(path, "/")
	}
	return key
}

// place returns the place of a field of the web ACL.
func (a *acl) place(field string) trace.Place {
	return trace.Place{Subject: estate.WebACLs.Ref(a.WebACL), Origin: &a.Origin, Field: field}
}

func expand(s *control.Subject, a *acl) []step {
	var out []step
	for i, r := range a.rules {
		field := "rules[" + strconv.Itoa(i) + "]"
		st := step{rule: r, action: r.Action, at: a.place(field), field: "action"}
		ref := r.Statement.RuleGroupReferenceStatement
		if ref == nil {
			out = append(out, st)
			continue
		}
		st.field = "overrideAction"
		group, ok := control.Find(s, estate.RuleGroups, ref.Arn)
		rules := []estate.Rule(nil)
		if ok {
			rules, ok = group.Rules.Get()
		}
		if !ok {
			st.unread = true
			out = append(out, st)
			continue
		}
		for j, inner := range rules {
			in := step{
				rule: inner, action: inner.Action, group: group, field: "action",
				at: trace.Place{Subject: estate.RuleGroups.Ref(group), Origin: &group.Origin, Field: "rules[" + strconv.Itoa(j) + "]"},
			}
			if o := override(inner.Name, ref.ExcludedRules, ref.RuleActionOverrides); o != "" {
				in.action, in.at, in.field = o, st.at, "statement.ruleGroupReferenceStatement"
			}
			if r.OverrideAction == "Count" {
				in.action, in.at, in.field = "Count", st.at, st.field
			}
			out = append(out, in)
		}
	}
	return out
}

// override returns the action that a reference to a group gives one of its
// rules, "" for the rule's own.
func override(rule string, excluded []string, overrides []estate.RuleActionOverride) string {
	for _, o := range overrides {
		if o.Name == rule {
			return o.ActionToUse
		}
	}
	if slices.Contains(excluded, rule) {
		return "Count"
	}
	return ""
}

// A span says which requests a statement matches: the more the greater.
type span int

const (
	none span = iota - 1
	some      // some, or nobody knows which
	most      // all but some that nobody needs to send: what is not from one country
	all
)

// spanOf says which requests a statement matches.
func spanOf(s *control.Subject, st estate.Statement) span {
	switch {
	case st.ByteMatchStatement != nil && st.ByteMatchStatement.MatchesAll:
		return all
	case st.IPSetReferenceStatement != nil:
		nets, known := networks(s, st)
		return spanOfNetworks(nets, known)
	case st.OrStatement != nil && len(st.OrStatement.Statements) > 0:
		// Halves of the internet may stand in two sets.
		if nets, known := networks(s, st); known {
			return spanOfNetworks(nets, true)
		}
		out := none
		for _, x := range st.OrStatement.Statements {
			out = max(out, spanOf(s, x))
		}
		return out
	case st.AndStatement != nil && len(st.AndStatement.Statements) > 0:
		out := all
		for _, x := range st.AndStatement.Statements {
			out = min(out, spanOf(s, x))
		}
		return out
	case st.NotStatement != nil:
		return spanOfNot(s, st.NotStatement.Statement)
	}
	return some
}

func spanOfNot(s *control.Subject, inner estate.Statement) span {
	switch spanOf(s, inner) {
	case none:
		return all
	case all:
		return none
	case most:
		return some
	}
	// What is known to be a part leaves the rest.
	_, listed := networks(s, inner)
	if listed || inner.GeoMatchStatement != nil || inner.ByteMatchStatement != nil {
		return most
	}
	return some
}

// networks returns the networks of an IP set, or of alternatives that are all
// IP sets; known is false for any other statement and for sets not read.
func networks(s *control.Subject, st estate.Statement) (nets []netip.Prefix, known bool) {
	if or := st.OrStatement; or != nil {
		for _, x := range or.Statements {
			n, ok := networks(s, x)
			if !ok {
				return nil, false
			}
			nets = append(nets, n...)
		}
		return nets, len(or.Statements) > 0
	}
	ref := st.IPSetReferenceStatement
	if ref == nil {
		return nil, false
	}
	set, ok := control.Find(s, estate.IPSets, ref.Arn)
	if !ok {
		return nil, false
	}
	addresses, ok := set.Addresses.Get()
	if !ok {
		return nil, false
	}
	for _, a := range addresses {
		p, ok := parseNetwork(a)
		if !ok {
			return nil, false // nobody knows what WAF makes of it
		}
		nets = append(nets, p)
	}
	return nets, true
}

// unreadSet returns an IP set that a statement asks and nobody read, "" if
// there is none.
func unreadSet(s *control.Subject, st estate.Statement) string {
	if ref := st.IPSetReferenceStatement; ref != nil {
		if _, known := networks(s, st); !known {
			return ref.Arn
		}
		return ""
	}
	var parts []estate.Statement
	switch {
	case st.AndStatement != nil:
		parts = st.AndStatement.Statements
	case st.OrStatement != nil:
		parts = st.OrStatement.Statements
	case st.NotStatement != nil:
		parts = []estate.Statement{st.NotStatement.Statement}
	}
	for _, p := range parts {
		if set := unreadSet(s, p); set != "" {
			return set
		}
	}
	return ""
}

func parseNetwork(s string) (netip.Prefix, bool) {
	s = strings.TrimSpace(s)
	if !strings.Contains(s, "/") {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, false
		}
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err == nil
}

// spanOfNetworks says which clients come from networks. Every address of one
// IP version is "all": an attacker chooses the version.
func spanOfNetworks(nets []netip.Prefix, known bool) span {
	switch {
	case !known:
		return some
	case len(nets) == 0:
		return none
	case everyAddress(nets, 32), everyAddress(nets, 128):
		return all
	}
	return some
}

// everyAddress reports whether nets of one IP version together hold every
// address of it, however they are cut.
func everyAddress(nets []netip.Prefix, bits int) bool {
	var of []netip.Prefix
	for _, p := range nets {
		if p.Addr().BitLen() == bits {
			of = append(of, p)
		}
	}
	slices.SortFunc(of, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	// next is the first address that none of them holds so far.
	next := netip.IPv4Unspecified()
	if bits == 128 {
		next = netip.IPv6Unspecified()
	}
	for _, p := range of {
		if next.Less(p.Addr()) {
			return false
		}
		if last := lastAddress(p); !last.Less(next) {
			if next = last.Next(); !next.IsValid() {
				return true
			}
		}
	}
	return false
}

func lastAddress(p netip.Prefix) netip.Addr {
	raw := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(raw)*8; i++ {
		raw[i/8] |= 1 << (7 - i%8)
	}
	last, _ := netip.AddrFromSlice(raw)
	return last
}

// within reports whether a network lies in one of nets.
func within(p netip.Prefix, nets []netip.Prefix) bool {
	return slices.ContainsFunc(nets, func(n netip.Prefix) bool {
		return n.Addr().BitLen() == p.Addr().BitLen() && n.Bits() <= p.Bits() && n.Contains(p.Addr())
	})
}

// confined reports whether the web ACL lets in only requests that part
// recognises: either a rule blocks everything else, or everything is blocked
// by default and only such requests are allowed. part is asked for single
// statements, of the rules that decide only.
func (a *acl) confined(part func(estate.Statement) bool) bool {
	for _, st := range a.steps {
		switch {
		case st.action == "Block" && outside(st.rule.Statement, part):
			return true
		case st.unread && !st.counts():
			return false // it may allow anybody
		case st.action == "Allow" && !inside(st.rule.Statement, part):
			return false
		case st.managed() != nil && allows(st.managed()):
			return false
		}
	}
	return a.DefaultAction.Or("") == "Block"
}

// unread reports whether what a rule group does is not known.
func (a *acl) unread() bool {
	return slices.ContainsFunc(a.steps, func(st step) bool { return st.unread && !st.counts() })
}

// inside reports whether a statement matches only requests that part
// recognises.
func inside(st estate.Statement, part func(estate.Statement) bool) bool {
	in := func(x estate.Statement) bool { return inside(x, part) }
	switch {
	case st.AndStatement != nil:
		return slices.ContainsFunc(st.AndStatement.Statements, in)
	case st.OrStatement != nil:
		return len(st.OrStatement.Statements) > 0 && !slices.ContainsFunc(st.OrStatement.Statements, func(x estate.Statement) bool { return !in(x) })
	case st.NotStatement != nil:
		return false
	}
	return part(st)
}

// outside reports whether a statement matches every request that part does not
// recognise.
func outside(st estate.Statement, part func(estate.Statement) bool) bool {
	out := func(x estate.Statement) bool { return outside(x, part) }
	switch {
	case st.NotStatement != nil:
		return inside(st.NotStatement.Statement, part)
	case st.OrStatement != nil:
		return slices.ContainsFunc(st.OrStatement.Statements, out)
	case st.AndStatement != nil:
		return len(st.AndStatement.Statements) > 0 && !slices.ContainsFunc(st.AndStatement.Statements, func(x estate.Statement) bool { return !out(x) })
	}
	return false
}

// allows reports whether a managed group was told to let requests in.
func allows(m *estate.ManagedRuleGroupStatement) bool {
	return slices.ContainsFunc(m.RuleActionOverrides, func(o estate.RuleActionOverride) bool { return o.ActionToUse == "Allow" })
}

// openGate returns the first step that lets in whoever asks: what stands after
// it sees no request.
func (a *acl) openGate(s *control.Subject) (int, bool) {
	for i, st := range a.steps {
		if st.action == "Allow" {
			if sp := spanOf(s, st.rule.Statement); sp == most || sp == all {
				return i, true
			}
		}
	}
	return len(a.steps), false
}
