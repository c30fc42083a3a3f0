/* sink.h -- where the answer to one message goes: the only arrow that points up.
 *
 * A transport makes a sink for each message it hands to dispatch (or one for a whole connection,
 * where answers carry their ids).  Dispatch answers exactly once, from any thread, now or later,
 * and may send messages that belong to the request before that. */
#ifndef TANDEM_SINK_H
#define TANDEM_SINK_H

#include "state/base/err.h"
#include "state/base/mem.h"

struct reply {
    /* The message to send, valid during the call only.  Empty: nothing to say (a notification was
     * taken). */
    struct slice body;
    int status;              /* HTTP status; other transports have no use for it. */
    struct slice session_id; /* Of a legacy session just made, else empty. */
    unsigned retry_after;    /* Seconds; 0 if there is nothing to say. */
    struct slice event_id;   /* Of the last event, if the answer is one; else empty. */
    struct slice scope;      /* What the token would have to allow, if that is why; else empty. */
};

/* A message that belongs to a request, before its answer.  Without a body it begins the stream, and
 * tells no more than its other members. */
struct event {
    struct slice body; /* One JSON text, valid during the call only. */
    struct slice id;   /* By which a client may come back for what comes after it; may be empty. */
    int retry_ms;      /* When it should, should the connection end; 0: nothing is said of that. */
};

struct sink;

/* How much may wait for a peer that does not read: over either, send() refuses, whatever the
 * transport, but where nothing waits a message is taken however long it is.  Answers are never
 * refused. */
#define SINK_WAITING_MESSAGES 256
#define SINK_WAITING_BYTES ((size_t)1024 * 1024)

struct sink_class {
    /* Sends a message ahead of the answer, copying it, and wakes its thread if need be.  E_LIMIT
     * when too much waits for the peer already, and it is the caller's to keep it or to do without;
     * E_CANCELLED when it has left; E_REFUSED when it takes nothing ahead of its answer.  Events
     * keep their order, and the answer comes after them. Any thread, never after answer(); never
     * blocks; the caller may hold what comes before OUTBOX: INFLIGHT, TASK, CHANGES, MCP_STREAMS.
     */
    enum err (*send)(struct sink *sink, const struct event *event);
    /* Takes the answer, copying what it must keep, and wakes its thread if need be.  Any thread;
     * never blocks; the caller may hold the same, but for MCP_STREAMS: a stream's connection is
     * ended by whoever sent to it in vain.  What cannot be delivered, because the peer has left, is
     * dropped. */
    void (*answer)(struct sink *sink, const struct reply *reply);
    /* Drops the reference that dispatch was given.  Called once, after answer(). */
    void (*unref)(struct sink *sink);
};

/* First member of a transport's own struct. */
struct sink {
    const struct sink_class *class;
};

#endif
