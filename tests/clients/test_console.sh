#!/bin/sh
# The console in Debian's Chromium: console.mjs on the locked Node.
cd "$(dirname "$0")" || exit 1
exec ./run.sh console.mjs
