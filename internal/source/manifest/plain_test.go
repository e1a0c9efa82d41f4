package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/eksafe/eksafe/internal/estate"
)

// plainDocuments are read by the plain parser, each for a reason of its own.
var plainDocuments = []string{
	fmt.Sprintf(strings.Split(application, "\n---\n")[0]+"\n", "shop"),
	"a: b\n",
	"---\na:\n  b:\n    c: d\n",
	"# comment\n\n---\n# comment\na: b # comment\n\nc: 'd' # comment\ne: [] # comment\nf:   # comment\n  g: h\n",
	"a:\n- b\n- c: d\n  e: f\n-   g: h\n    i:\n    - j\nk: l\n",
	"a:\n  - b\n  - - c\n", // is refused; the rest is not
	"a:\n-\n  b: c\n-\n- d\ne:\nf:\n- - g\n",
	"a:\nb:\n-\nc:\n",
	"a: {b: c, \"d\": 'e', f: {g: [h, 1, {i: j}]}, k: []}\nl: [ m , n ]\no: {}\np: [{}, []]\n",
	"a: yes\nb: 0644\nc: 1.5\nd: -1\ne: 1_000\nf: ~\ng: null\nh: 12345678901234567890123\ni: 0x1f\nj: +5\nk: .5\nl: 1e3\nm: 0o17\nn: off\n",
	"a: \"\"\nb: ''\nc: \"it's # no comment: really\"\nd: 'say \"a\\b\"'\n",
	"a: b  c   d\ne: f#g\nh: http://i:80/j\nk: l, m [n] {o}\np: q=\"r\"\ns: --flag=x\nt: $(VAR)\nu: (v)\nw: <x>\ny: a'b\nz: a & b * c ! d | e > f % g @ h ` i ? j - k\n",
	"a:\n- --flag=x\n- -v\n- http://x:1\n- \"q\"\n- 'r'\n- {s: t}\n- [u]\n- w: x\n",
	"prometheus.io/scrape: \"true\"\n\"a b\": c\n'd: e': f\n1: 2\ntrue: x\n_x: y\na/b-c.d: z\n",
	"a:\n    b: c\n    d:\n     e: f\n",
	"a: b\n   \n\n# end",
	"a: b",
	"<<: x\n",
	"\"<<\": {a: b}\n",
	"k: ---\nl: ...\nm:\n- ---\n",
}

// compared compares the two parsers, and reports whether the plain one reads
// the document.
func compared(t *testing.T, doc []byte) bool {
	t.Helper()
	var p plainParser
	if !p.parse(doc) {
		return false
	}
	var w estate.PositionWriter
	got, end, err := p.append(nil, 0, &w)
	if err != nil {
		return false
	}
	if end != len(p.nodes) {
		t.Fatalf("%d of %d nodes were written of\n%s", end, len(p.nodes), doc)
	}
	positions := w.Positions()

	d := yaml.NewDecoder(bytes.NewReader(doc))
	var root, another yaml.Node
	if err := decodeNode(d, &root); err != nil {
		t.Fatalf("plain is what is no YAML: %v\n%q", err, doc)
	}
	if err := decodeNode(d, &another); !errors.Is(err, io.EOF) {
		t.Fatalf("plain are several documents: %q", doc)
	}
	node := root.Content[0]
	var full walker
	full.begin(node.Line, len(doc))
	want, err := full.append(nil, node, 0)
	if err != nil || len(full.duplicates) > 0 {
		t.Fatalf("plain is what has an error: %v, duplicates %v\n%q", err, full.duplicates, doc)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%q\nis plain   %s\nis in full %s", doc, got, want)
	}
	if !bytes.Equal(positions, full.positions.Positions()) || int(p.nodes[0].line) != node.Line {
		t.Fatalf("the lines differ of\n%s", doc)
	}
	for _, name := range []string{"apiVersion", "kind", "a"} {
		want := ""
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == name {
				want = node.Content[i+1].Value
			}
		}
		if got := p.field(name); got != want {
			t.Fatalf("%s is %q, want %q, in\n%s", name, got, want, doc)
		}
	}
	return true
}

func TestPlain(t *testing.T) {
	refused := 0
	for _, doc := range plainDocuments {
		if !compared(t, []byte(doc)) {
			refused++
			t.Logf("refused:\n%s", doc)
		}
	}
	if want := 3; refused != want { // dashes in one line, twice, and a merge key
		t.Errorf("%d documents were refused, want %d", refused, want)
	}
}

