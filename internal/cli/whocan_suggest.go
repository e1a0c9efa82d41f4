package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/feed/cloudtrail"
	"github.com/eksafe/eksafe/internal/feed/kubeaudit"
	"github.com/eksafe/eksafe/internal/report"
)

// A usageConfig is what who-can suggest was asked.
type usageConfig struct {
	sources
	principal  string
	cloudtrail []string
	auditLogs  []string
	output     string
}

func (a *app) newWhoCanSuggest() *cobra.Command {
	var c usageConfig
	cmd := &cobra.Command{
		Use:   "suggest PRINCIPAL [PATH…]",
		Short: "Reduce the policies of somebody to what it uses",
		Long: `Suggest reads what a principal may do and what it did, and shows the policies
that would be left, as a difference, with the reason for what stays and goes. It
changes nothing.

PRINCIPAL is an ARN, user/NAME or role/NAME of the account, or of the cluster
kubernetes-user/NAME or serviceaccount/NAMESPACE/NAME. What an IAM principal
did is told by IAM itself (--aws, or a snapshot) as the services that it used,
and by files of CloudTrail as actions; of a principal of the cluster audit logs
tell.`,
		Example: `  eksafe who-can suggest role/deploy --aws
  eksafe who-can suggest role/deploy prod.eksafe --cloudtrail ./AWSLogs
  eksafe who-can suggest serviceaccount/prod/web --kube --audit-log audit.log`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &usageError{cmd.CommandPath(), errors.New("whose policies? name a PRINCIPAL, such as role/deploy")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if c.output != "text" && c.output != "json" {
				return &usageError{cmd.CommandPath(), fmt.Errorf("unknown output %q: use text or json", c.output)}
			}
			c.principal = args[0]
			if err := c.check(cmd, args[1:]); err != nil {
				return err
			}
			return a.suggest(cmd.Context(), &c)
		},
	}
	c.addFlags(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&c.cloudtrail, "cloudtrail", nil, "a `file` of CloudTrail, plain or gzipped, or a folder of them, repeatable")
	f.StringArrayVar(&c.auditLogs, "audit-log", nil, "a `file` of Kubernetes audit events, one a line, repeatable")
	f.StringVarP(&c.output, "output", "o", "text", "the `format`: text, json")
	completeFixed(cmd, "output", "text", "json")
	return cmd
}

func (a *app) suggest(ctx context.Context, c *usageConfig) error {
	e, err := a.read(ctx, &c.sources)
	if err != nil {
		return err
	}
	who, err := principalNamed(e, c.principal)
	if err != nil {
		return err
	}
	var s *access.Suggestion
	if who.Kind == access.IAMUser || who.Kind == access.IAMRole {
		s, err = a.suggestPolicies(ctx, e, who, c)
	} else {
		s, err = a.suggestRoles(ctx, e, who, c)
	}
	if err != nil {
		return err
	}
	a.mentionProblems(e)
	if c.output == "json" {
		answer := &report.WhoCan{
			GeneratedAt: a.Now(), ToolVersion: Version(), Question: "what of its rights " + called(e, who) + " uses", Of: who, Suggestion: s,
		}
		return a.deliver("", reportMode, answer.WriteJSON)
	}
	_, err = io.WriteString(a.Stdout, safe(suggestionText(called(e, who), s)))
	return err
}

// principalNamed returns whom an argument names.
func principalNamed(e *estate.Estate, arg string) (access.Identity, error) {
	kind, name, _ := strings.Cut(arg, "/")
	switch {
	case kind == "serviceaccount":
		if namespace, name, ok := strings.Cut(name, "/"); ok && namespace != "" && name != "" {
			return access.Identity{Kind: access.ServiceAccount, Namespace: namespace, Name: name}, nil
		}
		return access.Identity{}, fmt.Errorf("serviceaccount/ wants a namespace and a name: serviceaccount/prod/web")
	case kind == "kubernetes-user" && name != "":
		return access.Identity{Kind: access.KubernetesUser, Name: name}, nil
	case strings.HasPrefix(arg, "system:serviceaccount:"):
		parts := strings.Split(arg, ":")
		if len(parts) == 4 {
			return access.Identity{Kind: access.ServiceAccount, Namespace: parts[2], Name: parts[3]}, nil
		}
	}
	if id, err := access.ParseIdentity(arg); err == nil && (id.Kind == access.ServiceAccount || id.Kind == access.KubernetesUser) {
		return id, nil // as --principal has it
	}
	var found []access.Identity
	for _, u := range estate.Users.In(e) {
		if u.Arn == arg || kind == "user" && u.UserName == name {
			found = append(found, access.Identity{Kind: access.IAMUser, Name: u.Arn})
		}
	}
	for _, r := range estate.IAMRoles.In(e) {
		if r.Arn == arg || kind == "role" && r.RoleName == name {
			found = append(found, access.Identity{Kind: access.IAMRole, Name: r.Arn})
		}
	}
	switch slices.SortFunc(found, func(x, y access.Identity) int { return strings.Compare(x.Name, y.Name) }); {
	case len(found) == 0:
		return access.Identity{}, fmt.Errorf("no principal is called %q in what was read: name it as user/NAME, role/NAME, by its ARN, or as serviceaccount/NAMESPACE/NAME or kubernetes-user/NAME; roles and users are read with --aws", arg)
	case found[0].Name != found[len(found)-1].Name:
		return access.Identity{}, fmt.Errorf("%q is in several accounts: name it by its ARN, for example %s", arg, found[0].Name)
	}
	return found[0], nil
}

