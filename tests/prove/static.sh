#!/usr/bin/env bash
# static.sh [FILE...]: clang-tidy, as .clang-tidy says, on all code or the files named; fails on any finding. Minutes.
set -u
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- state/base/*.c state/*.c handlers/*.c transports/*.c server/edit/*.c server/*.c
read -ra flags <<<"$(pkg-config --cflags jansson libuv libwebsockets yaml-0.1 libcrypto sqlite3)"
found=$(printf '%s\n' "$@" | xargs -P2 -n4 bash -c 'clang-tidy --quiet "${@:2}" -- -std=c11 -D_GNU_SOURCE -I. \
    -DCRYPTO_SONAME=\"\" -DWS_SONAME=\"\" $1 2>/dev/null' tidy "${flags[*]}" | grep -E '(warning|error): ')
if [ -n "$found" ]; then
    echo "$found"
    exit 1
fi
echo "figure: $# files, 0 findings"
