#!/usr/bin/env bash
# make test: every phase, in an order that finds the cheap mistakes first, each with the time it took.
# Stops at the first phase that fails. The last line is "N passed, N failed", tests and phases of checks
# together.
#   e2e/test.sh [PHASE...]     only these: setup generate lint unit fuzz kafka e2e soak
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cache=${SLUICE_TEST_CACHE:-$HOME/.cache/sluice-test}
# As `make build` does: what one phase compiled (SQLite above all) serves the others, in any folder.
export GOFLAGS="-trimpath ${GOFLAGS:-}"
export SLUICE_REQUIRE_JUDGES=1 # a missing judge is a failure here, and a skip in a plain `go test`
tally=$(mktemp)
export SLUICE_TEST_TALLY=$tally
trap 'rm -f "$tally"' EXIT

phase_setup() { e2e/setup/setup.sh; }
phase_generate() { e2e/generate.sh check; }
phase_lint() { e2e/lint.sh; }
# Many tests wait more than they compute: more of them at once than there are cores. go vet has seen them in lint.
phase_unit() { gotest -race -vet=off -parallel "$(($(nproc) > 4 ? $(nproc) : 4))" -timeout 8m ./...; }
phase_fuzz() { e2e/fuzz.sh "${SLUICE_FUZZ_SECONDS:-30}"; }
# Packages with tests that need the test bed, wherever they stand.
bed_packages() { grep -rl --include='*_test.go' '^//go:build e2e' . | xargs -n1 dirname | sort -u; }

# Tests of single packages on a real broker, beside the simulations of them that the unit phase runs.
kafka_files() { grep -rl --include='*_test.go' '^//go:build kafka' .; }
phase_kafka() {
  local tests
  tests=$(kafka_files | xargs grep -hoE '^func Test[A-Za-z0-9_]+' | cut -c6- | sort -u | paste -sd'|')
  go run ./e2e/cmd/withkafka go run ./e2e/cmd/gotest -tags=kafka -p 1 -parallel 8 -run "^($tests)\$" -timeout 5m $(kafka_files | xargs -n1 dirname | sort -u)
}

# The program as it is shipped, and the one that kills itself where a test says.
programs() { make -s build && go build -trimpath -tags faults -o bin/sluice-faults . && export SLUICE_BIN=bin/sluice SLUICE_FAULTS_BIN=bin/sluice-faults; }

# Most of an end-to-end test is waiting, so more of them run at once than there are cores; packages one
# after the other, because each has brokers of its own.
phase_e2e() { programs && gotest -tags=e2e -p 1 -parallel 6 -timeout "${SLUICE_E2E_TIMEOUT:-9m}" $(bed_packages); }
phase_soak() { programs && SLUICE_SOAK=1 gotest -tags=e2e -p 1 -parallel 3 -timeout 85m $(bed_packages); }

gotest() { go run ./e2e/cmd/gotest "$@"; }

# finish adds up the tally and prints the closing line.
finish() { awk -v failed="$1" '{p += $1; f += $2; s += $3}
  END {if (failed && !f) f = 1; printf "%d passed, %d failed", p, f; if (s) printf ", %d skipped", s; print ""}' "$tally"; }

phases=("$@")
[ $# -gt 0 ] || phases=(setup generate lint unit fuzz kafka e2e)
timings=()
for phase in "${phases[@]}"; do
  printf '== %s\n' "$phase"
  start=$SECONDS
  if [ "$phase" != setup ] && [ -f "$cache/env" ]; then
    set -a; . "$cache/env"; set +a
  fi
  before=$(wc -c <"$tally")
  if ! "phase_$phase" </dev/null; then
    printf '== %s FAILED after %d s\n' "$phase" $((SECONDS - start))
    finish 1
    exit 1
  fi
  [ "$(wc -c <"$tally")" != "$before" ] || echo "1 0 0" >>"$tally"
  timings+=("$phase $((SECONDS - start)) s")
  printf '== %s\n' "${timings[-1]}"
done
printf '== all: %s; %d s\n' "$(IFS=';'; printf '%s' "${timings[*]}" | sed 's/;/; /g')" "$SECONDS"
finish 0
