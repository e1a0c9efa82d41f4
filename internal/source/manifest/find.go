package manifest

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

// An input is one file to read.
type input struct {
	path  string // to open, or Stdin
	name  string // in origins
	named bool   // by the user, not found in a folder
}

// inputs are the files of one PATH.
type inputs struct {
	files          []input
	kustomizations []kustomization
	problems       []estate.Problem
	folder         bool
}

// maxFiles bounds the files of one PATH.
const maxFiles = 200_000

// find lists what a PATH names.
func find(p string) (*inputs, error) {
	if p == Stdin {
		return &inputs{files: []input{{path: Stdin, name: stdinName, named: true}}}, nil
	}
	info, err := os.Stat(p)
	if err != nil && strings.ContainsAny(p, "*?[") {
		return findGlob(p)
	}
	if err != nil {
		return nil, openError(p, err)
	}
	in := &inputs{}
	switch {
	case info.IsDir():
		in.folder = true
		if err := in.walk(p); err != nil {
			return nil, err
		}
	case terraformName(p):
		return nil, fmt.Errorf("reading %s", configuration(p))
	case isKustomization(filepath.Base(p)):
		dir := filepath.Dir(p)
		in.plan([]string{dir})
	default:
		in.files = append(in.files, input{path: p, name: filepath.ToSlash(p), named: true})
	}
	return in, nil
}

// findGlob lists the files that match a pattern. "**" stands for any number of
// folders.
func findGlob(pattern string) (*inputs, error) {
	pattern = filepath.ToSlash(filepath.Clean(pattern))
	segments := strings.Split(pattern, "/")
	for _, s := range segments {
		if _, err := path.Match(s, ""); err != nil {
			return nil, fmt.Errorf("reading %s: not a valid pattern; quote special characters with \\", pattern)
		}
	}
	// The walk begins at the folders that hold no wildcard.
	fixed := 0
	for fixed < len(segments)-1 && !strings.ContainsAny(segments[fixed], "*?[") {
		fixed++
	}
	root := strings.Join(segments[:fixed], "/")
	switch {
	case root == "" && strings.HasPrefix(pattern, "/"):
		root = "/"
	case root == "":
		root = "."
	}
	in := &inputs{}
	deep := slices.Contains(segments, "**")
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			if p == root {
				return openError(pattern, err)
			}
			return nil
		}
		rel, _ := filepath.Rel(root, p)
		parts := strings.Split(filepath.ToSlash(rel), "/")
		if d.IsDir() {
			hidden := strings.HasPrefix(d.Name(), ".") && p != root
			if hidden || !deep && p != root && len(parts) >= len(segments)-fixed {
				return fs.SkipDir
			}
			return nil
		}
		if matchSegments(segments[fixed:], parts) && regularIn(root, p, d) && len(in.files) < maxFiles {
			in.files = append(in.files, input{path: p, name: filepath.ToSlash(p), named: false})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(in.files) == 0 {
		return nil, fmt.Errorf("reading %s: no file matches; check the pattern", pattern)
	}
	return in, nil
}

func matchSegments(pattern, parts []string) bool {
	for len(pattern) > 0 && pattern[0] != "**" {
		if len(parts) == 0 {
			return false
		}
		if ok, _ := path.Match(pattern[0], parts[0]); !ok {
			return false
		}
		pattern, parts = pattern[1:], parts[1:]
	}
	if len(pattern) == 0 {
		return len(parts) == 0
	}
	for len(pattern) > 1 && pattern[1] == "**" {
		pattern = pattern[1:] // repeated wildcards would cost exponential time
	}
	for i := range len(parts) + 1 {
		if matchSegments(pattern[1:], parts[i:]) {
			return true
		}
	}
	return false
}

// walk lists the manifests of a folder in the order of their names.
func (in *inputs) walk(root string) error {
	var kustomized []string
	configurations := map[string]bool{} // folders of Terraform that were told of
	files := 0
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			if p == root {
				return openError(root, err)
			}
			in.problems = append(in.problems, estate.Problem{File: filepath.ToSlash(p), What: "cannot be opened", Remedy: "check its permissions"})
			return nil
		}
		name := d.Name()
		if d.IsDir() {
			if p != root && (strings.HasPrefix(name, ".") || name == "node_modules") {
				return fs.SkipDir
			}
			if exists(filepath.Join(p, "Chart.yaml")) {
				in.problems = append(in.problems, estate.Problem{
					File: filepath.ToSlash(p), What: "this is a Helm chart", Remedy: "render it: helm template " + filepath.ToSlash(p) + " | eksafe audit -",
				})
				return fs.SkipDir
			}
			if kustomizationIn(p) != "" {
				kustomized = append(kustomized, p)
			}
			return nil
		}
		if dir := filepath.ToSlash(filepath.Dir(p)); terraformName(name) {
			if !configurations[dir] {
				configurations[dir] = true
				in.problems = append(in.problems, configuration(dir))
			}
			return nil
		}
		if strings.HasPrefix(name, ".") || isKustomization(name) || !manifestName(name) || !regularIn(root, p, d) {
			return nil
		}
		if files++; files > maxFiles {
			return fmt.Errorf("reading %s: more than %d files; name the folders that hold manifests", root, maxFiles)
		}
		in.files = append(in.files, input{path: p, name: filepath.ToSlash(p)})
		return nil
	})
	if err != nil {
		return err
	}
	if len(kustomized) > 0 {
		in.plan(kustomized)
	}
	return nil
}

// terraformName reports whether a file is part of a Terraform configuration.
func terraformName(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, ".tf") || strings.HasSuffix(name, ".tf.json")
}

// configuration says what to do with a Terraform configuration: what its
// variables, locals and modules come to is for terraform to say.
func configuration(p string) estate.Problem {
	return estate.Problem{
		File: filepath.ToSlash(p), What: "a Terraform configuration is not read",
		Remedy: "plan it, and audit the plan: terraform plan -out plan && terraform show -json plan | eksafe audit -",
	}
}

func manifestName(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

func exists(p string) bool {
	_, err := os.Lstat(p)
	return err == nil
}

// regularIn reports whether p is a file that lies within root, links followed.
func regularIn(root, p string, d fs.DirEntry) bool {
	if d.Type().IsRegular() {
		return true
	}
	if d.Type()&fs.ModeSymlink == 0 {
		return false // a pipe or a device would never end
	}
	real, err := filepath.EvalSymlinks(p)
	if err != nil {
		return false
	}
	base, err := filepath.EvalSymlinks(root)
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(base, real)
	if err != nil || !filepath.IsLocal(rel) {
		return false
	}
	info, err := os.Stat(real)
	// A link to a file that the walk finds anyway would count it twice.
	return err == nil && info.Mode().IsRegular() && strings.Contains("/"+filepath.ToSlash(rel), "/.")
}
