/* test_limits.c -- the limits of the real server, each at its value and at one above.
 *
 * Those of a message hold on every way (tests/ways.h); those of HTTP on its connections; those that
 * count something are counted up with the defaults.  Limits of time are in test_limits_time.c,
 * those of stores with their stores: tests/lint/security.txt tells which test has which row. */
#include "tests/check.h"

#include "state/base/log.h"
#include "tests/harness_http.h"
#include "tests/ways.h"
#include "tests/ws_client.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define SECONDS 30

static struct ways ways;

static int
start(void **state)
{
    struct rlimit files;

    (void)state;
    CHECK(getrlimit(RLIMIT_NOFILE, &files) == 0);
    files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
    CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);
    ways_init(&ways);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    ways_fini(&ways);
    return 0;
}

/* ---- A message ---- */

/* Each makes a message that is a limit's value, or one above it. */
static void
of_bytes(struct buf *b, bool above)
{
    buf_adds(b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"");
    while (b->len < WAYS_MESSAGE_MAX - 1 + above) {
        buf_addc(b, ' ');
    }
    buf_addc(b, '}');
}

static void
of_depth(struct buf *b, bool above)
{
    unsigned deep = 64 - 3 + above; /* Within the message, its params and their _meta. */

    buf_adds(b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"_meta\":{\"x\":");
    for (unsigned i = 0; i < deep; i++) {
        buf_addc(b, '[');
    }
    for (unsigned i = 0; i < deep; i++) {
        buf_addc(b, ']');
    }
    buf_adds(b, "}}}");
}

static void
of_values(struct buf *b, bool above)
{
    unsigned values = 50000 - 7 + above; /* The message, its four members, _meta, and the list. */

    buf_adds(b,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"_meta\":{\"x\":[0");
    for (unsigned i = 1; i < values; i++) {
        buf_adds(b, ",0");
    }
    buf_adds(b, "]}}}");
}

static void
of_id_bytes(struct buf *b, bool above)
{
    buf_adds(b, "{\"jsonrpc\":\"2.0\",\"id\":\"");
    for (unsigned i = 0; i < 256 + (unsigned)above; i++) {
        buf_addc(b, 'i');
    }
    buf_adds(b, "\",\"method\":\"ping\"}");
}

static void
of_id_number(struct buf *b, bool above)
{
    buf_addf(b, "{\"jsonrpc\":\"2.0\",\"id\":922337203685477580%c,\"method\":\"ping\"}",
             above ? '8' : '7');
}

static void
of_id_below(struct buf *b, bool above)
{
    buf_addf(b, "{\"jsonrpc\":\"2.0\",\"id\":-922337203685477580%c,\"method\":\"ping\"}",
             above ? '9' : '8');
}

static const struct {
    const char *name;
    void (*make)(struct buf *b, bool above);
    int status, code; /* Above it: of HTTP, of JSON-RPC. */
    unsigned ws_code; /* Of the close frame; 0: a message like the others'. */
} message_rows[] = {
    {"bytes of a message", of_bytes, 413, -32600, 1009},
    {"depth", of_depth, 400, -32700, 0},
    {"values", of_values, 413, -32600, 0},
    {"bytes of an id", of_id_bytes, 400, -32600, 0},
    {"the largest id", of_id_number, 400, -32600, 0},
    {"the smallest id", of_id_below, 400, -32600, 0},
};

static void
try_message(size_t row, enum way way, bool above)
{
    struct buf message = BUF_INIT;
    struct told t;
    json_t *answer;
    int code;

    message_rows[row].make(&message, above);
    t = ways_ask(&ways, way, message_rows[row].name, buf_slice(&message), true);
    answer = json_loads(t.text, JSON_DECODE_INT_AS_REAL, NULL);
    code = (int)json_number_value(json_object_get(json_object_get(answer, "error"), "code"));
    if (!above ? !json_object_get(answer, "result")
        : way == WAY_WS && message_rows[row].ws_code
            ? t.code != message_rows[row].ws_code
            : code != message_rows[row].code ||
                  (t.status && t.status != message_rows[row].status)) {
        fail_msg("%s, %s, over %s: status %d, %s", message_rows[row].name,
                 above ? "one above" : "at the limit", way_names[way], t.status, t.text);
    }
    json_decref(answer);
    told_fini(&t);
    buf_fini(&message);
}

