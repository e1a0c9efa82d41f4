package control_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/control/controltest"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/trace"
)

// estateOf returns an estate of clusters whose kinds have the given states;
// kinds that are not named were not asked for.
func estateOf(names []string, states map[estate.Kind]estate.State) *estate.Estate {
	e := &estate.Estate{}
	for _, n := range names {
		estate.Clusters.Add(e, &estate.Cluster{AWS: estate.AWS{Arn: "arn:" + n}, Name: n})
	}
	s := estate.Source{Kind: estate.AWSSource, Name: "test"}
	for _, k := range estate.Kinds() {
		if state, ok := states[k.Kind]; ok {
			c := estate.Coverage{Kind: k.Kind, State: state}
			if state != estate.Read {
				c.Why = "AccessDenied"
			}
			s.Coverage = append(s.Coverage, c)
		}
	}
	e.Sources = []estate.Source{s}
	return e
}

func run(e *estate.Estate, check control.Check) control.Result {
	c := &control.Control{ID: "test", Severity: control.Medium, Check: check}
	return control.Run(trace.New(e), []*control.Control{c}, controltest.Now, nil)[0]
}

func TestLeftOutSaysHow(t *testing.T) {
	e := estateOf(nil, map[estate.Kind]estate.State{"Cluster": estate.NotAsked})
	res := run(e, control.Each(estate.Clusters, func(*control.Subject, *estate.Cluster) {}))
	// The source's own reason, not the advice to add --aws.
	if res.Verdict != finding.Unknown || res.Why != "Cluster was not read: AccessDenied" {
		t.Errorf("%s: %q", res.Verdict, res.Why)
	}
}

// Not judged is never a pass: the table of all ways in which data is missing.
func TestVerdict(t *testing.T) {
	pass := func(*control.Subject, *estate.Cluster) {}
	fail := func(s *control.Subject, _ *estate.Cluster) { s.Failf("version", "it is old") }
	unknown := func(s *control.Subject, _ *estate.Cluster) { s.Unknownf("who knows") }
	passOver := func(s *control.Subject, _ *estate.Cluster) { s.NotApplicable() }
	one, read := []string{"a"}, map[estate.Kind]estate.State{"Cluster": estate.Read}
	with := func(k estate.Kind, s estate.State) map[estate.Kind]estate.State {
		return map[estate.Kind]estate.State{"Cluster": estate.Read, k: s}
	}
	for name, tt := range map[string]struct {
		names    []string
		states   map[estate.Kind]estate.State
		judge    func(*control.Subject, *estate.Cluster)
		required []estate.Kind
		helped   []estate.Kind
		want     finding.Verdict
		why      string
	}{
		"all read, all well":         {names: one, states: read, judge: pass, want: finding.Pass},
		"all read, one fails":        {names: one, states: read, judge: fail, want: finding.Fail},
		"subject cannot be judged":   {names: one, states: read, judge: unknown, want: finding.Unknown, why: "who knows"},
		"two cannot be judged":       {names: []string{"a", "b"}, states: read, judge: unknown, want: finding.Unknown, why: "and 1 more"},
		"subject passed over":        {names: one, states: read, judge: passOver, want: finding.NotApplicable},
		"no subject":                 {states: read, judge: pass, want: finding.NotApplicable},
		"subjects not asked for":     {judge: pass, want: finding.Unknown, why: "add --aws"},
		"subjects denied":            {states: map[estate.Kind]estate.State{"Cluster": estate.Denied}, judge: pass, want: finding.Unknown, why: "AccessDenied"},
		"subjects read in part":      {names: one, states: map[estate.Kind]estate.State{"Cluster": estate.Unavailable}, judge: pass, want: finding.Unknown, why: "AccessDenied"},
		"read in part, one fails":    {names: one, states: map[estate.Kind]estate.State{"Cluster": estate.Denied}, judge: fail, want: finding.Fail},
		"required kind not asked":    {names: one, states: read, judge: fail, required: []estate.Kind{"Key"}, want: finding.Unknown, why: "add --aws"},
		"required kind denied":       {names: one, states: with("Key", estate.Denied), judge: fail, required: []estate.Kind{"Key"}, want: finding.Unknown, why: "Key could not be read"},
		"required kind read":         {names: one, states: with("Key", estate.Read), judge: pass, required: []estate.Kind{"Key"}, want: finding.Pass},
		"helping kind not asked":     {names: one, states: read, judge: pass, helped: []estate.Kind{"Key"}, want: finding.Pass},
		"helping kind denied":        {names: one, states: with("Key", estate.Denied), judge: pass, helped: []estate.Kind{"Key"}, want: finding.Unknown, why: "Key could not be read"},
		"helping kind denied, fails": {names: one, states: with("Key", estate.Denied), judge: fail, helped: []estate.Kind{"Key"}, want: finding.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(estateOf(tt.names, tt.states), control.Each(estate.Clusters, tt.judge, tt.required...).Helped(tt.helped...))
			if r.Verdict != tt.want || !strings.Contains(r.Why, tt.why) {
				t.Errorf("%s because %q, want %s because %q", r.Verdict, r.Why, tt.want, tt.why)
			}
			if (r.Verdict == finding.Unknown || r.Verdict == finding.NotApplicable) && r.Why == "" {
				t.Error("no reason")
			}
		})
	}
}

