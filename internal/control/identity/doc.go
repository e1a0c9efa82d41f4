//go:generate go run github.com/eksafe/eksafe/tools/genlist control.Control

// Package identity holds the controls on people and roles: how they sign in, and what they may do in
// the account and in the cluster.
package identity

import "embed"

// Cases holds the documentation and the cases of each control.
//
//go:embed *.txtar
var Cases embed.FS
