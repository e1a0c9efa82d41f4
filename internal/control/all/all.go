// Package all gathers the controls of every family and writes the reference of
// them. It holds no control itself.
package all

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/tools/txtar"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/control/cluster"
	"github.com/eksafe/eksafe/internal/control/detection"
	"github.com/eksafe/eksafe/internal/control/edge"
	"github.com/eksafe/eksafe/internal/control/identity"
	"github.com/eksafe/eksafe/internal/control/image"
	"github.com/eksafe/eksafe/internal/control/network"
	"github.com/eksafe/eksafe/internal/control/pod"
	"github.com/eksafe/eksafe/internal/control/rest"
	"github.com/eksafe/eksafe/internal/control/review"
	"github.com/eksafe/eksafe/internal/control/tenancy"
	"github.com/eksafe/eksafe/internal/control/transit"
)

var families = []control.Family{
	{ID: "transit", Title: "Encrypt all data traffic the whole way", Controls: transit.Controls, Cases: transit.Cases},
	{ID: "rest", Title: "Encrypt all data where it is kept", Controls: rest.Controls, Cases: rest.Cases},
	{ID: "network", Title: "Restrict ingress and egress traffic of pods", Controls: network.Controls, Cases: network.Cases},
	{ID: "pod", Title: "Keep a pod's exploit from taking over the node", Controls: pod.Controls, Cases: pod.Cases},
	{ID: "edge", Title: "Put a web application firewall before the application", Controls: edge.Controls, Cases: edge.Cases},
	{ID: "identity", Title: "Sign people in with a second factor, and give each only what is needed", Controls: identity.Controls, Cases: identity.Cases},
	{ID: "tenancy", Title: "Give each project and stage a namespace of its own", Controls: tenancy.Controls, Cases: tenancy.Cases},
	{ID: "image", Title: "Scan images regularly, and run only those you trust", Controls: image.Controls, Cases: image.Cases},
	{ID: "review", Title: "Review the own security concept", Controls: review.Controls, Cases: review.Cases},
	{ID: "detection", Title: "Detect attackers and block them", Controls: detection.Controls, Cases: detection.Cases},
	{ID: "cluster", Title: "Keep the cluster itself closed and current", Controls: cluster.Controls, Cases: cluster.Cases},
}

// Families returns every family of controls, in the order in which an
// application is made secure: the order of the reference and of reports.
func Families() []control.Family { return slices.Clone(families) }

// All returns every control, family by family.
func All() []*control.Control {
	var out []*control.Control
	for _, f := range families {
		out = append(out, f.Controls...)
	}
	return out
}

// ByID returns the control that has, or once had, the ID.
func ByID(id string) (*control.Control, bool) {
	all := All()
	i := slices.IndexFunc(all, func(c *control.Control) bool { return c.ID == id })
	if i < 0 {
		i = slices.IndexFunc(all, func(c *control.Control) bool { return slices.Contains(c.Formerly, id) })
	}
	if i < 0 {
		return nil, false
	}
	return all[i], true
}

// FamilyOf returns the family of a control.
func FamilyOf(c *control.Control) control.Family {
	for _, f := range families {
		if slices.Contains(f.Controls, c) {
			return f
		}
	}
	return control.Family{}
}

// Page returns the documentation of a control as Markdown without a heading:
// what an attacker does, and how it is mended.
func Page(id string) (string, error) {
	ar, err := archive(id)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(ar.Comment)) + "\n", nil
}

// An Example is one of a control's cases: a change to a secure estate and the
// verdict that it leads to.
type Example struct {
	Verdict string // "fail", "pass", "unknown" or "notApplicable"
	Name    string // "every ipv4 address"
	YAML    string
}

// Examples returns the cases of a control.
func Examples(id string) ([]Example, error) {
	ar, err := archive(id)
	if err != nil {
		return nil, err
	}
	var out []Example
	for _, f := range ar.Files {
		verdict, name, _ := strings.Cut(strings.TrimSuffix(f.Name, ".yaml"), "/")
		out = append(out, Example{verdict, strings.ReplaceAll(name, "-", " "), strings.TrimSpace(string(f.Data)) + "\n"})
	}
	return out, nil
}

func archive(id string) (*txtar.Archive, error) {
	c, ok := ByID(id)
	if !ok {
		return nil, fmt.Errorf("no control %q", id)
	}
	data, err := fs.ReadFile(FamilyOf(c).Cases, c.CaseFile())
	if err != nil {
		return nil, fmt.Errorf("reading the documentation of %s: %w", id, err)
	}
	return txtar.Parse(data), nil
}
