/* test_mcp_stream_race.c -- many threads send on the streams of one session while connections come,
 * read slowly, and go: each event reaches the client once, in order, across all resumptions. */
#include "tests/check.h"

#include "state/mcp_session.h"
#include "tests/fakes.h"
#include "tests/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define SENDERS_MAX 200
#define CALLS 3 /* Streams of requests, each with a client of its own; and the general one. */

/* One connection of a client that goes through many. */
struct wire {
    struct sink sink; /* First. */
    struct buf got;   /* "NUMBER BODY\n"...  Who sends holds the store's lock. */
    char last_id[64];
    _Atomic unsigned count, room;
    _Atomic bool left;
    _Atomic unsigned freed;
    unsigned ended;
    bool last; /* The answer came. */
};

struct client {
    struct mcp_stream *stream; /* Of a request; null: the general one. */
    struct buf got;
    char last_id[64];
    bool last;
    unsigned connections;
    _Atomic unsigned sent, running; /* Events; threads that still send them. */
};

struct race {
    struct mcp_sessions *sessions;
    struct mcp_streams *streams;
    struct mcp_session *session;
    unsigned senders, each;
    struct client clients[CALLS + 1];
    _Atomic unsigned failures;
};

static void
note(struct wire *w, struct slice id, struct slice body)
{
    if (id.len) {
        memcpy(w->last_id, id.data, id.len);
        w->last_id[id.len] = '\0';
    }
    if (body.len) {
        buf_addf(&w->got, "%s ", w->last_id[0] ? strrchr(w->last_id, '-') + 1 : "0");
        buf_add_slice(&w->got, body);
        buf_addc(&w->got, '\n');
        atomic_fetch_add(&w->count, 1);
    }
}

static enum err
wire_send(struct sink *sink, const struct event *event)
{
    struct wire *w = (struct wire *)sink;

    if (atomic_load(&w->left)) {
        return E_CANCELLED;
    }
    if (!atomic_load(&w->room)) {
        return E_LIMIT;
    }
    atomic_fetch_sub(&w->room, 1);
    note(w, event->id, event->body);
    return E_OK;
}

static void
wire_answer(struct sink *sink, const struct reply *reply)
{
    struct wire *w = (struct wire *)sink;

    w->ended++;
    if (reply->body.len && !atomic_load(&w->left)) {
        note(w, reply->event_id, reply->body);
        w->last = true;
    }
}

static void
wire_unref(struct sink *sink)
{
    atomic_fetch_add(&((struct wire *)sink)->freed, 1);
}

static const struct sink_class wire_class = {wire_send, wire_answer, wire_unref};

static void
send_all(struct race *r, struct client *c, unsigned number)
{
    for (unsigned i = 0; i < r->each; i++) {
        char text[32];
        struct slice body = {text, (size_t)snprintf(text, sizeof text, "%u.%u", number, i)};
        struct sink *sink = c->stream ? mcp_stream_sink(c->stream) : NULL;
        enum err err = sink ? sink->class->send(sink, &(struct event){.body = body})
                            : mcp_session_send(r->session, body);

        atomic_fetch_add(&r->failures, err != E_OK);
        atomic_fetch_add(&c->sent, 1);
    }
    if (atomic_fetch_sub(&c->running, 1) == 1 && c->stream) {
        struct sink *sink = mcp_stream_sink(c->stream);

        sink->class->answer(sink, &(struct reply){.body = SLICE("end"), .status = 200});
        sink->class->unref(sink);
    }
}

static void
wait_until_freed(struct wire *w)
{
    while (!atomic_load(&w->freed)) {
        sched_yield();
    }
}

/* One connection: takes some events, in small portions, and leaves; in one of the ways there are.
 */
