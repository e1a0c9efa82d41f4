package cloudformation

import (
	"slices"

	"github.com/eksafe/eksafe/internal/estate"
)

func readLoadBalancer(res *resource) {
	p := res.properties()
	typ := p.textOr("Type", "application")
	scheme := p.text("Scheme")
	if !p.has("Scheme") && typ.Or("gateway") != "gateway" {
		scheme = estate.Known("internet-facing")
	}
	put(res, estate.LoadBalancers, &estate.LoadBalancer{
		AWS:                    res.aws(p.tags("Tags")),
		Name:                   p.name("Name"),
		Type:                   typ,
		Scheme:                 scheme,
		DNSName:                res.id() + ".DNSName",
		Subnets:                p.refs("Subnets"),
		SecurityGroups:         p.refs("SecurityGroups"),
		LoadBalancerAttributes: p.attributes("LoadBalancerAttributes", "Key"),
		IpAddressType:          p.text("IpAddressType"),
	}, nil)
}

func readListener(res *resource) {
	p := res.properties()
	protocol := p.text("Protocol")
	policy := p.text("SslPolicy")
	if !p.has("SslPolicy") {
		switch protocol.Or("") {
		case "":
		case "HTTPS", "TLS":
			// The default of every way but the console.
			policy = estate.Known("ELBSecurityPolicy-2016-08")
		default:
			policy = estate.Known("")
		}
	}
	put(res, estate.Listeners, &estate.Listener{
		AWS:                res.aws(nil),
		LoadBalancerArn:    p.ref("LoadBalancerArn"),
		Protocol:           protocol,
		Port:               p.int("Port"),
		SslPolicy:          policy,
		Certificates:       certificates(p),
		DefaultActions:     actions(p, "DefaultActions"),
		ListenerAttributes: p.attributes("ListenerAttributes", "Key"),
	}, nil)
}

func certificates(p *properties) estate.Optional[[]string] {
	items, known := p.each("Certificates")
	if !known {
		return estate.Optional[[]string]{}
	}
	out := []string{}
	for _, item := range items {
		out = append(out, item.ref("CertificateArn"))
	}
	return estate.Known(out)
}

func foldListenerCertificate(res *resource) {
	p := res.properties()
	to := p.ref("ListenerArn")
	more, known := certificates(p).Get()
	res.fold(func() {
		listener, ok := target[*estate.Listener](res, to)
		if !ok {
			return
		}
		if have, ok := listener.Certificates.Get(); ok && known {
			listener.Certificates = estate.Known(append(have, more...))
		}
	})
}

func actions(p *properties, name string) []estate.Action {
	items, known := p.each(name)
	var out []estate.Action
	for _, item := range items {
		action := estate.Action{Type: item.plain("Type"), TargetGroupArn: item.ref("TargetGroupArn")}
		if item.has("ForwardConfig") {
			action.ForwardConfig = &estate.ForwardConfig{}
			groups, _ := item.in("ForwardConfig").each("TargetGroups")
			for _, g := range groups {
				action.ForwardConfig.TargetGroups = append(action.ForwardConfig.TargetGroups, estate.TargetGroupTuple{
					TargetGroupArn: g.ref("TargetGroupArn"),
					Weight:         g.int("Weight").Or(0),
				})
			}
		}
		if item.has("RedirectConfig") {
			redirect := item.in("RedirectConfig")
			action.RedirectConfig = &estate.RedirectConfig{
				// What a redirect does not name it keeps.
				Protocol:   redirect.textOr("Protocol", "#{protocol}").Or(""),
				Port:       redirect.textOr("Port", "#{port}").Or(""),
				StatusCode: redirect.plain("StatusCode"),
			}
		}
		out = append(out, action)
	}
	if !known {
		return []estate.Action{{}}
	}
	return out
}

