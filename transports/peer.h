/* peer.h -- whom the messages of one connection are from, and its answers for.
 *
 * A connection that is an MCP session by itself (stdio, WebSocket) has one: the sink of all its
 * messages, the session, and the outbox that its owner writes from.  Counted, and outlives the
 * connection if a call does: such a late answer finds the outbox closed.  Any thread answers; the
 * owner's thread, whose loop has the descriptor, does the rest. */
#ifndef TANDEM_PEER_H
#define TANDEM_PEER_H

#include "handlers/request.h"
#include "state/base/sink.h"
#include "transports/outbox.h"

struct dispatcher;
struct peer;

struct peer_options {
    struct dispatcher *dispatcher; /* Borrowed; must outlive the peer. */
    enum transport_kind transport;
    struct slice principal; /* Who was let in; copied. */
    struct slice scopes;    /* What his token allows; copied.  Null data: all. */
    /* struct envelope's, of all its messages; copied. */
    struct slice tenants, peer, tenant, client_id;
    uint64_t asks_from;      /* The first id of a request to it, but one. */
    bool moves;              /* struct envelope's. */
    bool lines;              /* A message is one line, and ends in LF. */
    void (*wake)(void *arg); /* outbox.h's. */
    void *arg;
};

/* A new peer with a session of its own, and one reference. */
struct peer *peer_create(const struct peer_options *options);
void peer_unref(struct peer *peer);
/* Borrowed from 'peer'.  It has the limits of sink.h for what is sent ahead of answers or unasked,
 * and none for answers: what is in flight when input stops being read is bounded by dispatch. */
struct outbox *peer_outbox(struct peer *peer);

/* Hands one message to dispatch.  'body' is borrowed for the call. */
void peer_dispatch(struct peer *peer, struct slice body);
/* What of the answer to a message the client is not to see. */
enum peer_known {
    PEER_KNOWS_ALL,  /* It is asked to make a session that was there before. */
    PEER_KNOWS_FIRST /* A subscription: it has been acknowledged before. */
};
/* The same for a message that another process has answered before. */
void peer_dispatch_again(struct peer *peer, struct slice body, enum peer_known known);
/* The other side will say nothing more: what waits for that is ended, its calls go on. */
void peer_last(struct peer *peer);
/* The other side is gone: all that it has in flight is cancelled. */
void peer_gone(struct peer *peer);
/* Messages that dispatch has not let go.  All their answers are in the outbox before they are
 * counted off. */
unsigned peer_in_flight(const struct peer *peer);
/* From now on the owner is woken when the last message in flight is let go. */
void peer_wake_when_idle(struct peer *peer);

/* Queues one message.  Any thread. */
void peer_send(struct peer *peer, struct slice body);
/* An answer found no memory: the peer would wait for it for ever. */
bool peer_is_lost(const struct peer *peer);

#endif
