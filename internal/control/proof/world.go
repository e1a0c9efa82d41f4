package proof

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control/controltest/secure"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/kubeobject"
)

// The account of the secure estate.
const (
	account = "111122223333"
	region  = "eu-west-1"
)

// A World is the resources of an estate before they are decoded. The zero value
// is an empty estate in which everything was read.
type World []*resource

// Secure returns the secure estate.
func Secure() (World, error) { return load(secure.Files) }

// configID is the resource that is no resource: what users declare.
const configID = "eksafe.yaml"

// A resource is one Kubernetes manifest, one AWS resource in the JSON form of
// its struct, or the declarations of the users.
type resource struct {
	ID   string // "deployment/shop-prod/web", "dbinstance/orders"
	Kind estate.Kind
	tree map[string]any

	once sync.Once // guards data and err
	data []byte    // the JSON of tree
	err  error
}

// encode returns the JSON form. Resources that no case touches are encoded and
// checked once for all cases.
func (r *resource) encode() ([]byte, error) {
	r.once.Do(func() {
		if r.data, r.err = json.Marshal(r.tree); r.err != nil {
			return
		}
		if into, aws := awsTypes()[r.Kind]; aws {
			var given any
			if r.err = json.Unmarshal(r.data, &given); r.err == nil {
				r.err = unknownField("", given, into)
			}
		}
	})
	return r.data, r.err
}

// awsTypes are the types of the AWS kinds.
var awsTypes = sync.OnceValue(func() map[estate.Kind]reflect.Type {
	out := map[estate.Kind]reflect.Type{}
	for _, k := range estate.Kinds() {
		if k.Provider == estate.AWSProvider {
			// Decode hands out a pointer to a slice of the kind's type.
			_ = k.Decode(&estate.Estate{}, func(into any) error {
				out[k.Kind] = reflect.TypeOf(into).Elem().Elem()
				return nil
			})
		}
	}
	return out
})

// load reads the resources of every YAML file of a folder.
func load(files fs.FS) (World, error) {
	var w World
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		dec := yaml.NewDecoder(bytes.NewReader(data))
		for {
			var tree map[string]any
			if err := dec.Decode(&tree); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, fmt.Errorf("reading %s: %w", name, err)
			}
			if err := w.addDocument(tree); err != nil {
				return nil, fmt.Errorf("reading %s: %w", name, err)
			}
		}
	}
	return w, nil
}

func (w *World) addDocument(tree map[string]any) error {
	if _, manifest := tree["apiVersion"]; manifest {
		id, err := manifestID(tree)
		if err != nil {
			return err
		}
		return w.add(id, tree)
	}
	for id, body := range tree {
		fields, ok := body.(map[string]any)
		if !ok {
			return fmt.Errorf("%s must be a mapping", id)
		}
		if err := w.add(id, fields); err != nil {
			return err
		}
	}
	return nil
}

// manifestID returns the ID that the estate will give to a manifest.
func manifestID(tree map[string]any) (string, error) {
	apiVersion, _ := tree["apiVersion"].(string)
	kind, _ := tree["kind"].(string)
	meta, _ := tree["metadata"].(map[string]any)
	name, _ := meta["name"].(string)
	namespace, _ := meta["namespace"].(string)
	known, ok := kubeobject.Known(apiVersion, kind)
	if !ok {
		return "", fmt.Errorf("%s %s is no kind of the estate", apiVersion, kind)
	}
	prefix := string(known)
	if known == estate.Workloads.Kind {
		prefix = kind
	}
	return estate.NamedRef(known, prefix, namespace, name).ID, nil
}

