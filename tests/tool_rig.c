/* tool_rig.c -- serves a project and calls its tools. */
#include "tests/tool_rig.h"

#include "state/mcp_session.h"
#include "tests/check.h"

#include <stdio.h>
#include <string.h>

void
tool_rig_serve(struct tool_rig *rig, const char *groups)
{
    const struct dispatch_limits limits = {.json = JSON_LIMITS_INIT,
                                           .calls = 4096,
                                           .calls_per_session = 4096,
                                           .call_ns = 60000000000,
                                           .groups = groups};

    rig->pool = pool_create(4, 1, 4096);
    rig->dispatcher = dispatcher_create(rig->project.state, rig->pool, &limits);
    rig->connection =
        (struct envelope){.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};
}

void
tool_rig_init(struct tool_rig *rig, const char *groups)
{
    rig->secret = NULL;
    fake_project_init(&rig->project, NULL);
    tool_rig_serve(rig, groups);
}

void
tool_rig_fini(struct tool_rig *rig)
{
    pool_destroy(rig->pool);
    dispatcher_destroy(rig->dispatcher);
    mcp_session_unref(rig->connection.session);
    fake_project_fini(&rig->project);
}

static const char *
wait_for(struct tool_rig *rig, struct fake_sink *sink)
{
    const char *body = fake_sink_wait(sink);

    CHECK(!rig->secret || !strstr(body, rig->secret));
    return body;
}

json_t *
tool_rig_ask(struct tool_rig *rig, const char *tenant, const char *method, const char *params)
{
    char *named = tenant ? xasprintf(",\"dev.tandem/client-id\":\"%s\"", tenant) : xstrdup("");
    char *message =
        xasprintf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":{%s%s\"_meta\":{"
                  "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                  "\"io.modelcontextprotocol/clientCapabilities\":{}%s}}}",
                  method, params, *params ? "," : "", named);
    struct fake_sink sink;
    json_t *answer, *result;

    fake_sink_init(&sink);
    dispatch_message(rig->dispatcher, &rig->connection, slice_of(message), &sink.sink);
    answer = json_loads(wait_for(rig, &sink), JSON_REJECT_DUPLICATES, NULL);
    result = json_incref(json_object_get(answer, "result"));
    if (!result) {
        fail_msg("%s: %s", message, sink.body);
    }
    json_decref(answer);
    fake_sink_fini(&sink);
    free(message);
    free(named);
    return result;
}

json_t *
tool_rig_call(struct tool_rig *rig, const char *tenant, const char *tool, const char *arguments,
              const char *code)
{
    char *params = xasprintf("\"name\":\"%s\",\"arguments\":%s", tool, arguments);
    json_t *result = tool_rig_ask(rig, tenant, "tools/call", params);
    json_t *structured = json_incref(json_object_get(result, "structuredContent"));
    const char *text = json_string_value(
        json_object_get(json_array_get(json_object_get(result, "content"), 0), "text"));

    if (code) {
        CHECK(json_is_true(json_object_get(result, "isError")));
        structured = json_loads(text, 0, NULL);
        CHECK_STR(json_string_value(json_object_get(structured, "code")), code);
    } else if (!structured) {
        fail_msg("%s: %s", params, text);
    }
    json_decref(result);
    free(params);
    return structured;
}

void
tool_rig_expect(struct tool_rig *rig, const struct envelope *env, const char *tool,
                const char *arguments, int status, const char *want)
{
    struct fake_sink sink;
    const char *body;

    fake_sink_init(&sink);
    dispatch_tool(rig->dispatcher, env, slice_of(tool), slice_of(arguments), &sink.sink);
    body = wait_for(rig, &sink);
    if (sink.status != status || !strstr(body, want)) {
        fail_msg("%s %s\nwanted %d %s\ngot    %d %s", tool, arguments, status, want, sink.status,
                 body);
    }
    fake_sink_fini(&sink);
}
