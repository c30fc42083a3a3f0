/* test_pitfalls_http.c -- what went wrong in other servers over HTTP, tried on the real one.  Each
 * test has the name of a row of tests/lint/pitfalls.txt. */
#include "tests/check.h"

#include "tests/http_client.h"
#include "tests/json_match.h"
#include "tests/serving.h"
#include "tests/threads.h"

#include <stdio.h>
#include <strings.h>

#define SECONDS 20
#define META                                                                 \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"," \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"
#define MODERN "MCP-Protocol-Version: 2026-07-28\r\n"
#define INITIALIZE                                                                           \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{"                   \
    "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\"," \
    "\"version\":\"1\"}}}"
#define PING "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"
#define LIST "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{" META "}}"

static struct serving server;

static int
start(void **state)
{
    static const char *const plain[] = {"--groups", "core,conformance", NULL};
    const char *const *options = *state ? *state : plain;
    char *line;

    serving_start(&server, "dual", options);
    serving_send(&server, SLICE("{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"ping\"}"));
    line = serving_line(&server, SECONDS);
    if (!line) {
        return -1;
    }
    free(line);
    serving_discover(&server);
    return 0;
}

static int
stop(void **state)
{
    int status = serving_stop(&server);

    (void)state;
    serving_fini(&server);
    return status;
}

struct answer {
    int status;
    char *head, *body; /* Owned. */
};

static void
answer_fini(struct answer *a)
{
    free(a->head);
    free(a->body);
}

static bool
has_header(const struct answer *a, const char *name)
{
    const char *line = a->head;
    size_t len = strlen(name);

    while ((line = strstr(line, "\r\n"))) {
        line += 2;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            return true;
        }
    }
    return false;
}

/* Sends one request on a connection of its own; 'headers' are whole lines. */
static struct answer
ask(const char *method, const char *path, const char *headers, const char *body)
{
    struct answer a;
    struct client c;
    struct response r;
    char *text = xasprintf("%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\n"
                           "Authorization: Bearer %s\r\n%s%sContent-Length: %zu\r\n\r\n%s",
                           method, path, server.port, server.token, headers,
                           *body ? "Content-Type: application/json\r\n" : "", strlen(body), body);

    client_open(&c, server.port);
    CHECK(client_sends(&c, text));
    r = client_read(&c, false, SECONDS);
    CHECK(r.status > 0);
    a = (struct answer){.status = r.status,
                        .head = xstrndup(r.head.data, r.head.len),
                        .body = xstrndup(r.body.len ? r.body.data : "", r.body.len)};
    client_close(&c);
    free(text);
    return a;
}

static struct answer
post(const char *headers, const char *body)
{
    return ask("POST", "/mcp", headers, body);
}

/* Posts and checks the status, and the body unless 'want' is null. */
static void
expect(int status, const char *want, const char *headers, const char *body)
{
    struct answer a = post(headers, body);

    if (a.status != status || (want && !strstr(a.body, want))) {
        print_message("%s%s\n%d %s\n", headers, body, a.status, a.body);
    }
    CHECK_INT(a.status, status);
    CHECK(!want || strstr(a.body, want));
    answer_fini(&a);
}

/* Begins a legacy session and returns its header line, new. */
static char *
begin_session(const char *headers)
{
    struct answer a = post(headers, INITIALIZE);
    const char *at = strcasestr(a.head, "\r\nmcp-session-id:");
    char *line = NULL;

    if (a.status == 200 && at) {
        at += 2;
        line = xasprintf("%.*s\r\n", (int)strcspn(at, "\r"), at);
    }
    answer_fini(&a);
    return line;
}

static void
session_loss(void **state)
{
    static const char stale[] = "Mcp-Session-Id: 00112233445566778899aabbccddeeff\r\n";
    char *session;

    (void)state;
    expect(404, "-32600", stale, PING);
    session = begin_session(stale); /* A stale id on initialize gets a fresh session. */
    CHECK(session && strcasecmp(session, stale) != 0);
    expect(200, "{}", session, PING);
    free(session);
}

