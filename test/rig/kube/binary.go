package kuberig

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// Build builds the server unless it is built, and returns its file. What the
// compiler says goes to the process's standard error.
func Build(ctx context.Context) (string, error) {
	file, err := binary()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(file); err == nil {
		return file, markBuilt(file)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", err
	}
	root, err := projectRoot()
	if err != nil {
		return "", err
	}
	// Two builds at once each write a file of their own; the rename is atomic.
	temporary := fmt.Sprintf("%s.%d", file, os.Getpid())
	defer os.Remove(temporary)
	build := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", temporary, ".")
	build.Dir = filepath.Join(root, "test", "kube")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return "", fmt.Errorf("building the API server in test/kube: %w", err)
	}
	if err := os.Rename(temporary, file); err != nil {
		return "", err
	}
	return file, markBuilt(file)
}

// marker lies in the project and names the server that was built. The cache of
// test results sees no files outside of the project: without the marker, a
// test that was skipped once would be skipped, from the cache, for ever.
func marker(root string) string { return filepath.Join(root, ".cache", "kube-apiserver.txt") }

func markBuilt(file string) error {
	root, err := projectRoot()
	if err != nil {
		return err
	}
	name := marker(root)
	if old, err := os.ReadFile(name); err == nil && string(old) == file {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(file), 0o644)
}

// binary returns where the server is once it is built. The name follows from
// its sources, so a server of other sources is never started.
func binary() (string, error) {
	root, err := projectRoot()
	if err != nil {
		return "", err
	}
	_, _ = os.Stat(marker(root)) // for the cache of test results, see there
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, name := range []string{"go.mod", "go.sum", "main.go"} {
		data, err := os.ReadFile(filepath.Join(root, "test", "kube", name))
		if err != nil {
			return "", err
		}
		fmt.Fprintln(sum, name, len(data))
		sum.Write(data)
	}
	return filepath.Join(cache, "eksafe-rigs", "kube-"+hex.EncodeToString(sum.Sum(nil))[:16], "kube-apiserver"), nil
}

// projectRoot returns the folder of the project's go.mod. Tests run in the
// folder of their package, somewhere below it.
func projectRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		switch {
		case err == nil && bytes.HasPrefix(data, []byte("module github.com/eksafe/eksafe\n")):
			return dir, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return "", err
		case filepath.Dir(dir) == dir:
			return "", errors.New("not inside the project")
		}
		dir = filepath.Dir(dir)
	}
}
