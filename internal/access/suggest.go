package access

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A Call is how often a principal called one action, as far as logs show it.
type Call struct {
	Action string // "ec2:DescribeInstances"
	Count  int
	Last   time.Time
	Event  string // the ID of the last one
}

// A Usage is what a principal did.
type Usage struct {
	// Calls are by action in lower case; Data are the services of which data
	// events were seen. From and To are the first and last event of the logs,
	// whoever's; both are zero without logs.
	Calls    map[string]*Call
	Data     map[string]bool
	From, To time.Time
	// Accessed is when services were last used, as IAM tells of those that are
	// granted: the zero time for never since Since. It is nil where that was not
	// read.
	Accessed map[string]time.Time
	Unknown  map[string]bool // granted services of which it does not tell
	Since    time.Time
}

// Logs reports whether logs were read.
func (u *Usage) Logs() bool { return !u.To.IsZero() }

// Saw notes a call that AWS let through.
func (u *Usage) Saw(service, name, event string, at time.Time, data bool) {
	if u.Calls == nil {
		u.Calls, u.Data = map[string]*Call{}, map[string]bool{}
	}
	if prefix, ok := sources[service]; ok {
		service = prefix
	}
	if data {
		u.Data[service] = true
	}
	action := service + ":" + name
	c := u.Calls[strings.ToLower(action)]
	if c == nil {
		c = &Call{Action: action}
		u.Calls[strings.ToLower(action)] = c
	}
	c.Count++
	if !at.Before(c.Last) {
		c.Last, c.Event = at, event
	}
}

// sources are the services whose events are called after something else than
// their actions, as far as that was looked up, on 2026-11-26, in
// https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-monitoring.html
var sources = map[string]string{"monitoring": "cloudwatch"}

// coarse are services whose calls do not tell which of their actions was used,
// and why. Looked up on 2026-11-26: the permissions of S3's and Lambda's API
// references, and
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DataResource.html
// for those whose data events a trail has only where somebody asked.
var coarse = map[string]string{
	"s3":       "calls of S3 are not called as its rights are, and those on objects are data events",
	"lambda":   "calls of Lambda are not called as its rights are, and those of functions are data events",
	"dynamodb": "calls on tables are data events, of which the logs have none",
}

// silent are rights that no call shows, since they are asked for within others:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
// (looked up 2026-11-26).
var silent = []string{"iam:PassRole"}

// A Suggestion is what would be left of a principal's policies if it kept what
// it uses.
type Suggestion struct {
	Policies []Reduction `json:"policies"`        // those of its own
	Notes    []string    `json:"notes,omitempty"` // what to know before they are used, and what could not be read
}

// A Reduction is one policy before and after, as JSON text or, of a role of
// Kubernetes, as YAML.
type Reduction struct {
	Name    string   `json:"name"`    // in words: "the inline policy work"
	Before  string   `json:"before"`  // as it is
	After   string   `json:"after"`   // as it would be; "" where nothing is left to allow
	Kept    []Reason `json:"kept"`    // what stays, and why
	Dropped []Reason `json:"dropped"` // what goes, and why
}

// A Reason is why something stays or goes.
type Reason struct {
	What string `json:"what"` // an action, or the verb and resource of a request
	Why  string `json:"why"`  // in words
}

// Suggest reduces the policies of a principal to what it used. An Allow keeps
// the actions that logs show; where they are blind or were not read, it keeps
// those of services that were used at all. Resources, conditions and denials
// stay as they are. Policies of groups are not touched: others have them too.
func Suggest(p *Principal, u *Usage) *Suggestion {
	s := &Suggestion{Policies: []Reduction{}}
	for _, policy := range p.Policies {
		switch {
		case policy.Via != "":
			s.Notes = append(s.Notes, "the members of group "+policy.Via+" share "+policy.Name+"; it is left as it is")
		case policy.Document == nil:
			s.Notes = append(s.Notes, policy.Why)
		default:
			s.Policies = append(s.Policies, u.reduce(policy))
		}
	}
	for _, gap := range p.Gaps {
		if !slices.Contains(s.Notes, gap) {
			s.Notes = append(s.Notes, gap)
		}
	}
	if u.Logs() && u.Accessed == nil && slices.ContainsFunc(p.Policies, func(policy *Policy) bool { return policy.Via == "" && policy.everywhere() }) {
		s.Notes = append(s.Notes, "of what is granted for every service, those of which no call was seen are gone, although the logs need not show them: "+strings.Join(slices.Sorted(maps.Keys(coarse)), ", "))
	}
	if u.Logs() {
		s.Notes = append(s.Notes, "a call that AWS allows by an action of another name is kept under its own name: try the policy before you use it")
	}
	return s
}

