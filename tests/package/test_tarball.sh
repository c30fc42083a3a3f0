#!/usr/bin/env bash
# test_tarball.sh: the tarball is the same bytes each time, and all of it works where there is the C library and nothing else.
set -u
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset "${!TANDEM_@}"
. tests/checks.sh
name=tandem-$(deploy/version.sh)-linux-$(uname -m)
tarball=build/$name.tar.gz

make --no-print-directory -s all reference portable >&2 && (umask 077 && deploy/tarball.sh) >/dev/null && mv "$tarball" "$work/once" &&
    (umask 002 && TZ=Asia/Kolkata LC_ALL=C.UTF-8 deploy/tarball.sh) >/dev/null && cmp "$work/once" "$tarball" >&2
check "the tarball is the same bytes, whoever makes it" $?
tar -C "$work" -xzf "$tarball" || exit 1
top=$work/$name

[ -z "$(tar -tvzf "$tarball" | awk '$2 != "0/0" || $1 ~ /^.....w|^........w|s/ || $NF ~ /^\/|\.\./')" ]
check "nothing in it belongs to anybody, can be written by others, or lies outside of its folder" $?

# What it asks of the system: names of the C library, of 2.36 or older, and nothing else.
bad=0
for file in "$top/bin/tandem" "$top"/lib/tandem/*; do
    new=$(objdump -T "$file" | grep -oE 'GLIBC_[0-9.]+' | sort -uV | tail -1)
    printf '%s\nGLIBC_2.36\n' "${new:-GLIBC_2.2.5}" | sort -CV || { echo "$file wants $new" >&2; bad=1; }
    for soname in $(readelf -dW "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
        case $soname in
        libc.so.6 | libm.so.6 | libdl.so.2 | libpthread.so.0 | libresolv.so.2 | librt.so.1 | ld-linux*) ;;
        *) [ -e "$top/lib/tandem/$soname" ] || { echo "$file wants $soname" >&2; bad=1; } ;;
        esac
    done
done
[ "$(find "$top/lib/tandem" -type f | wc -l)" -ge 10 ] || bad=1
check "it asks for glibc 2.36 at most, and for no other library" $bad

bad=0
while IFS=$'\t' read -r package file; do
    [ "$package" = libc6 ] || { [ -s "$top/share/doc/tandem/licences/$package" ] && [ -e "$top/lib/tandem/${file##*/}" ]; } ||
        { echo "of $package something is missing" >&2; bad=1; }
done < <(deploy/libraries.sh build/release/tandem)
check "each library is there, with its licence" $bad

[ "$(objcopy -O binary --only-section=.text build/release/portable/tandem "$work/code" && sha256sum <"$work/code")" = \
    "$(objcopy -O binary --only-section=.text "$top/bin/tandem" "$work/code" && sha256sum <"$work/code")" ]
check "its program is the one that was built" $?

# A system that has the C library and nothing else. Whether it is one is tried, too: the tested program is not to run there.
mkdir -p "$work/system/opt"
dpkg -L libc6 | grep -E '/(ld-linux|lib(c|m|dl|pthread|resolv|rt|nss_[a-z]+))[^/]*\.so(\.[0-9]+)?$' | while read -r file; do
    install -D "$file" "$work/system$file"
done
ln -sfn usr/lib "$work/system/lib" 2>/dev/null || true
cp -r "$top" "$work/system/opt/tandem"
cp build/release/tandem "$work/system/opt/bare"
cat >"$work/enter" <<'END'
set -e
cd "$1"
mkdir -p proc dev tmp home
mount -t proc proc proc
mount --rbind /dev dev
shift
PATH=/opt/tandem/bin
exec /usr/sbin/chroot . "$@"
END
spaces=$([ "$(id -u)" -eq 0 ] && echo m || echo Urmpf)
enter() { # enter PROGRAM WORD...: there.
    env -i HOME=/home PATH=/usr/sbin:/usr/bin:/sbin:/bin unshare "-$spaces" /bin/sh "$work/enter" "$work/system" "$@"
}
if ! unshare "-$spaces" true 2>/dev/null; then
    echo "an empty system is entered by root only, or where users may have name spaces of their own" >&2
    exit $failed
fi
enter /opt/bare version 2>&1 | grep -q 'error while loading shared libraries'
check "the system has nothing that tandem is linked with" $?
enter /opt/tandem/bin/tandem demo >"$work/log" 2>&1
status=$?
[ $status -eq 0 ] || cat "$work/log" >&2
check "there it shows its main job, by HTTP and WebSocket, with search and digests" $status

# libcurl is there as well: what fails is the connection, not the loading.
mkdir -p "$work/system/home/p/.tandem"
enter /opt/tandem/bin/tandem call search_helpdesk query=x --root /home/p --groups helpdesk \
    --helpdesk-url https://127.0.0.1:1/index.json >"$work/log" 2>&1
grep -q "cannot be fetched: Couldn't connect" "$work/log"
status=$?
[ $status -eq 0 ] || cat "$work/log" >&2
check "there it asks other machines for documents" $status

# By https, with the authorities of that system, wherever it has them: here, as Fedora does.
cat >"$work/serve.mjs" <<'END'
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
const [folder] = process.argv.slice(2);
const server = createServer({ key: readFileSync(`${folder}/key`), cert: readFileSync(`${folder}/cert`) }, (request, response) =>
    response.end('{"format": "tandem-helpdesk", "version": 1, "count": 1}\n{"content": "A refund takes ten days.", "source": "r"}\n'));
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
END
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 \
    -keyout "$work/key" -out "$work/cert" 2>/dev/null
mkfifo "$work/port"
node "$work/serve.mjs" "$work" >"$work/port" &
server=$!
read -r port <"$work/port"
ask() {
    enter /opt/tandem/bin/tandem call search_helpdesk query=refund --root /home/p --groups helpdesk \
        --helpdesk-url "https://127.0.0.1:$port/index.jsonl" >"$work/log" 2>&1
}
! ask && install -D "$work/cert" "$work/system/etc/pki/tls/certs/ca-bundle.crt" && ask && grep -q "ten days" "$work/log"
status=$?
kill $server
[ $status -eq 0 ] || cat "$work/log" >&2
check "there it believes the authorities of that system, and nobody else" $status
exit $failed
