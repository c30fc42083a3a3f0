#!/usr/bin/env bash
# Who may include whom: server > transports > handlers > state > state/base, and server > server/edit > state/yaml, state/base;
# each library in the modules that are there for it, and a private header in the files of its own module.
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0

# result NAME OFFENDING-LINES
result() {
    if [ -n "$2" ]; then
        echo "$2"
        echo "not ok $1"
        bad=1
    else
        echo "ok $1"
    fi
}

# The includes of the .c and .h files right in a folder that match a pattern: "file:line:#include ...".
includes() {
    grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]+$2" "$1"/*.c "$1"/*.h 2>/dev/null
}

# Quoted includes of a folder that are not in the list of what it may have.
only() {
    result "layers_${1//\//_}" "$(includes "$1" '"' | grep -vE "include[[:space:]]+\"($2)\"")"
}

only state/base 'state/base/[a-z0-9_]+\.h'
only state      'state/(base/)?[a-z0-9_]+\.h'
only handlers   '(handlers|state|state/base)/[a-z0-9_]+\.h'
only transports 'transports/[a-z0-9_]+\.h|handlers/(dispatch|relay_client|request)\.h|state/base/[a-z0-9_]+\.h|state/(settings|config|metrics|relay|mcp_session|version|traffic|access|scope|bus_event|bus_pattern|bus_reader)\.h'
only server/edit '(server/edit|state/base)/[a-z0-9_]+\.h|state/yaml\.h'
only server     'server/(edit/)?[a-z0-9_]+\.h|transports/(transport|bridge|ws_client)\.h|handlers/(dispatch|tools)\.h|state/(base/)?[a-z0-9_]+\.h'

# Every include is written from the root of the tree.
result layers_from_the_root "$(for d in state/base state handlers transports server/edit server tests tests/unit; do
    includes $d '"[^/"]+"'; done)"

# library NAME HEADER-PATTERN FILES-THAT-MAY
library() {
    result "library_$1" "$(grep -rnE --include='*.[ch]' "^[[:space:]]*#[[:space:]]*include[[:space:]]+<$2" \
        state handlers transports server | grep -vE "^($3):")"
}

library libuv         'uv\.h>'             'transports/[a-z_]+\.[ch]|state/base/keeper\.c|state/watch[a-z_]*\.[ch]'
library libwebsockets 'libwebsockets'      'transports/ws_(channel|client|late)\.c'
library libyaml       'yaml\.h>'           'state/yaml[a-z_]*\.[ch]'
library cmark         'cmark'              'state/markdown[a-z_]*\.c'
library sqlite        'sqlite3'            'state/base/sql\.h'
library curl          'curl/'              '(state/(provider|fetch)|server/client)[a-z_]*\.c'
library hiredis       'hiredis'            'state/storage_redis[a-z_]*\.c'
library openssl       'openssl/'           '(state/(workflow_|crypto|digest|jwt|jwk)[a-z_]*|handlers/seal)\.c'
library jansson       'jansson\.h>'        '(state|handlers|server)/[a-z_/]+\.[ch]'

# x_private.h belongs to x.c and x_*.c; that of dispatch to all who stand behind that door.
result private_headers "$(grep -rnE --include='*.[ch]' '^#include "[a-z/_]+_private\.h"' state handlers transports server |
    awk -F'[:"]' '{ file = $1; header = $4; sub(/_private\.h$/, "", header)
                    base = file; sub(/\.[ch]$/, "", base)
                    if (base != header && index(base, header "_") != 1 &&
                        !(header == "handlers/dispatch" && base ~ /^handlers\//)) print }')"

# Every header can be included alone and twice.
result headers_are_whole "$(for h in state/base/*.h state/*.h handlers/*.h transports/*.h server/edit/*.h server/*.h; do
    printf '#include "%s"\n#include "%s"\n' "$h" "$h" |
        gcc -std=c11 -D_GNU_SOURCE -I. -Wall -Wextra -fsyntax-only -x c - 2>&1 | grep -m1 error |
        sed "s|^|$h: |"; done)"

exit $bad
