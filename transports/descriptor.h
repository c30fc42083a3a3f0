/* descriptor.h -- an inherited descriptor, read and written without ever waiting for the other
 * side, and without touching its flags.
 *
 * Standard input and output are shared with whoever started the process: O_NONBLOCK set on them
 * would stay set for the parent's shell.  (libuv's uv_pipe_open(), uv_poll_init() and uv_tty_init()
 * set it.)  So each kind is treated in its own way; see descriptor.c.  Used by one thread. */
#ifndef TANDEM_DESCRIPTOR_H
#define TANDEM_DESCRIPTOR_H

#include "state/base/err.h"

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

enum descriptor_kind {
    DESCRIPTOR_OWN,    /* A pipe, opened anew: the flags are ours. */
    DESCRIPTOR_SOCKET, /* Asked not to wait at each call. */
    DESCRIPTOR_POLLED, /* Looked at before each call: terminals, named pipes, a pipe of another
                          user. */
    DESCRIPTOR_FILE,   /* Always ready: regular files, /dev/null. */
};

enum descriptor_use { DESCRIPTOR_IN, DESCRIPTOR_OUT };

struct descriptor {
    int fd; /* Ours to close; -1 when closed. */
    enum descriptor_kind kind;
};
/* clang-format off */
#define DESCRIPTOR_NONE {.fd = -1}
/* clang-format on */

/* Makes '*d' stand for what 'fd' stands for; 'fd' itself stays the caller's.  E_IO. */
enum err descriptor_open(struct descriptor *d, int fd, enum descriptor_use use, struct fault *f);
void descriptor_close(struct descriptor *d);
/* As read(2) and writev(2), but errno is EAGAIN where those would wait; never EINTR.  A write may
 * be short and raises SIGPIPE unless the thread blocks it. */
ssize_t descriptor_read(const struct descriptor *d, void *data, size_t size);
ssize_t descriptor_writev(const struct descriptor *d, const struct iovec *parts, int count);

#endif