static void
session_leak(void **state)
{
    unsigned begun = 0, refused = 0;

    (void)state;
    for (unsigned i = 0; i < 12; i++) {
        char *session = begin_session("");

        begun += session != NULL;
        refused += session == NULL;
        free(session);
    }
    CHECK(begun >= 4);
    CHECK_INT(begun + refused, 12);
    {
        /* However many began, no more than the limit are there. */
        struct answer a =
            post(MODERN "Mcp-Method: tools/call\r\nMcp-Name: get_server_info\r\n",
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":"
                 "\"get_server_info\"," META "}}");
        const char *at = strstr(a.body, "\"live\":");

        CHECK(!at || strtoul(at + 7, NULL, 10) <= 4);
        answer_fini(&a);
    }
}

static void
session_header(void **state)
{
    char *session = begin_session("");
    char *both = xasprintf("%s" MODERN "Mcp-Method: tools/list\r\n", session);
    struct answer answers[] = {
        post(session, PING),
        post(session, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"none\"}"),
        post(session, "{"),
        post(session, INITIALIZE),
        post(session, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"),
        post(MODERN "Mcp-Method: tools/list\r\n", LIST),
        post(both, LIST),
        post(MODERN "Mcp-Method: none\r\n", LIST),
    };

    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        CHECK(!has_header(&answers[i], "Mcp-Session-Id"));
        answer_fini(&answers[i]);
    }
    free(both);
    free(session);
}

static void
get_answer(void **state)
{
    struct answer a = ask("GET", "/mcp", "Accept: text/event-stream\r\n", "");

    (void)state;
    CHECK(a.status == 400 || a.status == 405);
    CHECK(!strstr(a.body, "result"));
    answer_fini(&a);
    a = ask("GET", "/mcp", "Accept: application/json\r\n", "");
    CHECK(a.status >= 400);
    answer_fini(&a);
}

static void
sse_behind_proxies(void **state)
{
    static const char body[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscriptions/listen\","
                               "\"params\":{\"notifications\":{}," META "}}";
    struct client c;
    char *text =
        xasprintf("POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAuthorization: Bearer %s\r\n" MODERN
                  "Mcp-Method: subscriptions/listen\r\nAccept-Encoding: gzip, deflate\r\n"
                  "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                  server.port, server.token, strlen(body), body);

    (void)state;
    client_open(&c, server.port);
    CHECK(client_sends(&c, text));
    /* The head and a first event come while the stream is open. */
    CHECK(client_until(&c, "HTTP/1.1 200", SECONDS));
    CHECK(client_until(&c, "subscriptions/acknowledged", SECONDS));
    CHECK(memmem(c.in.data, c.in.len, "X-Accel-Buffering: no\r\n", 23));
    CHECK(memmem(c.in.data, c.in.len, "Cache-Control: no-cache, no-transform\r\n", 39));
    CHECK(!memmem(c.in.data, c.in.len, "Content-Encoding", 16));
    client_close(&c);
    free(text);
}

static void
cross_client_call(void *arg, unsigned number)
{
    _Atomic unsigned *wrong = arg;
    bool modern = number % 2;
    char *session = modern ? xstrdup(MODERN "Mcp-Method: prompts/get\r\n"
                                            "Mcp-Name: test_prompt_with_arguments\r\n")
                           : begin_session("");

    for (unsigned i = 0; i < 10; i++) {
        char *mine = xasprintf("mine-%u-%u.", number, i);
        char *body = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"prompts/get\","
                               "\"params\":{\"name\":\"test_prompt_with_arguments\",\"arguments\":"
                               "{\"arg1\":\"%s\",\"arg2\":\"b\"}%s}}",
                               mine, modern ? "," META : "");
        struct answer a = post(session, body);

        if (a.status != 200 || !strstr(a.body, mine)) {
            atomic_fetch_add(wrong, 1);
        }
        answer_fini(&a);
        free(body);
        free(mine);
    }
    free(session);
}

static void
cross_client_leak(void **state)
{
    _Atomic unsigned wrong = 0;

    (void)state;
    threads_run(8, cross_client_call, &wrong); /* All with the same id at once. */
    CHECK_INT(wrong, 0);
}

static void
accepted(void **state)
{
    static const char *const bodies[] = {
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":9}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/none\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{}}",
    };
    char *session = begin_session("");

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct answer a = post(session, bodies[i]);

        CHECK_INT(a.status, 202);
        CHECK_STR(a.body, "");
        CHECK(!strcasestr(a.head, "transfer-encoding"));
        CHECK(!strcasestr(a.head, "content-type"));
        answer_fini(&a);
    }
    free(session);
}

