package cluster

import (
	"testing"
	"time"
)

// A row that cannot be read would make every cluster of its version fail.
func TestReleases(t *testing.T) {
	var last time.Time
	for i, r := range releases {
		ends, err := time.Parse(time.DateOnly, r.ends)
		if err != nil || r.source == "" {
			t.Errorf("1.%d: ends %q, source %q", r.minor, r.ends, r.source)
		}
		if _, err := time.Parse(time.DateOnly, r.checked); err != nil {
			t.Errorf("1.%d: checked %q", r.minor, r.checked)
		}
		if i > 0 && (r.minor != releases[i-1].minor+1 || !ends.After(last)) {
			t.Errorf("1.%d is out of order", r.minor)
		}
		last = ends
	}
}
