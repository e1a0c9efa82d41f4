// Command bench prints what an audit costs: CPU seconds and memory on the
// synthetic sets and on a large account, start-up time and size of the binary.
// It measures the binary as users run it, from outside, and judges nothing; the
// limits are held by tests.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	awsrig "github.com/eksafe/eksafe/test/rig/aws"
)

func main() {
	binary := flag.String("binary", "bin/eksafe", "the stripped binary to measure")
	account := flag.Bool("account", false, "measure a live audit of a large account too, which takes minutes of waiting for AWS's quotas")
	flag.Parse()
	if err := run(os.Stdout, *binary, *account, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures the binary on each set, a folder of manifests.
func run(w io.Writer, binary string, account bool, sets []string) error {
	info, err := os.Stat(binary)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s, %d CPUs, %s/%s, %s\n\n", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	fmt.Fprintf(w, "%-40s %8s %8s %8s\n", "", "CPU s", "wall s", "MB")
	var help []cost
	for range 11 {
		c, err := measure(binary, "--help")
		if err != nil {
			return err
		}
		help = append(help, c)
	}
	row(w, "eksafe --help (median of 11)", median(help))
	var first cost
	for i, set := range sets {
		runs := 3
		var costs []cost
		for len(costs) < runs {
			c, err := measure(binary, "audit", "-o", "json", "--out", os.DevNull, set)
			if err != nil {
				return err
			}
			costs = append(costs, c)
			if c.cpu > 20*time.Second {
				break
			}
		}
		c := median(costs)
		row(w, "eksafe audit "+set, c)
		if i == 0 {
			first = c
			reach, err := measure(binary, "reach", "-o", "json", "--out", os.DevNull, set)
			if err != nil {
				return err
			}
			row(w, "eksafe reach "+set, reach)
		} else if i == 1 {
			fmt.Fprintf(w, "%-40s %8.1f\n", "  CPU, second set : first set", c.cpu.Seconds()/first.cpu.Seconds())
		}
	}
	if account {
		if err := measureAccount(w, binary); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "%-40s %26.1f\n", "stripped binary", float64(info.Size())/1e6)
	return nil
}

// measureAccount measures audits of an account that this process answers for.
func measureAccount(w io.Writer, binary string) error {
	for _, skip := range [][]string{{"--skip", "last-accessed"}, nil} {
		crowd := awsrig.Large()
		server := httptest.NewServer(crowd)
		c, err := measureIn(awsrig.Env(server.URL), binary, slices.Concat([]string{"audit", "--aws", "-o", "json", "--out", os.DevNull}, skip)...)
		server.Close()
		if err != nil {
			return err
		}
		row(w, strings.Join(slices.Concat([]string{"eksafe audit --aws"}, skip), " "), c)
		calls, atOnce := crowd.Calls()
		made := 0
		for _, n := range calls {
			made += n
		}
		fmt.Fprintf(w, "  %d calls, %d of them made before, up to %d at once\n", made, made-len(calls), atOnce)
	}
	return nil
}

// cost is what one run took.
type cost struct {
	cpu, wall time.Duration
	rss       int64 // bytes
}

func measure(binary string, args ...string) (cost, error) { return measureIn(nil, binary, args...) }

// measureIn measures with more in the environment.
func measureIn(env []string, binary string, args ...string) (cost, error) {
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), env...)
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1) {
		return cost{}, fmt.Errorf("running %s %s: %w", binary, args[0], err)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return cost{}, errors.New("this system does not tell what a process used")
	}
	rss := usage.Maxrss
	if runtime.GOOS == "linux" {
		rss *= 1024 // kilobytes there
	}
	return cost{cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), wall, rss}, nil
}

func median(costs []cost) cost {
	slices.SortFunc(costs, func(a, b cost) int { return cmp.Compare(a.cpu, b.cpu) })
	return costs[len(costs)/2]
}

func row(w io.Writer, what string, c cost) {
	fmt.Fprintf(w, "%-40s %8.2f %8.2f %8.0f\n", what, c.cpu.Seconds(), c.wall.Seconds(), float64(c.rss)/1e6)
}
