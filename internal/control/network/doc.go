//go:generate go run github.com/eksafe/eksafe/tools/genlist control.Control

// Package network holds the controls on who can reach what over the network.
package network

import "embed"

// Cases holds the documentation and the cases of each control.
//
//go:embed *.txtar
var Cases embed.FS
