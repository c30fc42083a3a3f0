#!/usr/bin/env bash
# coverage.sh: lines covered by what ran in build/coverage, in all and for the parts that promise most. Fails below the
# floors.
set -eu
cd "$(dirname "$0")/.."
B=build/coverage

find $B/state $B/handlers $B/transports $B/server -name '*.gcno' | while read -r notes; do
    source=${notes#"$B/"}
    source=${source%.gcno}.c
    gcov -n -o "$(dirname "$notes")" "$notes" 2>/dev/null |
        awk -v file="$source" '$0 == "File \047" file "\047" { mine = 1; next }
            mine { split($0, part, /[:% ]+/); print file, part[3], part[5]; exit }'
done | awk '
    function add(part, least, total, hit) { floor[part] = least; t[part] += total; h[part] += hit }
    {
        file = $1; total = $3; hit = $2 * total / 100
        add("all", 90, total, hit)
        if (file ~ /workflow_gate|workflow_validat|workflow_expr/) add("gates", 95, total, hit)
        if (file ~ /workflow_record|workflow_store|session_file|mcp_session/) add("sessions", 95, total, hit)
        if (file ~ /http_parser|http_syntax|json_scan|json_slice|handlers\/rpc/) add("parsers", 95, total, hit)
        if (file ~ /base\/slots/) add("slots", 95, total, hit)
        if (total > 20 && hit < total * 0.85) printf "      %5.1f %% of %s\n", 100 * hit / total, file
    }
    END {
        bad = 0
        for (part in t) {
            p = 100 * h[part] / t[part]
            ok = p >= floor[part]
            printf "%s coverage of %s: %.1f %% of %d lines (floor %d %%)\n", ok ? "ok" : "not ok", part, p, t[part], floor[part]
            if (!ok) bad = 1
            figures = figures sprintf("%s%s %.1f %%", figures ? ", " : "", part, p)
        }
        print "figure: lines of " figures
        exit bad
    }'
