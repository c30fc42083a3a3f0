#!/usr/bin/env bash
# Which release this is stands in state/version.h, and nowhere else: all that tells it reads it there. Two files cannot, and
# are compared: the news, whose newest heading it is, and the manifests of Kubernetes, which are taken as they are.
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0
version=$(deploy/version.sh)
result() { # result NAME OFFENDING-LINES
    [ -z "$2" ] && echo "ok $1" && return
    printf '%s\nnot ok %s\n' "$2" "$1"
    bad=1
}

result version_is_one "$([[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || echo "state/version.h says \"$version\"")"
result version_heads_the_news "$(grep -m1 '^## ' deploy/NEWS.md | grep -vE "^## ${version//./\\.}( |\$)")"
result version_is_the_tag_of_the_image "$(grep -H 'newTag:' deploy/kubernetes/kustomization.yaml | grep -vF "\"$version\"")"
# Fixtures, and what other projects are locked to, have versions of their own.
result version_is_said_once "$(grep -rnE --exclude-dir={build,node_modules,.git,fixtures,corpus} --exclude=package-lock.json \
    "(^|[^0-9.])${version//./\\.}([^0-9.]|\$)" . | grep -vE '^\./(state/version\.h|deploy/NEWS\.md|deploy/kubernetes/kustomization\.yaml):')"
# What says a version of tandem, asks for it.
result version_is_read "$(grep -rnE 'tandem[-_ ]v?[0-9]+\.[0-9]+\.[0-9]+' deploy Makefile README.md server .ci 2>/dev/null)"
exit $bad