static void
messages_are_bounded_on_every_way(void **state)
{
    (void)state;
    for (size_t row = 0; row < sizeof message_rows / sizeof *message_rows; row++) {
        for (enum way way = 0; way < WAY_COUNT; way++) {
            try_message(row, way, false);
            try_message(row, way, true);
            try_message(row, way, false); /* And it goes on. */
        }
    }
}

/* ---- The head of a request ---- */

static int
status_of(const char *start, char filler, size_t count, const char *line, unsigned lines,
          const char *end)
{
    struct buf request = BUF_INIT;
    struct client c;
    int status;

    buf_adds(&request, start);
    while (count-- > 0) {
        buf_addc(&request, filler);
    }
    while (lines-- > 0) {
        buf_adds(&request, line);
    }
    buf_adds(&request, end);
    client_open(&c, ways.server.port);
    client_send(&c, buf_slice(&request));
    status = client_read(&c, false, SECONDS).status;
    client_close(&c);
    buf_fini(&request);
    return status;
}

static void
heads_are_bounded(void **state)
{
    static const char host[] = " HTTP/1.1\r\nHost: localhost\r\n\r\n";
    static const char get[] = "GET /health HTTP/1.1\r\nHost: localhost\r\n";
    const size_t line = 8192 - strlen("GET /health? HTTP/1.1");
    const size_t rest = 16384 - strlen("Host: localhost\r\nA: \r\n");

    (void)state;
    CHECK_INT(status_of("GET /health?", 'q', line, "", 0, host), 200);
    CHECK_INT(status_of("GET /health?", 'q', line + 1, "", 0, host), 414);
    CHECK_INT(
        status_of("GET /health HTTP/1.1\r\nHost: localhost\r\nA: ", 'a', rest, "", 0, "\r\n\r\n"),
        200);
    CHECK_INT(status_of("GET /health HTTP/1.1\r\nHost: localhost\r\nA: ", 'a', rest + 1, "", 0,
                        "\r\n\r\n"),
              431);
    CHECK_INT(status_of(get, 0, 0, "A: b\r\n", 99, "\r\n"), 200);
    CHECK_INT(status_of(get, 0, 0, "A: b\r\n", 100, "\r\n"), 431);
}

static void
requests_on_a_connection_are_counted(void **state)
{
    static const char get[] = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct client c;
    struct response r;

    (void)state;
    client_open(&c, ways.server.port);
    for (unsigned i = 1; i <= 10000; i++) {
        client_sends(&c, get);
        r = client_read(&c, false, SECONDS);
        CHECK_INT(r.status, 200);
        CHECK(r.close == (i == 10000));
        buf_reset(&c.in);
        c.at = 0;
    }
    CHECK(client_is_closed(&c));
    client_close(&c);
}

/* ---- What is counted ---- */

static int
send_with_token(struct client *c, const char *line, const char *headers, const char *body)
{
    char *text = xasprintf("%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n%s"
                           "Content-Length: %zu\r\n\r\n%s",
                           line, ways.server.token, headers, strlen(body), body);

    CHECK(client_sends(c, text));
    free(text);
    return 0;
}

#define JSON "Content-Type: application/json\r\nAccept: application/json\r\n"

static struct response
post(struct client *c, const char *headers, const char *body)
{
    send_with_token(c, "POST /mcp", headers, body);
    return client_read(c, false, SECONDS);
}

static const char initialize[] =
    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
    "\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}";

/* Opens sessions until 'most' are there, then one too many, ends one, and there is room again. */
static void
fill_sessions(unsigned open, unsigned most)
{
    struct client c;
    struct response r;
    char *id = NULL, *header, *retry;

    client_open(&c, ways.server.port);
    for (; open < most; open++) {
        r = post(&c, JSON, initialize);
        CHECK_INT(r.status, 200);
        free(id);
        id = client_header(&r, "Mcp-Session-Id");
        CHECK_INT(strlen(id), 32);
    }
    r = post(&c, JSON, initialize);
    CHECK_INT(r.status, 503);
    retry = client_header(&r, "Retry-After");
    CHECK(*retry);
    free(retry);
    header = xasprintf("Mcp-Session-Id: %s\r\n", id);
    send_with_token(&c, "DELETE /mcp", header, "");
    CHECK_INT(client_read(&c, false, SECONDS).status, 204);
    send_with_token(&c, "DELETE /mcp", header, "");
    CHECK_INT(client_read(&c, false, SECONDS).status, 404);
    CHECK_INT(post(&c, JSON, initialize).status, 200);
    CHECK_INT(post(&c, JSON, initialize).status, 503);
    free(header);
    free(id);
    client_close(&c);
}

