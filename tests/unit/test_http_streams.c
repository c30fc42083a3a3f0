/* test_http_streams.c -- event streams over HTTP: ahead of an answer, and by GET. */
#include "tests/unit/http_script.c"

#include <sys/socket.h>

/* ---- Streams ---- */

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
        CHECK_INT(script_say(sink, "one"), E_OK);
        CHECK(client_until(&c, "\r\n\r\n", 10)); /* At once, long before the answer. */
        CHECK(client_until(&c, "data: one\n\n\r\n", 10));
        CHECK_INT(script_say(sink, "two"), E_OK);
        script_answer(sink, 400, SLICE("last"));
        CHECK(client_until(&c, "event: message\ndata: two\n\n", 10));
        CHECK(client_until(&c, "data: last\n\n\r\n0\r\n\r\n", 10));
        send_post(&c, "plain");
        expect(&c, 200, "plain");
        CHECK(client_sends(&c, "POST /mcp HTTP/1.1\r\n" HOST JSON STREAM BEARER
                               "Content-Length: 4\r\n\r\nhold"));
        sem_wait(&dispatcher.holding);
        sink = atomic_exchange(&dispatcher.held, NULL);
    }
    CHECK_INT(script_say(sink, "x"), E_OK);
    script_answer(sink, 204, SLICE_NONE); /* Cancelled: the stream ends without an answer. */
    r = client_next(&c);
    CHECK_INT(r.status, 200);
    CHECK(slice_is(r.body, "event: message\ndata: x\n\n"));
    script_expect_header(&r, "Content-Type", "text/event-stream");
    script_expect_header(&r, "Cache-Control", "no-cache, no-transform");
    script_expect_header(&r, "X-Accel-Buffering", "no");
    script_expect_header(&r, "Transfer-Encoding", "chunked");
    script_expect_header(&r, "Content-Length", "");
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
    CHECK_INT(script_say(sink, "one"), E_OK);
    script_answer(sink, 200, SLICE("two"));
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
    CHECK_INT(script_say(dispatcher.held, "one"), E_REFUSED);
    script_answer(atomic_exchange(&dispatcher.held, NULL), 200, SLICE("{}"));
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
    CHECK_INT(script_say(sink, "one"), E_OK);
    CHECK(client_until(&c, "data: one\n\n\r\n", 10));
    for (int i = 0; i < 3; i++) {
        fake_clock_pass(&fake, 15 * SECOND);
        CHECK(client_until(&c, "6\r\n: ka\n\n\r\n", 10));
    }
    script_answer(sink, 200, SLICE("two"));
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
        enum err err = script_say(sink, much); /* Until the socket is full some are taken again. */

        CHECK(err == E_OK || err == E_LIMIT || err == E_CANCELLED);
        refused += err == E_LIMIT;
        if (refused > 100) {
            fake_clock_pass(&fake, SECOND / 100);
            check_alive();
        }
    }
    CHECK(refused > 0);
    CHECK(dispatcher.gone_sink == sink);
    CHECK_INT(script_say(sink, "more"), E_CANCELLED);
    script_answer(sink, 200, SLICE("late"));
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
    while (taken < 100000 && script_say(sink, "small") == E_OK) {
        taken++;
    }
    CHECK(taken >= SINK_WAITING_MESSAGES);
    script_answer(sink, 200, SLICE("end"));
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
    CHECK_INT(script_say(sink, "one"), E_OK);
    CHECK(client_until(&c, "data: one\n\n", 10));
    client_close(&c);
    sem_wait(&dispatcher.gone);
    CHECK(dispatcher.gone_sink == sink);
    script_answer(sink, 204, SLICE_NONE);
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
        script_expect_header(&r, "Allow", r.status == 405 ? "GET, POST, DELETE" : "");
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
    script_answer(sink, 404, SLICE("{}"));
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
    while (script_say(sink, much) == E_OK) {
        sent++;
    }
    for (unsigned i = 0; i < sent; i++) {
        CHECK(client_until(&c, "x\n\n\r\n", 10));
    }
    sem_wait(&dispatcher.room);
    CHECK(dispatcher.drained == sink);
    CHECK_INT(script_say(sink, "small"), E_OK);
    CHECK(client_until(&c, "data: small\n\n\r\n", 10));
    script_answer(sink, 204, SLICE_NONE);
    CHECK(client_until(&c, "0\r\n\r\n", 10));
    client_close(&c);
    free(much);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
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
    };
    return CHECK_RUN(tests);
}
