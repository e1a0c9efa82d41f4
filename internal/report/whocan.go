package report

import (
	"bufio"
	"cmp"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/estate"
)

// WhoCanVersion names the shape of the JSON that answers who can; docs/reference
// holds its JSON Schema.
const WhoCanVersion = "eksafe.dev/who-can/v1"

// A WhoCan is the answer to who can do something, or to what somebody can do.
type WhoCan struct {
	GeneratedAt time.Time
	ToolVersion string
	Args        []string // of the command line, after who-can

	Question string        // "get secrets in prod", "become cluster admin"
	Query    *access.Query // nil of a Standing
	Holders  []access.Holder
	Accounts []access.Holder  // who becomes administrator of an account of AWS; nil where that was not asked
	Standing *access.Standing // of one principal

	Suggestion *access.Suggestion // of the policies of Of, for WriteJSON alone; nil unless it was asked for
	Of         access.Identity

	Unread  []string // what may hide others
	Assumed []string // what may take some away
	Team    func(access.Identity) string
}

// What one screen can hold of an answer.
const (
	maxHolders = 25 // of one kind: direct, by escalation, unclear
	maxAllows  = 12 // rules of one namespace
	maxBecomes = 25
	maxListed  = 6 // names on one line
)

// parts are the questions that were answered, one at a time.
func (a *WhoCan) parts() []*WhoCan {
	if a.Accounts == nil {
		return []*WhoCan{a}
	}
	accounts := *a
	accounts.Question, accounts.Holders = "become administrator of an account", a.Accounts
	return []*WhoCan{a, &accounts}
}

// count returns how many hold it directly, by escalation, unclearly, and if
// policies allow it that were not read.
func (a *WhoCan) count() (direct, escalation, unclear, unread int) {
	for _, h := range a.Holders {
		switch {
		case len(h.Unread) > 0:
			unread++
		case h.Certain != access.Yes:
			unclear++
		case h.Direct():
			direct++
		default:
			escalation++
		}
	}
	return direct, escalation, unclear, unread
}

// headline says the answer in one line.
func (a *WhoCan) headline() string {
	direct, escalation, unclear, unread := a.count()
	var parts []string
	for _, p := range []struct {
		n    int
		word string
	}{{direct, "directly"}, {escalation, "by escalation"}, {unclear, "perhaps"}, {unread, "not known"}} {
		if p.n > 0 {
			parts = append(parts, thousands(p.n)+" "+p.word)
		}
	}
	switch {
	case len(parts) > 0:
		return strings.Join(parts, ", ")
	case len(a.Unread) > 0:
		return "nobody that could be read"
	}
	return "nobody"
}

// WriteText writes the answer for people: who can, each with the steps, where
// each step is written, and what could not be read.
func (a *WhoCan) WriteText(w io.Writer, opt Options) error {
	buf := bufio.NewWriterSize(w, 1<<16)
	if opt.Width == 0 {
		opt.Width = 80
	}
	t := &whoCanText{&painter{w: buf, opt: opt, width: min(max(opt.Width, narrowest), widest)}, a}
	if a.Standing != nil {
		t.standing(a.Standing)
	} else {
		for i, part := range a.parts() {
			if i > 0 {
				t.blank()
			}
			(&whoCanText{t.painter, part}).holders()
		}
	}
	t.unread()
	t.assumed()
	return buf.Flush()
}

type whoCanText struct {
	*painter
	answer *WhoCan
}

func (t *whoCanText) holders() {
	t.row([]span{{t.safe(t.answer.Question) + ": ", bold}}, []span{{"  ", regular}}, t.answer.headline(), regular, nil)
	sections := []struct {
		title string
		has   func(access.Holder) bool
	}{
		{"Directly", func(h access.Holder) bool { return h.Certain == access.Yes && h.Direct() }},
		{"By escalation", func(h access.Holder) bool { return h.Certain == access.Yes && !h.Direct() }},
		{"Perhaps", func(h access.Holder) bool { return h.Certain != access.Yes && len(h.Unread) == 0 }},
	}
	for _, s := range sections {
		var list []access.Holder
		for _, h := range t.answer.Holders {
			if s.has(h) {
				list = append(list, h)
			}
		}
		if len(list) == 0 {
			continue
		}
		t.blank()
		t.line(span{s.title, bold})
		folded := fold(list)
		for _, f := range folded[:min(len(folded), maxHolders)] {
			t.holder(f)
		}
		if n := len(folded) - maxHolders; n > 0 {
			t.line(span{"  and " + thousands(n) + " more: " + t.safe(t.answer.command("-o", "json")), dim})
		}
	}
	if u := t.answer.undecided(); u != nil {
		t.blank()
		t.line(span{"Not known", bold})
		for i, who := range u.who {
			u.who[i] = t.safe(who)
		}
		t.items([]span{{"  ", regular}}, []span{{"  ", regular}}, u.who, bold)
		for i, text := range u.sentences() {
			t.row([]span{{"    ", regular}}, []span{{"      ", regular}}, t.safe(text), [...]style{yellow, dim}[i], nil)
		}
	}
}

