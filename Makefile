# Runink. `make demo` shows it at work, `make test` tests it; the rest is below, one line each.

GO ?= go
PATH := $(PATH):/usr/local/go/bin
export PATH

# Where `make install` puts things, below DESTDIR when that is set.
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR ?=
# 0: install the commands under our own names alone, for a machine that has Slurm's too.
SLURM_NAMES ?= 1
# Where the conformance cases are, and which of them to run (a regular expression; empty: all).
SUITE ?= ../shared/conformance
CASES ?=
# Which room's benchmarks to run (empty: all), and which of them.
ROOM ?=
BENCH ?= .

VERSION ?= 0.1.0
COMMIT ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
CLI := github.com/runink/rink/cmds/internal/cli
LDFLAGS := -X $(CLI).Version=$(VERSION) -X $(CLI).Commit=$(COMMIT)
# What would make every command slower at its start and is used by none: gRPC's pages of traces, and cli's writer of manuals.
TAGS := grpcnotrace,urfave_cli_no_docs
GOFLAGS_BUILD := -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -tags $(TAGS)

# go-nvml's header marks what newer drivers dropped; the warnings say nothing of our code.
export CGO_CFLAGS := $(CGO_CFLAGS) -O2 -g -Wno-deprecated-declarations

.DEFAULT_GOAL := build
.PHONY: build test race conformance system lint generate man install demo bench fault clean

build: ## bin/rink, bin/rinkd, its launcher, and a link for every command and daemon under each of its names
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build $(GOFLAGS_BUILD),lean -o bin/rink ./cmds/rink
	$(GO) build $(GOFLAGS_BUILD) -o bin/rinkd ./cmds/rinkd
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '-s -w' -o bin/rink-launcher ./noded/rink-launcher
	@hack/links bin

test: ## go vet and every test that this machine can run; the last line counts them
	$(GO) vet ./...
	@$(GO) run ./hack/gotest -timeout 30m ./...

race: ## the tests again, with the race detector
	@$(GO) run ./hack/gotest -timeout 60m -race ./...

system: ## the tests that need root or a virtual machine
	@KERNEL="$$(hack/kernel build/kernel)" RINK_SYSTEM=1 $(GO) run ./hack/gotest -count=1 -tags system -run '^TestSystem' ./...

conformance: build ## the cases of SUITE (those that match CASES) against the cluster its cluster.md describes
	@CASES='$(CASES)' hack/conformance '$(SUITE)' bin

lint: ## gofmt, go vet, file lengths, leftovers, the scripts' syntax
	@hack/lint

generate: ## api/*.pb.go from api/*.proto
	@hack/generate

man: ## the manual pages and the completion, made of the help texts and man/src; checked, and compressed into build/man
	@$(GO) test -count=1 ./cmds/rink -run TestManualPages -update >/dev/null
	@hack/man man build/man

bench: ## a row a figure of ROOM: name<TAB>value<TAB>unit
	@hack/bench -skip '^BenchmarkFault' -bench '$(BENCH)' ./$(if $(ROOM),$(ROOM)/)...

fault: ## the fault bench, in rows of the same form
	@hack/bench -bench '^BenchmarkFault' ./...

demo: build ## a cluster on this machine, a pipeline through it, what came of it
	@hack/demo bin

install: build ## below $(DESTDIR)$(PREFIX)
	@hack/install '$(DESTDIR)' '$(PREFIX)' '$(SYSCONFDIR)' '$(SLURM_NAMES)'

clean:
	rm -rf bin build results
