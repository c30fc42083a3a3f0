/* test_streams.c -- event streams of legacy sessions over HTTP, from the socket to the tools: what
 * a client misses while it is away, and what it never gets to see.
 *
 * All workers can be held, so a call stays in flight for as long as the test wants; the clock moves
 * when the test says so.  Clients speak HTTP/1.0 where they read events, which then come without
 * chunks. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "state/base/log.h"
#include "state/mcp_session.h"
#include "tests/fake_git.h"
#include "tests/fakes.h"
#include "tests/harness_server.h"
#include "tests/http_client.h"
#include "tests/threads.h"
#include "transports/transport.h"

#include <semaphore.h>
#include <stdio.h>
#include <strings.h>

#define SECONDS 20
#define WORKERS 4
#define PRINCIPAL "anyone" /* Without a token everybody is. */

static struct fake_clock fake;
static struct fake_project project;
static struct pool *pool;
static struct dispatcher *dispatcher;
static struct transport *transport;
static struct mcp_streams *streams;
static unsigned port;

/* A job that keeps a worker. */
struct hold {
    struct job job; /* First. */
    sem_t *begun, *go;
};

static void
run_hold(struct job *job)
{
    struct hold *hold = (struct hold *)job;
    sem_t *go = hold->go;

    sem_post(hold->begun);
    sem_wait(go);
}

static sem_t begun, go;
static struct hold holds[WORKERS];

/* From here on calls wait for a worker, until workers_go(). */
static void
workers_stop(void)
{
    for (int i = 0; i < WORKERS - 1; i++) { /* One never runs calls from the network. */
        holds[i] = (struct hold){.job = {.run = run_hold}, .begun = &begun, .go = &go};
        CHECK_INT(pool_submit(pool, &holds[i].job, LANE_NETWORK), E_OK);
        sem_wait(&begun);
    }
}

static void
workers_go(void)
{
    for (int i = 0; i < WORKERS - 1; i++) {
        sem_post(&go);
    }
}

static int
start_all(void **state)
{
    struct dispatch_limits limits = {
        .json = JSON_LIMITS_INIT,
        .calls = 64,
        .calls_per_session = 32,
        .call_ns = 3600 * SECOND,
        .asks = 8,
        .asks_each = 8,
        .ask_ns = 60 * SECOND,
        .groups = "core,conformance",
    };
    struct transport_context context;

    (void)state;
    log_configure(LOG_OFF, LOG_TEXT);
    fake_clock_init(&fake);
    fake_project_init(&project, &fake.clock);
    sem_init(&begun, 0, 0);
    sem_init(&go, 0, 0);
    pool = pool_create(WORKERS, 1, 64);
    dispatcher = dispatcher_create(project.state, pool, &limits);
    streams = mcp_sessions_streams(state_sessions(project.state));
    context = (struct transport_context){
        .dispatcher = dispatcher,
        .settings = project.settings,
        .clock = &fake.clock,
        .listen_fd = client_listen(&port),
    };
    CHECK(http_transport.start(&context, &transport, NULL) == E_OK);
    return 0;
}

static int
stop_all(void **state)
{
    (void)state;
    if (transport) {
        dispatch_drain(dispatcher);
        http_transport.stop(transport, INT64_MAX);
    }
    transport = NULL;
    pool_destroy(pool);
    dispatcher_destroy(dispatcher);
    fake_project_fini(&project);
    sem_destroy(&begun);
    sem_destroy(&go);
    return 0;
}

/* ---- Clients ---- */

struct session {
    char id[64];
};

/* Sends a request on a connection of its own; 'headers' are whole lines. */
static void
ask(struct client *c, const char *version, const char *method, const char *headers,
    const struct session *s, const char *body)
{
    char *text = xasprintf("%s /mcp HTTP/%s\r\nHost: localhost\r\n%s%s%s%s%s"
                           "Content-Length: %zu\r\n\r\n%s",
                           method, version, headers, s ? "Mcp-Session-Id: " : "", s ? s->id : "",
                           s ? "\r\n" : "", *body ? "Content-Type: application/json\r\n" : "",
                           strlen(body), body);

    client_open(c, port);
    CHECK(client_sends(c, text));
    free(text);
}

