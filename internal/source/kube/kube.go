// Package kube reads a live cluster into an estate. It lists, and does nothing
// else: no watch, no write, no exec, and no Secret unless it is asked for, and
// then only the metadata. What the credentials may not read becomes coverage,
// not an error, and nothing is guessed in its place.
//
// The typed client set is not used: objects go page by page from the wire to
// package kubeobject, which keeps facts and drops values.
package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/kubeobject"
)

// Options say which cluster to read, and how far.
type Options struct {
	Kubeconfig string // a file; empty for $KUBECONFIG, ~/.kube/config or the pod's own account
	Context    string // empty for the current one
	Secrets    bool   // list Secrets, as metadata

	// Progress, if set, is told how many objects of a Kubernetes kind were read
	// so far. It is called by one goroutine at a time.
	Progress func(kind string, n int)
}

const (
	parallel     = 8   // calls at once; the server's own fairness queues do the rest
	pageSize     = 500 // as kubectl's
	secretsWhy   = "live Secrets are read only with --secrets"
	secretObject = "Secret"
)

// Read reads the cluster of a kubeconfig's context. It returns an error if the
// cluster cannot be reached, refuses the credentials, or lets nothing be read;
// the error of ctx if that ends first.
func Read(ctx context.Context, o Options) (*estate.Estate, error) {
	config, where, err := load(o)
	if err != nil {
		return nil, err
	}
	return read(ctx, config, where.Context, o)
}

// read reads the cluster that config leads to.
func read(ctx context.Context, config *rest.Config, name string, o Options) (*estate.Estate, error) {
	c, err := newClient(config)
	if err != nil {
		return nil, fmt.Errorf("reading cluster %s: %w", name, err)
	}
	defer c.close()
	r := &reader{
		client:  c,
		options: o,
		origin:  estate.Origin{Cluster: name},
		all:     kubeobject.Resources(),
		served:  map[string]groupVersion{},
	}
	e, err := r.read(ctx, name)
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("reading cluster %s: %w", name, context.Cause(ctx))
	case err != nil:
		return nil, fmt.Errorf("reading cluster %s: %w", name, err)
	}
	return e, nil
}

// reader is one reading of one cluster.
type reader struct {
	client  *client
	options Options
	origin  estate.Origin
	all     []kubeobject.Resource
	served  map[string]groupVersion

	progress sync.Mutex // held while options.Progress runs
}

// A listing is what reading one Kubernetes kind gave. Without objects and
// without failure the cluster has none.
type listing struct {
	objects  []*kubeobject.Object
	problems []estate.Problem
	failed   *failure
	listed   bool // the server answered with a list
	skipped  bool // not asked for
}

func (r *reader) read(ctx context.Context, name string) (*estate.Estate, error) {
	if err := r.discover(ctx); err != nil {
		return nil, err
	}
	listings := make([]listing, len(r.all))
	var group errgroup.Group
	group.SetLimit(parallel)
	for i, res := range r.all {
		if res.Object == secretObject && !r.options.Secrets {
			listings[i].skipped = true
			continue
		}
		group.Go(func() error {
			listings[i] = r.resource(ctx, res)
			return nil
		})
	}
	_ = group.Wait() // failures are coverage
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err := r.nothingRead(listings); err != nil {
		return nil, err
	}
	return r.assemble(name, listings), nil
}

// nothingRead returns an error unless at least one kind was listed.
func (r *reader) nothingRead(listings []listing) error {
	var first *failure
	rejected := true
	for _, l := range listings {
		if l.listed {
			return nil
		}
		if l.failed != nil {
			first = cmp.Or(first, l.failed)
			rejected = rejected && l.failed.reason == rejected401
		}
	}
	switch {
	case first == nil:
		return errors.New("the server serves no kind that eksafe reads; is it a Kubernetes API server?")
	case rejected:
		return r.client.explain(first)
	case first.reason == denied:
		return fmt.Errorf("nothing may be read: %s; \"eksafe controls permissions\" prints the ClusterRole to grant", first.Error())
	}
	return r.client.explain(first)
}

// assemble joins the listings in the order of the table, so that the same
// cluster gives the same estate whatever answered first.
func (r *reader) assemble(name string, listings []listing) *estate.Estate {
	e := &estate.Estate{}
	source := estate.Source{Kind: estate.KubernetesSource, Name: name}
	var decoder kubeobject.Decoder
	failures := map[estate.Kind][]*failure{}
	asked := map[estate.Kind]bool{}
	for i, l := range listings {
		kind := r.all[i].Kind
		asked[kind] = asked[kind] || !l.skipped
		for _, o := range l.objects {
			decoder.Put(e, o)
		}
		source.Problems = append(source.Problems, l.problems...)
		switch {
		case l.failed == nil:
		case r.all[i].Object == "PodTemplate":
			// A template runs nothing: what was made from it is read as pods.
			// Roles such as view do not grant it, and must not blind us.
			source.Problems = append(source.Problems, estate.Problem{What: "PodTemplates were left out: " + l.failed.Error()})
		default:
			failures[kind] = append(failures[kind], l.failed)
		}
	}
	decoder.Finish(e)
	for _, info := range estate.Kinds() {
		known, ok := asked[info.Kind]
		switch {
		case !ok:
		case !known:
			source.Coverage = append(source.Coverage, estate.Coverage{Kind: info.Kind, State: estate.NotAsked, Why: secretsWhy})
		default:
			state, why := summarize(failures[info.Kind])
			source.Coverage = append(source.Coverage, estate.Coverage{Kind: info.Kind, State: state, Why: why, Count: info.Len(e)})
		}
	}
	e.Sources = []estate.Source{source}
	return e
}

// summarize joins the failures of the Kubernetes kinds that fill one kind of
// the estate. A denial stands before all else: it is what the reader can mend.
func summarize(failures []*failure) (estate.State, string) {
	if len(failures) == 0 {
		return estate.Read, ""
	}
	state := estate.Unavailable
	denials := map[string][]string{} // user → what it cannot list
	var others []string
	for _, f := range failures {
		if f.reason == denied {
			state = estate.Denied
			denials[f.user] = append(denials[f.user], f.resource)
			continue
		}
		if f.reason == rejected401 {
			state = estate.Denied
		}
		others = append(others, f.Error())
	}
	var whys []string
	for _, user := range slices.Sorted(maps.Keys(denials)) {
		whys = append(whys, denial(user, strings.Join(denials[user], ", ")))
	}
	return state, strings.Join(append(whys, others...), "; ")
}

func (r *reader) report(kind string, n int) {
	if r.options.Progress == nil {
		return
	}
	r.progress.Lock()
	defer r.progress.Unlock()
	r.options.Progress(kind, n)
}
