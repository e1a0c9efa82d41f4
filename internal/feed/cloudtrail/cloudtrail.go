// Package cloudtrail reads the files that CloudTrail delivers: who called which
// action of AWS, and when. It keeps nothing else of a record, whose parameters
// may hold secrets.
package cloudtrail

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// maxRecord is more than CloudTrail writes into one record.
const maxRecord = 4 << 20

// maxText is longer than any name that an event is kept for.
const maxText = 2048

// An Event is one call.
type Event struct {
	ID        string
	Time      time.Time
	Principal string // ARN of the user, or of the role whose session called
	Service   string // the first part of the event source: "s3"
	Name      string // "GetObject"
	Data      bool   // a data event: trails have them only where somebody asked
	Denied    bool   // AWS refused it for want of a right
}

// Read calls fn with every call of a principal in a file, plain or gzipped, in
// the file's order, and returns how many records it had. It reads a record at a time. Calls
// that a service made of its own accord are not a principal's.
func Read(r io.Reader, fn func(Event) error) (records int, err error) {
	in := bufio.NewReader(r)
	if head, _ := in.Peek(2); len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b {
		z, err := gzip.NewReader(in)
		if err != nil {
			return 0, err
		}
		defer z.Close()
		return read(z, fn)
	}
	return read(in, fn)
}

// budget fails a read that one record makes too long.
type budget struct {
	io.Reader
	left int
}

var errRecord = errors.New("a record is longer than any that CloudTrail writes")

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errRecord
	}
	n, err := b.Reader.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func read(r io.Reader, fn func(Event) error) (records int, err error) {
	in := &budget{Reader: r, left: maxRecord}
	dec := json.NewDecoder(in)
	if err := open(dec, '{'); err != nil {
		return 0, err
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return records, err
		}
		if key != "Records" {
			var skipped json.RawMessage
			if err := dec.Decode(&skipped); err != nil {
				return records, err
			}
			continue
		}
		if err := open(dec, '['); err != nil {
			return records, err
		}
		for dec.More() {
			var rec record
			if err := dec.Decode(&rec); err != nil {
				return records, fmt.Errorf("record %d: %w", records, err)
			}
			in.left = maxRecord
			records++
			if e, ok := rec.event(); ok {
				if err := fn(e); err != nil {
					return records, err
				}
			}
		}
		if _, err := dec.Token(); err != nil {
			return records, err
		}
	}
	_, err = dec.Token()
	return records, err
}

func open(dec *json.Decoder, want json.Delim) error {
	t, err := dec.Token()
	if err != nil {
		return err
	}
	if t != want {
		return errors.New("it is no file of CloudTrail: no object with Records")
	}
	return nil
}

type record struct {
	EventID         string    `json:"eventID"`
	EventTime       time.Time `json:"eventTime"`
	EventSource     string    `json:"eventSource"`
	EventName       string    `json:"eventName"`
	EventCategory   string    `json:"eventCategory"`
	ManagementEvent *bool     `json:"managementEvent"`
	ErrorCode       string    `json:"errorCode"`
	UserIdentity    struct {
		Type           string `json:"type"`
		ARN            string `json:"arn"`
		SessionContext struct {
			SessionIssuer struct {
				ARN string `json:"arn"`
			} `json:"sessionIssuer"`
		} `json:"sessionContext"`
	} `json:"userIdentity"`
}

func (r *record) event() (Event, bool) {
	e := Event{
		ID: r.EventID, Time: r.EventTime, Principal: r.UserIdentity.ARN, Name: trimVersion(r.EventName),
		Data:   r.EventCategory == "Data" || r.ManagementEvent != nil && !*r.ManagementEvent,
		Denied: denied(r.ErrorCode),
	}
	e.Service, _, _ = strings.Cut(r.EventSource, ".")
	if issuer := r.UserIdentity.SessionContext.SessionIssuer.ARN; issuer != "" && r.UserIdentity.Type == "AssumedRole" {
		e.Principal = issuer
	}
	for _, s := range []string{e.ID, e.Principal, e.Service, e.Name} {
		if len(s) > maxText {
			return Event{}, false
		}
	}
	return e, e.Principal != "" && e.Service != "" && e.Name != ""
}

// trimVersion cuts the date of an API from the name of an event, as Lambda's
// have it: "Invoke20150331", "GetFunction20150331v2".
func trimVersion(name string) string {
	end := len(name)
	if i := strings.LastIndexByte(name, 'v'); i > 0 && digits(name[i+1:]) && i >= 8 && digits(name[i-8:i]) {
		end = i
	}
	if end > 8 && digits(name[end-8:end]) && (name[end-8:end-6] == "20" || name[end-8:end-6] == "19") {
		return strings.TrimSuffix(name[:end-8], "_")
	}
	return name
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// denied reports whether an error says that the caller had no right.
func denied(code string) bool {
	return strings.Contains(code, "AccessDenied") || strings.Contains(code, "Unauthorized") || code == "AuthorizationError"
}
