#!/usr/bin/env bash
# test_units.sh -- the units of deploy/systemd are understood by systemd, and shut in what they start; no systemd has to
# run for that.
set -u
tandem=$(realpath "${TANDEM:-build/tandem}")
units=$(realpath "$(dirname "$0")/../../deploy/systemd")
top=$(mktemp -d /tmp/tandem-units-XXXXXX)
trap 'rm -rf "$top"' EXIT
export HOME=$top XDG_RUNTIME_DIR=$top

. "$(dirname "$0")/../checks.sh"

# The command is not installed where the units look for it: it stands in the copies by its path.
mkdir -p "$top/system" "$top/user"
for unit in "$units"/tandem.*; do
    sed "s|^ExecStart=tandem |ExecStart=$tandem |" "$unit" >"$top/system/${unit##*/}"
done
instance=$(systemd-escape -p "$top")
for unit in "$units"/user/tandem@.*; do
    sed "s|^ExecStart=tandem |ExecStart=$tandem |" "$unit" >"$top/user/tandem@$instance.${unit##*.}"
done

# What is not understood is a warning, with status 0.
said=$(cd "$top/system" && systemd-analyze verify --man=no ./tandem.service ./tandem.socket 2>&1) && [ -z "$said" ]
check "systemd understands the system's units${said:+: $said}" $?
said=$(cd "$top/user" && systemd-analyze verify --user --man=no "./tandem@$instance.service" "./tandem@$instance.socket" 2>&1) &&
    [ -z "$said" ]
check "systemd understands the user's units${said:+: $said}" $?

said=$(cd "$top/system" && systemd-analyze security --no-pager --offline=true --threshold=20 ./tandem.service 2>&1)
check "the exposure of the system's service is below 2.0: ${said##*exposure level for }" $?

# Each part of what ties the units to the server.
for unit in "$units/tandem.service" "$units/user/tandem@.service"; do
    bad=
    # shellcheck disable=SC2016
    for line in Type=notify 'ExecReload=/bin/kill -HUP $MAINPID' Restart=on-failure RestartPreventExitStatus=2 \
        'WatchdogSec=[0-9]+s' SyslogLevelPrefix=yes NoNewPrivileges=yes UMask=0077 \
        'SystemCallFilter=landlock_create_ruleset landlock_add_rule landlock_restrict_self seccomp'; do
        grep -qE "^${line//\$/\\\$}\$" "$unit" || bad="$bad $line"
    done
    [ -z "$bad" ]
    check "${unit##*/} says all that the server keeps to${bad:+; not: $bad}" $?
    # The drain by default, the time to tell of it, and some for a busy machine.
    stop=$(sed -n 's/^TimeoutStopSec=\([0-9]*\)s$/\1/p' "$unit")
    # shellcheck disable=SC2016
    drain=$("$tandem" settings --markdown | sed -n 's/^| `drain` |[^|]*| `\([0-9]*\)s` .*/\1/p')
    [ "${stop:-0}" -ge $((${drain:-100} + 6)) ]
    check "${unit##*/} waits for the drain: ${stop:-?} s for ${drain:-?} s" $?
done
! grep -qE '^(RestrictSUIDSGID|DynamicUser)=' "$units"/tandem.service "$units"/user/tandem@.service
check "nothing takes openat2() away, by which it opens files" $?
grep -q '^Accept=' "$units"/tandem.socket "$units"/user/tandem@.socket
check "its sockets are listened on by the server itself" $((! $?))
exit $failed
