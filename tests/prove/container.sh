#!/usr/bin/env bash
# container.sh: the image without an engine. deploy/container/rootfs.sh makes its root file system; runc, the run-time below
# Docker and its like, runs it as the Containerfile and compose.yaml say (tests/clients/bundle.mjs): as process 1 of its own
# namespaces, as user 65532 without capabilities, on a root that cannot be written, under the seccomp profile and the limits
# of memory, processes and descriptors. A system call that the profile does not list ends the process here.
#
# Running needs root; without it only the root file system is looked at.
set -u
cd "$(dirname "$0")/../.." || exit 1
top=$(mktemp -d /tmp/tandem-container-XXXXXX)
root=$top/root volume=$top/volume secret=$top/secret
token=5f2d1c7b9a8e4f3021d6c5b4a3928170f1e2d3c4b5a69788
running=()

finish() {
    local name
    trap '' PIPE # Who reads may have gone before.
    for name in "${running[@]}"; do
        runc --root "$top/state" delete -f "$name" 2>/dev/null
    done
    wait
    rm -rf "$top"
}
trap finish EXIT
trap 'exit 1' HUP INT PIPE TERM
test_() {
    problem=
    "$1"
    if [ -n "$problem" ]; then
        echo "not ok container_$1"
        echo "    $problem"
        bad=1
    else
        echo "ok container_$1"
    fi
}
bad=0

# wait_for COMMAND...: until it succeeds, at most 20 s.
mkfifo "$top/never"
wait_for() {
    local i
    for ((i = 0; i < 1000; i++)); do
        if "$@" >/dev/null 2>&1; then
            return 0
        fi
        read -r -t 0.02 <>"$top/never"
    done
    problem="never came true: $*"
    return 1
}
has() { # has TEXT PART
    case $1 in
    *"$2"*) ;;
    *) problem="\"$2\" is not in: $1" ;;
    esac
}
# bundle NAME OPTION...: what bundle.mjs takes.
bundle() {
    tests/clients/run.sh bundle.mjs "$top/$1" "$root" "$volume" "$secret" "${@:2}" || problem="no bundle"
}
runc_() { runc --root "$top/state" "$@"; }
# up_first NAME: has the run-time make all that the bundle of that name says, and wait before its program.
up_first() {
    log=$top/$1.log
    runc_ create --bundle "$top/$1" --pid-file "$top/$1.pid" "$1" >"$log" 2>&1 </dev/null || {
        problem="runc: $(cat "$log")"
        return 1
    }
    running+=("$1")
    first=$(<"$top/$1.pid")
}
# up NAME OPTION...: runs a server of that name until it serves; its process 1 is then $first, what it says in $log.
up() {
    bundle "$@"
    up_first "$1" || return
    runc_ start "$1" && wait_for grep -q '"event":"serving"' "$log" || { problem="$problem: $(cat "$log")"; return 1; }
}
# inside NAME COMMAND...: as "docker exec" has it.
inside() { runc_ exec "$@"; }
# down NAME [SIGNAL]: tells it to end, and waits until it has.
down() {
    runc_ kill "$1" "${2:-TERM}" && wait_for is_stopped "$1" && runc_ delete "$1"
}
is_stopped() { runc_ state "$1" | grep -q '"status": "stopped"'; }
# ask HOST [HEADER...]: the status line of a GET of the tools over the container's network.
ask() {
    nsenter -t "$first" -n bash -c 'exec 3<>/dev/tcp/127.0.0.1/4242
        printf "GET /api/tools HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n" "$1" >&3
        shift
        for header; do printf "%s\r\n" "$header" >&3; done
        printf "\r\n" >&3; head -1 <&3' - "$@"
}
# client WORD...: tandem as a client in the container's network.
client() {
    TANDEM_URL=http://127.0.0.1:4242/mcp TANDEM_TOKEN=$token nsenter -t "$first" -n build/tandem "$@" --root "$top/elsewhere"
}

