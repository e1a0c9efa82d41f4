// Package reporttest makes up audits of any size for the tests of reports and
// of the page. It reads nothing: the estates in it never existed.
package reporttest

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/report"
	"github.com/eksafe/eksafe/internal/trace"
)

// GeneratedAt is the time of every made-up audit.
var GeneratedAt = time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)

// The controls of the made-up audits: a few that resemble real ones.
var controls = []*control.Control{
	{ID: "listener-tls", Title: "Internet-facing listeners speak TLS", Severity: control.Critical, Since: "0.1.0",
		Refs: []control.Ref{{Source: "AWS FSBP", Section: "ELB.1", URL: "https://docs.aws.amazon.com/securityhub/latest/userguide/elb-controls.html"}}},
	{ID: "ingress-tls", Title: "Ingresses become listeners with TLS only", Severity: control.High, Since: "0.1.0"},
	{ID: "target-encrypted", Title: "Load balancers speak TLS to their targets", Severity: control.High, Since: "0.1.0"},
	{ID: "service-hop-encrypted", Title: "Pods speak TLS to each other", Severity: control.Medium, Since: "0.1.0"},
	{ID: "database-requires-tls", Title: "Databases refuse plaintext", Severity: control.High, Since: "0.1.0"},
	{ID: "storageclass-default-encrypted", Title: "The default StorageClass encrypts", Severity: control.High, Since: "0.1.0"},
	{ID: "database-storage-encrypted", Title: "Databases are encrypted at rest", Severity: control.High, Since: "0.1.0"},
	{ID: "alb-waf", Title: "Internet-facing load balancers have a web ACL", Severity: control.High, Since: "0.1.0"},
	{ID: "pod-baseline", Title: "Workloads meet the baseline standard", Severity: control.Critical, Since: "0.1.0"},
	{ID: "pod-restricted", Title: "Workloads meet the restricted standard", Severity: control.Medium, Since: "0.1.0"},
	{ID: "node-imds", Title: "Nodes require IMDSv2", Severity: control.High, Since: "0.1.0"},
	{ID: "cluster-logs", Title: "The control plane writes audit logs", Severity: control.High, Since: "0.1.0"},
	{ID: "database-client-verifies", Title: "Clients verify their database", Severity: control.High, Since: "0.1.0"},
	{ID: "mesh-mtls-strict", Title: "Mesh workloads require mTLS", Severity: control.High, Since: "0.1.0"},
	{ID: "namespace-enforces", Title: "Namespaces enforce a Pod Security Standard", Severity: control.High, Since: "0.1.0"},
}

var families = map[string]string{
	"listener-tls": "transit", "ingress-tls": "transit", "target-encrypted": "transit", "service-hop-encrypted": "transit",
	"database-requires-tls": "transit", "database-client-verifies": "transit", "mesh-mtls-strict": "transit",
	"storageclass-default-encrypted": "rest", "database-storage-encrypted": "rest",
	"alb-waf": "edge", "pod-baseline": "pod", "pod-restricted": "pod", "namespace-enforces": "pod",
	"node-imds": "cluster", "cluster-logs": "detection",
}

func describe(id string) report.Description {
	return report.Description{
		Family: families[id],
		Prose:  "Whoever sits between two ends of an unencrypted connection reads and changes what goes over it.\n\n### Fix\n\nTurn `TLS` on.\n",
	}
}

func controlOf(id string) *control.Control {
	i := slices.IndexFunc(controls, func(c *control.Control) bool { return c.ID == id })
	if i < 0 {
		panic("reporttest: no control " + id)
	}
	return controls[i]
}

// Internet is where the made-up paths begin.
var Internet = estate.Ref{Kind: "Internet", Name: "internet", ID: "internet"}

func origin(file string, line int) *estate.Origin { return &estate.Origin{File: file, Line: line} }

func place(ref estate.Ref, file string, line int, field string) trace.Place {
	return trace.Place{Subject: ref, Origin: origin(file, line), Field: field}
}

func workload(namespace, name string, file string, line int) *estate.Workload {
	return &estate.Workload{
		Origin: *origin(file, line), Controller: "Deployment",
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
	}
}

// fail returns a finding at p.
func fail(id string, s finding.Severity, p trace.Place, message string, context ...string) finding.Finding {
	f := finding.Finding{Control: id, Subject: p.Subject, Field: p.Field, Message: message, Severity: s, Context: context}
	if file, line := p.Origin.Locate(p.Field); file != "" {
		f.Location = &finding.Location{File: file, Line: line}
	}
	return f
}

