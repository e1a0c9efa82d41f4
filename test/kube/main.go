// Command kube runs a real Kubernetes API server and its etcd in one process,
// for tests: on a free loopback port, with all state in one folder, until its
// standard input closes. It prints the port as its first line. It has no
// controllers, no scheduler and no nodes, and it makes no keys: the folder
// holds them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

func main() {
	dir := flag.String("dir", "", "folder with ca.crt, server.crt, server.key, tokens.csv and accounts.key; state is written there")
	flag.Parse()
	if err := run(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "kube:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	if dir == "" {
		return errors.New("-dir is missing")
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	// The pipe breaks when the test's process ends, however it ends, so no
	// server is ever left behind.
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
		os.Exit(0)
	}()

	database, err := startEtcd(dir)
	if err != nil {
		return fmt.Errorf("starting etcd: %w", err)
	}
	defer database.Close()

	// The port is held from here on: no other process can take it before the
	// server listens.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	fmt.Println(port)
	return serve(ctx, dir, listener, port, database.Clients[0].Addr().String())
}

func startEtcd(dir string) (*embed.Etcd, error) {
	anyPort := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	c := embed.NewConfig()
	c.Dir = filepath.Join(dir, "etcd")
	c.ListenClientUrls = []url.URL{anyPort}
	c.AdvertiseClientUrls = []url.URL{anyPort}
	c.ListenPeerUrls = []url.URL{anyPort}
	c.AdvertisePeerUrls = []url.URL{anyPort}
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.LogLevel = "error"
	c.LogOutputs = []string{filepath.Join(dir, "etcd.log")}
	c.UnsafeNoFsync = true // nothing outlives the test
	database, err := embed.StartEtcd(c)
	if err != nil {
		return nil, err
	}
	select {
	case <-database.Server.ReadyNotify():
		return database, nil
	case err := <-database.Err():
		return nil, err
	case <-time.After(30 * time.Second):
		database.Close()
		return nil, errors.New("not ready in 30 seconds")
	}
}

func serve(ctx context.Context, dir string, listener net.Listener, port int, etcd string) error {
	file := func(name string) string { return filepath.Join(dir, name) }
	s := options.NewServerRunOptions()
	// The flags are those of the real program: what they mean is documented
	// there, not here.
	command := &cobra.Command{
		Use:           "kube-apiserver",
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(*cobra.Command, []string) error {
			s.SecureServing.Listener = listener
			completed, err := s.Complete(ctx)
			if err != nil {
				return err
			}
			if errs := completed.Validate(); len(errs) > 0 {
				return errors.Join(errs...)
			}
			return app.Run(ctx, completed)
		},
	}
	for _, set := range s.Flags().FlagSets {
		command.Flags().AddFlagSet(set)
	}
	command.SetArgs([]string{
		"--etcd-servers=http://" + etcd,
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(port),
		"--endpoint-reconciler-type=none",
		"--cert-dir=" + file("certificates"),
		"--tls-cert-file=" + file("server.crt"),
		"--tls-private-key-file=" + file("server.key"),
		"--client-ca-file=" + file("ca.crt"),
		"--token-auth-file=" + file("tokens.csv"),
		"--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + file("accounts.key"),
		"--service-account-signing-key-file=" + file("accounts.key"),
		"--service-cluster-ip-range=10.0.0.0/16",
		"--watch-cache=true",
		"--profiling=false",
		"--allow-privileged=true", // real estates have privileged pods, and audits must find them
	})
	return command.ExecuteContext(ctx)
}
