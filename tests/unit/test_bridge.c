/* A bridge between a client on pipes and a server on a socket, both played by the test. */
#include "tests/check.h"

#include "state/base/log.h"
#include "state/config.h"
#include "transports/bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 20000

struct fixture {
    struct settings *settings;
    struct bridge *bridge;
    int say, hear; /* The client's ends; -1 when closed. */
    int in, out;   /* The bridge's. */
    int signal_fd;
    int link;    /* The server's end; -1 when closed. */
    int joining; /* The bridge's. */
    int patience_ms;
    pthread_t thread;
    enum bridge_end end;
};
static struct fixture x;

static bool
is_safe(const struct rpc_message *call)
{
    (void)call;
    return false;
}

static void
use_settings(const char *const *texts)
{
    struct config_options options = {.path = NULL};
    struct problems problems = PROBLEMS_INIT;
    struct config *config;

    for (; texts && *texts; texts += 2) {
        enum setting setting = strcmp(texts[0], "limits.message") == 0 ? SETTING_limits_message
                                                                       : SETTING_limits_stdout;
        options.options.text[setting] = xstrdup(texts[1]);
    }
    CHECK(config_create(&options, &config, &problems, NULL) == E_OK);
    x.settings = config_settings(config);
    config_unref(config);
    problems_fini(&problems);
}

static void
begin_with(const char *const *texts)
{
    int in[2], out[2];
    struct bridge_options options = {.repeatable = is_safe};

    x = (struct fixture){.link = -1, .joining = -1};
    log_configure(LOG_OFF, LOG_TEXT);
    signal(SIGPIPE, SIG_IGN);
    use_settings(texts);
    CHECK(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    x.in = in[0];
    x.say = in[1];
    x.hear = out[0];
    x.out = out[1];
    x.signal_fd = eventfd(0, EFD_CLOEXEC);
    options.settings = x.settings;
    options.in_fd = x.in;
    options.out_fd = x.out;
    options.signal_fd = x.signal_fd;
    CHECK(bridge_open(&options, &x.bridge, NULL) == E_OK);
}

static int
begin(void **state)
{
    (void)state;
    begin_with(NULL);
    return 0;
}

static void
close_end(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

static int
finish(void **state)
{
    (void)state;
    bridge_close(x.bridge);
    close_end(&x.say);
    close_end(&x.hear);
    close_end(&x.in);
    close_end(&x.out);
    close_end(&x.signal_fd);
    close_end(&x.link);
    settings_unref(x.settings);
    return 0;
}

static void *
run(void *arg)
{
    (void)arg;
    x.end = bridge_run(x.bridge, x.joining, x.patience_ms);
    return NULL;
}

/* Gives the bridge a server. */
static void
join_server(void)
{
    int link[2];

    close_end(&x.link);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, link) == 0);
    x.link = link[0];
    x.joining = link[1];
    CHECK(pthread_create(&x.thread, NULL, run, NULL) == 0);
}

/* Runs it without one. */
static void
run_alone(int patience_ms)
{
    x.joining = -1;
    x.patience_ms = patience_ms;
    CHECK(pthread_create(&x.thread, NULL, run, NULL) == 0);
}

static void
expect_end(enum bridge_end end)
{
    CHECK(pthread_join(x.thread, NULL) == 0);
    CHECK_INT(x.end, end);
}

static void
write_all(int fd, const char *text)
{
    size_t len = strlen(text);

    CHECK(write(fd, text, len) == (ssize_t)len);
}

/* Exactly 'text' comes next. */
static void
expect(int fd, const char *text)
{
    char got[4096];
    size_t len = strlen(text), n = 0;

    CHECK(len < sizeof got);
    while (n < len) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t more;

        CHECK(poll(&p, 1, PATIENCE_MS) == 1);
        more = read(fd, got + n, len - n);
        CHECK(more > 0);
        n += (size_t)more;
    }
    got[n] = '\0';
    CHECK_STR(got, text);
}

static void
expect_closed(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char c;

    CHECK(poll(&p, 1, PATIENCE_MS) == 1);
    CHECK(read(fd, &c, 1) == 0);
}

#define CALL(ID) \
    "{\"jsonrpc\":\"2.0\",\"id\":" ID ",\"method\":\"tools/call\",\"params\":{\"name\":\"x\"}}\n"
