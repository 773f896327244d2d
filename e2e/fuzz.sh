#!/usr/bin/env bash
# Runs every fuzz target of the module briefly, in SECONDS_IN_ALL together, at least 1 s each. Each package is
# built once, with the fuzzer's instruments, and its targets are run from that program.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
budget=${1:-60}

targets=()
while read -r dir; do
  while read -r name; do targets+=("$dir $name"); done \
    < <(grep -ohE '^func Fuzz[A-Za-z0-9_]+\(' "$dir"/*_test.go | sed -E 's/^func (Fuzz[A-Za-z0-9_]+)\(/\1/')
done < <(grep -rlE --include='*_test.go' '^func Fuzz' . | xargs -r -n1 dirname | sort -u)

n=${#targets[@]}
[ "$n" -gt 0 ] || { echo "no fuzz targets"; exit 0; }
each=$((budget / n)); [ "$each" -le 5 ] || each=5; [ "$each" -ge 1 ] || each=1
printf '%d fuzz targets, %d s each\n' "$n" "$each"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
corpus=$(go env GOCACHE)/fuzz # where go test -fuzz keeps the inputs it found worth keeping

# fuzz DIR NAME runs one target in its package's folder: a crasher is kept under testdata/fuzz there.
fuzz() {
  local program=$work/${1//[\/.]/_}.test
  [ -e "$program" ] || go test -c -fuzz . -o "$program" "$1" || return
  # -test.run matches nothing: the seeds ran with the unit tests.
  (cd "$1" && "$program" -test.run '^$' -test.fuzz "^$2\$" -test.fuzztime "${each}s" -test.timeout 120s \
    -test.fuzzcachedir "$corpus/$(go list .)")
}

for target in "${targets[@]}"; do
  read -r dir name <<<"$target"
  out=$(fuzz "$dir" "$name" 2>&1) || {
    # The fuzzing engine can report its own deadline as the failure; that is no finding.
    if ! grep -q 'Failing input written' <<<"$out" && grep -q 'context deadline exceeded' <<<"$out"; then
      continue
    fi
    printf '%s\n' "$out"; printf 'FAIL %s %s\n' "$dir" "$name"; exit 1
  }
  execs=$(grep -oE 'execs: [0-9]+' <<<"$out" | tail -n1) || execs='no more than the seeds: the machine is too busy'
  printf 'ok   %s %s (%s)\n' "$dir" "$name" "$execs"
done
[ -z "${SLUICE_TEST_TALLY:-}" ] || echo "$n 0 0" >>"$SLUICE_TEST_TALLY"
