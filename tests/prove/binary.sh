#!/usr/bin/env bash
# binary.sh: what the release binary is, read back out of it, and the tools that it offers.
# binary.sh --twice: also builds it in two folders of different names and compares.
# binary.sh --update: takes the tools as they are now. A client shows them to a model that trusts them: what they say
# changes on purpose or not at all.
set -u
cd "$(dirname "$0")/../.." || exit 1
binary=build/release/tandem
bad=0
check() { # NAME COMMAND...
    if "${@:2}" >/dev/null 2>&1; then echo "ok binary_$1"; else echo "not ok binary_$1"; bad=1; fi
}
none() { ! "$@"; }

headers=$(readelf -hWl $binary) dynamic=$(readelf -Wd $binary)
symbols=$(readelf -W --dyn-syms $binary)
has() { grep -qE "$2" <<<"$1"; }
check is_position_independent has "$headers" 'Type: +DYN'
check is_bound_at_start       has "$dynamic" 'FLAGS.*BIND_NOW|FLAGS_1.*NOW'
check has_no_text_relocations none has "$dynamic" 'TEXTREL'
check has_no_run_path         none has "$dynamic" 'R(UN)?PATH'
check is_relro                has "$headers" 'GNU_RELRO'
check has_no_stack_to_execute has "$headers" 'GNU_STACK.* RW +0x'
check writes_or_executes      none has "$headers" 'LOAD.* RWE '
check keeps_code_apart        has "$headers" 'LOAD +0x0+ .* R +0x'
check guards_its_stack        has "$symbols" '__stack_chk_fail'
check checks_its_copies       has "$symbols" '__(memcpy|snprintf|vsnprintf)_chk'

project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
mkdir "$project/.tandem"
TANDEM_GROUPS=full,conformance $binary tools --json --root "$project" | sha256sum | cut -d' ' -f1 >"$project/tools"
if [ "${1:-}" = --update ]; then
    cp "$project/tools" tests/prove/tools.sha256
fi
check offers_the_tools_that_were_agreed cmp "$project/tools" tests/prove/tools.sha256

if [ "${1:-}" = --twice ]; then
    for folder in one elsewhere; do
        mkdir -p "$project/$folder"
        tar -c --exclude=./build --exclude=node_modules --exclude=./.git . | tar -x -C "$project/$folder"
        make -C "$project/$folder" -j2 build/release/tandem >"$project/log" 2>&1 || { tail "$project/log"; bad=1; }
    done
    check is_the_same_from_any_folder cmp "$project/one/build/release/tandem" "$project/elsewhere/build/release/tandem"
    sha256sum <"$project/one/build/release/tandem" | sed 's/^\(.\{16\}\).*/figure: two builds, SHA-256 \1.../'
fi
exit $bad
