#!/usr/bin/env bash
# log_table.sh: the page for operators has a row for each line of the log from level warning up, and for no other.
set -u
export LC_ALL=C
cd "$(dirname "$0")/../.." || exit 1
page=deploy/operations.md
call='log_(warn_rl|warn|error)\('
text='"([^"\\]|\\.)*"'

in_code() {
    for file in $(grep -rlE --include='*.c' "$call" state handlers transports server); do
        module=$(sed -nE 's/^LOG_MODULE\("(.*)"\);/\1/p' "$file")
        joined=$(tr '\n' ' ' <"$file")
        calls=$(grep -oE "\b$call *" <<<"$joined" | wc -l)
        # An event is one literal: who looks for it in the code finds it.
        events=$(grep -oE "\b$call *$text *[,)]" <<<"$joined")
        if [ "$(wc -l <<<"$events")" -ne "$calls" ]; then
            echo "$file: the event of a line of the log is to be one text" >&2
            return 1
        fi
        sed -nE "s/^log_(warn|error)(_rl)?\( *\"(.*)\" *[,)]\$/$module | \1 | \3/p" <<<"$events" | sed 's/\\"/"/g'
    done | sort -u
}
in_page() {
    sed -n '/<!-- log: begin -->/,/<!-- log: end -->/p' $page | sed -nE 's/^\| `([^`]*)` \| (warn|error) \| (.*) \| ([^|]+) \| ([^|]+) \|$/\1 | \2 | \3/p'
}

if ! code=$(in_code) || [ -z "$code" ]; then
    echo "not ok log_table"
    exit 1
fi
if diff <(echo "$code") <(in_page | sort) | sed -n 's/^</not in the page:/p; s/^>/not in the code:/p' | grep . >&2; then
    echo "not ok log_table"
    exit 1
fi
if in_page | sort | uniq -d | grep . >&2; then
    echo "not ok log_table: twice"
    exit 1
fi
echo "ok log_table"
