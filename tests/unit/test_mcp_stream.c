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

/* What is refused, and the text of it. */
static enum err
refused(struct mcp_session *session, const char *last_id, const char *part)
{
    struct wire w = WIRE;
    struct fault f = FAULT_INIT;
    enum err err = mcp_stream_open(session, slice_of(last_id), true, &w.sink, &f);

    CHECK(err != E_OK && w.ended == 0 && w.freed == 0); /* The caller still has it. */
    CHECK(strstr(f.text, part));
    return err;
}

static void
only_an_id_of_this_session_resumes(void **unused)
{
    struct mcp_session *session = start(), *other = start();
    struct wire w = WIRE, theirs = WIRE;
    struct mcp_stream *stream = mcp_stream_begin(session, true, &w.sink);
    struct mcp_stream *foreign = mcp_stream_begin(other, true, &theirs.sink);
    char tag[64], id[128];
    const char *const bad[] = {"",       "x",     "-",    "1-",   "1-2-",
                               "1-2-3-", "01-2",  "1-02", "1-+2", "1- 2",
                               "1-2 ",   "1-0x2", "A-2",  "1-A",  "9-1",
                               "0-1",    "1-9",   "-1-2", "1--2", "1-11112222333344445"};

    (void)unused;
    CHECK_INT(send_text(stream, "a"), E_OK);
    CHECK_INT(send_text(foreign, "secret"), E_OK);
    finish(stream, 200, "end");
    finish(foreign, 200, "end");
    snprintf(tag, sizeof tag, "%.*s", (int)strcspn(w.last_id, "-"), w.last_id);
    CHECK(strncmp(tag, session->id, 8) != 0); /* Nothing of the session's own id. */
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(id, sizeof id, "%s-%s", tag, bad[i]);
        CHECK_INT(refused(session, id, "no event of this session"), E_INVALID_REQUEST);
    }
    snprintf(id, sizeof id, "0%s-1-2", tag);
    CHECK_INT(refused(session, id, "no event of this session"), E_INVALID_REQUEST);
    CHECK_INT(refused(session, theirs.last_id, "no event of this session"), E_INVALID_REQUEST);
    CHECK_INT(refused(other, w.last_id, "no event of this session"), E_INVALID_REQUEST);
    wire_fini(&w);
    wire_fini(&theirs);
    mcp_session_unref(session);
    mcp_session_unref(other);
}

/* Makes the stream of a request that says 'count' numbers, nothing else, and leaves it running. */
static struct mcp_stream *
say_numbers(struct mcp_session *session, struct wire *w, unsigned count)
{
    struct mcp_stream *stream = mcp_stream_begin(session, true, &w->sink);

    for (unsigned i = 0; i < count; i++) {
        char text[1001];

        snprintf(text, sizeof text, "%01000u", i);
        CHECK_INT(send_text(stream, text), E_OK);
    }
    return stream;
}

static void
a_session_keeps_its_newest_events(void **unused)
{
    struct wire w = WIRE, again = WIRE;
    struct mcp_session *session;
    struct mcp_stream *stream;
    struct mcp_streams_counters c;
    char id[64];

    (void)unused;
    mcp_sessions_destroy(sessions);
    make(10000, 1000000, 2);
    session = start();
    stream = say_numbers(session, &w, 20);
    c = mcp_streams_counters(streams);
    CHECK(c.bytes <= 10000 && c.bytes > 8000);
    CHECK_INT(c.events + c.dropped, 20);
    snprintf(id, sizeof id, "%.*s-1-%x", (int)strcspn(w.last_id, "-"), w.last_id,
             (unsigned)c.dropped);
    CHECK_INT(refused(session, id, "not kept any more"), E_INVALID_REQUEST);
    CHECK_INT(w.ended, 0); /* Who is refused takes it from nobody. */
    snprintf(id, sizeof id, "%.*s-1-%x", (int)strcspn(w.last_id, "-"), w.last_id,
             (unsigned)c.dropped + 1);
    CHECK_INT(get(session, &again, id), E_OK);
    CHECK_INT(again.count, c.events);
    CHECK_INT(mcp_streams_counters(streams).replayed, c.events);
    finish(stream, 200, "end");
    wire_fini(&w);
    wire_fini(&again);
    mcp_session_unref(session);
}

