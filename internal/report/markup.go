package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// markup is HTML, CSS or JavaScript that stands in this package. Constants
// become markup by themselves and strings do not, so that text of the input
// cannot be written as HTML unless somebody converts it, which a test refuses.
type markup string

// A markupWriter writes a page. It does what html/template would do, because
// a program that runs any template keeps every method of every type, which
// would be most of its size: docs/design/size.md.
type markupWriter struct{ w *bufio.Writer }

func newMarkupWriter(w io.Writer) markupWriter { return markupWriter{bufio.NewWriterSize(w, 1<<16)} }

// write writes format with each %s replaced by a value as text. A %s stands
// between tags, or within the quotes of an attribute that is neither an
// address, a style nor a script: a test holds this of every format.
func (m markupWriter) write(format markup, values ...any) {
	for i, v := range values {
		values[i] = markupEscaper.Replace(fmt.Sprint(v))
	}
	fmt.Fprintf(m.w, string(format), values...)
}

// put writes markup as it is.
func (m markupWriter) put(code markup) { m.w.WriteString(string(code)) }

// flush ends the page. An error of an earlier write is kept until here.
func (m markupWriter) flush() error { return m.w.Flush() }

// markupEscaper makes text of whatever is written: it begins no tag or entity
// and ends no attribute, in single or double quotes. The plus sign guards
// against browsers that guess UTF-7.
var markupEscaper = strings.NewReplacer(
	"\x00", "\uFFFD", `"`, "&#34;", "&", "&amp;", "'", "&#39;", "+", "&#43;", "<", "&lt;", ">", "&gt;",
)
