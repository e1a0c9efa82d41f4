// Package browser_test opens the HTML report in a real browser: it holds what
// the page does, as internal/report's own tests hold what it says. It needs
// Chromium and skips without one, or fails where EKSAFE_RIGS is "required".
package browser_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/eksafe/eksafe/internal/report"
	"github.com/eksafe/eksafe/internal/report/reporttest"
)

// A tab is one report in one browser.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex // guards requests
	requests []string
	console  []string // read after the browser is closed
	done     chan struct{}
	cancel   context.CancelFunc
}

// browser is the context of the one browser of all tests, nil without Chromium.
var browser context.Context

func TestMain(m *testing.M) {
	os.Exit(func() int {
		path := ""
		for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
			if p, err := exec.LookPath(name); err == nil {
				path = p
				break
			}
		}
		if path == "" {
			return m.Run()
		}
		options := append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.ExecPath(path), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-gpu", true))
		if os.Geteuid() == 0 {
			// Chromium's sandbox refuses to start as root.
			options = append(options, chromedp.NoSandbox)
		}
		ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
		defer stop()
		ctx, stopBrowser := chromedp.NewContext(ctx)
		defer stopBrowser()
		if err := chromedp.Do(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "starting the browser:", err)
			return 1
		}
		browser = ctx
		return m.Run()
	}())
}

// open shows the report in a tab of its own and fails the test at its end if
// the page complained or asked the network for anything.
func open(t *testing.T, r interface{ WriteHTML(io.Writer) error }, width, height int64) *tab {
	t.Helper()
	if browser == nil {
		const missing = "no chromium in PATH: make rigs installs it"
		if os.Getenv("EKSAFE_RIGS") == "required" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	path := filepath.Join(t.TempDir(), "report.html")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.WriteHTML(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	ctx, stopTab := chromedp.NewContext(browser)
	ctx, stop := context.WithTimeout(ctx, 3*time.Minute)
	b := &tab{t: t, ctx: ctx, done: make(chan struct{}), cancel: func() { stop(); stopTab() }}

	messages := chromedp.Console(ctx)
	go func() {
		defer close(b.done)
		for m, err := range messages {
			if err != nil {
				return
			}
			b.console = append(b.console, fmt.Sprint(m))
		}
	}()
	if err := chromedp.Listen(ctx, func(event any) {
		if e, ok := event.(*network.EventRequestWillBeSent); ok {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.requests = append(b.requests, e.Request.URL)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 500}); err != nil {
		t.Fatal(err)
	}
	// A page that still scrolls would be clicked where its button was.
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}}); err != nil {
		t.Fatal(err)
	}
	page := "file://" + path
	if err := chromedp.Do(ctx, chromedp.Navigate(page)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.cancel()
		<-b.done
		for _, m := range b.console {
			t.Errorf("the page says: %s", m)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, u := range b.requests {
			if u != page && !strings.HasPrefix(u, "data:") {
				t.Errorf("the page asks for %s", u)
			}
		}
		if !slices.Contains(b.requests, page) {
			t.Error("requests are not seen: the page itself was not")
		}
	})
	return b
}

func evaluate[T any](b *tab, js string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](js))
	if err != nil {
		b.t.Fatalf("%s: %v", js, err)
	}
	return v
}

// text returns what an element says, whether it is in view or not.
func (b *tab) text(selector string) string {
	b.t.Helper()
	return evaluate[string](b, fmt.Sprintf("document.querySelector(%q)?.textContent ?? ''", selector))
}

func (b *tab) count(selector string) int {
	b.t.Helper()
	return evaluate[int](b, fmt.Sprintf("document.querySelectorAll(%q).length", selector))
}

func (b *tab) contains(selector string, words ...string) {
	b.t.Helper()
	text := b.text(selector)
	for _, w := range words {
		if !strings.Contains(text, w) {
			b.t.Errorf("%s says %q, and not %q", selector, text, w)
		}
	}
}

