#!/bin/sh
# What is published: the bundle for editors, what the MCP registry is told, and the bill of materials.
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
make --no-print-directory -s all portable >&2 || exit 1
mkdir "$work/one" "$work/two" || exit 1
for name in one two; do
    if ! deploy/bundle.sh build/release/tandem "$work/$name" >"$work/log" 2>&1; then
        cat "$work/log"
        echo "not ok ship: the bundle"
        exit 1
    fi
done
deploy/sbom.sh >"$work/bill.json" && SOURCE_DATE_EPOCH=1700000000 deploy/sbom.sh >"$work/dated.json" || exit 1
tests/clients/run.sh ship.mjs "$work"
