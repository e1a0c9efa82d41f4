package cloudformation

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/eksafe/eksafe/internal/estate"
)

// properties is a mapping of properties of one resource. Asking for one
// evaluates it; what is not asked for is not looked at.
type properties struct {
	res   *resource
	stack *stack // whose expressions the node holds
	node  *yaml.Node
	asked map[string]bool
	// certain says that what is absent is absent: no macro adds properties.
	certain bool
	known   bool
}

// properties returns the properties of the resource.
func (res *resource) properties() *properties {
	n := field(res.node, "Properties")
	if n == nil {
		return res.view(value{kind: mapping, node: &yaml.Node{Kind: yaml.MappingNode}, stack: res.stack})
	}
	return res.view(res.eval(n, 0))
}

// view returns the properties within a mapping. Of a value that is no mapping
// everything is unknown, of an absent one everything is absent.
func (res *resource) view(v value) *properties {
	p := &properties{res: res, stack: v.stack, node: v.node, asked: map[string]bool{}}
	switch v.kind {
	case mapping:
		p.known = true
		p.certain = !res.expanded && field(v.node, "Fn::Transform") == nil && field(v.node, "<<") == nil
	case absent:
		p.certain, p.node = !res.expanded, nil
	default:
		p.node = nil
	}
	// The same mapping may be looked at more than once.
	for _, seen := range res.visits {
		if p.node != nil && seen.node == p.node {
			p.asked = seen.asked
			return p
		}
	}
	res.visits = append(res.visits, p)
	return p
}

// get evaluates one property.
func (p *properties) get(name string) value {
	p.asked[name] = true
	if p.node != nil {
		if n := field(p.node, name); n != nil {
			return p.stack.eval(n, 0)
		}
	}
	if p.certain {
		return value{kind: absent}
	}
	return value{}
}

// has reports whether the property is stated, or may be.
func (p *properties) has(name string) bool { return p.get(name).kind != absent }

// in returns the properties within a property.
func (p *properties) in(name string) *properties { return p.res.view(p.get(name)) }

// each returns the properties of each element of a list, and whether the list
// is known as a whole. An element that is not known has only unknowns.
func (p *properties) each(name string) (items []*properties, known bool) {
	v := p.get(name)
	for _, item := range v.items {
		items = append(items, p.res.view(item))
	}
	return items, v.kind == list || v.kind == absent
}

func (p *properties) wrong(name, want string, v value) {
	p.res.problem(v.line, fmt.Sprintf("%s of %s is %s", name, plainName(p.res.name), want), "correct the template")
}

// text returns a literal; unknown when it is absent.
func (p *properties) text(name string) estate.Optional[string] {
	v := p.get(name)
	if v.kind != scalar || v.id || v.made {
		return estate.Optional[string]{}
	}
	return estate.Known(v.text)
}

// textOr returns a literal, def when the property is absent.
func (p *properties) textOr(name, def string) estate.Optional[string] {
	if !p.has(name) {
		return estate.Known(def)
	}
	return p.text(name)
}

// plain returns a literal, "" when it is absent or unknown.
func (p *properties) plain(name string) string { return p.text(name).Or("") }

// name returns the physical name of the resource, or its logical ID: the name
// that CloudFormation makes up contains it.
func (p *properties) name(property string) string {
	if n := p.text(property).Or(""); n != "" {
		return n
	}
	return p.res.name
}

// ref returns what identifies another resource: its identity, a literal, or
// the text of what is not known. It is "" when the property is absent.
func (p *properties) ref(name string) string { return reference(p.get(name)) }

func reference(v value) string {
	switch {
	case v.kind == scalar, v.kind == unknown && v.text != "":
		return v.text
	case v.kind == absent:
		return ""
	}
	return "${?}"
}

// refOrNone is ref as an Optional, known and empty when the property is absent.
func (p *properties) refOrNone(name string) estate.Optional[string] {
	switch v := p.get(name); v.kind {
	case scalar:
		return estate.Known(v.text)
	case absent:
		return estate.Known("")
	}
	return estate.Optional[string]{}
}

// refs returns a list of references. What is not known of it shows as an
// element that joins nothing, so that nobody takes the rest for all.
func (p *properties) refs(name string) []string { return references(p.get(name)) }

func references(v value) []string {
	switch v.kind {
	case absent:
		return nil
	case list:
		var out []string
		for _, item := range v.items {
			out = append(out, reference(item))
		}
		return out
	}
	return []string{reference(v)}
}

// texts returns a list of literals, def when it is absent; it is unknown when
// one of them is.
func (p *properties) texts(name string, def []string) estate.Optional[[]string] {
	v := p.get(name)
	switch v.kind {
	case absent:
		return estate.Known(def)
	case scalar: // one element may stand without the list
		v.items = []value{v}
	case list:
	default:
		return estate.Optional[[]string]{}
	}
	out := []string{}
	for _, item := range v.items {
		if item.kind != scalar || item.id || item.made {
			return estate.Optional[[]string]{}
		}
		out = append(out, item.text)
	}
	return estate.Known(out)
}

