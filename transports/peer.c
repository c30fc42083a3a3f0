/* peer.c -- answers become messages in the outbox.
 *
 * DESIGN.  Messages in flight are counted beside the references, so that whoever lets the last one
 * go can still wake the owner safely while it holds its own reference. */
#include "transports/peer.h"

#include "handlers/dispatch.h"
#include "state/base/log.h"
#include "state/mcp_session.h"

LOG_MODULE("peer");

struct peer {
    struct sink sink;           /* First. */
    _Atomic unsigned refs;      /* The owner's, and one a message in flight. */
    _Atomic unsigned in_flight; /* Messages that dispatch has not let go. */
    _Atomic bool wake_when_idle;
    _Atomic bool lost;
    _Atomic bool slow; /* The last message that might be refused was. */
    /* Set once. */
    struct dispatcher *dispatcher; /* Borrowed. */
    struct envelope envelope;      /* Of every message; the session in it is counted. */
    struct buf texts;              /* What the slices of the envelope are of. */
    bool lines;
    struct outbox *outbox; /* Owned. */
};

void
peer_unref(struct peer *peer)
{
    if (atomic_fetch_sub(&peer->refs, 1) == 1) {
        mcp_session_set_sink(peer->envelope.session, NULL);
        outbox_destroy(peer->outbox);
        mcp_session_unref(peer->envelope.session);
        buf_fini(&peer->texts);
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

/* A message of its own memory; null if there is none.  A line feed in JSON text can only be space
 * between tokens, and would end a line early. */
static struct bytes *
message_of(const struct peer *peer, struct slice body)
{
    struct bytes *message = bytes_new(NULL, body.len + peer->lines);
    char *text = message ? message->data : NULL;

    if (message && body.len) {
        memcpy(text, body.data, body.len);
    }
    if (message && peer->lines) {
        for (char *p = text; (p = memchr(p, '\n', body.len - (size_t)(p - text)));) {
            *p = ' ';
        }
        text[body.len] = '\n';
    }
    return message;
}

void
peer_send(struct peer *peer, struct slice body)
{
    struct bytes *message = message_of(peer, body);

    if (message) {
        outbox_add_owed(peer->outbox, message); /* Fails once it is closed: then nobody listens. */
    } else {
        atomic_store(&peer->lost, true);
        outbox_wake(peer->outbox);
    }
}

static enum err
sink_send(struct sink *sink, const struct event *event)
{
    struct peer *peer = (struct peer *)sink;
    struct bytes *message = message_of(peer, event->body);
    enum err err = message ? outbox_add(peer->outbox, message) : E_LIMIT;

    if (err == E_LIMIT && !atomic_exchange(&peer->slow, true)) {
        log_warn("a client reads too slowly: it is not told everything until it has caught up",
                 F_STR("transport", peer->envelope.transport == TRANSPORT_WS ? "ws" : "stdio"),
                 F_UINT("refused_bytes", event->body.len),
                 F_UINT("waiting_bytes", outbox_bytes(peer->outbox)));
    } else if (err == E_OK) {
        atomic_store(&peer->slow, false);
    }
    return err;
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
peer_create(const struct peer_options *options)
{
    static const struct sink_class class = {
        .send = sink_send, .answer = sink_answer, .unref = sink_unref};
    static const struct outbox_limits limits = {SINK_WAITING_MESSAGES, SINK_WAITING_BYTES};
    struct peer *peer = xcalloc(1, sizeof *peer);

    peer->sink.class = &class;
    atomic_init(&peer->refs, 1);
    peer->dispatcher = options->dispatcher;
    peer->envelope = (struct envelope){
        .transport = options->transport,
        .session = mcp_session_of_connection(),
        .moves = options->moves,
        .principal = options->principal,
        .scopes = options->scopes,
        .tenants = options->tenants,
        .peer = options->peer,
        .tenant = options->tenant,
        .client_id = options->client_id,
    };
    envelope_keep(&peer->envelope, &peer->texts);
    atomic_store(&peer->envelope.session->asks, options->asks_from);
    peer->lines = options->lines;
    peer->outbox = outbox_create(&limits, options->wake, options->arg);
    mcp_session_set_sink(peer->envelope.session, &peer->sink);
    return peer;
}

void
peer_dispatch(struct peer *peer, struct slice body)
{
    atomic_fetch_add(&peer->refs, 1);
    atomic_fetch_add(&peer->in_flight, 1);
    dispatch_message(peer->dispatcher, &peer->envelope, body, &peer->sink);
}

void
peer_last(struct peer *peer)
{
    dispatch_last(peer->dispatcher, &peer->envelope);
}

void
peer_gone(struct peer *peer)
{
    dispatch_gone(peer->dispatcher, &peer->envelope, NULL);
}

/* ---- Messages that are not answered for the first time ---- */

struct again {
    struct sink sink;  /* First. */
    struct peer *peer; /* Counted. */
    enum peer_known known;
    _Atomic bool passed; /* The first event has been passed over. */
};

static enum err
again_send(struct sink *sink, const struct event *event)
{
    struct again *a = (struct again *)sink;

    if (a->known == PEER_KNOWS_ALL || !atomic_exchange(&a->passed, true)) {
        return E_OK;
    }
    return sink_send(&a->peer->sink, event);
}

static void
again_answer(struct sink *sink, const struct reply *reply)
{
    struct again *a = (struct again *)sink;

    if (a->known != PEER_KNOWS_ALL) {
        sink_answer(&a->peer->sink, reply);
    }
}

static void
again_unref(struct sink *sink)
{
    struct again *a = (struct again *)sink;

    sink_unref(&a->peer->sink);
    free(a);
}

void
peer_dispatch_again(struct peer *peer, struct slice body, enum peer_known known)
{
    static const struct sink_class class = {
        .send = again_send, .answer = again_answer, .unref = again_unref};
    struct again *a = xcalloc(1, sizeof *a);

    *a = (struct again){.sink = {&class}, .peer = peer, .known = known};
    atomic_fetch_add(&peer->refs, 1);
    atomic_fetch_add(&peer->in_flight, 1);
    dispatch_message(peer->dispatcher, &peer->envelope, body, &a->sink);
}
