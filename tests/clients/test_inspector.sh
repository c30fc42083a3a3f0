#!/bin/sh
# The official Inspector, from its command line.
exec "$(dirname "$0")/run.sh" inspector.mjs
