package transit

import (
	"slices"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

// factsOf returns the facts of w: its own, and those of the ConfigMaps that it
// mounts or takes variables from. The control must declare ConfigMaps.
func factsOf(s *control.Subject, w *estate.Workload) []estate.Fact {
	out := slices.Clone(w.Facts)
	seen := map[string]bool{}
	for _, name := range configMapsOf(w) {
		if seen[name] {
			continue
		}
		seen[name] = true
		if c, ok := configMap(s, w.Namespace, name); ok {
			out = append(out, c.Facts...)
		}
	}
	return out
}

func configMap(s *control.Subject, namespace, name string) (*estate.ConfigMap, bool) {
	return control.Find(s, estate.ConfigMaps, estate.NamedRef(estate.ConfigMaps.Kind, string(estate.ConfigMaps.Kind), namespace, name).ID)
}

// configMapsOf returns the names of the ConfigMaps that w mounts or names in
// variables.
func configMapsOf(w *estate.Workload) []string {
	var out []string
	for _, v := range w.Template.Spec.Volumes {
		out = append(out, mapsOfVolume(w, v.Name)...)
	}
	for _, f := range w.Facts {
		if f.ValueFrom != nil && f.ValueFrom.Kind == "ConfigMap" {
			out = append(out, f.ValueFrom.Name)
		}
	}
	return out
}

func mapsOfVolume(w *estate.Workload, volume string) []string {
	var out []string
	for _, v := range w.Template.Spec.Volumes {
		if v.Name != volume {
			continue
		}
		if v.ConfigMap != nil {
			out = append(out, v.ConfigMap.Name)
		}
		if v.Projected != nil {
			for _, src := range v.Projected.Sources {
				if src.ConfigMap != nil {
					out = append(out, src.ConfigMap.Name)
				}
			}
		}
	}
	return out
}
