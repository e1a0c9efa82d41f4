package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/report"
)

// whoCanConfig is what who-can was asked.
type whoCanConfig struct {
	sources
	declaration
	question  []string // VERB and RESOURCE
	admin     bool     // reach-admin
	namespace string
	all       bool
	principal string
	query     access.Query    // of question
	action    string          // of IAM, in place of a query
	resource  string          // of the action, "" for any one
	who       access.Identity // of principal, unless the estate says who that is
	output    string
	out       string
	noColor   bool
}

var whoCanOutputs = []string{"text", "json", "html"}

func (a *app) whoCan() *cobra.Command {
	var c whoCanConfig
	cmd := &cobra.Command{
		Use:   "who-can VERB RESOURCE [-n NAMESPACE | -A] [PATH…]",
		Short: "Who can do it? Principals of AWS and Kubernetes, with the chain of grants, escalation included",
		Long: `Who-can says who has a right on the API server of a cluster or in AWS: by
bindings, access entries and policies, and by what a principal can make itself,
such as a pod that runs as a stronger service account. Each answer has a shortest
chain of steps, and each step what allows it, with file and line.

RESOURCE is RESOURCE[.GROUP][/SUBRESOURCE][/NAME], as kubectl has it, or a path
of the server such as /metrics. Without -n, in whichever namespace. An action of
IAM asks of AWS instead, of one ARN or of any. The PATHs, --kube and --aws are
those of audit.

Exit code: 0 answered, whatever the answer; 2 it could not be done.`,
		Example: `  eksafe who-can get secrets -n prod ./deploy        # who reads the Secrets of prod
  eksafe who-can create pods/exec -A --kube          # who gets into a pod of any namespace
  eksafe who-can secretsmanager:GetSecretValue --aws # who reads secrets of AWS, pods too
  eksafe who-can reach-admin --kube --aws            # who becomes administrator
  eksafe who-can --principal role/deploy --aws       # what one principal can do`,
		Args: func(*cobra.Command, []string) error { return nil },
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.check(cmd, args); err != nil {
				return err
			}
			return a.runWhoCan(cmd.Context(), &c)
		},
	}
	c.addFlags(cmd)
	f := cmd.Flags()
	f.StringVarP(&c.namespace, "namespace", "n", "", "in this `namespace`")
	f.BoolVarP(&c.all, "all-namespaces", "A", false, "in whichever namespace, which is the default")
	f.StringVar(&c.principal, "principal", "", "what this `principal` can do: an ARN, role/NAME, user/NAME, serviceaccount:NAMESPACE/NAME, user:NAME, group:NAME")
	completeFixed(cmd, "namespace")
	completeFixed(cmd, "principal")
	cmd.AddCommand(a.whoCanReachAdmin(), a.newWhoCanSuggest())
	return cmd
}

func (a *app) whoCanReachAdmin() *cobra.Command {
	c := whoCanConfig{admin: true}
	cmd := &cobra.Command{
		Use:   "reach-admin [PATH…]",
		Short: "Who is administrator of the cluster or the account, or can become it",
		Example: `  eksafe who-can reach-admin --kube
  eksafe who-can reach-admin -o json ./deploy`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.check(cmd, args); err != nil {
				return err
			}
			return a.runWhoCan(cmd.Context(), &c)
		},
	}
	c.addFlags(cmd)
	return cmd
}

func (c *whoCanConfig) addFlags(cmd *cobra.Command) {
	c.sources.addFlags(cmd)
	c.declaration.addFlags(cmd)
	f := cmd.Flags()
	f.StringVarP(&c.output, "output", "o", "text", "the `format`: "+strings.Join(whoCanOutputs, ", "))
	f.StringVar(&c.out, "out", "", "write to this `file` instead of stdout")
	f.BoolVar(&c.noColor, "no-color", false, "no colours; NO_COLOR does the same")
	completeFixed(cmd, "output", whoCanOutputs...)
}

// check divides the arguments into the question and the PATHs, and finds what
// contradicts itself.
func (c *whoCanConfig) check(cmd *cobra.Command, args []string) error {
	wrong := func(format string, values ...any) error {
		return &usageError{cmd.CommandPath(), fmt.Errorf(format, values...)}
	}
	if !slices.Contains(whoCanOutputs, c.output) {
		return wrong("unknown output %q: use %s", c.output, strings.Join(whoCanOutputs, ", "))
	}
	switch {
	case c.principal != "" && (c.namespace != "" || c.all):
		return wrong("--principal says what somebody can do in every namespace: leave -n and -A out")
	case c.namespace != "" && c.all:
		return wrong("-n and -A contradict each other")
	case c.principal != "":
		if inAccount(c.principal) {
			break
		}
		who, err := access.ParseIdentity(c.principal)
		if err != nil {
			return wrong("%w", err)
		}
		c.who = who
	case c.admin:
	case len(args) > 0 && iamAction.MatchString(args[0]):
		if c.namespace != "" || c.all {
			return wrong("%s is an action of AWS, which has no namespaces: leave -n and -A out", args[0])
		}
		c.action, c.question, args = args[0], args[:1], args[1:]
		if len(args) > 0 && strings.HasPrefix(args[0], "arn:") {
			c.resource, c.question, args = args[0], append(slices.Clip(c.question), args[0]), args[1:]
		}
	case len(args) < 2:
		return wrong("say what: a verb and a resource, such as get secrets; an action of IAM; reach-admin; or --principal")
	default:
		q, err := access.ParseQuery(args[0], args[1], c.where())
		if err != nil {
			return wrong("%w", err)
		}
		c.query, c.question, args = q, args[:2], args[2:]
	}
	return c.sources.check(cmd, args)
}