// add adds a resource. What its ID says need not be said again.
func (w *World) add(id string, tree map[string]any) error {
	if w.find(id) != nil {
		return fmt.Errorf("%s stands twice", id)
	}
	prefix, rest, ok := strings.Cut(id, "/")
	if !ok && id != configID {
		return fmt.Errorf("%q is no resource; write kind/namespace/name, or kind/name in AWS", id)
	}
	r := &resource{ID: id, tree: tree}
	if id == configID {
		*w = append(*w, r)
		return nil
	}
	if r.Kind, ok = awsKind(prefix); ok {
		aws, _ := tree["aws"].(map[string]any)
		if aws == nil {
			aws = map[string]any{}
			tree["aws"] = aws
		}
		if aws["arn"] == nil {
			aws["arn"] = fmt.Sprintf("arn:aws:%s:%s:%s:%s", prefix, region, account, rest)
		}
		aws["origin"] = map[string]any{"account": account, "region": region}
		*w = append(*w, r)
		return nil
	}
	def, ok := kubernetesKind(prefix)
	if !ok {
		return fmt.Errorf("%s: no kind %q", id, prefix)
	}
	r.Kind = def.Kind
	if tree["apiVersion"] == nil {
		tree["apiVersion"], tree["kind"] = def.APIVersions[0], def.Object
	}
	meta, _ := tree["metadata"].(map[string]any)
	if meta == nil {
		meta = map[string]any{}
		tree["metadata"] = meta
	}
	if namespace, name, ok := strings.Cut(rest, "/"); ok {
		meta["namespace"], meta["name"] = namespace, name
	} else {
		meta["name"] = rest
	}
	*w = append(*w, r)
	return nil
}

func awsKind(prefix string) (estate.Kind, bool) {
	for _, k := range estate.Kinds() {
		if k.Provider == estate.AWSProvider && strings.EqualFold(string(k.Kind), prefix) {
			return k.Kind, true
		}
	}
	return "", false
}

func kubernetesKind(prefix string) (kubeobject.Resource, bool) {
	for _, r := range kubeobject.Resources() {
		name := string(r.Kind)
		if r.Kind == estate.Workloads.Kind {
			name = r.Object
		}
		if strings.EqualFold(name, prefix) {
			return r, true
		}
	}
	return kubeobject.Resource{}, false
}

func (w World) find(id string) *resource {
	for _, r := range w {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// Mutate returns a copy of w with the assignments made. Resources that are not
// touched are shared.
func (w World) Mutate(set []Assignment) (World, error) {
	out := slices.Clone(w)
	fresh := map[string]bool{}
	for _, a := range set {
		if a.Value == nil {
			n := len(out)
			out = slices.DeleteFunc(out, func(r *resource) bool { return r.ID == a.Resource })
			if len(out) == n {
				return nil, fmt.Errorf("cannot remove %s: the estate has none", a.Resource)
			}
			continue
		}
		r := out.find(a.Resource)
		if r == nil {
			if err := out.add(a.Resource, map[string]any{}); err != nil {
				return nil, err
			}
			r = out.find(a.Resource)
			fresh[a.Resource] = true
		}
		if !fresh[a.Resource] {
			copied := &resource{ID: r.ID, Kind: r.Kind, tree: clone(r.tree).(map[string]any)}
			out[slices.Index(out, r)] = copied
			r = copied
			fresh[a.Resource] = true
		}
		path, err := parsePath(a.Field)
		if err != nil {
			return nil, err
		}
		var value any
		if err := a.Value.Decode(&value); err != nil {
			return nil, fmt.Errorf("%s: %w", a.Field, err)
		}
		if m, ok := value.(map[string]any); ok && len(path) == 1 && (path[0].key == "metadata" || path[0].key == "aws") && r.tree[path[0].key] != nil {
			// What the ID gave stays beside what is given.
			for k, v := range r.tree[path[0].key].(map[string]any) {
				if m[k] == nil {
					m[k] = v
				}
			}
		}
		if _, err := assign(r.tree, path, value); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", a.Resource, a.Field, err)
		}
	}
	return out, nil
}

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, x := range v {
			m[k] = clone(x)
		}
		return m
	case []any:
		s := make([]any, len(v))
		for i, x := range v {
			s[i] = clone(x)
		}
		return s
	default:
		return v
	}
}

