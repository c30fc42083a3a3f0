/* lines.h -- a peer that speaks lines: what it says goes to dispatch, what is answered waits for
 * it.
 *
 * Shared by standard input and output and by the connections of bridges: a peer on either is its
 * own legacy session, its messages are lines and go to dispatch in their order, its answers come
 * from any thread in any order.  Whose descriptors these are, when they are ready, and when it is
 * time to end is the owner's business.  Used by the owner's thread, except where the peer's sink
 * says otherwise. */
#ifndef TANDEM_LINES_H
#define TANDEM_LINES_H

#include <sys/uio.h>

#include "transports/framing.h"
#include "transports/outbox.h"
#include "transports/peer.h"
#include "transports/transport.h"

struct lines {
    struct peer *peer;     /* Counted. */
    struct outbox *outbox; /* The peer's; borrowed. */
    struct framing framing;
    size_t output_max; /* Bytes that may wait while lines are taken. */
    size_t written;    /* Bytes of the oldest message that are out. */
    bool lost;         /* Nobody reads any more. */
    ssize_t (*writev)(void *arg, const struct iovec *parts, int count);
    void *arg;
};

/* Makes 'l' ready.  Of 'peer' all is taken but what is the same for all lines: dispatcher,
 * transport, framing.  'writev' as descriptor_writev() for the peer's end; it gets the peer's 'arg'
 * too. */
void lines_init(struct lines *l, const struct transport_context *context,
                const struct peer_options *peer,
                ssize_t (*writev)(void *arg, const struct iovec *parts, int count));
void lines_fini(struct lines *l);

enum lines_flushed {
    LINES_FLUSHED, /* The outbox is empty: what is added from now on wakes the owner. */
    LINES_BLOCKED, /* The peer has no room; its descriptor will tell. */
    LINES_BROKEN,  /* Writing failed; errno says how. */
};
/* Writes until the outbox is empty or the peer has no room. */
enum lines_flushed lines_flush(struct lines *l);

/* Hands over 'bytes', which have just been read, up to their last line; they are borrowed until
 * lines_take() has returned true. */
void lines_feed(struct lines *l, struct slice bytes);
/* Gives dispatch what was handed over.  False when it stopped because too much output waits: call
 * it again when half of that is gone. */
bool lines_take(struct lines *l);
/* The input has ended: what is left of it counts as a line. */
void lines_take_last(struct lines *l);
/* True once no more than half of the output that may wait does. */
bool lines_may_resume(const struct lines *l);

/* The peer has gone, or is given up: what it has in flight is cancelled, and nothing is kept for
 * it. */
void lines_lose(struct lines *l);

/* Writes what is answered to a line over the limit, whose id was not read. */
void lines_write_too_long(struct buf *out, size_t limit);

#endif
