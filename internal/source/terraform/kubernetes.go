package terraform

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"sigs.k8s.io/yaml"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/kubeobject"
)

// readKubernetesManifest reads an object of the cluster that stands in the plan
// as it is.
func readKubernetesManifest(res *resource) {
	manifest, ok := res.values["manifest"].(map[string]any)
	if !ok || res.isUnknown("manifest") {
		res.reader.problem("the manifest of "+res.address+" is not known before it is applied", "read the cluster live (--kube)")
		return
	}
	data, err := json.Marshal(manifest)
	if err != nil {
		return
	}
	res.addObject(data)
}

func readKubectlManifest(res *resource) {
	body, known := res.text("yaml_body").Get()
	if !known {
		res.reader.problem("the manifest of "+res.address+" is not known before it is applied", "read the cluster live (--kube)")
		return
	}
	data, err := yaml.YAMLToJSON([]byte(body))
	if err != nil {
		// The error may quote the manifest.
		res.reader.problem("the manifest of "+res.address+" is no YAML", "correct it")
		return
	}
	res.addObject(data)
}

func (res *resource) addObject(data []byte) {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := json.Unmarshal(data, &head); err != nil || head.Kind == "" {
		res.reader.problem("the manifest of "+res.address+" has no kind", "correct it")
		return
	}
	_, err := res.reader.cluster.Add(res.reader.estate, head.APIVersion, head.Kind, data, estate.Origin{File: res.reader.file}, false)
	switch {
	case errors.Is(err, kubeobject.ErrUnknownKind):
		res.reader.ignored[head.APIVersion+" "+head.Kind]++
	case err != nil:
		res.reader.problem("the manifest of "+res.address+": "+err.Error(), "correct it")
	default:
		res.reader.manifests++
	}
}

// sortedKeys returns the keys of both maps, each once.
func sortedKeys(a, b map[string]any) []string {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(keys)
	return slices.Compact(keys)
}
