/* test_tool_tenant.c -- tenants' settings as tools and resource: who sees and changes what. */
#include "tests/check.h"

#include "state/bus_reader.h"
#include "state/settings.h"
#include "tests/tool_rig.h"

#include <stdio.h>

static struct tool_rig rig;

static int
set_up(void **unused)
{
    (void)unused;
    tool_rig_init(&rig, "full");
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    tool_rig_fini(&rig);
    return 0;
}

static void
call_as(const struct envelope *env, const char *tool, const char *args, int status,
        const char *want)
{
    tool_rig_expect(&rig, env, tool, args, status, want);
}

/* Calls a tool as a script for 'tenant' (null: it names none); the answer holds 'want'. */
static void
call(const char *tenant, const char *tool, const char *args, int status, const char *want)
{
    const struct envelope env = {
        .transport = TRANSPORT_HTTP, .principal = SLICE("token"), .client_id = slice_of(tenant)};

    call_as(&env, tool, args, status, want);
}

static void
read_resource(const char *tenant, const char *uri, int status, const char *want)
{
    const struct envelope env = {.transport = TRANSPORT_HTTP, .client_id = slice_of(tenant)};
    struct fake_sink sink;
    const char *body;

    fake_sink_init(&sink);
    dispatch_resource(rig.dispatcher, &env, slice_of(uri), &sink.sink);
    body = fake_sink_wait(&sink);
    if (sink.status != status || !strstr(body, want)) {
        fail_msg("%s\nwanted %d %s\ngot    %d %s", uri, status, want, sink.status, body);
    }
    fake_sink_fini(&sink);
}

#define MAKE(ID, MORE)                                                          \
    "{\"client_id\":\"" ID "\",\"config\":{\"client\":{\"name\":\"N-" ID "\","  \
    "\"short_name\":\"S\",\"timezone\":\"UTC\"},\"llm\":{\"api_key\":\"key-" ID \
    "\",\"tier\":\"fast\"}" MORE "}}"

static void
make_two(void)
{
    call(NULL, "set_tenant_config", MAKE("acme", ""), 200, "\"version\":");
    call(NULL, "set_tenant_config", MAKE("beta", ",\"own\":[1,2]"), 200, "\"client_id\":\"beta\"");
}

static void
settings_are_made_read_and_listed(void **unused)
{
    (void)unused;
    call(NULL, "list_tenants", "{}", 200, "{\"tenants\":[\"default\"],\"count\":1");
    call(NULL, "get_tenant_config", "{}", 200, "\"source\":\"default\"");
    call(NULL, "get_tenant_config", "{\"client_id\":\"acme\"}", 404, "\"code\":\"unknown_tenant\"");
    call(NULL, "get_tenant_config", "{\"client_id\":\"../x\"}", 400, "\"invalid_argument\"");
    call(NULL, "set_tenant_config", "{\"client_id\":\"x/y\",\"config\":{}}", 400,
         "\"invalid_argument\"");
    call(NULL, "set_tenant_config", "{\"client_id\":\"acme\",\"config\":{\"client\":{}}}", 422,
         "tenants/acme.json");
    make_two();
    call(NULL, "list_tenants", "{}", 200, "[\"acme\",\"beta\",\"default\"]");
    call(NULL, "get_tenant_config", "{\"client_id\":\"beta\",\"section\":\"own\"}", 200,
         "\"config\":{\"own\":[1,2]}");
    call(NULL, "get_tenant_config", "{\"client_id\":\"beta\",\"section\":\"no\"}", 404,
         "\"not_found\"");
    call(NULL, "reload_tenant_config", "{}", 200, "{\"invalidated\":2}"); /* One is the default. */
    call(NULL, "get_tenant_cache_stats", "{}", 200, "\"max\":100");
}

