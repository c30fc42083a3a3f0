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

# What leaves no mark on code is in the line that the compiler was called with, kept by it for debuggers.  Each is asked
# of the compiler by the same question as in the Makefile: it may not know one, nor the processor.
cc=${CC:-gcc}
takes() { "$cc" -Werror "$1" -x c -c -o /dev/null /dev/null 2>/dev/null; }
lines=$(readelf -p .debug_str -p .debug_line_str $binary 2>/dev/null | grep 'GNU C')
all_have() { [ -n "$lines" ] && ! grep -qv -e "$1" <<<"$lines"; }
if "$cc" --version | grep -q 'Free Software'; then # clang keeps no such line.
    for flag in -fno-delete-null-pointer-checks -fno-strict-overflow -fstack-clash-protection -ftrivial-auto-var-init=zero; do
        ! takes $flag || check "is_built_with$flag" all_have " $flag "
    done
fi
# Where calls and jumps may lead to: each of our objects says that it knows, and main begins as it should.  (The
# binary's own note needs the C library's start files to say so too, and Debian's do not.)
if takes -fcf-protection=full && has "$headers" 'X86-64'; then
    objects=$(ar t build/release/libtandem.a | wc -l)
    marked=$(readelf -n build/release/libtandem.a 2>/dev/null | grep -c 'x86 feature: IBT, SHSTK')
    check marks_where_calls_lead  [ "$objects" -gt 0 -a "$objects" = "$marked" ]
    check begins_at_a_mark        has "$(objdump -d --disassemble=main $binary)" '^ .*endbr64'
fi

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
