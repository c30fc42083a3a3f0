/* ws_client.h -- a WebSocket client for talking to a tandem server, by libwebsockets.
 *
 * One connection.  What comes is kept until it is asked for.  Blocks; any thread, one at a time. */
#ifndef TANDEM_WS_CLIENT_H
#define TANDEM_WS_CLIENT_H

#include "state/base/err.h"
#include "state/base/mem.h"

#include <stdint.h>

struct ws_client;

struct ws_client_target {
    const char *host; /* Numeric, or "localhost"; or '+' and the path of a Unix socket. */
    unsigned port;
    const char *path, *token; /* 'token' null: none is shown. */
    const char *subprotocol;  /* Null: none is offered. */
};

/* Connects and shakes hands; '*client' is new.  E_IO, E_TIMEOUT. */
enum err ws_client_open(const struct ws_client_target *target, int64_t timeout_ns,
                        struct ws_client **client, struct fault *f);
/* Adds the next message to 'message'.  E_IO: the connection has ended; E_TIMEOUT; E_OVERLOAD. */
enum err ws_client_next(struct ws_client *client, int64_t timeout_ns, struct buf *message,
                        struct fault *f);
/* Sends 'message' and adds the next one that comes then to 'answer'.  Errors as above. */
enum err ws_client_exchange(struct ws_client *client, struct slice message, int64_t timeout_ns,
                            struct buf *answer, struct fault *f);
/* Null is ignored. */
void ws_client_close(struct ws_client *client);

#endif
