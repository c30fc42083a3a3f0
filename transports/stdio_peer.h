/* stdio_peer.h -- whom the answers on standard output go to: the one sink of all lines.
 *
 * Counted, and outlives the transport if a call does: such a late answer finds the outbox closed.
 * Any thread answers; the transport's thread does the rest. */
#ifndef TANDEM_STDIO_PEER_H
#define TANDEM_STDIO_PEER_H

#include "state/base/sink.h"
#include "transports/outbox.h"

struct peer;

/* A new peer, with one reference.  'wake' is outbox.h's. */
struct peer *peer_create(void (*wake)(void *arg), void *arg);
void peer_unref(struct peer *peer);
/* Borrowed from 'peer'.  Has no limits: what is in flight when input stops being read is bounded by
 * dispatch. */
struct outbox *peer_outbox(struct peer *peer);

/* The sink for one message that is handed to dispatch, which takes the reference over. */
struct sink *peer_take_sink(struct peer *peer);
/* Messages that dispatch has not let go.  All their answers are in the outbox before they are
 * counted off. */
unsigned peer_in_flight(const struct peer *peer);
/* From now on the owner is woken when the last message in flight is let go. */
void peer_wake_when_idle(struct peer *peer);

/* Queues one line.  Any thread. */
void peer_send(struct peer *peer, struct slice body);
/* An answer found no memory: the peer would wait for it for ever. */
bool peer_is_lost(const struct peer *peer);

#endif
