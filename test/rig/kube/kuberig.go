// Package kuberig starts a real Kubernetes API server for a test: authenticated,
// authorized by RBAC, with the default admission, on a loopback port of its
// own, gone when the test ends. There are no controllers: a Deployment makes no
// pods. Only tests import it.
package kuberig

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	startBudget = 2 * time.Minute // some four seconds on an idle machine
	applyBudget = 5 * time.Minute // some four seconds for every definition
	pollEvery   = 100 * time.Millisecond
)

// A Server is a running API server.
type Server struct {
	URL   string // https://127.0.0.1:PORT
	Admin string // kubeconfig of a member of system:masters; its context is "rig"

	dir       string
	authority *certificate
	token     string
	client    *http.Client
	plurals   map[string]map[string]resource // apiVersion → kind
}

// Start starts a server that ends with the test. Where the server is not built
// the test is skipped, or fails if EKSAFE_RIGS is "required".
func Start(t testing.TB) *Server {
	t.Helper()
	file, err := binary()
	if err != nil {
		t.Fatalf("kube-apiserver rig: %v", err)
	}
	if _, err := os.Stat(file); err != nil {
		const missing = "kube-apiserver rig not built: run make rigs"
		if os.Getenv("EKSAFE_RIGS") == "required" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	s := &Server{dir: t.TempDir(), token: rand.Text(), plurals: map[string]map[string]resource{}}
	if err := s.writeKeys(); err != nil {
		t.Fatalf("kube-apiserver rig: writing keys: %v", err)
	}
	port, exited := s.launch(t, file)
	s.URL = "https://127.0.0.1:" + port
	roots := x509.NewCertPool()
	roots.AddCert(s.authority.parsed)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	s.client = &http.Client{Transport: transport}
	s.Admin = s.TokenKubeconfig(t, s.token)

	ctx, cancel := context.WithTimeout(t.Context(), startBudget)
	defer cancel()
	err = poll(ctx, func() (bool, error) {
		select {
		case <-exited:
			return false, fmt.Errorf("the server ended:\n%s", s.logTail())
		default:
		}
		status, _, err := s.call(ctx, http.MethodGet, "/readyz", nil)
		return err == nil && status == http.StatusOK, nil
	})
	if err != nil {
		t.Fatalf("kube-apiserver rig: awaiting readiness: %v\n%s", err, s.logTail())
	}
	return s
}

// launch starts the process and returns its port and a channel that closes
// when the process ends.
func (s *Server) launch(t testing.TB, file string) (port string, exited <-chan struct{}) {
	t.Helper()
	log, err := os.Create(filepath.Join(s.dir, "server.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(file, "-dir", s.dir)
	cmd.Stderr = log
	// Nothing is written to the pipe: the server ends when it breaks, which it
	// does even if this process is killed.
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("kube-apiserver rig: %v", err)
	}
	lines := bufio.NewReader(stdout)
	ended := make(chan struct{})
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // nothing in it is worth a graceful end
		<-ended
		log.Close()
	})
	first := make(chan string, 1) // so that the reader ends even if nobody waits
	go func() {
		defer close(ended)
		line, _ := lines.ReadString('\n')
		first <- strings.TrimSpace(line)
		_, _ = io.Copy(io.Discard, lines)
		_ = cmd.Wait()
	}()
	select {
	case port = <-first:
	case <-time.After(startBudget):
	}
	if port == "" {
		t.Fatalf("kube-apiserver rig: the server did not start:\n%s", s.logTail())
	}
	return port, ended
}

func (s *Server) logTail() string {
	data, err := os.ReadFile(filepath.Join(s.dir, "server.log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// Kubeconfig returns the file of a kubeconfig for a user in these groups, who
// proves it with a client certificate. Without a binding the user may do
// nothing but look at the API's list of kinds.
func (s *Server) Kubeconfig(t testing.TB, user string, groups ...string) string {
	t.Helper()
	cert, err := newCertificate(s.authority, &x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s.writeKubeconfig(t, map[string]any{
		"client-certificate-data": base64.StdEncoding.EncodeToString(cert.cert),
		"client-key-data":         base64.StdEncoding.EncodeToString(cert.key),
	})
}

// TokenKubeconfig returns the file of a kubeconfig with a bearer token. The
// server knows none but the administrator's, so any other is rejected.
func (s *Server) TokenKubeconfig(t testing.TB, token string) string {
	t.Helper()
	return s.writeKubeconfig(t, map[string]any{"token": token})
}

func (s *Server) writeKubeconfig(t testing.TB, user map[string]any) string {
	t.Helper()
	// JSON is YAML, and clientcmd reads it.
	data, err := json.Marshal(map[string]any{
		"apiVersion":      "v1",
		"kind":            "Config",
		"current-context": "rig",
		"clusters": []any{map[string]any{"name": "rig", "cluster": map[string]any{
			"server":                     s.URL,
			"certificate-authority-data": base64.StdEncoding.EncodeToString(s.authority.cert),
		}}},
		"contexts": []any{map[string]any{"name": "rig", "context": map[string]any{"cluster": "rig", "user": "rig"}}},
		"users":    []any{map[string]any{"name": "rig", "user": user}},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// writeKeys writes what the server needs to know of itself and its clients.
func (s *Server) writeKeys() error {
	var err error
	s.authority, err = newCertificate(nil, &x509.Certificate{
		Subject:  pkix.Name{CommonName: "rig"},
		IsCA:     true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	})
	if err != nil {
		return err
	}
	server, err := newCertificate(s.authority, &x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames:    []string{"localhost"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return err
	}
	accounts, err := newCertificate(s.authority, &x509.Certificate{})
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{
		"ca.crt":       s.authority.cert,
		"server.crt":   server.cert,
		"server.key":   server.key,
		"accounts.key": accounts.key,
		"tokens.csv":   []byte(s.token + ",rig-admin,rig-admin,system:masters\n"),
	} {
		if err := os.WriteFile(filepath.Join(s.dir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

type certificate struct {
	parsed    *x509.Certificate
	private   *ecdsa.PrivateKey
	cert, key []byte // PEM
}

// newCertificate fills in what every certificate has; without an issuer it
// signs itself.
func newCertificate(issuer *certificate, template *x509.Certificate) (*certificate, error) {
	c := &certificate{}
	var err error
	if c.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return nil, err
	}
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().Add(24 * time.Hour)
	template.BasicConstraintsValid = true
	if template.KeyUsage == 0 {
		template.KeyUsage = x509.KeyUsageDigitalSignature
	}
	parent, signer := template, c.private
	if issuer != nil {
		parent, signer = issuer.parsed, issuer.private
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &c.private.PublicKey, signer)
	if err != nil {
		return nil, err
	}
	if c.parsed, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	private, err := x509.MarshalECPrivateKey(c.private)
	if err != nil {
		return nil, err
	}
	c.cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	c.key = pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})
	return c, nil
}

// call asks the server as its administrator. A body is a server-side apply.
func (s *Server) call(ctx context.Context, method, path string, body []byte) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Accept", "application/json")
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/apply-patch+yaml")
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// poll asks until the answer is yes, an error, or the context's end.
func poll(ctx context.Context, done func() (bool, error)) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
