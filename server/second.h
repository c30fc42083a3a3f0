/* second.h -- a server that finds the project served: the second window.
 *
 * With a client on its stdio it becomes a bridge (transports/bridge.h) to the server that is there,
 * to the next when that one goes, and in the end perhaps the server itself.  main's thread. */
#ifndef TANDEM_SECOND_H
#define TANDEM_SECOND_H

#include "server/context.h"
#include "transports/transport.h"

struct bridge;

struct second {
    struct context *context; /* Borrowed; its data folder is open. */
    int in_fd, out_fd;       /* The client's; stay the caller's. */
    int signal_fd;           /* Borrowed. */
    struct bridge *bridge;   /* Owned; null at first. */
};

enum second_outcome {
    SECOND_SERVES,  /* The project is ours: the lock is taken. */
    SECOND_IS_OVER, /* The client has gone, or a signal came. */
    SECOND_FAILED,
};

/* Serves the client through other servers for as long as there is one; stores the project's lock in
 * '*lock_fd' when this process is to serve it, and what it then goes on with in '*estate', borrowed
 * until second_fini(); null if no other has served the client.  SECOND_FAILED with the fault: there
 * is a server that takes no other windows. */
enum second_outcome second_run(struct second *x, int *lock_fd,
                               const struct transport_estate **estate, struct fault *f);
void second_fini(struct second *x);

#endif
