/* test_inflight.c -- calls on workers: limits, ids, cancellation, and an answer exactly once. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "state/base/mem.h"
#include "state/mcp_session.h"
#include "tests/fakes.h"
#include "tests/threads.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define META                                                                 \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"," \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"

static struct fake_project project;
static struct pool *pool;
static struct dispatcher *dispatcher;
static char *path_before, *fifo;
static int fifo_fd;

/* get_server_info asks git; this git waits until somebody opens the other end of the pipe, so calls
 * stay open for as long as a test wants. */
static void
slow_git(void)
{
    char *file = xasprintf("%s/git", project.path);
    char *path = xasprintf("%s:%s", project.path, path_before);
    FILE *f = fopen(file, "w");

    fifo = xasprintf("%s/gate", project.path);
    CHECK_INT(mkfifo(fifo, 0600), 0);
    fprintf(f, "#!/bin/sh\nread line <'%s'\nexit 1\n", fifo);
    fclose(f);
    chmod(file, 0700);
    setenv("PATH", path, 1);
    fifo_fd = -1;
    free(path);
    free(file);
}

/* Lets every git, now and later, end. */
static void
release(void)
{
    char newlines[64];

    if (fifo_fd < 0) {
        fifo_fd = open(fifo, O_RDWR | O_CLOEXEC);
        memset(newlines, '\n', sizeof newlines);
        CHECK(write(fifo_fd, newlines, sizeof newlines) == (ssize_t)sizeof newlines);
    }
}

static int
set_up(void **unused)
{
    struct dispatch_limits limits = {
        .json = JSON_LIMITS_INIT, .calls = 6, .calls_per_session = 4, .call_ns = 60000000000};
    (void)unused;
    fake_project_init(&project, NULL);
    path_before = xstrdup(getenv("PATH"));
    slow_git();
    pool = pool_create(8, 2, 64);
    dispatcher = dispatcher_create(project.state, pool, &limits);
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    release();
    pool_destroy(pool);
    dispatcher_destroy(dispatcher);
    setenv("PATH", path_before, 1);
    free(path_before);
    close(fifo_fd);
    free(fifo);
    fake_project_fini(&project);
    return 0;
}

static void
send_call(const struct envelope *env, const char *id, struct fake_sink *sink)
{
    char *message =
        xasprintf("{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"tools/call\",\"params\":{"
                  "\"name\":\"get_server_info\"," META "}}",
                  id);

    fake_sink_init(sink);
    dispatch_message(dispatcher, env, slice_of(message), &sink->sink);
    free(message);
}

static void
an_id_in_flight_is_not_taken_again(void **unused)
{
    struct envelope a = {.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};
    struct envelope b = {.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};
    struct fake_sink first, twice, other_type, other_peer;

    (void)unused;
    send_call(&a, "1", &first);
    send_call(&a, "1", &twice);
    CHECK(strstr(fake_sink_wait(&twice), "-32600"));
    CHECK(strstr(twice.body, "still running"));
    fake_sink_fini(&twice);
    fake_sink_init(&twice); /* Not even for what is answered at once. */
    dispatch_message(
        dispatcher, &a,
        SLICE("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{" META "}}"),
        &twice.sink);
    CHECK(strstr(fake_sink_wait(&twice), "still running"));
    send_call(&a, "\"1\"", &other_type);
    send_call(&b, "1", &other_peer);
    CHECK_INT(dispatch_in_flight(dispatcher, TRANSPORT_STDIO), 3);
    release();
    CHECK(strstr(fake_sink_wait(&first), "\"id\":1,\"result\""));
    CHECK(strstr(fake_sink_wait(&other_type), "\"id\":\"1\",\"result\""));
    CHECK(strstr(fake_sink_wait(&other_peer), "\"id\":1,\"result\""));
    fake_sink_fini(&first);
    fake_sink_fini(&twice);
    fake_sink_fini(&other_type);
    fake_sink_fini(&other_peer);
    mcp_session_unref(a.session);
    mcp_session_unref(b.session);
}

static void
limits_hold_at_their_value_and_one_above(void **unused)
{
    struct envelope env = {.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};
    struct envelope http = {.transport = TRANSPORT_HTTP,
                            .protocol_version = SLICE("2026-07-28"),
                            .method = SLICE("tools/call"),
                            .name = SLICE("get_server_info")};
    struct fake_sink sinks[8];
    static const char *const ids[] = {"1", "2", "3", "4", "5"};

    (void)unused;
    for (int i = 0; i < 5; i++) {
        send_call(&env, ids[i], &sinks[i]);
    }
    fake_sink_wait(&sinks[4]);
    CHECK_INT(sinks[4].status, 429);
    send_call(&http, "7", &sinks[5]);
    send_call(&http, "7", &sinks[6]); /* Equal ids in parallel POSTs are normal. */
    send_call(&http, "7", &sinks[7]);
    fake_sink_wait(&sinks[7]);
    CHECK_INT(sinks[7].status, 429);
    release();
    for (int i = 0; i < 8; i++) {
        fake_sink_wait(&sinks[i]);
        fake_sink_fini(&sinks[i]);
    }
    mcp_session_unref(env.session);
}

