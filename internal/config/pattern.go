package config

import "strings"

// A Pattern matches texts. "*" stands for any characters, slashes and none
// included; everything else stands for itself, so that a field such as
// "spec.rules[0]" needs no escapes.
type Pattern struct {
	parts []string // between the stars
}

// Compile returns the pattern that text is. Every text is a pattern.
func Compile(text string) Pattern { return Pattern{parts: strings.Split(text, "*")} }

// Match reports whether the pattern matches all of s, in time that grows with
// the length of both and not with their product of stars.
func (p Pattern) Match(s string) bool {
	if len(p.parts) == 0 {
		return false
	}
	first, last := p.parts[0], p.parts[len(p.parts)-1]
	if len(p.parts) == 1 {
		return s == first
	}
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	// The leftmost place of each part leaves most for the others.
	for _, part := range p.parts[1 : len(p.parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return true
}

// Literal returns the only text that the pattern matches, and false if it has
// a star.
func (p Pattern) Literal() (string, bool) {
	if len(p.parts) != 1 {
		return "", false
	}
	return p.parts[0], true
}

// Everything reports whether the pattern matches every text.
func (p Pattern) Everything() bool { return len(p.parts) > 1 && strings.Join(p.parts, "") == "" }

// Patterns match what any of them matches.
type Patterns []Pattern

// CompileAll compiles a list, as a Config holds it.
func CompileAll(texts []string) Patterns {
	out := make(Patterns, len(texts))
	for i, t := range texts {
		out[i] = Compile(t)
	}
	return out
}

// Match reports whether any of the patterns matches s.
func (ps Patterns) Match(s string) bool {
	for _, p := range ps {
		if p.Match(s) {
			return true
		}
	}
	return false
}
