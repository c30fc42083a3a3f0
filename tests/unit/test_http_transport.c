/* test_http_transport.c -- the HTTP transport on real sockets, before a dispatcher whose answers
 * come when the test says so, and a clock that moves when the test says so.  What real messages are
 * answered over HTTP is in tests/transport. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "state/base/log.h"
#include "state/settings.h"
#include "tests/fakes.h"
#include "tests/http_client.h"
#include "tests/no_relay.h"
#include "transports/http_private.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SECOND ((int64_t)1000000000)
#define TOKEN "0123456789012345678901234567890123456789012"
#define THREADS_MAX 256

/* The dispatcher of this program: a body's first word says what becomes of it.
 *   hold     is kept; released by the test, or by a "release" on another connection, inline
 *   thread   is answered by a thread of its own
 *   note     is taken without an answer
 *   big      gets 4 MB
 *   session  makes a session
 *   busy     is turned away
 *   and anything else is echoed. */
struct dispatcher {
    struct sink *_Atomic held;
    sem_t holding, gone, room;
    _Atomic unsigned taken, tools, ended;
    const struct sink *_Atomic gone_sink, *_Atomic drained;
    pthread_t threads[THREADS_MAX];
    unsigned thread_count; /* Of the transport's thread. */
    char heard[256];       /* What the envelope said; read after the answer. */
};

static void
answer(struct sink *sink, int status, struct slice body)
{
    struct reply reply = {.body = body, .status = status};

    sink->class->answer(sink, &reply);
    sink->class->unref(sink);
}

static bool
starts(struct slice s, const char *word)
{
    return s.len >= strlen(word) && memcmp(s.data, word, strlen(word)) == 0;
}

struct late {
    struct sink *sink;
    char text[64];
};

static void *
answer_late(void *arg)
{
    struct late *late = arg;

    answer(late->sink, 200, slice_of(late->text));
    free(late);
    return NULL;
}

static void
answer_big(struct sink *sink)
{
    struct buf big = BUF_INIT;

    CHECK(buf_reserve(&big, 4000000));
    memset(big.data, 'x', 4000000);
    big.len = 4000000;
    answer(sink, 200, buf_slice(&big));
    buf_fini(&big);
}

static void
hear(struct dispatcher *d, const struct envelope *env)
{
    struct slice param = SLICE_NONE;

    env->param_header(env, SLICE("mcp-param-region"), &param);
    snprintf(d->heard, sizeof d->heard, "%.*s|%.*s|%.*s|%.*s|%.*s|%.*s", (int)env->principal.len,
             env->principal.data, (int)env->session_id.len, env->session_id.data,
             (int)env->protocol_version.len, env->protocol_version.data, (int)env->method.len,
             env->method.data, (int)env->name.len, env->name.data, (int)param.len, param.data);
}

void
dispatch_message(struct dispatcher *d, const struct envelope *env, struct slice body,
                 struct sink *sink)
{
    hear(d, env);
    atomic_fetch_add(&d->taken, 1);
    if (starts(body, "hold")) {
        atomic_store(&d->held, sink);
        sem_post(&d->holding);
    } else if (starts(body, "release")) {
        answer(atomic_exchange(&d->held, NULL), 200, SLICE("released"));
        answer(sink, 200, SLICE("done"));
    } else if (starts(body, "thread") && d->thread_count < THREADS_MAX) {
        struct late *late = xcalloc(1, sizeof *late);

        late->sink = sink;
        memcpy(late->text, body.data, body.len < 63 ? body.len : 63);
        pthread_create(&d->threads[d->thread_count++], NULL, answer_late, late);
    } else if (starts(body, "note")) {
        answer(sink, 202, SLICE_NONE);
    } else if (starts(body, "big")) {
        answer_big(sink);
    } else if (starts(body, "session")) {
        sink->class->answer(
            sink,
            &(struct reply){.body = SLICE("{}"), .status = 200, .session_id = SLICE("abc123")});
        sink->class->unref(sink);
    } else if (starts(body, "busy")) {
        sink->class->answer(sink,
                            &(struct reply){.body = SLICE("{}"), .status = 429, .retry_after = 3});
        sink->class->unref(sink);
    } else {
        answer(sink, 200, body);
    }
}

void
dispatch_tool(struct dispatcher *d, const struct envelope *env, struct slice tool,
              struct slice arguments, struct sink *sink)
{
    char text[128];

    hear(d, env);
    atomic_fetch_add(&d->tools, 1);
    snprintf(text, sizeof text, "tool %.*s(%.*s)", (int)tool.len, tool.data, (int)arguments.len,
             arguments.data);
    answer(sink, 200, slice_of(text));
}

void
dispatch_tools(struct dispatcher *d, const struct envelope *env, struct sink *sink)
{
    hear(d, env);
    answer(sink, 200, SLICE("{\"tools\":[]}"));
}

void
dispatch_resource(struct dispatcher *d, const struct envelope *env, struct slice uri,
                  struct sink *sink)
{
    hear(d, env);
    answer(sink, 200, uri.len ? uri : SLICE("none"));
}

void
dispatch_event(struct dispatcher *d, const struct envelope *env, struct slice body,
               struct sink *sink)
{
    hear(d, env);
    answer(sink, 200, body);
}

void
dispatch_metrics(struct dispatcher *d, struct buf *out)
{
    (void)d;
    buf_adds(out, "metrics 1\n");
}

void
dispatch_listen(struct dispatcher *d, const struct envelope *env, struct slice last_event_id,
                struct sink *sink)
{
    snprintf(d->heard, sizeof d->heard, "%.*s|%.*s", (int)env->session_id.len, env->session_id.data,
             (int)last_event_id.len, last_event_id.data);
    atomic_store(&d->held, sink);
    sem_post(&d->holding);
}

void
dispatch_drained(struct dispatcher *d, const struct sink *sink)
{
    atomic_store(&d->drained, sink);
    sem_post(&d->room);
}

