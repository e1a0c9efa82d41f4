package cloudformation

import (
	"fmt"
	"math/big"
	"net/netip"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ref evaluates a Ref.
func (s *stack) ref(name string, line int) value {
	switch name {
	case "AWS::NoValue":
		return value{kind: absent}
	case "AWS::Region":
		return given(s.reader.options.Region, name)
	case "AWS::AccountId":
		return given(s.reader.options.Account, name)
	case "AWS::Partition":
		return given(partition(s.reader.options.Region), name)
	}
	if strings.HasPrefix(name, "AWS::") {
		return open(name)
	}
	if n := field(s.parameters, name); n != nil {
		return s.parameter(name, n)
	}
	if res := s.resources[name]; res != nil {
		return s.identity(res)
	}
	s.problem(line, fmt.Sprintf("%s is neither a parameter nor a resource of the template", plainName(name)), "correct the reference")
	return open(plainName(name))
}

func given(v, name string) value {
	if v == "" {
		return open(name)
	}
	return text(v)
}

// partition is known of the regions whose names tell it.
func partition(region string) string {
	switch {
	case region == "":
		return ""
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	case strings.Contains(region, "iso") || strings.HasPrefix(region, "eusc-"):
		return ""
	}
	return "aws"
}

func (s *stack) identity(res *resource) value {
	if s.condition(field(res.node, "Condition")) == no {
		return value{}
	}
	return value{kind: scalar, text: res.id(), id: true}
}

// parameter returns the value of a parameter: what the caller gave, or the
// default. A NoEcho parameter is a secret, and stays unknown.
func (s *stack) parameter(name string, n *yaml.Node) value {
	if v, ok := s.values[name]; ok {
		return v
	}
	s.values[name] = open(name) // while it is found out
	v := s.parameterValue(name, n)
	if v.kind == unknown && v.text == "" {
		v = open(name)
	}
	s.values[name] = v
	return v
}

func (s *stack) parameterValue(name string, n *yaml.Node) value {
	if strings.EqualFold(scalarAt(n, "NoEcho"), "true") {
		return value{}
	}
	typ := scalarAt(n, "Type")
	stored := strings.HasPrefix(typ, "AWS::SSM::Parameter::Value<")
	var v value
	switch {
	case s.parent != nil && field(s.given, name) != nil:
		v = s.parent.eval(field(s.given, name), 0)
		if v.kind == absent {
			v = s.fallback(n)
		}
	case s.parent == nil && hasKey(s.reader.options.Parameters, name):
		v = text(s.reader.options.Parameters[name])
	default:
		v = s.fallback(n)
	}
	// The value of such a parameter is the name under which SSM holds it.
	if stored {
		return value{}
	}
	if typ == "CommaDelimitedList" || strings.HasPrefix(typ, "List<") {
		switch {
		case v.kind == scalar && v.text == "":
			return value{kind: list}
		case v.kind == scalar || v.kind == unknown && len(v.items) > 0:
			v = s.split(v, ",")
			for i := range v.items {
				v.items[i].text = strings.TrimSpace(v.items[i].text)
			}
		}
	}
	return v
}

func hasKey(m map[string]string, key string) bool { _, ok := m[key]; return ok }

func (s *stack) fallback(parameter *yaml.Node) value {
	n := field(parameter, "Default")
	if n == nil || n.Kind != yaml.ScalarNode || !builtin(n.Tag) {
		return value{}
	}
	return s.literal(n)
}

// attribute evaluates a GetAtt.
func (s *stack) attribute(name, attr string, line, depth int) value {
	res := s.resources[name]
	if res == nil {
		s.problem(line, fmt.Sprintf("%s is no resource of the template", plainName(name)), "correct the reference")
		return open(plainName(name + "." + attr))
	}
	key := name + "." + attr
	if v, ok := s.attrs[key]; ok {
		return v
	}
	s.attrs[key] = open(plainName(key)) // a circle ends here
	v := s.findAttribute(res, attr, depth)
	s.attrs[key] = v
	return v
}

func (s *stack) findAttribute(res *resource, attr string, depth int) value {
	id := s.identity(res)
	if id.kind != scalar || identifies(res.kind, attr) {
		return id
	}
	if result, ok := strings.CutPrefix(attr, "Outputs."); ok && res.kind == "AWS::CloudFormation::Stack" {
		if c := s.child(res); c != nil && c.results[result] != nil {
			return c.results[result].value(depth + 1)
		}
		return open(plainName(res.name + "." + attr))
	}
	// An attribute that is a property as well is what the property says.
	if n := field(field(res.node, "Properties"), attr); n != nil {
		if v := s.eval(n, depth+1); v.kind == scalar || v.kind == list {
			return v
		}
	}
	return value{kind: scalar, text: res.id() + "." + attr, made: true}
}

// identifies reports whether an attribute is an identity of its resource:
// Arn, Id, or these with the resource's own name before them, such as
// DBInstanceArn and, of a SecurityGroup, GroupId. A Subnet's VpcId is not.
func identifies(kind, attr string) bool {
	own := strings.ToLower(kind[strings.LastIndex(kind, ":")+1:])
	attr = strings.ToLower(attr)
	for _, suffix := range []string{"arn", "id"} {
		if owner, ok := strings.CutSuffix(attr, suffix); ok && strings.HasSuffix(own, owner) {
			return true
		}
	}
	return false
}

// value evaluates an output.
func (o *output) value(depth int) value {
	if o.done {
		return o.is
	}
	if o.busy || depth > maxDepth {
		return value{}
	}
	o.busy = true
	if o.stack.condition(field(o.node, "Condition")) == yes {
		o.is = o.stack.eval(field(o.node, "Value"), depth)
	}
	o.busy, o.done = false, true
	return o.is
}

// imported returns what a template of this call exports under a name.
func (r *reader) imported(name string, depth int) value {
	if r.exports == nil {
		if r.exporting {
			return open("Fn::ImportValue")
		}
		r.exporting = true
		exports := map[string]*output{}
		// Asking for a name may make nested stacks, and the list longer.
		for i := 0; i < len(r.stacks); i++ {
			for key := range fields(r.stacks[i].outputs) {
				o := r.stacks[i].results[key]
				v := r.stacks[i].eval(field(field(o.node, "Export"), "Name"), 0)
				if v.kind != scalar {
					continue
				}
				if _, twice := exports[v.text]; twice {
					o = nil
				}
				exports[v.text] = o
			}
		}
		r.exports = exports
	}
	o := r.exports[name]
	if o == nil {
		return open(plainName(name))
	}
	v := o.value(depth + 1)
	if v.kind == unknown && v.text == "" {
		return open(plainName(name))
	}
	return v
}

// cidr evaluates Fn::Cidr: count networks with so many host bits, the first
// ones of a block.
func (s *stack) cidr(args []value) value {
	if len(args) < 2 || args[0].kind != scalar || args[1].kind != scalar {
		return value{}
	}
	bits := 8
	if len(args) == 3 {
		n, err := strconv.Atoi(args[2].text)
		if err != nil || args[2].kind != scalar {
			return value{}
		}
		bits = n
	}
	count, err := strconv.Atoi(args[1].text)
	block, err2 := netip.ParsePrefix(args[0].text)
	if err != nil || err2 != nil || count < 1 || count > 256 {
		return value{}
	}
	size := block.Addr().BitLen() - bits
	if bits < 1 || size < block.Bits() || size > block.Addr().BitLen() {
		return value{}
	}
	at := new(big.Int).SetBytes(block.Masked().Addr().AsSlice())
	step := new(big.Int).Lsh(big.NewInt(1), uint(bits))
	out := value{kind: list}
	for range count {
		raw := at.FillBytes(make([]byte, block.Addr().BitLen()/8))
		addr, _ := netip.AddrFromSlice(raw)
		if !block.Contains(addr) {
			return value{} // CloudFormation refuses it
		}
		out.items = append(out.items, text(netip.PrefixFrom(addr, size).String()))
		at.Add(at, step)
		if at.BitLen() > block.Addr().BitLen() {
			break
		}
	}
	if len(out.items) < count {
		return value{}
	}
	return out
}