func (a *app) suggestPolicies(ctx context.Context, e *estate.Estate, who access.Identity, c *usageConfig) (*access.Suggestion, error) {
	if len(c.auditLogs) > 0 {
		return nil, errors.New("--audit-log tells of principals of a cluster; name CloudTrail files with --cloudtrail")
	}
	p, ok := access.NewAWS(e).Principal(who)
	if !ok {
		return nil, fmt.Errorf("%s was not read", who)
	}
	u := &access.Usage{}
	for _, l := range estate.LastAccessed.In(e) {
		if l.PrincipalArn != who.Name {
			continue
		}
		u.Accessed, u.Unknown, u.Since = map[string]time.Time{}, map[string]bool{}, l.Since.Or(time.Time{})
		for _, s := range l.Services {
			if last, known := s.LastAuthenticated.Get(); known {
				u.Accessed[s.Namespace] = last
			} else {
				u.Unknown[s.Namespace] = true
			}
		}
	}
	if err := readTrails(ctx, c.cloudtrail, p, u); err != nil {
		return nil, err
	}
	if u.Accessed == nil && !u.Logs() {
		return nil, fmt.Errorf("nothing tells what %s uses: read it with --aws, which asks IAM for last accessed services, or name files of CloudTrail with --cloudtrail", called(e, who))
	}
	return access.Suggest(p, u), nil
}

// called returns what people call a principal.
func called(e *estate.Estate, who access.Identity) string {
	switch who.Kind {
	case access.IAMUser:
		for _, u := range estate.Users.In(e) {
			if u.Arn == who.Name {
				return "user " + u.UserName
			}
		}
	case access.IAMRole:
		for _, r := range estate.IAMRoles.In(e) {
			if r.Arn == who.Name {
				return "role " + r.RoleName
			}
		}
	}
	return who.String()
}

// readTrails adds what files of CloudTrail show of a principal. A template's has
// no ARN yet: there whoever has its name is it.
func readTrails(ctx context.Context, paths []string, p *access.Principal, u *access.Usage) error {
	is := func(arn string) bool { return arn == p.Ref.ID }
	if !strings.HasPrefix(p.Ref.ID, "arn:") {
		kind := ":role/"
		if p.UserName != "" {
			kind = ":user/"
		}
		is = func(arn string) bool { return strings.Contains(arn, kind) && estate.ShortName(arn) == p.Ref.Name }
	}
	files, err := trailFiles(paths)
	if err != nil {
		return err
	}
	records := 0
	for _, name := range files {
		err := readLog(name, func(r io.Reader) error {
			n, err := cloudtrail.Read(r, func(ev cloudtrail.Event) error {
				if u.From.IsZero() || ev.Time.Before(u.From) {
					u.From = ev.Time
				}
				if ev.Time.After(u.To) {
					u.To = ev.Time
				}
				if !ev.Denied && is(ev.Principal) {
					u.Saw(ev.Service, ev.Name, ev.ID, ev.Time, ev.Data)
				}
				return ctx.Err()
			})
			records += n
			return err
		})
		if err != nil {
			return err
		}
	}
	if len(files) > 0 && records == 0 {
		return fmt.Errorf("%s: no record of CloudTrail in it", paths[0])
	}
	return nil
}

