//go:generate go run github.com/eksafe/eksafe/tools/genlist control.Control

// Package detection holds the controls on what must be recorded so that an attack can be seen.
package detection

import "embed"

// Cases holds the documentation and the cases of each control.
//
//go:embed *.txtar
var Cases embed.FS
