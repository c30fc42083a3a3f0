#!/bin/sh
# Runs sdk1.mjs on the locked Node.
cd "$(dirname "$0")" || exit 1
exec ./run.sh sdk1.mjs