static void
tenant_secrets_masked(void **unused)
{
    (void)unused;
    make_two();
    call("acme", "get_tenant_config", "{}", 200, "\"api_key\":\"***\"");
    call("acme", "get_tenant_config", "{\"section\":\"llm\"}", 200,
         "{\"llm\":{\"api_key\":\"***\",\"tier\":\"fast\"}}");
    read_resource("acme", "tandem://tenant/acme/config", 200, "\\\"api_key\\\":\\\"***\\\"");
    call(NULL, "set_tenant_config",
         "{\"client_id\":\"acme\",\"config\":{\"llm\":{\"api_key\":\"***\",\"tier\":\"slow\"}}}",
         200, "\"version\":");
    call("acme", "get_tenant_config", "{}", 200, "\"tier\":\"slow\"");
    CHECK(dir_is_file(rig.project.data, "tenants/acme.json"));
}

static void
of_two_writers_the_second_is_told(void **unused)
{
    (void)unused;
    make_two();
    call(NULL, "set_tenant_config",
         "{\"client_id\":\"acme\",\"config\":{\"a\":{}},\"if_version\":\"0000000000000000\"}", 409,
         "\"conflict\"");
    call(NULL, "set_tenant_config",
         "{\"client_id\":\"gamma\",\"config\":{\"client\":{\"name\":\"N\",\"short_name\":\"S\","
         "\"timezone\":\"UTC\"}},\"if_version\":\"none\"}",
         200, "\"version\":");
}

static void
who_is_for_a_tenant_sees_no_other(void **unused)
{
    (void)unused;
    make_two();
    call("acme", "get_tenant_config", "{}", 200, "N-acme");
    call("acme", "get_tenant_config", "{\"client_id\":\"acme\"}", 200, "N-acme");
    call("acme", "get_tenant_config", "{\"client_id\":\"beta\"}", 403, "\"tenant_mismatch\"");
    call("acme", "set_tenant_config", "{\"client_id\":\"beta\",\"config\":{}}", 403,
         "\"tenant_mismatch\"");
    call("acme", "reload_tenant_config", "{\"client_id\":\"beta\"}", 403, "\"tenant_mismatch\"");
    call("acme", "reload_tenant_config", "{}", 200, "{\"invalidated\":1}");
    call("acme", "list_tenants", "{}", 200, "{\"tenants\":[\"acme\"],\"count\":1");
    read_resource("acme", "tandem://tenant/acme/config", 200, "N-acme");
    read_resource("acme", "tandem://tenant/beta/config", 403, "\"tenant_mismatch\"");
    read_resource(NULL, "tandem://tenant/beta/config", 200, "N-beta");
    read_resource(NULL, "tandem://tenant/none/config", 404, "\"code\":");
    read_resource(NULL, "tandem://tenant/..%2Fx/config", 404, "\"code\":");
}

static void
who_is_bound_changes_nothing_for_all(void **unused)
{
    const struct envelope bound = {.transport = TRANSPORT_HTTP, .tenants = SLICE("acme")};
    const struct envelope named = {.transport = TRANSPORT_HTTP, .client_id = SLICE("acme")};

    (void)unused;
    make_two();
    call_as(&bound, "set_config", "{\"key\":\"drain\",\"value\":\"1s\"}", 403, "operator_only");
    call_as(&bound, "reload_config", "{}", 403, "operator_only");
    call_as(&bound, "set_event_filters", "{\"patterns\":[\"a.*\"]}", 403, "operator_only");
    call_as(&bound, "reset_quota", "{\"service\":\"tiingo\"}", 403, "operator_only");
    call_as(&bound, "sync_quotas", "{}", 403, "operator_only");
    call_as(&named, "sync_quotas", "{}", 200, "\"owed\":0");
    call_as(&bound, "get_config", "{\"key\":\"drain\"}", 200, "\"origin\":\"default\"");
    call_as(&bound, "get_event_stats", "{}", 200, "\"filter_count\":0");
    call_as(&named, "set_event_filters", "{\"patterns\":[\"a.*\"]}", 200, "\"filter_count\":1");
}