// An undecided is those who hold it only if policies of AWS allow it that were
// named and not read. In templates that is every role that EKS needs, and whoever
// becomes one; a chain for each would hide those of whom more is known.
type undecided struct {
	who      []string
	policies []string
	command  string // that shows each with its chain
}

// undecided returns those of the answer, nil for none.
func (a *WhoCan) undecided() *undecided {
	u := undecided{command: a.command("-o", "json")}
	for _, f := range fold(slices.DeleteFunc(slices.Clone(a.Holders), func(h access.Holder) bool { return len(h.Unread) == 0 })) {
		u.who = append(u.who, f.Identity.Label())
		for _, arn := range f.Unread {
			u.policies = append(u.policies, estate.ShortName(arn))
		}
	}
	if len(u.who) == 0 {
		return nil
	}
	slices.Sort(u.policies)
	u.who, u.policies = listed(u.who), listed(slices.Compact(u.policies))
	return &u
}

// sentences say on what it depends, and what to do.
func (u *undecided) sentences() []string {
	return []string{
		"only if a policy of AWS allows it that is named and was not read: " + strings.Join(u.policies, ", "),
		"read them: add --aws; each chain: " + u.command,
	}
}

// A foldedHolder is a holder with those who have it through him alone: members
// of a group by nature.
type foldedHolder struct {
	access.Holder
	members []access.Identity
}

func fold(holders []access.Holder) []*foldedHolder {
	var out []*foldedHolder
	byIdentity := map[access.Identity]*foldedHolder{}
	for _, h := range holders {
		f := &foldedHolder{Holder: h}
		byIdentity[h.Identity] = f
	}
	for _, h := range holders {
		top := byIdentity[h.Identity]
		for group := byIdentity[top.Through]; group != nil; group = byIdentity[group.Through] {
			top = group
		}
		if top.Identity == h.Identity {
			out = append(out, top)
			continue
		}
		top.members = append(top.members, h.Identity)
	}
	return out
}

func (t *whoCanText) holder(f *foldedHolder) {
	var notes []string
	if team := t.answer.team(f.Identity); team != "" {
		notes = append(notes, "team "+team)
	}
	if len(f.Only) > 0 {
		notes = append(notes, "only "+strings.Join(listed(f.Only), ", "))
	}
	if n := len(f.members); n > 0 {
		names := make([]string, n)
		for i, m := range f.members {
			names[i] = m.Label()
		}
		notes = append(notes, "with "+strings.Join(listed(names), ", "))
	}
	var right []span
	if len(notes) > 0 {
		right = []span{{"  " + t.safe(strings.Join(notes, t.dot())), dim}}
	}
	t.row([]span{{"  ", regular}}, []span{{"    ", regular}}, t.safe(f.Identity.Label()), bold, right)
	for _, s := range f.Chain.Steps {
		t.step(s)
	}
	for _, g := range f.Chain.Grants {
		t.grant("    = ", g)
	}
}

func (t *whoCanText) step(s access.Step) {
	bar := "    " + t.glyph("│", "|") + " "
	how := t.safe(s.How)
	if s.Certain != access.Yes {
		how += " ~"
	}
	t.row([]span{{bar, regular}}, []span{{bar, regular}}, how, yellow, nil)
	for _, g := range s.Grants {
		t.grant(bar+"  ", g)
	}
	t.row([]span{{"  " + t.glyph("→", ">") + " ", regular}}, []span{{"    ", regular}}, t.safe(s.To.Label()), bold, nil)
}

func (t *whoCanText) grant(left string, g access.Grant) {
	var right []span
	if at := place(g); at != "" {
		right = []span{{"  " + t.safe(at), dim}}
	}
	rest := strings.NewReplacer("=", " ").Replace(left)
	t.row([]span{{left, regular}}, []span{{rest + "  ", regular}}, t.safe(g.Says), regular, right)
}

// place returns where a grant is written: file and line, or the ID of what is
// read live.
func place(g access.Grant) string {
	if file, line := g.Origin.Locate(g.Field); file != "" {
		return file + ":" + strconv.Itoa(line)
	}
	return g.Subject.ID
}

func (t *whoCanText) dot() string { return " " + t.glyph("·", "-") + " " }

// listed returns the first of many names, and how many more there are.
func listed(names []string) []string {
	if len(names) <= maxListed {
		return names
	}
	return append(slices.Clone(names[:maxListed]), thousands(len(names)-maxListed)+" more")
}

