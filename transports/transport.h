/* transport.h -- the class of things that carry messages, and the list of them.
 *
 * A transport has one thread and one loop; it alone touches its descriptors.  The server starts
 * and stops it; messages go to dispatch, and nowhere else. */
#ifndef TANDEM_TRANSPORT_H
#define TANDEM_TRANSPORT_H

#include "state/base/clock.h"
#include "state/base/err.h"
#include "state/base/mem.h"

#include <stdbool.h>

struct access;
struct dispatcher;
struct settings;
struct traffic;
struct transport;

#define TRANSPORT_SOCKETS_MAX 8u /* That one transport listens on. */

/* What the stdio transport goes on with when another process served its client before (bridge.h);
 * all borrowed, as long as the transport. */
struct transport_estate {
    struct slice out;     /* Written first, as it is. */
    struct slice session; /* Lines that make the session; what is answered is not for the client. */
    struct slice listens; /* Lines; the client has the acknowledgement of each already. */
    struct slice lines;   /* What the client has said, up to a line that it has not finished. */
    uint64_t asks_from;   /* The first id of a request to the client, but one. */
};

struct transport_context {
    struct dispatcher *dispatcher; /* All borrowed; must outlive the transport. */
    const struct settings *settings;
    const struct clock *clock;
    int listen_fd;         /* HTTP: bound, listening; its own once started.  Else -1. */
    const int *more_fds;   /* HTTP: further ones of the kind, */
    size_t more_count;     /* so many, less than TRANSPORT_SOCKETS_MAX. */
    const char *token;     /* HTTP: the bearer token asked for; null for none. */
    struct access *access; /* HTTP: who judges tokens of the authorization server; null for none. */
    struct traffic *traffic;               /* HTTP: counts connections; may be null. */
    const char *own_token;                 /* HTTP: what bridges show; null: there are none. */
    int in_fd, out_fd;                     /* stdio: where lines come from and go to. */
    const struct transport_estate *estate; /* stdio; may be null. */
    /* stdio: called once, on the transport's thread, when input has ended.  Must not block. */
    void (*ended)(void *arg);
    void *ended_arg;
};

struct transport_class {
    const char *name;
    /* Starts the thread; on E_OK the transport serves. */
    enum err (*start)(const struct transport_context *context, struct transport **transport,
                      struct fault *f);
    /* Whether its loop has come round since it was asked that last, or for the first time; and asks
     * it to do so again.  Never waits.  The thread that started it. */
    bool (*beats)(struct transport *transport);
    /* Takes no new messages; those in flight are answered until 'deadline_ns' (monotonic), then
     * given up; all that is queued is written; joins the thread and frees.  Called once, from the
     * thread that started it. */
    void (*stop)(struct transport *transport, int64_t deadline_ns);
};

extern const struct transport_class stdio_transport, http_transport;

#endif
