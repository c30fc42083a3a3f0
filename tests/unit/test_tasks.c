/* test_tasks.c -- MCP tasks through dispatch: both forms, whose they are, what ends them, and that
 * each waits on no thread and is told of once. */
#include "tests/check.h"

#include "handlers/dispatch_private.h"
#include "state/mcp_session.h"
#include "state/mcp_tasks.h"
#include "state/state.h"
#include "tests/fakes.h"
#include "tests/threads.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#define SECOND_NS INT64_C(1000000000)
#define META_OF(CAPABILITIES)                                                \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"," \
    "\"io.modelcontextprotocol/clientCapabilities\":" CAPABILITIES "}"
#define TASKS "{\"elicitation\":{},\"extensions\":{\"io.modelcontextprotocol/tasks\":{}}}"
#define WITH_TASKS META_OF(TASKS)
#define MESSAGE(ID, METHOD, PARAMS) \
    "{\"jsonrpc\":\"2.0\",\"id\":" ID ",\"method\":\"" METHOD "\",\"params\":{" PARAMS "}}"
#define SLOW(SECONDS) \
    "\"name\":\"slow_compute\",\"arguments\":{\"seconds\":" SECONDS ",\"label\":\"x\"}"
#define INITIALIZE                                                  \
    MESSAGE("0", "initialize",                                      \
            "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{" \
            "\"elicitation\":{}},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}")

static struct fake_clock fake_time;
static struct fake_project project;
static struct pool *pool;
static struct dispatcher *dispatcher;
static struct envelope legacy, modern; /* A connection each. */
static struct fake_sink unasked;       /* Where messages of the legacy session go. */

/* ---- Sending ---- */

static void
send_text(const struct envelope *env, struct fake_sink *sink, const char *message)
{
    fake_sink_init(sink);
    dispatch_message(dispatcher, env, slice_of(message), &sink->sink);
}

static void
answered(struct fake_sink *sink, const char *want)
{
    const char *body = fake_sink_wait(sink);

    if (!strstr(body, want)) {
        fail_msg("wanted %s\ngot    %d %s", want, sink->status, body);
    }
    fake_sink_fini(sink);
}

static void
expect(const struct envelope *env, const char *message, const char *want)
{
    struct fake_sink sink;

    send_text(env, &sink, message);
    answered(&sink, want);
}

/* The same with a task's id in the place of %s. */
static void
expect_of(const struct envelope *env, const char *id, const char *format, const char *want)
{
    struct buf message = BUF_INIT;
    const char *at = strstr(format, "%s");

    CHECK(at);
    buf_add(&message, format, (size_t)(at - format));
    buf_adds(&message, id);
    buf_adds(&message, at + 2);
    expect(env, message.data, want);
    buf_fini(&message);
}

#define GET MESSAGE("50", "tasks/get", "\"taskId\":\"%s\"")
#define CANCEL MESSAGE("51", "tasks/cancel", "\"taskId\":\"%s\"")
#define RESULT(ID) MESSAGE(ID, "tasks/result", "\"taskId\":\"%s\"")
#define MODERN_GET MESSAGE("50", "tasks/get", "\"taskId\":\"%s\"," WITH_TASKS)
#define MODERN_CANCEL MESSAGE("51", "tasks/cancel", "\"taskId\":\"%s\"," WITH_TASKS)

/* Makes a call that is answered with a task, whose id goes to 'id'. */
static void
begin(const struct envelope *env, const char *message, char id[MCP_TASK_ID_SIZE])
{
    struct fake_sink sink;
    const char *at, *body;

    send_text(env, &sink, message);
    body = fake_sink_wait(&sink);
    at = strstr(body, "\"taskId\":\"");
    if (!at || !strstr(body, "\"status\":\"working\"")) {
        fail_msg("no task: %s", body);
    }
    snprintf(id, MCP_TASK_ID_SIZE, "%.32s", at + 10);
    fake_sink_fini(&sink);
}

static void
begin_result(struct fake_sink *sink, const char *request_id, const char *id)
{
    char *text = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"tasks/result\",\"params\":{"
                           "\"taskId\":\"%s\"}}",
                           request_id, id);

    send_text(&legacy, sink, text);
    free(text);
}

/* Waits until a task has the status, as its worker is another thread; its client would poll too. */
static void
wait_status(const char *id, const char *principal, enum mcp_task_status status)
{
    struct mcp_task *task = NULL;
    struct mcp_task_look look;

    CHECK_INT(
        mcp_task_find(state_tasks(project.state), slice_of(id), slice_of(principal), &task, NULL),
        E_OK);
    do {
        sched_yield();
        dispatch_tick(dispatcher);
        mcp_task_look(task, &look);
        mcp_task_look_fini(&look);
    } while (look.status != status);
    mcp_task_unref(task);
}