// Of the kinds that hold the subjects of a trace one is enough.
func TestTracedNeedsOneKind(t *testing.T) {
	none := func(*trace.Graph) []int { return nil }
	some := func(*trace.Graph) []int { return []int{1} }
	for name, tt := range map[string]struct {
		list   func(*trace.Graph) []int
		states map[estate.Kind]estate.State
		want   finding.Verdict
	}{
		"a subject of the one that was read": {some, map[estate.Kind]estate.State{"Ingress": estate.Read}, finding.Pass},
		"none, and the other may have some":  {none, map[estate.Kind]estate.State{"Ingress": estate.Read}, finding.Unknown},
		"none, and both were read":           {none, map[estate.Kind]estate.State{"Ingress": estate.Read, "LoadBalancer": estate.Read}, finding.NotApplicable},
		"the other was denied":               {some, map[estate.Kind]estate.State{"Ingress": estate.Read, "LoadBalancer": estate.Denied}, finding.Unknown},
		"nobody was asked":                   {some, nil, finding.Unknown},
	} {
		check := control.Traced(tt.list, func(int) trace.Place { return trace.Place{} }, func(*control.Subject, int) {},
			estate.Ingresses.Kind, estate.LoadBalancers.Kind)
		if r := run(estateOf(nil, tt.states), check); r.Verdict != tt.want {
			t.Errorf("%s: %s because %q, want %s", name, r.Verdict, r.Why, tt.want)
		}
	}
}

func TestWhere(t *testing.T) {
	check := control.Each(estate.Clusters, func(s *control.Subject, _ *estate.Cluster) { s.Failf("", "bad") }).
		Where(func(*trace.Graph) (bool, string) { return false, "nothing to judge here" })
	r := run(estateOf([]string{"a"}, map[estate.Kind]estate.State{"Cluster": estate.Read}), check)
	if r.Verdict != finding.NotApplicable || r.Why != "nothing to judge here" {
		t.Errorf("%s because %q", r.Verdict, r.Why)
	}
}

// An undeclared read would turn a kind that was denied into a pass.
func TestUndeclaredReadPanics(t *testing.T) {
	e := estateOf([]string{"a"}, map[estate.Kind]estate.State{"Cluster": estate.Read})
	for name, read := range map[string]func(*control.Subject){
		"All":  func(s *control.Subject) { control.All(s, estate.Keys) },
		"Find": func(s *control.Subject) { control.Find(s, estate.Keys, "x") },
		"Read": func(s *control.Subject) { s.Read(estate.Keys.Kind) },
	} {
		c := &control.Control{ID: "greedy"}
		var got any
		c.Check = control.Each(estate.Clusters, func(s *control.Subject, _ *estate.Cluster) {
			defer func() { got = recover() }()
			read(s)
		})
		control.Run(trace.New(e), []*control.Control{c}, controltest.Now, nil)
		if got == nil || !strings.Contains(fmt.Sprint(got), "greedy reads Key without declaring it") {
			t.Errorf("%s: panic %v", name, got)
		}
	}
}

func TestOneCauseIsOneFinding(t *testing.T) {
	key := trace.Place{Subject: estate.Ref{Kind: "Key", Name: "k", ID: "k"}, Field: "enableKeyRotation"}
	r := run(estateOf([]string{"a", "b"}, map[estate.Kind]estate.State{"Cluster": estate.Read}),
		control.Each(estate.Clusters, func(s *control.Subject, _ *estate.Cluster) {
			s.FailAt(key, "it does not rotate")
			s.FailAt(trace.Place{Field: "version"}, "at the subject itself")
		}))
	if len(r.Findings) != 3 || r.Subjects != 2 {
		t.Fatalf("%d findings of %d subjects: %v", len(r.Findings), r.Subjects, r.Findings)
	}
	prints := map[string]bool{}
	for _, f := range r.Findings {
		prints[f.Fingerprint] = true
	}
	if len(prints) != 3 {
		t.Errorf("fingerprints are not different: %v", r.Findings)
	}
	if id := r.Findings[0].Subject.ID; id != "arn:a" {
		t.Errorf("a place without subject stands at %s, want the subject under judgement", id)
	}
}

