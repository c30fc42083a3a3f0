/* manager.h -- who manages this process: who has started it, ends it, and may start it again.
 *
 * People ask that of a server that runs ("tandem status"), for it says how to end it: systemctl
 * stop, docker stop, close the editor, Ctrl-C.  Nothing here decides anything. */
#ifndef TANDEM_MANAGER_H
#define TANDEM_MANAGER_H

#include <stdbool.h>

#define MANAGER_TEXT_SIZE 160

/* What there is to go by.  Empty texts: not known. */
struct manager_signs {
    bool service;  /* systemd has started this very process; */
    char unit[96]; /* as this unit. */
    bool notified; /* A service manager listens (server/notify.h). */
    bool first;    /* It is the first process of its name space, or the child for which that one
                    * stands aside (server/init.h). */
    char container[24]; /* What marks a container: "docker", "podman", "kubernetes", ... */
    bool client;        /* It serves a client on its standard input; */
    char parent[24];    /* the process that began it is called so. */
    bool terminal;      /* It has a terminal; */
    char tty[32];       /* this one. */
};

/* Fills in what the system says, as far as it matters: what comes first in manager_tell() is all
 * that is said.  'notified' and 'client' are the caller's.  Before the walls of the sandbox. */
void manager_look(struct manager_signs *signs);
/* The systemd unit that /proc/PID/cgroup, 'text', names; "" if there is none. */
void manager_unit(const char *text, char *unit, unsigned size);
/* Says it: "systemd (tandem.service)", "container (docker)", "service manager", "client (code)",
 * "terminal (pts/3)" or "nobody". */
void manager_tell(const struct manager_signs *signs, char text[MANAGER_TEXT_SIZE]);

#endif
