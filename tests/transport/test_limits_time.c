/* test_limits_time.c -- limits of time and rate at their defaults, on time that the test owns: at
 * the value all goes on, a nanosecond later it does not. */
#include "tests/check.h"

#include "state/mcp_session.h"
#include "tests/http_rig.h"
#include "tests/ws_client.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define SECONDS 30
#define TOKEN "0123456789012345678901234567890123456789012"
#define HEADERS                                                            \
    "Host: localhost\r\nAuthorization: Bearer " TOKEN "\r\nContent-Type: " \
    "application/json\r\nAccept: application/json\r\n"
#define META                                                  \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":" \
    "\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{}}"

static struct http_rig rig;

/* One limit is short, so that the server looks at all of them often. */
static void
start(enum setting quick)
{
    const struct fake_setting settings[] = {{quick, "1s"}, {.text = NULL}};
    const struct dispatch_limits limits = {.json = JSON_LIMITS_INIT,
                                           .calls = 256,
                                           .calls_per_session = 32,
                                           .call_ns = 60 * SECOND,
                                           .calls_per_second = 100,
                                           .groups = "core,conformance"};

    http_rig_init_limited(&rig, TOKEN, settings, &limits);
}

static int
start_plain(void **state)
{
    (void)state;
    start(SETTING_limits_keep_alive);
    return 0;
}

static int
start_for_keep_alive(void **state)
{
    (void)state;
    start(SETTING_limits_head_time);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    http_rig_fini(&rig);
    return 0;
}

/* ---- Time as the server sees it ---- */

