/* test_dispatch.c -- the spine: what is answered to what, in which era, exactly once. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "handlers/era.h"
#include "state/base/keeper.h"
#include "state/mcp_session.h"
#include "state/state.h"
#include "tests/fakes.h"

#include <sched.h>
#include <string.h>

#define META                                                                 \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"," \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"

static struct fake_project project;
static struct pool *pool;
static struct dispatcher *dispatcher;

static int
set_up(void **unused)
{
    struct dispatch_limits limits = {
        .json = JSON_LIMITS_INIT, .calls = 64, .calls_per_session = 8, .call_ns = 60000000000};
    (void)unused;
    fake_project_init(&project, NULL);
    pool = pool_create(4, 1, 64);
    dispatcher = dispatcher_create(project.state, pool, &limits);
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    pool_destroy(pool);
    dispatcher_destroy(dispatcher);
    fake_project_fini(&project);
    return 0;
}

/* Sends one message and checks the status and that the answer holds 'want' (null: that it is
 * empty). */
static void
expect(const struct envelope *env, const char *message, int status, const char *want)
{
    struct fake_sink sink;
    const char *body;

    fake_sink_init(&sink);
    dispatch_message(dispatcher, env, slice_of(message), &sink.sink);
    body = fake_sink_wait(&sink);
    if (sink.status != status || (want ? !strstr(body, want) : *body != '\0')) {
        fail_msg("sent %s\nwanted %d %s\ngot    %d %s", message, status, want ? want : "(nothing)",
                 sink.status, body);
    }
    fake_sink_fini(&sink);
}

static struct envelope
stdio(void)
{
    return (struct envelope){.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};
}

static void
legacy_handshake_on_a_connection(void **unused)
{
    struct envelope env = stdio();

    (void)unused;
    expect(&env, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", 200, "\"result\":{}}");
    expect(&env, "{\"jsonrpc\":\"2.0\",\"id\":\"a\\u0031\",\"method\":\"tools/list\"}", 400,
           "\"id\":\"a\\u0031\",\"error\":{\"code\":-32600");
    expect(
        &env,
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
        "\"2025-06-18\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}",
        200, "\"protocolVersion\":\"2025-06-18\"");
    expect(&env, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", 202, NULL);
    expect(&env, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/list\"}", 200, "current_date");
    expect(
        &env,
        "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
        "\"2025-06-18\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}",
        400, "-32600");
    mcp_session_unref(env.session);
}

/* What a transport lends comes back after each answer, wherever that was written. */
static void
lent_memory_comes_back(void **unused)
{
    static const char *const messages[] = {
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{" META "}}",
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":"
        "\"current_date\"," META "}}",
        "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":"
        "\"pos_workflow\",\"arguments\":{\"action\":\"list_workflows\"}," META "}}",
        "[{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"ping\"},{\"jsonrpc\":\"2.0\",\"id\":5,"
        "\"method\":\"ping\"}]",
        "{\"jsonrpc\":\"2.0\",\"id\":6}",
    };
    struct buf room = BUF_INIT;
    struct envelope env = stdio();
    const char *data;

    (void)unused;
    env.room = &room;
    expect(&env, messages[0], 200, "current_date");
    data = room.data;
    CHECK(data != NULL);
    for (size_t i = 1; i < sizeof messages / sizeof messages[0]; i++) {
        struct fake_sink sink;

        fake_sink_init(&sink);
        dispatch_message(dispatcher, &env, slice_of(messages[i]), &sink.sink);
        CHECK(*fake_sink_wait(&sink));
        fake_sink_fini(&sink);
        CHECK(room.data == data);
    }
    buf_fini(&room);
    mcp_session_unref(env.session);
}

