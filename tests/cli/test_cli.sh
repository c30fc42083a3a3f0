#!/usr/bin/env bash
# test_cli.sh -- the command line as its users meet it: statuses, messages, one server a project.
set -u
tandem=$(realpath "${TANDEM:-build/tandem}")
script=$(realpath "$0")
top=$(mktemp -d /tmp/tandem-cli-XXXXXX)
export HOME=$top
unset "${!TANDEM_@}"
cd "$top" || exit 1
servers=()

finish() {
    for pid in "${servers[@]}"; do
        kill "$pid" 2>/dev/null
    done
    wait
    rm -rf "$top"
}
trap finish EXIT

# run STATUS WORD...: runs tandem, keeps its output in $out and $err, and compares its status.
run() {
    local wanted=$1 status
    shift
    "$tandem" "$@" >"$top/out" 2>"$top/err" </dev/null
    status=$?
    out=$(cat "$top/out")
    err=$(cat "$top/err")
    if [ "$status" -ne "$wanted" ]; then
        problem="tandem $*: status $status, not $wanted; said: $err"
    fi
}
has() { # has TEXT PART
    case $1 in
    *"$2"*) ;;
    *) problem="\"$2\" is not in: $1" ;;
    esac
}
lacks() {
    case $1 in
    *"$2"*) problem="\"$2\" is in: $1" ;;
    esac
}
is_private() {
    [ "$(stat -c %a "$1")" = 600 ] || problem="$1 has mode $(stat -c %a "$1")"
}
# wait_for COMMAND...: until it succeeds, at most 10 s.
wait_for() {
    local i
    for ((i = 0; i < 500; i++)); do
        if "$@" >/dev/null 2>&1; then
            return
        fi
        read -r -t 0.02 <>"$top/never"
    done
    problem="never came true: $*"
}
# serve FOLDER WORD...: starts a server for the project and waits until it says where it is.
serve() {
    local folder=$1
    shift
    "$tandem" serve --root "$folder" --transport http "$@" </dev/null >"$folder/log.out" 2>"$folder/log" &
    servers+=($!)
    wait_for "$tandem" status --root "$folder"
}
# The same, without asking it for anything.
serve_quietly() {
    local folder=$1
    shift
    rm -f "$folder/log"
    "$tandem" serve --root "$folder" --transport http "$@" </dev/null >"$folder/log.out" 2>"$folder/log" &
    servers+=($!)
    wait_for grep -q "event=serving" "$folder/log"
}
# ends PID [STATUS]: waits for it and compares its status.
ends() {
    local status
    wait "$1"
    status=$?
    [ "$status" -eq "${2:-0}" ] || problem="process $1 ended with status $status, not ${2:-0}"
}
test_() {
    problem=
    "$1"
    if [ -n "$problem" ]; then
        echo "not ok $1"
        echo "    $problem"
    else
        echo "ok $1"
    fi
}
mkfifo "$top/never"

