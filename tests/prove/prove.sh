#!/usr/bin/env bash
# prove.sh [NAME...]: runs the proofs of tests/prove/proofs.txt, all or those named, and prints a table of promise,
# figure and verdict. Fails if one fails.
# prove.sh --readme: puts the figures of the last runs into README.md.
# prove.sh --list: their names.
#
# A proof holds if its command ends well. Its figures are what it prints behind "figure: "; what else it prints is in
# build/prove/NAME.log.
set -u
cd "$(dirname "$0")/../.."
rows=tests/prove/proofs.txt
out=build/prove
mkdir -p $out

trim() { sed 's/^[[:space:]]*//; s/[[:space:]]*$//'; }
# field ROW N: the N-th of "name | builds | command | promise".
field() { printf '%s\n' "$1" | cut -d'|' -f"$2" | trim; }
proofs() { grep -vE '^(#|[[:space:]]*$)' $rows; }

readme() {
    {
        sed '/<!-- proofs: begin -->/q' README.md
        echo '| command | promise | figure |'
        echo '|---|---|---|'
        proofs | while IFS= read -r row; do
            name=$(field "$row" 1)
            figure=$(cat "$out/$name.figure" 2>/dev/null) ||
                figure=$(sed -n "s/^| \`make prove-$name\` |.*| \([^|]*\) |\$/\1/p" README.md)
            printf '| `make prove-%s` | %s | %s |\n' "$name" "$(field "$row" 4)" "$figure"
        done
        sed -n '/<!-- proofs: end -->/,$p' README.md
    } >$out/README.md
    cp $out/README.md README.md
}

# Runs one proof; prints its row of the table.
prove() {
    name=$(field "$1" 1) builds=$(field "$1" 2) command=$(field "$1" 3) promise=$(field "$1" 4)
    log=$out/$name.log verdict=holds
    start=$(date +%s)
    # shellcheck disable=SC2086
    if ! { [ -z "$builds" ] || make --no-print-directory $builds; } >"$log" 2>&1 ||
        ! TANDEM=build/tandem bash -o pipefail -c "$command" >>"$log" 2>&1 </dev/null; then
        verdict=FAILS
    fi
    figure=$(sed -n 's/^.*figure: //p' "$log" | paste -sd'|' | sed 's/|/; /g')
    if [ $verdict = holds ]; then
        printf '%s' "$figure" >"$out/$name.figure"
    fi
    printf '%-12s %-5s %5ds  %s\n%26s%s\n' "$name" $verdict $(($(date +%s) - start)) "$promise" '' "$figure"
    if [ $verdict = FAILS ]; then
        echo "--- the end of $log"
        tail -40 "$log"
        echo "---"
        return 1
    fi
}

case "${1:-}" in
--readme) readme && exit ;;
--list) proofs | cut -d'|' -f1 | trim && exit ;;
esac

failed=0 held=0
for name in ${*:-$(proofs | cut -d'|' -f1)}; do
    row=$(proofs | grep -E "^$name[[:space:]]*\|") || { echo "there is no proof '$name'; there are: $(proofs | cut -d'|' -f1 | tr -s ' \n' ' ')" >&2; exit 2; }
    if prove "$row"; then held=$((held + 1)); else failed=$((failed + 1)); fi
done
echo "$held hold, $failed fail"
[ $failed -eq 0 ]
