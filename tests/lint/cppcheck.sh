#!/usr/bin/env bash
# cppcheck finds nothing: no warning, nothing about speed or portability. What it is told of macros is in cppcheck.cfg.
set -u
cd "$(dirname "$0")/../.." || exit 1

cache=build/cppcheck # Of what has not changed it remembers the verdict.
[ tests/lint/cppcheck.cfg -nt $cache ] && rm -rf $cache
mkdir -p $cache
found=$(cppcheck -q -j2 --cppcheck-build-dir=$cache --enable=warning,performance,portability --std=c11 --language=c \
    --library=tests/lint/cppcheck.cfg --suppress=missingIncludeSystem --inline-suppr -D_GNU_SOURCE -I. \
    --template='{file}:{line}: {id}: {message}' state handlers transports server deploy 2>&1)
if [ -z "$found" ]; then
    echo "ok cppcheck"
else
    echo "$found"
    echo "not ok cppcheck"
    exit 1
fi
