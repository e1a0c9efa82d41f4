package control

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/reach"
	"github.com/eksafe/eksafe/internal/trace"
)

// A Result is the verdict of one control on one estate, with its evidence.
type Result struct {
	Control  *Control
	Verdict  finding.Verdict
	Why      string // one sentence for unknown and not applicable
	Subjects int    // judged, expected ones not counted
	Findings []finding.Finding
	Gaps     []finding.Gap // subjects that could not be judged
	Expected []finding.Gap // subjects that miss it by design
	// Unread says which kind could not be read although it may hold subjects:
	// without the findings the verdict would be unknown.
	Unread string
}

// Run judges the traced estate by each of the controls, as of now, knowing what
// declared says of it; nil declares nothing. Results are in the order of
// controls and do not depend on how they were scheduled.
func Run(g *trace.Graph, controls []*Control, now time.Time, declared *config.Config) []Result {
	if declared == nil {
		declared = &config.Config{}
	}
	w := &world{estate: g.Estate, graph: g, now: now, config: declared, scope: NewScope(g, &declared.Scope), indexes: map[estate.Kind]map[string]int{}}
	w.exposures = sync.OnceValue(func() *reach.Exposures { return reach.Of(g).Exposures(declared) })
	results := make([]Result, len(controls))
	next := make(chan int)
	var wg sync.WaitGroup
	var once sync.Once
	var failure any // the first panic: it belongs to the caller, not to a goroutine that nobody can recover
	for range min(runtime.GOMAXPROCS(0), len(controls)) {
		wg.Go(func() {
			for i := range next {
				func() {
					defer func() {
						if r := recover(); r != nil {
							once.Do(func() { failure = fmt.Sprintf("judging %s: %v\n%s", controls[i].ID, r, debug.Stack()) })
						}
					}()
					results[i] = controls[i].run(w)
				}()
			}
		})
	}
	for i := range controls {
		next <- i
	}
	close(next)
	wg.Wait()
	if failure != nil {
		panic(failure)
	}
	return results
}

func (c *Control) run(w *world) Result {
	res := Result{Control: c}
	// A required kind that is missing leaves nothing to judge by.
	for _, k := range c.Check.required {
		if cov := w.estate.Coverage(k); cov.State != estate.Read {
			res.Why = notRead(cov)
			return res
		}
	}
	var missing, unasked *estate.Coverage
	anyRead := false
	for _, k := range slices.Concat(c.Check.subjects, c.Check.helped) {
		cov := w.estate.Coverage(k)
		switch {
		case cov.State == estate.Denied || cov.State == estate.Unavailable:
			if missing == nil {
				missing = &cov
			}
		case cov.State == estate.NotAsked && slices.Contains(c.Check.subjects, k):
			if unasked == nil {
				unasked = &cov
			}
		case slices.Contains(c.Check.subjects, k):
			anyRead = true
		}
	}
	if !anyRead && missing == nil {
		res.Why = notRead(*unasked)
		return res
	}
	rec := &recorder{control: c, told: map[cause]struct{}{}}
	c.Check.judge(w, rec)
	finding.SetFingerprints(rec.findings)
	slices.SortFunc(rec.findings, finding.Compare)
	res.Subjects, res.Findings, res.Gaps, res.Expected = rec.subjects, rec.findings, rec.gaps, rec.expected
	if missing != nil {
		res.Unread = notRead(*missing)
	}
	switch {
	case len(rec.findings) > 0:
		res.Verdict = finding.Fail
	case missing != nil:
		res.Why = res.Unread
	case len(rec.gaps) > 0:
		res.Why = rec.gaps[0].Why
		if n := len(rec.gaps) - 1; n > 0 {
			res.Why += fmt.Sprintf(" (and %d more)", n)
		}
	case rec.subjects == 0 && rec.why == "" && unasked != nil:
		res.Why = notRead(*unasked)
	case rec.subjects == 0:
		res.Verdict, res.Why = finding.NotApplicable, rec.why
		switch {
		case res.Why == "" && rec.outside > 0:
			res.Why = "no subject is in the scope"
		case res.Why == "":
			res.Why = "the estate has no subject"
		}
	default:
		res.Verdict = finding.Pass
	}
	return res
}

func notRead(c estate.Coverage) string {
	if c.State == estate.NotAsked {
		if c.Why != "" {
			return fmt.Sprintf("%s was not read: %s", c.Kind, c.Why)
		}
		if info, err := estate.KindOf(c.Kind); err == nil && info.Provider == estate.AWSProvider {
			return "AWS was not asked (add --aws)"
		}
		return "no Kubernetes source was asked (add --kube or manifests)"
	}
	return fmt.Sprintf("%s could not be read: %s", c.Kind, c.Why)
}

// A world is what all controls of one run share.
type world struct {
	estate *estate.Estate
	graph  *trace.Graph
	now    time.Time
	config *config.Config
	scope  *Scope

	exposures func() *reach.Exposures // computed when the first finding asks

	mu      sync.Mutex // guards indexes
	indexes map[estate.Kind]map[string]int
}

