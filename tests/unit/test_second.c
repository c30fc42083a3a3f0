/* A second server: whom it joins, whom it refuses, and when it serves itself.  The first is this
 * process too, in another role: it holds the lock and answers what the test says. */
#include "server/second.h"

#include "server/discovery.h"
#include "server/listen.h"
#include "state/base/log.h"
#include "tests/check.h"
#include "transports/bridge.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char path[64];
    struct context context;
    struct second second;
    int say, hear, in, out, signal_fd;
    int held; /* The first's lock; -1: free. */
    struct discovery first;
    struct listener listener;
    const char *answer; /* What the first says to each connection. */
    _Atomic unsigned asked;
    _Atomic bool over;
    pthread_t server, runner;
    /* What second_run() gave. */
    enum second_outcome outcome;
    int lock_fd;
    const struct transport_estate *estate;
    struct fault fault;
};
static struct fixture x;

static int
begin(void **state)
{
    int in[2], out[2];

    (void)state;
    x = (struct fixture){
        .held = -1, .lock_fd = -1, .first = DISCOVERY_INIT, .listener = {.fd = -1}};
    log_configure(LOG_OFF, LOG_TEXT);
    signal(SIGPIPE, SIG_IGN);
    snprintf(x.path, sizeof x.path, "/tmp/tandem-second-XXXXXX");
    x.context = (struct context)CONTEXT_INIT;
    CHECK(mkdtemp(x.path) && project_find(x.path, "/", NULL, &x.context.project, NULL) == E_OK);
    CHECK_INT(project_open_data(&x.context.project, true, NULL), E_OK);
    x.context.settings = settings_create();
    x.context.settings->drain = 0;
    x.context.settings->log_level = LOG_DEBUG; /* Else memory is hidden, from leak checkers too. */
    x.context.settings->origins[SETTING_groups] = ORIGIN_OPTION;
    CHECK(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    x.in = in[0];
    x.say = in[1];
    x.hear = out[0];
    x.out = out[1];
    x.signal_fd = eventfd(0, EFD_CLOEXEC);
    x.second = (struct second){
        .context = &x.context, .in_fd = x.in, .out_fd = x.out, .signal_fd = x.signal_fd};
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

static void *
serve(void *arg)
{
    (void)arg;
    while (!atomic_load(&x.over)) {
        struct pollfd p = {.fd = x.listener.fd, .events = POLLIN};
        char head[4096];
        int fd;

        if (poll(&p, 1, 20) != 1) {
            continue;
        }
        fd = accept(x.listener.fd, NULL, NULL);
        CHECK(read(fd, head, sizeof head) > 0);
        CHECK(write(fd, x.answer, strlen(x.answer)) > 0);
        atomic_fetch_add(&x.asked, 1);
        close(fd);
    }
    return NULL;
}

/* A first server that says 'answer' to each request; null: it has no HTTP. */
static void
begin_first(const char *answer)
{
    struct listen_address address;
    char url[LISTEN_URL_SIZE];

    CHECK_INT(discovery_lock(x.context.project.data, &x.held, NULL), E_OK);
    x.answer = answer;
    if (answer) {
        CHECK_INT(listen_parse("127.0.0.1:0", &address, NULL), E_OK);
        CHECK_INT(listen_open(&address, 1, 1, &x.listener, NULL), E_OK);
        listen_url(&x.listener, "/mcp", url);
        x.first.url = xstrdup(url);
        CHECK(pthread_create(&x.server, NULL, serve, NULL) == 0);
    }
    x.first.transport = xstrdup(answer ? "dual" : "stdio");
    x.first.version = xstrdup("0.0.1");
    CHECK_INT(discovery_of_this_process(&x.first, NULL), E_OK);
    CHECK_INT(discovery_write(x.context.project.data, &x.first, NULL), E_OK);
}

static int
finish(void **state)
{
    char command[100];

    (void)state;
    atomic_store(&x.over, true);
    if (x.answer) {
        pthread_join(x.server, NULL);
    }
    second_fini(&x.second);
    listen_close(&x.listener);
    discovery_fini(&x.first);
    close_end(&x.held);
    close_end(&x.lock_fd);
    close_end(&x.say);
    close_end(&x.hear);
    close_end(&x.in);
    close_end(&x.out);
    close_end(&x.signal_fd);
    context_close(&x.context);
    snprintf(command, sizeof command, "rm -rf '%s'", x.path);
    return system(command);
}

static void *
run(void *arg)
{
    (void)arg;
    x.outcome = second_run(&x.second, &x.lock_fd, &x.estate, &x.fault);
    return NULL;
}

static void
expect_failure(const char *text)
{
    run(NULL);
    CHECK_INT(x.outcome, SECOND_FAILED);
    CHECK(strstr(x.fault.text, text));
    CHECK_INT(x.lock_fd, -1);
}

static void
a_free_project_is_served_at_once(void **state)
{
    (void)state;
    run(NULL);
    CHECK_INT(x.outcome, SECOND_SERVES);
    CHECK(x.lock_fd >= 0 && !x.estate && !x.second.bridge);
}

static void
a_first_without_http_cannot_be_joined(void **state)
{
    (void)state;
    begin_first(NULL);
    expect_failure("on its standard input only");
    CHECK(strstr(x.fault.remedy, "without --transport stdio"));
}

static void
a_first_that_knows_no_windows_is_refused(void **state)
{
    (void)state;
    begin_first("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    expect_failure("version 0.0.1");
    CHECK(strstr(x.fault.text, "takes no other windows (404)"));
    CHECK(strstr(x.fault.remedy, "kill "));
}

static void
a_lock_that_nobody_explains_is_waited_for_in_vain(void **state)
{
    (void)state;
    CHECK_INT(discovery_lock(x.context.project.data, &x.held, NULL), E_OK);
    expect_failure("another process has the project's lock");
}

static void
a_loose_token_is_refused(void **state)
{
    char *path = project_data_path(&x.context.project, "token");
    int fd = open(path, O_WRONLY | O_CREAT, 0600);

    (void)state;
    begin_first("HTTP/1.1 200 OK\r\n\r\n");
    CHECK(write(fd, "x", 1) == 1 && fchmod(fd, 0644) == 0);
    close(fd);
    free(path);
    expect_failure("can be read by others");
}

/* Waits until the first has been asked 'times'. */
static void
wait_until_asked(unsigned times)
{
    for (int i = 0; i < 10000 && atomic_load(&x.asked) < times; i++) {
        poll(NULL, 0, 1);
    }
    CHECK(atomic_load(&x.asked) >= times);
}

static void
one_that_is_ending_is_waited_for(void **state)
{
    static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";

    (void)state;
    begin_first("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    CHECK(write(x.say, line, sizeof line - 1) == sizeof line - 1);
    CHECK(pthread_create(&x.runner, NULL, run, NULL) == 0);
    wait_until_asked(3);
    close_end(&x.held);
    CHECK(pthread_join(x.runner, NULL) == 0);
    CHECK_INT(x.outcome, SECOND_SERVES);
    CHECK(x.lock_fd >= 0 && x.estate && slice_is(x.estate->lines, line));
}

static void
a_signal_ends_the_waiting(void **state)
{
    uint64_t one = 1;

    (void)state;
    begin_first("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    CHECK(pthread_create(&x.runner, NULL, run, NULL) == 0);
    wait_until_asked(2);
    CHECK(write(x.signal_fd, &one, sizeof one) == sizeof one);
    CHECK(pthread_join(x.runner, NULL) == 0);
    CHECK_INT(x.outcome, SECOND_IS_OVER);
}

/* It takes the connection and closes it at once, again and again: nobody goes round in circles. */
static void
a_first_that_closes_at_once_is_asked_in_its_time(void **state)
{
    (void)state;
    begin_first("HTTP/1.1 101 Switching Protocols\r\nUpgrade: " BRIDGE_PROTOCOL "\r\n\r\n");
    CHECK(pthread_create(&x.runner, NULL, run, NULL) == 0);
    wait_until_asked(5);
    close_end(&x.say);
    CHECK(pthread_join(x.runner, NULL) == 0);
    CHECK_INT(x.outcome, SECOND_IS_OVER);
    CHECK(atomic_load(&x.asked) < 100);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, begin, finish)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_free_project_is_served_at_once),
        TEST(a_first_without_http_cannot_be_joined),
        TEST(a_first_that_knows_no_windows_is_refused),
        TEST(a_lock_that_nobody_explains_is_waited_for_in_vain),
        TEST(a_loose_token_is_refused),
        TEST(one_that_is_ending_is_waited_for),
        TEST(a_signal_ends_the_waiting),
        TEST(a_first_that_closes_at_once_is_asked_in_its_time),
    };
    return CHECK_RUN(tests);
}