static void
all_sessions_keep_the_newest_events(void **unused)
{
    struct wire w[3] = {WIRE, WIRE, WIRE};
    struct mcp_session *session[3];
    struct mcp_stream *stream[3];

    (void)unused;
    mcp_sessions_destroy(sessions);
    make(100000, 20000, 2);
    for (int i = 0; i < 3; i++) {
        session[i] = start();
        stream[i] = say_numbers(session[i], &w[i], 10);
    }
    CHECK(mcp_streams_counters(streams).bytes <= 20000);
    for (int i = 0; i < 3; i++) {
        char id[64];

        finish(stream[i], 200, "end");
        snprintf(id, sizeof id, "%.*s-1-1", (int)strcspn(w[i].last_id, "-"), w[i].last_id);
        if (i < 2) { /* The last has all of its own. */
            CHECK_INT(refused(session[i], id, "not kept any more"), E_INVALID_REQUEST);
        } else {
            struct wire again = WIRE;

            CHECK_INT(get(session[i], &again, id), E_OK);
            CHECK_INT(again.count, 11);
            wire_fini(&again);
        }
        wire_fini(&w[i]);
        mcp_session_unref(session[i]);
    }
}

static void
an_event_larger_than_the_bounds_still_reaches_who_is_there(void **unused)
{
    struct wire w = WIRE;
    struct mcp_session *session;
    struct mcp_stream *stream;
    char *large = xcalloc(1, 5001);

    (void)unused;
    memset(large, 'x', 5000);
    mcp_sessions_destroy(sessions);
    make(4096, 1000000, 2);
    session = start();
    stream = mcp_stream_begin(session, true, &w.sink);
    CHECK_INT(send_text(stream, large), E_OK);
    CHECK_INT(w.count, 1);
    CHECK_INT(mcp_streams_counters(streams).events, 0);
    CHECK_INT(send_text(stream, "small"), E_OK);
    CHECK_INT(w.count, 2);
    finish(stream, 200, large);
    CHECK_INT(w.count, 3);
    CHECK_INT(refused(session, w.last_id, "not kept any more"), E_INVALID_REQUEST);
    wire_fini(&w);
    mcp_session_unref(session);
    free(large);
}

static void
events_are_kept_for_their_time(void **unused)
{
    struct mcp_session *session = start();
    struct wire w = WIRE, again = WIRE;
    struct mcp_stream *stream = mcp_stream_begin(session, true, &w.sink);

    (void)unused;
    CHECK_INT(send_text(stream, "a"), E_OK);
    fake_clock_pass(&fake, KEEP / 2);
    finish(stream, 200, "end");
    fake_clock_pass(&fake, KEEP / 2 + 1);
    mcp_streams_tick(streams);
    CHECK_INT(mcp_streams_counters(streams).events, 1);
    CHECK_INT(get(session, &again, w.last_id), E_OK); /* Nothing came after the end. */
    CHECK_STR(got(&again), "|0|\n");
    wire_fini(&again);
    fake_clock_pass(&fake, KEEP / 2 + 1);
    mcp_streams_tick(streams);
    CHECK_INT(mcp_streams_counters(streams).events, 0);
    CHECK_INT(refused(session, w.last_id, "not kept any more"), E_INVALID_REQUEST);
    wire_fini(&w);
    mcp_session_unref(session);
}

