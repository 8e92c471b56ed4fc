#!/usr/bin/env bash
# Builds the collector of builder.yaml from this checkout, into the file named.
#
# The builder alone does it, too, but fails where the module proxy lacks a module that
# only the tests of the collector's components import, as one did on 2026-11-28:
# otlpencodingextension, for those of fileexporter. This does not ask for those.
set -euo pipefail

to=${1:?the file to write}
[[ $to == /* ]] || to=$PWD/$to
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export GOFLAGS="-buildvcs=false -trimpath"
rm -rf otelcol-cloudflareaudit
go run go.opentelemetry.io/collector/cmd/builder@v0.165.0 --config otelcol/builder.yaml --skip-compilation \
	2>otelcol-cloudflareaudit.log || { [ -f otelcol-cloudflareaudit/go.mod ] && go -C otelcol-cloudflareaudit mod tidy -e 2>/dev/null; } ||
	{ cat otelcol-cloudflareaudit.log; exit 1; }
rm otelcol-cloudflareaudit.log
go -C otelcol-cloudflareaudit build -o "$to" .