static int
status_of(const char *method, const char *headers, const struct session *s, const char *body)
{
    struct client c;
    int status;

    ask(&c, "1.1", method, headers, s, body);
    status = client_read(&c, false, SECONDS).status;
    client_close(&c);
    return status;
}

static struct session
begin(const char *version)
{
    struct session s;
    struct client c;
    struct response r;
    char *body = xasprintf(
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{"
        "\"protocolVersion\":\"%s\",\"capabilities\":{\"elicitation\":{}},\"clientInfo\":{"
        "\"name\":\"t\",\"version\":\"1\"}}}",
        version);
    char *id;

    ask(&c, "1.1", "POST", "", NULL, body);
    r = client_next(&c);
    CHECK_INT(r.status, 200);
    id = client_header(&r, "Mcp-Session-Id");
    CHECK_INT(strlen(id), 32);
    snprintf(s.id, sizeof s.id, "%s", id);
    free(id);
    free(body);
    client_close(&c);
    CHECK_INT(
        status_of("POST", "", &s, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"),
        202);
    return s;
}

#define BOTH "Accept: application/json, text/event-stream\r\n"
#define STREAM "Accept: text/event-stream\r\n"
#define NEWEST "2025-11-25"

/* Calls a tool with a progress token. */
static void
call(struct client *c, const struct session *s, int id, const char *tool)
{
    const char *arguments = strcmp(tool, "test_elicitation") ? "{}" : "{\"message\":\"?\"}";
    char *body = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"tools/call\",\"params\":{"
                           "\"name\":\"%s\",\"arguments\":%s,\"_meta\":{\"progressToken\":%d}}}",
                           id, tool, arguments, id);

    ask(c, "1.0", "POST", BOTH, s, body);
    free(body);
}

static void
get(struct client *c, const struct session *s, const char *last_id)
{
    char *headers = xasprintf(STREAM "%s%s%s", last_id ? "Last-Event-ID: " : "",
                              last_id ? last_id : "", last_id ? "\r\n" : "");

    ask(c, "1.0", "GET", headers, s, "");
    free(headers);
}

struct event_text {
    char id[64], data[1024];
    int retry;
    bool comment;
};

/* Reads the head of a stream. */
static void
expect_stream(struct client *c)
{
    CHECK(client_until(c, "HTTP/1.1 200 OK\r\n", SECONDS));
    CHECK(client_until(c, "Content-Type: text/event-stream\r\n", SECONDS));
    CHECK(client_until(c, "\r\n\r\n", SECONDS));
}

/* Reads the next event.  False at the end of the stream. */
static bool
next_event(struct client *c, struct event_text *e)
{
    size_t from = c->at;
    char *text, *line, *rest;

    *e = (struct event_text){.retry = 0};
    if (!client_until(c, "\n\n", SECONDS)) {
        return false;
    }
    text = xstrndup(c->in.data + from, c->at - from - 2);
    for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        e->comment = e->comment || line[0] == ':';
        if (strncmp(line, "id: ", 4) == 0) {
            snprintf(e->id, sizeof e->id, "%s", line + 4);
        } else if (strncmp(line, "data: ", 6) == 0) {
            snprintf(e->data, sizeof e->data, "%s", line + 6);
        } else if (strncmp(line, "retry: ", 7) == 0) {
            sscanf(line + 7, "%9d", &e->retry);
        }
    }
    free(text);
    return true;
}

/* Expects an event with an id, and that 'part' is in its data. */
static struct event_text
expect_event(struct client *c, const char *part)
{
    struct event_text e;

    do {
        CHECK(next_event(c, &e));
    } while (e.comment);
    if (!strstr(e.data, part)) {
        print_message("%s: %s\n", e.id, e.data);
    }
    CHECK(e.id[0]);
    CHECK(strstr(e.data, part));
    return e;
}

