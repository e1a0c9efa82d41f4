package proof

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Case is one mutation of the secure estate and what it must lead to.
type Case struct {
	Name     string // "fail/every-ipv4-address.yaml"
	Verdict  string // "fail", "pass", "unknown" or "notApplicable"
	Set      []Assignment
	Wants    []Want
	Expected []Want    // subjects that miss the control by design
	Also     []Overlap // what other controls may say as well
}

// An Assignment sets one field of one resource. A resource that is removed has
// neither field nor value.
type Assignment struct {
	Resource string // "deployment/shop-prod/web"
	Field    string
	Value    *yaml.Node
}

// A Want is one finding or gap that must be reported.
type Want struct {
	Resource, Field, Message string
}

// An Overlap is a finding or gap of another control that is right.
type Overlap struct {
	Control string
	Message string // empty: whatever it says
}

const quoted = `"(?:[^"\\]|\\.)*"`

var (
	directiveRE = regexp.MustCompile(`(?:^|\s)#\s*(want|also|expected)\b`)
	wantAtRE    = regexp.MustCompile(`#\s*want at (\S+)(?:\s+([^\s"]\S*))?\s+(` + quoted + `)`)
	wantRE      = regexp.MustCompile(`#\s*want((?:\s+` + quoted + `)+)`)
	expectedRE  = regexp.MustCompile(`#\s*expected((?:\s+` + quoted + `)+)`)
	alsoRE      = regexp.MustCompile(`#\s*also ([a-z0-9-]+)(?:\s+(` + quoted + `))?`)
	quotedRE    = regexp.MustCompile(quoted)
)

// ParseCase reads one case; name is that of its section: "fail/not-set.yaml".
func ParseCase(name string, data []byte) (*Case, error) {
	verdict, rest, _ := strings.Cut(name, "/")
	if !slices.Contains([]string{"fail", "pass", "unknown", "notApplicable"}, verdict) || !strings.HasSuffix(rest, ".yaml") {
		return nil, fmt.Errorf("%s: a case is fail/…, pass/…, unknown/… or notApplicable/….yaml", name)
	}
	k := &Case{Name: name, Verdict: verdict}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	lines := map[int]Want{} // what stands on each line
	if len(root.Content) > 0 {
		for resource, fields := range pairs(root.Content[0]) {
			note(lines, resource.Line, Want{Resource: resource.Value})
			if fields.Tag == "!!null" {
				k.Set = append(k.Set, Assignment{Resource: resource.Value})
				continue
			}
			if fields.Kind != yaml.MappingNode {
				return nil, fmt.Errorf("%s: %s must be a mapping of fields, or null", name, resource.Value)
			}
			for field, value := range pairs(fields) {
				k.Set = append(k.Set, Assignment{resource.Value, field.Value, value})
				note(lines, field.Line, Want{Resource: resource.Value, Field: field.Value})
				locate(lines, resource.Value, field.Value, value)
			}
		}
	}
	for i, line := range strings.Split(string(data), "\n") {
		if err := k.directives(line, lines[i+1]); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, i+1, err)
		}
	}
	if verdict == "fail" && len(k.Wants) == 0 {
		return nil, fmt.Errorf("%s: a fail/ case needs a comment: # want \"message\"", name)
	}
	if verdict != "fail" && verdict != "unknown" && len(k.Wants) > 0 {
		return nil, fmt.Errorf("%s: a %s/ case reports nothing, but wants %q", name, verdict, k.Wants[0].Message)
	}
	return k, nil
}

func note(lines map[int]Want, line int, w Want) {
	if _, taken := lines[line]; !taken {
		lines[line] = w
	}
}

// locate notes which field stands on which line of a value.
func locate(lines map[int]Want, resource, path string, n *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		for key, value := range pairs(n) {
			field := path + "." + key.Value
			if strings.ContainsAny(key.Value, "./[") {
				field = path + "[" + key.Value + "]"
			}
			note(lines, key.Line, Want{Resource: resource, Field: field})
			locate(lines, resource, field, value)
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			field := fmt.Sprintf("%s[%d]", path, i)
			note(lines, item.Line, Want{Resource: resource, Field: field})
			locate(lines, resource, field, item)
		}
	}
}

