#!/usr/bin/env bash
# test_setup.sh -- what "tandem setup" writes for each client, and that it can be undone to the byte.
# tests/fixtures/setup/CLIENT has the client's file as it was (before), and as it is to be with an
# entry that starts a server (stdio) and with one that uses a running one (http).
# With --update the two are written anew: look at what has changed before it is committed.
set -u
tandem=$(realpath "${TANDEM:-build/tandem}")
fixtures=$(realpath "$(dirname "$0")/../fixtures/setup")
top=$(mktemp -d /tmp/tandem-setup-XXXXXX)
export HOME=$top/home TANDEM_TOKEN=secret
unset XDG_CONFIG_HOME TANDEM_URL
project=$top/project
mkdir -p "$HOME" "$project/.tandem"
cd "$top" || exit 1
trap 'rm -rf "$top"' EXIT
update=
[ "${1:-}" = --update ] && update=yes

# run STATUS WORD...: runs tandem for the project, keeps its output in $out and $err.
run() {
    local wanted=$1 status
    shift
    "$tandem" "$@" --root "$project" >"$top/out" 2>"$top/err" </dev/null
    status=$?
    out=$(cat "$top/out")
    err=$(cat "$top/err")
    [ "$status" -eq "$wanted" ] || problem="tandem $*: status $status, not $wanted; said: $err"
}
has() { # has TEXT PART
    case $1 in
    *"$2"*) ;;
    *) problem="\"$2\" is not in: $1" ;;
    esac
}
same() { # same FILE FILE
    cmp -s "$1" "$2" || problem="$1 differs from $2: $(diff -a "$1" "$2" | head -20)"
}
# Puts names in the place of what differs from machine to machine.
general() {
    sed -e "s|$tandem|@TANDEM@|g" -e "s|$project|@ROOT@|g" "$1"
}
# file_of CLIENT SCOPE: the file that a client keeps its servers in.
file_of() {
    local line
    line=$("$tandem" setup | grep "^$1 " | cut -c33-)
    case $2 in
    project) line=${line%%, or *} ;;
    *) line=${line##*, or } ;;
    esac
    case $line in
    "~"*) echo "$HOME${line#\~}" ;;
    *) echo "$project/$line" ;;
    esac
}
test_() {
    problem=
    "$@"
    if [ -n "$problem" ]; then
        echo "not ok $*"
        echo "    $problem"
    else
        echo "ok $*"
    fi
}

# client_gets_its_entry CLIENT GOLDEN FILE OPTION...
client_gets_its_entry() {
    local client=$1 golden=$fixtures/$1/$2 before=$fixtures/$1/before file=$3 mode=640
    case $1-$2 in cline-http | zed-http | goose-http) mode=600 ;; esac # The token itself stands there.
    shift 3
    mkdir -p "$(dirname "$file")" && cp "$before" "$file" && chmod $mode "$file"
    run 0 setup "$client" "$@"
    same "$file" "$before"
    run 0 setup "$client" --write "$@"
    general "$file" >"$top/general"
    [ -n "$update" ] && cp "$top/general" "$golden"
    same "$top/general" "$golden"
    [ "$(stat -c %a "$file")" = $mode ] || problem="$file has mode $(stat -c %a "$file")"
    same "$file.before-tandem" "$before"
    run 0 setup "$client" --write "$@" && has "$out" "has this entry already"
    # A change of ours to a change of ours: what is kept is what was there before both.
    run 0 setup "$client" --write "$@" --root "$HOME"
    same "$file.before-tandem" "$before"
    run 0 setup "$client" --undo "$@" && has "$out" "is what it was before"
    same "$file" "$before"
    [ ! -e "$file.before-tandem" ] || problem="$file.before-tandem is still there"
    rm -f "$file"
}

a_new_file_is_private_and_goes_again() {
    run 0 setup vscode --write && has "$out" 'servers' && has "$out" "--- $project/.vscode/mcp.json
+++ $project/.vscode/mcp.json
@@ -0,0 +1"
    [ "$(stat -c %a "$project/.vscode/mcp.json")" = 600 ] || problem="mode $(stat -c %a "$project/.vscode/mcp.json")"
    run 0 setup vscode --undo && has "$out" "is gone"
    [ ! -e "$project/.vscode/mcp.json" ] || problem="it is still there"
    run 1 setup vscode --undo && has "$err" 'has no entry "tandem"'
}

what_others_changed_since_stays() {
    printf '{"servers": {\n  "a": 1\n}}\n' >"$project/.vscode/mcp.json"
    run 0 setup vscode --write
    sed -i 's/"a": 1/"a": 2/' "$project/.vscode/mcp.json"
    run 0 setup vscode --undo && has "$out" "the entry is taken out"
    printf '{"servers": {\n  "a": 2\n}}\n' >"$top/wanted"
    same "$project/.vscode/mcp.json" "$top/wanted"
}

