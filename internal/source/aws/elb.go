package aws

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	classic "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	classictypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/eksafe/eksafe/internal/estate"
)

// tagsAtOnce is how many resources one DescribeTags call takes.
const tagsAtOnce = 20

// A listed is what a list gave that several parts need, and how it ended.
type listed[T any] struct {
	items []T
	err   error
}

// listLoadBalancers lists the load balancers of the second generation.
func (r *reader) listLoadBalancers(ctx context.Context) listed[elbtypes.LoadBalancer] {
	return r.balancers.get(func() (out listed[elbtypes.LoadBalancer]) {
		out.err = pages(ctx, elb.NewDescribeLoadBalancersPaginator(r.sdk.elasticloadbalancingv2, &elb.DescribeLoadBalancersInput{}), func(p *elb.DescribeLoadBalancersOutput) {
			out.items = append(out.items, p.LoadBalancers...)
		})
		return out
	})
}

func (r *reader) readLoadBalancers(ctx context.Context) {
	all := r.listLoadBalancers(ctx)
	var balancers []*estate.LoadBalancer
	for i := range all.items {
		balancers = append(balancers, loadBalancer(&all.items[i]))
	}
	if err := all.err; err != nil {
		r.fail(err, estate.LoadBalancers.Kind, estate.Listeners.Kind, estate.ListenerRules.Kind)
	}

	var mu sync.Mutex // guards listeners and rules
	var listeners []*estate.Listener
	var rules []*estate.ListenerRule
	each(ctx, balancers, func(ctx context.Context, b *estate.LoadBalancer) {
		out, err := r.sdk.elasticloadbalancingv2.DescribeLoadBalancerAttributes(ctx, &elb.DescribeLoadBalancerAttributesInput{LoadBalancerArn: &b.Arn})
		switch {
		case err == nil:
			attributes := []estate.Attribute{}
			for _, a := range out.Attributes {
				attributes = append(attributes, estate.Attribute{Key: text(a.Key), Value: text(a.Value)})
			}
			b.LoadBalancerAttributes = estate.Known(sortedAttributes(attributes))
		case classify(err) != notFound:
			r.blind(err, "attributes of load balancers")
		}
		ls, rs := r.readListeners(ctx, b)
		mu.Lock()
		defer mu.Unlock()
		listeners, rules = append(listeners, ls...), append(rules, rs...)
	})

	r.readTags(ctx, estate.LoadBalancers.Kind, tagged(balancers, func(b *estate.LoadBalancer) *estate.AWS { return &b.AWS }))
	r.readTags(ctx, estate.Listeners.Kind, tagged(listeners, func(l *estate.Listener) *estate.AWS { return &l.AWS }))
	r.readTags(ctx, estate.ListenerRules.Kind, tagged(rules, func(l *estate.ListenerRule) *estate.AWS { return &l.AWS }))
	put(r, estate.LoadBalancers, balancers)
	put(r, estate.Listeners, listeners)
	put(r, estate.ListenerRules, rules)
}

func loadBalancer(b *elbtypes.LoadBalancer) *estate.LoadBalancer {
	out := &estate.LoadBalancer{
		AWS:            estate.AWS{Arn: text(b.LoadBalancerArn)},
		Name:           text(b.LoadBalancerName),
		Type:           enum(b.Type),
		Scheme:         enum(b.Scheme),
		DNSName:        text(b.DNSName),
		SecurityGroups: list(b.SecurityGroups),
		VpcId:          text(b.VpcId),
		IpAddressType:  enum(b.IpAddressType),
	}
	for _, z := range b.AvailabilityZones {
		if z.SubnetId != nil {
			out.Subnets = append(out.Subnets, *z.SubnetId)
		}
	}
	slices.Sort(out.Subnets)
	return out
}

