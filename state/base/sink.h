/* sink.h -- where the answer to one message goes: the only arrow that points up.
 *
 * A transport makes a sink for each message it hands to dispatch (or one for a whole connection,
 * where answers carry their ids).  Dispatch answers exactly once, from any thread, now or later. */
#ifndef TANDEM_SINK_H
#define TANDEM_SINK_H

#include "state/base/mem.h"

struct reply {
    /* The message to send, valid during the call only.  Empty: nothing to say (a notification was
     * taken). */
    struct slice body;
    int status;              /* HTTP status; other transports have no use for it. */
    struct slice session_id; /* Of a legacy session just made, else empty. */
    unsigned retry_after;    /* Seconds; 0 if there is nothing to say. */
};

struct sink;

struct sink_class {
    /* Takes the answer, copying what it must keep, and wakes its thread if need be.  Any thread;
     * never blocks; the caller holds no lock, or INFLIGHT.  What cannot be delivered, because the
     * peer has left, is dropped. */
    void (*answer)(struct sink *sink, const struct reply *reply);
    /* Drops the reference that dispatch was given.  Called once, after answer(). */
    void (*unref)(struct sink *sink);
};

/* First member of a transport's own struct. */
struct sink {
    const struct sink_class *class;
};

#endif
