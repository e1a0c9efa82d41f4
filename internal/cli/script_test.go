package cli_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/eksafe/eksafe/internal/cli"
)

// now is the time of every run: reports of one input are equal to the byte.
var now = time.Date(2026, time.November, 23, 6, 0, 0, 0, time.UTC)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"eksafe": eksafe})
}

// eksafe is cmd/eksafe with another clock.
func eksafe() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Run(ctx, cli.Process{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv, Now: func() time.Time { return now },
	}))
}

// TestScript runs the manual: one story a file.
func TestScript(t *testing.T) {
	examples, err := filepath.Abs(filepath.Join("..", "..", "examples"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			env.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			env.Setenv("ESCAPE", "\x1b[31mred\x1b[0m.yaml")
			env.Setenv("KUBECONFIG", filepath.Join(env.WorkDir, "no-kubeconfig"))
			return os.Symlink(examples, filepath.Join(env.WorkDir, "examples"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code":       code,
			"bigfile":    bigFile,
			"kubeserver": kubeServer,
			"awsserver":  awsServer,
			"awaitcall":  awaitCall,
			"without":    without,
			"validjson":  validJSON,
			"binary":     binary,
			"cut":        cut,
		},
		RequireUniqueNames: true,
	})
}

// mistakesRE is the other form of an error: the mistakes of a file, a line each.
var mistakesRE = regexp.MustCompile(`^([^\n:]+\.yaml:\d+(:\d+)?: [^\n]+; [^\n]+\n)+$`)

// code runs a command and demands its exit code: code 2 eksafe audit nowhere.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N command…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("running %s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d\nstderr: %s", got, want, ts.ReadFile("stderr"))
	}
	if got == 2 {
		stderr := ts.ReadFile("stderr")
		if n := strings.Count(stderr, "\n"); (n != 1 || !strings.HasPrefix(stderr, "eksafe: ")) && !mistakesRE.MatchString(stderr) {
			ts.Fatalf("an error is one line that begins with \"eksafe: \", got %d:\n%s", n, stderr)
		}
		if strings.Contains(stderr, "goroutine ") || strings.Contains(stderr, "internal error") {
			ts.Fatalf("a stack or an internal error:\n%s", stderr)
		}
		if stdout := ts.ReadFile("stdout"); stdout != "" {
			ts.Fatalf("stdout is not empty: %s", stdout)
		}
	}
}

// bigFile writes a file of so many megabytes: bigfile many many.yaml 200 makes
// documents of a kind that is not judged and one Namespace at the end, bigfile
// one one.yaml 200 a single huge document.
func bigFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: bigfile many|one FILE MEGABYTES")
	}
	size, err := strconv.Atoi(args[2])
	ts.Check(err)
	f, err := os.Create(ts.MkAbs(args[1]))
	ts.Check(err)
	defer f.Close()
	var unit []byte
	switch args[0] {
	case "many":
		unit = []byte("---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: a\n" +
			strings.Repeat("  # a long description of a field\n", 1000))
	case "one":
		_, err = f.WriteString("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  a: |\n")
		ts.Check(err)
		unit = []byte("    a line of text that goes on and on\n")
	default:
		ts.Fatalf("bigfile %s", args[0])
	}
	block := bytes.Repeat(unit, 1<<20/len(unit)+1)
	for written := 0; written < size<<20; written += len(block) {
		_, err = f.Write(block)
		ts.Check(err)
	}
	if args[0] == "many" {
		_, err = f.WriteString("---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: at-the-end\n  labels: {pod-security.kubernetes.io/enforce: restricted}\n")
		ts.Check(err)
	}
}

// kubeServer writes a kubeconfig of a cluster that closed its port, or hangs:
// kubeserver closed|hanging KUBECONFIG.
func kubeServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: kubeserver closed|hanging KUBECONFIG")
	}
	var address string
	switch args[0] {
	case "closed":
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		address = "http://" + l.Addr().String()
		ts.Check(l.Close())
	case "hanging":
		address = hangingServer(ts)
	default:
		ts.Fatalf("kubeserver %s", args[0])
	}
	config := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: test}}]
