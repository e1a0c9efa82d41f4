// Package admission writes the twins of controls as policies with which an API
// server holds objects to them when they are written. It talks to no server.
package admission

import (
	"bytes"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/platform"
)

// The actions of a binding.
var Actions = []string{"Deny", "Warn", "Audit"}

// Options say whom the policies hold, and how.
type Options struct {
	Action            string // of Actions
	NamespaceSelector string // of labels: "stage=prod"; empty for every namespace that is not the platform's
}

// Having returns the controls that have a twin.
func Having(controls []*control.Control) []*control.Control {
	return slices.DeleteFunc(slices.Clone(controls), func(c *control.Control) bool { return c.Admission == nil })
}

// Write returns a ValidatingAdmissionPolicy and its binding for each of the
// controls, as YAML. The same controls give the same bytes.
func Write(controls []*control.Control, o Options) ([]byte, error) {
	selector, err := namespaces(o.NamespaceSelector)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, c := range controls {
		if c.Admission == nil {
			return nil, fmt.Errorf("one object alone does not tell whether %s is met, so the API server cannot hold anybody to it", c.ID)
		}
		fmt.Fprintf(&out, "# %s: %s\n", c.ID, c.Title)
		if c.Admission.Differs != "" {
			fmt.Fprintf(&out, "# Otherwise than the control: %s.\n", c.Admission.Differs)
		}
		for _, object := range []map[string]any{policy(c), binding(c, o.Action, selector)} {
			data, err := yaml.Marshal(object)
			if err != nil {
				return nil, fmt.Errorf("writing the policy of %s: %w", c.ID, err)
			}
			out.Write(data)
			out.WriteString("---\n")
		}
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("---\n")), nil
}

// namespaces returns the selector of the namespaces that are held to policies.
func namespaces(labels string) (*metav1.LabelSelector, error) {
	if labels != "" {
		selector, err := metav1.ParseToLabelSelector(labels)
		if err != nil {
			return nil, fmt.Errorf("reading the namespace selector %q: %w; write labels as in stage=prod,team in (red, blue)", labels, err)
		}
		return selector, nil
	}
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
		Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpNotIn, Values: platform.Namespaces(),
	}}}, nil
}

const apiVersion = "admissionregistration.k8s.io/v1"

func name(c *control.Control) string { return "eksafe-" + c.ID }

func metadata(c *control.Control) map[string]any {
	return map[string]any{
		"name":   name(c),
		"labels": map[string]any{"app.kubernetes.io/managed-by": "eksafe", "eksafe.dev/control": c.ID},
	}
}

func policy(c *control.Control) map[string]any {
	a := c.Admission
	var rules, variables, validations []any
	for _, r := range a.Rules {
		rules = append(rules, map[string]any{
			"apiGroups": []string{r.Group}, "apiVersions": r.Versions, "resources": r.Resources,
			"operations": []string{"CREATE", "UPDATE"},
		})
	}
	for _, v := range a.Variables {
		variables = append(variables, map[string]any{"name": v.Name, "expression": v.Expression})
	}
	for _, v := range a.Validations {
		validations = append(validations, map[string]any{
			"expression": v.Expression, "reason": "Forbidden",
			"message": v.Message + " (" + c.ID + "; eksafe controls explain " + c.ID + ")",
		})
	}
	spec := map[string]any{
		"failurePolicy":    "Fail",
		"matchConstraints": map[string]any{"resourceRules": rules},
		// What goes must be able to go: its last finalizer is taken off by an update.
		"matchConditions": []any{map[string]any{"name": "stays", "expression": "!has(object.metadata.deletionTimestamp)"}},
		"validations":     validations,
	}
	if len(variables) > 0 {
		spec["variables"] = variables
	}
	return map[string]any{"apiVersion": apiVersion, "kind": "ValidatingAdmissionPolicy", "metadata": metadata(c), "spec": spec}
}

func binding(c *control.Control, action string, selector *metav1.LabelSelector) map[string]any {
	return map[string]any{
		"apiVersion": apiVersion, "kind": "ValidatingAdmissionPolicyBinding", "metadata": metadata(c),
		"spec": map[string]any{
			"policyName":        name(c),
			"validationActions": []string{action},
			"matchResources":    map[string]any{"namespaceSelector": selector},
		},
	}
}
