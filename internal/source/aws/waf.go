package aws

import (
	"cmp"
	"context"
	"strings"
	"sync"

	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/wafv2"
	waftypes "github.com/aws/aws-sdk-go-v2/service/wafv2/types"

	"github.com/eksafe/eksafe/internal/estate"
)

func (r *reader) readRegionalWebACLs(ctx context.Context) {
	acls := r.readWebACLs(ctx, r.sdk.wafv2, waftypes.ScopeRegional)
	r.readAssociations(ctx, acls)
	r.readRuleGroups(ctx, r.sdk.wafv2, waftypes.ScopeRegional)
	r.readIPSets(ctx, r.sdk.wafv2, waftypes.ScopeRegional)
}

func (r *reader) readGlobalWebACLs(ctx context.Context) {
	waf := r.session.clients(globalRegion).wafv2
	r.readWebACLs(ctx, waf, waftypes.ScopeCloudfront)
	r.readRuleGroups(ctx, waf, waftypes.ScopeCloudfront)
	r.readIPSets(ctx, waf, waftypes.ScopeCloudfront)
}

func (r *reader) readWebACLs(ctx context.Context, waf wafv2API, scope waftypes.Scope) []*estate.WebACL {
	var acls []*estate.WebACL
	err := tokens(func(marker *string) (*string, error) {
		out, err := waf.ListWebACLs(ctx, &wafv2.ListWebACLsInput{Scope: scope, NextMarker: marker})
		if err != nil {
			return nil, err
		}
		for _, a := range out.WebACLs {
			acls = append(acls, &estate.WebACL{AWS: estate.AWS{Arn: text(a.ARN)}, Name: text(a.Name), Scope: string(scope), Id: text(a.Id)})
		}
		return out.NextMarker, nil
	})
	if err != nil {
		r.fail(err, estate.WebACLs.Kind)
		if scope == waftypes.ScopeRegional {
			r.fail(err, estate.WebACLAssociations.Kind)
		}
	}
	each(ctx, acls, func(ctx context.Context, a *estate.WebACL) {
		out, err := waf.GetWebACL(ctx, &wafv2.GetWebACLInput{Id: &a.Id, Name: &a.Name, Scope: scope})
		switch {
		case err == nil && out.WebACL != nil:
			a.DefaultAction = enum(member(out.WebACL.DefaultAction))
			a.Managed = estate.Known(out.WebACL.ManagedByFirewallManager)
			if v := out.WebACL.VisibilityConfig; v != nil {
				a.MetricName, a.CloudWatchMetricsEnabled = opt(v.MetricName), estate.Known(v.CloudWatchMetricsEnabled)
			}
			a.Rules = estate.Known(webACLRules(out.WebACL))
		case err != nil && classify(err) != notFound:
			r.fail(err, estate.WebACLs.Kind)
		}
	})
	r.readManagedRules(ctx, waf, scope, acls)
	put(r, estate.WebACLs, acls)

	var loggings []*estate.WebACLLogging
	err = tokens(func(marker *string) (*string, error) {
		out, err := waf.ListLoggingConfigurations(ctx, &wafv2.ListLoggingConfigurationsInput{Scope: scope, NextMarker: marker})
		if err != nil {
			return nil, err
		}
		for _, l := range out.LoggingConfigurations {
			loggings = append(loggings, &estate.WebACLLogging{
				// A logging configuration has no ARN of its own.
				AWS:                   estate.AWS{Arn: text(l.ResourceArn) + "/logging"},
				ResourceArn:           text(l.ResourceArn),
				LogDestinationConfigs: list(l.LogDestinationConfigs),
				RedactedFields:        estate.Known(redactedFields(l.RedactedFields)),
				KeepsBlocked:          keepsBlocked(l.LoggingFilter),
			})
		}
		return out.NextMarker, nil
	})
	if err != nil {
		r.fail(err, estate.WebACLLoggings.Kind)
	}
	put(r, estate.WebACLLoggings, loggings)
	return acls
}

// readManagedRules reads which rules the managed groups of web ACLs have, each
// group once.
func (r *reader) readManagedRules(ctx context.Context, waf wafv2API, scope waftypes.Scope, acls []*estate.WebACL) {
	type group struct{ vendor, name, version string }
	users := map[group][]*estate.ManagedRuleGroupStatement{}
	for _, a := range acls {
		for _, rule := range a.Rules.Or(nil) {
			if s := rule.Statement.ManagedRuleGroupStatement; s != nil {
				g := group{s.VendorName, s.Name, s.Version}
				users[g] = append(users[g], s)
			}
		}
	}
	each(ctx, keys(users), func(ctx context.Context, g group) {
		in := &wafv2.DescribeManagedRuleGroupInput{VendorName: &g.vendor, Name: &g.name, Scope: scope}
		if g.version != "" {
			in.VersionName = &g.version
		}
		out, err := waf.DescribeManagedRuleGroup(ctx, in)
		if err != nil {
			if classify(err) != notFound { // a version may have expired
				r.blind(err, "rules of managed rule groups")
			}
			return
		}
		names := []string{}
		for _, rule := range out.Rules {
			names = append(names, text(rule.Name))
		}
		for _, s := range users[g] {
			s.Rules = estate.Known(list(names))
		}
	})
}

