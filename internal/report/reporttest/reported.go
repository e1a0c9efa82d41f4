package reporttest

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/report"
)

// Reported is the audit of the shop with what other tools say of it. hostile
// stands in whatever they say.
func Reported(hostile string) *report.Report {
	r := Account()
	e := r.Graph.Estate
	images := map[string]string{"web": "registry.example.com/shop/web:1.4", "orders": "nginx", "blog": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/blog:2"}
	for _, w := range estate.Workloads.In(e) {
		w.Template.Spec.Containers = []corev1.Container{{Name: "app", Image: images[w.Name]}}
	}
	estate.ImageScans.Add(e, &estate.ImageScan{
		RepositoryUri: "111122223333.dkr.ecr.eu-west-1.amazonaws.com/blog", RepositoryName: "blog", ImageDigest: "sha256:feed", ImageTags: []string{"2"},
	})
	// The load balancer that the Ingress declares is there.
	lb := r.Graph.LoadBalancers[0]
	predicted := lb.Ref
	lb.Ref = estate.Ref{Kind: "LoadBalancer", Name: "shop", ID: "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/shop/1a2b3c4d5e6f7081"}
	for _, h := range r.Graph.Hops {
		for _, end := range []*estate.Ref{&h.From, &h.To} {
			if *end == predicted {
				*end = lb.Ref
			}
		}
	}
	bitcoin := estate.ReportedFinding{
		AWS: estate.AWS{Arn: "arn:aws:guardduty:eu-west-1:111122223333:detector/d/finding/1"}, Id: "arn:aws:guardduty:eu-west-1:111122223333:detector/d/finding/1",
		Product: "GuardDuty", Rule: "CryptoCurrency:EC2/BitcoinTool.B!DNS", Title: "a name of a Bitcoin pool is asked for" + hostile, Severity: "high",
		Resources: []string{"deployment/shop/orders"}, FirstSeen: estate.Known(time.Date(2026, 11, 20, 1, 30, 0, 0, time.UTC)),
	}
	gathered := bitcoin
	gathered.Product = "Security Hub"
	estate.GuardDutyFindings.Add(e, &bitcoin)
	estate.SecurityHubFindings.Add(e, &gathered, &estate.ReportedFinding{
		Id: "elb1", Product: "Security Hub", Rule: "ELB.1", Title: "Application Load Balancer should redirect" + hostile, Severity: "medium", Resources: []string{lb.Ref.ID},
	})
	estate.LoadBalancers.Add(e, &estate.LoadBalancer{AWS: estate.AWS{Arn: lb.Ref.ID}, Name: lb.Ref.Name})
	flaw := estate.ReportedFinding{
		Id: "1", Product: "Inspector", Rule: "CVE-2026-1234", Title: "openssl: overflow" + hostile, Severity: "high", Package: "openssl",
		Resources: []string{"registry.example.com/shop/web:1.4"},
	}
	again := flaw
	again.Id, again.Product, again.Severity, again.Fixed = "2", "Trivy", "critical", "3.0.9"
	estate.InspectorFindings.Add(e, &flaw)
	estate.ImportedFindings.Add(e, &again, &estate.ReportedFinding{
		Id: "3", Product: "Trivy", Rule: "EKS-9" + hostile, Title: "the cluster has a fault" + hostile, Severity: "low", Resources: []string{"arn:aws:eks:eu-west-1:111122223333:cluster/shop"},
	})
	return r
}
