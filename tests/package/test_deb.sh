#!/usr/bin/env bash
# test_deb.sh: the Debian package is built from its source package, is clean, whole, and is all that an editor needs.
# What is in build/release is taken along; with --clean everything is compiled anew, as by "make deb", and both ways must
# give the same package.
set -u
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset "${!TANDEM_@}"
. tests/checks.sh

if [ "${1:-}" = --clean ]; then
    deploy/deb.sh >"$work/log" 2>&1 || { tail -40 "$work/log" >&2; exit 1; }
    cp build/deb/tandem_*.deb "$work/"
fi
deploy/deb.sh --built >"$work/log" 2>&1
status=$?
[ $status -eq 0 ] || tail -40 "$work/log" >&2
check "dpkg-buildpackage makes the package" $status
[ $status -eq 0 ] || exit 1
version=$(deploy/version.sh)
architecture=$(dpkg --print-architecture)
package=$PWD/build/deb/tandem_${version}_$architecture.deb

if [ "${1:-}" = --clean ]; then
    cmp "$work/${package##*/}" "$package" >&2
    check "compiled anew it is the same, byte for byte" $?
fi

lintian --allow-root --fail-on error,warning "${package%.deb}.changes" >&2
check "lintian finds no error and no warning" $?

# What is in it: what "make install" installs, where Debian wants it, and its papers.
make --no-print-directory -s install DESTDIR="$work/made" PREFIX=/usr >/dev/null
(cd "$work/made" && find . -type f | sed 's,^\.,,' | sed -E 's,^/usr(/lib/systemd),\1,; s,/zsh/site-functions/,/zsh/vendor-completions/,; s,(/man/.*),\1.gz,') >"$work/wanted"
printf '/usr/share/doc/tandem/%s\n' changelog copyright >>"$work/wanted"
dpkg-deb -x "$package" "$work/root"
# Documents are compressed where they are long.
(cd "$work/root" && find . -type f | sed 's,^\.,,; s,\(/doc/.*\)\.gz$,\1,') | sort >"$work/is"
sort "$work/wanted" | diff - "$work/is" >&2
check "it holds what is to be installed, and its papers" $?
[ -z "$(dpkg-deb -c "$package" | awk '$2 != "root/root"')" ]
check "all of it belongs to root" $?

# The same code as in every other build.
code() {
    objcopy -O binary --only-section=.text "$1" "$work/code"
    sha256sum <"$work/code"
}
[ "$(code build/release/tandem)" = "$(code "$work/root/usr/bin/tandem")" ]
check "its program is the one that was tested" $?

depends=$(dpkg-deb -f "$package" Depends)
bad=0
while read -r file; do # Of each library that is linked with it the package is depended on.
    case ", $depends" in *", $file "* | *", $file,"* | *", $file") ;; *) echo "$file is not in Depends: $depends" >&2; bad=1 ;; esac
done < <(deploy/libraries.sh --linked build/release/tandem | cut -f1 | sort -u; printf '%s\n' libssl3 libsqlite3-0 libwebsockets17 libwebsockets-evlib-uv)
[[ $(dpkg-deb -f "$package" Recommends) == libcurl* ]] || bad=1
check "it depends on what it is linked with and on what it loads" $bad

[ "$(dpkg-deb -f "$package" Version)" = "$version" ] && [ "$("$work/root/usr/bin/tandem" version)" = "tandem $version" ]
check "it is of the version of state/version.h" $?

# An editor that has it: from the package to a doctor without a finding.
cat >"$work/use" <<'END'
set -e
mkdir -p "$HOME/project/.tandem"
cd "$HOME/project"
tandem setup vscode --write >/dev/null
tandem doctor
tandem doctor | grep -qx "no finding"
tandem demo | tail -2
END
mkdir "$work/home"
env -i HOME="$work/home" PATH="$work/root/usr/bin:/usr/bin:/bin" sh "$work/use" >"$work/log" 2>&1
status=$?
[ $status -eq 0 ] || cat "$work/log" >&2
check "unpacked: setup, then a doctor without a finding, and the demo" $status

# As root, really: on a copy of this machine that is gone afterwards.
cat >"$work/install" <<'END'
set -e
mount -t tmpfs none "$1/copy"
mkdir "$1/copy/new" "$1/copy/work" "$1/copy/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/copy/new,workdir=$1/copy/work" "$1/copy/root"
cd "$1/copy/root"
mount -t proc proc proc
mount --rbind /dev dev
mkdir -p root/try
cp "$2" root/try/tandem.deb
cp "$1/use" root/try/use
exec chroot . sh -exc '
    cd /root/try
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o APT::Sandbox::User=root ./tandem.deb >log 2>&1 || { cat log; exit 1; }
    dpkg-query -W -f "\${db:Status-Status}\n" tandem | grep -qx installed
    man -w tandem tandem.json tandem-pack >/dev/null
    bash -c ". /usr/share/bash-completion/bash_completion; _completion_loader tandem; complete -p tandem" >/dev/null
    HOME=/root/try sh use
    apt-get purge -y -qq tandem >log 2>&1 || { cat log; exit 1; }
    left=$(find /usr /lib/systemd /etc -xdev -name "*tandem*" -newer tandem.deb ! -path "*/index.db*")
    [ -z "$left" ] || { echo "left: $left"; exit 1; }'
END
mkdir "$work/copy"
if [ "$(id -u)" -eq 0 ] && unshare -m sh -c "mount -t tmpfs none '$work/copy' && mkdir '$work/copy/a' '$work/copy/b' '$work/copy/c' &&
    mount -t overlay overlay -o 'lowerdir=/,upperdir=$work/copy/a,workdir=$work/copy/b' '$work/copy/c'" 2>/dev/null; then
    unshare -m sh "$work/install" "$work" "$package" >"$work/log" 2>&1
    status=$?
    [ $status -eq 0 ] || cat "$work/log" >&2
    check "apt install, setup, a doctor without a finding, and nothing left after a purge" $status
else
    echo "apt install is tried by root only, where a copy of the machine can be made of overlays" >&2
fi
echo "figure: a package of $(($(stat -c %s "$package") / 1024)) KiB with $(wc -l <"$work/is") files; setup and doctor after one apt install: no finding"
exit $failed
