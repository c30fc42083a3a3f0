/* transport.h -- the class of things that carry messages, and the list of them.
 *
 * A transport has one thread and one loop; it alone touches its descriptors.  The server starts
 * and stops it; messages go to dispatch, and nowhere else. */
#ifndef TANDEM_TRANSPORT_H
#define TANDEM_TRANSPORT_H

#include "state/base/clock.h"
#include "state/base/err.h"

struct access;
struct dispatcher;
struct settings;
struct transport;

struct transport_context {
    struct dispatcher *dispatcher; /* All borrowed; must outlive the transport. */
    const struct settings *settings;
    const struct clock *clock;
    int listen_fd;         /* HTTP: bound, listening; its own once started.  Else -1. */
    const char *token;     /* HTTP: the bearer token asked for; null for none. */
    struct access *access; /* HTTP: who judges tokens of the authorization server; null for none. */
    int in_fd, out_fd;     /* stdio: where lines come from and go to. */
    /* stdio: called once, on the transport's thread, when input has ended.  Must not block. */
    void (*ended)(void *arg);
    void *ended_arg;
};

struct transport_class {
    const char *name;
    /* Starts the thread; on E_OK the transport serves. */
    enum err (*start)(const struct transport_context *context, struct transport **transport,
                      struct fault *f);
    /* Takes no new messages; those in flight are answered until 'deadline_ns' (monotonic), then
     * given up; all that is queued is written; joins the thread and frees.  Called once, from the
     * thread that started it. */
    void (*stop)(struct transport *transport, int64_t deadline_ns);
};

extern const struct transport_class stdio_transport, http_transport;

#endif