static void
a_session_has_few_streams_by_get(void **unused)
{
    struct mcp_session *session = start();
    struct wire posts[3] = {WIRE, WIRE, WIRE}, gets[4] = {WIRE, WIRE, WIRE, WIRE};
    struct mcp_stream *stream[3];

    (void)unused;
    for (int i = 0; i < 3; i++) {
        stream[i] = mcp_stream_begin(session, true, &posts[i].sink);
        CHECK_INT(send_text(stream[i], "a"), E_OK);
    }
    CHECK_INT(get(session, &gets[0], NULL), E_OK);
    CHECK_INT(get(session, &gets[1], posts[0].last_id), E_OK);
    CHECK_INT(refused(session, posts[1].last_id, "has 2 streams open"), E_STREAMS);
    CHECK_INT(get(session, &gets[2], posts[0].last_id), E_OK); /* In the place of the first. */
    expect_ended(&gets[1]);
    mcp_streams_gone(streams, &gets[0].sink);
    expect_ended(&gets[0]);
    CHECK_INT(get(session, &gets[3], posts[1].last_id), E_OK);
    for (int i = 0; i < 3; i++) {
        finish(stream[i], 200, "end");
        wire_fini(&posts[i]);
    }
    CHECK_STR(got(&gets[2]), "|0|\n1-3|0|end\n");
    CHECK_STR(got(&gets[3]), "|0|\n2-3|0|end\n");
    for (int i = 0; i < 4; i++) {
        wire_fini(&gets[i]);
    }
    mcp_session_unref(session);
}

/* python-sdk#3395: idle time counts from the end of the stream. */
static void
an_open_get_keeps_its_session(void **unused)
{
    struct mcp_session *session = start(), *found;
    struct wire w = WIRE;

    (void)unused;
    CHECK_INT(get(session, &w, NULL), E_OK);
    fake_clock_pass(&fake, 100 * KEEP);
    CHECK_INT(mcp_sessions_expire(sessions), 1);
    CHECK_INT(mcp_session_find(sessions, slice_of(session->id), SLICE("ann"), &found, NULL), E_OK);
    mcp_session_unref(found);
    mcp_streams_gone(streams, &w.sink);
    wire_fini(&w);
    fake_clock_pass(&fake, 9 * KEEP);
    CHECK_INT(mcp_sessions_expire(sessions), 1);
    fake_clock_pass(&fake, KEEP);
    CHECK_INT(mcp_sessions_expire(sessions), 0);
    CHECK_INT(get(session, &w, NULL), E_NO_SESSION);
    mcp_session_unref(session);
}

static void
a_call_can_end_its_connection_and_go_on(void **unused)
{
    struct mcp_session *session = start();
    struct wire w = WIRE, again = WIRE, more = WIRE;
    struct mcp_stream *stream = mcp_stream_begin(session, true, &w.sink);

    (void)unused;
    CHECK(mcp_stream_pause(stream, 70));
    expect_ended(&w);
    CHECK_INT(w.reply.status, 204);
    CHECK_STR(got(&w), "1-1|70|\n");
    CHECK(!mcp_stream_pause(stream, 70)); /* Nobody is there. */
    CHECK_INT(send_text(stream, "a"), E_OK);
    CHECK_INT(get(session, &again, w.last_id), E_OK);
    CHECK(mcp_stream_pause(stream, 80));
    CHECK_STR(got(&again), "1-2|0|a\n1-3|80|\n");
    CHECK_INT(get(session, &more, again.last_id), E_OK);
    more.room = 0;
    CHECK_INT(send_text(stream, "b"), E_OK);
    CHECK(mcp_stream_pause(stream, 90)); /* It knows the id it comes back with. */
    CHECK_STR(got(&more), "|0|\n");
    finish(stream, 200, "end");
    wire_fini(&w);
    wire_fini(&again);
    wire_fini(&more);
    mcp_session_unref(session);
}

static void
who_knows_no_priming_keeps_its_connection(void **unused)
{
    struct mcp_session *session = start();
    struct wire w = WIRE;
    struct mcp_stream *stream = mcp_stream_begin(session, false, &w.sink);

    (void)unused;
    CHECK(!mcp_stream_pause(stream, 70));
    mcp_stream_prime(stream);
    finish(stream, 200, "end");
    CHECK_STR(got(&w), "|0|end\n");
    wire_fini(&w);
    mcp_session_unref(session);
}

