package network

import "strings"

// A lookup returns the value of a label.
type lookup func(key string) (string, bool)

// A selector is a compiled selector of Calico; nil selects everything.
type selector func(lookup) bool

// maxSelector bounds what one selector may cost: it is written by whoever may
// write policies.
const (
	maxSelector = 8 << 10
	maxDepth    = 64
)

// parseSelector compiles a selector in Calico's language. ok is false for one
// that eksafe does not understand.
func parseSelector(text string) (s selector, ok bool) {
	if strings.TrimSpace(text) == "" {
		return nil, true
	}
	if len(text) > maxSelector {
		return nil, false
	}
	p := &selectorParser{rest: text}
	s, ok = p.or(0)
	return s, ok && p.peek() == ""
}

type selectorParser struct {
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
		a := left
		right, ok = p.and(depth)
		left = func(l lookup) bool { return a(l) || right(l) }
	}
	return left, ok
}

func (p *selectorParser) and(depth int) (selector, bool) {
	left, ok := p.operand(depth)
	for ok && p.accept("&&") {
		var right selector
		a := left
		right, ok = p.operand(depth)
		left = func(l lookup) bool { return a(l) && right(l) }
	}
	return left, ok
}

func (p *selectorParser) operand(depth int) (selector, bool) {
	if depth > maxDepth {
		return nil, false
	}
	if p.accept("!") {
		s, ok := p.operand(depth + 1)
		return func(l lookup) bool { return !s(l) }, ok
	}
	if p.accept("(") {
		s, ok := p.or(depth + 1)
		return s, ok && p.accept(")")
	}
	key, text := p.take()
	if text || key == "" || strings.ContainsAny(key, "(){},!=&|?") {
		return nil, false
	}
	switch key {
	case "all", "global":
		if p.accept("(") {
			// global() selects what has no namespace: no pod.
			all := key == "all"
			return func(lookup) bool { return all }, p.accept(")")
		}
	case "has":
		if p.accept("(") {
			name, _ := p.take()
			return func(l lookup) bool { _, ok := l(name); return ok }, name != "" && p.accept(")")
		}
	}
	return p.comparison(key)
}

// comparison reads what follows a label. A label that is absent differs from
// every value.
func (p *selectorParser) comparison(key string) (selector, bool) {
	operator, _ := p.take()
	negated := operator == "not"
	if negated {
		if operator, _ = p.take(); operator != "in" {
			return nil, false
		}
	}
	switch operator {
	case "in":
		values, ok := p.set()
		return func(l lookup) bool {
			v, found := l(key)
			return (found && values[v]) != negated
		}, ok
	case "==", "!=":
		value, text := p.take()
		return func(l lookup) bool {
			v, found := l(key)
			return (found && v == value) == (operator == "==")
		}, text
	case "contains", "starts", "ends":
		if operator != "contains" && !p.accept("with") {
			return nil, false
		}
		value, text := p.take()
		test := map[string]func(s, part string) bool{"contains": strings.Contains, "starts": strings.HasPrefix, "ends": strings.HasSuffix}[operator]
		return func(l lookup) bool {
			v, found := l(key)
			return found && test(v, value)
		}, text
	}
	return nil, false
}

func (p *selectorParser) set() (map[string]bool, bool) {
	values := map[string]bool{}
	if !p.accept("{") {
		return nil, false
	}
	for !p.accept("}") {
		value, text := p.take()
		if !text {
			return nil, false
		}
		values[value] = true
		if !p.accept(",") && p.peek() != "}" {
			return nil, false
		}
	}
	return values, true
}