static void
who_is_bound_does_not_lift_its_limits(void **unused)
{
    const struct envelope env = {.transport = TRANSPORT_HTTP, .tenants = SLICE("acme")};

    (void)unused;
    make_two();
    call_as(&env, "set_tenant_config", "{\"client_id\":\"acme\",\"config\":{\"quota\":{}}}", 403,
            "operator_only");
    call_as(&env, "set_tenant_config",
            "{\"client_id\":\"acme\",\"config\":{\"_meta\":{\"status\":\"active\"}}}", 403,
            "operator_only");
    call_as(&env, "set_tenant_config", "{\"client_id\":\"acme\",\"merge\":false,\"config\":{}}",
            403, "operator_only");
    call_as(&env, "set_tenant_config",
            "{\"client_id\":\"acme\",\"config\":{\"branding\":{\"color\":\"red\"}}}", 200,
            "\"version\":");
    call_as(&env, "get_tenant_config", "{\"section\":\"branding\"}", 200, "\"color\":\"red\"");
}

static void
nobody_wakes(void *arg)
{
    (void)arg;
}

static void
expect_reader(const char *tenant, enum err want)
{
    const struct envelope env = {.transport = TRANSPORT_HTTP, .client_id = slice_of(tenant)};
    struct bus_reader_options options = {.from = BUS_FROM_NOW, .wake = nobody_wakes};
    struct bus_reader_start start;
    struct bus_reader *reader = NULL;
    struct fault f = FAULT_INIT;

    CHECK_INT(dispatch_read_events(rig.dispatcher, &env, &options, &reader, &start, &f), want);
    CHECK((reader != NULL) == (want == E_OK));
    if (reader) {
        bus_reader_close(reader);
    }
}

static void
send_event(const char *tenant, int status, const char *want)
{
    const struct envelope env = {.transport = TRANSPORT_HTTP, .client_id = slice_of(tenant)};
    struct fake_sink sink;
    const char *body;

    fake_sink_init(&sink);
    dispatch_event(rig.dispatcher, &env, SLICE("{\"topic\":\"build.done\",\"data\":{}}"),
                   &sink.sink);
    body = fake_sink_wait(&sink);
    if (sink.status != status || !strstr(body, want)) {
        fail_msg("an event of %s: %d %s", tenant, sink.status, body);
    }
    fake_sink_fini(&sink);
}

static void
who_is_not_there_or_suspended_is_not_served(void **unused)
{
    static const char *const tools[] = {"current_date", "get_server_info", "get_recent_events",
                                        "get_tenant_cache_stats"};

    (void)unused;
    make_two();
    call(NULL, "set_tenant_config",
         "{\"client_id\":\"acme\",\"config\":{\"_meta\":{\"status\":\"suspended\"}}}", 200, "{");
    for (size_t i = 0; i < sizeof tools / sizeof tools[0]; i++) {
        for (int again = 0; again < 2; again++) { /* From the file, and from memory. */
            call("acme", tools[i], "{}", 403, "\"details\":{\"reason\":\"suspended\"}");
            call("none", tools[i], "{}", 404, "\"unknown_tenant\"");
            call("beta", tools[i], "{}", 200, "{");
        }
    }
    expect_reader("acme", E_TENANT);
    expect_reader("none", E_NO_TENANT);
    expect_reader("beta", E_OK);
    send_event("acme", 403, "\"suspended\"");
    send_event("none", 404, "\"unknown_tenant\"");
    send_event("beta", 204, "");
    call(NULL, "list_tenants", "{}", 200, "[\"beta\",\"default\"]");
    call(NULL, "list_tenants", "{\"active_only\":false}", 200, "[\"acme\",\"beta\",\"default\"]");
    call(NULL, "set_tenant_config", "{\"client_id\":\"acme\",\"config\":{\"_meta\":null}}", 200,
         "{");
    call("acme", "current_date", "{}", 200, "iso_date");
    expect_reader("acme", E_OK);
    call(NULL, "set_tenant_config",
         "{\"client_id\":\"default\",\"config\":{\"_meta\":{\"status\":\"suspended\"}}}", 200, "{");
    call(NULL, "list_tenants", "{}", 403, "\"suspended\"");
    call(NULL, "current_date", "{}", 403, "\"suspended\"");
    call("beta", "current_date", "{}", 200, "iso_date");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(settings_are_made_read_and_listed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tenant_secrets_masked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(of_two_writers_the_second_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_is_for_a_tenant_sees_no_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_is_bound_changes_nothing_for_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_is_bound_does_not_lift_its_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_is_not_there_or_suspended_is_not_served, set_up,
                                        tear_down),
    };
    return CHECK_RUN(tests);
}
