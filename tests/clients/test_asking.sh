#!/bin/sh
# Runs asking.mjs on the locked Node.
cd "$(dirname "$0")" || exit 1
exec ./run.sh asking.mjs