// result joins findings of one control.
func result(id string, subjects int, fs ...finding.Finding) control.Result {
	finding.SetFingerprints(fs)
	slices.SortFunc(fs, finding.Compare)
	return control.Result{Control: controlOf(id), Verdict: finding.Fail, Subjects: subjects, Findings: fs}
}

// Empty is the audit of an estate in which there is nothing.
func Empty() *report.Report {
	return &report.Report{
		GeneratedAt: GeneratedAt, ToolVersion: "0.1.0", Args: []string{"empty"},
		Graph: &trace.Graph{Estate: &estate.Estate{}}, Describe: describe,
	}
}

const (
	scheme      = "metadata.annotations[alb.ingress.kubernetes.io/scheme]"
	listenPorts = "metadata.annotations[alb.ingress.kubernetes.io/listen-ports]"
	backend     = "metadata.annotations[alb.ingress.kubernetes.io/backend-protocol]"
)

// Shop is the audit of a small shop in which little is encrypted, and of a blog
// in which all is.
func Shop() *report.Report {
	ingress := estate.NamedRef("Ingress", "Ingress", "shop", "shop")
	web, orders, blog := workload("shop", "web", "k8s/web.yaml", 20), workload("shop", "orders", "k8s/orders.yaml", 32), workload("blog", "blog", "k8s/blog.yaml", 3)
	webRef, ordersRef, blogRef := estate.Workloads.Ref(web), estate.Workloads.Ref(orders), estate.Workloads.Ref(blog)
	lb := &trace.LoadBalancer{
		Ref:  estate.Ref{Kind: "LoadBalancer", Namespace: "shop", Name: "shop", ID: "predicted:ingress/shop/shop"},
		Type: "application", Scheme: estate.Known("internet-facing"), Predicted: true,
		SchemeAt:   place(ingress, "k8s/ingress.yaml", 14, scheme),
		DeclaredBy: []trace.Place{{Subject: ingress, Origin: origin("k8s/ingress.yaml", 9)}},
	}
	blogLB := &trace.LoadBalancer{
		Ref:  estate.Ref{Kind: "LoadBalancer", Name: "k8s-blog-1a2b3c", ID: "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/k8s-blog-1a2b3c/50dc6c495c0c9188"},
		Type: "application", Scheme: estate.Known("internet-facing"),
	}
	db := &trace.Database{
		Ref:    estate.Ref{Kind: "Database", Name: "orders-db", ID: "cfn:cloudformation/data.yaml#Database"},
		Engine: "mysql", Version: "8.0.43",
	}
	blogDB := &trace.Database{
		Ref:    estate.Ref{Kind: "Database", Name: "blog", ID: "arn:aws:rds:eu-west-1:111122223333:cluster:blog"},
		Engine: "aurora-postgresql", Version: "17.5",
	}
	claim := estate.NamedRef("PersistentVolumeClaim", "PersistentVolumeClaim", "shop", "invoices")
	gp2 := estate.NamedRef("StorageClass", "StorageClass", "", "gp2")

	listen := place(ingress, "k8s/ingress.yaml", 16, listenPorts)
	backendAt := place(ingress, "k8s/ingress.yaml", 17, backend)
	urlAt := place(webRef, "k8s/web.yaml", 48, "spec.template.spec.containers[0].env[0].value")
	parameters := place(estate.Ref{Kind: "DBParameterGroup", Name: "orders", ID: "cfn:cloudformation/data.yaml#DatabaseParameters"}, "cloudformation/data.yaml", 105, "parameters")
	gp2At := place(gp2, "k8s/storage.yaml", 9, "parameters")

	entry := &trace.Hop{Leg: trace.EntryLeg, From: Internet, To: lb.Ref, Protocol: "http", Port: 80, Encryption: trace.Plaintext, PeerVerified: trace.No,
		Why: "port 80 forwards to the pods instead of redirecting to HTTPS", Places: []trace.Place{listen}}
	target := &trace.Hop{Leg: trace.TargetLeg, From: lb.Ref, To: webRef, Protocol: "http", Port: 8080, Encryption: trace.Plaintext, PeerVerified: trace.No,
		Why: "backend-protocol is HTTP", Places: []trace.Place{backendAt}, Server: web}
	service := &trace.Hop{Leg: trace.ServiceLeg, From: webRef, To: ordersRef, Protocol: "http", Port: 8080, Encryption: trace.Plaintext, PeerVerified: trace.No,
		Why: "http://orders:8080, and no mesh between them", Places: []trace.Place{urlAt}, Client: web, Server: orders}
	database := &trace.Hop{Leg: trace.DatabaseLeg, From: ordersRef, To: db.Ref, Protocol: "mysql", Port: 3306, Encryption: trace.Optional, PeerVerified: trace.No,
		Why: "require_secure_transport is off in parameter group orders, and the client says PREFERRED", Places: []trace.Place{parameters}, Client: orders}
	volume := &trace.Hop{Leg: trace.VolumeLeg, From: ordersRef, To: claim, Protocol: "ebs", Encryption: trace.Unknown,
		Why: "StorageClass gp2 does not say encrypted, and whether the account encrypts by default was not asked", Places: []trace.Place{gp2At}, Client: orders}

	blogEntry := &trace.Hop{Leg: trace.EntryLeg, From: Internet, To: blogLB.Ref, Protocol: "https", Port: 443, Encryption: trace.Encrypted, PeerVerified: trace.Yes,
		By: "ALB listener HTTPS:443, ACM certificate blog.example.com", Why: "the listener speaks TLS 1.2 or newer and port 80 redirects"}
	blogTarget := &trace.Hop{Leg: trace.TargetLeg, From: blogLB.Ref, To: blogRef, Protocol: "https", Port: 8443, Encryption: trace.Encrypted, PeerVerified: trace.No,
		By: "target group HTTPS, nginx sidecar", Why: "the target group speaks HTTPS to the nginx sidecar", Server: blog}
	blogDatabase := &trace.Hop{Leg: trace.DatabaseLeg, From: blogRef, To: blogDB.Ref, Protocol: "postgres", Port: 5432, Encryption: trace.Encrypted, PeerVerified: trace.Yes,
		By: "sslmode=verify-full", Why: "the client says verify-full and rds.force_ssl is 1", Client: blog}

	e := &estate.Estate{Sources: []estate.Source{
		{Kind: estate.ManifestSource, Name: "examples/shop", Coverage: []estate.Coverage{
			{Kind: "Workload", State: estate.Read, Count: 3}, {Kind: "Ingress", State: estate.Read, Count: 2}, {Kind: "Gateway", State: estate.Read},
			{Kind: "Secret", State: estate.NotAsked, Why: "manifests rarely hold them"},
		},
			Problems: []estate.Problem{{File: "k8s/broken.yaml", Line: 7, What: "a mapping value where none may stand", Remedy: "indent it or quote it"}},
			Ignored:  []estate.Ignored{{APIVersion: "monitoring.coreos.com/v1", Kind: "ServiceMonitor", Count: 4}, {APIVersion: "batch.example.com/v1", Kind: "Backup", Count: 1}},
		},
		{Kind: estate.AWSSource, Name: "account 111122223333 eu-west-1", Coverage: []estate.Coverage{
			{Kind: "DBInstance", State: estate.Read, Count: 2},
			{Kind: "Certificate", State: estate.Denied, Why: "acm:DescribeCertificate is not allowed"},
		}},
	}}
	estate.Workloads.Add(e, web, orders, blog)

	viaInternet := "reachable from the internet via ALB shop"
	unknown := func(id, why string) control.Result {
		return control.Result{Control: controlOf(id), Why: why}
	}
	gaps := unknown("database-client-verifies", "the client of deployment/shop/orders takes its settings from Secret orders-db")
	gaps.Subjects = 2
	gaps.Gaps = []finding.Gap{{Subject: ordersRef, Why: gaps.Why}}
	baseline := result("pod-baseline", 3,
		fail("pod-baseline", control.Critical, place(ordersRef, "k8s/orders.yaml", 60, "spec.template.spec.initContainers[0].securityContext.privileged"), "container sysctl runs privileged"),
		fail("pod-baseline", control.Critical, place(ordersRef, "k8s/orders.yaml", 103, "spec.template.spec.volumes[1].hostPath"), "volume node-logs is a path of the node"))
	baseline.Expected = []finding.Gap{{Subject: estate.NamedRef("Workload", "DaemonSet", "kube-system", "aws-node"), Why: "the VPC CNI configures the node's network"}}

	return &report.Report{
		GeneratedAt: GeneratedAt, ToolVersion: "0.1.0", Args: []string{"examples/shop", "--aws"}, Describe: describe,
		Graph: &trace.Graph{
			Estate:        e,
			LoadBalancers: []*trace.LoadBalancer{lb, blogLB},
			Databases:     []*trace.Database{db, blogDB},
			Hops:          []*trace.Hop{entry, target, service, database, volume, blogEntry, blogTarget, blogDatabase},
			Applications: []*trace.Application{
				{Name: "blog", Namespace: "blog", Workloads: []*estate.Workload{blog}, Exposed: trace.Internet,
					Paths: []trace.Path{{Hops: []*trace.Hop{blogEntry, blogTarget, blogDatabase}}}},
				{Name: "shop", Namespace: "shop", Workloads: []*estate.Workload{orders, web}, Exposed: trace.Internet,
					Paths: []trace.Path{{Hops: []*trace.Hop{entry, target, service, database}}, {Hops: []*trace.Hop{entry, target, service, volume}}}},
				{Name: "batch", Namespace: "shop"},
			},
		},
		Results: []control.Result{
			result("listener-tls", 2, fail("listener-tls", control.Critical, listen, "port 80 forwards to the pods instead of redirecting to HTTPS", viaInternet)),
			result("ingress-tls", 2, fail("ingress-tls", control.High, listen, "listen-ports has HTTP 80 alone, and no certificate-arn", viaInternet)),
			result("target-encrypted", 2, fail("target-encrypted", control.High, backendAt, "backend-protocol is HTTP", viaInternet)),
			result("service-hop-encrypted", 1, fail("service-hop-encrypted", control.High, urlAt, "http://orders:8080 is plaintext and no mesh encrypts it", viaInternet)),
			result("database-requires-tls", 2, fail("database-requires-tls", control.High, parameters, "require_secure_transport is not set, so MySQL accepts plaintext")),
			unknown("storageclass-default-encrypted", "EBSDefault could not be read: ec2:GetEbsEncryptionByDefault is not allowed"),
			result("database-storage-encrypted", 2, fail("database-storage-encrypted", control.High, place(db.Ref, "cloudformation/data.yaml", 112, "storageEncrypted"), "StorageEncrypted is not set")),
			result("alb-waf", 2, fail("alb-waf", control.High, trace.Place{Subject: ingress, Origin: origin("k8s/ingress.yaml", 9)}, "no web ACL", viaInternet)),
			baseline,
			result("pod-restricted", 3,
				fail("pod-restricted", control.Medium, place(webRef, "k8s/web.yaml", 40, "spec.template.spec.containers[0].securityContext.runAsNonRoot"), "may run as root", viaInternet),
				fail("pod-restricted", control.Medium, place(ordersRef, "k8s/orders.yaml", 62, "spec.template.spec.containers[0].securityContext.runAsNonRoot"), "may run as root", viaInternet),
				fail("pod-restricted", control.Medium, place(blogRef, "k8s/blog.yaml", 21, "spec.template.spec.containers[0].securityContext.runAsNonRoot"), "may run as root")),
			{Control: controlOf("node-imds"), Verdict: finding.Pass, Subjects: 1},
			unknown("cluster-logs", "AWS was not asked (add --aws)"),
			gaps,
			{Control: controlOf("mesh-mtls-strict"), Verdict: finding.NotApplicable, Why: "no workload is in a mesh"},
			unknown("namespace-enforces", "AWS was not asked (add --aws)"),
		},
	}
}

