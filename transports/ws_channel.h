/* ws_channel.h -- what clients say on WebSockets, read by libwebsockets, for the connections of one
 * libuv loop.
 *
 * A channel is one WebSocket of which libwebsockets has an end of a socket pair and its owner the
 * other: what the client sends goes in there, and messages are told of; what comes out is to be
 * sent to the client: the answer to the handshake, pings, pongs and the close frame.  Messages to
 * the client are its owner's (ws_frame.h).  libwebsockets, whose HTTP server Debian has not had a
 * fix for in years, never sees a client's request: the handshake, checked by then, is written for
 * it.
 *
 * Everything runs on the loop's thread. */
#ifndef TANDEM_WS_CHANNEL_H
#define TANDEM_WS_CHANNEL_H

#include "state/base/mem.h"
#include "transports/ws_gate.h"

#include <uv.h>

struct ws_channel;
struct ws_library;

/* What a channel tells its owner, on libwebsockets' stack: the owner does not release it there. */
struct ws_channel_class {
    /* A part of a message, borrowed for the call.  Answers whether more is welcome now.  If not,
     * none comes until welcome() says so, which is asked after ws_channel_listen(). */
    bool (*part)(void *owner, struct slice bytes, bool last);
    bool (*welcome)(void *owner);
    /* The client has sent a close frame, which libwebsockets answers: no message may follow. */
    void (*leaving)(void *owner);
};

/* Makes libwebsockets ready on 'loop', for so many channels.  Null if it cannot be loaded. */
struct ws_library *ws_library_create(uv_loop_t *loop, unsigned channels);
/* False if it could not be made ready: then it has been stopped. */
bool ws_library_works(const struct ws_library *library);
/* Lets go of the loop, which has to run until it has nothing more to do.  Null is ignored. */
void ws_library_stop(struct ws_library *library);
/* After ws_library_stop() and another round of the loop.  Null is ignored. */
void ws_library_destroy(struct ws_library *library);

/* A new channel; '*fd' is the owner's end of the pair, its own, not blocking.  What comes out of it
 * begins with the answer to the handshake of 'key' and 'subprotocol' (may be null).  Null if there
 * is none to be had. */
struct ws_channel *ws_channel_open(struct ws_library *library, struct slice key,
                                   const char *subprotocol, const struct ws_channel_class *class,
                                   void *owner, int *fd);
/* The owner has closed its end, and wants to hear no more. */
void ws_channel_release(struct ws_channel *channel);
/* Whether libwebsockets has part of a frame that it could not write yet. */
bool ws_channel_is_partial(const struct ws_channel *channel);
/* Messages are welcome again. */
void ws_channel_listen(struct ws_channel *channel);
/* Sends a ping. */
void ws_channel_ping(struct ws_channel *channel);
/* Sends a close frame.  'why', at most 123 bytes, is borrowed
 * for ever. */
void ws_channel_fail(struct ws_channel *channel, enum ws_close code, const char *why);

#endif
