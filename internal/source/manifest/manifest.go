// Package manifest reads Kubernetes manifests from files, folders, globs,
// kustomize folders and standard input into an estate.
//
// It reads local files only: it never follows a link out of a folder, never
// fetches a remote resource, and runs no plugin and no template engine. A
// document that cannot be read costs one problem and nothing else, and no
// message holds a value of the input. An object without a namespace is taken
// to be in "default", as kubectl takes it.
//
// Memory is bounded: files are read document by document, a YAML document may
// have 16 MB and a JSON document 64 MB, and aliases expand to a bounded size.
package manifest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/kubeobject"
)

// Stdin is the PATH that names standard input, and stdinName is what its
// origins are called.
const (
	Stdin     = "-"
	stdinName = "stdin"
)

// A File is a file of another source that lay among the manifests.
type File struct {
	Name    string
	Content Content
	Data    []byte
}

// A Result is what PATHs gave.
type Result struct {
	Estate *estate.Estate
	// Others are the files that other sources read: CloudFormation templates,
	// Terraform plans, snapshots, findings of other tools; in the order they were found.
	Others []File
}

// maxWorkers bounds how many files are read at a time: each may hold a whole
// document and its tree.
const maxWorkers = 2

// Read reads every path. Each gives one estate.Source, unless it holds nothing
// but files of other sources. It fails for a path that does not exist, a
// folder in which nothing can be read, and a named file of which nothing can
// be read; everything less is a problem of the source.
func Read(ctx context.Context, paths []string, stdin io.Reader) (*Result, error) {
	out := &Result{Estate: &estate.Estate{}}
	var decoder kubeobject.Decoder
	seenStdin := false
	for _, path := range paths {
		if path == Stdin {
			if seenStdin {
				continue
			}
			seenStdin = true
		}
		in, err := find(path)
		if err != nil {
			return nil, err
		}
		if err := out.read(ctx, &decoder, path, in, stdin); err != nil {
			return nil, err
		}
	}
	decoder.Finish(out.Estate)
	return out, nil
}

// read reads one path.
func (r *Result) read(ctx context.Context, decoder *kubeobject.Decoder, path string, in *inputs, stdin io.Reader) error {
	results := make([]fileResult, len(in.files)+len(in.kustomizations))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(maxWorkers)
	for i, f := range in.files {
		g.Go(func() error {
			if err := gctx.Err(); err != nil {
				return err
			}
			return readFile(gctx, f, stdin, &results[i])
		})
	}
	for i, k := range in.kustomizations {
		g.Go(func() error {
			if err := gctx.Err(); err != nil {
				return err
			}
			readKustomization(gctx, k, &results[len(in.files)+i])
			return gctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("reading %s: %w", path, err)
		}
		return err
	}

	source := estate.Source{Kind: estate.ManifestSource, Name: path, Problems: in.problems}
	counts := map[estate.Kind]int{}
	ignored := map[estate.Ignored]int{}
	objects, others := 0, 0
	for i := range results {
		f := &results[i]
		for _, o := range f.objects {
			counts[o.Kind]++
			objects++
			decoder.Put(r.Estate, o)
		}
		f.objects = nil
		for k, n := range f.ignored {
			ignored[k] += n
		}
		source.Problems = append(source.Problems, f.problems...)
		if f.other != nil {
			r.Others = append(r.Others, *f.other)
			others++
		}
	}
	if objects == 0 && len(ignored) == 0 && others == 0 {
		return nothing(path, in, source.Problems)
	}
	if objects == 0 && len(ignored) == 0 && len(source.Problems) == 0 {
		return nil
	}
	for k, n := range ignored {
		k.Count = n
		source.Ignored = append(source.Ignored, k)
	}
	slices.SortFunc(source.Ignored, func(a, b estate.Ignored) int {
		return cmp.Or(cmp.Compare(a.APIVersion, b.APIVersion), cmp.Compare(a.Kind, b.Kind))
	})
	if objects > 0 || len(ignored) > 0 {
		for _, k := range estate.Kinds() {
			if k.Provider == estate.KubernetesProvider {
				source.Coverage = append(source.Coverage, estate.Coverage{Kind: k.Kind, State: estate.Read, Count: counts[k.Kind]})
			}
		}
	}
	r.Estate.Sources = append(r.Estate.Sources, source)
	return nil
}

// ErrNothing is returned for a path in which nothing could be read.
var ErrNothing = errors.New("no manifest could be read")

// nothing says why a path gave nothing and what to do.
func nothing(path string, in *inputs, problems []estate.Problem) error {
	where := path
	if path == Stdin {
		where = "standard input"
	}
	switch {
	case len(problems) == 1:
		return fmt.Errorf("%w: %s", ErrNothing, problems[0])
	case len(problems) > 1:
		return fmt.Errorf("%w: %s (and %d more)", ErrNothing, problems[0], len(problems)-1)
	case in.folder:
		return fmt.Errorf("%w: no manifests in %s; name a folder with *.yaml, *.yml or *.json files", ErrNothing, where)
	default:
		return fmt.Errorf("%w: no Kubernetes object in %s; it needs apiVersion and kind", ErrNothing, where)
	}
}

// maxProblems bounds the problems of one file.
const maxProblems = 50

// fileResult is what one file gave.
type fileResult struct {
	objects  []*kubeobject.Object
	problems []estate.Problem
	ignored  map[estate.Ignored]int
	other    *File
	dropped  int
}

func (r *fileResult) problem(p estate.Problem) {
	if len(r.problems) >= maxProblems {
		r.dropped++
		last := &r.problems[maxProblems-1]
		last.What, last.Remedy = fmt.Sprintf("%d more problems", r.dropped+1), "mend those above first"
		return
	}
	r.problems = append(r.problems, p)
}

// maxIgnored bounds how many kinds are named: an attacker may make one up in
// every document.
const maxIgnored = 1000

func (r *fileResult) ignore(apiVersion, kind string) {
	if r.ignored == nil {
		r.ignored = map[estate.Ignored]int{}
	}
	key := estate.Ignored{APIVersion: clip(apiVersion, 100), Kind: clip(kind, 100)}
	if _, found := r.ignored[key]; !found && len(r.ignored) >= maxIgnored {
		key = estate.Ignored{Kind: "others"}
	}
	r.ignored[key]++
}

func clip(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}

// readFile reads one file. It returns an error for a file that cannot be
// opened or read at all.
func readFile(ctx context.Context, f input, stdin io.Reader, out *fileResult) error {
	r := stdin
	if f.path != Stdin {
		file, err := os.Open(f.path)
		if err != nil {
			if f.named {
				return openError(f.name, err)
			}
			out.problem(estate.Problem{File: f.name, What: "cannot be opened", Remedy: "check its permissions"})
			return nil
		}
		defer file.Close()
		r = file
	}
	if r == nil {
		return fmt.Errorf("reading standard input: there is none")
	}
	reader := &fileReader{ctx: ctx, name: f.name, out: out}
	if err := reader.read(r); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if f.named {
			return fmt.Errorf("reading %s: %w", f.name, unwrapPath(err))
		}
		out.problem(estate.Problem{File: f.name, What: "cannot be read", Remedy: "check the file"})
	}
	return nil
}