static void
calls_run_inline_and_on_workers(void **unused)
{
    struct envelope env = stdio();

    (void)unused;
    expect(&env,
           "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":"
           "\"current_date\"," META "}}",
           200, "\"structuredContent\":{\"iso_date\"");
    expect(&env,
           "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":"
           "\"get_server_info\",\"arguments\":{}," META "}}",
           200, "\"resultType\":\"complete\"");
    expect(&env,
           "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/"
           "call\",\"params\":{\"name\":\"nope\"," META "}}",
           200, "-32602");
    expect(&env,
           "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"tools/call\",\"params\":{\"name\":"
           "\"current_date\",\"arguments\":{\"zone\":1}," META "}}",
           200, "\"isError\":true");
    /* Null for what may be left out is left out; for what may not, it is not. */
    expect(&env,
           "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/call\",\"params\":{\"name\":"
           "\"pos_workflow\",\"arguments\":{\"action\":\"list_workflows\",\"category\":null,"
           "\"phase\":null,\"options\":null}," META "}}",
           200, "\"status\":\"success\"");
    expect(&env,
           "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"tools/call\",\"params\":{\"name\":"
           "\"pos_workflow\",\"arguments\":{\"action\":null}," META "}}",
           200, "\"isError\":true");
    mcp_session_unref(env.session);
}

static void
modern_over_http_checks_headers(void **unused)
{
    struct envelope env = {.transport = TRANSPORT_HTTP,
                           .protocol_version = SLICE("2026-07-28"),
                           .method = SLICE("tools/call"),
                           .name = SLICE("current_date")};
    const char *call =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":"
        "\"current_date\"," META "}}";

    (void)unused;
    expect(&env, call, 200, "iso_date");
    env.name = SLICE("=?base64?Y3VycmVudF9kYXRl?=");
    expect(&env, call, 200, "iso_date");
    env.name = SLICE("other");
    expect(&env, call, 400, "-32020");
    env.name = SLICE("current_date");
    env.method = SLICE("TOOLS/CALL");
    expect(&env, call, 400, "-32020");
    env.method = SLICE("tools/call");
    env.protocol_version = SLICE_NONE;
    expect(&env, call, 400, "-32020");
    env.protocol_version = SLICE("2026-07-28");
    expect(&env, "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"tools/list\"}", 400, "\"id\":9");
    env.method = SLICE("ping");
    expect(&env, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{" META "}}", 404,
           "-32601");
}

static void
a_legacy_http_session_lives_and_ends(void **unused)
{
    struct envelope env = {.transport = TRANSPORT_HTTP, .principal = SLICE("p")};
    struct fake_sink sink;
    char id[64];

    (void)unused;
    fake_sink_init(&sink);
    dispatch_message(
        dispatcher, &env,
        SLICE("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{"
              "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{}}}"),
        &sink.sink);
    fake_sink_wait(&sink);
    CHECK_INT(sink.status, 200);
    CHECK_INT(strlen(sink.session_id), 32);
    strcpy(id, sink.session_id);
    fake_sink_fini(&sink);
    expect(&env, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}", 400, "-32600");
    env.session_id = slice_of(id);
    expect(&env, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}", 200, "\"tools\"");
    env.principal = SLICE("q");
    expect(&env, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}", 404, "unknown");
    env.principal = SLICE("p");
    env.protocol_version = SLICE("2026-07-28"); /* Not one of a session, whatever is asked. */
    fake_sink_init(&sink);
    dispatch_end(dispatcher, &env, &sink.sink);
    fake_sink_wait(&sink);
    CHECK_INT(sink.status, 400);
    fake_sink_fini(&sink);
    env.protocol_version = SLICE_NONE;
    fake_sink_init(&sink);
    dispatch_end(dispatcher, &env, &sink.sink);
    fake_sink_wait(&sink);
    CHECK_INT(sink.status, 204);
    fake_sink_fini(&sink);
    expect(&env, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/list\"}", 404, "\"id\":3");
}