#define PING(ID) "{\"jsonrpc\":\"2.0\",\"id\":" ID ",\"method\":\"ping\"}\n"
#define DONE(ID) "{\"jsonrpc\":\"2.0\",\"id\":" ID ",\"result\":{}}\n"
#define LOST_START(ID) "{\"jsonrpc\":\"2.0\",\"id\":" ID ",\"error\":{\"code\":503,"

/* A line that begins so comes next. */
static void
expect_line(int fd, const char *start)
{
    char c = ' ';

    expect(fd, start);
    while (c != '\n') {
        struct pollfd p = {.fd = fd, .events = POLLIN};

        CHECK(poll(&p, 1, PATIENCE_MS) == 1 && read(fd, &c, 1) == 1);
    }
}

static void
lines_go_both_ways(void **state)
{
    (void)state;
    join_server();
    write_all(x.say, PING("1") "\r\n  \n" PING("2"));
    expect(x.link, PING("1") PING("2"));
    write_all(x.link, "=1\n" DONE("1") "{\"half\":");
    expect(x.hear, DONE("1"));
    write_all(x.link, "1}\n=2\n" DONE("2"));
    expect(x.hear, "{\"half\":1}\n" DONE("2"));
    write_all(x.say, PING("3")); /* The last line needs no end, */
    write_all(x.say, "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"ping\"}");
    close_end(&x.say);
    expect(x.link, PING("3") PING("4")); /* but is sent with one. */
    expect_closed(x.link);
    write_all(x.link, "=4\n" DONE("4") DONE("3"));
    close_end(&x.link);
    expect(x.hear, DONE("4") DONE("3"));
    expect_end(BRIDGE_OVER);
}

static void
lines_too_long_are_refused_here(void **state)
{
    static const char *const small[] = {"limits.message", "4KiB", NULL};
    char line[6000];

    finish(state);
    begin_with(small);
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\0';
    join_server();
    write_all(x.say, line);
    write_all(x.say, "\n" PING("1"));
    expect(x.link, PING("1"));
    expect_line(x.hear,
                "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":\"the message is "
                "longer than 4096 bytes");
    close_end(&x.link);
    expect_end(BRIDGE_PARTED);
}

static void
servers_come_and_go(void **state)
{
    (void)state;
    run_alone(1); /* None is there yet. */
    expect_end(BRIDGE_PARTED);
    write_all(x.say, CALL("1") CALL("2"));
    run_alone(100);
    expect_end(BRIDGE_PARTED); /* It has read them meanwhile. */
    join_server();
    expect(x.link, CALL("1") CALL("2"));
    write_all(x.link, "=1\n{\"jsonrpc\":\"2.0\",\"id\":1,");
    expect_end((close_end(&x.link), BRIDGE_PARTED));
    expect_line(x.hear, LOST_START("1")); /* And nothing of what was half said. */
    join_server();
    expect(x.link, CALL("2"));
    write_all(x.link, "=1\n" DONE("2"));
    expect(x.hear, DONE("2"));
    close_end(&x.say);
    expect_closed(x.link);
    close_end(&x.link);
    expect_end(BRIDGE_OVER);
}

static void
a_client_that_leaves_between_servers(void **state)
{
    (void)state;
    close_end(&x.say);
    run_alone(PATIENCE_MS);
    expect_end(BRIDGE_OVER); /* Nothing is owed. */
    expect_end((pthread_create(&x.thread, NULL, run, NULL), BRIDGE_OVER));
}

static void
what_is_owed_is_waited_for_and_then_told(void **state)
{
    (void)state;
    write_all(x.say, CALL("1"));
    close_end(&x.say);
    run_alone(PATIENCE_MS);
    expect_end(BRIDGE_OVER);
    bridge_give_up(x.bridge);
    expect_line(x.hear, LOST_START("1"));
}

static void
a_signal_ends_it(void **state)
{
    uint64_t one = 1;

    (void)state;
    join_server();
    write_all(x.say, CALL("1"));
    expect(x.link, CALL("1"));
    CHECK(write(x.signal_fd, &one, sizeof one) == sizeof one);
    expect_closed(x.link);
    write_all(x.link, "=1\n" DONE("1"));
    close_end(&x.link);
    expect(x.hear, DONE("1"));
    expect_end(BRIDGE_OVER);
}

