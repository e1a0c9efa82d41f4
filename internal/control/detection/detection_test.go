package detection

import (
	"testing"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// Alarms name what they watch by a part of its ARN, alarms of templates by an
// attribute of it.
func TestExtentOfLoadBalancer(t *testing.T) {
	balancer := func(arn string) watched {
		return watched{balancer: &trace.LoadBalancer{Actual: &estate.LoadBalancer{AWS: estate.AWS{Arn: arn}}}}
	}
	live := "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/shop/0123"
	for _, tt := range []struct {
		arn, value string
		want       extent
	}{
		{live, "app/shop/0123", whole},
		{live, "app/shop/0124", elsewhere},
		{live, "shop", elsewhere},
		{live, "", unsaid},
		{live, "${?}", unsaid},
		{"cfn:shop.yaml#ALB", "cfn:shop.yaml#ALB.LoadBalancerFullName", whole},
		{"cfn:shop.yaml#ALB", "cfn:shop.yaml#ALB2.LoadBalancerFullName", elsewhere},
		{"tf:main.tf#aws_lb.shop", "tf:main.tf#aws_lb.shop.arn_suffix", whole},
		{"cfn:shop.yaml#ALB", "", unsaid},
	} {
		got, _ := balancer(tt.arn).extent(use{dimensions: []estate.Dimension{{Name: "LoadBalancer", Value: tt.value}}})
		if got != tt.want {
			t.Errorf("%q of %s: %d, want %d", tt.value, tt.arn, got, tt.want)
		}
	}
	if got, _ := balancer(live).extent(use{dimensions: []estate.Dimension{{Name: "TargetGroup", Value: "targetgroup/a/1"}}}); got != elsewhere {
		t.Errorf("without a load balancer: %d", got)
	}
	for query, want := range map[string]extent{
		`SELECT SUM(HTTPCode_ELB_4XX_Count) FROM "AWS/ApplicationELB"`:                                        whole,
		`SELECT SUM(HTTPCode_ELB_4XX_Count) FROM "AWS/ApplicationELB" WHERE LoadBalancer = 'app/shop/0123'`:   whole,
		`SELECT SUM(HTTPCode_ELB_4XX_Count) FROM "AWS/ApplicationELB" WHERE LoadBalancer = 'app/other/0123'`:  elsewhere,
		`SELECT SUM(HTTPCode_ELB_4XX_Count) FROM "AWS/ApplicationELB" where LoadBalancer = 'app/shop/012345'`: elsewhere,
	} {
		if got, _ := balancer(live).extent(use{query: query}); got != want {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	a := &estate.Alarm{AWS: estate.AWS{Arn: "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:api errors"}, AlarmName: "api errors"}
	for rule, want := range map[string]bool{
		`ALARM("api errors")`:   true,
		`ALARM('api errors')`:   true,
		`ALARM(api errors)`:     true,
		`ALARM( "api errors" )`: true,
		`OK(x) OR ALARM("arn:aws:cloudwatch:eu-west-1:111122223333:alarm:api errors")`: true,
		`NOT ALARM("api errors")`:       false,
		`OK("api errors")`:              false,
		`INSUFFICIENT_DATA(api errors)`: false,
		`ALARM("api errors 2")`:         false,
		``:                              false,
	} {
		if got := names(rule, a); got != want {
			t.Errorf("%s: %v", rule, got)
		}
	}
}

func TestIsShipper(t *testing.T) {
	for image, want := range map[string]bool{
		"cr.fluentbit.io/fluent/fluent-bit:5.0.7":                                             true,
		"fluent/fluentd-kubernetes-daemonset:v1-debian-cloudwatch":                            true,
		"111122223333.dkr.ecr.eu-west-1.amazonaws.com/mirror/aws-for-fluent-bit@sha256:88e1b": true,
		"localhost:5000/fluent-bit":                                                           true,
		"fluent-bit":                                                                          true,
		"docker.io/grafana/alloy:v1.9.1":                                                      true,
		"shop/vector:1":                                                                       false,
		"shop/fluent-bit-exporter:1":                                                          false,
		"":                                                                                    false,
	} {
		if got := isShipper(image); got != want {
			t.Errorf("%q: %v", image, got)
		}
	}
}

// Templates beside an account are of no account of their own.
func TestKnownSites(t *testing.T) {
	template, live := site{}, site{"111122223333", "eu-west-1"}
	if got := known(map[site]bool{template: true, live: true}); len(got) != 1 || got[0] != live {
		t.Errorf("beside an account: %v", got)
	}
	if got := known(map[site]bool{template: true}); len(got) != 1 || got[0] != template {
		t.Errorf("alone: %v", got)
	}
}