func TestHopOpensItsDetails(t *testing.T) {
	b := open(t, reporttest.Shop(), 1440, 1000)
	b.contains("h1", "4 of 8 hops")
	if n := b.count(".app"); n != 2 {
		t.Errorf("%d applications, want 2", n)
	}
	if n := b.count(".app:first-child .hop"); n != 5 {
		t.Errorf("%d hops, want 5", n)
	}
	if err := chromedp.Do(b.ctx, chromedp.Click(chromedp.CSS(".app .hop"))); err != nil {
		t.Fatal(err)
	}
	b.contains(".detail", "plaintext", "internet → ALB shop", "port 80 forwards", "k8s/ingress.yaml:16", "listener-tls", "ingress-tls")
	if err := chromedp.Do(b.ctx, chromedp.Click(chromedp.CSS(".detail .close"))); err != nil {
		t.Fatal(err)
	}
	if n := b.count(".detail"); n != 0 {
		t.Error("the details do not close")
	}

	// The same by keyboard: the focus is back on the hop.
	if err := chromedp.Do(b.ctx, chromedp.KeyEvent(kb.Enter)); err != nil {
		t.Fatal(err)
	}
	b.contains(".detail", "internet → ALB shop")
	evaluate[chromedp.Void](b, "document.querySelector('.app .node').click()")
	b.contains(".detail", "internet", "No finding hangs on this node")

	// A finding leads to its control.
	if err := chromedp.Do(b.ctx, chromedp.Click(chromedp.CSS(".cause .linkish")), chromedp.WaitReady(chromedp.CSS(".control[open] .inner"))); err != nil {
		t.Fatal(err)
	}
	b.contains(".control[open]", "eksafe controls explain listener-tls", "Turn TLS on.")
}

func TestPictureGoesFromLeftToRight(t *testing.T) {
	b := open(t, reporttest.Shop(), 1440, 1000)
	lefts := evaluate[[]float64](b, "[...document.querySelectorAll('.app:first-child .node')].map(n => n.getBoundingClientRect().left)")
	if len(lefts) != 6 || !slices.IsSorted(lefts[:5]) || lefts[0] == lefts[4] {
		t.Errorf("the nodes stand at %v", lefts)
	}
	if over := evaluate[float64](b, "(p => p.scrollWidth - p.clientWidth)(document.querySelector('.picture'))"); over > 0 {
		t.Errorf("the picture of five nodes is %v pixels wider than its card", over)
	}
}

func TestPhoneScrollsDownOnly(t *testing.T) {
	for name, r := range map[string]*report.Report{
		"shop": reporttest.Shop(), "empty": reporttest.Empty(), "big": reporttest.Big(40),
		"hostile": reporttest.Hostile(strings.Repeat("a-very-long-name-without-any-space", 10)),
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t, r, 375, 812)
			evaluate[chromedp.Void](b, "document.querySelector('.hop')?.click()")
			if w := evaluate[int](b, "document.documentElement.scrollWidth"); w > 375 {
				t.Errorf("the page is %d pixels wide on a phone of 375", w)
			}
			// What is cut off is as bad as what must be scrolled to.
			wide := evaluate[[]string](b, `[...document.querySelectorAll('main *')]
				.filter(e => !e.closest('.scroll, .picture, pre, .sprite') && e.getBoundingClientRect().right > 376 && e.checkVisibility())
				.map(e => e.tagName + '.' + e.className).slice(0, 5)`)
			if len(wide) > 0 {
				t.Errorf("these reach beyond the edge: %v", wide)
			}
		})
	}
}

