package admission_test

import (
	"encoding/json"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/control/admission"
	"github.com/eksafe/eksafe/internal/control/all"
	"github.com/eksafe/eksafe/internal/control/proof"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
	kuberig "github.com/eksafe/eksafe/test/rig/kube"
)

// differences are the cases in which a policy decides otherwise than its control,
// and why that is inherent: "control case object". Each must occur.
var differences = map[string]string{
	"token-automount pass/the-account-says-no deployment/shop-prod/web":                                  "the account is not seen",
	"token-automount pass/the-api-is-used deployment/shop-prod/web":                                      "bindings are not seen",
	"token-automount pass/rights-by-the-group-of-the-namespace deployment/shop-prod/web":                 "bindings are not seen",
	"token-automount unknown/account-not-found deployment/shop-prod/web":                                 "the account is not seen",
	"resource-limits pass/limit-range-gives-both deployment/shop-prod/web":                               "LimitRanges are not seen in a template",
	"aws-keys-static pass/a-store-of-ones-own deployment/shop-prod/web":                                  "that it is no store of AWS is not seen",
	"namespace-per-stage fail/test-beside-production cronjob/shop-prod/report":                           "labels of the namespace are not seen",
	"namespace-per-stage fail/stage-of-the-pods cronjob/shop-prod/report":                                "labels of the namespace are not seen",
	"storageclass-encrypted pass/class-that-relies-on-the-account storageclass/fast":                     "the account is not seen",
	"storageclass-default-encrypted pass/account-encrypts-by-default storageclass/gp3-encrypted":         "the account is not seen",
	"rbac-wildcards pass/bound-to-nobody clusterrole/everything":                                         "bindings are not seen",
	"egress-least fail/whole-vpc networkpolicy/shop-prod/web":                                            "what stands in a network is not seen",
	"egress-least fail/undeclared-host-outside networkpolicy/shop-prod/web":                              "what stands in a network is not seen",
	"egress-least fail/dependency-of-another-workload networkpolicy/shop-prod/web":                       "what stands in a network is not seen",
	"egress-least fail/metadata-service networkpolicy/shop-prod/web":                                     "what stands in a network is not seen",
	"egress-least fail/more-than-the-subnets-of-databases networkpolicy/shop-prod/web":                   "what stands in a network is not seen",
	"egress-least fail/pods-of-a-namespace-that-is-no-dependency networkpolicy/shop-prod/web":            "whether a namespace is a dependency is not seen",
	"ingress-ports fail/port-of-another-pod networkpolicy/shop-prod/scrape":                              "what each pod serves is not seen",
	"egress-least fail/dependency-at-another-port networkpolicy/catalog-prod/catalog":                    "dependencies are not seen",
	"ingress-ports fail/port-that-nobody-serves networkpolicy/shop-prod/orders":                          "containers are not seen",
	"ingress-ports fail/protocol-that-nobody-serves networkpolicy/shop-prod/orders":                      "containers are not seen",
	"ingress-ports fail/range-that-is-too-wide networkpolicy/shop-prod/orders":                           "containers are not seen",
	"nodeport-closed pass/other-port-of-public-nodes service/devices-prod/mqtt":                          "nodes are not seen",
	"nodeport-closed pass/no-node-ports service/shop-prod/orders":                                        "nodes are not seen",
	"mesh-mtls-strict pass/workload-stricter-than-its-namespace peerauthentication/catalog-prod/default": "that every workload has a mode of its own is not seen",
	"rbac-escalation pass/an-operator-of-the-platform clusterrole/operator":                              "bindings are not seen",
}

// moot are the cases whose object the server refuses before it asks a policy, and
// why. Each must occur.
var moot = map[string]string{
	"root-readonly pass/windows deployment/shop-prod/web":                                                            "a pod of Windows may not have what the case leaves of Linux",
	"runtime-sockets fail/folder-of-the-socket-by-a-detour deployment/shop-prod/web":                                 "a path may not have ..",
	"namespace-enforces fail/no-such-level namespace/shop-prod":                                                      "a level is one of three",
	"rbac-anonymous fail/the-name-of-a-known-binding-with-another-role clusterrolebinding/system:public-info-viewer": "the server has made this binding, and its role may not change",
}

