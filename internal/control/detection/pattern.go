package detection

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/trace"
)

// maxPatternDepth bounds how deep a pattern is followed. EventBridge itself
// takes far shallower ones.
const maxPatternDepth = 16

// takes says whether an event pattern of EventBridge matches an event. Of the
// event only the fields in event are known: where a pattern asks for others,
// the answer is unclear.
func takes(pattern string, event map[string]any) trace.Ternary {
	var p map[string]any
	if err := json.Unmarshal([]byte(pattern), &p); err != nil || len(p) == 0 {
		return trace.No // a schedule, or a rule that EventBridge would refuse
	}
	return takesFields(p, event, 0)
}

// takesFields asks every field of a pattern: one that does not match decides.
func takesFields(pattern, event map[string]any, depth int) trace.Ternary {
	if depth > maxPatternDepth {
		return trace.Unclear
	}
	out := trace.Yes
	for field, want := range pattern {
		switch takesField(field, want, event, depth) {
		case trace.No:
			return trace.No
		case trace.Unclear:
			out = trace.Unclear
		}
	}
	return out
}

func takesField(field string, want any, event map[string]any, depth int) trace.Ternary {
	alternatives, _ := want.([]any)
	if field == "$or" {
		out := trace.No
		for _, a := range alternatives {
			sub, ok := a.(map[string]any)
			if !ok {
				return trace.Unclear
			}
			out = either(out, takesFields(sub, event, depth+1))
		}
		return out
	}
	have, known := event[field]
	if !known {
		return trace.Unclear
	}
	if sub, ok := want.(map[string]any); ok {
		inner, ok := have.(map[string]any)
		if !ok {
			return trace.No
		}
		return takesFields(sub, inner, depth+1)
	}
	if _, nested := have.(map[string]any); nested || alternatives == nil {
		return trace.No
	}
	out := trace.No
	for _, value := range values(have) {
		for _, a := range alternatives {
			out = either(out, takesValue(a, value))
		}
	}
	return out
}

// values are those of a field: a list matches where one of its values does.
func values(have any) []any {
	if list, ok := have.([]any); ok {
		return list
	}
	return []any{have}
}

// either joins answers of which one yes decides.
func either(a, b trace.Ternary) trace.Ternary {
	switch {
	case a == trace.Yes || b == trace.Yes:
		return trace.Yes
	case a == trace.Unclear || b == trace.Unclear:
		return trace.Unclear
	}
	return trace.No
}

// takesValue compares one value with one alternative of a pattern: a value, or
// an operator such as {"prefix": "x"}.
func takesValue(want, have any) trace.Ternary {
	operator, ok := want.(map[string]any)
	if !ok {
		return answer(want == have)
	}
	text, isText := have.(string)
	number, isNumber := have.(float64)
	for name, operand := range operator {
		operandText, textual := operand.(string)
		switch {
		case name == "exists":
			on, _ := operand.(bool)
			return answer(on)
		case name == "prefix" && textual:
			return answer(isText && strings.HasPrefix(text, operandText))
		case name == "suffix" && textual:
			return answer(isText && strings.HasSuffix(text, operandText))
		case name == "equals-ignore-case" && textual:
			return answer(isText && strings.EqualFold(text, operandText))
		case name == "wildcard" && textual:
			return answer(isText && wildcard(operandText, text))
		case name == "numeric":
			terms, ok := operand.([]any)
			if !ok || !isNumber {
				return trace.No
			}
			return within(terms, number)
		case name == "anything-but":
			if _, nested := operand.(map[string]any); nested {
				return trace.Unclear
			}
			return answer(!slices.Contains(values(operand), have))
		}
	}
	return trace.Unclear
}

func answer(yes bool) trace.Ternary {
	if yes {
		return trace.Yes
	}
	return trace.No
}

// within compares a number with the terms of a numeric operator: ">=", 7, "<", 9.
func within(terms []any, number float64) trace.Ternary {
	if len(terms) == 0 || len(terms)%2 != 0 {
		return trace.Unclear
	}
	for pair := range slices.Chunk(terms, 2) {
		bound, ok := pair[1].(float64)
		if !ok {
			return trace.Unclear
		}
		var holds bool
		switch pair[0] {
		case ">":
			holds = number > bound
		case ">=":
			holds = number >= bound
		case "<":
			holds = number < bound
		case "<=":
			holds = number <= bound
		case "=":
			holds = number == bound
		default:
			return trace.Unclear
		}
		if !holds {
			return trace.No
		}
	}
	return trace.Yes
}

// wildcard matches a text against a pattern in which "*" is any characters.
func wildcard(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	text, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		_, text, ok = strings.Cut(text, part)
		if !ok {
			return false
		}
	}
	return strings.HasSuffix(text, last)
}