func readListenerRule(res *resource) {
	p := res.properties()
	rule := &estate.ListenerRule{
		AWS:         res.aws(nil),
		ListenerArn: p.ref("ListenerArn"),
		Priority:    p.int("Priority"),
		Actions:     actions(p, "Actions"),
	}
	conditions, _ := p.each("Conditions")
	for _, c := range conditions {
		condition := estate.RuleCondition{Field: c.plain("Field"), Values: c.refs("Values")}
		for _, config := range []string{
			"HostHeaderConfig", "PathPatternConfig", "SourceIpConfig", "HttpRequestMethodConfig",
		} {
			condition.Values = append(condition.Values, c.in(config).refs("Values")...)
		}
		// A header that a CDN proves itself by is a secret: its name is enough.
		if c.has("HttpHeaderConfig") {
			header := c.in("HttpHeaderConfig")
			condition.Values = []string{header.plain("HttpHeaderName")}
			condition.AnyValue = slices.Contains(header.refs("Values"), "*")
		}
		rule.Conditions = append(rule.Conditions, condition)
	}
	put(res, estate.ListenerRules, rule, nil)
}

func readTargetGroup(res *resource) {
	p := res.properties()
	protocol := p.text("Protocol")
	health, version := p.text("HealthCheckProtocol"), p.text("ProtocolVersion")
	switch protocol.Or("") {
	case "HTTP", "HTTPS":
		health, version = p.textOr("HealthCheckProtocol", "HTTP"), p.textOr("ProtocolVersion", "HTTP1")
	case "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE":
		health = p.textOr("HealthCheckProtocol", "TCP")
	}
	// Controllers register targets as well: without the property nothing is
	// known of them.
	var targets estate.Optional[[]estate.Target]
	if items, known := p.each("Targets"); known && len(items) > 0 {
		list := []estate.Target{}
		for _, item := range items {
			list = append(list, estate.Target{Id: item.ref("Id"), Port: item.int("Port").Or(0)})
		}
		targets = estate.Known(list)
	}
	put(res, estate.TargetGroups, &estate.TargetGroup{
		AWS:                 res.aws(p.tags("Tags")),
		Name:                p.name("Name"),
		Protocol:            protocol,
		Port:                p.int("Port"),
		ProtocolVersion:     version,
		TargetType:          p.textOr("TargetType", "instance"),
		HealthCheckProtocol: health,
		VpcId:               p.ref("VpcId"),
		Targets:             targets,
	}, nil)
}

func readClassicLoadBalancer(res *resource) {
	p := res.properties()
	lb := &estate.ClassicLoadBalancer{
		AWS:              res.aws(p.tags("Tags")),
		LoadBalancerName: p.name("LoadBalancerName"),
		Scheme:           p.textOr("Scheme", "internet-facing"),
		DNSName:          res.id() + ".DNSName",
		Instances:        p.refs("Instances"),
		Subnets:          p.refs("Subnets"),
		SecurityGroups:   p.refs("SecurityGroups"),
	}
	listeners, _ := p.each("Listeners")
	for _, l := range listeners {
		lb.Listeners = append(lb.Listeners, estate.ClassicListener{
			Protocol:         l.plain("Protocol"),
			LoadBalancerPort: l.plain("LoadBalancerPort"),
			InstanceProtocol: l.plain("InstanceProtocol"),
			InstancePort:     l.plain("InstancePort"),
			SSLCertificateId: l.ref("SSLCertificateId"),
			PolicyNames:      l.words("PolicyNames"),
		})
	}
	policies, _ := p.each("Policies")
	for _, policy := range policies {
		lb.Policies = append(lb.Policies, estate.ClassicPolicy{
			PolicyName: policy.plain("PolicyName"),
			PolicyType: policy.plain("PolicyType"),
			Attributes: policy.attributes("Attributes", "Name").Or(nil),
		})
	}
	put(res, estate.ClassicLoadBalancers, lb, nil)
}

