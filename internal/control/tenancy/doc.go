//go:generate go run github.com/eksafe/eksafe/tools/genlist control.Control

// Package tenancy holds the controls on what keeps teams, projects and stages of one
// cluster apart: namespaces and the rights within them. It judges what each binding says;
// what a subject can reach by several steps is not computed here.
package tenancy

import "embed"

// Cases holds the documentation and the cases of each control.
//
//go:embed *.txtar
var Cases embed.FS
