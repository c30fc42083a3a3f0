/* fault_scenarios.c -- what servers are asked while a call fails: the twelve scenarios, in one
 * table. */
#include "tests/fault_rig.h"

#include "tests/ws_client.h"

#include <stdio.h>
#include <unistd.h>

/* ---- Clients ---- */

static enum said
gone_or_late(int64_t start)
{
    return now_ns() - start > STEP_PATIENCE ? SAID_NOTHING : SAID_CLOSED;
}

#define HELLO                                                                                  \
    "{\"jsonrpc\":\"2.0\",\"id\":\"hello\",\"method\":\"initialize\",\"params\":{"             \
    "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"ide\"," \
    "\"version\":\"1\"}}}"
#define READY "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"

/* Sends a request on stdio, and reads the answer with its id, a text; null 'line' just reads. */
static enum said
ask_stdio(struct play *p, const char *line, const char *id, json_t **result)
{
    int64_t start = now_ns();
    json_t *message = NULL;

    if (result) {
        *result = NULL;
    }
    if (line && !server_send(&p->server, "%s", line)) {
        return SAID_CLOSED;
    }
    do {
        const char *answers;

        json_decref(message);
        message = server_read(&p->server, start + STEP_PATIENCE + SECOND);
        answers = json_string_value(json_object_get(message, "id"));
        if (answers && strcmp(answers, id) == 0) {
            return play_result(p, message, result);
        }
    } while (message);
    return gone_or_late(start);
}

/* A legacy MCP session over HTTP: opened, used, ended. */
struct session {
    char headers[300];
};

static enum said
post(struct play *p, const struct session *s, const char *body, json_t **result)
{
    struct http_reply reply = {.status = 0};
    enum said said = play_http(p, "POST", p->server.info.path, s->headers, body, &reply);

    if (result) {
        *result = NULL;
    }
    if (said == SAID_RIGHT) {
        said = play_result(
            p, reply.body.data ? json_loadb(reply.body.data, reply.body.len, 0, NULL) : NULL,
            result);
    }
    http_reply_fini(&reply);
    return said;
}

static enum said
open_session(struct play *p, struct session *s)
{
    static const char *const accept = "Accept: application/json, text/event-stream\r\n";
    struct http_reply reply = {.status = 0};
    char id[160] = "";
    enum said said = play_http(p, "POST", p->server.info.path, accept, HELLO, &reply);

    if (said == SAID_RIGHT) {
        said = play_result(
            p, reply.body.data ? json_loadb(reply.body.data, reply.body.len, 0, NULL) : NULL, NULL);
    }
    if (said == SAID_RIGHT && !http_reply_header(&reply, "mcp-session-id", id, sizeof id)) {
        said = play_wrong(p, "initialize gave no session");
    }
    snprintf(s->headers, sizeof s->headers,
             "%sMCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: %s\r\n", accept, id);
    if (said == SAID_RIGHT) {
        said = play_http(p, "POST", p->server.info.path, s->headers, READY, &reply);
    }
    if (said == SAID_RIGHT && reply.status != 202) {
        said = play_result(
            p, reply.body.data ? json_loadb(reply.body.data, reply.body.len, 0, NULL) : NULL, NULL);
    }
    http_reply_fini(&reply);
    return said;
}

static enum said
end_session(struct play *p, const struct session *s)
{
    struct http_reply reply = {.status = 0};
    enum said said = play_http(p, "DELETE", p->server.info.path, s->headers, NULL, &reply);

    if (said == SAID_RIGHT && reply.status != 204) {
        said = play_result(
            p, reply.body.data ? json_loadb(reply.body.data, reply.body.len, 0, NULL) : NULL, NULL);
    }
    http_reply_fini(&reply);
    return said;
}

/* 'said', unless 'result' has no such text.  Steals 'result'. */
static enum said
holds(struct play *p, enum said said, json_t *result, const char *text)
{
    char *all = said ? NULL : json_dumps(result, JSON_COMPACT);

    if (all && !strstr(all, text)) {
        said = play_wrong(p, "no %s in %.300s", text, all);
    }
    free(all);
    json_decref(result);
    return said;
}

/* ---- 1: start, and the first words over stdio ---- */

