#!/usr/bin/env bash
# The form of the code is that of .clang-format.
# format.sh --all: looks at the whole tree, not only at what is in form by now.
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0

if [ "${1:-}" = --all ]; then
    mapfile -t files < <(find state handlers transports server deploy tests -name '*.[ch]' -not -path '*/node_modules/*' \
        -not -path 'tests/fixtures/*' | sort)
else
    files=(state/base/*.[ch] transports/{framing,outbox,descriptor,stdio_peer,stdio_transport}.[ch] \
        tests/{json_match,serving}.[ch] tests/transcripts/*.c tests/transport/test_stdio.c tests/fuzz/fuzz_framing.c \
        tests/unit/test_{err,mem,problems,file,lock,clock,log,slots,pool,thread}.c \
        deploy/reference/*.[ch] deploy/portable/*.c \
        tests/unit/test_{framing,framing_corpus,outbox,descriptor,stdio_transport,json_match}.c)
fi
for file in "${files[@]}"; do
    if [ -e "$file" ] && ! clang-format --dry-run -Werror "$file" 2>/dev/null; then
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
