#!/usr/bin/env bash
# run.sh NAME PROGRAM...: runs test programs, two at a time, and counts their tests.
# run.sh --sum: adds up what was counted since build/results was emptied.
#
# A test is a line "[       OK ] name" or "[  FAILED  ] name" (cmocka), or "ok name" or "not ok name". A program
# that counts nothing, ends badly without a failed test, or takes more than its time has failed by itself.
set -u
results=build/results
limit=${TEST_SECONDS:-600}

if [ "${1:-}" = --sum ]; then
    cat $results/*.count 2>/dev/null |
        awk '{ p += $1; f += $2 } END { printf "%d passed, %d failed\n", p, f; exit f > 0 || p == 0 }'
    exit
fi

run_one() {
    name=$1 program=$2
    log=$results/$name-$(echo "$program" | tr / -).log
    start=$(date +%s)
    timeout -k 10 "$limit" "$program" >"$log" 2>&1 </dev/null
    status=$?
    passed=$(grep -cE '^(\[       OK \]|ok )' "$log")
    failed=$(grep -E '^(\[  FAILED  \] [a-z_]|not ok )' "$log" | sort -u | wc -l)
    if [ "$failed" -eq 0 ] && { [ "$status" -ne 0 ] || [ "$passed" -eq 0 ]; }; then
        failed=1
    fi
    echo "$passed $failed" >"${log%.log}.count"
    printf '%-58s %4d passed %3d failed %4ds\n' "$name ${program#build/*/}" "$passed" "$failed" $(($(date +%s) - start))
    if [ "$failed" -ne 0 ]; then
        echo "--- $log (status $status)"
        grep -vE '^\[ RUN|^\[       OK|^ok ' "$log" | tail -60
        echo "---"
    fi
}
export -f run_one
export results limit

name=$1
shift
mkdir -p $results
rm -f "$results/$name-"*
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1:suppressions=$PWD/tests/tsan.supp}
[ $# -gt 0 ] || exit 0
printf '%s\n' "$@" | xargs -P "${TEST_JOBS:-2}" -I{} bash -c 'run_one "$0" "$1"' "$name" {}
cat "$results/$name-"*.count | awk '{ f += $2 } END { exit f > 0 }'
