/* manager.c -- see manager.h. */
#include "server/manager.h"

#include "server/notify.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The text of a small file, cut to 'size', its last newline left out; "" if it cannot be read. */
static void
read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, size - 1) : 0;

    if (fd >= 0) {
        close(fd);
    }
    text[n > 0 ? n : 0] = '\0';
    if (n > 0 && text[n - 1] == '\n') {
        text[n - 1] = '\0';
    }
}

/* What a process is called. */
static void
read_name(long pid, char *name, size_t size)
{
    char path[48];

    snprintf(path, sizeof path, "/proc/%ld/comm", pid);
    read_text(path, name, size);
}

void
manager_unit(const char *text, char *unit, unsigned size)
{
    unit[0] = '\0';
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        size_t len = strcspn(line, "\n"), start = len;

        while (start > 0 && line[start - 1] != '/') {
            start--;
        }
        if (len - start > 8 && len - start < size && strncmp(line + len - 8, ".service", 8) == 0) {
            snprintf(unit, size, "%.*s", (int)(len - start), line + start);
            return;
        }
    }
}

static void
look_for_unit(struct manager_signs *signs)
{
    char groups[1024];

    read_text("/proc/self/cgroup", groups, sizeof groups);
    manager_unit(groups, signs->unit, sizeof signs->unit);
}

static void
look_for_container(struct manager_signs *signs)
{
    const char *said = getenv("container"); /* By podman, systemd-nspawn and others. */

    snprintf(signs->container, sizeof signs->container, "%s",
             getenv("KUBERNETES_SERVICE_HOST")         ? "kubernetes"
             : said && *said                           ? said
             : access("/.dockerenv", F_OK) == 0        ? "docker"
             : access("/run/.containerenv", F_OK) == 0 ? "podman"
                                                       : "");
}

static bool
is_first(void)
{
    char first[24], own[24];

    if (getpid() == 1 || getppid() != 1) {
        return getpid() == 1;
    }
    read_name(1, first, sizeof first);
    read_name((long)getpid(), own, sizeof own);
    return own[0] && strcmp(first, own) == 0;
}

static void
look_for_terminal(struct manager_signs *signs)
{
    int fd = open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    char name[sizeof signs->tty + 5];

    signs->terminal = fd >= 0;
    if (fd >= 0) {
        close(fd);
    }
    if (signs->terminal && ttyname_r(STDERR_FILENO, name, sizeof name) == 0 &&
        strncmp(name, "/dev/", 5) == 0) {
        snprintf(signs->tty, sizeof signs->tty, "%s", name + 5);
    }
}

void
manager_look(struct manager_signs *signs)
{
    signs->service = notify_number("SYSTEMD_EXEC_PID", INT32_MAX) == getpid();
    signs->first = !signs->service && is_first();
    if (signs->service) {
        look_for_unit(signs);
    } else if (signs->first) {
        look_for_container(signs);
    } else if (!signs->notified && signs->client) {
        read_name((long)getppid(), signs->parent, sizeof signs->parent);
    } else if (!signs->notified) {
        look_for_terminal(signs);
    }
}

void
manager_tell(const struct manager_signs *signs, char text[MANAGER_TEXT_SIZE])
{
    const char *who = "nobody", *name = "";

    if (signs->service) {
        who = "systemd";
        name = signs->unit;
    } else if (signs->first) {
        who = "container";
        name = signs->container;
    } else if (signs->notified) {
        who = "service manager";
    } else if (signs->client) {
        who = "client";
        name = signs->parent;
    } else if (signs->terminal) {
        who = "terminal";
        name = signs->tty;
    }
    snprintf(text, MANAGER_TEXT_SIZE, "%s%s%s%s", who, *name ? " (" : "", name, *name ? ")" : "");
}
