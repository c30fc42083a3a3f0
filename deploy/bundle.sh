#!/usr/bin/env bash
# bundle.sh BINARY FOLDER: makes FOLDER/tandem-VERSION.mcpb, a bundle that Claude Desktop and others install by a click, and
# FOLDER/server.json, which tells the MCP registry of it. In the bundle are the binary, without what debuggers want; the
# libraries that it uses, but for the C library; their licences; and the bill of materials. The same input gives the same
# bytes.
# RELEASES is the address below which a release's files are to be found, as the registry is told it.
set -eu
export LC_ALL=C TZ=UTC
cd "$(dirname "$0")/.."
binary=$1 folder=$2
releases=${RELEASES:-https://github.com/example/tandem/releases/download}
version=$(deploy/version.sh)
stage=$folder/bundle
rm -rf "$stage"
mkdir -p "$stage/server"

deploy/portable.sh "$stage/server/tandem" "$stage/server/lib" "$stage/server/licences"
# The tools that a project has to which nothing else is said.
empty=$(mktemp -d)
trap 'rm -rf "$empty"' EXIT
mkdir "$empty/.tandem"
env -i "$binary" tools --json --root "$empty" |
    sed -nE 's/^      ("name": .*),$/    {\1, /p; s/^      ("description": .*),$/\1},/p' | paste -d '' - - | sed '$s/,$//' >"$empty/tools"
fill() { # fill TEMPLATE
    sed -e "/@TOOLS@/{r $empty/tools
        d}" -e "s|@VERSION@|$version|g; s|@RELEASES@|$releases|g; s|@SHA256@|${digest-}|g" "$1"
}
fill deploy/manifest.json.in >"$stage/manifest.json"
deploy/sbom.sh "$binary" "$stage" >"$empty/bill"
mv "$empty/bill" "$stage/server/tandem.cdx.json"

out=$(realpath "$folder")/tandem-$version.mcpb
rm -f "$out"
find "$stage" -exec touch -h -d "@${SOURCE_DATE_EPOCH:-315532800}" {} + # The first day that a zip file knows.
(cd "$stage" && find . -type f | sed 's,^\./,,' | sort | zip -X -q -9 "$out" -@)
digest=$(sha256sum <"$out" | cut -d' ' -f1)
fill deploy/server.json.in >"$folder/server.json"
