#!/usr/bin/env bash
# Writes the generated files: the pages' Go code by templ, the reference docs by `sluice docs`.
#   e2e/generate.sh          into the tree
#   e2e/generate.sh check    into a copy, and fails when the tree differs from it; the tree is not touched
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
templ_version=$(go list -m -f '{{.Version}}' github.com/a-h/templ)

# generate DIR writes into the module copy DIR.
generate() (
  cd "$1"
  if [ -n "$(find views -name '*.templ' -print -quit 2>/dev/null)" ]; then
    go run "github.com/a-h/templ/cmd/templ@$templ_version" generate -path views -log-level warn
  fi
  if grep -rqs '"docs"' main.go cmd_*.go; then
    mkdir -p docs/connectors
    go run . docs docs/connectors
  fi
)

if [ "${1:-}" != check ]; then
  generate .
  exit 0
fi

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' f; do
  if [ -e "$f" ]; then printf '%s\0' "$f"; fi
done | tar --null -T - -cf - | tar -xf - -C "$copy"
find "$copy" -name '*_templ.go' -delete # so that one left behind by a deleted page is seen
generate "$copy"
status=0
while IFS= read -r f; do
  cmp -s "$f" "$copy/$f" 2>/dev/null || { printf 'not current: %s\n' "$f"; status=1; }
done < <( { find . -name '*_templ.go' -not -path './.git/*'; (cd "$copy" && find . -name '*_templ.go'); \
  find docs/connectors -type f 2>/dev/null; (cd "$copy" && find docs/connectors -type f 2>/dev/null); } | sed 's|^\./||' | sort -u)
[ $status = 0 ] || printf 'run `make generate` and commit the result\n'
exit $status
