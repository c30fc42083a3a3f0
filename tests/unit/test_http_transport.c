/* test_http_transport.c -- routes and checks of HTTP requests, and their bytes in any pieces.  What
 * real messages are answered over HTTP is in tests/transport. */
#include "tests/unit/http_script.c"

#include <sys/socket.h>

/* ---- Routes and checks ---- */

static void
every_route_has_its_methods(void **state)
{
    static const struct {
        const char *target;
        int get, head, post, put, delete, options;
        const char *allow;
    } rows[] = {
        {"/mcp", 405, 405, 200, 405, 204, 405, "GET, POST, DELETE"},
        {"/mcp/", 405, 405, 200, 405, 204, 405, "GET, POST, DELETE"},
        {"/mcp?x=1", 405, 405, 200, 405, 204, 405, "GET, POST, DELETE"},
        {"/api/tools", 200, 200, 405, 405, 405, 405, "GET, HEAD"},
        {"/metrics", 200, 200, 405, 405, 405, 405, "GET, HEAD"},
        {"/api/resources?uri=x", 200, 200, 405, 405, 405, 405, "GET, HEAD"},
        {"/api/tools/current_date", 405, 405, 200, 405, 405, 405, "POST"},
        {"/health", 200, 200, 405, 405, 405, 405, "GET, HEAD"},
        {"/ready", 200, 200, 405, 405, 405, 405, "GET, HEAD"},
        {"/", 200, 200, 405, 405, 405, 405, "GET, HEAD"},
        {"/console/console.js", 200, 200, 405, 405, 405, 405, "GET, HEAD"},
        {"/console/", 404, 404, 404, 404, 404, 404, ""},
        {"/console/x", 404, 404, 405, 405, 405, 405, "GET, HEAD"},
        {"/mcp/x", 404, 404, 404, 404, 404, 404, ""},
        {"/mcpx", 404, 404, 404, 404, 404, 404, ""},
        {"/%6dcp", 404, 404, 404, 404, 404, 404, ""},
        {"//mcp", 404, 404, 404, 404, 404, 404, ""},
        {"/api/tools/", 404, 404, 404, 404, 404, 404, ""},
        {"http://127.0.0.1/health", 200, 200, 405, 405, 405, 405, "GET, HEAD"},
    };

    (void)state;
    start(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct {
            const char *method;
            int status;
        } cases[] = {{"GET", rows[i].get},       {"HEAD", rows[i].head},
                     {"POST", rows[i].post},     {"PUT", rows[i].put},
                     {"DELETE", rows[i].delete}, {"OPTIONS", rows[i].options}};

        for (size_t m = 0; m < 6; m++) {
            char *text = xasprintf("%s %s HTTP/1.1\r\n" HOST JSON "Content-Length: 2\r\n\r\n{}",
                                   cases[m].method, rows[i].target);
            struct client c;
            struct response r = ask(&c, text);

            if (r.status != cases[m].status) {
                fail_msg("%s: %d", text, r.status);
            }
            if (r.status == 405) {
                script_expect_header(&r, "Allow", rows[i].allow);
            }
            client_close(&c);
            free(text);
        }
    }
    CHECK(dispatcher.tools == 1 && dispatcher.ended == 3);
}