static void
expect_priming(struct client *c, struct event_text *e)
{
    CHECK(next_event(c, e));
    CHECK(e->id[0]);
    CHECK_STR(e->data, "");
    CHECK_INT(e->retry, 1000);
}

/* The stream ends, with nothing before that. */
static void
expect_end(struct client *c)
{
    struct event_text e;

    while (next_event(c, &e)) {
        CHECK(e.comment);
    }
    client_close(c);
}

static struct mcp_session *
find(const struct session *s)
{
    struct mcp_session *session;

    CHECK_INT(mcp_session_find(state_sessions(project.state), slice_of(s->id), SLICE(PRINCIPAL),
                               &session, NULL),
              E_OK);
    return session;
}

static void
send_to(const struct session *s, const char *text)
{
    struct mcp_session *session = find(s);

    CHECK_INT(mcp_session_send(session, slice_of(text)), E_OK);
    mcp_session_unref(session);
}

/* Waits until a number of the store's is what it should be: the HTTP thread is on it. */
static void
wait_attached(unsigned count)
{
    while (mcp_streams_counters(streams).attached != count) {
        CHECK_INT(status_of("GET", "", NULL, ""), 405);
    }
}

/* A call that has run for longer than a second, with its client told how to come back. */
static struct event_text
call_for_long(struct client *c, const struct session *s, int id, const char *tool)
{
    unsigned before = dispatch_in_flight(dispatcher, TRANSPORT_HTTP);
    struct event_text primed;

    call(c, s, id, tool);
    while (dispatch_in_flight(dispatcher, TRANSPORT_HTTP) == before) {
        CHECK_INT(status_of("GET", "", NULL, ""), 405);
    }
    fake_clock_pass(&fake, 2 * SECOND);
    CHECK(dispatch_tick(dispatcher));
    expect_stream(c);
    expect_priming(c, &primed);
    return primed;
}

/* ---- Tests ---- */

static void
expect_progress_and_answer(struct client *c, int id)
{
    char *answer = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":", id);

    expect_event(c, "\"progress\":0,");
    expect_event(c, "\"progress\":50,");
    expect_event(c, "\"progress\":100,");
    expect_event(c, answer);
    expect_end(c);
    free(answer);
}

/* pitfall: Events after disconnect; pitfall: Cancel vs disconnect */
static void
a_lost_connection_loses_nothing(void **state)
{
    struct session s = begin(NEWEST);
    struct client c, again;
    struct event_text primed;

    (void)state;
    workers_stop();
    primed = call_for_long(&c, &s, 7, "test_tool_with_progress");
    client_close(&c);
    workers_go();
    while (dispatch_in_flight(dispatcher, TRANSPORT_HTTP) > 0) {
        CHECK_INT(status_of("GET", "", NULL, ""), 405); /* It was not cancelled: it runs. */
    }
    for (int round = 0; round < 2; round++) { /* And if it is lost again, it is there again. */
        get(&again, &s, primed.id);
        expect_stream(&again);
        expect_progress_and_answer(&again, 7);
    }
}

/* The client comes back while the call still runs. */
static void
a_resumed_stream_goes_on(void **state)
{
    struct session s = begin(NEWEST);
    struct client c, again;
    struct event_text primed;

    (void)state;
    workers_stop();
    primed = call_for_long(&c, &s, 7, "test_tool_with_progress");
    client_close(&c);
    get(&again, &s, primed.id);
    expect_stream(&again); /* And a first byte, before anything happens. */
    CHECK(client_until(&again, ": ka\n\n", SECONDS));
    workers_go();
    expect_progress_and_answer(&again, 7);
}

/* Whoever comes back has the stream; the connection it was on ends, though it is there. */
static void
the_stream_goes_to_who_came_last(void **state)
{
    struct session s = begin(NEWEST);
    struct client c, again;
    struct event_text primed;

    (void)state;
    workers_stop();
    primed = call_for_long(&c, &s, 7, "test_tool_with_progress");
    get(&again, &s, primed.id);
    expect_stream(&again);
    expect_end(&c);
    workers_go();
    expect_progress_and_answer(&again, 7);
}

