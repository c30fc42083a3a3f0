/* serve_end.c -- the drain, and the way back.
 *
 * DESIGN.  The drain has one deadline for all transports; a small thread gives up what still runs
 * when it has come, so that those calls are answered with an error while their transport still
 * waits for them.  Once the end has begun a second signal ends the process at once: state on disk
 * is crash-safe. */
#include "server/serve_private.h"

#include "handlers/dispatch.h"
#include "server/report.h"
#include "state/base/log.h"
#include "state/base/thread.h"
#include "state/config.h"
#include "state/state.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

LOG_MODULE("serve");

/* After the deadline, the time in which errors for what was cancelled are still written. */
#define GRACE (SECOND / 2)
/* And then, for a machine under load, that in which all is freed and closed. */
#define MARGIN (5 * SECOND)

static void
end_at_once(int signal_number)
{
    (void)signal_number;
    _exit(STATUS_FAILED);
}

void
serve_let_signals_kill(void)
{
    struct sigaction action = {.sa_handler = end_at_once};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* Gives up what runs once the deadline has come, unless all is done before. */
struct patience {
    struct server *server;
    int64_t deadline_ns;
    int done_fd; /* An eventfd: readable once the transports have stopped. */
};

/* How far the drain is; a sign of life goes with it, as there is an end to the drain. */
static void
tell_drain(struct server *s, int64_t left_ns)
{
    char status[NOTIFY_STATUS_MAX];

    if (notify_on(&s->notify)) {
        snprintf(status, sizeof status, "ending (%s): %u calls in flight, %lld s left for them",
                 s->reason, serve_calls(s), (long long)((left_ns + SECOND - 1) / SECOND));
        notify_stopping(&s->notify, left_ns + GRACE + MARGIN, status);
    }
}

static void *
lose_patience(void *arg)
{
    struct patience *p = arg;
    struct pollfd done = {.fd = p->done_fd, .events = POLLIN};

    for (;;) {
        int64_t left = p->deadline_ns - clock_mono(clock_real());
        int64_t nap = left < SECOND ? left : SECOND;

        if (poll(&done, 1, nap > 0 ? (int)(nap / 1000000) + 1 : 0) > 0) {
            return NULL;
        }
        if (left <= 0) {
            unsigned calls = dispatch_end_all(p->server->core.dispatcher);

            log_warn("calls still ran at the end of the drain; they were given up",
                     F_UINT("calls", calls));
            state_give_up(p->server->core.state);
            return NULL;
        }
        tell_drain(p->server, left);
    }
}

static int64_t
drain_time(const struct server *s)
{
    struct settings *now = config_settings(s->context->config);
    int64_t drain = now->drain;

    settings_unref(now);
    return drain;
}

static void
stop_transports(struct server *s)
{
    struct patience p = {
        .server = s,
        .deadline_ns = clock_mono(clock_real()) + drain_time(s),
        .done_fd = eventfd(0, EFD_CLOEXEC),
    };
    pthread_t thread;
    uint64_t one = 1;
    bool serves = s->http_transport || s->stdio_transport, watched;

    if (serves) {
        tell_drain(s, p.deadline_ns - clock_mono(clock_real()));
    }
    watched = serves && p.done_fd >= 0 &&
              thread_start(&thread, "tandem-patience", lose_patience, &p) == 0;

    if (s->core.dispatcher) {
        dispatch_drain(s->core.dispatcher);
    }
    if (s->http_transport) {
        http_transport.stop(s->http_transport, p.deadline_ns + GRACE);
    }
    if (s->stdio_transport) {
        stdio_transport.stop(s->stdio_transport, p.deadline_ns + GRACE);
    }
    if (watched) {
        ssize_t n = write(p.done_fd, &one, sizeof one);
        assert(n == sizeof one);
        (void)n;
        pthread_join(thread, NULL);
    }
    if (p.done_fd >= 0) {
        close(p.done_fd);
    }
}

void
serve_stop(struct server *s)
{
    int *const fds[] = {&s->in_fd, &s->out_fd, &s->signal_fd, &s->ended_fd, &s->lock_fd};

    if (s->announced) { /* First: nobody shall find a server that ends; the next one waits. */
        discovery_remove(s->context->project.data, &s->discovery);
    }
    stop_transports(s);
    access_destroy(s->access);
    serve_close_sockets(s);
    notify_close(&s->notify);
    core_close(&s->core);
    aside_end(s->git);
    second_fini(&s->second);
    discovery_fini(&s->discovery);
    explicit_bzero(s->token, sizeof s->token);
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (*fds[i] >= 0) {
            close(*fds[i]); /* The lock last: only now may another serve. */
        }
    }
}
