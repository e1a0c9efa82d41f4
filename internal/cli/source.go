package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/eksafe/eksafe/internal/source/aws"
)

// sources is what a command that looks at an estate was asked to read.
type sources struct {
	paths      []string
	kube       bool
	context    string
	kubeconfig string
	secrets    bool
	aws        bool
	profile    string
	regions    []string
	clusters   []string
	skip       []string
	parameters []string
}

// addFlags defines the flags that every such command has.
func (s *sources) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&s.kube, "kube", false, "read the cluster of the current kubeconfig context")
	f.StringVar(&s.context, "context", "", "read the cluster of this kubeconfig `context` instead (implies --kube)")
	f.StringVar(&s.kubeconfig, "kubeconfig", "", "the kubeconfig `file`; else $KUBECONFIG, else ~/.kube/config")
	f.BoolVar(&s.secrets, "secrets", false, "list the cluster's Secrets too: names and types, values are dropped at once")
	f.BoolVar(&s.aws, "aws", false, "read the AWS account of the default credentials")
	f.StringVar(&s.profile, "profile", "", "the AWS `profile` (implies --aws)")
	f.StringArrayVar(&s.regions, "region", nil, "an AWS `region` to read, repeatable; else the cluster's or the profile's")
	f.StringArrayVar(&s.clusters, "cluster", nil, "only EKS clusters of this `name`, repeatable; with --kube the cluster is found by its address")
	f.StringArrayVar(&s.skip, "skip", nil, "leave out a `group` that takes long to read from AWS: "+strings.Join(groupNames(), " or ")+", repeatable")
	f.StringArrayVar(&s.parameters, "parameter", nil, "a CloudFormation parameter, `NAME=VALUE`, repeatable")
	for _, flag := range []string{"context", "profile", "region", "cluster", "parameter"} {
		completeFixed(cmd, flag)
	}
	completeFixed(cmd, "skip", groupNames()...)
}

// groupNames are the values of --skip.
func groupNames() []string {
	var out []string
	for _, g := range aws.Groups() {
		out = append(out, string(g))
	}
	return out
}

// check finds what contradicts itself before anything is read.
func (s *sources) check(cmd *cobra.Command, paths []string) error {
	s.paths = paths
	s.kube = s.kube || s.context != ""
	s.aws = s.aws || s.profile != ""
	wrong := func(what string) error {
		return &usageError{cmd.CommandPath(), errors.New(what)}
	}
	switch {
	case s.kubeconfig != "" && !s.kube:
		return wrong("--kubeconfig without --kube: nothing would read the cluster; add --kube")
	case s.secrets && !s.kube:
		return wrong("--secrets without --kube: Secrets of files are always read as names; add --kube or leave --secrets out")
	case len(s.regions) > 0 && !s.aws:
		return wrong("--region without --aws: nothing would read the account; add --aws")
	case len(s.clusters) > 0 && !s.aws:
		return wrong("--cluster without --aws: it names EKS clusters of the account; add --aws, or --context for a kubeconfig context")
	case len(s.skip) > 0 && !s.aws:
		return wrong("--skip without --aws: it leaves out parts of the account; add --aws")
	case len(s.parameters) > 0 && len(s.paths) == 0:
		return wrong("--parameter without a template: name the CloudFormation file or folder")
	}
	for _, g := range s.skip {
		if !slices.Contains(groupNames(), g) {
			return wrong(fmt.Sprintf("--skip has no group %q: it can leave out %s", g, strings.Join(groupNames(), " or ")))
		}
	}
	for _, p := range s.parameters {
		if name, _, ok := strings.Cut(p, "="); !ok || name == "" {
			// The value may be a secret: it is not repeated.
			return wrong("--parameter must be NAME=VALUE")
		}
	}
	stdin := 0
	for _, p := range s.paths {
		switch p {
		case "-":
			stdin++
		case "":
			return wrong("an empty PATH: a variable that was not set?")
		}
	}
	if stdin > 1 {
		return wrong("- stands twice: stdin can be read once")
	}
	if len(s.paths) == 0 && !s.kube && !s.aws {
		return &nothingToReadError{cmd.CommandPath()}
	}
	return nil
}

// nothingToReadError says what to try: it is the first thing many people see.
type nothingToReadError struct{ command string }

func (e *nothingToReadError) Error() string {
	return fmt.Sprintf("nothing to read: try %[1]s ./manifests, %[1]s --kube, or %[1]s --kube --aws; see %[1]s --help", e.command)
}

// args returns the arguments that chose the sources, for commands that go on
// from a report.
func (s *sources) args() []string {
	var out []string
	if s.kube && s.context == "" {
		out = append(out, "--kube")
	}
	add := func(flag string, values ...string) {
		for _, v := range values {
			if v != "" {
				out = append(out, flag, v)
			}
		}
	}
	add("--context", s.context)
	add("--kubeconfig", s.kubeconfig)
	if s.secrets {
		out = append(out, "--secrets")
	}
	if s.aws && s.profile == "" {
		out = append(out, "--aws")
	}
	add("--profile", s.profile)
	add("--region", s.regions...)
	add("--cluster", s.clusters...)
	add("--skip", s.skip...)
	// Values of parameters may be passwords: the reader fills them in.
	for _, p := range s.parameters {
		name, _, _ := strings.Cut(p, "=")
		add("--parameter", name+"=…")
	}
	return append(out, s.paths...)
}

func (s *sources) parameterMap() map[string]string {
	out := map[string]string{}
	for _, p := range s.parameters {
		name, value, _ := strings.Cut(p, "=")
		out[name] = value
	}
	return out
}