clusters: [{name: test, cluster: {server: %q}}]
users: [{name: test, user: {token: abc}}]
`, address)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(config), 0o600))
}

// hangingServer takes every call and answers none.
func hangingServer(ts *testscript.TestScript) string {
	called := make(chan struct{}, 1) // one: awaitcall wants to know of any, not of all
	over := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case called <- struct{}{}:
		default:
		}
		// A client that left is not noticed while its body is unread.
		select {
		case <-r.Context().Done():
		case <-over:
		}
	}))
	calls.Store(ts, called)
	ts.Defer(func() {
		close(over)
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}

// calls is how awaitcall learns that a script's server was called.
var calls sync.Map // *testscript.TestScript → chan struct{}

// awaitCall waits until the server of the script was called.
func awaitCall(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: awaitcall")
	}
	called, ok := calls.Load(ts)
	if !ok {
		ts.Fatalf("no hanging server")
	}
	select {
	case <-called.(chan struct{}):
	case <-time.After(time.Minute):
		ts.Fatalf("the server was not called within a minute")
	}
}

// awsServer sets AWS up to be a server of ours: awsserver expired|denied|closed|hanging.
func awsServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: awsserver expired|denied|closed|hanging")
	}
	answer := func(code, message string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/xml")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>1</RequestId></ErrorResponse>`, code, message)
		}))
		ts.Defer(s.Close)
		return s.URL
	}
	var url string
	switch args[0] {
	case "expired":
		url = answer("ExpiredToken", "The security token included in the request is expired")
	case "denied":
		url = answer("InvalidClientTokenId", "The security token included in the request is invalid.")
	case "closed":
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		url = "http://" + l.Addr().String()
		ts.Check(l.Close())
	case "hanging":
		url = hangingServer(ts)
	default:
		ts.Fatalf("awsserver %s", args[0])
	}
	ts.Setenv("AWS_ENDPOINT_URL", url)
	ts.Setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
	ts.Setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
	ts.Setenv("AWS_REGION", "eu-west-1")
	ts.Setenv("AWS_MAX_ATTEMPTS", "1")
}

// without demands that files do not hold a word, compressed ones unpacked
// first: without CANARY stdout estate.eksafe.
func without(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: without WORD FILE…")
	}
	for _, name := range args[1:] {
		text := []byte(ts.ReadFile(name))
		if bytes.HasPrefix(text, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
			d, err := zstd.NewReader(nil)
			ts.Check(err)
			text, err = d.DecodeAll(text, nil)
			ts.Check(err)
			d.Close()
		}
		if bytes.HasPrefix(text, []byte{0x1f, 0x8b}) {
			d, err := gzip.NewReader(bytes.NewReader(text))
			ts.Check(err)
			text, err = io.ReadAll(d)
			ts.Check(err)
		}
		if i := bytes.Index(bytes.ToLower(text), bytes.ToLower([]byte(args[0]))); i >= 0 {
			ts.Fatalf("%s holds %s: …%q…", name, args[0], text[max(0, i-80):min(len(text), i+80)])
		}
	}
}

// validJSON demands that a file is one JSON value.
func validJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: validjson FILE")
	}
	if json.Valid([]byte(ts.ReadFile(args[0]))) == neg {
		ts.Fatalf("%s: valid JSON: %v", args[0], neg)
	}
}

// binary writes a file as a compiler does.
func binary(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: binary FILE")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 4096)...), 0o600))
}

// cut leaves the first half of a file.
func cut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: cut FILE")
	}
	name := ts.MkAbs(args[0])
	info, err := os.Stat(name)
	ts.Check(err)
	ts.Check(os.Truncate(name, info.Size()/2))
}