static void
a_server_that_never_answers_is_given_up(void **state)
{
    (void)state;
    join_server();
    write_all(x.say, CALL("1"));
    expect(x.link, CALL("1"));
    close_end(&x.say);
    expect_closed(x.link);
    expect_end(BRIDGE_OVER);
    bridge_give_up(x.bridge);
    expect_line(x.hear, LOST_START("1"));
}

static void
a_client_that_reads_no_more_ends_it(void **state)
{
    (void)state;
    join_server();
    write_all(x.say, PING("1"));
    expect(x.link, PING("1"));
    close_end(&x.hear);
    close_end(&x.out);
    write_all(x.link, DONE("1"));
    expect_end(BRIDGE_OVER);
}

/* Writes copies of 'line' until the other side has taken nothing for a while, which says something
 * only once it has taken more than 'least' bytes; returns the bytes. */
static size_t
write_until_full(int fd, const char *line, size_t least)
{
    size_t total = 0;

    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        ssize_t n;

        if (poll(&p, 1, total > least ? 300 : PATIENCE_MS) == 0) {
            return total;
        }
        n = write(fd, line, strlen(line));
        CHECK(n >= 0 || errno == EAGAIN);
        total += n > 0 ? (size_t)n : 0;
    }
}

static void
a_client_that_does_not_read_holds_up_the_server(void **state)
{
    static const char *const small[] = {"limits.stdout", "64KiB", NULL};
    size_t held;

    finish(state);
    begin_with(small);
    join_server();
    held = write_until_full(x.link, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n",
                            65536);
    CHECK(held > 65536 && held < 2000000);
    close_end(&x.hear); /* It has gone; all that waits is dropped. */
    close_end(&x.out);
    expect_end(BRIDGE_OVER);
}

static void
a_server_that_does_not_read_holds_up_the_client(void **state)
{
    size_t held;

    (void)state;
    join_server();
    held = write_until_full(x.say, PING("1"), 100000);
    CHECK(held > 100000 && held < 2000000);
    close_end(&x.link);
    expect_end(BRIDGE_PARTED);
}

static void
an_endless_line_is_no_server_of_ours(void **state)
{
    static char piece[1 << 20];
    size_t total = 0;

    (void)state;
    join_server();
    memset(piece, 'x', sizeof piece);
    while (send(x.link, piece, sizeof piece, MSG_NOSIGNAL) > 0) {
        total += sizeof piece;
        CHECK(total < 200u << 20);
    }
    expect_end(BRIDGE_PARTED);
}

static void
what_is_half_said_is_handed_over(void **state)
{
    const struct transport_estate *estate;

    (void)state;
    join_server();
    write_all(x.say, CALL("1") "{\"half\":");
    expect(x.link, CALL("1"));
    expect_end((close_end(&x.link), BRIDGE_PARTED));
    estate = bridge_hand_over(x.bridge);
    CHECK(slice_is(estate->lines, CALL("1") "{\"half\":"));
    CHECK(estate->out.len == 0 && estate->session.len == 0 && estate->listens.len == 0);
}

static void
closed_descriptors_are_told(void **state)
{
    struct bridge_options options = {.settings = x.settings, .in_fd = -1, .out_fd = -1};
    struct fault f = FAULT_INIT;
    struct bridge *b;

    (void)state;
    CHECK(bridge_open(&options, &b, &f) == E_IO && !b);
    bridge_close(NULL);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, begin, finish)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_go_both_ways),
        TEST(lines_too_long_are_refused_here),
        TEST(servers_come_and_go),
        TEST(a_client_that_leaves_between_servers),
        TEST(what_is_owed_is_waited_for_and_then_told),
        TEST(a_signal_ends_it),
        TEST(a_server_that_never_answers_is_given_up),
        TEST(a_client_that_reads_no_more_ends_it),
        TEST(a_client_that_does_not_read_holds_up_the_server),
        TEST(a_server_that_does_not_read_holds_up_the_client),
        TEST(an_endless_line_is_no_server_of_ours),
        TEST(what_is_half_said_is_handed_over),
        TEST(closed_descriptors_are_told),
    };
    return CHECK_RUN(tests);
}
