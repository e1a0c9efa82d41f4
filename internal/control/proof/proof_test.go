package proof

import (
	"slices"
	"strings"
	"testing"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

// The harness must see what a wrong control does: each of these is a way in
// which controls go wrong.
func TestProveCatches(t *testing.T) {
	judged := func(judge func(*control.Subject, *estate.Cluster)) *control.Control {
		return &control.Control{ID: "logs-on", Severity: control.Low, Check: control.Each(estate.Clusters, judge).Helped(estate.Keys.Kind)}
	}
	right := func(s *control.Subject, c *estate.Cluster) {
		switch logs, known := c.Logging.ClusterLogging.EnabledTypes.Get(); {
		case !known:
			s.Unknownf("logs are not known")
		case len(logs) == 0:
			s.Failf("logging.clusterLogging.enabledTypes", "no logs")
		}
	}
	const fail = "cluster/shop-prod:\n  logging.clusterLogging.enabledTypes: []  # want \"no logs\"\n"
	for name, tt := range map[string]struct {
		judge func(*control.Subject, *estate.Cluster)
		other func(*control.Subject, *estate.Cluster) // of another control
		kase  string
		yaml  string
		want  string // part of the problem; "" for none
	}{
		"right":                      {judge: right, kase: "fail/off.yaml", yaml: fail},
		"right about what is hidden": {judge: right, kase: "unknown/hidden.yaml", yaml: "cluster/shop-prod:\n  logging.clusterLogging.enabledTypes: null  # want \"logs are not known\"\n"},
		"never fires": {
			judge: func(*control.Subject, *estate.Cluster) {},
			kase:  "fail/off.yaml", yaml: fail, want: "pass, want fail",
		},
		"wrong field": {
			judge: func(s *control.Subject, c *estate.Cluster) { s.Failf("logging", "no logs") },
			kase:  "fail/off.yaml", yaml: fail, want: "-wanted +reported",
		},
		"wrong message": {
			judge: func(s *control.Subject, c *estate.Cluster) {
				s.Failf("logging.clusterLogging.enabledTypes", "logs?")
			},
			kase: "fail/off.yaml", yaml: fail, want: "-wanted +reported",
		},
		"one finding too many": {
			judge: func(s *control.Subject, c *estate.Cluster) { right(s, c); s.Failf("version", "and more") },
			kase:  "fail/off.yaml", yaml: fail, want: "and more",
		},
		"takes unknown for a pass": {
			judge: func(s *control.Subject, c *estate.Cluster) {},
			kase:  "unknown/hidden.yaml", yaml: "cluster/shop-prod:\n  logging.clusterLogging.enabledTypes: null\n", want: "pass, want unknown",
		},
		"another control speaks up": {
			judge: right, other: right,
			kase: "fail/off.yaml", yaml: fail, want: "other is fail too",
		},
		"another control, named": {
			judge: right, other: right,
			kase: "fail/off.yaml", yaml: fail + "# also other \"no logs\"\n",
		},
		"another control, named with other words": {
			judge: right, other: right,
			kase: "fail/off.yaml", yaml: fail + "# also other \"something\"\n", want: "does not say \"something\"",
		},
		"depends on the order": {
			judge: func(s *control.Subject, c *estate.Cluster) {
				s.Failf("name", "%s", control.All(s, estate.Keys)[0].KeyId)
			},
			kase: "pass/x.yaml", yaml: "cluster/shop-prod:\n  name: shop-prod\n", want: "depends on the order",
		},
		"not expected": {
			judge: right,
			kase:  "pass/x.yaml", yaml: "cluster/shop-prod:  # expected \"by design\"\n  name: shop-prod\n", want: "is not expected",
		},
	} {
		t.Run(name, func(t *testing.T) {
			base, err := Secure()
			if err != nil {
				t.Fatal(err)
			}
			c := judged(tt.judge)
			h := &Harness{Base: base, Controls: []*control.Control{c}}
			if tt.other != nil {
				o := judged(tt.other)
				o.ID = "other"
				h.Controls = append(h.Controls, o)
			}
			k, err := ParseCase(tt.kase, []byte(tt.yaml))
			if err != nil {
				t.Fatal(err)
			}
			problems := strings.Join(h.Prove(c, k), "\n")
			if tt.want == "" && problems != "" {
				t.Errorf("problems with a right control:\n%s", problems)
			}
			if !strings.Contains(problems, tt.want) {
				t.Errorf("got %q, want a problem with %q", problems, tt.want)
			}
		})
	}
}

func TestParseCase(t *testing.T) {
	k, err := ParseCase("fail/x.yaml", []byte(`
deployment/shop/web:  # want "the whole"
  spec.replicas: 0  # want "none"  # also other "also"
  metadata.annotations[a.b/c]: "x"  # want "annotated"
  spec:
    template:
      containers:
        - name: web
          image: x  # want "nested"
cluster/shop: null
# want at cluster/shop version "elsewhere"
# want at cluster/shop "whole elsewhere"
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Want{
		{"deployment/shop/web", "", "the whole"},
		{"deployment/shop/web", "spec.replicas", "none"},
		{"deployment/shop/web", "metadata.annotations[a.b/c]", "annotated"},
		{"deployment/shop/web", "spec.template.containers[0].image", "nested"},
		{"cluster/shop", "version", "elsewhere"},
		{"cluster/shop", "", "whole elsewhere"},
	}
	if !slices.Equal(k.Wants, want) {
		t.Errorf("wants %v\nwant  %v", k.Wants, want)
	}
	if !slices.Equal(k.Also, []Overlap{{"other", "also"}}) {
		t.Errorf("also %v", k.Also)
	}
	if last := k.Set[len(k.Set)-1]; last.Resource != "cluster/shop" || last.Value != nil {
		t.Errorf("the last assignment is %v, want a removal", last)
	}
}

func TestParseCaseRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ kase, yaml string }{
		"a verdict that there is not":      {"wrong/x.yaml", "cluster/shop: null"},
		"a fail case that wants nothing":   {"fail/x.yaml", "cluster/shop: null"},
		"a pass case that wants something": {"pass/x.yaml", "cluster/shop:\n  version: x  # want \"y\""},
		"a want without quotes":            {"fail/x.yaml", "cluster/shop:\n  version: x  # want y"},
		"a want where nothing stands":      {"fail/x.yaml", "cluster/shop:\n  version: x\n# want \"y\""},
		"fields that are no mapping":       {"pass/x.yaml", "cluster/shop: 3"},
		"no YAML":                          {"pass/x.yaml", "a: [b"},
	} {
		if _, err := ParseCase(tt.kase, []byte(tt.yaml)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

// A misspelt field must not look like one that is not set.
func TestMutateIsStrict(t *testing.T) {
	base, err := Secure()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ yaml, want string }{
		"AWS field":               {"cluster/shop-prod:\n  versoin: x", "versoin"},
		"AWS field in a list":     {"launchtemplate/shop-prod-nodes:\n  launchTemplateData.blockDeviceMappings[0].ebs.encypted: false", "encypted"},
		"Kubernetes field":        {"deployment/shop-prod/web:\n  spec.template.spec.hostNetwrok: true", "hostNetwrok"},
		"kind":                    {"deploymnet/shop-prod/web:\n  spec: {}", "no kind"},
		"resource to remove":      {"cluster/nowhere: null", "the estate has none"},
		"field below a scalar":    {"cluster/shop-prod:\n  version.major: 1", "no mapping"},
		"element beyond the list": {"cluster/shop-prod:\n  encryptionConfig[7].resources: []", "elements"},
		"wrong type":              {"cluster/shop-prod:\n  version: 1.35", "decoding cluster/shop-prod"},
	} {
		k, err := ParseCase("pass/x.yaml", []byte(tt.yaml))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		w, err := base.Mutate(k.Set)
		if err == nil {
			_, err = w.Estate()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, tt.want)
		}
	}
}

// A case must not change the estate of the next.
func TestMutateLeavesTheBaseAlone(t *testing.T) {
	base, err := Secure()
	if err != nil {
		t.Fatal(err)
	}
	k, err := ParseCase("pass/x.yaml", []byte("cluster/shop-prod:\n  version: \"1.1\"\n  logging.clusterLogging.enabledTypes[0]: changed\nkey/new:\n  keyId: new\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := base.Mutate(k.Set); err != nil {
		t.Fatal(err)
	}
	e, err := base.Estate()
	if err != nil {
		t.Fatal(err)
	}
	c := estate.Clusters.In(e)[0]
	logs, _ := c.Logging.ClusterLogging.EnabledTypes.Get()
	if c.Version.Or("") != "1.35" || logs[0] != "api" || base.find("key/new") != nil {
		t.Errorf("the base changed: version %s, logs %v", c.Version.Or("?"), logs)
	}
}