func (w *world) index(kind estate.Kind, build func() map[string]int) map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m, ok := w.indexes[kind]; ok {
		return m
	}
	m := build()
	w.indexes[kind] = m
	return m
}

func (w *world) declared(c *Control, kind estate.Kind) {
	if !slices.Contains(c.Reads(), kind) {
		panic(fmt.Sprintf("control: %s reads %s without declaring it", c.ID, kind))
	}
}

// part returns the name of the element of a pod template's list that field
// leads into: containers are re-ordered and added, and stay who they are.
func (w *world) part(workload, field string) string {
	workloads := estate.Workloads.In(w.estate)
	i, ok := w.index(estate.Workloads.Kind, byName(w.estate, estate.Workloads))[workload]
	if !ok {
		return ""
	}
	field, ok = strings.CutPrefix(field, workloads[i].TemplateField("spec."))
	list, rest, found := strings.Cut(field, "[")
	digits, _, closed := strings.Cut(rest, "]")
	n, err := strconv.Atoi(digits)
	if !ok || !found || !closed || err != nil || n < 0 {
		return ""
	}
	spec := &workloads[i].Template.Spec
	switch {
	case list == "containers" && n < len(spec.Containers):
		return spec.Containers[n].Name
	case list == "initContainers" && n < len(spec.InitContainers):
		return spec.InitContainers[n].Name
	case list == "ephemeralContainers" && n < len(spec.EphemeralContainers):
		return spec.EphemeralContainers[n].Name
	case list == "volumes" && n < len(spec.Volumes):
		return spec.Volumes[n].Name
	}
	return ""
}

// A recorder gathers what one control says.
type recorder struct {
	control  *Control
	subjects int
	outside  int // of the scope
	why      string
	findings []finding.Finding
	gaps     []finding.Gap
	expected []finding.Gap
	told     map[cause]struct{}
}

// A cause is what makes two findings the same.
type cause struct {
	subject        estate.Ref
	field, message string
}

// subject has the subject at p judged, unless it is out of the scope.
func (r *recorder) subject(w *world, p trace.Place, judge func(*Subject)) {
	if !w.scope.Has(p.Subject) {
		r.outside++
		return
	}
	s := &Subject{place: p, world: w, rec: r}
	judge(s)
	if !s.skipped {
		r.subjects++
	} else if s.expected != "" {
		r.expected = append(r.expected, finding.Gap{Subject: s.place.Subject, Why: s.expected})
	}
}

func (r *recorder) fail(w *world, p trace.Place, message string, raised raise, facing []estate.Ref) {
	if !w.scope.Has(p.Subject) {
		return
	}
	f := finding.Finding{
		Control:  r.control.ID,
		Subject:  p.Subject,
		Field:    p.Field,
		Message:  message,
		Severity: r.control.Severity,
	}
	// Two listeners may be broken by one annotation: one cause, one finding.
	key := cause{p.Subject, p.Field, message}
	if _, told := r.told[key]; told {
		return
	}
	r.told[key] = struct{}{}
	if file, line := p.Origin.Locate(p.Field); file != "" {
		f.Location = &finding.Location{File: file, Line: line}
	}
	if p.Subject.Kind == estate.Workloads.Kind && strings.Contains(p.Field, "[") {
		f.Part = w.part(p.Subject.ID, p.Field)
	}
	var context []string
	if raised.to > f.Severity {
		f.Severity, context = raised.to, []string{raised.why}
	}
	f.Severity, f.Context = exposed(w.exposures(), f, facing)
	f.Context = append(context, f.Context...)
	r.findings = append(r.findings, f)
}

// exposed returns the severity of a finding where its subject stands: one step
// up for a workload or a database that the internet reaches, one step down for a
// load balancer that is known to be internal, and for what only matters to whoever
// reaches facing where that is nobody. Missing knowledge changes nothing.
func exposed(x *reach.Exposures, f finding.Finding, facing []estate.Ref) (finding.Severity, []string) {
	at, endpoint := x.Of(f.Subject), f.Subject.Kind == estate.Workloads.Kind || x.Has(f.Subject)
	context := at.Words()
	switch {
	case at.Reached == reach.FromInternet:
		if endpoint && f.Severity < finding.Critical {
			return f.Severity + 1, context
		}
		return f.Severity, context
	case at.Entry == trace.Internal && !endpoint:
		return lower(f.Severity), context
	}
	for _, ref := range facing {
		if x.Of(ref).Reached != reach.FromNowhere {
			return f.Severity, context
		}
	}
	if len(facing) == 0 {
		return f.Severity, context
	}
	for _, ref := range facing {
		if ref == f.Subject {
			continue
		}
		for _, words := range x.Of(ref).Words() {
			context = append(context, ref.Name+" is "+words)
		}
	}
	return lower(f.Severity), context
}

func lower(s finding.Severity) finding.Severity { return max(s-1, finding.Low) }
