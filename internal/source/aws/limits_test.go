package aws

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// paced makes n calls of a service, a few workers at once, each of which takes
// as long as trip, and returns when they went out.
func paced(t *testing.T, l *limits, service string, n, workers int, trip time.Duration) []time.Duration {
	t.Helper()
	var (
		mu   sync.Mutex // guards out
		out  []time.Duration
		done sync.WaitGroup
		next = make(chan struct{}, n)
	)
	for range n {
		next <- struct{}{}
	}
	close(next)
	start := time.Now()
	for range workers {
		done.Go(func() {
			for range next {
				if err := l.wait(t.Context(), service); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				out = append(out, time.Since(start))
				mu.Unlock()
				<-time.After(trip)
			}
		})
	}
	done.Wait()
	slices.Sort(out)
	return out
}

// TestPace holds that calls are as many a second as the limit says and not
// fewer, however many wait for their turn, and that they go out together.
func TestPace(t *testing.T) {
	for _, test := range []struct {
		name      string
		service   string
		perSecond int
		workers   int
		trip      time.Duration
	}{
		{"one part", "IAM us-east-1", callsPerSecond, callsAtOnce, time.Millisecond},
		{"many parts", "IAM us-east-1", callsPerSecond, 10 * callsAtOnce, time.Millisecond},
		{"one after the other", "IAM us-east-1", callsPerSecond, 1, 10 * time.Millisecond},
		{"far away", "IAM us-east-1", callsPerSecond, callsAtOnce, 300 * time.Millisecond},
		{"buckets", "S3 us-east-1", bucketCallsPerSecond, callsAtOnce, 10 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 1000
				at := paced(t, newLimits(), test.service, n, test.workers, test.trip)
				ideal := time.Duration(n-callsBurst) * time.Second / time.Duration(test.perSecond)
				beat := callsBunch * time.Second / time.Duration(test.perSecond)
				if last := at[n-1]; last < ideal || last > ideal+2*beat {
					t.Errorf("%d calls take %s, want %s and at most two beats more", n, last, ideal)
				}
				for i, from := range at {
					inBeat, inAll := 0, 0
					for _, to := range at[i:] {
						if to-from < beat {
							inBeat++
						}
						inAll++
						allowed := callsBurst + callsBunch + int((to-from)*time.Duration(test.perSecond)/time.Second)
						if inAll > allowed {
							t.Fatalf("%d calls within %s of %s, want at most %d", inAll, to-from, from, allowed)
						}
					}
					// The first beat has what was saved up.
					if from > beat && inBeat > 2*callsBunch {
						t.Fatalf("%d calls in the beat after %s", inBeat, from)
					}
				}
			})
		})
	}
}

// TestBunches counts how often a process must wake up, which is what costs.
func TestBunches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimits()
		var iam, ec2 []time.Duration
		var both sync.WaitGroup
		both.Go(func() { iam = paced(t, l, "IAM us-east-1", 500, callsAtOnce, time.Millisecond) })
		// Another service begins when it likes and shares the beats.
		both.Go(func() {
			<-time.After(330 * time.Millisecond)
			ec2 = paced(t, l, "EC2 eu-west-1", 500, callsAtOnce, time.Millisecond)
			for i := range ec2 {
				ec2[i] += 330 * time.Millisecond
			}
		})
		both.Wait()
		woken := map[time.Duration]bool{}
		for _, at := range slices.Concat(iam, ec2) {
			woken[at.Truncate(5*time.Millisecond)] = true
		}
		if len(woken) > 60 {
			t.Errorf("1,000 calls in 49 s go out at %d different times", len(woken))
		}
	})
}

func TestLimitIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimits()
		for range callsBurst {
			if err := l.wait(t.Context(), "IAM us-east-1"); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := l.wait(ctx, "IAM us-east-1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it says %v", err)
		}
		if waited := time.Since(start); waited != 50*time.Millisecond {
			t.Errorf("it went on for %s", waited)
		}
		if err := l.wait(ctx, "EC2 us-east-1"); err == nil {
			t.Error("a call goes out after its context ended")
		}
		// Who went away takes no turn: the next beat is as full as ever.
		at := paced(t, l, "IAM us-east-1", 2*callsBunch, 2*callsBunch, 0)
		if n := len(at) - callsBunch; at[n-1] != at[0] || at[n] == at[0] {
			t.Errorf("after a cancelled one they go out at %s", at)
		}
	})
}
