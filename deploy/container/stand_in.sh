#!/usr/bin/env bash
# stand_in.sh LIBRARY USER OUT: makes a library OUT that the loader takes for LIBRARY, with the functions that USER calls,
# each of which ends the process.
#
# Debian's libcurl is linked with librtmp and libldap, which bring GnuTLS and seven libraries more: 5 MiB for protocols that
# tandem never speaks, as it lets libcurl speak http and https only (state/fetch.c). So nobody calls these functions.
set -eu
export LC_ALL=C
library=$1 user=$2 out=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# NAME or NAME@@VERSION, of those that the library defines and the user wants.
symbols() { nm -D --with-symbol-versions "$@" | awk '{ print $NF }' | sed 's/@@*/ /' | sort -u; }
join <(symbols --defined-only "$library") <(symbols --undefined-only "$user" | cut -d' ' -f1) >"$work/symbols"
[ -s "$work/symbols" ] || { echo "stand_in.sh: $user calls nothing of $library" >&2; exit 1; }
[ -z "$(nm -D --defined-only "$library" | awk '$2 ~ /[BDRV]/ { print $3 }' | sed 's/@.*//' | sort -u |
    join - <(symbols --undefined-only "$user" | cut -d' ' -f1))" ] || { echo "stand_in.sh: $user reads data of $library" >&2; exit 1; }

awk '{ printf "_Noreturn void %s(void);\n_Noreturn void\n%s(void)\n{\n    abort();\n}\n", $1, $1 }
     BEGIN { print "#include <stdlib.h>" }' "$work/symbols" >"$work/stand_in.c"
awk '{ version[$2] = version[$2] " " $1 ";" }
     END { for (v in version) if (v != "") print v " { global:" version[v] " };" }' "$work/symbols" >"$work/versions"
script=
[ ! -s "$work/versions" ] || script=-Wl,--version-script=$work/versions
"${CC:-gcc}" -std=c11 -O2 -Wall -Wextra -Werror -fno-builtin -shared -fPIC -Wl,-z,relro,-z,now,-soname,"${library##*/}" $script -s \
    -ffile-prefix-map="$work"=. -o "$out" "$work/stand_in.c"
