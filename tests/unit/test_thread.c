/* Threads are named, joined by their caller, and deaf to signals. */
#include "tests/check.h"

#include "state/base/thread.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

struct seen {
    sigset_t blocked;
    int broken_pipe[2];
    int write_errno;
};

static void *
look_around(void *arg)
{
    struct seen *seen = arg;

    pthread_sigmask(SIG_SETMASK, NULL, &seen->blocked);
    /* With SIGPIPE at its default this would end the process if it were not blocked. */
    seen->write_errno = write(seen->broken_pipe[1], "x", 1) < 0 ? errno : 0;
    return arg;
}

static void
a_thread_gets_no_signals(void **state)
{
    struct seen seen;
    sigset_t mine;
    pthread_t thread;
    void *result;

    (void)state;
    signal(SIGPIPE, SIG_DFL);
    CHECK_INT(pipe(seen.broken_pipe), 0);
    close(seen.broken_pipe[0]);
    CHECK_INT(thread_start(&thread, "tandem-test", look_around, &seen), 0);
    CHECK_INT(pthread_join(thread, &result), 0);
    CHECK(result == &seen);
    CHECK_INT(seen.write_errno, EPIPE);
    CHECK(sigismember(&seen.blocked, SIGTERM) && sigismember(&seen.blocked, SIGINT) &&
          sigismember(&seen.blocked, SIGHUP) && sigismember(&seen.blocked, SIGPIPE));
    pthread_sigmask(SIG_SETMASK, NULL, &mine);
    CHECK(!sigismember(&mine, SIGTERM)); /* The caller's mask is as before. */
    close(seen.broken_pipe[1]);
}

static void *
tell_name(void *arg)
{
    pthread_barrier_t *named = arg;

    pthread_barrier_wait(named);
    return NULL;
}

static void
a_thread_has_a_name(void **state)
{
    pthread_barrier_t named;
    pthread_t thread;
    char name[16];

    (void)state;
    pthread_barrier_init(&named, NULL, 2);
    CHECK_INT(thread_start(&thread, "tandem-named", tell_name, &named), 0);
    CHECK_INT(pthread_getname_np(thread, name, sizeof name), 0);
    CHECK_STR(name, "tandem-named");
    pthread_barrier_wait(&named);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&named);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_gets_no_signals),
        cmocka_unit_test(a_thread_has_a_name),
    };
    return CHECK_RUN(tests);
}
