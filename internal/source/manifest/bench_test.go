package manifest

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// corpus returns a folder of the corpora that lie beside the project.
func corpus(tb testing.TB, name string) string {
	tb.Helper()
	root := os.Getenv("EKSAFE_CORPUS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	p := filepath.Join(root, name)
	if _, err := os.Stat(p); err != nil {
		tb.Skipf("the corpus %s is not there; set EKSAFE_CORPUS to the folder that holds it", name)
	}
	return p
}

// generate writes files with n Deployments, a Service and a NetworkPolicy
// each.
func generate(tb testing.TB, n int) string {
	tb.Helper()
	dir := tb.TempDir()
	const perFile = 20
	for file := 0; file*perFile < n; file++ {
		var b strings.Builder
		for i := range perFile {
			fmt.Fprintf(&b, application, fmt.Sprintf("app-%d-%d", file, i))
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("team%05d.yaml", file)), []byte(b.String()), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

const application = `---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: %[1]s
  namespace: shop
  labels: {app: %[1]s, tier: web}
spec:
  replicas: 2
  selector:
    matchLabels: {app: %[1]s}
  template:
    metadata:
      labels: {app: %[1]s, tier: web}
    spec:
      containers:
      - name: main
        image: registry.example.com/%[1]s:1.0
        ports:
        - containerPort: 8080
        env:
        - name: DB_HOST
          value: %[1]s.cluster-abc.eu-west-1.rds.amazonaws.com
        - name: DB_PASSWORD
          valueFrom:
            secretKeyRef: {name: db, key: password}
        resources:
          limits: {cpu: 500m, memory: 256Mi}
        securityContext:
          allowPrivilegeEscalation: false
          runAsNonRoot: true
        readinessProbe:
          httpGet: {path: /ready, port: 8080}
---
apiVersion: v1
kind: Service
metadata:
  name: %[1]s
  namespace: shop
spec:
  selector: {app: %[1]s}
  ports:
  - port: 80
    targetPort: 8080
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: %[1]s
  namespace: shop
spec:
  podSelector:
    matchLabels: {app: %[1]s}
  policyTypes: [Ingress]
  ingress:
  - from:
    - podSelector: {matchLabels: {tier: web}}
    ports:
    - port: 8080
`

func benchmarkRead(b *testing.B, dir string) {
	b.ReportAllocs()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for b.Loop() {
		r, err := Read(context.Background(), []string{dir}, nil)
		if err != nil {
			b.Fatal(err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(r)
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MB-live")
}

func BenchmarkRead1000Deployments(b *testing.B) { benchmarkRead(b, generate(b, 1000)) }

// BenchmarkReadFolder reads the folder that EKSAFE_BENCH names.
func BenchmarkReadFolder(b *testing.B) {
	dir := os.Getenv("EKSAFE_BENCH")
	if dir == "" {
		b.Skip("EKSAFE_BENCH names no folder to read")
	}
	benchmarkRead(b, dir)
}

// unpack extracts an archive of a corpus.
func unpack(tb testing.TB, archive string) string {
	tb.Helper()
	file, err := os.Open(archive)
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		tb.Fatal(err)
	}
	dir := tb.TempDir()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return dir
		}
		if err != nil {
			tb.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg || !filepath.IsLocal(h.Name) {
			continue
		}
		data, err := io.ReadAll(r)
		if err != nil {
			tb.Fatal(err)
		}
		p := filepath.Join(dir, h.Name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(p, data, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
}

func BenchmarkReadKubePrometheus(b *testing.B) {
	benchmarkRead(b, unpack(b, filepath.Join(corpus(b, "manifests"), "kube-prometheus.tar.gz")))
}
