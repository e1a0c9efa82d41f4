package kubeobject

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

// configMapFacts returns the facts of a ConfigMap's data.
func configMapFacts(data map[string]string) []estate.Fact {
	var f facts
	for _, key := range slices.Sorted(maps.Keys(data)) {
		f.text(key, clip(data[key], maxText))
	}
	return f.out
}

// text reads one value of a ConfigMap: a plain value, a file of settings, or a
// proxy's configuration.
func (f *facts) text(key, text string) {
	field := "data[" + key + "]"
	p := place{field: field, name: key}
	if strings.Contains(text, "-----BEGIN ") {
		f.value(field, "", key, text)
		return
	}
	servers := proxyServers(key, text)
	for i := range servers {
		f.add(p, estate.Fact{Server: &servers[i]})
	}
	if len(servers) > 0 {
		// What a proxy forwards to stands in its servers.
		return
	}
	if !strings.Contains(text, "\n") {
		if t := strings.TrimSpace(text); strings.HasPrefix(t, "{") || strings.HasPrefix(t, "[") {
			f.json(field, t)
			return
		}
		f.value(field, "", key, text)
		return
	}
	f.lines(field, text)
}

// lines reads "NAME=value" and "name: value", nested by indentation.
func (f *facts) lines(field, text string) {
	type level struct {
		indent int
		name   string
	}
	var levels []level
	for line := range strings.Lines(text) {
		if len(f.out) >= maxFacts {
			return
		}
		body := strings.TrimLeft(line, " \t")
		indent := len(line) - len(body)
		body = strings.TrimSpace(strings.TrimPrefix(body, "- "))
		if body == "" || body[0] == '#' || body[0] == ';' || strings.HasPrefix(body, "//") || strings.HasPrefix(body, "--") {
			continue
		}
		for len(levels) > 0 && levels[len(levels)-1].indent >= indent {
			levels = levels[:len(levels)-1]
		}
		body = strings.TrimPrefix(body, "export ")
		i := strings.IndexAny(body, "=:")
		if i < 0 {
			f.value(field, "", "", unquote(body))
			continue
		}
		name := strings.Trim(body[:i], " \t\"'")
		value := unquote(strings.TrimLeft(body[i+1:], "=>"))
		if !plain(name) || name == "" || len(name) > 100 {
			f.connections(place{field: field}, clip(body, maxValue))
			continue
		}
		if body[i] == ':' && value == "" {
			if len(levels) < 8 {
				levels = append(levels, level{indent, name})
			}
			continue
		}
		if body[i] == ':' && strings.HasPrefix(body[i:], "://") {
			f.value(field, "", "", body)
			continue
		}
		if n := len(levels); n > 0 {
			var b strings.Builder
			for _, l := range levels {
				b.WriteString(l.name + ".")
			}
			name = b.String() + name
		}
		f.value(field, "", clip(name, 200), clip(value, maxValue))
	}
}

// unquote takes the quotes and a trailing comma off a value.
func unquote(v string) string {
	v = strings.TrimSuffix(strings.TrimSpace(v), ",")
	if len(v) >= 2 && (v[0] == '"' || v[0] == '\'') {
		if end := strings.IndexByte(v[1:], v[0]); end >= 0 {
			return v[1 : end+1]
		}
	}
	// A comment after a value.
	if before, _, ok := strings.Cut(v, " #"); ok {
		v = strings.TrimSpace(before)
	}
	return v
}

// json reads JSON on one line.
func (f *facts) json(field, text string) {
	d := json.NewDecoder(strings.NewReader(text))
	type level struct {
		object bool
		key    string
		isKey  bool // an object's next token is a key
	}
	var levels []level
	for len(f.out) < maxFacts && len(levels) < 50 {
		token, err := d.Token()
		if err != nil {
			return
		}
		top := len(levels) - 1
		var value string
		switch t := token.(type) {
		case json.Delim:
			if t == '{' || t == '[' {
				levels = append(levels, level{object: t == '{', isKey: t == '{'})
				continue
			}
			levels = levels[:top]
			top--
		case string:
			if top >= 0 && levels[top].object && levels[top].isKey {
				levels[top].key, levels[top].isKey = t, false
				continue
			}
			value = t
		case float64:
			value = strconv.FormatFloat(t, 'f', -1, 64)
		case bool:
			value = strconv.FormatBool(t)
		}
		if value != "" {
			var names []string
			for _, l := range levels {
				if l.key != "" && plain(l.key) {
					names = append(names, l.key)
				}
			}
			f.value(field, "", clip(strings.Join(names, "."), 200), clip(value, maxValue))
		}
		if top >= 0 && levels[top].object {
			levels[top].isKey = true
		}
	}
}
