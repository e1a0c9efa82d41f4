package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
)

const (
	callBudget  = 30 * time.Second
	attempts    = 4                // of a call that the server asks to repeat
	longestWait = 10 * time.Second // before an attempt, whatever the server asks for
	maxStatus   = 64 << 10         // bytes of an error's body that are looked at
)

// A reason says what became of a call that gave no list.
type reason int

const (
	unavailable reason = iota
	unreachable        // no answer at all
	rejected401
	denied
	absent
	expired
)

// A failure is a call without a list. Its text never holds the body of an
// answer: a proxy's page of HTML helps nobody.
type failure struct {
	reason   reason
	resource string // "deployments.apps", of a list
	user     string // who was denied, if the server said so
	why      string
}

// Error returns one short sentence.
func (f *failure) Error() string {
	switch {
	case f.reason == denied:
		return denial(f.user, f.resource)
	case f.resource != "":
		return f.resource + ": " + f.why
	}
	return f.why
}

func denial(user, resources string) string {
	if user == "" {
		return "these credentials cannot list " + resources
	}
	return fmt.Sprintf("user %q cannot list %s", user, resources)
}

// client asks one API server, with GET only.
type client struct {
	http *http.Client
	base *url.URL

	// silent counts calls without any answer since the last answer. A server
	// that fell silent is given up rather than waited for kind by kind.
	silent atomic.Int32
}

func newClient(config *rest.Config) (*client, error) {
	config = rest.CopyConfig(config)
	config.UserAgent = "eksafe"
	// Certificates in files are loaded now: otherwise a goroutine would watch
	// the files until the process ends.
	if err := rest.LoadTLSFiles(config); err != nil {
		return nil, fmt.Errorf("loading the certificates of the kubeconfig: %w", err)
	}
	// The budget is inside of the credentials plugin, which may wait for a
	// person to log in.
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &budget{next} })
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, errors.New("the kubeconfig's server is no URL")
	}
	shared, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("using the kubeconfig: %w", err)
	}
	own := *shared
	// Credentials are added to every request. They are not for whoever an
	// answer points to.
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client{http: &own, base: base}, nil
}

func (c *client) close() { utilnet.CloseIdleConnectionsFor(c.http.Transport) }

// get returns the body of a good answer; the caller closes it. Every other
// outcome is a failure or the context's error.
func (c *client) get(ctx context.Context, path string, query url.Values, accept string) (io.ReadCloser, error) {
	target := c.base.JoinPath(path)
	target.RawQuery = query.Encode()
	for attempt := 1; ; attempt++ {
		if c.silent.Load() >= parallel {
			return nil, &failure{reason: unreachable, why: "not asked: the server had stopped answering"}
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
		if err != nil {
			return nil, &failure{why: "the kubeconfig's server is no URL"}
		}
		req.Header.Set("Accept", accept)
		resp, err := c.http.Do(req)
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			c.silent.Add(1)
			return nil, &failure{reason: unreachable, why: transportWhy(err)}
		}
		c.silent.Store(0)
		if resp.StatusCode == http.StatusOK {
			return resp.Body, nil
		}
		failed := statusFailure(resp)
		wait, again := retryAfter(resp)
		if !again || attempt == attempts {
			return nil, failed
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-timer.C:
		}
	}
}

// retryAfter says whether the server asks for another attempt, and when.
func retryAfter(resp *http.Response) (time.Duration, bool) {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode < 500 {
		return 0, false
	}
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0, false
	}
	return min(time.Duration(min(seconds, 3600))*time.Second, longestWait), true
}

var userPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`User "([^"]{1,200})"`) })

// statusFailure closes the body of a bad answer and says what it means.
func statusFailure(resp *http.Response) *failure {
	defer resp.Body.Close()
	text := fmt.Sprintf("the server answers %d", resp.StatusCode)
	if name := http.StatusText(resp.StatusCode); name != "" {
		text += " (" + name + ")"
	}
	f := &failure{why: text}
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		f.reason = rejected401
		f.why = "credentials were rejected (401)"
	case http.StatusForbidden:
		f.reason = denied
		var status struct{ Message string }
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxStatus))
		if json.Unmarshal(body, &status) == nil {
			if m := userPattern().FindStringSubmatch(status.Message); m != nil && printable(m[1]) {
				f.user = m[1]
			}
		}
	case http.StatusNotFound:
		f.reason = absent
	case http.StatusGone:
		f.reason = expired
	}
	return f
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// transportWhy says why there was no answer, without the URL, which the
// caller names.
func transportWhy(err error) string {
	if errors.Is(err, errBudget) {
		return errBudget.Error()
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return bounded(err.Error())
}

// bounded makes a text of somebody else fit for one line.
func bounded(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > 300 {
		text = string(runes[:300]) + "…"
	}
	return text
}

// explain turns a failure that concerns the whole cluster into an error that
// says what to do.
func (c *client) explain(f *failure) error {
	server := c.base.Scheme + "://" + c.base.Host
	switch {
	case f.reason == rejected401:
		return fmt.Errorf("credentials were rejected by %s (401); log in again, or check the user of this context in the kubeconfig", server)
	case f.reason != unreachable:
		return fmt.Errorf("asking %s: %s; is it a Kubernetes API server, and healthy?", server, f.Error())
	case strings.Contains(f.why, "getting credentials: "):
		return fmt.Errorf("the kubeconfig's credentials plugin gave no credentials for %s: %s; log in again", server, f.why)
	case strings.Contains(f.why, "x509: "):
		return fmt.Errorf("%s is not trusted: %s; check certificate-authority-data of this cluster in the kubeconfig", server, f.why)
	}
	return fmt.Errorf("%s cannot be reached: %s; check the address, and that this machine may reach it (VPN, private endpoint)", server, f.why)
}

var errBudget = fmt.Errorf("no complete answer in %d seconds", int(callBudget/time.Second))

// budget ends a call that takes too long, body included.
type budget struct{ next http.RoundTripper }

// RoundTrip sends the request with a deadline.
func (b *budget) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(req.Context(), callBudget, errBudget)
	resp, err := b.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		defer cancel()
		return nil, overBudget(ctx, err)
	}
	resp.Body = &budgetBody{resp.Body, ctx, cancel}
	return resp, nil
}

// WrappedRoundTripper lets idle connections be closed.
func (b *budget) WrappedRoundTripper() http.RoundTripper { return b.next }

type budgetBody struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelFunc
}

// Read reads, until the deadline.
func (b *budgetBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = overBudget(b.ctx, err)
	}
	return n, err
}

// Close releases the deadline.
func (b *budgetBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

func overBudget(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errBudget) {
		return errBudget
	}
	return err
}
