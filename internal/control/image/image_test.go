package image

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/trace"
)

var (
	digestA = "sha256:" + strings.Repeat("a", 64)
	digestB = "sha256:" + strings.Repeat("b", 64)
)

func TestParse(t *testing.T) {
	for image, want := range map[string]parsed{
		"nginx":                             {domain: "docker.io", path: "library/nginx", tag: "latest"},
		"nginx:1.29":                        {domain: "docker.io", path: "library/nginx", tag: "1.29", given: true},
		"index.docker.io/library/nginx:1":   {domain: "docker.io", path: "library/nginx", tag: "1", given: true},
		"example/web":                       {domain: "docker.io", path: "example/web", tag: "latest"},
		"registry.example:5000/web":         {domain: "registry.example:5000", path: "web", tag: "latest"},
		"localhost/web:1":                   {domain: "localhost", path: "web", tag: "1", given: true},
		"Registry.Example/web@" + digestA:   {domain: "registry.example", path: "web", digest: digestA},
		"registry.example/web:1@" + digestA: {domain: "registry.example", path: "web", tag: "1", given: true, digest: digestA},
	} {
		if got, err := parse(image); err != nil || got != want {
			t.Errorf("%q: %+v, %v, want %+v", image, got, err, want)
		}
	}
	for _, bad := range []string{
		"", " ", "registry.example/UPPER", "{{ .Values.image }}", "web:", "web@sha256:abc", "https://registry.example/web", strings.Repeat("a", 64),
		"registry.example/" + strings.Repeat("a/", 600) + "b", "web:1\n", "../web",
	} {
		if got, err := parse(bad); err == nil {
			t.Errorf("%q is %+v, want an error", bad, got)
		}
	}
}

func TestWithin(t *testing.T) {
	const own = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
	for _, c := range []struct {
		image, prefix string
		want          bool
	}{
		{own + "/shop/web:1", own, true},
		{own + "/shop/web:1", own + "/", true},
		{own + "/shop/web:1", " " + strings.ToUpper(own) + "/shop", true},
		{own + "/shop/web:1", own + "/shop/web", true},
		{own + "/shop/web:1", own + "/shop/we", false},
		{own + "/shop-evil/web:1", own + "/shop", false},
		{own + ".evil.example/shop/web:1", own, false},
		{"evil.example/" + own + "/web:1", own, false},
		{own + ":8443/shop/web:1", own, false},
		{"nginx", "docker.io", true},
		{"nginx", "docker.io/library/nginx", true},
		{"nginx", "nginx", false},
		{"nginx", "", false},
		{"nginx", "/", false},
	} {
		p, err := parse(c.image)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.within(c.prefix); got != c.want {
			t.Errorf("%q within %q: %v, want %v", c.image, c.prefix, got, c.want)
		}
	}
}

func TestECR(t *testing.T) {
	for domain, want := range map[string]bool{
		"111122223333.dkr.ecr.eu-west-1.amazonaws.com":         true,
		"111122223333.dkr.ecr-fips.us-east-1.amazonaws.com":    true,
		"111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn":     true,
		"111122223333.dkr.ecr.eu-west-1.amazonaws.com.evil.eu": false,
		"11112222333.dkr.ecr.eu-west-1.amazonaws.com":          false,
		"x.111122223333.dkr.ecr.eu-west-1.amazonaws.com":       false,
		"public.ecr.aws": false,
	} {
		p := parsed{domain: domain}
		if _, _, got := p.ecr(); got != want {
			t.Errorf("%q: %v, want %v", domain, got, want)
		}
	}
}

func TestChooses(t *testing.T) {
	for _, c := range []struct {
		filter, repository string
		want               bool
	}{
		{"*", "shop/web", true},
		{"shop", "my-shop/web", true},
		{"shop/*", "my-shop/web", false},
		{"*/web", "shop/web", true},
		{"shop/web", "shop/orders", false},
		{"", "shop/web", false},
	} {
		if got := chooses(c.filter, c.repository); got != c.want {
			t.Errorf("%q chooses %q: %v, want %v", c.filter, c.repository, got, c.want)
		}
	}
}

