#!/usr/bin/env bash
# Builds the programs of the recipes that are to be had as Go modules, into a folder:
# Grafana Loki and VictoriaLogs. The others come from packages, such as rsyslog.
#
#   recipes/programs.sh bin
set -euo pipefail

loki=v3.7.8
victorialogs=v1.52.1

to=${1:?the folder to write to}
mkdir -p "$to"
to=$(cd "$to" && pwd)
export GOBIN=$to GOFLAGS="-buildvcs=false -trimpath"
go install "github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs@$victorialogs"

# Loki replaces some modules, which go install does not do for others: so it is built in
# a module that replaces the same.
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
source=$(go mod download -json "github.com/grafana/loki/v3@$loki" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
{
	echo "module loki"
	grep -E '^go ' "$source/go.mod"
	echo "require github.com/grafana/loki/v3 $loki"
	push=$(sed -nE 's#^\tgithub.com/grafana/loki/pkg/push (v[^ ]+).*#\1#p' "$source/go.mod")
	sed -n '/^replace/,$p' "$source/go.mod" | sed "s#=> \./pkg/push#=> github.com/grafana/loki/pkg/push $push#"
} >go.mod
cp "$source/go.sum" go.sum
go build -mod=mod -o "$to/loki" github.com/grafana/loki/v3/cmd/loki
