package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/kubeobject"
)

const (
	asJSON = "application/json"
	// Without a fallback: a server that cannot leave out the values must not
	// answer at all.
	asMetadata     = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
	metadataList   = "PartialObjectMetadataList"
	maxObject      = 32 << 20 // bytes; etcd stores 1.5 MB
	maxDiscovery   = 16 << 20
	maxPages       = 100_000
	shownProblems  = 20 // of one Kubernetes kind
	undecodableWhy = "the answer is no list of Kubernetes objects"
)

// A groupVersion is what discovery says of one API version.
type groupVersion struct {
	plurals map[string]bool // that can be listed
	assumed bool            // discovery was denied: the list will tell
	failed  *failure        // nothing is known
}

func apiPath(apiVersion string) string {
	if strings.Contains(apiVersion, "/") {
		return "/apis/" + apiVersion
	}
	return "/api/" + apiVersion
}

// discover asks which of the table's API versions the cluster serves. The core
// group goes first and alone: if it does not answer, nothing will.
func (r *reader) discover(ctx context.Context) error {
	const core = "v1"
	first := r.client.discover(ctx, core)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if first.failed != nil {
		return r.client.explain(first.failed)
	}
	if len(first.plurals) == 0 && !first.assumed {
		return r.client.explain(&failure{why: "it serves no core API"})
	}
	r.served[core] = first
	var wanted []string
	for _, res := range r.all {
		for _, v := range res.APIVersions {
			if _, ok := r.served[v]; !ok {
				r.served[v] = groupVersion{}
				wanted = append(wanted, v)
			}
		}
	}
	answers := make([]groupVersion, len(wanted))
	var group errgroup.Group
	group.SetLimit(parallel)
	for i, v := range wanted {
		group.Go(func() error {
			answers[i] = r.client.discover(ctx, v)
			return nil
		})
	}
	_ = group.Wait() // failures are coverage
	for i, v := range wanted {
		r.served[v] = answers[i]
	}
	return ctx.Err()
}

func (c *client) discover(ctx context.Context, apiVersion string) groupVersion {
	body, err := c.get(ctx, apiPath(apiVersion), nil, asJSON)
	var failed *failure
	switch {
	case errors.As(err, &failed) && failed.reason == absent:
		return groupVersion{}
	case errors.As(err, &failed) && failed.reason == denied:
		return groupVersion{assumed: true}
	case errors.As(err, &failed):
		return groupVersion{failed: failed}
	case err != nil:
		return groupVersion{failed: &failure{reason: unreachable, why: err.Error()}}
	}
	defer body.Close()
	var list struct {
		Kind      string
		Resources []struct {
			Name  string
			Verbs []string
		}
	}
	err = json.NewDecoder(io.LimitReader(body, maxDiscovery)).Decode(&list)
	switch {
	case errors.Is(err, errBudget):
		return groupVersion{failed: &failure{reason: unreachable, why: errBudget.Error()}}
	case err != nil || list.Kind != "APIResourceList":
		return groupVersion{failed: &failure{why: "the answer is no list of API resources"}}
	}
	out := groupVersion{plurals: map[string]bool{}}
	for _, res := range list.Resources {
		for _, verb := range res.Verbs {
			if verb == "list" {
				out.plurals[res.Name] = true
			}
		}
	}
	return out
}

// resource reads one Kubernetes kind in the first API version that is served.
// An API that is down matters only if no other leads to the same objects.
func (r *reader) resource(ctx context.Context, res kubeobject.Resource) listing {
	var down *failure
	for _, v := range res.APIVersions {
		at := r.served[v]
		switch {
		case at.failed != nil:
			if down == nil {
				f := *at.failed
				f.resource, down = resourceName(res, v), &f
			}
		case at.assumed || at.plurals[res.Plural]:
			l := r.list(ctx, res, v)
			// What discovery names and the list does not find is not proved absent.
			if l.failed == nil || l.failed.reason != absent || !at.assumed {
				return l
			}
		}
	}
	return listing{failed: down}
}

// resourceName is how kubectl and RBAC messages name a kind: "deployments.apps".
func resourceName(res kubeobject.Resource, apiVersion string) string {
	group, _, grouped := strings.Cut(apiVersion, "/")
	if !grouped {
		return res.Plural
	}
	return res.Plural + "." + group
}

// list reads all objects of a kind. A list that takes longer than the server
// keeps its history is begun anew, once.
func (r *reader) list(ctx context.Context, res kubeobject.Resource, apiVersion string) listing {
	l, err := r.pages(ctx, res, apiVersion)
	var failed *failure
	if errors.As(err, &failed) && failed.reason == expired {
		l, err = r.pages(ctx, res, apiVersion)
	}
	switch {
	case err == nil:
		l.listed = true
	case errors.As(err, &failed):
		f := *failed
		if f.reason == expired {
			f.why = "the list changed faster than it could be read; try again"
		}
		f.resource = resourceName(res, apiVersion)
		l.failed = &f
	default:
		l.failed = &failure{resource: resourceName(res, apiVersion), reason: unreachable, why: bounded(err.Error())}
	}
	return l
}