mistakes_have_status_2() {
    run 2 frobnicate && has "$err" 'there is no command "frobnicate"'
    run 2 serve --lisen x && has "$err" "did you mean --listen?"
    run 2 call && has "$err" "tandem call TOOL"
    run 2 call current_date nonsense && has "$err" '"nonsense" is not key=value'
    run 2 call current_date =x && has "$err" "is not key=value"
    run 2 call current_date n:=[ && has "$err" "is not JSON"
    run 2 call current_date --args '[1]' && has "$err" "must be a JSON object"
    run 2 call current_date --args '{' && has "$err" "--args is not JSON"
    run 2 call current_date x:=$'"\xff"' && has "$err" "is not JSON"
    run 2 call current_date x=$'\xff' && has "$err" "is not UTF-8"
    run 2 call '../x' && has "$err" "cannot be a tool's name"
    [ -z "$out" ] || problem="a mistake wrote to standard output"
}

help_goes_to_standard_output() {
    run 0 --help && has "$out" "Usage: tandem"
    [ -z "$err" ] || problem="help wrote to standard error"
    run 0 serve --help && has "$out" "--transport"
    run 0 version && has "$out" "tandem "
    run 0 --version && has "$out" "tandem "
    "$tandem" --help >/dev/full 2>/dev/null && problem="a full disk went unnoticed"
}

settings_say_where_they_come_from() {
    mkdir -p set/.tandem
    echo '{"drain": "1s", "limits": {"message": "2MiB", "calls": 99}}' >set/.tandem/config.json
    export TANDEM_LIMITS_MESSAGE=3MiB
    run 0 settings --root set --limits-calls 98
    unset TANDEM_LIMITS_MESSAGE
    has "$(echo "$out" | tr -s ' ')" "drain 1s .tandem/config.json:1"
    has "$(echo "$out" | tr -s ' ')" "limits.message 3MiB TANDEM_LIMITS_MESSAGE"
    has "$(echo "$out" | tr -s ' ')" "limits.calls 98 --limits-calls"
    has "$(echo "$out" | tr -s ' ')" "auth token default"
    run 0 settings --json --root set && has "$out" '"variable": "TANDEM_LIMITS_MESSAGE"'
    run 0 settings --markdown && has "$out" '| `limits.message` | BYTES | `1MiB` |'
}

a_broken_file_names_line_and_column() {
    mkdir -p broken/.tandem
    printf '{\n  "lisen": "x",\n  "drain": "61s"\n}\n' >broken/.tandem/config.json
    run 1 serve --root broken --transport http
    has "$err" '.tandem/config.json:2:3: error: unknown key "lisen"; did you mean "listen"?'
    has "$err" ".tandem/config.json:3:12: error: drain: 61s is not within 0s to 1m"
    run 1 status --root broken --config missing.json && has "$err" "missing.json"
    export TANDEM_DRIAN=1s
    run 1 status --root . && has "$err" "did you mean TANDEM_DRAIN?"
    unset TANDEM_DRIAN
}

without_a_server() {
    mkdir alone
    run 1 status --root alone && has "$err" "no server runs for this project"
    run 1 healthcheck --root alone && has "$err" "no server to ask"
    run 1 healthcheck --url http://127.0.0.1:1 --root alone && has "$err" "cannot be reached"
    run 1 env --root alone && has "$err" "start one with: tandem serve"
    [ ! -e alone/.tandem ] || problem="asking for the status made a folder"
    run 0 tools --root alone && has "$out" "current_date"
    [ ! -e alone/.tandem ] || problem="listing the tools made a folder"
    run 0 tools --json --root alone && has "$out" '"inputSchema"'
    run 0 call current_date --root alone && has "$out" '"iso_date"'
    run 0 call get_server_info --root alone && has "$out" '"transport_mode": "call"'
    run 1 call no_such_tool --root alone && has "$err" "unknown tool"
    run 1 call current_date x=1 --root alone && has "$err" "tandem: "
    run 1 call pos_workflow action=bogus --root alone && has "$err" "unknown action" && has "$out" '"error"'
    cp -r "$(dirname "$(dirname "$script")")/../deploy/example" example
    run 0 call pos_workflow action=start workflow_type=bug_fix_v1 target_file=x.c --root example
    has "$out" '"session_id"'
    [ -z "$err" ] || problem="a call was noisy: $err"
    run 0 call pos_workflow action=list_sessions --root example && has "$out" '"bug_fix_v1"'
    run 0 call search_standards "query=reproduce a bug" --explain --root example
    has "$out" "nearness" && has "$out" "testing/reproducing-bugs.md:1" && has "$out" "found by reading the files"
    run 0 call search_standards query=bug --explain --root alone && has "$out" "there are no standards"
    run 1 call search_standards query= --explain --root example && has "$err" "the query holds no word"
    run 2 call current_date --explain --root example && has "$err" "--explain is for searches"
    mkdir -p example/rules && printf '# Rules\n\nA zebra.\n' >example/rules/z.md
    run 0 call search_standards query=zebra --standards-path rules --explain --root example && has "$out" "z.md:1"
    # A number is a string where the tool wants one; what says that it is JSON is that.
    printf '# Codes\n\nOf those, 404 is for what is not there.\n' >example/rules/codes.md
    run 0 call search_standards query=404 n_results=2 --standards-path rules --root example && has "$out" "codes.md"
    run 0 call search_standards 'query="404"' --standards-path rules --root example && has "$out" "codes.md"
    run 1 call search_standards query:=404 --root example && has "$err" "query"
    run 1 call search_standards query=x n_results=many --root example && has "$err" "n_results"
    run 1 call search_standards query=zebra --standards-path ../rules --root example && has "$err" "leads out of the project"
    run 1 status --root nowhere && has "$err" "--root DIR"
    run 1 call current_date --url http://127.0.0.1:1 && has "$err" "cannot be reached"
    run 1 call current_date --url http://example.org && has "$err" "not the URL of a server"
}

with_a_server() {
    mkdir p
    serve p
    pid=${servers[-1]}
    is_private p/.tandem/server.json
    is_private p/.tandem/token
    run 0 status --root p && has "$out" "pid          $pid" && has "$out" "http://127.0.0.1:"
    has "$out" "managed by   " && has "$(cat p/.tandem/server.json)" '"managed_by": "'
    run 0 status --json --root p && has "$out" '"url": "http://127.0.0.1:'
    run 0 call get_server_info --root p && has "$out" "\"pid\": $pid"
    run 0 tools --root p && has "$out" "current_date"
    run 1 call no_such_tool --root p && has "$err" "unknown tool"
    url=$(sed -n 's/.*"url": "\(.*\)",/\1/p' p/.tandem/server.json)
    run 0 call current_date --root p --url "$url"
    run 1 call current_date --root alone --url "$url" && has "$err" "a token is needed"
    run 1 status --root alone --url "$url" && has "$err" "asks for another token"
    run 0 healthcheck --root p && has "$out" "healthy"
    run 0 healthcheck --ready --root p && has "$out" "ready"
    run 0 env --json --root p && has "$out" '"TANDEM_WS_URL": "ws://127.0.0.1:' && has "$out" "$(cat p/.tandem/token)"
    run 0 env --root p && cp out variables
    (eval "$(cat variables)" && "$tandem" call get_server_info --root alone </dev/null >out 2>err)
    has "$(cat out err)" "\"pid\": $pid"
    mkdir -p p/.tandem/standards && printf '# Z\n\nA zebra.\n' >p/.tandem/standards/z.md
    until run 0 call search_standards query=zebra --explain --root p && [[ $out == *"generation 1"* ]]; do :; done
    has "$out" "z.md:1"
    mkdir -p p/deep/er && cd p/deep/er && run 0 status && cd "$top" && has "$out" "pid          $pid"
    token=$(cat p/.tandem/token)
    lacks "$(cat p/log p/log.out)" "$token"
    lacks "$(tr '\0' '\n' <"/proc/$pid/cmdline")" "$token"
}

# window FOLDER WORD...: a further window on a project that is served.
window() {
    local folder=$1
    shift
    out=$(echo '{"jsonrpc":"2.0","id":1,"method":"ping"}' |
        "$tandem" serve --root "$folder" "$@" 2>"$top/err") || problem="a window failed with $*"
    err=$(cat "$top/err")
    has "$out" '{"jsonrpc":"2.0","id":1,"result":{}}'
    has "$err" "another window of a project that is served"
}

windows_need_the_project_s_own_token() {
    # The public key of RFC 8037, A.2.
    local x=11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo
    mkdir w v
    serve w --auth none
    window w
    is_private w/.tandem/token
    echo '{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"'$x'"}]}' >v/keys.json
    "$tandem" serve --root v --transport http --auth jwt --jwt-issuer https://issuer.example \
        --jwt-resource https://v.example/mcp --jwt-keys "$top/v/keys.json" </dev/null 2>v/log &
    servers+=($!)
    wait_for test -e v/.tandem/server.json
    window v
    lacks "$(cat v/.tandem/server.json)" "$(cat v/.tandem/token)"
    chmod 644 v/.tandem/token
    run_window 1 v && has "$err" "can be read by others"
}

# run_window STATUS FOLDER: a window that is refused.
run_window() {
    local status
    echo | "$tandem" serve --root "$2" >"$top/out" 2>"$top/err"
    status=$?
    err=$(cat "$top/err")
    [ "$status" -eq "$1" ] || problem="a window: status $status, not $1; said: $err"
}

a_server_without_http_takes_no_windows() {
    mkdir only
    mkfifo only/in
    "$tandem" serve --root only --transport stdio <only/in >only/out 2>only/log &
    servers+=($!)
    exec 8>only/in
    wait_for test -e only/.tandem/server.json
    run_window 1 only && has "$err" "on its standard input only" && has "$err" "--transport stdio"
    exec 8>&-
    ends "${servers[-1]}"
}

one_server_a_project() {
    run 1 serve --root p --transport http
    has "$err" "served already, by process $pid at http://127.0.0.1:"
    has "$err" "kill $pid"
    for transport in auto dual stdio; do
        window p --transport $transport
    done
    window p --groups full && has "$err" "these settings count once this process serves"
    run 1 serve --root p --transport stdio --exclusive && has "$err" "served already"
    run 0 status --root p && has "$out" "pid          $pid"
}

a_given_token_is_the_only_one() {
    local token=0123456789abcdef0123456789abcdef url
    mkdir given
    (umask 077 && echo $token >given/secret)
    export TANDEM_TOKEN_FILE=secret
    serve given --listen 127.0.0.1:0
    run 0 call current_date --root given
    grep -rq $token given/.tandem given/log && problem="the token was written down"
    [ ! -e given/.tandem/token ] || problem="a token was made beside the given one"
    unset TANDEM_TOKEN_FILE
    url=$(sed -n 's/.*"url": "\(.*\)".*/\1/p' given/.tandem/server.json)
    run 1 call current_date --root given && has "$err" "token"
    TANDEM_TOKEN=$token run 0 call current_date --url "$url"
    kill "${servers[-1]}" && ends "${servers[-1]}"
    chmod 644 given/secret
    run 1 serve --root given --transport http --token-file secret && has "$err" "others can read"
    chmod 600 given/secret
    echo changeme >given/secret
    run 1 serve --root given --transport http --token-file secret && has "$err" "could be guessed"
    lacks "$err" changeme
    run 1 serve --root given --transport http --token-file env:GIVEN_TOKEN && has "$err" "is not there"
}

what_waits_is_answered_once() { # Its first run has written why it ends.
    mkdir waits
    serve waits --listen 127.0.0.1:0 --groups core,conformance
    run 0 call slow_compute seconds:=1 --root waits && has "$out" "computed for 1 s"
    kill "${servers[-1]}" && ends "${servers[-1]}"
}

a_signal_ends_it_and_cleans_up() {
    kill -TERM "$pid"
    ends "$pid"
    [ ! -e p/.tandem/server.json ] || problem="server.json was left"
    run 1 status --root p
    for signal in INT; do
        serve p
        kill -$signal "${servers[-1]}"
        ends "${servers[-1]}"
        [ ! -e p/.tandem/server.json ] || problem="server.json was left after SIG$signal"
    done
}

a_killed_server_is_no_server() {
    serve p
    kill -KILL "${servers[-1]}"
    wait "${servers[-1]}" 2>/dev/null
    [ -e p/.tandem/server.json ] || problem="it cannot have cleaned up"
    run 1 status --root p && has "$err" "has ended"
    token=$(cat p/.tandem/token)
    serve p
    [ "$(cat p/.tandem/token)" = "$token" ] || problem="the token changed"
    kill "${servers[-1]}"
    ends "${servers[-1]}"
}

a_unix_socket() {
    mkdir u
    serve u --listen "unix:$top/u/s.sock"
    is_private u/s.sock
    run 0 call current_date --root u && has "$out" '"iso_date"'
    run 0 status --root u && has "$out" "http+unix://"
    window u
    kill "${servers[-1]}"
    ends "${servers[-1]}"
    [ ! -e u/s.sock ] || problem="the socket was left"
}

ports_are_not_shared() {
    local i
    local ports
    for i in $(seq 20); do
        mkdir -p "many/$i"
        "$tandem" serve --root "many/$i" --transport http </dev/null >/dev/null 2>"many/$i.log" &
        servers+=($!)
    done
    for i in $(seq 20); do
        wait_for test -e "many/$i/.tandem/server.json"
    done
    ports=$(cat many/*/.tandem/server.json | sed -n 's/.*"port": //p' | sort -u | wc -l)
    [ "$ports" -eq 20 ] || problem="20 servers have $ports ports"
    kill "${servers[@]: -20}"
    for i in "${servers[@]: -20}"; do
        ends "$i"
    done
}

a_race_for_one_project_has_one_winner() {
    local i won=0 pids=()
    mkdir race
    for i in $(seq 8); do
        "$tandem" serve --root race --transport http </dev/null >/dev/null 2>"race/$i.log" &
        pids+=($!)
    done
    wait_for "$tandem" status --root race
    winner=$(sed -n 's/.*"pid": \([0-9]*\).*/\1/p' race/.tandem/server.json)
    for i in "${pids[@]}"; do
        if [ "$i" = "$winner" ]; then
            won=1
        else
            ends "$i" 1
        fi
    done
    [ "$won" = 1 ] || problem="server.json names none of them: $winner"
    [ "$(grep -l "by process $winner" race/*.log | wc -l)" -eq 7 ] || problem="a loser did not name the winner"
    kill "$winner"
    ends "$winner"
}

the_range_can_be_exhausted() {
    mkdir full1 full2
    serve full1 --listen 127.0.0.1:0
    port=$(sed -n 's/.*"port": \([0-9]*\).*/\1/p' full1/.tandem/server.json | head -1)
    run 1 serve --root full2 --transport http --ports-first "$port" --ports-last "$port"
    has "$err" "all ports from $port to $port are taken"
    has "$err" "--listen"
    [ ! -e full2/.tandem/server.json ] || problem="a server that never was is announced"
    serve full2 --listen "127.0.0.1:$port" --ports-first "$((port > 60000 ? port - 99 : port))" \
        --ports-last "$((port > 60000 ? port : port + 99))"
    has "$(cat full2/log)" "the given port is taken"
    kill "${servers[@]: -2}"
    ends "${servers[-1]}"
    ends "${servers[-2]}"
}

a_wider_address_must_be_meant() {
    mkdir wide
    run 1 serve --root wide --transport http --listen 0.0.0.0:0 && has "$err" "--auth token"
    run 1 serve --root wide --transport http --listen 0.0.0.0:0 --auth token && has "$err" "--allow-host"
    run 1 serve --root wide --transport http --listen 192.0.2.1:1 --auth none --allow-host x &&
        has "$err" "cannot be listened on"
    run 1 serve --root wide --transport http --listen example.org && has "$err" "not looked up"
}

a_loose_token_is_refused() {
    mkdir -p loose/.tandem
    echo 0123456789012345678901234567890123456789012 >loose/.tandem/token
    chmod 644 loose/.tandem/token
    run 1 serve --root loose --transport http && has "$err" "can be read by others" && has "$err" "chmod 600"
    lacks "$err" 01234567
}

a_weak_state_key_is_refused() {
    mkdir -p weak
    printf 'only-31-bytes-are-not-enough-ab' >weak/key
    run 1 serve --root weak --transport http --state-key weak/key && has "$err" "less than 32 bytes"
    lacks "$err" only-31
    run 1 serve --root weak --transport http --state-key weak/none && has "$err" "is not there"
    run 1 serve --root weak --transport http --state-key nowhere/none
    printf x >>weak/key
    run 0 call current_date --root weak --state-key weak/key
}

the_prior_art_is_served_in_place() {
    mkdir -p old/.praxis-os/workflows
    echo '{"mcp": {"http_host": "127.0.0.1", "http_path": "/x"}}' >old/.praxis-os/config.json
    serve old
    [ ! -e old/.tandem ] || problem="a second data folder was made"
    has "$(cat old/.praxis-os/server.json)" '/x"'
    run 0 call current_date --root old
    kill "${servers[-1]}"
    ends "${servers[-1]}"
}

end_of_input_is_the_end() {
    mkdir io
    echo '{"jsonrpc":"2.0","id":1,"method":"ping"}' |
        "$tandem" serve --root io >"$top/out" 2>"$top/err"
    [ $? -eq 0 ] || problem="status $?"
    [ "$(cat "$top/out")" = '{"jsonrpc":"2.0","id":1,"result":{}}' ] || problem="answered: $(cat "$top/out")"
    has "$(cat "$top/err")" "mode=dual"
    has "$(cat "$top/err")" 'reason="end of input"'
    [ ! -e io/.tandem/server.json ] || problem="server.json was left"
    "$tandem" serve --root io --transport stdio <&- >"$top/out" 2>"$top/err"
    [ $? -eq 0 ] || problem="without standard input: $(cat "$top/err")"
    "$tandem" serve --root io </dev/null >"$top/out" 2>&- &
    servers+=($!)
    wait_for "$tandem" status --root io
    kill "${servers[-1]}"
    ends "${servers[-1]}"
}

it_lingers_if_told_to() {
    mkdir linger
    mkfifo "$top/in"
    "$tandem" serve --root linger --linger <"$top/in" >/dev/null 2>"$top/err" &
    servers+=($!)
    exec 7>"$top/in"
    wait_for "$tandem" status --root linger
    exec 7>&-
    wait_for grep -q "HTTP goes on" "$top/err"
    run 0 call current_date --root linger
    kill "${servers[-1]}"
    ends "${servers[-1]}"
}

# slow_git SECONDS: a git that hangs keeps get_server_info busy.
slow_git() {
    mkdir -p slow/bin slow/.tandem
    printf '#!/bin/sh\n[ "$1" = rev-parse ] || exit 1\necho $$ >"%s"\nexec sleep %s\n' \
        "$top/slow/began" "$1" >slow/bin/git
    chmod +x slow/bin/git
    rm -f slow/began
}

a_call_in_flight_is_waited_for() {
    slow_git 1
    PATH=$top/slow/bin:$PATH serve_quietly slow --drain 60s
    "$tandem" call get_server_info --root slow >slow/answer 2>slow/answer.err &
    local call=$!
    wait_for test -s slow/began
    kill -TERM "${servers[-1]}"
    ends "$call"
    ends "${servers[-1]}"
    has "$(cat slow/answer)" '"transport_mode": "http"'
}

patience_ends_with_the_drain() {
    slow_git 60
    PATH=$top/slow/bin:$PATH serve_quietly slow --drain 0s
    "$tandem" call get_server_info --root slow >slow/answer 2>slow/answer.err &
    local call=$!
    wait_for test -s slow/began
    kill -TERM "${servers[-1]}"
    ends "$call" 1
    ends "${servers[-1]}"
    [ -s slow/answer.err ] || problem="a call that was cut off was told nothing"
    [ ! -e slow/.tandem/server.json ] || problem="server.json was left"
    kill "$(cat slow/began)" 2>/dev/null
}

a_second_signal_ends_it_at_once() {
    slow_git 30
    PATH=$top/slow/bin:$PATH serve_quietly slow --drain 60s
    "$tandem" call get_server_info --root slow >slow/answer 2>slow/answer.err &
    local call=$!
    wait_for test -s slow/began
    kill -TERM "${servers[-1]}"
    wait_for grep -q "event=ending" slow/log
    kill -INT "${servers[-1]}"
    ends "${servers[-1]}" 1
    ends "$call" 1
    kill "$(cat slow/began)"
}

check_tells_every_problem() {
    local root
    root=$(dirname "$(dirname "$script")")
    run 0 check "$root/../deploy/example/.tandem/workflows" && has "$out" "checked: 0 errors"
    cp -r "$root/../deploy/example/.tandem/workflows/bug_fix_v1" pack
    run 0 check pack && has "$out" "1 checked: 0 errors, 0 warnings"
    run 0 check pack/metadata.json && has "$out" "1 checked: 0 errors"
    printf 'checkpoint:\n  strict: maybe\nevidence_schema:\n  a:\n    type: odd\n' \
        >pack/phases/0/gate-definition.yaml
    run 1 check pack
    has "$out" "pack/phases/0/gate-definition.yaml:2:11: error:"
    has "$out" "pack/phases/0/gate-definition.yaml:5:11: error:"
    run 1 check pack/phases/0/gate-definition.yaml && has "$out" "gate-definition.yaml:5:11: error:"
    echo '{' >pack/metadata.json
    run 1 check pack/ && has "$out" "pack/metadata.json:"
    cd pack && run 1 check . metadata.json && cd "$top" && has "$out" "2 checked: 2 errors"
    run 0 check "$root/fixtures/praxis/workflows" && has "$out" "3 checked: 0 errors"
    run 0 check "$root"/fixtures/praxis/specs/*/tasks.md
    printf '{\n  "lisen": 1\n}' >c.json
    run 1 check c.json && has "$out" 'c.json:2:3: error: unknown key "lisen"; did you mean "listen"?'
    printf 'phases:\n  - 1\n' >d.yaml
    run 1 check d.yaml && has "$out" "d.yaml:"
    echo text >e.md
    run 1 check e.md && has "$out" "e.md: error: the task list has no phase"
    mkdir -p skills/mine
    printf -- '---\nname: mine\ndescription: Does it\n---\n' >skills/mine/SKILL.md
    run 0 check skills && has "$out" "1 checked: 0 errors"
    run 0 check skills/mine/SKILL.md && has "$out" "1 checked: 0 errors"
    printf -- '---\ndescription: Does it\nname: other\n---\n' >skills/mine/SKILL.md
    run 1 check skills/mine && has "$out" "skills/mine/SKILL.md:3:1: error:"
    cp -r "$root/../deploy/example/.tandem/workflows/bug_fix_v1" whole
    cp skills/mine/SKILL.md whole/SKILL.md
    run 1 check whole && has "$out" "whole/SKILL.md:3:1: error:"
    mkdir tenants
    printf '{"client": {"id": "acme", "name": "A", "short_name": "A", "timezone": "UTC"}}' >tenants/acme.json
    run 0 check tenants/acme.json && has "$out" "1 checked: 0 errors"
    cp tenants/acme.json tenants/beta.json
    run 1 check tenants/beta.json && has "$out" "tenants/beta.json:1:19: error: client/id:"
    printf '{"client": {"id": "beta",\n "name": 7}}' >tenants/beta.json
    cd tenants && run 1 check beta.json && cd "$top" && has "$out" "beta.json:2:10: error: client/name:"
    cp tenants/acme.json tenants/Acme.json
    run 1 check tenants/Acme.json && has "$out" "is no tenant's id"
    run 1 check missing.md && has "$err" "missing.md cannot be read"
    mkdir empty
    run 1 check empty && has "$err" "metadata.json"
    touch odd.txt
    run 1 check odd.txt && has "$err" "cannot be told from its name"
    run 1 check "$top/never" && has "$err" "not a regular file"
    run 2 check
}

events_are_watched() {
    mkdir watched
    serve "$top/watched"
    "$tandem" watch --root watched --count 3 'build.*' >watched/out 2>watched/err &
    local watcher=$!
    wait_for sh -c "'$tandem' call get_recent_events --root watched | grep -q client_connected"
    run 0 call publish_event topic=build.done 'data={"n":1}' --root watched
    wait_for grep -q 'build.done  *{"n":1}' watched/out
    kill "${servers[-1]}" && ends "${servers[-1]}"
    wait_for grep -q "waiting for a server" watched/err
    serve "$top/watched"
    wait_for sh -c "'$tandem' call get_recent_events --root watched | grep -q client_connected"
    run 0 call publish_event topic=build.again --root watched
    run 0 call publish_event topic=other.again --root watched
    run 0 call publish_event topic=build.last --root watched
    ends "$watcher"
    [ "$(grep -c . watched/out)" = 3 ] || problem="not three events: $(cat watched/out)"
    run 0 watch --root watched --json --count 1 build.last && has "$out" '"topic":"build.last"'
    run 1 watch --root watched 'bui*' && has "$err" "bui*"
    run 2 watch --root watched --count 0
    run 1 watch --root "$top/empty" && has "$err" "tandem serve"
    kill "${servers[-1]}" && ends "${servers[-1]}"
}

check_knows_standards_and_projects() {
    local root
    root=$(dirname "$(dirname "$script")")
    cp -r "$root/../deploy/example" project
    run 0 check project && has "$out" ": 0 errors"
    run 0 check "$root/fixtures/praxis/standards" && has "$out" "checked: 0 errors, 0 warnings"
    mkdir -p project/.tandem/standards/sub
    printf 'one\ntw\303\244 \377\n' >project/.tandem/standards/sub/latin.md
    head -c 1048577 /dev/zero | tr '\0' 'a' >project/.tandem/standards/large.md
    printf '# ours\nlock, mutex\nalone\n' >project/.tandem/standards/synonyms.txt
    run 1 check project/.tandem/standards
    has "$out" "project/.tandem/standards/sub/latin.md:2:5: error:" && has "$out" "UTF-8"
    has "$out" "project/.tandem/standards/large.md: error:" && has "$out" "larger than 1048576 bytes"
    has "$out" "project/.tandem/standards/synonyms.txt:3:1: error:" && has "$out" ": 3 errors"
    run 1 check project && has "$out" "project/.tandem/standards/large.md: error:"
    run 1 check project/.tandem/standards/sub/latin.md && has "$out" "project/.tandem/standards/sub/latin.md:2:5: error:"
    run 1 check project/.tandem/standards/synonyms.txt && has "$out" "1 checked: 1 error"
    cd project/.tandem/standards/sub && run 1 check latin.md && cd "$top" && has "$out" "sub/latin.md:2:5: error:"
    echo '{"standards_path": "rules"}' >project/.tandem/config.json
    mkdir project/rules && printf '\377\n' >project/rules/bad.md
    run 1 check project && has "$out" "project/rules/bad.md:1:1: error:" && has "$out" ": 1 error,"
    run 1 check project/rules && has "$out" "project/rules/bad.md:1:1: error:"
}

check_knows_the_helpdesk() {
    local head='{"format":"tandem-helpdesk","version":1,"count":1}'
    mkdir -p desk/.tandem/helpdesk/shared desk/.tandem/helpdesk/acme desk/.tandem/helpdesk/No.Index
    cd desk/.tandem/helpdesk
    printf '# Refunds\n\nTen days.\n' >faq.md
    printf '%s\n{"content":"a"}\n' "$head" >index.jsonl
    cd "$top" && run 0 check desk && has "$out" "helpdesk/No.Index: warning:" && has "$out" "2 checked: 0 errors"
    printf '%s\n7\n' "$head" >desk/.tandem/helpdesk/acme/index.jsonl
    printf '{}' >desk/.tandem/helpdesk/shared/index.json
    printf 'one\ntw\377\n' >desk/.tandem/helpdesk/acme/latin.md
    run 1 check desk && has "$out" "desk/.tandem/helpdesk/acme/index.jsonl:2: error: the line is no JSON"
    has "$out" 'helpdesk/shared/index.json: error: "format" is not' && has "$out" "helpdesk/acme/latin.md:2:3: error: the document"
    has "$out" "5 checked: 3 errors"
    run 1 check desk/.tandem/helpdesk && has "$out" "desk/.tandem/helpdesk/acme/index.jsonl:2: error:" && has "$out" ": 3 errors"
    run 1 check desk/.tandem/helpdesk/acme/index.jsonl && has "$out" "desk/.tandem/helpdesk/acme/index.jsonl:2: error:"
    run 0 check desk/.tandem/helpdesk/index.jsonl && has "$out" "1 checked: 0 errors"
}

# Whatever the umask of who starts it.
what_it_writes_is_its_owner_s() {
    local before loose
    mkdir -p own/.tandem/standards && cp -r "$(dirname "$(dirname "$script")")/../deploy/example/.tandem/workflows" own/.tandem/
    printf '# Locks\n\nOne at a time.\n' >own/.tandem/standards/locks.md
    chmod -R go= own
    before=$(umask)
    umask 000
    TANDEM_QUOTA_SERVICES=build=5/minute serve own
    umask "$before"
    run 0 call pos_workflow action=start workflow_type=bug_fix_v1 target_file=src/a.c --root own
    run 0 call acquire_quota service=build --root own
    run 0 call record_tool_outcome tool_name=build output='error: x is not there' exit_code:=1 --root own
    until run 0 call search_standards query=locks --explain --root own && [[ $out == *"generation 1"* ]]; do :; done
    loose=$(find own/.tandem -perm /077 | xargs)
    kill "${servers[-1]}" && ends "${servers[-1]}"
    loose+=$(find own/.tandem -perm /077 | xargs)
    [ -z "$loose" ] || problem="others may read or write $loose"
    has "$(find own/.tandem -type f)" own/.tandem/index/ && has "$(find own/.tandem -type f)" own/.tandem/state/
}

for name in mistakes_have_status_2 help_goes_to_standard_output settings_say_where_they_come_from \
    a_broken_file_names_line_and_column without_a_server with_a_server one_server_a_project windows_need_the_project_s_own_token \
    a_server_without_http_takes_no_windows what_it_writes_is_its_owner_s \
    a_given_token_is_the_only_one what_waits_is_answered_once a_signal_ends_it_and_cleans_up a_killed_server_is_no_server a_unix_socket ports_are_not_shared \
    a_race_for_one_project_has_one_winner the_range_can_be_exhausted a_wider_address_must_be_meant \
    a_loose_token_is_refused a_weak_state_key_is_refused the_prior_art_is_served_in_place end_of_input_is_the_end \
    it_lingers_if_told_to check_tells_every_problem check_knows_standards_and_projects check_knows_the_helpdesk events_are_watched a_call_in_flight_is_waited_for patience_ends_with_the_drain \
    a_second_signal_ends_it_at_once; do
    test_ "$name"
done