func openError(name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("reading %s: no such file or folder; check the path", name)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("reading %s: permission denied; make it readable", name)
	default:
		return fmt.Errorf("reading %s: %w", name, unwrapPath(err))
	}
}

// unwrapPath takes the path off an error that is about to be named.
func unwrapPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// fileReader reads the documents of one file. Its buffers are reused.
type fileReader struct {
	ctx       context.Context
	name      string
	out       *fileResult
	json      []byte
	walker    walker
	plain     plainParser
	templated bool // a Helm template was reported
}

func (r *fileReader) read(in io.Reader) error {
	head, in, err := peek(in)
	if err != nil {
		return err
	}
	switch trimmed := bytes.TrimLeft(bytes.TrimPrefix(head, bom), " \t\r\n"); {
	case compressed(head):
		return r.wholeFile(in, Snapshot)
	case bytes.IndexByte(head, 0) >= 0:
		r.out.problem(estate.Problem{File: r.name, What: "not text", Remedy: "name a YAML or JSON file in UTF-8"})
		return nil
	case len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '['):
		return r.jsonFile(in)
	}
	return r.yamlFile(in)
}

// wholeFile keeps a file of another source.
func (r *fileReader) wholeFile(in io.Reader, content Content) error {
	data, err := io.ReadAll(io.LimitReader(in, maxOther+1))
	if err != nil {
		return err
	}
	if len(data) > maxOther {
		r.tooLarge(1, maxOther)
		return nil
	}
	r.out.other = &File{Name: r.name, Content: content, Data: data}
	return nil
}

func (r *fileReader) tooLarge(line, limit int) {
	r.out.problem(estate.Problem{
		File: r.name, Line: line,
		What:   fmt.Sprintf("a document of more than %d MB", limit>>20),
		Remedy: "split it with ---, or get it in parts: kubectl get -n NAMESPACE -o json",
	})
}

// yamlFile reads a stream of YAML documents.
func (r *fileReader) yamlFile(in io.Reader) error {
	s := newSplitter(in)
	for first := true; ; first = false {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		doc, line, err := s.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if errors.Is(err, errTooLarge) {
			r.tooLarge(line, maxYAML)
			continue
		}
		if err != nil {
			return err
		}
		if first {
			if content := classifyYAML(doc); content == CloudFormation {
				// A template is one document; what follows is not CloudFormation.
				r.out.other = &File{Name: r.name, Content: content, Data: slices.Clone(doc)}
				continue
			}
		}
		r.document(doc, line)
	}
}
