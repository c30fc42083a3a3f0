#!/usr/bin/env bash
# memcheck.sh [OPERATIONS]: nothing that was never written is looked at, no memory is misused, no block is lost, libraries
# included.  The first of these no sanitizer tells, and buffers that are NOT_CLEARED depend on it.
cd "$(dirname "$0")/../.." || exit 1
exec tests/prove/valgrind.sh "${1:-1000}" --tool=memcheck --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite
