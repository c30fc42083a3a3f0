/* test_aside.c -- a process beside answers, is not waited for too long, and ends with its maker. */
#include "tests/check.h"

#include "state/base/aside.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONG_NS INT64_C(20000000000)

static const atomic_bool never = false;

/* ---- What the other process does ---- */

static void
repeat(const char *arg, int asker, struct buf *out)
{
    (void)asker;
    buf_addf(out, "%s, from %s", arg, getpid() == getsid(0) ? "its leader" : "another");
}

/* What it has of its maker's: descriptors beyond its socket. */
static void
tell_descriptors(const char *arg, int asker, struct buf *out)
{
    (void)arg;
    for (int fd = 0; fd < 1024; fd++) {
        char path[32], name[64];
        ssize_t n;

        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        n = readlink(path, name, sizeof name - 1);
        if (n > 0) {
            name[n] = '\0';
            buf_addf(out, "%d%s ", fd, fd == asker ? "" : name);
        }
    }
}

static void
say_too_much(const char *arg, int asker, struct buf *out)
{
    (void)arg, (void)asker;
    for (int i = 0; i < ASIDE_ANSWER_MAX; i++) {
        buf_addc(out, 'x');
    }
}

static void
end_itself(const char *arg, int asker, struct buf *out)
{
    (void)arg, (void)asker, (void)out;
    raise(SIGKILL);
}

/* Answers once nobody waits any more. */
static void
wait_for_asker(const char *arg, int asker, struct buf *out)
{
    struct pollfd gone = {.fd = asker};

    (void)arg;
    poll(&gone, 1, 20000);
    buf_adds(out, gone.revents & POLLHUP ? "gone" : "there");
}

/* ---- Tests ---- */

static struct aside *
start(aside_answer *answer)
{
    struct aside *a = NULL;
    struct fault f = FAULT_INIT;

    CHECK_INT(aside_start(answer, "who", &a, &f), E_OK);
    return a;
}

static void
answers_again_and_again(void **state)
{
    struct aside *a = start(repeat);
    struct buf out = BUF_INIT;

    (void)state;
    for (int i = 0; i < 600; i++) { /* More than its numbers. */
        buf_reset(&out);
        CHECK_INT(aside_ask(a, LONG_NS, &never, &out), E_OK);
        CHECK_STR(out.data, "who, from another");
    }
    buf_fini(&out);
    aside_end(a);
}

static void
has_nothing_of_its_makers(void **state)
{
    int fds[2];
    struct aside *a;
    struct buf out = BUF_INIT;

    (void)state;
    CHECK_INT(pipe(fds), 0);
    a = start(tell_descriptors);
    CHECK_INT(aside_ask(a, LONG_NS, &never, &out), E_OK);
    CHECK_STR(out.data, "0/dev/null 1/dev/null 2/dev/null 3 ");
    buf_fini(&out);
    aside_end(a);
    close(fds[0]);
    close(fds[1]);
}

static void
what_is_no_answer_is_told(void **state)
{
    struct aside *a = start(say_too_much);
    struct buf out = BUF_INIT;

    (void)state;
    CHECK_INT(aside_ask(a, LONG_NS, &never, &out), E_IO);
    aside_end(a);
    a = start(end_itself);
    CHECK_INT(aside_ask(a, LONG_NS, &never, &out), E_IO);
    CHECK_INT(aside_ask(a, LONG_NS, &never, &out), E_IO);
    CHECK_INT(out.len, 0);
    aside_end(a);
    buf_fini(&out);
}

static void
nobody_waits_for_ever(void **state)
{
    struct aside *a = start(wait_for_asker);
    const atomic_bool over = true;
    struct buf out = BUF_INIT;

    (void)state;
    CHECK_INT(aside_ask(a, 1, &never, &out), E_TIMEOUT);
    CHECK_INT(aside_ask(a, LONG_NS, &over, &out), E_CANCELLED);
    aside_end(a); /* It sees that, and this returns. */
    CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
    buf_fini(&out);
    aside_end(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_again_and_again),
        cmocka_unit_test(has_nothing_of_its_makers),
        cmocka_unit_test(what_is_no_answer_is_told),
        cmocka_unit_test(nobody_waits_for_ever),
    };

    return CHECK_RUN(tests);
}
