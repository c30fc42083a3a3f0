/* client.h -- a small HTTP client for talking to a tandem server.
 *
 * One request, one answer, one connection.  Addresses are numeric, "localhost" or a Unix socket;
 * all is bounded in size and time.  It knows what our server sends: an answer of known length, or
 * one that ends with the connection.  Blocks; any thread. */
#ifndef TANDEM_CLIENT_H
#define TANDEM_CLIENT_H

#include "server/listen.h"
#include "state/base/mem.h"

#include <stdint.h>

#define CLIENT_BODY_MAX (64u << 20)

struct client_target {
    struct listen_address address;
    char host[80];  /* For the Host header. */
    char path[256]; /* Of the URL; "/" if it has none. */
};

struct client_reply {
    int status;
    char session[64]; /* The MCP session that it tells of; "" if of none, or of too long a one. */
    struct buf body;  /* Owned by the caller, who calls buf_fini(). */
};
#define CLIENT_REPLY_INIT \
    {                     \
        .status = 0       \
    }

/* Reads "http://HOST[:PORT][/path]" or "http+unix://ESCAPED-PATH[/path]".  E_ARGUMENT. */
enum err client_parse_url(const char *url, struct client_target *target, struct fault *f);

struct client_request {
    const char *method, *path;
    const char *token;   /* Null: none is shown. */
    const char *headers; /* Further header lines, each with its end; null: none. */
    struct slice body;   /* JSON; null data: none. */
    int64_t timeout_ns;  /* For the whole answer. */
};

/* Sends 'request' and waits for the whole answer.  E_OK for any status.  E_NOT_FOUND: nobody
 * listens there; E_TIMEOUT; E_TOO_LARGE; E_IO: what came is no HTTP, or ended early. */
enum err client_exchange(const struct client_target *target, const struct client_request *request,
                         struct client_reply *reply, struct fault *f);

/* Asks for the connection to speak 'protocol' from now on.  E_OK and the socket in '*fd', the
 * caller's, which does not block; nothing of what comes in that protocol has been read.  E_REFUSED:
 * the server is of another mind; '*status' is its answer's.  Otherwise as above. */
enum err client_upgrade(const struct client_target *target, const struct client_request *request,
                        const char *protocol, int *fd, int *status, struct fault *f);

#endif
