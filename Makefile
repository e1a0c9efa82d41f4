# The whole of a developer's day; make help lists it.

export PATH := $(CURDIR)/.cache/python/bin:$(PATH)
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

# Without it kustomize could load Go plugins, for whose sake the linker keeps
# everything: some hundred megabytes. docs/design/size.md
TAGS := kustomize_disable_go_plugin_support

# Stamping fails the build in a clone that belongs to another user, as in many
# containers; the version comes from git here, or from nowhere.
export GOFLAGS := $(GOFLAGS) -buildvcs=false -tags=$(TAGS)
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)

GO    ?= go
TOOL  := $(GO) tool -modfile=tools/tools.mod
CORPUS := $(or $(EKSAFE_CORPUS),../shared/data)

# The race detector needs a C compiler; a machine with Go only does without.
RACE := $(shell command -v gcc >/dev/null 2>&1 && echo -race)

.DEFAULT_GOAL := help
.PHONY: help demo build test test-long rigs lint bench generate control clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: build ## audit the insecure example shop (needs Go only)
	@code=0; bin/eksafe audit examples/shop/insecure </dev/null || code=$$?; \
	case $$code in \
	0) echo; echo "exit code 0: nothing at or above high" ;; \
	1) echo; echo "exit code 1: findings at or above high" ;; \
	*) exit $$code ;; \
	esac

build: ## build bin/eksafe, stripped
	@echo "building bin/eksafe (the first time takes some minutes)"
	@$(GO) build -ldflags '-s -w -X github.com/eksafe/eksafe/internal/cli.version=$(VERSION)' -o bin/eksafe ./cmd/eksafe

# As root on Debian everything that tests want is installed; anybody else gets
# what needs no root, and tests name what they skipped.
test: kube-rig ## run all tests; those whose rig is missing are skipped by name
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		tools/rigs.sh || echo "make test: going on without: tests name what they skip" >&2; fi
	$(GO) test $(RACE) -timeout 20m ./...

test-long: kube-rig ## 10,000 random cases: reach against its naive evaluation, who-can against Kubernetes' authorizer
	EKSAFE_LONG=1 $(GO) test -timeout 60m ./internal/reach
	EKSAFE_LONG=1 $(GO) test -run AgreesWithTheAuthorizer -timeout 60m -v ./test/e2e

rigs: kube-rig ## install and build what the tests use: API server, AWS double, browser (root)
	@tools/rigs.sh

# kube-rig builds a kube-apiserver with etcd: some nine CPU minutes the first
# time, nothing after.
.PHONY: kube-rig
kube-rig:
	@$(GO) run ./test/rig/kube/build

lint: ## gofmt, vet, staticcheck, golangci-lint, govulncheck
	@unformatted=$$(gofmt -l cmd internal tools test); \
	if [ -n "$$unformatted" ]; then echo "not gofmt-ed:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	$(TOOL) golangci-lint run ./...
	@if curl -fsS -m 10 -o /dev/null https://vuln.go.dev/index/db.json 2>/dev/null; \
	then $(TOOL) govulncheck ./...; \
	else echo "govulncheck skipped: no vulnerability database reachable"; fi

# The third set is real manifests; it is measured where the corpus is.
bench: build ## print CPU, memory, start-up and size
	@[ -d .cache/synth-10000 ] || $(GO) run ./tools/synth -out .cache/synth-10000 -namespaces 500
	@[ -d .cache/synth-100000 ] || $(GO) run ./tools/synth -out .cache/synth-100000 -namespaces 5000
	@if [ -f $(CORPUS)/manifests/kube-prometheus.tar.gz ] && [ ! -d .cache/kube-prometheus ]; then \
		mkdir -p .cache/kube-prometheus && tar -xzf $(CORPUS)/manifests/kube-prometheus.tar.gz -C .cache/kube-prometheus; fi
	@$(GO) test ./internal/reach ./internal/access -run - -bench . -benchtime 3x
	@$(GO) run ./tools/bench -binary bin/eksafe -account .cache/synth-10000 .cache/synth-100000 $(wildcard .cache/kube-prometheus)

generate: ## rewrite generated lists and docs
	$(GO) generate ./...

control: ## scaffold a control: make control id=my-control family=transit
	@[ -n "$(id)" ] && [ -n "$(family)" ] || { echo "usage: make control id=my-control family=transit" >&2; exit 2; }
	$(GO) run ./tools/newcontrol $(family) $(id)
	$(MAKE) --no-print-directory generate

clean: ## remove what was built
	rm -rf bin .cache