func TestHostileNamesAreText(t *testing.T) {
	for _, hostile := range []string{`<script>window.owned=1</script>`, `"><img src=x onerror=window.owned=1>`, `</script><script>window.owned=1</script>`, `javascript:window.owned=1`, `[x](javascript:window.owned=1)`} {
		t.Run(hostile, func(t *testing.T) {
			b := open(t, reporttest.Hostile(hostile), 1440, 1000)
			evaluate[chromedp.Void](b, "document.querySelectorAll('.hop, .node, .linkish, summary').forEach(e => e.click())")
			if evaluate[bool](b, "'owned' in window || !!document.querySelector('main img, main script, a[href^=\"javascript:\"]')") {
				t.Error("a name became more than text")
			}
			b.contains(".app:first-child h3", hostile)
		})
	}
}

// limit is how long a reader may wait for a filter.
const limit = 200 * time.Millisecond

func TestTenThousandFindingsStayFluid(t *testing.T) {
	// Nine of ten applications have three findings each.
	b := open(t, reporttest.Big(3800), 1440, 1000)
	b.contains("#finding-count", "10,260 findings")
	if n := b.count(".app") + b.count(".cause"); n > 200 {
		t.Errorf("%d cards are made before anyone looks at them", n)
	}
	for _, tt := range []struct{ name, js, want string }{
		{"one application", "text.value = 'app-00001.yaml'", "3 of 10,260 findings"},
		{"one namespace", "text.value = ''; namespace.value = 'team-07'", "of 10,260 findings"},
		{"one control", "namespace.value = ''; control.value = 'pod-restricted'", "3,420 of 10,260 findings"},
		{"nothing matches", "text.value = 'no such thing'", "0 of 10,260 findings"},
		{"all again", "text.value = ''; control.value = ''", "10,260 findings"},
	} {
		// The best of three tries: the machine may be busy, the page is not.
		best := time.Hour
		for range 3 {
			took := evaluate[float64](b, fmt.Sprintf(`(() => {
				const [text, namespace, control] = ["text", "namespace", "control"].map((id) => document.getElementById(id));
				%s;
				const start = performance.now();
				text.dispatchEvent(new Event("input", { bubbles: true }));
				document.body.offsetHeight;
				return performance.now() - start;
			})()`, tt.js))
			best = min(best, time.Duration(took*float64(time.Millisecond)))
		}
		b.contains("#finding-count", tt.want)
		if best > limit {
			t.Errorf("%s: the filter takes %v, more than %v", tt.name, best, limit)
		}
		t.Logf("%s: %v", tt.name, best)
	}
	// The page goes on where the reader scrolls.
	before := b.count(".cause")
	evaluate[chromedp.Void](b, "document.getElementById('causes-end').scrollIntoView()")
	if err := chromedp.Do(b.ctx, chromedp.WaitReady(chromedp.CSS(fmt.Sprintf(".cause:nth-child(%d)", before+1)))); err != nil {
		t.Error("no more findings come when their end is reached")
	}
	// Severity filters.
	evaluate[chromedp.Void](b, "document.querySelector('[data-severity=critical]').click()")
	b.contains("#finding-count", "3,420 of 10,260 findings, 1 cause")
}

func TestThemeFollowsSystemAndReader(t *testing.T) {
	b := open(t, reporttest.Shop(), 1440, 1000)
	background := func(scheme string) string {
		t.Helper()
		if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}); err != nil {
			t.Fatal(err)
		}
		return evaluate[string](b, "getComputedStyle(document.body).backgroundColor")
	}
	// The browser remembers what an earlier reader chose.
	evaluate[chromedp.Void](b, "while (document.getElementById('theme').innerText !== 'Theme: auto') document.getElementById('theme').click()")
	light, dark := background("light"), background("dark")
	if light == dark {
		t.Errorf("light and dark are both %s", light)
	}
	for _, want := range []string{light, dark} { // the button goes to light, then to dark
		evaluate[chromedp.Void](b, "document.getElementById('theme').click()")
		for _, system := range []string{"light", "dark"} {
			if got := background(system); got != want {
				t.Errorf("the reader's theme is %s in a %s system, want %s", got, system, want)
			}
		}
	}
}