static void
a_stream_is_primed_once(void **unused)
{
    struct mcp_session *session = start();
    struct wire w = WIRE, again = WIRE;
    struct mcp_stream *stream = mcp_stream_begin(session, true, &w.sink);

    (void)unused;
    mcp_stream_prime(stream);
    mcp_stream_prime(stream);
    CHECK_STR(got(&w), "1-1|1000|\n");
    w.left = true;
    finish(stream, 200, "end");
    CHECK_STR(got(&w), "");
    CHECK_INT(get(session, &again, w.last_id), E_OK);
    CHECK_STR(got(&again), "1-2|0|end\n");
    wire_fini(&w);
    wire_fini(&again);
    mcp_session_unref(session);
}

/* Nobody can come back for what has no id. */
static void
a_client_that_leaves_before_any_event_is_gone(void **unused)
{
    struct mcp_session *session = start();
    struct wire w = WIRE;
    struct mcp_stream *stream = mcp_stream_begin(session, true, &w.sink);

    (void)unused;
    w.left = true;
    mcp_stream_prime(stream);
    CHECK_INT(send_text(stream, "a"), E_CANCELLED);
    CHECK_INT(send_text(stream, "b"), E_CANCELLED);
    finish(stream, 200, "end");
    CHECK_INT(mcp_streams_counters(streams).events, 0);
    wire_fini(&w);
    mcp_session_unref(session);
}

static void
a_cancelled_call_ends_its_stream_without_a_word(void **unused)
{
    struct mcp_session *session = start();
    struct wire w = WIRE;
    struct mcp_stream *stream = mcp_stream_begin(session, true, &w.sink);

    (void)unused;
    CHECK_INT(send_text(stream, "a"), E_OK);
    finish(stream, 204, NULL);
    CHECK_STR(got(&w), "1-1|1000|\n1-2|0|a\n");
    CHECK_INT(w.reply.status, 204);
    wire_fini(&w);
    mcp_session_unref(session);
}

static void
a_slow_reader_gets_the_rest_when_there_is_room(void **unused)
{
    struct mcp_session *session = start();
    struct wire w = WIRE;
    struct mcp_stream *stream = mcp_stream_begin(session, true, &w.sink);

    (void)unused;
    w.room = 2;
    CHECK_INT(send_text(stream, "a"), E_OK);
    CHECK_INT(send_text(stream, "b"), E_OK);
    CHECK_INT(send_text(stream, "c"), E_OK);
    finish(stream, 200, "end");
    CHECK_STR(got(&w), "1-1|1000|\n1-2|0|a\n");
    CHECK_INT(w.ended, 0);
    w.room = 1;
    mcp_streams_drained(streams, &w.sink);
    CHECK_STR(got(&w), "1-3|0|b\n");
    w.room = 1;
    mcp_streams_tick(streams); /* Should its transport have had nothing to say. */
    CHECK_STR(got(&w), "1-4|0|c\n1-5|0|end\n");
    wire_fini(&w);
    mcp_streams_drained(streams, &w.sink); /* Nobody's any more. */
    mcp_session_unref(session);
}

static void
a_reader_slower_than_the_bounds_is_ended_and_told(void **unused)
{
    struct wire w = WIRE;
    struct mcp_session *session;
    struct mcp_stream *stream;

    (void)unused;
    mcp_sessions_destroy(sessions);
    make(10000, 1000000, 2);
    session = start();
    w.room = 3;
    stream = say_numbers(session, &w, 20);
    CHECK_INT(w.count, 2);
    expect_ended(&w);
    CHECK_INT(w.reply.status, 204);
    CHECK_INT(refused(session, w.last_id, "not kept any more"), E_INVALID_REQUEST);
    finish(stream, 200, "end");
    wire_fini(&w);
    mcp_session_unref(session);
}

