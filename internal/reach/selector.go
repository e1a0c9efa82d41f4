package reach

import (
	"slices"
	"strings"
)

// A lookup returns the value of a label.
type lookup func(key string) (string, bool)

// A selector is a compiled selector of Calico. The zero selector selects
// everything.
type selector struct {
	match func(lookup) bool
	// pins are labels that whatever is selected must have, each with one of a
	// few values: by an index of labels they find it without asking all.
	pins []pin
}

type pin struct {
	key    string
	values []string
}

func (s selector) selects(l lookup) bool { return s.match == nil || s.match(l) }

// A dialect says what labels a selector is about.
type dialect struct {
	prefix string // of the labels that an endpoint inherits: "pcns." from its namespace
	all    string // the label that everything has that all() is about, "" for really all
}

// The labels by which Calico makes one selector of those over endpoints,
// namespaces and service accounts: an endpoint inherits the labels of its
// namespace and of its service account under a prefix. What has no namespace,
// hosts and global sets, has none of them, and differs from every value.
const (
	calicoNamespace      = "projectcalico.org/namespace"
	calicoServiceAccount = "projectcalico.org/serviceaccount"
	calicoOrchestrator   = "projectcalico.org/orchestrator"
	calicoName           = "projectcalico.org/name"
	namespacePrefix      = "pcns."
	accountPrefix        = "pcsa."
)

var (
	endpointDialect  = dialect{}
	namespaceDialect = dialect{prefix: namespacePrefix, all: calicoNamespace}
	accountDialect   = dialect{prefix: accountPrefix}
	// accountsDialect is that of the policies of the cluster, where all() is
	// what has a service account.
	accountsDialect = dialect{prefix: accountPrefix, all: calicoServiceAccount}
)

// maxSelector bounds what one selector may cost: it is written by whoever may
// write policies.
const (
	maxSelector = 8 << 10
	maxDepth    = 64
)

// parseSelector compiles a selector in Calico's language. ok is false for one
// that eksafe does not understand.
func parseSelector(text string, d dialect) (s selector, ok bool) {
	if strings.TrimSpace(text) == "" {
		return selector{}, true
	}
	if len(text) > maxSelector {
		return selector{}, false
	}
	p := &selectorParser{rest: text, dialect: d}
	s, ok = p.or(0)
	return s, ok && p.peek() == ""
}

type selectorParser struct {
	dialect
	rest  string
	token string // the next one, "" at the end
	read  bool
	text  bool // the token was a quoted text
}

// peek returns the next token without taking it.
func (p *selectorParser) peek() string {
	if p.read {
		return p.token
	}
	p.read, p.text = true, false
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	if p.rest == "" {
		p.token = ""
		return ""
	}
	for _, sign := range [...]string{"&&", "||", "==", "!="} {
		if rest, ok := strings.CutPrefix(p.rest, sign); ok {
			p.token, p.rest = sign, rest
			return sign
		}
	}
	switch c := p.rest[0]; {
	case c == '\'' || c == '"':
		end := strings.IndexByte(p.rest[1:], c)
		if end < 0 {
			p.token, p.rest = "?", "" // a text without an end is no token of the language
			return p.token
		}
		p.token, p.rest, p.text = p.rest[1:1+end], p.rest[end+2:], true
	case strings.IndexByte("(){},!", c) >= 0:
		p.token, p.rest = p.rest[:1], p.rest[1:]
	default:
		end := strings.IndexAny(p.rest, " \t\r\n(){},!=&|'\"")
		if end < 0 {
			end = len(p.rest)
		}
		if end == 0 {
			p.token, p.rest = "?", ""
			return p.token
		}
		p.token, p.rest = p.rest[:end], p.rest[end:]
	}
	return p.token
}

func (p *selectorParser) take() (token string, text bool) {
	token = p.peek()
	p.read = false
	return token, p.text
}

