package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control/all"
	"github.com/eksafe/eksafe/internal/control/own"
)

// declaration is where a command learns what users declare of the estate.
type declaration struct {
	file string
	own  []string // files of own controls beside those that the config names
}

func (d *declaration) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&d.file, "config", "", "the `file` that declares scope, owners, exceptions …; else eksafe.yaml here, if there is one")
	cmd.Flags().StringArrayVar(&d.own, "controls", nil, "a `file` of own controls, beside those that the config names; repeatable")
}

// declared is what a file says.
type declared struct {
	*config.Config
	file    string // "" without one
	audited bool   // it lies in an audited PATH
	notes   []string
	own     []*own.Control
}

// declared reads the file of --config, or eksafe.yaml of the working directory.
// No other is looked for: a file that lies in an audited PATH came with what is
// audited, and a change that is under review must not except itself.
func (a *app) declared(d *declaration, paths []string) (*declared, error) {
	file := d.file
	if file == "" {
		file = config.FileName
	}
	data, err := readConfig(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && d.file == "":
		owns, err := ownControls(d.own)
		return &declared{Config: &config.Config{}, own: owns}, err
	case err != nil:
		return nil, fmt.Errorf("reading the config %s: %w; --config names another", file, cause(err))
	}
	var files []string
	for _, f := range config.CustomFiles(data) {
		files = append(files, filepath.Join(filepath.Dir(file), filepath.FromSlash(f)))
	}
	owns, err := ownControls(append(files, d.own...))
	if err != nil {
		return nil, err
	}
	c, notes, err := config.Parse(file, data, controlNames(owns))
	if err != nil {
		return nil, err
	}
	return &declared{Config: c, file: file, audited: within(file, paths), notes: notes, own: owns}, nil
}

func readConfig(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, errors.New("it is a folder")
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, config.MaxSize+1))
}

// controlNames are the controls that a file may name.
func controlNames(owns []*own.Control) config.Controls {
	names := config.Controls{Formerly: map[string]string{}}
	for _, c := range owns {
		names.IDs = append(names.IDs, c.ID)
	}
	for _, c := range all.All() {
		names.IDs = append(names.IDs, c.ID)
		for _, old := range c.Formerly {
			names.Formerly[old] = c.ID
		}
	}
	return names
}

// within reports whether file lies in one of the PATHs.
func within(file string, paths []string) bool {
	at := realPath(file)
	for _, p := range paths {
		if p == "-" {
			continue
		}
		// Of a glob, the folder in which it begins.
		if i := strings.IndexAny(p, "*?["); i >= 0 {
			p = filepath.Dir(p[:i] + "x")
		}
		if rel, err := filepath.Rel(realPath(p), at); err == nil && filepath.IsLocal(rel) {
			return true
		}
	}
	return false
}

// realPath returns the absolute name of a file without symbolic links.
func realPath(file string) string {
	if resolved, err := filepath.EvalSymlinks(file); err == nil {
		file = resolved
	}
	if abs, err := filepath.Abs(file); err == nil {
		file = abs
	}
	return file
}