static void
the_end_of_a_session_ends_all_its_streams(void **unused)
{
    struct mcp_session *session = start();
    struct wire plain = WIRE, posted = WIRE, resumed = WIRE, general = WIRE;
    struct mcp_stream *a = mcp_stream_begin(session, true, &plain.sink);
    struct mcp_stream *b = mcp_stream_begin(session, true, &posted.sink);

    (void)unused;
    CHECK_INT(send_text(b, "b"), E_OK);
    CHECK_INT(get(session, &general, NULL), E_OK);
    CHECK_INT(get(session, &resumed, posted.last_id), E_OK);
    CHECK_INT(mcp_streams_counters(streams).attached, 2);
    CHECK(mcp_session_end(sessions, session));
    wire_fini(&general);
    wire_fini(&resumed);
    wire_fini(&posted);
    CHECK_INT(mcp_streams_counters(streams).attached, 0);
    CHECK_INT(send_text(a, "late"), E_CANCELLED);
    CHECK_INT(send_text(b, "late"), E_CANCELLED);
    CHECK(!mcp_stream_pause(a, 1));
    mcp_stream_prime(a);
    finish(a, 204, NULL); /* What has not been a stream is answered as ever. */
    finish(b, 200, "end");
    CHECK_INT(plain.reply.status, 204);
    wire_fini(&plain);
    CHECK_INT(refused(session, NULL, "ended"), E_NO_SESSION);
    mcp_session_unref(session);
}

static void
the_end_of_the_server_ends_general_streams(void **unused)
{
    struct mcp_session *session = start();
    struct wire general = WIRE, posted = WIRE, resumed = WIRE;
    struct mcp_stream *stream = mcp_stream_begin(session, true, &posted.sink);

    (void)unused;
    CHECK_INT(send_text(stream, "a"), E_OK);
    CHECK_INT(get(session, &general, NULL), E_OK);
    CHECK_INT(get(session, &resumed, posted.last_id), E_OK);
    mcp_streams_drain(streams);
    wire_fini(&general);
    CHECK_INT(refused(session, NULL, "ending"), E_OVERLOAD);
    finish(stream, 200, "end"); /* What runs is answered. */
    CHECK_STR(got(&resumed), "|0|\n1-3|0|end\n");
    wire_fini(&posted);
    wire_fini(&resumed);
    mcp_session_unref(session);
}

static void
only_a_get_is_let_go_when_its_peer_is_silent(void **unused)
{
    struct mcp_session *session = start();
    struct wire w = WIRE, unknown = WIRE;
    struct mcp_stream *stream = mcp_stream_begin(session, true, &w.sink);

    (void)unused;
    CHECK_INT(send_text(stream, "a"), E_OK);
    mcp_streams_gone(streams, &w.sink);
    mcp_streams_gone(streams, &unknown.sink);
    finish(stream, 200, "end");
    CHECK_STR(got(&w), "1-1|1000|\n1-2|0|a\n1-3|0|end\n");
    wire_fini(&w);
    mcp_session_unref(session);
}

static void
a_get_whose_peer_has_left_holds_nothing(void **unused)
{
    struct mcp_session *session = start();
    struct wire w = WIRE, full = WIRE;

    (void)unused;
    w.left = true;
    CHECK_INT(get(session, &w, NULL), E_OK);
    wire_fini(&w);
    full.room = 0;
    CHECK_INT(get(session, &full, NULL), E_OK); /* Not even the first byte. */
    wire_fini(&full);
    CHECK_INT(atomic_load(&session->in_flight), 0);
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
        TEST(only_an_id_of_this_session_resumes),
        TEST(a_session_keeps_its_newest_events),
        TEST(all_sessions_keep_the_newest_events),
        TEST(an_event_larger_than_the_bounds_still_reaches_who_is_there),
        TEST(events_are_kept_for_their_time),
        TEST(a_session_has_few_streams_by_get),
        TEST(an_open_get_keeps_its_session),
        TEST(a_call_can_end_its_connection_and_go_on),
        TEST(who_knows_no_priming_keeps_its_connection),
        TEST(a_stream_is_primed_once),
        TEST(a_client_that_leaves_before_any_event_is_gone),
        TEST(a_cancelled_call_ends_its_stream_without_a_word),
        TEST(a_slow_reader_gets_the_rest_when_there_is_room),
        TEST(a_reader_slower_than_the_bounds_is_ended_and_told),
        TEST(the_end_of_a_session_ends_all_its_streams),
        TEST(the_end_of_the_server_ends_general_streams),
        TEST(only_a_get_is_let_go_when_its_peer_is_silent),
        TEST(a_get_whose_peer_has_left_holds_nothing),
        TEST(a_connection_that_is_its_own_session_has_one_sink),
    };
    return CHECK_RUN(tests);
}
