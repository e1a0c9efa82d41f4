package aws

import (
	"context"
	"strings"
	"sync"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/time/rate"
)

// limits keeps us from using up the account's request quota, which its owner's
// own controllers share.
//
// Calls that must wait go out in bunches: a process that sleeps between any two
// calls pays more CPU time for waking up than for the calls. AWS refills its
// own buckets once a second too, so that a bunch costs the account what single
// calls do.
type limits struct {
	start time.Time // beats are counted from here, so that services share them

	mu        sync.Mutex // guards byService
	byService map[string]*pace
}

func newLimits() *limits {
	return &limits{start: time.Now(), byService: map[string]*pace{}}
}

// A pace is how fast the calls of a service in a region may follow each other.
type pace struct {
	limiter *rate.Limiter
	beat    time.Duration // between bunches
}

func newPace(perSecond int) *pace {
	return &pace{
		limiter: rate.NewLimiter(rate.Limit(perSecond), callsBurst),
		beat:    callsBunch * time.Second / time.Duration(perSecond),
	}
}

func (l *limits) of(service string) *pace {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byService[service] == nil {
		perSecond := callsPerSecond
		if strings.HasPrefix(service, s3.ServiceID+" ") {
			perSecond = bucketCallsPerSecond
		}
		l.byService[service] = newPace(perSecond)
	}
	return l.byService[service]
}

// wait returns when a service may be called: at once while its limit is not
// reached, and else on the first beat after its turn. Nobody is earlier than
// the limit allows, and who is late leaves what he did not use to others: the
// average stays.
func (l *limits) wait(ctx context.Context, service string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p, now := l.of(service), time.Now()
	turn := p.limiter.ReserveN(now, 1)
	delay := turn.DelayFrom(now)
	if delay <= 0 {
		return nil
	}
	if late := (now.Sub(l.start) + delay) % p.beat; late > 0 {
		delay += p.beat - late
	}
	beat := time.NewTimer(delay)
	defer beat.Stop()
	select {
	case <-beat.C:
		return nil
	case <-ctx.Done():
		turn.Cancel()
		return ctx.Err()
	}
}

// add makes every attempt wait for its turn.
func (l *limits) add(stack *middleware.Stack) error {
	wait := middleware.FinalizeMiddlewareFunc("eksafeLimit",
		func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
			if err := l.wait(ctx, awsmiddleware.GetServiceID(ctx)+" "+awsmiddleware.GetRegion(ctx)); err != nil {
				return middleware.FinalizeOutput{}, middleware.Metadata{}, err
			}
			return next.HandleFinalize(ctx, in)
		})
	if _, found := stack.Finalize.Get("Retry"); found {
		return stack.Finalize.Insert(wait, "Retry", middleware.After)
	}
	return stack.Finalize.Add(wait, middleware.Before)
}
