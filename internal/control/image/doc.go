//go:generate go run github.com/eksafe/eksafe/tools/genlist control.Control

// Package image holds the controls on container images: whether the registry
// scans them, what the scans found in those that run, and whether what runs is
// what was built.
package image

import "embed"

// Cases holds the documentation and the cases of each control.
//
//go:embed *.txtar
var Cases embed.FS
