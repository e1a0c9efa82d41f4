//go:generate go run github.com/eksafe/eksafe/tools/genlist control.Control

// Package tenancy holds the controls on what keeps teams, projects and stages of one
// cluster apart: namespaces and the rights within them. It judges what each binding says, and what its subjects can
// become with it, as package access computes it.
package tenancy

import "embed"

// Cases holds the documentation and the cases of each control.
//
//go:embed *.txtar
var Cases embed.FS
