package cloudformation

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// A truth is what is known of a condition.
type truth int

const (
	maybe truth = iota
	no
	yes
)

// condition decides the Condition of a resource or output, a name; without
// one it exists.
func (s *stack) condition(n *yaml.Node) truth {
	if n == nil {
		return yes
	}
	return s.named(s.eval(n, 0))
}

// named decides a condition by its name.
func (s *stack) named(name value) truth {
	if name.kind != scalar {
		return maybe
	}
	if t, ok := s.truths[name.text]; ok {
		return t
	}
	n := field(s.conditions, name.text)
	if n == nil {
		s.problem(name.line, fmt.Sprintf("%s is no condition of the template", plainName(name.text)), "correct the reference")
		return maybe
	}
	if s.deciding[name.text] {
		s.problem(n.Line, fmt.Sprintf("condition %s depends on itself", plainName(name.text)), "break the circle")
		return maybe
	}
	s.deciding[name.text] = true
	t := s.decide(n, 0)
	delete(s.deciding, name.text)
	s.truths[name.text] = t
	return t
}

// decide decides a condition's expression.
func (s *stack) decide(n *yaml.Node, depth int) truth {
	if depth > maxDepth || !s.reader.spend(1) {
		return maybe
	}
	name, arg := "", n
	switch {
	case !builtin(n.Tag):
		bare := *n
		bare.Tag = ""
		name, arg = "Fn::"+n.Tag[1:], &bare
		if n.Tag == "!Condition" {
			name = "Condition"
		}
	case n.Kind == yaml.MappingNode && len(n.Content) == 2:
		name, arg = n.Content[0].Value, n.Content[1]
	}
	if name == "Condition" {
		return s.named(s.eval(arg, depth+1))
	}
	if arg.Kind != yaml.SequenceNode {
		return maybe
	}
	switch name {
	case "Fn::Equals":
		if len(arg.Content) != 2 {
			return maybe
		}
		a, b := s.eval(arg.Content[0], depth+1), s.eval(arg.Content[1], depth+1)
		if a.kind != scalar || b.kind != scalar || a.made || b.made {
			return maybe
		}
		return truthOf(a.text == b.text)
	case "Fn::Not":
		if len(arg.Content) != 1 {
			return maybe
		}
		switch s.decide(arg.Content[0], depth+1) {
		case yes:
			return no
		case no:
			return yes
		}
		return maybe
	case "Fn::And", "Fn::Or":
		// One no decides an And, one yes an Or, whatever else is not known.
		decisive := truthOf(name == "Fn::Or")
		open := false
		for _, c := range arg.Content {
			switch s.decide(c, depth+1) {
			case decisive:
				return decisive
			case maybe:
				open = true
			}
		}
		if open {
			return maybe
		}
		return truthOf(name == "Fn::And")
	}
	return maybe
}

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}
