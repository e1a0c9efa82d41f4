// Package kubeaudit reads audit logs of Kubernetes: one audit.k8s.io/v1 Event a
// line. It keeps who asked for what and whether it was allowed; bodies of requests
// and responses, which may hold secrets, are dropped as they are read.
package kubeaudit

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// maxLine bounds one event: those with bodies are as long as the largest object.
const maxLine = 16 << 20

// maxText is longer than any name that an event is kept for.
const maxText = 2048

// An Event is one request.
type Event struct {
	ID          string
	Time        time.Time
	User        string
	Groups      []string
	Impersonate string // the user whose place it took; its rights were used
	Verb        string
	Group       string // of the API
	Resource    string // with its subresource: "pods/exec"; "" for a path
	Namespace   string
	Name        string
	Path        string // of a request for no resource
	Allowed     bool
}

// Read calls fn with every finished request of a log, plain or gzipped, and
// returns how many lines were none.
func Read(r io.Reader, fn func(Event) error) (others int, err error) {
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

func read(r io.Reader, fn func(Event) error) (others int, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	n := 0
	for lines.Scan() {
		n++
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		var raw rawEvent
		if json.Unmarshal(line, &raw) != nil || !strings.HasPrefix(raw.APIVersion, "audit.k8s.io/") || raw.Kind != "Event" {
			others++
			continue
		}
		e, ok := raw.event()
		if !ok {
			continue
		}
		if err := fn(e); err != nil {
			return others, err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return others, fmt.Errorf("line %d is longer than any event", n+1)
	}
	return others, lines.Err()
}

type rawEvent struct {
	Kind       string `json:"kind"`
	APIVersion string `json:"apiVersion"`
	AuditID    string `json:"auditID"`
	Stage      string `json:"stage"`
	RequestURI string `json:"requestURI"`
	Verb       string `json:"verb"`
	// Logs of services that pass events on have it without the T: such a time is
	// not known.
	Received string   `json:"requestReceivedTimestamp"`
	User     rawUser  `json:"user"`
	As       *rawUser `json:"impersonatedUser"`
	Object   *struct {
		Resource    string `json:"resource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
		APIGroup    string `json:"apiGroup"`
		Subresource string `json:"subresource"`
	} `json:"objectRef"`
	Response *struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
	Annotations map[string]string `json:"annotations"`
}

type rawUser struct {
	Username string   `json:"username"`
	Groups   []string `json:"groups"`
}

// event returns the request, and false for what is no finished request of
// anybody.
func (r *rawEvent) event() (Event, bool) {
	if r.Stage != "" && r.Stage != "ResponseComplete" && r.Stage != "ResponseStarted" || r.Verb == "" || r.User.Username == "" {
		return Event{}, false
	}
	e := Event{ID: r.AuditID, User: r.User.Username, Groups: r.User.Groups, Verb: r.Verb}
	e.Time, _ = time.Parse(time.RFC3339Nano, r.Received)
	if r.As != nil {
		e.Impersonate, e.Groups = r.As.Username, r.As.Groups
	}
	if o := r.Object; o != nil {
		e.Group, e.Resource, e.Namespace, e.Name = o.APIGroup, o.Resource, o.Namespace, o.Name
		if o.Subresource != "" {
			e.Resource += "/" + o.Subresource
		}
	} else {
		e.Path, _, _ = strings.Cut(r.RequestURI, "?")
	}
	decision := r.Annotations["authorization.k8s.io/decision"]
	e.Allowed = decision == "allow" || decision == "" && (r.Response == nil || r.Response.Code != 401 && r.Response.Code != 403)
	for _, s := range []string{e.ID, e.User, e.Verb, e.Group, e.Resource, e.Namespace, e.Name, e.Path} {
		if len(s) > maxText {
			return Event{}, false
		}
	}
	return e, true
}
