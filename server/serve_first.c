/* serve_first.c -- what is served, whether that may be, and who serves the project.
 *
 * The second server of a project waits for the first, is a bridge to it, or refuses. */
#include "server/serve_private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* How long a second server waits for the first to say who it is, or to have been a short call
 * only. */
#define LOCK_PATIENCE (5 * SECOND)
/* How long it gives a first that does serve: an editor that restarts begins the next server before
 * the last one has seen its input end. */
#define RESTART_PATIENCE SECOND

void
serve_choose_transports(struct server *s)
{
    struct stat st;

    switch ((enum choice_transport)s->context->settings->transport) {
    case TRANSPORT_MODE_AUTO:
        s->http = true;
        s->stdio = fstat(STDIN_FILENO, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
        break;
    case TRANSPORT_MODE_DUAL:
        s->http = s->stdio = true;
        break;
    case TRANSPORT_MODE_STDIO:
        s->stdio = true;
        break;
    case TRANSPORT_MODE_HTTP:
        s->http = true;
        break;
    }
    s->mode = s->http && s->stdio ? "dual" : s->http ? "http" : "stdio";
}

/* Blocks the signals of the end in this and all later threads, and makes what main waits on. */
static enum err
prepare_waiting(struct server *s, struct fault *f)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    s->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->signal_fd < 0 || s->ended_fd < 0) {
        return fault_set(f, E_IO, "no descriptor to wait on: %s", strerror(errno));
    }
    return E_OK;
}

/* Moves the client's ends away: whatever writes to standard output from now on writes to standard
 * error, and no child reads the client's lines. */
static enum err
take_stdio(struct server *s, struct fault *f)
{
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    enum err err = E_OK;

    s->in_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    s->out_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (null_fd < 0 || s->in_fd < 0 || s->out_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 ||
        dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        err = fault_set(f, E_IO, "standard input and output cannot be taken: %s", strerror(errno));
    }
    if (null_fd >= 0) {
        close(null_fd);
    }
    return err;
}

enum err
serve_prepare(struct server *s, struct fault *f)
{
    enum err err = s->http ? serve_choose_address(s, f) : E_OK;

    if (!err) {
        err = prepare_waiting(s, f);
    }
    if (!err && s->stdio) {
        err = take_stdio(s, f);
    }
    if (!err) {
        err = project_open_data(&s->context->project, true, f);
    }
    return err;
}

static enum err
refuse_second(const struct discovery *first, struct fault *f)
{
    fault_set(f, E_CONFLICT, "this project is served already, by process %ld%s%s", (long)first->pid,
              first->url ? " at " : " on its standard input only", first->url ? first->url : "");
    return fault_remedy(f, "use that server, or end it with: kill %ld", (long)first->pid);
}

/* Takes the project's lock, or nothing: for a server that cannot, or will not, be a bridge. */
static enum err
take_lock(struct server *s, struct fault *f)
{
    struct dir *data = s->context->project.data;
    int64_t begin = clock_mono(clock_real());
    int64_t patience = begin + s->context->settings->drain + LOCK_PATIENCE;
    struct pollfd signals = {.fd = s->signal_fd, .events = POLLIN};

    for (;;) {
        struct discovery first;
        enum err err = discovery_lock(data, &s->lock_fd, f);

        if (err != E_CONFLICT) {
            return err;
        }
        if (clock_mono(clock_real()) - begin >= RESTART_PATIENCE &&
            discovery_read(data, &first, NULL) == E_OK) {
            err = refuse_second(&first, f);
            discovery_fini(&first);
            return err;
        }
        if (clock_mono(clock_real()) >= patience) {
            return fault_remedy(f, "end it, or find out with \"tandem status\" who has it");
        }
        if (poll(&signals, 1, 20) > 0) {
            return fault_set(f, E_CANCELLED, "ended by a signal before the project was free");
        }
    }
}

enum err
serve_become_first(struct server *s, struct fault *f)
{
    if (!s->stdio || s->context->settings->exclusive) {
        return take_lock(s, f);
    }
    s->second = (struct second){
        .context = s->context, .in_fd = s->in_fd, .out_fd = s->out_fd, .signal_fd = s->signal_fd};
    switch (second_run(&s->second, &s->lock_fd, &s->estate, f)) {
    case SECOND_SERVES:
        return E_OK;
    case SECOND_IS_OVER:
        s->over = true;
        return E_OK;
    case SECOND_FAILED:
        break;
    }
    return f->code;
}
