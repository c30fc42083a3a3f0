#!/bin/sh
# changelog.sh: deploy/NEWS.md as Debian's changelog.  Its newest version is that of state/version.h, or this fails; the
# date is SOURCE_DATE_EPOCH's, and the name that of the control file.
set -eu
cd "$(dirname "$0")/../.."
version=$(deploy/version.sh)
maintainer=$(sed -n 's/^Maintainer: //p' deploy/debian/control)
date=$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
awk -v version="$version" -v end=" -- $maintainer  $date" '
    # A point of the list, filled to 78 columns.
    function flush(    n, words, i, line) {
        if (point == "") {
            return
        }
        n = split(point, words, " ")
        line = "  *"
        for (i = 1; i <= n; i++) {
            if (length(line) + 1 + length(words[i]) > 78) {
                print line
                line = "   "
            }
            line = line " " words[i]
        }
        print line
        point = ""
    }
    function plain(text) {
        gsub(/`/, "", text)
        while (match(text, /\[[^]]*\]\([^)]*\)/)) { # A link is its text.
            link = substr(text, RSTART + 1, RLENGTH - 2)
            sub(/\].*/, "", link)
            text = substr(text, 1, RSTART - 1) link substr(text, RSTART + RLENGTH)
        }
        return text
    }
    /^## / {
        flush()
        if (entries++) {
            print "\n" end "\n"
        } else if ($2 != version) {
            print "NEWS.md begins with " $2 ", but state/version.h says " version >"/dev/stderr"
            failed = 1
            exit 1
        }
        print "tandem (" $2 ") unstable; urgency=medium"
    }
    /^### / { flush(); print "\n  [ " substr($0, 5) " ]" }
    /^- /   { flush(); point = plain(substr($0, 3)) }
    /^  / && point != "" { point = point " " plain($0) }
    END {
        if (!failed) {
            flush()
            print "\n" end
        }
    }' deploy/NEWS.md
