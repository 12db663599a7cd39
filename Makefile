# `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
GO ?= go
BIN := bin/waywarden
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -X main.version=$(VERSION)

.PHONY: help build test rules race test-cluster test-kind test-alerts test-browser test-image cluster cluster-status cluster-down lint fmt generate check-generated demo demo-cluster bench fuzz conformance sequences

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/waywarden
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/waywarden

test: ## run the tests, but for those that need a control plane
	$(GO) test ./...
	cd test/chart && $(GO) test -count=1 ./... # what lies outside its module, as the chart does, is not seen by the test cache

# The scenarios are part of `test`. What those are worth is said here.
rules: build ## check the library of rules, and whether its scenarios reach every line and notice every mistake
	$(BIN) rules check rules/zerotrust --library
	$(BIN) rules test rules/zerotrust --library --coverage --mutate

race: ## run the tests of what goroutines share, with the race detector
	$(GO) test -race ./policies/mesh ./inventory ./webhook ./certs ./waypoints ./rules/packs

# The packages with tests behind the build tag, but for those of the module test/chart.
CLUSTER_TESTS = $(shell grep -rl --include='*_test.go' --exclude-dir=chart '^//go:build cluster' test | xargs -n1 dirname | sort -u | sed 's,^,./,')

# The package that takes longest begins first: packages are tested side by side, in this order, and it would go on alone when all others are done.
LONGEST = ./test/waypoints

# Apart from `test` and behind a build tag, because the first run builds etcd, the API server, kwok and
# istiod, and the others wait for istiod to settle. README.md says what it costs.
test-cluster: ## run the tests that need a real control plane and istiod
	$(GO) test -tags cluster -count=1 -timeout 60m $(LONGEST) $(filter-out $(LONGEST),$(CLUSTER_TESTS))
	cd test/chart && $(GO) test -tags cluster -count=1 -timeout 20m ./...

test-kind: ## run the end-to-end suite on a kind cluster, or on that of WAYWARDEN_TEST_KUBECONFIG
	$(GO) run ./test/kind

test-alerts: ## test the alert rules of the chart with promtool
	@command -v promtool >/dev/null || { echo "the alerts were not tested: promtool is missing. Install Prometheus: apt-get install prometheus, or brew install prometheus"; exit 1; }
	promtool check rules charts/waywarden/files/alerts.yaml
	promtool test rules test/alerts/alerts.yaml

test-browser: ## look at the HTML report with a browser, light, dark, narrow and printed
	$(GO) test -tags browser -count=1 ./test/browser

test-image: ## build what the image holds, for each platform; needs no Docker
	$(GO) test -tags image -count=1 -timeout 20m ./test/image

KEEP := bin/cluster/keep

cluster: ## start a control plane with istiod and leave it running; prints its kubeconfig
	@$(GO) build -o $(KEEP) ./test/cluster/keep && $(KEEP) up

cluster-status: ## say what of it runs
	@$(GO) build -o $(KEEP) ./test/cluster/keep && $(KEEP) status

cluster-down: ## stop it
	@$(GO) build -o $(KEEP) ./test/cluster/keep && $(KEEP) down

lint: ## gofmt, vet, staticcheck, architecture, generated files
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "not formatted (make fmt):"; echo "$$unformatted"; exit 1; fi
	$(GO) vet -tags cluster,browser ./...
	$(GO) tool staticcheck -tags cluster,browser ./...
	cd test/chart && $(GO) vet -tags cluster ./... && $$($(GO) -C ../.. tool -n staticcheck) -tags cluster ./...
	$(GO) test -count=1 -run TestArchitecture ./test
	@$(MAKE) --no-print-directory check-generated

fmt: ## format the code
	gofmt -w $$(git ls-files '*.go')

CRDS := charts/waywarden/files/crds
CONTROLLER_GEN := $(GO) tool controller-gen object crd paths=./api/...

generate: ## write the CRDs and what else comes from api/, and the generated parts of README.md and docs/
	$(CONTROLLER_GEN) output:object:dir=api/v1alpha1 output:crd:dir=$(CRDS)
	$(GO) run ./test/gen

check-generated: ## fail where a generated part is stale
	@made=$$(mktemp -d); trap 'rm -rf "$$made"' EXIT; $(CONTROLLER_GEN) output:object:dir="$$made/api" output:crd:dir="$$made/crds"; \
	  { diff -r "$$made/crds" $(CRDS) && diff "$$made/api/zz_generated.deepcopy.go" api/v1alpha1/zz_generated.deepcopy.go; } || \
	  { echo "stale: $(CRDS) or api/v1alpha1. Run \`make generate\` and commit the result"; exit 1; }
	$(GO) run ./test/gen -check

demo: build ## scan, explain, plan and repair the examples
	@./examples/demo.sh $(BIN)

demo-cluster: build ## install the chart on a control plane with istiod, show admission, and leave it running
	@$(GO) -C test/chart run ./render > bin/chart.yaml # Helm comes as a Go module
	@$(GO) build -o $(KEEP) ./test/cluster/keep && $(KEEP) up $(BIN) bin/chart.yaml
	@$(GO) run ./test/demo

bench: build ## benchmarks, and scans of meshes that are large or hard
	$(GO) test -run '^$$' -bench . -benchmem ./policies/... ./inventory/... ./test/bench/...
	@./test/bench/scan.sh $(BIN)
	$(GO) build -o bin/load ./test/bench/load
	bin/load -services 500
	bin/load -services 5000
	bin/load -services 5000 -library

SEEDS ?= $(shell date +%s)
conformance: ## hold our effects to a real istiod, with SEEDS="…"; a new seed each run
	@echo "SEEDS=\"$(SEEDS)\""
	SEEDS="$(SEEDS)" $(GO) test -tags cluster -count=1 -v -timeout 60m -run TestConformance ./test/istiod

SEQUENCES ?= 10000
sequences: ## try SEQUENCES random sequences of each sort on the model of waypoints; a test run tries 150
	WAYWARDEN_SEQUENCES=$(SEQUENCES) GOGC=400 $(GO) test -count=1 -v -timeout 120m -run TestNoGap ./policies/plan

FUZZTIME ?= 30s
fuzz: ## run every fuzz target for FUZZTIME
	@$(GO) list -f '{{.Dir}}' ./... | while read -r dir; do \
	  { grep -ho '^func Fuzz[A-Za-z]*' "$$dir"/*_test.go 2>/dev/null || true; } | sed 's/func //' | while read -r f; do \
	    echo "== $$dir $$f"; (cd "$$dir" && $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x .) < /dev/null || exit 1; done; done