/* pitfall: Replay leak */
static void
nobody_else_is_given_a_streams_events(void **state)
{
    struct session s = begin(NEWEST), other = begin(NEWEST);
    struct client c;
    struct event_text primed;
    char *mine, *foreign;
    struct mcp_session *theirs;

    (void)state;
    workers_stop();
    primed = call_for_long(&c, &s, 7, "test_tool_with_progress");
    workers_go();
    expect_progress_and_answer(&c, 7);
    mine = xasprintf(STREAM "Last-Event-ID: %s\r\n", primed.id);
    foreign = xasprintf(STREAM "Last-Event-ID: %s\r\n", primed.id);
    CHECK_INT(status_of("GET", foreign, &other, ""), 400); /* An id of another session. */
    CHECK_INT(status_of("GET", foreign, NULL, ""), 405);
    CHECK_INT(mcp_session_start(state_sessions(project.state), SLICE("somebody"), &theirs, NULL),
              E_OK);
    snprintf(other.id, sizeof other.id, "%s", theirs->id);
    CHECK_INT(status_of("GET", STREAM, &other, ""), 404); /* A session of somebody else. */
    CHECK_INT(status_of("GET", mine, &other, ""), 404);
    mcp_session_unref(theirs);
    free(mine);
    free(foreign);
}

/* pitfall: Priming ids */
static void
ids_name_their_stream(void **state)
{
    struct session s = begin(NEWEST);
    struct client c[3], again[2];
    struct event_text primed[3];
    char *both;

    (void)state;
    workers_stop();
    for (int i = 0; i < 3; i++) {
        primed[i] = call_for_long(&c[i], &s, 10 + i, "test_tool_with_progress");
        for (int k = 0; k < i; k++) {
            CHECK(strcmp(primed[i].id, primed[k].id) != 0);
        }
    }
    client_close(&c[0]);
    client_close(&c[1]);
    get(&again[1], &s, primed[1].id);
    get(&again[0], &s, primed[0].id);
    expect_stream(&again[0]);
    expect_stream(&again[1]);
    workers_go();
    expect_progress_and_answer(&again[0], 10);
    expect_progress_and_answer(&again[1], 11);
    expect_progress_and_answer(&c[2], 12);
    both =
        xasprintf(STREAM "Last-Event-ID: %s\r\nLast-Event-ID: %s\r\n", primed[0].id, primed[1].id);
    CHECK_INT(status_of("GET", both, &s, ""), 400);
    CHECK_INT(status_of("GET", STREAM "Last-Event-ID: 0\r\n", &s, ""), 400);
    free(both);
}

/* pitfall: Second GET */
static void
the_newest_get_wins(void **state)
{
    struct session s = begin(NEWEST);
    struct client first, second;
    struct event_text primed, e;

    (void)state;
    get(&first, &s, NULL);
    expect_stream(&first);
    expect_priming(&first, &primed);
    get(&second, &s, NULL);
    expect_stream(&second);
    expect_priming(&second, &e);
    CHECK(strcmp(primed.id, e.id) != 0);
    expect_end(&first);
    send_to(&s, "{\"a\":1}");
    e = expect_event(&second, "{\"a\":1}");
    client_close(&second);
    get(&first, &s, primed.id); /* What it was given before is there still, for who names it. */
    expect_stream(&first);
    CHECK_STR(expect_event(&first, "{\"a\":1}").id, e.id);
    client_close(&first);
}

