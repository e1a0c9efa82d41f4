package main

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	in := `{"SslPolicies": [{"Name": "B", "SslProtocols": ["TLSv1.3", "TLSv1.2"], "Ciphers": [{"Name": "TLS_X", "Priority": 1}, {"Name": "ECDHE-Y"}], "SupportedLoadBalancerTypes": ["network"]}]}
{"SslPolicies": [{"Name": "A", "SslProtocols": ["TLSv1"], "Ciphers": [{"Name": "AES128-SHA"}]}]}`
	got, err := Table(strings.NewReader(in), "2026-11-23", "eu-west-1")
	if err != nil {
		t.Fatal(err)
	}
	want := `	"A": {
		"TLSv1",
		"AES128-SHA",
	},
	"B": {
		"TLSv1.2 TLSv1.3",
		"ECDHE-Y TLS_X",
	},
}
`
	if !strings.HasSuffix(string(got), want) || !strings.Contains(string(got), `sslPoliciesDate = "2026-11-23"`) {
		t.Errorf("got:\n%s", got)
	}
	for _, bad := range []struct{ in, date, source string }{
		{in, "today", "eu-west-1"}, {in, "2026-11-23", ""}, {`{}`, "2026-11-23", "eu-west-1"}, {`{"SslPolicies": [`, "2026-11-23", "eu-west-1"},
	} {
		if _, err := Table(strings.NewReader(bad.in), bad.date, bad.source); err == nil {
			t.Errorf("Table(%q, %q, %q) has no error", bad.in, bad.date, bad.source)
		}
	}
}