// everywhere reports whether the policy allows something of every service.
func (p *Policy) everywhere() bool {
	return p.Document != nil && slices.ContainsFunc(p.Document.Statements, func(s Statement) bool {
		return !s.Deny && (s.NotActions != nil || slices.ContainsFunc(s.Actions, func(a string) bool { return strings.HasPrefix(a, "*") }))
	})
}

func (u *Usage) reduce(policy *Policy) Reduction {
	r := Reduction{Name: policy.String(), Before: policy.Document.text(), Kept: []Reason{}, Dropped: []Reason{}}
	after := &Document{Version: policy.Document.Version}
	for i := range policy.Document.Statements {
		s := policy.Document.Statements[i]
		if s.Deny {
			after.Statements = append(after.Statements, s)
			continue
		}
		if kept := u.actions(&s, &r); len(kept) > 0 {
			s.Actions, s.NotActions = kept, nil
			after.Statements = append(after.Statements, s)
		}
	}
	if slices.ContainsFunc(after.Statements, func(s Statement) bool { return !s.Deny }) || len(after.Statements) > 0 {
		r.After = after.text()
	}
	r.Kept, r.Dropped = unique(r.Kept), unique(r.Dropped)
	return r
}

func unique(list []Reason) []Reason {
	slices.SortFunc(list, func(a, b Reason) int { return strings.Compare(a.What+"\x00"+a.Why, b.What+"\x00"+b.Why) })
	return slices.Compact(list)
}

