package awsrig

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/middleware"
)

// A Tape stands between the SDK and the double, without a network: it keeps
// what the double answers, so that the same account can be read again and
// again, each time with something denied. Until the first Deny all calls go to
// the double, as does later what the tape has not heard: of a job that AWS is
// asked about until it is done, the last answer stays.
type Tape struct {
	double *Double

	mu      sync.Mutex // guards what follows
	answers map[string]*Answer
	heard   map[string]int // since the last Deny
	denied  func(*Call) bool
	replays bool
}

// Tape returns an empty tape of the double.
func (d *Double) Tape() *Tape {
	return &Tape{double: d, answers: map[string]*Answer{}, heard: map[string]int{}}
}

// Deny makes the tape refuse the calls that fit, and only those; nil refuses
// none.
func (t *Tape) Deny(fits func(*Call) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.denied, t.heard, t.replays = fits, map[string]int{}, true
}

// Heard returns how often each call was made since the last Deny: its service,
// action, region and input.
func (t *Tape) Heard() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.heard)
}

// Play makes a configuration of the SDK talk to the tape.
func (t *Tape) Play(c *aws.Config) {
	c.HTTPClient = t
	Hurry(c)
}

// Hurry takes out of a configuration what spares a real account: waiting for
// the next call.
func Hurry(c *aws.Config) {
	c.APIOptions = append(slices.Clone(c.APIOptions), func(stack *middleware.Stack) error {
		_, err := stack.Finalize.Remove("eksafeLimit")
		return err
	})
}

// Do answers one request.
func (t *Tape) Do(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	call, err := identify(r)
	if err != nil {
		return nil, fmt.Errorf("the tape got a request that is not AWS's: %s %s: %w", r.Method, r.URL.Path, err)
	}
	answer := t.answer(call)
	return &http.Response{
		StatusCode: answer.Status, Status: http.StatusText(answer.Status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: answer.Header.Clone(), Body: io.NopCloser(bytes.NewReader(answer.Body)), ContentLength: int64(len(answer.Body)), Request: r,
	}, r.Context().Err()
}

func (t *Tape) answer(c *Call) *Answer {
	key := c.key()
	t.mu.Lock()
	t.heard[key]++
	denied, known := t.denied, t.answers[key]
	if !t.replays {
		known = nil
	}
	t.mu.Unlock()
	if denied != nil && denied(c) {
		return refusal(c, "")
	}
	if known != nil {
		return known
	}
	answer := t.double.answer(c)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answers[key] = answer
	return answer
}

// serviceIDs are the SDK's names of services where they are not IAM's in lower
// case without spaces.
var serviceIDs = map[string]string{
	"Elastic Load Balancing": "elb", "Elastic Load Balancing v2": "elbv2", "EFS": "elasticfilesystem", "OpenSearch": "es",
	"EventBridge": "events", "CloudWatch Logs": "logs", "AccessAnalyzer": "access-analyzer", "Config Service": "config",
}

// Is reports whether the call is the operation of a service, which is named as
// the SDK does.
func (c *Call) Is(serviceID, operation string) bool {
	service := serviceIDs[serviceID]
	if service == "" {
		service = strings.ToLower(strings.ReplaceAll(serviceID, " ", ""))
	}
	return c.Service == service && c.Action == operation
}
