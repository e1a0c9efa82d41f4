// Package awsrig is a double of AWS for tests: the emulator moto behind a
// strict proxy of ours. The proxy passes on what the emulator is known to do
// well, answers from a table of its own what the emulator lacks or gets wrong,
// and fails the test on any other call: a test never goes green because the
// double answered nothing, or nonsense.
//
// It says nothing about what AWS enforces: every credential is accepted, and
// what a test may not read it must deny itself.
package awsrig

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

const (
	// Account is the account that the double is.
	Account = "111122223333"
	// Region is the region of Env and Config.
	Region = "eu-west-1"

	startTimeout = 60 * time.Second
)

// A Double is a running double of AWS.
type Double struct {
	// URL is the endpoint of every service.
	URL string

	t        testing.TB
	emulator *url.URL
	client   *http.Client

	mu        sync.Mutex // guards what follows
	overrides []override
	memory    memory
	calls     map[string]int
}

type override struct {
	service, action string
	answer          func(*Call) *Answer
}

// Start runs a double until the test ends. Without the emulator the test is
// skipped, or fails where EKSAFE_RIGS is "required".
func Start(t testing.TB) *Double {
	t.Helper()
	program := findMoto()
	if program == "" {
		if os.Getenv("EKSAFE_RIGS") == "required" {
			t.Fatal("moto_server is not installed: run make rigs")
		}
		t.Skip("moto_server is not installed: run make rigs")
	}
	d := &Double{t: t, client: &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16}}}
	d.emulator = startMoto(t, program)
	d.forget()
	proxy := httptest.NewServer(d)
	t.Cleanup(proxy.Close)
	d.URL = proxy.URL
	return d
}

// findMoto returns the emulator's program: EKSAFE_MOTO, that on the path, or
// that of the virtual environment which "make rigs" prepares.
func findMoto() string {
	if program := os.Getenv("EKSAFE_MOTO"); program != "" {
		return program
	}
	if program, err := exec.LookPath("moto_server"); err == nil {
		return program
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	program := filepath.Join(cache, "eksafe", "moto", "bin", "moto_server")
	if _, err := os.Stat(program); err != nil {
		return ""
	}
	return program
}

func startMoto(t testing.TB, program string) *url.URL {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("finding a free port: %v", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		t.Fatalf("freeing the port: %v", err)
	}

	var output lockedBuffer
	cmd := exec.Command(program, "-H", "127.0.0.1", "-p", strconv.Itoa(port))
	cmd.Env = append(os.Environ(), "MOTO_ACCOUNT_ID="+Account, "MOTO_ACM_VALIDATION_WAIT=0", "AWS_ENDPOINT_URL=")
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting moto_server: %v", err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it is killed below
		close(exited)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
	})

	base := &url.URL{Scheme: "http", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		response, err := http.Get(base.String() + "/moto-api/data.json")
		if err == nil {
			_ = response.Body.Close()
			return base
		}
		select {
		case <-tick.C:
		case <-exited:
			t.Fatalf("moto_server ended before it answered:\n%s", output.String())
		case <-ctx.Done():
			t.Fatalf("moto_server did not answer within %s:\n%s", startTimeout, output.String())
		}
	}
}

// lockedBuffer keeps the emulator's output.
type lockedBuffer struct {
	mu     sync.Mutex // guards buffer
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.buffer.Len() > 1<<20 {
		return len(p), nil // the start is what explains a failure to start
	}
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// Env returns the environment of a process that takes the double for AWS.
func (d *Double) Env() []string { return Env(d.URL) }

// Env returns the environment of a process that takes what answers at url for
// AWS.
func Env(url string) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + url,
		"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
		"AWS_SECRET_ACCESS_KEY=double",
		"AWS_REGION=" + Region,
		"AWS_MAX_ATTEMPTS=1",
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
	}
}

// Setenv sets Env for the test's own process.
func (d *Double) Setenv(t *testing.T) {
	t.Helper()
	Setenv(t, d.URL)
}

// Setenv sets Env for the test's own process.
func Setenv(t *testing.T, url string) {
	t.Helper()
	for _, name := range []string{"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_RETRY_MODE"} {
		t.Setenv(name, "")
	}
	for _, pair := range Env(url) {
		for i := range pair {
			if pair[i] == '=' {
				t.Setenv(pair[:i], pair[i+1:])
				break
			}
		}
	}
}

// Config returns a configuration of the SDK for the double.
func (d *Double) Config(ctx context.Context) aws.Config {
	d.t.Helper()
	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithRegion(Region),
		config.WithBaseEndpoint(d.URL),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "double", "")),
		config.WithRetryMaxAttempts(1),
		config.WithSharedConfigFiles(nil),
		config.WithSharedCredentialsFiles(nil),
	)
	if err != nil {
		d.t.Fatalf("configuring the SDK: %v", err)
	}
	return cfg
}

// Deny makes the double refuse a call, as AWS does where the credentials may
// not make it. The services are named as in IAM, but elb and elbv2 apart; the
// action "*" is all of them.
func (d *Double) Deny(service, action string) {
	d.Refuse(service, action, "")
}

// Refuse makes the double answer a call with an error code, in the form that
// errors of the service have; empty is the code of a denial.
func (d *Double) Refuse(service, action, code string) {
	d.Override(service, action, func(c *Call) *Answer { return refusal(c, code) })
}

// Override makes the double answer a call by itself; a nil answer leaves the
// call to earlier overrides, the double and the emulator.
func (d *Double) Override(service, action string, answer func(*Call) *Answer) {
	if !knownService(service) {
		d.t.Fatalf("the double has no service %q", service)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.overrides = append(d.overrides, override{service, action, answer})
}

// Allow takes back all denials and overrides.
func (d *Double) Allow() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.overrides = nil
}

// Calls returns how often an action was called since the start or reset.
func (d *Double) Calls(service, action string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls[service+":"+action]
}

// Reset empties the double: no resources, no denials.
func (d *Double) Reset() {
	d.t.Helper()
	response, err := http.Post(d.emulator.String()+"/moto-api/reset", "", nil)
	if err != nil {
		d.t.Fatalf("resetting the double: %v", err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		d.t.Fatalf("resetting the double: status %d", response.StatusCode)
	}
	d.forget()
}

func (d *Double) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.overrides = nil
	d.memory = newMemory()
	d.calls = map[string]int{}
}

func (d *Double) fail(c *Call, why string) {
	d.t.Errorf("the double does not do %s:%s (%s %s): %s", c.Service, c.Action, c.Method, c.Path, why)
}

// String names the double.
func (d *Double) String() string { return fmt.Sprintf("AWS double at %s", d.URL) }
