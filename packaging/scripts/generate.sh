#!/bin/sh
# Writes what goes into the packages and is made from the command: the manual pages
# into build/man, and the completions into build/completions.
#
#   packaging/scripts/generate.sh VERSION SECONDS
#
# VERSION is what the pages name, and SECONDS since 1970 is their date.
set -eu

cd "$(dirname "$0")/../.."
version=${1:?the version, such as v1.2.3}
export SOURCE_DATE_EPOCH="${2:?the time of the commit, in seconds since 1970}"

rm -rf build
mkdir -p build/man build/completions
go build -trimpath -buildvcs=false -ldflags="-X main.released=$version" -o build/cfaudit ./cmd/cfaudit
build/cfaudit man --dir build/man >/dev/null
gzip -9n build/man/*.1
for shell in bash zsh fish; do
	build/cfaudit completion "$shell" >"build/completions/cfaudit.$shell"
done
