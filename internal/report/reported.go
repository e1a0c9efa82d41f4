package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/trace"
)

// A reportedFinding is what other tools say of resources of the estate. What
// several tools say of one thing stands once, with all of their names.
type reportedFinding struct {
	ID        string       `json:"id"`
	Tools     []string     `json:"tools"`
	Rule      string       `json:"rule,omitempty"`
	Title     string       `json:"title"`
	Severity  string       `json:"severity,omitempty"` // empty where no tool gives one
	Package   string       `json:"package,omitempty"`
	FixedIn   string       `json:"fixedIn,omitempty"`
	URL       string       `json:"url,omitempty"`
	FirstSeen *time.Time   `json:"firstSeen,omitempty"`
	Subjects  []estate.Ref `json:"subjects"`         // resources that were read; none where it is about others
	SameAs    []string     `json:"sameAs,omitempty"` // fingerprints of our findings that say the same

	known map[estate.Ref]bool // what stands in Subjects
}

// words say what was found, for people.
func (f *reportedFinding) words() string {
	s := f.Title
	if f.Rule != "" && f.Rule != f.Title {
		s = f.Rule + ", " + s
	}
	if f.Package != "" {
		s += " in " + f.Package
	}
	if f.FixedIn != "" {
		s += ", fixed in " + f.FixedIn
	}
	if f.Severity != "" {
		s += " (" + f.Severity + ")"
	}
	return s
}

// otherReports are the findings of other tools and where they hang.
type otherReports struct {
	all  []*reportedFinding
	of   map[estate.Ref][]*reportedFinding
	same map[*finding.Finding][]*reportedFinding
}

// collections of what other tools found.
var reportedKinds = []estate.Collection[*estate.ReportedFinding]{
	estate.GuardDutyFindings, estate.InspectorFindings, estate.SecurityHubFindings, estate.AccessAnalyzerFindings, estate.ImportedFindings,
}

// others joins what other tools found to the resources that were read: by ARN,
// by kind, namespace and name, by image, and by file and line. What is not
// certain is not joined.
func (r *Report) others() *otherReports {
	out := &otherReports{of: map[estate.Ref][]*reportedFinding{}, same: map[*finding.Finding][]*reportedFinding{}}
	if r.Graph == nil || r.Graph.Estate == nil {
		return out
	}
	e := r.Graph.Estate
	var raw []*estate.ReportedFinding
	for _, c := range reportedKinds {
		for _, f := range c.In(e) {
			if f.Product != Tool && !strings.HasPrefix(f.Rule, ASFFGenerator) { // ours, published before
				raw = append(raw, f)
			}
		}
	}
	scans := estate.ImageScans.In(e)
	if len(raw) == 0 && len(scans) == 0 {
		return out
	}
	index := newSubjectIndex(e)
	for _, s := range scans {
		raw = append(raw, index.scanned(s)...)
	}
	groups := map[string]*reportedFinding{}
	for _, f := range raw {
		subjects := index.subjects(f)
		key := reportedKey(f, subjects)
		g := groups[key]
		if g == nil {
			sum := sha256.Sum256([]byte(key))
			g = &reportedFinding{ID: hex.EncodeToString(sum[:10]), Rule: f.Rule, Title: f.Title, Subjects: []estate.Ref{}, known: map[estate.Ref]bool{}}
			groups[key] = g
			out.all = append(out.all, g)
		}
		g.join(f, subjects)
	}
	out.matchOwn(r)
	for _, g := range out.all {
		slices.Sort(g.Tools)
		slices.Sort(g.SameAs)
		slices.SortFunc(g.Subjects, estate.Ref.Compare)
		for _, s := range g.Subjects {
			out.of[s] = append(out.of[s], g)
		}
	}
	slices.SortFunc(out.all, compareReported)
	for _, list := range out.of {
		slices.SortFunc(list, compareReported)
	}
	return out
}