/* However much comes over the network, the IDE can call. */
static void
a_place_is_kept_for_stdio(void **unused)
{
    struct envelope stdio = {.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};
    struct envelope http = {.transport = TRANSPORT_HTTP,
                            .protocol_version = SLICE("2026-07-28"),
                            .method = SLICE("tools/call"),
                            .name = SLICE("get_server_info")};
    struct fake_sink sinks[6], ide;

    (void)unused;
    for (int i = 0; i < 6; i++) { /* Of the six places a quarter, one, is kept. */
        send_call(&http, "1", &sinks[i]);
    }
    fake_sink_wait(&sinks[5]);
    CHECK_INT(sinks[5].status, 429);
    send_call(&stdio, "1", &ide);
    release();
    CHECK(strstr(fake_sink_wait(&ide), "\"result\""));
    fake_sink_fini(&ide);
    for (int i = 0; i < 6; i++) {
        CHECK_INT(strstr(fake_sink_wait(&sinks[i]), "\"result\"") != NULL, i < 5);
        fake_sink_fini(&sinks[i]);
    }
    mcp_session_unref(stdio.session);
}

static void
cancelled_calls_say_nothing(void **unused)
{
    struct envelope a = {.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};
    struct envelope b = {.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};
    struct fake_sink call, other, note;

    (void)unused;
    send_call(&a, "1", &call);
    send_call(&b, "1", &other);
    fake_sink_init(&note);
    dispatch_message(
        dispatcher, &a,
        SLICE("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
              "\"requestId\":1}}"),
        &note.sink);
    CHECK_STR(fake_sink_wait(&note), "");
    release();
    CHECK_STR(fake_sink_wait(&call), "");
    CHECK(strstr(fake_sink_wait(&other), "result"));
    fake_sink_fini(&call);
    fake_sink_fini(&other);
    fake_sink_fini(&note);
    mcp_session_unref(a.session);
    mcp_session_unref(b.session);
}

/* Over modern HTTP each POST is its own scope, so a bare id may be anybody's. */
static void
a_cancellation_by_http_stops_nobody_elses_call(void **unused)
{
    struct envelope http = {.transport = TRANSPORT_HTTP,
                            .principal = SLICE("token"),
                            .protocol_version = SLICE("2026-07-28"),
                            .method = SLICE("tools/call"),
                            .name = SLICE("get_server_info")};
    struct envelope notice = {.transport = TRANSPORT_HTTP,
                              .principal = SLICE("token"),
                              .protocol_version = SLICE("2026-07-28")};
    struct fake_sink call, note;

    (void)unused;
    send_call(&http, "1", &call);
    fake_sink_init(&note);
    dispatch_message(
        dispatcher, &notice,
        SLICE("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
              "\"requestId\":1}}"),
        &note.sink);
    fake_sink_wait(&note);
    CHECK_INT(note.status, 202);
    release();
    CHECK(strstr(fake_sink_wait(&call), "\"id\":1,\"result\""));
    fake_sink_fini(&call);
    fake_sink_fini(&note);
}

/* A transport may let its session go while its calls still run. */
static void
calls_outlive_their_connection(void **unused)
{
    struct envelope env = {.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};
    struct fake_sink call, same_id;

    (void)unused;
    send_call(&env, "1", &call);
    dispatch_gone(dispatcher, &env, NULL);
    mcp_session_unref(env.session);
    env.session = mcp_session_of_connection(); /* At the same address, if that were free. */
    send_call(&env, "1", &same_id);
    release();
    CHECK_STR(fake_sink_wait(&call), "");
    CHECK(strstr(fake_sink_wait(&same_id), "\"id\":1,\"result\""));
    fake_sink_fini(&call);
    fake_sink_fini(&same_id);
    mcp_session_unref(env.session);
}

/* pitfall: Cancel vs disconnect */
static void
a_peer_that_left_cancels_by_era(void **unused)
{
    struct envelope http = {.transport = TRANSPORT_HTTP,
                            .protocol_version = SLICE("2026-07-28"),
                            .method = SLICE("tools/call"),
                            .name = SLICE("get_server_info")};
    struct envelope stdio = {.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};
    struct fake_sink gone, stays, connection;

    (void)unused;
    send_call(&http, "1", &gone);
    send_call(&http, "1", &stays);
    send_call(&stdio, "1", &connection);
    dispatch_gone(dispatcher, &http, &gone.sink);
    dispatch_gone(dispatcher, &stdio, NULL);
    release();
    CHECK_STR(fake_sink_wait(&gone), "");
    CHECK(strstr(fake_sink_wait(&stays), "result"));
    CHECK_STR(fake_sink_wait(&connection), "");
    fake_sink_fini(&gone);
    fake_sink_fini(&stays);
    fake_sink_fini(&connection);
    mcp_session_unref(stdio.session);
}

