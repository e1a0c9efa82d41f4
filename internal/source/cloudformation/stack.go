package cloudformation

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/eksafe/eksafe/internal/estate"
)

// A stack is one instance of a template, with values for its parameters.
type stack struct {
	*template
	reader *reader
	parent *stack // nil for the outermost
	depth  int
	// given are the Parameters of the nested stack in the parent's template.
	given  *yaml.Node
	prefix string // of the identities of its resources

	values    map[string]value // of parameters, as far as asked for
	truths    map[string]truth // of conditions
	deciding  map[string]bool  // conditions that are being decided
	attrs     map[string]value // of GetAtt; unknown while it is found out
	children  map[string]*stack
	results   map[string]*output
	resources map[string]*resource
	list      []*resource
}

// A resource is one resource of a stack.
type resource struct {
	*stack
	name   string // logical ID
	kind   string // "AWS::RDS::DBInstance"
	node   *yaml.Node
	line   int
	exists truth
	visits []*properties

	// What became of it in the estate.
	item   any
	names  []string
	origin *estate.Origin
	shape  shape
	// defaulted says that a security group has EC2's own egress rules.
	defaulted bool
}

// An output is one output of a stack.
type output struct {
	stack *stack
	name  string
	node  *yaml.Node
	busy  bool
	done  bool
	is    value
}

// instantiate makes a stack of a template.
func (r *reader) instantiate(t *template, parent *stack, given *yaml.Node, name string) *stack {
	s := &stack{
		template: t, reader: r, parent: parent, given: given,
		prefix:    "cfn:" + t.path + "#",
		values:    map[string]value{},
		truths:    map[string]truth{},
		deciding:  map[string]bool{},
		attrs:     map[string]value{},
		children:  map[string]*stack{},
		results:   map[string]*output{},
		resources: map[string]*resource{},
	}
	if parent != nil {
		s.depth = parent.depth + 1
		// The same template may be nested twice.
		if r.instances[t.path] > 0 {
			s.prefix += strings.TrimPrefix(parent.prefix, "cfn:") + name + "/"
		}
	}
	r.instances[t.path]++
	r.stacks = append(r.stacks, s)
	for name, n := range fields(t.outputs) {
		s.results[name] = &output{stack: s, name: name, node: n}
	}
	for i := 0; i+1 < len(t.resources.Content); i += 2 {
		key, n := t.resources.Content[i], t.resources.Content[i+1]
		if strings.HasPrefix(key.Value, "Fn::") {
			s.problem(key.Line, fmt.Sprintf("%s is not expanded, its resources are not seen", plainName(key.Value)),
				"give the processed template")
			continue
		}
		res := &resource{stack: s, name: key.Value, kind: scalarAt(n, "Type"), node: n, line: key.Line}
		if res.kind == "" {
			s.problem(key.Line, fmt.Sprintf("resource %s has no Type", plainName(res.name)), "give it one")
			continue
		}
		s.resources[res.name] = res
		s.list = append(s.list, res)
		r.ids[res.id()] = res
	}
	return s
}

func (s *stack) problem(line int, what, remedy string) {
	s.source.problem(s.path, line, what, remedy)
}

// plainName makes a name of a template fit for a message.
func plainName(s string) string {
	const most = 80
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.Trim(fmt.Sprintf("%q", s), `"`)
}

// id is what Ref and GetAtt of the resource resolve to.
func (res *resource) id() string { return res.prefix + res.name }

// child returns the stack of a nested stack resource, nil where its template
// is not at hand.
func (s *stack) child(res *resource) *stack {
	if c, ok := s.children[res.name]; ok {
		return c
	}
	s.children[res.name] = nil
	props := field(res.node, "Properties")
	t := s.reader.local(s.template, scalarAt(props, "TemplateURL"))
	if t == nil {
		s.problem(res.line, fmt.Sprintf("nested stack %s is left out: its TemplateURL is no file that was given", plainName(res.name)),
			"give its template, and its path relative to this file")
		return nil
	}
	for up := s; up != nil; up = up.parent {
		if up.template == t {
			s.problem(res.line, fmt.Sprintf("nested stack %s contains itself", plainName(res.name)), "break the circle")
			return nil
		}
	}
	if len(s.reader.stacks) >= maxStacks {
		s.problem(res.line, fmt.Sprintf("nested stack %s is left out: there are too many", plainName(res.name)), "audit the templates one by one")
		return nil
	}
	c := s.reader.instantiate(t, s, field(props, "Parameters"), res.name)
	s.children[res.name] = c
	return c
}

// readResources reads every resource that exists, or may.
func (s *stack) readResources() {
	for _, res := range s.list {
		res.exists = s.condition(field(res.node, "Condition"))
		if res.exists == no {
			continue
		}
		if res.kind == "AWS::CloudFormation::Stack" {
			if s.child(res) == nil {
				s.source.ignored[res.kind]++
			}
			continue
		}
		read := readers[res.kind]
		if read == nil {
			if !folded[res.kind] {
				s.source.ignored[res.kind]++
			}
			continue
		}
		if res.exists == maybe {
			s.problem(res.line, fmt.Sprintf("whether %s exists depends on a condition that cannot be decided, it is judged as if it did", plainName(res.name)),
				"give the parameters of the condition")
		}
		read(res)
		res.checkNames()
	}
}
