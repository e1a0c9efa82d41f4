package vpcflow

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const record = "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 40001 5432 6 20 4249 1418530010 1418530070 ACCEPT OK\n"

func flow(source, destination string, sourcePort, destinationPort uint16, protocol uint8) Flow {
	return Flow{netip.MustParseAddr(source), netip.MustParseAddr(destination), sourcePort, destinationPort, protocol}
}

func read(t testing.TB, in io.Reader) ([]Flow, error) {
	t.Helper()
	var out []Flow
	err := Read(context.Background(), in, func(f Flow) { out = append(out, f) })
	return out, err
}

func TestRead(t *testing.T) {
	one := flow("172.31.16.139", "172.31.16.21", 40001, 5432, 6)
	for name, test := range map[string]struct {
		in   string
		want []Flow
	}{
		"default format":  {record, []Flow{one}},
		"CRLF and spaces": {"\r\n  " + strings.ReplaceAll(record, "\n", "\r\n\t\r\n"), []Flow{one}},
		"default header": {
			strings.Join(defaultFields, " ") + "\n" + record, []Flow{one},
		},
		"own order": {
			"action dstport protocol srcport dstaddr srcaddr\nACCEPT 5432 6 40001 172.31.16.21 172.31.16.139\n", []Flow{one},
		},
		"addresses of the packet": {
			"version srcaddr dstaddr srcport dstport protocol pkt-srcaddr pkt-dstaddr action log-status\n" +
				"5 10.0.0.1 10.0.0.2 40001 5432 6 172.31.16.139 172.31.16.21 ACCEPT OK\n" +
				"5 172.31.16.139 172.31.16.21 40001 5432 6 - - ACCEPT OK\n",
			[]Flow{one, one},
		},
		"IPv6": {
			"srcaddr dstaddr srcport dstport protocol\n2001:db8::1 2001:db8::2 50000 53 17\n", []Flow{flow("2001:db8::1", "2001:db8::2", 50000, 53, 17)},
		},
		"rejected":  {strings.Replace(record, "ACCEPT", "REJECT", 1), nil},
		"no data":   {"2 123456789010 eni-1 - - - - - - - 1431280876 1431280934 - NODATA\n", nil},
		"skip data": {"2 123456789010 eni-1 - - - - - - - 1431280876 1431280934 - SKIPDATA\n", nil},
		"empty":     {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := read(t, strings.NewReader(test.in))
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("%v, %v; want %v", got, err, test.want)
			}
		})
	}
}

func TestReadHostile(t *testing.T) {
	for name, test := range map[string]struct{ in, want string }{
		"few fields":        {record + "2 3 4\n", "line 2: a record has 14 fields, this line has 3"},
		"many fields":       {strings.TrimSpace(record) + " more\n", "line 1: a record has 14 fields, this line has 15"},
		"huge line":         {record + strings.Repeat("9", 2*maxLine), "token too long"},
		"binary":            {"\x00\x01\x02\xff\xfe", "this line has 1"},
		"no address":        {strings.Replace(record, "172.31.16.21", "example.com", 1), `"example.com" is no address`},
		"a zone":            {strings.Replace(record, "172.31.16.21", "fe80::1%eth0", 1), "is no address"},
		"a long address":    {strings.Replace(record, "172.31.16.21", strings.Repeat("1", 9999), 1), `"` + strings.Repeat("1", 64) + `" is no address`},
		"no port":           {strings.Replace(record, " 5432 ", " 65536 ", 1), `"65536" is no port`},
		"signed port":       {strings.Replace(record, " 5432 ", " +543 ", 1), `"+543" is no port`},
		"no protocol":       {strings.Replace(record, " 6 ", " 256 ", 1), `"256" is no protocol number`},
		"header of a part":  {"srcaddr dstaddr srcport dstport\n", "the format has no field protocol"},
		"a cut gzip stream": {"\x1f\x8b", "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := read(t, strings.NewReader(test.in)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func compressed(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReadPath(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "2026", "11"), 0o777); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"a.log": []byte(record), "2026/11/b.log.gz": compressed(t, record)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	s := NewSummary()
	if err := ReadPath(context.Background(), dir, s.Add); err != nil {
		t.Fatal(err)
	}
	for f, n := range s.All() {
		if want := flow("172.31.16.139", "172.31.16.21", 65535, 5432, 6); f != want || n != 2 {
			t.Errorf("%v %d times, want %v twice", f, n, want)
		}
	}
	if err := ReadPath(context.Background(), filepath.Join(dir, "none"), s.Add); err == nil || !strings.Contains(err.Error(), "none: no such file") {
		t.Errorf("error %v of a file that is missing", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Read(ctx, strings.NewReader(strings.Repeat(record, 5000)), s.Add); err != context.Canceled {
		t.Errorf("error %v after the end of the context", err)
	}
}

// TestSummary holds the bound of what is kept, whatever ports are scanned.
func TestSummary(t *testing.T) {
	s := NewSummary()
	f := flow("10.0.0.1", "10.0.0.2", 40000, 443, 6)
	const more = 1000
	for i := range MaxConnections + more {
		f.Source = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		s.Add(f)
	}
	if got := len(s.counts); got != MaxConnections || s.Dropped() != more {
		t.Errorf("%d connections are kept and %d dropped, want %d and %d", got, s.Dropped(), MaxConnections, more)
	}
	// The port that a client chooses makes no connection of its own.
	s = NewSummary()
	for port := range 1000 {
		s.Add(flow("10.0.0.1", "10.0.0.2", firstEphemeral+uint16(port), 443, 6))
		s.Add(flow("10.0.0.2", "10.0.0.1", 443, firstEphemeral+uint16(port), 6))
	}
	if len(s.counts) != 2 {
		t.Errorf("%d connections of one client and its replies", len(s.counts))
	}
}

// TestReadAllocates holds the reader to no allocation a record.
func TestReadAllocates(t *testing.T) {
	allocations := func(records int) float64 {
		in := strings.Repeat(record, records)
		return testing.AllocsPerRun(5, func() {
			if err := Read(context.Background(), strings.NewReader(in), func(Flow) {}); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := allocations(10), allocations(10_000); many > few+5 {
		t.Errorf("%v allocations for 10 records, %v for 10,000", few, many)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(record))
	f.Add([]byte("srcaddr dstaddr srcport dstport protocol\n2001:db8::1 - 1 2 17\n"))
	f.Add([]byte("dstaddr srcaddr srcaddr srcport dstport protocol action\n1.1.1.1 2.2.2.2 x 1 2 6 ACCEPT\n"))
	f.Add([]byte("\x1f\x8b\x08\x00"))
	f.Add(compressed(f, record))
	f.Fuzz(func(t *testing.T, in []byte) {
		flows, err := read(t, bytes.NewReader(in))
		for _, got := range flows {
			if !got.Source.IsValid() || !got.Destination.IsValid() {
				t.Errorf("a flow without an address, error %v: %v", err, got)
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	var in bytes.Buffer
	const records = 100_000
	for i := range records {
		fmt.Fprintf(&in, "2 123456789010 eni-1235b8ca123456789 10.0.%d.%d 10.0.100.21 %d 5432 6 20 4249 1418530010 1418530070 ACCEPT OK\n", i>>8&15, i&255, 32768+i&0x3fff)
	}
	b.SetBytes(int64(in.Len()))
	b.ReportAllocs()
	for b.Loop() {
		s := NewSummary()
		if err := Read(context.Background(), bytes.NewReader(in.Bytes()), s.Add); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(records*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
