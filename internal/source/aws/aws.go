// Package aws reads an AWS account into an estate: every AWS kind that the
// estate has, in each region asked for, over the AWS SDK.
//
// It calls nothing but what [Calls] lists, all of it reading, and never reads
// what may be secret: no parameter store, no secrets, no user data, no
// environment. What the credentials may not read, or what a service does not
// answer, is no error. A list that is incomplete makes its kind denied or
// unavailable in the source's coverage; an attribute that could not be read
// stays unknown on its resource and is one problem of the source. Only what
// makes every answer worthless is an error: no credentials, no region, an
// expired session, no network.
package aws

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"golang.org/x/sync/errgroup"

	"github.com/eksafe/eksafe/internal/estate"
)

// Options says what to read.
type Options struct {
	// Profile of the shared configuration; empty for the environment's.
	Profile string
	// Regions to read; none is the region of the environment or profile.
	Regions []string
	// ClusterNames limits clusters, node groups and instances to these EKS
	// clusters.
	ClusterNames []string
	// ClusterEndpoints, the server addresses of a kubeconfig, do the same
	// where a cluster has one of them. A kubeconfig may go through a tunnel:
	// if no cluster has one, all are read and the source says so.
	ClusterEndpoints []string
	// Skip leaves out what takes long; the kinds of the groups are not asked.
	Skip []Group
	// Progress, if set, is told after each part that was read, and within long
	// ones. It is never called twice at once.
	Progress func(done, total int, what string)
	// Config, if set, may change the configuration before the first call.
	Config func(*awssdk.Config)
}

const (
	callTimeout    = 30 * time.Second
	regionsAtOnce  = 4
	callsAtOnce    = 8 // of one part of one region
	callsPerSecond = 10
	callsBurst     = 20
	callsBunch     = 10 // of a service on one beat
	// A bucket takes eight calls, and an account has hundreds. Where S3 finds
	// this too fast, the retries adapt.
	bucketCallsPerSecond = 50
	maxPages             = 10_000 // of one list: a server that never ends is cut off
	globalRegion         = "us-east-1"
	globalRegionChina    = "cn-northwest-1"
)

// Read returns what the credentials may see of the account: one source for
// each region and one for what is global.
func Read(ctx context.Context, o Options) (*estate.Estate, error) {
	s, err := open(ctx, o)
	if err != nil {
		return nil, err
	}
	regional := make([]*reader, len(s.regions))
	for i, name := range s.regions {
		regional[i] = s.reader(name, name, regionalKinds())
	}
	if err := s.readClusters(ctx, regional); err != nil {
		return nil, err
	}
	global := s.reader("global", "", globalKinds())

	var parts []part
	for _, r := range regional {
		parts = append(parts, r.parts()...)
	}
	parts = append(parts, global.globalParts(regional)...)
	if err := s.readParts(ctx, parts); err != nil {
		return nil, err
	}

	out := &estate.Estate{}
	for _, r := range slices.Concat(regional, []*reader{global}) {
		out.Join(r.result())
	}
	return out, nil
}

// A part is one service's share of one source.
type part struct {
	what string
	read func(context.Context)
}

func (s *session) readParts(ctx context.Context, parts []part) error {
	s.total = len(parts)
	var group errgroup.Group
	group.SetLimit(regionsAtOnce * callsAtOnce)
	for _, p := range parts {
		group.Go(func() error {
			if ctx.Err() == nil {
				p.read(ctx)
			}
			s.progress(p.what)
			return nil
		})
	}
	_ = group.Wait() // parts report to their reader
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("reading AWS: %w", err)
	}
	return nil
}

// progress counts a finished part.
func (s *session) progress(what string) {
	if s.options.Progress == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done++
	s.options.Progress(s.done, s.total, what)
}

// note tells how far a part is that takes long.
func (s *session) note(what string) {
	if s.options.Progress == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options.Progress(s.done, s.total, what)
}

