package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/kubeobject"
)

const (
	servicesPath    = "/api/v1/services"
	secretsPath     = "/api/v1/secrets"
	deploymentsPath = "/apis/apps/v1/deployments"
)

func TestReadsAllPages(t *testing.T) {
	f := newFake(t)
	f.answers[servicesPath] = func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query().Get("limit"); got != "500" {
			t.Errorf("limit %q", got)
		}
		switch r.URL.Query().Get("continue") {
		case "":
			writeList(w, "Service", "two", named("shop", "a"), named("shop", "b"))
		case "two":
			writeList(w, "Service", "three", named("shop", "c"))
		case "three":
			writeList(w, "Service", "", named("shop", "d"))
		}
	}
	var progress []int
	e := f.mustRead(Options{Progress: func(kind string, n int) {
		if kind == "Service" {
			progress = append(progress, n)
		}
	}})
	if got := names(e); !slices.Equal(got, []string{"a", "b", "c", "d"}) {
		t.Errorf("services %q", got)
	}
	if want := (estate.Coverage{Kind: "Service", State: estate.Read, Count: 4}); e.Coverage("Service") != want {
		t.Errorf("coverage %+v, want %+v", e.Coverage("Service"), want)
	}
	if !slices.Equal(progress, []int{2, 3, 4}) {
		t.Errorf("progress %v", progress)
	}
	if o := estate.Services.In(e)[0].Origin; o.Cluster != "prod" {
		t.Errorf("origin %+v", o)
	}
	if s := e.Sources[0]; s.Kind != estate.KubernetesSource || s.Name != "prod" || len(s.Problems) > 0 {
		t.Errorf("source %+v", s)
	}
}

func TestEveryKindOfAClusterIsCovered(t *testing.T) {
	e := newFake(t).mustRead(Options{})
	for _, k := range estate.Kinds() {
		want := estate.Read
		switch {
		case k.Provider != estate.KubernetesProvider, k.Kind == estate.Secrets.Kind:
			want = estate.NotAsked
		}
		if got := e.Coverage(k.Kind); got.State != want {
			t.Errorf("%s: %+v, want %s", k.Kind, got, want)
		}
	}
}

func TestAnExpiredListIsBegunAnewOnce(t *testing.T) {
	f := newFake(t)
	expired := 1
	f.answers[servicesPath] = func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Query().Get("continue") == "":
			writeList(w, "Service", "two", named("shop", "a"))
		case expired > 0:
			expired--
			status(http.StatusGone, "The provided continue parameter is too old")(w, r)
		default:
			writeList(w, "Service", "", named("shop", "b"))
		}
	}
	if got := names(f.mustRead(Options{})); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("services %q", got)
	}

	expired = 2
	e := f.mustRead(Options{})
	if got := e.Coverage("Service"); got.State != estate.Unavailable || !strings.Contains(got.Why, "changed faster") {
		t.Errorf("coverage after a second time: %+v", got)
	}
}

