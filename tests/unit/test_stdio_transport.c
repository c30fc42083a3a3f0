/* The stdio transport on descriptors of every kind, before a dispatcher whose answers come when the
 * test says so. What real lines are answered is in tests/transcripts. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "state/base/log.h"
#include "state/mcp_session.h"
#include "state/settings.h"
#include "tests/script.h"
#include "transports/transport.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEVER INT64_MAX
#define MS 1000000
#define BIG 100000 /* Bytes of a "big" answer. */

/* The dispatcher of this program: a line's first word says what becomes of it. */
struct dispatcher {
    _Atomic unsigned taken, gone, wrong;
    _Atomic size_t answered;   /* Bytes, without line ends. */
    _Atomic size_t read;       /* Bytes that the test has read. */
    size_t unread_max;         /* Most of the difference ever seen; the transport's thread. */
    struct sink *_Atomic held; /* Of the last "hold". */
    sem_t holding;
    struct script_late late;
};

static void
answer(struct dispatcher *d, struct sink *sink, struct slice body)
{
    atomic_fetch_add(&d->answered, body.len);
    script_answer(sink, 0, body);
}

void
dispatch_message(struct dispatcher *d, const struct envelope *env, struct slice body,
                 struct sink *sink)
{
    size_t unread = atomic_load(&d->answered) - atomic_load(&d->read);

    d->unread_max = unread > d->unread_max ? unread : d->unread_max;
    atomic_fetch_add(&d->wrong, env->transport != TRANSPORT_STDIO || !env->session ||
                                    env->session->id[0] != '\0' || env->principal.len != 0);
    atomic_fetch_add(&d->taken, 1);
    if (script_starts(body, "hold")) {
        atomic_store(&d->held, sink);
        sem_post(&d->holding);
    } else if (script_starts(body, "thread")) {
        atomic_fetch_add(&d->answered, body.len);
        script_answer_late(&d->late, sink, NULL, &(struct reply){.body = body});
    } else if (script_starts(body, "note")) {
        answer(d, sink, SLICE_NONE);
    } else if (script_starts(body, "lines")) {
        answer(d, sink, SLICE("{\n\"a\":\n1}\n"));
    } else if (script_starts(body, "big")) {
        atomic_fetch_add(&d->answered, BIG);
        script_answer_big(sink, 0, BIG);
    } else {
        answer(d, sink, body);
    }
}

void
dispatch_last(struct dispatcher *d, const struct envelope *env)
{
    (void)d, (void)env;
}

void
dispatch_gone(struct dispatcher *d, const struct envelope *env, const struct sink *sink)
{
    atomic_fetch_add(&d->wrong, sink != NULL || !env->session);
    atomic_fetch_add(&d->gone, 1);
}

/* One transport, the test's ends of its descriptors, and what it told. */
struct fixture {
    struct dispatcher d;
    struct settings *settings;
    struct transport *transport;
    int to, from; /* The test writes and reads here; -1 when closed. */
    int in, out;  /* The inherited ones. */
    int in_flags, out_flags;
    sem_t ended;
    bool hold; /* Who tells of the end of input is held, until 'go'. */
    sem_t go;
    _Atomic unsigned ended_count;
    struct buf got; /* Read and not yet looked at. */
};

static void
note_ended(void *arg)
{
    struct fixture *x = arg;

    atomic_fetch_add(&x->ended_count, 1);
    sem_post(&x->ended);
    while (x->hold && sem_wait(&x->go) != 0) {
    }
}

static void
begin_on(struct fixture *x)
{
    struct transport_context context = {.dispatcher = &x->d,
                                        .settings = x->settings,
                                        .clock = clock_real(),
                                        .listen_fd = -1,
                                        .in_fd = x->in,
                                        .out_fd = x->out,
                                        .ended = note_ended,
                                        .ended_arg = x};
    struct fault f = FAULT_INIT;

    x->in_flags = fcntl(x->in, F_GETFL);
    x->out_flags = fcntl(x->out, F_GETFL);
    CHECK(stdio_transport.start(&context, &x->transport, &f) == E_OK);
}

static void
set_up(struct fixture *x)
{
    *x = (struct fixture){.to = -1, .from = -1, .in = -1, .out = -1};
    x->settings = settings_create();
    sem_init(&x->ended, 0, 0);
    sem_init(&x->go, 0, 0);
    sem_init(&x->d.holding, 0, 0);
    script_late_init(&x->d.late);
}

