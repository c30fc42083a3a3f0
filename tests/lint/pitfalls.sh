#!/usr/bin/env bash
# Each pitfall that tests/lint/pitfalls.txt lists has a test of its name.
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0 count=0

while IFS=$'\t' read -r name rule; do
    [[ $name = '#'* || -z $rule ]] && continue
    count=$((count + 1))
    if ! grep -rqE --include='*.c' --include='*.txt' --include='*.sh' --include='*.mjs' --exclude-dir=lint \
        --exclude-dir=node_modules --exclude-dir=fixtures "(pitfall: |PITFALL[A-Z_]*\(\")$name(\"|\$|;| \*/)" tests; then
        echo "no test has the name \"pitfall: $name\" ($rule)"
        bad=1
    fi
done <tests/lint/pitfalls.txt
[ $count -ge 32 ] || bad=1
[ $bad -eq 0 ] && echo "ok pitfalls have tests ($count)" || echo "not ok pitfalls have tests"
exit $bad
