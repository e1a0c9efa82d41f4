package review

import (
	"fmt"
	"strings"
	"time"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/estate"
)

// Annotation is how an object asks for an exception of its own findings, where
// the file allows it:
//
//	eksafe.dev/except: "pod-baseline: the scanner needs the host; expires=2027-01-31"
//
// Several stand on lines of their own. "; owner=team" may name who accepts.
const Annotation = "eksafe.dev/except"

// maxAnnotated bounds the exceptions that one object may ask for.
const maxAnnotated = 20

// annotated returns the exceptions that objects ask for. Whoever may write an
// object may write the annotation: none counts that the file does not allow, and
// all are listed.
func annotated(e *estate.Estate, allowed config.Patterns, o *owners) []*Exception {
	var out []*Exception
	for ref, text := range e.Annotated(Annotation) {
		n := 0
		for line := range strings.SplitSeq(text, "\n") {
			if line = strings.TrimSpace(line); line == "" {
				continue
			}
			x := parseAnnotation(line)
			x.Subject, x.Source = ref.ID, "annotation of "+ref.ID
			if x.Owner == "" {
				x.Owner = o.of(ref)
			}
			switch n++; {
			case n > maxAnnotated:
				x.State, x.Why = Refused, fmt.Sprintf("more than %d in one annotation", maxAnnotated)
			case x.State != Refused && !allowed.Match(x.Control):
				x.State, x.Why = Refused, "annotations.allowExceptions does not allow it"
			}
			out = append(out, x)
			if n > maxAnnotated {
				break
			}
		}
	}
	sortExceptions(out)
	return out
}

// parseAnnotation reads "control: reason; expires=day; owner=team".
func parseAnnotation(line string) *Exception {
	x := &Exception{}
	control, rest, ok := strings.Cut(line, ":")
	x.Control = strings.TrimSpace(control)
	refuse := func(why string) *Exception {
		x.State, x.Why = Refused, why
		return x
	}
	if !ok || x.Control == "" || strings.ContainsAny(x.Control, "* ") {
		x.Control = strings.TrimSpace(line)
		return refuse("write \"control: reason; expires=2027-01-31\"")
	}
	parts := strings.Split(rest, ";")
	for len(parts) > 1 {
		key, value, ok := strings.Cut(strings.TrimSpace(parts[len(parts)-1]), "=")
		if !ok || key != "expires" && key != "owner" {
			break
		}
		if key == "expires" {
			x.Expires = strings.TrimSpace(value)
		} else {
			x.Owner = strings.TrimSpace(value)
		}
		parts = parts[:len(parts)-1]
	}
	x.Reason = strings.TrimSpace(strings.Join(parts, ";"))
	if x.Reason == "" {
		return refuse("it gives no reason")
	}
	if x.Expires == "" {
		return refuse("it has no expires=2027-01-31")
	}
	if _, err := time.Parse(config.Day, x.Expires); err != nil {
		return refuse("expires is no day: write 2027-01-31")
	}
	return x
}