static void
read_some(struct race *r, struct client *c, unsigned *seed)
{
    struct wire w = {.sink = {&wire_class}};
    unsigned want = 1 + (unsigned)rand_r(seed) % 50;
    bool general = !c->stream, first = c->connections++ == 0;

    atomic_init(&w.room, 1 + (unsigned)rand_r(seed) % 8);
    if (mcp_stream_open(r->session, first && general ? SLICE_NONE : slice_of(c->last_id), true,
                        &w.sink, NULL) != E_OK) {
        atomic_fetch_add(&r->failures, 1);
        return;
    }
    while (!atomic_load(&w.freed) && atomic_load(&w.count) < want &&
           (atomic_load(&c->running) || !general)) {
        if (!atomic_load(&w.room)) {
            atomic_fetch_add(&w.room, 1 + (unsigned)rand_r(seed) % 8);
            mcp_streams_drained(r->streams, &w.sink);
        }
        sched_yield();
    }
    if (rand_r(seed) % 2) {
        atomic_store(&w.left, true); /* What is handed on from here is lost, and kept. */
    }
    mcp_streams_gone(r->streams, &w.sink);
    wait_until_freed(&w);
    atomic_fetch_add(&r->failures, w.ended != 1);
    buf_add(&c->got, w.got.data, w.got.len);
    if (w.last_id[0]) {
        memcpy(c->last_id, w.last_id, sizeof c->last_id);
    }
    c->last = c->last || w.last;
    buf_fini(&w.got);
}

static void
race_body(void *arg, unsigned number)
{
    struct race *r = arg;
    struct client *c;
    unsigned seed = number;

    if (number > CALLS) {
        send_all(r, &r->clients[number % (CALLS + 1)], number);
        return;
    }
    c = &r->clients[number];
    while (c->stream ? !c->last : atomic_load(&c->running)) {
        read_some(r, c, &seed);
    }
}

/* Reads what is left of the general stream, which has no end. */
static void
read_rest(struct race *r, struct client *c)
{
    struct wire w = {.sink = {&wire_class}};

    atomic_init(&w.room, 1000000);
    CHECK_INT(mcp_stream_open(r->session, c->connections ? slice_of(c->last_id) : SLICE_NONE, true,
                              &w.sink, NULL),
              E_OK);
    mcp_streams_gone(r->streams, &w.sink);
    CHECK_INT(w.freed, 1);
    buf_add(&c->got, w.got.data, w.got.len);
    buf_fini(&w.got);
}

/* Every event once, numbers of the stream rising, and each sender's own in their order. */
static void
check_all_came(const struct race *r, const struct client *c)
{
    unsigned next[SENDERS_MAX + CALLS + 1] = {0}, count = 0;
    unsigned long latest = 0;

    for (char *line = c->got.data; line && *line; line = strchr(line, '\n') + 1) {
        unsigned long number;
        unsigned sender, event;
        int n = sscanf(line, "%lx %u.%u", &number, &sender, &event);

        CHECK(n == 1 || n == 3);
        CHECK(number > latest);
        latest = number;
        if (n == 3) {
            CHECK(sender < SENDERS_MAX + CALLS + 1);
            CHECK_INT(event, next[sender]);
            next[sender]++;
            count++;
        } else {
            CHECK(c->last && !strcmp(strchr(line, '\n'), "\n")); /* The answer, the last of all. */
        }
    }
    CHECK_INT(count, atomic_load(&c->sent));
    CHECK(count % r->each == 0);
}

static void
run_race(unsigned senders, unsigned each)
{
    struct mcp_session_limits limits = {
        .sessions = 8,
        .per_principal = 8,
        .idle_ns = INT64_MAX,
        .streams = {.each = 1 << 30, .all = 1 << 30, .keep_ns = INT64_MAX, .open = CALLS + 1},
    };
    struct race r = {.senders = senders, .each = each};
    struct wire posts[CALLS];
    unsigned connections = 0;

    r.sessions = mcp_sessions_create(clock_real(), &limits);
    r.streams = mcp_sessions_streams(r.sessions);
    CHECK_INT(mcp_session_start(r.sessions, SLICE("ann"), &r.session, NULL), E_OK);
    for (unsigned i = 0; i < senders; i++) {
        atomic_fetch_add(&r.clients[(CALLS + 1 + i) % (CALLS + 1)].running, 1);
    }
    for (unsigned i = 0; i < CALLS; i++) {
        struct client *c = &r.clients[i + 1];

        posts[i] = (struct wire){.sink = {&wire_class}, .room = 1};
        c->stream = mcp_stream_begin(r.session, true, &posts[i].sink);
        mcp_stream_prime(c->stream);
        memcpy(c->last_id, posts[i].last_id, sizeof c->last_id);
    }
    threads_run(CALLS + 1 + senders, race_body, &r);
    read_rest(&r, &r.clients[0]);
    CHECK_INT(atomic_load(&r.failures), 0);
    for (unsigned i = 0; i <= CALLS; i++) {
        check_all_came(&r, &r.clients[i]);
        connections += r.clients[i].connections;
        buf_fini(&r.clients[i].got);
    }
    CHECK_INT(atomic_load(&r.session->in_flight), 0);
    CHECK_INT(mcp_streams_counters(r.streams).attached, 0);
    for (unsigned i = 0; i < CALLS; i++) {
        CHECK_INT(posts[i].freed, 1);
        buf_fini(&posts[i].got);
    }
    print_message("%u threads sent %u events each, read over %u connections\n", senders, each,
                  connections);
    mcp_session_unref(r.session);
    mcp_sessions_destroy(r.sessions);
}

