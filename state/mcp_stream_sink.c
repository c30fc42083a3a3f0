/* mcp_stream_sink.c -- the sinks that carry streams: handing on, and parting.
 *
 * DESIGN.  A sink is taken out of its stream under the lock and ended after it (struct parting):
 * whoever took it out is the only one who still has it.
 *
 * A sink that has no room (E_LIMIT) is not closed: its stream waits with what is unsent, which is
 * kept anyway, until the transport says that there is room again.  Only if the bounds push out what
 * it was not given is it ended; its client, coming back, is told that there is a gap. */
#include "state/mcp_stream_private.h"

#include "state/mcp_session.h"

#include <assert.h>

void
stream_attach_locked(struct mcp_stream *stream, struct sink *sink, struct mcp_session *held)
    REQUIRES(LC_MCP_STREAMS)
{
    struct mcp_streams *all = stream->set->all;

    stream->to = sink;
    stream->held = held;
    stream->set->open += held != NULL;
    all->counters.attached++;
    HASH_ADD_PTR(all->attached, to, stream);
}

void
stream_detach_locked(struct mcp_stream *stream, struct parting *p) REQUIRES(LC_MCP_STREAMS)
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

void
parting_end(const struct mcp_streams *all, struct parting *p)
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

enum err
stream_hand_locked(struct mcp_stream *stream, uint64_t number, struct slice body, int retry_ms)
    REQUIRES(LC_MCP_STREAMS)
{
    char id[EVENT_ID_SIZE];
    struct event event = {.body = body, .retry_ms = retry_ms};

    if (number) {
        event.id = event_id(id, stream->set->tag, stream->number, number);
    }
    return stream->to->class->send(stream->to, &event);
}

void
stream_pump_locked(struct mcp_stream *stream, struct parting *p) REQUIRES(LC_MCP_STREAMS)
{
    while (stream->to && stream->unsent && !stream->gap) {
        struct kept *k = stream->unsent;
        enum err err = E_OK;

        if (k->last) {
            stream_detach_locked(stream, p);
            p->body = bytes_ref(k->body);
            p->reply = (struct reply){
                .body = {k->body->data, k->body->len},
                .status = 200,
                .event_id = event_id(p->id, stream->set->tag, stream->number, k->number),
            };
        } else {
            err = stream_hand_locked(stream, k->number, (struct slice){k->body->data, k->body->len},
                                     0);
        }
        if (err == E_LIMIT) {
            return;
        }
        if (err) {
            stream_detach_locked(stream, p);
            return;
        }
        stream->unsent = k->stream_next;
    }
    if (stream->ended && !stream->unsent) {
        stream_detach_locked(stream, p);
    }
}

void
streams_end_gaps(struct mcp_streams *all)
{
    bool more;

    do {
        struct parting p = PARTING_INIT;

        LOCK(MCP_STREAMS, &all->lock);
        more = all->gaps != NULL;
        if (more) {
            struct mcp_stream *stream = all->gaps;
            stream_detach_locked(stream, &p);
            stream_forget_locked(stream);
        }
        UNLOCK(MCP_STREAMS, &all->lock);
        parting_end(all, &p);
    } while (more);
}

/* ---- What happens to them ---- */

void
mcp_streams_gone(struct mcp_streams *all, const struct sink *sink)
{
    struct parting p = PARTING_INIT;
    struct mcp_stream *stream;

    LOCK(MCP_STREAMS, &all->lock);
    HASH_FIND_PTR(all->attached, &sink, stream);
    if (stream && stream->held) {
        stream_detach_locked(stream, &p);
        stream_forget_locked(stream);
    }
    UNLOCK(MCP_STREAMS, &all->lock);
    parting_end(all, &p);
}

void
mcp_streams_drained(struct mcp_streams *all, const struct sink *sink)
{
    struct parting p = PARTING_INIT;
    struct mcp_stream *stream;

    LOCK(MCP_STREAMS, &all->lock);
    HASH_FIND_PTR(all->attached, &sink, stream);
    if (stream) {
        stream_pump_locked(stream, &p);
        stream_forget_locked(stream);
    }
    UNLOCK(MCP_STREAMS, &all->lock);
    parting_end(all, &p);
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
                stream_detach_locked(stream, &p);
                more = true;
            }
        }
        UNLOCK(MCP_STREAMS, &all->lock);
        parting_end(all, &p);
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
            kept_drop_locked(all->events);
        }
        /* A sink that had no memory, rather than no room, says nothing when it has some. */
        HASH_ITER(hh, all->attached, stream, next) {
            if (!p.sink && stream->unsent) {
                stream_pump_locked(stream, &p);
                stream_forget_locked(stream);
            }
        }
        UNLOCK(MCP_STREAMS, &all->lock);
        parting_end(all, &p);
    } while (p.sink);
    streams_end_gaps(all);
}
