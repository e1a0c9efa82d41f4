package report

import (
	"testing"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/trace"
)

func TestWithin(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"", "", true},
		{"", "spec", false},
		{"spec.tls", "spec.tls", true},
		{"spec.tls", "spec.tls[0].hosts", true},
		{"spec.tls.mode", "spec.tls", true},
		{"spec.tls", "spec.tlsMode", false},
		{"spec.a", "spec.b", false},
		{"metadata.annotations[a/listen-ports]", "metadata.annotations", true},
	} {
		if got := within(tt.a, tt.b); got != tt.want {
			t.Errorf("within(%q, %q) = %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestAttach(t *testing.T) {
	ingress := estate.NamedRef("Ingress", "Ingress", "shop", "web")
	internet := estate.Ref{Kind: internetKind, ID: "internet"}
	lb := &trace.LoadBalancer{Ref: estate.Ref{Kind: "LoadBalancer", ID: "predicted:" + ingress.ID}, DeclaredBy: []trace.Place{{Subject: ingress}}}
	web := &estate.Workload{Controller: "Deployment"}
	web.Namespace, web.Name = "shop", "web"
	webRef := estate.Workloads.Ref(web)
	entry := &trace.Hop{From: internet, To: lb.Ref, Places: []trace.Place{{Subject: ingress, Field: "spec.tls"}}}
	target := &trace.Hop{From: lb.Ref, To: webRef, Server: web, Places: []trace.Place{{Subject: webRef, Field: "spec.ports[0]"}, {Subject: ingress, Field: "spec.tls"}}}
	graph := &trace.Graph{
		LoadBalancers: []*trace.LoadBalancer{lb},
		Applications: []*trace.Application{{
			Workloads: []*estate.Workload{web},
			// The hops stand in two paths and are still one each.
			Paths: []trace.Path{{Hops: []*trace.Hop{entry, target}}, {Hops: []*trace.Hop{entry, target}}},
		}},
	}
	for _, tt := range []struct {
		name, family string
		subject      estate.Ref
		field        string
		hops         []*trace.Hop
		node         estate.Ref
	}{
		{"same field", "transit", ingress, "spec.tls", []*trace.Hop{entry, target}, estate.Ref{}},
		{"field within the place", "transit", ingress, "spec.tls[0].hosts", []*trace.Hop{entry, target}, estate.Ref{}},
		{"place within the field", "rest", webRef, "spec.ports", []*trace.Hop{target}, estate.Ref{}},
		{"other family", "edge", ingress, "spec.tls", nil, lb.Ref},
		{"other field", "transit", webRef, "spec.hostNetwork", nil, webRef},
		{"declares the load balancer", "transit", ingress, "spec.rules", nil, lb.Ref},
		{"nowhere on a path", "transit", estate.NamedRef("Namespace", "Namespace", "", "shop"), "metadata.labels", nil, estate.Ref{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &Report{
				Graph:    graph,
				Describe: func(string) Description { return Description{Family: tt.family} },
				Results: []control.Result{{
					Control: &control.Control{ID: "c"}, Verdict: finding.Fail,
					Findings: []finding.Finding{{Control: "c", Subject: tt.subject, Field: tt.field, Severity: finding.High}},
				}},
			}
			a := r.attach()
			f := &r.Results[0].Findings[0]
			if len(a.hops) != len(tt.hops) {
				t.Errorf("on %d hops, want %d", len(a.hops), len(tt.hops))
			}
			for _, h := range tt.hops {
				if fs := a.hops[h]; len(fs) != 1 || fs[0] != f {
					t.Errorf("on hop %s → %s: %d findings, want it once", h.From, h.To, len(fs))
				}
			}
			want := 1
			if tt.node.IsZero() {
				want = 0
			}
			if len(a.nodes) != want || want == 1 && (len(a.nodes[tt.node]) != 1 || a.nodes[tt.node][0] != f) {
				t.Errorf("on nodes %v, want %q", a.nodes, tt.node.ID)
			}
		})
	}
}

// One annotation that breaks two controls is one thing to mend; the same words
// about many workloads are one thing too.
func TestCauses(t *testing.T) {
	ref := func(name string) estate.Ref { return estate.NamedRef("Workload", "Deployment", "shop", name) }
	result := func(id string, fs ...finding.Finding) control.Result {
		for i := range fs {
			fs[i].Control = id
		}
		return control.Result{Control: &control.Control{ID: id}, Verdict: finding.Fail, Findings: fs}
	}
	r := &Report{Results: []control.Result{
		result("a",
			finding.Finding{Subject: ref("web"), Field: "f", Message: "web is open", Severity: finding.High},
			finding.Finding{Subject: ref("api"), Field: "f", Message: "api is open", Severity: finding.Critical},
			finding.Finding{Subject: ref("cron"), Field: "g", Message: "another thing", Severity: finding.Low}),
		result("b",
			finding.Finding{Subject: ref("web"), Field: "f", Message: "too open", Severity: finding.Low},
			finding.Finding{Subject: ref("api"), Field: "f", Message: "too open", Severity: finding.Low}),
	}}
	got := r.causes((*finding.Finding).Decides)
	if len(got) != 2 {
		t.Fatalf("%d causes, want 2", len(got))
	}
	if g := got[0]; g.subjects != 2 || len(g.members) != 4 || g.lead.Message != "api is open" || len(g.controls) != 2 {
		t.Errorf("first cause: %d subjects, %d members, %v, lead %q", g.subjects, len(g.members), g.controls, g.lead.Message)
	}
	if g := got[1]; g.subjects != 1 || g.lead.Message != "another thing" {
		t.Errorf("second cause: %d subjects, lead %q", g.subjects, g.lead.Message)
	}
}

func TestShorten(t *testing.T) {
	var groups []*causeGroup
	for range 10 {
		groups = append(groups, &causeGroup{controls: []string{"a"}, subjects: 2})
	}
	for range 3 {
		groups = append(groups, &causeGroup{controls: []string{"b"}, subjects: 1})
	}
	out, omitted := shorten(groups, 2, 3, map[*causeGroup]bool{groups[9]: true})
	if len(out) != 3 || out[2] != groups[9] || omitted != 3 {
		t.Errorf("%d shown, %d omitted", len(out), omitted)
	}
	if out[1].more != 7 || out[1].moreSubjects != 14 {
		t.Errorf("folded %d causes of %d subjects, want 7 of 14", out[1].more, out[1].moreSubjects)
	}
}

func TestUnlikeJoinsWhatDiffersInNamesOnly(t *testing.T) {
	app := func(name string, e trace.Encryption, why string) *portrait {
		web := estate.NamedRef("Workload", "Deployment", "shop", name)
		db := estate.Ref{Kind: "Database", Name: name + "-db", ID: "arn:" + name}
		return &portrait{
			app:   &trace.Application{Name: name},
			nodes: []estate.Ref{web, db},
			hops:  []*trace.Hop{{From: web, To: db, Encryption: e, Why: why}},
		}
	}
	got := unlike([]*portrait{
		app("web", trace.Plaintext, "web says sslmode=disable"),
		app("api", trace.Plaintext, "api says sslmode=disable"),
		app("cron", trace.Plaintext, "cron does not say"),
		app("feed", trace.Optional, "feed says sslmode=disable"),
	})
	if len(got) != 3 || got[0].alike != 1 || got[1].alike != 0 {
		t.Errorf("%d kinds, the first with %d more", len(got), got[0].alike)
	}
}
