package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/aws"
	"github.com/eksafe/eksafe/internal/source/cloudformation"
	"github.com/eksafe/eksafe/internal/source/kube"
	"github.com/eksafe/eksafe/internal/source/manifest"
	"github.com/eksafe/eksafe/internal/source/reported"
	"github.com/eksafe/eksafe/internal/source/snapshot"
	"github.com/eksafe/eksafe/internal/source/terraform"
)

// A reading fills one estate from one source.
type reading struct {
	name string
	read func(context.Context, *task) (*estate.Estate, error)
}

// readingGCPercent is Go's GOGC while sources are read: nearly all that reading
// allocates either stays or is gone with its document, so that collecting as
// often as Go does by default mostly marks what stays. What follows makes more
// garbage than it keeps. An audit then needs the most memory that it ever needs,
// and judgingGCPercent saves a tenth of it for some percent of the CPU time.
const (
	readingGCPercent = 300
	judgingGCPercent = 75
)

// collectAt has garbage collected at a percentage until restore is called. Who
// sets GOGC knows better.
func (a *app) collectAt(percent int) (restore func()) {
	if a.Getenv("GOGC") != "" {
		return func() {}
	}
	was := debug.SetGCPercent(percent)
	return func() { debug.SetGCPercent(was) }
}

// read reads all that was asked and joins it into one estate. Files, cluster
// and account are read side by side; the first that fails ends the others, as
// an audit of less than was asked would look like an answer.
func (a *app) read(ctx context.Context, s *sources) (*estate.Estate, error) {
	defer a.collectAt(readingGCPercent)()
	var readings []reading
	if len(s.paths) > 0 {
		readings = append(readings, reading{pathNames(s.paths), a.readFiles(s)})
	}
	var cluster kube.Location
	if s.kube {
		var err error
		if cluster, err = kube.Locate(s.kubeOptions()); err != nil {
			return nil, err
		}
		readings = append(readings, reading{"cluster " + cluster.Context, a.readKube(s)})
	}
	if s.aws {
		readings = append(readings, reading{"AWS", a.readAWS(s, cluster)})
	}

	bars := a.newProgress()
	defer bars.stop()
	parts := make([]*estate.Estate, len(readings))
	errs := make([]error, len(readings))
	group, gctx := errgroup.WithContext(ctx)
	for i, r := range readings {
		group.Go(func() error {
			t := bars.task("reading " + r.name)
			defer t.end()
			start := time.Now()
			out, err := attended(gctx, func() outcome {
				e, err := r.read(gctx, t)
				return outcome{e, err}
			})
			parts[i], errs[i] = out.estate, cmp.Or(out.err, err)
			a.log.Debug("read", "source", r.name, "duration", time.Since(start), "ok", errs[i] == nil)
			return errs[i]
		})
	}
	if err := group.Wait(); err != nil {
		return nil, firstCause(ctx, errs)
	}
	all := &estate.Estate{}
	for _, part := range parts {
		all.Join(part)
	}
	return all, nil
}

func pathNames(paths []string) string {
	if len(paths) == 1 {
		return paths[0]
	}
	return fmt.Sprintf("%s and %d more", paths[0], len(paths)-1)
}

type outcome struct {
	estate *estate.Estate
	err    error
}

