/* ws_channel.h -- WebSocket frames, by libwebsockets, for the connections of one libuv loop.
 *
 * A channel is one WebSocket of which libwebsockets has an end of a socket pair and its owner the
 * other: what the client sends goes in there, what it is to get comes out.  libwebsockets, whose
 * HTTP server Debian has not had a fix for in years, never sees a client's request: the handshake,
 * checked by then, is written for it.
 *
 * Everything runs on the loop's thread. */
#ifndef TANDEM_WS_CHANNEL_H
#define TANDEM_WS_CHANNEL_H

#include "state/base/mem.h"
#include "transports/outbox.h"
#include "transports/ws_gate.h"

#include <uv.h>

struct ws_channel;
struct ws_library;

/* Bytes to be free in front of each message in a channel's outbox. */
extern const size_t ws_channel_headroom;

/* What a channel tells its owner; both answer whether messages are welcome now.  If not, none comes
 * until written() says so. */
struct ws_channel_class {
    /* A part of a message, borrowed for the call. */
    bool (*part)(void *owner, struct slice bytes, bool last);
    /* Something of the outbox has been written, or all of it. */
    bool (*written)(void *owner);
};

/* Makes libwebsockets ready on 'loop', for so many channels.  Null if it cannot be. */
struct ws_library *ws_library_create(uv_loop_t *loop, unsigned channels);
/* Lets go of the loop, which has to run until it has nothing more to do.  Null is ignored. */
void ws_library_stop(struct ws_library *library);
/* After ws_library_stop() and the end of the loop.  Null is ignored. */
void ws_library_destroy(struct ws_library *library);

/* A new channel; '*fd' is the owner's end of the pair, its own, not blocking.  What comes out of it
 * begins with the answer to the handshake of 'key' and 'subprotocol' (may be null).  Null if there
 * is none to be had. */
struct ws_channel *ws_channel_open(struct ws_library *library, struct slice key,
                                   const char *subprotocol, struct outbox *outbox,
                                   const struct ws_channel_class *class, void *owner, int *fd);
/* The owner has closed its end, and wants to hear no more. */
void ws_channel_release(struct ws_channel *channel);
/* There is something in the outbox. */
void ws_channel_wake(struct ws_channel *channel);
/* Sends a ping. */
void ws_channel_ping(struct ws_channel *channel);
/* Sends a close frame once what is in the outbox is written.  'why', at most 123 bytes, is borrowed
 * for ever. */
void ws_channel_fail(struct ws_channel *channel, enum ws_close code, const char *why);

#endif
