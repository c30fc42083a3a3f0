/* test_http_hostile.c -- the real server's HTTP, from socket to tools, under hostile bytes.
 *
 * Each case has a connection of its own.  It must get what its row allows, at once, and whatever it
 * did, the next plain request must be answered. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "state/base/log.h"
#include "tests/fakes.h"
#include "tests/hostile.h"
#include "tests/http_client.h"
#include "transports/transport.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define TOKEN "0123456789012345678901234567890123456789012"
#define SECONDS 10 /* To wait for an answer that does not come; nothing takes this long. */

static struct fake_project project;
static struct pool *pool;
static struct dispatcher *dispatcher;
static struct transport *transport;
static unsigned port;              /* 0: on a Unix socket. */
static struct sockaddr_un local = {/* Its name, which is in no folder and goes with it. */
                                   .sun_family = AF_UNIX};
static const char *token;
static char session[64];

static int
listen_local(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    snprintf(local.sun_path + 1, sizeof local.sun_path - 1, "tandem-hostile-%d", (int)getpid());
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&local, sizeof local) == 0);
    CHECK(listen(fd, 64) == 0);
    port = 0;
    return fd;
}

static void
open_client(struct client *c)
{
    if (port) {
        client_open(c, port);
        return;
    }
    *c = (struct client){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    CHECK(c->fd >= 0 && connect(c->fd, (struct sockaddr *)&local, sizeof local) == 0);
}

static void
start(int listen_fd)
{
    struct dispatch_limits limits = {
        .json = JSON_LIMITS_INIT, .calls = 64, .calls_per_session = 8, .call_ns = 60000000000};
    struct transport_context context;

    log_configure(LOG_OFF, LOG_TEXT);
    fake_project_init(&project, NULL);
    pool = pool_create(4, 1, 64);
    dispatcher = dispatcher_create(project.state, pool, &limits);
    context = (struct transport_context){
        .dispatcher = dispatcher,
        .settings = project.settings,
        .clock = clock_real(),
        .listen_fd = listen_fd,
        .token = token,
    };
    CHECK(http_transport.start(&context, &transport, NULL) == E_OK);
}

static int
start_with_token(void **state)
{
    (void)state;
    token = TOKEN;
    start(client_listen(&port));
    return 0;
}

static int
start_on_unix_socket(void **state)
{
    (void)state;
    token = TOKEN;
    start(listen_local());
    return 0;
}

static int
start_without(void **state)
{
    (void)state;
    token = NULL;
    start(client_listen(&port));
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    http_transport.stop(transport, INT64_MAX);
    pool_destroy(pool);
    dispatcher_destroy(dispatcher);
    fake_project_fini(&project);
    session[0] = '\0';
    return 0;
}

static const char *
authorization(void)
{
    return token ? "Authorization: Bearer " TOKEN "\r\n" : "";
}

static void
check_alive(const char *after)
{
    struct client c;
    struct response r;

    open_client(&c);
    client_sends(&c, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    r = client_read(&c, false, SECONDS);
    if (r.status != 200) {
        fail_msg("after %s the server says %d", after, r.status);
    }
    client_close(&c);
}

/* ---- Raw bytes ---- */

static struct buf
fill_in(struct slice bytes)
{
    char *host = port ? xasprintf("127.0.0.1:%u", port) : xstrdup("localhost");
    const char *const words[][2] = {
        {"@HOST@", host}, {"@PATH@", "/mcp"}, {"@AUTH@", authorization()}, {"@VER@", ""}};
    struct buf out = BUF_INIT;

    for (size_t i = 0; i < bytes.len;) {
        size_t w = 0;

        while (w < 4 && (bytes.len - i < strlen(words[w][0]) ||
                         memcmp(bytes.data + i, words[w][0], strlen(words[w][0])) != 0)) {
            w++;
        }
        if (w < 4) {
            buf_adds(&out, words[w][1]);
            i += strlen(words[w][0]);
        } else {
            buf_addc(&out, bytes.data[i++]);
        }
    }
    free(host);
    return out;
}

struct outcome {
    unsigned count, ok; /* Answers; of them, 2xx. */
    int statuses[16];
};

/* Sends 'bytes', and no more after them, and reads to the end of the connection. */
static struct outcome
exchange(const char *id, struct slice bytes)
{
    bool head = bytes.len > 5 && memcmp(bytes.data, "HEAD ", 5) == 0;
    struct outcome o = {.count = 0};
    struct client c;
    struct response r;

    open_client(&c);
    client_send(&c, bytes); /* May fail: the server need not read all. */
    shutdown(c.fd, SHUT_WR);
    while ((r = client_read(&c, head, SECONDS)).status > 0) {
        if (o.count < 16) {
            o.statuses[o.count] = r.status;
        }
        o.count++;
        o.ok += r.status >= 200 && r.status < 300;
    }
    if (r.status < 0) {
        fail_msg("%s: the server hangs", id);
    }
    client_close(&c);
    check_alive(id);
    return o;
}

static bool
status_allowed(const struct hostile_case *c, int status)
{
    char exact[16], class[16];

    snprintf(exact, sizeof exact, "%d", status);
    snprintf(class, sizeof class, "%dxx", status / 100);
    return hostile_allows(c, "allow", exact) || hostile_allows(c, "allow", class) ||
           (!token && hostile_allows(c, "allow", "noauth"));
}

static void
own_case(const struct hostile_case *c, void *arg)
{
    struct buf bytes = fill_in(c->bytes);
    struct outcome o = exchange(c->id, buf_slice(&bytes));
    json_int_t most = json_integer_value(json_object_get(c->row, "max_responses"));

    (void)arg;
    if (o.count == 0 && !hostile_allows(c, "allow", "close") &&
        !hostile_allows(c, "allow", "wait")) {
        fail_msg("%s: no answer", c->id);
    }
    if (o.count > most) {
        fail_msg("%s: %u answers", c->id, o.count);
    }
    for (unsigned i = 0; i < o.count; i++) {
        if (!status_allowed(c, o.statuses[i])) {
            fail_msg("%s: answered %d", c->id, o.statuses[i]);
        }
    }
    /* What is left over behind a body is no request. */
    if (strcmp(c->id, "cl-short") == 0) {
        CHECK_INT(o.ok, 0);
    }
    buf_fini(&bytes);
}

static void
raw_requests(void **state)
{
    (void)state;
    CHECK_INT(hostile_lines("own/http.jsonl", own_case, NULL), 147);
}

static void
llhttp_case(const struct hostile_case *c, void *arg)
{
    struct outcome o = exchange(c->id, c->bytes);

    (void)arg;
    /* Nothing is at these paths, nor is this server meant by these hosts. */
    if (o.ok) {
        fail_msg("%s: answered %d", c->id, o.statuses[0]);
    }
}

static void
requests_of_another_parser(void **state)
{
    (void)state;
    CHECK_INT(hostile_lines("http/llhttp-requests.jsonl", llhttp_case, NULL), 166);
}

/* Nothing but a WebSocket is ever switched to, whatever is offered, and least of all HTTP/2. */
static void
no_other_protocol_is_spoken(void **state)
{
#define ASK " HTTP/1.1\r\nHost: @HOST@\r\n@AUTH@Connection: Upgrade, HTTP2-Settings\r\n"
    static const char *const requests[] = {
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /health HTTP/2.0\r\nHost: @HOST@\r\n\r\n",
        "GET @PATH@" ASK "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
        "GET /health" ASK "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
        "POST @PATH@" ASK "Upgrade: h2c\r\nHTTP2-Settings: \r\nContent-Type: application/json\r\n"
        "Content-Length: 2\r\n\r\n{}",
        "GET @PATH@" ASK "Upgrade: bogus\r\n\r\n",
        "GET @PATH@" ASK "Upgrade: bogus, websocket/99\r\n\r\n",
        "GET @PATH@" ASK "Upgrade: raw-skt\r\n\r\n",
        "GET @PATH@" ASK "Upgrade: TLS/1.0, HTTP/1.1\r\n\r\n",
        "GET @PATH@" ASK "Upgrade: \r\n\r\n",
        "GET @PATH@" ASK "Upgrade: websocket\r\n\r\n",
        "CONNECT @HOST@ HTTP/1.1\r\nHost: @HOST@\r\n\r\n",
    };
#undef ASK

    (void)state;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        struct buf bytes = fill_in(slice_of(requests[i]));
        struct outcome o = exchange(requests[i], buf_slice(&bytes));

        for (unsigned k = 0; k < o.count; k++) {
            if (o.statuses[k] < 200 || o.statuses[k] >= 600) {
                fail_msg("%s: answered %d", requests[i], o.statuses[k]);
            }
        }
        buf_fini(&bytes);
    }
}

/* ---- Bodies ---- */

static struct response
post(struct client *c, const char *headers, struct slice body)
{
    char *head =
        xasprintf("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                  "Accept: application/json, text/event-stream\r\n%s%sContent-Length: %zu\r\n\r\n",
                  authorization(), headers, body.len);

    open_client(c);
    CHECK(client_sends(c, head) && client_send(c, body));
    free(head);
    return client_read(c, false, SECONDS);
}

static void
open_session(void)
{
    static const char initialize[] =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
        "\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}";
    struct client c;
    struct response r = post(&c, "", slice_of(initialize));
    char *id = client_header(&r, "Mcp-Session-Id");

    CHECK_INT(r.status, 200);
    CHECK(id[0]);
    snprintf(session, sizeof session, "Mcp-Session-Id: %.32s\r\n", id);
    free(id);
    client_close(&c);
    r = post(&c, session, SLICE("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"));
    CHECK_INT(r.status, 202);
    client_close(&c);
}

/* What this process, which is client and server, has worked so far: others may take their time. */
static int64_t
worked_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* Told at the end: no case should take a second, but no machine is promised to be that fast. */
static int64_t slowest_ms;
static char slowest[128];

/* JSON that is no message, or no JSON: refused with the code that says so. */
static void
no_message(const struct hostile_case *c, void *arg)
{
    int64_t begin = worked_ms();
    struct client client;
    struct response r = post(&client, session, c->bytes);

    (void)arg;
    if (r.status / 100 != 4) {
        fail_msg("%s: answered %d", c->id, r.status);
    }
    CHECK(r.status == 413 || memmem(r.body.data, r.body.len, "-32700", 6) ||
          memmem(r.body.data, r.body.len, "-32600", 6));
    if (worked_ms() - begin > slowest_ms) {
        slowest_ms = worked_ms() - begin;
        snprintf(slowest, sizeof slowest, "%s", c->id);
    }
    client_close(&client);
    check_alive(c->id);
}

/* A message, or nearly one. */
static void
near_message(const struct hostile_case *c, void *arg)
{
    struct client client;
    struct response r = post(&client, session, c->bytes);
    char class[16];
    json_t *body =
        json_loadb(r.body.data, r.body.len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
    bool error = json_object_get(body, "error") != NULL;
    bool tool_error = json_is_true(json_object_get(json_object_get(body, "result"), "isError"));

    (void)arg;
    snprintf(class, sizeof class, "%dxx", r.status / 100);
    if (!hostile_allows(c, "allow", class) &&
        !(r.status == 200 && hostile_allows(c, "allow",
                                            error        ? "err"
                                            : tool_error ? "toolerr"
                                                         : "ok"))) {
        fail_msg("%s: answered %d %.*s", c->id, r.status, (int)r.body.len, r.body.data);
    }
    /* An id is echoed as it was written, so it may be a number of any size. */
    CHECK(r.body.len == 0 || body); /* Whatever was sent, what comes back is JSON. */
    json_decref(body);
    client_close(&client);
    check_alive(c->id);
}

static void
hostile_bodies(void **state)
{
    (void)state;
    open_session();
    CHECK_INT(hostile_lines("own/json.jsonl", no_message, NULL), 118);
    CHECK(hostile_files("json", no_message, NULL) > 300);
    CHECK_INT(hostile_lines("own/jsonrpc.jsonl", near_message, NULL), 64);
    CHECK_INT(hostile_lines("own/utf8.jsonl", no_message, NULL), 79);
    printf("the slowest body, %s, took %d ms of work\n", slowest, (int)slowest_ms);
}

/* ---- Names ---- */

/* One request with the case's text in one place; what cannot be written there is left out. */
static void
ask_with(const struct hostile_case *c, const char *before, const char *after, bool in_line)
{
    struct buf request = BUF_INIT;
    struct client client;
    struct response r;

    for (size_t i = 0; i < c->bytes.len; i++) {
        unsigned char byte = (unsigned char)c->bytes.data[i];

        if (byte < 0x20 || byte >= 0x7F || (in_line && (byte == ' ' || byte == '#'))) {
            return;
        }
    }
    buf_adds(&request, before);
    buf_add_slice(&request, c->bytes);
    buf_addf(&request, "%s%s\r\n", after, authorization());
    open_client(&client);
    client_send(&client, buf_slice(&request));
    r = client_read(&client, false, SECONDS);
    if (r.status < 200 || r.status >= 500 ||
        memmem(r.body.data ? r.body.data : "", r.body.len, "root:x:0", 8)) {
        fail_msg("%s: %.*s: %d", c->id, (int)request.len, request.data, r.status);
    }
    client_close(&client);
    buf_fini(&request);
}

/* A name that leads elsewhere, in every place of a request that holds one. */
static void
name_case(const struct hostile_case *c, void *arg)
{
#define LOCAL " HTTP/1.1\r\nHost: localhost\r\n"
#define GET_MCP "GET /mcp" LOCAL "Accept: text/event-stream\r\n"
    (void)arg;
    ask_with(c, "GET /", LOCAL, true);
    ask_with(c, "GET /api/tools/", LOCAL, true);
    ask_with(c, "GET /api/resources?uri=", LOCAL, true);
    ask_with(c, "GET /api/resources?uri=tandem://", LOCAL, true);
    ask_with(c, "GET /assets/", LOCAL, true);
    ask_with(c, "DELETE /mcp" LOCAL "Mcp-Session-Id: ", "\r\n", false);
    ask_with(c, GET_MCP "Mcp-Session-Id: ", "\r\n", false);
    ask_with(c, GET_MCP "Last-Event-ID: ", "\r\n", false);
    ask_with(c, "GET /api/tools" LOCAL "X-Client-ID: ", "\r\n", false);
    ask_with(c, "GET /health HTTP/1.1\r\nHost: ", "\r\n", false);
#undef GET_MCP
#undef LOCAL
}

static void
names_lead_nowhere(void **state)
{
    (void)state;
    CHECK_INT(hostile_lines("own/path.jsonl", name_case, NULL), 66);
    CHECK(hostile_traversals("etc/passwd", name_case, NULL) > 520);
    check_alive("all names");
}

/* ---- Many at once ---- */

#define CLIENTS 8
#define CALLS 100

static _Atomic unsigned good;

static void *
call_and_call(void *arg)
{
    struct client c;

    open_client(&c);
    for (int i = 0; i < CALLS; i++) {
        char *id = xasprintf("\"%d-%d\"", *(int *)arg, i);
        char *body =
            xasprintf("{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"tools/call\",\"params\":{"
                      "\"name\":\"current_date\",\"arguments\":{},\"_meta\":{"
                      "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                      "\"io.modelcontextprotocol/clientCapabilities\":{}}}}",
                      id);
        char *text = xasprintf("POST /mcp HTTP/1.1\r\nHost: localhost\r\n"
                               "Content-Type: application/json\r\n%s"
                               "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n"
                               "Mcp-Name: current_date\r\nContent-Length: %zu\r\n\r\n%s",
                               authorization(), strlen(body), body);
        struct response r;

        client_sends(&c, text);
        r = client_read(&c, false, SECONDS);
        good += r.status == 200 && memmem(r.body.data, r.body.len, id, strlen(id)) != NULL;
        free(text);
        free(body);
        free(id);
    }
    client_close(&c);
    return NULL;
}

static void
clients_at_once(void **state)
{
    pthread_t threads[CLIENTS];
    int numbers[CLIENTS];

    (void)state;
    good = 0;
    for (int i = 0; i < CLIENTS; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&threads[i], NULL, call_and_call, &numbers[i]) == 0);
    }
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_INT(good, CLIENTS * CALLS);
}

#define WITH_TOKEN(NAME) cmocka_unit_test_setup_teardown(NAME, start_with_token, stop)
#define ON_UNIX(NAME) cmocka_unit_test_setup_teardown(NAME, start_on_unix_socket, stop)
#define WITHOUT(NAME) cmocka_unit_test_setup_teardown(NAME, start_without, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TOKEN(raw_requests),
        WITHOUT(raw_requests),
        ON_UNIX(raw_requests),
        WITH_TOKEN(requests_of_another_parser),
        ON_UNIX(requests_of_another_parser),
        WITH_TOKEN(no_other_protocol_is_spoken),
        WITHOUT(no_other_protocol_is_spoken),
        WITH_TOKEN(hostile_bodies),
        ON_UNIX(hostile_bodies),
        WITH_TOKEN(names_lead_nowhere),
        WITHOUT(clients_at_once),
        WITH_TOKEN(clients_at_once),
    };
    return CHECK_RUN(tests);
}
