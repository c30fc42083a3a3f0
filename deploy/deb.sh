#!/usr/bin/env bash
# deb.sh [--built]: makes the Debian source package and the binary packages from it, in build/deb.
# With --built, for tests: what has been built in build/release is taken along, so that only packing remains, as objects are
# the same wherever they are made; without what debuggers want, and not pressed as small.
set -eu
cd "$(dirname "$0")/.."
version=$(deploy/version.sh)
out=build/deb
tree=$out/tandem-$version
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y state/version.h)}

options="parallel=$(nproc)${DEB_BUILD_OPTIONS:+ $DEB_BUILD_OPTIONS}" source_options=

rm -rf $out
deploy/source-tree.sh "$tree"
cp -r deploy/debian "$tree/debian"
rm "$tree/debian/changelog.sh"
deploy/debian/changelog.sh >"$tree/debian/changelog"
if [ "${1:-}" = --built ]; then
    mkdir "$tree/build"
    cp -a build/release "$tree/build/"
    options="$options noautodbgsym" source_options=--source-option=-z1
fi
# Nothing of the make that calls, or of whoever calls it, belongs to the build.
# shellcheck disable=SC2086
(cd "$tree" && env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u VARIANT -u CC DEB_BUILD_OPTIONS="$options" \
    dpkg-buildpackage -us -uc -F $source_options)
rm -rf "$tree"
