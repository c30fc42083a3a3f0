/* child.c -- posix_spawn(), a pipe, and a pidfd to wait on. */
#include "state/base/child.h"

#include "state/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MS 20 /* How soon a child is seen to be wanted no more. */

/* A pipe from which all the input can be read, then its end; -1 if that fails. */
static int
pipe_of(struct slice input)
{
    int fds[2];
    bool done;

    if (input.len > CHILD_INPUT_MAX || pipe2(fds, O_CLOEXEC) != 0) {
        return -1;
    }
    done = write(fds[1], input.data, input.len) == (ssize_t)input.len;
    close(fds[1]);
    if (!done) {
        close(fds[0]);
    }
    return done ? fds[0] : -1;
}

/* Starts the child with 'to' as its output, and 'from', unless -1, as its input.  0 if that fails.
 */
static pid_t
start(const struct child_order *order, int from, int to)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, all;
    pid_t pid = 0;
    int failed;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    if (from >= 0) {
        posix_spawn_file_actions_adddup2(&actions, from, STDIN_FILENO);
    } else {
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    }
    posix_spawn_file_actions_adddup2(&actions, to, 1); /* Its standard output, not ours. */
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addchdir_np(&actions, order->folder);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                        POSIX_SPAWN_SETPGROUP);
    failed = posix_spawnp(&pid, order->argv[0], &actions, &attr, (char **)(uintptr_t)order->argv,
                          (char **)(uintptr_t)order->environ); /* It writes to neither. */
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return failed ? 0 : pid;
}

/* Takes what can be read now.  False at the end of output. */
static bool
take_output(int from, struct buf *out)
{
    char chunk[4096];
    ssize_t n = read(from, chunk, sizeof chunk);

    if (n > 0) {
        buf_add(out, chunk, (size_t)n); /* Over its limit it takes no more. */
    }
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Reads until the child has closed its output and has ended.  False if it must be killed. */
static bool
wait_for_end(const struct child_order *order, int from, int pidfd, struct buf *out)
{
    int64_t deadline = clock_mono(clock_real()) + order->limit_ns;
    struct pollfd fds[] = {{.fd = from, .events = POLLIN},
                           {.fd = pidfd, .events = POLLIN},
                           {.fd = order->asker ? order->asker : -1}};

    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        if (clock_mono(clock_real()) >= deadline ||
            (order->given_up && atomic_load(order->given_up))) {
            return false;
        }
        if (poll(fds, 3, TICK_MS) <= 0) {
            continue;
        }
        if (fds[2].revents) {
            return false;
        }
        if (fds[0].fd >= 0 && fds[0].revents && !take_output(from, out)) {
            fds[0].fd = -1;
        }
        if (fds[1].fd >= 0 && fds[1].revents) {
            fds[1].fd = -1;
        }
    }
    return true;
}

enum child_end
child_run(const struct child_order *order, struct buf *out)
{
    struct buf printed = {.limit = order->output_max};
    enum child_end end = CHILD_FAILED;
    int pipe_fds[2], pidfd, status = -1, input = -1;
    pid_t pid = 0;

    if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        return CHILD_FAILED;
    }
    /* The child's end blocks, as programs expect. */
    fcntl(pipe_fds[1], F_SETFL, 0);
    if (order->input.data) {
        input = pipe_of(order->input);
    }
    if (!order->input.data || input >= 0) {
        pid = start(order, input, pipe_fds[1]);
    }
    close(pipe_fds[1]);
    if (input >= 0) {
        close(input);
    }
    if (pid) {
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (pidfd < 0 || !wait_for_end(order, pipe_fds[0], pidfd, &printed)) {
            kill(-pid, SIGKILL);
            end = CHILD_KILLED;
        }
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
        if (end != CHILD_KILLED && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
            end = CHILD_GOOD;
            buf_add(out, printed.data, printed.len);
        }
        if (pidfd >= 0) {
            close(pidfd);
        }
    }
    close(pipe_fds[0]);
    buf_fini(&printed);
    return end;
}
