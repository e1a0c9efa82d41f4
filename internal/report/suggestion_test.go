package report

import (
	"bytes"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/reach"
)

// policyOf is a policy that uses everything that is written, with text wherever
// an estate's author chooses it.
func policyOf(text string) reach.PolicySuggestion {
	tcp, port := corev1.ProtocolTCP, intstr.FromInt32(5432)
	ports := []networkingv1.NetworkPolicyPort{{Protocol: &tcp, Port: &port}}
	selector := &metav1.LabelSelector{
		MatchLabels: map[string]string{"app": text, "key" + text: "web"},
		MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: text, Operator: metav1.LabelSelectorOpDoesNotExist}, {Key: "track", Operator: metav1.LabelSelectorOpNotIn, Values: []string{text, "canary"}},
		},
	}
	p := reach.PolicySuggestion{NetworkPolicy: &networkingv1.NetworkPolicy{}, Why: text, IngressWhy: [][]string{{text}, nil}, EgressWhy: [][]string{{text, "two"}}}
	p.APIVersion, p.Kind, p.Namespace, p.Name = "networking.k8s.io/v1", "NetworkPolicy", text, text
	p.Spec = networkingv1.NetworkPolicySpec{
		PodSelector: *selector, PolicyTypes: []networkingv1.PolicyType{"Ingress", "Egress"},
		Ingress: []networkingv1.NetworkPolicyIngressRule{
			{From: []networkingv1.NetworkPolicyPeer{{PodSelector: selector}, {NamespaceSelector: selector, PodSelector: selector}}, Ports: ports},
			{From: []networkingv1.NetworkPolicyPeer{{NamespaceSelector: selector}}, Ports: ports},
		},
		Egress: []networkingv1.NetworkPolicyEgressRule{
			{To: []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "10.0.0.0/28"}}, {IPBlock: &networkingv1.IPBlock{CIDR: "::/0"}}}, Ports: ports},
		},
	}
	return p
}

// readBack demands that a reader of YAML reads what was written.
func readBack(t *testing.T, text string) {
	t.Helper()
	want := policyOf(text)
	var b bytes.Buffer
	if err := WritePolicies(&b, []reach.PolicySuggestion{want}); err != nil {
		t.Fatal(err)
	}
	var got networkingv1.NetworkPolicy
	if err := yaml.UnmarshalStrict(b.Bytes(), &got); err != nil {
		t.Fatalf("%q: %v in\n%s", text, err, b.String())
	}
	if got.Name != text || got.Namespace != text || got.Spec.String() != want.Spec.String() {
		t.Errorf("%q: read back as %v, want %v, from\n%s", text, got.Spec, want.Spec, b.String())
	}
}

var hostileTexts = []string{
	"web", "true", "No", "~", "1.10", "0x1f", "2026-11-26", "a: b", "- a", "a\nevil: true", "a\u2028evil: true", "#", "a # b", `"`, "'", "{}", "*x", "!tag", "app.kubernetes.io/name", "Ü", "\x7f",
}

func TestWritePolicies(t *testing.T) {
	for _, text := range hostileTexts {
		readBack(t, text)
	}
}

func FuzzWritePolicies(f *testing.F) {
	for _, text := range hostileTexts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		// Names are UTF-8, as JSON and YAML carry nothing else.
		readBack(t, strings.ToValidUTF8(text, ""))
	})
}

func TestWriteGroups(t *testing.T) {
	g := reach.GroupSuggestion{
		Group: &estate.SecurityGroup{
			AWS: estate.AWS{Arn: "cfn:data.yaml#Doors"},
			SecurityGroupIngress: estate.Known([]estate.SecurityGroupRule{
				{IpProtocol: "-1", FromPort: -1, ToPort: -1, CidrIp: "0.0.0.0/0"}, {Unresolved: true},
			}),
		},
		Of: []string{"orders\nevil: true"}, Removed: []int{0}, Unclear: []int{1},
		Rules: []estate.SecurityGroupRule{
			{IpProtocol: "tcp", FromPort: 5432, ToPort: 5432, SourceSecurityGroupId: "cfn:data.yaml#Nodes"},
			{IpProtocol: "tcp", FromPort: 5432, ToPort: 5432, SourceSecurityGroupId: "cfn:cluster.yaml#Cluster.ClusterSecurityGroupId"},
			{IpProtocol: "tcp", FromPort: 5432, ToPort: 5432, SourceSecurityGroupId: "sg-1"},
			{IpProtocol: "17", FromPort: 53, ToPort: 53, CidrIpv6: "2001:db8::/32"},
			{IpProtocol: "-1", FromPort: -1, ToPort: -1, SourcePrefixListId: "pl-1"},
		},
		Reasons: []string{"one", "two", "three", "four", "five"},
	}
	var b bytes.Buffer
	if err := WriteGroups(&b, []reach.GroupSuggestion{g}); err != nil {
		t.Fatal(err)
	}
	const want = `# Put each list into the template in place of the one that is there.
# the security group of orders evil: true
Doors:
  SecurityGroupIngress:
    # one
    - IpProtocol: tcp
      FromPort: 5432
      ToPort: 5432
      SourceSecurityGroupId: !GetAtt Nodes.GroupId
    # two
    - IpProtocol: tcp
      FromPort: 5432
      ToPort: 5432
      # it stands in cluster.yaml: import its ID, or make this an AWS::EC2::SecurityGroupIngress there
      SourceSecurityGroupId: !GetAtt Cluster.ClusterSecurityGroupId
    # three
    - IpProtocol: tcp
      FromPort: 5432
      ToPort: 5432
      SourceSecurityGroupId: sg-1
    # four
    - IpProtocol: "17"
      FromPort: 53
      ToPort: 53
      CidrIpv6: "2001:db8::/32"
    # five
    - IpProtocol: "-1"
      SourcePrefixListId: pl-1
    # rule 1 of the list stays: what it says is not known before it is deployed
    # nobody needs: every port from 0.0.0.0/0
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
