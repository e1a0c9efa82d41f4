package manifest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/kubeobject"
)

// A kustomization is one folder that kustomize builds.
type kustomization struct {
	dir  string
	file string // its kustomization file
}

func isKustomization(name string) bool {
	return name == "kustomization.yaml" || name == "kustomization.yml" || name == "Kustomization"
}

// kustomizationIn returns the kustomization file of a folder, or "".
func kustomizationIn(dir string) string {
	for _, name := range [...]string{"kustomization.yaml", "kustomization.yml", "Kustomization"} {
		p := filepath.Join(dir, name)
		if info, err := os.Lstat(p); err == nil && info.Mode().IsRegular() {
			return p
		}
	}
	return ""
}

// plan decides which of the kustomized folders are built, and takes from the
// files those that a kustomization uses: they would count twice, and a patch
// is no object. Folders that another kustomization uses are not built on their
// own.
func (in *inputs) plan(dirs []string) {
	used := map[string]bool{}
	blocked := map[string]estate.Problem{}
	component := map[string]bool{}
	for _, dir := range dirs {
		u := uses{seen: map[string]bool{}}
		u.folder(dir)
		for p := range u.files {
			used[p] = true
		}
		for p := range u.folders {
			used[p] = true
		}
		component[dir] = u.component
		if u.problem != nil {
			blocked[dir] = *u.problem
		}
	}
	for _, dir := range dirs {
		p, isBlocked := blocked[dir]
		switch {
		case used[filepath.Clean(dir)] || component[dir]:
		case isBlocked:
			in.problems = append(in.problems, p)
		default:
			in.kustomizations = append(in.kustomizations, kustomization{dir: dir, file: kustomizationIn(dir)})
		}
	}
	in.files = slices.DeleteFunc(in.files, func(f input) bool { return used[filepath.Clean(f.path)] })
}

// uses collects what a kustomization refers to, and refuses what is not local:
// kustomize would fetch it.
type uses struct {
	seen      map[string]bool
	files     map[string]bool
	folders   map[string]bool
	component bool
	problem   *estate.Problem
}

// maxKustomization bounds a kustomization file.
const maxKustomization = 1 << 20

func (u *uses) folder(dir string) {
	if u.files == nil {
		u.files, u.folders = map[string]bool{}, map[string]bool{}
	}
	dir = filepath.Clean(dir)
	if u.seen[dir] || len(u.seen) > 1000 {
		return
	}
	top := len(u.seen) == 0
	u.seen[dir] = true
	file := kustomizationIn(dir)
	if file == "" {
		u.fail(filepath.ToSlash(dir), 0, "a folder without a kustomization file", "add kustomization.yaml, or do not refer to the folder")
		return
	}
	data, err := readSmall(file, maxKustomization)
	if err != nil {
		u.fail(filepath.ToSlash(file), 0, "cannot be read", "check the file")
		return
	}
	var root yaml.Node
	if decodeNode(yaml.NewDecoder(bytes.NewReader(data)), &root) != nil || len(root.Content) != 1 || root.Content[0].Kind != yaml.MappingNode {
		u.fail(filepath.ToSlash(file), 1, "not a kustomization", "mend the file")
		return
	}
	node := root.Content[0]
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		switch key.Value {
		case "kind":
			u.component = u.component || top && value.Value == "Component"
		case "helmCharts", "helmChartInflationGenerator", "helmGlobals":
			u.fail(filepath.ToSlash(file), key.Line, "a Helm chart in a kustomization", "render it: kustomize build --enable-helm "+filepath.ToSlash(dir)+" | eksafe audit -")
		case "resources", "bases", "components", "crds", "transformers", "generators", "validators", "configurations", "patchesStrategicMerge":
			for _, item := range follow(value).Content {
				u.entry(dir, file, follow(item))
			}
		case "patches", "patchesJson6902", "replacements":
			for _, item := range follow(value).Content {
				u.path(dir, file, follow(item), "path")
			}
		case "openapi":
			u.path(dir, file, follow(value), "path")
		case "configMapGenerator", "secretGenerator":
			for _, item := range follow(value).Content {
				item = follow(item)
				for j := 0; j+1 < len(item.Content); j += 2 {
					switch item.Content[j].Value {
					case "files", "envs":
						for _, f := range follow(item.Content[j+1]).Content {
							u.generated(dir, file, follow(f))
						}
					case "env":
						u.generated(dir, file, follow(item.Content[j+1]))
					}
				}
			}
		}
	}
}

