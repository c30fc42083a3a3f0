/* test_init.c -- process 1: whose signals, whose children, whose status.
 *
 * Here it is a process that takes orphans (PR_SET_CHILD_SUBREAPER), as process 1 does by being it;
 * tests/cli/test_container.sh has it in a namespace. */
#include "server/init.h"

#include "tests/check.h"

#include <errno.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A process that is first to what 'run' does, in a child of it that can be told by 'go'. */
struct first {
    pid_t pid;   /* Its number. */
    int from[2]; /* What the child says. */
};

static void
begin(struct first *first, int (*run)(int to))
{
    CHECK_INT(pipe(first->from), 0);
    first->pid = fork();
    CHECK(first->pid >= 0);
    if (first->pid == 0) {
        sigset_t all;
        pid_t child;

        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
        child = fork();
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
            _exit(run(first->from[1]));
        }
        close(first->from[1]);
        _exit(child > 0 ? init_watch(child) : 111);
    }
    close(first->from[1]);
}

static int
finish(struct first *first)
{
    int status = 0;

    CHECK_INT(waitpid(first->pid, &status, 0), first->pid);
    close(first->from[0]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static pid_t
read_number(struct first *first)
{
    pid_t number = -1;

    CHECK_INT(read(first->from[0], &number, sizeof number), sizeof number);
    return number;
}

static int
end_with_7(int to)
{
    (void)to;
    return 7;
}

static int
end_by_a_signal(int to)
{
    sigset_t none;

    (void)to;
    sigemptyset(&none);
    signal(SIGKILL, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    raise(SIGKILL);
    return 0;
}

static void
its_status_is_the_childs(void **unused)
{
    struct first first;

    (void)unused;
    begin(&first, end_with_7);
    CHECK_INT(finish(&first), 7);
    begin(&first, end_by_a_signal);
    CHECK_INT(finish(&first), 128 + SIGKILL);
}

/* Tells each signal that comes; ends with SIGTERM. */
static int
tell_signals(int to)
{
    sigset_t set;
    pid_t number = getpid();

    sigfillset(&set);
    sigdelset(&set, SIGCHLD); /* Its own. */
    if (write(to, &number, sizeof number) != sizeof number) {
        return 1;
    }
    for (;;) {
        number = sigwaitinfo(&set, NULL);
        if (write(to, &number, sizeof number) != sizeof number) {
            return 1;
        }
        if (number == SIGTERM) {
            return 3;
        }
    }
}

static void
signals_are_handed_on(void **unused)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGUSR1, SIGWINCH, SIGTERM};
    struct first first;

    (void)unused;
    begin(&first, tell_signals);
    CHECK(read_number(&first) > 0);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        CHECK_INT(kill(first.pid, signals[i]), 0);
        CHECK_INT(read_number(&first), signals[i]);
    }
    CHECK_INT(finish(&first), 3);
}

/* Leaves a process behind that tells its number and waits, then tells signals. */
static int
leave_an_orphan(int to)
{
    pid_t middle = fork();

    if (middle == 0) {
        pid_t orphan = fork();

        if (orphan == 0) {
            sigset_t set;

            sigemptyset(&set);
            sigprocmask(SIG_SETMASK, &set, NULL);
            for (;;) {
                pause();
            }
        }
        _exit(write(to, &orphan, sizeof orphan) != sizeof orphan);
    }
    waitpid(middle, NULL, 0);
    return tell_signals(to);
}

static void
orphans_are_collected(void **unused)
{
    struct first first;
    pid_t orphan;

    (void)unused;
    begin(&first, leave_an_orphan);
    orphan = read_number(&first);
    CHECK(read_number(&first) > 0);
    CHECK_INT(kill(orphan, SIGKILL), 0);
    for (int i = 0; i < 1000 && kill(orphan, 0) == 0; i++) {
        poll(NULL, 0, 10); /* A zombie takes signals: until it has been collected. */
    }
    CHECK_INT(kill(orphan, 0), -1);
    CHECK_INT(errno, ESRCH);
    CHECK_INT(kill(first.pid, SIGTERM), 0); /* And it goes on. */
    CHECK_INT(read_number(&first), SIGTERM);
    CHECK_INT(finish(&first), 3);
}

static void
elsewhere_nothing_happens(void **unused)
{
    pid_t before = getpid();

    (void)unused;
    CHECK(init_stand_aside());
    CHECK_INT(getpid(), before);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(its_status_is_the_childs),
    cmocka_unit_test(signals_are_handed_on),
    cmocka_unit_test(orphans_are_collected),
    cmocka_unit_test(elsewhere_nothing_happens),
};

int
main(void)
{
    return CHECK_RUN(tests);
}