// trailFiles returns the files that paths name, those of folders by their
// names' end.
func trailFiles(paths []string) ([]string, error) {
	var out []string
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", p, cause(err))
		}
		if !info.IsDir() {
			out = append(out, p)
			continue
		}
		before := len(out)
		err = filepath.WalkDir(p, func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && (strings.HasSuffix(name, ".json") || strings.HasSuffix(name, ".json.gz")) {
				out = append(out, name)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", p, cause(err))
		}
		if len(out) == before {
			return nil, fmt.Errorf("%s: no file ends in .json or .json.gz", p)
		}
	}
	return out, nil
}

func readLog(name string, read func(io.Reader) error) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, cause(err))
	}
	defer f.Close()
	if err := read(f); err != nil {
		if errors.Is(err, context.Canceled) {
			return err
		}
		return fmt.Errorf("reading %s: %w", name, err)
	}
	return nil
}

func (a *app) suggestRoles(ctx context.Context, e *estate.Estate, who access.Identity, c *usageConfig) (*access.Suggestion, error) {
	if len(c.auditLogs) == 0 {
		return nil, fmt.Errorf("nothing tells what %s uses: name audit logs of the cluster with --audit-log", who)
	}
	user := who.Name
	if who.Kind == access.ServiceAccount {
		user = who.String()
	}
	calls := map[string]*access.KubernetesCall{}
	var from, to time.Time
	events := 0
	for _, name := range c.auditLogs {
		err := readLog(name, func(r io.Reader) error {
			_, err := kubeaudit.Read(r, func(ev kubeaudit.Event) error {
				events++
				if !ev.Time.IsZero() && (from.IsZero() || ev.Time.Before(from)) {
					from = ev.Time
				}
				if ev.Time.After(to) {
					to = ev.Time
				}
				if asks := asked(ev, user); asks != nil {
					key := strings.Join([]string{asks.Verb, asks.Group, asks.Resource, asks.Namespace, asks.Name, asks.Path}, "\x00")
					if known := calls[key]; known != nil {
						asks.Count += known.Count
						if known.Last.After(asks.Last) {
							asks.Last = known.Last
						}
					}
					calls[key] = asks
				}
				return ctx.Err()
			})
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if events == 0 {
		return nil, fmt.Errorf("%s: no event of Kubernetes' audit log in it", c.auditLogs[0])
	}
	list := make([]*access.KubernetesCall, 0, len(calls))
	for _, call := range calls {
		list = append(list, call)
	}
	return access.SuggestRoles(e, who, list, from, to), nil
}

// asked returns the request if it used the rights of the user; taking somebody's
// place uses the right to do so, and then the other's.
func asked(ev kubeaudit.Event, user string) *access.KubernetesCall {
	if !ev.Allowed {
		return nil
	}
	if ev.Impersonate != "" && ev.User == user {
		call := &access.KubernetesCall{Verb: "impersonate", Resource: "users", Name: ev.Impersonate, Last: ev.Time, Count: 1}
		if parts := strings.Split(ev.Impersonate, ":"); len(parts) == 4 && parts[1] == "serviceaccount" {
			call.Resource, call.Namespace, call.Name = "serviceaccounts", parts[2], parts[3]
		}
		return call
	}
	if ev.Impersonate == "" && ev.User != user || ev.Impersonate != "" && ev.Impersonate != user {
		return nil
	}
	return &access.KubernetesCall{
		Verb: ev.Verb, Group: ev.Group, Resource: ev.Resource, Namespace: ev.Namespace, Name: ev.Name, Path: ev.Path,
		Groups: ev.Groups, Last: ev.Time, Count: 1,
	}
}

func suggestionText(who string, s *access.Suggestion) string {
	var b strings.Builder
	if len(s.Policies) == 0 {
		fmt.Fprintf(&b, "%s has no policy of its own\n", who)
	}
	for i, p := range s.Policies {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s of %s\n\n", p.Name, who)
		switch diff := unified("now", "suggested", p.Before, p.After); {
		case diff == "":
			b.WriteString("all of it is used\n")
		case p.After == "":
			b.WriteString("nothing of it is used: take it away\n")
		default:
			b.WriteString(diff)
		}
		for _, list := range []struct {
			title   string
			reasons []access.Reason
		}{{"stays", p.Kept}, {"goes", p.Dropped}} {
			if len(list.reasons) == 0 {
				continue
			}
			fmt.Fprintf(&b, "\n%s:\n", list.title)
			for _, r := range list.reasons {
				fmt.Fprintf(&b, "  %s: %s\n", r.What, r.Why)
			}
		}
	}
	for i, n := range s.Notes {
		if i == 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	return b.String()
}