// iamAction is how actions of IAM look. The verbs of Kubernetes have no capitals.
var iamAction = regexp.MustCompile(`^[a-z0-9-]+:[A-Z][A-Za-z0-9]*$`)

// inAccount reports whether a principal is named as people name it in their
// account: its ARN, which may not be known yet, is for the estate to say.
func inAccount(principal string) bool {
	return strings.HasPrefix(principal, "role/") || strings.HasPrefix(principal, "user/")
}

// where is the namespace of the query.
func (c *whoCanConfig) where() string {
	if c.namespace == "" {
		return access.Everywhere
	}
	return c.namespace
}

// arguments are those of the command line that ask again.
func (c *whoCanConfig) arguments() []string {
	out := slices.Clone(c.question)
	switch {
	case c.admin:
		out = append(out, "reach-admin")
	case c.principal != "":
		out = append(out, "--principal", c.principal)
	}
	if c.namespace != "" {
		out = append(out, "-n", c.namespace)
	}
	return append(out, c.sources.args()...)
}

func (a *app) runWhoCan(ctx context.Context, c *whoCanConfig) error {
	d, err := a.declared(&c.declaration, c.paths)
	if err != nil {
		return err
	}
	e, err := a.read(ctx, &c.sources)
	if err != nil {
		return err
	}
	if inAccount(c.principal) {
		if c.who, err = principalNamed(e, c.principal); err != nil {
			return err
		}
	}
	bars := a.newProgress()
	t := bars.task("following the rights in " + resources(e))
	answer, err := attended(ctx, func() *report.WhoCan {
		w := c.answer(access.Whole(e), readAWS(e))
		w.GeneratedAt, w.ToolVersion = a.Now(), Version()
		w.Team = access.NewTeams(e, d.Config).Of
		return w
	})
	t.end()
	bars.stop()
	if err != nil {
		return err
	}
	err = a.deliver(c.out, reportMode, func(w io.Writer) error {
		switch c.output {
		case "json":
			return answer.WriteJSON(w)
		case "html":
			return answer.WriteHTML(w)
		}
		return answer.WriteText(w, a.terminal(c.out, c.noColor))
	})
	if err != nil {
		return err
	}
	a.mentionProblems(e)
	return nil
}

// answer asks the graph.
func (c *whoCanConfig) answer(g *access.Graph, aws bool) *report.WhoCan {
	out := &report.WhoCan{Args: c.arguments(), Unread: append(g.Unread(), g.Unfollowed()...)}
	if !aws {
		out.Unread = append(out.Unread, "who of AWS gets into the cluster, and what its pods are in AWS: nothing of AWS was read (add --aws, or templates)")
	}
	switch {
	case c.principal != "":
		s := g.Of(c.who)
		out.Question, out.Standing = "what "+c.who.Label()+" can do", &s
	case c.admin:
		out.Question, out.Holders = "become cluster admin", g.ReachAdmin()
		if aws {
			out.Accounts = append([]access.Holder{}, g.ReachAccounts()...)
		}
	case c.action != "":
		out.Question, out.Holders = c.action+" on "+cmp.Or(c.resource, "anything"), g.WhoCanInAWS(c.action, c.resource)
		out.Assumed = access.Assumptions()
	default:
		if n := c.query.Namespace; n != "" && n != access.Everywhere && !slices.Contains(g.Namespaces(), n) {
			out.Unread = append(out.Unread, "the estate shows nothing in namespace "+n)
		}
		out.Question, out.Query, out.Holders = c.query.String(), &c.query, g.WhoCan(c.query)
	}
	return out
}

// readAWS reports whether anything of AWS was read that says who its principals
// are.
func readAWS(e *estate.Estate) bool {
	return slices.ContainsFunc([]estate.Kind{estate.IAMRoles.Kind, estate.Users.Kind, estate.AccessEntries.Kind}, func(k estate.Kind) bool {
		return e.Coverage(k).State != estate.NotAsked
	})
}
