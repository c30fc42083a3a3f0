#!/usr/bin/env bash
# portable.sh PROGRAM LIB LICENCES: a tandem that asks nothing of a system but the C library of its age or newer. PROGRAM is
# the file of the program, LIB the folder of the libraries that it uses: beside it as ../lib/tandem or lib. LICENCES gets the
# texts of each library's package.
#
# The program finds them by its run path, which its libraries inherit.
set -eu
cd "$(dirname "$0")/.."
build=build/release

mkdir -p "$2" "$3"
install -m 0755 $build/portable/tandem "$1"
install -m 0644 $build/portable/libtandem-ws.so "$2/"
strip --strip-unneeded "$1" "$2/libtandem-ws.so"
deploy/libraries.sh $build/tandem | while read -r package file; do
    [ "$package" != libc6 ] || continue
    install -m 0644 "$file" "$2/${file##*/}"
    install -m 0644 "/usr/share/doc/$package/copyright" "$3/$package"
done
# Debian's texts name the long licences by where it has them.
grep -ohE '/usr/share/common-licenses/[A-Za-z0-9.-]*[A-Za-z0-9]' "$3"/* | sort -u | while read -r file; do
    [ ! -f "$file" ] || install -m 0644 "$file" "$3/${file##*/}"
done