static void
batches_are_for_one_revision(void **unused)
{
    struct envelope env = stdio();

    (void)unused;
    expect(&env, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", 400, "-32600");
    expect(
        &env,
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
        "\"2025-03-26\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}",
        200, "2025-03-26");
    expect(&env,
           "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"},{\"jsonrpc\":\"2.0\",\"method\":"
           "\"x\"},"
           "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":"
           "\"get_server_info\"}},5]",
           200, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}},{\"jsonrpc\":\"2.0\",\"id\":2,");
    expect(&env, "[{\"jsonrpc\":\"2.0\",\"method\":\"x\"}]", 202, NULL);
    expect(&env, "[]", 400, "-32600");
    expect(&env, "[[]]", 200, "[{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600");
    /* What one message means for the connection, and the era without batches, stay out of them. */
    expect(
        &env,
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
        "\"2025-03-26\"}}]",
        200,
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32600,\"message\":\"initialize "
        "cannot");
    expect(&env, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{" META "}}]",
           200, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32600");
    mcp_session_unref(env.session);
}

static void
batches_over_http_need_their_session(void **unused)
{
    struct mcp_session *session = NULL;
    const char *batch = "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]";
    const char *initialize = "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{"
                             "\"protocolVersion\":\"2025-03-26\"}}]";
    struct envelope env = {.transport = TRANSPORT_HTTP, .principal = SLICE("p")};

    (void)unused;
    CHECK_INT(mcp_session_start(state_sessions(project.state), SLICE("p"), &session, NULL), E_OK);
    atomic_store(&session->revision, REVISION_2025_03_26);
    expect(&env, batch, 400, "-32600");
    env.session_id = SLICE("gone");
    expect(&env, batch, 404, "-32600");
    env.session_id = slice_of(session->id);
    expect(&env, batch, 200, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]");
    expect(&env, initialize, 200, "initialize cannot");
    env.protocol_version = SLICE("2026-07-28");
    expect(&env, batch, 400, "knows no batches");
    env.protocol_version = SLICE_NONE;
    atomic_store(&session->revision, REVISION_2024_11_05); /* Tolerated on stdio only. */
    expect(&env, batch, 400, "-32600");
    mcp_session_unref(session);
}

static void
scripts_get_plain_results(void **unused)
{
    struct envelope env = {.transport = TRANSPORT_HTTP};
    struct fake_sink sink;

    (void)unused;
    fake_sink_init(&sink);
    dispatch_tool(dispatcher, &env, SLICE("current_date"), SLICE("{}"), &sink.sink);
    CHECK(strncmp(fake_sink_wait(&sink), "{\"iso_date\"", 11) == 0);
    fake_sink_fini(&sink);
    fake_sink_init(&sink);
    dispatch_tool(dispatcher, &env, SLICE("nope"), SLICE_NONE, &sink.sink);
    fake_sink_wait(&sink);
    CHECK_INT(sink.status, 404);
    CHECK(strstr(sink.body, "\"code\":\"not_found\""));
    fake_sink_fini(&sink);
    fake_sink_init(&sink);
    dispatch_tool(dispatcher, &env, SLICE("current_date"), SLICE("{"), &sink.sink);
    fake_sink_wait(&sink);
    CHECK_INT(sink.status, 400);
    fake_sink_fini(&sink);
    fake_sink_init(&sink);
    dispatch_tools(dispatcher, &env, &sink.sink);
    CHECK(strncmp(fake_sink_wait(&sink), "{\"tools\":[", 10) == 0);
    fake_sink_fini(&sink);
}

/* Waits, without sleeping, until another thread has made it so. */
static bool
comes_to(unsigned sessions)
{
    while (mcp_sessions_counters(state_sessions(project.state)).live != sessions) {
        sched_yield();
    }
    return true;
}

static void
the_keeper_ends_idle_sessions(void **unused)
{
    struct fake_clock clock;
    struct fault fault = FAULT_INIT;
    struct keeper *keeper;
    struct envelope http = {.transport = TRANSPORT_HTTP};

    tear_down(unused);
    fake_clock_init(&clock);
    fake_project_init(&project, &clock.clock);
    pool = pool_create(1, 0, 8);
    dispatcher = dispatcher_create(
        project.state, pool,
        &(struct dispatch_limits){
            .json = JSON_LIMITS_INIT, .calls = 64, .calls_per_session = 8, .call_ns = 60000000000});
    CHECK(!dispatch_tick(dispatcher)); /* Nothing will ever be due. */
    CHECK_INT(keeper_start(&keeper, &fault), E_OK);
    dispatch_keep(dispatcher, keeper);
    expect(
        &http,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
        "\"2025-06-18\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}",
        200, "serverInfo");
    CHECK(dispatch_tick(dispatcher));
    fake_clock_pass(&clock, project.settings->limits_session_idle);
    CHECK(comes_to(0)); /* Nobody asks for it. */
    pool_destroy(pool);
    dispatcher_destroy(dispatcher);
    keeper_stop(keeper);
    fake_project_fini(&project);
    set_up(unused);
}