// What pods run decides, and not what the tag of their template means by now.
func TestPodsTellWhatRuns(t *testing.T) {
	w := &estate.Workload{
		Controller: "Deployment", ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{
			{Name: "web", Image: "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:1"},
		}}},
	}
	scan := func(digest string, flaws []estate.Vulnerability, tags ...string) *estate.ImageScan {
		return &estate.ImageScan{
			AWS:            estate.AWS{Arn: digest, Origin: estate.Origin{Account: "111122223333", Region: "eu-west-1"}},
			RepositoryName: "web", ImageDigest: digest, ImageTags: tags, Status: estate.Known("ACTIVE"), Vulnerabilities: estate.Known(flaws),
		}
	}
	open := []estate.Vulnerability{{Name: "CVE-2026-1", Severity: "HIGH", PackageName: "zlib", FixedInVersion: estate.Known("2")}}
	for _, c := range []struct {
		name string
		pods []estate.Pod
		want finding.Verdict
	}{
		{"the tag alone", nil, finding.Pass},
		{"the tag has moved on", []estate.Pod{{Digests: map[string]string{"web": digestA}}, {Digests: map[string]string{"web": digestB}}}, finding.Fail},
		{"all are new", []estate.Pod{{Digests: map[string]string{"web": digestB}}}, finding.Pass},
		{"an injected container", []estate.Pod{{Digests: map[string]string{"proxy": digestA}}}, finding.Pass},
		{"an image that is gone", []estate.Pod{{Digests: map[string]string{"web": "sha256:" + strings.Repeat("c", 64)}}}, finding.Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			running := *w
			running.Pods = c.pods
			e := &estate.Estate{}
			estate.Workloads.Add(e, &running)
			estate.ImageScans.Add(e, scan(digestA, open), scan(digestB, []estate.Vulnerability{}, "1"))
			var covered []estate.Coverage
			for _, k := range imageVulnerable.Reads() {
				covered = append(covered, estate.Coverage{Kind: k, State: estate.Read})
			}
			e.Sources = []estate.Source{{Coverage: covered}}
			r := control.Run(trace.New(e), []*control.Control{imageVulnerable}, time.Now(), nil)[0]
			if r.Verdict != c.want {
				t.Errorf("%s, want %s: %v %v", r.Verdict, c.want, r.Findings, r.Gaps)
			}
		})
	}
}

// A repository in a file does not say in which account it will be; a live one
// is of its account and region alone.
func TestBelongs(t *testing.T) {
	p, err := parse("111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:1")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		origin estate.Origin
		want   bool
	}{
		{"web", estate.Origin{Account: "111122223333", Region: "eu-west-1"}, true},
		{"web", estate.Origin{File: "registry.yaml"}, true},
		{"web", estate.Origin{Account: "444455556666", Region: "eu-west-1"}, false},
		{"web", estate.Origin{Account: "111122223333", Region: "us-east-1"}, false},
		{"we", estate.Origin{}, false},
	} {
		if got := p.belongs(c.name, &c.origin); got != c.want {
			t.Errorf("%s %+v: %v, want %v", c.name, c.origin, got, c.want)
		}
	}
}

// Only what the injector fills in is no image.
func TestPlaceholder(t *testing.T) {
	w := &estate.Workload{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "istio-proxy", Image: "auto"}}}}}
	if got := containers(w); len(got) != 1 || got[0].ref.domain != "docker.io" {
		t.Errorf("without injection %+v", got)
	}
	w.Template.Labels = map[string]string{"sidecar.istio.io/inject": "true"}
	if got := containers(w); len(got) != 0 {
		t.Errorf("with injection %+v", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "nginx", "auto", "nginx:1.29@" + digestA, "Registry.Example:5000/a/b:c", "{{ .Values.image }}", "[::1]:5000/web", "a@sha512:" + strings.Repeat("0", 128),
		"111122223333.dkr.ecr.eu-west-1.amazonaws.com.evil.example/web", "\xff\xfe", "a//b", "localhost:/a",
	} {
		f.Add(s, "registry.example/shop")
	}
	f.Fuzz(func(t *testing.T, image, prefix string) {
		p, err := parse(image)
		if err != nil {
			return
		}
		if p.domain == "" || p.path == "" || p.tag == "" && p.digest == "" {
			t.Fatalf("%q: %+v", image, p)
		}
		if !p.within(p.domain) || !p.within(p.domain+"/"+p.path) || p.within(p.domain+"/"+p.path+"/more") || p.within("") {
			t.Fatalf("%q is not within its own registry alone: %+v", image, p)
		}
		// A prefix that holds still holds with the boundary behind it.
		if p.within(prefix) && !strings.HasPrefix(p.domain+"/"+p.path+"/", strings.TrimRight(strings.ToLower(strings.TrimSpace(prefix)), "/")+"/") {
			t.Fatalf("%q is within %q beside a boundary", image, prefix)
		}
	})
}
