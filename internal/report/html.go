package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/trace"
)

// WriteHTML writes the report as one page that needs nothing else: no request
// leaves it, and it runs no script but its own. Whatever comes from the input
// is text to it.
func (r *Report) WriteHTML(w io.Writer) error {
	p, err := r.page()
	if err != nil {
		return err
	}
	return p.write(newMarkupWriter(w))
}

func hash(s markup) string {
	sum := sha256.Sum256([]byte(s))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func (r *Report) page() (*page, error) {
	hung := r.attach()
	portraits, pathless := r.portraits(hung)
	b := &pageBuilder{report: r, hung: hung, others: r.others(), strings: map[string]int{}, finding: map[*finding.Finding]int{}}
	data, err := json.Marshal(b.build(portraits, pathless))
	if err != nil {
		return nil, fmt.Errorf("encoding the page's data: %w", err)
	}
	var text strings.Builder
	if err := r.WriteText(&text, Options{Width: 100, Unicode: true}); err != nil {
		return nil, err
	}
	c := r.count()
	p := &page{
		Policy:    "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src " + hash(pageStyle) + "; script-src " + hash(pageScript),
		Data:      markup(data), // JSON as Go writes it holds no <, > or &
		Generated: r.GeneratedAt.UTC().Format(time.RFC3339),
		Version:   r.ToolVersion,
		Command:   r.command(),
		Unknown:   r.gapGroups(),
		Text:      text.String(),
	}
	p.Title, p.Headline, p.Bar = headline(portraits)
	for _, s := range finding.Severities {
		p.Severity = append(p.Severity, severityCount{s.String(), thousands(c.severities[s])})
	}
	p.Totals = []verdictCount{
		{"fail", "failed", thousands(c.fail)}, {"unknown", "unknown", thousands(c.unknown)}, {"pass", "passed", thousands(c.pass)}, {"na", "not applicable", thousands(c.notApplicable)},
	}
	if c.excepted > 0 {
		p.Totals = append(p.Totals, verdictCount{"excepted", "excepted", thousands(c.excepted)})
	}
	for _, m := range r.remarks() {
		m.About = clean(plain(m.About))
		for i, line := range m.Lines {
			m.Lines[i] = clean(plain(line))
		}
		p.Remarks = append(p.Remarks, m)
	}
	for i := range p.Unknown {
		p.Unknown[i].Why = clean(plain(p.Unknown[i].Why))
	}
	for _, s := range r.sources() {
		source := pageSource{Name: clean(s.Name), Kind: s.Kind}
		for _, c := range s.Coverage {
			c.Why = clean(c.Why)
			if c.State == estate.Read && c.Count == 0 {
				source.None = append(source.None, string(c.Kind))
			} else {
				source.Coverage = append(source.Coverage, c)
			}
		}
		slices.Sort(source.None)
		slices.SortStableFunc(source.Coverage, func(a, b estate.Coverage) int {
			return cmp.Or(cmp.Compare(stateOrder[a.State], stateOrder[b.State]), cmp.Compare(a.Kind, b.Kind))
		})
		p.Sources = append(p.Sources, source)
		for _, problem := range s.Problems {
			p.Problems = append(p.Problems, clean(problem.String()))
		}
		for _, i := range s.Ignored {
			p.Ignored = append(p.Ignored, fmt.Sprintf("%s (%s)", clean(i.Kind), thousands(i.Count)))
		}
	}
	return p, nil
}

// stateOrder puts what could not be read first: it is what readers must know.
var stateOrder = map[estate.State]int{estate.Denied: 0, estate.Unavailable: 1, estate.Read: 2, estate.NotAsked: 3}

// headline answers the first question in one sentence, and says how the hops
// share.
func headline(portraits []*portrait) (title, sentence string, bar []barPart) {
	count := map[string]int{}
	hops := map[*trace.Hop]bool{}
	exposed := 0
	for _, p := range portraits {
		if p.app.Exposed == trace.Internet {
			exposed++
		}
		for _, h := range p.hops {
			if !hops[h] {
				hops[h] = true
				count[markOf(h).word]++
			}
		}
	}
	total := len(hops)
	for _, m := range []mark{
		{word: "encrypted", unicode: "✓"}, {word: "optional", unicode: "~"}, {word: "plaintext", unicode: "✗"},
		{word: "broken", unicode: "✗"}, {word: "unknown", unicode: "?"},
	} {
		if n := count[m.word]; n > 0 {
			bar = append(bar, barPart{Class: m.word, Word: m.word, Symbol: m.unicode, Count: n, Figure: thousands(n)})
		}
	}
	open := total - count["encrypted"] - count["unknown"]
	switch {
	case total == 0:
		title = "No path was found"
	case open > 0:
		title = fmt.Sprintf("%s of %s let data travel readable", thousands(open), plural(total, "hop"))
		if open == 1 {
			title = fmt.Sprintf("1 of %s lets data travel readable", plural(total, "hop"))
		}
	case count["unknown"] > 0:
		title = fmt.Sprintf("%s of %s encrypted, the rest unknown", thousands(count["encrypted"]), plural(total, "hop"))
	default:
		title = "Every hop is encrypted"
		if total > 1 {
			title = "All " + plural(total, "hop") + " are encrypted"
		}
	}
	sentence = fmt.Sprintf("%s with paths, %s of them reachable from the internet.", plural(len(portraits), "application"), thousands(exposed))
	if len(portraits) == 0 {
		sentence = "No load balancer, database or volume leads to or from a workload that was read."
	}
	return title, sentence, bar
}

// The data of the page's script. Strings are numbers into Strings, for estates
// of ten thousand applications say the same things often.
type pageData struct {
	Strings  []string      `json:"strings"`
	Apps     []pageApp     `json:"apps"`
	Pathless int           `json:"pathless"`
	Controls []pageControl `json:"controls"`
	Findings []pageFinding `json:"findings"`
	// Causes are findings of one root cause, as numbers into Findings.
	Causes [][]int `json:"causes"`
}

type pageApp struct {
	Name      int        `json:"n"`
	Namespace int        `json:"ns"`
	Exposed   int        `json:"x"`
	Encrypted int        `json:"enc"`
	Bad       int        `json:"bad"`
	Unknown   int        `json:"unk"`
	Hops      int        `json:"hops"`
	Omitted   int        `json:"om,omitempty"`
	Worst     [4]int     `json:"sev"` // findings by severity, the worst first
	Roots     []pageNode `json:"roots"`
	Reported  []int      `json:"rep,omitempty"` // what other tools say of it, in words
}

type pageNode struct {
	Name     int          `json:"n"`
	What     int          `json:"d"`
	ID       int          `json:"i"`
	Icon     string       `json:"ic"`
	Findings []int        `json:"f,omitempty"`
	Next     []pageBundle `json:"next,omitempty"`
}

type pageBundle struct {
	Hops  []pageHop `json:"hops"`
	To    pageNode  `json:"to"`
	Again bool      `json:"again,omitempty"`
}

type pageHop struct {
	Class    string      `json:"c"`
	Protocol int         `json:"p"`
	Port     int32       `json:"o,omitempty"`
	Verified int         `json:"v"`
	By       int         `json:"by"`
	Why      int         `json:"why"`
	Places   []pagePlace `json:"at,omitempty"`
	Findings []int       `json:"f,omitempty"`
}

type pagePlace struct {
	Subject int `json:"s"`
	Field   int `json:"f"`
	Where   int `json:"w"`
}

type pageControl struct {
	ID       int      `json:"id"`
	Title    int      `json:"t"`
	Family   int      `json:"fam"`
	Severity int      `json:"s"`
	Verdict  string   `json:"v"`
	Why      int      `json:"why"`
	Subjects int      `json:"n"`
	Prose    int      `json:"md"`
	URL      int      `json:"url"`
	Refs     [][2]int `json:"refs,omitempty"` // name, URL
	Expected int      `json:"exp,omitempty"`
}

type pageFinding struct {
	Control   int `json:"c"`
	Severity  int `json:"s"` // 4 is critical
	Message   int `json:"m"`
	Subject   int `json:"x"`
	Namespace int `json:"ns"`
	Field     int `json:"f"`
	Where     int `json:"w"`
	Context   int `json:"ctx"`
	Exception int `json:"ex,omitempty"`
	Known     int `json:"old,omitempty"` // 1: in the baseline
}

type pageBuilder struct {
	report  *Report
	hung    *attachments
	others  *otherReports
	strings map[string]int
	list    []string
	finding map[*finding.Finding]int
	words   *text // names nodes as the text report does
}

// string returns the number of s in the words of whoever wrote the input.
func (b *pageBuilder) string(s string) int { return b.number(clean(plain(s))) }

// exactly returns the number of s as it is: an identity.
func (b *pageBuilder) exactly(s string) int { return b.number(clean(s)) }

func (b *pageBuilder) number(s string) int {
	n, ok := b.strings[s]
	if !ok {
		n = len(b.list)
		b.strings[s] = n
		b.list = append(b.list, s)
	}
	return n
}

func (b *pageBuilder) build(portraits []*portrait, pathless int) pageData {
	b.string("") // number 0 is nothing
	b.words = &text{painter: &painter{opt: Options{Unicode: true}}, report: b.report, hung: b.hung}
	b.words.index()
	d := pageData{Apps: []pageApp{}, Controls: []pageControl{}, Findings: []pageFinding{}, Causes: [][]int{}, Pathless: pathless}
	for i := range b.report.Results {
		res := &b.report.Results[i]
		about := b.report.describe(res.Control.ID)
		c := pageControl{
			ID: b.string(res.Control.ID), Title: b.string(res.Control.Title), Family: b.string(about.Family), Severity: int(res.Control.Severity),
			Verdict: res.Verdict.String(), Why: b.string(res.Why), Subjects: res.Subjects, Prose: b.prose(about.Prose), URL: b.string(webAddress(about.URL)),
			Expected: len(res.Expected),
		}
		for _, ref := range res.Control.Refs {
			c.Refs = append(c.Refs, [2]int{b.string(refWords(ref)), b.string(webAddress(ref.URL))})
		}
		d.Controls = append(d.Controls, c)
		for j := range res.Findings {
			f := &res.Findings[j]
			b.finding[f] = len(d.Findings)
			context := slices.Clone(f.Context)
			if f.Owner != "" {
				context = append(context, "team "+f.Owner)
			}
			shown := pageFinding{
				Control: i, Severity: int(f.Severity), Message: b.string(f.Message), Subject: b.string(b.words.subject(f.Subject)),
				Namespace: b.string(f.Subject.Namespace), Field: b.string(fieldWords(f.Field)), Where: b.string(b.words.place(f)),
				Context: b.string(strings.Join(context, "; ")),
			}
			if f.Exception != nil {
				shown.Exception = b.string(accepted(f.Exception))
			}
			if f.Baseline == finding.Known {
				shown.Known = 1
			}
			d.Findings = append(d.Findings, shown)
		}
	}
	for _, g := range b.report.causes(func(f *finding.Finding) bool { return f.Exception == nil }) {
		var members []int
		for _, f := range g.members {
			members = append(members, b.finding[f])
		}
		// The lead speaks for its cause.
		lead := slices.Index(members, b.finding[g.lead])
		members[0], members[lead] = members[lead], members[0]
		d.Causes = append(d.Causes, members)
	}
	for _, p := range portraits {
		app := pageApp{
			Name: b.string(p.app.Name), Namespace: b.string(p.app.Namespace), Exposed: int(p.app.Exposed),
			Encrypted: p.encrypted, Bad: p.bad, Unknown: p.unknown, Hops: len(p.hops), Omitted: p.app.Omitted, Roots: []pageNode{},
		}
		for _, g := range b.others.at(b.report.resourcesOf(p.app)...) {
			app.Reported = append(app.Reported, b.string(strings.Join(g.Tools, ", ")+": "+g.words()))
		}
		told := map[*finding.Finding]bool{}
		for _, ref := range p.nodes {
			for _, f := range b.hung.nodes[ref] {
				told[f] = true
			}
		}
		for _, h := range p.hops {
			for _, f := range b.hung.hops[h] {
				told[f] = true
			}
		}
		for f := range maps.Keys(told) {
			if f.Exception == nil {
				app.Worst[finding.Critical-f.Severity]++
			}
		}
		for _, root := range forest(p.app) {
			app.Roots = append(app.Roots, b.node(root))
		}
		d.Apps = append(d.Apps, app)
	}
	d.Strings = b.list
	return d
}

// prose keeps the lines of Markdown, which clean would join.
func (b *pageBuilder) prose(markdown string) int {
	lines := strings.Split(markdown, "\n")
	for i := range lines {
		lines[i] = clean(strings.TrimRight(lines[i], " \r\t"))
	}
	return b.number(strings.TrimSpace(strings.Join(lines, "\n")))
}

// webAddress returns u if a page may link to it.
func webAddress(u string) string {
	if strings.HasPrefix(u, "https://") {
		return u
	}
	return ""
}

// icons are the pictures of nodes by kind.
var icons = map[estate.Kind]string{
	internetKind: "globe", "LoadBalancer": "balancer", "Distribution": "globe", "Workload": "pod", "Database": "database", "DBProxy": "balancer",
	"Cache": "cache", "KafkaCluster": "cache", "OpenSearchDomain": "cache", "PersistentVolumeClaim": "disk", "PersistentVolume": "disk", "Volume": "disk", "FileSystem": "disk", "Bucket": "disk",
}

// describe names a node. The picture has the namespace in its title, so that
// of a workload only its controller is left to say.
func (b *pageBuilder) describe(n *node) (name, what string) {
	name, what = b.words.describeNode(n)
	if n.ref.Kind == estate.Workloads.Kind {
		what, _, _ = strings.Cut(what, "/")
	}
	return name, what
}

func (b *pageBuilder) node(n *node) pageNode {
	name, what := b.describe(n)
	out := pageNode{
		Name: b.string(name), What: b.string(what), ID: b.exactly(n.ref.ID), Icon: cmp.Or(icons[n.ref.Kind], "dot"),
		Findings: b.numbers(b.hung.nodes[n.ref]),
	}
	for _, bundle := range n.bundles() {
		next := pageBundle{Again: bundle.again}
		for _, h := range bundle.hops {
			next.Hops = append(next.Hops, b.hop(h))
		}
		if bundle.again {
			name, what := b.describe(bundle.to)
			next.To = pageNode{Name: b.string(name), What: b.string(what), ID: b.exactly(bundle.to.ref.ID), Icon: cmp.Or(icons[bundle.to.ref.Kind], "dot")}
		} else {
			next.To = b.node(bundle.to)
		}
		out.Next = append(out.Next, next)
	}
	return out
}

func (b *pageBuilder) hop(h *trace.Hop) pageHop {
	out := pageHop{
		Class: markOf(h).word, Protocol: b.string(h.Protocol), Port: h.Port, Verified: b.string(h.PeerVerified.String()),
		By: b.string(h.By), Why: b.string(h.Why), Findings: b.numbers(b.hung.hops[h]),
	}
	for _, p := range h.Places {
		place := pagePlace{Subject: b.string(b.words.subject(p.Subject)), Field: b.string(fieldWords(p.Field))}
		if file, line := p.Origin.Locate(p.Field); file != "" {
			place.Where = b.string(finding.Location{File: file, Line: line}.String())
		}
		out.Places = append(out.Places, place)
	}
	return out
}

func (b *pageBuilder) numbers(fs []*finding.Finding) []int {
	var out []int
	for _, f := range fs {
		out = append(out, b.finding[f])
	}
	return out
}