func (r *reader) pages(ctx context.Context, res kubeobject.Resource, apiVersion string) (listing, error) {
	var l listing
	left := 0
	query := url.Values{"limit": {strconv.Itoa(pageSize)}}
	accept := asJSON
	if res.Object == secretObject {
		accept = asMetadata
	}
	for range maxPages {
		body, err := r.client.get(ctx, apiPath(apiVersion)+"/"+res.Plural, query, accept)
		if err != nil {
			return l, err
		}
		next, err := decodePage(body, res.Object == secretObject, func(data []byte) {
			object, _, err := kubeobject.Decode(apiVersion, res.Object, data, r.origin, false)
			if err == nil {
				l.objects = append(l.objects, object)
				return
			}
			left++
			if left <= shownProblems {
				l.problems = append(l.problems, estate.Problem{What: fmt.Sprintf("%s was left out: %s", describe(res, data), bounded(err.Error()))})
			}
		})
		_ = body.Close()
		if err != nil {
			return l, err
		}
		r.report(res.Object, len(l.objects))
		if next == "" {
			if left > 0 {
				return l, &failure{why: fmt.Sprintf("%d of %d could not be decoded", left, left+len(l.objects))}
			}
			return l, nil
		}
		if next == query.Get("continue") {
			break
		}
		query.Set("continue", next)
	}
	return l, &failure{why: "the list has no end"}
}

// describe names an object that could not be decoded.
func describe(res kubeobject.Resource, data []byte) string {
	var object struct {
		Metadata struct{ Namespace, Name string }
	}
	_ = json.Unmarshal(data, &object)
	name := strings.Trim(object.Metadata.Namespace+"/"+object.Metadata.Name, "/")
	if name == "" || !printable(name) {
		return "a " + res.Object
	}
	return res.Object + " " + bounded(name)
}

// decodePage calls each with every item of a list and returns the token of the
// next page. Items are handed on while the rest is still on the wire, so a page
// of large objects is never in memory at once.
func decodePage(body io.Reader, metadataOnly bool, each func([]byte)) (next string, err error) {
	limited := &limitedReader{r: body, left: maxObject}
	d := json.NewDecoder(limited)
	if err := expect(d, json.Delim('{')); err != nil {
		return "", err
	}
	kind := ""
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return "", pageError(err)
		}
		limited.left = maxObject
		switch key {
		case "kind":
			err = d.Decode(&kind)
		case "metadata":
			var meta struct{ Continue string }
			err = d.Decode(&meta)
			next = meta.Continue
		case "items":
			// The kind comes first on every server; without it, nobody knows
			// whether values follow.
			if metadataOnly && kind != metadataList {
				return "", &failure{why: "the server cannot leave out the values of Secrets"}
			}
			err = items(d, limited, each)
		default:
			var skipped json.RawMessage
			err = d.Decode(&skipped)
		}
		if err != nil {
			return "", pageError(err)
		}
	}
	if err := expect(d, json.Delim('}')); err != nil {
		return "", err
	}
	if !strings.HasSuffix(kind, "List") {
		return "", &failure{why: undecodableWhy}
	}
	return next, nil
}

func items(d *json.Decoder, limited *limitedReader, each func([]byte)) error {
	open, err := d.Token()
	if err != nil || open == nil { // null is an empty list
		return err
	}
	if open != json.Delim('[') {
		return &failure{why: undecodableWhy}
	}
	for d.More() {
		limited.left = maxObject
		var item json.RawMessage
		if err := d.Decode(&item); err != nil {
			return err
		}
		each(item)
	}
	return expect(d, json.Delim(']'))
}

func expect(d *json.Decoder, want json.Delim) error {
	got, err := d.Token()
	if err != nil {
		return pageError(err)
	}
	if got != want {
		return &failure{why: undecodableWhy}
	}
	return nil
}

// pageError keeps the text of decoders, which may quote values, to itself.
func pageError(err error) error {
	var failed *failure
	switch {
	case errors.As(err, &failed):
		return failed
	case errors.Is(err, errBudget):
		return &failure{reason: unreachable, why: errBudget.Error()}
	case errors.Is(err, errTooLarge):
		return &failure{why: errTooLarge.Error()}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &failure{why: "the answer ended early"}
	}
	return &failure{why: undecodableWhy}
}

var errTooLarge = fmt.Errorf("an object is larger than %d MB", maxObject>>20)

// limitedReader bounds what one object may take of memory; it is refilled
// before each.
type limitedReader struct {
	r    io.Reader
	left int
}

// Read reads until the limit.
func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooLarge
	}
	n, err := l.r.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}
