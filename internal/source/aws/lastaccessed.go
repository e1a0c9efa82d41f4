package aws

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksafe/eksafe/internal/estate"
)

// tracked is how far back IAM reports at least.
const tracked = 400 * 24 * time.Hour

// readLastAccessed reads when users and roles last used the services that they
// may use. IAM prepares the answer for each; all are ordered before the first
// is fetched, so that it is ready by then.
func (r *reader) readLastAccessed(ctx context.Context) {
	principals := slices.Clone(r.readAuthorization(ctx).principals)
	slices.SortFunc(principals, func(a, b principal) int { return cmp.Compare(a.arn, b.arn) })
	type job struct {
		principal
		id string
	}
	var (
		mu   sync.Mutex // guards jobs and out
		jobs []job
		out  []*estate.ServiceLastAccessed
		told atomic.Int64
	)
	progress := func() {
		if n := told.Add(1); n%20 == 0 {
			r.session.note(fmt.Sprintf("services last used by %d of %d users and roles", n/2, len(principals)))
		}
	}
	order := func(ctx context.Context, p principal) error {
		defer progress()
		answer, err := r.sdk.iam.GenerateServiceLastAccessedDetails(ctx, &iam.GenerateServiceLastAccessedDetailsInput{
			Arn: &p.arn, Granularity: iamtypes.AccessAdvisorUsageGranularityTypeServiceLevel,
		})
		if err != nil {
			if classify(err) != notFound {
				r.fail(err, estate.LastAccessed.Kind)
			}
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		jobs = append(jobs, job{p, text(answer.JobId)})
		return nil
	}
	if len(principals) == 0 {
		return
	}
	// Who is refused for one is refused for all: hundreds of calls less.
	if err := order(ctx, principals[0]); err != nil && classify(err) == denied {
		return
	}
	each(ctx, principals[1:], func(ctx context.Context, p principal) { _ = order(ctx, p) })
	each(ctx, jobs, func(ctx context.Context, j job) {
		defer progress()
		services, created, err := lastAccessed(ctx, r.sdk.iam, j.id)
		if err != nil {
			if classify(err) != notFound {
				r.fail(err, estate.LastAccessed.Kind)
			}
			return
		}
		x := &estate.ServiceLastAccessed{
			// IAM gives the answer no ARN; the principal has its own.
			AWS:          estate.AWS{Arn: j.arn + "#last-accessed"},
			PrincipalArn: j.arn,
			Services:     services,
		}
		if since, known := j.created.Get(); known && !created.IsZero() {
			if start := created.Add(-tracked); start.After(since) {
				since = start
			}
			x.Since = estate.Known(since)
		}
		mu.Lock()
		defer mu.Unlock()
		out = append(out, x)
	})
	put(r, estate.LastAccessed, out)
}

// lastAccessed waits for a job of IAM, and returns its answer and when it was
// asked for.
func lastAccessed(ctx context.Context, api iamAPI, id string) ([]estate.ServiceAccessed, time.Time, error) {
	const operation = "GetServiceLastAccessedDetails"
	input := &iam.GetServiceLastAccessedDetailsInput{JobId: &id}
	var answer *iam.GetServiceLastAccessedDetailsOutput
	err := poll(ctx, iam.ServiceID, operation, func() (bool, error) {
		var err error
		answer, err = api.GetServiceLastAccessedDetails(ctx, input)
		if err != nil {
			return false, err
		}
		if answer.JobStatus == iamtypes.JobStatusTypeFailed {
			code := "a failed job"
			if answer.Error != nil {
				code = text(answer.Error.Code)
			}
			return false, failedCall(iam.ServiceID, operation, codeError(code))
		}
		return answer.JobStatus == iamtypes.JobStatusTypeCompleted, nil
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	var created time.Time
	if answer.JobCreationDate != nil {
		created = *answer.JobCreationDate
	}
	var out []estate.ServiceAccessed
	err = tokens(func(token *string) (*string, error) {
		if token != nil {
			var err error
			input.Marker = token
			if answer, err = api.GetServiceLastAccessedDetails(ctx, input); err != nil {
				return nil, err
			}
		}
		for _, s := range answer.ServicesLastAccessed {
			used := estate.Known(time.Time{}) // the answer omits it
			if s.LastAuthenticated != nil {
				used = estate.Known(*s.LastAuthenticated)
			}
			out = append(out, estate.ServiceAccessed{Namespace: text(s.ServiceNamespace), LastAuthenticated: used})
		}
		if !answer.IsTruncated {
			return nil, nil
		}
		return answer.Marker, nil
	})
	slices.SortFunc(out, func(a, b estate.ServiceAccessed) int { return cmp.Compare(a.Namespace, b.Namespace) })
	return out, created, err
}
