/* serve_wait.c -- what main's thread does while the server serves: it waits for the end, and for
 * the few things that come by signal or by time. */
#include "server/serve_private.h"

#include "handlers/dispatch.h"
#include "state/base/log.h"
#include "state/config.h"
#include "state/mcp_session.h"
#include "state/state.h"
#include "state/workflow.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

LOG_MODULE("serve");

#define DAY (24 * 3600 * SECOND)
#define STATUS_EVERY (15 * SECOND)
#define CALL_ENDS (30 * SECOND) /* After its time. */

/* Removes workflow sessions that nobody has touched for long.  Returns when to do so again. */
static int64_t
clean_up(struct server *s)
{
    size_t removed = workflow_clean(state_workflow(s->core.state));

    if (removed) {
        log_info("stale workflow sessions removed", F_UINT("sessions", removed));
    }
    return clock_mono(clock_real()) + DAY;
}

bool
serve_has_terminal(void)
{
    int fd = open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

bool
serve_may_hang_up(void)
{
    struct sigaction action;

    return serve_has_terminal() && sigaction(SIGHUP, NULL, &action) == 0 &&
           action.sa_handler != SIG_IGN;
}

unsigned
serve_calls(const struct server *s)
{
    unsigned calls = 0;

    for (int i = 0; i < TRANSPORT_COUNT; i++) {
        calls += dispatch_in_flight(s->core.dispatcher, (enum transport_kind)i);
    }
    return calls;
}

/* ---- What the manager is told ---- */

static void
describe(const struct server *s, char status[NOTIFY_STATUS_MAX])
{
    struct mcp_sessions_counters sessions = mcp_sessions_counters(state_sessions(s->core.state));

    snprintf(status, NOTIFY_STATUS_MAX, "serving %s at %s: %u MCP sessions, %u calls in flight%s%s",
             s->context->project.name, s->discovery.url ? s->discovery.url : "standard input",
             sessions.live, serve_calls(s), s->refused[0] ? "; settings refused: " : "",
             s->refused);
}

void
serve_tell_ready(struct server *s)
{
    describe(s, s->status);
    notify_ready(&s->notify, s->status);
}

/* How often it is told how the server is: four times in the time that the watchdog has, so that a
 * moment of a busy machine does not look like the end. */
static int64_t
look_time(const struct server *s)
{
    int64_t watchdog = s->notify.watchdog_ns;

    return !notify_on(&s->notify)                    ? INT64_MAX
           : watchdog && watchdog / 4 < STATUS_EVERY ? watchdog / 4
                                                     : STATUS_EVERY;
}

/* Tells the manager that the server lives, if it does; and how it is, if that has changed. */
static void
look_after_all(struct server *s)
{
    struct settings *now = config_settings(s->context->config);
    char status[NOTIFY_STATUS_MAX];
    const char *still;

    s->pulse.patience_ns = now->limits_call_time + CALL_ENDS;
    settings_unref(now);
    still = pulse_look(&s->pulse, clock_mono(clock_real()));

    if (still) {
        log_error("a part of the server stands still", F_STR("part", still));
        snprintf(status, sizeof status, "a part of the server stands still: %s", still);
    } else {
        describe(s, status);
        if (s->notify.watchdog_ns) {
            notify_alive(&s->notify);
        }
    }
    if (strcmp(status, s->status) != 0) {
        memcpy(s->status, status, sizeof status);
        notify_status(&s->notify, status);
    }
}

/* ---- Waiting ---- */

/* A hangup has two meanings: the terminal has gone from which the server was started, which ends
 * it, or somebody has changed its files.  A manager's service has no terminal that counts. */
static bool
hangup_ends(struct server *s)
{
    if (s->terminal && !serve_has_terminal()) {
        return true;
    }
    serve_reload(s);
    return false;
}

/* Whether the settings in force say that HTTP goes on alone. */
static bool
lingers(const struct server *s)
{
    struct settings *now = config_settings(s->context->config);
    bool linger = s->http && now->linger;

    settings_unref(now);
    return linger;
}

/* What a signal means: the reason to end, or null. */
static const char *
take_signal(struct server *s)
{
    struct signalfd_siginfo info;

    if (read(s->signal_fd, &info, sizeof info) != sizeof info) {
        return NULL;
    }
    switch (info.ssi_signo) {
    case SIGHUP:
        return hangup_ends(s) ? "SIGHUP" : NULL;
    case SIGINT:
        return "SIGINT";
    default:
        return "SIGTERM";
    }
}

/* Milliseconds until 'at_ns', for poll(). */
static int
time_left(int64_t at_ns)
{
    int64_t left = (at_ns - clock_mono(clock_real())) / 1000000 + 1;

    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

const char *
serve_wait_for_end(struct server *s)
{
    struct pollfd fds[] = {{.fd = s->signal_fd, .events = POLLIN},
                           {.fd = s->ended_fd, .events = POLLIN}};
    int64_t every = look_time(s), look_at = every < INT64_MAX ? 0 : INT64_MAX;
    int64_t clean_at = clean_up(s);

    for (;;) {
        const char *reason;

        if (clock_mono(clock_real()) >= clean_at) {
            clean_at = clean_up(s);
        }
        if (clock_mono(clock_real()) >= look_at) {
            look_after_all(s);
            look_at = clock_mono(clock_real()) + every;
        }
        if (poll(fds, 2, time_left(clean_at < look_at ? clean_at : look_at)) < 0 &&
            errno != EINTR) {
            return "waiting failed";
        }
        reason = fds[0].revents ? take_signal(s) : NULL;
        if (reason) {
            return reason;
        }
        if (fds[1].revents) {
            if (!lingers(s)) {
                return "end of input";
            }
            log_info("standard input has ended; HTTP goes on");
            fds[1].fd = -1;
        }
    }
}
