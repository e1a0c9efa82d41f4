package cloudtrail

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const file = `{"Other": [{"Records": 1}], "Records": [
	{"eventID": "1", "eventTime": "2026-11-01T10:00:00Z", "eventSource": "lambda.amazonaws.com", "eventName": "Invoke20150331", "managementEvent": false, "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::1:user/a"}},
	{"eventID": "2", "eventTime": "2026-11-01T10:00:01Z", "eventSource": "s3.amazonaws.com", "eventName": "GetBucketAcl", "errorCode": "AccessDenied",
	 "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/r/s", "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::1:role/p/r"}}}},
	{"eventID": "3", "eventTime": "2026-11-01T10:00:02Z", "eventSource": "kms.amazonaws.com", "eventName": "Decrypt", "userIdentity": {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}}]}`

func collect(t *testing.T, r io.Reader) ([]Event, int) {
	t.Helper()
	var out []Event
	n, err := Read(r, func(e Event) error { out = append(out, e); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return out, n
}

func TestRead(t *testing.T) {
	at := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	want := []Event{
		{ID: "1", Time: at, Principal: "arn:aws:iam::1:user/a", Service: "lambda", Name: "Invoke", Data: true},
		{ID: "2", Time: at.Add(time.Second), Principal: "arn:aws:iam::1:role/p/r", Service: "s3", Name: "GetBucketAcl", Denied: true},
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(file)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]io.Reader{"plain": strings.NewReader(file), "gzip": &packed} {
		got, n := collect(t, in)
		if diff := cmp.Diff(want, got); diff != "" || n != 3 {
			t.Errorf("%s: %d records (-want +got):\n%s", name, n, diff)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "EOF"},
		{"a list", "[]", "no file of CloudTrail"},
		{"records that are none", `{"Records": {}}`, "no file of CloudTrail"},
		{"half a file", file[:len(file)-2], "EOF"},
		{"a record that is none", `{"Records": [7]}`, "record 0"},
		{"a record without an end", `{"Records": [{"eventID": "` + strings.Repeat("x", maxRecord), "longer than any"},
		{"half a gzip", "\x1f\x8bxx", "EOF"},
	} {
		if _, err := Read(strings.NewReader(c.text), func(Event) error { return nil }); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", c.name, err, c.want)
		}
	}
}

func TestTrimVersion(t *testing.T) {
	for in, want := range map[string]string{
		"Invoke20150331": "Invoke", "GetFunction20150331v2": "GetFunction", "ListDistributions2020_05_31": "ListDistributions2020_05_31",
		"DescribeInstances": "DescribeInstances", "20150331": "20150331", "ListObjectsV2": "ListObjectsV2", "Update12345678": "Update12345678",
	} {
		if got := trimVersion(in); got != want {
			t.Errorf("trimVersion(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(file))
	f.Add([]byte(`{"Records": [{"eventName": "20150331"}, {}], "Records": []}`))
	f.Add([]byte(`{"Records": [null], "x": {"y": [1, 2]}}`))
	f.Add([]byte("\x1f\x8b\x08\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		calls := 0
		n, _ := Read(bytes.NewReader(data), func(e Event) error {
			calls++
			if e.Principal == "" || e.Service == "" || e.Name == "" || len(e.Name) > maxText {
				t.Errorf("the event %+v", e)
			}
			return nil
		})
		if calls > n {
			t.Errorf("%d calls of %d records", calls, n)
		}
	})
}

// TestCorpus reads an hour of a real account under attack.
func TestCorpus(t *testing.T) {
	root := os.Getenv("EKSAFE_CORPUS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(filepath.Join(root, "guard")); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the corpus is not there; set EKSAFE_CORPUS to the folder that holds it")
	}
	files, err := filepath.Glob(filepath.Join(root, "guard", "cloudtrail-invictus", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	records, by := 0, map[string]int{}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		n, err := Read(f, func(e Event) error { by[e.Principal]++; return nil })
		f.Close()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		records += n
	}
	if records != 2900 || by["arn:aws:iam::123837392027:user/benjamin"] != 105 || len(by) < 8 {
		t.Errorf("%d records by %v", records, by)
	}
}