static void
accept_header(void **state)
{
    static const char *const accepts[] = {
        "",
        "Accept: */*\r\n",
        "Accept: application/*\r\n",
        "Accept: application/json\r\n",
        "Accept: text/event-stream\r\n",
        "Accept: text/event-stream, application/json\r\n",
        "Accept: application/json;q=0.5, text/event-stream;q=0.9\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof accepts / sizeof accepts[0]; i++) {
        char *headers = xasprintf("%s" MODERN "Mcp-Method: tools/list\r\n", accepts[i]);

        expect(200, "\"tools\"", headers, LIST);
        free(headers);
    }
    expect(406, NULL, "Accept: text/html\r\n" MODERN "Mcp-Method: tools/list\r\n", LIST);
}

static void
redirects(void **state)
{
    static const char *const paths[] = {"/mcp", "/mcp/"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct answer a = ask("POST", paths[i], MODERN "Mcp-Method: tools/list\r\n", LIST);

        CHECK_INT(a.status, 200);
        answer_fini(&a);
    }
}

/* The status of a request with another Host. */
static int
status_for_host(const char *host)
{
    struct client c;
    struct response r;
    char *text = xasprintf("POST /mcp HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n" MODERN
                           "Mcp-Method: tools/list\r\nContent-Type: application/json\r\n"
                           "Content-Length: %zu\r\n\r\n" LIST,
                           host, server.token, strlen(LIST));

    client_open(&c, server.port);
    CHECK(client_sends(&c, text));
    r = client_read(&c, false, SECONDS);
    client_close(&c);
    free(text);
    return r.status;
}

static void
host_check(void **state)
{
    char *own = xasprintf("localhost:%u", server.port);

    (void)state;
    CHECK_INT(status_for_host("evil.example.com"), 403);
    CHECK_INT(status_for_host("tunnel.example.com"), 200); /* Named by the settings. */
    CHECK_INT(status_for_host(own), 200);
    free(own);
}

static void
cors(void **state)
{
    struct client c;
    struct response r;
    char *text =
        xasprintf("OPTIONS /mcp HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
                  "Origin: https://page.example\r\nConnection: close\r\n"
                  "Access-Control-Request-Method: POST\r\n"
                  "Access-Control-Request-Headers: authorization, mcp-param-region\r\n\r\n",
                  server.port);
    struct answer a;

    (void)state;
    client_open(&c, server.port);
    CHECK(client_sends(&c, text)); /* It shows no token: a browser cannot. */
    r = client_read(&c, false, SECONDS);
    CHECK_INT(r.status, 204);
    a = (struct answer){.head = xstrndup(r.head.data, r.head.len)};
    CHECK(strcasestr(a.head, "Access-Control-Allow-Origin: https://page.example\r\n"));
    CHECK(strcasestr(a.head, "Authorization, MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, "
                             "Mcp-Name, Last-Event-ID"));
    CHECK(strcasestr(a.head, "mcp-param-region"));
    CHECK(strstr(a.head, "POST, OPTIONS") || strstr(a.head, "DELETE, OPTIONS"));
    answer_fini(&a);
    client_close(&c);
    free(text);
    a = post("Origin: https://page.example\r\n", INITIALIZE);
    CHECK_INT(a.status, 200);
    CHECK(strcasestr(a.head, "Access-Control-Expose-Headers: Mcp-Session-Id, WWW-Authenticate"));
    answer_fini(&a);
}