// The server must refuse exactly what the control fails at the object, and take
// what it passes.
func TestPoliciesDecideAsTheirControls(t *testing.T) {
	s := kuberig.Start(t)
	s.ApplyDefinitions(t)
	base, err := proof.Secure()
	if err != nil {
		t.Fatal(err)
	}
	// Pods need their accounts, and controllers and bindings their namespaces.
	stored, err := base.Manifests(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range stored {
		// Namespaces are made without labels: Pod Security would refuse first.
		if m.Kind == estate.ServiceAccounts.Kind {
			s.Apply(t, string(m.JSON))
		}
	}
	occurred := map[string]bool{}
	for _, f := range all.Families() {
		for _, c := range admission.Having(f.Controls) {
			t.Run(c.ID, func(t *testing.T) {
				policies, err := admission.Write([]*control.Control{c}, admission.Options{Action: "Deny"})
				if err != nil {
					t.Fatal(err)
				}
				data, err := fs.ReadFile(f.Cases, c.CaseFile())
				if err != nil {
					t.Fatal(err)
				}
				held := append(asked(t, base, c, data), edges[c.ID]...)
				refused := slices.IndexFunc(held, func(a ask) bool { return a.fails })
				if refused < 0 || !slices.ContainsFunc(held, func(a ask) bool { return !a.fails }) {
					t.Fatalf("of %d objects none fails or none passes: the policy would not be tried", len(held))
				}
				s.Apply(t, string(policies))
				await(t, s, held[refused])
				for _, a := range held {
					said := s.DryRun(t, a.manifest)
					refused := strings.Contains(said, "ValidatingAdmissionPolicy 'eksafe-"+c.ID+"'")
					key := c.ID + " " + a.kase + " " + a.id
					switch {
					case said != "" && !refused || strings.Contains(said, "resulted in error"):
						occurred[key] = true
						if moot[key] == "" {
							t.Errorf("%s: nobody decided: %s", key, said)
						}
					case differences[key] != "":
						occurred[key] = true
						if refused == a.fails {
							t.Errorf("%s: listed as a difference, and there is none: refused %v", key, refused)
						}
					case refused != a.fails:
						t.Errorf("%s: the control fails it: %v; the server says %q", key, a.fails, said)
					}
				}
				s.Delete(t, "admissionregistration.k8s.io/v1", "validatingadmissionpolicybindings", "eksafe-"+c.ID)
			})
		}
	}
	for _, list := range []map[string]string{differences, moot} {
		for _, key := range slices.Sorted(maps.Keys(list)) {
			if !occurred[key] {
				t.Errorf("%q is listed (%s) and does not occur", key, list[key])
			}
		}
	}
}

// An ask is one object of a case, and whether the control fails it.
type ask struct {
	kase, id string
	manifest string
	fails    bool
}

// asked returns the objects of a control's cases that a policy of it sees, and
// each pod template in every form that one can have.
func asked(t *testing.T, base proof.World, c *control.Control, cases []byte) []ask {
	t.Helper()
	var out []ask
	for _, f := range txtar.Parse(cases).Files {
		k, err := proof.ParseCase(f.Name, f.Data)
		if err != nil {
			t.Fatal(err)
		}
		w, err := base.Mutate(k.Set)
		if err != nil {
			t.Fatal(err)
		}
		e, err := w.Estate()
		if err != nil {
			t.Fatal(err)
		}
		declared, err := w.Config()
		if err != nil {
			t.Fatal(err)
		}
		fails := map[string]bool{}
		for _, f := range control.Run(trace.New(e), []*control.Control{c}, proof.Now, declared)[0].Findings {
			fails[f.Subject.ID] = true
		}
		changed, err := w.Manifests(base)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range changed {
			if !sees(c.Admission, m.JSON) {
				continue
			}
			for _, form := range forms(t, m) {
				out = append(out, ask{strings.TrimSuffix(f.Name, ".yaml"), m.ID, form, fails[m.ID]})
			}
		}
	}
	return out
}

func sees(a *control.Admission, manifest []byte) bool {
	var o struct{ APIVersion, Kind string }
	if json.Unmarshal(manifest, &o) != nil {
		return false
	}
	group, _, found := strings.Cut(o.APIVersion, "/")
	if !found {
		group = ""
	}
	resource := strings.ToLower(o.Kind) + "s"
	switch {
	case strings.HasSuffix(resource, "classs"):
		resource = strings.TrimSuffix(resource, "s") + "es"
	case strings.HasSuffix(resource, "ys"):
		resource = strings.TrimSuffix(resource, "ys") + "ies"
	}
	return slices.ContainsFunc(a.Rules, func(r control.AdmissionRule) bool { return r.Group == group && slices.Contains(r.Resources, resource) })
}

// forms returns the manifest, and for a pod template every object that may have
// it.
func forms(t *testing.T, m proof.Manifest) []string {
	t.Helper()
	if m.Kind != estate.Workloads.Kind {
		return []string{string(m.JSON)}
	}
	var o map[string]any
	if err := json.Unmarshal(m.JSON, &o); err != nil {
		t.Fatal(err)
	}
	template, ok := dig(o, "spec", "jobTemplate", "spec", "template").(map[string]any)
	if !ok {
		if template, ok = dig(o, "spec", "template").(map[string]any); !ok {
			return []string{string(m.JSON)}
		}
	}
	spec := maps.Clone(template["spec"].(map[string]any))
	delete(spec, "restartPolicy")
	labels := map[string]any{"app": "form"}
	long := map[string]any{"metadata": map[string]any{"labels": labels}, "spec": spec}
	short := map[string]any{"metadata": map[string]any{"labels": labels}, "spec": with(spec, "restartPolicy", "Never")}
	meta := map[string]any{"name": "form", "namespace": dig(o, "metadata", "namespace")}
	selected := map[string]any{"selector": map[string]any{"matchLabels": labels}, "template": long}
	var out []string
	for _, form := range []map[string]any{
		{"apiVersion": "apps/v1", "kind": "Deployment", "spec": selected},
		{"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": with(selected, "serviceName", "form")},
		{"apiVersion": "apps/v1", "kind": "DaemonSet", "spec": selected},
		{"apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": selected},
		{"apiVersion": "v1", "kind": "ReplicationController", "spec": map[string]any{"selector": labels, "template": long}},
		{"apiVersion": "batch/v1", "kind": "Job", "spec": map[string]any{"template": short}},
		{"apiVersion": "batch/v1", "kind": "CronJob", "spec": map[string]any{"schedule": "0 0 * * *", "jobTemplate": map[string]any{"spec": map[string]any{"template": short}}}},
		{"apiVersion": "v1", "kind": "Pod", "spec": spec},
	} {
		form["metadata"] = meta
		data, err := json.Marshal(form)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(data))
	}
	return out
}

func with(m map[string]any, key string, value any) map[string]any {
	out := maps.Clone(m)
	out[key] = value
	return out
}

func dig(tree any, path ...string) any {
	for _, key := range path {
		m, ok := tree.(map[string]any)
		if !ok {
			return nil
		}
		tree = m[key]
	}
	return tree
}

// await waits until the server knows the policy: it learns of policies by a
// watch.
func await(t *testing.T, s *kuberig.Server, a ask) {
	t.Helper()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(time.Minute)
	for {
		if strings.Contains(s.DryRun(t, a.manifest), "ValidatingAdmissionPolicy") {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("%s %s: the server admits it after a minute, and the control fails it", a.kase, a.id)
		}
	}
}