a_link_stays_one() {
    mkdir -p "$top/dotfiles" "$HOME/.cursor"
    printf '{}\n' >"$top/dotfiles/mcp.json"
    ln -sf "$top/dotfiles/mcp.json" "$HOME/.cursor/mcp.json"
    run 0 setup cursor --scope user --write
    [ -L "$HOME/.cursor/mcp.json" ] || problem="the link is gone"
    has "$(cat "$top/dotfiles/mcp.json")" '"tandem"'
    run 0 setup cursor --scope user --undo
    has "$(cat "$top/dotfiles/mcp.json")" '{}'
    rm "$HOME/.cursor/mcp.json"
}

a_file_that_is_wrong_is_left_alone() {
    printf '{\n  "mcpServers": {\n    oops\n  }\n}\n' >"$project/.mcp.json"
    cp "$project/.mcp.json" "$top/wrong"
    run 1 setup claude-code --write && has "$err" ".mcp.json:3:5: here a key is to be" && has "$err" "left as it is"
    same "$project/.mcp.json" "$top/wrong"
    [ ! -e "$project/.mcp.json.before-tandem" ] || problem="something was kept of it"
    rm "$project/.mcp.json"
}

secrets_stay_out_of_projects() {
    run 1 setup zed --transport http --url http://127.0.0.1:4242/mcp --scope project --write
    has "$err" "the token would stand in a file of the project" && has "$err" "--scope user"
    [ ! -e "$project/.zed/settings.json" ] || problem="it was written"
    for client in claude-code vscode cursor gemini-cli codex opencode; do
        run 0 setup "$client" --transport http --url http://127.0.0.1:4242/mcp
        case $out in *secret*) problem="$client: $out" ;; esac
    done
}

# use_http CLIENT OPTION...: the entry of a server that runs already.
use_http() {
    echo setup "$1" --scope user --transport http --url http://127.0.0.1:4242/mcp "${@:2}"
}
a_token_is_for_its_owner_alone() {
    local file client mode
    # shellcheck disable=SC2046,SC2086
    for client in zed cline goose; do
        file=$(file_of $client user)
        mkdir -p "$(dirname "$file")" && cp "$fixtures/$client/before" "$file"
        for mode in 644 640 604; do
            chmod $mode "$file"
            run 1 $(use_http $client) && has "$err" "others can read" && has "$(echo $err)" "chmod 600 $file"
            run 1 $(use_http $client --write) && has "$err" "for you alone" && same "$file" "$fixtures/$client/before"
        done
        chmod 600 "$file"
        run 0 $(use_http $client --write) && has "$out" "Bearer (token)" && has "$(cat "$file")" "Bearer secret"
        case $out in *secret*) problem="$client: $out" ;; esac
        chmod 644 "$file"
        run 1 $(use_http $client) && has "$out" "has this entry already" && has "$(echo $err)" "chmod 600 $file"
        run 1 doctor $client && has "$out" "others can read" && has "$(echo $out)" "chmod 600 $file"
        rm "$file" "$file.before-tandem"
        run 0 $(use_http $client --write)
        [ "$(stat -c %a "$file")" = 600 ] || problem="$file has mode $(stat -c %a "$file")"
        run 0 setup $client --scope user --undo && has "$out" "is gone"
    done
}

what_variable_the_client_reads_is_its_owners_choice() {
    local client file old
    # shellcheck disable=SC2046
    for client in claude-code vscode cursor windsurf roo-code gemini-cli codex continue opencode; do
        file=$(file_of $client user)
        run 0 $(use_http $client --write)
        sed -i 's/TANDEM_TOKEN/MY_TOKEN/; s/4242/4243/' "$file"
        old=$(cat "$file")
        run 0 $(use_http $client --write) && has "$(cat "$file")" "MY_TOKEN"
        [ "$(cat "$file")" = "${old/4243/4242}" ] || problem="$client: $(cat "$file")"
        rm -f "$file" "$file.before-tandem"
    done
}

mistakes_are_told() {
    run 2 setup vscod && has "$err" "did you mean vscode?"
    run 2 setup vscode --scope team && has "$err" "--scope is project or user"
    run 2 setup vscode --transport ws && has "$err" "--transport is stdio or http"
    run 2 setup vscode --write --undo && has "$err" "exclude each other"
    run 1 setup claude-desktop --transport http --url http://127.0.0.1:1/ && has "$err" "does not take their URL"
    run 1 setup claude-desktop --scope project && has "$err" "add --scope user"
    unset TANDEM_URL
    run 1 setup vscode --transport http && has "$err" "start one with: tandem serve"
    run 0 setup && has "$out" "goose           Goose           ~/.config/goose/config.yaml"
}