/* pitfall: Related requests on GET */
static void
what_belongs_to_a_call_goes_on_its_own_stream(void **state)
{
    struct session s = begin(NEWEST);
    struct client general, c;
    struct event_text e;

    (void)state;
    get(&general, &s, NULL);
    expect_stream(&general);
    expect_priming(&general, &e);
    call(&c, &s, 7, "test_tool_with_progress");
    expect_stream(&c);
    expect_priming(&c, &e);
    send_to(&s, "{\"general\":1}");
    expect_progress_and_answer(&c, 7);
    expect_event(&general, "{\"general\":1}");
    CHECK_INT(status_of("DELETE", "", &s, ""), 204);
    expect_end(&general);
}

/* A question of a call reaches its client on the call's stream, though the connection was lost; and
 * so does what becomes of the answer. */
static void
a_question_waits_for_who_comes_back(void **state)
{
    struct session s = begin(NEWEST);
    struct client c, again;
    struct event_text primed, question;
    char id[64] = "", *answer;

    (void)state;
    workers_stop();
    primed = call_for_long(&c, &s, 7, "test_elicitation");
    client_close(&c);
    workers_go();
    get(&again, &s, primed.id);
    expect_stream(&again);
    question = expect_event(&again, "elicitation/create");
    CHECK(strstr(question.data, "\"id\":"));
    CHECK_INT(sscanf(strstr(question.data, "\"id\":") + 5, "%63[^,]", id), 1);
    client_close(&again); /* Lost once more. */
    answer = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"action\":\"accept\","
                       "\"content\":{\"username\":\"ann\",\"email\":\"a@b.example\"}}}",
                       id);
    CHECK_INT(status_of("POST", "", &s, answer), 202);
    get(&again, &s, question.id);
    expect_stream(&again);
    CHECK(strstr(expect_event(&again, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":").data, "ann"));
    expect_end(&again);
    free(answer);
}

static void
what_is_sent_before_a_get_waits_for_it(void **state)
{
    struct session s = begin("2025-03-26");
    struct client c;
    struct event_text e;

    (void)state;
    send_to(&s, "{\"a\":1}");
    send_to(&s, "{\"a\":2}");
    get(&c, &s, NULL);
    expect_stream(&c);
    e = expect_event(&c, "{\"a\":1}");
    CHECK_INT(e.retry, 0);
    expect_event(&c, "{\"a\":2}");
    client_close(&c);
    wait_attached(0); /* Its end was seen. */
    send_to(&s, "{\"a\":3}");
    get(&c, &s, e.id);
    expect_stream(&c);
    expect_event(&c, "{\"a\":2}");
    expect_event(&c, "{\"a\":3}");
    client_close(&c);
}

/* What a client older than 2025-11-25 reads as JSON is JSON. */
static void
old_clients_are_not_primed(void **state)
{
    static const char *const old[] = {"2025-03-26", "2025-06-18"};

    (void)state;
    for (size_t i = 0; i < sizeof old / sizeof old[0]; i++) {
        struct session s = begin(old[i]);
        struct client c;
        struct event_text e;

        get(&c, &s, NULL);
        expect_stream(&c);
        CHECK(next_event(&c, &e));
        CHECK(e.comment && !e.id[0]);
        client_close(&c);
        call(&c, &s, 7, "test_tool_with_progress");
        expect_stream(&c);
        CHECK(next_event(&c, &e));
        CHECK(e.comment && !e.id[0]);
        expect_progress_and_answer(&c, 7);
    }
}

