#!/usr/bin/env bash
# models.sh: has spin walk through all states of the models beside it: no deadlock, no end that is none, no assertion
# that fails. Then each once more with a mistake in it, which must be found: the models can tell.
set -u
cd "$(dirname "$0")/../.."
models=$PWD/tests/prove out=$PWD/build/prove/models
failed=0 states=0
rm -rf "$out" && mkdir -p "$out" && cd "$out" || exit 1

# walk NAME [-D...]: leaves what was found in NAME.out; fails if it could not be walked through.
walk() {
    local name=$1
    shift
    spin -a "$@" "$models/${name%%-*}.pml" >"$name.out" 2>&1 &&
        ${CC:-cc} -O2 -w -DSAFETY -DCOLLAPSE -o "$name" pan.c >>"$name.out" 2>&1 &&
        timeout 300 "./$name" -m1000000 -w22 >>"$name.out" 2>&1 && grep -q '^State-vector' "$name.out"
}

for model in shutdown relay; do
    if walk $model && grep -q 'errors: 0' $model.out && ! grep -q 'max search depth too small' $model.out; then
        n=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' $model.out)
        echo "# $model: $n states"
        echo "ok ${model}_holds_in_every_state"
        states="$states + $n"
    else
        cat $model.out
        echo "not ok ${model}_holds_in_every_state"
        failed=1
    fi
    for mistake in $(grep -oE 'PLANTED_[A-Z_]+' "$models/$model.pml" | sort -u); do
        if walk "$model-$mistake" "-D$mistake" && ! grep -q 'errors: 0' "$model-$mistake.out"; then
            echo "ok ${model}_$mistake"
        else
            cat "$model-$mistake.out"
            echo "not ok ${model}_$mistake"
            failed=1
        fi
    done
done
[ $failed -ne 0 ] || echo "figure: $(awk "BEGIN { printf \"%d\", $states }") states of shutdown and relay, each visited: no deadlock, 0 violations"
exit $failed