// TestPlainRefuses names what is left to the YAML parser.
func TestPlainRefuses(t *testing.T) {
	for _, doc := range []string{
		"", "\n", "# only\n", "a", "- a\n", "{a: b}\n", " a: b\n", "a: b\n---\nc: d\n", "--- # c\na: b\n", "--- a: b\n", "%YAML 1.1\n---\na: b\n", "a: b\n...\n",
		"a: b\na: c\n", "a: {b: c, b: d}\n", "a: &b c\n", "a: *b\n", "&a b: c\n", "a: !!str b\n", "? a\n: b\n", "a: |\n  b\n", "a: >-\n  b\n",
		"a: b\n  c\n", "a:\n  b\n", "a: 'b\n  c'\n", "a: \"b\\n\"\n", "a: 'it''s'\n", "a: [b,\n  c]\n", "a: {b}\n", "a: [b: c]\n", "a: {b: }\n", "a: [b,]\n", "a: {\"b\":c}\n", "a: [,]\n",
		"a: b: c\n", "a: b:\n", "a: - b\n", "a: - \n", "a: \"b\" c\n", "a: \"b\"# c\n", "a: {b: c} d\n", "a: [b c]\n", "a: [\n", "a: {\n", "a: @b\n", "a: %b\n", "a: `b\n",
		"a:\n\tb: c\n", "a:\tb\n", "a: b\r\n", "a: \u00e9\n", "a: b\x00\n", "a: .inf\n", "a:\n  b: c\n d: e\n", "a:\n- b\n c: d\n", "a:\n  - b\n  c: d\n", "a: b\n- c\n", "a:b\n", "a : b\n",
		strings.Repeat("a: ", 3) + "b\n", "a: " + strings.Repeat("[", 60) + strings.Repeat("]", 60) + "\n",
		strings.Repeat("x", 300) + ": a\n",
	} {
		if compared(t, []byte(doc)) {
			t.Errorf("read as plain: %q", doc)
		}
	}
}

// TestPlainOfDamagedDocuments changes each byte of documents to whatever has a
// meaning in YAML.
func TestPlainOfDamagedDocuments(t *testing.T) {
	const meanings = "\n :-#{}[],'\"|>&*!%@`?~.<=\\0x\t_"
	for _, doc := range plainDocuments {
		doc = doc[:min(len(doc), 200)]
		damaged := []byte(doc)
		for i := range damaged {
			was := damaged[i]
			for _, c := range []byte(meanings) {
				damaged[i] = c
				compared(t, damaged)
				compared(t, append(append(bytes.Clone(damaged[:i]), c), doc[i:]...)) // put in
			}
			damaged[i] = was
			compared(t, append(bytes.Clone(damaged[:i]), doc[i+1:]...)) // left out
			compared(t, damaged[:i])
		}
	}
}

// TestPlainOfRandomLines puts pieces of YAML under and beside each other, which
// gives what is nearly right more often than changes of bytes do.
func TestPlainOfRandomLines(t *testing.T) {
	lines := []string{
		"a: b", "a:", "b:", "c: d", "- a", "-", "- a: b", "- a:", "- - a", "-  b: c", "# c", "", "e: {f: g}", "h: [i, j]", "k: 'l'", "m: \"n\" # o", "- {p: q}", "'r': s", "- 't'",
		"x", "u: |", "v: >-", "[w]", "{y: z}", "- \"a\": b", "a: 'b", "\"", "}", "]", "---", "...", "a: &b c", "d: *b", "? a", ": b", "!!str a", "f: 1", "g: - h", "- i #j", "k:  # l", "- # m", "/n: /o", "p: q: r",
	}
	random := rand.New(rand.NewPCG(1, 2))
	const documents = 100_000
	plain := 0
	for range documents {
		var doc strings.Builder
		for range 1 + random.IntN(7) {
			doc.WriteString(strings.Repeat(" ", max(0, random.IntN(7)-2)) + lines[int(float64(len(lines))*random.Float64()*random.Float64())] + "\n")
		}
		if compared(t, []byte(doc.String())) {
			plain++
		}
	}
	if t.Logf("%d documents are plain", plain); plain < documents/100 {
		t.Errorf("only %d documents are plain", plain)
	}
}

func FuzzPlain(f *testing.F) {
	for _, doc := range plainDocuments {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) { compared(t, doc) })
}

// TestPlainReadsCorpora compares the parsers on real manifests.
func TestPlainReadsCorpora(t *testing.T) {
	dir := unpack(t, filepath.Join(corpus(t, "manifests"), "kube-prometheus.tar.gz"))
	plain, documents := 0, 0
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		for s := newSplitter(file); ; {
			doc, _, err := s.next()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			documents++
			if compared(t, doc) {
				plain++
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d documents are plain", plain, documents)
	if plain*2 < documents {
		t.Errorf("only %d of %d documents of a real project are plain", plain, documents)
	}
}
