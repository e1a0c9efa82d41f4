package control_test

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/control/controltest"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/trace"
)

func pods(names ...string) *corev1.PodTemplateSpec {
	t := &corev1.PodTemplateSpec{}
	for _, n := range names {
		t.Spec.Containers = append(t.Spec.Containers, corev1.Container{Name: n})
	}
	return t
}

// shops are two namespaces with a workload each, and a cluster.
func shops() *trace.Graph {
	e := estateOf([]string{"prod"}, map[estate.Kind]estate.State{"Workload": estate.Read, "Namespace": estate.Read, "Cluster": estate.Read})
	for _, ns := range []string{"shop", "blog"} {
		estate.Workloads.Add(e, &estate.Workload{Controller: "Deployment", ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "web"}, Template: *pods("web")})
		estate.Namespaces.Add(e, &estate.Resource[corev1.Namespace]{Object: corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}})
	}
	return trace.New(e)
}

func TestScope(t *testing.T) {
	g := shops()
	everything := []*control.Control{
		{ID: "workloads", Severity: control.High, Check: control.Each(estate.Workloads, func(s *control.Subject, _ *estate.Workload) { s.Failf("spec", "bad") })},
		{ID: "namespaces", Severity: control.High, Check: control.Each(estate.Namespaces, func(s *control.Subject, _ *estate.Resource[corev1.Namespace]) { s.Unknownf("who knows") })},
		{ID: "clusters", Severity: control.High, Check: control.Each(estate.Clusters, func(s *control.Subject, _ *estate.Cluster) { s.Failf("version", "old") })},
	}
	for name, tt := range map[string]struct {
		scope  config.Scope
		judged []string
		apps   int
	}{
		"none":                 {config.Scope{}, []string{"deployment/blog/web", "deployment/shop/web", "namespace/shop", "namespace/blog", "arn:prod"}, 2},
		"a namespace":          {config.Scope{Namespaces: []string{"sh*"}}, []string{"deployment/shop/web", "namespace/shop", "arn:prod"}, 1},
		"not a namespace":      {config.Scope{ExcludeNamespaces: []string{"shop"}}, []string{"deployment/blog/web", "namespace/blog", "arn:prod"}, 1},
		"excluded wins":        {config.Scope{Namespaces: []string{"*"}, ExcludeNamespaces: []string{"*"}}, []string{"arn:prod"}, 0},
		"an application":       {config.Scope{Applications: []string{"shop/*"}}, []string{"deployment/shop/web", "arn:prod"}, 1},
		"nothing of that name": {config.Scope{Namespaces: []string{"nobody"}}, []string{"arn:prod"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, r := range control.Run(g, everything, controltest.Now, &config.Config{Scope: tt.scope}) {
				for _, f := range r.Findings {
					got = append(got, f.Subject.ID)
				}
				for _, gap := range r.Gaps {
					got = append(got, gap.Subject.ID)
				}
				if n := len(r.Findings) + len(r.Gaps); r.Subjects != n {
					t.Errorf("%s judged %d subjects, says %d", r.Control.ID, n, r.Subjects)
				}
				if r.Subjects == 0 && (r.Verdict != finding.NotApplicable || r.Why != "no subject is in the scope") {
					t.Errorf("%s is %s: %s", r.Control.ID, r.Verdict, r.Why)
				}
			}
			want := slices.Sorted(slices.Values(tt.judged))
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("judged %v, want %v", got, want)
			}
			if n := len(control.NewScope(g, &tt.scope).Limit(g).Applications); n != tt.apps {
				t.Errorf("%d applications in the report, want %d", n, tt.apps)
			}
		})
	}
}

// A container that is put before another must not take its fingerprint.
func TestFingerprintsKnowContainersByName(t *testing.T) {
	prints := func(names ...string) map[string]string {
		e := estateOf(nil, map[estate.Kind]estate.State{"Workload": estate.Read})
		w := &estate.Workload{Controller: "CronJob", ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Template: *pods(names...)}
		estate.Workloads.Add(e, w)
		out := map[string]string{}
		check := control.Each(estate.Workloads, func(s *control.Subject, w *estate.Workload) {
			for i, c := range w.Template.Spec.Containers {
				s.Failf(w.TemplateField("spec.containers["+string(rune('0'+i))+"].image"), "%s is bad", c.Name)
			}
		})
		for _, f := range run(e, check).Findings {
			out[f.Part] = f.Fingerprint
		}
		return out
	}
	alone, between := prints("web"), prints("cache", "web", "zipkin")
	if len(between) != 3 || between["web"] != alone["web"] || alone["web"] == "" {
		t.Errorf("alone %v, between others %v", alone, between)
	}
}

// Where findings are all that keeps a control from being unknown, the result
// says so: when they are accepted, it is.
func TestUnread(t *testing.T) {
	e := estateOf([]string{"a"}, map[estate.Kind]estate.State{"Cluster": estate.Denied})
	r := run(e, control.Each(estate.Clusters, func(s *control.Subject, _ *estate.Cluster) { s.Failf("version", "old") }))
	if r.Verdict != finding.Fail || r.Why != "" || r.Unread != "Cluster could not be read: AccessDenied" {
		t.Errorf("%s, why %q, unread %q", r.Verdict, r.Why, r.Unread)
	}
}