/* Metrics ask for the token as all else does, unless the settings say that they do not. */
static void
metrics_are_open_if_the_settings_say_so(void **state)
{
    struct client c;
    struct response r;

    (void)state;
    start(TOKEN);
    CHECK_INT(status_of("GET /metrics HTTP/1.1\r\n" HOST "\r\n"), 401);
    CHECK_INT(status_of("GET /metrics HTTP/1.1\r\n" HOST BEARER "\r\n"), 200);
    script_set(settings, SETTING_metrics_open, "true");
    r = ask(&c, "GET /metrics HTTP/1.1\r\n" HOST "\r\n");
    CHECK_INT(r.status, 200);
    CHECK(slice_is(r.body, "metrics 1\n"));
    script_expect_header(&r, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    client_close(&c);
    CHECK_INT(status_of("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n"), 403);
    CHECK_INT(status_of("GET /api/tools HTTP/1.1\r\n" HOST "\r\n"), 401);
}

/* A request made of parts, of which each may be good or bad. */
static const struct {
    const char *good, *bad;
    int status;
} parts[] = {
    {"Host: localhost\r\n", "Host: evil.example\r\n", 403},
    {"", "Origin: http://evil.example\r\n", 403},
    {"/mcp", "/mcq", 404},
    {"POST", "PUT", 405},
    {BEARER, "Authorization: Bearer wrong\r\n", 401},
    {JSON, "Content-Type: text/plain\r\n", 415},
    {"Content-Length: 2\r\n", "Content-Length: 2000000\r\n", 413},
};

/* The first bad part decides, whatever comes after it. */
static void
checks_come_in_their_order(void **state)
{
    (void)state;
    start(TOKEN);
    for (unsigned mask = 0; mask < 1u << 7; mask++) {
        const char *p[7];
        int wanted = 200;
        char *text;
        struct client c;
        struct response r;

        for (size_t i = 7; i-- > 0;) {
            bool bad = mask & 1u << i;

            p[i] = bad ? parts[i].bad : parts[i].good;
            wanted = bad ? parts[i].status : wanted;
        }
        text = xasprintf("%s %s HTTP/1.1\r\n%s%s%s%s%s\r\n{}", p[3], p[2], p[0], p[1], p[4], p[5],
                         p[6]);
        r = ask(&c, text);
        if (r.status != wanted) {
            fail_msg("wanted %d, got %d for\n%s", wanted, r.status, text);
        }
        /* The body is there, so the connection goes on; unless it is still to come. */
        CHECK(r.close == ((mask & 1u << 6) != 0));
        client_close(&c);
        free(text);
    }
    CHECK(dispatcher.taken == 1);
}

static void
hosts_and_origins(void **state)
{
    static const struct {
        const char *headers;
        int status;
    } rows[] = {
        {"Host: LOCALHOST", 200},
        {"Host: localhost:PORT", 200},
        {"Host: 127.0.0.1:PORT", 200},
        {"Host: [::1]:PORT", 200},
        {"Host: [::1]", 200},
        {"Host: localhost:1", 403},
        {"Host: localhost.", 403},
        {"Host: 127.0.0.2", 403},
        {"Host: 0x7f.1", 403},
        {"Host: one.example", 200},
        {"Host: one.example:99", 200},
        {"Host: two.example:99", 200},
        {"Host: two.example", 403},
        {"Host: two.example:98", 403},
        {"Host: one.example.evil", 403},
        {"Host: localhost\r\nOrigin: http://localhost:PORT", 200},
        {"Host: localhost\r\nOrigin: HTTP://127.0.0.1:PORT", 200},
        {"Host: localhost\r\nOrigin: http://[::1]:PORT", 200},
        {"Host: localhost\r\nOrigin: https://localhost:PORT", 403},
        {"Host: localhost\r\nOrigin: http://localhost", 403},
        {"Host: localhost\r\nOrigin: http://localhost:1", 403},
        {"Host: localhost\r\nOrigin: null", 403},
        {"Host: localhost\r\nOrigin:", 403},
        {"Host: localhost\r\nOrigin: http://", 403},
        {"Host: localhost\r\nOrigin: http://evil@localhost:PORT", 403},
        {"Host: localhost\r\nOrigin: http://localhost:PORT/", 403},
        {"Host: localhost\r\nOrigin: https://app.example", 200},
        {"Host: localhost\r\nOrigin: https://app.example:443", 403},
        {"Host: localhost\r\nOrigin: https://app.example\r\nOrigin: https://app.example", 403},
        {"Host: localhost\r\nOrigin: https://app.example, null", 403},
        {"Host: evil.example\r\nX-Forwarded-Host: localhost", 403},
    };

    (void)state;
    script_set(settings, SETTING_allow_host, "one.example, two.example:99");
    script_set(settings, SETTING_allow_origin, "https://app.example");
    start(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf text = BUF_INIT;

        buf_adds(&text, "GET /health HTTP/1.1\r\n");
        for (const char *p = rows[i].headers; *p;) {
            if (strncmp(p, "PORT", 4) == 0) {
                buf_add_int(&text, port);
                p += 4;
            } else {
                buf_addc(&text, *p++);
            }
        }
        buf_adds(&text, "\r\n\r\n");
        if (status_of(text.data) != rows[i].status) {
            fail_msg("%s: %d", text.data, status_of(text.data));
        }
        buf_fini(&text);
    }
    CHECK_INT(status_of("GET http://evil.example/health HTTP/1.1\r\n" HOST "\r\n"), 403);
    CHECK_INT(status_of("GET http://localhost/health HTTP/1.1\r\nHost: evil.example\r\n\r\n"), 403);
    CHECK_INT(status_of("GET /health HTTP/1.0\r\n\r\n"), 403);
}

static void
tokens(void **state)
{
    static const struct {
        const char *target, *header;
        int status;
        const char *challenge;
    } rows[] = {
        {"/mcp", BEARER, 200, ""},
        {"/mcp", "Authorization: bearer   " TOKEN " \r\n", 200, ""},
        {"/mcp", "", 401, "Bearer"},
        {"/mcp", "Authorization:\r\n", 401, "Bearer error=\"invalid_token\""},
        {"/mcp", "Authorization: Bearer\r\n", 401, "Bearer error=\"invalid_token\""},
        {"/mcp", "Authorization: Bearer " TOKEN "x\r\n", 401, "Bearer error=\"invalid_token\""},
        {"/mcp", "Authorization: Bearer 1123456789012345678901234567890123456789012\r\n", 401,
         "Bearer error=\"invalid_token\""},
        {"/mcp", "Authorization: Basic " TOKEN "\r\n", 401, "Bearer error=\"invalid_token\""},
        {"/mcp", BEARER BEARER, 400, "Bearer error=\"invalid_request\""},
        {"/mcp?access_token=" TOKEN, "", 400, "Bearer error=\"invalid_request\""},
        {"/mcp?a=b&token=x", BEARER, 400, "Bearer error=\"invalid_request\""},
        {"/mcp?mytoken=x", BEARER, 200, ""},
        {"/api/tools/x", "", 401, "Bearer"},
        {"/api/tools/x", BEARER, 200, ""},
    };

    (void)state;
    start(TOKEN);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *text = xasprintf("POST %s HTTP/1.1\r\n" HOST JSON "%sContent-Length: 2\r\n\r\n{}",
                               rows[i].target, rows[i].header);
        struct client c;
        struct response r = ask(&c, text);

        if (r.status != rows[i].status) {
            fail_msg("%s: %d", text, r.status);
        }
        script_expect_header(&r, "WWW-Authenticate", rows[i].challenge);
        CHECK(!memmem(r.body.data, r.body.len, TOKEN, strlen(TOKEN)));
        client_close(&c);
        free(text);
    }
    CHECK_INT(status_of("GET /api/tools HTTP/1.1\r\n" HOST "\r\n"), 401);
    CHECK_INT(status_of("GET /ready HTTP/1.1\r\n" HOST "\r\n"), 200);
}