func (r *reader) readListeners(ctx context.Context, b *estate.LoadBalancer) ([]*estate.Listener, []*estate.ListenerRule) {
	var listeners []*estate.Listener
	var rules []*estate.ListenerRule
	err := pages(ctx, elb.NewDescribeListenersPaginator(r.sdk.elasticloadbalancingv2, &elb.DescribeListenersInput{LoadBalancerArn: &b.Arn}), func(p *elb.DescribeListenersOutput) {
		for i := range p.Listeners {
			listeners = append(listeners, listener(&p.Listeners[i], b.Arn))
		}
	})
	if err != nil && classify(err) != notFound {
		r.fail(err, estate.Listeners.Kind, estate.ListenerRules.Kind)
	}
	for _, l := range listeners {
		r.completeListener(ctx, l)
		if b.Type.Or("application") != string(elbtypes.LoadBalancerTypeEnumApplication) {
			continue // only these have rules
		}
		err := pages(ctx, elb.NewDescribeRulesPaginator(r.sdk.elasticloadbalancingv2, &elb.DescribeRulesInput{ListenerArn: &l.Arn}), func(p *elb.DescribeRulesOutput) {
			for i := range p.Rules {
				if !awssdk.ToBool(p.Rules[i].IsDefault) {
					rules = append(rules, listenerRule(&p.Rules[i], l.Arn))
				}
			}
		})
		if err != nil && classify(err) != notFound {
			r.fail(err, estate.ListenerRules.Kind)
		}
	}
	return listeners, rules
}

// completeListener reads what DescribeListeners does not tell: further
// certificates and attributes.
func (r *reader) completeListener(ctx context.Context, l *estate.Listener) {
	if speaksTLS(l) {
		certificates := l.Certificates.Or(nil)
		err := pages(ctx, elb.NewDescribeListenerCertificatesPaginator(r.sdk.elasticloadbalancingv2, &elb.DescribeListenerCertificatesInput{ListenerArn: &l.Arn}), func(p *elb.DescribeListenerCertificatesOutput) {
			var more []string
			for _, c := range p.Certificates {
				if !slices.Contains(certificates, text(c.CertificateArn)) {
					more = append(more, text(c.CertificateArn))
				}
			}
			certificates = append(certificates, list(more)...)
		})
		l.Certificates = estate.Known(certificates)
		if err != nil && classify(err) != notFound {
			l.Certificates = estate.Optional[[]string]{}
			r.blind(err, "certificates of listeners")
		}
	}
	out, err := r.sdk.elasticloadbalancingv2.DescribeListenerAttributes(ctx, &elb.DescribeListenerAttributesInput{ListenerArn: &l.Arn})
	switch {
	case err == nil:
		attributes := []estate.Attribute{}
		for _, a := range out.Attributes {
			attributes = append(attributes, estate.Attribute{Key: text(a.Key), Value: text(a.Value)})
		}
		l.ListenerAttributes = estate.Known(sortedAttributes(attributes))
	case classify(err) != notFound:
		r.blind(err, "attributes of listeners")
	}
}

// speaksTLS reports whether a listener has certificates and a TLS policy.
func speaksTLS(l *estate.Listener) bool {
	p := l.Protocol.Or("")
	return p == "HTTPS" || p == "TLS"
}

func listener(l *elbtypes.Listener, balancer string) *estate.Listener {
	out := &estate.Listener{
		AWS:             estate.AWS{Arn: text(l.ListenerArn)},
		LoadBalancerArn: cmp.Or(text(l.LoadBalancerArn), balancer),
		Protocol:        enum(l.Protocol),
		Port:            optInt(l.Port),
		DefaultActions:  actions(l.DefaultActions),
	}
	if speaksTLS(out) {
		out.SslPolicy = opt(l.SslPolicy)
	}
	certificates := []string{}
	for _, c := range l.Certificates {
		certificates = append(certificates, text(c.CertificateArn))
	}
	out.Certificates = estate.Known(certificates)
	return out
}

