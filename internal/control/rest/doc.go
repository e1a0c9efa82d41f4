//go:generate go run github.com/eksafe/eksafe/tools/genlist control.Control

// Package rest holds the controls on the encryption of data where it is kept: databases, volumes,
// file systems, buckets and secrets, and on the keys that encrypt them. How data
// travels is package transit's.
package rest

import "embed"

// Cases holds the documentation and the cases of each control.
//
//go:embed *.txtar
var Cases embed.FS