#define USUAL "Accept: application/json, text/event-stream\r\n"

static void
media_types_and_accept(void **state)
{
    static const struct {
        const char *headers;
        int status;
        const char *type;
    } rows[] = {
        {JSON, 200, "application/json"},
        {"Content-Type: Application/JSON ; charset=UTF-8\r\n", 200, "application/json"},
        {"Content-Type: application/json; charset=\"utf-8\"\r\n", 200, "application/json"},
        {"Content-Type: application/json; x=y\r\n", 200, "application/json"},
        {"Content-Type: application/json; charset=utf-16\r\n", 415, "application/json"},
        {"Content-Type: application/jsonp\r\n", 415, "application/json"},
        {"Content-Type: text/plain, application/json\r\n", 415, "application/json"},
        {JSON JSON, 415, "application/json"},
        {"", 415, "application/json"},
        {JSON "Content-Encoding: gzip\r\n", 415, "application/json"},
        {JSON "Accept: */*\r\n", 200, "application/json"},
        {JSON "Accept: application/*;q=0.5\r\n", 200, "application/json"},
        {JSON "Accept: text/html\r\nAccept: application/json\r\n", 200, "application/json"},
        {JSON "Accept: text/event-stream\r\n", 200, "text/event-stream"},
        {JSON "Accept: text/*\r\n", 200, "text/event-stream"},
        {JSON "Accept: text/html\r\n", 406, "application/json"},
        {JSON "Accept:\r\n", 200, "application/json"},
        {JSON "Accept: application/json;q=0, */*\r\n", 200, "text/event-stream"},
        {JSON "Accept: */*;q=0.1\r\nAccept: application/json; q=0.000\r\n", 200,
         "text/event-stream"},
        {JSON "Accept: application/json;q=0\r\n", 406, "application/json"},
        {JSON "Accept: text/*;q=0, application/json;v=1;q=0.001\r\n", 200, "application/json"},
        {JSON "Accept: */*;q=0\r\n", 406, "application/json"},
        /* The usual, and the same in other words. */
        {JSON USUAL, 200, "application/json"},
        {JSON "Accept: text/event-stream, application/json\r\n", 200, "application/json"},
        {JSON USUAL "Accept: text/*;q=0\r\n", 200, "application/json"},
        {JSON "Accept: text/*;q=0\r\n" USUAL, 200, "application/json"},
        {JSON "Accept: application/json;q=0\r\n" USUAL, 200, "text/event-stream"},
    };

    (void)state;
    start(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *text = xasprintf("POST /mcp HTTP/1.1\r\n" HOST "%sContent-Length: 2\r\n\r\n{}",
                               rows[i].headers);
        struct client c;
        struct response r = ask(&c, text);

        if (r.status != rows[i].status) {
            fail_msg("%s: %d", text, r.status);
        }
        script_expect_header(&r, "Content-Type", rows[i].type);
        if (strcmp(rows[i].type, "text/event-stream") == 0) {
            CHECK(slice_is(r.body, "event: message\ndata: {}\n\n"));
            script_expect_header(&r, "X-Accel-Buffering", "no");
        }
        client_close(&c);
        free(text);
    }
}