/* All are of one principal: he who has the token. */
static void
sessions_of_a_principal_are_bounded(void **state)
{
    (void)state;
    fill_sessions(1, 256); /* That of 'ways' is one of them. */
}

static void
sessions_are_bounded(void **state)
{
    static const char *const options[] = {"--limits-sessions-each", "10000", NULL};
    struct serving first = ways.server, more;
    char *line;

    (void)state;
    serving_start(&more, "dual", options);
    serving_send(&more, slice_of(initialize));
    line = serving_line(&more, SECONDS);
    CHECK(line);
    free(line);
    serving_discover(&more);
    ways.server = more;
    fill_sessions(0, 512);
    more = ways.server;
    ways.server = first;
    CHECK_INT(serving_stop(&more), 0);
    serving_fini(&more);
}

static void
subscriptions_of_a_connection_are_bounded(void **state)
{
    enum way both[] = {WAY_STDIO, WAY_WS};

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        for (unsigned i = 0; i <= 32; i++) {
            char *message = xasprintf(
                "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"subscriptions/listen\",\"params\":{"
                "\"notifications\":{\"toolsListChanged\":true}," MODERN_META "}}",
                i);
            struct told t = ways_ask(&ways, both[k], "listen", slice_of(message), true);
            bool taken = strstr(t.text, "notifications/subscriptions/acknowledged") != NULL;

            if (taken != (i < 32) || (!taken && !strstr(t.text, "\"code\":429"))) {
                fail_msg("subscription %u over %s: %s", i, way_names[both[k]], t.text);
            }
            told_fini(&t);
            free(message);
        }
        for (unsigned i = 0; i < 32; i++) {
            char *message = xasprintf("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
                                      "\"params\":{\"requestId\":%u}}",
                                      i);
            struct told t = ways_ask(&ways, both[k], "cancelled", slice_of(message), false);

            CHECK_STR(t.text, "");
            told_fini(&t);
            free(message);
        }
    }
}

/* ---- Calls in flight ---- */

#define SLOW                                                                         \
    "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"tools/call\",\"params\":{\"name\":" \
    "\"slow_compute\",\"arguments\":{\"seconds\":3600}}}"

/* Waits until so many calls over 'way' are in flight, as the server tells over stdio. */
static void
wait_for_calls(const char *transport, unsigned count)
{
    int64_t end = now_ns() + PATIENCE;

    for (;;) {
        struct told t = ways_ask(
            &ways, WAY_STDIO, "count",
            SLICE("{\"jsonrpc\":\"2.0\",\"id\":\"n\",\"method\":\"tools/call\",\"params\":{"
                  "\"name\":\"get_server_info\",\"arguments\":{}}}"),
            true);
        json_t *answer = json_loads(t.text, 0, NULL);
        json_t *in_flight =
            json_object_get(json_object_get(json_object_get(answer, "result"), "structuredContent"),
                            "requests_in_flight");
        json_int_t now = json_integer_value(json_object_get(in_flight, transport));

        CHECK(json_is_object(in_flight));
        json_decref(answer);
        told_fini(&t);
        if (now == count) {
            return;
        }
        if (now_ns() > end) {
            fail_msg("%d calls over %s are in flight instead of %u", (int)now, transport, count);
        }
        look_again_soon();
    }
}

/* All the calls that one connection may have, one more, and the end of them. */
static void
fill_connection(enum way way)
{
    char *message;
    struct told t;

    for (unsigned i = 0; i <= 32; i++) {
        message = xasprintf(SLOW, i);
        t = ways_ask(&ways, way, "slow", slice_of(message), i == 32);
        if (i < 32 ? *t.text != '\0' : !strstr(t.text, "\"code\":429")) {
            fail_msg("call %u over %s: %s", i, way_names[way], t.text);
        }
        told_fini(&t);
        free(message);
    }
    for (unsigned i = 0; i < 32; i++) {
        message = xasprintf("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
                            "\"params\":{\"requestId\":%u}}",
                            i);
        t = ways_ask(&ways, way, "cancelled", slice_of(message), false);
        CHECK_STR(t.text, ""); /* Nothing is said of a call that was cancelled. */
        told_fini(&t);
        free(message);
    }
}

static void
calls_of_a_connection_are_bounded(void **state)
{
    (void)state;
    fill_connection(WAY_STDIO);
    fill_connection(WAY_WS);
    wait_for_calls("ws", 0);
}

