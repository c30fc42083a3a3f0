/* init.c -- process 1. */
#include "server/init.h"

#include "state/base/aside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Collects all who have ended; true if 'child' is among them. */
static bool
collect(pid_t child, int *status)
{
    bool over = false;
    int how;
    pid_t pid;

    while ((pid = waitpid(-1, &how, WNOHANG)) > 0) {
        if (pid == child) {
            *status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
            over = true;
        }
    }
    return over;
}

/* What a terminal's keys send goes to the child by itself, which is in the same group.  A hangup
 * goes to the first of the session only. */
static bool
is_for_child(const siginfo_t *info)
{
    return info->si_code != SI_KERNEL || info->si_signo == SIGHUP;
}

int
init_watch(pid_t child)
{
    sigset_t all;
    int status = 0;

    sigfillset(&all);
    for (;;) {
        siginfo_t info;
        int number = sigwaitinfo(&all, &info);

        if (number == SIGCHLD) {
            if (collect(child, &status)) {
                return status;
            }
        } else if (number > 0 && is_for_child(&info)) {
            kill(child, number); /* It has not been collected, so the number is its own. */
        }
    }
}

/* What was meant for process 1 by its number, as sockets and watchdogs are (sd_listen_fds(3)), is
 * meant for the program. */
static void
take_over(const char *variable)
{
    const char *number = getenv(variable);
    char own[24];

    if (number && strcmp(number, "1") == 0) {
        snprintf(own, sizeof own, "%ld", (long)getpid());
        setenv(variable, own, 1);
    }
}

bool
init_stand_aside(void)
{
    sigset_t all, before;
    pid_t child;

    if (getpid() != 1) {
        return true;
    }
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before); /* From here on they wait to be handed on. */
    child = fork();
    if (child > 0) {
        aside_let_go(-1); /* The ends of pipes and sockets are the child's alone. */
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* The environment may hold a token. */
        _exit(init_watch(child));
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    take_over("LISTEN_PID");
    take_over("WATCHDOG_PID");
    return child == 0;
}
