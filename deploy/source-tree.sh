#!/bin/sh
# source-tree.sh FOLDER: copies the sources there, as they are in a fresh clone: nothing that was built, fetched or left by
# a server.
set -eu
cd "$(dirname "$0")/.."
mkdir -p "$1"
tar -c --exclude=./build --exclude=node_modules --exclude=./.git --exclude=./.tandem --exclude='*.o' --exclude='*.gc[dn][oa]' \
    --exclude=./deploy/example/.tandem/state --exclude=./deploy/example/.tandem/token \
    --exclude='./deploy/example/.tandem/server.*' . | tar -x -C "$1"
