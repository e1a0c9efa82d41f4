//go:generate go run github.com/eksafe/eksafe/tools/genlist control.Control

// Package cluster holds the controls on the cluster itself: its API endpoint, version and nodes.
package cluster

import "embed"

// Cases holds the documentation and the cases of each control.
//
//go:embed *.txtar
var Cases embed.FS
