/* notify.h -- what a service manager is told of this process, and what it wants to hear.
 *
 * The protocol is that of sd_notify(3): lines VARIABLE=value in one datagram to the Unix socket
 * that NOTIFY_SOCKET names, a path or, with a '@' in front, an abstract name.  systemd promises
 * that it stays as it is and may be spoken by anybody, and other managers (s6, OpenRC's
 * supervise-daemon, podman and runc) take it as well.
 *
 * DESIGN.  It is spoken here, in one sendto(), and not by libsystemd, which would be mapped into
 * each start of each command, with the libraries that it brings along, for these few lines.  The
 * socket is opened once: a server that has no descriptor left can still say that it lives.
 *
 * Without a manager everything here does nothing.  What cannot be told is logged once and is no
 * error: the manager draws its own conclusions.  One thread, or one after the other. */
#ifndef TANDEM_NOTIFY_H
#define TANDEM_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#define NOTIFY_STATUS_MAX 512u /* Bytes of a status. */

struct notify {
    int fd; /* -1: there is no manager that listens. */
    struct sockaddr_un to;
    socklen_t to_len;
    int64_t watchdog_ns; /* It wants a sign of life so often; 0: it does not. */
    bool complained;     /* The log was told that it cannot be told. */
};
#define NOTIFY_INIT \
    {               \
        .fd = -1    \
    }

/* Takes what the environment says out of it: what is started later is another process, and has
 * nothing to say.  Before there are threads. */
void notify_open(struct notify *n);
void notify_close(struct notify *n);
/* Whether anybody listens. */
bool notify_on(const struct notify *n);

/* The moments; 'status' is one line for people, cut to NOTIFY_STATUS_MAX. */

/* It takes work: at the start, and after a reload. */
void notify_ready(struct notify *n, const char *status);
/* It reads its settings anew; notify_ready() ends that. */
void notify_reloading(struct notify *n);
/* It ends, within 'most_ns' from now. */
void notify_stopping(struct notify *n, int64_t most_ns, const char *status);
void notify_status(struct notify *n, const char *status);
/* The sign of life. */
void notify_alive(struct notify *n);

/* The decimal number, at most 'most', that is all of the environment variable 'name'; -1 if it is
 * not set, or none. */
int64_t notify_number(const char *name, int64_t most);

#endif
