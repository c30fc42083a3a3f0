/* ide.c -- what an IDE's client does, one line after the other. */
#include "tests/ide.h"

#include "tests/check.h"

#include <stdio.h>

void
ide_hold(struct ide *ide)
{
    ide->opened_ns = now_ns();
    ide->open++;
    if (!server_send(ide->server,
                     "{\"jsonrpc\":\"2.0\",\"id\":\"hold-%u\",\"method\":\"tools/"
                     "call\",\"params\":{\"name\":"
                     "\"get_server_info\",\"arguments\":{}}}",
                     ++ide->held)) {
        finding(ide->findings, "the IDE cannot write");
    }
}

bool
ide_take(struct ide *ide, json_int_t want)
{
    json_t *answer = server_read(ide->server, now_ns() + PATIENCE),
           *id = json_object_get(answer, "id");
    struct mcp_outcome outcome = {.result = NULL};
    const char *why = mcp_check_answer(answer, id, MCP_LEGACY, &outcome),
               *text = json_string_value(id);
    bool held = text && strncmp(text, "hold-", 5) == 0;

    if (why || outcome.is_error || (!held && json_integer_value(id) != want)) {
        char *dump = json_dumps(answer, JSON_COMPACT);
        finding(ide->findings, "the IDE got: %s: %.300s", why ? why : "", dump ? dump : "nothing");
        free(dump);
    }
    if (held) {
        int64_t open_ns = now_ns() - ide->opened_ns;
        ide->open--;
        ide->longest_open_ns = open_ns > ide->longest_open_ns ? open_ns : ide->longest_open_ns;
    }
    outcome_fini(&outcome);
    json_decref(answer);
    return held ? want < 0 : true;
}

void *
ide_run(void *arg)
{
    struct ide *ide = arg;
    json_int_t id = 1;

    while (!atomic_load(&ide->storm_over)) {
        int64_t start_ns = now_ns();
        if (!server_send(
                ide->server,
                "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"method\":\"tools/call\",\"params\":{\"name\":"
                "\"pos_workflow\",\"arguments\":{\"action\":\"list_workflows\"}}}",
                (long long)id)) {
            finding(ide->findings, "the IDE cannot write");
            break;
        }
        while (!ide_take(ide, id)) {
        }
        samples_add(&ide->samples, now_ns() - start_ns);
        ide->others++;
        id++;
        if (ide->open == 0) {
            ide_hold(ide);
        }
    }
    return NULL;
}

void
ide_initialize(struct ide *ide)
{
    json_t *answer;

    CHECK(server_send(
        ide->server,
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
        "\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"ide\",\"version\":\"1\"}}"
        "}"));
    answer = server_read(ide->server, now_ns() + PATIENCE);
    CHECK_STR(
        json_string_value(json_object_get(json_object_get(answer, "result"), "protocolVersion")),
        "2025-11-25");
    json_decref(answer);
    CHECK(
        server_send(ide->server, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"));
}