func TestAListWithoutEndIsGivenUp(t *testing.T) {
	f := newFake(t)
	f.answers[servicesPath] = func(w http.ResponseWriter, r *http.Request) {
		writeList(w, "Service", "again", named("shop", "a"))
	}
	if got := f.mustRead(Options{}).Coverage("Service"); got.State != estate.Unavailable {
		t.Errorf("coverage %+v", got)
	}
	if n := f.count(servicesPath); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

func TestADeniedKindIsCoverage(t *testing.T) {
	f := newFake(t)
	f.answers[servicesPath] = forbidden("services")
	f.answers[deploymentsPath] = forbidden("deployments")
	f.answers["/api/v1/pods"] = forbidden("pods")
	e := f.mustRead(Options{})
	for kind, why := range map[estate.Kind]string{
		"Service":  `user "ann" cannot list services`,
		"Workload": `user "ann" cannot list deployments.apps, pods`,
	} {
		if got := e.Coverage(kind); got.State != estate.Denied || got.Why != why {
			t.Errorf("%s: %+v, want denied, %s", kind, got, why)
		}
	}
	if got := e.Coverage("Ingress"); got.State != estate.Read {
		t.Errorf("Ingress: %+v", got)
	}
}

func TestAHostileNameOfAUserIsNotRepeated(t *testing.T) {
	f := newFake(t)
	f.answers[servicesPath] = status(http.StatusForbidden, "User \"\x1b[2J\" cannot list")
	if got := f.mustRead(Options{}).Coverage("Service"); got.Why != "these credentials cannot list services" {
		t.Errorf("why %q", got.Why)
	}
}

func TestPodTemplatesBlindNobody(t *testing.T) {
	f := newFake(t)
	f.answers["/api/v1/podtemplates"] = forbidden("podtemplates")
	e := f.mustRead(Options{})
	if got := e.Coverage("Workload"); got.State != estate.Read {
		t.Errorf("coverage %+v", got)
	}
	if p := e.Sources[0].Problems; len(p) != 1 || !strings.Contains(p[0].What, "podtemplates") {
		t.Errorf("problems %v", p)
	}
}

func TestNothingReadIsAnError(t *testing.T) {
	all := func(f *fake, answer http.HandlerFunc) {
		for _, r := range kubeobject.Resources() {
			for _, v := range r.APIVersions {
				f.answers[apiPath(v)+"/"+r.Plural] = answer
			}
		}
	}
	for name, c := range map[string]struct {
		prepare func(*fake)
		want    string
	}{
		"every list is denied":          {func(f *fake) { all(f, forbidden("everything")) }, `reading cluster prod: nothing may be read: user "ann" cannot list namespaces; "eksafe controls permissions" prints the ClusterRole to grant`},
		"every list is rejected":        {func(f *fake) { all(f, status(401, "Unauthorized")) }, "credentials were rejected by http://fake (401); log in again"},
		"every list is down":            {func(f *fake) { all(f, page(502)) }, "the server answers 502 (Bad Gateway)"},
		"discovery is rejected":         {func(f *fake) { f.answers["/api/v1"] = status(401, "Unauthorized") }, "reading cluster prod: credentials were rejected by http://fake (401); log in again"},
		"discovery gives a proxy error": {func(f *fake) { f.answers["/api/v1"] = page(502) }, "reading cluster prod: asking http://fake: the server answers 502 (Bad Gateway); is it"},
		"discovery gives a login page":  {func(f *fake) { f.answers["/api/v1"] = page(200) }, "is it a Kubernetes API server"},
		"discovery is not found":        {func(f *fake) { f.answers["/api/v1"] = http.NotFound }, "is it a Kubernetes API server"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			c.prepare(f)
			_, err := f.read(Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if strings.ContainsAny(err.Error(), "\n<>") || strings.Contains(err.Error(), "canary") {
				t.Errorf("not one line of our own: %q", err)
			}
		})
	}
}

func TestAnUnreachableServerIsAnErrorInOneLine(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	address := server.URL
	server.Close()
	_, err := read(t.Context(), &rest.Config{Host: address}, "prod", Options{})
	if err == nil || !strings.HasPrefix(err.Error(), "reading cluster prod: "+address+" cannot be reached: dial tcp ") || !strings.Contains(err.Error(), "VPN") {
		t.Errorf("got %v", err)
	}
}

func TestAnUntrustedServerIsAnError(t *testing.T) {
	server := httptest.NewUnstartedServer(newFake(t))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // the handshake fails, as it should
	server.StartTLS()
	defer server.Close()
	_, err := read(t.Context(), &rest.Config{Host: server.URL}, "prod", Options{})
	if err == nil || !strings.Contains(err.Error(), "is not trusted") {
		t.Errorf("got %v", err)
	}
}

func TestRejectedInTheMiddleIsCoverage(t *testing.T) {
	f := newFake(t)
	f.answers[servicesPath] = status(401, "Unauthorized")
	if got := f.mustRead(Options{}).Coverage("Service"); got.State != estate.Denied || got.Why != "services: credentials were rejected (401)" {
		t.Errorf("coverage %+v", got)
	}
}

func TestAProxysPageIsNotRepeated(t *testing.T) {
	for _, code := range []int{200, 502, 503, 404} {
		f := newFake(t)
		f.answers[servicesPath] = page(code)
		got := f.mustRead(Options{}).Coverage("Service")
		if strings.Contains(got.Why, "canary") || strings.Contains(got.Why, "<") {
			t.Errorf("%d: why %q", code, got.Why)
		}
		if got.State != estate.Unavailable {
			t.Errorf("%d: %+v", code, got)
		}
	}
}

func TestATruncatedAnswerIsUnavailable(t *testing.T) {
	f := newFake(t)
	f.answers[servicesPath] = func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"kind":"ServiceList","items":[`+named("shop", "a")+`,{"metada`)
	}
	e := f.mustRead(Options{})
	if got := e.Coverage("Service"); got.State != estate.Unavailable || got.Why != "services: the answer ended early" {
		t.Errorf("coverage %+v", got)
	}
}

func TestASlowCallIsEndedAfterItsBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.answers[servicesPath] = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		start := time.Now()
		e := f.mustRead(Options{})
		if took := time.Since(start); took != callBudget {
			t.Errorf("took %s", took)
		}
		if got := e.Coverage("Service"); got.State != estate.Unavailable || got.Why != "services: no complete answer in 30 seconds" {
			t.Errorf("coverage %+v", got)
		}
	})
}

