#!/usr/bin/env bash
# coverage.sh: lines and branches covered by what ran in build/coverage, in all and for the parts that promise most.
# Fails below the floors. A branch is one way out of a condition, and is covered once it was taken; those of uthash's
# macros (growing, colliding, checking itself) are not ours and do not count, nor does the failing of an assertion.
# coverage.sh --files: every file, the one with the most branches never taken first.
set -eu
cd "$(dirname "$0")/.."
B=build/coverage
files=$B/files.txt # file, lines hit, lines, branches hit, branches

# What gcov tells of one file: "COUNT: LINE:text", and behind a line its "branch N taken COUNT".
find $B/state $B/handlers $B/transports $B/server -name '*.gcno' | sort | while read -r notes; do
    source=${notes#"$B/"}
    source=${source%.gcno}.c
    gcov -b -c -t -o "$(dirname "$notes")" "$notes" 2>/dev/null | awk -v file="$source" '
        /^ *-: *0:Source:/ { mine = ($0 ~ ":" file "$"); next }
        !mine { next }
        /^ *[^ :]+: *[0-9]+:/ {
            foreign = /HASH_(FIND|ADD|DEL|ITER|CLEAR|REPLACE|SRT)|assert\(/
            if ($1 !~ /^-/) { lines++; lines_hit += $1 !~ /^[#=]/ }
        }
        /^branch / && !foreign { branches++; hit += !/never executed|taken 0( |$)/ }
        END { if (lines) print file, lines_hit + 0, lines, hit + 0, branches + 0 }'
done >$files

if [ "${1:-}" = --files ]; then
    awk '{ printf "%4d %5.1f %% lines %5.1f %% branches %s\n", $5 - $4, 100 * $2 / $3, $5 ? 100 * $4 / $5 : 100, $1 }' \
        $files | sort -rn
    exit
fi
awk '
    function add(part, least_lines, least_branches) {
        floor[part] = least_lines
        floor_b[part] = least_branches
        h[part] += $2
        t[part] += $3
        hb[part] += $4
        tb[part] += $5
    }
    {
        add("all", 92, 80)
        if (/workflow_gate|workflow_validat|workflow_expr/) add("gates", 95, 85)
        if (/workflow_record|workflow_store|session_file|mcp_session/) add("sessions", 95, 88)
        if (/http_parser|http_syntax|json_scan|json_slice|handlers\/rpc|framing|ws_gate|yaml/) add("parsers", 95, 88)
        if (/relay|state\/bus/) add("relay", 95, 88)
        if (/quota/) add("quota", 95, 88)
        if (/base\/slots/) add("slots", 95, 88)
        if ($3 > 20 && $2 < $3 * 0.85) printf "      %5.1f %% of %s\n", 100 * $2 / $3, $1
    }
    END {
        bad = 0
        for (part in t) {
            p = 100 * h[part] / t[part]
            b = 100 * hb[part] / tb[part]
            ok = p >= floor[part] && b >= floor_b[part]
            printf "%s coverage of %s: %.1f %% of %d lines (floor %d %%), %.1f %% of %d branches (floor %d %%)\n",
                ok ? "ok" : "not ok", part, p, t[part], floor[part], b, tb[part], floor_b[part]
            if (!ok) bad = 1
            figures = figures sprintf("%s%s %.1f / %.1f %%", figures ? ", " : "", part, p, b)
        }
        print "figure: lines / branches of " figures
        exit bad
    }' $files
