/* mcp_stream.c -- streams, and the sinks that carry them.
 *
 * DESIGN.  Everything is under one lock: sessions are many, but what they send is little, and the
 * order of events, who carries a stream and what is dropped first over all sessions are then plain
 * facts.  A sink is taken out of its stream under the lock and ended after it (struct parting):
 * whoever took it out is the only one who still has it.
 *
 * A sink that has no room (E_LIMIT) is not closed: its stream waits with what is unsent, which is
 * kept anyway, until the transport says that there is room again.  Only if the bounds push out what
 * it was not given is it ended; its client, coming back, is told that there is a gap.
 *
 * The request's stream costs nothing until something is sent ahead of the answer: it has no number,
 * is in no list, and its answer goes out as plain JSON.  So a client that leaves before that cannot
 * come back for the answer; dispatch primes streams of calls that take long. */
#include "state/mcp_stream_private.h"

#include "state/mcp_session.h"

#include <assert.h>

/* When a client may come back after it has lost its connection. */
#define RETRY_MS 1000

/* A sink that was taken out of its stream, and how it is to be ended. */
struct parting {
    struct sink *sink;        /* Counted, or null. */
    struct mcp_session *held; /* Counted and busy, or null. */
    struct bytes *body;       /* Counted, or null: what 'reply' tells. */
    struct reply reply;
    char id[EVENT_ID_SIZE];
};
/* clang-format off */
#define PARTING_INIT {.reply = {.status = 204}}
/* clang-format on */

/* ---- Creation and end ---- */

UNSHARED struct mcp_streams *
mcp_streams_create(const struct clock *clock, const struct mcp_stream_limits *limits)
{
    struct mcp_streams *all = xcalloc(1, sizeof *all);

    all->clock = clock;
    all->limits = *limits;
    lock_init(&all->lock, RANK_MCP_STREAMS);
    return all;
}

UNSHARED void
mcp_streams_destroy(struct mcp_streams *all)
{
    if (all) {
        assert(all->counters.sets == 0 && !all->events && !all->attached);
        lock_fini(&all->lock);
        free(all);
    }
}

struct mcp_streams_counters
mcp_streams_counters(struct mcp_streams *all)
{
    struct mcp_streams_counters c;

    LOCK(MCP_STREAMS, &all->lock);
    c = all->counters;
    UNLOCK(MCP_STREAMS, &all->lock);
    return c;
}

struct mcp_stream_set *
mcp_stream_set_create(struct mcp_streams *all, const char *session_id)
{
    struct mcp_stream_set *set = xcalloc(1, sizeof *set);

    set->all = all;
    set->tag = event_id_tag(session_id);
    LOCK(MCP_STREAMS, &all->lock);
    set->general.set = set;
    set->general.started = true;
    all->counters.sets++;
    UNLOCK(MCP_STREAMS, &all->lock);
    return set;
}

void
forget_locked(struct mcp_stream *stream) REQUIRES(LC_MCP_STREAMS)
{
    if (stream == &stream->set->general || !stream->released || stream->to || stream->events) {
        return;
    }
    if (stream->started) {
        DL_DELETE(stream->set->streams, stream);
    }
    free(stream);
}

/* ---- Sinks ---- */

static void
attach_locked(struct mcp_stream *stream, struct sink *sink, struct mcp_session *held)
    REQUIRES(LC_MCP_STREAMS)
{
    struct mcp_streams *all = stream->set->all;

    stream->to = sink;
    stream->held = held;
    stream->set->open += held != NULL;
    all->counters.attached++;
    HASH_ADD_PTR(all->attached, to, stream);
}

/* Takes the sink out of a stream.  'p' is empty, or unused. */
static void
detach_locked(struct mcp_stream *stream, struct parting *p) REQUIRES(LC_MCP_STREAMS)
{
    struct mcp_streams *all = stream->set->all;

    if (!stream->to) {
        return;
    }
    assert(!p->sink);
    if (stream->started) {
        HASH_DEL(all->attached, stream);
        all->counters.attached--;
    }
    if (stream->gap) {
        stream->gap = false;
        DL_DELETE2(all->gaps, stream, gap_prev, gap_next);
    }
    stream->set->open -= stream->held != NULL;
    p->sink = stream->to;
    p->held = stream->held;
    stream->to = NULL;
    stream->held = NULL;
}

