#!/usr/bin/env bash
# The form of the code is that of .clang-format.
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0

# Still to be brought into form.
later="
handlers/batch.c
handlers/dispatch.c
handlers/dispatch.h
handlers/dispatch_private.h
handlers/era.c
handlers/era.h
handlers/inflight.c
handlers/inflight.h
handlers/lifecycle.c
handlers/methods.c
handlers/methods.h
handlers/request.c
handlers/request.h
handlers/tool.h
handlers/tools.c
server/client.c
server/client.h
server/cmd_demo.c
server/cmd_settings.c
server/cmd_status.c
server/cmd_tools.c
server/command.h
server/context.h
server/core.h
server/discovery.h
server/listen.h
server/play.c
server/play.h
server/project.c
server/project.h
server/reach.h
server/serve.c
state/config.c
state/config.h
state/config_file.c
state/mcp_session.c
state/mcp_session.h
state/project_info.c
state/project_info.h
state/settings.c
state/settings.h
state/state.c
state/state.h
tests/bench/bench_start.c
tests/fake_git.c
tests/fake_git.h
tests/fakes.h
tests/harness.c
tests/harness.h
tests/harness_http.c
tests/harness_http.h
tests/harness_server.c
tests/harness_server.h
tests/stress/counters.c
tests/stress/crash.c
tests/stress/lifecycle.c
tests/stress/scenario.c
tests/threads.h
tests/unit/test_client.c
tests/unit/test_config.c
tests/unit/test_discovery.c
tests/unit/test_dispatch.c
tests/unit/test_era.c
tests/unit/test_inflight.c
tests/unit/test_listen.c
tests/unit/test_mcp_session.c
tests/unit/test_options.c
tests/unit/test_project.c
tests/unit/test_project_info.c
tests/unit/test_reach.c
transports/http_parser.h
transports/http_private.h
transports/transport.h
tests/unit/test_workflow.c
"

mapfile -t files < <(find state handlers transports server tests -name '*.[ch]' -not -path '*/node_modules/*' \
    -not -path 'tests/fixtures/*' | sort | grep -vxF -f <(grep . <<<"$later"))
if [ ${#files[@]} -gt 0 ] && ! clang-format --dry-run -Werror "${files[@]}" 2>/dev/null; then
    for file in "${files[@]}"; do
        clang-format --dry-run -Werror "$file" 2>/dev/null || echo "clang-format -i $file"
    done
    bad=1
fi
if [ $bad -eq 0 ]; then
    echo "ok clang_format"
else
    echo "not ok clang_format"
fi
exit $bad