static void
begin_pipes(struct fixture *x)
{
    int in[2], out[2];

    set_up(x);
    CHECK_INT(pipe2(in, O_CLOEXEC), 0);
    CHECK_INT(pipe2(out, O_CLOEXEC), 0);
    x->in = in[0];
    x->to = in[1];
    x->from = out[0];
    x->out = out[1];
}

static void
shut(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

static void
send_text(struct fixture *x, const char *text)
{
    for (size_t left = strlen(text); left;) {
        ssize_t n = write(x->to, text, left);
        CHECK(n > 0);
        text += n;
        left -= (size_t)n;
    }
}

/* The next line without its end, new; null at the end of output. */
static char *
next_line(struct fixture *x)
{
    char *lf, *line;

    while (!(lf = x->got.len ? memchr(x->got.data, '\n', x->got.len) : NULL)) {
        ssize_t n;

        CHECK(buf_reserve(&x->got, 65536));
        n = read(x->from, x->got.data + x->got.len, 65536);
        CHECK(n >= 0);
        if (n == 0) {
            CHECK_INT(x->got.len, 0); /* Never half a line. */
            return NULL;
        }
        x->got.len += (size_t)n;
    }
    line = xstrndup(x->got.data, (size_t)(lf - x->got.data));
    x->got.len -= (size_t)(lf + 1 - x->got.data);
    memmove(x->got.data, lf + 1, x->got.len);
    atomic_fetch_add(&x->d.read, strlen(line));
    return line;
}

static void
expect_line(struct fixture *x, const char *expected)
{
    char *line = next_line(x);

    CHECK(line != NULL);
    CHECK_STR(line ? line : "", expected);
    free(line);
}

static int64_t
in_ms(int ms)
{
    return clock_mono(clock_real()) + (int64_t)ms * MS;
}

/* Stops, then checks that the descriptors are as they were. */
static void
finish(struct fixture *x, int64_t deadline_ns)
{
    stdio_transport.stop(x->transport, deadline_ns);
    script_late_fini(&x->d.late);
    CHECK_INT(x->d.wrong, 0);
    CHECK_INT(fcntl(x->in, F_GETFL), x->in_flags);
    CHECK_INT(fcntl(x->out, F_GETFL), x->out_flags);
    shut(&x->in);
    shut(&x->out);
}

static void
tear_down(struct fixture *x)
{
    shut(&x->to);
    shut(&x->from);
    buf_fini(&x->got);
    settings_unref(x->settings);
    sem_destroy(&x->ended);
    sem_destroy(&x->d.holding);
}

static void
expect_end(struct fixture *x, int64_t deadline_ns)
{
    char *line;

    finish(x, deadline_ns);
    line = next_line(x);
    CHECK(line == NULL);
    free(line);
    tear_down(x);
}

static void
each_line_is_answered(void **state)
{
    struct fixture x;

    (void)state;
    begin_pipes(&x);
    begin_on(&x);
    send_text(&x, "one\n\n  \r\ntwo\r\nnote this\nthree\nfo");
    expect_line(&x, "one");
    expect_line(&x, "two");
    expect_line(&x, "three");
    send_text(&x, "ur\nlast, without an end");
    expect_line(&x, "four");
    CHECK_INT(x.ended_count, 0);
    shut(&x.to);
    expect_line(&x, "last, without an end");
    sem_wait(&x.ended);
    expect_end(&x, NEVER);
    CHECK_INT(x.ended_count, 1);
    CHECK_INT(x.d.taken, 6);
    CHECK_INT(x.d.gone, 0);
}

static void
await_beat(const struct fixture *x)
{
    while (!stdio_transport.beats(x->transport)) {
        sched_yield();
    }
}

static void
a_loop_that_is_held_gives_no_sign_of_life(void **state)
{
    struct fixture x;

    (void)state;
    begin_pipes(&x);
    x.hold = true;
    begin_on(&x);
    await_beat(&x);
    await_beat(&x);
    shut(&x.to);
    sem_wait(&x.ended);
    stdio_transport.beats(x.transport); /* It may have answered what it was asked before. */
    CHECK(!stdio_transport.beats(x.transport));
    CHECK(!stdio_transport.beats(x.transport));
    sem_post(&x.go);
    await_beat(&x);
    await_beat(&x); /* After the end of input too. */
    finish(&x, NEVER);
    tear_down(&x);
}

static void
an_answer_is_one_line(void **state)
{
    struct fixture x;

    (void)state;
    begin_pipes(&x);
    begin_on(&x);
    send_text(&x, "lines\n");
    expect_line(&x, "{ \"a\": 1} ");
    expect_end(&x, NEVER);
}

static void
sockets_do_as_well(void **state)
{
    struct fixture x;
    int pair[2];

    (void)state;
    set_up(&x);
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    x.in = x.out = pair[0]; /* One socket for both, as some clients do it. */
    x.to = x.from = pair[1];
    begin_on(&x);
    send_text(&x, "one\ntwo\nbig\nbig\nbig\nbig\nbig\nbig\n");
    expect_line(&x, "one");
    expect_line(&x, "two");
    for (int i = 0; i < 6; i++) {
        char *line = next_line(&x);
        CHECK(line && strlen(line) == 100000);
        free(line);
    }
    shutdown(x.to, SHUT_WR);
    sem_wait(&x.ended);
    x.to = -1;
    stdio_transport.stop(x.transport, NEVER);
    CHECK_INT(fcntl(x.in, F_GETFL), x.in_flags);
    shut(&x.in);
    CHECK(next_line(&x) == NULL);
    tear_down(&x);
}

/* Input and output as regular files: "tandem serve <requests >answers". */
static void
files_do_as_well(void **state)
{
    char in_name[] = "/tmp/tandem-test-XXXXXX", out_name[] = "/tmp/tandem-test-XXXXXX";
    struct fixture x;
    enum { LINES = 20000 };

    (void)state;
    set_up(&x);
    x.to = mkstemp(in_name);
    x.from = mkstemp(out_name);
    for (int i = 0; i < LINES; i++) {
        char text[64];
        snprintf(text, sizeof text, "line %d\n", i);
        send_text(&x, text);
    }
    send_text(&x, "end");
    x.in = open(in_name, O_RDONLY | O_CLOEXEC);
    x.out = open(out_name, O_WRONLY | O_CLOEXEC);
    CHECK_INT(write(x.out, "kept\n", 5), 5);
    begin_on(&x);
    sem_wait(&x.ended);
    finish(&x, NEVER);
    expect_line(&x, "kept");
    for (int i = 0; i < LINES; i++) {
        char text[64];
        snprintf(text, sizeof text, "line %d", i);
        expect_line(&x, text);
    }
    expect_line(&x, "end");
    CHECK(next_line(&x) == NULL);
    unlink(in_name);
    unlink(out_name);
    tear_down(&x);
}

static void
no_input_at_all_is_the_end_of_it(void **state)
{
    struct fixture x;

    (void)state;
    set_up(&x);
    x.in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    x.out = open("/dev/null", O_WRONLY | O_CLOEXEC);
    begin_on(&x);
    sem_wait(&x.ended);
    finish(&x, NEVER);
    CHECK_INT(x.d.taken, 0);
    tear_down(&x);
}

static void
a_line_too_long_is_told_and_the_next_is_read(void **state)
{
    struct fixture x;
    struct fault f = FAULT_INIT;
    struct buf text = BUF_INIT;

    (void)state;
    begin_pipes(&x);
    CHECK(settings_set(x.settings, SETTING_limits_message, "4KiB", ORIGIN_OPTION, &f) == E_OK);
    begin_on(&x);
    for (int i = 0; i < 4096; i++) {
        buf_addc(&text, 'a');
    }
    buf_adds(&text, "\r\n");
    send_text(&x, text.data);
    text.data[text.len - 2] = '\0';
    expect_line(&x, text.data);
    text.data[text.len - 2] = 'a';
    send_text(&x, text.data);
    send_text(&x, "next\n");
    expect_line(
        &x, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":\"the message is longer "
            "than 4096 bytes (limits.message); send large content in parts, or in a file\"}}");
    expect_line(&x, "next");
    send_text(&x, text.data);
    text.data[text.len - 1] = '\0';
    send_text(&x, text.data); /* The last one, without an end. */
    shut(&x.to);
    for (int i = 0; i < 2; i++) {
        char *line = next_line(&x);
        CHECK(line && strstr(line, "-32600") != NULL);
        free(line);
    }
    buf_fini(&text);
    expect_end(&x, NEVER);
    CHECK_INT(x.d.taken, 2);
}

static void
answers_of_many_threads_are_whole_lines(void **state)
{
    struct fixture x;
    bool seen[64] = {false};

    (void)state;
    begin_pipes(&x);
    begin_on(&x);
    for (int i = 0; i < 64; i++) {
        char text[64];
        snprintf(text, sizeof text, "thread %d\n", i);
        send_text(&x, text);
    }
    for (int i = 0; i < 64; i++) {
        char *line = next_line(&x);
        int n = -1;
        CHECK(line && sscanf(line, "thread %d", &n) == 1 && n >= 0 && n < 64);
        CHECK(!seen[n]);
        seen[n] = true;
        free(line);
    }
    expect_end(&x, NEVER);
}

/* A client that sends and does not read: lines wait in its pipe, not in our memory. */
static void
unread_answers_stop_the_reading(void **state)
{
    struct fixture x;
    struct fault f = FAULT_INIT;
    enum { CALLS = 300, QUEUE = 1 << 20, PIPE = 1 << 16 };

    (void)state;
    begin_pipes(&x);
    CHECK(settings_set(x.settings, SETTING_limits_stdout, "1MiB", ORIGIN_OPTION, &f) == E_OK);
    begin_on(&x);
    for (int i = 0; i < CALLS; i++) {
        send_text(&x, "big\n");
    }
    for (int i = 0; i < CALLS; i++) {
        char *line = next_line(&x);
        CHECK(line && strlen(line) == BIG);
        free(line);
    }
    send_text(&x, "and on\n");
    expect_line(&x, "and on");
    expect_end(&x, NEVER);
    CHECK_INT(x.d.taken, CALLS + 1);
    /* What was on its way: the queue, one answer over it, the pipe, and what next_line() holds. */
    CHECK(x.d.unread_max <= QUEUE + BIG + PIPE + 2 * (BIG + 65536));
    CHECK(x.d.unread_max >= QUEUE / 2);
}

static void *
release_held(void *arg)
{
    struct fixture *x = arg;

    sem_wait(&x->d.holding);
    answer(&x->d, atomic_load(&x->d.held), SLICE("held"));
    return NULL;
}

static void
stop_waits_for_the_call_in_flight(void **state)
{
    struct fixture x;
    pthread_t thread;

    (void)state;
    for (int round = 0; round < 50; round++) {
        begin_pipes(&x);
        begin_on(&x);
        send_text(&x, "hold\necho\n");
        expect_line(&x, "echo"); /* So the call is held. */
        CHECK_INT(pthread_create(&thread, NULL, release_held, &x), 0);
        finish(&x, NEVER);
        pthread_join(thread, NULL);
        expect_line(&x, "held");
        CHECK(next_line(&x) == NULL);
        CHECK_INT(x.d.gone, 0);
        tear_down(&x);
    }
}

static void
stop_gives_up_a_call_at_the_deadline(void **state)
{
    struct fixture x;

    (void)state;
    begin_pipes(&x);
    begin_on(&x);
    send_text(&x, "hold\n");
    sem_wait(&x.d.holding);
    finish(&x, in_ms(30));
    CHECK_INT(x.d.gone, 1);
    answer(&x.d, atomic_load(&x.d.held),
           SLICE("too late")); /* It goes nowhere, and does no harm. */
    CHECK(next_line(&x) == NULL);
    tear_down(&x);

    begin_pipes(&x);
    begin_on(&x);
    send_text(&x, "hold\n");
    sem_wait(&x.d.holding);
    finish(&x, 0); /* A deadline long past. */
    answer(&x.d, atomic_load(&x.d.held), SLICE("too late"));
    tear_down(&x);
}

static void
a_peer_that_never_reads_cannot_hold_up_stop(void **state)
{
    struct fixture x;

    (void)state;
    begin_pipes(&x);
    begin_on(&x);
    send_text(&x, "big\nbig\nbig\nhold\n");
    sem_wait(&x.d.holding);
    answer(&x.d, atomic_load(&x.d.held), SLICE("held"));
    finish(&x, in_ms(30));
    CHECK_INT(x.d.gone, 1);
    tear_down(&x);
}

static void *
read_all(void *arg)
{
    struct fixture *x = arg;
    char *line;
    size_t total = 0;

    while ((line = next_line(x)) != NULL) {
        total += strlen(line);
        free(line);
    }
    return (void *)total;
}

/* The client reads on while the transport is being stopped. */
static void
all_that_is_queued_is_written_before_the_end(void **state)
{
    struct fixture x;
    pthread_t reader;
    void *total;

    (void)state;
    begin_pipes(&x);
    begin_on(&x);
    for (int i = 0; i < 20; i++) {
        send_text(&x, "big\n");
    }
    shut(&x.to);
    sem_wait(&x.ended); /* All are taken; the pipe holds part of the first answer. */
    pthread_create(&reader, NULL, read_all, &x);
    finish(&x, NEVER);
    pthread_join(reader, &total);
    CHECK_INT((size_t)total, 20 * 100000);
    CHECK_INT(x.d.gone, 0);
    tear_down(&x);
}

static void
a_peer_that_left_ends_the_connection(void **state)
{
    struct fixture x;

    (void)state;
    begin_pipes(&x);
    begin_on(&x);
    shut(&x.from);
    send_text(&x, "hold\necho\nmore\nmore\n");
    sem_wait(&x.ended);
    answer(&x.d, atomic_load(&x.d.held), SLICE("for nobody"));
    finish(&x, NEVER);
    CHECK_INT(x.d.gone, 1);
    CHECK_INT(x.ended_count, 1);
    tear_down(&x);
}

static unsigned
open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned count = 0;

    while (readdir(folder)) {
        count++;
    }
    closedir(folder);
    return count;
}

