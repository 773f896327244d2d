#!/usr/bin/env bash
# gofmt, go vet, the rules of this repository, staticcheck.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
staticcheck_version=v0.8.2
status=0

unformatted=$(git ls-files -z --cached --others --exclude-standard '*.go' | xargs -0 -r ls -d 2>/dev/null | grep -v '_templ\.go$' | xargs -r gofmt -l)
if [ -n "$unformatted" ]; then printf 'not formatted by gofmt:\n%s\n' "$unformatted"; status=1; fi

go vet ./... || status=1
go vet -tags=e2e ./e2e/... || status=1
go vet -tags=debezium ./runner/mysql || status=1
go run ./e2e/cmd/importlint || status=1

# Exported things carry comments and error texts are sentences' parts: the defaults of staticcheck, with
# the ones for style left to review.
go run "honnef.co/go/tools/cmd/staticcheck@$staticcheck_version" -tags=e2e -checks 'inherit,-ST*' ./... || status=1
exit $status