// reportedKey says which reports are one: a vulnerability of a package of the
// same resources, whoever names it; else what has one identity, which a hub
// keeps of what it gathers; else one rule of one tool about the same.
func reportedKey(f *estate.ReportedFinding, subjects []estate.Ref) string {
	var about []string
	for _, s := range subjects {
		about = append(about, s.ID)
	}
	if len(about) == 0 {
		about = append(slices.Clone(f.Resources), f.File, fmt.Sprint(f.Line))
	}
	where := strings.Join(about, "\x00")
	switch {
	case f.Package != "" && (strings.HasPrefix(f.Rule, "CVE-") || strings.HasPrefix(f.Rule, "GHSA-")):
		return "vulnerability\x00" + f.Rule + "\x00" + f.Package + "\x00" + where
	case f.Id != "":
		return "id\x00" + f.Id
	}
	return "rule\x00" + f.Product + "\x00" + f.Rule + "\x00" + where
}

func (g *reportedFinding) join(f *estate.ReportedFinding, subjects []estate.Ref) {
	if !slices.Contains(g.Tools, f.Product) {
		g.Tools = append(g.Tools, f.Product)
	}
	var worst, own finding.Severity
	if own.UnmarshalText([]byte(f.Severity)) == nil && (worst.UnmarshalText([]byte(g.Severity)) != nil || own > worst) {
		g.Severity = f.Severity
	}
	g.Package, g.FixedIn, g.URL = cmp.Or(g.Package, f.Package), cmp.Or(g.FixedIn, f.Fixed), cmp.Or(g.URL, f.URL)
	if first, ok := f.FirstSeen.Get(); ok && (g.FirstSeen == nil || first.Before(*g.FirstSeen)) {
		first = first.UTC()
		g.FirstSeen = &first
	}
	for _, s := range subjects {
		if !g.known[s] {
			g.known[s] = true
			g.Subjects = append(g.Subjects, s)
		}
	}
}

func compareReported(a, b *reportedFinding) int {
	var x, y finding.Severity
	_ = x.UnmarshalText([]byte(a.Severity)) // none is the least
	_ = y.UnmarshalText([]byte(b.Severity))
	return cmp.Or(cmp.Compare(y, x), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Package, b.Package), cmp.Compare(a.Title, b.Title), cmp.Compare(a.ID, b.ID))
}

// matchOwn finds the findings of ours that say the same: the same subject, of a
// control that cites the very control of Security Hub. The load balancer of an
// Ingress stands for it.
func (o *otherReports) matchOwn(r *Report) {
	declared := map[estate.Ref][]estate.Ref{}
	for _, lb := range r.Graph.LoadBalancers {
		for _, p := range lb.DeclaredBy {
			declared[p.Subject] = append(declared[p.Subject], lb.Ref)
		}
	}
	type requirement struct {
		subject estate.Ref
		section string
	}
	own := map[requirement][]*finding.Finding{}
	for i := range r.Results {
		res := &r.Results[i]
		for _, ref := range res.Control.Refs {
			if ref.Source != control.FSBPSource {
				continue
			}
			for j := range res.Findings {
				f := &res.Findings[j]
				for _, s := range append([]estate.Ref{f.Subject}, declared[f.Subject]...) {
					own[requirement{s, ref.Section}] = append(own[requirement{s, ref.Section}], f)
				}
			}
		}
	}
	for _, g := range o.all {
		section := g.Rule[strings.LastIndexByte(g.Rule, '/')+1:]
		for _, s := range g.Subjects {
			for _, f := range own[requirement{s, section}] {
				if !slices.Contains(g.SameAs, f.Fingerprint) {
					g.SameAs = append(g.SameAs, f.Fingerprint)
					o.same[f] = append(o.same[f], g)
				}
			}
		}
	}
}

