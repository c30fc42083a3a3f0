/* serve_wait.c -- what main's thread does while the server serves: it waits for the end, and for
 * the few things that come by signal or by time. */
#include "server/serve_private.h"

#include "state/base/log.h"
#include "state/config.h"
#include "state/state.h"
#include "state/workflow.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

LOG_MODULE("serve");

#define DAY (24 * 3600 * SECOND)

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

static void
read_settings_anew(struct config *config)
{
    struct problems problems = PROBLEMS_INIT;
    struct fault f = FAULT_INIT;
    enum err err = config_reload(config, &problems, &f);

    for (size_t i = 0; i < problems.count; i++) {
        const struct problem *p = &problems.items[i];
        log_warn("settings", F_STR("where", p->file), F_UINT("line", p->line),
                 F_STR("text", p->text));
    }
    if (err) {
        log_error("the settings stay as they were", F_STR("why", f.text));
    } else {
        log_info("settings read anew", F_UINT("version", config_counters(config).version));
    }
    problems_fini(&problems);
}

/* A hangup has two meanings: the terminal has gone, which ends the server, or, while it has none or
 * still has it, somebody who has changed the configuration file. */
static bool
hangup_ends(const struct server *s)
{
    if (s->terminal && !serve_has_terminal()) {
        return true;
    }
    read_settings_anew(s->context->config);
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

const char *
serve_wait_for_end(struct server *s)
{
    struct pollfd fds[] = {{.fd = s->signal_fd, .events = POLLIN},
                           {.fd = s->ended_fd, .events = POLLIN}};
    int64_t clean_at = clean_up(s);

    for (;;) {
        struct signalfd_siginfo info;
        int64_t left = clean_at - clock_mono(clock_real());

        if (left <= 0) {
            clean_at = clean_up(s);
            continue;
        }
        if (poll(fds, 2, (int)(left / 1000000) + 1) < 0 && errno != EINTR) {
            return "waiting failed";
        }
        if (fds[0].revents && read(s->signal_fd, &info, sizeof info) == sizeof info) {
            if (info.ssi_signo != SIGHUP || hangup_ends(s)) {
                return info.ssi_signo == SIGINT    ? "SIGINT"
                       : info.ssi_signo == SIGTERM ? "SIGTERM"
                                                   : "SIGHUP";
            }
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
