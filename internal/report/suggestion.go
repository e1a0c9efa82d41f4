package report

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/reach"
)

// WritePolicies writes policies as people write them: a document each, with a
// comment above each rule that says who needs it.
func WritePolicies(w io.Writer, policies []reach.PolicySuggestion) error {
	y := &yamlWriter{w: bufio.NewWriter(w)}
	for i := range policies {
		if i > 0 {
			y.line(0, "---")
		}
		y.policy(&policies[i])
	}
	return y.w.Flush()
}

// WriteGroups writes the ingress rules of security groups as CloudFormation has
// them, by logical ID or group ID: what a template's resource, or its
// properties, should be. It is no template itself.
func WriteGroups(w io.Writer, groups []reach.GroupSuggestion) error {
	y := &yamlWriter{w: bufio.NewWriter(w)}
	y.line(0, "# Put each list into the template in place of the one that is there.")
	for i := range groups {
		y.group(&groups[i])
	}
	return y.w.Flush()
}

// A yamlWriter writes lines. Errors stay in w until it is flushed.
type yamlWriter struct{ w *bufio.Writer }

func (y *yamlWriter) line(indent int, format string, args ...any) {
	fmt.Fprintf(y.w, "%*s"+format+"\n", append([]any{indent, ""}, args...)...)
}

func (y *yamlWriter) comment(indent int, text string) {
	// Readers of YAML reject some runes even in a comment.
	y.line(indent, "# %s", strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, clean(plain(text))))
}

// plainScalarRE matches what YAML reads as a string without quotes, but for
// words that it reads as something else.
var plainScalarRE = regexp.MustCompile(`^[A-Za-z_/][A-Za-z0-9_./-]*$`)

var yamlWords = []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}

// scalar writes a string so that YAML reads a string.
func scalar(s string) string {
	if plainScalarRE.MatchString(s) && !slices.Contains(yamlWords, strings.ToLower(s)) {
		return s
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b) // JSON's strings are YAML's
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) //nolint:errchkjson // no string fails
	var out strings.Builder
	for _, r := range strings.TrimSuffix(b.String(), "\n") {
		switch {
		case unicode.IsPrint(r):
			out.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&out, `\U%08x`, r)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String()
}

// A cidr is read as a string by every reader of YAML, an IPv6 one in quotes.
func cidr(s string) string {
	if strings.Contains(s, ":") {
		return scalar(s)
	}
	return s
}

func (y *yamlWriter) policy(p *reach.PolicySuggestion) {
	y.comment(0, p.Why)
	y.line(0, "apiVersion: %s", p.APIVersion)
	y.line(0, "kind: %s", p.Kind)
	y.line(0, "metadata:")
	y.line(2, "name: %s", scalar(p.Name))
	y.line(2, "namespace: %s", scalar(p.Namespace))
	y.line(0, "spec:")
	y.selector(2, "podSelector", &p.Spec.PodSelector)
	var types []string
	for _, t := range p.Spec.PolicyTypes {
		types = append(types, string(t))
	}
	y.line(2, "policyTypes: [%s]", strings.Join(types, ", "))
	if len(p.Spec.Ingress) > 0 {
		y.line(2, "ingress:")
	}
	for i, r := range p.Spec.Ingress {
		y.rule("from", p.IngressWhy[i], r.From, r.Ports)
	}
	if len(p.Spec.Egress) > 0 {
		y.line(2, "egress:")
	}
	for i, r := range p.Spec.Egress {
		y.rule("to", p.EgressWhy[i], r.To, r.Ports)
	}
}

func (y *yamlWriter) rule(side string, why []string, peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort) {
	for _, text := range why {
		y.comment(4, text)
	}
	y.line(4, "- %s:", side)
	for i := range peers {
		p := &peers[i]
		start := len("        ")
		switch {
		case p.IPBlock != nil:
			y.line(start, "- ipBlock:")
			y.line(start+4, "cidr: %s", cidr(p.IPBlock.CIDR))
		case p.NamespaceSelector != nil:
			y.item(start, "namespaceSelector", p.NamespaceSelector)
			if p.PodSelector != nil {
				y.selector(start+2, "podSelector", p.PodSelector)
			}
		case p.PodSelector != nil:
			y.item(start, "podSelector", p.PodSelector)
		}
	}
	y.line(6, "ports:")
	for _, p := range ports {
		y.line(8, "- protocol: %s", *p.Protocol)
		y.line(8, "  port: %d", p.Port.IntVal)
	}
}

