#!/usr/bin/env bash
# No function decides more than 20 things (McCabe, a switch counted as one), by pmccabe.
set -u
cd "$(dirname "$0")/../.." || exit 1

found=$(pmccabe state/base/*.c state/*.c handlers/*.c transports/*.c server/edit/*.c server/*.c deploy/reference/*.c 2>/dev/null |
    awk '$1 > 20 { n = $1; sub(/^([0-9]+\t)+/, ""); print n ": " $0 } END { if (NR < 3000) print "pmccabe saw " NR " functions only" }')
if [ -z "$found" ]; then
    echo "ok complexity"
else
    echo "$found"
    echo "not ok complexity"
    exit 1
fi
