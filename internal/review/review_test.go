package review_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/review"
	"github.com/eksafe/eksafe/internal/trace"
)

var now = time.Date(2026, time.November, 23, 6, 0, 0, 0, time.UTC)

func workload(namespace, name string) *estate.Workload {
	return &estate.Workload{Controller: "Deployment", ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

func failing(id string, ws ...*estate.Workload) control.Result {
	res := control.Result{Control: &control.Control{ID: id, Severity: finding.High}, Verdict: finding.Fail, Subjects: len(ws)}
	for _, w := range ws {
		res.Findings = append(res.Findings, finding.Finding{Control: id, Subject: estate.Workloads.Ref(w), Field: "spec.template.spec.hostNetwork", Message: "m", Severity: finding.High})
	}
	finding.SetFingerprints(res.Findings)
	return res
}

func graph(ws ...*estate.Workload) *trace.Graph {
	e := &estate.Estate{}
	estate.Workloads.Add(e, ws...)
	return trace.New(e)
}

func exception(control, subject, expires string) config.Exception {
	return config.Exception{Control: control, Subject: subject, Reason: "r", Owner: "o", Expires: expires, Line: 7}
}

func TestExceptions(t *testing.T) {
	web, api := workload("shop", "web"), workload("shop", "api")
	g := graph(web, api)
	const open, past = "2026-11-23", "2026-11-22"
	field := exception("c", "*", open)
	field.Field = "spec.template.spec.host*"
	other := exception("c", "*", open)
	other.Field = "spec.replicas"
	for name, tt := range map[string]struct {
		res     control.Result
		declare []config.Exception
		verdict finding.Verdict
		left    int // findings that decide
		states  []review.State
	}{
		"all accepted":                {failing("c", web, api), []config.Exception{exception("c", "deployment/shop/*", open)}, finding.Excepted, 0, []review.State{review.Active}},
		"one of two":                  {failing("c", web, api), []config.Exception{exception("c", "deployment/shop/web", open)}, finding.Fail, 1, []review.State{review.Active}},
		"by pattern of controls":      {failing("c", web), []config.Exception{exception("*", "deployment/shop/web", open)}, finding.Excepted, 0, []review.State{review.Active}},
		"another control":             {failing("c", web), []config.Exception{exception("d", "*", open)}, finding.Fail, 1, []review.State{review.Unused}},
		"by field":                    {failing("c", web), []config.Exception{field}, finding.Excepted, 0, []review.State{review.Active}},
		"another field":               {failing("c", web), []config.Exception{other}, finding.Fail, 1, []review.State{review.Unused}},
		"expired":                     {failing("c", web), []config.Exception{exception("c", "*", past)}, finding.Fail, 1, []review.State{review.Expired}},
		"expired, and one that isn't": {failing("c", web), []config.Exception{exception("c", "*", past), exception("c", "*", open)}, finding.Excepted, 0, []review.State{review.Expired, review.Active}},
		"nothing to accept":           {control.Result{Control: &control.Control{ID: "c"}, Verdict: finding.Pass}, []config.Exception{exception("c", "*", open)}, finding.Pass, 0, []review.State{review.Unused}},
		"the rest was not read": {func() control.Result {
			res := failing("c", web)
			res.Unread = "Cluster could not be read"
			return res
		}(), []config.Exception{exception("c", "*", open)}, finding.Unknown, 0, []review.State{review.Active}},
		"the rest has gaps": {func() control.Result {
			res := failing("c", web)
			res.Gaps = []finding.Gap{{Why: "not known"}}
			return res
		}(), []config.Exception{exception("c", "*", open)}, finding.Unknown, 0, []review.State{review.Active}},
	} {
		t.Run(name, func(t *testing.T) {
			declared := &config.Config{Exceptions: tt.declare}
			v, _ := review.New("eksafe.yaml", declared, nil)
			before := slices.Clone(tt.res.Findings)
			out := v.Apply(g, []control.Result{tt.res}, declared, now)
			left := 0
			for i := range out[0].Findings {
				if f := &out[0].Findings[i]; f.Decides() {
					left++
				} else if f.Exception.Source != "eksafe.yaml:7" || f.Exception.Reason != "r" {
					t.Errorf("accepted by %+v", f.Exception)
				}
			}
			var states []review.State
			for _, x := range v.Exceptions {
				states = append(states, x.State)
			}
			if out[0].Verdict != tt.verdict || left != tt.left || !slices.Equal(states, tt.states) {
				t.Errorf("%s, %d left, %v; want %s, %d, %v", out[0].Verdict, left, states, tt.verdict, tt.left, tt.states)
			}
			if out[0].Verdict == finding.Unknown && out[0].Why == "" {
				t.Error("unknown without a why")
			}
			if !slices.EqualFunc(before, tt.res.Findings, func(a, b finding.Finding) bool { return a.Exception == b.Exception }) {
				t.Error("the results that were given are changed")
			}
		})
	}
}

func TestAnnotations(t *testing.T) {
	day := "; expires=2027-01-31"
	for text, want := range map[string]struct {
		state review.State
		owner string
		why   string
	}{
		"c: it must" + day:               {review.Active, "shop", ""},
		"c: it must; so it is" + day:     {review.Active, "shop", ""},
		"c: it must; owner=me" + day:     {review.Active, "me", ""},
		"c: it must; expires=2026-11-22": {review.Expired, "shop", ""},
		"d: it must" + day:               {review.Refused, "shop", "does not allow"},
		"*: it must" + day:               {review.Refused, "shop", "write"},
		"c: it must":                     {review.Refused, "shop", "no expires"},
		"c: it must; expires=soon":       {review.Refused, "shop", "no day"},
		"c:" + day:                       {review.Refused, "shop", "no reason"},
		"invalid":                        {review.Refused, "shop", "write"},
		strings.Repeat("c: twice"+day+"\n", 19) + "\n": {review.Active, "shop", ""},
	} {
		w, other := workload("shop", "web"), workload("shop", "api")
		w.Annotations = map[string]string{review.Annotation: text}
		declared := &config.Config{
			Owners:      []config.Owner{{Namespaces: []string{"shop"}, Team: "shop"}},
			Annotations: config.Annotations{AllowExceptions: []string{"c"}},
		}
		v, _ := review.New("eksafe.yaml", declared, nil)
		out := v.Apply(graph(w, other), []control.Result{failing("c", w, other)}, declared, now)
		x := v.Exceptions[0]
		if x.State != want.state || x.Owner != want.owner || !strings.Contains(x.Why, want.why) {
			t.Errorf("%q: %s by %q, %q; want %+v", text, x.State, x.Owner, x.Why, want)
		}
		for _, f := range out[0].Findings {
			if f.Owner != "shop" {
				t.Errorf("owner %q", f.Owner)
			}
			if accepted := f.Exception != nil; accepted != (want.state == review.Active && f.Subject.Name == "web") {
				t.Errorf("%q: the finding of %s is accepted: %v", text, f.Subject.Name, accepted)
			}
		}
	}
}

func TestOneAnnotationAsksForSoMuch(t *testing.T) {
	w := workload("shop", "web")
	w.Annotations = map[string]string{review.Annotation: strings.Repeat("c: r; expires=2027-01-31\n", 500)}
	declared := &config.Config{Annotations: config.Annotations{AllowExceptions: []string{"*"}}}
	v, _ := review.New("", declared, nil)
	v.Apply(graph(w), nil, declared, now)
	if n := len(v.Exceptions); n != 21 || v.Exceptions[20].State != review.Refused && v.Count(review.Refused) != 1 {
		t.Errorf("%d exceptions, %d refused", n, v.Count(review.Refused))
	}
}

// Whatever an annotation says, it is listed, and it counts only if it is whole.
func FuzzAnnotation(f *testing.F) {
	for _, seed := range []string{"c: r; expires=2027-01-31", "c:;;expires=;owner=", "c: ; expires=2027-01-31; owner=x", "::", "c: r; expires=2027-01-31; more", "\n\n;\n"} {
		f.Add(seed)
	}
	w := workload("shop", "web")
	declared := &config.Config{Annotations: config.Annotations{AllowExceptions: []string{"*"}}}
	f.Fuzz(func(t *testing.T, text string) {
		w.Annotations = map[string]string{review.Annotation: text}
		v, _ := review.New("", declared, nil)
		out := v.Apply(graph(w), []control.Result{failing("c", w)}, declared, now)
		if len(v.Exceptions) == 0 && strings.TrimSpace(text) != "" {
			t.Errorf("%q is not listed", text)
		}
		for _, x := range v.Exceptions {
			if x.State != review.Refused && (x.Reason == "" || x.Control == "" || len(x.Expires) != len("2027-01-31")) {
				t.Errorf("%q counts as %+v", text, x)
			}
		}
		if x := out[0].Findings[0].Exception; x != nil && !strings.Contains(text, x.Reason) {
			t.Errorf("%q is accepted because of %q", text, x.Reason)
		}
	})
}

func TestControls(t *testing.T) {
	low := finding.Low
	a, b, c := &control.Control{ID: "a", Severity: finding.High}, &control.Control{ID: "b", Severity: finding.High}, &control.Control{ID: "c", Severity: finding.Low}
	declared := &config.Config{Controls: []config.Override{
		{ID: "a", Severity: &low, Reason: "r", Line: 3}, {ID: "b", Disabled: true, Reason: "elsewhere", Line: 5}, {ID: "c", Severity: &low},
	}}
	v, run := review.New("eksafe.yaml", declared, []*control.Control{a, b, c})
	if len(run) != 2 || run[0].ID != "a" || run[0].Severity != finding.Low || run[1] != c {
		t.Errorf("run %+v", run)
	}
	if a.Severity != finding.High {
		t.Error("the control itself is changed")
	}
	if len(v.Disabled) != 1 || v.Disabled[0].Source != "eksafe.yaml:5" || v.Disabled[0].Reason != "elsewhere" {
		t.Errorf("disabled %+v", v.Disabled)
	}
	if len(v.Severities) != 1 || v.Severities[0].Was != finding.High || v.Severities[0].Is != finding.Low {
		t.Errorf("severities %+v", v.Severities)
	}
}

func TestTheFirstOwnerAnswers(t *testing.T) {
	web, job, ns := workload("shop", "web"), workload("other", "job"), workload("none", "x")
	declared := &config.Config{Owners: []config.Owner{
		{Namespaces: []string{"sh*"}, Team: "first"}, {Namespaces: []string{"shop", "other"}, Team: "second"},
	}}
	v, _ := review.New("", declared, nil)
	out := v.Apply(graph(web, job, ns), []control.Result{failing("c", web, job, ns)}, declared, now)
	got := map[string]string{}
	for _, f := range out[0].Findings {
		got[f.Subject.Name] = f.Owner
	}
	if got["web"] != "first" || got["job"] != "second" || got["x"] != "" {
		t.Errorf("owners %v", got)
	}
}

// Ten thousand findings and ten thousand exceptions are not a hundred million
// questions.
func BenchmarkApply(b *testing.B) {
	var ws []*estate.Workload
	declared := &config.Config{}
	for i := range 10_000 {
		w := workload(fmt.Sprintf("ns-%d", i%500), fmt.Sprintf("w-%d", i))
		ws = append(ws, w)
		declared.Exceptions = append(declared.Exceptions, exception("c-1", estate.Workloads.Ref(w).ID, "2027-01-31"))
	}
	for i := range 100 {
		declared.Exceptions = append(declared.Exceptions, exception(fmt.Sprintf("c-%d", i%10), fmt.Sprintf("deployment/ns-%d/*", i), "2027-01-31"))
	}
	g := graph(ws...)
	var results []control.Result
	for i := range 10 {
		results = append(results, failing(fmt.Sprintf("c-%d", i), ws...))
	}
	for b.Loop() {
		v, _ := review.New("eksafe.yaml", declared, nil)
		v.Apply(g, results, declared, now)
	}
}