// stuck is a body that gives something and then nothing until it is closed.
type stuck struct {
	io.Reader
	ctx context.Context
}

func (s *stuck) Read(p []byte) (int, error) {
	if n, err := s.Reader.Read(p); err == nil {
		return n, nil
	}
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

func (s *stuck) Close() error { return nil }

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (f roundTripper) CloseIdleConnections() {}

func TestABodyIsWithinTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		config := f.config()
		config.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := f.RoundTrip(r)
			if r.URL.Path == servicesPath {
				resp.Body = &stuck{strings.NewReader(`{"kind":"ServiceList","items":[`), r.Context()}
			}
			return resp, err
		})
		e, err := read(t.Context(), config, "prod", Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Coverage("Service"); got.State != estate.Unavailable || got.Why != "services: no complete answer in 30 seconds" {
			t.Errorf("coverage %+v", got)
		}
	})
}

func TestASilentServerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		for _, r := range kubeobject.Resources() {
			for _, v := range r.APIVersions {
				f.answers[apiPath(v)+"/"+r.Plural] = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
			}
		}
		start := time.Now()
		_, err := f.read(Options{})
		if err == nil || !strings.Contains(err.Error(), "cannot be reached: no complete answer in 30 seconds") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took > 2*callBudget {
			t.Errorf("took %s: it was waited for kind by kind", took)
		}
	})
}

func TestABusyServerIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		busy := 2
		f.answers[servicesPath] = func(w http.ResponseWriter, r *http.Request) {
			if busy--; busy >= 0 {
				w.Header().Set("Retry-After", "1")
				status(http.StatusTooManyRequests, "busy")(w, r)
				return
			}
			writeList(w, "Service", "", named("shop", "a"))
		}
		start := time.Now()
		if got := names(f.mustRead(Options{})); len(got) != 1 {
			t.Errorf("services %q", got)
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("took %s", took)
		}

		busy = 1000
		f.answers[servicesPath] = func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "99999999999")
			status(http.StatusServiceUnavailable, "busy")(w, r)
		}
		f.answers["/api/v1/pods"] = func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "3000")
			status(http.StatusServiceUnavailable, "busy")(w, r)
		}
		start = time.Now()
		e := f.mustRead(Options{})
		if got := e.Coverage("Workload"); got.State != estate.Unavailable {
			t.Errorf("coverage %+v", got)
		}
		if took, most := time.Since(start), (attempts-1)*longestWait; took > most {
			t.Errorf("took %s, at most %s", took, most)
		}
	})
}

