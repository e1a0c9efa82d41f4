// Package secure is the secure estate as files: a complete reference
// architecture that every control must pass.
package secure

import "embed"

// Files holds the estate, a chapter a file.
//
//go:embed *.yaml
var Files embed.FS
