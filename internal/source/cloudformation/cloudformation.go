// Package cloudformation reads CloudFormation templates into an estate: what
// the stacks will be once they are deployed. It resolves parameters,
// conditions, mappings, references, exports and local nested stacks, and knows
// the defaults that AWS documents for absent properties.
//
// It refuses to guess: a value that cannot be known before deployment is an
// unknown Optional, and in a plain field its text with "${…}" for what is not
// known, which joins nothing. It reads only the properties that the estate
// models; passwords and user data are never looked at.
package cloudformation

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/eksafe/eksafe/internal/estate"
)

// A File is one template: where it was found and what it holds.
type File struct {
	Path string
	Data []byte
}

// An Input is the templates below one path that the user named.
type Input struct {
	Name  string
	Files []File
}

// Options are values that templates leave open.
type Options struct {
	Parameters map[string]string // by name, for every template that declares it
	Region     string            // of AWS::Region
	Account    string            // of AWS::AccountId
}

// Limits on what a template may cost. CloudFormation itself takes 1 MB.
const (
	maxFile   = 4 << 20
	maxDepth  = 200
	maxText   = 64 << 10 // of one computed string
	maxCost   = 64 << 20 // bytes and items that functions may produce, all in all
	maxStacks = 200      // nested ones included
)

// Read returns the estate that the templates describe, with one source. It
// fails only when an option is wrong; a broken template is a Problem of the
// source.
func Read(name string, files []File, o Options) (*estate.Estate, error) {
	return ReadAll([]Input{{name, files}}, o)
}

// ReadAll is Read for several paths, each a source of its own. Exports and
// references are joined over all of them.
func ReadAll(inputs []Input, o Options) (*estate.Estate, error) {
	r := &reader{
		estate:    &estate.Estate{},
		options:   o,
		templates: map[string]*template{},
		ids:       map[string]*resource{},
		instances: map[string]int{},
		extra:     map[*estate.Origin]map[string]addition{},
	}
	for i, in := range inputs {
		r.sources = append(r.sources, &source{
			Source:  estate.Source{Kind: estate.CloudFormationSource, Name: in.Name},
			ignored: map[string]int{},
			counts:  map[estate.Kind]int{},
		})
		for _, f := range in.Files {
			r.open(r.sources[i], f)
		}
	}
	if err := r.checkParameters(); err != nil {
		return nil, err
	}
	r.read()
	for _, s := range r.sources {
		r.estate.Sources = append(r.estate.Sources, s.finish())
	}
	return r.estate, nil
}

// A reader holds what is common to the templates of one call.
type reader struct {
	estate    *estate.Estate
	options   Options
	sources   []*source
	order     []*template          // as given
	templates map[string]*template // by cleaned path
	stacks    []*stack
	ids       map[string]*resource // by identity
	instances map[string]int       // stacks of each template
	exports   map[string]*output   // nil until asked for; a nil output is ambiguous
	exporting bool
	cost      int
	exhausted bool

	// Separate resources that complete others are folded when all are read.
	later []func()
	extra map[*estate.Origin]map[string]addition
}

type source struct {
	estate.Source
	ignored map[string]int
	counts  map[estate.Kind]int
	told    map[string]bool
}

func (s *source) problem(file string, line int, what, remedy string) {
	p := estate.Problem{File: file, Line: line, What: what, Remedy: remedy}
	if s.told == nil {
		s.told = map[string]bool{}
	}
	if key := p.String(); !s.told[key] {
		s.told[key] = true
		s.Problems = append(s.Problems, p)
	}
}

func (s *source) finish() estate.Source {
	for _, k := range kinds {
		s.Coverage = append(s.Coverage, estate.Coverage{Kind: k, State: estate.Read, Count: s.counts[k]})
	}
	for _, k := range accountKinds {
		if n := s.counts[k]; n > 0 {
			s.Coverage = append(s.Coverage, estate.Coverage{Kind: k, State: estate.Read, Count: n})
		}
	}
	for kind, n := range s.ignored {
		s.Ignored = append(s.Ignored, estate.Ignored{Kind: kind, Count: n})
	}
	slices.SortFunc(s.Ignored, func(a, b estate.Ignored) int { return cmp.Compare(a.Kind, b.Kind) })
	slices.SortStableFunc(s.Problems, func(a, b estate.Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.What, b.What), cmp.Compare(a.Remedy, b.Remedy))
	})
	return s.Source
}

