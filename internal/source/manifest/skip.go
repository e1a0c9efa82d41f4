package manifest

import (
	"bytes"
	"strings"

	"github.com/eksafe/eksafe/internal/source/kubeobject"
)

// ignoredKind returns the kind of a document that certainly is of a kind that
// eksafe does not judge, without parsing it: custom resource definitions are
// large and many.
//
// It must never be wrong about a kind that is judged, or a manifest could hide
// from the audit. The first content line stands in the first column, so the
// root is a block mapping without indentation, and each of its keys begins a
// line. Every line that begins in the first column is a plain key, so that no
// key is quoted, tagged, anchored, merged or explicit; only one of them is
// "kind". If that line happens to stand within a quoted scalar, the root has
// no kind at all. Line breaks that YAML knows and bytes.Lines does not are
// refused.
func ignoredKind(doc []byte) (apiVersion, kind string, ok bool) {
	if exoticBreak(doc) {
		return "", "", false
	}
	kinds, versions := 0, 0
	first := true
	for len(doc) > 0 {
		end := bytes.IndexByte(doc, '\n')
		line := doc
		if end >= 0 {
			line, doc = doc[:end], doc[end+1:]
		} else {
			doc = nil
		}
		if len(line) == 0 || line[0] == '#' || line[0] == '\r' {
			continue
		}
		if first && (bytes.Equal(line, []byte("---")) || bytes.Equal(line, []byte("---\r"))) {
			continue
		}
		if line[0] == ' ' {
			if first && len(bytes.TrimLeft(line, " \r")) > 0 {
				return "", "", false
			}
			continue
		}
		first = false
		key, value, isKey := plainKey(line)
		if !isKey {
			return "", "", false
		}
		switch key {
		case "kind":
			kinds++
			kind = value
		case "apiVersion":
			versions++
			apiVersion = value
		}
	}
	if kinds != 1 || versions != 1 || !plainValue(kind) || !plainValue(apiVersion) || strings.HasSuffix(kind, "List") {
		return "", "", false
	}
	if _, known := kubeobject.Known(apiVersion, kind); known {
		return "", "", false
	}
	return apiVersion, kind, true
}

// plainKey splits a line "key: value" or "key:".
func plainKey(line []byte) (key, value string, ok bool) {
	line = bytes.TrimSuffix(line, []byte("\r"))
	i := 0
	for i < len(line) && (isLetter(line[i]) || line[i] >= '0' && line[i] <= '9') {
		i++
	}
	if i == 0 || i == len(line) || line[i] != ':' {
		return "", "", false
	}
	rest := line[i+1:]
	if len(rest) == 0 {
		return string(line[:i]), "", true
	}
	if rest[0] != ' ' {
		return "", "", false
	}
	// Values of keys other than these two do not matter.
	if k := line[:i]; string(k) != "kind" && string(k) != "apiVersion" {
		return "", "", true
	}
	return string(line[:i]), string(bytes.TrimSpace(rest)), true
}

// plainValue reports whether v is a plain scalar that is a string.
func plainValue(v string) bool {
	if v == "" || !isLetter(v[0]) {
		return false
	}
	for i := range len(v) {
		c := v[i]
		if !isLetter(c) && (c < '0' || c > '9') && c != '.' && c != '/' && c != '-' {
			return false
		}
	}
	return true
}

// exoticBreak reports whether doc has a line break that is no line feed: a
// lone carriage return, or one of Unicode's, which YAML 1.1 takes for breaks.
func exoticBreak(doc []byte) bool {
	for rest := doc; ; {
		i := bytes.IndexByte(rest, '\r')
		if i < 0 {
			break
		}
		if i+1 >= len(rest) || rest[i+1] != '\n' {
			return true
		}
		rest = rest[i+1:]
	}
	return bytes.Contains(doc, []byte("\u0085")) || bytes.Contains(doc, []byte("\u2028")) || bytes.Contains(doc, []byte("\u2029"))
}
