# Targets for people and for CI; `make` alone builds. What each needs beyond Go, make and a C compiler
# (SQLite is compiled in by cgo) is installed or fetched by `make test` itself.
SHELL := /bin/bash
.DEFAULT_GOAL := build
.PHONY: build run test soak generate generate-check lint e2e bench docs setup

VERSION := $(or $(shell git describe --tags --always --dirty 2>/dev/null),dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
export CGO_ENABLED = 1
# In every target, so that what one compiled (SQLite above all) serves the others.
export GOFLAGS := -trimpath $(GOFLAGS)

build:
	@command -v go >/dev/null || { echo "Go 1.26 or later is needed"; exit 1; }
	@command -v $${CC:-cc} >/dev/null || command -v gcc >/dev/null || { echo "a C compiler is needed (SQLite is compiled in)"; exit 1; }
	@[ -e bin/sluice ] || echo "building bin/sluice $(VERSION): the first build compiles SQLite and takes about two minutes"
	@mkdir -p bin
	go build -ldflags '$(LDFLAGS)' -o bin/sluice .

run: build
	SLUICE_SANDBOX=$${SLUICE_SANDBOX:-on} exec bin/sluice serve

# Everything that must hold before a change lands; .ci/run is this.
test:
	@e2e/test.sh

# The long forms: 20 kills and more, 2-minute outages, memory bounds.
soak:
	@e2e/test.sh setup soak

setup:
	@e2e/setup/setup.sh

generate:
	@e2e/generate.sh

generate-check:
	@e2e/generate.sh check

lint:
	@e2e/lint.sh

# Real Kafka, the real binary, a browser.
e2e:
	@e2e/test.sh setup e2e

# BENCH=oss: side by side with the bare consumer, from Apache Kafka on this machine; BENCH=fc: beside a bare HTTP client
# too; BENCH=odps: beside the SDK's upload loop too; BENCH=mysql: MySQL → Kafka beside what bounds it; BENCH=txn:
# transactional writing beside the library's producer; BENCH=pages: server time of pages on a large installation, which it
# fills once. With one of them, BENCH_ARGS='-records 1000000' goes to it;
# `go run ./bench/pages -h` lists what there is.
BENCH ?= oss fc odps mysql txn pages
bench: build
	@set -e; for b in $(BENCH); do case $$b in \
	oss|fc|odps|mysql|txn) e2e/setup/setup.sh; (set -a; . "$${SLUICE_TEST_CACHE:-$$HOME/.cache/sluice-test}/env"; set +a; go run ./bench/$$b $(BENCH_ARGS));; \
	pages) SLUICE_BIN=bin/sluice go run ./bench/pages $(BENCH_ARGS);; \
	*) echo "BENCH is any of oss, fc, odps, mysql, txn and pages, not $$b"; exit 2;; esac; done

docs: generate
