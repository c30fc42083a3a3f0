#!/usr/bin/env bash
# The form of the code is that of .clang-format.
set -u
cd "$(dirname "$0")/../.." || exit 1
clang-format --version >/dev/null || exit 1

mapfile -t wrong < <(find state handlers transports server deploy tests -name '*.[ch]' \
    -not -path '*/node_modules/*' -not -path 'tests/fixtures/*' -print0 |
    xargs -0 -n 100 -P "$(nproc)" clang-format --dry-run -Werror 2>&1 | sed -n 's/:[0-9]*:[0-9]*: error: .*//p' | sort -u)
if [ ${#wrong[@]} -gt 0 ]; then
    echo "clang-format -i ${wrong[*]}"
    echo "not ok clang_format"
    exit 1
fi
echo "ok clang_format"
