#!/usr/bin/env bash
# helgrind.sh [OPERATIONS]: 50 clients over stdio, HTTP and WebSocket at a server that helgrind watches, with all of its
# libraries: no data race, no lock taken in two orders, no lock or condition misused.
set -u
cd "$(dirname "$0")/../.." || exit 1
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
command -v valgrind >/dev/null || { echo "there is no valgrind: deploy/install-deps.sh --test" >&2; exit 1; }

# It may start no program and see no system call that it does not know: the sandbox is another proof's.
cat >"$top/tandem" <<END
#!/bin/sh
exec valgrind --tool=helgrind --fair-sched=yes --history-level=full --suppressions='$PWD/tests/prove/helgrind.supp' \\
    --log-file='$top/%p.log' '$PWD/build/helgrind/tests/prove/tandem_helgrind' "\$@" --sandbox off
END
chmod 755 "$top/tandem"
TANDEM=$top/tandem build/release/tests/stress/recorded "${1:-3000}" || exit 1
logs=("$top"/*.log)
found=$(sed -n 's/.*ERROR SUMMARY: \([0-9]*\) errors.*/\1/p' "${logs[@]}" | awk '{ n += $1 } END { print NR ? n : "none counted" }')
if [ "$found" != 0 ]; then
    grep -hE '^==[0-9]+==' "${logs[@]}" | cut -d= -f5- | head -200
fi
echo "figure: $found finds of helgrind"
[ "$found" = 0 ]