void
dispatch_end(struct dispatcher *d, const struct envelope *env, struct sink *sink)
{
    hear(d, env);
    atomic_fetch_add(&d->ended, 1);
    answer(sink, 204, SLICE_NONE);
}

void
dispatch_last(struct dispatcher *d, const struct envelope *env)
{
    (void)d, (void)env;
}

void
dispatch_gone(struct dispatcher *d, const struct envelope *env, const struct sink *sink)
{
    (void)env;
    atomic_store(&d->gone_sink, sink);
    sem_post(&d->gone);
}

/* ---- One transport ---- */

static struct dispatcher dispatcher;
static struct settings *settings;
static struct fake_clock fake;
static struct transport *transport;
static unsigned port;

static void
set(enum setting setting, const char *text)
{
    CHECK(settings_set(settings, setting, text, ORIGIN_OPTION, NULL) == E_OK);
}

static int
prepare(void **state)
{
    (void)state;
    log_configure(LOG_OFF, LOG_TEXT);
    memset(&dispatcher, 0, sizeof dispatcher);
    sem_init(&dispatcher.holding, 0, 0);
    sem_init(&dispatcher.gone, 0, 0);
    sem_init(&dispatcher.room, 0, 0);
    fake_clock_init(&fake);
    settings = settings_create();
    return 0;
}

static void
start_on(int fd, const char *token)
{
    struct transport_context context = {
        .dispatcher = &dispatcher,
        .settings = settings,
        .clock = &fake.clock,
        .listen_fd = fd,
        .token = token,
    };

    CHECK(http_transport.start(&context, &transport, NULL) == E_OK);
}

static void
start(const char *token)
{
    start_on(client_listen(&port), token);
}

static void
stop_at(int64_t deadline_ns)
{
    if (transport) {
        http_transport.stop(transport, deadline_ns);
    }
    transport = NULL;
    for (; dispatcher.thread_count; dispatcher.thread_count--) {
        pthread_join(dispatcher.threads[dispatcher.thread_count - 1], NULL);
    }
}

static int
finish(void **state)
{
    (void)state;
    stop_at(INT64_MAX);
    settings_unref(settings);
    sem_destroy(&dispatcher.holding);
    sem_destroy(&dispatcher.gone);
    sem_destroy(&dispatcher.room);
    return 0;
}

/* ---- Requests ---- */

#define JSON "Content-Type: application/json\r\n"
#define HOST "Host: localhost\r\n"
#define BEARER "Authorization: Bearer " TOKEN "\r\n"

static char *
post(const char *body)
{
    return xasprintf("POST /mcp HTTP/1.1\r\n" HOST JSON BEARER "Content-Length: %zu\r\n\r\n%s",
                     strlen(body), body);
}

static void
send_post(struct client *c, const char *body)
{
    char *text = post(body);

    CHECK(client_sends(c, text));
    free(text);
}

static void
expect(struct client *c, int status, const char *body)
{
    struct response r = client_next(c);

    if (r.status != status || (body && !slice_is(r.body, body))) {
        fail_msg("wanted %d %s, got %d %.*s", status, body ? body : "", r.status, (int)r.body.len,
                 r.body.data ? r.body.data : "");
    }
}

static void
expect_header(const struct response *r, const char *name, const char *value)
{
    char *got = client_header(r, name);

    CHECK_STR(got, value);
    free(got);
}

/* Sends 'text' on a connection of its own and reads one answer. */
static struct response
ask(struct client *c, const char *text)
{
    client_open(c, port);
    CHECK(client_sends(c, text));
    return client_read(c, strncmp(text, "HEAD", 4) == 0, 10);
}

static int
status_of(const char *text)
{
    struct client c;
    int status = ask(&c, text).status;

    client_close(&c);
    return status;
}

