#!/bin/sh
# Runs tasks1.mjs on the locked Node.
cd "$(dirname "$0")" || exit 1
exec ./run.sh tasks1.mjs