static void
refusals_are_told_as_the_path_wants(void **state)
{
    struct client c;
    struct response r;

    (void)state;
    start(NULL);
    r = ask(&c, "GET /mcp HTTP/1.1\r\n" HOST "\r\n");
    CHECK(slice_is(r.body,
                   "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":\"a stream by "
                   "GET is for a session: send initialize first, and its Mcp-Session-Id with "
                   "the GET\",\"data\":{\"reason\":\"method_not_allowed\"}}}"));
    client_close(&c);
    r = ask(&c, "POST /mcp HTTP/1.1\r\n" HOST JSON "\r\n");
    CHECK_INT(r.status, 411);
    CHECK(r.close && script_starts(r.body, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,"));
    client_close(&c);
    r = ask(&c, "POST /api/tools/x HTTP/1.1\r\n" HOST JSON "\r\n");
    CHECK_INT(r.status, 411);
    CHECK(slice_is(r.body,
                   "{\"code\":\"length_required\",\"message\":\"a body needs Content-Length, or "
                   "chunks\"}"));
    script_expect_header(&r, "X-Content-Type-Options", "nosniff");
    client_close(&c);
    r = ask(&c, "BREW /pot HTTP/1.1\r\n" HOST "\r\n");
    CHECK_INT(r.status, 501);
    CHECK(r.close && script_starts(r.body, "{\"code\":\"unknown_method\""));
    CHECK(client_is_closed(&c));
    client_close(&c);
    CHECK_INT(status_of("POST /api/tools/x HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n"), 415);
}

static void
answers_to_pages_of_listed_origins(void **state)
{
    struct client c;
    struct response r;

    (void)state;
    script_set(settings, SETTING_allow_origin, "https://app.example");
    start(TOKEN);
    r = ask(&c, "OPTIONS /mcp HTTP/1.1\r\n" HOST "Origin: https://app.example\r\n"
                "Access-Control-Request-Method: POST\r\n"
                "Access-Control-Request-Headers: content-type, mcp-param-region, x-evil\r\n\r\n");
    CHECK_INT(r.status, 204);
    script_expect_header(&r, "Access-Control-Allow-Origin", "https://app.example");
    script_expect_header(&r, "Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS");
    script_expect_header(
        &r, "Access-Control-Allow-Headers",
        "Content-Type, Accept, Authorization, MCP-Protocol-Version, Mcp-Session-Id, "
        "Mcp-Method, Mcp-Name, Last-Event-ID, X-Client-ID, mcp-param-region");
    script_expect_header(&r, "Content-Length", "");
    CHECK(client_sends(&c, "POST /mcp HTTP/1.1\r\n" HOST JSON "Origin: https://app.example\r\n"
                           "Content-Length: 2\r\n\r\n{}"));
    r = client_next(&c);
    CHECK_INT(r.status, 401);
    script_expect_header(&r, "Access-Control-Allow-Origin", "https://app.example");
    script_expect_header(&r, "Vary", "Origin");
    script_expect_header(&r, "Access-Control-Expose-Headers", "Mcp-Session-Id, WWW-Authenticate");
    send_post(&c, "{}");
    r = client_next(&c);
    CHECK_INT(r.status, 200);
    script_expect_header(&r, "Access-Control-Allow-Origin", "");
    client_close(&c);
    /* From its own page there is nothing to ask. */
    CHECK_INT(status_of("OPTIONS /mcp HTTP/1.1\r\n" HOST "\r\n"), 405);
}

static void
what_dispatch_is_told(void **state)
{
    struct client c;
    struct response r;

    (void)state;
    start(TOKEN);
    r = ask(&c,
            "POST /mcp HTTP/1.1\r\n" HOST JSON BEARER
            "mcp-session-id: s1\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n"
            "Mcp-Name:   a b  \r\nMcp-Param-Region: us\r\nContent-Length: 7\r\n\r\nsession");
    CHECK_INT(r.status, 200);
    script_expect_header(&r, "Mcp-Session-Id", "abc123");
    CHECK_STR(dispatcher.heard, "token|s1|2026-07-28|tools/call|a b|us");
    CHECK(client_sends(&c, "POST /mcp HTTP/1.1\r\n" HOST JSON BEARER
                           "Mcp-Name: a\r\nMcp-Method: x\r\nMcp-Name: b\r\nMcp-Name: a\r\n"
                           "Mcp-Method: y\r\nContent-Length: 4\r\n\r\nbusy"));
    r = client_next(&c);
    CHECK_INT(r.status, 429);
    script_expect_header(&r, "Retry-After", "3");
    script_expect_header(&r, "Mcp-Session-Id", "");
    CHECK_STR(dispatcher.heard, "token|||x, y|a, b, a|");
    CHECK(client_sends(&c, "POST /api/tools/current_date?x HTTP/1.1\r\n" HOST JSON BEARER
                           "Content-Length: 2\r\n\r\n{}"));
    expect(&c, 200, "tool current_date({})");
    CHECK(client_sends(&c,
                       "GET /api/resources?x=1&uri=tandem:%2f%2fserver/a+b%2520%C3%A9&y HTTP/1.1"
                       "\r\n" HOST BEARER "\r\n"));
    expect(&c, 200, "tandem://server/a+b%20\xC3\xA9");
    CHECK(client_sends(&c, "GET /api/resources?url=x&uri HTTP/1.1\r\n" HOST BEARER "\r\n"));
    expect(&c, 200, "none");
    CHECK(client_sends(&c, "GET /api/resources?uri=a&uri=a HTTP/1.1\r\n" HOST BEARER "\r\n"));
    CHECK_INT(client_next(&c).status, 400);
    CHECK(client_sends(&c, "GET /api/resources?uri=a%2 HTTP/1.1\r\n" HOST BEARER "\r\n"));
    CHECK_INT(client_next(&c).status, 400);
    client_close(&c);
    client_open(&c, port);
    send_post(&c, "note");
    r = client_next(&c);
    CHECK(r.status == 202 && r.body.len == 0);
    script_expect_header(&r, "Content-Length", "0");
    script_expect_header(&r, "Date", "Tue, 14 Nov 2023 22:13:20 GMT");
    client_close(&c);
}

/* ---- Bytes ---- */

static void
requests_in_any_pieces(void **state)
{
    char *text = post("one byte at a time");
    struct client c;

    (void)state;
    start(TOKEN);
    client_open(&c, port);
    for (int round = 0; round < 2; round++) {
        for (const char *p = text; *p; p++) {
            CHECK(client_send(&c, (struct slice){p, 1}));
        }
        expect(&c, 200, "one byte at a time");
    }
    CHECK(client_sends(&c, "POST /mcp HTTP/1.1\r\n" HOST JSON BEARER
                           "Transfer-Encoding: chunked\r\n\r\n"));
    CHECK(client_sends(&c, "5\r\nin ch"));
    CHECK(client_sends(&c, "unks\r\n"));
    expect(&c, 400, NULL);
    CHECK(client_is_closed(&c));
    client_close(&c);
    client_open(&c, port);
    CHECK(client_sends(&c, "POST /mcp HTTP/1.1\r\n" HOST JSON BEARER
                           "Transfer-Encoding: chunked\r\n\r\n5\r\nin "));
    CHECK(client_sends(&c, "ch\r\n4;a=b\r\nunks"));
    CHECK(client_sends(&c, "\r\n0\r\n\r\n"));
    expect(&c, 200, "in chunks");
    client_close(&c);
    free(text);
}

static void
large_bodies(void **state)
{
    struct buf body = BUF_INIT;
    struct client c;
    char *text;
    struct response r;

    (void)state;
    start(TOKEN);
    for (int i = 0; i < 100000; i++) {
        buf_addf(&body, "%09d ", i);
    }
    body.data[1000000] = '\0';
    text = post(body.data);
    client_open(&c, port);
    for (int round = 0; round < 2; round++) {
        CHECK(client_sends(&c, text));
        r = client_next(&c);
        CHECK(r.status == 200 && slice_equal(r.body, buf_slice(&body)));
    }
    client_close(&c);
    free(text);
    buf_fini(&body);
}

/* Answers come in the order of the requests, though some come from threads. */
static void
a_hundred_pipelined_requests(void **state)
{
    struct buf all = BUF_INIT;
    struct client c;

    (void)state;
    start(TOKEN);
    for (int i = 0; i < 100; i++) {
        char *body = xasprintf("%s %d", i % 7 == 3 ? "thread" : "inline", i);
        char *text = post(body);

        buf_adds(&all, text);
        free(text);
        free(body);
    }
    client_open(&c, port);
    CHECK(client_send(&c, buf_slice(&all)));
    for (int i = 0; i < 100; i++) {
        char *body = xasprintf("%s %d", i % 7 == 3 ? "thread" : "inline", i);

        expect(&c, 200, body);
        free(body);
    }
    client_close(&c);
    CHECK(dispatcher.taken == 100);
    buf_fini(&all);
}

static void
two_hundred_connections(void **state)
{
    struct client clients[200];

    (void)state;
    script_set(settings, SETTING_limits_unchecked, "200");
    start(TOKEN);
    for (int i = 0; i < 200; i++) {
        client_open(&clients[i], port);
    }
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 200; i++) {
            char *body = xasprintf("%s %d", i % 4 == 0 && round == 0 ? "thread" : "inline", i);

            send_post(&clients[i], body);
            free(body);
        }
        for (int i = 200; i-- > 0;) {
            char *body = xasprintf("%s %d", i % 4 == 0 && round == 0 ? "thread" : "inline", i);

            expect(&clients[i], 200, body);
            free(body);
        }
    }
    for (int i = 0; i < 200; i++) {
        client_close(&clients[i]);
    }
    check_alive();
}