// readClusters reads the clusters of all regions and keeps those asked for.
// It comes first: node groups and instances are read for these alone.
func (s *session) readClusters(ctx context.Context, regional []*reader) error {
	var group errgroup.Group
	group.SetLimit(regionsAtOnce)
	for _, r := range regional {
		group.Go(func() error {
			r.readClusters(ctx)
			return nil
		})
	}
	_ = group.Wait() // readers keep their own failures
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("reading AWS: %w", err)
	}

	var all []*estate.Cluster
	complete := true
	for _, r := range regional {
		all = append(all, r.clusters...)
		complete = complete && r.complete(estate.Clusters.Kind)
	}
	wanted, missing := choose(all, s.options.ClusterNames, s.options.ClusterEndpoints)
	for _, r := range regional {
		r.clusters = slices.DeleteFunc(r.clusters, func(c *estate.Cluster) bool { return !slices.Contains(wanted, c) })
		put(r, estate.Clusters, slices.Clone(r.clusters))
	}
	if complete && len(regional) > 0 {
		in := strings.Join(s.regions, ", ")
		for _, m := range missing {
			regional[0].problem(m.what+" in "+in, m.remedy)
		}
	}
	return nil
}

type missing struct{ what, remedy string }

// choose returns the clusters that names or endpoints ask for, all if neither
// is given or if no cluster has one of the endpoints, and what it missed.
func choose(all []*estate.Cluster, names, endpoints []string) ([]*estate.Cluster, []missing) {
	if len(names) == 0 && len(endpoints) == 0 {
		return all, nil
	}
	var out []*estate.Cluster
	var gone []missing
	for _, name := range names {
		found := false
		for _, c := range all {
			if c.Name == name {
				out, found = append(out, c), true
			}
		}
		if !found {
			gone = append(gone, missing{fmt.Sprintf("no EKS cluster is named %q", name), "name its region with --region"})
		}
	}
	byEndpoint := 0
	for _, c := range all {
		if c.Endpoint != "" && slices.ContainsFunc(endpoints, func(e string) bool { return host(e) == host(c.Endpoint) }) {
			out, byEndpoint = append(out, c), byEndpoint+1
		}
	}
	if len(names) == 0 && byEndpoint == 0 {
		return all, []missing{{"no EKS cluster has the kubeconfig's server address: read all", "name the cluster or its region if it should be another"}}
	}
	return out, gone
}

// host reduces a server address to what identifies a cluster.
func host(server string) string {
	h := strings.ToLower(strings.TrimSpace(server))
	h = strings.TrimPrefix(h, "https://")
	h, _, _ = strings.Cut(h, "/")
	return strings.TrimSuffix(h, ":443")
}

// A reader fills one source.
type reader struct {
	session *session
	name    string // of the source: the region, or "global"
	region  string // of the resources
	sdk     *clients
	kinds   []estate.Kind

	clusters []*estate.Cluster // chosen; set before the parts run

	// What several parts need and one of them reads.
	authorization shared[*authorization]
	report        shared[*credentialReport]
	registry      shared[*registry]
	balancers     shared[listed[elbtypes.LoadBalancer]]

	securityGroups shared[listed[*estate.SecurityGroup]]
	routeTables    shared[listed[*estate.RouteTable]]

	mu       sync.Mutex // guards estate, failures and problems
	estate   estate.Estate
	failures map[estate.Kind][]cause
	problems map[estate.Problem]int
}

func (s *session) reader(name, region string, kinds []estate.Kind) *reader {
	return &reader{
		session:  s,
		name:     name,
		region:   region,
		sdk:      s.clients(cmp.Or(region, s.regions[0])),
		kinds:    kinds,
		failures: map[estate.Kind][]cause{},
		problems: map[estate.Problem]int{},
	}
}

