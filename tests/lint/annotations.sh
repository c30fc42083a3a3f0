#!/usr/bin/env bash
# The lock annotations find what they are there for: each file of annotations/ holds one planted error and names what
# clang must say of it ("finds:"), or none ("fine:").
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0
for file in tests/lint/annotations/*.c; do
    name=annotations_$(basename "$file" .c)
    said=$(clang -std=c11 -D_GNU_SOURCE -I. -Wall -Wextra -Wthread-safety -Wthread-safety-beta -Werror \
        -fsyntax-only "$file" 2>&1)
    failed=$?
    finds=$(sed -n '1s|^/\* finds: \(.*\) \*/$|\1|p' "$file")
    if [ -n "$finds" ] && [ $failed -ne 0 ] && grep -qF "error: $finds" <<<"$said"; then
        echo "ok $name"
    elif [ -z "$finds" ] && [ $failed -eq 0 ] && head -1 "$file" | grep -q '^/\* fine:'; then
        echo "ok $name"
    else
        echo "$said"
        echo "not ok $name"
        bad=1
    fi
done
# And they are where they belong: a function whose name says that a lock is held tells clang which.
found=$(awk '/^[a-z_]+_locked\(/ { name = $0; text = ""; at = FILENAME ":" FNR }
    name { text = text $0; if (/^[{]/ || /;$/) { if (text !~ /REQUIRES/) print at ": " name; name = "" } }' \
    state/base/*.c state/*.c handlers/*.c transports/*.c server/edit/*.c server/*.c)
if [ -z "$found" ]; then
    echo "ok annotations_on_locked_functions"
else
    echo "$found"
    echo "not ok annotations_on_locked_functions"
    bad=1
fi
exit $bad
