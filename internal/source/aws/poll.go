package aws

import (
	"context"
	"time"

	"github.com/aws/smithy-go"
)

const (
	pollLimit = 2 * time.Minute // of what AWS prepares
	pollFirst = 500 * time.Millisecond
	pollMost  = 5 * time.Second
)

// poll asks until AWS has prepared something, ever less often. The calls are
// those of operation.
func poll(ctx context.Context, service, operation string, ready func() (bool, error)) error {
	limit := time.NewTimer(pollLimit)
	defer limit.Stop()
	for wait := pollFirst; ; wait = min(2*wait, pollMost) {
		done, err := ready()
		if done || err != nil {
			return err
		}
		next := time.NewTimer(wait)
		select {
		case <-next.C:
		case <-limit.C:
			next.Stop()
			return failedCall(service, operation, errNotReady)
		case <-ctx.Done():
			next.Stop()
			return ctx.Err()
		}
	}
}

// failedCall gives a failure that an answer tells the form of a failed call.
func failedCall(service, operation string, cause error) error {
	return &smithy.OperationError{ServiceID: service, OperationName: operation, Err: cause}
}

// codeError is the code of a failure that an answer tells. The message stays
// out: it names what it likes.
func codeError(code string) error { return &smithy.GenericAPIError{Code: code} }
