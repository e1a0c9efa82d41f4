package tenancy

import (
	"cmp"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/config"
)

// stageLabels tell the stage of a namespace or workload.
var stageLabels = []string{"stage", "environment", "env"}

// prod is the stage that customers use.
const prod = "prod"

// words are those by which names and labels tell a stage, and the stage; users
// may declare more.
var words = map[string]string{
	"prod": prod, "production": prod, "prd": prod, "live": prod,
	"dev": "dev", "develop": "dev", "development": "dev",
	"test": "test", "testing": "test", "tst": "test",
	"int": "int", "integration": "int",
	"e2e": "e2e", "qa": "qa", "uat": "uat", "preprod": "preprod", "sandbox": "sandbox",
	"staging": "staging", "stg": "staging",
}

// labelledStage returns the stage that labels tell, "" for none.
func labelledStage(l map[string]string) string {
	for _, key := range stageLabels {
		if v := strings.ToLower(l[key]); v != "" {
			return cmp.Or(words[v], v)
		}
	}
	return ""
}

// stageOf returns the stage of a namespace by its labels or the words of its
// name, "" if neither tells.
func stageOf(c *config.Config, name string, l map[string]string) string {
	if s := labelledStage(l); s != "" {
		return s
	}
	for _, word := range strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '-' || r == '.' || r == '_' }) {
		if s := words[word]; s != "" {
			return s
		}
		if slices.ContainsFunc(c.Stages, func(s string) bool { return strings.EqualFold(s, word) }) {
			return word
		}
	}
	return ""
}

func (b *binding) stage(c *config.Config, namespace string) string {
	var l map[string]string
	if h := b.homes[namespace]; h != nil {
		l = h.labels
	}
	return stageOf(c, namespace, l)
}