// put adds resources in the order of their ARNs.
func put[T any](r *reader, c estate.Collection[T], items []T) {
	slices.SortFunc(items, func(a, b T) int { return c.Ref(a).Compare(c.Ref(b)) })
	for _, item := range items {
		o := c.Origin(item)
		o.Account = r.session.account
		o.Region = cmp.Or(o.Region, r.region)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c.Add(&r.estate, items...)
}

// fail records that the resources of kinds are not all known.
func (r *reader) fail(err error, kinds ...estate.Kind) {
	state, why := explain(err)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, kind := range kinds {
		if c := (cause{state, why}); !slices.Contains(r.failures[kind], c) {
			r.failures[kind] = append(r.failures[kind], c)
		}
	}
}

// A cause is why a kind is not fully known.
type cause struct {
	state estate.State
	why   string
}

// coverage sums causes up: a denial counts more than what may pass by itself,
// and all denied actions are named, so that one change of the policy mends it.
func coverage(kind estate.Kind, causes []cause) estate.Coverage {
	if len(causes) == 0 {
		return estate.Coverage{Kind: kind, State: estate.Read}
	}
	// Parts run side by side: the answer must not depend on who came first.
	causes = slices.Clone(causes)
	slices.SortFunc(causes, func(a, b cause) int {
		return cmp.Or(compareBool(a.state != estate.Denied, b.state != estate.Denied), cmp.Compare(a.why, b.why))
	})
	out := estate.Coverage{Kind: kind, State: causes[0].state, Why: causes[0].why}
	for _, c := range causes[1:] {
		if action, denied := strings.CutPrefix(c.why, notAllowed); denied && strings.HasPrefix(out.Why, notAllowed) {
			out.Why += ", " + action
		}
	}
	return out
}

// blind records that an attribute of a resource stays unknown.
func (r *reader) blind(err error, attribute string) {
	_, why := explain(err)
	r.problem("reading "+attribute+": "+why, "")
}

func (r *reader) problem(what, remedy string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems[estate.Problem{What: what, Remedy: remedy}]++
}

func (r *reader) complete(kind estate.Kind) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failures[kind]) == 0
}

// result returns what was read with the source that says how far.
func (r *reader) result() *estate.Estate {
	source := estate.Source{Kind: estate.AWSSource, Name: "account " + r.session.account + " " + r.name}
	for _, kind := range estate.Kinds() {
		if !slices.Contains(r.kinds, kind.Kind) {
			continue
		}
		if why := r.session.options.skipped(kind.Kind); why != "" {
			source.Coverage = append(source.Coverage, estate.Coverage{Kind: kind.Kind, State: estate.NotAsked, Why: why})
			continue
		}
		c := coverage(kind.Kind, r.failures[kind.Kind])
		c.Count = kind.Len(&r.estate)
		source.Coverage = append(source.Coverage, c)
	}
	for p, n := range r.problems {
		if n > 1 {
			p.What += fmt.Sprintf(" (%d times)", n)
		}
		source.Problems = append(source.Problems, p)
	}
	slices.SortFunc(source.Problems, func(a, b estate.Problem) int { return cmp.Compare(a.What, b.What) })
	r.estate.Sources = []estate.Source{source}
	return &r.estate
}

// arn builds an ARN of the reader's region.
func (r *reader) arn(service, resource string) string {
	return "arn:" + r.session.partition + ":" + service + ":" + r.region + ":" + r.session.account + ":" + resource
}

func globalKinds() []estate.Kind {
	return append(slices.Clone(globalOnly), estate.WebACLs.Kind, estate.WebACLLoggings.Kind, estate.RuleGroups.Kind, estate.IPSets.Kind)
}

// globalOnly are the kinds that no region has.
var globalOnly = []estate.Kind{
	estate.Distributions.Kind, estate.Buckets.Kind, estate.HostedZones.Kind,
	estate.ShieldSubscriptions.Kind, estate.ShieldProtections.Kind, estate.TrustedAdvisors.Kind,
	estate.Accounts.Kind, estate.Users.Kind, estate.Groups.Kind, estate.IAMRoles.Kind, estate.ManagedPolicies.Kind,
	estate.OIDCProviders.Kind, estate.LastAccessed.Kind,
}

func regionalKinds() []estate.Kind {
	var out []estate.Kind
	for _, k := range estate.Kinds() {
		if k.Provider == estate.AWSProvider && !slices.Contains(globalOnly, k.Kind) {
			out = append(out, k.Kind)
		}
	}
	return out
}

var regionName = regexp.MustCompile(`^[a-z]{2}(-[a-z]+){1,3}-[0-9]{1,2}$`)

