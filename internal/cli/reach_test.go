package cli

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/report"
	"github.com/eksafe/eksafe/internal/trace"
)

// A matrix that nobody asked to be by application is by namespace if that would
// be too large, and says so in every form; one that somebody did is as asked.
func TestMatrixIsFolded(t *testing.T) {
	e := &estate.Estate{}
	for i := range 12 {
		w := &estate.Workload{Controller: "Deployment", ObjectMeta: metav1.ObjectMeta{Namespace: fmt.Sprint("team-", i%2), Name: fmt.Sprint("app-", i)}}
		estate.Workloads.Add(e, w)
	}
	g := trace.New(e)
	draw := func(c reachConfig, cells int) *report.Reach {
		r := &report.Reach{Estate: e}
		drawMatrix(r, g, &c, cells)
		return r
	}
	const enough, few = 1000, 100 // 12 applications reach 12, and addresses
	for _, c := range []struct {
		config reachConfig
		cells  int
		by     string
		folded bool
	}{
		{reachConfig{group: "application"}, enough, "application", false},
		{reachConfig{group: "application"}, few, "namespace", true},
		{reachConfig{group: "application", chosen: true}, few, "application", false},
		{reachConfig{group: "workload", chosen: true}, few, "workload", false},
	} {
		r := draw(c.config, c.cells)
		if r.GroupedBy != c.by || (r.Folded != "") != c.folded {
			t.Errorf("%+v within %d is by %s: %q", c.config, c.cells, r.GroupedBy, r.Folded)
		}
		byNamespace := false
		for _, group := range r.Matrix.Groups {
			byNamespace = byNamespace || group.Name == "team-0"
		}
		if byNamespace != c.folded {
			t.Errorf("%+v within %d: by namespace is %v", c.config, c.cells, byNamespace)
		}
		var text, js, html strings.Builder
		for _, err := range []error{r.WriteText(&text, report.Options{Width: 300}), r.WriteJSON(&js), r.WriteHTML(&html)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		const why = "grouped by namespace: by application there are more than 100 connections"
		for form, out := range map[string]string{"text": text.String(), "json": js.String(), "html": html.String()} {
			if strings.Contains(out, why) != c.folded {
				t.Errorf("%+v within %d as %s: says that it is folded is %v", c.config, c.cells, form, !c.folded)
			}
		}
		if !strings.Contains(js.String(), `"by": "`+c.by+`"`) {
			t.Errorf("%+v within %d: the JSON does not say that it is by %s", c.config, c.cells, c.by)
		}
	}
}