/* Twice, since what was sent before the first may be read behind it. */
static void
settle(void)
{
    for (int i = 0; i < 2; i++) {
        struct client c;

        client_open(&c, rig.port);
        client_sends(&c, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
        CHECK_INT(client_read(&c, false, SECONDS).status, 200);
        client_close(&c);
    }
}

/* Lets 'ns', a second or more, pass, and waits until the server has looked at all connections
 * since: one that is past the short limit has been closed then. */
static void
pass(int64_t ns, bool by_head)
{
    struct client canary;

    client_open(&canary, rig.port);
    if (!by_head) {
        client_sends(&canary, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
        CHECK_INT(client_read(&canary, false, SECONDS).status, 200);
    }
    settle();
    fake_clock_pass(&rig.clock, ns);
    CHECK(client_is_closed(&canary));
    client_close(&canary);
    settle();
}

static bool
is_silent(struct client *c)
{
    return client_read(c, false, 0).status == -1;
}

static void
expect_time_out(struct client *c, int status)
{
    struct response r = client_read(c, false, SECONDS);

    CHECK_INT(r.status, status);
    CHECK(status == 0 || (r.close && client_is_closed(c)));
    client_close(c);
}

/* ---- HTTP ---- */

static void
heads_and_bodies_have_their_time(void **state)
{
    static const struct {
        const char *sent;
        int status;
    } rows[] = {
        {"", 0},
        {"GET /hea", 408},
        {"GET /health HTTP/1.1\r\nHost: localhost\r\n", 408},
        {"POST /mcp HTTP/1.1\r\n" HEADERS "Content-Length: 4\r\n\r\nbo", 408},
        {"POST /mcp HTTP/1.1\r\n" HEADERS "Transfer-Encoding: chunked\r\n\r\n4\r\nbo", 408},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client c;

        client_open(&c, rig.port);
        client_sends(&c, rows[i].sent);
        settle();
        pass(10 * SECOND, false);
        CHECK(is_silent(&c));
        fake_clock_pass(&rig.clock, 1);
        expect_time_out(&c, rows[i].status);
    }
}

/* A body that comes drop by drop is never silent for long, and has 30 seconds in all. */
static void
a_body_in_drops_has_its_time(void **state)
{
    struct client c;

    (void)state;
    client_open(&c, rig.port);
    client_sends(&c, "POST /mcp HTTP/1.1\r\n" HEADERS "Content-Length: 40\r\n\r\n");
    settle();
    for (int i = 0; i < 3; i++) {
        client_sends(&c, "x");
        settle();
        pass(10 * SECOND, false);
        CHECK(is_silent(&c));
    }
    client_sends(&c, "x");
    settle();
    CHECK(is_silent(&c));
    fake_clock_pass(&rig.clock, 1);
    expect_time_out(&c, 408);
}

static void
a_connection_may_be_idle_for_a_minute(void **state)
{
    struct client c;

    (void)state;
    client_open(&c, rig.port);
    client_sends(&c, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    CHECK_INT(client_read(&c, false, SECONDS).status, 200);
    settle();
    pass(60 * SECOND, true);
    CHECK(is_silent(&c));
    fake_clock_pass(&rig.clock, 1);
    expect_time_out(&c, 0);
}

static void
a_silent_websocket_is_pinged_and_closed(void **state)
{
    struct client c;

    (void)state;
    ws_open(&c, rig.port, TOKEN);
    settle();
    pass(30 * SECOND, false);
    CHECK_INT(ws_next(&c, 0).opcode, -1);
    fake_clock_pass(&rig.clock, 1);
    CHECK_INT(ws_next(&c, SECONDS).opcode, WS_PING);
    pass(10 * SECOND - 1, false);
    CHECK_INT(ws_next(&c, 0).opcode, -1);
    fake_clock_pass(&rig.clock, 1);
    CHECK_INT(ws_next(&c, SECONDS).opcode, -2);
    client_close(&c);
}

/* ---- Messages: over HTTP in a session, over HTTP without one, over a WebSocket, over stdio ----
 */

#define INITIALIZE                                                                             \
    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":" \
    "\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}"
#define INITIALIZED "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"
#define PING "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"

static void
send_post(struct client *c, const char *headers, const char *body)
{
    char *text = xasprintf("POST /mcp HTTP/1.1\r\n" HEADERS "%sContent-Length: %zu\r\n\r\n%s",
                           headers, strlen(body), body);

    client_sends(c, text);
    free(text);
}

/* A connection with a session; 'header' names it. */
static void
open_session(struct client *c, char header[64])
{
    struct response r;
    char *id;

    client_open(c, rig.port);
    send_post(c, "", INITIALIZE);
    r = client_read(c, false, SECONDS);
    CHECK_INT(r.status, 200);
    id = client_header(&r, "Mcp-Session-Id");
    snprintf(header, 64, "Mcp-Session-Id: %.32s\r\n", id);
    free(id);
    send_post(c, header, INITIALIZED);
    CHECK_INT(client_read(c, false, SECONDS).status, 202);
}

/* The connection would be idle too long, so each looks anew. */
static int
status_in_session(const char *header)
{
    struct client c;
    int status;

    client_open(&c, rig.port);
    send_post(&c, header, PING);
    status = client_read(&c, false, SECONDS).status;
    client_close(&c);
    return status;
}

static void
a_session_may_be_idle_for_half_an_hour(void **state)
{
    const int64_t half_an_hour = 30 * 60 * SECOND;
    struct client c;
    char header[64];

    (void)state;
    open_session(&c, header);
    client_close(&c);
    fake_clock_pass(&rig.clock, half_an_hour - 1);
    CHECK_INT(status_in_session(header), 200);
    fake_clock_pass(&rig.clock, half_an_hour - 1);
    CHECK_INT(status_in_session(header), 200); /* Each request begins it anew. */
    fake_clock_pass(&rig.clock, half_an_hour);
    CHECK_INT(status_in_session(header), 404);
}

#define CALL(NAME, ARGUMENTS, MORE)                                                        \
    "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/call\",\"params\":{\"name\":\"" NAME \
    "\",\"arguments\":" ARGUMENTS MORE "}}"
#define MODERN(NAME) \
    "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: " NAME "\r\n"

/* Somebody who sends messages of one kind. */
struct caller {
    const char *name;
    struct client c;
    char header[256]; /* HTTP. */
    bool websocket, http;
    struct envelope env; /* stdio: there is no server of it here, only what it would say. */
    struct fake_sink sink;
};
enum { IN_SESSION, MODERN_HTTP, BY_WEBSOCKET, BY_STDIO, CALLERS };

static void
open_caller(struct caller *caller, int kind, const char *tool)
{
    *caller = (struct caller){.name = "in a session", .http = kind < BY_WEBSOCKET};
    if (kind == IN_SESSION) {
        open_session(&caller->c, caller->header);
    } else if (kind == MODERN_HTTP) {
        caller->name = "without a session";
        client_open(&caller->c, rig.port);
        snprintf(caller->header, sizeof caller->header,
                 "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: %s\r\n",
                 tool);
    } else if (kind == BY_WEBSOCKET) {
        caller->name = "over a WebSocket";
        caller->websocket = true;
        ws_open(&caller->c, rig.port, TOKEN);
    } else {
        caller->name = "over stdio";
        caller->env =
            (struct envelope){.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};
    }
}

static void
send_from(struct caller *caller, const char *message)
{
    if (caller->http) {
        send_post(&caller->c, caller->header, message);
    } else if (caller->websocket) {
        ws_text(&caller->c, message);
    } else {
        fake_sink_init(&caller->sink);
        dispatch_message(rig.dispatcher, &caller->env, slice_of(message), &caller->sink.sink);
    }
}

/* Its answer, new; null if there is none yet and 'wait' is false. */
static char *
answer_to(struct caller *caller, bool wait)
{
    char *text;

    if (caller->http) {
        struct response r = client_read(&caller->c, false, wait ? SECONDS : 0);

        return r.status > 0 ? xstrndup(r.body.data, r.body.len) : NULL;
    }
    if (caller->websocket) {
        return ws_message(&caller->c, wait ? SECONDS : 0, NULL);
    }
    if (!wait) {
        return NULL;
    }
    text = xstrdup(fake_sink_wait(&caller->sink));
    fake_sink_fini(&caller->sink);
    return text;
}

static void
close_caller(struct caller *caller)
{
    if (caller->http || caller->websocket) {
        client_close(&caller->c);
    } else {
        mcp_session_unref(caller->env.session);
    }
}

static void
a_call_may_run_for_a_minute(void **state)
{
    static const char slow[] = CALL("slow_compute", "{\"seconds\":3600}", "," META);
    static const char legacy[] = CALL("slow_compute", "{\"seconds\":3600}", "");

    (void)state;
    for (int kind = 0; kind < CALLERS; kind++) {
        struct caller caller;
        char *answer;

        open_caller(&caller, kind, "slow_compute");
        send_from(&caller, kind == IN_SESSION ? legacy : slow);
        while (dispatch_in_flight(rig.dispatcher, TRANSPORT_STDIO) +
                   dispatch_in_flight(rig.dispatcher, TRANSPORT_HTTP) +
                   dispatch_in_flight(rig.dispatcher, TRANSPORT_WS) ==
               0) {
            poll(NULL, 0, 1);
        }
        fake_clock_pass(&rig.clock, 60 * SECOND - 1);
        dispatch_tick(rig.dispatcher);
        answer = answer_to(&caller, false);
        if (answer) {
            fail_msg("%s: %s", caller.name, answer);
        }
        fake_clock_pass(&rig.clock, 1);
        dispatch_tick(rig.dispatcher);
        answer = answer_to(&caller, true);
        if (!answer || !strstr(answer, "\"isError\":true") || !strstr(answer, "timeout")) {
            fail_msg("%s: %s", caller.name, answer ? answer : "(nothing)");
        }
        free(answer);
        close_caller(&caller);
    }
}

static bool
is_taken(struct caller *caller, const char *message)
{
    char *answer;
    bool limited;

    send_from(caller, message);
    answer = answer_to(caller, true);
    CHECK(answer);
    limited = strstr(answer, "\"code\":429") != NULL;
    if (!limited && !strstr(answer, "\"result\":")) {
        fail_msg("%s: %s", caller->name, answer);
    }
    free(answer);
    return !limited;
}

/* A burst of two seconds' worth, and then as many as the time that passes is worth. */
static void
calls_come_at_a_rate(void **state)
{
    static const char call[] = CALL("current_date", "{}", "," META);
    static const char legacy[] = CALL("current_date", "{}", "");

    (void)state;
    for (int kind = 0; kind < CALLERS; kind++) {
        const char *message = kind == IN_SESSION ? legacy : call;
        struct caller caller;

        open_caller(&caller, kind, "current_date");
        for (int i = 0; i <= 200; i++) {
            if (is_taken(&caller, message) != (i < 200)) {
                fail_msg("%s: call %d", caller.name, i);
            }
        }
        fake_clock_pass(&rig.clock, SECOND / 100 - 1);
        CHECK(!is_taken(&caller, message));
        fake_clock_pass(&rig.clock, 1);
        CHECK(is_taken(&caller, message));
        CHECK(!is_taken(&caller, message));
        close_caller(&caller);
    }
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, start_plain, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(heads_and_bodies_have_their_time),
        TEST(a_body_in_drops_has_its_time),
        cmocka_unit_test_setup_teardown(a_connection_may_be_idle_for_a_minute, start_for_keep_alive,
                                        stop),
        TEST(a_silent_websocket_is_pinged_and_closed),
        TEST(a_session_may_be_idle_for_half_an_hour),
        TEST(a_call_may_run_for_a_minute),
        TEST(calls_come_at_a_rate),
    };

    alarm(300);
    return CHECK_RUN(tests);
}
