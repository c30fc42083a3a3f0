#!/usr/bin/env bash
# confined.sh: a server that is allowed next to nothing does its work: not root, without a capability or the hope of one, on a
# file system that cannot be written but for its project and 16 MiB of /tmp. It is met over stdio and HTTP, begins a session,
# completes a phase, ends on SIGTERM, and finds the session when it starts again.
#
# As root: as user 65532. As somebody else: as that user, in a user name space. tests/prove/container.sh does the same with the
# root file system of the image, by a run-time of containers.
set -u
cd "$(dirname "$0")/../.." || exit 1

# Where program and project are inside, wherever they are outside: below a /tmp that is hidden, or where only root comes.
place=/mnt

# Inside the mount name space: confined.sh --inside FOLDER COMMAND..., with the program and the project in that folder.
if [ "${1:-}" = --inside ]; then
    top=$2
    shift 2
    mount --make-rprivate / && mount -t tmpfs -o mode=755,nosuid,nodev none "$place" && cp "$top/tandem" "$place/" &&
        mkdir "$place/project" && mount --bind "$top/project" "$place/project" || exit 99
    # What is mounted on another is not reached, and one that is gone by now is none.
    while read -r _ _ _ _ at _; do
        printf '%b\n' "$at"
    done </proc/self/mountinfo | sort -u | while IFS= read -r at; do
        [ "$at" = "$place/project" ] || mount -o remount,bind,ro "$at" 2>/dev/null || [ ! -e "$at" ] || echo "$at stays as it is" >&2
    done
    mount -t tmpfs -o size=16m,mode=1777,nosuid,nodev,noexec none /tmp || exit 99
    user=()
    [ "$CONFINED_USER" = 0 ] || user=(--reuid="$CONFINED_USER" --regid="$CONFINED_USER" --clear-groups)
    exec setpriv "${user[@]}" --no-new-privs --inh-caps=-all --ambient-caps=-all --bounding-set=-all "$@"
fi

mkdir -p build
top=$(mktemp -d "$PWD/build/confined-XXXXXX") project=$top/project tandem=$top/tandem
spaces=(--mount) CONFINED_USER=65532
if [ "$(id -u)" -ne 0 ]; then
    spaces=(--mount --user --map-root-user) CONFINED_USER=0
fi
export CONFINED_USER
server= problem=
finish() {
    [ -z "$server" ] || kill -9 "$server" 2>/dev/null
    rm -rf "$top"
}
trap finish EXIT
bad=0
test_() {
    problem=
    "$1"
    if [ -n "$problem" ]; then
        echo "not ok confined_$1"
        echo "    $problem"
        bad=1
    else
        echo "ok confined_$1"
    fi
}
has() { # TEXT PART
    case $1 in
    *"$2"*) ;;
    *) problem="\"$2\" is not in: $1" ;;
    esac
}
inside=(unshare "${spaces[@]}" "$PWD/tests/prove/confined.sh" --inside "$top")
# say LINE: to the server's standard input; its answer is then in $answer.
say() {
    printf '%s\n' "$1" >&"$to"
    while read -r -t 20 answer <&"$from" || { problem="no answer to $1: $(cat "$top/log")"; return 1; }; do
        [[ $answer == *'"id":'* ]] && return
    done
}
# up: starts a server on pipes of ours; its process is then $server. What it says is in $top/log.
up() {
    rm -f "$top/in" "$top/out"
    mkfifo "$top/in" "$top/out"
    "${inside[@]}" "$place/tandem" serve --root "$place/project" --listen 127.0.0.1:0 <"$top/in" >"$top/out" 2>>"$top/log" &
    server=$!
    exec {to}>"$top/in" {from}<"$top/out"
    say '{"jsonrpc":"2.0","id":0,"method":"ping"}'
}
# down HOW: ends it, and looks how it ended.
down() {
    [ "$1" != input ] || exec {to}>&-
    [ "$1" != signal ] || kill -TERM "$server"
    wait "$server"
    local status=$?
    [ $status = 0 ] || problem="status $status: $(cat "$top/log")"
    [ "$1" != signal ] || exec {to}>&-
    exec {from}<&-
    server=
    [ ! -e "$project/.tandem/server.json" ] || problem="server.json was left behind"
}
# call WORD...: one call over HTTP, to the server that server.json names.
call() { "$tandem" call --root "$project" "$@" 2>&1; }
status() { tr -s '\t ' ' ' <"/proc/$server/status"; }

