//go:generate go run github.com/eksafe/eksafe/tools/genlist control.Control

// Package review holds the controls on those who review the account all the
// time: Security Hub, Trusted Advisor, Access Analyzer and AWS Config, and what
// they found.
package review

import "embed"

// Cases holds the documentation and the cases of each control.
//
//go:embed *.txtar
var Cases embed.FS