the_doctor_sees_what_a_client_sees() {
    run 1 doctor && has "$out" "no client has an entry" && has "$out" "1 finding"
    run 0 setup vscode --write
    run 0 setup goose --write
    run 0 doctor && has "$out" "ok   vscode" && has "$out" "ok   goose" && has "$out" "in both eras" && has "$out" "no finding"
    run 0 doctor vscode && has "$out" "sandbox         auto: a server " && has "$out" "     system calls: "
    run 0 doctor vscode --sandbox off && has "$out" "note sandbox         off: a server keeps all"
    sed -i 's/"serve"/"serv"/' "$project/.vscode/mcp.json"
    run 1 doctor && has "$out" "BAD  vscode" && has "$out" "it could not start" && has "$out" "ok   goose" && has "$out" "1 finding"
    sed -i 's|"command": .*|"command": "tandem",|' "$project/.vscode/mcp.json"
    run 1 doctor vscode && has "$out" "no absolute path" && has "$out" "tandem setup vscode --write"
    sed -i 's|"command": .*|"command": "/no/such",|' "$project/.vscode/mcp.json"
    run 1 doctor vscode && has "$out" "there is no program /no/such"
    sed -i 's|"args": .*|"args": ["serve"]|;s|"command": .*|"command": "/bin/true",|' "$project/.vscode/mcp.json"
    run 1 doctor vscode && has "$out" "names no project (--root)"
    sed -i 's|"args": .*|"args": ["--root", "x"]|' "$project/.vscode/mcp.json"
    run 1 doctor vscode && has "$out" "initialize: no answer"
    echo '{' >"$project/.vscode/mcp.json"
    run 1 doctor vscode && has "$out" "mcp.json:2:1: here a key is to be"
    run 2 doctor nobody && has "$err" 'no client "nobody"'
    rm "$project/.vscode/mcp.json" "$HOME/.config/goose/config.yaml"
}

the_doctor_asks_by_http() {
    local pid url
    unset TANDEM_TOKEN
    "$tandem" serve --root "$project" --transport http --listen 127.0.0.1:0 </dev/null >"$top/log.out" 2>"$top/log" &
    pid=$!
    until run 0 status && [[ $out == *http* ]]; do
        kill -0 "$pid" || break
    done
    problem=
    run 0 setup gemini-cli --transport http --write && has "$out" 'Bearer $TANDEM_TOKEN'
    run 0 setup zed --scope user --transport http --write
    run 1 doctor && has "$out" "BAD  gemini-cli" && has "$out" "asks for a token" && has "$out" "tandem env" && has "$out" "ok   zed"
    export TANDEM_TOKEN=wrong
    run 1 doctor gemini-cli && has "$out" "asks for another token"
    TANDEM_TOKEN=$(cat "$project/.tandem/token")
    run 0 doctor && has "$out" "ok   gemini-cli" && has "$out" "answers by HTTP" && has "$out" "no finding"
    sed -i 's/TANDEM_TOKEN/MY_TOKEN/' "$project/.gemini/settings.json"
    run 1 doctor gemini-cli && has "$out" "set MY_TOKEN where the client starts"
    MY_TOKEN=$TANDEM_TOKEN run 0 doctor gemini-cli
    # Each handshake that succeeded has opened a session, and ended it.
    has "$("$tandem" call get_server_info --root "$project" | tr -d ' \n')" '"mcp_sessions":{"live":0,"started":4,"ended":4,'
    kill "$pid"
    wait "$pid"
    run 1 doctor gemini-cli && has "$out" "cannot be reached"
    export TANDEM_TOKEN=secret
}

for folder in "$fixtures"/*/; do
    client=$(basename "$folder")
    scope=project
    [ "$(file_of "$client" project)" = "$(file_of "$client" user)" ] && scope=user
    test_ client_gets_its_entry "$client" stdio "$(file_of "$client" $scope)" --scope $scope
    if [ "$client" != claude-desktop ]; then
        test_ client_gets_its_entry "$client" http "$(file_of "$client" user)" --scope user --transport http \
            --url http://127.0.0.1:4242/mcp
    fi
done
for name in a_new_file_is_private_and_goes_again what_others_changed_since_stays a_link_stays_one \
    a_file_that_is_wrong_is_left_alone secrets_stay_out_of_projects a_token_is_for_its_owner_alone \
    what_variable_the_client_reads_is_its_owners_choice mistakes_are_told the_doctor_sees_what_a_client_sees the_doctor_asks_by_http; do
    test_ "$name"
done