// services returns the services that are known of, in order.
func (u *Usage) services() []string {
	set := map[string]bool{}
	for s := range u.Accessed {
		set[s] = true
	}
	for s := range u.Unknown {
		set[s] = true
	}
	for _, c := range u.Calls {
		service, _, _ := strings.Cut(c.Action, ":")
		set[service] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// actions returns what is left of the actions that a statement allows.
func (u *Usage) actions(s *Statement, r *Reduction) []string {
	var kept []string
	keep := func(action, why string) {
		if !slices.Contains(kept, action) {
			kept = append(kept, action)
		}
		r.Kept = append(r.Kept, Reason{action, why})
	}
	patterns := s.Actions
	if s.NotActions != nil {
		patterns = []string{"*"}
	}
	for _, pattern := range patterns {
		service, name, _ := strings.Cut(pattern, ":")
		if pattern == "*" {
			service, name = "*", "*"
		}
		services := []string{strings.ToLower(service)}
		if strings.ContainsAny(service, "*?") {
			services = slices.DeleteFunc(u.services(), func(s string) bool { return !Match(strings.ToLower(service), s) })
			r.Dropped = append(r.Dropped, Reason{pattern, "what is used of it is named instead"})
		}
		for _, one := range services {
			narrowed := one + ":" + name
			if s.NotActions != nil && slices.ContainsFunc(s.NotActions, func(n string) bool { return MatchAction(n, narrowed) }) {
				continue
			}
			used, why := u.of(one)
			if last, told := u.Accessed[one]; u.Logs() && !(told && last.IsZero()) {
				for _, action := range silent {
					if MatchAction(narrowed, action) && why == "" {
						keep(action, "no call shows whether it is used: it is asked for within others")
					}
				}
			}
			switch {
			case slices.Contains(silent, narrowed) && slices.Contains(kept, narrowed):
			case used == nil && why == "":
				r.Dropped = append(r.Dropped, Reason{narrowed, u.silence(one)})
			case used == nil:
				keep(narrowed, why)
			default:
				found := false
				for _, c := range used {
					if !MatchAction(narrowed, c.Action) || s.NotActions != nil && slices.ContainsFunc(s.NotActions, func(n string) bool { return MatchAction(n, c.Action) }) {
						continue
					}
					found = true
					keep(c.Action, fmt.Sprintf("%s, last on %s (event %s)", times(c.Count), c.Last.UTC().Format(time.DateOnly), c.Event))
				}
				if !found {
					r.Dropped = append(r.Dropped, Reason{narrowed, u.silence(one)})
				} else if strings.ContainsAny(name, "*?") && !strings.ContainsAny(service, "*?") {
					r.Dropped = append(r.Dropped, Reason{narrowed, "what is used of it is named instead"})
				}
			}
		}
	}
	return kept
}

func times(n int) string {
	if n == 1 {
		return "called once"
	}
	return fmt.Sprintf("called %d times", n)
}

// of returns the calls of a service where logs tell them apart; else why all
// that is granted of it stays, "" if nothing does.
func (u *Usage) of(service string) (calls []*Call, why string) {
	for _, key := range slices.Sorted(maps.Keys(u.Calls)) {
		if strings.HasPrefix(key, service+":") {
			calls = append(calls, u.Calls[key])
		}
	}
	last, told := u.Accessed[service]
	blind, isCoarse := coarse[service]
	if service == "dynamodb" && u.Data[service] {
		isCoarse = false
	}
	switch {
	case len(calls) > 0 && !isCoarse:
		return calls, ""
	case len(calls) > 0:
		return nil, fmt.Sprintf("%s was called, last on %s; %s", service, newest(calls).UTC().Format(time.DateOnly), blind)
	case told && !last.IsZero():
		why = "IAM saw the service last on " + last.UTC().Format(time.DateOnly)
		if u.Logs() {
			why += ", though the logs show no call of it"
		}
		return nil, why
	case told:
		return nil, ""
	case u.Unknown[service]:
		return nil, "when the service was last used is not known"
	case !u.Logs():
		return nil, "IAM does not tell when the service was last used"
	case isCoarse:
		return nil, blind
	}
	return nil, ""
}

func newest(calls []*Call) time.Time {
	var out time.Time
	for _, c := range calls {
		if c.Last.After(out) {
			out = c.Last
		}
	}
	return out
}

// silence says why something of a service goes.
func (u *Usage) silence(service string) string {
	var why []string
	if last, told := u.Accessed[service]; told && last.IsZero() {
		text := "IAM saw no use of the service"
		if !u.Since.IsZero() {
			text += " since " + u.Since.UTC().Format(time.DateOnly)
		}
		why = append(why, text)
	}
	if u.Logs() {
		why = append(why, fmt.Sprintf("no call in the logs from %s to %s", u.From.UTC().Format(time.DateOnly), u.To.UTC().Format(time.DateOnly)))
	}
	return strings.Join(why, "; ")
}

// text returns the policy as people write one.
func (d *Document) text() string {
	type object = map[string]any
	one := func(list []string) any {
		if len(list) == 1 {
			return list[0]
		}
		return list
	}
	var b strings.Builder
	b.WriteString("{\n")
	if d.Version != "" {
		fmt.Fprintf(&b, "  \"Version\": %s,\n", quote(d.Version))
	}
	b.WriteString("  \"Statement\": [\n")
	for i := range d.Statements {
		s := &d.Statements[i]
		var fields []string
		add := func(key string, value any) {
			fields = append(fields, fmt.Sprintf("      %s: %s", quote(key), indent(value)))
		}
		if s.Sid != "" {
			add("Sid", s.Sid)
		}
		effect := "Allow"
		if s.Deny {
			effect = "Deny"
		}
		add("Effect", effect)
		for _, element := range []struct {
			key  string
			list []string
		}{{"Action", s.Actions}, {"NotAction", s.NotActions}, {"Resource", s.Resources}, {"NotResource", s.NotResources}} {
			if element.list != nil {
				add(element.key, one(element.list))
			}
		}
		if len(s.Conditions) > 0 {
			conditions := object{}
			for _, c := range s.Conditions {
				keys, ok := conditions[c.Operator].(object)
				if !ok {
					keys = object{}
					conditions[c.Operator] = keys
				}
				keys[c.Key] = one(c.Values)
			}
			add("Condition", conditions)
		}
		b.WriteString("    {\n" + strings.Join(fields, ",\n") + "\n    }")
		if i < len(d.Statements)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString("  ]\n}\n")
	return b.String()
}

func quote(s string) string { return indent(s) }

// indent returns a value as JSON within a statement, without the escapes for
// HTML that nobody needs.
func indent(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("      ", "  ")
	_ = enc.Encode(v) //nolint:errchkjson // strings, lists and maps of them cannot fail
	return strings.TrimSuffix(b.String(), "\n")
}
