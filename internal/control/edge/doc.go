//go:generate go run github.com/eksafe/eksafe/tools/genlist control.Control

// Package edge holds the controls on what stands before the application: web application firewall
// and content delivery.
package edge

import "embed"

// Cases holds the documentation and the cases of each control.
//
//go:embed *.txtar
var Cases embed.FS