func TestCancelReturnsAtOnceAndLeavesNothing(t *testing.T) {
	f := newFake(t)
	asked := make(chan struct{}, 1)
	f.answers[servicesPath] = func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}
	config := f.served()
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	start := time.Now()
	_, err := read(ctx, config, "prod", Options{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > callBudget/2 {
		t.Errorf("took %s", took)
	}
	settle(t, before)
}

func TestReadLeavesNoGoroutines(t *testing.T) {
	f := newFake(t)
	config := f.served()
	before := runtime.NumGoroutine()
	if _, err := read(t.Context(), config, "prod", Options{}); err != nil {
		t.Fatal(err)
	}
	settle(t, before)
}

// settle waits until there are no more goroutines than before: those of the
// connections end when the other side notices.
func settle(t *testing.T, before int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for runtime.NumGoroutine() > before {
		select {
		case <-ctx.Done():
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		case <-ticker.C:
		}
	}
}

func TestDiscoveryDecidesWhatIsListed(t *testing.T) {
	t.Run("a kind that is not installed is read, and there are none", func(t *testing.T) {
		f := newFake(t)
		f.answers["/apis/security.istio.io/v1"] = http.NotFound
		f.answers["/apis/security.istio.io/v1beta1"] = http.NotFound
		e := f.mustRead(Options{})
		if got, want := e.Coverage("PeerAuthentication"), (estate.Coverage{Kind: "PeerAuthentication", State: estate.Read}); got != want {
			t.Errorf("coverage %+v", got)
		}
		if n := f.count("/apis/security.istio.io/v1/peerauthentications"); n != 0 {
			t.Errorf("it was listed %d times", n)
		}
	})
	t.Run("an older version is listed where it alone is served", func(t *testing.T) {
		f := newFake(t)
		f.answers["/apis/security.istio.io/v1"] = http.NotFound
		f.answers["/apis/security.istio.io/v1beta1/peerauthentications"] = func(w http.ResponseWriter, _ *http.Request) {
			writeList(w, "PeerAuthentication", "", named("shop", "default"))
		}
		if got := f.mustRead(Options{}).Coverage("PeerAuthentication"); got.Count != 1 {
			t.Errorf("coverage %+v", got)
		}
	})
	t.Run("an API that is down is unavailable", func(t *testing.T) {
		f := newFake(t)
		f.answers["/apis/security.istio.io/v1"] = page(503)
		f.answers["/apis/security.istio.io/v1beta1"] = http.NotFound
		got := f.mustRead(Options{}).Coverage("PeerAuthentication")
		if got.State != estate.Unavailable || got.Why != "peerauthentications.security.istio.io: the server answers 503 (Service Unavailable)" {
			t.Errorf("coverage %+v", got)
		}
	})
	t.Run("an API that is down does not hide another to the same objects", func(t *testing.T) {
		f := newFake(t)
		f.answers["/apis/projectcalico.org/v3"] = page(503)
		f.answers["/apis/crd.projectcalico.org/v1/tiers"] = func(w http.ResponseWriter, _ *http.Request) {
			writeList(w, "Tier", "", named("", "security"))
		}
		if got := f.mustRead(Options{}).Coverage("CalicoTier"); got.State != estate.Read || got.Count != 1 {
			t.Errorf("coverage %+v", got)
		}
	})
	t.Run("where discovery is denied the list tells", func(t *testing.T) {
		f := newFake(t)
		for _, r := range kubeobject.Resources() {
			for _, v := range r.APIVersions {
				f.answers[apiPath(v)] = forbidden("discovery")
			}
		}
		f.answers["/apis/security.istio.io/v1/peerauthentications"] = forbidden("peerauthentications")
		e := f.mustRead(Options{})
		if got := e.Coverage("PeerAuthentication"); got.State != estate.Denied {
			t.Errorf("coverage %+v", got)
		}
		if got := e.Coverage("Service"); got.State != estate.Read {
			t.Errorf("coverage %+v", got)
		}
	})
}

const canary = "canary-9f2c"

func TestSecretsAreNotListedUnlessAskedFor(t *testing.T) {
	f := newFake(t)
	e := f.mustRead(Options{})
	if n := f.count(secretsPath); n != 0 {
		t.Errorf("Secrets were listed %d times", n)
	}
	source := e.Sources[0].Coverage
	i := slices.IndexFunc(source, func(c estate.Coverage) bool { return c.Kind == "Secret" })
	if i < 0 || source[i].State != estate.NotAsked || source[i].Why != "live Secrets are read only with --secrets" {
		t.Errorf("coverage %+v", source)
	}
}

func TestValuesOfSecretsAreRefused(t *testing.T) {
	f := newFake(t)
	var accept string
	f.answers[secretsPath] = func(w http.ResponseWriter, r *http.Request) {
		accept = r.Header.Get("Accept")
		writeList(w, "PartialObjectMetadata", "", named("shop", "tls"))
	}
	e := f.mustRead(Options{Secrets: true})
	if got := e.Coverage("Secret"); got.State != estate.Read || got.Count != 1 {
		t.Errorf("coverage %+v", got)
	}
	if !strings.HasPrefix(accept, "application/json;as=PartialObjectMetadataList") || strings.Contains(accept, ",") {
		t.Errorf("accept %q lets the server send values", accept)
	}

	f.answers[secretsPath] = func(w http.ResponseWriter, _ *http.Request) {
		writeList(w, "Secret", "", `{"metadata":{"name":"tls","namespace":"shop"},"data":{"key":"`+canary+`"}}`)
	}
	e = f.mustRead(Options{Secrets: true})
	if got := e.Coverage("Secret"); got.State != estate.Unavailable || got.Count != 0 {
		t.Errorf("coverage of a server that sends values: %+v", got)
	}
	noCanary(t, e)
}

// noCanary fails if a planted value is anywhere in the estate.
func noCanary(t *testing.T, e *estate.Estate) {
	t.Helper()
	for _, text := range encode(t, e) {
		if bytes.Contains(text, []byte(canary)) {
			t.Errorf("a secret value is in the estate: %s", text)
		}
	}
}

func encode(t *testing.T, e *estate.Estate) [][]byte {
	t.Helper()
	sources, err := json.Marshal(e.Sources)
	if err != nil {
		t.Fatal(err)
	}
	out := [][]byte{sources}
	for _, k := range estate.Kinds() {
		data, err := k.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, data)
	}
	return out
}