func (t *whoCanText) standing(s *access.Standing) {
	head := t.safe(s.Identity.Label())
	if team := t.answer.team(s.Identity); team != "" {
		head += t.dot() + "team " + t.safe(team)
	}
	t.line(span{head, bold})
	if !s.Known {
		t.line(span{"  nothing of the estate names it; what everybody has is below", yellow})
	}
	if len(s.Groups) > 0 {
		var names []string
		for _, g := range s.Groups {
			names = append(names, t.safe(g.Name))
		}
		t.items([]span{{"  in ", dim}}, []span{{"     ", regular}}, names, dim)
	}
	t.blank()
	t.admin("cluster admin", s.Admin)
	if s.Account != nil || s.Identity.Kind == access.IAMRole || s.Identity.Kind == access.IAMUser {
		t.blank()
		t.admin("administrator of an account", s.Account)
	}
	t.places(s)
	if len(s.Becomes) > 0 {
		t.blank()
		t.line(span{"Can become " + thousands(len(s.Becomes)), bold})
		for _, h := range s.Becomes[:min(len(s.Becomes), maxBecomes)] {
			t.became(h)
		}
		if n := len(s.Becomes) - maxBecomes; n > 0 {
			t.line(span{"  and " + thousands(n) + " more: " + t.safe(t.answer.command("-o", "json")), dim})
		}
	}
}

// admin says whether somebody becomes an administrator, and how.
func (t *whoCanText) admin(what string, h *access.Holder) {
	if h == nil {
		t.line(span{"No way to become " + what + ".", green})
		return
	}
	word := "Is " + what
	switch {
	case len(h.Unread) > 0:
		word = "Not known whether it becomes " + what
	case h.Certain != access.Yes:
		word = "Perhaps becomes " + what
	case !h.Direct():
		word = "Becomes " + what
	}
	t.line(span{word, redBold})
	t.holder(&foldedHolder{Holder: *h})
}

func (t *whoCanText) became(h access.Holder) {
	var how []string
	for _, s := range h.Chain.Steps {
		how = append(how, t.safe(s.How))
	}
	body := strings.Join(how, ", then ")
	if h.Certain != access.Yes {
		body = "perhaps: " + body
	}
	t.row([]span{{"  ", regular}}, []span{{"    ", regular}}, t.safe(h.Identity.Label()), bold, nil)
	t.row([]span{{"    ", regular}}, []span{{"    ", regular}}, body, regular, nil)
}

// places writes the table of namespaces; those with equal rights share a row.
func (t *whoCanText) places(s *access.Standing) {
	type row struct {
		names []string
		access.Powers
	}
	var rows []*row
	at := map[string]*row{}
	for _, p := range s.Places {
		if len(p.Allows)+len(p.Direct)+len(p.Escalation)+len(p.Unclear) == 0 {
			continue
		}
		name := cmp.Or(p.Namespace, "the whole cluster")
		key := strings.Join(p.Allows, "\n") + "\x00" + strings.Join(p.Direct, "\n") + "\x00" + strings.Join(p.Escalation, "\n") + "\x00" + strings.Join(p.Unclear, "\n")
		if at[key] == nil || p.Namespace == "" {
			at[key] = &row{Powers: p}
			rows = append(rows, at[key])
		}
		at[key].names = append(at[key].names, name)
	}
	for _, r := range rows {
		t.blank()
		t.row([]span{{"In ", bold}}, []span{{"   ", regular}}, t.safe(strings.Join(listed(r.names), ", ")), bold, nil)
		for _, p := range []struct {
			word  string
			what  []string
			style style
		}{{"directly", r.Direct, red}, {"by escalation", r.Escalation, red}, {"perhaps", r.Unclear, yellow}} {
			if len(p.what) > 0 {
				t.items([]span{{"  " + pad(p.word, 13) + "  ", dim}}, []span{{strings.Repeat(" ", 17), regular}}, p.what, p.style)
			}
		}
		for i, rule := range r.Allows {
			if i == maxAllows {
				t.line(span{"  and " + thousands(len(r.Allows)-maxAllows) + " more rules", dim})
				break
			}
			t.row([]span{{"  ", regular}}, []span{{"      ", regular}}, t.safe(rule), regular, nil)
		}
	}
}

func (t *whoCanText) unread() {
	if len(t.answer.Unread) == 0 {
		return
	}
	t.blank()
	t.line(span{"What could not be read, and may hide more:", bold})
	for _, u := range t.answer.Unread[:min(len(t.answer.Unread), maxReasons)] {
		t.row([]span{{"  ", regular}}, []span{{"    ", regular}}, t.safe(u), yellow, nil)
	}
	if n := len(t.answer.Unread) - maxReasons; n > 0 {
		t.line(span{"  and " + thousands(n) + " more: " + t.safe(t.answer.command("-o", "json")), dim})
	}
}

func (t *whoCanText) assumed() {
	if len(t.answer.Assumed) == 0 {
		return
	}
	t.blank()
	t.line(span{"Assumed:", bold})
	for _, text := range t.answer.Assumed {
		t.row([]span{{"  ", regular}}, []span{{"    ", regular}}, t.safe(text), dim, nil)
	}
}

func (a *WhoCan) team(id access.Identity) string {
	if a.Team == nil {
		return ""
	}
	return a.Team(id)
}

// command returns the command line that goes on from the answer.
func (a *WhoCan) command(more ...string) string {
	words := slices.Concat([]string{Tool, "who-can"}, a.Args, more)
	for i, w := range words {
		words[i] = shellWord(w)
	}
	return strings.Join(words, " ")
}
