package report_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/eksafe/eksafe/internal/report"
	"github.com/eksafe/eksafe/internal/report/reporttest"
)

func htmlOf(t *testing.T, r *report.Report) []byte {
	t.Helper()
	return written(t, func(b *bytes.Buffer) error { return r.WriteHTML(b) })
}

func TestHTML(t *testing.T) {
	golden(t, "shop.html", htmlOf(t, reporttest.Shop()))
	golden(t, "empty.html", htmlOf(t, reporttest.Empty()))
	golden(t, "reviewed.html", htmlOf(t, reporttest.Reviewed("the team's own words")))
}

var (
	dataRE   = regexp.MustCompile(`(?s)<script type="application/json" id="data">(.*?)</script>`)
	scriptRE = regexp.MustCompile(`(?i)<script\b`)
	// loadRE finds what a browser would fetch.
	loadRE = regexp.MustCompile(`(?i)\b(src|srcset|poster|background)\s*=|url\(|@import|<(iframe|object|embed|base|form)\b`)
)

func TestHTMLHoldsHostileNamesAsText(t *testing.T) {
	reports := map[string]*report.Report{}
	for name, hostile := range hostileNames {
		reports[name], reports[name+" reviewed"] = reporttest.Hostile(hostile), reporttest.Reviewed(hostile)
	}
	for name, r := range reports {
		t.Run(name, func(t *testing.T) {
			page := htmlOf(t, r)
			// The names do appear, escaped; so look outside of what is data.
			if n := len(scriptRE.FindAll(page, -1)); n != 2 {
				t.Errorf("%d script elements, want the data and the script", n)
			}
			if bytes.Contains(page, []byte("<img")) {
				t.Error("a name became an element")
			}
			m := dataRE.FindSubmatch(page)
			if m == nil {
				t.Fatal("no data")
			}
			var data struct {
				Strings  []string
				Findings []json.RawMessage
			}
			if err := json.Unmarshal(m[1], &data); err != nil {
				t.Fatalf("reading the page's data: %v", err)
			}
			if len(data.Findings) == 0 || len(data.Strings) == 0 {
				t.Error("the page's data is empty")
			}
		})
	}
}

func TestHTMLLoadsNothing(t *testing.T) {
	page := htmlOf(t, reporttest.Shop())
	outside := dataRE.ReplaceAll(page, nil)
	for _, m := range loadRE.FindAll(outside, -1) {
		t.Errorf("the page may load something: %s", m)
	}
	if !bytes.Contains(page, []byte(`content="default-src &#39;none&#39;;`)) {
		t.Error("no policy that forbids everything else")
	}
	if strings.Contains(string(outside), "unsafe-") {
		t.Error("the policy has an unsafe source")
	}
}
