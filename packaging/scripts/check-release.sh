#!/bin/sh
# Checks what a dry release has built: every file is there and is what its checksum
# says, the archives and packages hold what a user needs, and the command of this
# machine's archive runs and knows its version.
#
#   packaging/scripts/check-release.sh dist
set -eu
cd "${1:?the folder of the release}"
fail() { echo "FAIL: $*" >&2; exit 1; }
holds() { # LISTING FILE...
	listing=$1; shift
	for file; do grep -q "$file" "$listing" || fail "$archive has no $file"; done
}
list=$(mktemp) && trap 'rm -rf "$list" "$list.d"' EXIT

sha256sum --quiet -c ./*_checksums.txt
for os in linux darwin windows; do
	for arch in amd64 arm64; do
		archive=$(ls ./cfaudit_*_${os}_$arch.tar.gz ./cfaudit_*_${os}_$arch.zip 2>/dev/null) || :
		[ -f "$archive" ] || fail "there is no archive for $os $arch"
		grep -q "$(basename "$archive")" ./*_checksums.txt || fail "$archive has no checksum"
		[ -s "$(ls ./cfaudit_*_${os}_$arch.cdx.json)" ] || fail "$archive has no list of modules"
		case $archive in
		*.zip) unzip -Z1 "$archive" >"$list" ;;
		*) tar -tzf "$archive" >"$list" ;;
		esac
		holds "$list" '/cfaudit\(\.exe\)\?$' /LICENSE /THIRD_PARTY_NOTICES /README.md /CHANGELOG.md man/cfaudit-run.1.gz \
			completions/cfaudit.zsh docs/operations.md systemd/cfaudit-run@.service systemd/cfaudit-fleet@.service kubernetes/run/statefulset.yaml \
			prometheus/cfaudit.rules.yaml grafana/cfaudit.json recipes/rsyslog.conf
	done
done
for arch in amd64 arm64; do
	for kind in deb rpm; do
		archive=$(ls ./cfaudit_*_linux_$arch.$kind)
		case $kind in
		deb) command -v dpkg-deb >/dev/null || continue; dpkg-deb -c "$archive" >"$list" ;;
		rpm) command -v rpm >/dev/null || continue; rpm -qlp "$archive" >"$list" 2>/dev/null ;;
		esac
		holds "$list" /usr/bin/cfaudit /usr/share/man/man1/cfaudit-run.1.gz bash-completion/completions/cfaudit \
			systemd/system/cfaudit-run@.service systemd/system/cfaudit-poll@.timer systemd/system/cfaudit-fleet@.service /etc/cfaudit \
			doc/cfaudit/THIRD_PARTY_NOTICES doc/cfaudit/README.md doc/cfaudit/docs/README.md doc/cfaudit/docs/operations.md doc/cfaudit/recipes/rsyslog.conf
	done
done
mkdir "$list.d"
tar -xzf ./cfaudit_*_linux_amd64.tar.gz -C "$list.d" --strip-components=1
if [ "$(uname -sm)" = "Linux x86_64" ]; then
	version=$("$list.d/cfaudit" version)
	expected=$(basename ./cfaudit_*_checksums.txt _checksums.txt)
	[ "$version" = "cfaudit v${expected#cfaudit_}" ] || fail "the command calls itself $version"
	"$list.d/cfaudit" demo >/dev/null 2>&1 || fail "the demo fails"
fi
echo "the release is whole: $(ls | wc -l) files"