/* Ends what was taken out.  No lock is held. */
static void
part(const struct mcp_streams *all, struct parting *p)
{
    if (p->sink) {
        p->sink->class->answer(p->sink, &p->reply);
        p->sink->class->unref(p->sink);
    }
    if (p->held) {
        mcp_session_idle(p->held, clock_mono(all->clock));
        mcp_session_unref(p->held);
    }
    bytes_unref(p->body);
}

/* Hands one event to the sink; without body it is there for its id, or for the first byte only. */
static enum err
hand_locked(struct mcp_stream *stream, uint64_t number, struct slice body, int retry_ms)
    REQUIRES(LC_MCP_STREAMS)
{
    char id[EVENT_ID_SIZE];
    struct event event = {.body = body, .retry_ms = retry_ms};

    if (number) {
        event.id = event_id(id, stream->set->tag, stream->number, number);
    }
    return stream->to->class->send(stream->to, &event);
}

/* Hands on what is unsent, as far as the sink takes it.  The answer ends the sink, as does its
 * client's having left: then it is in 'p'. */
static void
pump_locked(struct mcp_stream *stream, struct parting *p) REQUIRES(LC_MCP_STREAMS)
{
    while (stream->to && stream->unsent && !stream->gap) {
        struct kept *k = stream->unsent;
        enum err err = E_OK;

        if (k->last) {
            detach_locked(stream, p);
            p->body = bytes_ref(k->body);
            p->reply = (struct reply){
                .body = {k->body->data, k->body->len},
                .status = 200,
                .event_id = event_id(p->id, stream->set->tag, stream->number, k->number),
            };
        } else {
            err = hand_locked(stream, k->number, (struct slice){k->body->data, k->body->len}, 0);
        }
        if (err == E_LIMIT) {
            return;
        }
        if (err) {
            detach_locked(stream, p);
            return;
        }
        stream->unsent = k->stream_next;
    }
    if (stream->ended && !stream->unsent) {
        detach_locked(stream, p);
    }
}

/* Ends the connections of streams of which events were dropped unsent.  No lock is held. */
static void
end_gaps(struct mcp_streams *all)
{
    bool more;

    do {
        struct parting p = PARTING_INIT;

        LOCK(MCP_STREAMS, &all->lock);
        more = all->gaps != NULL;
        if (more) {
            struct mcp_stream *stream = all->gaps;
            detach_locked(stream, &p);
            forget_locked(stream);
        }
        UNLOCK(MCP_STREAMS, &all->lock);
        part(all, &p);
    } while (more);
}

/* ---- A request's stream ---- */

/* Makes it a stream: from now on its client can come back to it. */
static enum err
start_locked(struct mcp_stream *stream, int retry_ms) REQUIRES(LC_MCP_STREAMS)
{
    struct mcp_stream_set *set = stream->set;
    struct sink *sink = stream->to;
    enum err err;

    if (!sink) {
        return E_CANCELLED;
    }
    stream->number = ++set->newest;
    stream->latest = stream->primes ? 1 : 0;
    err = hand_locked(stream, stream->latest, SLICE_NONE, stream->primes ? retry_ms : 0);
    if (err) {
        return err;
    }
    stream->started = true;
    DL_APPEND(set->streams, stream);
    attach_locked(stream, sink, NULL);
    return E_OK;
}

static enum err
stream_send(struct sink *sink, const struct event *event)
{
    struct mcp_stream *stream = (struct mcp_stream *)sink;
    struct mcp_streams *all = stream->set->all;
    struct parting p = PARTING_INIT;
    struct kept *k = kept_new(event->body);
    enum err err = k ? E_OK : E_LIMIT;

    LOCK(MCP_STREAMS, &all->lock);
    if (!err && stream->set->ended) {
        err = E_CANCELLED;
    }
    if (!err && !stream->started) {
        err = start_locked(stream, RETRY_MS);
    }
    if (!err) {
        keep_locked(stream, k, false);
        k = NULL;
        pump_locked(stream, &p);
        trim_locked(stream->set);
    }
    UNLOCK(MCP_STREAMS, &all->lock);
    kept_free(k);
    part(all, &p);
    end_gaps(all);
    return err;
}

