package manifest

import (
	"bytes"
	"encoding/json"

	"github.com/eksafe/eksafe/internal/source/reported"
)

// Content says which source reads a file.
type Content string

const (
	Kubernetes     Content = "kubernetes"
	CloudFormation Content = "cloudformation"
	TerraformPlan  Content = "terraform"
	Snapshot       Content = "snapshot"
	Findings       Content = "findings" // of other tools: SARIF, OCSF, ASFF
	Other          Content = "other"
)

// maxOther bounds the files that are handed to other sources.
const maxOther = 256 << 20

var bom = []byte("\xef\xbb\xbf")

// compressed reports whether data begins as a gzip or zstd file does:
// snapshots are compressed, manifests are not.
func compressed(data []byte) bool {
	return bytes.HasPrefix(data, []byte{0x1f, 0x8b}) || bytes.HasPrefix(data, []byte{0x28, 0xb5, 0x2f, 0xfd})
}

// Classify says what a file holds, from its first document. It does not
// validate it.
func Classify(data []byte) Content {
	if compressed(data) {
		return Snapshot
	}
	trimmed := bytes.TrimLeft(bytes.TrimPrefix(data, bom), " \t\r\n")
	if len(trimmed) > 0 && trimmed[0] == '{' {
		if c, ok := classifyJSON(trimmed); ok {
			if _, findings := reported.Recognise(trimmed); c == Other && findings {
				return Findings
			}
			return c
		}
	}
	if len(trimmed) > 0 && trimmed[0] == '[' {
		if _, ok := reported.Recognise(trimmed); ok {
			return Findings
		}
	}
	doc, _, err := newSplitter(bytes.NewReader(data)).next()
	if err != nil {
		return Other
	}
	return classifyYAML(doc)
}

// topLevel are the fields of a JSON object that tell what it is.
type topLevel struct {
	APIVersion json.RawMessage `json:"apiVersion"`
	Kind       json.RawMessage `json:"kind"`
	Template   json.RawMessage `json:"AWSTemplateFormatVersion"`
	Resources  json.RawMessage `json:"Resources"`
	Terraform  json.RawMessage `json:"terraform_version"`
	Planned    json.RawMessage `json:"planned_values"`
	Values     json.RawMessage `json:"values"`
	Schema     string          `json:"schemaVersion"`
}

func classifyJSON(data []byte) (Content, bool) {
	var top topLevel
	if json.NewDecoder(bytes.NewReader(data)).Decode(&top) != nil {
		return "", false
	}
	switch {
	case top.Template != nil, top.Resources != nil && top.APIVersion == nil && bytes.Contains(top.Resources, []byte("AWS::")):
		return CloudFormation, true
	case top.Terraform != nil && (top.Planned != nil || top.Values != nil):
		return TerraformPlan, true
	case top.APIVersion != nil || top.Kind != nil:
		return Kubernetes, true
	case bytes.HasPrefix([]byte(top.Schema), []byte("eksafe.dev/snapshot/")):
		return Snapshot, true
	}
	return Other, true
}

// classifyYAML looks at the lines that begin in the first column.
func classifyYAML(doc []byte) Content {
	resources, kubernetes := false, false
	for line := range bytes.Lines(bytes.TrimPrefix(doc, bom)) {
		if len(line) == 0 || !isLetter(line[0]) && line[0] != '"' && line[0] != '\'' {
			continue
		}
		key, _, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			continue
		}
		switch string(bytes.Trim(key, "\"' ")) {
		case "AWSTemplateFormatVersion":
			return CloudFormation
		case "Resources":
			resources = true
		case "apiVersion", "kind":
			kubernetes = true
		}
	}
	switch {
	case kubernetes:
		return Kubernetes
	case resources && bytes.Contains(doc, []byte("AWS::")):
		return CloudFormation
	default:
		return Other
	}
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
