/* descriptor.c -- four ways not to wait.
 *
 * DESIGN.  O_NONBLOCK is a flag of the open file, which the parent shares.  An anonymous pipe can
 * be opened once more by its name in /proc, which makes an open file of our own.  Not so a socket,
 * but its calls take MSG_DONTWAIT. What is left is asked by poll(2) first: a pipe that is writable
 * takes PIPE_BUF bytes at once, and one reader that finds input gets it.  A named pipe is left in
 * that class because one that is opened anew after its writer has gone does not report the hang-up,
 * and a regular file is never opened anew since that would begin at its first byte. */
#include "transports/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PIPE_BYTES (256 * 1024)

/* What a pipe holds is what its reader and its writer can do before they wait for each other: 64
 * KiB as it is made.  A message of that size and a bit takes both two turns then.  The system may
 * refuse more, and nothing but time is lost. */
static void
widen_pipe(int fd)
{
    if (fcntl(fd, F_GETPIPE_SZ) < PIPE_BYTES) {
        fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES);
    }
}

/* Opens an anonymous pipe anew; -1 if 'fd' is none, or that is not allowed. */
static int
open_pipe_anew(int fd, enum descriptor_use use)
{
    char name[32];
    struct statfs fs;

    if (fstatfs(fd, &fs) != 0 || fs.f_type != PIPEFS_MAGIC) {
        return -1;
    }
    widen_pipe(fd);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    return open(name, (use == DESCRIPTOR_IN ? O_RDONLY : O_WRONLY) | O_NONBLOCK | O_CLOEXEC);
}

/* Whether epoll can watch 'fd'; what it refuses is always ready. */
static bool
can_be_watched(int fd)
{
    struct epoll_event none = {0};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    bool can = epoll >= 0 && (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &none) == 0 || errno != EPERM);

    if (epoll >= 0) {
        close(epoll);
    }
    return can;
}

enum err
descriptor_open(struct descriptor *d, int fd, enum descriptor_use use, struct fault *f)
{
    struct stat st;

    *d = (struct descriptor){.fd = open_pipe_anew(fd, use), .kind = DESCRIPTOR_OWN};
    if (d->fd >= 0) {
        return E_OK;
    }
    d->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (d->fd < 0 || fstat(d->fd, &st) != 0) {
        int failed = errno;
        descriptor_close(d);
        return fault_set(f, E_IO, "standard %s cannot be used: %s",
                         use == DESCRIPTOR_IN ? "input" : "output", strerror(failed));
    }
    d->kind = S_ISSOCK(st.st_mode)    ? DESCRIPTOR_SOCKET
              : can_be_watched(d->fd) ? DESCRIPTOR_POLLED
                                      : DESCRIPTOR_FILE;
    return E_OK;
}

void
descriptor_close(struct descriptor *d)
{
    if (d->fd >= 0) {
        close(d->fd);
    }
    d->fd = -1;
}

/* False, with EAGAIN, if a call would wait; an error or a hang-up does not wait. */
static bool
ready(const struct descriptor *d, short events)
{
    struct pollfd p = {.fd = d->fd, .events = events};

    if (d->kind != DESCRIPTOR_POLLED || poll(&p, 1, 0) > 0) {
        return true;
    }
    errno = EAGAIN;
    return false;
}

ssize_t
descriptor_read(const struct descriptor *d, void *data, size_t size)
{
    ssize_t n;

    do {
        if (!ready(d, POLLIN)) {
            return -1;
        }
        n = d->kind == DESCRIPTOR_SOCKET ? recv(d->fd, data, size, MSG_DONTWAIT)
                                         : read(d->fd, data, size);
    } while (n < 0 && errno == EINTR);
    return n;
}

ssize_t
descriptor_writev(const struct descriptor *d, const struct iovec *parts, int count)
{
    struct msghdr message = {.msg_iovlen = (size_t)count};
    ssize_t n;

    do {
        if (!ready(d, POLLOUT)) {
            return -1;
        }
        switch (d->kind) {
        case DESCRIPTOR_SOCKET:
            message.msg_iov = (struct iovec *)(uintptr_t)parts; /* It is only read. */
            n = sendmsg(d->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
            break;
        case DESCRIPTOR_POLLED:
            n = write(d->fd, parts->iov_base,
                      parts->iov_len < PIPE_BUF ? parts->iov_len : PIPE_BUF);
            break;
        default:
            n = count == 1 ? write(d->fd, parts->iov_base, parts->iov_len)
                           : writev(d->fd, parts, count);
        }
    } while (n < 0 && errno == EINTR);
    return n;
}
