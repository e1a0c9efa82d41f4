package pod

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// The API's endpoints are use of AWS; what stands in front of databases,
// caches and load balancers is not.
func TestAPIHosts(t *testing.T) {
	for host, want := range map[string]bool{
		"sqs.eu-west-1.amazonaws.com":                             true,
		"s3.amazonaws.com":                                        true,
		"sts.amazonaws.com":                                       true,
		"pictures.s3.eu-west-1.amazonaws.com":                     true,
		"a.b.s3.us-gov-west-1.amazonaws.com":                      true,
		"s3.dualstack.eu-west-1.amazonaws.com":                    true,
		"kms-fips.us-east-1.amazonaws.com":                        true,
		"sqs.eu-west-1.api.aws":                                   true,
		"dynamodb.cn-north-1.amazonaws.com.cn":                    true,
		"orders.c9akciq32abc.eu-west-1.rds.amazonaws.com":         false,
		"master.catalog.abc123.euw1.cache.amazonaws.com":          false,
		"vpc-catalog-abcdefghijklmnop.eu-west-1.es.amazonaws.com": false,
		"b-1.events.abc123.c3.kafka.eu-west-1.amazonaws.com":      false,
		"k8s-shop-1234567890.eu-west-1.elb.amazonaws.com":         false,
		"111122223333.dkr.ecr.eu-west-1.amazonaws.com":            false,
		"abc123.execute-api.eu-west-1.amazonaws.com":              false,
		"sqs.eu-west-1.amazonaws.com.example.com":                 false,
	} {
		if got := apiHostRE().MatchString(host); got != want {
			t.Errorf("%s is an API of AWS: %v, want %v", host, got, want)
		}
	}
}

// However a path is written, what it opens is the same.
func FuzzHostPath(f *testing.F) {
	f.Add("/var/run/docker.sock")
	f.Add("//run/../run//containerd/")
	f.Add("/var/run/../../var/run")
	f.Add("run")
	f.Fuzz(func(t *testing.T, p string) {
		if strings.ContainsRune(p, 0) {
			return
		}
		clean := hostPath(p)
		if !strings.HasPrefix(clean, "/") || strings.HasPrefix(clean+"/", "/var/run/") {
			t.Errorf("hostPath(%q) = %q", p, clean)
		}
		a := reaches(&corev1.HostPathVolumeSource{Path: p})
		if b := reaches(&corev1.HostPathVolumeSource{Path: clean}); a != b {
			t.Errorf("%q opens %q, and %q, which is the same, %q", p, a, clean, b)
		}
	})
}
