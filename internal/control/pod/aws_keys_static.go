package pod

import (
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var awsKeysStatic = &control.Control{
	ID:        "aws-keys-static",
	Title:     "No workload carries static keys of AWS",
	Severity:  control.High,
	Refs:      []control.Ref{control.CISEKS("5.2.1"), control.AWS("eks-irsa")},
	Serves:    []string{"S19", "S28"},
	Since:     "0.1.0",
	Admission: awsKeysStaticAdmission,
	Check: control.Traced(keyHolders, func(h keyHolder) trace.Place { return h.place }, judgeKeys,
		estate.Workloads.Kind, estate.ConfigMaps.Kind),
}

// A keyHolder is a workload or a ConfigMap, in which a key may stand.
type keyHolder struct {
	place trace.Place
	facts []estate.Fact
}

func keyHolders(g *trace.Graph) []keyHolder {
	var out []keyHolder
	for _, w := range estate.Workloads.In(g.Estate) {
		out = append(out, keyHolder{trace.Place{Subject: estate.Workloads.Ref(w), Origin: &w.Origin}, w.Facts})
	}
	for _, c := range estate.ConfigMaps.In(g.Estate) {
		out = append(out, keyHolder{trace.Place{Subject: estate.ConfigMaps.Ref(c), Origin: &c.Origin}, c.Facts})
	}
	return out
}

func judgeKeys(s *control.Subject, h keyHolder) {
	for _, f := range h.facts {
		switch {
		case f.AWSKey && f.Name != "":
			s.Failf(f.Field, "%s holds a key of AWS", f.Name)
		case f.AWSKey:
			s.Failf(f.Field, "a key of AWS stands here")
		// A Secret is not read: the names are the SDK's own, so that it is AWS
		// that gets what they hold, unless another endpoint is named.
		case f.ValueFrom != nil && f.ValueFrom.Kind == "Secret" && isKeyName(f.Name) && !elsewhere(h.facts, f.Container):
			s.Failf(f.Field, "%s is a static key of AWS, from Secret %s", f.Name, f.ValueFrom.Name)
		}
	}
}

func isKeyName(name string) bool {
	return name == "AWS_ACCESS_KEY_ID" || name == "AWS_SECRET_ACCESS_KEY"
}

// elsewhere reports whether the container names an endpoint that is not of
// AWS: a store that only speaks S3's language has keys of its own.
func elsewhere(facts []estate.Fact, container string) bool {
	return slices.ContainsFunc(facts, func(f estate.Fact) bool {
		name := strings.ToUpper(f.Name)
		return f.Container == container && f.Host != "" && !ofAWS(f.Host) &&
			strings.Contains(name, "ENDPOINT") && (strings.Contains(name, "S3") || strings.Contains(name, "AWS"))
	})
}

// ofAWS reports whether a host is of one of AWS's domains.
func ofAWS(host string) bool {
	return slices.ContainsFunc([]string{".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".on.aws"}, func(domain string) bool {
		return strings.HasSuffix(host, domain)
	})
}
