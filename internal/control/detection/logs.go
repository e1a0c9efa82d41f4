package detection

import (
	"cmp"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A delivery is where one source writes its logs.
type delivery struct {
	what   string // "access logs of ALB shop"
	from   trace.Place
	to     string           // a bucket's name or ARN, or the ARN of a log group or stream
	prefix string           // with which the keys of its objects begin
	kind   string           // "access", "waf", "trail", "flow"
	site   site             // of the source
	group  *estate.LogGroup // nil unless it writes to one that was read
}

// deliveries lists where load balancers, web ACLs, trails and VPCs write their
// logs to.
func deliveries(g *trace.Graph) []delivery {
	var out []delivery
	for _, lb := range g.LoadBalancers {
		if lb.Type != "application" || lb.Attributes["access_logs.s3.enabled"] != "true" || lb.Attributes["access_logs.s3.bucket"] == "" {
			continue
		}
		d := delivery{
			what: "the access logs of " + lb.Name(), from: lb.AttributesAt, kind: "access",
			to: lb.Attributes["access_logs.s3.bucket"], prefix: under(lb.Attributes["access_logs.s3.prefix"]),
		}
		if lb.Actual != nil {
			d.site = siteOf(&lb.Actual.Origin)
		}
		out = append(out, d)
	}
	for _, l := range estate.WebACLLoggings.In(g.Estate) {
		for _, to := range l.LogDestinationConfigs {
			out = append(out, delivery{
				what: "the logs of web ACL " + aclName(g, l.ResourceArn), kind: "waf", to: to, prefix: under(""), site: siteOf(&l.Origin),
				from: trace.Place{Subject: estate.WebACLLoggings.Ref(l), Origin: &l.Origin, Field: "logDestinationConfigs"},
			})
		}
	}
	for _, t := range estate.Trails.In(g.Estate) {
		if t.S3BucketName != "" {
			out = append(out, delivery{
				what: "the files of trail " + t.TrailName, kind: "trail", to: t.S3BucketName, site: siteOf(&t.Origin),
				from: trace.Place{Subject: estate.Trails.Ref(t), Origin: &t.Origin, Field: "s3BucketName"},
			})
		}
	}
	for _, f := range estate.FlowLogs.In(g.Estate) {
		if f.LogDestinationType == "s3" {
			out = append(out, delivery{
				what: "the flow logs of " + estate.ShortName(f.ResourceId), kind: "flow", to: f.LogDestination, site: siteOf(&f.Origin),
				from: trace.Place{Subject: estate.FlowLogs.Ref(f), Origin: &f.Origin, Field: "logDestination"},
			})
		}
	}
	for i := range out {
		out[i].group = logGroupOf(g.Estate, out[i])
	}
	return out
}

// logGroupOf returns the log group that a delivery writes to, by its name in the
// account and region of the delivery, or by the identity that a template gives.
func logGroupOf(e *estate.Estate, d delivery) *estate.LogGroup {
	to := strings.TrimSuffix(d.to, ":*")
	_, name, named := strings.Cut(to, ":log-group:")
	for _, g := range estate.LogGroups.In(e) {
		if g.Arn == to || named && (g.Arn == name || g.LogGroupName == name && siteOf(&g.Origin) == d.site) {
			return g
		}
	}
	return nil
}

func under(prefix string) string {
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	return prefix + "AWSLogs/"
}

// aclName returns the name of a web ACL.
func aclName(g *trace.Graph, arn string) string {
	for _, w := range estate.WebACLs.In(g.Estate) {
		if w.Arn == arn {
			return w.Name
		}
	}
	if part := strings.Split(arn, "/"); len(part) == 4 {
		return part[2] // arn:…:regional/webacl/NAME/ID
	}
	return estate.ShortName(arn)
}

// bucketName returns the name in a bucket's name or ARN; a flow log's may go on
// with a folder.
func bucketName(to string) string {
	if rest, ok := strings.CutPrefix(to, "arn:"); ok {
		rest = rest[strings.LastIndexByte(rest, ':')+1:]
		name, _, _ := strings.Cut(rest, "/")
		return name
	}
	return to
}

// bucketOf returns the bucket that a delivery writes to, nil for one that was
// not read: anybody may own a bucket of that name.
func bucketOf(e *estate.Estate, to string) *estate.Bucket {
	for _, b := range estate.Buckets.In(e) {
		if b.Arn == to || b.BucketName == bucketName(to) {
			return b
		}
	}
	return nil
}

// isBucket reports whether a delivery writes to S3.
func (d delivery) isBucket() bool {
	return d.group == nil && !strings.Contains(d.to, ":logs:") && !strings.Contains(d.to, ":firehose:")
}

// A store is a bucket or log group with everything that is written to it.
type store struct {
	place      trace.Place
	bucket     *estate.Bucket // nil unless it is one that was read
	deliveries []delivery
}

// stores gathers deliveries by where they go.
func stores(g *trace.Graph, wanted func(delivery) bool) []*store {
	var out []*store
	byName := map[string]*store{}
	for _, d := range deliveries(g) {
		if !wanted(d) {
			continue
		}
		name := strings.TrimSuffix(d.to, ":*")
		if d.isBucket() {
			name = bucketName(d.to)
		}
		st := byName[name]
		if st == nil {
			st = &store{place: d.from}
			if d.isBucket() {
				st.bucket = bucketOf(g.Estate, d.to)
			}
			if st.bucket != nil {
				st.place = trace.Place{Subject: estate.Buckets.Ref(st.bucket), Origin: &st.bucket.Origin}
			}
			byName[name] = st
			out = append(out, st)
		}
		st.deliveries = append(st.deliveries, d)
	}
	// What comes first must not depend on which source was read first.
	for _, st := range out {
		slices.SortStableFunc(st.deliveries, func(a, b delivery) int {
			return cmp.Or(cmp.Compare(a.what, b.what), a.from.Subject.Compare(b.from.Subject))
		})
		if st.bucket == nil {
			st.place = st.deliveries[0].from
		}
	}
	return out
}

// storeKinds are the kinds in which stores are found.
func storeKinds() []estate.Kind {
	return []estate.Kind{estate.LoadBalancers.Kind, estate.Ingresses.Kind, estate.Gateways.Kind, estate.WebACLLoggings.Kind}
}

// predictionKinds are those that say how a load balancer will be made.
func predictionKinds() []estate.Kind {
	return []estate.Kind{
		estate.IngressClasses.Kind, estate.IngressClassParameters.Kind,
		estate.GatewayClasses.Kind, estate.LoadBalancerConfigurations.Kind,
	}
}

// otherAccount says that a bucket was not read.
func otherAccount(s *control.Subject, d delivery) {
	s.Unknownf("bucket %s, to which %s go, is in none of the accounts that were read", bucketName(d.to), d.what)
}
