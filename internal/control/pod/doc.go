//go:generate go run github.com/eksafe/eksafe/tools/genlist control.Control

// Package pod holds the controls on pods that would let an exploit take over the node.
package pod

import "embed"

// Cases holds the documentation and the cases of each control.
//
//go:embed *.txtar
var Cases embed.FS