// words is texts without the difference of absent and unknown.
func (p *properties) words(name string) []string { return p.texts(name, nil).Or(nil) }

// bool returns a truth value; unknown when it is absent.
func (p *properties) bool(name string) estate.Optional[bool] {
	v := p.get(name)
	if v.kind != scalar || v.id || v.made {
		return estate.Optional[bool]{}
	}
	switch strings.ToLower(v.text) {
	case "true", "yes", "on", "1":
		return estate.Known(true)
	case "false", "no", "off", "0":
		return estate.Known(false)
	}
	p.wrong(name, "neither true nor false", v)
	return estate.Optional[bool]{}
}

// boolOr returns a truth value, def when the property is absent.
func (p *properties) boolOr(name string, def bool) estate.Optional[bool] {
	if !p.has(name) {
		return estate.Known(def)
	}
	return p.bool(name)
}

// int returns a number; unknown when it is absent.
func (p *properties) int(name string) estate.Optional[int] {
	v := p.get(name)
	if v.kind != scalar || v.id || v.made {
		return estate.Optional[int]{}
	}
	n, err := strconv.ParseInt(v.text, 10, 32)
	if err != nil {
		p.wrong(name, "no number", v)
		return estate.Optional[int]{}
	}
	return estate.Known(int(n))
}

// attributes returns a list of Key and Value. A value that is not known shows
// as its text; a key that is not known makes the list unknown.
func (p *properties) attributes(name, key string) estate.Optional[[]estate.Attribute] {
	items, known := p.each(name)
	out := []estate.Attribute{}
	for _, item := range items {
		k, ok := item.text(key).Get()
		known = known && ok
		out = append(out, estate.Attribute{Key: k, Value: item.ref("Value")})
	}
	if !known {
		return estate.Optional[[]estate.Attribute]{}
	}
	return estate.Known(out)
}

// parameters returns the parameters of a parameter group. One whose value is
// not known is left out, unless it may decide about TLS: then the map is
// unknown.
func (p *properties) parameters(name string) estate.Optional[map[string]string] {
	v := p.get(name)
	out := map[string]string{}
	switch v.kind {
	case absent:
		return estate.Known(out)
	case mapping:
	default:
		return estate.Optional[map[string]string]{}
	}
	params := p.res.view(v)
	if !params.certain {
		return estate.Optional[map[string]string]{}
	}
	for key := range fields(v.node) {
		value := params.get(key)
		switch {
		case value.kind == absent:
		case value.kind == scalar && !value.id && !value.made:
			out[key] = value.text
		case strings.Contains(key, "ssl") || strings.Contains(key, "tls") || strings.Contains(key, "secure_transport"):
			return estate.Optional[map[string]string]{}
		}
	}
	return estate.Known(out)
}

// tags returns the tags that are known.
func (p *properties) tags(name string) map[string]string {
	v := p.get(name)
	var out map[string]string
	add := func(k, val string) {
		if out == nil {
			out = map[string]string{}
		}
		out[k] = val
	}
	switch v.kind {
	case mapping: // some types have a mapping of tags
		tags := p.res.view(v)
		for k := range fields(v.node) {
			if val, ok := tags.text(k).Get(); ok {
				add(k, val)
			}
		}
	case list:
		for _, item := range v.items {
			tag := p.res.view(item)
			if k, ok := tag.text("Key").Get(); ok {
				if val, ok := tag.text("Value").Get(); ok {
					add(k, val)
				}
			}
		}
	}
	return out
}

// checkNames tells of properties that were most likely meant to be one that
// eksafe reads: CloudFormation would refuse the template.
func (res *resource) checkNames() {
	for _, p := range res.visits {
		if p.node == nil || !p.known {
			continue
		}
		for i := 0; i+1 < len(p.node.Content); i += 2 {
			key := p.node.Content[i]
			if p.asked[key.Value] {
				continue
			}
			for want := range p.asked {
				if misspelt(key.Value, want) && field(p.node, want) == nil {
					res.problem(key.Line, fmt.Sprintf("%s has no property %s", res.kind, plainName(key.Value)), "did you mean "+want+"?")
				}
			}
		}
	}
}

// misspelt reports whether name is want with one mistake: a letter too many,
// too few, another one, two exchanged, or wrong capitals.
func misspelt(name, want string) bool {
	if strings.EqualFold(name, want) {
		return name != want
	}
	if len(want) < 6 {
		return false
	}
	// Skip what both have in front and at the end.
	i := 0
	for i < len(name) && i < len(want) && name[i] == want[i] {
		i++
	}
	a, b := name[i:], want[i:]
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	switch {
	case len(a) == 2 && len(b) == 2:
		return a[0] == b[1] && a[1] == b[0]
	case a == "s" && b == "" && i == len(want), a == "" && b == "s" && i == len(name):
		return false // singular and plural are often both properties
	}
	return len(a)+len(b) == 1 || len(a) == 1 && len(b) == 1
}