func readCertificate(res *resource) {
	p := res.properties()
	issuer := estate.Optional[string]{}
	switch v := p.get("CertificateAuthorityArn"); v.kind {
	case absent:
		issuer = estate.Known("AMAZON_ISSUED")
	case scalar:
		issuer = estate.Known("PRIVATE")
	}
	put(res, estate.Certificates, &estate.Certificate{
		AWS:                     res.aws(p.tags("Tags")),
		DomainName:              p.ref("DomainName"),
		SubjectAlternativeNames: p.refs("SubjectAlternativeNames"),
		KeyAlgorithm:            p.textOr("KeyAlgorithm", "RSA_2048"),
		Type:                    issuer,
	}, nil)
}

// headerNames are the headers that CloudFront adds; their values are secrets.
func headerNames(p *properties) estate.Optional[[]string] {
	items, known := p.each("OriginCustomHeaders")
	names := []string{}
	for _, item := range items {
		name, ok := item.text("HeaderName").Get()
		known = known && ok
		names = append(names, name)
	}
	if !known {
		return estate.Optional[[]string]{}
	}
	return estate.Known(names)
}

func readDistribution(res *resource) {
	p := res.properties()
	c := p.in("DistributionConfig")
	config := estate.DistributionConfig{
		Enabled:              c.bool("Enabled"),
		Aliases:              c.refs("Aliases"),
		DefaultCacheBehavior: cacheBehavior(c.in("DefaultCacheBehavior")),
		WebACLId:             c.refOrNone("WebACLId"),
		Logging:              estate.Known(c.has("Logging")),
		IPV6Enabled:          c.bool("IPV6Enabled"),
	}
	origins, _ := c.each("Origins")
	for _, o := range origins {
		origin := estate.DistributionOrigin{Id: o.plain("Id"), DomainName: o.ref("DomainName"), OriginCustomHeaders: headerNames(o)}
		if o.has("CustomOriginConfig") {
			custom := o.in("CustomOriginConfig")
			origin.CustomOriginConfig = &estate.CustomOriginConfig{
				OriginProtocolPolicy: custom.text("OriginProtocolPolicy"),
				HTTPSPort:            custom.int("HTTPSPort").Or(0),
			}
			if custom.has("OriginSSLProtocols") {
				origin.CustomOriginConfig.OriginSSLProtocols = custom.texts("OriginSSLProtocols", nil)
			}
		}
		if o.has("VpcOriginConfig") {
			origin.VpcOriginConfig = &estate.VpcOriginConfig{VpcOriginId: o.in("VpcOriginConfig").ref("VpcOriginId")}
		}
		config.Origins = append(config.Origins, origin)
	}
	behaviors, _ := c.each("CacheBehaviors")
	for _, b := range behaviors {
		config.CacheBehaviors = append(config.CacheBehaviors, cacheBehavior(b))
	}
	viewer := c.in("ViewerCertificate")
	config.ViewerCertificate = estate.ViewerCertificate{
		AcmCertificateArn:            viewer.ref("AcmCertificateArn"),
		CloudFrontDefaultCertificate: viewer.boolOr("CloudFrontDefaultCertificate", !viewer.has("AcmCertificateArn") && !viewer.has("IamCertificateId")),
		MinimumProtocolVersion:       viewer.text("MinimumProtocolVersion"),
	}
	// With its own name CloudFront takes TLSv1, whatever the template says.
	if config.ViewerCertificate.CloudFrontDefaultCertificate.Or(false) {
		config.ViewerCertificate.MinimumProtocolVersion = estate.Known("TLSv1")
	}
	put(res, estate.Distributions, &estate.Distribution{
		AWS:                res.aws(p.tags("Tags")),
		Id:                 res.name,
		DomainName:         res.id() + ".DomainName",
		DistributionConfig: config,
	}, nil)
}

func cacheBehavior(p *properties) estate.CacheBehavior {
	return estate.CacheBehavior{
		PathPattern:          p.plain("PathPattern"),
		TargetOriginId:       p.plain("TargetOriginId"),
		ViewerProtocolPolicy: p.text("ViewerProtocolPolicy"),
	}
}
