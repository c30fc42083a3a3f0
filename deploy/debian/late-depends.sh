#!/bin/sh
# late-depends.sh BINARY: substitution variables with the packages of the libraries that it loads when they are first
# needed.  Without libcurl only what is fetched from other machines is missing; without the others, digests, the search
# over standards and WebSocket.
set -eu
linked=" $(readelf -dW "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | tr '\n' ' ')"
depends='' recommends=''
while read -r package file; do
    name=${file##*/}
    case "$linked $name" in
    *" $name "*) ;;
    *libcurl*.so.*) recommends="$recommends${recommends:+, }$package" ;;
    *libwebsockets-evlib*) depends="$depends${depends:+, }$package" ;;
    ld-*) ;;
    *) ! grep -qaF "$name" "$1" || depends="$depends${depends:+, }$package" ;;
    esac
done <<END
$(deploy/libraries.sh "$1")
END
[ -n "$depends" ] && [ -n "$recommends" ]
echo "late:Depends=$depends"
echo "late:Recommends=$recommends"
