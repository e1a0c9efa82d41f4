package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eksafe/eksafe/internal/cli"
	awsrig "github.com/eksafe/eksafe/test/rig/aws"
	kuberig "github.com/eksafe/eksafe/test/rig/kube"
)

const shops = "../../examples/shop"

// A report is what these tests read of eksafe audit -o json.
type report struct {
	Sources []struct {
		Kind, Name string
		Coverage   []struct {
			Kind, State, Why string
			Count            int
		}
	}
	Applications []struct {
		Name  string
		Paths []struct {
			Hops []struct {
				From, To   struct{ Kind, Name string }
				Encryption string
			}
		}
	}
	Results []struct {
		Control, Verdict, Why string
		Findings              []struct {
			Subject  struct{ Kind, Namespace, Name string }
			Field    string
			Message  string
			Severity string
		}
	}
}

func audit(t *testing.T, wantCode int, args ...string) report {
	t.Helper()
	var out, errs bytes.Buffer
	code := cli.Run(context.Background(), cli.Process{
		Args: append([]string{"audit", "-o", "json", "--config", "testdata/double.yaml"}, args...), Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
		Getenv: os.Getenv, Now: time.Now,
	})
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil && code != 2 {
		t.Fatalf("eksafe audit %s: %v", strings.Join(args, " "), err)
	}
	if code != wantCode {
		t.Fatalf("eksafe audit %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, wantCode, errs.String(), strings.Join(r.findings(), "\n"))
	}
	return r
}

// findings returns the findings as "control kind/namespace/name field". What a
// template does not name, AWS does: of such resources the kind counts. The
// place of a parameter is the group where only the account shows its default.
func (r report) findings() []string {
	var out []string
	for _, res := range r.Results {
		for _, f := range res.Findings {
			name := f.Subject.Name
			switch f.Subject.Kind {
			case "Bucket", "Key", "Volume", "DBParameterGroup", "SecurityGroup":
				name = "*"
			}
			field := f.Field
			if f.Subject.Kind == "DBParameterGroup" {
				field, _, _ = strings.Cut(field, "[")
			}
			out = append(out, fmt.Sprintf("%s %s/%s/%s %s", res.Control, f.Subject.Kind, f.Subject.Namespace, name, field))
		}
	}
	slices.Sort(out)
	return out
}

// liveOnly are what the files of a shop cannot tell: settings of the account,
// defaults of EKS, what runs on every node, what has been made of the Ingress,
// and a namespace that every cluster has.
var liveOnly = []string{
	"policy-enforced Workload/kube-system/aws-node spec.template.spec.containers[1].args[0]",
	"account-ebs-default EBSDefault//eu-west-1 ebsEncryptionByDefault",
	"app-logs Cluster//shop-prod ",
	"aws-auth-retired Cluster//shop-prod accessConfig.authenticationMode",
	"cluster-admins Cluster//shop-prod accessConfig.authenticationMode",
	"root-safe Account//111122223333 rootMFA",
	"namespace-enforces Namespace//default metadata.labels[pod-security.kubernetes.io/enforce]",
	// That something is nowhere in the account.
	"cloudfront-route53 Ingress/shop/shop spec",
	"policy-enforced Cluster//shop-prod ",
	// The web ACL of the secure shop, which its Ingress names and no template has.
	"waf-blocklist WebACL//shop rules",
	"waf-logs WebACLLogging//5b6c7d8e-9f01-4234-8567-89abcdef0123 logDestinationConfigs",
	"waf-logs WebACLLogging//5b6c7d8e-9f01-4234-8567-89abcdef0123 redactedFields",
}

func (r report) verdicts() map[string]string {
	out := map[string]string{}
	for _, res := range r.Results {
		out[res.Control] = res.Verdict
	}
	return out
}

// live is a shop that runs: its manifests in a real API server, its templates
// in the AWS double.
type live struct {
	kube *kuberig.Server
	aws  *awsrig.Double
}

// networkPlugin is what EKS runs on every node, shortened; whether it enforces
// network policies says the shop's add-on.
const networkPlugin = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: aws-node, namespace: kube-system}
spec:
  selector: {matchLabels: {k8s-app: aws-node}}
  template:
    metadata: {labels: {k8s-app: aws-node}}
    spec:
      hostNetwork: true
      containers:
      - name: aws-node
        image: 602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon-k8s-cni:v1.20.4-eksbuild.1
      - name: aws-eks-nodeagent
        image: 602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon/aws-network-policy-agent:v1.2.4-eksbuild.1
        args: [--enable-network-policy=%t]
        securityContext: {privileged: true}
