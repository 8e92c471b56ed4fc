#!/usr/bin/env bash
# Builds the collector of builder.yaml from this checkout, into the file named.
#
# The builder alone does it, too, where the module proxy has every module that the
# tests of the collector's components import. This does not ask for those.
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
