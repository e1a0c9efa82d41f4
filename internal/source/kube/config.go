package kube

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// A Location is the cluster that a kubeconfig's context leads to.
type Location struct {
	Context string // "in-cluster" for a pod's own account
	Cluster string // the kubeconfig's name of the cluster
	Server  string // the API server's URL, by which AWS knows the cluster too
	ARN     string // of the EKS cluster, if the kubeconfig names it by its ARN
}

// Locate returns the cluster that options lead to, without asking it.
func Locate(o Options) (Location, error) {
	_, where, err := load(o)
	return where, err
}

// Endpoint returns the URL of the API server that options lead to.
func Endpoint(o Options) (string, error) {
	where, err := Locate(o)
	return where.Server, err
}

const inCluster = "in-cluster"

// load reads the kubeconfig. Errors of its decoders may quote tokens, so none
// of them is passed on.
func load(o Options) (*rest.Config, Location, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.Warner = func(error) {} // a missing file is told below
	files := strings.Join(rules.GetLoadingPrecedence(), ", ")
	if o.Kubeconfig != "" {
		rules.ExplicitPath, files = o.Kubeconfig, o.Kubeconfig
	}
	kubeconfig := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.Context})
	raw, err := kubeconfig.RawConfig()
	if err != nil {
		return nil, Location{}, fmt.Errorf("reading kubeconfig %s: %w", files, unreadable(err))
	}
	name := o.Context
	if name == "" {
		name = raw.CurrentContext
	}
	current, found := raw.Contexts[name]
	switch {
	case name == "" && len(raw.Contexts) == 0 && o.Kubeconfig == "":
		if config, err := rest.InClusterConfig(); err == nil {
			return config, Location{Context: inCluster, Cluster: inCluster, Server: config.Host}, nil
		}
		return nil, Location{}, fmt.Errorf("finding a cluster: there is no kubeconfig in %s; write one with \"aws eks update-kubeconfig --name CLUSTER\", or set KUBECONFIG", files)
	case name == "":
		return nil, Location{}, fmt.Errorf("reading kubeconfig %s: it has no current context; pass --context: %s", files, contexts(raw))
	case !found:
		return nil, Location{}, fmt.Errorf("reading kubeconfig %s: it has no context %q; it has %s", files, name, contexts(raw))
	}
	if raw.Clusters[current.Cluster] == nil {
		return nil, Location{}, fmt.Errorf("reading kubeconfig %s: context %s names cluster %q, which it does not have", files, name, current.Cluster)
	}
	config, err := kubeconfig.ClientConfig()
	if err != nil {
		return nil, Location{}, fmt.Errorf("reading context %s of kubeconfig %s: %w", name, files, unusable(err))
	}
	where := Location{Context: name, Cluster: current.Cluster, Server: config.Host}
	if eksARN.MatchString(current.Cluster) {
		where.ARN = current.Cluster
	}
	return config, where, nil
}

var (
	eksARN      = regexp.MustCompile(`^arn:aws[a-z-]*:eks:[a-z0-9-]+:[0-9]{12}:cluster/[A-Za-z0-9_-]+$`)
	linePattern = regexp.MustCompile(`\bline [0-9]+\b`)
)

func contexts(raw clientcmdapi.Config) string {
	names := slices.Sorted(maps.Keys(raw.Contexts))
	switch n := len(names); {
	case n == 0:
		return "none"
	case n > 8:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:8], ", "), n-8)
	}
	return strings.Join(names, ", ")
}

// unreadable says why a kubeconfig cannot be read.
func unreadable(err error) error {
	var file *fs.PathError
	switch {
	case errors.As(err, &file):
		return file.Err
	case clientcmd.IsConfigurationInvalid(err):
		return errors.New("it is no valid kubeconfig; \"kubectl config view\" says where")
	}
	if line := linePattern.FindString(err.Error()); line != "" {
		return fmt.Errorf("it is no valid kubeconfig, see %s", line)
	}
	return errors.New("it is no valid kubeconfig; \"kubectl config view\" says where")
}

// unusable says why a context leads to no cluster. The validation of clientcmd
// names entries and files and quotes no values.
func unusable(err error) error {
	var file *fs.PathError
	switch {
	case errors.As(err, &file):
		return file
	case clientcmd.IsConfigurationInvalid(err):
		return errors.New(strings.TrimPrefix(bounded(err.Error()), "invalid configuration: "))
	}
	return errors.New("it names no cluster or user that the file has; \"kubectl config view\" shows them")
}