/* The answer of what never became a stream goes to its sink as it is.  False if it is one. */
static bool
answer_plainly(struct mcp_stream *stream, const struct reply *reply)
{
    struct mcp_streams *all = stream->set->all;
    struct parting p = PARTING_INIT;
    bool plain;

    LOCK(MCP_STREAMS, &all->lock);
    plain = !stream->started;
    if (plain) {
        stream->ended = true;
        detach_locked(stream, &p);
    }
    UNLOCK(MCP_STREAMS, &all->lock);
    p.reply = *reply;
    part(all, &p);
    return plain;
}

static void
stream_answer(struct sink *sink, const struct reply *reply)
{
    struct mcp_stream *stream = (struct mcp_stream *)sink;
    struct mcp_streams *all = stream->set->all;
    struct parting p = PARTING_INIT;
    struct kept *k;

    if (answer_plainly(stream, reply)) {
        return;
    }
    k = reply->body.len ? kept_new(reply->body) : NULL;
    LOCK(MCP_STREAMS, &all->lock);
    stream->ended = true;
    if (k && !stream->set->ended) {
        keep_locked(stream, k, true);
        k = NULL;
        pump_locked(stream, &p);
        trim_locked(stream->set);
    } else if (reply->body.len && !k && !stream->unsent && stream->to) {
        detach_locked(stream, &p); /* No memory to keep it: now or never. */
        p.reply = *reply;
        stream->dropped = ++stream->latest;
    } else {
        pump_locked(stream, &p);
    }
    UNLOCK(MCP_STREAMS, &all->lock);
    kept_free(k);
    part(all, &p);
    end_gaps(all);
}

static void
stream_unref(struct sink *sink)
{
    struct mcp_stream *stream = (struct mcp_stream *)sink;
    struct mcp_session *session = stream->session;
    struct mcp_streams *all = stream->set->all;

    LOCK(MCP_STREAMS, &all->lock);
    stream->released = true;
    forget_locked(stream);
    UNLOCK(MCP_STREAMS, &all->lock);
    mcp_session_unref(session); /* Maybe the last one, with the set. */
}

UNSHARED struct mcp_stream *
mcp_stream_begin(struct mcp_session *session, bool primes, struct sink *sink)
{
    static const struct sink_class class = {stream_send, stream_answer, stream_unref};
    struct mcp_stream *stream = xcalloc(1, sizeof *stream);

    stream->sink.class = &class;
    stream->set = session->streams;
    stream->session = mcp_session_ref(session);
    stream->primes = primes;
    stream->to = sink;
    return stream;
}

struct sink *
mcp_stream_sink(struct mcp_stream *stream)
{
    return &stream->sink;
}

void
mcp_stream_prime(struct mcp_stream *stream)
{
    struct mcp_streams *all = stream->set->all;

    LOCK(MCP_STREAMS, &all->lock);
    if (stream->primes && !stream->started && !stream->ended && !stream->set->ended) {
        start_locked(stream, RETRY_MS);
    }
    UNLOCK(MCP_STREAMS, &all->lock);
}

bool
mcp_stream_pause(struct mcp_stream *stream, int retry_ms)
{
    struct mcp_streams *all = stream->set->all;
    struct parting p = PARTING_INIT;
    enum err err = E_REFUSED;

    LOCK(MCP_STREAMS, &all->lock);
    if (stream->primes && stream->to && !stream->ended && !stream->set->ended) {
        if (!stream->started) {
            err = start_locked(stream, retry_ms);
        } else if (!stream->unsent) {
            err = hand_locked(stream, ++stream->latest, SLICE_NONE, retry_ms);
        } else {
            err = E_OK; /* It was told when to come back at the beginning. */
        }
    }
    if (!err) {
        detach_locked(stream, &p);
    }
    UNLOCK(MCP_STREAMS, &all->lock);
    part(all, &p);
    return !err;
}

/* ---- GET ---- */

static enum err
refuse_id(struct fault *f, const char *text)
{
    fault_set(f, E_INVALID_REQUEST, "%s", text);
    return fault_remedy(f,
                        "open a stream without Last-Event-ID, and ask again for what is missing");
}