func TestExpectedDoesNotCount(t *testing.T) {
	r := run(estateOf([]string{"a", "b"}, map[estate.Kind]estate.State{"Cluster": estate.Read}),
		control.Each(estate.Clusters, func(s *control.Subject, c *estate.Cluster) {
			if c.Name == "a" {
				s.Expected("by design")
			}
		}))
	if r.Verdict != finding.Pass || r.Subjects != 1 || len(r.Expected) != 1 || r.Expected[0].Why != "by design" {
		t.Errorf("%s, %d subjects, expected %v", r.Verdict, r.Subjects, r.Expected)
	}
}

// What the internet reaches weighs more, what only the own network reaches
// less.
func TestExposureMovesSeverity(t *testing.T) {
	e, err := controltest.Secure()
	if err != nil {
		t.Fatal(err)
	}
	g := trace.New(e)
	controls := []*control.Control{
		{ID: "workloads", Severity: control.Medium, Check: control.Each(estate.Workloads, func(s *control.Subject, _ *estate.Workload) { s.Failf("", "bad") })},
		{ID: "balancers", Severity: control.Medium, Check: control.Each(estate.LoadBalancers, func(s *control.Subject, _ *estate.LoadBalancer) { s.Failf("", "bad") })},
	}
	got := map[string]finding.Finding{}
	for _, r := range control.Run(g, controls, controltest.Now, nil) {
		for _, f := range r.Findings {
			got[f.Subject.Name] = f
		}
	}
	for name, want := range map[string]finding.Severity{
		"web":                          control.High,   // behind the ALB
		"report":                       control.Medium, // nobody reaches it
		"mqtt":                         control.Medium, // from the inside: a workload stays as it is
		"k8s-shopprod-shop-1a2b3c4d5e": control.Medium,
		"k8s-devicesp-mqtt-6a5b4c3d2e": control.Low, // internal
	} {
		if got[name].Severity != want {
			t.Errorf("%s: %s, want %s (%v)", name, got[name].Severity, want, got[name].Context)
		}
	}
	if c := got["web"].Context; len(c) != 1 || !strings.HasPrefix(c[0], "reachable from the internet via ") {
		t.Errorf("context of web: %v", c)
	}
}