/* ---- What a token allows ---- */

#define REQUEST(METHOD, PARAMS) \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" METHOD "\",\"params\":{" PARAMS META "}}"

static void
scopes_say_what_may_be_done(void **unused)
{
    static const char *const lacks_read = "needs the scope tandem:read";
    static const char *const lacks_write = "needs the scope tandem:write";
    const struct {
        struct slice scopes;
        const char *list, *date, *workflow; /* What is lacked; null for nothing. */
    } cases[] = {
        {SLICE_NONE, NULL, NULL, NULL},
        {SLICE(""), lacks_read, lacks_read, lacks_write},
        {SLICE("openid tandem:reader"), lacks_read, lacks_read, lacks_write},
        {SLICE("openid tandem:read"), NULL, NULL, lacks_write},
        {SLICE("tandem:write"), NULL, NULL, NULL},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct envelope env = stdio();

        env.scopes = cases[i].scopes;
        expect(&env, REQUEST("server/discover", ""), 200, "supportedVersions");
        expect(&env, REQUEST("tools/list", ""), cases[i].list ? 403 : 200,
               cases[i].list ? cases[i].list : "current_date");
        expect(&env, REQUEST("tools/call", "\"name\":\"current_date\","), cases[i].date ? 403 : 200,
               cases[i].date ? cases[i].date : "iso_date");
        expect(&env,
               REQUEST("tools/call", "\"name\":\"pos_workflow\","
                                     "\"arguments\":{\"action\":\"list_workflows\"},"),
               cases[i].workflow ? 403 : 200, cases[i].workflow ? cases[i].workflow : "success");
        /* What is not there needs no scope that could be named. */
        expect(&env, REQUEST("tools/call", "\"name\":\"none\","), 200, "-32602");
        mcp_session_unref(env.session);
    }
}

static void
scopes_hold_for_scripts_too(void **unused)
{
    struct envelope env = {.transport = TRANSPORT_HTTP, .scopes = SLICE("tandem:read")};
    struct fake_sink sink;

    (void)unused;
    fake_sink_init(&sink);
    dispatch_tool(dispatcher, &env, SLICE("pos_workflow"), SLICE("{\"action\":\"list_workflows\"}"),
                  &sink.sink);
    CHECK(strstr(fake_sink_wait(&sink), "\"code\":\"insufficient_scope\""));
    CHECK_INT(sink.status, 403);
    fake_sink_fini(&sink);
    env.scopes = SLICE("other");
    fake_sink_init(&sink);
    dispatch_tools(dispatcher, &env, &sink.sink);
    CHECK(strstr(fake_sink_wait(&sink), "tandem:read"));
    CHECK_INT(sink.status, 403);
    fake_sink_fini(&sink);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(legacy_handshake_on_a_connection),
        cmocka_unit_test(calls_run_inline_and_on_workers),
        cmocka_unit_test(lent_memory_comes_back),
        cmocka_unit_test(modern_over_http_checks_headers),
        cmocka_unit_test(a_legacy_http_session_lives_and_ends),
        cmocka_unit_test(batches_are_for_one_revision),
        cmocka_unit_test(batches_over_http_need_their_session),
        cmocka_unit_test(scripts_get_plain_results),
        cmocka_unit_test(scopes_say_what_may_be_done),
        cmocka_unit_test(scopes_hold_for_scripts_too),
        cmocka_unit_test(the_keeper_ends_idle_sessions),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