func (r *reader) readRuleGroups(ctx context.Context, waf wafv2API, scope waftypes.Scope) {
	var groups []*estate.RuleGroup
	err := tokens(func(marker *string) (*string, error) {
		out, err := waf.ListRuleGroups(ctx, &wafv2.ListRuleGroupsInput{Scope: scope, NextMarker: marker})
		if err != nil {
			return nil, err
		}
		for _, g := range out.RuleGroups {
			groups = append(groups, &estate.RuleGroup{AWS: estate.AWS{Arn: text(g.ARN)}, Name: text(g.Name), Scope: string(scope), Id: text(g.Id)})
		}
		return out.NextMarker, nil
	})
	if err != nil {
		r.fail(err, estate.RuleGroups.Kind)
	}
	each(ctx, groups, func(ctx context.Context, g *estate.RuleGroup) {
		out, err := waf.GetRuleGroup(ctx, &wafv2.GetRuleGroupInput{Id: &g.Id, Name: &g.Name, Scope: scope})
		switch {
		case err == nil && out.RuleGroup != nil:
			g.Rules = estate.Known(rules(out.RuleGroup.Rules))
		case err != nil && classify(err) != notFound:
			r.fail(err, estate.RuleGroups.Kind)
		}
	})
	put(r, estate.RuleGroups, groups)
}

func (r *reader) readIPSets(ctx context.Context, waf wafv2API, scope waftypes.Scope) {
	var sets []*estate.IPSet
	err := tokens(func(marker *string) (*string, error) {
		out, err := waf.ListIPSets(ctx, &wafv2.ListIPSetsInput{Scope: scope, NextMarker: marker})
		if err != nil {
			return nil, err
		}
		for _, s := range out.IPSets {
			sets = append(sets, &estate.IPSet{AWS: estate.AWS{Arn: text(s.ARN)}, Name: text(s.Name), Scope: string(scope), Id: text(s.Id)})
		}
		return out.NextMarker, nil
	})
	if err != nil {
		r.fail(err, estate.IPSets.Kind)
	}
	each(ctx, sets, func(ctx context.Context, s *estate.IPSet) {
		out, err := waf.GetIPSet(ctx, &wafv2.GetIPSetInput{Id: &s.Id, Name: &s.Name, Scope: scope})
		switch {
		case err == nil && out.IPSet != nil:
			s.IPAddressVersion = string(out.IPSet.IPAddressVersion)
			s.Addresses = estate.Known(list(out.IPSet.Addresses))
		case err != nil && classify(err) != notFound:
			r.fail(err, estate.IPSets.Kind)
		}
	})
	put(r, estate.IPSets, sets)
}

// readAssociations reads which load balancers a web ACL protects. CloudFront
// names its web ACL itself.
func (r *reader) readAssociations(ctx context.Context, acls []*estate.WebACL) {
	var mu sync.Mutex // guards associations and failure
	var associations []*estate.WebACLAssociation
	var failure error
	add := func(acl, resource string) {
		mu.Lock()
		defer mu.Unlock()
		associations = append(associations, association(acl, resource))
	}
	each(ctx, acls, func(ctx context.Context, a *estate.WebACL) {
		out, err := r.sdk.wafv2.ListResourcesForWebACL(ctx, &wafv2.ListResourcesForWebACLInput{
			WebACLArn: &a.Arn, ResourceType: waftypes.ResourceTypeApplicationLoadBalancer,
		})
		switch {
		case err == nil:
			for _, resource := range out.ResourceArns {
				add(a.Arn, resource)
			}
		case classify(err) != notFound:
			mu.Lock()
			defer mu.Unlock()
			failure = err
		}
	})
	if failure != nil {
		// The other way round: ask every load balancer for its web ACL.
		associations = nil
		if err := r.associationsByResource(ctx, add); err != nil {
			r.fail(failure, estate.WebACLAssociations.Kind)
		}
	}
	put(r, estate.WebACLAssociations, associations)
}

func (r *reader) associationsByResource(ctx context.Context, add func(acl, resource string)) error {
	all := r.listLoadBalancers(ctx)
	if all.err != nil {
		return all.err
	}
	var arns []string
	for _, b := range all.items {
		if b.Type == elbtypes.LoadBalancerTypeEnumApplication {
			arns = append(arns, text(b.LoadBalancerArn))
		}
	}
	var mu sync.Mutex // guards failure
	var failure error
	each(ctx, arns, func(ctx context.Context, arn string) {
		out, err := r.sdk.wafv2.GetWebACLForResource(ctx, &wafv2.GetWebACLForResourceInput{ResourceArn: &arn})
		switch {
		case err == nil:
			if out.WebACL != nil {
				add(text(out.WebACL.ARN), arn)
			}
		case classify(err) != notFound:
			mu.Lock()
			defer mu.Unlock()
			failure = err
		}
	})
	return failure
}

func association(acl, resource string) *estate.WebACLAssociation {
	// An association has no ARN of its own.
	_, name, _ := strings.Cut(resource, ":loadbalancer/")
	return &estate.WebACLAssociation{
		AWS:         estate.AWS{Arn: acl + "/association/" + cmp.Or(name, resource)},
		ResourceArn: resource,
		WebACLArn:   acl,
	}
}
