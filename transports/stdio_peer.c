/* stdio_peer.c -- answers become lines in the outbox.
 *
 * DESIGN.  Messages in flight are counted beside the references, so that whoever lets the last one
 * go can still wake the owner safely while it holds its own reference. */
#include "transports/stdio_peer.h"

struct peer {
    struct sink sink;           /* First. */
    _Atomic unsigned refs;      /* The transport's, and one a message in flight. */
    _Atomic unsigned in_flight; /* Messages that dispatch has not let go. */
    _Atomic bool wake_when_idle;
    _Atomic bool lost;
    struct outbox *outbox; /* Owned. */
};

void
peer_unref(struct peer *peer)
{
    if (atomic_fetch_sub(&peer->refs, 1) == 1) {
        outbox_destroy(peer->outbox);
        free(peer);
    }
}

struct outbox *
peer_outbox(struct peer *peer)
{
    return peer->outbox;
}

unsigned
peer_in_flight(const struct peer *peer)
{
    return atomic_load(&peer->in_flight);
}

void
peer_wake_when_idle(struct peer *peer)
{
    atomic_store(&peer->wake_when_idle, true);
}

bool
peer_is_lost(const struct peer *peer)
{
    return atomic_load(&peer->lost);
}

/* A message of its own memory with the line's end; null if there is none.  A line feed in JSON text
 * can only be space between tokens, and would end the line early. */
static struct bytes *
line_of(struct slice body)
{
    struct bytes *line = bytes_new(NULL, body.len + 1);

    if (line) {
        memcpy(line->data, body.data, body.len);
        for (char *p = line->data; (p = memchr(p, '\n', body.len - (size_t)(p - line->data)));) {
            *p = ' ';
        }
        line->data[body.len] = '\n';
    }
    return line;
}

void
peer_send(struct peer *peer, struct slice body)
{
    struct bytes *line = line_of(body);

    if (line) {
        outbox_add(peer->outbox, line); /* Fails once it is closed: then nobody listens. */
    } else {
        atomic_store(&peer->lost, true);
        outbox_wake(peer->outbox);
    }
}

static enum err
sink_send(struct sink *sink, const struct event *event)
{
    struct peer *peer = (struct peer *)sink;
    struct bytes *line;

    if (outbox_bytes(peer->outbox) + event->body.len > SINK_WAITING_BYTES) {
        return E_LIMIT;
    }
    line = line_of(event->body);
    return line ? outbox_add(peer->outbox, line) : E_LIMIT;
}

static void
sink_answer(struct sink *sink, const struct reply *reply)
{
    if (reply->body.len) {
        peer_send((struct peer *)sink, reply->body);
    }
}

static void
sink_unref(struct sink *sink)
{
    struct peer *peer = (struct peer *)sink;

    if (atomic_fetch_sub(&peer->in_flight, 1) == 1 && atomic_load(&peer->wake_when_idle)) {
        outbox_wake(peer->outbox);
    }
    peer_unref(peer);
}

struct peer *
peer_create(void (*wake)(void *arg), void *arg)
{
    static const struct sink_class class = {
        .send = sink_send, .answer = sink_answer, .unref = sink_unref};
    static const struct outbox_limits none = {0, 0};
    struct peer *peer = xcalloc(1, sizeof *peer);

    peer->sink.class = &class;
    atomic_init(&peer->refs, 1);
    peer->outbox = outbox_create(&none, wake, arg);
    return peer;
}

struct sink *
peer_take_sink(struct peer *peer)
{
    atomic_fetch_add(&peer->refs, 1);
    atomic_fetch_add(&peer->in_flight, 1);
    return &peer->sink;
}