static void
leave_all(struct client *clients, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        client_close(&clients[i]);
    }
}

static void
calls_over_http_are_bounded(void **state)
{
    struct client many[225];
    char *headers = xasprintf(JSON "%s", ways.session), *message;
    struct response r;
    char *retry;

    (void)state;
    for (unsigned i = 0; i < 224; i++) {
        client_open(&many[i], ways.server.port);
        message = xasprintf(
            "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"tools/call\",\"params\":{\"name\":"
            "\"slow_compute\",\"arguments\":{\"seconds\":3600}%s}}",
            i, i < 32 ? "" : "," MODERN_META);
        send_with_token(&many[i], "POST /mcp",
                        i < 32 ? headers
                               : JSON "MCP-Protocol-Version: 2026-07-28\r\n"
                                      "Mcp-Method: tools/call\r\nMcp-Name: slow_compute\r\n",
                        message);
        free(message);
        if (i == 31 || i == 32 || i == 223) {
            wait_for_calls("http", i + 1);
        }
        if (i == 31) { /* All that the session may have. */
            struct told t = ways_ask(
                &ways, WAY_HTTP, "one above",
                SLICE("{\"jsonrpc\":\"2.0\",\"id\":32,\"method\":\"tools/call\",\"params\":{"
                      "\"name\":\"slow_compute\",\"arguments\":{\"seconds\":3600}}}"),
                true);

            CHECK_INT(t.status, 429);
            told_fini(&t);
        }
    }
    /* All that there may be, but for the 32 of who is on stdio, who has them. */
    client_open(&many[224], ways.server.port);
    r = post(&many[224],
             JSON "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n"
                  "Mcp-Name: get_server_info\r\n",
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":"
             "\"get_server_info\",\"arguments\":{}," MODERN_META "}}");
    CHECK_INT(r.status, 429);
    retry = client_header(&r, "Retry-After");
    CHECK(*retry);
    free(retry);
    fill_connection(WAY_STDIO);
    leave_all(many + 32, 193);
    wait_for_calls("http", 32); /* The modern ones are cancelled by that. */
    leave_all(many, 32);
    free(headers);
}

/* ---- Connections ---- */

static void
strangers_are_bounded(void **state)
{
    struct client many[257];

    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        client_open(&many[i], ways.server.port);
        client_sends(&many[i], "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
        CHECK_INT(client_read(&many[i], false, SECONDS).status, 200);
    }
    client_open(&many[256], ways.server.port);
    CHECK_INT(client_read(&many[256], false, SECONDS).status, 503);
    leave_all(many, 257);
}

/* Those of 'ways' are two of them; that beyond the last waits until one closes. */
static void
connections_are_bounded(void **state)
{
    const unsigned most = 1024 - 2;
    struct client *many = xcalloc(most + 1, sizeof *many);

    (void)state;
    for (unsigned i = 0; i < most; i++) {
        client_open(&many[i], ways.server.port);
        send_with_token(&many[i], "GET /api/tools", "", "");
        CHECK_INT(client_read(&many[i], false, SECONDS).status, 200);
    }
    client_open(&many[most], ways.server.port);
    send_with_token(&many[most], "GET /api/tools", "", "");
    /* It has seen the above, and has answered another one since. */
    send_with_token(&many[0], "GET /api/tools", "", "");
    CHECK_INT(client_read(&many[0], false, SECONDS).status, 200);
    CHECK_INT(client_read(&many[most], false, 0).status, -1);
    client_close(&many[0]);
    CHECK_INT(client_read(&many[most], false, SECONDS).status, 200);
    leave_all(many + 1, most);
    free(many);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_bounded_on_every_way),
        cmocka_unit_test(heads_are_bounded),
        cmocka_unit_test(requests_on_a_connection_are_counted),
        cmocka_unit_test(subscriptions_of_a_connection_are_bounded),
        cmocka_unit_test(calls_of_a_connection_are_bounded),
        cmocka_unit_test(strangers_are_bounded),
        cmocka_unit_test(connections_are_bounded),
        cmocka_unit_test(calls_over_http_are_bounded),
        cmocka_unit_test(sessions_of_a_principal_are_bounded),
        cmocka_unit_test(sessions_are_bounded),
    };

    log_configure(LOG_OFF, LOG_TEXT);
    alarm(300);
    return cmocka_run_group_tests(tests, start, stop);
}