func (u *uses) path(dir, file string, item *yaml.Node, key string) {
	for j := 0; j+1 < len(item.Content); j += 2 {
		if item.Content[j].Value == key {
			u.entry(dir, file, follow(item.Content[j+1]))
		}
	}
}

// generated is an entry "name=path" or "path" of a generator.
func (u *uses) generated(dir, file string, n *yaml.Node) {
	entry := n.Value
	if _, after, ok := strings.Cut(entry, "="); ok {
		entry = after
	}
	u.local(dir, file, entry, n.Line)
}

// entry is a file, a folder, or an object written in place.
func (u *uses) entry(dir, file string, n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || strings.Contains(n.Value, "\n") {
		return
	}
	u.local(dir, file, n.Value, n.Line)
}

// local refuses an entry that is not a local file or folder. Kustomize decides
// by the spelling alone whether it clones a repository, so that the spelling
// is refused even where a folder of that name exists.
func (u *uses) local(dir, file, entry string, line int) {
	lower := strings.ToLower(entry)
	if strings.ContainsAny(entry, ":@?%\\") || strings.Contains(entry, "//") || strings.HasPrefix(lower, "github.com") || strings.HasPrefix(lower, "gh.") ||
		strings.Contains(lower, ".git") || strings.Contains(lower, "_git") {
		u.fail(filepath.ToSlash(file), line, "a remote resource", "eksafe fetches nothing; build it: kustomize build "+filepath.ToSlash(dir)+" | eksafe audit -")
		return
	}
	p := filepath.Clean(filepath.Join(dir, entry))
	if filepath.IsAbs(entry) {
		p = filepath.Clean(entry)
	}
	info, err := os.Stat(p)
	switch {
	case err != nil:
		u.fail(filepath.ToSlash(file), line, "a resource that does not exist", "mend the path")
	case info.IsDir():
		u.folders[p] = true
		u.folder(p)
	case info.Mode().IsRegular():
		u.files[p] = true
	default:
		u.fail(filepath.ToSlash(file), line, "a resource that is no file", "mend the path")
	}
}

func (u *uses) fail(file string, line int, what, remedy string) {
	if u.problem == nil {
		u.problem = &estate.Problem{File: file, Line: line, What: what, Remedy: remedy}
	}
}

func readSmall(p string, limit int64) ([]byte, error) {
	info, err := os.Stat(p)
	if err != nil {
		return nil, err
	}
	if info.Size() > limit || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("more than %d bytes", limit)
	}
	return os.ReadFile(p)
}

// originFS shows the kustomization file of one folder with origin annotations
// switched on, so that what is built tells where it came from.
type originFS struct {
	filesys.FileSystem
	file string
}

// ReadFile reads a file.
func (f originFS) ReadFile(p string) ([]byte, error) {
	data, err := f.FileSystem.ReadFile(p)
	if err != nil || filepath.Clean(p) != f.file {
		return data, err
	}
	return withOrigins(data), nil
}

func withOrigins(data []byte) []byte {
	var content map[string]any
	if yaml.Unmarshal(data, &content) != nil || content == nil {
		return data
	}
	metadata, _ := content["buildMetadata"].([]any)
	if !slices.Contains(metadata, any("originAnnotations")) {
		metadata = append(metadata, "originAnnotations")
	}
	content["buildMetadata"] = metadata
	out, err := yaml.Marshal(content)
	if err != nil {
		return data
	}
	return out
}

const originAnnotation = "config.kubernetes.io/origin"

