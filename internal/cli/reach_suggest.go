package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"

	"github.com/eksafe/eksafe/internal/feed/vpcflow"
	"github.com/eksafe/eksafe/internal/reach"
	"github.com/eksafe/eksafe/internal/trace"
)

// suggestConfig is what reach suggest was asked.
type suggestConfig struct {
	sources
	declaration
	flows []string
	out   string
}

func (a *app) reachSuggest() *cobra.Command {
	var c suggestConfig
	cmd := &cobra.Command{
		Use:   "suggest [PATH…]",
		Short: "Least-privilege network policies and security-group rules",
		Long: `Suggest writes the policies that let through what workloads need and nothing
else: what the manifests tell them to connect to, the dependencies in
eksafe.yaml, name resolution, and what VPC flow logs saw. Every pod is denied the
rest. The suggestion is held against the engine before it is shown: a need that
would be lost is named with what stops it.

It changes nothing: with --out it writes files, one a namespace, else YAML to
stdout. The policies are meant instead of those that the namespaces have now.`,
		Example: `  eksafe reach suggest ./deploy                          # look at it
  eksafe reach suggest ./deploy --out policies           # one file a namespace
  eksafe reach suggest --kube --aws --flow-logs ./flows  # with what was observed`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.sources.check(cmd, args); err != nil {
				return err
			}
			return a.runReachSuggest(cmd.Context(), &c)
		},
	}
	c.sources.addFlags(cmd)
	c.declaration.addFlags(cmd)
	cmd.Flags().StringArrayVar(&c.flows, "flow-logs", nil, "VPC flow logs: a `file` or folder, plain or gzip; may be given again")
	cmd.Flags().StringVar(&c.out, "out", "", "write one file a namespace into this `folder`")
	return cmd
}

func (a *app) runReachSuggest(ctx context.Context, c *suggestConfig) error {
	d, err := a.declared(&c.declaration, c.paths)
	if err != nil {
		return err
	}
	e, err := a.read(ctx, &c.sources)
	if err != nil {
		return err
	}
	flows := vpcflow.NewSummary()
	for _, path := range c.flows {
		if err := vpcflow.ReadPath(ctx, path, flows.Add); err != nil {
			return err
		}
	}
	s, err := attended(ctx, func() *reach.Suggestion {
		g := trace.New(e)
		var observed []reach.Observation
		for f, count := range flows.All() {
			observed = append(observed, reach.Observation{
				Source: f.Source, Destination: f.Destination, SourcePort: f.SourcePort, DestinationPort: f.DestinationPort, Protocol: f.Protocol, Count: count,
			})
		}
		needs, passed := reach.Of(g).Observe(observed)
		for _, line := range passed {
			fmt.Fprintln(a.Stderr, "eksafe: "+oneLine(line))
		}
		return reach.Suggest(g, d.Config, needs)
	})
	if err != nil {
		return err
	}
	if dropped := flows.Dropped(); dropped > 0 {
		fmt.Fprintf(a.Stderr, "eksafe: %d flow records beyond the %d connections that are kept were left out\n", dropped, vpcflow.MaxConnections)
	}
	if len(s.Policies) == 0 {
		return errors.New("suggesting policies: the estate has no workloads of applications")
	}
	if err := a.writeSuggestion(s, c.out); err != nil {
		return err
	}
	a.mentionSuggestion(s)
	a.mentionProblems(e)
	return nil
}

// writeSuggestion writes one document a policy, and the rules of security
// groups as comments behind them: they stand in a template of the user's.
func (a *app) writeSuggestion(s *reach.Suggestion, dir string) error {
	files := map[string]*bytes.Buffer{}
	var order []string
	for _, p := range s.Policies {
		b := files[p.Namespace]
		if b == nil {
			b = &bytes.Buffer{}
			files[p.Namespace] = b
			order = append(order, p.Namespace)
		} else {
			b.WriteString("---\n")
		}
		if err := writePolicy(b, p); err != nil {
			return err
		}
	}
	groups := groupsText(s)
	if dir == "" {
		return a.deliver("", reportMode, func(w io.Writer) error {
			for i, name := range order {
				if i > 0 {
					io.WriteString(w, "---\n")
				}
				if _, err := files[name].WriteTo(w); err != nil {
					return err
				}
			}
			_, err := io.WriteString(w, groups)
			return err
		})
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("making folder %s: %w", dir, cause(err))
	}
	if groups != "" {
		b := bytes.NewBufferString(groups)
		files["security-groups"], order = b, append(order, "security-groups")
	}
	for _, name := range order {
		// A namespace's name is a DNS label where an API server admitted it; in a
		// file it may be anything, a path too.
		if name != filepath.Base(name) || strings.HasPrefix(name, ".") || name == "" {
			return fmt.Errorf("writing policies of namespace %q: the name is none", name)
		}
		extension := ".yaml"
		if name == "security-groups" {
			extension = ".txt"
		}
		if err := a.deliver(filepath.Join(dir, name+extension), reportMode, func(w io.Writer) error {
			_, err := files[name].WriteTo(w)
			return err
		}); err != nil {
			return err
		}
	}
	fmt.Fprintf(a.Stderr, "eksafe: %s holds policies of %d namespaces\n", dir, len(order))
	return nil
}

// writePolicy writes a policy as people do, without what the API server adds.
func writePolicy(w io.Writer, p *networkingv1.NetworkPolicy) error {
	out, err := yaml.Marshal(struct {
		APIVersion string                         `json:"apiVersion"`
		Kind       string                         `json:"kind"`
		Metadata   map[string]string              `json:"metadata"`
		Spec       networkingv1.NetworkPolicySpec `json:"spec"`
	}{p.APIVersion, p.Kind, map[string]string{"name": p.Name, "namespace": p.Namespace}, p.Spec})
	if err != nil {
		return err
	}
	_, err = w.Write(out)
	return err
}

func groupsText(s *reach.Suggestion) string {
	var b strings.Builder
	for _, g := range s.Groups {
		name := g.Group.GroupId
		if name == "" {
			name = g.Group.GroupName
		}
		fmt.Fprintf(&b, "# security group %s: its ingress rules should be\n", name)
		for i, r := range g.Rules {
			from := r.CidrIp + r.CidrIpv6 + r.SourceSecurityGroupId + r.SourcePrefixListId
			fmt.Fprintf(&b, "#   %s %d-%d from %s  (%s)\n", r.IpProtocol, r.FromPort, r.ToPort, from, g.Reasons[i])
		}
	}
	return b.String()
}

// mentionSuggestion says what the policies do not say themselves.
func (a *app) mentionSuggestion(s *reach.Suggestion) {
	for _, r := range s.Replaced {
		fmt.Fprintf(a.Stderr, "eksafe: %s is replaced: delete it, its rules would add to these\n", r.Name)
	}
	for _, open := range s.Open {
		fmt.Fprintf(a.Stderr, "eksafe: %s\n", oneLine(open))
	}
	for _, lost := range s.Lost {
		why := ""
		if l, ok := lost.Decisive(); ok {
			why = ": " + l.Why
		}
		fmt.Fprintf(a.Stderr, "eksafe: %s → %s %s %d is needed and does not get through%s\n", lost.From, lost.To, lost.Protocol, lost.Port, oneLine(why))
	}
	fmt.Fprintf(a.Stderr, "eksafe: %d needs get through, %d connections that nobody needs are closed\n", len(s.Needs)-len(s.Lost), len(s.Closed))
}