`

func start(t *testing.T, shop string) live {
	t.Helper()
	l := live{kube: kuberig.Start(t), aws: awsrig.Start(t)}
	l.kube.ApplyDefinitions(t)
	files, err := filepath.Glob(filepath.Join(shops, shop, "k8s", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests of shop %s: %v", shop, err)
	}
	l.kube.ApplyFiles(t, files...)
	l.kube.Apply(t, fmt.Sprintf(networkPlugin, shop == "secure"))
	l.aws.SeedShop(t, awsrig.ShopOptions{Secure: shop == "secure", ClusterEndpoint: l.kube.URL, Front: true})
	l.aws.Setenv(t)
	t.Setenv("KUBECONFIG", l.kube.Admin)
	return l
}

// TestLiveEqualsFiles audits each shop from its files and from the servers it
// was brought to: the findings are the same.
func TestLiveEqualsFiles(t *testing.T) {
	for shop, code := range map[string]int{"insecure": 1, "secure": 0} {
		t.Run(shop, func(t *testing.T) {
			start(t, shop)
			fromFiles := audit(t, code, filepath.Join(shops, shop))
			fromServers := audit(t, code, "--kube", "--aws")
			seen := slices.DeleteFunc(fromServers.findings(), func(f string) bool { return slices.Contains(liveOnly, f) })
			if diff := cmp.Diff(fromFiles.findings(), seen); diff != "" {
				t.Errorf("findings differ (-files +servers):\n%s", diff)
			}
			for _, s := range fromServers.Sources {
				for _, c := range s.Coverage {
					if c.State == "denied" {
						t.Errorf("%s: %s is denied to an administrator: %s", s.Name, c.Kind, c.Why)
					}
				}
			}
			// Together they are one estate, not two: nothing is found twice.
			both := audit(t, code, "--kube", "--aws", filepath.Join(shops, shop, "k8s"))
			if diff := cmp.Diff(fromServers.findings(), both.findings()); diff != "" {
				t.Errorf("the manifests beside the servers change the findings (-servers +both):\n%s", diff)
			}
		})
	}
}

// TestRightsThatAreMissingAreUnknown audits with credentials that may not read
// some kinds: what they decide is unknown, nothing else changes, and no
// control that failed or was unknown becomes a pass.
func TestRightsThatAreMissingAreUnknown(t *testing.T) {
	l := start(t, "secure")
	all := audit(t, 0, "--kube", "--aws").verdicts()

	l.aws.Deny("rds", "DescribeDBInstances")
	l.kube.Apply(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: half}
rules:
- apiGroups: ["", apps, networking.k8s.io, batch]
  resources: [namespaces, services, deployments, statefulsets, daemonsets, pods, replicasets, jobs, cronjobs, configmaps, ingresses, ingressclasses, networkpolicies]
  verbs: [list]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: half}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: half}
subjects: [{kind: User, name: half, apiGroup: rbac.authorization.k8s.io}]
`)
	t.Setenv("KUBECONFIG", l.kube.Kubeconfig(t, "half"))
	some := audit(t, 0, "--kube", "--aws")
	verdicts := some.verdicts()
	for _, control := range []string{"database-storage-encrypted", "database-requires-tls", "database-private", "storageclass-default-encrypted", "storageclass-one-default"} {
		if verdicts[control] != "unknown" {
			t.Errorf("%s is %s, want unknown", control, verdicts[control])
		}
	}
	for control, v := range verdicts {
		if v == "pass" && all[control] != "pass" {
			t.Errorf("%s is %s with all rights and passes with fewer", control, all[control])
		}
		if v == "fail" && all[control] != "fail" {
			t.Errorf("%s fails for want of rights", control)
		}
	}
	denied := map[string]bool{}
	for _, s := range some.Sources {
		for _, c := range s.Coverage {
			if c.State == "denied" {
				denied[c.Kind] = true
				if c.Why == "" {
					t.Errorf("%s is denied without a reason", c.Kind)
				}
			}
		}
	}
	for _, kind := range []string{"DBInstance", "StorageClass"} {
		if !denied[kind] {
			t.Errorf("coverage does not say that %s is denied", kind)
		}
	}
	// With --fail-on-unknown a gate that lost its rights is not green.
	audit(t, 1, "--kube", "--aws", "--fail-on-unknown")
}
