package browser_test

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/reach"
	"github.com/eksafe/eksafe/internal/report"
	"github.com/eksafe/eksafe/internal/trace"
)

// reachPage is who reaches whom of workloads that nothing isolates.
func reachPage(names ...string) *report.Reach {
	e := &estate.Estate{}
	for _, name := range names {
		w := &estate.Workload{Controller: "Deployment", ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
		w.Template.Spec.Containers = []corev1.Container{{Name: "c"}}
		estate.Workloads.Add(e, w)
	}
	n := reach.New(trace.New(e))
	return &report.Reach{Estate: e, ToolVersion: "test", Matrix: n.Matrix(func(e *reach.Endpoint) string {
		if e.Workload == nil {
			return ""
		}
		return e.Name
	})}
}

func TestReachIsFiltered(t *testing.T) {
	b := open(t, reachPage("web", "api", "job"), 1280, 900)
	b.contains("h1", "Who reaches whom")
	if n := b.count(".grid tbody tr"); n != 3 {
		t.Errorf("the grid has %d rows, want 3", n)
	}
	if n := b.count(".grid td.every"); n != 9 {
		t.Errorf("%d cells are every port, want 9", n)
	}
	for text, want := range map[string]int{"": 6, "web api": 2, "WEB": 4, "nobody": 0} {
		shown := evaluate[int](b, fmt.Sprintf(`(() => {
			const filter = document.getElementById("filter");
			filter.value = %q;
			filter.dispatchEvent(new Event("input"));
			return [...document.querySelectorAll(".edges tbody tr")].filter((row) => !row.hidden).length;
		})()`, text))
		if shown != want {
			t.Errorf("filtered by %q, %d connections are shown, want %d", text, shown, want)
		}
	}
}

func TestReachOfHostileNamesIsText(t *testing.T) {
	b := open(t, reachPage("web", `<img src=x onerror=console.error(1)>`, `"><script>console.error(2)</script>`), 375, 800)
	if n := b.count("img, .edges script, .grid script"); n != 0 {
		t.Errorf("%d elements came of names", n)
	}
	if wide := evaluate[bool](b, "document.documentElement.scrollWidth > innerWidth + 1"); wide {
		t.Error("on a phone the page scrolls sideways, not only its grid")
	}
}
