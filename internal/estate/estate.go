// Package estate models one moment of AWS accounts and EKS clusters: typed
// resources, where each was read, and what could not be read. It holds facts
// and no opinions, does no I/O, and never holds the value of a secret.
//
// Kubernetes resources keep their official Go types; AWS resources are small
// structs whose fields carry CloudFormation's property names. An attribute
// that a source may not know is an Optional.
package estate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Kind names one kind of resource, such as "Workload" or "DBInstance".
type Kind string

// A Ref identifies a resource. ID is unique within an estate:
// "deployment/prod/orders" in a cluster, an ARN in AWS.
type Ref struct {
	Kind      Kind   `json:"kind"`                // "Workload", "DBInstance" …
	Namespace string `json:"namespace,omitempty"` // absent outside a cluster, and of what stands in none
	Name      string `json:"name"`                // as people call it; ID tells apart what shares it
	ID        string `json:"id"`                  // "deployment/prod/orders", an ARN
}

// String returns the ID.
func (r Ref) String() string { return r.ID }

// IsZero reports whether r identifies nothing.
func (r Ref) IsZero() bool { return r == Ref{} }

// Compare orders refs by kind, namespace, name and ID.
func (r Ref) Compare(o Ref) int {
	return cmp.Or(
		cmp.Compare(r.Kind, o.Kind),
		cmp.Compare(r.Namespace, o.Namespace),
		cmp.Compare(r.Name, o.Name),
		cmp.Compare(r.ID, o.ID),
	)
}

// A State says whether the resources of a kind are known.
type State string

const (
	NotAsked    State = "notAsked"    // no source was asked for the kind
	Read        State = "read"        // all of them were read
	Denied      State = "denied"      // the credentials may not read them
	Unavailable State = "unavailable" // the source could not answer
)

// Coverage says how far one source could read one kind.
type Coverage struct {
	Kind  Kind   `json:"kind"`          // of the resources
	State State  `json:"state"`         // whether they are known
	Why   string `json:"why,omitempty"` // empty when read, and when no source could have been asked
	Count int    `json:"count"`         // how many were read
}

// A Problem is a part of the input that was left out, in one line.
type Problem struct {
	File   string `json:"file,omitempty"`   // where it stands
	Line   int    `json:"line,omitempty"`   // from 1
	What   string `json:"what"`             // what was left out, and why
	Remedy string `json:"remedy,omitempty"` // what to do about it
}

// String returns "file:line: what; remedy".
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
	}
	b.WriteString(p.What)
	if p.Remedy != "" {
		b.WriteString("; " + p.Remedy)
	}
	return b.String()
}

// Ignored counts input of a kind that eksafe does not judge.
type Ignored struct {
	APIVersion string `json:"apiVersion,omitempty"` // empty for CloudFormation
	Kind       string `json:"kind"`                 // as the input has it
	Count      int    `json:"count"`                // how many resources
}

// A SourceKind says what a source reads.
type SourceKind string

const (
	ManifestSource       SourceKind = "manifest"       // files of Kubernetes
	KubernetesSource     SourceKind = "kubernetes"     // a cluster that runs
	AWSSource            SourceKind = "aws"            // an account
	CloudFormationSource SourceKind = "cloudformation" // templates
	TerraformSource      SourceKind = "terraform"      // plans and states
	SnapshotSource       SourceKind = "snapshot"       // an estate that was saved
	FindingsSource       SourceKind = "findings"       // of other tools
)

// A Source records what one source gave to the estate.
type Source struct {
	Kind     SourceKind `json:"kind"`
	Name     string     `json:"name"` // a path, a context, "account 123456789012 eu-west-1"
	Coverage []Coverage `json:"coverage"`
	Problems []Problem  `json:"problems,omitempty"`
	Ignored  []Ignored  `json:"ignored,omitempty"`
}

// An Estate is every resource that the sources could read. The zero value is
// empty and ready to use. It is not safe for concurrent writes.
type Estate struct {
	Sources []Source
	sets    map[Kind]any // Kind → []T of the kind's Collection
}

// A Collection is the typed handle of one kind of resource; T is a pointer.
type Collection[T any] struct {
	Kind   Kind
	ref    func(T) Ref
	origin func(T) *Origin
}

// Add puts resources into the estate. Coverage is the source's to record.
func (c Collection[T]) Add(e *Estate, items ...T) {
	if e.sets == nil {
		e.sets = map[Kind]any{}
	}
	set, _ := e.sets[c.Kind].([]T)
	e.sets[c.Kind] = append(set, items...)
}

// In returns the resources of the collection in the order they were added.
// The caller must not change the slice.
func (c Collection[T]) In(e *Estate) []T {
	set, _ := e.sets[c.Kind].([]T)
	return set
}

// Ref returns the identity of item.
func (c Collection[T]) Ref(item T) Ref { return c.ref(item) }

// Origin returns where item was read.
func (c Collection[T]) Origin(item T) *Origin { return c.origin(item) }

// Coverage returns what is known of kind over all sources: the worst state of
// the sources that were asked, NotAsked when none was, with the reason of a
// source that could have been. One denied region makes the kind denied, whatever
// the others gave.
func (e *Estate) Coverage(kind Kind) Coverage {
	out := Coverage{Kind: kind, State: NotAsked}
	for _, s := range e.Sources {
		for _, c := range s.Coverage {
			if c.Kind != kind {
				continue
			}
			if c.State == NotAsked {
				if out.State == NotAsked && out.Why == "" {
					out.Why = c.Why
				}
				continue
			}
			out.Count += c.Count
			if badness(c.State) > badness(out.State) {
				out.State, out.Why = c.State, c.Why
			}
		}
	}
	return out
}

func badness(s State) int {
	return slices.Index([]State{NotAsked, Read, Unavailable, Denied}, s)
}

// Replaced returns a copy of the estate with other resources of the collection,
// to ask what would be.
func (c Collection[T]) Replaced(e *Estate, items []T) *Estate {
	out := &Estate{Sources: e.Sources, sets: maps.Clone(e.sets)}
	if out.sets == nil {
		out.sets = map[Kind]any{}
	}
	out.sets[c.Kind] = items
	return out
}

// Blind returns a copy of the estate in which kind could not be read.
func (e *Estate) Blind(kind Kind, why string) *Estate {
	out := &Estate{sets: map[Kind]any{}}
	for k, set := range e.sets {
		if k != kind {
			out.sets[k] = set
		}
	}
	for _, s := range e.Sources {
		s.Coverage = slices.DeleteFunc(slices.Clone(s.Coverage), func(c Coverage) bool { return c.Kind == kind })
		out.Sources = append(out.Sources, s)
	}
	out.Sources = append(out.Sources, Source{
		Kind: SnapshotSource, Name: "blind",
		Coverage: []Coverage{{Kind: kind, State: Denied, Why: why}},
	})
	return out
}

// Join adds the resources and the sources of o to e. Where a cluster and a
// manifest both show a Kubernetes object, the live object stands and takes the
// manifest's file position, so that findings lead to the line to edit.
func (e *Estate) Join(o *Estate) {
	for _, k := range Kinds() {
		k.join(e, o)
	}
	e.Sources = append(e.Sources, o.Sources...)
}
