#!/usr/bin/env bash
# libraries.sh [--linked] BINARY: the shared libraries that a tandem needs, the loader too, sorted: "PACKAGE<TAB>FILE" a line.
#
# Those it is linked with; and those that it loads when they are first needed (state/base/late.h; with --linked: without
# them), whose sonames stand in the binary, and with libwebsockets its plug-in for libuv, which nothing names but
# libwebsockets. With each what it needs itself. Image, tarball and bill of materials are made of this one list.
set -eu
export LC_ALL=C
linked=
if [ "${1:-}" = --linked ]; then
    linked=yes
    shift
fi
binary=$1

known() { # NAME: where the loader finds it; nothing if it does not.
    PATH=$PATH:/sbin ldconfig -p | awk -v name="$1" '$1 == name && /x86-64|AArch64/ { print $NF; exit }'
}

late() {
    # libcurl-gnutls is tried where there is no libcurl.
    for name in $(strings -n 8 "$binary" | grep -xE 'lib[a-z0-9-]+\.so\.[0-9]+' | sort -u | grep -v '^libcurl-gnutls'); do
        file=$(known "$name")
        [ -n "$file" ] || { echo "libraries.sh: there is no $name here" >&2; return 1; }
        echo "$file"
        case $name in
        libwebsockets.*) echo "$(dirname "$file")/libwebsockets-evlib_uv.so" ;;
        esac
    done
}

loaded=
[ -n "$linked" ] || loaded=$(late)
# shellcheck disable=SC2086
lines=$(ldd "$binary" $loaded)
case $lines in
*"not found"*)
    grep 'not found' <<<"$lines" >&2
    exit 1
    ;;
esac
files=$({
    [ -z "$loaded" ] || echo "$loaded"
    sed -nE 's/^\t(.* => )?(\/[^ ]+) \(0x.*/\2/p' <<<"$lines"
} | sed 's,^/usr/lib,/lib,' | sort -u)
# A package has a file below /lib or /usr/lib, wherever the link between them leads today.
# shellcheck disable=SC2086
{ dpkg-query -S $files ${files//\/lib\//\/usr\/lib\/} 2>/dev/null || true; } | awk -F ': ' -v files="$files" '
    { sub(/:.*/, "", $1); sub(/^\/usr/, "", $2); package[$2] = $1 }
    END {
        count = split(files, file, "\n")
        for (i = 1; i <= count; i++) {
            printf "%s\t%s\n", file[i] in package ? package[file[i]] : "-", file[i]
        }
    }'
