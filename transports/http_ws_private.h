/* http_ws_private.h -- what the files of WebSockets share.
 *
 *   http_ws.c       what comes from the client; time; beginning and end
 *   http_ws_tell.c  what goes to the client
 *
 * The loop's thread. */
#ifndef TANDEM_HTTP_WS_PRIVATE_H
#define TANDEM_HTTP_WS_PRIVATE_H

#include "transports/http_private.h"
#include "transports/ws_channel.h"

#include <errno.h>

struct websocket {
    struct connection *connection; /* Borrowed: it closes this first. */
    struct ws_use use;
    struct outbox *outbox; /* The use's; borrowed. */
    bool begun;            /* The handshake is answered. */
    bool whole;            /* What libwebsockets has said and was written ends with a frame. */
    bool full;             /* The socket has not taken all that is in the outbox. */
    bool unwelcome;        /* libwebsockets was told to bring no message for now. */
    bool draining;         /* Closes once nothing is in flight. */
    bool failing;          /* A close frame is on its way; nothing more is read. */
    bool pinged;           /* Since it was heard last. */
    int polled;
    size_t front_sent; /* Bytes of the frame of the outbox's first message that it has. */
    int64_t failing_ns;
    int64_t heard_ns;           /* When the client last sent something. */
    struct ws_channel *channel; /* Owned. */
    struct buf message;         /* The parts of one, until the last has come. */
    struct ws_gate gate;
    int fd; /* Our end of the channel's pair. */
    uv_poll_t poll;
};

static inline bool
would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* http_ws_tell.c */

/* Whether what was written last is written whole, so that something else may follow. */
bool websocket_is_between(const struct connection *c);
/* Writes all messages there are, until the socket is full.  May close the connection, as may the
 * next two. */
void websocket_tell(struct connection *c);
/* Passes on what comes out of the channel, until the socket is full. */
void websocket_pass_on(struct connection *c);
/* The socket has room again: writes what it did not take before of c->out. */
void websocket_write_on(struct connection *c);
/* Nothing more is told, but the rest of a message of which the client has a part. */
void websocket_stop_telling(struct connection *c);

#endif
