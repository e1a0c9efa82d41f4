package control

import (
	"io/fs"
	"strings"
)

// A Family is one folder of controls: one chapter of what a secure application
// needs.
type Family struct {
	ID       string // the folder's name
	Title    string // the chapter, as an imperative
	Controls []*Control
	Cases    fs.FS // <id>.txtar of every control
}

// CaseFile returns the name of the file that documents and tests the control.
func (c *Control) CaseFile() string {
	return strings.ReplaceAll(c.ID, "-", "_") + ".txtar"
}
