/* test_child.c -- programs that end, fail, flood, hang and leave others behind. */
#include "tests/check.h"

#include "state/base/child.h"
#include "state/base/clock.h"
#include "tests/threads.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define SECOND ((int64_t)1000000000)

static const char *const nothing[] = {"PATH=/usr/bin:/bin", NULL};

static enum child_end
run(const char *script, int64_t limit_ns, const atomic_bool *given_up, struct buf *out)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct child_order order = {.argv = argv,
                                .environ = nothing,
                                .folder = "/usr",
                                .limit_ns = limit_ns,
                                .output_max = 1000,
                                .given_up = given_up};

    return child_run(&order, out);
}

static void
output_is_kept_of_what_ends_well(void **unused)
{
    struct buf out = BUF_INIT;

    (void)unused;
    CHECK_INT(run("pwd; echo oops >&2; cat", 20 * SECOND, NULL, &out), CHILD_GOOD);
    CHECK_STR(out.data, "/usr\n");
    buf_reset(&out);
    CHECK_INT(run("echo x; exit 3", 20 * SECOND, NULL, &out), CHILD_FAILED);
    CHECK_INT(out.len, 0);
    CHECK_INT(run("kill -SEGV $$", 20 * SECOND, NULL, &out), CHILD_FAILED);
    buf_fini(&out);
}

static void
input_is_read_to_its_end(void **unused)
{
    static char much[CHILD_INPUT_MAX + 1];
    const char *const argv[] = {"wc", "-c", NULL};
    struct child_order order = {.argv = argv,
                                .environ = nothing,
                                .folder = "/",
                                .input = SLICE("a line\n"),
                                .limit_ns = 20 * SECOND,
                                .output_max = 1000};
    struct buf out = BUF_INIT;

    (void)unused;
    CHECK_INT(child_run(&order, &out), CHILD_GOOD);
    CHECK_STR(out.data, "7\n");
    buf_reset(&out);
    order.input = (struct slice){much, CHILD_INPUT_MAX};
    CHECK_INT(child_run(&order, &out), CHILD_GOOD);
    CHECK_STR(out.data, "32768\n");
    order.input.len++;
    CHECK_INT(child_run(&order, &out), CHILD_FAILED);
    buf_fini(&out);
}

static void
what_is_not_there_fails(void **unused)
{
    const char *const argv[] = {"no-such-program-anywhere", NULL};
    struct child_order order = {
        .argv = argv, .environ = nothing, .folder = "/", .limit_ns = 20 * SECOND, .output_max = 10};
    struct buf out = BUF_INIT;

    (void)unused;
    CHECK_INT(child_run(&order, &out), CHILD_FAILED);
    order.argv = (const char *const[]){"true", NULL};
    order.folder = "/no-such-folder";
    CHECK_INT(child_run(&order, &out), CHILD_FAILED);
    buf_fini(&out);
}

static void
a_flood_is_read_and_cut(void **unused)
{
    struct buf out = BUF_INIT;

    (void)unused;
    CHECK_INT(run("yes | head -c 3000000", 20 * SECOND, NULL, &out), CHILD_GOOD);
    CHECK(out.len <= 1000);
    buf_fini(&out);
}

static void
what_hangs_is_killed_with_its_children(void **unused)
{
    struct buf out = BUF_INIT;
    atomic_bool given_up = true;

    (void)unused;
    CHECK_INT(run("cat </dev/zero >/dev/null & wait", SECOND / 20, NULL, &out), CHILD_KILLED);
    CHECK_INT(run("cat </dev/zero >/dev/null", 20 * SECOND, &given_up, &out), CHILD_KILLED);
    buf_fini(&out);
}

static void
signals_are_as_a_program_expects(void **unused)
{
    struct buf out = BUF_INIT;
    sigset_t all;

    (void)unused;
    sigfillset(&all);
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    CHECK_INT(run("grep SigBlk /proc/self/status", 20 * SECOND, NULL, &out), CHILD_GOOD);
    CHECK_STR(out.data, "SigBlk:\t0000000000000000\n");
    /* Not ignored any more: it ends the child. */
    CHECK_INT(run("kill -PIPE $$; exit 0", 20 * SECOND, NULL, &out), CHILD_FAILED);
    pthread_sigmask(SIG_UNBLOCK, &all, NULL);
    signal(SIGPIPE, SIG_DFL);
    buf_fini(&out);
}

static _Atomic unsigned good;

static void
run_one(void *arg, unsigned number)
{
    struct buf out = BUF_INIT;
    char script[32], want[16];

    (void)arg;
    snprintf(script, sizeof script, "echo %u", number);
    snprintf(want, sizeof want, "%u\n", number);
    good += run(script, 60 * SECOND, NULL, &out) == CHILD_GOOD && slice_is(buf_slice(&out), want);
    buf_fini(&out);
}

static void
many_threads_each_get_their_own_output(void **unused)
{
    (void)unused;
    for (const unsigned *count = race_sizes; *count <= 50; count++) {
        good = 0;
        threads_run(*count, run_one, NULL);
        CHECK_INT(good, *count);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_is_kept_of_what_ends_well),
        cmocka_unit_test(input_is_read_to_its_end),
        cmocka_unit_test(what_is_not_there_fails),
        cmocka_unit_test(a_flood_is_read_and_cut),
        cmocka_unit_test(what_hangs_is_killed_with_its_children),
        cmocka_unit_test(signals_are_as_a_program_expects),
        cmocka_unit_test(many_threads_each_get_their_own_output),
    };
    return CHECK_RUN(tests);
}