// A template is one parsed file.
type template struct {
	path   string
	source *source

	parameters, mappings, conditions, resources, outputs *yaml.Node
	// expanded says that a macro rewrites the template before it is deployed.
	expanded bool
}

// open parses one file.
func (r *reader) open(s *source, f File) {
	if r.templates[path.Clean(f.Path)] != nil {
		return // named by two paths
	}
	if len(f.Data) > maxFile {
		s.problem(f.Path, 0, "the template is larger than CloudFormation takes", "split it into stacks")
		return
	}
	root, err := parse(f.Data)
	if err != nil {
		var bad *syntaxError
		errors.As(err, &bad)
		s.problem(f.Path, bad.line, bad.what, "correct the template; `aws cloudformation validate-template` says more")
		return
	}
	t := &template{path: f.Path, source: s}
	for name, n := range fields(root) {
		switch name {
		case "Parameters":
			t.parameters = n
		case "Mappings":
			t.mappings = n
		case "Conditions":
			t.conditions = n
		case "Resources":
			t.resources = n
		case "Outputs":
			t.outputs = n
		case "Transform":
			t.expanded = t.expanded || rewrites(n)
		case "Fn::Transform":
			t.expanded = true
		}
	}
	if t.resources == nil || t.resources.Kind != yaml.MappingNode {
		s.problem(f.Path, root.Line, "no Resources: this is no CloudFormation template", "leave the file out")
		return
	}
	if t.expanded {
		s.problem(f.Path, root.Line, "macros of the template are not expanded, what they add or change is not seen",
			"give the processed template (`aws cloudformation get-template --template-stage Processed`)")
	}
	r.order = append(r.order, t)
	r.templates[path.Clean(f.Path)] = t
}

// rewrites reports whether a Transform may change resources that stand in the
// template. AWS's own ones for functions, secrets and deployments do not.
func rewrites(n *yaml.Node) bool {
	if n.Kind == yaml.SequenceNode {
		return slices.ContainsFunc(n.Content, rewrites)
	}
	if n.Kind != yaml.ScalarNode {
		return true
	}
	name, _, _ := strings.Cut(n.Value, "-20")
	return !slices.Contains([]string{
		"AWS::LanguageExtensions", "AWS::Serverless", "AWS::SecretsManager", "AWS::CodeDeployBlueGreen",
	}, name)
}

// checkParameters refuses a value for a parameter that no template has: it
// would be a misspelt one.
func (r *reader) checkParameters() error {
	var unknown []string
	for name := range r.options.Parameters {
		declared := slices.ContainsFunc(r.order, func(t *template) bool { return field(t.parameters, name) != nil })
		if !declared && len(r.order) > 0 {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return fmt.Errorf("no template has the parameter %q", strings.Join(unknown, `", "`))
	}
	return nil
}

// read makes a stack of every template that is no other's nested stack, and
// reads their resources.
func (r *reader) read() {
	nested := map[*template]bool{}
	for _, t := range r.order {
		for _, n := range fields(t.resources) {
			if scalarAt(n, "Type") == "AWS::CloudFormation::Stack" {
				if child := r.local(t, scalarAt(field(n, "Properties"), "TemplateURL")); child != nil && child != t {
					nested[child] = true
				}
			}
		}
	}
	for _, t := range r.order {
		if !nested[t] {
			r.instantiate(t, nil, nil, "")
		}
	}
	read := 0
	for _, t := range append([]*template{nil}, r.order...) {
		// Templates that nest each other in a circle have no outermost one.
		if t != nil && r.instances[t.path] == 0 {
			r.instantiate(t, nil, nil, "")
		}
		// Reading a nested stack appends to the list.
		for ; read < len(r.stacks); read++ {
			r.stacks[read].readResources()
		}
	}
	for _, fold := range r.later {
		fold()
	}
	for _, s := range r.stacks {
		for _, res := range s.list {
			res.locate()
		}
	}
}

// local returns the template at a TemplateURL that is a path relative to t.
func (r *reader) local(t *template, url string) *template {
	if url == "" || strings.Contains(url, "://") {
		return nil
	}
	return r.templates[path.Join(path.Dir(t.path), url)]
}

// spend counts what functions produce, and reports whether it is still
// bearable.
func (r *reader) spend(n int) bool {
	r.cost += n
	if r.cost > maxCost && !r.exhausted {
		r.exhausted = true
		for _, s := range r.sources {
			s.problem("", 0, "the templates' functions produce too much, what is left is unknown", "split the templates")
		}
	}
	return r.cost <= maxCost
}
