/* notify.c -- see notify.h. */
#include "server/notify.h"

#include "state/base/clock.h"
#include "state/base/log.h"
#include "state/base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

LOG_MODULE("notify");

#define MESSAGE_MAX ((int)NOTIFY_STATUS_MAX + 128)
#define USEC INT64_C(1000)

int64_t
notify_number(const char *name, int64_t most)
{
    const char *text = getenv(name);
    intmax_t n;
    char *end;

    if (!text || *text < '0' || *text > '9') {
        return -1;
    }
    errno = 0;
    n = strtoimax(text, &end, 10);
    return errno || *end || n > most ? -1 : n;
}

/* The address that 'name' means; false if it cannot be one. */
static bool
address_of(const char *name, struct notify *n)
{
    size_t len = strlen(name);

    if ((*name != '/' && *name != '@') || len < 2 || len >= sizeof n->to.sun_path) {
        return false;
    }
    n->to = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(n->to.sun_path, name, len);
    n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (*name == '/'));
    if (*name == '@') {
        n->to.sun_path[0] = '\0'; /* All bytes after it are the name; none ends it. */
    }
    return true;
}

static int64_t
watchdog_time(void)
{
    int64_t time = notify_number("WATCHDOG_USEC", INT64_MAX / USEC);
    bool ours = !getenv("WATCHDOG_PID") || notify_number("WATCHDOG_PID", INT32_MAX) == getpid();

    return ours && time > 0 ? time * USEC : 0;
}

void
notify_open(struct notify *n)
{
    /* A manager that does not take its messages is not waited for. */
    const struct timeval patience = {.tv_sec = 1};
    const char *name = getenv("NOTIFY_SOCKET");

    *n = (struct notify)NOTIFY_INIT;
    if (name && *name && !address_of(name, n)) {
        log_warn("NOTIFY_SOCKET is no Unix socket; the service manager is told nothing",
                 F_STR("name", name));
    } else if (name && *name) {
        n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (n->fd < 0) {
            log_warn("the service manager cannot be told anything", F_STR("why", strerror(errno)));
        } else {
            setsockopt(n->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
            n->watchdog_ns = watchdog_time();
        }
    }
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void
notify_close(struct notify *n)
{
    if (n->fd >= 0) {
        close(n->fd);
    }
    *n = (struct notify)NOTIFY_INIT;
}

bool
notify_on(const struct notify *n)
{
    return n->fd >= 0;
}

static void
tell(struct notify *n, const char *message, int len)
{
    if (n->fd < 0 || len < 0) {
        return;
    }
    len = len < MESSAGE_MAX ? len : MESSAGE_MAX - 1; /* It was cut. */
    while (sendto(n->fd, message, (size_t)len, MSG_NOSIGNAL, (const struct sockaddr *)&n->to,
                  n->to_len) < 0) {
        if (errno != EINTR) {
            if (!n->complained) {
                log_warn("the service manager does not listen", F_STR("why", strerror(errno)));
            }
            n->complained = true;
            return;
        }
    }
    n->complained = false;
}

/* 'status' on one line. */
static void
one_line(const char *status, char out[NOTIFY_STATUS_MAX])
{
    snprintf(out, NOTIFY_STATUS_MAX, "%s", status);
    for (char *p = out; *p; p++) {
        *p = (unsigned char)*p < ' ' ? ' ' : *p;
    }
}

void
notify_ready(struct notify *n, const char *status)
{
    char line[NOTIFY_STATUS_MAX], message[MESSAGE_MAX];

    one_line(status, line);
    tell(n, message, snprintf(message, sizeof message, "READY=1\nSTATUS=%s", line));
}

void
notify_reloading(struct notify *n)
{
    char message[MESSAGE_MAX];

    tell(n, message,
         snprintf(message, sizeof message,
                  "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\nSTATUS=reading the settings anew",
                  clock_mono(clock_real()) / USEC));
}

void
notify_stopping(struct notify *n, int64_t most_ns, const char *status)
{
    char line[NOTIFY_STATUS_MAX], message[MESSAGE_MAX];

    one_line(status, line);
    tell(n, message,
         snprintf(message, sizeof message,
                  "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRId64 "\nWATCHDOG=1\nSTATUS=%s",
                  most_ns / USEC, line));
}

void
notify_status(struct notify *n, const char *status)
{
    char line[NOTIFY_STATUS_MAX], message[MESSAGE_MAX];

    one_line(status, line);
    tell(n, message, snprintf(message, sizeof message, "STATUS=%s", line));
}

void
notify_alive(struct notify *n)
{
    tell(n, "WATCHDOG=1", (int)strlen("WATCHDOG=1"));
}