// readKustomization builds one folder and adds what it gives.
func readKustomization(ctx context.Context, k kustomization, out *fileResult) {
	file := filepath.ToSlash(k.file)
	objects, err := build(k)
	if err != nil {
		// Kustomize quotes its input in errors.
		out.problem(estate.Problem{File: file, Line: 1, What: "kustomize cannot build the folder", Remedy: "run kustomize build " + filepath.ToSlash(k.dir)})
		return
	}
	sources := sourceFiles{dir: k.dir, files: map[string][]located{}}
	r := &fileReader{ctx: ctx, name: file, out: out}
	for _, o := range objects {
		if ctx.Err() != nil {
			return
		}
		if _, known := kubeobject.Known(o.apiVersion, o.kind); !known {
			out.ignore(o.apiVersion, o.kind)
			continue
		}
		origin := estate.Origin{File: file, Line: 1}
		if l, ok := sources.locate(o); ok {
			origin = l
		}
		r.name = origin.File
		r.decode(o.apiVersion, o.kind, o.json, origin, func() bool { return false })
	}
}

// built is one object that kustomize made.
type built struct {
	apiVersion, kind, name string
	json                   []byte
	path                   string // of the file it came from, relative to the folder
}

func build(k kustomization) (objects []built, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("building %s: kustomize gave up", k.dir)
		}
	}()
	disk := filesys.MakeFsOnDisk()
	// Kustomize resolves links before it reads.
	real, err := filepath.EvalSymlinks(k.file)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return nil, err
	}
	result, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(originFS{disk, real}, k.dir)
	if err != nil {
		return nil, err
	}
	for _, res := range result.Resources() {
		o := built{name: res.GetName(), kind: res.GetKind(), apiVersion: res.GetApiVersion()}
		if origin, err := res.GetOrigin(); err == nil && origin != nil && origin.Repo == "" {
			o.path = origin.Path
		}
		annotations := res.GetAnnotations()
		delete(annotations, originAnnotation)
		if err := res.SetAnnotations(annotations); err != nil {
			return nil, err
		}
		if o.json, err = res.MarshalJSON(); err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// located is one document of a file, before kustomize changed it.
type located struct {
	apiVersion, kind, name string
	origin                 estate.Origin
}

// sourceFiles finds the documents from which objects were built.
type sourceFiles struct {
	dir   string
	files map[string][]located
}

// locate returns where an object was written, as far as that is certain: the
// one document of its file with its kind whose name is part of the object's.
func (s *sourceFiles) locate(o built) (estate.Origin, bool) {
	if o.path == "" {
		return estate.Origin{}, false
	}
	p := filepath.Join(s.dir, filepath.FromSlash(o.path))
	docs, read := s.files[p]
	if !read {
		docs = locateAll(p)
		s.files[p] = docs
	}
	var found *located
	for i := range docs {
		d := &docs[i]
		if d.apiVersion != o.apiVersion || d.kind != o.kind || d.name == "" || !strings.Contains(o.name, d.name) {
			continue
		}
		if d.name == o.name {
			return d.origin, true
		}
		if found == nil || len(d.name) > len(found.name) {
			found = d
		}
	}
	if found == nil {
		return estate.Origin{File: filepath.ToSlash(p), Line: 1}, exists(p)
	}
	return found.origin, true
}

// locateAll reads the positions of the documents of a file.
func locateAll(p string) []located {
	data, err := readSmall(p, maxYAML)
	if err != nil {
		return nil
	}
	var out []located
	var w walker
	s := newSplitter(bytes.NewReader(data))
	for {
		doc, line, err := s.next()
		if err != nil {
			return out
		}
		var root yaml.Node
		if decodeNode(yaml.NewDecoder(bytes.NewReader(doc)), &root) != nil || len(root.Content) != 1 {
			continue
		}
		node := root.Content[0]
		l := located{apiVersion: child(node, "apiVersion").Value, kind: child(node, "kind").Value, name: child(child(node, "metadata"), "name").Value}
		w.begin(node.Line, len(doc))
		if _, err := w.append(nil, node, 0); err != nil {
			continue
		}
		l.origin = estate.Origin{File: filepath.ToSlash(p), Line: line + node.Line - 1, Positions: w.positions.Positions()}
		out = append(out, l)
	}
}

// child returns the value of a key, or an empty node.
func child(n *yaml.Node, key string) *yaml.Node {
	n = follow(n)
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return follow(n.Content[i+1])
			}
		}
	}
	return &yaml.Node{}
}