// Big is the audit of an estate of n applications, each with three hops and
// findings of its own. Every tenth application is clean.
func Big(n int) *report.Report {
	e := &estate.Estate{Sources: []estate.Source{{Kind: estate.ManifestSource, Name: "big", Coverage: []estate.Coverage{{Kind: "Workload", State: estate.Read, Count: n}}}}}
	g := &trace.Graph{Estate: e}
	var listeners, roots, waf []finding.Finding
	for i := range n {
		namespace, name := fmt.Sprintf("team-%02d", i%40), fmt.Sprintf("app-%05d", i)
		file := fmt.Sprintf("%s/%s.yaml", namespace, name)
		w := workload(namespace, name, file, 1)
		ref := estate.Workloads.Ref(w)
		ingress := estate.NamedRef("Ingress", "Ingress", namespace, name)
		lb := &trace.LoadBalancer{Ref: estate.Ref{Kind: "LoadBalancer", Namespace: namespace, Name: name, ID: "predicted:" + ingress.ID}, Type: "application",
			Predicted: true, Scheme: estate.Known("internet-facing"), DeclaredBy: []trace.Place{{Subject: ingress, Origin: origin(file, 40)}}}
		db := &trace.Database{Ref: estate.Ref{Kind: "Database", Name: name + "-db", ID: "arn:aws:rds:eu-west-1:111122223333:db:" + name}, Engine: "postgres", Version: "17.5"}
		listen := place(ingress, file, 44, listenPorts)
		encryption := trace.Plaintext
		if i%10 == 0 {
			encryption = trace.Encrypted
		}
		hops := []*trace.Hop{
			{Leg: trace.EntryLeg, From: Internet, To: lb.Ref, Protocol: "http", Port: 80, Encryption: encryption, PeerVerified: trace.No, Why: "what the listener speaks", Places: []trace.Place{listen}},
			{Leg: trace.TargetLeg, From: lb.Ref, To: ref, Protocol: "https", Port: 8443, Encryption: trace.Encrypted, PeerVerified: trace.No, By: "target group HTTPS", Why: "the target group speaks HTTPS", Server: w},
			{Leg: trace.DatabaseLeg, From: ref, To: db.Ref, Protocol: "postgres", Port: 5432, Encryption: trace.Encrypted, PeerVerified: trace.Yes, By: "sslmode=verify-full", Why: "the client says verify-full", Client: w},
		}
		estate.Workloads.Add(e, w)
		g.LoadBalancers = append(g.LoadBalancers, lb)
		g.Databases = append(g.Databases, db)
		g.Hops = append(g.Hops, hops...)
		g.Applications = append(g.Applications, &trace.Application{Name: name, Namespace: namespace, Workloads: []*estate.Workload{w}, Exposed: trace.Internet, Paths: []trace.Path{{Hops: hops}}})
		if i%10 == 0 {
			continue
		}
		listeners = append(listeners, fail("listener-tls", control.Critical, listen, "port 80 forwards to the pods", "reachable from the internet via ALB "+name))
		waf = append(waf, fail("alb-waf", control.High, trace.Place{Subject: ingress, Origin: origin(file, 40)}, "Ingress "+name+" has no web ACL"))
		roots = append(roots, fail("pod-restricted", control.Medium, place(ref, file, 20, "spec.template.spec.containers[0].securityContext.runAsNonRoot"), fmt.Sprintf("user %d is root", i)))
	}
	return &report.Report{
		GeneratedAt: GeneratedAt, ToolVersion: "0.1.0", Args: []string{"big"}, Describe: describe, Graph: g,
		Results: []control.Result{
			result("listener-tls", n, listeners...), result("alb-waf", n, waf...), result("pod-restricted", n, roots...),
			{Control: controlOf("cluster-logs"), Why: "AWS was not asked (add --aws)"},
			{Control: controlOf("target-encrypted"), Verdict: finding.Pass, Subjects: n},
		},
	}
}

