/* test_metrics.c -- what calls of all kinds leave in the metrics, in both their forms. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "handlers/operations.h"
#include "handlers/tools.h"
#include "state/config.h"
#include "state/mcp_session.h"
#include "state/process.h"
#include "state/state.h"
#include "tests/exposition_check.h"
#include "tests/fakes.h"
#include "tests/threads.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define META                                                                 \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"," \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"
#define SERIES "mcp_server_operation_duration_seconds_count"

static struct fake_project project;
static struct pool *pool;
static struct dispatcher *dispatcher;
static struct mcp_session *session;

static int
set_up(void **unused)
{
    struct dispatch_limits limits = {.json = JSON_LIMITS_INIT,
                                     .calls = 2048,
                                     .calls_per_session = 2048,
                                     .call_ns = 60000000000,
                                     .groups = "full"};

    (void)unused;
    fake_project_init(&project, NULL);
    pool = pool_create(2, 1, 2048);
    dispatcher = dispatcher_create(project.state, pool, &limits);
    session = mcp_session_of_connection();
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    pool_stop(pool);
    dispatcher_destroy(dispatcher);
    pool_destroy(pool);
    mcp_session_unref(session);
    fake_project_fini(&project);
    return 0;
}

static void
send(enum transport_kind transport, const char *message)
{
    struct envelope env = {.transport = transport,
                           .session = transport == TRANSPORT_HTTP ? NULL : session,
                           .protocol_version =
                               transport == TRANSPORT_HTTP ? SLICE("2026-07-28") : SLICE_NONE};
    struct fake_sink sink;

    fake_sink_init(&sink);
    dispatch_message(dispatcher, &env, slice_of(message), &sink.sink);
    fake_sink_wait(&sink);
    fake_sink_fini(&sink);
}

static void
call(const char *tool, const char *arguments)
{
    struct envelope env = {.transport = TRANSPORT_HTTP, .principal = SLICE("p")};
    struct fake_sink sink;

    fake_sink_init(&sink);
    dispatch_tool(dispatcher, &env, slice_of(tool), slice_of(arguments), &sink.sink);
    fake_sink_wait(&sink);
    fake_sink_fini(&sink);
}

/* All that is exposed, which must be good; new. */
static char *
expose(void)
{
    struct buf out = BUF_INIT;
    char why[512];

    dispatch_metrics(dispatcher, &out);
    CHECK(!out.failed);
    if (!exposition_is_good(out.data, why, sizeof why)) {
        fail_msg("%s", why);
    }
    return buf_steal(&out);
}

static void
operations_are_counted_by_what_they_were(void **unused)
{
    static const struct {
        const char *series;
        int count;
    } wanted[] = {
        {SERIES "{mcp_method_name=\"tools/list\",network_transport=\"pipe\"}", 2},
        {SERIES "{mcp_method_name=\"tools/call\",gen_ai_tool_name=\"current_date\","
                "network_transport=\"tcp\",network_protocol_name=\"http\"}",
         3},
        {SERIES "{mcp_method_name=\"tools/call\",gen_ai_tool_name=\"get_config\","
                "network_transport=\"tcp\",network_protocol_name=\"http\","
                "error_type=\"not_found\"}",
         1},
        {SERIES "{mcp_method_name=\"tools/call\",gen_ai_tool_name=\"get_config\","
                "network_transport=\"tcp\",network_protocol_name=\"websocket\","
                "error_type=\"not_found\"}",
         1},
        {SERIES "{mcp_method_name=\"_OTHER\",network_transport=\"pipe\","
                "error_type=\"method_not_found\"}",
         2},
        {SERIES "{mcp_method_name=\"_OTHER\",network_transport=\"pipe\","
                "error_type=\"parse_error\"}",
         1},
        {SERIES "{mcp_method_name=\"tools/call\",network_transport=\"tcp\","
                "network_protocol_name=\"http\",error_type=\"not_found\"}",
         1},
    };
    char *text;

    (void)unused;
    for (int i = 0; i < 2; i++) {
        send(TRANSPORT_STDIO,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{" META "}}");
        send(TRANSPORT_STDIO,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\\\"y\",\"params\":{" META "}}");
    }
    send(TRANSPORT_STDIO, "{");
    send(TRANSPORT_WS,
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{"
         "\"name\":\"get_config\",\"arguments\":{\"key\":\"no.such.key\"}," META "}}");
    for (int i = 0; i < 3; i++) {
        call("current_date", "{}");
    }
    call("get_config", "{\"key\":\"no.such.key\"}");
    call("no_such_tool", "{}");
    text = expose();
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (exposition_value(text, wanted[i].series) != wanted[i].count) {
            fail_msg("%s in\n%s", wanted[i].series, text);
        }
    }
    CHECK(!strstr(text, "no_such_tool") && !strstr(text, "x\\\"y")); /* Labels are bounded. */
    free(text);
}

