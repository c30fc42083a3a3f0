/* mcp_stream.c -- streams: of requests, by GET, of no request; and their ends.
 *
 * DESIGN.  Everything is under one lock: sessions are many, but what they send is little, and the
 * order of events, who carries a stream and what is dropped first over all sessions are then plain
 * facts.
 *
 * The request's stream costs nothing until something is sent ahead of the answer: it has no number,
 * is in no list, and its answer goes out as plain JSON.  So a client that leaves before that cannot
 * come back for the answer; dispatch primes streams of calls that take long. */
#include "state/mcp_stream_private.h"

#include "state/mcp_session.h"

#include <assert.h>

/* When a client may come back after it has lost its connection. */
#define RETRY_MS 1000

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
stream_forget_locked(struct mcp_stream *stream) REQUIRES(LC_MCP_STREAMS)
{
    if (stream == &stream->set->general || !stream->released || stream->to || stream->events) {
        return;
    }
    if (stream->started) {
        DL_DELETE(stream->set->streams, stream);
    }
    free(stream);
}

/* ---- A request's stream ---- */

/* Makes it a stream: from now on its client can come back to it. */
static enum err
start_locked(struct mcp_stream *stream, int retry_ms) REQUIRES(LC_MCP_STREAMS)
{
    struct mcp_stream_set *set = stream->set;
    struct sink *sink = stream->to; /* There is one until it is answered. */
    enum err err;

    stream->number = ++set->newest;
    stream->latest = stream->primes ? 1 : 0;
    err = stream_hand_locked(stream, stream->latest, SLICE_NONE, stream->primes ? retry_ms : 0);
    if (err) {
        return err;
    }
    stream->started = true;
    DL_APPEND(set->streams, stream);
    stream_attach_locked(stream, sink, NULL);
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
        stream_keep_locked(stream, k, false);
        k = NULL;
        stream_pump_locked(stream, &p);
        stream_trim_locked(stream->set);
    }
    UNLOCK(MCP_STREAMS, &all->lock);
    kept_free(k);
    parting_end(all, &p);
    streams_end_gaps(all);
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
        stream_detach_locked(stream, &p);
    }
    UNLOCK(MCP_STREAMS, &all->lock);
    p.reply = *reply;
    parting_end(all, &p);
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
        stream_keep_locked(stream, k, true);
        k = NULL;
        stream_pump_locked(stream, &p);
        stream_trim_locked(stream->set);
    } else if (reply->body.len && !k && !stream->unsent && stream->to) {
        stream_detach_locked(stream, &p); /* No memory to keep it: now or never. */
        p.reply = *reply;
        stream->dropped = ++stream->latest;
    } else {
        stream_pump_locked(stream, &p);
    }
    UNLOCK(MCP_STREAMS, &all->lock);
    kept_free(k);
    parting_end(all, &p);
    streams_end_gaps(all);
}

static void
stream_unref(struct sink *sink)
{
    struct mcp_stream *stream = (struct mcp_stream *)sink;
    struct mcp_session *session = stream->session;
    struct mcp_streams *all = stream->set->all;

    LOCK(MCP_STREAMS, &all->lock);
    stream->released = true;
    stream_forget_locked(stream);
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
            err = stream_hand_locked(stream, ++stream->latest, SLICE_NONE, retry_ms);
        } else {
            err = E_OK; /* It was told when to come back at the beginning. */
        }
    }
    if (!err) {
        stream_detach_locked(stream, &p);
    }
    UNLOCK(MCP_STREAMS, &all->lock);
    parting_end(all, &p);
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
    return primes ? stream_hand_locked(stream, ++stream->latest, SLICE_NONE, RETRY_MS)
                  : stream_hand_locked(stream, 0, SLICE_NONE, 0);
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
    stream_detach_locked(stream, old);
    for (k = from; k && k != stream->unsent; k = k->stream_next) {
        set->all->counters.replayed++;
    }
    stream->unsent = from;
    mcp_session_busy(session);
    stream_attach_locked(stream, sink, mcp_session_ref(session));
    if (!from && greet_locked(stream, primes && !last_id.data) != E_OK) {
        stream_detach_locked(stream, fresh);
    }
    stream_pump_locked(stream, fresh);
    stream_forget_locked(stream);
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
    parting_end(all, &old);
    parting_end(all, &fresh);
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
        stream_keep_locked(stream, k, false);
        k = NULL;
        stream_pump_locked(stream, &p);
        stream_trim_locked(set);
    }
    UNLOCK(MCP_STREAMS, &all->lock);
    kept_free(k);
    parting_end(all, &p);
    streams_end_gaps(all);
    return err;
}

/* ---- The end of a session ---- */

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
        stream_detach_locked(stream, p);
        stream_forget_locked(stream);
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
            kept_drop_locked(set->events);
        }
        UNLOCK(MCP_STREAMS, &all->lock);
        parting_end(all, &p);
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
        kept_drop_locked(set->events);
    }
    assert(!set->streams && !set->general.to);
    all->counters.sets--;
    UNLOCK(MCP_STREAMS, &all->lock);
    free(set);
}