// Hostile is an audit whose every name, message and reason is hostile.
func Hostile(hostile string) *report.Report {
	r := Shop()
	for _, lb := range r.Graph.LoadBalancers {
		lb.Ref.Name += hostile
	}
	app := r.Graph.Applications[1]
	app.Name, app.Namespace = "shop"+hostile, hostile
	for _, h := range r.Graph.Hops {
		for _, ref := range []*estate.Ref{&h.From, &h.To} {
			if ref.Kind == "LoadBalancer" {
				ref.Name += hostile
			}
		}
		h.Why, h.By, h.Protocol = h.Why+hostile, h.By+hostile, h.Protocol+hostile
		for i := range h.Places {
			o := *h.Places[i].Origin
			o.File += hostile
			h.Places[i].Origin = &o
		}
	}
	for i := range r.Results {
		res := &r.Results[i]
		c := *res.Control
		c.Title += hostile
		res.Control = &c
		if res.Why != "" {
			res.Why += hostile
		}
		for j := range res.Findings {
			f := &res.Findings[j]
			f.Message += hostile
			f.Context = append(f.Context, hostile)
			f.Subject.Name += hostile
			if f.Location != nil {
				f.Location = &finding.Location{File: f.Location.File + hostile, Line: f.Location.Line}
			}
		}
		for j := range res.Gaps {
			res.Gaps[j].Why += hostile
		}
	}
	src := &r.Graph.Estate.Sources[0]
	src.Name += hostile
	src.Problems[0].What += hostile
	src.Ignored[0].Kind += hostile
	r.Args = append(r.Args, hostile)
	r.Describe = func(id string) report.Description {
		d := describe(id)
		d.Prose += hostile
		return d
	}
	return r
}