static void
concurrency(void **state)
{
    static const char slow[] =
        "{\"jsonrpc\":\"2.0\",\"id\":99,\"method\":\"tools/call\",\"params\":"
        "{\"name\":\"test_tool_with_progress\"}}";
    char *session = begin_session("");
    struct client c;
    char *text =
        xasprintf("POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAuthorization: Bearer %s\r\n"
                  "%sContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                  server.port, server.token, session, strlen(slow), slow);

    (void)state;
    client_open(&c, server.port);
    CHECK(client_sends(&c, text));
    expect(200, "{}", session, PING); /* Of the same session, while its tool runs. */
    CHECK_INT(client_read(&c, false, SECONDS).status, 200);
    client_close(&c);
    free(text);
    free(session);
}

static void
post_parse_errors(void **state)
{
    (void)state;
    expect(400, "\"id\":1,", MODERN "Mcp-Method: tools/call\r\n", LIST);
    expect(400, "\"id\":1,", "Mcp-Method: tools/list\r\n", LIST);
    expect(400, "\"id\":1,", "MCP-Protocol-Version: v999\r\nMcp-Method: tools/list\r\n", LIST);
    expect(400, "\"id\":\"x\",", MODERN "Mcp-Method: tools/list\r\n",
           "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"tools/list\"}");
    expect(404, "\"id\":\"x\",", MODERN "Mcp-Method: none\r\n",
           "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"none\",\"params\":{" META "}}");
    expect(400, "\"id\":7,",
           MODERN "Mcp-Method: tools/call\r\nMcp-Name: test_missing_capability\r\n",
           "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":"
           "\"test_missing_capability\"," META "}}");
    expect(400, "\"id\":7,", "", "{\"jsonrpc\":\"1.0\",\"id\":7,\"method\":\"ping\"}");
}

static void
cancel_notice_over_http(void **state)
{
    static const char bare[] = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
                               "\"params\":{\"requestId\":5,\"reason\":\"gone\"}}";
    static const char whole[] = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
                                "\"params\":{\"requestId\":5," META "}}";

    (void)state;
    expect(202, "", MODERN, bare);
    expect(202, "", MODERN "Mcp-Method: notifications/cancelled\r\n", bare);
    expect(202, "", MODERN "Mcp-Method: notifications/cancelled\r\n", whole);
}

static const char *const few_sessions[] = {"--limits-sessions", "4", NULL};
static const char *const a_tunnel[] = {"--allow-host", "tunnel.example.com", NULL};
static const char *const a_page[] = {"--allow-origin", "https://page.example", NULL};

#define PITFALL(NAME, TEST, OPTIONS)                                      \
    {                                                                     \
        "pitfall: " NAME, TEST, start, stop, (void *)(uintptr_t)(OPTIONS) \
    }

int
main(void)
{
    const struct CMUnitTest tests[] = {
        PITFALL("Session loss", session_loss, NULL),
        PITFALL("Session leak", session_leak, few_sessions),
        PITFALL("Session header", session_header, NULL),
        PITFALL("GET answer", get_answer, NULL),
        PITFALL("Cross-client leak", cross_client_leak, NULL),
        PITFALL("SSE behind proxies", sse_behind_proxies, NULL),
        PITFALL("202", accepted, NULL),
        PITFALL("Accept", accept_header, NULL),
        PITFALL("Redirects", redirects, NULL),
        PITFALL("Host check", host_check, a_tunnel),
        PITFALL("CORS", cors, a_page),
        PITFALL("Concurrency", concurrency, NULL),
        PITFALL("Post-parse errors", post_parse_errors, NULL),
        PITFALL("Cancel notice over HTTP", cancel_notice_over_http, NULL),
    };

    return CHECK_RUN(tests);
}