static void
each_event_comes_once_and_in_order(void **unused)
{
    (void)unused;
    for (const unsigned *size = race_sizes; *size; size++) {
        run_race(*size < 2 * (CALLS + 1) ? 2 * (CALLS + 1) : *size, scaled(300));
    }
}

/* ---- The end of the session in the midst of it ---- */

struct end_race {
    struct mcp_sessions *sessions;
    struct mcp_streams *streams;
    struct mcp_session *session;
    _Atomic unsigned ended, failures;
};

static void
call_and_answer(struct end_race *r)
{
    struct wire w = {.sink = {&wire_class}, .room = 1000};
    struct sink *sink = mcp_stream_sink(mcp_stream_begin(r->session, true, &w.sink));
    enum err err;

    do {
        err = sink->class->send(sink, &(struct event){.body = SLICE("a")});
    } while (err == E_OK && atomic_load(&w.room) > 500);
    sink->class->answer(sink, &(struct reply){.body = SLICE("end"), .status = 200});
    sink->class->unref(sink);
    wait_until_freed(&w);
    atomic_fetch_add(&r->failures, w.ended != 1);
    buf_fini(&w.got);
}

static void
open_and_wait(struct end_race *r)
{
    struct wire w = {.sink = {&wire_class}, .room = 100000};
    enum err err = mcp_stream_open(r->session, SLICE_NONE, true, &w.sink, NULL);

    if (!err) {
        wait_until_freed(&w); /* The end of the session, or the next one, ends it. */
    }
    atomic_fetch_add(&r->failures, err && err != E_NO_SESSION);
    atomic_fetch_add(&r->failures, !err && w.ended != 1);
    buf_fini(&w.got);
}

static void
end_race_body(void *arg, unsigned number)
{
    struct end_race *r = arg;
    enum err err = E_OK;

    switch (number % 4) {
    case 0:
        open_and_wait(r);
        break;
    case 1:
        call_and_answer(r);
        break;
    case 2:
        for (int i = 0; i < 500 && !err; i++) {
            err = mcp_session_send(r->session, SLICE("b"));
        }
        atomic_fetch_add(&r->failures, err && err != E_CANCELLED);
        break;
    default:
        atomic_fetch_add(&r->ended, mcp_session_end(r->sessions, r->session));
        break;
    }
}

static void
a_session_ends_once_whatever_its_streams_do(void **unused)
{
    struct mcp_session_limits limits = {
        .sessions = 8,
        .per_principal = 8,
        .idle_ns = INT64_MAX,
        .streams = {.each = 1 << 14, .all = 1 << 16, .keep_ns = INT64_MAX, .open = 2},
    };

    (void)unused;
    for (unsigned round = 0; round < scaled(200); round++) {
        struct end_race r = {.ended = 0};

        r.sessions = mcp_sessions_create(clock_real(), &limits);
        r.streams = mcp_sessions_streams(r.sessions);
        CHECK_INT(mcp_session_start(r.sessions, SLICE("ann"), &r.session, NULL), E_OK);
        threads_run(16, end_race_body, &r);
        CHECK_INT(r.ended, 1);
        CHECK_INT(r.failures, 0);
        CHECK_INT(mcp_streams_counters(r.streams).attached, 0);
        CHECK_INT(mcp_streams_counters(r.streams).events, 0);
        CHECK_INT(atomic_load(&r.session->in_flight), 0);
        mcp_session_unref(r.session);
        mcp_sessions_destroy(r.sessions);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_event_comes_once_and_in_order),
        cmocka_unit_test(a_session_ends_once_whatever_its_streams_do),
    };
    return CHECK_RUN(tests);
}
