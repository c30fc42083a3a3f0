#!/usr/bin/env bash
# tarball.sh: makes build/tandem-VERSION-linux-MACHINE.tar.gz, which runs where it is unpacked. The same input gives the same
# bytes.
set -eu
export LC_ALL=C TZ=UTC
cd "$(dirname "$0")/.."
name=tandem-$(deploy/version.sh)-linux-$(uname -m)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y state/version.h)}
stage=build/tarball

rm -rf $stage
make --no-print-directory -s install DESTDIR="$PWD/$stage/$name" PREFIX= >/dev/null
doc=$stage/$name/share/doc/tandem
deploy/portable.sh "$stage/$name/bin/tandem" "$stage/$name/lib/tandem" "$doc/licences"
tar -C $stage -c --format=gnu --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
    --mtime="@$SOURCE_DATE_EPOCH" "$name" | gzip -n -9 >"build/$name.tar.gz"
rm -rf $stage
ls "build/$name.tar.gz"