// at returns what hangs on any of the resources, each once, the worst first.
func (o *otherReports) at(refs ...estate.Ref) []*reportedFinding {
	if len(o.of) == 0 {
		return nil
	}
	var out []*reportedFinding
	seen := map[*reportedFinding]bool{}
	for _, ref := range refs {
		for _, g := range o.of[ref] {
			if !seen[g] {
				seen[g] = true
				out = append(out, g)
			}
		}
	}
	slices.SortFunc(out, compareReported)
	return out
}

// placesOf returns the resources of a hop that no node stands for: listeners, target
// groups, parameter groups.
func placesOf(h *trace.Hop) []estate.Ref {
	var out []estate.Ref
	for _, p := range h.Places {
		if p.Subject != h.From && p.Subject != h.To {
			out = append(out, p.Subject)
		}
	}
	return out
}

// resourcesOf returns the resources that an application is made of.
func (r *Report) resourcesOf(app *trace.Application) []estate.Ref {
	var out []estate.Ref
	for _, w := range app.Workloads {
		out = append(out, estate.Workloads.Ref(w))
	}
	for _, p := range app.Paths {
		for _, h := range p.Hops {
			out = append(append(out, h.From, h.To), placesOf(h)...)
		}
	}
	slices.SortFunc(out, estate.Ref.Compare)
	return slices.Compact(out)
}

func reportedIDs(list []*reportedFinding) []string {
	var out []string
	for _, g := range list {
		out = append(out, g.ID)
	}
	return out
}

// reportedRemark sums up what other tools found; what hangs on no path is
// listed.
func (r *Report) reportedRemark() (remark, bool) {
	o := r.others()
	if len(o.all) == 0 {
		return remark{}, false
	}
	hung, drawn := map[*reportedFinding]bool{}, map[*reportedFinding]bool{}
	for _, app := range r.applications() {
		for _, g := range o.at(r.resourcesOf(app)...) {
			hung[g] = true
			drawn[g] = drawn[g] || len(app.Paths) > 0
		}
	}
	m := remark{Title: "Also reported"}
	tools := map[string]int{}
	same, nowhere := 0, 0
	for _, g := range o.all {
		for _, t := range g.Tools {
			tools[t]++
		}
		switch {
		case len(g.SameAs) > 0:
			same++
		case drawn[g]:
		case len(g.Subjects) == 0:
			nowhere++
		default:
			m.Lines = append(m.Lines, strings.Join(g.Tools, ", ")+" of "+g.Subjects[0].ID+": "+g.words())
		}
	}
	var by []string
	for t := range sortedKeys(tools) {
		by = append(by, fmt.Sprintf("%s %s", t, thousands(tools[t])))
	}
	parts := []string{plural(len(o.all), "finding") + " of other tools (" + strings.Join(by, ", ") + ")", thousands(len(hung)) + " on applications"}
	if same > 0 {
		parts = append(parts, thousands(same)+" that eksafe found too")
	}
	if nowhere > 0 {
		parts = append(parts, thousands(nowhere)+" of nothing that was read")
	}
	m.About = strings.Join(parts, "; ") + "; they do not decide the exit code"
	return m, true
}

// maxReported is how many reports of others text shows of one application.
const maxReported = 5

// alsoReported writes what other tools say of an application.
func (t *text) alsoReported(app *trace.Application) {
	list := slices.DeleteFunc(t.others.at(t.report.resourcesOf(app)...), func(g *reportedFinding) bool { return len(g.SameAs) > 0 })
	for _, g := range list[:min(len(list), maxReported)] {
		t.row([]span{{"  also reported by ", dim}, {t.safe(strings.Join(g.Tools, ", ")), bold}, {": ", dim}}, []span{{"    ", regular}}, t.safe(g.words()), regular, nil)
	}
	if n := len(list) - maxReported; n > 0 {
		t.line(span{"  and " + thousands(n) + " more reported: " + t.safe(t.report.command("-o", "json")), dim})
	}
}

