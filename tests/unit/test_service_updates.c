/* Whoever subscribes to what the services tell of themselves hears of what the tools change. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "state/base/keeper.h"
#include "state/config.h"
#include "state/mcp_session.h"
#include "tests/fakes.h"

#include <string.h>

static struct fake_project project;
static struct keeper *keeper;
static struct pool *pool;
static struct dispatcher *dispatcher;
static struct envelope connection;
static struct fake_sink own; /* Where what belongs to no request goes. */

/* Sends a message; its answer must hold 'want', or with null there is none. */
static void
say(const char *message, const char *want)
{
    struct fake_sink sink;
    const char *body;

    fake_sink_init(&sink);
    dispatch_message(dispatcher, &connection, slice_of(message), &sink.sink);
    body = fake_sink_wait(&sink);
    if (want ? !strstr(body, want) : *body) {
        fail_msg("%s: %s", message, body);
    }
    fake_sink_fini(&sink);
}

static int
set_up(void **unused)
{
    struct dispatch_limits limits = {.json = JSON_LIMITS_INIT,
                                     .calls = 64,
                                     .calls_per_session = 8,
                                     .call_ns = 60000000000,
                                     .groups = "full"};

    (void)unused;
    fake_project_init(&project, NULL);
    CHECK_INT(keeper_start(&keeper, NULL), E_OK);
    state_keep(project.state, keeper);
    CHECK_INT(
        config_set(state_config(project.state), SETTING_quota_services, "tiingo=500/month", NULL),
        E_OK);
    pool = pool_create(2, 1, 64);
    dispatcher = dispatcher_create(project.state, pool, &limits);
    fake_sink_init(&own);
    connection =
        (struct envelope){.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};
    mcp_session_set_sink(connection.session, &own.sink);
    say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
        "\"2025-06-18\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}",
        "\"subscribe\":true");
    say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", NULL);
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    mcp_session_set_sink(connection.session, NULL);
    dispatch_gone(dispatcher, &connection, NULL);
    mcp_session_unref(connection.session);
    pool_destroy(pool);
    dispatcher_destroy(dispatcher);
    fake_project_fini(&project);
    keeper_stop(keeper);
    fake_sink_fini(&own);
    return 0;
}

static void
subscribe(const char *uri)
{
    char *message = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"resources/subscribe\","
                              "\"params\":{\"uri\":\"%s\"}}",
                              uri);
    say(message, "\"result\":{}");
    free(message);
}

static void
call(const char *tool, const char *args)
{
    char *message = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\","
                              "\"params\":{\"name\":\"%s\",\"arguments\":%s}}",
                              tool, args);
    say(message, "\"structuredContent\"");
    free(message);
}

/* How often the client was told of 'uri'. */
static unsigned
told_locked(const char *uri)
{
    char *note = xasprintf("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\","
                           "\"params\":{\"uri\":\"%s\"}}\n",
                           uri);
    const char *at = own.sent.data ? own.sent.data : "";
    unsigned count = 0;

    while ((at = strstr(at, note)) != NULL) {
        at += strlen(note);
        count++;
    }
    free(note);
    return count;
}

/* Waits until the client has been told of 'uri' so often; returns how often it was. */
static unsigned
await_updates(const char *uri, unsigned wanted)
{
    unsigned count;

    pthread_mutex_lock(&own.mutex);
    while ((count = told_locked(uri)) < wanted) {
        pthread_cond_wait(&own.cond, &own.mutex);
    }
    pthread_mutex_unlock(&own.mutex);
    return count;
}

static unsigned
await_update(const char *uri)
{
    return await_updates(uri, 1);
}

static void
one_of_each_is_told(void **unused)
{
    (void)unused;
    subscribe("tandem://quota/summary");
    subscribe("tandem://failures");
    subscribe("tandem://learnings/qa");
    subscribe("tandem://session/current");
    subscribe("tandem://helpdesk/status"); /* Of which there is no news. */
    call("acquire_quota", "{\"service\":\"tiingo\"}");
    await_update("tandem://quota/summary");
    call("record_tool_outcome", "{\"tool_name\":\"Bash\",\"output\":\"1 failed, 2 passed\","
                                "\"exit_code\":1,\"context\":{\"agent_type\":\"qa\","
                                "\"command\":\"pytest\"}}");
    await_update("tandem://failures");
    call("record_tool_outcome", "{\"tool_name\":\"Bash\",\"output\":\"3 passed\","
                                "\"context\":{\"agent_type\":\"qa\",\"command\":\"pytest\"}}");
    await_update("tandem://learnings/qa");
    call("update_token_usage", "{\"input_tokens\":2,\"output_tokens\":1}");
    await_update("tandem://session/current");
    pthread_mutex_lock(&own.mutex);
    CHECK_INT(told_locked("tandem://helpdesk/status"), 0);
    pthread_mutex_unlock(&own.mutex);
}

static void
what_is_cleared_is_told(void **unused)
{
    (void)unused;
    subscribe("tandem://failures");
    call("record_tool_outcome", "{\"tool_name\":\"Bash\",\"output\":\"1 failed\"}");
    await_update("tandem://failures");
    call("clear_failures", "{}");
    await_updates("tandem://failures", 2);
}

static void
many_changes_are_told_together(void **unused)
{
    (void)unused;
    subscribe("tandem://session/current");
    subscribe("tandem://quota/summary");
    for (int i = 0; i < 200; i++) {
        call("update_token_usage", "{\"input_tokens\":2,\"output_tokens\":1}");
        call("acquire_quota", "{\"service\":\"tiingo\"}");
    }
    CHECK(await_update("tandem://session/current") < 200);
    CHECK(await_update("tandem://quota/summary") < 200);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_of_each_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_cleared_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_changes_are_told_together, set_up, tear_down),
    };
    return CHECK_RUN(tests);
}
