// Newcontrol writes the two files of a new control: its declaration and its
// documentation with cases. Fill them in, then run make generate and make test.
//
//	go run ./tools/newcontrol rest bucket-logs-kept
package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("newcontrol: ")
	if len(os.Args) != 3 {
		log.Fatal("usage: newcontrol FAMILY ID, such as: newcontrol rest bucket-logs-kept")
	}
	files, err := Write("internal/control", os.Args[1], os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range files {
		fmt.Println(f)
	}
}

var idRE = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)+$`)

// Write writes the two files of a control and returns their names. It never
// overwrites.
func Write(root, family, id string) ([]string, error) {
	if !idRE.MatchString(id) {
		return nil, fmt.Errorf("bad id %q: use kebab-case of two words or more, such as endpoint-closed", id)
	}
	dir := filepath.Join(root, family)
	if _, err := os.Stat(filepath.Join(dir, "doc.go")); family == "" || err != nil {
		return nil, fmt.Errorf("no family %q: it is a folder of %s with a doc.go", family, root)
	}
	words := strings.Split(id, "-")
	name := words[0]
	for _, w := range words[1:] {
		name += strings.ToUpper(w[:1]) + w[1:]
	}
	base := filepath.Join(dir, strings.ReplaceAll(id, "-", "_"))
	contents := map[string]string{
		base + ".go":    fmt.Sprintf(declaration, filepath.Base(family), name, id, strings.ToUpper(name[:1])+name[1:]),
		base + ".txtar": cases,
	}
	files := []string{base + ".go", base + ".txtar"}
	for _, f := range files {
		if _, err := os.Stat(f); !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%s exists", f)
		}
	}
	for _, f := range files {
		if err := os.WriteFile(f, []byte(contents[f]), 0o666); err != nil {
			return nil, err
		}
	}
	return files, nil
}

const declaration = `package %[1]s

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var %[2]s = &control.Control{
	ID:       "%[3]s",
	Title:    "", // what should hold, as a statement
	Severity: control.Medium,
	Refs:     []control.Ref{control.FSBP("EKS.1")}, // where that is written
	Serves:   []string{"S41"},
	Since:    "0.1.0",
	Check:    control.Each(estate.Clusters, judge%[4]s),
}

func judge%[4]s(s *control.Subject, c *estate.Cluster) {
	value, known := c.DeletionProtection.Get()
	switch {
	case !known:
		s.Unknownf("deletionProtection is not known; read the cluster live (--aws)")
	case !value:
		s.Failf("deletionProtection", "it is off")
	}
}
`

const cases = `What an attacker does with it, in two or three sentences.

### Fix

What to change, in the manifest and in CloudFormation.

-- fail/what-is-wrong.yaml --
cluster/shop-prod:
  deletionProtection: false  # want "it is off"

-- pass/the-border-from-the-other-side.yaml --
cluster/shop-prod:
  deletionProtection: true

-- unknown/not-read.yaml --
cluster/shop-prod:
  deletionProtection: null
`
