package control

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
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
}

// Run judges the traced estate by each of the controls, as of now, knowing what
// declared says of it; nil declares nothing. Results are in the order of
// controls and do not depend on how they were scheduled.
func Run(g *trace.Graph, controls []*Control, now time.Time, declared *config.Config) []Result {
	if declared == nil {
		declared = &config.Config{}
	}
	w := &world{estate: g.Estate, graph: g, now: now, config: declared, indexes: map[estate.Kind]map[string]int{}}
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
	switch {
	case len(rec.findings) > 0:
		res.Verdict = finding.Fail
	case missing != nil:
		res.Why = notRead(*missing)
	case len(rec.gaps) > 0:
		res.Why = rec.gaps[0].Why
		if n := len(rec.gaps) - 1; n > 0 {
			res.Why += fmt.Sprintf(" (and %d more)", n)
		}
	case rec.subjects == 0 && rec.why == "" && unasked != nil:
		res.Why = notRead(*unasked)
	case rec.subjects == 0:
		res.Verdict, res.Why = finding.NotApplicable, rec.why
		if res.Why == "" {
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

// A recorder gathers what one control says.
type recorder struct {
	control  *Control
	subjects int
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

func (r *recorder) subject(w *world, p trace.Place) *Subject {
	return &Subject{place: p, world: w, rec: r}
}

func (r *recorder) done(s *Subject) {
	if !s.skipped {
		r.subjects++
	} else if s.expected != "" {
		r.expected = append(r.expected, finding.Gap{Subject: s.place.Subject, Why: s.expected})
	}
}

func (r *recorder) fail(w *world, p trace.Place, message string) {
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
	f.Severity, f.Context = exposed(w.graph, f)
	r.findings = append(r.findings, f)
}

// exposed returns the severity of a finding where its subject stands: one step
// up for a workload that the internet reaches, one step down for a load
// balancer that is known to be internal. Missing knowledge changes nothing.
func exposed(g *trace.Graph, f finding.Finding) (finding.Severity, []string) {
	exposure, via := g.Exposure(f.Subject)
	switch {
	case exposure == trace.Internet:
		context := []string{"reachable from the internet via " + strings.Join(via, ", ")}
		if f.Subject.Kind == estate.Workloads.Kind && f.Severity < finding.Critical {
			return f.Severity + 1, context
		}
		return f.Severity, context
	case exposure == trace.Internal:
		context := []string{"reachable inside the network only, via " + strings.Join(via, ", ")}
		if f.Subject.Kind != estate.Workloads.Kind && f.Severity > finding.Low {
			return f.Severity - 1, context
		}
		return f.Severity, context
	}
	return f.Severity, nil
}