// Estate decodes the resources strictly: a misspelt field must not look like
// one that is not set. Every kind is read, except skipped.
func (w World) Estate(skipped ...estate.Kind) (*estate.Estate, error) {
	e := &estate.Estate{}
	var dec kubeobject.Decoder
	counts := map[estate.Kind]int{}
	for _, r := range w {
		if r.ID == configID || slices.Contains(skipped, r.Kind) {
			continue
		}
		data, err := r.encode()
		if err != nil {
			return nil, fmt.Errorf("decoding %s: %w", r.ID, err)
		}
		if _, aws := awsTypes()[r.Kind]; aws {
			if err := decodeAWS(e, r, data); err != nil {
				return nil, fmt.Errorf("decoding %s: %w", r.ID, err)
			}
		} else {
			apiVersion, _ := r.tree["apiVersion"].(string)
			kind, _ := r.tree["kind"].(string)
			flaws, err := dec.Add(e, apiVersion, kind, data, estate.Origin{Cluster: "shop-prod"}, true)
			if err != nil {
				return nil, fmt.Errorf("decoding %s: %w", r.ID, err)
			}
			if len(flaws) > 0 {
				return nil, fmt.Errorf("decoding %s: %s", r.ID, flaws[0].What)
			}
		}
		counts[r.Kind]++
	}
	dec.Finish(e)
	kube := estate.Source{Kind: estate.KubernetesSource, Name: "shop-prod"}
	aws := estate.Source{Kind: estate.AWSSource, Name: "account " + account + " " + region}
	for _, k := range estate.Kinds() {
		if slices.Contains(skipped, k.Kind) {
			continue
		}
		c := estate.Coverage{Kind: k.Kind, State: estate.Read, Count: counts[k.Kind]}
		if k.Provider == estate.AWSProvider {
			aws.Coverage = append(aws.Coverage, c)
		} else {
			kube.Coverage = append(kube.Coverage, c)
		}
	}
	e.Sources = []estate.Source{kube, aws}
	return e, nil
}

// Config decodes the declarations strictly.
func (w World) Config() (*config.Config, error) {
	c := &config.Config{}
	r := w.find(configID)
	if r == nil {
		return c, nil
	}
	data, err := yaml.Marshal(r.tree)
	if err != nil {
		return nil, err
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("decoding %s: %w", configID, err)
	}
	return c, nil
}

func decodeAWS(e *estate.Estate, r *resource, data []byte) error {
	info, err := estate.KindOf(r.Kind)
	if err != nil {
		return err
	}
	return info.Decode(e, func(into any) error {
		d := json.NewDecoder(bytes.NewReader(slices.Concat([]byte("["), data, []byte("]"))))
		d.DisallowUnknownFields()
		return d.Decode(into)
	})
}

// unknownField returns an error for the first field of tree that t lacks: an
// Optional decodes its value leniently, so a decoder alone would not tell.
func unknownField(path string, tree any, t reflect.Type) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.Slice:
		list, _ := tree.([]any)
		for i, item := range list {
			if err := unknownField(fmt.Sprintf("%s[%d]", path, i), item, t.Elem()); err != nil {
				return err
			}
		}
	case strings.HasPrefix(t.Name(), "Optional["):
		value, _ := t.FieldByName("value")
		return unknownField(path, tree, value.Type)
	case t.Kind() == reflect.Struct:
		fields, ok := tree.(map[string]any)
		if !ok {
			return nil
		}
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			found := false
			for f := range t.Fields() {
				if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag == name {
					found = true
					if err := unknownField(path+"."+name, fields[name], f.Type); err != nil {
						return err
					}
				}
			}
			if !found {
				return fmt.Errorf("unknown field %q", path+"."+name)
			}
		}
	}
	return nil
}

// Names returns the resource ID for each ARN, so that tests speak of
// "dbinstance/orders".
func (w World) Names() map[string]string {
	out := map[string]string{}
	for _, r := range w {
		if aws, ok := r.tree["aws"].(map[string]any); ok {
			if arn, ok := aws["arn"].(string); ok {
				out[arn] = r.ID
			}
		}
	}
	return out
}

// A Manifest is one object of a world as it would be applied.
type Manifest struct {
	ID   string // "deployment/shop-prod/web"
	Kind estate.Kind
	JSON []byte
}

// Manifests returns the Kubernetes objects that before does not have in the
// same form.
func (w World) Manifests(before World) ([]Manifest, error) {
	var out []Manifest
	for _, r := range w {
		if _, aws := awsTypes()[r.Kind]; aws || r.ID == configID || slices.Contains(before, r) {
			continue
		}
		data, err := r.encode()
		if err != nil {
			return nil, fmt.Errorf("encoding %s: %w", r.ID, err)
		}
		out = append(out, Manifest{r.ID, r.Kind, data})
	}
	return out, nil
}
