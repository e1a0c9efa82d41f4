// Command synth writes a large, made-up set of Kubernetes manifests for
// benchmarks: Deployments with a Service and a NetworkPolicy each, spread over
// namespaces, one file a namespace. It is deterministic, and the set is no
// example to follow: a third of the workloads is careless on purpose.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	namespaces := flag.Int("namespaces", 500, "how many namespaces")
	deployments := flag.Int("deployments", 20, "how many Deployments in each")
	out := flag.String("out", "", "the folder to write; it must not exist")
	flag.Parse()
	if *out == "" || flag.NArg() > 0 || *namespaces < 1 || *deployments < 1 {
		fmt.Fprintln(os.Stderr, "usage: synth -out FOLDER [-namespaces 500] [-deployments 20]")
		os.Exit(2)
	}
	if err := writeSet(*out, *namespaces, *deployments); err != nil {
		fmt.Fprintln(os.Stderr, "synth:", err)
		os.Exit(1)
	}
}

// writeSet writes the set under another name first: a folder that is there is complete.
func writeSet(out string, namespaces, deployments int) error {
	if _, err := os.Stat(out); err == nil {
		return fmt.Errorf("%s is there already", out)
	}
	unfinished := out + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	if err := os.MkdirAll(unfinished, 0o777); err != nil {
		return err
	}
	for n := range namespaces {
		ns := namespace{index: n, apps: deployments}
		if err := ns.writeFile(filepath.Join(unfinished, ns.name()+".yaml")); err != nil {
			return err
		}
	}
	return os.Rename(unfinished, out)
}

var (
	stages = []string{"dev", "qa", "load", "live", "infra"}
	teams  = []string{"cart", "ledger", "media", "search", "users", "ship"}
)

// A namespace is one team's stage with its applications.
type namespace struct{ index, apps int }

func (n namespace) team() string {
	team := n.index / len(stages)
	return fmt.Sprintf("%s%04d", teams[team%len(teams)], team)
}

func (n namespace) name() string { return n.team() + "-" + stages[n.index%len(stages)] }

func (n namespace) writeFile(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<16)
	n.write(w)
	if err := w.Flush(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func (n namespace) write(w io.Writer) {
	level := "restricted"
	if n.index%4 == 0 {
		level = "privileged"
	}
	fmt.Fprintf(w, `apiVersion: v1
kind: Namespace
metadata:
  name: %s
  labels:
    team: %s
    pod-security.kubernetes.io/enforce: %s
`, n.name(), n.team(), level)
	if n.index%3 != 0 {
		fmt.Fprintf(w, `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: deny-by-default
  namespace: %s
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
`, n.name())
	}
	for i := range n.apps {
		n.writeApp(w, i)
	}
}

// The security of one container, by how careful its team is.
var care = [...]string{
	`          securityContext:
            runAsNonRoot: true
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop: [ALL]
            seccompProfile:
              type: RuntimeDefault
          readinessProbe:
            httpGet:
              path: /ready
              port: web
              scheme: HTTPS
`,
	`          readinessProbe:
            httpGet:
              path: /ready
              port: web
`,
	`          securityContext:
            privileged: true
`,
}

func (n namespace) writeApp(w io.Writer, i int) {
	serial := n.index*n.apps + i
	app := fmt.Sprintf("svc-%03d", i)
	next := fmt.Sprintf("svc-%03d", (i+1)%n.apps)
	fmt.Fprintf(w, `---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: %[1]s
  namespace: %[2]s
  labels:
    app.kubernetes.io/name: %[1]s
spec:
  replicas: 3
  selector:
    matchLabels:
      app.kubernetes.io/name: %[1]s
  template:
    metadata:
      labels:
        app.kubernetes.io/name: %[1]s
    spec:
      serviceAccountName: %[1]s
      containers:
        - name: main
          image: registry.example.com/%[3]s/%[1]s:%[4]d
          ports:
            - name: web
              containerPort: 8443
          env:
            - name: DATABASE_HOST
              value: %[1]s.c0ffee.eu-central-1.rds.amazonaws.com
            - name: UPSTREAM
              value: https://%[5]s:443
            - name: DATABASE_PASSWORD
              valueFrom:
                secretKeyRef:
                  name: %[1]s
                  key: password
%[6]s---
apiVersion: v1
kind: Service
metadata:
  name: %[1]s
  namespace: %[2]s
spec:
  selector:
    app.kubernetes.io/name: %[1]s
  ports:
    - name: web
      port: 443
      targetPort: web
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: %[1]s
  namespace: %[2]s
spec:
  podSelector:
    matchLabels:
      app.kubernetes.io/name: %[1]s
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        - podSelector:
            matchLabels:
              app.kubernetes.io/name: %[5]s
      ports:
        - port: 8443
  egress:
    - to:
        - ipBlock:
            cidr: 10.%[7]d.%[8]d.%[9]d/28
      ports:
        - port: 3306
`, app, n.name(), n.team(), serial, next, care[serial%len(care)],
		serial/4096%256, serial/16%256, serial%16*16)
}
