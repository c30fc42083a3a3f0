/* test_tools_list.c -- tools/list as clients of each revision get it: small, in the profile that
 * every client takes, and the same bytes whoever asks, however often, after whatever, and from
 * another server.  Agents pay for each byte, and keep what they know. */
#include "tests/check.h"

#include "tests/http_client.h"
#include "tests/serving.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define SECONDS 20
#define TOOLS_MAX 12u
#define TOKENS_MAX 4000u /* Of four bytes each: the whole message. */
#define META                                                                 \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"," \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"
#define MODERN "2026-07-28"

static const char *const revisions[] = {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25",
                                        MODERN};
#define REVISIONS (sizeof revisions / sizeof revisions[0])

static void
start(struct serving *s)
{
    static const char *const options[] = {NULL};
    char *line;

    serving_start(s, "dual", options);
    serving_send(s, SLICE("{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"ping\"}"));
    line = serving_line(s, SECONDS);
    CHECK(line != NULL);
    free(line);
    serving_discover(s);
}

static void
stop(struct serving *s)
{
    CHECK_INT(serving_stop(s), 0);
    serving_fini(s);
}

static char *
initialize(const char *revision)
{
    return xasprintf(
        "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"method\":\"initialize\",\"params\":{"
        "\"protocolVersion\":\"%s\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\","
        "\"version\":\"1\"}}}",
        revision);
}

/* The request, the same on every transport. */
static char *
request(const char *revision, const char *method, const char *params)
{
    bool modern = strcmp(revision, MODERN) == 0;

    return xasprintf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":{%s%s%s}}", method,
                     params, *params && modern ? "," : "", modern ? META : "");
}

/* What stdio answers to a request, new. */
static char *
ask_stdio(struct serving *s, const char *revision, const char *method, const char *params)
{
    char *text = request(revision, method, params), *line;

    serving_send(s, slice_of(text));
    line = serving_line(s, SECONDS);
    CHECK(line != NULL);
    free(text);
    return line;
}

/* Posts on a connection of its own, and returns the body, new; the session's header line, if one
 * began, in '*session', which may be null. */
static char *
post(const struct serving *s, const char *headers, const char *body, char **session)
{
    struct client c;
    struct response r;
    char *text =
        xasprintf("POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAuthorization: Bearer %s\r\n"
                  "Content-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s",
                  s->port, s->token, headers, strlen(body), body);
    char *got, *id;

    client_open(&c, s->port);
    CHECK(client_sends(&c, text));
    r = client_read(&c, false, SECONDS);
    CHECK_INT(r.status, 200);
    got = xstrndup(r.body.data, r.body.len);
    if (session) {
        id = client_header(&r, "Mcp-Session-Id");
        *session = xasprintf("Mcp-Session-Id: %s\r\n", id);
        free(id);
    }
    client_close(&c);
    free(text);
    return got;
}

static char *
ask_http(const struct serving *s, const char *revision)
{
    char *list = request(revision, "tools/list", ""), *session, *first, *got;

    if (strcmp(revision, MODERN) == 0) {
        got = post(s, "MCP-Protocol-Version: " MODERN "\r\nMcp-Method: tools/list\r\n", list, NULL);
    } else {
        first = initialize(revision);
        free(post(s, "", first, &session));
        got = post(s, session, list, NULL);
        free(session);
        free(first);
    }
    free(list);
    return got;
}

/* A server whose stdio speaks 'revision'. */
static void
start_in(struct serving *s, const char *revision)
{
    start(s);
    if (strcmp(revision, MODERN) != 0) {
        char *first = initialize(revision);

        serving_send(s, slice_of(first));
        free(serving_line(s, SECONDS));
        free(first);
    }
}

static void
the_same_bytes_for_everybody(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < REVISIONS; i++) {
        const char *revision = revisions[i];
        struct serving a, b;
        char *list, *again;

        start_in(&a, revision);
        list = ask_stdio(&a, revision, "tools/list", "");
        for (unsigned round = 0; round < 3; round++) { /* After calls, and a session of packs. */
            free(ask_stdio(&a, revision, "tools/call", "\"name\":\"current_date\""));
            free(ask_stdio(
                &a, revision, "tools/call",
                "\"name\":\"pos_workflow\",\"arguments\":{\"action\":\"list_workflows\"}"));
            again = ask_stdio(&a, revision, "tools/list", "");
            CHECK_STR(again, list);
            free(again);
            again = ask_http(&a, revision); /* On another connection, of another transport. */
            CHECK_STR(again, list);
            free(again);
        }
        stop(&a);
        start_in(&b, revision); /* After a restart. */
        again = ask_stdio(&b, revision, "tools/list", "");
        CHECK_STR(again, list);
        free(again);
        stop(&b);
        free(list);
    }
}

static void
check_name(const char *name)
{
    size_t len = strlen(name);

    CHECK(len >= 1 && len <= 64);
    CHECK_INT(strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"),
              len);
}

/* 'items' on every array, at any depth. */
static void
check_arrays(const json_t *schema)
{
    const json_t *type = json_object_get(schema, "type");
    const char *text = json_string_value(type), *key;
    json_t *value;
    size_t i;

    if (text && strcmp(text, "array") == 0) {
        CHECK(json_is_object(json_object_get(schema, "items")));
    }
    json_array_foreach(type, i, value) {
        CHECK(strcmp(json_string_value(value), "array") != 0 ||
              json_is_object(json_object_get(schema, "items")));
    }
    json_object_foreach((json_t *)(uintptr_t)schema, key, value) {
        check_arrays(value);
    }
    json_array_foreach(schema, i, value) {
        check_arrays(value);
    }
}

static void
check_root(const json_t *schema)
{
    static const char *const none[] = {"anyOf", "oneOf", "allOf", "not",  "if",
                                       "then",  "else",  "$ref",  "enum", "const"};

    CHECK_STR(json_string_value(json_object_get(schema, "type")), "object");
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        CHECK(!json_object_get(schema, none[i]));
    }
    check_arrays(schema);
}

static void
small_and_in_the_profile(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < REVISIONS; i++) {
        const char *revision = revisions[i];
        struct serving s;
        char *text;
        json_t *answer, *tool;
        const json_t *tools;
        size_t at;

        start_in(&s, revision);
        text = ask_stdio(&s, revision, "tools/list", "");
        stop(&s);
        answer = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        tools = json_object_get(json_object_get(answer, "result"), "tools");
        print_message("%s: %zu tools, %zu tokens\n", revision, json_array_size(tools),
                      strlen(text) / 4);
        CHECK(json_array_size(tools) >= 1 && json_array_size(tools) <= TOOLS_MAX);
        CHECK(strlen(text) / 4 <= TOKENS_MAX);
        CHECK(!json_object_get(json_object_get(answer, "result"), "nextCursor"));
        json_array_foreach(tools, at, tool) {
            check_name(json_string_value(json_object_get(tool, "name")));
            CHECK(json_string_length(json_object_get(tool, "description")) > 0);
            check_root(json_object_get(tool, "inputSchema"));
            if (json_object_get(tool, "outputSchema")) {
                check_root(json_object_get(tool, "outputSchema"));
            }
        }
        json_decref(answer);
        free(text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_bytes_for_everybody),
        cmocka_unit_test(small_and_in_the_profile),
    };

    return CHECK_RUN(tests);
}
