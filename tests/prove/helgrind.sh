#!/usr/bin/env bash
# helgrind.sh [OPERATIONS]: no data race, no lock taken in two orders, no lock or condition misused, libraries included.
cd "$(dirname "$0")/../.." || exit 1
exec tests/prove/valgrind.sh "${1:-300}" --tool=helgrind --history-level=full --suppressions=tests/prove/helgrind.supp