static enum said
introduce(struct play *p)
{
    json_t *result = NULL;
    enum said said = ask_stdio(p, HELLO, "hello", &result);

    if (said == SAID_RIGHT && !server_send(&p->server, READY)) {
        said = SAID_CLOSED;
    }
    return holds(p, said, result, "\"tandem\"");
}

/* Asks on stdio; a server that has been started meanwhile has not been told who asks. */
static enum said
ask_introduced(struct play *p, const char *line, const char *id, json_t **result)
{
    enum said said = ask_stdio(p, line, id, result);

    if (said == SAID_ERROR && strstr(p->why, "initialize has not been sent")) {
        said = introduce(p);
        said = said ? said : ask_stdio(p, line, id, result);
    }
    return said;
}

static enum said
list_tools(struct play *p)
{
    json_t *result = NULL;
    enum said said = ask_introduced(
        p, "{\"jsonrpc\":\"2.0\",\"id\":\"list\",\"method\":\"tools/list\"}", "list", &result);

    return holds(p, said, result, "\"pos_workflow\"");
}

/* ---- 2: a tool of fixed words by POST, in both eras ---- */

static enum said
echo_legacy(struct play *p)
{
    struct session s;
    json_t *result = NULL;
    enum said said = open_session(p, &s);

    if (said == SAID_RIGHT) {
        said = post(p, &s,
                    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":"
                    "\"test_simple_text\",\"arguments\":{}}}",
                    &result);
    }
    said = holds(p, said, result, "simple text");
    return said ? said : end_session(p, &s);
}

static enum said
echo_modern(struct play *p)
{
    const struct session s = {"Accept: application/json, text/event-stream\r\n"
                              "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n"
                              "Mcp-Name: test_simple_text\r\n"};
    json_t *result = NULL;
    enum said said = post(p, &s,
                          "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"method\":\"tools/call\",\"params\":"
                          "{\"name\":\"test_simple_text\",\"arguments\":{}," MODERN_META "}}",
                          &result);

    return holds(p, said, result, "simple text");
}

/* ---- 3: a workflow session ---- */