/* Finds the stream that 'last_id' names an event of, and the first event after it. */
static enum err
find_locked(struct mcp_stream_set *set, struct slice last_id, struct mcp_stream **stream,
            struct kept **from, struct fault *f) REQUIRES(LC_MCP_STREAMS)
{
    uint64_t number, event;
    struct mcp_stream *s = &set->general;

    if (!event_id_parse(last_id, set->tag, &number, &event) || number > set->newest) {
        return refuse_id(f, "Last-Event-ID names no event of this session");
    }
    if (number) {
        DL_SEARCH_SCALAR(set->streams, s, number, number);
    }
    if (s && event > s->latest) {
        return refuse_id(f, "Last-Event-ID names no event of this session");
    }
    if (!s || event < s->dropped) {
        return refuse_id(f, "what came after the event of Last-Event-ID is not kept any more");
    }
    *stream = s;
    for (*from = s->events; *from && (*from)->number <= event;) {
        *from = (*from)->stream_next;
    }
    return E_OK;
}

/* The first bytes of a GET, if no event is there to be: a proxy may hold back the head until them.
 */
static enum err
greet_locked(struct mcp_stream *stream, bool primes) REQUIRES(LC_MCP_STREAMS)
{
    return primes ? hand_locked(stream, ++stream->latest, SLICE_NONE, RETRY_MS)
                  : hand_locked(stream, 0, SLICE_NONE, 0);
}

static enum err
open_locked(struct mcp_session *session, struct slice last_id, bool primes, struct sink *sink,
            struct parting *old, struct parting *fresh, struct fault *f) REQUIRES(LC_MCP_STREAMS)
{
    struct mcp_stream_set *set = session->streams;
    struct mcp_stream *stream = &set->general;
    struct kept *from = stream->unsent, *k;
    enum err err = E_OK;

    if (last_id.data) {
        err = find_locked(set, last_id, &stream, &from, f);
    }
    if (err) {
        return err;
    }
    if (!stream->held && set->open >= set->all->limits.open) {
        fault_set(f, E_STREAMS, "this session has %u streams open by GET", set->open);
        return fault_remedy(f, "close one of them, or raise limits.streams");
    }
    detach_locked(stream, old);
    for (k = from; k && k != stream->unsent; k = k->stream_next) {
        set->all->counters.replayed++;
    }
    stream->unsent = from;
    mcp_session_busy(session);
    attach_locked(stream, sink, mcp_session_ref(session));
    if (!from && greet_locked(stream, primes && !last_id.data) != E_OK) {
        detach_locked(stream, fresh);
    }
    pump_locked(stream, fresh);
    forget_locked(stream);
    return E_OK;
}

enum err
mcp_stream_open(struct mcp_session *session, struct slice last_id, bool primes, struct sink *sink,
                struct fault *f)
{
    struct mcp_streams *all = session->streams->all;
    struct parting old = PARTING_INIT, fresh = PARTING_INIT;
    enum err err;

    LOCK(MCP_STREAMS, &all->lock);
    if (session->streams->ended) {
        err = fault_set(f, E_NO_SESSION, "the session has ended");
    } else if (all->draining) {
        err = fault_set(f, E_OVERLOAD, "the server is ending");
    } else {
        err = open_locked(session, last_id, primes, sink, &old, &fresh, f);
    }
    UNLOCK(MCP_STREAMS, &all->lock);
    part(all, &old);
    part(all, &fresh);
    return err;
}

/* The newest message waits to be sent and says just this. */
static bool
is_told_locked(const struct mcp_stream *stream, struct slice body) REQUIRES(LC_MCP_STREAMS)
{
    const struct bytes *newest = stream->unsent ? stream->events->stream_prev->body : NULL;

    return newest && slice_equal(body, (struct slice){newest->data, newest->len});
}

