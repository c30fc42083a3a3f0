#!/usr/bin/env bash
# publish.sh TABLE CHART: puts what "make bench" has measured into the README, between its markers, and beside it.
set -eu
cd "$(dirname "$0")/../.."
begin='<!-- bench: begin -->' end='<!-- bench: end -->'
grep -qF "$begin" README.md && grep -qF "$end" README.md
sed -i -e "/$begin/,/$end/{/$begin/{p;r $1
    };/$end/p;d}" README.md
cp "$2" deploy/bench.svg
