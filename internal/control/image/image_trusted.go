package image

import (
	"fmt"
	"slices"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var imageTrusted = &control.Control{
	ID:       "image-trusted",
	Title:    "Images come from the registries that you named",
	Severity: control.Medium,
	Refs:     []control.Ref{control.CISEKS("5.1.4"), control.ATTACK("T1525")},
	Serves:   []string{"S31"},
	Since:    "0.1.0",
	Check:    control.Each(estate.Workloads, judgeTrusted),
}

func judgeTrusted(s *control.Subject, w *estate.Workload) {
	trusted := s.Config().Registries
	if len(trusted) == 0 {
		s.NotWanted("nobody declared which registries are trusted (registries in eksafe.yaml)")
		return
	}
	var missed []miss
	var gaps []string
	for _, c := range containers(w) {
		switch {
		case c.bad:
			gaps = append(gaps, c.noReference())
		case !slices.ContainsFunc(trusted, c.ref.within):
			missed = append(missed, miss{c.field, fmt.Sprintf("%s comes from %s, which registries of eksafe.yaml does not name", shortened(c.image), c.ref.domain)})
		}
	}
	report(s, w, missed, gaps)
}