// firstCause returns the error that ended the others: which one comes first
// must not depend on the scheduler.
func firstCause(ctx context.Context, errs []error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	for _, err := range errs {
		if !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return errs[0]
}

// readFiles reads the PATHs: manifests first, which also finds what other
// sources read.
func (a *app) readFiles(s *sources) func(context.Context, *task) (*estate.Estate, error) {
	return func(ctx context.Context, _ *task) (*estate.Estate, error) {
		found, err := manifest.Read(ctx, s.paths, a.Stdin)
		if err != nil {
			return nil, err
		}
		e := found.Estate
		var templates []cloudformation.Input
		for _, f := range found.Others {
			switch f.Content {
			case manifest.CloudFormation:
				templates = addTemplate(templates, s.paths, f)
			case manifest.Snapshot:
				saved, err := snapshot.Read(f.Name, f.Data)
				if err != nil {
					return nil, err
				}
				e.Join(saved)
			case manifest.TerraformPlan:
				plan, err := terraform.Read(f.Name, f.Data, terraform.Options{Region: onlyRegion(s)})
				if err != nil {
					return nil, err
				}
				e.Join(plan)
			case manifest.Findings:
				others, err := reported.Read(f.Name, f.Data)
				if err != nil && slices.Contains(s.paths, f.Name) {
					return nil, err
				}
				if err != nil {
					// A folder may hold the output of any tool.
					others = &estate.Estate{Sources: []estate.Source{{Kind: estate.FindingsSource, Name: f.Name, Problems: []estate.Problem{{What: err.Error()}}}}}
				}
				e.Join(others)
			default:
				left := estate.Problem{
					File:   f.Name,
					What:   "a " + string(f.Content) + " file is not read",
					Remedy: "give manifests, CloudFormation templates, Terraform plans, a snapshot, or --aws",
				}
				if len(found.Others) == 1 && len(e.Sources) == 0 {
					return nil, fmt.Errorf("nothing could be read: %s", left)
				}
				e.Sources = append(e.Sources, estate.Source{Kind: estate.ManifestSource, Name: f.Name, Problems: []estate.Problem{left}})
			}
		}
		if len(templates) == 0 {
			if len(s.parameters) > 0 {
				return nil, errors.New("--parameter is given, but no PATH holds a CloudFormation template")
			}
			return e, nil
		}
		stacks, err := cloudformation.ReadAll(templates, cloudformation.Options{Parameters: s.parameterMap(), Region: onlyRegion(s)})
		if err != nil {
			return nil, err
		}
		if err := emptyTemplates(e, stacks); err != nil {
			return nil, err
		}
		e.Join(stacks)
		return e, nil
	}
}

// onlyRegion is the region that was named, "" if there are several.
func onlyRegion(s *sources) string {
	if len(s.regions) == 1 {
		return s.regions[0]
	}
	return ""
}

// addTemplate files a template under the PATH that it was found in.
func addTemplate(inputs []cloudformation.Input, paths []string, f manifest.File) []cloudformation.Input {
	name := f.Name
	for _, p := range paths {
		if rel, err := filepath.Rel(p, f.Name); err == nil && filepath.IsLocal(rel) {
			name = p
			break
		}
	}
	file := cloudformation.File{Path: f.Name, Data: f.Data}
	for i := range inputs {
		if inputs[i].Name == name {
			inputs[i].Files = append(inputs[i].Files, file)
			return inputs
		}
	}
	return append(inputs, cloudformation.Input{Name: name, Files: []cloudformation.File{file}})
}

// emptyTemplates returns an error when templates are all there is and not one
// of them could be read.
func emptyTemplates(e, stacks *estate.Estate) error {
	if len(e.Sources) > 0 {
		return nil
	}
	var problems []estate.Problem
	for _, s := range stacks.Sources {
		problems = append(problems, s.Problems...)
		if len(s.Ignored) > 0 {
			return nil
		}
	}
	if len(problems) == 0 || resourceCount(stacks) > 0 {
		return nil
	}
	more := ""
	if len(problems) > 1 {
		more = fmt.Sprintf(" (and %d more)", len(problems)-1)
	}
	return fmt.Errorf("no template could be read: %s%s", problems[0], more)
}

func (s *sources) kubeOptions() kube.Options {
	return kube.Options{Kubeconfig: s.kubeconfig, Context: s.context, Secrets: s.secrets}
}

func (a *app) readKube(s *sources) func(context.Context, *task) (*estate.Estate, error) {
	return func(ctx context.Context, t *task) (*estate.Estate, error) {
		o := s.kubeOptions()
		o.Progress = func(kind string, n int) { t.update(n, 0, kind) }
		return kube.Read(ctx, o)
	}
}

// readAWS reads the account. Where a cluster is read beside it, that is the
// cluster to look for, in its region unless regions are named.
func (a *app) readAWS(s *sources, cluster kube.Location) func(context.Context, *task) (*estate.Estate, error) {
	return func(ctx context.Context, t *task) (*estate.Estate, error) {
		o := aws.Options{Profile: s.profile, Regions: s.regions, ClusterNames: s.clusters, Progress: t.update}
		for _, g := range s.skip {
			o.Skip = append(o.Skip, aws.Group(g))
		}
		if cluster.Server != "" && len(s.clusters) == 0 {
			o.ClusterEndpoints = []string{cluster.Server}
		}
		if region := regionOf(cluster); region != "" && len(s.regions) == 0 {
			o.Regions = []string{region}
		}
		return aws.Read(ctx, o)
	}
}

// eksServer is the address that EKS gives an API server.
var eksServer = regexp.MustCompile(`^https://[0-9A-Fa-f]+\.[a-z0-9]+\.([a-z0-9-]+)\.eks\.amazonaws\.com(?:\.cn)?(?::443)?/?$`)

// regionOf returns the region that a kubeconfig gives away, "" if it does not.
func regionOf(cluster kube.Location) string {
	if part := strings.Split(cluster.ARN, ":"); len(part) > 5 && part[2] == "eks" {
		return part[3]
	}
	if m := eksServer.FindStringSubmatch(cluster.Server); m != nil {
		return m[1]
	}
	return ""
}
