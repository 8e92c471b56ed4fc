#!/bin/sh
# Prints the section of a version of CHANGELOG.md, or fails if there is none.
#
#   packaging/scripts/notes.sh v1.2.3
set -eu
cd "$(dirname "$0")/../.."
version=${1:?the version, such as v1.2.3}
notes=$(awk -v head="## [${version#v}]" 'index($0, "## ") == 1 || /^\[.*\]: / { on = index($0, head) == 1; next } on' CHANGELOG.md)
[ -n "$notes" ] || { echo "CHANGELOG.md has no section ${version#v}" >&2; exit 1; }
printf '%s\n' "$notes"
