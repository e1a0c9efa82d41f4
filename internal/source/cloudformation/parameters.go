package cloudformation

import (
	"bytes"
	"encoding/json"
	"errors"
)

// ParseParameters reads a file of parameter values in one of the three forms
// that AWS's tools take: a list of ParameterKey and ParameterValue, an object
// with Parameters, or a plain object.
func ParseParameters(data []byte) (map[string]string, error) {
	bad := errors.New("reading parameters: neither a list of ParameterKey and ParameterValue nor an object of texts")
	out := map[string]string{}
	if trimmed := bytes.TrimSpace(data); len(trimmed) > 0 && trimmed[0] == '[' {
		var list []struct {
			ParameterKey   string
			ParameterValue *string
		}
		if json.Unmarshal(data, &list) != nil {
			return nil, bad
		}
		for _, p := range list {
			if p.ParameterKey == "" {
				return nil, bad
			}
			// UsePreviousValue has no value: it stays unknown.
			if p.ParameterValue != nil {
				out[p.ParameterKey] = *p.ParameterValue
			}
		}
		return out, nil
	}
	var object struct{ Parameters map[string]string }
	if json.Unmarshal(data, &object) == nil && object.Parameters != nil {
		return object.Parameters, nil
	}
	if json.Unmarshal(data, &out) != nil || out == nil {
		return nil, bad
	}
	return out, nil
}