nothing_else_can_be_written() {
    # shellcheck disable=SC2016
    local tried
    tried=$("${inside[@]}" bash -c 'for at in / /etc /usr /var /var/tmp /root "$PWD" "$HOME" "$1/.." /dev/shm; do
        (: >"$at/x") 2>/dev/null && echo "$at"; done; : >"$1/x" && rm "$1/x" && : >/tmp/x && echo so' - "$place/project" 2>&1)
    [ "$tried" = so ] || problem="$tried"
}
answers_over_both_transports() {
    up || return
    say '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"confined","version":"1"}}}'
    has "$answer" '"serverInfo"'
    say '{"jsonrpc":"2.0","id":2,"method":"tools/list"}'
    has "$answer" '"pos_workflow"'
    local port token
    port=$(sed -n 's/.*"port": \([0-9]*\).*/\1/p' "$project/.tandem/server.json")
    token=$(<"$project/.tandem/token")
    has "$(bash -c 'body='\''{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}'\''
        exec 3<>"/dev/tcp/127.0.0.1/$1"
        printf "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nConnection: close\r\nContent-Length: %s\r\n\r\n%s" \
            "$1" "$2" ${#body} "$body" >&3; cat <&3' - "$port" "$token" | tr -d '\r')" '"serverInfo"'
}
is_held_as_it_says() {
    local set
    has "$(status)" "NoNewPrivs: 1"
    for set in CapInh CapPrm CapEff CapBnd CapAmb; do
        has "$(status)" "$set: 0000000000000000"
    done
    [ "$(id -u)" -ne 0 ] || has "$(status)" "Uid: 65532 65532 65532 65532"
    # What it knows is nobody's to look at, not even of its own user: else its environment would be that user's.
    [ "$(id -u)" -ne 0 ] || [ "$(stat -c %u "/proc/$server/environ")" = 0 ] || problem="its memory is open to its user"
    has "$(call get_server_info)" '"sandbox": "files and system calls"'
    # Of those at one place the last counts.
    local writable
    writable=$(awk '{ how[$5] = $6 } END { for (at in how) if (how[at] !~ /^ro/) print at }' "/proc/$server/mountinfo" | sort | xargs)
    [ "$writable" = "$(printf '%s\n' /tmp "$place/project" | sort | xargs)" ] || problem="writable: $writable"
}
a_phase_is_completed() {
    session=$(call pos_workflow action=start workflow_type=bug_fix_v1 target_file=src/a.c | sed -n 's/.*"session_id": "\([^"]*\)".*/\1/p' | head -1)
    [ -n "$session" ] || problem="no session: $(call pos_workflow action=list_workflows)"
    has "$(call pos_workflow action=complete_phase "session_id=$session" phase:=0 \
        'evidence:={"failing_test":"test_a","test_output":"FAIL: test_a: 1 expected, got 0","expected_behaviour":"It answers one for one"}')" \
        '"checkpoint_passed": true'
}
ends_on_a_signal() { down signal; }
finds_it_again() {
    up || return
    has "$(call pos_workflow action=get_state "session_id=$session")" '"current_phase": 1'
    down input
}
mkdir -p "$project/.tandem"
cp -L "${TANDEM:-build/tandem}" "$tandem"
chmod 755 "$tandem"
cp -r deploy/example/.tandem/workflows "$project/.tandem/"
chmod -R go= "$project"
[ "$(id -u)" -ne 0 ] || chown -R 65532:65532 "$project"
if ! "${inside[@]}" true 2>"$top/why"; then
    echo "not ok confined"
    echo "    there is no name space to be had here: $(cat "$top/why")"
    exit 1
fi
for name in nothing_else_can_be_written answers_over_both_transports is_held_as_it_says a_phase_is_completed ends_on_a_signal \
    finds_it_again; do
    test_ $name
done
[ $bad = 0 ] && echo "figure: user $(stat -c %u "$project"), no capability, the project and 16 MiB of /tmp to write: served, ended, found again"
exit $bad