static void
all_stores_are_there(void **unused)
{
    static const char *const families[] = {"tandem_cache_hits_total{cache=\"project_info\"}",
                                           "tandem_cache_max{cache=\"tenants\"}",
                                           "tandem_requests_in_flight{transport=\"http\"}",
                                           "tandem_connections",
                                           "tandem_websockets",
                                           "tandem_mcp_sessions",
                                           "tandem_mcp_streams",
                                           "tandem_mcp_tasks",
                                           "tandem_workers",
                                           "tandem_workflow_sessions_active",
                                           "tandem_search_index_passages",
                                           "tandem_helpdesk_index_passages",
                                           "tandem_helpdesk_load_failures_total",
                                           "tandem_bus_events_total",
                                           "tandem_relay_readers",
                                           "tandem_sessions",
                                           "tandem_config_version",
                                           "tandem_tenants",
                                           "tandem_tenant_mismatches_total",
                                           "tandem_tenant_blocks_total",
                                           "tandem_tenant_refused_total",
                                           "tandem_tenants_blocked",
                                           "tandem_failures_unfixed",
                                           "tandem_learnings_total",
                                           "tandem_quota_crossings_total{level=\"critical\"}",
                                           "tandem_quota_refused_total",
                                           "tandem_quota_writes_total",
                                           "tandem_quota_owed",
                                           "tandem_quota_reduced",
                                           "tandem_cache_size{cache=\"quota_counts\"}",
                                           "tandem_log_lines_dropped_total",
                                           "process_resident_memory_bytes",
                                           "process_open_fds",
                                           "process_max_fds",
                                           "process_threads",
                                           "process_start_time_seconds"};
    char *text = expose();

    (void)unused;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        if (exposition_value(text, families[i]) < 0) {
            fail_msg("%s is not there", families[i]);
        }
    }
    CHECK(!strstr(text, "hit_rate"));
    free(text);
}

static void
the_helpdesk_is_counted(void **unused)
{
    char *text;

    (void)unused;
    call("search_helpdesk", "{\"query\":\"a refund\"}");
    call("search_helpdesk", "{\"query\":\"\"}"); /* Is refused: no search. */
    call("reload_helpdesk_index", "{}");
    text = expose();
    CHECK_INT(exposition_value(text, "tandem_helpdesk_index_ready"), 1);
    CHECK_INT(exposition_value(text, "tandem_helpdesk_loads_total"), 2);
    CHECK_INT(exposition_value(text, "tandem_helpdesk_load_failures_total"), 0);
    CHECK_INT(exposition_value(text, "tandem_helpdesk_searches_total"), 1);
    free(text);
}

/* Each service of the settings has its count, and what is not known of a cache is not told. */
static void
quotas_are_told_by_service(void **unused)
{
    char *text;

    (void)unused;
    CHECK_INT(config_set(state_config(project.state), SETTING_quota_services,
                         "tiingo=10/month,sendgrid=100/day", NULL),
              E_OK);
    call("acquire_quota", "{\"service\":\"tiingo\",\"count\":8}");
    call("acquire_quota", "{\"service\":\"tiingo\"}"); /* Critical by now. */
    text = expose();
    CHECK_INT(exposition_value(text, "tandem_quota_used{service=\"tiingo\"}"), 8);
    CHECK_INT(exposition_value(text, "tandem_quota_limit{service=\"tiingo\"}"), 10);
    CHECK_INT(exposition_value(text, "tandem_quota_used{service=\"sendgrid\"}"), 0);
    CHECK_INT(exposition_value(text, "tandem_quota_crossings_total{level=\"warning\"}"), 1);
    CHECK_INT(exposition_value(text, "tandem_quota_crossings_total{level=\"critical\"}"), 1);
    CHECK_INT(exposition_value(text, "tandem_quota_crossings_total{level=\"exhausted\"}"), 0);
    CHECK_INT(exposition_value(text, "tandem_quota_refused_total"), 1);
    CHECK_INT(exposition_value(text, "tandem_cache_size{cache=\"quota_counts\"}"), 1);
    CHECK(!strstr(text, "tandem_cache_double_loads_total{cache=\"quota_counts\"}"));
    free(text);
}

