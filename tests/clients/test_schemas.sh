#!/bin/sh
# Every message that the server sends during the transcripts is valid by the official schema of its revision.
cd "$(dirname "$0")/../.." || exit 1
log=$(mktemp) && trap 'rm -f "$log"' EXIT
if ! TRAFFIC_LOG=$log TANDEM=${TANDEM:-build/tandem} build/release/tests/transcripts/run_transcripts >"$log.out" 2>&1; then
    grep -v '^ok ' "$log.out"
    echo "not ok schemas: the transcripts"
    rm -f "$log.out"
    exit 1
fi
rm -f "$log.out"
tests/clients/run.sh schemas.mjs "$log"