// What only matters to whoever reaches an endpoint weighs less where nobody does,
// and only where that is certain.
func TestFacingMovesSeverity(t *testing.T) {
	e := &estate.Estate{}
	var read []estate.Coverage
	for _, k := range estate.Kinds() {
		read = append(read, estate.Coverage{Kind: k.Kind, State: estate.Read})
	}
	e.Sources = []estate.Source{{Kind: estate.KubernetesSource, Name: "test", Coverage: read}}
	estate.Addons.Add(e, &estate.Addon{AWS: estate.AWS{Arn: "vpc-cni"}, AddonName: "vpc-cni", EnableNetworkPolicy: estate.Known(true)})
	refs := map[string]estate.Ref{}
	for _, name := range []string{"shop/web", "shop/job", "blog/web"} {
		namespace, app, _ := strings.Cut(name, "/")
		w := &estate.Workload{Controller: "Deployment", ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: app}}
		w.Template.Labels = map[string]string{"app": app}
		estate.Workloads.Add(e, w)
		refs[name] = estate.Workloads.Ref(w)
	}
	deny := &estate.Resource[networkingv1.NetworkPolicy]{}
	deny.Object.Namespace, deny.Object.Name = "shop", "deny"
	deny.Object.Spec.PodSelector.MatchLabels = map[string]string{"app": "job"}
	estate.NetworkPolicies.Add(e, deny)
	const (
		alone  = "reachable from nowhere: NetworkPolicy shop/deny isolates it"
		others = "reachable from other tenants: blog/web at every port"
	)
	for _, tt := range []struct {
		name, subject string
		severity      finding.Severity
		facing        []string
		want          string
	}{
		{"it faces nobody", "shop/job", control.High, []string{"shop/job"}, "medium " + alone},
		{"the worst weighs less as well", "shop/job", control.Critical, []string{"shop/job"}, "high " + alone},
		{"low is the least", "shop/job", control.Low, []string{"shop/job"}, "low " + alone},
		{"it is no matter of the network", "shop/job", control.High, nil, "high " + alone},
		{"somebody reaches it", "shop/web", control.High, []string{"shop/web"}, "high " + others},
		{"somebody reaches one of them", "shop/job", control.High, []string{"shop/job", "shop/web"}, "high " + alone},
		{"what it faces is another", "shop/web", control.High, []string{"shop/job"}, "medium " + others + ", job is " + alone},
		{"what it faces is no endpoint", "shop/job", control.High, []string{"shop/none"}, "high " + alone},
	} {
		c := &control.Control{ID: "test", Severity: tt.severity, Check: control.Each(estate.Workloads, func(s *control.Subject, w *estate.Workload) {
			if s.Ref() != refs[tt.subject] {
				return
			}
			var facing []estate.Ref
			for _, name := range tt.facing {
				facing = append(facing, refs[name])
			}
			s.Facing(facing...)
			s.Failf("", "bad")
		})}
		f := control.Run(trace.New(e), []*control.Control{c}, controltest.Now, nil)[0].Findings[0]
		if got := f.Severity.String() + " " + strings.Join(f.Context, ", "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestRunKeepsOrder(t *testing.T) {
	var controls []*control.Control
	for i := range 50 {
		controls = append(controls, &control.Control{ID: fmt.Sprint(i), Check: control.Each(estate.Clusters, func(*control.Subject, *estate.Cluster) {})})
	}
	results := control.Run(trace.New(&estate.Estate{}), controls, controltest.Now, nil)
	if !slices.EqualFunc(results, controls, func(r control.Result, c *control.Control) bool { return r.Control == c }) {
		t.Error("results are not in the order of the controls")
	}
	if got := control.Run(trace.New(&estate.Estate{}), nil, controltest.Now, nil); len(got) != 0 {
		t.Errorf("no controls gave %d results", len(got))
	}
}

func TestLaunchTemplate(t *testing.T) {
	version := func(number string, standard, latest bool) *estate.LaunchTemplate {
		return &estate.LaunchTemplate{
			AWS: estate.AWS{Arn: "arn:lt" + number}, LaunchTemplateId: "lt-1", LaunchTemplateName: "nodes",
			VersionNumber: number, DefaultVersion: standard, LatestVersion: latest,
		}
	}
	e := estateOf([]string{"a"}, map[estate.Kind]estate.State{"Cluster": estate.Read, "LaunchTemplate": estate.Read})
	estate.LaunchTemplates.Add(e, version("1", true, false), version("2", false, false), version("3", false, true),
		&estate.LaunchTemplate{AWS: estate.AWS{Arn: "cfn:x.yaml#T"}, LaunchTemplateId: "cfn:x.yaml#T"})
	for ref, want := range map[estate.LaunchTemplateReference]string{
		{Id: "lt-1", Version: "2"}:           "arn:lt2",
		{Id: "lt-1", Version: "$Latest"}:     "arn:lt3",
		{Id: "lt-1", Version: "$Default"}:    "arn:lt1",
		{Name: "nodes"}:                      "arn:lt1",
		{Id: "lt-1", Version: "9"}:           "",
		{Id: "lt-2", Version: "1"}:           "",
		{Id: "cfn:x.yaml#T", Version: "any"}: "cfn:x.yaml#T",
	} {
		run(e, control.Each(estate.Clusters, func(s *control.Subject, _ *estate.Cluster) {
			got := ""
			if lt, ok := control.LaunchTemplate(s, ref); ok {
				got = lt.Arn
			}
			if got != want {
				t.Errorf("%v: %q, want %q", ref, got, want)
			}
		}, estate.LaunchTemplates.Kind))
	}
}

func TestRaise(t *testing.T) {
	e := estateOf([]string{"a", "b", "c"}, map[estate.Kind]estate.State{estate.Clusters.Kind: estate.Read})
	got := map[string]string{}
	for _, f := range run(e, control.Each(estate.Clusters, func(s *control.Subject, c *estate.Cluster) {
		switch c.Name {
		case "a":
			s.Raise(control.Critical, "%s is the worst", c.Name)
		case "b":
			s.Raise(control.Low, "it hardly matters")
		}
		s.Failf("name", "bad")
	})).Findings {
		got[f.Subject.Name] = f.Severity.String() + " " + strings.Join(f.Context, ", ")
	}
	for name, want := range map[string]string{"a": "critical a is the worst", "b": "medium ", "c": "medium "} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
}
