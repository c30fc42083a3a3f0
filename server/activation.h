/* activation.h -- sockets that whoever started this process has opened for it.
 *
 * The way of sd_listen_fds(3): LISTEN_PID names this process, LISTEN_FDS says how many descriptors
 * there are from 3 on, LISTEN_FDNAMES how each is called, with colons between.  Such a socket is
 * there before the server and after it: who connects meanwhile waits in its queue and is served. */
#ifndef TANDEM_ACTIVATION_H
#define TANDEM_ACTIVATION_H

#include "transports/transport.h"

#include <stddef.h>

#define ACTIVATION_NAME_MAX 64u /* Bytes of a name, cut where it is longer. */

struct activation {
    size_t count; /* 0: nobody has opened any. */
    struct {
        int fd; /* The caller's; -1 once he has taken it. */
        char name[ACTIVATION_NAME_MAX];
    } all[TRANSPORT_SOCKETS_MAX];
};

/* Takes them, closed on exec and not blocking, and what the environment says of them out of it:
 * what is started later has nothing to take.  Before there are threads.  E_ARGUMENT: the variables
 * make no sense, or a descriptor is no stream socket that listens, by TCP or at a path: then all
 * are closed. */
enum err activation_take(struct activation *a, struct fault *f);
/* Closes those that nobody has taken. */
void activation_close(struct activation *a);

#endif
