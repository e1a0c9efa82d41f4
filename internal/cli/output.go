package cli

import (
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/term"
)

// The modes of new files, before the umask: a report is for the team, a
// snapshot is a map of what to attack.
const (
	reportMode   fs.FileMode = 0o666
	snapshotMode fs.FileMode = 0o600
)

// deliver writes a whole document to the file, or to stdout if file is empty.
// A file appears under its name only when all of it is on disk, so that nobody
// reads half of one and a failure leaves the old one.
func (a *app) deliver(file string, mode fs.FileMode, write func(io.Writer) error) error {
	if file == "" {
		return write(a.Stdout)
	}
	if err := writeFile(file, mode, write); err != nil {
		return fmt.Errorf("writing %s: %w", file, cause(err))
	}
	return nil
}

func writeFile(file string, mode fs.FileMode, write func(io.Writer) error) error {
	if resolved, err := filepath.EvalSymlinks(file); err == nil {
		file = resolved
	}
	if info, err := os.Stat(file); err == nil {
		switch {
		case info.IsDir():
			return fmt.Errorf("it is a folder; name a file in it")
		case !info.Mode().IsRegular():
			// A device or a pipe cannot be replaced, only written.
			f, err := os.OpenFile(file, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			return write(f)
		}
	}
	name := filepath.Join(filepath.Dir(file), "."+filepath.Base(file)+"."+rand.Text()[:8])
	tmp, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	err = write(tmp)
	if err == nil {
		err = tmp.Sync()
	}
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(name, file)
	}
	if err != nil {
		os.Remove(name)
	}
	return err
}

// cause strips the operation and the temporary name from a file error.
func cause(err error) error {
	switch e := err.(type) {
	case *fs.PathError:
		return e.Err
	case *os.LinkError:
		return e.Err
	}
	return err
}

// isTerminal reports whether w is a terminal.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// columns returns the width of the terminal that w is, 0 if it is none.
func columns(w io.Writer) int {
	if !isTerminal(w) {
		return 0
	}
	n, _, err := term.GetSize(int(w.(*os.File).Fd()))
	if err != nil {
		return 0
	}
	return n
}