static void
waiting_for_leave_to_send_a_body(void **state)
{
    struct client c;
    struct response r;

    (void)state;
    start(TOKEN);
    client_open(&c, port);
    CHECK(client_sends(&c, "POST /mcp HTTP/1.1\r\n" HOST JSON BEARER
                           "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n"));
    CHECK_INT(client_next(&c).status, 100);
    CHECK(client_sends(&c, "body"));
    expect(&c, 200, "body");
    /* Who sends it anyway is not told. */
    CHECK(client_sends(&c, "POST /mcp HTTP/1.1\r\n" HOST JSON BEARER
                           "Expect: 100-continue\r\nContent-Length: 4\r\n\r\nbody"));
    expect(&c, 200, "body");
    /* Who may not is refused before. */
    CHECK(client_sends(&c, "POST /mcp HTTP/1.1\r\n" HOST JSON
                           "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n"));
    r = client_next(&c);
    CHECK(r.status == 401 && r.close && client_is_closed(&c));
    client_close(&c);
}

static void
old_clients_and_last_requests(void **state)
{
    struct client c;
    struct response r;

    (void)state;
    script_set(settings, SETTING_limits_requests, "3");
    start(NULL);
    r = ask(&c, "GET /health HTTP/1.0\r\n" HOST "Connection: keep-alive\r\n\r\n");
    CHECK(r.status == 200 && !r.close);
    script_expect_header(&r, "Connection", "keep-alive");
    CHECK(client_sends(&c, "GET /health HTTP/1.0\r\n" HOST "\r\nGET /health HTTP/1.0\r\n"));
    r = client_next(&c);
    CHECK(r.status == 200 && r.close && client_is_closed(&c));
    client_close(&c);
    client_open(&c, port);
    for (int i = 0; i < 4; i++) {
        CHECK(client_sends(&c, "GET /health HTTP/1.1\r\n" HOST "\r\n"));
    }
    CHECK(!client_next(&c).close && !client_next(&c).close && client_next(&c).close);
    CHECK(client_is_closed(&c));
    client_close(&c);
    r = ask(&c, "HEAD /api/tools HTTP/1.1\r\n" HOST "\r\n");
    script_expect_header(&r, "Content-Length", "12");
    CHECK(client_sends(&c, "GET /health HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"));
    expect(&c, 200, "{\"status\":\"ok\"}");
    CHECK(client_is_closed(&c));
    client_close(&c);
    /* A request in two parts that is the connection's last. */
    client_open(&c, port);
    CHECK(client_sends(&c, "GET /health HTTP/1.1\r\nConnection: close\r\n"));
    CHECK(client_sends(&c, HOST));
    CHECK(client_sends(&c, "\r\n"));
    CHECK(client_next(&c).close && client_is_closed(&c));
    client_close(&c);
}