// agreeing says who else reports one of the findings, "" for nobody.
func (o *otherReports) agreeing(fs []*finding.Finding) string {
	var who []string
	for _, f := range fs {
		for _, g := range o.same[f] {
			if w := strings.Join(g.Tools, ", ") + " (" + g.Rule + ")"; !slices.Contains(who, w) {
				who = append(who, w)
			}
		}
	}
	if len(who) == 0 {
		return ""
	}
	return "also reported by " + strings.Join(who, ", ")
}

// fileLine is a resource at the line where it begins.
type fileLine struct {
	line int
	ref  estate.Ref
}

// subjectIndex finds resources by what other tools call them.
type subjectIndex struct {
	named  map[string][]estate.Ref // ARN, kind/namespace/name, namespace/kind/name; names in lower case
	images map[string][]estate.Ref // "repository:tag" and "repository@digest"
	tags   map[string][]string     // "repository@digest" → "repository:tag", of the registry
	files  map[string][]fileLine   // sorted by line
	bases  map[string][]string     // last part of a path → keys of files
	// found keeps what a file of a report is called in the estate.
	found map[string]string
}

func newSubjectIndex(e *estate.Estate) *subjectIndex {
	x := &subjectIndex{named: map[string][]estate.Ref{}, images: map[string][]estate.Ref{}, tags: map[string][]string{}, files: map[string][]fileLine{}, bases: map[string][]string{}, found: map[string]string{}}
	for _, k := range estate.Kinds() {
		if slices.ContainsFunc(reportedKinds, func(c estate.Collection[*estate.ReportedFinding]) bool { return c.Kind == k.Kind }) {
			continue
		}
		for ref, origin := range k.Refs(e) {
			x.name(ref)
			if origin.File != "" {
				file := path.Clean(filepath.ToSlash(origin.File))
				if x.files[file] == nil {
					x.bases[path.Base(file)] = append(x.bases[path.Base(file)], file)
				}
				x.files[file] = append(x.files[file], fileLine{origin.Line, ref})
			}
		}
	}
	for _, lines := range x.files {
		slices.SortStableFunc(lines, func(a, b fileLine) int { return cmp.Compare(a.line, b.line) })
	}
	for _, w := range estate.Workloads.In(e) {
		ref := estate.Workloads.Ref(w)
		spec := &w.Template.Spec
		for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
			for _, key := range imageKeys(c.Image) {
				if !slices.Contains(x.images[key], ref) {
					x.images[key] = append(x.images[key], ref)
				}
			}
		}
	}
	for _, s := range estate.ImageScans.In(e) {
		if s.RepositoryUri == "" || s.ImageDigest == "" {
			continue
		}
		for _, tag := range s.ImageTags {
			key := s.RepositoryUri + "@" + s.ImageDigest
			x.tags[key] = append(x.tags[key], s.RepositoryUri+":"+tag)
		}
	}
	return x
}

func (x *subjectIndex) name(ref estate.Ref) {
	add := func(key string) {
		if !slices.Contains(x.named[key], ref) {
			x.named[key] = append(x.named[key], ref)
		}
	}
	if strings.HasPrefix(ref.ID, "arn:") {
		add(ref.ID)
		return
	}
	id := strings.ToLower(ref.ID)
	add(id)
	if part := strings.Split(id, "/"); len(part) == 3 {
		add(part[1] + "/" + part[0] + "/" + part[2])
	}
}

// subjects returns the resources that a report is about.
func (x *subjectIndex) subjects(f *estate.ReportedFinding) []estate.Ref {
	var out []estate.Ref
	add := func(refs []estate.Ref) {
		for _, ref := range refs {
			if !slices.Contains(out, ref) {
				out = append(out, ref)
			}
		}
	}
	for _, res := range f.Resources {
		if strings.HasPrefix(res, "arn:") {
			add(x.named[res])
			res = registryImage(res)
		} else {
			// A name that two resources share is no certain one.
			if refs := x.named[strings.ToLower(res)]; len(refs) == 1 {
				add(refs)
			}
		}
		for _, key := range imageKeys(res) {
			add(x.images[key])
			for _, tag := range x.tags[key] {
				add(x.images[tag])
			}
		}
	}
	if ref, ok := x.inFile(f.File, f.Line); ok {
		add([]estate.Ref{ref})
	}
	slices.SortFunc(out, estate.Ref.Compare)
	return out
}