// accept takes the token if it is the next one.
func (p *selectorParser) accept(token string) bool {
	if p.peek() == token && !p.text {
		p.read = false
		return true
	}
	return false
}

func (p *selectorParser) or(depth int) (selector, bool) {
	left, ok := p.and(depth)
	for ok && p.accept("||") {
		var right selector
		a := left.match
		right, ok = p.and(depth)
		left = selector{match: func(l lookup) bool { return a(l) || right.match(l) }}
	}
	return left, ok
}

func (p *selectorParser) and(depth int) (selector, bool) {
	left, ok := p.operand(depth)
	for ok && p.accept("&&") {
		var right selector
		a := left
		right, ok = p.operand(depth)
		left = selector{
			match: func(l lookup) bool { return a.match(l) && right.match(l) },
			pins:  slices.Concat(a.pins, right.pins),
		}
	}
	return left, ok
}

func (p *selectorParser) operand(depth int) (selector, bool) {
	if depth > maxDepth {
		return selector{}, false
	}
	if p.accept("!") {
		s, ok := p.operand(depth + 1)
		return selector{match: func(l lookup) bool { return !s.match(l) }}, ok
	}
	if p.accept("(") {
		s, ok := p.or(depth + 1)
		return s, ok && p.accept(")")
	}
	key, text := p.take()
	if text || key == "" || strings.ContainsAny(key, "(){},!=&|?") {
		return selector{}, false
	}
	switch key {
	case "all":
		if p.accept("(") {
			if p.all != "" {
				return has(p.all), p.accept(")")
			}
			return selector{match: func(lookup) bool { return true }}, p.accept(")")
		}
	case "global":
		if p.accept("(") {
			spaced := has(calicoNamespace)
			return selector{match: func(l lookup) bool { return !spaced.match(l) }}, p.accept(")")
		}
	case "has":
		if p.accept("(") {
			name, _ := p.take()
			return has(p.prefix + name), name != "" && p.accept(")")
		}
	}
	return p.comparison(p.prefix + key)
}

func has(key string) selector {
	return selector{match: func(l lookup) bool { _, ok := l(key); return ok }}
}

// comparison reads what follows a label. A label that is absent differs from
// every value.
func (p *selectorParser) comparison(key string) (selector, bool) {
	operator, _ := p.take()
	negated := operator == "not"
	if negated {
		if operator, _ = p.take(); operator != "in" {
			return selector{}, false
		}
	}
	switch operator {
	case "in":
		values, ok := p.set()
		s := selector{match: func(l lookup) bool {
			v, found := l(key)
			return (found && slices.Contains(values, v)) != negated
		}}
		if !negated {
			s.pins = []pin{{key, values}}
		}
		return s, ok
	case "==":
		value, text := p.take()
		return selector{
			match: func(l lookup) bool { v, found := l(key); return found && v == value },
			pins:  []pin{{key, []string{value}}},
		}, text
	case "!=":
		value, text := p.take()
		return selector{match: func(l lookup) bool { v, found := l(key); return !found || v != value }}, text
	case "contains", "starts", "ends":
		if operator != "contains" && !p.accept("with") {
			return selector{}, false
		}
		value, text := p.take()
		test := map[string]func(s, part string) bool{"contains": strings.Contains, "starts": strings.HasPrefix, "ends": strings.HasSuffix}[operator]
		return selector{match: func(l lookup) bool {
			v, found := l(key)
			return found && test(v, value)
		}}, text
	}
	return selector{}, false
}

// set reads the values in braces, each once and in order.
func (p *selectorParser) set() ([]string, bool) {
	var values []string
	if !p.accept("{") {
		return nil, false
	}
	for !p.accept("}") {
		value, text := p.take()
		if !text {
			return nil, false
		}
		values = append(values, value)
		if !p.accept(",") && p.peek() != "}" {
			return nil, false
		}
	}
	slices.Sort(values)
	return slices.Compact(values), true
}
