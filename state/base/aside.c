/* aside.c -- fork(), and a socket whose messages have bounds. */
#include "state/base/aside.h"

#include "state/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MS 20 /* How soon it is seen that nobody wants the answer any more. */

struct aside {
    int fd;
    pid_t pid;
    unsigned char number; /* Of the last question: its answer begins with it. */
};

/* ---- In the other process ---- */

bool
aside_let_go(int keep)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    bool done = null_fd >= 0;

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (null_fd < 0 || dup2(null_fd, fd) < 0) {
            close(fd);
            done = false;
        }
    }
    if (keep < 0) {
        return close_range(STDERR_FILENO + 1, ~0u, 0) == 0 && done;
    }
    return (keep == ASIDE_KEPT || dup2(keep, ASIDE_KEPT) == ASIDE_KEPT) &&
           fcntl(ASIDE_KEPT, F_SETFD, FD_CLOEXEC) == 0 &&
           close_range(ASIDE_KEPT + 1, ~0u, 0) == 0 && done;
}

/* Answers until the server has gone. */
static void
live(int fd, aside_answer *answer, const char *arg)
{
    static const int unheard[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    unsigned char number;

    for (size_t i = 0; i < sizeof unheard / sizeof *unheard; i++) {
        signal(unheard[i], SIG_IGN); /* They are for the server: its end is ours. */
    }
    prctl(PR_SET_NAME, "tandem-aside");
    if (!aside_let_go(fd)) {
        return;
    }
    while (recv(ASIDE_KEPT, &number, sizeof number, 0) == sizeof number) {
        struct buf out = {.limit = ASIDE_ANSWER_MAX};

        buf_addc(&out, (char)number);
        answer(arg, ASIDE_KEPT, &out);
        if (send(ASIDE_KEPT, out.failed ? &number : (const void *)out.data,
                 out.failed ? 1 : out.len, MSG_NOSIGNAL) < 0) {
            return;
        }
        buf_fini(&out);
    }
}

/* ---- In this one ---- */

enum err
aside_start(aside_answer *answer, const char *arg, struct aside **aside, struct fault *f)
{
    int fds[2];
    pid_t pid;

    *aside = NULL;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
        return fault_set(f, E_IO, "no socket for a process beside: %s", strerror(errno));
    }
    pid = fork();
    if (pid == 0) {
        live(fds[1], answer, arg);
        _exit(0);
    }
    close(fds[1]);
    if (pid < 0) {
        fault_set(f, E_IO, "no process beside: %s", strerror(errno));
        close(fds[0]);
        return E_IO;
    }
    *aside = xcalloc(1, sizeof **aside);
    **aside = (struct aside){.fd = fds[0], .pid = pid};
    return E_OK;
}

/* Takes a message; E_NOT_READY if it is the answer to another question. */
static enum err
take_answer(struct aside *a, struct buf *out)
{
    struct buf message = BUF_INIT;
    ssize_t n;
    enum err err = E_IO;

    if (!buf_reserve(&message, ASIDE_ANSWER_MAX)) {
        return E_IO;
    }
    n = recv(a->fd, message.data, ASIDE_ANSWER_MAX, MSG_DONTWAIT);
    if (n > 0 && (unsigned char)message.data[0] != a->number) {
        err = E_NOT_READY;
    } else if (n > 1) {
        buf_add(out, message.data + 1, (size_t)n - 1);
        err = E_OK;
    }
    buf_fini(&message);
    return err;
}

enum err
aside_ask(struct aside *a, int64_t limit_ns, const atomic_bool *over, struct buf *out)
{
    int64_t deadline = clock_mono(clock_real()) + limit_ns;
    struct pollfd answered = {.fd = a->fd, .events = POLLIN};
    enum err err = E_NOT_READY;

    a->number++;
    if (send(a->fd, &a->number, sizeof a->number, MSG_NOSIGNAL) != sizeof a->number) {
        return E_IO;
    }
    while (err == E_NOT_READY) {
        if (atomic_load(over)) {
            err = E_CANCELLED;
        } else if (clock_mono(clock_real()) >= deadline) {
            err = E_TIMEOUT;
        } else if (poll(&answered, 1, TICK_MS) > 0) {
            err = take_answer(a, out);
        }
    }
    return err;
}

void
aside_end(struct aside *a)
{
    if (a) {
        close(a->fd);
        while (waitpid(a->pid, NULL, 0) < 0 && errno == EINTR) {
        }
        free(a);
    }
}