func TestAnObjectThatCannotBeDecodedIsNamed(t *testing.T) {
	f := newFake(t)
	f.answers[servicesPath] = func(w http.ResponseWriter, _ *http.Request) {
		writeList(w, "Service", "", named("shop", "good"),
			`{"metadata":{"namespace":"shop","name":"bad"},"spec":{"ports":"`+canary+`"}}`,
			`{"metadata":{"namespace":"shop","name":"\u001b[2J"},"spec":{"ports":7}}`, `"`+canary+`"`)
	}
	e := f.mustRead(Options{})
	if got := names(e); !slices.Equal(got, []string{"good"}) {
		t.Errorf("services %q", got)
	}
	if got := e.Coverage("Service"); got.State != estate.Unavailable || got.Why != "services: 3 of 4 could not be decoded" {
		t.Errorf("coverage %+v", got)
	}
	p := e.Sources[0].Problems
	if len(p) != 3 || !strings.HasPrefix(p[0].What, "Service shop/bad was left out: ") || !strings.HasPrefix(p[1].What, "a Service was left out: ") {
		t.Errorf("problems %q", p)
	}
	noCanary(t, e)
}

func TestCredentialsDoNotFollowARedirect(t *testing.T) {
	f := newFake(t)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("asked elsewhere, with %q", r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	f.answers[servicesPath] = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			t.Error("the test sends no credentials at all")
		}
		http.Redirect(w, r, elsewhere.URL, http.StatusFound)
	}
	config := f.served()
	config.BearerToken = "secret"
	e, err := read(t.Context(), config, "prod", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := e.Coverage("Service"); got.State != estate.Unavailable || got.Why != "services: the server answers 302 (Found)" {
		t.Errorf("coverage %+v", got)
	}
}

func TestTheSameClusterGivesTheSameEstate(t *testing.T) {
	f := newFake(t)
	for _, r := range kubeobject.Resources() {
		for _, v := range r.APIVersions {
			f.answers[apiPath(v)+"/"+r.Plural] = func(w http.ResponseWriter, _ *http.Request) {
				writeList(w, r.Object, "", named("shop", "a"), named("shop", "b"))
			}
		}
	}
	first := encode(t, f.mustRead(Options{}))
	for range 5 {
		if again := encode(t, f.mustRead(Options{})); !slices.EqualFunc(first, again, bytes.Equal) {
			t.Fatal("two readings differ")
		}
	}
}

func FuzzDecodePage(f *testing.F) {
	f.Add([]byte(`{"kind":"ServiceList","metadata":{"continue":"x"},"items":[{"metadata":{"name":"a"}}]}`))
	f.Add([]byte(`{"kind":"ServiceList","items":null}`))
	f.Add([]byte(`{"items":[[[[`))
	f.Add([]byte(`[]`))
	f.Add([]byte(`{"kind":"PartialObjectMetadataList","items":[1,"a",{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, metadataOnly := range []bool{false, true} {
			got := 0
			_, err := decodePage(bytes.NewReader(data), metadataOnly, func(item []byte) {
				got++
				if !json.Valid(item) {
					t.Errorf("item %q is no JSON", item)
				}
			})
			var failed *failure
			if err != nil && !errors.As(err, &failed) {
				t.Errorf("%v passes on the text of a decoder", err)
			}
			if metadataOnly && got > 0 && !bytes.Contains(data, []byte(metadataList)) && !bytes.Contains(data, []byte(`\u`)) {
				t.Errorf("%q gave items although they may hold values", data)
			}
		}
	})
}

func TestAnObjectIsBounded(t *testing.T) {
	endless := io.MultiReader(strings.NewReader(`{"kind":"ServiceList","items":[{"metadata":{"name":"`), zeros{})
	_, err := decodePage(endless, false, func([]byte) { t.Error("an endless object was handed on") })
	if err == nil || !strings.Contains(err.Error(), "larger than 32 MB") {
		t.Errorf("got %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}
