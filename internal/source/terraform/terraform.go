// Package terraform reads what `terraform show -json` prints, of a plan or of a
// state, into an estate. It runs no terraform and reads no .tf files: what
// variables, locals and modules come to is for terraform to say.
//
// What a plan knows only after it was applied stays unknown. References between
// resources still join: where a value is not known yet, the plan's
// configuration says whose attribute it will be, and both ends get the same
// name. Of the attributes it looks at those that the estate models; secrets
// among the others are never touched.
package terraform

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/kubeobject"
)

// Options are values that a plan leaves open.
type Options struct {
	Region string // of resources without an ARN
}

// Limits on what a file may cost.
const (
	maxFile      = 512 << 20
	maxModules   = 10_000
	maxReference = 50 // steps from a reference over variables and outputs to a resource
)

// Read returns the estate that a plan or state describes, with one source. Its
// errors are one line and hold no value of the file.
func Read(name string, data []byte, o Options) (*estate.Estate, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("reading %s: larger than %d MB", name, maxFile>>20)
	}
	r := &reader{
		estate:  &estate.Estate{},
		options: o,
		file:    name,
		source:  estate.Source{Kind: estate.TerraformSource, Name: name},
		counts:  map[estate.Kind]int{},
		ignored: map[string]int{},
		names:   map[string][]*resource{},
		places:  map[string][]*resource{},
	}
	if err := r.parse(data); err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	r.read()
	r.finish()
	return r.estate, nil
}

type reader struct {
	estate    *estate.Estate
	options   Options
	file      string
	source    estate.Source
	counts    map[estate.Kind]int
	ignored   map[string]int
	resources []*resource
	names     map[string][]*resource // by identity, ID, ARN and name
	places    map[string][]*resource // by module instance, type and name
	later     []func()
	cluster   kubeobject.Decoder
	manifests int
	told      map[string]bool
}

// A resource is one instance of a resource of the configuration.
type resource struct {
	*block
	reader  *reader
	address string // module.a.aws_lb.b["c"]
	typ     string
	index   any
	scope   *scope
	item    any
}

// A scope is one instance of a module, and how it was called.
type scope struct {
	address string
	module  *tfjson.ConfigModule
	call    *tfjson.ModuleCall // nil for the root
	parent  *scope
}

var errShape = errors.New("neither a plan nor a state that terraform show -json printed; run: terraform show -json FILE")

// parse finds the values of a plan or state, and what goes with them.
func (r *reader) parse(data []byte) error {
	var values *tfjson.StateValues
	unknown := map[string]any{}
	root := &scope{}
	var plan tfjson.Plan
	var state tfjson.State
	switch err := plan.UnmarshalJSON(data); {
	case err == nil && plan.PlannedValues != nil:
		values = plan.PlannedValues
		for _, c := range plan.ResourceChanges {
			if c != nil && c.Change != nil {
				unknown[c.Address] = c.Change.AfterUnknown
			}
		}
		if plan.Config != nil {
			root.module = plan.Config.RootModule
		}
	case state.UnmarshalJSON(data) == nil && state.Values != nil:
		values = state.Values
	default:
		// The errors of the decoders may quote the file.
		return errShape
	}
	if values.RootModule == nil {
		return errShape
	}
	modules := 0
	r.module(values.RootModule, root, unknown, &modules)
	return nil
}

func (r *reader) module(m *tfjson.StateModule, s *scope, unknown map[string]any, modules *int) {
	if *modules++; *modules > maxModules {
		r.problem("more than "+fmt.Sprint(maxModules)+" modules, the rest is left out", "split the plan")
		return
	}
	for _, given := range m.Resources {
		if given == nil || given.Mode == tfjson.DataResourceMode {
			continue
		}
		res := &resource{reader: r, address: given.Address, typ: given.Type, index: given.Index, scope: s}
		open, _ := unknown[given.Address].(map[string]any)
		res.block = &block{res: res, values: given.AttributeValues, unknown: open, expressions: s.expressions(given.Type, given.Name)}
		r.resources = append(r.resources, res)
		key := place(s.address, given.Type+"."+given.Name)
		r.places[key] = append(r.places[key], res)
		for _, n := range []string{res.id(), res.plain("id"), res.plain("arn"), res.plain("name"), res.plain("bucket")} {
			if n != "" && !slices.Contains(r.names[n], res) {
				r.names[n] = append(r.names[n], res)
			}
		}
	}
	for _, child := range m.ChildModules {
		if child == nil {
			continue
		}
		name := strings.TrimPrefix(strings.TrimPrefix(child.Address, s.address), ".")
		r.module(child, s.child(name, child.Address), unknown, modules)
	}
}

func place(module, resource string) string { return module + "|" + resource }