/* Both ways to lose a connection while a GET is open: the session's time counts from its end. */
static void
an_open_get_keeps_its_session(void **state)
{
    struct session s = begin(NEWEST);
    struct client c;
    struct event_text e;

    (void)state;
    get(&c, &s, NULL);
    expect_stream(&c);
    expect_priming(&c, &e);
    for (int i = 0; i < 3; i++) {
        fake_clock_pass(&fake, project.settings->limits_session_idle + SECOND);
        dispatch_tick(dispatcher);
        CHECK(client_until(&c, ": ka\n\n", SECONDS));
    }
    CHECK_INT(status_of("POST", "", &s, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"), 200);
    client_close(&c);
    wait_attached(0);
    fake_clock_pass(&fake, project.settings->limits_session_idle - SECOND);
    CHECK_INT(status_of("POST", "", &s, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"), 200);
    fake_clock_pass(&fake, project.settings->limits_session_idle + SECOND);
    CHECK_INT(status_of("GET", STREAM, &s, ""), 404);
}

static void
refusals(void **state)
{
    struct session s = begin(NEWEST), unknown = {"00112233445566778899aabbccddeeff"};
    struct client c, gets[4];
    struct event_text primed[5];
    char *last;

    (void)state;
    CHECK_INT(status_of("GET", STREAM, &unknown, ""), 404);
    CHECK_INT(status_of("GET", STREAM "MCP-Protocol-Version: 2026-07-28\r\n", &s, ""), 400);
    CHECK_INT(status_of("GET", STREAM "MCP-Protocol-Version: 1999-01-01\r\n", &s, ""), 400);
    CHECK_INT(status_of("GET", STREAM "MCP-Protocol-Version: 2026-07-28\r\n", NULL, ""), 405);
    CHECK_INT(status_of("GET", "Accept: application/json\r\n", &s, ""), 406);
    workers_stop();
    for (int i = 0; i < 5; i++) {
        primed[i] = call_for_long(&c, &s, 10 + i, "test_tool_with_progress");
        client_close(&c);
    }
    for (int i = 0; i < 4; i++) {
        get(&gets[i], &s, primed[i].id);
        expect_stream(&gets[i]);
    }
    last = xasprintf(STREAM "Last-Event-ID: %s\r\n", primed[4].id);
    CHECK_INT(status_of("GET", last, &s, ""), 409);
    CHECK_INT(status_of("GET", STREAM, &s, ""), 409);
    client_close(&gets[0]);
    wait_attached(4); /* Three, and the call whose connection has closed. */
    get(&gets[0], &s, primed[4].id);
    expect_stream(&gets[0]);
    workers_go();
    for (int i = 1; i < 4; i++) {
        expect_progress_and_answer(&gets[i], 10 + i);
    }
    expect_progress_and_answer(&gets[0], 14);
    free(last);
}

/* Who reads too slowly for what is kept is ended, and told why he cannot go on. */
static void
a_slow_reader_is_bounded_and_told(void **state)
{
    struct session s = begin(NEWEST);
    struct mcp_session *session = find(&s);
    struct client c;
    struct event_text e, last = {.id = ""};
    char *text = xcalloc(1, 60000), *header;
    struct response r;

    (void)state;
    get(&c, &s, NULL);
    expect_stream(&c);
    expect_priming(&c, &e);
    memset(text, 'x', 59999);
    for (int i = 0; mcp_streams_counters(streams).attached == 1; i++) {
        snprintf(text, 16, "\"%013d", i);
        text[14] = 'x';
        CHECK_INT(mcp_session_send(session, slice_of(text)), E_OK);
        CHECK(mcp_streams_counters(streams).bytes <= project.settings->limits_replay_each);
        CHECK(i < 10000);
    }
    while (next_event(&c, &e)) {
        last = e.id[0] ? e : last;
    }
    client_close(&c);
    header = xasprintf(STREAM "Last-Event-ID: %s\r\n", last.id);
    ask(&c, "1.1", "GET", header, &s, "");
    r = client_read(&c, false, SECONDS);
    CHECK_INT(r.status, 400);
    CHECK(memmem(r.body.data, r.body.len, "not kept any more", 17));
    client_close(&c);
    mcp_session_unref(session);
    free(header);
    free(text);
}

/* As long as the store holds it, a slow reader gets everything once, whatever the connection takes
 * at a time. */
static void
a_burst_comes_whole(void **state)
{
    struct session s = begin(NEWEST);
    struct mcp_session *session = find(&s);
    struct client c;
    struct event_text e;

    (void)state;
    get(&c, &s, NULL);
    expect_stream(&c);
    expect_priming(&c, &e);
    for (int i = 0; i < 3000; i++) {
        char text[32];
        struct slice body = {text, (size_t)snprintf(text, sizeof text, "{\"number\":%d}", i)};

        CHECK_INT(mcp_session_send(session, body), E_OK);
    }
    for (int i = 0; i < 3000; i++) {
        char want[32];

        snprintf(want, sizeof want, "{\"number\":%d}", i);
        CHECK_STR(expect_event(&c, "number").data, want);
    }
    client_close(&c);
    mcp_session_unref(session);
}

/* DELETE, and the end of the server. */
static void
streams_end_with_what_they_belong_to(void **state)
{
    struct session s = begin(NEWEST), other = begin(NEWEST);
    struct client c, general, theirs, resumed;
    struct event_text primed, e;

    (void)state;
    workers_stop();
    primed = call_for_long(&c, &s, 7, "test_tool_with_progress");
    client_close(&c);
    get(&c, &s, primed.id);
    expect_stream(&c);
    get(&general, &s, NULL);
    expect_stream(&general);
    expect_priming(&general, &e);
    CHECK_INT(status_of("DELETE", "", &s, ""), 204);
    expect_end(&c);
    expect_end(&general);
    CHECK_INT(status_of("GET", STREAM, &s, ""), 404);
    get(&theirs, &other, NULL);
    expect_stream(&theirs);
    expect_priming(&theirs, &e);
    primed = call_for_long(&c, &other, 8, "test_tool_with_progress");
    client_close(&c);
    get(&resumed, &other, primed.id);
    expect_stream(&resumed);
    dispatch_drain(dispatcher);
    expect_end(&theirs);
    CHECK_INT(status_of("GET", STREAM, &other, ""), 503);
    workers_go();
    expect_progress_and_answer(&resumed, 8); /* What runs is answered. */
}

/* A call that became a task has been answered: its stream is gone, however long the task takes. */
static void
a_task_has_no_stream_to_begin(void **state)
{
    struct session s = begin(NEWEST);
    struct client c;

    (void)state;
    workers_stop();
    ask(&c, "1.0", "POST", BOTH, &s,
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":"
        "\"multi_input\",\"arguments\":{},\"task\":{\"ttl\":60000}}}");
    CHECK(client_until(&c, "\"taskId\"", SECONDS));
    client_close(&c);
    CHECK_INT(status_of("GET", "", NULL, ""), 405); /* The HTTP thread is done with it. */
    fake_clock_pass(&fake, 2 * SECOND);
    dispatch_tick(dispatcher);
    CHECK_INT(mcp_streams_counters(streams).attached, 0);
    workers_go();
}

/* ---- Threads that send while the connection is cut again and again ---- */

#define SENDERS 8
#define EACH 400

struct race {
    struct session s;
    struct mcp_session *session;
    unsigned next[SENDERS]; /* What the client waits for, of each. */
    unsigned got, connections, wrong;
    _Atomic unsigned failures;
};

/* Reads up to 'most' events of one connection, and cuts it; keeps the last one's id in 'e'. */
static void
read_and_cut(struct race *r, unsigned most, struct event_text *last)
{
    struct client c;
    struct event_text e;

    get(&c, &r->s, last->id[0] ? last->id : NULL);
    expect_stream(&c);
    r->connections++;
    while (most > 0 && r->got < SENDERS * EACH && next_event(&c, &e)) {
        unsigned sender, number;

        if (e.id[0]) {
            *last = e;
        }
        if (sscanf(e.data, "\"%u.%u\"", &sender, &number) == 2) {
            r->wrong += sender >= SENDERS || r->next[sender]++ != number;
            r->got++;
            most--;
        }
    }
    client_close(&c);
}

static void
race_body(void *arg, unsigned number)
{
    struct race *r = arg;
    struct event_text last = {.id = ""};

    if (number < SENDERS) {
        for (unsigned i = 0; i < EACH; i++) {
            char text[32];
            int n = snprintf(text, sizeof text, "\"%u.%u\"", number, i);

            atomic_fetch_add(&r->failures,
                             mcp_session_send(r->session, (struct slice){text, (size_t)n}) != E_OK);
        }
    } else {
        for (unsigned i = 0; r->got < SENDERS * EACH; i++) {
            read_and_cut(r, 1 + i * 37 % 101, &last);
        }
    }
}

static void
each_event_comes_once_however_often_it_is_cut(void **state)
{
    struct race r = {.s = begin(NEWEST)};

    (void)state;
    r.session = find(&r.s);
    threads_run(SENDERS + 1, race_body, &r);
    CHECK_INT(r.failures, 0);
    CHECK_INT(r.wrong, 0);
    CHECK_INT(r.got, SENDERS * EACH);
    print_message("%u events over %u connections\n", r.got, r.connections);
    mcp_session_unref(r.session);
}

/* ---- The server as it is started, and its own clock ---- */

static void
the_answer_to_a_long_call_is_there_for_who_comes_back(void **state)
{
    char root[HARNESS_ROOT];
    struct server server;
    struct fake_git git;
    struct session s;
    struct client c;
    struct event_text primed;

    (void)state;
    harness_project(root, (const char *const[]){NULL});
    fake_git_init(&git, root);
    server_start(&server, root,
                 &(struct server_options){.args = (const char *const[]){"--auth", "none", NULL},
                                          .path_first = git.folder});
    port = server.info.port;
    s = begin(NEWEST);
    call(&c, &s, 7, "get_server_info");
    CHECK(fake_git_wait(&git, now_ns() + PATIENCE));
    expect_stream(&c); /* After a second. */
    expect_priming(&c, &primed);
    client_close(&c);
    fake_git_release(&git);
    get(&c, &s, primed.id);
    expect_stream(&c);
    expect_event(&c, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":");
    expect_end(&c);
    get(&c, &s, NULL);
    expect_stream(&c);
    expect_priming(&c, &primed);
    server_close_stdin(&server); /* A stream that is open holds up nothing. */
    expect_end(&c);
    CHECK_INT(server_wait(&server, now_ns() + PATIENCE), 0);
    harness_remove(root);
}

/* SEP-1699: the call itself ends the connection, and its client comes back for the answer. */
static void
a_call_may_end_its_connection(void **state)
{
    struct session s = begin(NEWEST), old = begin("2025-06-18");
    struct client c;
    struct event_text e;

    (void)state;
    call(&c, &s, 7, "test_reconnection");
    expect_stream(&c);
    CHECK(next_event(&c, &e));
    CHECK_STR(e.data, "");
    CHECK_INT(e.retry, 100);
    expect_end(&c);
    get(&c, &s, e.id);
    expect_stream(&c);
    expect_event(&c, "the answer waited for the next one");
    expect_end(&c);
    call(&c, &old, 7, "test_reconnection");
    CHECK(client_until(&c, "this client does not come back", SECONDS));
    client_close(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, start_all, stop_all)
        TEST(a_lost_connection_loses_nothing),
        TEST(a_resumed_stream_goes_on),
        TEST(the_stream_goes_to_who_came_last),
        TEST(nobody_else_is_given_a_streams_events),
        TEST(ids_name_their_stream),
        TEST(the_newest_get_wins),
        TEST(what_belongs_to_a_call_goes_on_its_own_stream),
        TEST(a_question_waits_for_who_comes_back),
        TEST(what_is_sent_before_a_get_waits_for_it),
        TEST(old_clients_are_not_primed),
        TEST(an_open_get_keeps_its_session),
        TEST(refusals),
        TEST(a_slow_reader_is_bounded_and_told),
        TEST(a_burst_comes_whole),
        TEST(streams_end_with_what_they_belong_to),
        TEST(a_call_may_end_its_connection),
        TEST(a_task_has_no_stream_to_begin),
        TEST(each_event_comes_once_however_often_it_is_cut),
        cmocka_unit_test(the_answer_to_a_long_call_is_there_for_who_comes_back),
    };
    return CHECK_RUN(tests);
}
