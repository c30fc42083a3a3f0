#!/usr/bin/env bash
# sbom.sh [BINARY FOLDER]: what a tandem is made of, as CycloneDX 1.6: the files that "make install" installs (else those in
# FOLDER, but for libraries), with their hashes; each Debian package that has a library of those it uses (libraries.sh), with
# version, licence and hashes; and the packages of headers that are compiled in. The same input gives the same bytes; a time
# is told only if SOURCE_DATE_EPOCH says which.
set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C
binary=${1:-build/release/tandem}
version=$(deploy/version.sh)
distro=debian-$(sed -n 's/^VERSION_ID="\(.*\)"/\1/p' /etc/os-release)
headers="uthash-dev" # Nothing of it is to be seen in the binary.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The libraries, one a line: SONAME PATH USE PACKAGE. USE is "linked", "late", "plugin" (of libwebsockets) or "needed" by these.
linked=" $(readelf -dW "$binary" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | tr '\n' ' ')"
deploy/libraries.sh "$binary" | while read -r package path; do
    name=${path##*/} use=needed
    case $name in *evlib*) use=plugin ;; esac
    ! grep -qaF "$name" "$binary" || use=late # Its name is in the file, as the loader's work or as text.
    case $linked in *" $name "*) use=linked ;; esac
    echo "$name $path $use $package"
done >"$work/libraries"

digest() { # digest FILE: its hashes, as a member.
    printf '"hashes": [{"alg": "SHA-256", "content": "%s"}]' "$(sha256sum <"$1" | cut -d' ' -f1)"
}
# What Debian's copyright file declares for a package's files in general, by SPDX's name where it has that licence.
licence() {
    local file=/usr/share/doc/$1/copyright name=
    name=$(awk '/^Files: *\*/ { at = 1 } at && /^License:/ { sub(/^License: */, ""); print; exit }' "$file" 2>/dev/null)
    case $name in
    Expat) name=MIT ;;
    BSD-[23]-clause) name=${name%clause}Clause ;;
    esac
    case $name in
    MIT | Apache-2.0 | Zlib | BSD-[123]-Clause) printf '{"license": {"id": "%s", "acknowledgement": "declared"}}' "$name" ;;
    *) printf '{"license": {"name": "%s", "acknowledgement": "declared"}}' "${name:-see $file}" ;;
    esac
}
# As a part of a package URL.
escaped() {
    sed 's/%/%25/g; s/+/%2B/g; s/:/%3A/g; s/~/%7E/g' <<<"$1"
}
separated() { # Puts a comma behind each line but the last.
    sed '$!s/$/,/'
}

folder=${2:-$work/root/usr}
[ $# -gt 1 ] || make --no-print-directory -s install DESTDIR="$work/root" PREFIX=/usr >/dev/null
own_files() {
    (cd "$folder" && find . -type f ! -path './server/lib/*' -o -name libtandem-ws.so | sed 's,^\./,,' | sort) | while read -r file; do
        printf '    {"type": "file", "bom-ref": "file:%s", "name": "%s", %s}\n' "$file" "$file" "$(digest "$folder/$file")"
    done
}
package_component() { # PACKAGE VERSION ARCHITECTURE
    local name path how owner hows='' files=''
    while read -r name path how owner; do
        [ "$owner" = "$1" ] || continue
        hows="$hows$how "
        files="$files${files:+, }{\"type\": \"file\", \"bom-ref\": \"library:$name\", \"name\": \"$name\", $(digest "$path")}"
    done <"$work/libraries"
    case " $hows" in
    *' linked '*) how=linked ;; *' late '*) how=late ;; *' plugin '*) how=plugin ;; *' needed '*) how=needed ;; *) how=header ;;
    esac
    printf '    {"type": "library", "bom-ref": "deb:%s", "name": "%s", "version": "%s", "purl": "%s", "licenses": [%s], ' \
        "$1" "$1" "$2" "pkg:deb/debian/$(escaped "$1")@$(escaped "$2")?arch=$3&distro=$distro" "$(licence "$1")"
    printf '"supplier": {"name": "Debian"}, "properties": [{"name": "tandem:use", "value": "%s"}]' "$how"
    printf '%s}\n' "${files:+, \"components\": [$files]}"
}
packages=$( (cut -d' ' -f4 "$work/libraries" && printf '%s\n' $headers) | sort -u)
# shellcheck disable=SC2016,SC2086
dpkg-query -W -f '${Package} ${Version} ${Architecture}\n' $packages | sort -u -k1,1 >"$work/packages"
package_components() {
    while read -r package version architecture; do
        package_component "$package" "$version" "$architecture"
    done <"$work/packages"
}
# depends REF FILE PACKAGE...: on the packages of the libraries that FILE (if any) needs, and on those given.
depends() {
    local names
    names=$( ( { [ -z "$2" ] || readelf -dW "$2"; } | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | while read -r name; do
        awk -v name="$name" '$1 == name { print $4 }' "$work/libraries"
    done && printf '%s\n' "${@:3}") | sort -u | sed "/^$/d; /^${1#deb:}\$/d; s/.*/\"deb:&\"/" | paste -sd,)
    echo "    {\"ref\": \"$1\", \"dependsOn\": [$names]}"
}
dependencies() {
    local package path plugin
    # shellcheck disable=SC2046,SC2086
    depends tandem "$binary" $(awk '$3 == "late" { print $4 }' "$work/libraries") $headers
    for package in $packages; do
        path=$(awk -v package="$package" '$4 == package { print $2; exit }' "$work/libraries")
        plugin=
        [ "${package#libwebsockets[0-9]}" = "$package" ] || plugin=$(awk '$3 == "plugin" { print $4 }' "$work/libraries")
        # shellcheck disable=SC2086
        depends "deb:$package" "$path" $plugin
    done
}

stamp=
[ -z "${SOURCE_DATE_EPOCH-}" ] || stamp="
    \"timestamp\": \"$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)\","
cat <<END
{
  "\$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
  "bomFormat": "CycloneDX",
  "specVersion": "1.6",
  "version": 1,
  "metadata": {$stamp
    "component": {"type": "application", "bom-ref": "tandem", "name": "tandem", "version": "$version"}
  },
  "components": [
$( (own_files && package_components) | separated)
  ],
  "dependencies": [
$(dependencies | separated)
  ]
}
END
