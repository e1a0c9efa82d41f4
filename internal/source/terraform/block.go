package terraform

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/eksafe/eksafe/internal/estate"
)

// A block is the attributes of a resource or of a block within it: what is
// known, what will only be known after the plan was applied, and from what
// expressions both come.
type block struct {
	res         *resource
	values      map[string]any
	unknown     map[string]any
	expressions map[string]*tfjson.Expression
	missing     bool // the block itself is not known
}

// isUnknown reports whether an attribute, or a part of it, is not known yet.
func (b *block) isUnknown(name string) bool {
	if b.missing {
		return true
	}
	return open(b.unknown[name])
}

func open(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case []any:
		for _, item := range v {
			if open(item) {
				return true
			}
		}
	case map[string]any:
		for _, item := range v {
			if open(item) {
				return true
			}
		}
	}
	return false
}

// has reports whether an attribute is set, or may be. Empty blocks are lists
// without elements.
func (b *block) has(name string) bool {
	if b.missing {
		return true
	}
	if whole, ok := b.unknown[name].(bool); ok && whole {
		return true
	}
	switch v := b.values[name].(type) {
	case nil:
		return false
	case []any:
		return len(v) > 0
	}
	return true
}

// text returns a text; unknown when it is absent or not known yet.
func (b *block) text(name string) estate.Optional[string] {
	switch v := b.values[name].(type) {
	case string:
		if !b.isUnknown(name) {
			return estate.Known(v)
		}
	case float64, bool, json.Number:
		return estate.Known(fmt.Sprint(v))
	}
	return estate.Optional[string]{}
}

// textOr returns a text, def when it is absent or empty.
func (b *block) textOr(name, def string) estate.Optional[string] {
	if !b.has(name) {
		return estate.Known(def)
	}
	if v, known := b.text(name).Get(); known && v == "" {
		return estate.Known(def)
	}
	return b.text(name)
}

func (b *block) plain(name string) string { return b.text(name).Or("") }

// bool returns a truth value; unknown when it is absent. Some are texts.
func (b *block) bool(name string) estate.Optional[bool] {
	switch v := b.values[name].(type) {
	case bool:
		return estate.Known(v)
	case string:
		if on, err := strconv.ParseBool(v); err == nil {
			return estate.Known(on)
		}
	}
	return estate.Optional[bool]{}
}

func (b *block) boolOr(name string, def bool) estate.Optional[bool] {
	if v, isText := b.values[name].(string); !b.has(name) || isText && v == "" {
		return estate.Known(def)
	}
	return b.bool(name)
}

// int returns a number; unknown when it is absent. Some are texts.
func (b *block) int(name string) estate.Optional[int] {
	switch v := b.values[name].(type) {
	case float64:
		if v == float64(int32(v)) {
			return estate.Known(int(v))
		}
	case string:
		if n, err := strconv.ParseInt(v, 10, 32); err == nil {
			return estate.Known(int(n))
		}
	}
	return estate.Optional[int]{}
}

func (b *block) intOr(name string, def int) estate.Optional[int] {
	if !b.has(name) {
		return estate.Known(def)
	}
	return b.int(name)
}

func (b *block) float(name string) estate.Optional[float64] {
	if v, ok := b.values[name].(float64); ok {
		return estate.Known(v)
	}
	return estate.Optional[float64]{}
}

// texts returns a list of texts, def when it is absent; it is unknown when one
// of them is.
func (b *block) texts(name string, def []string) estate.Optional[[]string] {
	if b.isUnknown(name) {
		return estate.Optional[[]string]{}
	}
	list, ok := b.values[name].([]any)
	if !ok {
		return estate.Known(def)
	}
	out := []string{}
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			return estate.Optional[[]string]{}
		}
		out = append(out, s)
	}
	return estate.Known(out)
}

func (b *block) words(name string) []string { return b.texts(name, nil).Or(nil) }

// in returns the one block of a name; one without attributes where there is
// none.
func (b *block) in(name string) *block {
	items, known := b.each(name)
	if len(items) > 0 {
		return items[0]
	}
	return &block{res: b.res, missing: !known}
}

// each returns the blocks of a name, and whether all of them are known.
func (b *block) each(name string) (items []*block, known bool) {
	if b.missing {
		return nil, false
	}
	if whole, ok := b.unknown[name].(bool); ok && whole {
		return nil, false
	}
	var list []any
	switch v := b.values[name].(type) {
	case []any:
		list = v
	case map[string]any:
		list = []any{v}
	}
	unknowns, _ := b.unknown[name].([]any)
	if m, ok := b.unknown[name].(map[string]any); ok {
		unknowns = []any{m}
	}
	var nested []map[string]*tfjson.Expression
	if e := b.expressions[name]; e != nil && e.ExpressionData != nil {
		nested = e.NestedBlocks
	}
	known = true
	for i, v := range list {
		item := &block{res: b.res}
		values, ok := v.(map[string]any)
		item.values, item.missing = values, !ok
		if i < len(unknowns) {
			item.unknown, _ = unknowns[i].(map[string]any)
		}
		// A dynamic block stands once, whatever it makes.
		if len(nested) == len(list) {
			item.expressions = nested[i]
		}
		items = append(items, item)
	}
	// A block that will only be there after the plan was applied.
	if len(unknowns) > len(list) {
		known = false
	}
	return items, known
}

// member returns the name of the one block that a block has, "" when there is
// none or when that is not known: action { block {} }.
func (b *block) member() string {
	for name, v := range b.values {
		switch v := v.(type) {
		case []any:
			if len(v) > 0 {
				return name
			}
		case map[string]any:
			return name
		}
	}
	return ""
}