static void
start_and_stop_leave_nothing(void **state)
{
    unsigned before = open_descriptors();
    struct fixture x;

    (void)state;
    for (int i = 0; i < 100; i++) {
        begin_pipes(&x);
        begin_on(&x);
        send_text(&x, "not read, perhaps\n");
        finish(&x, NEVER);
        tear_down(&x);
    }
    CHECK_INT(open_descriptors(), before);
}

static void
what_cannot_be_used_is_told(void **state)
{
    unsigned before = open_descriptors();
    struct fixture x;
    struct fault f = FAULT_INIT;
    struct transport *t = NULL;
    struct transport_context context = {
        .dispatcher = &x.d, .clock = clock_real(), .in_fd = -1, .out_fd = 999};

    (void)state;
    set_up(&x);
    context.settings = x.settings;
    CHECK(stdio_transport.start(&context, &t, &f) == E_IO);
    CHECK(t == NULL && strstr(f.text, "input") != NULL);
    context.in_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK(stdio_transport.start(&context, &t, &f) == E_IO);
    CHECK(t == NULL && strstr(f.text, "output") != NULL);
    close(context.in_fd);
    tear_down(&x);
    CHECK_INT(open_descriptors(), before);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_is_answered),
        cmocka_unit_test(a_loop_that_is_held_gives_no_sign_of_life),
        cmocka_unit_test(an_answer_is_one_line),
        cmocka_unit_test(sockets_do_as_well),
        cmocka_unit_test(files_do_as_well),
        cmocka_unit_test(no_input_at_all_is_the_end_of_it),
        cmocka_unit_test(a_line_too_long_is_told_and_the_next_is_read),
        cmocka_unit_test(answers_of_many_threads_are_whole_lines),
        cmocka_unit_test(unread_answers_stop_the_reading),
        cmocka_unit_test(stop_waits_for_the_call_in_flight),
        cmocka_unit_test(stop_gives_up_a_call_at_the_deadline),
        cmocka_unit_test(a_peer_that_never_reads_cannot_hold_up_stop),
        cmocka_unit_test(all_that_is_queued_is_written_before_the_end),
        cmocka_unit_test(a_peer_that_left_ends_the_connection),
        cmocka_unit_test(start_and_stop_leave_nothing),
        cmocka_unit_test(what_cannot_be_used_is_told),
    };
    alarm(120); /* A wake-up that is lost hangs: tell it so. */
    log_configure(LOG_OFF, LOG_TEXT);
    return CHECK_RUN(tests);
}
