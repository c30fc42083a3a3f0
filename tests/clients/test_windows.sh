#!/bin/sh
# Runs windows.mjs on the locked Node.
cd "$(dirname "$0")" || exit 1
exec ./run.sh windows.mjs
