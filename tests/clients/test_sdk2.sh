#!/bin/sh
# Runs sdk2.mjs on the locked Node.
cd "$(dirname "$0")" || exit 1
exec ./run.sh sdk2.mjs
