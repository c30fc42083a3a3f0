#!/usr/bin/env bash
# rootfs.sh DEST [BINARY]: makes the root file system of the image in DEST, a folder that is not there yet.
#
# It has the binary without its symbols, the libraries that it needs (deploy/libraries.sh), the loader, the certificates of
# the authorities, one user, the packages' own statements of licence and version, where scanners look for them, and the
# folders that are mounted over. No shell, no package manager. The same packages give the same bytes (SOURCE_DATE_EPOCH
# dates the files). Needs what building needs, and ca-certificates.
set -eu
export LC_ALL=C
umask 022
dest=$(realpath -m "${1:?usage: rootfs.sh DEST [BINARY]}")
binary=$(realpath "${2:-$(dirname "$0")/../../build/release/tandem}")
cd "$(dirname "$0")/../.."
[ ! -e "$dest" ] || { echo "rootfs.sh: $dest is there already" >&2; exit 1; }
certificates=/etc/ssl/certs/ca-certificates.crt
[ -s $certificates ] || { echo "rootfs.sh: there are no certificates; install the package ca-certificates" >&2; exit 1; }

mkdir -p "$dest"/usr/bin "$dest"/usr/share/common-licenses "$dest"/etc/ssl/certs "$dest"/var/lib/dpkg/status.d \
    "$dest"/data "$dest"/dev "$dest"/proc "$dest"/sys "$dest"/tmp "$dest"/run/secrets "$dest"/usr/lib "$dest"/usr/lib64
# As Debian has it: libwebsockets looks for its plug-in below /usr/lib.
ln -s usr/lib "$dest/lib"
ln -s usr/lib64 "$dest/lib64"
strip -s -o "$dest/usr/bin/tandem" "$binary"
# For "tandem demo"; without what a server on it has left there.
(cd deploy && find example -type f ! -name token ! -name 'server.*' ! -path '*/state/*' -exec install -D -m 0644 {} "$dest/usr/share/tandem/"{} \;)

# The libraries, by name: what the binary names, linked or loaded late, and what these need in turn.
declare -A file package taken
while IFS=$'\t' read -r owner path; do
    file[${path##*/}]=$path package[${path##*/}]=$owner
done <<<"$(deploy/libraries.sh "$binary")"
take() { # NAME
    local path=${file[$1]:?"$1 is needed, and not known"} target
    target=$dest$path
    [ -z "${taken[$1]:-}" ] || return 0
    taken[$1]=yes
    mkdir -p "${target%/*}"
    case $1 in
    librtmp.* | libldap-* | liblber-*)
        deploy/container/stand_in.sh "$path" "${file[libcurl.so.4]}" "$target"
        chmod 644 "$target"
        return
        ;;
    ld-*) install -m 0755 "$path" "$target" ;;
    *) install -m 0644 "$path" "$target" ;;
    esac
    echo "${package[$1]}" >>"$dest/packages"
    local needed
    for needed in $(readelf -dW "$path" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
        take "$needed"
    done
}
for name in "${!file[@]}"; do
    ! grep -qaF "$name" "$binary" || take "$name"
done
take libwebsockets-evlib_uv.so

# Whom they are from: as packages, with their licences.
sort -u -o "$dest/packages" "$dest/packages"
echo ca-certificates >>"$dest/packages"
while read -r name; do
    install -D -m 0644 "/usr/share/doc/$name/copyright" "$dest/usr/share/doc/$name/copyright"
    dpkg-query -s "$name" | sed '/^Conffiles:/,/^[A-Z]/{/^Conffiles:/d;/^ /d}' >"$dest/var/lib/dpkg/status.d/$name"
done <"$dest/packages"
rm "$dest/packages"
for licence in $(cat "$dest"/usr/share/doc/*/copyright | grep -ohE '/usr/share/common-licenses/[A-Za-z]+(-[0-9.]*[0-9])?' | sort -u); do
    [ ! -e "$licence" ] || cp -P "$licence" "$dest/usr/share/common-licenses/"
    [ ! -L "$licence" ] || cp "$(realpath "$licence")" "$dest/usr/share/common-licenses/"
done

cp -L $certificates "$dest$certificates"
cp -L /etc/os-release "$dest/etc/os-release"
echo 'tandem:x:65532:65532:tandem:/data:/usr/sbin/nologin' >"$dest/etc/passwd"
echo 'tandem:x:65532:' >"$dest/etc/group"
echo 'hosts: files dns' >"$dest/etc/nsswitch.conf"
: >"$dest/etc/hosts"
: >"$dest/etc/resolv.conf"
: >"$dest/etc/hostname"

chmod 1777 "$dest/tmp"
chmod 750 "$dest/data"
[ "$(id -u)" -ne 0 ] || chown 65532:65532 "$dest/data" # Else the image's own line does it.
find "$dest" -exec touch -h -d "@${SOURCE_DATE_EPOCH:-0}" {} +