enum err
mcp_stream_tell(struct mcp_stream_set *set, struct slice body)
{
    struct mcp_streams *all = set->all;
    struct mcp_stream *stream = &set->general;
    struct parting p = PARTING_INIT;
    struct kept *k = kept_new(body);
    enum err err = k ? E_OK : E_LIMIT;

    LOCK(MCP_STREAMS, &all->lock);
    if (!err && set->ended) {
        err = E_CANCELLED;
    }
    if (!err && !is_told_locked(stream, body)) {
        keep_locked(stream, k, false);
        k = NULL;
        pump_locked(stream, &p);
        trim_locked(set);
    }
    UNLOCK(MCP_STREAMS, &all->lock);
    kept_free(k);
    part(all, &p);
    end_gaps(all);
    return err;
}

/* ---- What happens to sinks, sessions, the server ---- */

void
mcp_streams_gone(struct mcp_streams *all, const struct sink *sink)
{
    struct parting p = PARTING_INIT;
    struct mcp_stream *stream;

    LOCK(MCP_STREAMS, &all->lock);
    HASH_FIND_PTR(all->attached, &sink, stream);
    if (stream && stream->held) {
        detach_locked(stream, &p);
        forget_locked(stream);
    }
    UNLOCK(MCP_STREAMS, &all->lock);
    part(all, &p);
}

void
mcp_streams_drained(struct mcp_streams *all, const struct sink *sink)
{
    struct parting p = PARTING_INIT;
    struct mcp_stream *stream;

    LOCK(MCP_STREAMS, &all->lock);
    HASH_FIND_PTR(all->attached, &sink, stream);
    if (stream) {
        pump_locked(stream, &p);
        forget_locked(stream);
    }
    UNLOCK(MCP_STREAMS, &all->lock);
    part(all, &p);
}

/* Takes one sink out of a session; false if there is none. */
static bool
detach_one_locked(struct mcp_stream_set *set, struct parting *p) REQUIRES(LC_MCP_STREAMS)
{
    struct mcp_stream *stream = &set->general;

    if (!stream->to) {
        for (stream = set->streams; stream && !stream->to;) {
            stream = stream->next;
        }
    }
    if (stream) {
        detach_locked(stream, p);
        forget_locked(stream);
    }
    return stream != NULL;
}

void
mcp_stream_set_end(struct mcp_stream_set *set)
{
    struct mcp_streams *all = set->all;
    bool more;

    do {
        struct parting p = PARTING_INIT;

        LOCK(MCP_STREAMS, &all->lock);
        set->ended = true;
        more = detach_one_locked(set, &p);
        while (!more && set->events) {
            drop_locked(set->events);
        }
        UNLOCK(MCP_STREAMS, &all->lock);
        part(all, &p);
    } while (more);
}

void
mcp_stream_set_destroy(struct mcp_stream_set *set)
{
    struct mcp_streams *all;

    if (!set) {
        return;
    }
    all = set->all;
    LOCK(MCP_STREAMS, &all->lock);
    while (set->events) {
        drop_locked(set->events);
    }
    assert(!set->streams && !set->general.to);
    all->counters.sets--;
    UNLOCK(MCP_STREAMS, &all->lock);
    free(set);
}

void
mcp_streams_drain(struct mcp_streams *all)
{
    struct mcp_stream *stream, *next;
    bool more;

    do {
        struct parting p = PARTING_INIT;

        more = false;
        LOCK(MCP_STREAMS, &all->lock);
        all->draining = true;
        HASH_ITER(hh, all->attached, stream, next) {
            if (!more && stream == &stream->set->general) {
                detach_locked(stream, &p);
                more = true;
            }
        }
        UNLOCK(MCP_STREAMS, &all->lock);
        part(all, &p);
    } while (more);
}

void
mcp_streams_tick(struct mcp_streams *all)
{
    int64_t now_ns = clock_mono(all->clock);
    struct mcp_stream *stream, *next;
    struct parting p;

    do {
        p = (struct parting)PARTING_INIT;
        LOCK(MCP_STREAMS, &all->lock);
        while (all->events && now_ns - all->events->at_ns > all->limits.keep_ns) {
            drop_locked(all->events);
        }
        /* A sink that had no memory, rather than no room, says nothing when it has some. */
        HASH_ITER(hh, all->attached, stream, next) {
            if (!p.sink && stream->unsent) {
                pump_locked(stream, &p);
                forget_locked(stream);
            }
        }
        UNLOCK(MCP_STREAMS, &all->lock);
        part(all, &p);
    } while (p.sink);
    end_gaps(all);
}
