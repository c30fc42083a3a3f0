#!/usr/bin/env bash
# What deploy/container and deploy/kubernetes say: well formed, and nothing that holds a container is missing.
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0
if yamllint -s -d '{extends: default, rules: {line-length: {max: 140}, document-start: disable, comments-indentation: disable, octal-values: disable}}' \
    deploy/container deploy/kubernetes; then
    echo "ok container_yaml"
else
    echo "not ok container_yaml"
    bad=1
fi
tests/clients/run.sh container.mjs || bad=1
exit $bad