// child returns the scope of a module called within s; name may have an index.
func (s *scope) child(name, address string) *scope {
	out := &scope{address: address, parent: s}
	if s.module == nil {
		return out
	}
	name, _, _ = strings.Cut(strings.TrimPrefix(name, "module."), "[")
	if out.call = s.module.ModuleCalls[name]; out.call != nil {
		out.module = out.call.Module
	}
	return out
}

func (s *scope) expressions(typ, name string) map[string]*tfjson.Expression {
	if s.module == nil {
		return nil
	}
	for _, c := range s.module.Resources {
		if c != nil && c.Type == typ && c.Name == name && c.Mode == tfjson.ManagedResourceMode {
			return c.Expressions
		}
	}
	return nil
}

// read turns resources into those of the estate, and folds those that complete
// others when all are read.
func (r *reader) read() {
	for _, res := range r.resources {
		if read := readers[res.typ]; read != nil {
			read(res)
		} else if !silent[res.typ] {
			r.ignored[res.typ]++
		}
	}
	for _, fold := range r.later {
		fold()
	}
	r.cluster.Finish(r.estate)
}

func (r *reader) finish() {
	for _, k := range kinds {
		r.source.Coverage = append(r.source.Coverage, estate.Coverage{Kind: k, State: estate.Read, Count: r.counts[k]})
	}
	for _, k := range accountKinds {
		if n := r.counts[k]; n > 0 {
			r.source.Coverage = append(r.source.Coverage, estate.Coverage{Kind: k, State: estate.Read, Count: n})
		}
	}
	if r.manifests > 0 {
		for _, k := range estate.Kinds() {
			if k.Provider == estate.KubernetesProvider {
				r.source.Coverage = append(r.source.Coverage, estate.Coverage{Kind: k.Kind, State: estate.Read, Count: k.Len(r.estate)})
			}
		}
	}
	for kind, n := range r.ignored {
		r.source.Ignored = append(r.source.Ignored, estate.Ignored{Kind: kind, Count: n})
	}
	slices.SortFunc(r.source.Ignored, func(a, b estate.Ignored) int { return cmp.Compare(a.Kind, b.Kind) })
	slices.SortFunc(r.source.Problems, func(a, b estate.Problem) int { return cmp.Compare(a.What, b.What) })
	r.estate.Sources = []estate.Source{r.source}
}

func (r *reader) problem(what, remedy string) {
	if r.told == nil {
		r.told = map[string]bool{}
	}
	if !r.told[what] {
		r.told[what] = true
		r.source.Problems = append(r.source.Problems, estate.Problem{File: r.file, What: what, Remedy: remedy})
	}
}

// id is the identity of a resource: its ARN, or its address until it has one.
func (res *resource) id() string {
	if arn := res.plain("arn"); strings.HasPrefix(arn, "arn:") {
		return arn
	}
	return "tf:" + res.reader.file + "#" + res.address
}

// attr returns an attribute that AWS gives out, or the name under which others
// refer to it until it is known.
func (res *resource) attr(name string) string {
	if v := res.plain(name); v != "" {
		return v
	}
	return res.reference(name)
}

// reference is what a reference to an attribute that is not known resolves to.
func (res *resource) reference(attribute string) string {
	switch attribute {
	case "", "id", "arn", "name", "bucket", "identifier", "cluster_identifier", "key_id", "zone_id":
		return res.id()
	}
	return res.id() + "." + attribute
}

// name returns a name that the configuration gives, or that of the resource in
// the configuration.
func (res *resource) name(attribute string) string {
	if n := res.plain(attribute); n != "" {
		return n
	}
	return res.address
}

func (res *resource) aws() estate.AWS {
	var tags map[string]string
	for _, key := range []string{"tags", "tags_all"} {
		given, _ := res.values[key].(map[string]any)
		for k, v := range given {
			if s, ok := v.(string); ok {
				if tags == nil {
					tags = map[string]string{}
				}
				tags[k] = s
			}
		}
	}
	region := res.plain("region")
	if parts := strings.Split(res.plain("arn"), ":"); len(parts) > 5 && parts[3] != "" {
		region = parts[3]
	}
	return estate.AWS{
		Origin: estate.Origin{File: res.reader.file, Region: cmp.Or(region, res.reader.options.Region)},
		Arn:    res.id(),
		Tags:   tags,
	}
}

func put[T any](res *resource, c estate.Collection[T], item T) {
	c.Add(res.reader.estate, item)
	res.reader.counts[c.Kind]++
	res.item = item
}

// fold calls f when every resource was read.
func (res *resource) fold(f func()) { res.reader.later = append(res.reader.later, f) }

// target returns the resource of type T that a reference means.
func target[T any](res *resource, reference string) (item T, ok bool) {
	for _, to := range res.reader.names[reference] {
		if item, ok := to.item.(T); ok {
			return item, true
		}
	}
	return item, false
}
