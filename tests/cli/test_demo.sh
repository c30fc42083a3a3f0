#!/usr/bin/env bash
# test_demo.sh: "tandem demo", which make run ends in, holds from its first step to its last.
set -u
cd "$(dirname "$0")/../.."
tandem=${TANDEM:-build/tandem}
. tests/checks.sh

out=$("$tandem" demo --example deploy/example </dev/null)
status=$?
echo "$out" >&2
check "the demo ends with 0" $status
echo "$out" | grep -qE '^[0-9]+ steps, 3 clients, 1 process, [0-9.]+ MiB$'
check "it sums up" $?
[ "$(echo "$out" | grep -cE '^ *[0-9]+  .*\([0-9.]+ ms\)$')" = "$(echo "$out" | grep -oE '^[0-9]+ steps' | grep -oE '[0-9]+')" ]
check "every step has its line and its time" $?
[ "$(echo "$out" | grep -oE '^[0-9]+ steps' | grep -oE '[0-9]+')" = 16 ]
check "no step is left out" $?
echo "$out" | grep -qE 'was away, comes back: told the 2 it missed, [0-9]+ and [0-9]+, and goes on'
check "who was away is told what it missed" $?
echo "$out" | grep -qF 'tiingo each at once: 400 of 500, no more, no fewer'
check "a quota is shared exactly" $?
next=$(echo "$out" | sed -nE 's/.*"([^"]* call [^"]*)" asks it\.$/\1/p')
[ -n "$next" ] && [ "${next%% *}" = "$tandem" ] && $next >/dev/null
check "what it tells to type next works as it stands" $?
"$tandem" demo --example /nonexistent </dev/null >/dev/null 2>&1
[ $? -eq 1 ]
check "an example that is not there is an error" $?
[ -z "$(git status --porcelain deploy/example 2>/dev/null)" ]
check "the example itself is not touched" $?
exit $failed
