package estate

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// An Origin says where a resource was read: a file and line, a cluster, or an
// account and region.
type Origin struct {
	File      string    `json:"file,omitempty"`
	Line      int       `json:"line,omitempty"` // of the resource's first line
	Positions Positions `json:"positions,omitempty"`
	Cluster   string    `json:"cluster,omitempty"` // context of the live cluster
	Account   string    `json:"account,omitempty"`
	Region    string    `json:"region,omitempty"`
}

// Locate returns the file and line of a field such as
// "spec.template.spec.containers[0].image". The line is that of the nearest
// ancestor that stands in the file; a resource read from a live source has no
// file.
func (o *Origin) Locate(field string) (file string, line int) {
	if o == nil || o.File == "" {
		return "", 0
	}
	if n := o.Positions.line(field); n > 0 {
		return o.File, o.Line + n - 1
	}
	return o.File, o.Line
}

// Positions is the line of every field of one document, packed: some 4 bytes
// a field, so that a whole estate's positions cost a few megabytes. Build it
// with a PositionWriter while the document is walked.
type Positions []byte

// Layout, in document order: a mapping is 'm', count, then for each field a
// 32-bit hash of its key, the line as a difference to the line before, and the
// value; a sequence is 's', count, then line difference and value of each
// element; a scalar is '.'. Counts and differences are varints.
const (
	mappingNode  = 'm'
	sequenceNode = 's'
	scalarNode   = '.'
)

// A PositionWriter records positions in document order. Lines are relative to
// the document: its first line is 1.
type PositionWriter struct {
	out  Positions
	line int
}

// Mapping begins a mapping of n fields; each is a Key and a value.
func (w *PositionWriter) Mapping(n int) {
	w.out = binary.AppendUvarint(append(w.out, mappingNode), uint64(n))
}

// Sequence begins a sequence of n elements; each is an Element and a value.
func (w *PositionWriter) Sequence(n int) {
	w.out = binary.AppendUvarint(append(w.out, sequenceNode), uint64(n))
}

// Scalar writes a value without parts.
func (w *PositionWriter) Scalar() { w.out = append(w.out, scalarNode) }

// Key writes the name and line of the field whose value follows.
func (w *PositionWriter) Key(name string, line int) {
	w.out = binary.LittleEndian.AppendUint32(w.out, keyHash(name))
	w.Element(line)
}

// Element writes the line of the element whose value follows.
func (w *PositionWriter) Element(line int) {
	w.out = binary.AppendVarint(w.out, int64(line-w.line))
	w.line = line
}

// Positions returns what was written and makes the writer ready for the next
// document.
func (w *PositionWriter) Positions() Positions {
	out := append(Positions(nil), w.out...)
	w.out, w.line = w.out[:0], 0
	return out
}

// keyHash is 32-bit FNV-1a. A collision within one mapping costs a wrong line
// number, nothing else.
func keyHash(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return h
}

// A step is one part of a field path: a key, or an index when key is empty.
type step struct {
	key   string
	index int
}

// nextStep takes the first part of a field path; ok is false at its end. Keys that
// contain dots, such as annotation names, are written in brackets:
// metadata.annotations[alb.ingress.kubernetes.io/scheme].
func nextStep(field string) (s step, rest string, ok bool) {
	field = strings.TrimLeft(field, ".")
	switch {
	case field == "":
		return step{}, "", false
	case field[0] != '[':
		end := strings.IndexAny(field, ".[")
		if end < 0 {
			end = len(field)
		}
		return step{key: field[:end]}, field[end:], true
	}
	end := strings.IndexByte(field, ']')
	if end < 0 {
		return step{key: field}, "", true
	}
	inner, rest := field[1:end], field[end+1:]
	if n, err := strconv.Atoi(inner); err == nil {
		return step{index: n}, rest, true
	}
	return step{key: inner}, rest, true
}

// line returns the line of field or of its nearest written ancestor, 0 if
// there is none. Positions may come from a snapshot: damage ends the search.
func (p Positions) line(field string) int {
	r := reader{data: p}
	line, found := 0, 0
	for want, rest, more := nextStep(field); more; want, rest, more = nextStep(rest) {
		node := r.byte()
		n := r.uvarint(node)
		matched := false
		for i := uint64(0); i < n && !r.bad; i++ {
			var hit bool
			if node == mappingNode {
				h := r.uint32()
				hit = want.key != "" && h == keyHash(want.key)
			} else {
				hit = want.key == "" && int(i) == want.index
			}
			line += r.varint()
			if hit {
				found, matched = line, true
				break
			}
			line += r.skip(0)
		}
		if !matched || r.bad {
			return found
		}
	}
	return found
}

type reader struct {
	data []byte
	bad  bool
}

func (r *reader) byte() byte {
	if len(r.data) == 0 {
		r.bad = true
		return scalarNode
	}
	b := r.data[0]
	r.data = r.data[1:]
	return b
}

func (r *reader) uint32() uint32 {
	if len(r.data) < 4 {
		r.bad = true
		return 0
	}
	v := binary.LittleEndian.Uint32(r.data)
	r.data = r.data[4:]
	return v
}

func (r *reader) uvarint(node byte) uint64 {
	if node != mappingNode && node != sequenceNode {
		return 0
	}
	v, n := binary.Uvarint(r.data)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.data = r.data[n:]
	return v
}

func (r *reader) varint() int {
	v, n := binary.Varint(r.data)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.data = r.data[n:]
	return int(v)
}

// skip passes over one value and returns the sum of its line differences.
func (r *reader) skip(depth int) int {
	if depth > 1000 {
		r.bad = true
		return 0
	}
	node := r.byte()
	sum := 0
	for n := r.uvarint(node); n > 0 && !r.bad; n-- {
		if node == mappingNode {
			r.uint32()
		}
		sum += r.varint() + r.skip(depth+1)
	}
	return sum
}
