package manifest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

const (
	maxYAML = 16 << 20 // a tree of nodes costs some thirty times its text
	maxJSON = 64 << 20
)

var errTooLarge = errors.New("document too large")

// bufferSize is enough for most files to be read at once.
const bufferSize = 16 << 10

// peek returns the beginning of r, and a reader of all of it.
func peek(r io.Reader) ([]byte, io.Reader, error) {
	b := bufio.NewReaderSize(r, bufferSize)
	head, err := b.Peek(8 << 10)
	if err != nil && err != io.EOF {
		return nil, nil, err
	}
	return head, b, nil
}

// A splitter cuts a YAML stream at its document markers. YAML allows "---" and
// "..." in the first column as markers only, whatever surrounds them, so lines
// are enough to cut at.
type splitter struct {
	r    *bufio.Reader
	doc  []byte
	held []byte // a marker line that begins the next document
	line int    // of the next line to read, from 1
	done bool
}

func newSplitter(r io.Reader) *splitter {
	b, ok := r.(*bufio.Reader)
	if !ok {
		b = bufio.NewReaderSize(r, bufferSize)
	}
	return &splitter{r: b, line: 1}
}

// next returns the next document, marker included, and the number of its first
// line. The document is valid until the next call.
func (s *splitter) next() ([]byte, int, error) {
	s.doc = s.doc[:0]
	start := s.line
	if len(s.held) > 0 {
		start--
		s.doc = append(s.doc, s.held...)
		s.held = s.held[:0]
	} else if s.done {
		return nil, 0, io.EOF
	}
	marked, content, large := len(s.doc) > 0, false, false
	for !s.done {
		begin := len(s.doc)
		// A line longer than the reader's buffer comes in pieces.
		for {
			piece, err := s.r.ReadSlice('\n')
			if len(s.doc)+len(piece) > maxYAML {
				large = true
				s.doc, begin = s.doc[:0], 0
			}
			s.doc = append(s.doc, piece...)
			if errors.Is(err, bufio.ErrBufferFull) {
				continue
			}
			if errors.Is(err, io.EOF) {
				s.done = true
			} else if err != nil {
				return nil, 0, err
			}
			break
		}
		line := s.doc[begin:]
		if len(line) == 0 {
			break
		}
		s.line++
		switch {
		case isMarker(line, "---") || begin == 0 && start == 1 && isMarker(bytes.TrimPrefix(line, bom), "---"):
			if marked || content || large {
				s.held = append(s.held[:0], line...)
				s.doc = s.doc[:begin]
				return s.result(start, large)
			}
			marked = true
		case isMarker(line, "..."):
			return s.result(start, large)
		case line[0] != '%' && line[0] != '#' && len(bytes.TrimSpace(line)) > 0:
			content = true
		}
	}
	return s.result(start, large)
}

func (s *splitter) result(start int, large bool) ([]byte, int, error) {
	if large {
		return nil, start, errTooLarge
	}
	return s.doc, start, nil
}

func isMarker(line []byte, marker string) bool {
	if !bytes.HasPrefix(line, []byte(marker)) {
		return false
	}
	if len(line) == 3 {
		return true
	}
	switch line[3] {
	case ' ', '\t', '\r', '\n':
		return true
	}
	return false
}
