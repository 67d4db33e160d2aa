# Works with GNU make 3.81, the one that macOS brings.

GO ?= go
FUZZTIME ?= 10s
TESTFLAGS ?= -race -timeout 9m
SEED ?= 0
MINUTES ?= 1

.DEFAULT_GOAL := help
.PHONY: help build demo test soak-jobs lint fmt bench chaos model fuzz tools clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

build: ## build bin/ackbus
	$(GO) build -o bin/ackbus ./cmd/ackbus

demo: ## requests and receipts on three nodes with an embedded Redis, in under 20 s
	@$(GO) run ./cmd/ackbus demo

test: tools ## all tests with the race detector, on real redis-servers; installs what they need
	$(GO) test $(TESTFLAGS) ./...

soak-jobs: tools ## the long tests of jobs: 100,000 of them, workers killed each second, Redis once; some 10 minutes
	ACKBUS_SOAK=1 $(GO) test -count=1 -timeout 60m -v -run '^TestJob' ./acceptance

tools: ## find or install what the tests need: redis-server, lua5.4 with lua-socket, curl
	@scripts/test-tools

lint: ## gofmt, go vet, golangci-lint (built into .tools the first time)
	scripts/formatted
	$(GO) vet ./...
	scripts/owned-goroutines
	scripts/golangci-lint run ./...

fmt: ## gofmt, and imports in their groups: standard, others, ours
	scripts/golangci-lint fmt ./...

bench: ## the floor, plain go-redis and ackbus in one run, on this machine
	@echo "bench: nothing else should run meanwhile; it starts its own redis-server. Flags: go run ./bench -h"
	$(GO) run ./bench

chaos: ## a cluster through faults for MINUTES (1), drawn from SEED (0: a fresh one), and the verdict
	$(GO) run ./internal/chaos/cmd/chaos -seed $(SEED) -minutes $(MINUTES)

model: ## check the model of the request protocol with Spin, which it installs if it is missing
	@scripts/model

fuzz: ## each fuzz target for FUZZTIME (10s)
	scripts/fuzz $(FUZZTIME)

clean: ## remove bin and .tools
	rm -rf bin .tools