/* epoll tells of one that was read just now, and has sent more, before another that has sent after
 * a longer silence: see http_connection.c.  Who connects comes last, and in the order of coming. */
static void
who_was_read_longest_ago_goes_first(void **state)
{
    struct client clients[5];

    (void)state;
    start(NULL);
    for (unsigned i = 0; i < 3; i++) { /* Read in this order. */
        client_open(&clients[i], port);
        send_post(&clients[i], "hello");
        expect(&clients[i], 200, "hello");
    }
    send_post(&clients[2], "stop");
    sem_wait(&dispatcher.holding);
    send_post(&clients[2], "turn 2"); /* All three are ready when the loop looks again. */
    send_post(&clients[0], "turn 0");
    send_post(&clients[1], "turn 1");
    client_open(&clients[3], port);
    client_open(&clients[4], port);
    send_post(&clients[3], "turn 3");
    send_post(&clients[4], "turn 4");
    sem_post(&dispatcher.go_on);
    expect(&clients[2], 200, "stop");
    for (unsigned i = 0; i < 5; i++) {
        char body[] = {'t', 'u', 'r', 'n', ' ', (char)('0' + i), '\0'};

        expect(&clients[i], 200, body);
        client_close(&clients[i]);
    }
    CHECK(slice_is(buf_slice(&dispatcher.turns), "01234"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_route_has_its_methods),
        TEST(metrics_are_open_if_the_settings_say_so),
        TEST(checks_come_in_their_order),
        TEST(hosts_and_origins),
        TEST(tokens),
        TEST(media_types_and_accept),
        TEST(refusals_are_told_as_the_path_wants),
        TEST(answers_to_pages_of_listed_origins),
        TEST(what_dispatch_is_told),
        TEST(who_was_read_longest_ago_goes_first),
        TEST(requests_in_any_pieces),
        TEST(large_bodies),
        TEST(a_hundred_pipelined_requests),
        TEST(two_hundred_connections),
        TEST(waiting_for_leave_to_send_a_body),
        TEST(old_clients_and_last_requests),
    };
    return CHECK_RUN(tests);
}