// inFile returns the resource in which a line stands: the last that begins at
// or before it. Without a line, the file must have one resource alone.
func (x *subjectIndex) inFile(file string, line int) (estate.Ref, bool) {
	if file == "" {
		return estate.Ref{}, false
	}
	lines := x.files[x.file(file)]
	if line <= 0 {
		if len(lines) == 1 {
			return lines[0].ref, true
		}
		return estate.Ref{}, false
	}
	for _, l := range slices.Backward(lines) {
		if l.line > 0 && l.line <= line {
			return l.ref, true
		}
	}
	return estate.Ref{}, false
}

// file returns what the estate calls a file of a report. A scanner may have run
// in another folder: the longer path must end with the whole of the shorter,
// and no other file may.
func (x *subjectIndex) file(name string) string {
	name = path.Clean(name)
	if known, ok := x.found[name]; ok {
		return known
	}
	out := ""
	if _, ok := x.files[name]; ok {
		out = name
	} else {
		n := 0
		for _, f := range x.bases[path.Base(name)] {
			if strings.HasSuffix(f, "/"+name) || strings.HasSuffix(name, "/"+f) {
				out = f
				n++
			}
		}
		if n != 1 {
			out = ""
		}
	}
	x.found[name] = out
	return out
}

// scanned returns what the registry found in an image that a workload runs.
func (x *subjectIndex) scanned(s *estate.ImageScan) []*estate.ReportedFinding {
	vulnerabilities, _ := s.Vulnerabilities.Get()
	image := s.RepositoryUri + "@" + s.ImageDigest
	probe := estate.ReportedFinding{Resources: []string{image}}
	if len(vulnerabilities) == 0 || len(x.subjects(&probe)) == 0 {
		return nil
	}
	var out []*estate.ReportedFinding
	for _, v := range vulnerabilities {
		fixed, _ := v.FixedInVersion.Get()
		out = append(out, &estate.ReportedFinding{
			Id: image + " " + v.Name + " " + v.PackageName, Product: "ECR", Rule: v.Name, Title: v.Name, Severity: strings.ToLower(v.Severity),
			Package: v.PackageName, Fixed: fixed, Resources: probe.Resources,
		})
	}
	return out
}

// registryImage returns the image that an ARN of ECR names with its digest, ""
// for every other.
func registryImage(arn string) string {
	part := strings.SplitN(arn, ":", 6)
	if len(part) < 6 || part[2] != "ecr" {
		return ""
	}
	name, ok := strings.CutPrefix(part[5], "repository/")
	at := strings.LastIndex(name, "/sha256:")
	if !ok || at < 0 {
		return ""
	}
	suffix := "amazonaws.com"
	if part[1] == "aws-cn" {
		suffix += ".cn"
	}
	return part[4] + ".dkr.ecr." + part[3] + "." + suffix + "/" + name[:at] + "@" + name[at+1:]
}

// imageKeys returns the one name by which an image is compared, in full: with
// its digest where it has one, for a tag may have moved, else with its tag.
func imageKeys(image string) []string {
	if image == "" || strings.ContainsAny(image, " \t\n") {
		return nil
	}
	name, digest, pinned := strings.Cut(image, "@")
	tag := ""
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name, tag = name[:i], name[i+1:]
	}
	host, _, ok := strings.Cut(name, "/")
	switch {
	case !ok:
		name = "docker.io/library/" + name
	case !strings.ContainsAny(host, ".:") && host != "localhost":
		name = "docker.io/" + name
	case host == "index.docker.io":
		name = "docker.io" + name[len(host):]
	}
	if pinned {
		return []string{name + "@" + digest}
	}
	return []string{name + ":" + cmp.Or(tag, "latest")}
}
