#!/usr/bin/env bash
# valgrind.sh OPERATIONS --tool=TOOL [OPTION...]: 50 clients over stdio, HTTP and WebSocket at a server that a tool of
# valgrind watches, with all of its libraries.  Fails if the tool finds anything.
set -u
cd "$(dirname "$0")/../.." || exit 1
operations=$1 tool=${2#--tool=}
shift
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
command -v valgrind >/dev/null || { echo "there is no valgrind: deploy/install-deps.sh --test" >&2; exit 1; }

# It may start no program and see no system call that it does not know: the sandbox is another proof's.
cat >"$top/tandem" <<END
#!/bin/sh
exec valgrind $* --fair-sched=yes --log-file='$top/%p.log' \\
    '$PWD/build/helgrind/tests/prove/tandem_helgrind' "\$@" --sandbox off
END
chmod 755 "$top/tandem"
TANDEM=$top/tandem build/release/tests/stress/recorded "$operations" || exit 1
logs=("$top"/*.log)
found=$(sed -n 's/.*ERROR SUMMARY: \([0-9]*\) errors.*/\1/p' "${logs[@]}" | awk '{ n += $1 } END { print NR ? n : "none counted" }')
if [ "$found" != 0 ]; then
    grep -hE '^==[0-9]+==' "${logs[@]}" | cut -d= -f5- | head -200
    echo "not ok $tool"
    exit 1
fi
echo "figure: $found finds of $tool"
echo "ok $tool"