/* Still served, whatever happened before. */
static void
check_alive(void)
{
    CHECK_INT(status_of("GET /health HTTP/1.1\r\n" HOST "\r\n"), 200);
}

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
                expect_header(&r, "Allow", rows[i].allow);
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
    set(SETTING_metrics_open, "true");
    r = ask(&c, "GET /metrics HTTP/1.1\r\n" HOST "\r\n");
    CHECK_INT(r.status, 200);
    CHECK(slice_is(r.body, "metrics 1\n"));
    expect_header(&r, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
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
    set(SETTING_allow_host, "one.example, two.example:99");
    set(SETTING_allow_origin, "https://app.example");
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
        expect_header(&r, "WWW-Authenticate", rows[i].challenge);
        CHECK(!memmem(r.body.data, r.body.len, TOKEN, strlen(TOKEN)));
        client_close(&c);
        free(text);
    }
    CHECK_INT(status_of("GET /api/tools HTTP/1.1\r\n" HOST "\r\n"), 401);
    CHECK_INT(status_of("GET /ready HTTP/1.1\r\n" HOST "\r\n"), 200);
}

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
        expect_header(&r, "Content-Type", rows[i].type);
        if (strcmp(rows[i].type, "text/event-stream") == 0) {
            CHECK(slice_is(r.body, "event: message\ndata: {}\n\n"));
            expect_header(&r, "X-Accel-Buffering", "no");
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
    CHECK(r.close && starts(r.body, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,"));
    client_close(&c);
    r = ask(&c, "POST /api/tools/x HTTP/1.1\r\n" HOST JSON "\r\n");
    CHECK_INT(r.status, 411);
    CHECK(slice_is(r.body,
                   "{\"code\":\"length_required\",\"message\":\"a body needs Content-Length, or "
                   "chunks\"}"));
    expect_header(&r, "X-Content-Type-Options", "nosniff");
    client_close(&c);
    r = ask(&c, "BREW /pot HTTP/1.1\r\n" HOST "\r\n");
    CHECK_INT(r.status, 501);
    CHECK(r.close && starts(r.body, "{\"code\":\"unknown_method\""));
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
    set(SETTING_allow_origin, "https://app.example");
    start(TOKEN);
    r = ask(&c, "OPTIONS /mcp HTTP/1.1\r\n" HOST "Origin: https://app.example\r\n"
                "Access-Control-Request-Method: POST\r\n"
                "Access-Control-Request-Headers: content-type, mcp-param-region, x-evil\r\n\r\n");
    CHECK_INT(r.status, 204);
    expect_header(&r, "Access-Control-Allow-Origin", "https://app.example");
    expect_header(&r, "Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS");
    expect_header(&r, "Access-Control-Allow-Headers",
                  "Content-Type, Accept, Authorization, MCP-Protocol-Version, Mcp-Session-Id, "
                  "Mcp-Method, Mcp-Name, Last-Event-ID, X-Client-ID, mcp-param-region");
    expect_header(&r, "Content-Length", "");
    CHECK(client_sends(&c, "POST /mcp HTTP/1.1\r\n" HOST JSON "Origin: https://app.example\r\n"
                           "Content-Length: 2\r\n\r\n{}"));
    r = client_next(&c);
    CHECK_INT(r.status, 401);
    expect_header(&r, "Access-Control-Allow-Origin", "https://app.example");
    expect_header(&r, "Vary", "Origin");
    expect_header(&r, "Access-Control-Expose-Headers", "Mcp-Session-Id, WWW-Authenticate");
    send_post(&c, "{}");
    r = client_next(&c);
    CHECK_INT(r.status, 200);
    expect_header(&r, "Access-Control-Allow-Origin", "");
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
    expect_header(&r, "Mcp-Session-Id", "abc123");
    CHECK_STR(dispatcher.heard, "token|s1|2026-07-28|tools/call|a b|us");
    CHECK(client_sends(&c, "POST /mcp HTTP/1.1\r\n" HOST JSON BEARER
                           "Mcp-Name: a\r\nMcp-Method: x\r\nMcp-Name: b\r\nMcp-Name: a\r\n"
                           "Mcp-Method: y\r\nContent-Length: 4\r\n\r\nbusy"));
    r = client_next(&c);
    CHECK_INT(r.status, 429);
    expect_header(&r, "Retry-After", "3");
    expect_header(&r, "Mcp-Session-Id", "");
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
    expect_header(&r, "Content-Length", "0");
    expect_header(&r, "Date", "Tue, 14 Nov 2023 22:13:20 GMT");
    client_close(&c);
}

/* ---- Streams ---- */

#define STREAM "Accept: application/json, text/event-stream\r\n"

static enum err
say(struct sink *sink, const char *text)
{
    return sink->class->send(sink, &(struct event){.body = slice_of(text)});
}

/* Sends "hold" for a stream and waits until dispatch has it. */
static struct sink *
hold(struct client *c, const char *version)
{
    char *text = xasprintf(
        "POST /mcp HTTP/%s\r\n" HOST JSON STREAM BEARER "Content-Length: 4\r\n\r\nhold", version);

    client_open(c, port);
    CHECK(client_sends(c, text));
    free(text);
    sem_wait(&dispatcher.holding);
    return atomic_exchange(&dispatcher.held, NULL);
}

static void
events_then_the_answer_then_the_next_request(void **state)
{
    struct client c;
    struct response r;
    struct sink *sink;

    (void)state;
    start(TOKEN);
    sink = hold(&c, "1.1");
    for (int round = 0; round < 2; round++) {
        CHECK_INT(say(sink, "one"), E_OK);
        CHECK(client_until(&c, "\r\n\r\n", 10)); /* At once, long before the answer. */
        CHECK(client_until(&c, "data: one\n\n\r\n", 10));
        CHECK_INT(say(sink, "two"), E_OK);
        answer(sink, 400, SLICE("last"));
        CHECK(client_until(&c, "event: message\ndata: two\n\n", 10));
        CHECK(client_until(&c, "data: last\n\n\r\n0\r\n\r\n", 10));
        send_post(&c, "plain");
        expect(&c, 200, "plain");
        CHECK(client_sends(&c, "POST /mcp HTTP/1.1\r\n" HOST JSON STREAM BEARER
                               "Content-Length: 4\r\n\r\nhold"));
        sem_wait(&dispatcher.holding);
        sink = atomic_exchange(&dispatcher.held, NULL);
    }
    CHECK_INT(say(sink, "x"), E_OK);
    answer(sink, 204, SLICE_NONE); /* Cancelled: the stream ends without an answer. */
    r = client_next(&c);
    CHECK_INT(r.status, 200);
    CHECK(slice_is(r.body, "event: message\ndata: x\n\n"));
    expect_header(&r, "Content-Type", "text/event-stream");
    expect_header(&r, "Cache-Control", "no-cache, no-transform");
    expect_header(&r, "X-Accel-Buffering", "no");
    expect_header(&r, "Transfer-Encoding", "chunked");
    expect_header(&r, "Content-Length", "");
    client_close(&c);
}

static void
a_stream_for_http_1_0_ends_with_its_connection(void **state)
{
    struct client c;
    struct sink *sink;

    (void)state;
    start(TOKEN);
    sink = hold(&c, "1.0");
    CHECK_INT(say(sink, "one"), E_OK);
    answer(sink, 200, SLICE("two"));
    CHECK(client_until(&c,
                       "Connection: close\r\n\r\nevent: message\ndata: one\n\n"
                       "event: message\ndata: two\n\n",
                       10));
    CHECK(client_is_closed(&c));
    client_close(&c);
}

/* Who has not said that it reads streams gets its answer only. */
static void
events_are_for_who_takes_them(void **state)
{
    struct client c;

    (void)state;
    start(TOKEN);
    client_open(&c, port);
    send_post(&c, "hold");
    sem_wait(&dispatcher.holding);
    CHECK_INT(say(dispatcher.held, "one"), E_REFUSED);
    answer(atomic_exchange(&dispatcher.held, NULL), 200, SLICE("{}"));
    expect(&c, 200, "{}");
    client_close(&c);
}

/* pitfall: SSE behind proxies */
static void
a_silent_stream_is_kept_open(void **state)
{
    struct client c;
    struct sink *sink;

    (void)state;
    start(TOKEN);
    sink = hold(&c, "1.1");
    CHECK_INT(say(sink, "one"), E_OK);
    CHECK(client_until(&c, "data: one\n\n\r\n", 10));
    for (int i = 0; i < 3; i++) {
        fake_clock_pass(&fake, 15 * SECOND);
        CHECK(client_until(&c, "6\r\n: ka\n\n\r\n", 10));
    }
    answer(sink, 200, SLICE("two"));
    CHECK(client_until(&c, "data: two\n\n\r\n0\r\n\r\n", 10));
    client_close(&c);
}

/* What waits for a peer that does not read is bounded; after ten seconds it is closed. */
static void
who_does_not_read_its_stream_is_closed(void **state)
{
    char *much = xcalloc(1, 200001);
    struct client c;
    struct sink *sink;
    unsigned refused = 0;

    (void)state;
    memset(much, 'x', 200000);
    start(TOKEN);
    sink = hold(&c, "1.1");
    while (sem_trywait(&dispatcher.gone) != 0) {
        enum err err = say(sink, much); /* Until the socket is full some are taken again. */

        CHECK(err == E_OK || err == E_LIMIT || err == E_CANCELLED);
        refused += err == E_LIMIT;
        if (refused > 100) {
            fake_clock_pass(&fake, SECOND / 100);
            check_alive();
        }
    }
    CHECK(refused > 0);
    CHECK(dispatcher.gone_sink == sink);
    CHECK_INT(say(sink, "more"), E_CANCELLED);
    answer(sink, 200, SLICE("late"));
    client_close(&c);
    check_alive();
    free(much);
}

static void
few_small_events_wait(void **state)
{
    struct client c;
    struct sink *sink;
    unsigned taken = 0;

    (void)state;
    start(TOKEN);
    sink = hold(&c, "1.1");
    while (taken < 100000 && say(sink, "small") == E_OK) {
        taken++;
    }
    CHECK(taken >= SINK_WAITING_MESSAGES);
    answer(sink, 200, SLICE("end"));
    for (unsigned i = 0; i < taken; i++) {
        CHECK(client_until(&c, "data: small\n\n", 10));
    }
    CHECK(client_until(&c, "data: end\n\n\r\n0\r\n\r\n", 10));
    client_close(&c);
}

static void
closing_a_stream_is_told(void **state)
{
    struct client c;
    struct sink *sink;

    (void)state;
    start(TOKEN);
    sink = hold(&c, "1.1");
    CHECK_INT(say(sink, "one"), E_OK);
    CHECK(client_until(&c, "data: one\n\n", 10));
    client_close(&c);
    sem_wait(&dispatcher.gone);
    CHECK(dispatcher.gone_sink == sink);
    answer(sink, 204, SLICE_NONE);
    check_alive();
}

/* ---- Streams by GET ---- */

static void
a_get_is_for_a_session_and_for_who_reads_streams(void **state)
{
    static const struct {
        const char *headers;
        int status;
    } rows[] = {
        {"", 405},
        {"Accept: text/event-stream\r\n", 405},
        {"Mcp-Session-Id: a\r\nAccept: application/json\r\n", 406},
        {"Mcp-Session-Id: a\r\nAccept: text/html, application/json\r\n", 406},
    };
    struct client c;

    (void)state;
    start(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *text = xasprintf("GET /mcp HTTP/1.1\r\n" HOST "%s\r\n", rows[i].headers);
        struct response r = ask(&c, text);

        CHECK_INT(r.status, rows[i].status);
        expect_header(&r, "Allow", r.status == 405 ? "GET, POST, DELETE" : "");
        client_close(&c);
        free(text);
    }
}

/* Sends a GET and waits until dispatch has it. */
static struct sink *
open_get(struct client *c, const char *headers)
{
    char *text =
        xasprintf("GET /mcp HTTP/1.1\r\n" HOST BEARER "Mcp-Session-Id: s\r\n%s\r\n", headers);

    client_open(c, port);
    CHECK(client_sends(c, text));
    free(text);
    sem_wait(&dispatcher.holding);
    return atomic_exchange(&dispatcher.held, NULL);
}

static void
a_get_carries_events_with_ids_until_it_is_ended(void **state)
{
    struct client c;
    struct sink *sink;

    (void)state;
    start(TOKEN);
    sink = open_get(&c, "Last-Event-ID: x-1-2\r\nAccept: text/event-stream\r\n");
    CHECK_STR(dispatcher.heard, "s|x-1-2");
    CHECK_INT(sink->class->send(sink, &(struct event){.retry_ms = 0}), E_OK);
    CHECK(client_until(&c, "X-Accel-Buffering: no\r\n", 10));
    CHECK(client_until(&c, "\r\n\r\n6\r\n: ka\n\n\r\n", 10));
    CHECK_INT(sink->class->send(sink, &(struct event){.id = SLICE("x-0-1"), .retry_ms = 500}),
              E_OK);
    CHECK(client_until(&c, "\r\nid: x-0-1\nretry: 500\ndata: \n\n\r\n", 10));
    CHECK_INT(sink->class->send(sink, &(struct event){.id = SLICE("x-0-2"), .body = SLICE("one")}),
              E_OK);
    CHECK(client_until(&c, "\r\nevent: message\nid: x-0-2\ndata: one\n\n\r\n", 10));
    sink->class->answer(
        sink, &(struct reply){.status = 200, .body = SLICE("end"), .event_id = SLICE("x-0-3")});
    sink->class->unref(sink);
    CHECK(client_until(&c, "event: message\nid: x-0-3\ndata: end\n\n\r\n0\r\n\r\n", 10));
    send_post(&c, "next"); /* The connection goes on. */
    expect(&c, 200, "next");
    client_close(&c);
}

static void
an_empty_last_event_id_is_none(void **state)
{
    struct client c;
    struct sink *sink;

    (void)state;
    start(TOKEN);
    sink = open_get(&c, "Last-Event-ID: \r\n");
    CHECK_STR(dispatcher.heard, "s|");
    answer(sink, 404, SLICE("{}"));
    expect(&c, 404, "{}"); /* What dispatch refuses is no stream. */
    client_close(&c);
}

/* Whoever is refused for want of room learns when there is some. */
static void
room_is_told_after_want_of_it(void **state)
{
    char *much = xcalloc(1, 200001);
    struct client c;
    struct sink *sink;
    unsigned sent = 0;

    (void)state;
    memset(much, 'x', 200000);
    start(TOKEN);
    sink = open_get(&c, "");
    while (say(sink, much) == E_OK) {
        sent++;
    }
    for (unsigned i = 0; i < sent; i++) {
        CHECK(client_until(&c, "x\n\n\r\n", 10));
    }
    sem_wait(&dispatcher.room);
    CHECK(dispatcher.drained == sink);
    CHECK_INT(say(sink, "small"), E_OK);
    CHECK(client_until(&c, "data: small\n\n\r\n", 10));
    answer(sink, 204, SLICE_NONE);
    CHECK(client_until(&c, "0\r\n\r\n", 10));
    client_close(&c);
    free(much);
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
    set(SETTING_limits_unchecked, "200");
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
    set(SETTING_limits_requests, "3");
    start(NULL);
    r = ask(&c, "GET /health HTTP/1.0\r\n" HOST "Connection: keep-alive\r\n\r\n");
    CHECK(r.status == 200 && !r.close);
    expect_header(&r, "Connection", "keep-alive");
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
    expect_header(&r, "Content-Length", "12");
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

/* ---- Time ---- */

static void
who_is_too_slow_is_told(void **state)
{
    static const struct {
        const char *sent;
        int64_t pass, less; /* Seconds; 'less' is not enough. */
        int status;
    } rows[] = {
        {"", 11, 9, 0},
        {"\r\n", 11, 9, 0},
        {"GET /hea", 11, 9, 408},
        {"GET /health HTTP/1.1\r\n" HOST, 11, 9, 408},
        {"POST /mcp HTTP/1.1\r\n" HOST JSON "Content-Length: 4\r\n\r\nbo", 11, 9, 408},
        {"POST /mcp HTTP/1.1\r\n" HOST JSON "Transfer-Encoding: chunked\r\n\r\n4\r\nbo", 11, 9,
         408},
    };

    (void)state;
    set(SETTING_limits_keep_alive,
        "1s"); /* For a quick tick; nobody here is idle after a request. */
    start(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct client c;
        struct response r;

        client_open(&c, port);
        CHECK(client_sends(&c, rows[i].sent));
        check_alive(); /* The server has seen the above by now, and been idle since. */
        fake_clock_pass(&fake, rows[i].less * SECOND);
        check_alive();
        CHECK(client_read(&c, false, 0).status == -1);
        fake_clock_pass(&fake, (rows[i].pass - rows[i].less) * SECOND);
        r = client_next(&c);
        if (r.status != rows[i].status) {
            fail_msg("%s: %d", rows[i].sent, r.status);
        }
        CHECK(r.status == 0 || (r.close && client_is_closed(&c)));
        client_close(&c);
    }
}

/* Progress extends the time for a body, but not without end; and never that for a head. */
static void
drops_do_not_make_a_stream(void **state)
{
    struct client head, body;

    (void)state;
    set(SETTING_limits_keep_alive, "1s");
    start(NULL);
    client_open(&head, port);
    client_open(&body, port);
    CHECK(client_sends(&head, "GET /"));
    CHECK(client_sends(&body, "POST /mcp HTTP/1.1\r\n" HOST JSON "Content-Length: 99\r\n\r\n"));
    check_alive();
    for (int i = 0; i < 4; i++) {
        fake_clock_pass(&fake, 8 * SECOND);
        if (i == 1) {
            CHECK_INT(client_next(&head).status, 408);
        }
        if (i < 3) {
            CHECK(client_sends(&body, "x"));
            CHECK(i > 0 || client_sends(&head, "x"));
            check_alive();
            CHECK(client_read(&body, false, 0).status == -1);
        }
    }
    CHECK_INT(client_next(&body).status, 408);
    client_close(&head);
    client_close(&body);
}

static void
idle_connections_are_closed(void **state)
{
    struct client c;

    (void)state;
    set(SETTING_limits_keep_alive, "1s");
    start(NULL);
    client_open(&c, port);
    CHECK(client_sends(&c, "GET /health HTTP/1.1\r\n" HOST "\r\n"));
    expect(&c, 200, NULL);
    fake_clock_pass(&fake, SECOND / 2);
    check_alive();
    CHECK(client_read(&c, false, 0).status == -1);
    fake_clock_pass(&fake, 2 * SECOND); /* The server may have seen half a second pass before. */
    CHECK(client_is_closed(&c));
    client_close(&c);
    /* A call that takes long is not idleness. */
    client_open(&c, port);
    send_post(&c, "hold");
    sem_wait(&dispatcher.holding);
    fake_clock_pass(&fake, 1000 * SECOND);
    check_alive();
    answer(atomic_exchange(&dispatcher.held, NULL), 200, SLICE("late"));
    expect(&c, 200, "late");
    client_close(&c);
}

/* Who does not read its answer holds up nobody, and not for ever. */
static void
answers_that_nobody_reads(void **state)
{
    struct client reader, sleeper;
    struct response r;
    size_t got = 0;

    (void)state;
    set(SETTING_limits_keep_alive, "1s");
    start(TOKEN);
    client_open(&reader, port);
    client_open(&sleeper, port);
    send_post(&sleeper, "big");
    send_post(&reader, "big");
    send_post(&reader, "next");
    check_alive();
    r = client_next(&reader);
    CHECK(r.status == 200 && r.body.len == 4000000);
    expect(&reader, 200, "next");
    fake_clock_pass(&fake, 9 * SECOND);
    check_alive();
    fake_clock_pass(&fake, 2 * SECOND);
    /* The server closes, and what it had sent is still there to read. */
    for (;;) {
        char chunk[65536];
        ssize_t n;

        check_alive();
        n = recv(sleeper.fd, chunk, sizeof chunk, MSG_PEEK | MSG_DONTWAIT);
        if (n > 0 && !client_sends(&sleeper, "x")) {
            break; /* Reset: it is gone. */
        }
        got++;
        CHECK(got < 100000);
    }
    client_close(&reader);
    client_close(&sleeper);
}

/* ---- Limits ---- */

static void
connections_beyond_the_limit_wait(void **state)
{
    struct client clients[9];

    (void)state;
    set(SETTING_limits_connections, "8");
    start(NULL);
    for (int i = 0; i < 8; i++) {
        client_open(&clients[i], port);
        CHECK(client_sends(&clients[i], "GET /health HTTP/1.1\r\n" HOST "\r\n"));
        expect(&clients[i], 200, NULL);
    }
    client_open(&clients[8], port); /* In the backlog. */
    CHECK(client_sends(&clients[8], "GET /health HTTP/1.1\r\n" HOST "\r\n"));
    CHECK(client_sends(&clients[0], "GET /health HTTP/1.1\r\n" HOST "\r\n"));
    expect(&clients[0], 200, NULL);
    CHECK(client_read(&clients[8], false, 0).status == -1);
    client_close(&clients[0]);
    expect(&clients[8], 200, NULL);
    for (int i = 1; i < 9; i++) {
        client_close(&clients[i]);
    }
    check_alive();
}

static void
strangers_do_not_fill_the_house(void **state)
{
    struct client strangers[4], friend, late;

    (void)state;
    set(SETTING_limits_unchecked, "4");
    start(TOKEN);
    client_open(&friend, port);
    send_post(&friend, "known");
    expect(&friend, 200, "known");
    for (int i = 0; i < 4; i++) {
        client_open(&strangers[i], port);
        CHECK(client_sends(&strangers[i], "GET /health HTTP/1.1\r\n" HOST "\r\n"));
        expect(&strangers[i], 200, NULL);
    }
    client_open(&late, port);
    expect(&late, 503, "");
    CHECK(client_is_closed(&late));
    client_close(&late);
    send_post(&friend, "again");
    expect(&friend, 200, "again");
    /* One shows a token: there is room again. */
    send_post(&strangers[0], "known");
    expect(&strangers[0], 200, "known");
    client_open(&late, port);
    send_post(&late, "hello");
    expect(&late, 200, "hello");
    client_close(&late);
    client_close(&friend);
    for (int i = 0; i < 4; i++) {
        client_close(&strangers[i]);
    }
}

static void
no_descriptors_left(void **state)
{
    struct client c;
    int spare[4096];
    int count = 0;
    struct rlimit old, small;

    (void)state;
    start(NULL);
    client_open(&c, port);
    CHECK(client_sends(&c, "GET /health HTTP/1.1\r\n" HOST "\r\n"));
    expect(&c, 200, NULL);
    /* Its end comes when the server has closed it: no descriptor comes back during what follows. */
    CHECK(shutdown(c.fd, SHUT_WR) == 0 && client_is_closed(&c));
    client_close(&c);
    CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
    small = old;
    small.rlim_cur = 128;
    CHECK(setrlimit(RLIMIT_NOFILE, &small) == 0);
    while (count < 4096 && (spare[count] = dup(0)) >= 0) {
        count++;
    }
    CHECK(count > 2 && count < 4096);
    close(spare[--count]);
    client_open(&c, port); /* Takes the last one. */
    expect(&c, 503, "");
    while (count > 0) {
        close(spare[--count]);
    }
    CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
    check_alive(); /* Waits until the server looks again. */
    client_close(&c);
}

/* ---- Peers that leave, and the end ---- */

static void
peers_that_leave_during_a_call(void **state)
{
    struct client c;
    struct sink *sink;

    (void)state;
    start(TOKEN);
    for (int abrupt = 0; abrupt < 2; abrupt++) {
        struct linger linger = {.l_onoff = abrupt, .l_linger = 0};

        client_open(&c, port);
        send_post(&c, "hold");
        sem_wait(&dispatcher.holding);
        setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        client_close(&c);
        sem_wait(&dispatcher.gone);
        sink = atomic_exchange(&dispatcher.held, NULL);
        CHECK(sink == atomic_load(&dispatcher.gone_sink));
        check_alive();
        answer(sink, abrupt ? 204 : 200, abrupt ? SLICE_NONE : SLICE("too late"));
        check_alive();
    }
}

/* They leave before they have read any of many answers. */
static void
peers_that_leave_before_the_answers(void **state)
{
    struct buf all = BUF_INIT;
    char *text = post("inline");

    (void)state;
    start(TOKEN);
    for (int i = 0; i < 200; i++) {
        buf_adds(&all, text);
    }
    for (int i = 0; i < 20; i++) {
        struct client c;

        client_open(&c, port);
        CHECK(client_send(&c, buf_slice(&all)));
        client_close(&c);
        check_alive();
    }
    free(text);
    buf_fini(&all);
}

/* A client that has only closed its half still gets the answer of a call that was not cancelled. */
static void
peers_that_only_stop_sending(void **state)
{
    struct client c;

    (void)state;
    start(TOKEN);
    client_open(&c, port);
    send_post(&c, "hold");
    send_post(&c, "pipelined");
    sem_wait(&dispatcher.holding);
    shutdown(c.fd, SHUT_WR);
    sem_wait(&dispatcher.gone);
    answer(atomic_exchange(&dispatcher.held, NULL), 200, SLICE("after all"));
    expect(&c, 200, "after all");
    expect(&c, 200, "pipelined");
    CHECK(client_is_closed(&c));
    client_close(&c);
    /* A cancelled one gets nothing. */
    client_open(&c, port);
    send_post(&c, "hold");
    sem_wait(&dispatcher.holding);
    shutdown(c.fd, SHUT_WR);
    sem_wait(&dispatcher.gone);
    answer(atomic_exchange(&dispatcher.held, NULL), 204, SLICE_NONE);
    CHECK(client_is_closed(&c));
    client_close(&c);
}

/* One connection's request answers another's, which has more behind it. */
static void
an_answer_caused_by_another_connection(void **state)
{
    struct client a, b;
    char *release = post("release"), *more = post("more");
    char *both = xasprintf("%s%s", release, more);

    (void)state;
    start(TOKEN);
    client_open(&a, port);
    client_open(&b, port);
    send_post(&a, "hold");
    send_post(&a, "behind");
    sem_wait(&dispatcher.holding);
    CHECK(client_sends(&b, both));
    expect(&b, 200, "done");
    expect(&b, 200, "more");
    expect(&a, 200, "released");
    expect(&a, 200, "behind");
    client_close(&a);
    client_close(&b);
    free(both);
    free(more);
    free(release);
}

static void *
stop_in_time(void *arg)
{
    stop_at(*(int64_t *)arg);
    return NULL;
}

static bool
refused_to_connect(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)},
                                  .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool refused = connect(fd, (struct sockaddr *)&address, sizeof address) != 0;

    close(fd);
    return refused;
}

static void
the_end_waits_for_calls(void **state)
{
    struct client busy, idle, partial;
    int64_t deadline = INT64_MAX;
    pthread_t thread;
    struct response r;

    (void)state;
    start(TOKEN);
    client_open(&busy, port);
    client_open(&idle, port);
    client_open(&partial, port);
    CHECK(client_sends(&partial, "GET /hea"));
    send_post(&busy, "hold");
    sem_wait(&dispatcher.holding);
    CHECK(client_sends(&idle, "GET /health HTTP/1.1\r\n" HOST "\r\n"));
    expect(&idle, 200, NULL);
    CHECK(pthread_create(&thread, NULL, stop_in_time, &deadline) == 0);
    CHECK(client_is_closed(&idle) && client_is_closed(&partial));
    answer(atomic_exchange(&dispatcher.held, NULL), 200, SLICE("done"));
    r = client_next(&busy);
    CHECK(r.status == 200 && r.close && slice_is(r.body, "done"));
    CHECK(client_is_closed(&busy));
    pthread_join(thread, NULL);
    CHECK(refused_to_connect());
    client_close(&busy);
    client_close(&idle);
    client_close(&partial);
}

static void
the_end_does_not_wait_for_ever(void **state)
{
    struct client calls[3], reader, idle;
    int64_t deadline = clock_mono(&fake.clock) + 5 * SECOND;
    struct sink *held[3];
    pthread_t thread;

    (void)state;
    start(TOKEN);
    for (int i = 0; i < 3; i++) {
        client_open(&calls[i], port);
        send_post(&calls[i], "hold");
        sem_wait(&dispatcher.holding);
        held[i] = atomic_exchange(&dispatcher.held, NULL);
    }
    client_open(&reader, port);
    send_post(&reader, "big");
    check_alive();
    client_open(&idle, port);
    CHECK(client_sends(&idle, "GET /hea"));
    CHECK(pthread_create(&thread, NULL, stop_in_time, &deadline) == 0);
    CHECK(client_is_closed(&idle)); /* So it has begun. */
    answer(held[1], 200, SLICE("in time"));
    expect(&calls[1], 200, "in time");
    answer(held[2], 204, SLICE_NONE); /* Cancelled. */
    expect(&calls[2], 202, "");
    fake_clock_pass(&fake, 6 * SECOND);
    expect(&calls[0], 503, NULL);
    CHECK(client_is_closed(&calls[0]));
    pthread_join(thread, NULL);
    /* The transport is gone; the call's answer finds that out by itself. */
    answer(held[0], 200, SLICE("too late"));
    client_close(&calls[0]);
    client_close(&calls[1]);
    client_close(&calls[2]);
    client_close(&reader);
    client_close(&idle);
}

static void
over_a_unix_socket(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct client c = {.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    (void)state;
    /* A name that is in no folder, and goes with the socket. */
    snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "tandem-test-%d", (int)getpid());
    CHECK(bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 8) == 0);
    start_on(fd, NULL);
    CHECK(connect(c.fd, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(client_sends(&c, "GET /health HTTP/1.1\r\n" HOST "\r\n"));
    expect(&c, 200, "{\"status\":\"ok\"}");
    CHECK(client_sends(&c, "GET /health HTTP/1.1\r\nHost: localhost:80\r\n\r\n"));
    expect(&c, 403, NULL);
    client_close(&c);
}

/* A clock in which whoever asks it next can be held. */
struct holding_clock {
    struct clock clock; /* First. */
    _Atomic bool hold;
    sem_t held, go;
};

static int64_t
hold_or_tell(const struct clock *clock)
{
    struct holding_clock *h = (struct holding_clock *)(uintptr_t)clock;

    if (atomic_exchange(&h->hold, false)) {
        sem_post(&h->held);
        while (sem_wait(&h->go) != 0) {
        }
    }
    return 0;
}

static void
await_beat(void)
{
    while (!http_transport.beats(transport)) {
        sched_yield();
    }
}

static void
a_loop_that_is_held_gives_no_sign_of_life(void **state)
{
    struct holding_clock h = {.clock = {.monotonic_ns = hold_or_tell, .wall_ns = hold_or_tell}};
    struct transport_context context = {.dispatcher = &dispatcher,
                                        .settings = settings,
                                        .clock = &h.clock,
                                        .listen_fd = client_listen(&port)};
    struct client c;

    (void)state;
    sem_init(&h.held, 0, 0);
    sem_init(&h.go, 0, 0);
    CHECK(http_transport.start(&context, &transport, NULL) == E_OK);
    await_beat();
    await_beat();
    h.hold = true;
    client_open(&c, port);
    while (sem_wait(&h.held) != 0) {
    }
    http_transport.beats(transport); /* It may have answered what it was asked before. */
    CHECK(!http_transport.beats(transport));
    CHECK(!http_transport.beats(transport));
    sem_post(&h.go);
    await_beat();
    await_beat();
    CHECK(client_sends(&c, "GET /health HTTP/1.1\r\n" HOST "\r\n"));
    expect(&c, 200, NULL);
    client_close(&c);
    stop_at(INT64_MAX);
    sem_destroy(&h.held);
    sem_destroy(&h.go);
}

/* Each port is its own to a client that has come by another. */
static void
several_sockets_are_one_server(void **state)
{
    unsigned ports[TRANSPORT_SOCKETS_MAX];
    int fds[TRANSPORT_SOCKETS_MAX];
    struct transport_context context = {.dispatcher = &dispatcher,
                                        .settings = settings,
                                        .clock = &fake.clock,
                                        .more_fds = fds + 1,
                                        .more_count = TRANSPORT_SOCKETS_MAX - 1};

    (void)state;
    for (unsigned i = 0; i < TRANSPORT_SOCKETS_MAX; i++) {
        fds[i] = client_listen(&ports[i]);
    }
    context.listen_fd = fds[0];
    CHECK(http_transport.start(&context, &transport, NULL) == E_OK);
    for (unsigned i = 0; i < TRANSPORT_SOCKETS_MAX; i++) {
        unsigned other = ports[(i + 1) % TRANSPORT_SOCKETS_MAX];
        struct client c;
        char *text;

        client_open(&c, ports[i]);
        text = xasprintf("GET /health HTTP/1.1\r\nHost: localhost:%u\r\n"
                         "Origin: http://127.0.0.1:%u\r\n\r\n",
                         ports[i], other);
        CHECK(client_sends(&c, text));
        expect(&c, 200, NULL);
        free(text);
        CHECK(client_sends(&c, "GET /health HTTP/1.1\r\nHost: localhost:1\r\n\r\n"));
        expect(&c, 403, NULL);
        client_close(&c);
    }
    stop_at(INT64_MAX);
    for (unsigned i = 0; i < TRANSPORT_SOCKETS_MAX; i++) {
        CHECK(fcntl(fds[i], F_GETFD) < 0);
    }
}

static void
no_start_if_one_of_the_sockets_is_none(void **state)
{
    int more[] = {client_listen(&port), open("/dev/null", O_RDONLY | O_CLOEXEC)};
    struct transport_context context = {.dispatcher = &dispatcher,
                                        .settings = settings,
                                        .clock = &fake.clock,
                                        .listen_fd = client_listen(&port),
                                        .more_fds = more,
                                        .more_count = 2};

    (void)state;
    CHECK(http_transport.start(&context, &transport, NULL) == E_IO);
    CHECK(close(context.listen_fd) == 0 && close(more[0]) == 0 && close(more[1]) == 0);
}

static void
no_start_without_a_socket(void **state)
{
    struct transport_context context = {.dispatcher = &dispatcher,
                                        .settings = settings,
                                        .clock = &fake.clock,
                                        .listen_fd = open("/dev/null", O_RDONLY | O_CLOEXEC)};
    struct fault f = FAULT_INIT;

    (void)state;
    /* epoll takes no such file. */
    CHECK(http_transport.start(&context, &transport, &f) == E_IO);
    CHECK(transport == NULL && f.code == E_IO && f.text[0]);
    /* What did not start is still the caller's. */
    CHECK(fcntl(context.listen_fd, F_GETFD) >= 0);
    close(context.listen_fd);
}

static void
no_start_without_descriptors(void **state)
{
    struct transport_context context = {.dispatcher = &dispatcher,
                                        .settings = settings,
                                        .clock = &fake.clock,
                                        .listen_fd = client_listen(&port)};
    struct rlimit old, none;

    (void)state;
    CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
    none = old;
    none.rlim_cur = 0;
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    CHECK(http_transport.start(&context, &transport, NULL) == E_IO);
    CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
    CHECK(http_transport.start(&context, &transport, NULL) == E_OK);
    check_alive();
}

static void
an_idle_connection_costs_little(void **state)
{
    (void)state;
    CHECK(sizeof(struct connection) <= 1024 - 16);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, prepare, finish)

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
        TEST(events_then_the_answer_then_the_next_request),
        TEST(a_stream_for_http_1_0_ends_with_its_connection),
        TEST(events_are_for_who_takes_them),
        TEST(a_silent_stream_is_kept_open),
        TEST(who_does_not_read_its_stream_is_closed),
        TEST(few_small_events_wait),
        TEST(closing_a_stream_is_told),
        TEST(a_get_is_for_a_session_and_for_who_reads_streams),
        TEST(a_get_carries_events_with_ids_until_it_is_ended),
        TEST(an_empty_last_event_id_is_none),
        TEST(room_is_told_after_want_of_it),
        TEST(requests_in_any_pieces),
        TEST(large_bodies),
        TEST(a_hundred_pipelined_requests),
        TEST(two_hundred_connections),
        TEST(waiting_for_leave_to_send_a_body),
        TEST(old_clients_and_last_requests),
        TEST(who_is_too_slow_is_told),
        TEST(drops_do_not_make_a_stream),
        TEST(idle_connections_are_closed),
        TEST(answers_that_nobody_reads),
        TEST(connections_beyond_the_limit_wait),
        TEST(strangers_do_not_fill_the_house),
        TEST(no_descriptors_left),
        TEST(peers_that_leave_during_a_call),
        TEST(peers_that_leave_before_the_answers),
        TEST(peers_that_only_stop_sending),
        TEST(an_answer_caused_by_another_connection),
        TEST(the_end_waits_for_calls),
        TEST(the_end_does_not_wait_for_ever),
        TEST(over_a_unix_socket),
        TEST(a_loop_that_is_held_gives_no_sign_of_life),
        TEST(several_sockets_are_one_server),
        TEST(no_start_if_one_of_the_sockets_is_none),
        TEST(no_start_without_a_socket),
        TEST(no_start_without_descriptors),
        TEST(an_idle_connection_costs_little),
    };
    return CHECK_RUN(tests);
}
