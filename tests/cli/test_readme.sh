#!/usr/bin/env bash
# test_readme.sh: what the README and the pages beside it say is what the program and the Makefile say.
# With --update it writes the table of settings into deploy/settings.md.
set -u
cd "$(dirname "$0")/../.."
tandem=${TANDEM:-build/tandem}
begin='<!-- settings: begin -->' end='<!-- settings: end -->'
pages="README.md $(echo deploy/*.md deploy/*/*.md)"

if [ "${1:-}" = --update ]; then
    "$tandem" settings --markdown >build/settings.md || exit 1
    sed -i -e "/$begin/,/$end/{/$begin/{p;r build/settings.md
        };/$end/p;d}" deploy/settings.md
    exit
fi

. tests/checks.sh

diff <(sed -n "/$begin/,/$end/p" deploy/settings.md | grep '^|') <("$tandem" settings --markdown) >&2
check "the settings table is the program's own (tests/cli/test_readme.sh --update writes it)" $?

missing=0
for target in $(grep -ohE '`make [a-z][a-z-]*|^ *make [a-z][a-z-]*' $pages | awk '{ print $NF }' | sort -u); do
    grep -qE "^$target:" Makefile || tests/prove/prove.sh --list | grep -qx -- "${target#prove-}" || { echo "make $target is not in the Makefile" >&2; missing=1; }
done
check "every make target they name exists" $missing

# Commands are named in code, "tandem NAME", at the start of a line or after a backtick.
missing=0
for command in $(grep -ohE '(^|`)(build/)?tandem [a-z]+' $pages | awk '{ print $NF }' | sort -u); do
    "$tandem" --help | grep -qE "^  $command " || { echo "tandem $command is not a command" >&2; missing=1; }
done
check "every command they name exists" $missing

# Links in Markdown that lead to no other host: from the page's own folder.
missing=0
while IFS=: read -r page target; do
    [ -e "$(dirname "$page")/${target%%#*}" ] || { echo "$page: $target is not there" >&2; missing=1; }
done < <(grep -oHE '\]\([A-Za-z0-9./_-]+(#[a-z-]*)?\)' $pages | sed 's/\](\(.*\))/\1/')
check "every file they link to is there" $missing

work=$(mktemp -d)
sed -n '/^```yaml$/,/^```$/p' README.md | grep -v '^```' >"$work/gate-definition.yaml"
"$tandem" check "$work/gate-definition.yaml" >&2
check "the gate it shows is a good one" $?
rm -rf "$work"
exit $failed
