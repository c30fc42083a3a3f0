/* test_mcp_stream.c -- event streams of legacy sessions: what is kept, for how long, and who is
 * given it. */
#include "tests/check.h"

#include "state/mcp_session.h"
#include "tests/fakes.h"
#include "tests/threads.h"

#include <stdio.h>
#include <string.h>

#define SECOND ((int64_t)1000000000)
#define KEEP (60 * SECOND)

static struct fake_clock fake;
static struct mcp_sessions *sessions;
static struct mcp_streams *streams;

static void
make(size_t each, size_t all, unsigned open)
{
    struct mcp_session_limits limits = {
        .sessions = 8,
        .per_principal = 8,
        .idle_ns = 10 * KEEP,
        .streams = {.each = each, .all = all, .keep_ns = KEEP, .open = open},
    };

    fake_clock_init(&fake);
    sessions = mcp_sessions_create(&fake.clock, &limits);
    streams = mcp_sessions_streams(sessions);
}

static int
set_up(void **unused)
{
    (void)unused;
    make(100000, 1000000, 2);
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    mcp_sessions_destroy(sessions);
    return 0;
}

static struct mcp_session *
start(void)
{
    struct mcp_session *session = NULL;

    CHECK_INT(mcp_session_start(sessions, SLICE("ann"), &session, NULL), E_OK);
    return session;
}

/* ---- A connection that keeps what it is given, each event as "ID|RETRY|BODY\n" ---- */

struct wire {
    struct sink sink; /* First. */
    struct buf got;
    char last_id[64];      /* Of the last event that had one. */
    unsigned count;        /* Of events with a body. */
    unsigned room;         /* Of events it takes before it has no room. */
    bool left;             /* Its peer has left. */
    unsigned ended, freed; /* Must both end as 1. */
    struct reply reply;    /* How it ended; without the slices. */
};

static void
wire_note(struct wire *w, struct slice id, int retry_ms, struct slice body)
{
    buf_add_slice(&w->got, id);
    buf_addf(&w->got, "|%d|", retry_ms);
    buf_add_slice(&w->got, body);
    buf_addc(&w->got, '\n');
    if (id.len) {
        CHECK(id.len < sizeof w->last_id);
        memcpy(w->last_id, id.data, id.len);
        w->last_id[id.len] = '\0';
    }
    w->count += body.len > 0;
}

static enum err
wire_send(struct sink *sink, const struct event *event)
{
    struct wire *w = (struct wire *)sink;

    CHECK_INT(w->ended, 0);
    if (w->left) {
        return E_CANCELLED;
    }
    if (!w->room) {
        return E_LIMIT;
    }
    w->room--;
    wire_note(w, event->id, event->retry_ms, event->body);
    return E_OK;
}

static void
wire_answer(struct sink *sink, const struct reply *reply)
{
    struct wire *w = (struct wire *)sink;

    w->ended++;
    w->reply = *reply;
    if (reply->body.len && !w->left) {
        wire_note(w, reply->event_id, 0, reply->body);
    }
}

static void
wire_unref(struct sink *sink)
{
    ((struct wire *)sink)->freed++;
}

static const struct sink_class wire_class = {wire_send, wire_answer, wire_unref};
#define WIRE                                   \
    {                                          \
        .sink = {&wire_class}, .room = 1000000 \
    }

/* What came on a wire since the last time, with the session's tag in front of ids left out. */
static const char *
got(struct wire *w)
{
    static char text[4096];
    char *to = text;

    for (char *line = w->got.data; line && *line;) {
        char *end = strchr(line, '\n') + 1, *from = line;

        if (*line != '|') {
            from = strchr(line, '-') + 1;
        }
        CHECK((size_t)(end - from) < sizeof text - (size_t)(to - text));
        memcpy(to, from, (size_t)(end - from));
        to += end - from;
        line = end;
    }
    *to = '\0';
    buf_fini(&w->got);
    return text;
}

static void
expect_ended(struct wire *w)
{
    CHECK_INT(w->ended, 1);
    CHECK_INT(w->freed, 1);
}

static void
wire_fini(struct wire *w)
{
    expect_ended(w);
    buf_fini(&w->got);
}

static enum err
send_text(struct mcp_stream *stream, const char *text)
{
    struct sink *sink = mcp_stream_sink(stream);

    return sink->class->send(sink, &(struct event){.body = slice_of(text)});
}

/* Answers a request, and lets its stream go. */
static void
finish(struct mcp_stream *stream, int status, const char *text)
{
    struct sink *sink = mcp_stream_sink(stream);

    sink->class->answer(sink, &(struct reply){.body = slice_of(text), .status = status});
    sink->class->unref(sink);
}

static enum err
get(struct mcp_session *session, struct wire *w, const char *last_id)
{
    return mcp_stream_open(session, slice_of(last_id), true, &w->sink, NULL);
}

/* ---- Tests ---- */

