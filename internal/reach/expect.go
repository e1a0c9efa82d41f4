package reach

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// An Expectation says what should be: a part of a file of expectations.
type Expectation struct {
	From    string   // as Find takes it; "*" is every workload
	To      string   // likewise; "*" is every workload and everything of AWS
	Except  []string // of From: who is not meant
	Port    string   // "5432", "53/UDP"; "" is every port
	Verdict Verdict  // Allowed or Denied
	Line    int
}

// String returns "shop/web → orders 5432/TCP: denied".
func (x *Expectation) String() string {
	port := ""
	if x.Port != "" {
		port = " at " + x.Port
	}
	return fmt.Sprintf("%s → %s%s: %s", x.From, x.To, port, x.Verdict)
}

// maxExpectations bounds a file.
const maxExpectations = 10_000

// ParseExpectations reads a file of expectations: a list under "expect" of
// from, to, except, port and verdict. Every mistake is reported, with its line.
func ParseExpectations(data []byte) ([]Expectation, error) {
	var file struct {
		Expect []yaml.Node `yaml:"expect"`
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.New(strings.TrimPrefix(strings.Join(strings.Fields(err.Error()), " "), "yaml: "))
	}
	if len(file.Expect) == 0 {
		return nil, errors.New(`no expectations: list them under "expect:"`)
	}
	if len(file.Expect) > maxExpectations {
		return nil, fmt.Errorf("more than %d expectations", maxExpectations)
	}
	var out []Expectation
	var wrong []error
	for i := range file.Expect {
		x, err := parseExpectation(&file.Expect[i])
		if err != nil {
			wrong = append(wrong, fmt.Errorf("line %d: %w", file.Expect[i].Line, err))
			continue
		}
		out = append(out, x)
	}
	return out, errors.Join(wrong...)
}

func parseExpectation(node *yaml.Node) (Expectation, error) {
	x := Expectation{Line: node.Line}
	if node.Kind != yaml.MappingNode {
		return x, errors.New("an expectation is a mapping with from, to and verdict")
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		switch key.Value {
		case "from":
			x.From = value.Value
		case "to":
			x.To = value.Value
		case "port":
			if _, _, err := ParsePort(value.Value); err != nil {
				return x, err
			}
			x.Port = value.Value
		case "except":
			if err := value.Decode(&x.Except); err != nil {
				return x, errors.New("except is a list of references")
			}
		case "verdict":
			i := slices.Index(verdictNames[1:], value.Value)
			if i < 0 {
				return x, fmt.Errorf("verdict %q: use allowed or denied", value.Value)
			}
			x.Verdict = Verdict(i + 1)
		default:
			return x, fmt.Errorf("unknown field %q: use from, to, except, port, verdict", key.Value)
		}
	}
	switch {
	case x.From == "" || x.To == "":
		return x, errors.New("from and to are needed")
	case x.Verdict == Unknown:
		return x, errors.New("verdict is needed: allowed or denied")
	}
	return x, nil
}

// An Outcome says whether an expectation holds.
type Outcome struct {
	Expectation Expectation
	Holds       bool
	// Against is the reply that shows it does not; nil where it does, or where
	// nothing is meant by it.
	Against *Reply
	Err     error // a reference that means nothing, or a port that its Service does not have
}

// Check holds an estate to expectations. An answer that is not known meets none.
func (n *Network) Check(xs []Expectation) []Outcome {
	out := make([]Outcome, len(xs))
	for i := range xs {
		out[i] = n.check(&xs[i])
	}
	return out
}

func (n *Network) check(x *Expectation) Outcome {
	o := Outcome{Expectation: *x}
	from, err := n.meant(x.From, (*Endpoint).runs)
	if err != nil {
		o.Err = err
		return o
	}
	to, err := n.meant(x.To, (*Endpoint).isThing)
	if err != nil {
		o.Err = err
		return o
	}
	excepted := map[*Endpoint]bool{}
	for _, ref := range x.Except {
		f, err := n.meant(ref, (*Endpoint).runs)
		if err != nil {
			o.Err = err
			return o
		}
		for _, e := range f.endpoints {
			excepted[e] = true
		}
	}
	var ports []Named
	if x.Port != "" {
		protocol, port, _ := ParsePort(x.Port) // it was read when the file was
		if ports, err = to.at(protocol, port); err != nil {
			o.Err = err
			return o
		}
	}
	for _, f := range from.endpoints {
		if excepted[f] {
			continue
		}
		for _, t := range to.endpoints {
			if f == t && (len(from.endpoints) > 1 || len(to.endpoints) > 1) {
				continue
			}
			v := n.pairVerdict(f, t, ports)
			if v == x.Verdict || v == Allowed && x.Verdict == Allowed {
				continue
			}
			o.Against = n.reply(f, t, len(ports) > 0, ports)
			return o
		}
	}
	o.Holds = true
	return o
}

func (n *Network) pairVerdict(from, to *Endpoint, ports []Named) Verdict {
	sure, open := n.endpointsBetween(from, to)
	if len(ports) == 0 {
		switch {
		case sure != noPorts:
			return Allowed
		case open != noPorts:
			return Unknown
		}
		return Denied
	}
	out := Denied
	for _, p := range ports {
		switch {
		case n.has(sure, p.Protocol, p.Port):
			return Allowed
		case n.has(open, p.Protocol, p.Port):
			out = Unknown
		}
	}
	return out
}

// meant is find, with "*" for all that an expectation may mean.
func (n *Network) meant(ref string, all func(*Endpoint) bool) (found, error) {
	if ref != "*" {
		return n.find(ref)
	}
	return n.among(ref, all)
}

func (e *Endpoint) runs() bool { return e.Workload != nil }

func (e *Endpoint) isThing() bool { return !e.isAddress() && e.Kind != NodesEndpoint }