// directives reads the comments of one line, at which here stands.
func (k *Case) directives(line string, here Want) error {
	n := len(directiveRE.FindAllString(line, -1))
	if n == 0 {
		return nil
	}
	found := 0
	for _, m := range wantAtRE.FindAllStringSubmatch(line, -1) {
		found++
		msg, err := strconv.Unquote(m[3])
		if err != nil {
			return fmt.Errorf("message %s: %w", m[3], err)
		}
		k.Wants = append(k.Wants, Want{m[1], m[2], msg})
	}
	for _, d := range []struct {
		re   *regexp.Regexp
		list *[]Want
	}{{wantRE, &k.Wants}, {expectedRE, &k.Expected}} {
		for _, m := range d.re.FindAllStringSubmatch(line, -1) {
			found++
			if here.Resource == "" {
				return fmt.Errorf("nothing stands on this line; use: # want at kind/namespace/name field \"message\"")
			}
			for _, q := range quotedRE.FindAllString(m[1], -1) {
				msg, err := strconv.Unquote(q)
				if err != nil {
					return fmt.Errorf("message %s: %w", q, err)
				}
				*d.list = append(*d.list, Want{here.Resource, here.Field, msg})
			}
		}
	}
	for _, m := range alsoRE.FindAllStringSubmatch(line, -1) {
		found++
		o := Overlap{Control: m[1]}
		if m[2] != "" {
			msg, err := strconv.Unquote(m[2])
			if err != nil {
				return fmt.Errorf("message %s: %w", m[2], err)
			}
			o.Message = msg
		}
		k.Also = append(k.Also, o)
	}
	if found != n {
		return fmt.Errorf("cannot read %q; write # want \"…\", # want at REF FIELD \"…\", # expected \"…\", or # also CONTROL \"…\"", strings.TrimSpace(line))
	}
	return nil
}

func pairs(n *yaml.Node) func(func(k, v *yaml.Node) bool) {
	return func(yield func(k, v *yaml.Node) bool) {
		if n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}

// A step is one part of a field path: a key, or an index when key is empty.
type step struct {
	key   string
	index int
}

// parsePath splits a field path as estate.Origin writes them; keys with dots
// stand in brackets.
func parsePath(path string) ([]step, error) {
	var out []step
	for rest := path; rest != ""; {
		switch rest[0] {
		case '.':
			rest = rest[1:]
		case '[':
			end := strings.IndexByte(rest, ']')
			if end < 0 {
				return nil, fmt.Errorf("field %q: no closing bracket", path)
			}
			if n, err := strconv.Atoi(rest[1:end]); err == nil {
				out = append(out, step{index: n})
			} else {
				out = append(out, step{key: rest[1:end]})
			}
			rest = rest[end+1:]
		default:
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			out = append(out, step{key: rest[:end]})
			rest = rest[end:]
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("field %q: empty", path)
	}
	return out, nil
}

// assign returns tree with the field at path set to value; null removes the
// field. Missing mappings are made, and a list may grow by one element.
func assign(tree any, path []step, value any) (any, error) {
	if len(path) == 0 {
		return value, nil
	}
	at := path[0]
	if at.key != "" {
		m, ok := tree.(map[string]any)
		if !ok {
			if tree != nil {
				return nil, fmt.Errorf("%q: its parent is no mapping", at.key)
			}
			m = map[string]any{}
		}
		child, err := assign(m[at.key], path[1:], value)
		if err != nil {
			return nil, err
		}
		if child == nil {
			delete(m, at.key)
		} else {
			m[at.key] = child
		}
		return m, nil
	}
	list, ok := tree.([]any)
	if !ok && tree != nil {
		return nil, fmt.Errorf("[%d]: its parent is no list", at.index)
	}
	if at.index > len(list) {
		return nil, fmt.Errorf("[%d]: the list has %d elements", at.index, len(list))
	}
	if at.index == len(list) {
		list = append(list, nil)
	}
	child, err := assign(list[at.index], path[1:], value)
	if err != nil {
		return nil, err
	}
	if child == nil {
		return slices.Delete(list, at.index, at.index+1), nil
	}
	list[at.index] = child
	return list, nil
}