func listenerRule(rule *elbtypes.Rule, listener string) *estate.ListenerRule {
	out := &estate.ListenerRule{
		AWS:         estate.AWS{Arn: text(rule.RuleArn)},
		ListenerArn: listener,
		Actions:     actions(rule.Actions),
	}
	if n, err := strconv.Atoi(text(rule.Priority)); err == nil {
		out.Priority = estate.Known(n)
	}
	for _, c := range rule.Conditions {
		out.Conditions = append(out.Conditions, estate.RuleCondition{
			Field: text(c.Field), Values: conditionValues(&c),
			AnyValue: c.HttpHeaderConfig != nil && slices.Contains(c.HttpHeaderConfig.Values, "*"),
		})
	}
	slices.SortFunc(out.Conditions, func(a, b estate.RuleCondition) int {
		return cmp.Or(cmp.Compare(a.Field, b.Field), slices.Compare(a.Values, b.Values))
	})
	return out
}

func conditionValues(c *elbtypes.RuleCondition) []string {
	values := append(slices.Clone(c.Values), c.RegexValues...)
	if h := c.HostHeaderConfig; h != nil {
		values = append(append(values, h.Values...), h.RegexValues...)
	}
	if p := c.PathPatternConfig; p != nil {
		values = append(append(values, p.Values...), p.RegexValues...)
	}
	if s := c.SourceIpConfig; s != nil {
		values = append(values, s.Values...)
	}
	if m := c.HttpRequestMethodConfig; m != nil {
		values = append(values, m.Values...)
	}
	// A header that a CDN proves itself by is a secret: its name is enough.
	if h := c.HttpHeaderConfig; h != nil {
		values = []string{text(h.HttpHeaderName)}
	}
	if q := c.QueryStringConfig; q != nil {
		values = nil
		for _, v := range q.Values {
			values = append(values, text(v.Key))
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// actions keeps what decides where data goes. Of authentication it keeps the
// type alone: the answer may name clients and endpoints.
func actions(in []elbtypes.Action) []estate.Action {
	in = slices.Clone(in)
	slices.SortStableFunc(in, func(a, b elbtypes.Action) int { return cmp.Compare(number(a.Order), number(b.Order)) })
	var out []estate.Action
	for _, a := range in {
		action := estate.Action{Type: string(a.Type), TargetGroupArn: text(a.TargetGroupArn)}
		if f := a.ForwardConfig; f != nil {
			action.ForwardConfig = &estate.ForwardConfig{}
			for _, t := range f.TargetGroups {
				action.ForwardConfig.TargetGroups = append(action.ForwardConfig.TargetGroups,
					estate.TargetGroupTuple{TargetGroupArn: text(t.TargetGroupArn), Weight: number(t.Weight)})
			}
			slices.SortFunc(action.ForwardConfig.TargetGroups, func(a, b estate.TargetGroupTuple) int {
				return cmp.Or(cmp.Compare(a.TargetGroupArn, b.TargetGroupArn), cmp.Compare(a.Weight, b.Weight))
			})
		}
		if t := a.RedirectConfig; t != nil {
			action.RedirectConfig = &estate.RedirectConfig{Protocol: text(t.Protocol), Port: text(t.Port), StatusCode: string(t.StatusCode)}
		}
		out = append(out, action)
	}
	return out
}

func (r *reader) readTargetGroups(ctx context.Context) {
	var groups []*estate.TargetGroup
	err := pages(ctx, elb.NewDescribeTargetGroupsPaginator(r.sdk.elasticloadbalancingv2, &elb.DescribeTargetGroupsInput{}), func(p *elb.DescribeTargetGroupsOutput) {
		for _, g := range p.TargetGroups {
			groups = append(groups, &estate.TargetGroup{
				AWS:                 estate.AWS{Arn: text(g.TargetGroupArn)},
				Name:                text(g.TargetGroupName),
				Protocol:            enum(g.Protocol),
				Port:                optInt(g.Port),
				ProtocolVersion:     opt(g.ProtocolVersion),
				TargetType:          enum(g.TargetType),
				HealthCheckProtocol: enum(g.HealthCheckProtocol),
				VpcId:               text(g.VpcId),
			})
		}
	})
	if err != nil {
		r.fail(err, estate.TargetGroups.Kind)
	}
	each(ctx, groups, func(ctx context.Context, g *estate.TargetGroup) {
		out, err := r.sdk.elasticloadbalancingv2.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &g.Arn})
		if err != nil {
			if classify(err) != notFound {
				r.blind(err, "targets of target groups")
			}
			return
		}
		targets := []estate.Target{}
		for _, d := range out.TargetHealthDescriptions {
			if d.Target != nil {
				targets = append(targets, estate.Target{Id: text(d.Target.Id), Port: number(d.Target.Port)})
			}
		}
		slices.SortFunc(targets, func(a, b estate.Target) int { return cmp.Or(cmp.Compare(a.Id, b.Id), cmp.Compare(a.Port, b.Port)) })
		g.Targets = estate.Known(targets)
	})
	r.readTags(ctx, estate.TargetGroups.Kind, tagged(groups, func(g *estate.TargetGroup) *estate.AWS { return &g.AWS }))
	put(r, estate.TargetGroups, groups)
}

// tagged collects the common part of resources.
func tagged[T any](items []T, aws func(T) *estate.AWS) []*estate.AWS {
	var out []*estate.AWS
	for _, item := range items {
		out = append(out, aws(item))
	}
	slices.SortFunc(out, func(a, b *estate.AWS) int { return cmp.Compare(a.Arn, b.Arn) })
	return out
}

// readTags fills the tags of resources. The load balancer controller's tags
// join a load balancer to its Ingress: without them a kind is not known.
func (r *reader) readTags(ctx context.Context, kind estate.Kind, resources []*estate.AWS) {
	each(ctx, slices.Collect(slices.Chunk(resources, tagsAtOnce)), func(ctx context.Context, chunk []*estate.AWS) {
		byArn := map[string]*estate.AWS{}
		for _, a := range chunk {
			byArn[a.Arn] = a
		}
		out, err := r.sdk.elasticloadbalancingv2.DescribeTags(ctx, &elb.DescribeTagsInput{ResourceArns: list(slices.Collect(maps.Keys(byArn)))})
		if err != nil {
			r.fail(err, kind)
			return
		}
		for _, d := range out.TagDescriptions {
			if a := byArn[text(d.ResourceArn)]; a != nil {
				a.Tags = tagMap(d.Tags, func(t elbtypes.Tag) (*string, *string) { return t.Key, t.Value })
			}
		}
	})
}

func (r *reader) readSSLPolicies(ctx context.Context) {
	var policies []*estate.SSLPolicy
	err := tokens(func(marker *string) (*string, error) {
		out, err := r.sdk.elasticloadbalancingv2.DescribeSSLPolicies(ctx, &elb.DescribeSSLPoliciesInput{Marker: marker})
		if err != nil {
			return nil, err
		}
		for _, p := range out.SslPolicies {
			policy := &estate.SSLPolicy{
				AWS:          estate.AWS{Arn: r.arn("elasticloadbalancing", "sslpolicy/"+text(p.Name))},
				Name:         text(p.Name),
				SslProtocols: list(p.SslProtocols),
			}
			ciphers := slices.Clone(p.Ciphers)
			slices.SortStableFunc(ciphers, func(a, b elbtypes.Cipher) int { return cmp.Compare(number(a.Priority), number(b.Priority)) })
			for _, c := range ciphers {
				policy.Ciphers = append(policy.Ciphers, text(c.Name))
			}
			policies = append(policies, policy)
		}
		return out.NextMarker, nil
	})
	if err != nil {
		r.fail(err, estate.SSLPolicies.Kind)
	}
	put(r, estate.SSLPolicies, policies)
}

func (r *reader) readClassicLoadBalancers(ctx context.Context) {
	var balancers []*estate.ClassicLoadBalancer
	err := pages(ctx, classic.NewDescribeLoadBalancersPaginator(r.sdk.elasticloadbalancing, &classic.DescribeLoadBalancersInput{}), func(p *classic.DescribeLoadBalancersOutput) {
		for i := range p.LoadBalancerDescriptions {
			balancers = append(balancers, r.classicLoadBalancer(&p.LoadBalancerDescriptions[i]))
		}
	})
	if err != nil {
		r.fail(err, estate.ClassicLoadBalancers.Kind)
	}
	each(ctx, balancers, func(ctx context.Context, b *estate.ClassicLoadBalancer) {
		out, err := r.sdk.elasticloadbalancing.DescribeLoadBalancerPolicies(ctx, &classic.DescribeLoadBalancerPoliciesInput{LoadBalancerName: &b.LoadBalancerName})
		if err != nil {
			if classify(err) != notFound {
				r.fail(err, estate.ClassicLoadBalancers.Kind)
			}
			return
		}
		for _, p := range out.PolicyDescriptions {
			policy := estate.ClassicPolicy{PolicyName: text(p.PolicyName), PolicyType: text(p.PolicyTypeName)}
			for _, a := range p.PolicyAttributeDescriptions {
				policy.Attributes = append(policy.Attributes, estate.Attribute{Key: text(a.AttributeName), Value: text(a.AttributeValue)})
			}
			sortedAttributes(policy.Attributes)
			b.Policies = append(b.Policies, policy)
		}
		slices.SortFunc(b.Policies, func(a, b estate.ClassicPolicy) int { return cmp.Compare(a.PolicyName, b.PolicyName) })
	})

	byName := map[string]*estate.ClassicLoadBalancer{}
	for _, b := range balancers {
		byName[b.LoadBalancerName] = b
	}
	names := list(slices.Collect(maps.Keys(byName)))
	each(ctx, slices.Collect(slices.Chunk(names, tagsAtOnce)), func(ctx context.Context, chunk []string) {
		out, err := r.sdk.elasticloadbalancing.DescribeTags(ctx, &classic.DescribeTagsInput{LoadBalancerNames: chunk})
		if err != nil {
			r.fail(err, estate.ClassicLoadBalancers.Kind)
			return
		}
		for _, d := range out.TagDescriptions {
			if b := byName[text(d.LoadBalancerName)]; b != nil {
				b.Tags = tagMap(d.Tags, func(t classictypes.Tag) (*string, *string) { return t.Key, t.Value })
			}
		}
	})
	put(r, estate.ClassicLoadBalancers, balancers)
}

func (r *reader) classicLoadBalancer(b *classictypes.LoadBalancerDescription) *estate.ClassicLoadBalancer {
	out := &estate.ClassicLoadBalancer{
		AWS:              estate.AWS{Arn: r.arn("elasticloadbalancing", "loadbalancer/"+text(b.LoadBalancerName))},
		LoadBalancerName: text(b.LoadBalancerName),
		Scheme:           opt(b.Scheme),
		DNSName:          text(b.DNSName),
		Subnets:          list(b.Subnets),
		SecurityGroups:   list(b.SecurityGroups),
	}
	for _, i := range b.Instances {
		out.Instances = append(out.Instances, text(i.InstanceId))
	}
	slices.Sort(out.Instances)
	for _, d := range b.ListenerDescriptions {
		if d.Listener == nil {
			continue
		}
		out.Listeners = append(out.Listeners, estate.ClassicListener{
			Protocol:         text(d.Listener.Protocol),
			LoadBalancerPort: strconv.Itoa(int(d.Listener.LoadBalancerPort)),
			InstanceProtocol: text(d.Listener.InstanceProtocol),
			InstancePort:     strconv.Itoa(number(d.Listener.InstancePort)),
			SSLCertificateId: text(d.Listener.SSLCertificateId),
			PolicyNames:      list(d.PolicyNames),
		})
	}
	slices.SortFunc(out.Listeners, func(a, b estate.ClassicListener) int {
		return cmp.Or(cmp.Compare(a.LoadBalancerPort, b.LoadBalancerPort), cmp.Compare(a.Protocol, b.Protocol))
	})
	return out
}

func sortedAttributes(in []estate.Attribute) []estate.Attribute {
	slices.SortFunc(in, func(a, b estate.Attribute) int { return cmp.Compare(a.Key, b.Key) })
	return in
}
