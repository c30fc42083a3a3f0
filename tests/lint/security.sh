#!/usr/bin/env bash
# Each advisory, rule, limit and set of hostile data that tests/lint/security.txt lists has the tests that it names;
# each fuzz target has a corpus, and a test that replays it.
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0 count=0

# has FILE NAME: what a row names is there.
has() {
    local file=tests/$1 name=$2
    [ -f "$file" ] || return 1
    case $file in
    *.c) [ "$name" = '*' ] || [ "$(grep -cw -- "$name" "$file")" -ge 2 ] ;; # Defined, and in the table.
    *.jsonl) grep -qE "\"id\": *\"$name" "$file" ;;
    *) grep -qF -- "$name" "$file" ;;
    esac
}

while IFS=$'\t' read -r kind what tests; do
    [[ $kind = '#'* || -z $tests ]] && continue
    count=$((count + 1))
    while IFS= read -r test; do
        if ! has "${test%%:*}" "${test#*:}"; then
            echo "$kind: $what: there is no test $test"
            bad=1
        fi
    done <<<"${tests//; /$'\n'}"
done <tests/lint/security.txt
[ $count -ge 70 ] || bad=1
[ $bad -eq 0 ] && echo "ok security_rows_have_tests" || echo "not ok security_rows_have_tests"

# Likewise the page for those who ask.
page=deploy/SECURITY.md named=0 missing=
for test in $(grep -oE '`tests/[a-z_/]+\.(c|sh|mjs|jsonl|txt):[^`]+`' $page | tr -d '`'); do
    named=$((named + 1))
    test=${test#tests/}
    has "${test%%:*}" "${test#*:}" || missing="$missing $test"
done
if [ -z "$missing" ] && [ $named -ge 15 ]; then
    echo "ok security_page_names_tests"
else
    echo "$page: there is no test$missing"
    echo "not ok security_page_names_tests"
    bad=1
fi

missing=
for target in tests/fuzz/fuzz_*.c; do
    name=${target#tests/fuzz/fuzz_}
    name=${name%.c}
    if [ -z "$(ls "tests/fuzz/corpus/$name" 2>/dev/null)" ] ||
        ! grep -q "\"$target\"" "tests/unit/test_${name}_corpus.c" 2>/dev/null; then
        missing="$missing $name"
    fi
done
if [ -z "$missing" ]; then
    echo "ok corpora_are_replayed"
else
    echo "without a corpus or a test that replays it:$missing"
    echo "not ok corpora_are_replayed"
    bad=1
fi
exit $bad
