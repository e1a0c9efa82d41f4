//go:generate go run github.com/eksafe/eksafe/tools/genlist control.Control

// Package transit holds the controls on the encryption of data on its way: from
// the client over the load balancer to the pod, and on to other pods, databases
// and caches. How data is kept is package rest's; who may reach whom is package
// network's.
package transit

import "embed"

// Cases holds the documentation and the cases of each control.
//
//go:embed *.txtar
var Cases embed.FS
