package aws

import (
	"slices"
	"sync"

	"github.com/eksafe/eksafe/internal/estate"
)

// A Group names kinds that take long to read.
type Group string

const (
	// SkipLastAccessed is when users and roles last used which service: two
	// calls and more for each of them.
	SkipLastAccessed Group = "last-accessed"
	// SkipFindings is what scanners and detectors of AWS found.
	SkipFindings Group = "findings"
)

// Groups lists what can be left out.
func Groups() []Group { return []Group{SkipLastAccessed, SkipFindings} }

// groupKinds are the kinds of each group.
var groupKinds = map[Group][]estate.Kind{
	SkipLastAccessed: {estate.LastAccessed.Kind},
	SkipFindings: {
		estate.ImageScans.Kind,
		estate.InspectorFindings.Kind,
		estate.SecurityHubFindings.Kind,
		estate.GuardDutyFindings.Kind,
		estate.AccessAnalyzerFindings.Kind,
	},
}

// skipped says why a kind is not asked for, "" if it is.
func (o Options) skipped(kind estate.Kind) string {
	for _, g := range o.Skip {
		if slices.Contains(groupKinds[g], kind) {
			return "left out by --skip " + string(g)
		}
	}
	return ""
}

func (r *reader) skips(kind estate.Kind) bool { return r.session.options.skipped(kind) != "" }

// A shared value is read by the first part that needs it; the others wait.
type shared[T any] struct {
	once  sync.Once
	value T
}

func (s *shared[T]) get(read func() T) T {
	s.once.Do(func() { s.value = read() })
	return s.value
}