static enum said workflow(struct play *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static enum said
workflow(struct play *p, const char *format, ...)
{
    char body[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(body, sizeof body, format, args);
    va_end(args);
    return play_expect(p, "pos_workflow", body, "\"status\":\"success\"");
}

static enum said
start_workflow(struct play *p)
{
    json_t *answer;
    enum said said = play_call(p, "pos_workflow",
                               "{\"action\":\"start\",\"workflow_type\":\"bug_fix_v1\","
                               "\"target_file\":\"src/calendar.c\"}",
                               &answer);
    const char *id = json_string_value(json_object_get(answer, "session_id"));

    if (said == SAID_RIGHT && !id) {
        said = play_wrong(p, "start gave no session_id");
    }
    snprintf(p->id, sizeof p->id, "%s", id ? id : "");
    json_decref(answer);
    return said;
}

static enum said
get_task(struct play *p)
{
    return workflow(
        p, "{\"action\":\"get_task\",\"session_id\":\"%s\",\"phase\":0,\"task_number\":1}", p->id);
}

/* The gate refuses, and that is the right answer. */
static enum said
fail_gate(struct play *p)
{
    json_t *answer;
    char body[256];
    enum said said;

    snprintf(body, sizeof body,
             "{\"action\":\"complete_phase\",\"session_id\":\"%s\",\"phase\":0,\"evidence\":"
             "{\"claim\":true}}",
             p->id);
    said = play_call(p, "pos_workflow", body, &answer);
    if (said == SAID_ERROR && strstr(p->why, "the evidence for phase 0 was refused")) {
        said = SAID_RIGHT;
    } else if (said == SAID_RIGHT) {
        said = play_wrong(p, "the gate let a claim pass");
    }
    json_decref(answer);
    return said;
}

static enum said
complete_phase(struct play *p)
{
    return workflow(
        p, "{\"action\":\"complete_phase\",\"session_id\":\"%s\",\"phase\":0,\"evidence\":%s}",
        p->id, bug_fix_evidence[0]);
}

static enum said
pause_workflow(struct play *p)
{
    return workflow(p, "{\"action\":\"pause\",\"session_id\":\"%s\",\"checkpoint_note\":\"later\"}",
                    p->id);
}

static enum said
look_at_sessions(struct play *p, struct buf *out)
{
    json_t *list, *session;
    size_t i;
    enum said said = play_call(p, "pos_workflow", "{\"action\":\"list_sessions\"}", &list);

    json_array_foreach(json_object_get(list, "sessions"), i, session) {
        char body[128];
        json_t *answer, *state;

        snprintf(p->id, sizeof p->id, "%s",
                 json_string_value(json_object_get(session, "session_id")));
        snprintf(body, sizeof body, "{\"action\":\"get_state\",\"session_id\":\"%s\"}", p->id);
        said = play_call(p, "pos_workflow", body, &answer);
        state = json_object_get(answer, "workflow_state");
        buf_addf(out, "%s: %s, phase %lld, %zu completed, revision %lld; ",
                 json_string_value(json_object_get(session, "target_file")),
                 json_string_value(json_object_get(state, "session_status")),
                 (long long)json_integer_value(json_object_get(state, "current_phase")),
                 json_array_size(json_object_get(state, "completed_phases")),
                 (long long)json_integer_value(json_object_get(state, "revision")));
        json_decref(answer);
        if (said) {
            break;
        }
    }
    json_decref(list);
    buf_adds(out, ".");
    return said;
}

/* ---- 4: standards that appear, are indexed and found ---- */

#define LOCKS "# Locks\n\n## Order\n\nTake the registry's lock before that of a session.\n"
#define QUERY "{\"query\":\"order of locks\"}"

/* Asks until the answer holds 'text'. */
static enum said
search_until(struct play *p, const char *query, const char *text)
{
    int64_t start = now_ns();

    for (;;) {
        json_t *answer;
        enum said said = play_call(p, "search_standards", query, &answer);
        char *all = said ? NULL : json_dumps(answer, JSON_COMPACT);
        bool found = all && strstr(all, text);

        if (!said && !found && now_ns() - start > STEP_PATIENCE) {
            said = play_wrong(p, "no %s in %.300s", text, all);
        }
        free(all);
        json_decref(answer);
        if (said || found) {
            return said;
        }
        look_again_soon();
    }
}

static enum said
index_standards(struct play *p)
{
    play_write(p, ".tandem/standards/locks.md", LOCKS);
    play_write(p, ".tandem/standards/tests.md", "# Tests\n\nA test ends by itself.\n");
    return search_until(p, QUERY, "registry's lock");
}

static enum said
search_index(struct play *p)
{
    return search_until(p, QUERY, "\"retrieval_method\":\"index\"");
}

static enum said
search_again(struct play *p)
{
    return search_until(p, QUERY, "\"cache_hit\":true");
}

static enum said
edit_standard(struct play *p)
{
    play_write(p, ".tandem/standards/locks.md", LOCKS "\nNobody waits while holding two.\n");
    return search_until(p, "{\"query\":\"waits while holding two\"}", "holding two");
}

/* ---- 5: events, by SSE and by the relay ---- */

static enum said
publish(struct play *p, const char *topic)
{
    char body[96];

    snprintf(body, sizeof body, "{\"topic\":\"%s\",\"data\":{\"ok\":true}}", topic);
    return play_expect(p, "publish_event", body, "\"accepted\"");
}

/* Connects; the descriptor is -1 if that is refused. */
static bool
connect_client(struct play *p, struct client *c)
{
    *c = (struct client){.fd = http_connect(&p->server.info)};
    return c->fd >= 0;
}

static enum said
follow_by_sse(struct play *p)
{
    int64_t start = now_ns();
    struct client c;
    char *request;
    enum said said = SAID_RIGHT;

    if (!connect_client(p, &c)) {
        return SAID_CLOSED;
    }
    request = xasprintf("GET /events?pattern=build.*&last=0 HTTP/1.1\r\nHost: localhost\r\n"
                        "Authorization: Bearer %s\r\n\r\n",
                        p->server.info.token);
    if (!client_sends(&c, request) || !client_until(&c, "HTTP/1.1 ", STEP_PATIENCE / SECOND)) {
        said = gone_or_late(start);
    } else if (strncmp(c.in.data + c.at, "200", 3) != 0) {
        said = client_until(&c, "\"remedy\":", STEP_PATIENCE / SECOND) ? SAID_ERROR
                                                                       : gone_or_late(start);
    } else if (!client_until(&c, "event: welcome", STEP_PATIENCE / SECOND)) {
        said = gone_or_late(start);
    }
    if (said == SAID_RIGHT) {
        said = publish(p, "build.sse");
    }
    if (said == SAID_RIGHT && !client_until(&c, "build.sse", STEP_PATIENCE / SECOND)) {
        said = gone_or_late(start);
    }
    free(request);
    client_close(&c);
    return said;
}

/* Reads frames until one holds 'text'. */
static enum said
await_frame(struct play *p, struct client *c, const char *text)
{
    int64_t start = now_ns();
    char *message;

    while ((message = ws_message(c, STEP_PATIENCE / SECOND, NULL)) != NULL) {
        bool found = strstr(message, text), error = strstr(message, "\"error\"");

        snprintf(p->why, sizeof p->why, "%s", message);
        free(message);
        if (found || error) {
            return found ? SAID_RIGHT : SAID_ERROR;
        }
    }
    return gone_or_late(start);
}

/* Shakes hands at 'path'.  A refusal is an HTTP answer. */
static enum said
shake(struct play *p, struct client *c, const char *path, const char *subprotocol,
      const char *token)
{
    int status;

    if (!connect_client(p, c)) {
        return SAID_CLOSED;
    }
    status = ws_shake_at(c, path, subprotocol, token);
    snprintf(p->why, sizeof p->why, "handshake: status %d", status);
    return status == 101 ? SAID_RIGHT
           : status > 0  ? SAID_ERROR
           : status < 0  ? SAID_NOTHING
                         : SAID_CLOSED;
}

static enum said
follow_by_relay(struct play *p)
{
    struct client c;
    char hello[256];
    enum said said = shake(p, &c, "/ws", "", p->server.info.token);

    snprintf(hello, sizeof hello,
             "{\"type\":\"hello\",\"token\":\"%s\",\"patterns\":[\"build.*\"]}",
             p->server.info.token);
    if (said == SAID_RIGHT && !ws_text(&c, hello)) {
        said = SAID_CLOSED;
    }
    if (said == SAID_RIGHT) {
        said = await_frame(p, &c, "\"welcome\"");
    }
    if (said == SAID_RIGHT) {
        said = publish(p, "build.ws");
    }
    if (said == SAID_RIGHT) {
        said = await_frame(p, &c, "build.ws");
    }
    if (c.fd >= 0) {
        ws_leave(&c, 1000);
    }
    client_close(&c);
    return said;
}

/* ---- 6: a quota ---- */

static enum said
store_quotas(struct play *p)
{
    json_t *answer;
    enum said said = play_call(p, "sync_quotas", "{}", &answer);

    json_decref(answer);
    return said;
}

static enum said
look_at_quota(struct play *p, struct buf *out)
{
    json_t *answer;
    enum said said = play_call(p, "check_quota", "{\"service\":\"svc\"}", &answer);

    buf_addf(out, "%lld used", (long long)json_integer_value(json_object_get(answer, "used")));
    json_decref(answer);
    return said;
}

/* ---- 7: a failure, what mended it, and the lesson ---- */

/* Failures are kept in memory, so both halves are one step; and lessons are written behind: the
 * step is done when all of this one is on disk. */
static enum said
learn(struct play *p)
{
    int64_t start = now_ns();
    json_t *answer;
    enum said said = play_expect(p, "record_tool_outcome",
                                 "{\"tool_name\":\"Bash\",\"output\":\"1 failed, 2 passed\","
                                 "\"exit_code\":1,\"context\":{\"agent_type\":\"qa\",\"command\":"
                                 "\"pytest\"}}",
                                 "\"failure\"");

    if (said) {
        return said;
    }
    said = play_call(p, "record_tool_outcome",
                     "{\"tool_name\":\"Bash\",\"output\":\"3 passed\",\"note\":\"the century "
                     "rule was wrong\",\"context\":{\"agent_type\":\"qa\",\"command\":"
                     "\"pytest\"}}",
                     &answer);
    if (said == SAID_RIGHT && !json_object_get(answer, "learning")) {
        snprintf(p->why, sizeof p->why, "it was mended, but there is no lesson");
        said = SAID_ERROR;
    }
    json_decref(answer);
    while (said == SAID_RIGHT && !play_holds(p, ".tandem/learnings/qa.jsonl", "}\n")) {
        if (now_ns() - start > STEP_PATIENCE) {
            said = play_wrong(p, "the lesson is not written");
        } else if (!server_alive(&p->server)) {
            said = SAID_CLOSED;
        }
        look_again_soon();
    }
    return said;
}

static enum said
look_at_lessons(struct play *p, struct buf *out)
{
    json_t *lessons;
    enum said said = play_call(p, "get_learnings", "{\"target\":\"qa\"}", &lessons);

    buf_addf(out, "%zu lessons", json_array_size(json_object_get(lessons, "learnings")));
    json_decref(lessons);
    return said;
}

/* ---- 8: a tenant ---- */

#define TENANT_SHAPE                                                                            \
    "\"client\":{\"id\":\"acme\",\"name\":\"%s\",\"short_name\":\"Acme\",\"timezone\":\"UTC\"," \
    "\"currency\":\"EUR\"}"

#define OTHER_TENANT                                                                             \
    "\"client\":{\"id\":\"other\",\"name\":\"Other\",\"short_name\":\"O\",\"timezone\":\"UTC\"," \
    "\"currency\":\"EUR\"}"

static void
make_tenant(struct play *p)
{
    char text[512];

    snprintf(text, sizeof text, "{" TENANT_SHAPE "}\n", "Acme Ltd");
    play_write(p, ".tandem/tenants/acme.json", text);
}

static enum said
look_at_tenants(struct play *p, struct buf *out)
{
    json_t *list, *settings = NULL;
    const char *colour;
    enum said said = play_call(p, "list_tenants", "{}", &list);
    char *text = said ? NULL : json_dumps(json_object_get(list, "tenants"), JSON_COMPACT);

    if (said == SAID_RIGHT) {
        said = play_call(p, "get_tenant_config", "{\"client_id\":\"acme\"}", &settings);
    }
    free(text);
    text = settings ? json_dumps(settings, JSON_COMPACT) : NULL;
    colour = text && strstr(text, "\"red\"") ? "red" : "none";
    buf_addf(out, "%zu tenants, colour %s", json_array_size(json_object_get(list, "tenants")),
             colour);
    free(text);
    json_decref(list);
    json_decref(settings);
    return said;
}

/* ---- 9: settings, read anew ---- */

static enum said
reload_settings(struct play *p)
{
    play_write(p, ".tandem/config.json", "{\"drain\": \"7s\", \"linger\": false}\n");
    return play_expect(p, "reload_config", "{}", "\"version\"");
}

/* ---- 10: a resource that somebody waits for ---- */

static void
make_standard(struct play *p)
{
    play_write(p, ".tandem/standards/locks.md", LOCKS);
}

static enum said
be_told(struct play *p)
{
    int64_t start;
    json_t *message = NULL;
    enum said said = ask_stdio(p, HELLO, "hello", NULL);

    if (said == SAID_ERROR && strstr(p->why, "initialized already")) {
        said = SAID_RIGHT; /* The step is done again. */
    }
    if (said == SAID_RIGHT) {
        server_send(&p->server, READY);
        said = ask_stdio(p,
                         "{\"jsonrpc\":\"2.0\",\"id\":\"sub\",\"method\":\"resources/subscribe\","
                         "\"params\":{\"uri\":\"tandem://standard/locks.md\"}}",
                         "sub", NULL);
    }
    if (said) {
        return said;
    }
    play_write(p, ".tandem/standards/locks.md", LOCKS "\nNobody waits while holding two.\n");
    start = now_ns();
    do {
        const char *method;

        json_decref(message);
        message = server_read(&p->server, start + STEP_PATIENCE + SECOND);
        method = json_string_value(json_object_get(message, "method"));
        if (method && strcmp(method, "notifications/resources/updated") == 0) {
            json_decref(message);
            return SAID_RIGHT;
        }
    } while (message);
    return gone_or_late(start);
}

static enum said
read_resource(struct play *p)
{
    json_t *result = NULL;
    enum said said =
        ask_introduced(p,
                       "{\"jsonrpc\":\"2.0\",\"id\":\"read\",\"method\":\"resources/read\","
                       "\"params\":{\"uri\":\"tandem://standard/locks.md\"}}",
                       "read", &result);

    return holds(p, said, result, "holding two");
}

/* ---- 11: MCP tasks ---- */

/* Starts a task by 'call', and waits until its status is 'status'; 'cancel' it first. */
static enum said
run_task(struct play *p, const char *call, bool cancel, const char *status)
{
    struct session s;
    json_t *result = NULL;
    char id[80] = "", body[512];
    int64_t start = now_ns();
    enum said said = open_session(p, &s);

    snprintf(body, sizeof body,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{%s,\"task\":"
             "{\"ttl\":60000}}}",
             call);
    if (said == SAID_RIGHT) {
        said = post(p, &s, body, &result);
    }
    if (said == SAID_RIGHT) {
        const char *text =
            json_string_value(json_object_get(json_object_get(result, "task"), "taskId"));
        snprintf(id, sizeof id, "%s", text ? text : "");
        said = text ? SAID_RIGHT : play_wrong(p, "no task was made");
    }
    json_decref(result);
    for (bool first = true; said == SAID_RIGHT; first = false) {
        const char *is;

        snprintf(body, sizeof body,
                 "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tasks/%s\",\"params\":{\"taskId\":"
                 "\"%s\"}}",
                 first && cancel ? "cancel" : "get", id);
        said = post(p, &s, body, &result);
        is = json_string_value(json_object_get(result, "status"));
        if (is && strcmp(is, status) == 0) {
            json_decref(result);
            break;
        }
        if (is && strcmp(is, "failed") == 0) { /* Which is how a task tells an error. */
            const char *why = json_string_value(json_object_get(result, "statusMessage"));

            snprintf(p->why, sizeof p->why, "%s", why ? why : "");
            said = why && *why ? SAID_ERROR : play_wrong(p, "a task failed without a word");
        } else if (said == SAID_RIGHT && now_ns() - start > STEP_PATIENCE) {
            said = play_wrong(p, "the task is %s, not %s", is ? is : "nothing", status);
        }
        json_decref(result);
    }
    if (said == SAID_RIGHT && !cancel) {
        snprintf(body, sizeof body,
                 "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tasks/result\",\"params\":{"
                 "\"taskId\":\"%s\"}}",
                 id);
        said = post(p, &s, body, &result);
        said = holds(p, said, result, "bug_fix_v1");
    }
    return said ? said : end_session(p, &s);
}

static enum said
finish_task(struct play *p)
{
    return run_task(p, "\"name\":\"pos_workflow\",\"arguments\":{\"action\":\"list_workflows\"}",
                    false, "completed");
}

static enum said
cancel_task(struct play *p)
{
    return run_task(p, "\"name\":\"slow_compute\",\"arguments\":{\"seconds\":50}", true,
                    "cancelled");
}

/* ---- 12: MCP over WebSocket ---- */

/* Sends a message, and reads the answer to a request. */
static enum said
ask_websocket(struct play *p, struct client *c, const char *message, json_t **result)
{
    int64_t start = now_ns();
    char *text;
    enum said said;

    if (result) {
        *result = NULL;
    }
    if (!ws_text(c, message)) {
        return SAID_CLOSED;
    }
    while ((text = ws_message(c, STEP_PATIENCE / SECOND, NULL)) &&
           strstr(text, "\"method\":\"notifications/")) {
        free(text);
    }
    said = text ? play_result(p, json_loads(text, 0, NULL), result) : gone_or_late(start);
    free(text);
    return said;
}

static enum said
talk_by_websocket(struct play *p)
{
    struct client c;
    json_t *result = NULL;
    enum said said = shake(p, &c, p->server.info.path, "mcp", p->server.info.token);

    if (said == SAID_RIGHT) {
        said = ask_websocket(p, &c, HELLO, NULL);
    }
    if (said == SAID_RIGHT) {
        ws_text(&c, READY);
        said = ask_websocket(p, &c,
                             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{"
                             "\"name\":\"test_simple_text\",\"arguments\":{}}}",
                             &result);
    }
    said = holds(p, said, result, "simple text");
    if (c.fd >= 0) {
        ws_leave(&c, 1000);
        if (said == SAID_RIGHT && ws_next(&c, STEP_PATIENCE / SECOND).opcode != WS_CLOSE) {
            said = SAID_CLOSED;
        }
    }
    client_close(&c);
    return said;
}

static enum said
talk_modern_by_websocket(struct play *p)
{
    struct client c;
    json_t *result = NULL;
    enum said said = shake(p, &c, p->server.info.path, "mcp", p->server.info.token);

    if (said == SAID_RIGHT) {
        said = ask_websocket(p, &c,
                             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{"
                             "\"name\":\"test_simple_text\",\"arguments\":{}," MODERN_META "}}",
                             &result);
    }
    said = holds(p, said, result, "simple text");
    client_close(&c);
    return said;
}

/* ---- The table ---- */

/* A step that is one call by REST, whose answer holds a text. */
#define CALL(TOOL, BODY, TEXT) \
    {                          \
        NULL, TOOL, BODY, TEXT \
    }
#define ACQUIRE CALL("acquire_quota", "{\"service\":\"svc\",\"count\":3}", "\"allowed\":true")
#define READ_TENANT CALL("get_tenant_config", "{\"client_id\":\"acme\"}", "\"Acme")

/* What a file of a tenant has failed with is not kept: a step is done again at once. */
#define LISTEN "--listen", "127.0.0.1:0", "--tenant-negative-ttl-s", "0"
#define ARGS(...) ((const char *const[]){LISTEN, __VA_ARGS__, NULL})
static const char *const plain[] = {LISTEN, NULL};

const struct scenario fault_scenarios[] = {
    {"start", plain, .from_start = true,
     .steps = {{introduce}, {list_tools}, CALL("current_date", "{}", "\"iso_date\"")}},
    {"echo", ARGS("--groups", "conformance"), .steps = {{echo_legacy}, {echo_modern}}},
    {"workflow", plain,
     .steps = {{start_workflow}, {get_task}, {fail_gate}, {complete_phase}, {pause_workflow}},
     .look = look_at_sessions},
    {"standards", plain,
     .steps = {{index_standards}, {search_index}, {search_again}, {edit_standard}}},
    {"events", plain,
     .steps = {{follow_by_sse},
               {follow_by_relay},
               CALL("get_recent_events", "{\"patterns\":[\"**\"]}", "\"events\"")}},
    {"quota", ARGS("--groups", "core,quota", "--quota-services", "svc=100/month"),
     .steps = {ACQUIRE,
               CALL("record_quota_usage", "{\"service\":\"svc\",\"count\":5}", "\"used\":"),
               CALL("release_quota", "{\"service\":\"svc\",\"count\":1}", "\"used\":"),
               {store_quotas},
               ACQUIRE},
     .look = look_at_quota},
    {"failures", ARGS("--groups", "full"),
     .steps = {{learn}, CALL("get_learnings", "{\"target\":\"qa\"}", "century rule")},
     .look = look_at_lessons},
    {"tenant", ARGS("--groups", "core,tenant"), .prepare = make_tenant,
     .steps = {READ_TENANT,
               CALL("set_tenant_config",
                    "{\"client_id\":\"acme\",\"config\":{\"branding\":{\"colour\":\"red\"}},"
                    "\"merge\":true}",
                    "\""),
               CALL("reload_tenant_config", "{\"client_id\":\"acme\"}", "\""), READ_TENANT,
               CALL("set_tenant_config", "{\"client_id\":\"other\",\"config\":{" OTHER_TENANT "}}",
                    "\"")},
     .look = look_at_tenants},
    {"settings", ARGS("--groups", "full"),
     .steps = {{reload_settings},
               CALL("get_config", "{\"key\":\"drain\"}", "7s"),
               CALL("set_config", "{\"key\":\"log_level\",\"value\":\"warn\"}", "\"version\""),
               CALL("validate_config", "{}", "\"")}},
    {"subscription", plain, .prepare = make_standard, .steps = {{be_told}, {read_resource}}},
    {"task", ARGS("--groups", "core,conformance"), .steps = {{finish_task}, {cancel_task}}},
    {"websocket", ARGS("--groups", "conformance"),
     .steps = {{talk_by_websocket}, {talk_modern_by_websocket}}},
};
const unsigned fault_scenario_count = sizeof fault_scenarios / sizeof *fault_scenarios;