root_file_system_is_whole() {
    deploy/container/rootfs.sh "$root" || problem="rootfs.sh failed"
    local lost
    lost=$(find "$root" -name '*.so*' -o -name tandem -type f | while read -r file; do
        readelf -dW "$file" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
    done | sort -u | while read -r name; do
        [ -n "$(find "$root" -name "$name")" ] || echo "$name"
    done)
    [ -z "$lost" ] || problem="not there: $lost"
    [ -s "$root/etc/ssl/certs/ca-certificates.crt" ] || problem="no certificates"
    [ "$(grep -c 65532 "$root/etc/passwd" "$root/etc/group" | grep -c :1)" = 2 ] || problem="no user"
}
root_file_system_holds_nothing_else() {
    local other
    other=$(find "$root" -type f -perm /111 ! -path '*/usr/bin/tandem' ! -name 'ld-linux*')
    [ -z "$other" ] || problem="can be run: $other"
    other=$(find "$root" -perm /6000)
    [ -z "$other" ] || problem="runs as another: $other"
    other=$(find "$root" -type f -perm /022)
    [ -z "$other" ] || problem="can be written: $other"
    grep -rqlE "$PWD|$HOME/" "$root/usr/bin" "$root/etc" && problem="names a folder of this machine"
}
root_file_system_is_the_same_again() {
    deploy/container/rootfs.sh "$top/again" || problem="rootfs.sh failed"
    archive() { tar -c --sort=name -C "$1" . | sha256sum; }
    [ "$(archive "$root")" = "$(archive "$top/again")" ] || problem="$(diff -rq "$root" "$top/again")"
    rm -rf "$top/again"
}
image_is_small() {
    local size pulled
    size=$(find "$root" -type f -printf '%s\n' | awk '{ n += $1 } END { print n }')
    pulled=$(tar -c --sort=name -C "$root" . | gzip -9n | wc -c)
    awk -v size="$size" -v pulled="$pulled" 'BEGIN { printf "figure: image %.1f MiB, %.1f MiB to pull\n", size / 1048576, pulled / 1048576 }'
    [ "$size" -lt $((20 * 1024 * 1024)) ] || problem="$size bytes"
}