static json_t *
read_resource(void)
{
    struct envelope env = {.transport = TRANSPORT_HTTP, .principal = SLICE("p")};
    struct fake_sink sink;
    json_t *answer, *told;

    fake_sink_init(&sink);
    dispatch_resource(dispatcher, &env, SLICE("tandem://server/metrics"), &sink.sink);
    answer = json_loads(fake_sink_wait(&sink), 0, NULL);
    CHECK_INT(sink.status, 200);
    told = json_loads(json_string_value(json_object_get(
                          json_array_get(json_object_get(answer, "contents"), 0), "text")),
                      0, NULL);
    json_decref(answer);
    fake_sink_fini(&sink);
    return told;
}

static void
the_console_gets_percentiles(void **unused)
{
    json_t *told, *tool, *other;

    (void)unused;
    call("current_date", "{}");
    call("set_config", "{\"key\":\"nothing\"}");
    told = read_resource();
    tool = json_object_get(json_object_get(told, "tools"), "current_date");
    CHECK(json_integer_value(json_object_get(tool, "calls")) >= 1);
    CHECK_INT(json_integer_value(json_object_get(tool, "errors")), 0);
    CHECK(json_real_value(json_object_get(tool, "p50_ms")) <=
          json_real_value(json_object_get(tool, "p95_ms")));
    CHECK(json_real_value(json_object_get(tool, "p95_ms")) <=
          json_real_value(json_object_get(tool, "p99_ms")));
    CHECK(json_is_real(json_object_get(tool, "mean_ms")));
    other = json_object_get(json_object_get(told, "tools"), "set_config");
    CHECK_INT(json_integer_value(json_object_get(other, "errors")), 1);
    CHECK(!json_object_get(json_object_get(told, "tools"), "end_session")); /* Never called. */
    CHECK(json_object_get(json_object_get(told, "load"), "workers"));
    CHECK(json_integer_value(json_object_get(json_object_get(told, "process"), "resident_bytes")) >
          0);
    CHECK(json_is_object(json_object_get(json_object_get(told, "caches"), "tenants")));
    json_decref(told);
}

static void
call_often(void *arg, unsigned number)
{
    (void)arg, (void)number;
    for (int i = 0; i < 20; i++) {
        call("list_sessions", "{}");
    }
}

static void
every_call_of_every_thread_is_counted(void **unused)
{
    static const char series[] =
        SERIES "{mcp_method_name=\"tools/call\",gen_ai_tool_name=\"list_sessions\","
               "network_transport=\"tcp\",network_protocol_name=\"http\"}";
    char *text;

    (void)unused;
    threads_run(20, call_often, NULL);
    text = expose();
    CHECK_INT(exposition_value(text, series), 400);
    free(text);
}

static void
the_process_is_known(void **unused)
{
    struct process_usage u = process_usage();

    (void)unused;
    CHECK(u.resident_bytes > 100000 && u.virtual_bytes >= u.resident_bytes);
    CHECK(u.descriptors >= 3 && u.descriptors < u.descriptors_max);
    CHECK(u.threads >= 1 && u.cpu_seconds >= 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_are_counted_by_what_they_were),
        cmocka_unit_test(all_stores_are_there),
        cmocka_unit_test(the_helpdesk_is_counted),
        cmocka_unit_test(quotas_are_told_by_service),
        cmocka_unit_test(the_console_gets_percentiles),
        cmocka_unit_test(every_call_of_every_thread_is_counted),
        cmocka_unit_test(the_process_is_known),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
