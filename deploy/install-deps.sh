#!/usr/bin/env bash
# install-deps.sh [--test | --bench | --image]: installs the Debian packages that building needs and that are missing; with
# --test those for the tests, with --bench the servers that are compared, and with either the locked npm clients; with --image
# what the root file system of a container image is made of besides. Without root it prints the one line to run and fails.
set -eu
cd "$(dirname "$0")/.."

packages="gcc make pkg-config libjansson-dev libuv1-dev libwebsockets-dev libwebsockets-evlib-uv libyaml-dev libssl-dev
          libcmark-gfm-dev libcmark-gfm-extensions-dev uthash-dev libcurl4-openssl-dev
          libsqlite3-dev"
test_packages="valgrind clang clang-format clang-tidy cppcheck pmccabe libclang-rt-14-dev libcmocka-dev git chromium spin fonts-dejavu-core zip
               bash-completion debhelper dpkg-dev fish lintian man-db mandoc systemd zsh
               ca-certificates runc yamllint"
bench_packages="libcmocka-dev nginx-light"
image_packages="ca-certificates"

wanted=$packages
case ${1:-} in
--test) wanted="$wanted $test_packages" ;;
--bench) wanted="$wanted $bench_packages" ;;
--image) wanted="$wanted $image_packages" && shift ;;
esac
if [ $# -gt 0 ]; then
    command -v npm >/dev/null || wanted="$wanted nodejs npm"
fi

missing=
for package in $wanted; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" -ne 0 ]; then
        echo "Packages are missing. Run this, then try again:" >&2
        echo "    sudo apt-get install$missing" >&2
        exit 1
    fi
    echo "installing:$missing" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
    # Its package starts nginx; the bench starts one of its own.
    case $missing in
    *nginx*) [ ! -d /run/systemd/system ] || systemctl disable --quiet --now nginx ;;
    esac
fi

if [ $# -gt 0 ] && [ -f tests/clients/package-lock.json ]; then
    stamp=tests/clients/node_modules/.installed
    if ! cmp -s tests/clients/package-lock.json "$stamp"; then
        echo "installing the locked npm clients" >&2
        (cd tests/clients && npm ci --no-audit --no-fund --loglevel=error >/dev/null)
        cp tests/clients/package-lock.json "$stamp"
    fi
fi
