package transit

import (
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var databaseClientVerifies = &control.Control{
	ID:       "database-client-verifies",
	Title:    "Clients verify the certificate and the name of their database",
	Severity: control.High,
	Refs:     []control.Ref{control.AWS("rds-tls-postgresql")},
	Serves:   []string{"S10"},
	Since:    "0.1.0",
	Check: control.Traced(databaseClients, placeOfClient, judgeDatabaseClient, estate.Workloads.Kind).
		Helped(estate.ConfigMaps.Kind, estate.Services.Kind, estate.DBInstances.Kind, estate.DBClusters.Kind, estate.DBProxies.Kind),
}

// databaseClients returns the hops from workloads to databases.
func databaseClients(g *trace.Graph) []*trace.Hop {
	return slices.DeleteFunc(g.HopsOf(trace.DatabaseLeg), func(h *trace.Hop) bool { return h.Client == nil })
}

func placeOfClient(h *trace.Hop) trace.Place { return placeOfWorkload(h.Client) }

func judgeDatabaseClient(s *control.Subject, h *trace.Hop) {
	switch h.PeerVerified {
	case trace.No:
		s.FailAt(clientPlace(h), "%s does not verify %s, so anybody can answer in its name: %s", h.Client.Name, h.To.Name, h.Why)
	case trace.Unclear:
		s.Unknownf("whether %s verifies %s is not known: %s; set the mode in plain sight (verify-full, VERIFY_IDENTITY)", h.Client.Name, h.To.Name, h.Why)
	case trace.Yes:
		// A proxy's certificate is of a public authority; databases' are of
		// authorities that only RDS's bundle holds.
		if h.To.Kind == estate.DBProxies.Kind {
			return
		}
		if why := carriesCA(s, h.Client); why != "" {
			s.Unknownf("%s verifies %s, but %s", h.Client.Name, h.To.Name, why)
		}
	}
}

// clientPlace returns the place of the hop that lies with the client: the
// server's parameter group is another control's.
func clientPlace(h *trace.Hop) trace.Place {
	for _, p := range h.Places {
		if p.Subject.Kind == estate.Workloads.Kind || p.Subject.Kind == estate.ConfigMaps.Kind {
			return p
		}
	}
	return placeOfWorkload(h.Client)
}

// carriesCA returns "" if w names a CA bundle that it mounts, else what is
// missing.
func carriesCA(s *control.Subject, w *estate.Workload) string {
	why := "nothing shows which CA bundle it trusts; mount RDS's bundle and name it"
	for _, f := range factsOf(s, w) {
		if f.CAFile == "" {
			continue
		}
		volume, mounted := volumeOf(w, f.CAFile)
		if !mounted {
			why = "its CA bundle " + f.CAFile + " is mounted from nowhere, and what the image holds is not known"
			continue
		}
		names := mapsOfVolume(w, volume)
		if len(names) == 0 {
			return "" // a Secret or a driver brings it; its value is never read
		}
		for _, name := range names {
			c, ok := configMap(s, w.Namespace, name)
			if !ok {
				why = "ConfigMap " + name + ", which should hold the CA bundle, was not found"
				continue
			}
			if slices.ContainsFunc(c.Facts, func(f estate.Fact) bool { return f.CertificatePEM }) {
				return ""
			}
			why = "ConfigMap " + name + " holds no certificate"
		}
	}
	return why
}

// volumeOf returns the volume that is mounted at a file of any container.
func volumeOf(w *estate.Workload, file string) (volume string, ok bool) {
	best := ""
	for _, c := range slices.Concat(w.Template.Spec.Containers, w.Template.Spec.InitContainers) {
		for _, m := range c.VolumeMounts {
			at := path.Clean(m.MountPath)
			if (path.Clean(file) == at || strings.HasPrefix(path.Clean(file), strings.TrimSuffix(at, "/")+"/")) && len(at) > len(best) {
				best, volume = at, m.Name
			}
		}
	}
	held := slices.ContainsFunc(w.Template.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == volume })
	return volume, best != "" && held
}
