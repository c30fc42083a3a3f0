#!/bin/sh
# Runs operations.mjs on the locked Node.
cd "$(dirname "$0")" || exit 1
exec ./run.sh operations.mjs
