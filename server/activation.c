/* activation.c -- see activation.h. */
#include "server/activation.h"

#include "server/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_FD 3

static enum err
refuse(const struct activation *a, size_t i, const char *why, struct fault *f)
{
    fault_set(f, E_ARGUMENT, "the socket \"%s\" that was handed over cannot be served: %s",
              a->all[i].name, why);
    return fault_remedy(f, "hand over stream sockets that listen: in a socket unit, ListenStream= "
                           "with a port or a path, and Accept=no");
}

static bool
get_option(int fd, int option, int *value)
{
    socklen_t len = sizeof *value;

    return getsockopt(fd, SOL_SOCKET, option, value, &len) == 0;
}

static enum err
check(const struct activation *a, size_t i, struct fault *f)
{
    int fd = a->all[i].fd, type = 0, listens = 0;
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    const struct sockaddr_un *un = (const struct sockaddr_un *)&address;
    socklen_t len = sizeof address;
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0) {
        return refuse(a, i, "it is not open", f);
    }
    if (!get_option(fd, SO_TYPE, &type) ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        return refuse(a, i, "it is no socket", f);
    }
    if (type != SOCK_STREAM) {
        return refuse(a, i, "it is no stream socket", f);
    }
    if (!get_option(fd, SO_ACCEPTCONN, &listens) || !listens) {
        return refuse(a, i, "it does not listen", f);
    }
    if (address.ss_family == AF_UNIX && un->sun_path[0] != '/') {
        return refuse(a, i, "it is at no absolute path, so no client could be told where it is", f);
    }
    if (address.ss_family != AF_UNIX && address.ss_family != AF_INET &&
        address.ss_family != AF_INET6) {
        return refuse(a, i, "it is neither of TCP nor at a path", f);
    }
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        return refuse(a, i, strerror(errno), f);
    }
    return E_OK;
}

/* The names, in order; one that is missing is told by its number. */
static void
name_all(struct activation *a, const char *names)
{
    for (size_t i = 0; i < a->count; i++) {
        size_t len = names ? strcspn(names, ":") : 0;

        if (len) {
            snprintf(a->all[i].name, sizeof a->all[i].name, "%.*s", (int)len, names);
        } else {
            snprintf(a->all[i].name, sizeof a->all[i].name, "%d", a->all[i].fd);
        }
        names = names && names[len] ? names + len + 1 : NULL;
    }
}

enum err
activation_take(struct activation *a, struct fault *f)
{
    const char *count = getenv("LISTEN_FDS");
    enum err err = E_OK;

    a->count = 0;
    /* Else they were for its parent. */
    if (count && notify_number("LISTEN_PID", INT32_MAX) == getpid()) {
        int64_t n = notify_number("LISTEN_FDS", TRANSPORT_SOCKETS_MAX);

        if (n < 0) {
            fault_set(f, E_ARGUMENT, "LISTEN_FDS is \"%.20s\", and not 0 to %u sockets", count,
                      TRANSPORT_SOCKETS_MAX);
            err = fault_remedy(f, "hand over at most %u sockets to one server",
                               TRANSPORT_SOCKETS_MAX);
        }
        for (; !err && (int64_t)a->count < n; a->count++) {
            a->all[a->count].fd = FIRST_FD + (int)a->count;
        }
        name_all(a, getenv("LISTEN_FDNAMES"));
        for (size_t i = 0; !err && i < a->count; i++) {
            err = check(a, i, f);
        }
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (err) {
        activation_close(a);
    }
    return err;
}

void
activation_close(struct activation *a)
{
    for (size_t i = 0; i < a->count; i++) {
        if (a->all[i].fd >= 0) {
            close(a->all[i].fd);
        }
    }
    a->count = 0;
}
