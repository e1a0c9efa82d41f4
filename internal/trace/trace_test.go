package trace_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/kubeobject"
	"github.com/eksafe/eksafe/internal/trace"
)

var update = flag.Bool("update", false, "rewrite the paths in testdata")

// TestTrace reads stories: prose, Kubernetes manifests in k8s.yaml, AWS
// resources by kind in aws.yaml, and in paths what trace says of them.
func TestTrace(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			story, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			e := &estate.Estate{}
			var want []byte
			pathsAt := -1
			for i, f := range story.Files {
				switch f.Name {
				case "k8s.yaml":
					addManifests(t, e, f.Data)
				case "aws.yaml":
					addAWS(t, e, f.Data)
				case "paths":
					want, pathsAt = f.Data, i
				default:
					t.Fatalf("unknown part %s", f.Name)
				}
			}
			got := render(trace.New(e))
			if *update {
				if pathsAt < 0 {
					story.Files = append(story.Files, txtar.File{Name: "paths"})
					pathsAt = len(story.Files) - 1
				}
				story.Files[pathsAt].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(story), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("paths differ (-want +got; -update rewrites them):\n%s", diff)
			}
		})
	}
}

func addManifests(t testing.TB, e *estate.Estate, data []byte) {
	t.Helper()
	var d kubeobject.Decoder
	for doc := range bytes.SplitSeq(data, []byte("\n---\n")) {
		js, err := yaml.YAMLToJSON(doc)
		if err != nil {
			t.Fatal(err)
		}
		var head struct{ APIVersion, Kind string }
		if err := json.Unmarshal(js, &head); err != nil {
			t.Fatal(err)
		}
		flaws, err := d.Add(e, head.APIVersion, head.Kind, js, estate.Origin{File: "k8s.yaml", Line: 1}, true)
		if err != nil || len(flaws) > 0 {
			t.Fatalf("%s: %v %v", head.Kind, err, flaws)
		}
	}
	d.Finish(e)
	src := estate.Source{Kind: estate.ManifestSource, Name: "k8s.yaml"}
	for _, k := range estate.Kinds() {
		if k.Provider == estate.KubernetesProvider {
			src.Coverage = append(src.Coverage, estate.Coverage{Kind: k.Kind, State: estate.Read, Count: k.Len(e)})
		}
	}
	e.Sources = append(e.Sources, src)
}

func addAWS(t testing.TB, e *estate.Estate, data []byte) {
	t.Helper()
	var kinds map[estate.Kind]json.RawMessage
	if err := yaml.UnmarshalStrict(data, &kinds); err != nil {
		t.Fatal(err)
	}
	for kind, items := range kinds {
		info, err := estate.KindOf(kind)
		if err != nil {
			t.Fatal(err)
		}
		err = info.Decode(e, func(into any) error {
			strict, err := kjson.UnmarshalStrict(items, into)
			if len(strict) > 0 {
				return strict[0]
			}
			return err
		})
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
	}
	src := estate.Source{Kind: estate.AWSSource, Name: "account"}
	for _, k := range estate.Kinds() {
		if k.Provider == estate.AWSProvider {
			src.Coverage = append(src.Coverage, estate.Coverage{Kind: k.Kind, State: estate.Read, Count: k.Len(e)})
		}
	}
	e.Sources = append(e.Sources, src)
}

// render writes the applications, one path a block.
func render(g *trace.Graph) string {
	var b strings.Builder
	for _, app := range g.Applications {
		fmt.Fprintf(&b, "%s/%s exposed %d\n", app.Namespace, app.Name, app.Exposed)
		for _, p := range app.Paths {
			for i, h := range p.Hops {
				if i == 0 {
					fmt.Fprintf(&b, "  %s\n", name(h.From))
				}
				fmt.Fprintf(&b, "  -> %s %s:%d %s", name(h.To), h.Protocol, h.Port, h.Encryption)
				if h.Broken {
					b.WriteString(" BROKEN")
				}
				if h.PeerVerified != trace.Unclear {
					fmt.Fprintf(&b, " verified=%s", h.PeerVerified)
				}
				if h.By != "" {
					fmt.Fprintf(&b, " by %q", h.By)
				}
				fmt.Fprintf(&b, " %q", h.Why)
				for _, at := range h.Places {
					fmt.Fprintf(&b, "\n       %s %s", at.Subject.ID, at.Field)
				}
				b.WriteString("\n")
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

func name(r estate.Ref) string { return string(r.Kind) + " " + r.Name }