// item writes a selector as the first field of a list's item.
func (y *yamlWriter) item(indent int, name string, s *metav1.LabelSelector) {
	y.selector(indent, "- "+name, s)
}

func (y *yamlWriter) selector(indent int, name string, s *metav1.LabelSelector) {
	if len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
		y.line(indent, "%s: {}", name)
		return
	}
	y.line(indent, "%s:", name)
	if strings.HasPrefix(name, "- ") {
		indent += 2
	}
	if len(s.MatchLabels) > 0 {
		y.line(indent+2, "matchLabels:")
		for _, k := range slices.Sorted(maps.Keys(s.MatchLabels)) {
			y.line(indent+4, "%s: %s", scalar(k), scalar(s.MatchLabels[k]))
		}
	}
	if len(s.MatchExpressions) > 0 {
		y.line(indent+2, "matchExpressions:")
	}
	for _, r := range s.MatchExpressions {
		y.line(indent+4, "- key: %s", scalar(r.Key))
		y.line(indent+4, "  operator: %s", scalar(string(r.Operator)))
		if len(r.Values) > 0 {
			var values []string
			for _, v := range r.Values {
				values = append(values, scalar(v))
			}
			y.line(indent+4, "  values: [%s]", strings.Join(values, ", "))
		}
	}
}

func (y *yamlWriter) group(g *reach.GroupSuggestion) {
	if file, line := g.Group.Origin.Locate("securityGroupIngress"); file != "" {
		y.comment(0, fmt.Sprintf("%s:%d: the security group of %s", file, line, strings.Join(g.Of, ", ")))
	} else {
		y.comment(0, "the security group of "+strings.Join(g.Of, ", "))
	}
	y.line(0, "%s:", scalar(groupName(g.Group)))
	list := len(g.Rules) + len(g.Unclear)
	if list == 0 {
		y.line(2, "SecurityGroupIngress: []")
	} else {
		y.line(2, "SecurityGroupIngress:")
	}
	for i := range g.Rules {
		r := &g.Rules[i]
		y.comment(4, g.Reasons[i])
		y.line(4, "- IpProtocol: %s", groupScalar(r.IpProtocol))
		if r.IpProtocol != "-1" {
			y.line(6, "FromPort: %d", r.FromPort)
			y.line(6, "ToPort: %d", r.ToPort)
		}
		switch {
		case r.CidrIp != "":
			y.line(6, "CidrIp: %s", cidr(r.CidrIp))
		case r.CidrIpv6 != "":
			y.line(6, "CidrIpv6: %s", cidr(r.CidrIpv6))
		case r.SourcePrefixListId != "":
			y.line(6, "SourcePrefixListId: %s", scalar(r.SourcePrefixListId))
		default:
			y.source(g, r.SourceSecurityGroupId)
		}
	}
	rules := g.Group.SecurityGroupIngress.Or(nil)
	for _, i := range g.Unclear {
		y.comment(4, fmt.Sprintf("rule %d of the list stays: what it says is not known before it is deployed", i))
	}
	for _, i := range g.Removed {
		y.comment(4, "nobody needs: "+g.Says(&rules[i]))
	}
}

func groupName(sg *estate.SecurityGroup) string {
	return estate.ShortName(cmp.Or(sg.GroupId, sg.Arn))
}

// groupScalar writes the protocol of a rule, which may be a number.
func groupScalar(s string) string {
	if s == "-1" {
		return `"-1"`
	}
	return scalar(s)
}

// source names the group of a peer: a resource of the same template by its
// logical ID, one of another by what passes between templates.
func (y *yamlWriter) source(g *reach.GroupSuggestion, id string) {
	file, logical, template := strings.Cut(strings.TrimPrefix(id, "cfn:"), "#")
	if !template || !strings.HasPrefix(id, "cfn:") {
		y.line(6, "SourceSecurityGroupId: %s", scalar(id))
		return
	}
	if own, _, _ := strings.Cut(strings.TrimPrefix(g.Group.Arn, "cfn:"), "#"); own != file {
		y.comment(6, "it stands in "+file+": import its ID, or make this an AWS::EC2::SecurityGroupIngress there")
	}
	logical, _, _ = strings.Cut(logical, ".") // an attribute: the group that EKS makes for a cluster
	attribute := "GroupId"
	if strings.HasSuffix(id, ".ClusterSecurityGroupId") {
		attribute = "ClusterSecurityGroupId"
	}
	y.line(6, "SourceSecurityGroupId: !GetAtt %s", scalar(logical+"."+attribute))
}