func (r *reader) parts() []part {
	in := " in " + r.region
	return slices.Concat(r.registryParts(in), []part{
		{"node groups" + in, r.readNodes},
		{"networks" + in, r.readNetworks},
		{"security groups" + in, r.readSecurityGroups},
		{"volumes" + in, r.readVolumes},
		{"load balancers" + in, r.readLoadBalancers},
		{"target groups" + in, r.readTargetGroups},
		{"TLS policies" + in, r.readSSLPolicies},
		{"classic load balancers" + in, r.readClassicLoadBalancers},
		{"certificates" + in, r.readCertificates},
		{"web ACLs" + in, r.readRegionalWebACLs},
		{"databases" + in, r.readDatabases},
		{"database proxies" + in, r.readProxies},
		{"database snapshots" + in, r.readSnapshots},
		{"keys" + in, r.readKeys},
		{"file systems" + in, r.readFileSystems},
		{"caches" + in, r.readCaches},
		{"subnet groups of caches" + in, r.readCacheSubnetGroups},
		{"Kafka clusters" + in, r.readKafka},
		{"OpenSearch domains" + in, r.readOpenSearch},
	}, r.reviewParts())
}

func (r *reader) globalParts(regional []*reader) []part {
	parts := []part{{"buckets", func(ctx context.Context) { r.readBuckets(ctx, regional) }}}
	parts = slices.Concat(parts, r.identityParts(), r.globalReviewParts())
	switch r.session.partition {
	case "aws":
		parts = append(parts,
			part{"CloudFront distributions", r.readDistributions},
			part{"web ACLs of CloudFront", r.readGlobalWebACLs})
	case "aws-cn":
		// CloudFront in China has no AWS WAF of its own scope.
		parts = append(parts, part{"CloudFront distributions", r.readDistributions})
	}
	return parts
}

// A pager is an SDK's paginator.
type pager[O, P any] interface {
	HasMorePages() bool
	NextPage(context.Context, ...func(*P)) (*O, error)
}

// pages calls each with every page.
func pages[O, P any](ctx context.Context, p pager[O, P], each func(*O)) error {
	return pagesUntil(ctx, p, func(page *O) bool {
		each(page)
		return true
	})
}

// pagesUntil does the same until each has enough and returns false.
func pagesUntil[O, P any](ctx context.Context, p pager[O, P], each func(*O) bool) error {
	for n := 0; p.HasMorePages(); n++ {
		if n == maxPages {
			return errEndless
		}
		page, err := p.NextPage(ctx)
		if err != nil {
			return err
		}
		if !each(page) {
			return nil
		}
	}
	return nil
}

// tokens does the same for a call that has no paginator: call gets the token
// of the page and returns the next one's.
func tokens(call func(token *string) (*string, error)) error {
	var token *string
	for range maxPages {
		next, err := call(token)
		if err != nil {
			return err
		}
		if awssdk.ToString(next) == "" || awssdk.ToString(next) == awssdk.ToString(token) {
			return nil
		}
		token = next
	}
	return errEndless
}

// each calls f with every item, a few at once. f writes only to its own item.
func each[T any](ctx context.Context, items []T, f func(context.Context, T)) {
	var group errgroup.Group
	group.SetLimit(callsAtOnce)
	for _, item := range items {
		group.Go(func() error {
			if ctx.Err() == nil {
				f(ctx, item)
			}
			return nil
		})
	}
	_ = group.Wait() // f reports to its reader
}

// opt makes an optional of what the SDK returns: nil is unknown.
func opt[T any](p *T) estate.Optional[T] {
	if p == nil {
		return estate.Optional[T]{}
	}
	return estate.Known(*p)
}

func optInt(p *int32) estate.Optional[int] {
	if p == nil {
		return estate.Optional[int]{}
	}
	return estate.Known(int(*p))
}

// enum makes an optional of an SDK's enumeration: empty is unknown.
func enum[S ~string](s S) estate.Optional[string] {
	if s == "" {
		return estate.Optional[string]{}
	}
	return estate.Known(string(s))
}

func number(p *int32) int { return int(awssdk.ToInt32(p)) }

func text(p *string) string { return awssdk.ToString(p) }

// list returns a sorted copy that is never nil.
func list(in []string) []string {
	out := append([]string{}, in...)
	slices.Sort(out)
	return out
}

// tagMap collects tags; key and value read one.
func tagMap[T any](tags []T, pair func(T) (key, value *string)) map[string]string {
	if len(tags) == 0 {
		return nil
	}
	out := make(map[string]string, len(tags))
	for _, t := range tags {
		k, v := pair(t)
		out[text(k)] = text(v)
	}
	return out
}
