package aws

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"

	"github.com/eksafe/eksafe/internal/estate"
)

const identity = `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>` +
	`<Arn>arn:aws:iam::111122223333:user/auditor</Arn><UserId>AIDA</UserId><Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`

// serve starts a server that knows who asks and otherwise does as answer says,
// and makes it AWS for the test.
func serve(t *testing.T, answer http.HandlerFunc) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Authorization"), "/sts/aws4_request") {
			body, _ := io.ReadAll(r.Body)
			if strings.Contains(string(body), "GetCallerIdentity") {
				w.Header().Set("Content-Type", "text/xml")
				_, _ = io.WriteString(w, identity)
				return
			}
		}
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	environment(t)
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "canary-secret-key")
	t.Setenv("AWS_REGION", "eu-west-1")
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
}

// environment takes away whatever the machine has of AWS.
func environment(t *testing.T) {
	t.Helper()
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "credentials"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// states returns the coverage of every AWS kind over all sources.
func states(t *testing.T, e *estate.Estate) map[estate.Kind]estate.Coverage {
	t.Helper()
	out := map[estate.Kind]estate.Coverage{}
	for _, k := range estate.Kinds() {
		if k.Provider == estate.AWSProvider {
			out[k.Kind] = e.Coverage(k.Kind)
			if k.Len(e) > 0 {
				t.Errorf("%d resources of kind %s out of nothing", k.Len(e), k.Kind)
			}
		}
	}
	return out
}

func TestEverythingDenied(t *testing.T) {
	serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) })
	e, err := Read(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for kind, c := range states(t, e) {
		if c.State != estate.Denied || !strings.HasPrefix(c.Why, "not allowed to call ") {
			t.Errorf("%s is %s, %q", kind, c.State, c.Why)
		}
	}
}

func TestAnswersThatAreNotAWS(t *testing.T) {
	serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><html><title>Sign in to continue</title>")
	})
	e, err := Read(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for kind, c := range states(t, e) {
		if c.State != estate.Unavailable {
			t.Errorf("%s is %s, %q", kind, c.State, c.Why)
		}
	}
}

func TestThrottledIsUnavailable(t *testing.T) {
	serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTooManyRequests) })
	e, err := Read(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for kind, c := range states(t, e) {
		if c.State != estate.Unavailable || !strings.HasPrefix(c.Why, "AWS throttles ") {
			t.Errorf("%s is %s, %q", kind, c.State, c.Why)
		}
	}
}

func TestSources(t *testing.T) {
	serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) })
	var done, total int
	e, err := Read(t.Context(), Options{
		Regions:  []string{"us-east-1", "eu-west-1", "us-east-1"},
		Progress: func(d, n int, what string) { done, total = d, n },
	})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	covered := map[estate.Kind]bool{}
	for _, s := range e.Sources {
		names = append(names, s.Name)
		if s.Kind != estate.AWSSource {
			t.Errorf("the kind of %s is %s", s.Name, s.Kind)
		}
		for _, c := range s.Coverage {
			covered[c.Kind] = true
		}
	}
	want := "account 111122223333 eu-west-1, account 111122223333 us-east-1, account 111122223333 global"
	if got := strings.Join(names, ", "); got != want {
		t.Errorf("sources are %s\nwant %s", got, want)
	}
	for _, k := range estate.Kinds() {
		if k.Provider == estate.AWSProvider && !covered[k.Kind] {
			t.Errorf("no source covers %s", k.Kind)
		}
	}
	if done == 0 || done != total {
		t.Errorf("progress ended at %d of %d", done, total)
	}
}

func TestCancelledAtOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan struct{}, 1)
	serve(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case asked <- struct{}{}:
		default:
		}
		<-r.Context().Done()
	})
	go func() {
		<-asked
		cancel()
	}()
	start := time.Now()
	_, err := Read(ctx, Options{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it took %s to stop", d)
	}
}

func TestAttemptsAreHeeded(t *testing.T) {
	var calls atomic.Int32
	environment(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer server.Close()
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "canary-secret-key")
	t.Setenv("AWS_MAX_ATTEMPTS", "2")
	_, err := Read(t.Context(), Options{Regions: []string{"eu-west-1"}})
	if err == nil || calls.Load() != 2 {
		t.Errorf("%d attempts, error %v", calls.Load(), err)
	}
}

// refuseIdentity starts a server that answers every call with an error code.
func refuseIdentity(t *testing.T, code string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `<ErrorResponse><Error><Type>Sender</Type><Code>`+code+`</Code><Message>canary message</Message></Error></ErrorResponse>`)
	}))
	t.Cleanup(server.Close)
	environment(t)
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "canary-secret-key")
	t.Setenv("AWS_REGION", "eu-west-1")
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
}

func TestWhatEndsItAll(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*testing.T)
		options Options
		want    string
	}{
		"no credentials": {
			func(t *testing.T) { environment(t); t.Setenv("AWS_REGION", "eu-west-1") }, Options{},
			"no AWS credentials found; run aws configure",
		},
		"no region": {
			func(t *testing.T) {
				environment(t)
				t.Setenv("AWS_ACCESS_KEY_ID", "a")
				t.Setenv("AWS_SECRET_ACCESS_KEY", "b")
			}, Options{},
			"no AWS region is set; give --region",
		},
		"a region that is a host": {
			environment, Options{Regions: []string{"x.evil.example/?"}},
			`no AWS region is called "x.evil.example/?"; name one such as eu-west-1`,
		},
		"a region variable that is a host": {
			func(t *testing.T) { environment(t); t.Setenv("AWS_REGION", "evil.example#") }, Options{},
			`no AWS region is called "evil.example#"; correct AWS_REGION`,
		},
		"unknown profile": {
			environment, Options{Profile: "prod", Regions: []string{"eu-west-1"}},
			`no AWS profile is called "prod"; aws configure list-profiles lists them`,
		},
		"expired": {
			func(t *testing.T) { refuseIdentity(t, "ExpiredToken") }, Options{},
			"the AWS session has expired; run aws sso login",
		},
		"deleted key": {
			func(t *testing.T) { refuseIdentity(t, "InvalidClientTokenId") }, Options{},
			"AWS rejects the credentials in eu-west-1; run aws sso login",
		},
		"no network": {
			func(t *testing.T) { refuseIdentity(t, ""); t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1") }, Options{},
			"AWS cannot be reached in eu-west-1; check the network",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.prepare(t)
			_, err := Read(t.Context(), c.options)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Fatalf("got  %v\nwant %s…", err, c.want)
			}
			if strings.ContainsAny(err.Error(), "\n\x1b") || strings.Contains(err.Error(), "canary") {
				t.Errorf("%q is not one clean line", err)
			}
			var known *Error
			if !errors.As(err, &known) || known.Remedy == "" {
				t.Errorf("%v says nothing to do", err)
			}
		})
	}
}

func TestConfigIsChanged(t *testing.T) {
	environment(t)
	stop := errors.New("stop here")
	_, err := Read(t.Context(), Options{Regions: []string{"eu-west-1"}, Config: func(c *awssdk.Config) {
		c.Credentials = awssdk.CredentialsProviderFunc(func(context.Context) (awssdk.Credentials, error) {
			return awssdk.Credentials{}, stop
		})
	}})
	if !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}
