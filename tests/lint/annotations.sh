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
exit $bad