// ref returns what identifies another resource: its ARN, ID or name, or where
// these are not known yet what the configuration refers to. It is "" when the
// attribute is absent, and "${?}" when nothing tells.
func (b *block) ref(name string) string {
	if v, known := b.text(name).Get(); known {
		return v
	}
	if !b.has(name) {
		return ""
	}
	if ids := b.resolve(name, false); len(ids) == 1 {
		return ids[0]
	}
	return "${?}"
}

func (b *block) refOrNone(name string) estate.Optional[string] {
	switch v := b.ref(name); v {
	case "${?}":
		return estate.Optional[string]{}
	default:
		return estate.Known(v)
	}
}

// refs returns a list of references. What is not known of it shows as an
// element that joins nothing, so that nobody takes the rest for all.
func (b *block) refs(name string) []string {
	if !b.has(name) {
		return nil
	}
	if all, known := b.texts(name, nil).Get(); known {
		return all
	}
	if ids := b.resolve(name, true); len(ids) > 0 {
		return ids
	}
	return []string{"${?}"}
}

// refsOrUnknown is refs of a list whose emptiness is judged.
func (b *block) refsOrUnknown(name string) estate.Optional[[]string] {
	all := b.refs(name)
	for _, r := range all {
		if r == "${?}" {
			return estate.Optional[[]string]{}
		}
	}
	return estate.Known(append([]string{}, all...))
}

// document returns a policy in JSON; unknown until the plan was applied.
func (b *block) document(name string) estate.Optional[string] {
	v, known := b.text(name).Get()
	if !known || !json.Valid([]byte(v)) {
		return estate.Optional[string]{}
	}
	return estate.Known(v)
}

// resolve returns the names of what the expression of an attribute refers to.
// It is empty where one of the references leads nowhere that is certain.
func (b *block) resolve(name string, many bool) []string {
	e := b.expressions[name]
	if e == nil {
		return nil
	}
	var out []string
	if !b.res.follow(e, b.res.scope, many, 0, &out) {
		return nil
	}
	return out
}

// follow adds the names of what e refers to in scope.
func (res *resource) follow(e *tfjson.Expression, s *scope, many bool, depth int, out *[]string) bool {
	if e == nil || e.ExpressionData == nil || depth > maxReference || s == nil {
		return false
	}
	references := longest(e.References)
	if len(references) == 0 || !many && len(references) > 1 {
		return false
	}
	for _, r := range references {
		if !res.followOne(r, s, many, depth, out) {
			return false
		}
	}
	return true
}

// longest drops references that another one begins with: terraform lists
// "aws_lb.a.arn" together with "aws_lb.a".
func longest(references []string) []string {
	var out []string
	for _, r := range references {
		shorter := false
		for _, other := range references {
			if rest, ok := strings.CutPrefix(other, r); ok && rest != "" && (rest[0] == '.' || rest[0] == '[') {
				shorter = true
			}
		}
		if !shorter {
			out = append(out, r)
		}
	}
	return out
}

func (res *resource) followOne(reference string, s *scope, many bool, depth int, out *[]string) bool {
	first, rest, _ := strings.Cut(reference, ".")
	switch first {
	case "var":
		if s.call == nil {
			return false
		}
		name, _, _ := strings.Cut(strings.ReplaceAll(rest, "[", "."), ".")
		return res.follow(s.call.Expressions[name], s.parent, many, depth+1, out)
	case "module":
		called, output := cutStep(rest)
		bare, _, _ := strings.Cut(called, "[")
		if s.module == nil || s.module.ModuleCalls[bare] == nil {
			return false
		}
		child := s.child("module."+called, strings.TrimPrefix(s.address+".module."+called, "."))
		output, _ = cutStep(output)
		bare, _, _ = strings.Cut(output, "[")
		if child.module == nil || child.module.Outputs[bare] == nil {
			return false
		}
		return res.follow(child.module.Outputs[bare].Expression, child, many, depth+1, out)
	case "local", "each", "count", "path", "terraform", "self", "data":
		return false
	}
	name, rest := cutStep(rest)
	bare, index, indexed := strings.Cut(name, "[")
	found := res.reader.places[place(s.address, first+"."+bare)]
	if indexed {
		found = withIndex(found, strings.TrimSuffix(index, "]"))
	} else if len(found) > 1 && !many {
		// count and for_each of both ends usually go side by side.
		found = withIndex(found, indexText(res.index))
	}
	if len(found) == 0 || len(found) > 1 && !many {
		return false
	}
	attribute, _ := cutStep(rest)
	for _, to := range found {
		*out = append(*out, to.reference(attribute))
	}
	return true
}

// cutStep cuts a reference at the first dot that stands in no index.
func cutStep(s string) (before, after string) {
	depth, quoted := 0, false
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[':
			depth++
		case c == ']':
			depth--
		case c == '.' && depth == 0:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

func withIndex(all []*resource, index string) []*resource {
	for _, r := range all {
		if index != "" && indexText(r.index) == index {
			return []*resource{r}
		}
	}
	return nil
}

// indexText writes an index as a reference has it: 0, or "key" with its quotes.
func indexText(index any) string {
	switch v := index.(type) {
	case string:
		return strconv.Quote(v)
	case float64:
		return strconv.Itoa(int(v))
	case int:
		return strconv.Itoa(v)
	case json.Number:
		return v.String()
	}
	return ""
}
