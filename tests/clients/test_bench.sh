#!/usr/bin/env bash
# The bench itself works: each workload runs, shortly, and what it finds is written. nginx, which only the bench needs,
# is left out; nothing is judged by the clock.
set -u
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

. tests/checks.sh

timeout 540 build/release/tests/bench/compare --without nginx --rounds 1 --turn 1 \
    --table "$work/table.md" --chart "$work/chart.svg" >"$work/said"
check "every workload of the bench runs" $? || cat "$work/said"
[ "$(grep -c '^| [a-z0-9]' "$work/table.md")" -ge 31 ] && grep -q '| echo legacy 8 connections | .* µs, ' "$work/table.md"
check "the bench writes its table" $?
grep -q '^</svg>$' "$work/chart.svg" && [ "$(grep -c 'class="t"' "$work/chart.svg")" -ge 15 ]
check "the bench writes its chart" $?
exit $failed
