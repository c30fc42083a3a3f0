#!/usr/bin/env bash
# The form of the code is that of .clang-format.
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0
for file in state/base/*.[ch] transports/{framing,outbox,descriptor,stdio_peer,stdio_transport}.[ch]; do
    if [ -e "$file" ] && ! clang-format --dry-run -Werror "$file" >/dev/null 2>&1; then
        echo "clang-format -i $file"
        bad=1
    fi
done
if [ $bad -eq 0 ]; then
    echo "ok clang_format"
else
    echo "not ok clang_format"
fi
exit $bad