serves_in_a_container() {
    up serve --kill || return
    inside serve /usr/bin/tandem healthcheck >/dev/null || problem="healthcheck: status $?"
    inside serve /usr/bin/tandem healthcheck --ready >/dev/null || problem="healthcheck --ready: status $?"
    inside serve /usr/bin/tandem healthcheck --url http://127.0.0.1:1 2>/dev/null
    [ $? = 1 ] || problem="healthcheck of no server has another status than 1"
    has "$(inside serve /usr/bin/tandem call current_date)" iso_date
}
is_held_as_it_says() {
    local pid status
    for pid in "$first" $(<"/proc/$first/task/$first/children"); do
        status=$(tr -s '\t ' ' ' <"/proc/$pid/status")
        has "$status" "Uid: 65532 65532 65532 65532"
        has "$status" "Gid: 65532 65532 65532 65532"
        has "$status" "NoNewPrivs: 1"
        has "$status" "Seccomp: 2"
        local set
        for set in CapInh CapPrm CapEff CapBnd CapAmb; do
            has "$status" "$set: 0000000000000000"
        done
        has "$(tr -s ' ' <"/proc/$pid/limits")" "Max open files 4096 4096"
    done
    has "$(awk '$5 == "/" { print $6 }' "/proc/$first/mountinfo")" ro
    has "$(grep ' /tmp ' "/proc/$first/mountinfo")" 'nosuid,nodev,noexec'
    has "$(grep ' /tmp ' "/proc/$first/mountinfo")" 'size=16384k'
}
clients_come_in_by_name_and_token() {
    local good="Authorization: Bearer $token"
    has "$(ask tandem:4242 "$good")" " 200 "
    has "$(ask localhost:4300 "$good")" " 200 " # By a published port.
    has "$(ask 127.0.0.1:4242 "$good")" " 200 "
    has "$(ask tandem:4242)" " 401 "
    has "$(ask tandem:4242 "Authorization: Bearer ${token/5/6}")" " 401 "
    has "$(ask evil.example:4242 "$good")" " 403 "
    has "$(ask 172.17.0.2:4242 "$good")" " 403 "
    has "$(ask tandem:4242 "$good" "Origin: http://evil.example")" " 403 "
    grep -q "$token" "$log" && problem="the token is in the log"
    grep -rq "$token" "$volume" && problem="the token is in the volume"
    [ ! -e "$volume/.tandem/token" ] || problem="a token was made in the volume"
}
tools_work_under_the_profile() {
    local i
    client call record_tool_outcome tool=make ok:=false error=broken >/dev/null 2>&1
    for i in pos_workflow:action=list_workflows search_standards:query=test get_server_info: publish_event:topic=build.done \
        get_recent_events: get_quota_summary: get_learnings:target=qa; do
        # shellcheck disable=SC2086
        client call ${i/:/ } >"$top/out" 2>&1 || problem="$i: $(cat "$top/out")"
    done
    for i in heliotrope amaranth; do # The index is made, and made anew beside the one in use.
        install -d -o 65532 -g 65532 "$volume/.tandem/standards"
        echo "# A rule about $i" >"$volume/.tandem/standards/rule.md"
        wait_for finds $i
    done
    inside serve /usr/bin/tandem tools >/dev/null || problem="tools"
    inside serve /usr/bin/tandem status | grep -q "^managed by  *container" || problem="status"
    inside serve /usr/bin/tandem settings >/dev/null || problem="settings"
    wait_for inside serve /usr/bin/tandem healthcheck --ready
}
finds() { client call search_standards "query=$1" | grep -q "A rule about $1"; }
libraries_are_loaded_late() {
    # libcurl, for keys that cannot be had: their server refuses.
    bundle keys --kill --env=TANDEM_AUTH=jwt -- serve --transport http --jwt-issuer https://login.example.com \
        --jwt-keys http://127.0.0.1:9/keys --jwt-resource http://tandem:4242/mcp --listen 127.0.0.1:0
    up_first keys && runc_ start keys
    wait_for grep -qE "refused|connect" "$top/keys.log" || { problem="$(cat "$top/keys.log")"; return; }
    grep -q "not there" "$top/keys.log" && problem="$(cat "$top/keys.log")"
    down keys
}
demo_plays_in_it() { # All three clients, WebSocket, search, quotas.
    bundle demo --kill -- demo
    runc_ run --bundle "$top/demo" demo >"$top/demo.out" 2>&1 </dev/null || problem="status $?: $(cat "$top/demo.out")"
    has "$(cat "$top/demo.out")" "3 clients"
}
orphans_are_collected() {
    local i
    for ((i = 0; i < 10; i++)); do # Their parent is gone at once: process 1 is left with them.
        runc_ exec -d serve /usr/bin/tandem version >/dev/null 2>&1 || problem="exec: status $?"
    done
    has_one_child() { [ "$(wc -w <"/proc/$first/task/$first/children")" = 1 ]; }
    wait_for has_one_child
}
state_survives_a_restart() {
    local session
    mkdir -p "$volume/.tandem/workflows" && cp -r deploy/example/.tandem/workflows/. "$volume/.tandem/workflows/" && chown -R 65532:65532 "$volume"
    local pack
    pack=$(basename "$(find "$volume/.tandem/workflows" -mindepth 1 -maxdepth 1 -type d | head -1)")
    session=$(client call pos_workflow action=start "workflow_type=$pack" target_file=a.c | sed -n 's/.*"session_id": "\([^"]*\)".*/\1/p' | head -1)
    [ -n "$session" ] || { problem="no session of $pack"; return; }
    runc_ kill serve KILL && wait_for is_stopped serve && runc_ delete serve
    up serve --kill || return
    has "$(client call pos_workflow action=get_state "session_id=$session" 2>&1)" "$pack"
}
a_call_in_flight_is_answered_at_the_end() {
    local call status
    up slow --kill --env=TANDEM_GROUPS=core,conformance --env=TANDEM_ROOT=/tmp || return
    client call slow_compute seconds:=4 >"$top/out" 2>&1 &
    call=$!
    wait_for in_flight
    local begin=$SECONDS
    runc_ kill slow TERM
    wait "$call" || problem="the call: $(cat "$top/out")"
    has "$(cat "$top/out")" "computed for 4 s"
    wait_for is_stopped slow
    [ $((SECONDS - begin)) -le 10 ] || problem="it took $((SECONDS - begin)) s, longer than its grace"
    has "$(cat "$log")" '"reason":"SIGTERM"'
    runc_ delete slow
}
in_flight() { client call get_server_info | grep -A3 '"requests_in_flight"' | grep -qE '"http": [2-9]'; } # It is one itself.
settings_are_read_anew() {
    echo '{"limits": {"call_rate": 77}}' >"$volume/.tandem/config.json" && chown 65532:65532 "$volume/.tandem/config.json"
    runc_ kill serve HUP
    wait_for grep -q "settings read anew" "$log"
    rm "$volume/.tandem/config.json"
}
sockets_are_handed_in() { # The engine's service manager has opened it, and waits for the first who comes.
    bundle handed --kill
    systemd-socket-activate -l "$top/socket" -- runc --root "$top/state" run --bundle "$top/handed" handed >"$top/handed.log" 2>&1 </dev/null &
    local pid=$!
    running+=(handed)
    wait_for test -S "$top/socket"
    TANDEM_URL=http+unix://${top//\//%2F}%2Fsocket/mcp TANDEM_TOKEN=$token build/tandem call current_date --root "$top/elsewhere" >"$top/out" 2>&1 ||
        problem="$(cat "$top/out" "$top/handed.log")"
    runc_ kill handed TERM
    wait "$pid" || problem="status $?: $(cat "$top/handed.log")"
}
ends_with_its_status() { # Foreground, as "docker run" has it.
    bundle fore --kill
    rm -f "$top/fore.log"
    runc_ run --bundle "$top/fore" fore >"$top/fore.log" 2>&1 </dev/null &
    local pid=$!
    running+=(fore)
    wait_for grep -q '"event":"serving"' "$top/fore.log"
    runc_ kill fore TERM
    wait "$pid"
    local status=$?
    [ $status = 0 ] || problem="status $status"
    [ ! -e "$volume/.tandem/server.json" ] || problem="server.json was left behind"
}
any_command_can_be_interrupted() { # Process 1 takes no signal by default.
    bundle waits --env=TANDEM_URL=http://127.0.0.1:4242/mcp -- call current_date
    up_first waits || return
    # A server that says nothing: it tells here that somebody has come.
    nsenter -t "$first" -n tests/clients/run.sh -e \
        "net.createServer(() => console.log('here')).listen(4242, '127.0.0.1', () => console.log('listening'))" >"$top/silent" 2>&1 &
    local silent=$!
    wait_for grep -q listening "$top/silent"
    runc_ start waits
    wait_for grep -q here "$top/silent"
    runc_ kill waits INT
    wait_for is_stopped waits
    kill $silent
    runc_ delete waits
}
# refuses NAME PART OPTION...: it does not start, and says so.
refuses() {
    bundle "$1" "${@:3}"
    runc_ run --bundle "$top/$1" "$1" >"$top/$1.log" 2>&1 </dev/null
    local status=$?
    [ $status = 1 ] || problem="status $status"
    has "$(cat "$top/$1.log")" "$2"
}
does_not_open_itself_to_others() {
    refuses open "say how clients are let in" --env=TANDEM_AUTH=
    refuses nameless "--allow-host NAME" --env=TANDEM_ALLOW_HOST=
    chmod 644 "$secret"
    refuses readable "others can read or change" --kill
    chmod 400 "$secret"
    refuses weak "could be guessed" --env=TANDEM_TOKEN_FILE=env:WEAK --env=WEAK=changeme
    refuses absent "is not there" --env=TANDEM_TOKEN_FILE=/run/secrets/other
}
runs_without_any_setting() { # "docker run tandem": loopback, its own token in the volume.
    local own=$volume
    volume=$top/bare
    install -d -o 65532 -g 65532 "$volume"
    up bare --free --env=TANDEM_LOG_FORMAT=json
    has "$(cat "$log")" "http://127.0.0.1:4242/mcp"
    [ -s "$volume/.tandem/token" ] || problem="no token was made"
    has "$(inside bare /usr/bin/tandem call current_date)" iso_date
    down bare
    volume=$own
}
nothing_is_written_elsewhere() {
    [ "$before" = "$(archived)" ] || problem="the root file system has changed"
}
# median COMMAND-WORD...: the median of nine times, in us, from the word to the run-time that starts a container until its
# first line; what it says comes by a pipe.
median() {
    local i t0 t1 line
    for ((i = 0; i < 9; i++)); do
        bundle "time$i" -- "$@"
        exec {pipe}<>"$top/pipe"
        runc_ create --bundle "$top/time$i" --pid-file "$top/time.pid" "time$i" >"$top/pipe" 2>&1 </dev/null || problem="no container"
        running+=("time$i")
        t0=${EPOCHREALTIME/./}
        runc_ start "time$i"
        read -r -t 20 line <&"$pipe" || problem="it says nothing"
        t1=${EPOCHREALTIME/./}
        echo $((t1 - t0))
        case $line in
        *serving*) down "time$i" ;;
        *) wait_for is_stopped "time$i" && runc_ delete "time$i" ;;
        esac
        exec {pipe}<&-
    done | sort -n | sed -n 5p
}
figures() {
    mkfifo "$top/pipe"
    local ready nothing server
    nothing=$(median version) ready=$(median serve --transport http)
    up idle || return
    wait_for inside idle /usr/bin/tandem healthcheck --ready
    server=$(<"/proc/$first/task/$first/children")
    awk -v ready="$ready" -v nothing="$nothing" \
        -v resident="$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/${server// /}/status")" \
        -v first="$(sed -n 's/^Pss:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$first/smaps_rollup")" 'BEGIN {
        printf "figure: from the run-time\047s start to a ready server %.1f ms, of them %.1f ms for one that only tells its version (medians of 9); " \
               "idle %.2f MiB resident, and %.2f MiB for process 1\n", ready / 1000, nothing / 1000, resident / 1024, first / 1024
        exit resident == 0 || resident >= 8192 }' || problem="an idle server takes more than 8 MiB"
    down idle
}

test_ root_file_system_is_whole
test_ root_file_system_holds_nothing_else
test_ root_file_system_is_the_same_again
test_ image_is_small
if [ "$(id -u)" -ne 0 ]; then
    echo "not root: nothing is run" >&2
    exit $bad
fi
install -d -o 65532 -g 65532 "$volume"
mkdir "$top/elsewhere"
(umask 077 && echo $token >"$secret") && chmod 400 "$secret" && chown 65532:65532 "$secret"
# The run-time makes the places that are mounted over, in /run.
archived() { tar -c --sort=name --exclude=./run -C "$root" . | sha256sum; }
before=$(archived)
test_ serves_in_a_container
[ -z "$problem" ] || exit 1 # It would be the same with all that follows.
for name in is_held_as_it_says clients_come_in_by_name_and_token tools_work_under_the_profile orphans_are_collected \
    state_survives_a_restart settings_are_read_anew; do
    test_ $name
done
down serve
for name in libraries_are_loaded_late demo_plays_in_it a_call_in_flight_is_answered_at_the_end sockets_are_handed_in ends_with_its_status \
    any_command_can_be_interrupted does_not_open_itself_to_others runs_without_any_setting nothing_is_written_elsewhere figures; do
    test_ $name
done
exit $bad