static void
pass(int64_t seconds)
{
    fake_clock_pass(&fake_time, seconds * SECOND_NS);
    dispatch_tick(dispatcher);
}

static bool
is_waiting(const struct request *first, unsigned *count)
{
    *count = 0;
    for (const struct request *r = first; r; r = r->next) {
        *count += r->parked != PARKED_NOT;
    }
    return *count > 0;
}

static void
count_waiting(struct request *first, void *arg)
{
    is_waiting(first, arg);
}

/* Waits until so many requests, tasks or not, hold no worker. */
static void
wait_parked(unsigned wanted)
{
    unsigned count;

    do {
        sched_yield();
        inflight_do(dispatcher->inflight, count_waiting, &count);
    } while (count != wanted);
}

static int
set_up(void **unused)
{
    struct dispatch_limits limits = {.json = JSON_LIMITS_INIT,
                                     .calls = 64,
                                     .calls_per_session = 16,
                                     .call_ns = 60 * SECOND_NS,
                                     .groups = "core,conformance",
                                     .asks = 3,
                                     .asks_each = 2,
                                     .ask_ns = 300 * SECOND_NS};

    (void)unused;
    fake_clock_init(&fake_time);
    fake_project_init(&project, &fake_time.clock);
    pool = pool_create(3, 1, 256);
    dispatcher = dispatcher_create(project.state, pool, &limits);
    legacy =
        (struct envelope){.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};
    modern =
        (struct envelope){.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};
    fake_sink_init(&unasked);
    mcp_session_set_sink(legacy.session, &unasked.sink);
    expect(&legacy, INITIALIZE, "\"tasks\":{\"list\":{},\"cancel\":{}");
    expect(&legacy, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", "");
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    dispatch_drain(dispatcher);
    dispatch_end_all(dispatcher);
    pool_destroy(pool);
    dispatcher_destroy(dispatcher);
    mcp_session_set_sink(legacy.session, NULL);
    fake_sink_fini(&unasked);
    mcp_session_unref(legacy.session);
    mcp_session_unref(modern.session);
    fake_project_fini(&project);
    return 0;
}

/* ---- 2025-11-25 ---- */

static void
a_call_goes_on_after_its_answer(void **unused)
{
    struct fake_sink waiting[2];
    char id[MCP_TASK_ID_SIZE];

    (void)unused;
    begin(&legacy, MESSAGE("1", "tools/call", SLOW("5") ",\"task\":{\"ttl\":30000}"), id);
    expect_of(&legacy, id, GET, "\"status\":\"working\"");
    expect_of(&legacy, id, GET, "\"ttl\":30000,\"pollInterval\":1000}}");
    begin_result(&waiting[0], "2", id);
    begin_result(&waiting[1], "3", id);
    wait_parked(3);
    pass(4);
    expect_of(&legacy, id, GET, "\"working\"");
    pass(1);
    for (int i = 0; i < 2; i++) {
        answered(&waiting[i],
                 "\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"x: computed for 5 s\"}],"
                 "\"_meta\":{\"io.modelcontextprotocol/related-task\":{\"taskId\":\"");
    }
    expect_of(&legacy, id, RESULT("4"), "computed for 5 s");
    expect_of(&legacy, id, GET, "\"status\":\"completed\"");
    expect_of(&legacy, id, CANCEL, "-32602");
    CHECK(strstr(unasked.sent.data, "\"method\":\"notifications/tasks/status\",\"params\":{"
                                    "\"taskId\":\""));
    CHECK(strstr(unasked.sent.data, "\"status\":\"completed\""));
}

static void
tools_say_whether_they_can(void **unused)
{
    char id[MCP_TASK_ID_SIZE];

    (void)unused;
    expect(&legacy, MESSAGE("1", "tools/call", "\"name\":\"current_date\",\"task\":{}"), "-32601");
    expect(&legacy, MESSAGE("2", "tools/call", "\"name\":\"failing_job\""), "-32601");
    expect(&legacy, MESSAGE("3", "tools/call", SLOW("1") ",\"task\":7"), "-32602");
    expect(&legacy, MESSAGE("4", "tools/call", SLOW("1") ",\"task\":{\"ttl\":-1}"), "-32602");
    expect(&legacy, MESSAGE("5", "tools/call", SLOW("1") ",\"task\":{\"ttl\":\"1\"}"), "-32602");
    expect(&legacy, MESSAGE("6", "tools/list", ""), "\"execution\":{\"taskSupport\":\"required\"}");
    begin(&legacy, MESSAGE("7", "tools/call", "\"name\":\"failing_job\",\"task\":{\"ttl\":null}"),
          id);
    expect_of(&legacy, id, GET, "\"ttl\":3600000");
    wait_parked(1);
    pass(1);
    wait_status(id, "", MCP_TASK_TOOL_FAILED);
    expect_of(&legacy, id, GET, "\"status\":\"failed\",\"statusMessage\":\"This job");
    expect_of(&legacy, id, RESULT("8"), "\"isError\":true,\"_meta\":{\"io.model");
    begin(&legacy, MESSAGE("9", "tools/call", "\"name\":\"protocol_error_job\",\"task\":{}"), id);
    wait_status(id, "", MCP_TASK_FAILED);
    expect_of(&legacy, id, RESULT("10"),
              "\"error\":{\"code\":-32602,\"message\":\"This job intentionally ends");
    /* A real one, whose result has a structure. */
    begin(&legacy,
          MESSAGE("11", "tools/call",
                  "\"name\":\"pos_workflow\",\"arguments\":{\"action\":\"list_workflows\"},"
                  "\"task\":{}"),
          id);
    expect_of(&legacy, id, RESULT("12"), "\"structuredContent\":{");
}

static void
progress_is_told_with_the_task(void **unused)
{
    char id[MCP_TASK_ID_SIZE];

    (void)unused;
    begin(&legacy,
          MESSAGE("1", "tools/call", SLOW("5") ",\"task\":{},\"_meta\":{\"progressToken\":\"p\"}"),
          id);
    wait_parked(1);
    expect_of(&legacy, id, GET, "\"status\":\"working\",\"statusMessage\":\"computing\"");
    pass(5);
    wait_status(id, "", MCP_TASK_COMPLETED);
    CHECK(strstr(unasked.sent.data,
                 "\"method\":\"notifications/progress\",\"params\":{\"progressToken\":\"p\","
                 "\"progress\":0,\"total\":5,\"message\":\"computing\",\"_meta\":{\"io."
                 "modelcontextprotocol/related-task\":{\"taskId\":\""));
    CHECK(strstr(unasked.sent.data, "\"progress\":5,\"total\":5,\"message\":\"computed\""));
    CHECK(strstr(strstr(unasked.sent.data, "\"progress\":5"), "\"status\":\"completed\""));
    expect_of(&legacy, id, GET, "\"status\":\"completed\",\"createdAt\"");
}

static void
cancelling_ends_it_at_once(void **unused)
{
    struct fake_sink waiting, again;
    char id[MCP_TASK_ID_SIZE];

    (void)unused;
    begin(&legacy, MESSAGE("1", "tools/call", SLOW("60") ",\"task\":{}"), id);
    begin_result(&waiting, "2", id);
    begin_result(&again, "3", id);
    wait_parked(3);
    /* The call was answered: there is nothing to cancel by its id, which is free again. */
    expect(&legacy,
           "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1"
           "}}",
           "");
    expect(&legacy, MESSAGE("1", "ping", ""), "{}");
    expect_of(&legacy, id, GET, "\"working\"");
    /* Who waits no more does not end the task. */
    expect(&legacy,
           "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":3"
           "}}",
           "");
    fake_sink_wait(&again);
    CHECK_STR(again.body, "");
    fake_sink_fini(&again);
    expect_of(&legacy, id, CANCEL, "\"result\":{\"taskId\":\"");
    answered(&waiting, "\"error\":{\"code\":-32603,\"message\":\"the task was cancelled\"");
    wait_parked(0);
    expect_of(&legacy, id, GET,
              "\"status\":\"cancelled\",\"statusMessage\":\"cancelled by its client\"");
    expect_of(&legacy, id, CANCEL, "-32602");
}

static void
it_asks_where_its_result_is_awaited(void **unused)
{
    struct fake_sink waiting;
    char id[MCP_TASK_ID_SIZE];

    (void)unused;
    begin(&legacy,
          MESSAGE("1", "tools/call",
                  "\"name\":\"confirm_delete\",\"arguments\":{\"filename\":\"a.txt\"},\"task\":{}"),
          id);
    wait_status(id, "", MCP_TASK_INPUT_REQUIRED);
    expect_of(&legacy, id, GET, "\"status\":\"input_required\"");
    begin_result(&waiting, "2", id);
    fake_sink_wait_sent(&waiting, 1);
    CHECK(strstr(waiting.sent.data, "\"id\":1,\"method\":\"elicitation/create\""));
    CHECK(strstr(waiting.sent.data, "\"_meta\":{\"io.modelcontextprotocol/related-task\":{"));
    expect(&legacy,
           "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"action\":\"accept\",\"content\":{"
           "\"confirm\":true}}}",
           "");
    answered(&waiting, "a.txt would be deleted.");
    expect_of(&legacy, id, GET, "\"completed\"");
    CHECK(strstr(unasked.sent.data, "\"status\":\"input_required\""));
}

/* Who was asked stops waiting: the next one who waits is asked again. */
static void
a_question_is_not_lost_with_who_was_asked(void **unused)
{
    struct fake_sink first, second, third;
    char id[MCP_TASK_ID_SIZE];

    (void)unused;
    begin(&legacy,
          MESSAGE("1", "tools/call",
                  "\"name\":\"confirm_delete\",\"arguments\":{\"filename\":\"a.txt\"},\"task\":{}"),
          id);
    wait_status(id, "", MCP_TASK_INPUT_REQUIRED);
    begin_result(&first, "2", id);
    fake_sink_wait_sent(&first, 1);
    wait_parked(2);
    begin_result(&second, "3", id); /* One is asked already. */
    wait_parked(3);
    expect(&legacy,
           "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":2"
           "}}",
           "");
    fake_sink_wait(&first);
    fake_sink_fini(&first);
    expect(&legacy,
           "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":3"
           "}}",
           "");
    fake_sink_wait(&second);
    CHECK_INT(second.sent.len, 0);
    fake_sink_fini(&second);
    begin_result(&third, "4", id);
    fake_sink_wait_sent(&third, 1);
    CHECK(strstr(third.sent.data, "\"id\":2,\"method\":\"elicitation/create\""));
    expect(&legacy,
           "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"action\":\"accept\",\"content\":{"
           "\"confirm\":true}}}",
           "");
    answered(&third, "a.txt would be deleted.");
}

/* The result is awaited before there is anything to ask. */
static void
it_asks_who_awaited_it_before(void **unused)
{
    struct fake_sink waiting;
    char id[MCP_TASK_ID_SIZE];

    (void)unused;
    for (unsigned round = 0; round < scaled(50); round++) {
        char *answer = xasprintf(
            "{\"jsonrpc\":\"2.0\",\"id\":%u,\"result\":{\"action\":\"decline\"}}", round + 1);

        begin(&legacy,
              MESSAGE("1", "tools/call",
                      "\"name\":\"confirm_delete\",\"arguments\":{\"filename\":\"a.txt\"},"
                      "\"task\":{}"),
              id);
        begin_result(&waiting, "2", id);
        fake_sink_wait_sent(&waiting, 1);
        expect(&legacy, answer, "");
        answered(&waiting, "a.txt stays.");
        free(answer);
        if (round % 8 == 7) {
            pass(3600);
        }
    }
}

/* limits.asks and limits.asks_each are for calls whose clients wait: not for tasks, which do long.
 */
static void
tasks_leave_room_to_ask_others(void **unused)
{
    struct fake_sink asking;
    char id[MCP_TASK_ID_SIZE];

    (void)unused;
    for (int i = 0; i < 4; i++) {
        begin(&legacy,
              MESSAGE("1", "tools/call",
                      "\"name\":\"confirm_delete\",\"arguments\":{\"filename\":\"a\"},\"task\":{}"),
              id);
        wait_status(id, "", MCP_TASK_INPUT_REQUIRED);
    }
    send_text(&legacy, &asking,
              MESSAGE("7", "tools/call",
                      "\"name\":\"test_elicitation\",\"arguments\":{\"message\":\"?\"}"));
    fake_sink_wait_sent(&asking, 1);
    expect(&legacy, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"action\":\"decline\"}}", "");
    answered(&asking, "action=decline");
}

static void
lists_have_pages(void **unused)
{
    struct envelope other = {.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};
    struct fake_sink sink;
    char id[MCP_TASK_ID_SIZE], cursor[64];
    const char *at;

    (void)unused;
    for (int i = 0; i < 51; i++) {
        begin(&legacy, MESSAGE("1", "tools/call", SLOW("60") ",\"task\":{}"), id);
    }
    send_text(&legacy, &sink, MESSAGE("2", "tasks/list", ""));
    at = strstr(fake_sink_wait(&sink), "\"nextCursor\":\"");
    CHECK(at && !strstr(sink.body, id));
    snprintf(cursor, sizeof cursor, "%.16s", at + 14);
    fake_sink_fini(&sink);
    expect_of(&legacy, cursor, MESSAGE("3", "tasks/list", "\"cursor\":\"%s\""), id);
    expect(&legacy, MESSAGE("4", "tasks/list", "\"cursor\":\"\""), "-32602");
    expect(&legacy, MESSAGE("5", "tasks/list", "\"cursor\":\"000000000000000x\""), "-32602");
    expect(&other, INITIALIZE, "2025-11-25");
    expect(&other, MESSAGE("6", "tasks/list", ""), "\"tasks\":[]}");
    mcp_session_unref(other.session);
}

static void
older_revisions_know_no_tasks(void **unused)
{
    struct envelope old = {.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};

    (void)unused;
    expect(&old,
           MESSAGE("0", "initialize",
                   "\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},\"clientInfo\":{}"),
           "\"tools\":{");
    expect(&old, MESSAGE("1", "tasks/list", ""), "-32601");
    expect(&old, MESSAGE("2", "tasks/get", "\"taskId\":\"x\""), "-32601");
    expect(&old, MESSAGE("3", "tools/call", SLOW("0") ",\"task\":{}"), "\"content\"");
    mcp_session_unref(old.session);
}

/* ---- 2026-07-28 ---- */

static void
modern_tasks_are_flat(void **unused)
{
    char id[MCP_TASK_ID_SIZE];

    (void)unused;
    begin(&modern, MESSAGE("1", "tools/call", SLOW("5") "," WITH_TASKS), id);
    expect_of(&modern, id, MODERN_GET, "\"ttlMs\":600000,\"pollIntervalMs\":1000,\"resultType\":");
    wait_parked(1);
    pass(5);
    wait_status(id, "", MCP_TASK_COMPLETED);
    expect_of(&modern, id, MODERN_GET,
              "\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"x: computed for 5 s\"}],"
              "\"resultType\":\"complete\"},\"resultType\":\"complete\"");
    expect_of(&modern, id, MODERN_CANCEL, "\"result\":{\"resultType\":\"complete\",\"_meta\"");
    expect_of(&modern, id, MODERN_GET, "\"completed\"");
    expect_of(&modern, id, MESSAGE("2", "tasks/get", "\"taskId\":\"%s\"," META_OF("{}")),
              "-32021,");
    expect_of(&modern, id, MESSAGE("3", "tasks/result", "\"taskId\":\"%s\"," WITH_TASKS), "-32601");
    expect_of(&legacy, id, GET, "-32602,"); /* What it gave may be unknown in the other era. */
    modern.scopes = SLICE("other"); /* What a token allows is asked before what a client can. */
    expect_of(&modern, id, MESSAGE("3", "tasks/get", "\"taskId\":\"%s\"," META_OF("{}")),
              "needs the scope");
    modern.scopes = SLICE_NONE;
    expect(&modern, MESSAGE("4", "tasks/get", WITH_TASKS), "-32602");
    expect(&modern, MESSAGE("5", "tasks/get", "\"taskId\":\"nope\"," WITH_TASKS), "-32602");
    expect(&modern, MESSAGE("6", "tools/call", "\"name\":\"failing_job\"," META_OF("{}")),
           "\"requiredCapabilities\":{\"extensions\":{\"io.modelcontextprotocol/tasks\":{}}}");
    expect(&modern, MESSAGE("7", "tools/call", SLOW("0") "," META_OF("{}")), "\"complete\"");
}

static void
modern_input_comes_in_parts(void **unused)
{
    char id[MCP_TASK_ID_SIZE];

    (void)unused;
    begin(&modern, MESSAGE("1", "tools/call", "\"name\":\"multi_input\"," WITH_TASKS), id);
    wait_status(id, "", MCP_TASK_INPUT_REQUIRED);
    expect_of(&modern, id, MODERN_GET, "\"inputRequests\":{\"name\":{\"method\":\"elicit");
    expect_of(&modern, id,
              MESSAGE("2", "tasks/update",
                      "\"taskId\":\"%s\",\"inputResponses\":{\"x\":1,\"name\":{\"action\":"
                      "\"accept\",\"content\":{\"name\":\"Ann\",\"confirm\":true}}}," WITH_TASKS),
              "\"result\":{\"resultType\":\"complete\",\"_meta\"");
    expect_of(&modern, id, MODERN_GET, "\"inputRequests\":{\"confirm\":{");
    expect_of(&modern, id,
              MESSAGE("3", "tasks/update",
                      "\"taskId\":\"%s\",\"inputResponses\":{\"confirm\":7}," WITH_TASKS),
              "-32602");
    expect_of(&modern, id, MESSAGE("4", "tasks/update", "\"taskId\":\"%s\"," WITH_TASKS), "-32602");
    expect_of(&modern, id,
              MESSAGE("5", "tasks/update",
                      "\"taskId\":\"%s\",\"inputResponses\":{\"confirm\":{\"action\":\"accept\","
                      "\"content\":{\"confirm\":true}}}," WITH_TASKS),
              "complete");
    wait_status(id, "", MCP_TASK_COMPLETED);
    expect_of(&modern, id, MODERN_GET, "Ann: goes on");
}

static void
followers_are_told(void **unused)
{
    struct fake_sink listening;
    char id[MCP_TASK_ID_SIZE];

    (void)unused;
    begin(&modern,
          MESSAGE("1", "tools/call",
                  "\"name\":\"confirm_delete\",\"arguments\":{\"filename\":\"f\"}," WITH_TASKS),
          id);
    wait_status(id, "", MCP_TASK_INPUT_REQUIRED);
    {
        char *listen = xasprintf(
            "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"subscriptions/listen\",\"params\":{"
            "\"notifications\":{\"taskIds\":[\"%s\",\"unknown\",5]}," WITH_TASKS "}}",
            id);
        send_text(&modern, &listening, listen);
        free(listen);
    }
    fake_sink_wait_sent(&listening, 1);
    CHECK(strstr(listening.sent.data, "\"notifications\":{\"taskIds\":[\""));
    CHECK(!strstr(listening.sent.data, "unknown"));
    expect(&modern,
           MESSAGE("3", "subscriptions/listen",
                   "\"notifications\":{\"taskIds\":[\"x\"]}," META_OF("{}")),
           "-32021");
    expect_of(&modern, id,
              MESSAGE("4", "tasks/update",
                      "\"taskId\":\"%s\",\"inputResponses\":{\"confirm\":{\"action\":\"accept\","
                      "\"content\":{\"confirm\":false}}}," WITH_TASKS),
              "complete");
    fake_sink_wait_sent(&listening, 3); /* Working again, and completed. */
    CHECK(
        strstr(listening.sent.data, "\"method\":\"notifications/tasks\",\"params\":{\"taskId\":"));
    CHECK(strstr(listening.sent.data, "\"text\":\"f stays.\""));
    CHECK(strstr(listening.sent.data, "\"io.modelcontextprotocol/subscriptionId\":2"));
    dispatch_drain(dispatcher);
    fake_sink_wait(&listening);
    fake_sink_fini(&listening);
}

static void
another_principals_task_is_unknown(void **unused)
{
    struct envelope ann = modern, bob = modern;
    char id[MCP_TASK_ID_SIZE];

    (void)unused;
    ann.principal = SLICE("ann");
    bob.principal = SLICE("bob");
    begin(&ann, MESSAGE("1", "tools/call", SLOW("60") "," WITH_TASKS), id);
    expect_of(&bob, id, MODERN_GET, "-32602");
    expect_of(&bob, id, MODERN_CANCEL, "-32602");
    expect_of(&bob, id,
              MESSAGE("2", "tasks/update", "\"taskId\":\"%s\",\"inputResponses\":{}," WITH_TASKS),
              "-32602");
    expect_of(&ann, id, MODERN_GET, "\"working\"");
}

/* What waits without being a task holds no worker either, and has its own time only. */
static void
a_plain_call_waits_too(void **unused)
{
    struct fake_sink late, cancelled;

    (void)unused;
    send_text(&legacy, &late, MESSAGE("1", "tools/call", SLOW("600")));
    send_text(&legacy, &cancelled, MESSAGE("2", "tools/call", SLOW("5")));
    wait_parked(2);
    expect(&legacy,
           "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":2"
           "}}",
           "");
    fake_sink_wait(&cancelled);
    CHECK_STR(cancelled.body, "");
    fake_sink_fini(&cancelled);
    pass(60);
    answered(&late, "the time that a call may take is over");
}

static void
a_question_may_come_before_the_task(void **unused)
{
    struct fake_sink sink;
    char id[MCP_TASK_ID_SIZE], *state, *retry;

    (void)unused;
    send_text(&modern, &sink,
              MESSAGE("1", "tools/call", "\"name\":\"test_tool_with_task\"," WITH_TASKS));
    state = strstr(fake_sink_wait(&sink), "\"requestState\":");
    CHECK(state && strstr(sink.body, "\"resultType\":\"input_required\""));
    CHECK(!strstr(sink.body, "taskId"));
    retry =
        xasprintf("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":"
                  "\"test_tool_with_task\",\"inputResponses\":{\"user_name\":{\"action\":"
                  "\"accept\",\"content\":{\"name\":\"Ann\"}}},%.*s," WITH_TASKS "}}",
                  (int)strcspn(state + 17, "\"") + 18, state);
    fake_sink_fini(&sink);
    begin(&modern, retry, id);
    wait_status(id, "", MCP_TASK_COMPLETED);
    expect_of(&modern, id, MODERN_GET, "Hello, Ann!");
    free(retry);
}

/* ---- Limits and ends ---- */

static void
tasks_that_wait_hold_no_worker(void **unused)
{
    char id[MCP_TASK_ID_SIZE];

    (void)unused;
    for (int i = 0; i < 100; i++) { /* Of 3 workers. */
        begin(&modern, MESSAGE("1", "tools/call", SLOW("60") "," WITH_TASKS), id);
    }
    wait_parked(100);
    CHECK_INT(dispatch_in_flight(dispatcher, TRANSPORT_STDIO), 0);
    expect(
        &modern,
        MESSAGE(
            "2", "tools/call",
            "\"name\":\"pos_workflow\",\"arguments\":{\"action\":\"list_workflows\"}," WITH_TASKS),
        "\"resultType\":\"complete\"");
    for (int i = 0; i < 28; i++) {
        begin(&modern, MESSAGE("1", "tools/call", SLOW("60") "," WITH_TASKS), id);
    }
    /* Where there is no more room, it is ours to go without a task; but not where one was asked
     * for. */
    expect(&modern, MESSAGE("3", "tools/call", SLOW("0") "," WITH_TASKS),
           "\"resultType\":\"complete\"");
    expect(&modern, MESSAGE("4", "tools/call", "\"name\":\"failing_job\"," WITH_TASKS),
           "\"code\":429");
    expect(&legacy, MESSAGE("5", "tools/call", SLOW("0") ",\"task\":{}"), "\"code\":429");
    pass(60);
    wait_status(id, "", MCP_TASK_COMPLETED);
}

static void
time_to_live_ends_it(void **unused)
{
    struct fake_sink waiting;
    char id[MCP_TASK_ID_SIZE];

    (void)unused;
    begin(&legacy, MESSAGE("1", "tools/call", SLOW("60") ",\"task\":{\"ttl\":5000}"), id);
    begin_result(&waiting, "2", id);
    wait_parked(2);
    pass(5);
    answered(&waiting, "-32602"); /* It is gone. */
    wait_parked(0);
    expect_of(&legacy, id, GET, "-32602");
}

static void
it_outlives_its_session(void **unused)
{
    struct envelope next = legacy;
    char id[MCP_TASK_ID_SIZE];

    (void)unused;
    begin(&legacy, MESSAGE("1", "tools/call", SLOW("5") ",\"task\":{}"), id);
    wait_parked(1);
    dispatch_gone(dispatcher, &legacy, NULL);
    pass(5);
    wait_status(id, "", MCP_TASK_COMPLETED);
    next.session = mcp_session_of_connection();
    expect(&next, INITIALIZE, "2025-11-25");
    expect_of(&next, id, GET, "\"completed\"");
    mcp_session_unref(next.session);
}

static void
the_end_of_the_server_ends_them(void **unused)
{
    struct fake_sink waiting;
    char id[MCP_TASK_ID_SIZE], asking[MCP_TASK_ID_SIZE];

    (void)unused;
    begin(&legacy, MESSAGE("1", "tools/call", SLOW("60") ",\"task\":{}"), id);
    begin(&modern, MESSAGE("1", "tools/call", "\"name\":\"multi_input\"," WITH_TASKS), asking);
    wait_status(asking, "", MCP_TASK_INPUT_REQUIRED);
    begin_result(&waiting, "2", id);
    wait_parked(3);
    dispatch_end_all(dispatcher);
    answered(&waiting, "the server is ending");
    wait_status(id, "", MCP_TASK_FAILED);
    wait_status(asking, "", MCP_TASK_FAILED);
}

/* The drain ends what only waits at once, and lets run what does something. */
static void
the_drain_does_not_wait_for_tasks(void **unused)
{
    struct fake_sink waiting[3], plain;
    char id[MCP_TASK_ID_SIZE], asking[MCP_TASK_ID_SIZE];

    (void)unused;
    begin(&legacy, MESSAGE("1", "tools/call", SLOW("60") ",\"task\":{}"), id);
    begin(&legacy,
          MESSAGE("1", "tools/call",
                  "\"name\":\"confirm_delete\",\"arguments\":{\"filename\":\"a.txt\"},\"task\":{}"),
          asking);
    wait_status(asking, "", MCP_TASK_INPUT_REQUIRED);
    send_text(&modern, &plain, MESSAGE("2", "tools/call", SLOW("5") "," META_OF("{}")));
    begin_result(&waiting[0], "2", id);
    begin_result(&waiting[1], "3", asking);
    fake_sink_wait_sent(&waiting[1], 1);
    wait_parked(5);
    dispatch_drain(dispatcher);
    answered(&waiting[0], "the server is ending, and does not wait for the task any more");
    answered(&waiting[1], "the server is ending");
    wait_status(asking, "", MCP_TASK_FAILED);
    wait_parked(2);
    begin_result(&waiting[2], "4", id); /* Nor is it waited for anew, */
    answered(&waiting[2], "the server is ending, and does not wait for the task any more");
    begin_result(&waiting[2], "5", asking); /* but what is there is told. */
    answered(&waiting[2], "does not wait for its client any more");
    pass(5);
    answered(&plain, "computed for 5 s");
    pass(60);
    wait_status(id, "", MCP_TASK_COMPLETED);
}

/* ---- Races ---- */

struct race {
    char id[MCP_TASK_ID_SIZE];
    struct fake_sink *sinks;
};

static void
race_body(void *arg, unsigned number)
{
    struct race *r = arg;
    static const char *const methods[] = {"result", "get", "cancel"};

    fake_sink_init(&r->sinks[number]);
    if (number % 4 == 3) {
        dispatch_tick(dispatcher);
        dispatch_message(dispatcher, &legacy, SLICE(MESSAGE("\"p\"", "ping", "")),
                         &r->sinks[number].sink);
    } else {
        char text[256];

        snprintf(text, sizeof text,
                 "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"tasks/%s\",\"params\":{"
                 "\"taskId\":\"%s\"}}",
                 100 + number, methods[number % 4], r->id);
        dispatch_message(dispatcher, &legacy, slice_of(text), &r->sinks[number].sink);
    }
}

/* It is finished, cancelled, read, awaited and, every other time, forgotten at the same moment. */
static void
every_end_is_told_once(void **unused)
{
    (void)unused;
    for (unsigned i = 0; race_sizes[i] && race_sizes[i] <= 50; i++) {
        for (unsigned round = 0; round < scaled(40); round++) {
            unsigned n = race_sizes[i], cancelled = 0;
            struct fake_sink *sinks = xcalloc(n, sizeof *sinks);
            struct race r = {.sinks = sinks};

            begin(&legacy, MESSAGE("1", "tools/call", SLOW("5") ",\"task\":{\"ttl\":7000}"), r.id);
            wait_parked(1);
            fake_clock_pass(&fake_time, (round % 2 ? 7 : 5) * SECOND_NS);
            threads_run(n, race_body, &r);
            for (unsigned t = 0; t < n; t++) {
                fake_sink_wait(&sinks[t]); /* Asserts one answer. */
                cancelled += t % 4 == 2 && strstr(sinks[t].body, "\"result\"") != NULL;
                fake_sink_fini(&sinks[t]);
            }
            CHECK(cancelled <= 1);
            wait_parked(0);
            pass(7);
            CHECK_INT(mcp_tasks_counters(state_tasks(project.state)).live, 0);
            CHECK_INT(mcp_tasks_counters(state_tasks(project.state)).bytes, 0);
            free(sinks);
        }
    }
}

static void
create_one(void *arg, unsigned number)
{
    struct race *r = arg;

    fake_sink_init(&r->sinks[number]);
    dispatch_message(dispatcher, &modern,
                     SLICE(MESSAGE("1", "tools/call", "\"name\":\"failing_job\"," WITH_TASKS)),
                     &r->sinks[number].sink);
}

/* 100 at once, with room for a part of them: each is answered with a task, or that there is none.
 */
static void
at_the_limit_each_is_answered(void **unused)
{
    struct fake_sink sinks[100];
    struct race r = {.sinks = sinks};
    char id[MCP_TASK_ID_SIZE];
    unsigned made = 0, refused = 0;

    (void)unused;
    modern.session = (mcp_session_unref(modern.session), NULL); /* Ids are no matter over HTTP. */
    modern.transport = TRANSPORT_WS;
    for (int i = 0; i < 78; i++) {
        begin(&modern, MESSAGE("1", "tools/call", "\"name\":\"failing_job\"," WITH_TASKS), id);
    }
    threads_run(100, create_one, &r);
    for (int i = 0; i < 100; i++) {
        const char *body = fake_sink_wait(&sinks[i]);

        made += strstr(body, "\"taskId\"") != NULL;
        refused += strstr(body, "\"code\":429") != NULL;
        fake_sink_fini(&sinks[i]);
    }
    CHECK_INT(made + refused, 100);
    CHECK(made <= 50); /* limits.tasks_each is 128. */
    CHECK_INT(mcp_tasks_counters(state_tasks(project.state)).live, 78 + made);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_goes_on_after_its_answer),
        TEST(tools_say_whether_they_can),
        TEST(progress_is_told_with_the_task),
        TEST(cancelling_ends_it_at_once),
        TEST(it_asks_where_its_result_is_awaited),
        TEST(a_question_is_not_lost_with_who_was_asked),
        TEST(it_asks_who_awaited_it_before),
        TEST(tasks_leave_room_to_ask_others),
        TEST(lists_have_pages),
        TEST(older_revisions_know_no_tasks),
        TEST(modern_tasks_are_flat),
        TEST(modern_input_comes_in_parts),
        TEST(followers_are_told),
        TEST(another_principals_task_is_unknown),
        TEST(a_plain_call_waits_too),
        TEST(a_question_may_come_before_the_task),
        TEST(tasks_that_wait_hold_no_worker),
        TEST(time_to_live_ends_it),
        TEST(it_outlives_its_session),
        TEST(the_end_of_the_server_ends_them),
        TEST(the_drain_does_not_wait_for_tasks),
        TEST(every_end_is_told_once),
        TEST(at_the_limit_each_is_answered),
    };

    return CHECK_RUN(tests);
}