static void
the_end_answers_what_still_runs(void **unused)
{
    struct envelope stdio = {.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};
    struct envelope http = {.transport = TRANSPORT_HTTP,
                            .protocol_version = SLICE("2026-07-28"),
                            .method = SLICE("tools/call"),
                            .name = SLICE("get_server_info")};
    struct fake_sink a, b, rest, late;

    (void)unused;
    send_call(&stdio, "1", &a);
    send_call(&http, "\"x\"", &b);
    fake_sink_init(&rest);
    dispatch_tool(dispatcher, &(struct envelope){.transport = TRANSPORT_HTTP},
                  SLICE("get_server_info"), SLICE_NONE, &rest.sink);
    CHECK_INT(dispatch_end_all(dispatcher), 3);
    /* Whether or not their workers have begun. */
    CHECK(strstr(a.body, "\"id\":1,\"error\":{\"code\":503,") &&
          strstr(a.body, "the server is ending"));
    CHECK(strstr(b.body, "\"id\":\"x\",\"error\":{\"code\":503,"));
    CHECK_INT(b.status, 503);
    CHECK(strstr(rest.body, "\"code\":\"overloaded\""));
    send_call(&stdio, "2", &late);
    CHECK(strstr(fake_sink_wait(&late), "the server is ending"));
    CHECK_INT(dispatch_end_all(dispatcher), 0);
    release();
    fake_sink_wait(
        &a); /* Asserts: answered once, though their calls have now come to an end as well. */
    fake_sink_wait(&b);
    fake_sink_wait(&rest);
    fake_sink_fini(&a);
    fake_sink_fini(&b);
    fake_sink_fini(&rest);
    fake_sink_fini(&late);
    mcp_session_unref(stdio.session);
}

static void
a_loop_of_calls_is_slowed_down(void **unused)
{
    struct dispatch_limits limits = {.json = JSON_LIMITS_INIT,
                                     .calls = 6,
                                     .calls_per_session = 4,
                                     .call_ns = 60000000000,
                                     .calls_per_second = 1};
    struct dispatcher *slow = dispatcher_create(project.state, pool, &limits);
    struct envelope env = {.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};
    struct fake_sink sink;

    (void)unused;
    for (int i = 0; i < 3; i++) {
        fake_sink_init(&sink);
        dispatch_message(
            slow, &env,
            SLICE("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{"
                  "\"name\":\"current_date\"," META "}}"),
            &sink.sink);
        fake_sink_wait(&sink);
        CHECK_INT(sink.status, i < 2 ? 200 : 429);
        CHECK(i < 2 || strstr(sink.body, "\"code\":429"));
        fake_sink_fini(&sink);
    }
    mcp_session_unref(env.session);
    dispatcher_destroy(slow);
}

/* One canceller a call, all at once with the answers: each call is answered exactly once, by one of
 * them. */
#define CALLS 4
static struct envelope race_env;
static struct fake_sink race_sinks[CALLS];

static void
answer_or_cancel(void *arg, unsigned number)
{
    (void)arg;
    if (number == 0) {
        release();
    } else {
        char *note = xasprintf("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
                               "\"params\":{\"requestId\":%u}}",
                               number);
        struct fake_sink sink;

        fake_sink_init(&sink);
        dispatch_message(dispatcher, &race_env, slice_of(note), &sink.sink);
        fake_sink_wait(&sink);
        fake_sink_fini(&sink);
        free(note);
    }
}

static void
answer_and_cancellation_race_to_one_end(void **unused)
{
    static const char *const ids[CALLS] = {"1", "2", "3", "4"};
    unsigned answered = 0, cancelled = 0;

    (void)unused;
    race_env =
        (struct envelope){.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};
    for (int i = 0; i < CALLS; i++) {
        send_call(&race_env, ids[i], &race_sinks[i]);
    }
    threads_run(CALLS + 1, answer_or_cancel, NULL);
    for (int i = 0; i < CALLS; i++) {
        const char *body = fake_sink_wait(&race_sinks[i]); /* Asserts: exactly one answer. */
        answered += *body != '\0';
        cancelled += *body == '\0';
        fake_sink_fini(&race_sinks[i]);
    }
    CHECK_INT(answered + cancelled, CALLS);
    CHECK_INT(dispatch_in_flight(dispatcher, TRANSPORT_STDIO), 0);
    mcp_session_unref(race_env.session);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_id_in_flight_is_not_taken_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(limits_hold_at_their_value_and_one_above, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_place_is_kept_for_stdio, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancelled_calls_say_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cancellation_by_http_stops_nobody_elses_call, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(calls_outlive_their_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_peer_that_left_cancels_by_era, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_end_answers_what_still_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_loop_of_calls_is_slowed_down, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answer_and_cancellation_race_to_one_end, set_up, tear_down),
    };
    return CHECK_RUN(tests);
}
