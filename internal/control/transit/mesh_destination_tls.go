package transit

import (
	"fmt"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
	istionetworking "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var meshDestinationTls = &control.Control{
	ID:        "mesh-destination-tls",
	Title:     "No rule of the mesh turns TLS off or skips verification",
	Severity:  control.High,
	Refs:      []control.Ref{control.Project("istio-destination-rule")},
	Serves:    []string{"S3", "S9"},
	Since:     "0.1.0",
	Admission: meshDestinationTLSAdmission,
	Check: control.Traced(destinations, destination.place, judgeMeshDestinationTLS,
		estate.DestinationRules.Kind, estate.ServiceEntries.Kind),
}

// A destination is a DestinationRule or a ServiceEntry.
type destination struct {
	rule  *estate.Resource[istionetworking.DestinationRule]
	entry *estate.Resource[istionetworking.ServiceEntry]
}

func destinations(g *trace.Graph) []destination {
	var out []destination
	for _, r := range estate.DestinationRules.In(g.Estate) {
		out = append(out, destination{rule: r})
	}
	for _, e := range estate.ServiceEntries.In(g.Estate) {
		out = append(out, destination{entry: e})
	}
	return out
}

func (d destination) place() trace.Place {
	if d.rule != nil {
		return trace.Place{Subject: estate.DestinationRules.Ref(d.rule), Origin: &d.rule.Origin}
	}
	return trace.Place{Subject: estate.ServiceEntries.Ref(d.entry), Origin: &d.entry.Origin}
}

func judgeMeshDestinationTLS(s *control.Subject, d destination) {
	if d.entry != nil {
		judgeServiceEntry(s, d.entry)
		return
	}
	spec := &d.rule.Object.Spec
	judgeTrafficPolicy(s, spec.GetTrafficPolicy(), "spec.trafficPolicy", spec.GetHost())
	for i, subset := range spec.GetSubsets() {
		judgeTrafficPolicy(s, subset.GetTrafficPolicy(), fmt.Sprintf("spec.subsets[%d].trafficPolicy", i), spec.GetHost())
	}
}

func judgeTrafficPolicy(s *control.Subject, p *networking.TrafficPolicy, field, host string) {
	judgeClientTLS(s, p.GetTls(), field+".tls", host)
	for i, port := range p.GetPortLevelSettings() {
		judgeClientTLS(s, port.GetTls(), fmt.Sprintf("%s.portLevelSettings[%d].tls", field, i), host)
	}
}

// judgeClientTLS judges settings that stand there. Where none stand, the mesh
// chooses mutual TLS by itself.
func judgeClientTLS(s *control.Subject, tls *networking.ClientTLSSettings, field, host string) {
	switch {
	case tls == nil:
	// DISABLE is the zero value: settings without a mode turn TLS off.
	case tls.GetMode() == networking.ClientTLSSettings_DISABLE:
		s.Failf(field+".mode", "TLS to %s is turned off", host)
	case tls.GetInsecureSkipVerify().GetValue():
		s.Failf(field+".insecureSkipVerify", "the certificate of %s is not verified: anybody can answer in its name", host)
	}
}

// judgeServiceEntry reports a host outside the mesh that is spoken to in plain
// HTTP, unless a DestinationRule adds TLS.
func judgeServiceEntry(s *control.Subject, e *estate.Resource[istionetworking.ServiceEntry]) {
	spec := &e.Object.Spec
	if spec.GetLocation() == networking.ServiceEntry_MESH_INTERNAL {
		return // its endpoints are members: mutual TLS is automatic
	}
	for i, port := range spec.GetPorts() {
		switch strings.ToUpper(port.GetProtocol()) {
		case "HTTP", "HTTP2", "GRPC", "GRPC-WEB":
		default:
			continue // TLS, or a protocol that the mesh does not look into
		}
		for _, host := range spec.GetHosts() {
			if !originatesTLS(s, host, port.GetNumber()) {
				s.Failf(fmt.Sprintf("spec.ports[%d].protocol", i), "%s outside the mesh is spoken to in plain %s at port %d, and no DestinationRule adds TLS", host, port.GetProtocol(), port.GetNumber())
			}
		}
	}
}

func originatesTLS(s *control.Subject, host string, port uint32) bool {
	for _, r := range control.All(s, estate.DestinationRules) {
		spec := &r.Object.Spec
		h := spec.GetHost()
		if h != host && (!strings.HasPrefix(h, "*.") || !strings.HasSuffix(host, h[1:])) {
			continue
		}
		tls := spec.GetTrafficPolicy().GetTls()
		for _, p := range spec.GetTrafficPolicy().GetPortLevelSettings() {
			if p.GetPort().GetNumber() == port && p.GetTls() != nil {
				tls = p.GetTls()
			}
		}
		if tls != nil && tls.GetMode() != networking.ClientTLSSettings_DISABLE {
			return true
		}
	}
	return false
}