static void
an_answer_without_events_passes_as_it_is(void **unused)
{
    struct mcp_session *session = start();
    struct wire w = WIRE;
    struct mcp_stream *stream = mcp_stream_begin(session, true, &w.sink);

    (void)unused;
    finish(stream, 200, "{}");
    CHECK_INT(w.reply.status, 200);
    CHECK_INT(w.reply.event_id.len, 0);
    CHECK_STR(got(&w), "|0|{}\n");
    CHECK_INT(mcp_streams_counters(streams).events, 0);
    wire_fini(&w);
    mcp_session_unref(session);
}

static void
events_are_numbered_and_the_answer_is_the_last(void **unused)
{
    struct mcp_session *session = start();
    struct wire w = WIRE, old = WIRE;
    struct mcp_stream *stream = mcp_stream_begin(session, true, &w.sink);
    struct mcp_stream *other = mcp_stream_begin(session, false, &old.sink);

    (void)unused;
    CHECK_INT(send_text(stream, "a"), E_OK);
    CHECK_INT(send_text(stream, "b"), E_OK);
    finish(stream, 200, "end");
    CHECK_STR(got(&w), "1-1|1000|\n1-2|0|a\n1-3|0|b\n1-4|0|end\n");
    CHECK_INT(send_text(other, "a"), E_OK);
    finish(other, 200, "end");
    CHECK_STR(got(&old), "|0|\n2-1|0|a\n2-2|0|end\n"); /* Not primed: it does not know that. */
    wire_fini(&w);
    wire_fini(&old);
    mcp_session_unref(session);
}

static void
what_is_missed_is_replayed_and_goes_on(void **unused)
{
    struct mcp_session *session = start();
    struct wire w = WIRE, again = WIRE, late = WIRE;
    struct mcp_stream *stream = mcp_stream_begin(session, true, &w.sink);

    (void)unused;
    CHECK_INT(send_text(stream, "a"), E_OK);
    w.left = true;
    CHECK_INT(send_text(stream, "b"), E_OK);
    expect_ended(&w);
    CHECK_INT(send_text(stream, "c"), E_OK);
    CHECK_INT(get(session, &again, w.last_id), E_OK);
    CHECK_STR(got(&again), "1-3|0|b\n1-4|0|c\n");
    CHECK_INT(send_text(stream, "d"), E_OK);
    finish(stream, 200, "end");
    CHECK_STR(got(&again), "1-5|0|d\n1-6|0|end\n");
    CHECK_INT(again.reply.status, 200);
    CHECK_INT(get(session, &late, w.last_id), E_OK); /* It may ask once more. */
    CHECK_STR(got(&late), "1-3|0|b\n1-4|0|c\n1-5|0|d\n1-6|0|end\n");
    wire_fini(&w);
    wire_fini(&again);
    wire_fini(&late);
    mcp_session_unref(session);
}

static void
messages_of_no_request_wait_for_a_get(void **unused)
{
    struct mcp_session *session = start();
    struct wire first = WIRE, second = WIRE;

    (void)unused;
    CHECK_INT(mcp_session_send(session, SLICE("a")), E_OK);
    CHECK_INT(mcp_session_send(session, SLICE("a")), E_OK); /* Says nothing new. */
    CHECK_INT(mcp_session_send(session, SLICE("b")), E_OK);
    CHECK_INT(get(session, &first, NULL), E_OK);
    CHECK_STR(got(&first), "0-1|0|a\n0-2|0|b\n");
    CHECK_INT(get(session, &second, NULL), E_OK); /* The newest wins. */
    expect_ended(&first);
    CHECK_STR(got(&second), "0-3|1000|\n");
    CHECK_INT(mcp_session_send(session, SLICE("b")), E_OK);
    CHECK_STR(got(&second), "0-4|0|b\n");
    CHECK_INT(mcp_streams_counters(streams).attached, 1);
    mcp_session_end(sessions, session);
    wire_fini(&first);
    wire_fini(&second);
    CHECK_INT(mcp_session_send(session, SLICE("c")), E_CANCELLED);
    CHECK_INT(mcp_streams_counters(streams).events, 0);
    mcp_session_unref(session);
}

static void
a_connection_that_is_its_own_session_has_one_sink(void **unused)
{
    struct mcp_session *session = mcp_session_of_connection();
    struct wire w = WIRE;

    (void)unused;
    CHECK_INT(mcp_session_send(session, SLICE("a")), E_CANCELLED);
    mcp_session_set_sink(session, &w.sink);
    CHECK_INT(mcp_session_send(session, SLICE("a")), E_OK);
    w.room = 0;
    CHECK_INT(mcp_session_send(session, SLICE("b")), E_LIMIT);
    mcp_session_set_sink(session, NULL);
    CHECK_INT(mcp_session_send(session, SLICE("c")), E_CANCELLED);
    CHECK_STR(got(&w), "|0|a\n");
    mcp_session_unref(session);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)
        TEST(an_answer_without_events_passes_as_it_is),
        TEST(events_are_numbered_and_the_answer_is_the_last),
        TEST(what_is_missed_is_replayed_and_goes_on),
        TEST(messages_of_no_request_wait_for_a_get),
        TEST(a_connection_that_is_its_own_session_has_one_sink),
    };
    return CHECK_RUN(tests);
}
