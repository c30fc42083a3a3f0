#!/usr/bin/env bash
# test_readme.sh: what the README says about settings and targets is what the program and the Makefile say.
# With --update it writes the settings table into the README.
set -u
cd "$(dirname "$0")/../.."
tandem=${TANDEM:-build/tandem}
begin='<!-- settings: begin -->' end='<!-- settings: end -->'

if [ "${1:-}" = --update ]; then
    "$tandem" settings --markdown >build/settings.md || exit 1
    sed -i -e "/$begin/,/$end/{/$begin/{p;r build/settings.md
        };/$end/p;d}" README.md
    exit
fi

failed=0
check() { # check NAME STATUS
    if [ "$2" -eq 0 ]; then echo "ok $1"; else echo "not ok $1"; failed=1; fi
}

diff <(sed -n "/$begin/,/$end/p" README.md | grep '^|') <("$tandem" settings --markdown) >&2
check "the settings table is the program's own (tests/cli/test_readme.sh --update writes it)" $?

missing=0
for target in $(grep -oE 'make [a-z][a-z-]*' README.md | awk '{ print $2 }' | sort -u); do
    grep -qE "^$target:" Makefile || tests/prove/prove.sh --list | grep -qx -- "${target#prove-}" || { echo "make $target is not in the Makefile" >&2; missing=1; }
done
check "every make target it names exists" $missing

# Commands are named in code, "tandem NAME", at the start of a line or after a backtick.
missing=0
for command in $(grep -oE '(^|`)(build/)?tandem [a-z]+' README.md | awk '{ print $NF }' | sort -u); do
    "$tandem" --help | grep -qE "^  $command " || { echo "tandem $command is not a command" >&2; missing=1; }
done
check "every command it names exists" $missing

work=$(mktemp -d)
sed -n '/^```yaml$/,/^```$/p' README.md | grep -v '^```' >"$work/gate-definition.yaml"
"$tandem" check "$work/gate-definition.yaml" >&2
check "the gate it shows is a good one" $?
rm -rf "$work"
exit $failed
