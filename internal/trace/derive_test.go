package trace

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/eksafe/eksafe/internal/estate"
)

func TestDeriveBuildsOnce(t *testing.T) {
	type count struct{ n int32 }
	g := New(&estate.Estate{})
	var built atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got := Derive(g, func(*Graph) *count { return &count{built.Add(1)} }); got.n != 1 {
				t.Errorf("build %d", got.n)
			}
		})
	}
	wg.Wait()
	if got := Derive(New(&estate.Estate{}), func(*Graph) *count { return &count{built.Add(1)} }); got.n != 2 {
		t.Errorf("another graph has build %d", got.n)
	}
}
