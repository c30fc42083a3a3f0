/* test_tool_quota.c -- quotas through their tools: what a refusal tells, and what who is bound to a
 * tenant may do to limits that all share. */
#include "tests/check.h"

#include "tests/tool_rig.h"

#include <string.h>

static struct tool_rig rig;
/* Who is bound to no tenant. */
#define OPERATOR (&(const struct envelope){.transport = TRANSPORT_HTTP, .principal = SLICE("p")})

static void
expect(const struct envelope *env, const char *tool, const char *args, int status, const char *want)
{
    tool_rig_expect(&rig, env, tool, args, status, want);
}

static int
set_up(void **unused)
{
    (void)unused;
    tool_rig_init(&rig, "full");
    fake_project_tenant(&rig.project, "acme");
    fake_project_tenant(&rig.project, "beta");
    CHECK_INT(config_set(state_config(rig.project.state), SETTING_quota_services,
                         "tiingo=100/month,sendgrid=10/day,calls=2/minute", NULL),
              E_OK);
    expect(OPERATOR, "set_tenant_config",
           "{\"client_id\":\"acme\",\"config\":{\"quota\":{\"services\":[\"sendgrid=5/day\"]}}}",
           200, "\"version\":");
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
a_refusal_tells_when_to_come_back(void **unused)
{
    static const char *const args = "{\"service\":\"calls\",\"count\":3,\"priority\":\"high\"}";
    json_t *answer, *details;
    struct fake_sink sink;
    int wait;

    (void)unused;
    fake_sink_init(&sink);
    dispatch_tool(rig.dispatcher, OPERATOR, SLICE("acquire_quota"), slice_of(args), &sink.sink);
    answer = json_loads(fake_sink_wait(&sink), 0, NULL);
    CHECK_INT(sink.status, 429);
    details = json_object_get(answer, "details");
    wait = (int)json_integer_value(json_object_get(details, "retry_after"));
    CHECK(wait >= 1 && wait <= 60);
    CHECK_INT(sink.retry_after, wait);
    CHECK_STR(json_string_value(json_object_get(details, "reason")), "exhausted");
    CHECK_STR(json_string_value(json_object_get(details, "service")), "calls");
    CHECK_INT(json_integer_value(json_object_get(details, "limit")), 2);
    CHECK(json_is_true(json_object_get(answer, "retryable")));
    json_decref(answer);
    fake_sink_fini(&sink);
    answer = tool_rig_call(&rig, NULL, "acquire_quota", args, "quota_exhausted");
    CHECK(json_object_get(json_object_get(answer, "details"), "retry_after"));
    json_decref(answer);
}

#define TIINGO(MORE) "{\"service\":\"tiingo\"" MORE "}"

/* What all tenants share each takes by asking, and gives back what it took; of what is its own it
 * counts what it likes. */
static void
who_is_bound_moves_no_counts_of_others(void **unused)
{
    const struct envelope acme = {.transport = TRANSPORT_HTTP, .tenants = SLICE("acme")};
    const struct envelope beta = {.transport = TRANSPORT_HTTP, .tenants = SLICE("beta")};

    (void)unused;
    expect(&beta, "acquire_quota", TIINGO(",\"count\":5"), 200, "\"used\":5");
    expect(&acme, "record_quota_usage", TIINGO(""), 403, "operator_only");
    expect(&acme, "release_quota", TIINGO(""), 403, "not_acquired");
    expect(&acme, "acquire_quota", TIINGO(",\"count\":2"), 200, "\"used\":7");
    expect(&acme, "release_quota", TIINGO(",\"count\":3"), 403, "\"remedy\":\"give back no more");
    expect(&acme, "release_quota", TIINGO(",\"count\":2"), 200, "\"used\":5");
    expect(&acme, "release_quota", TIINGO(""), 403, "not_acquired");
    expect(&acme, "record_quota_usage", "{\"service\":\"sendgrid\",\"count\":4}", 200,
           "\"used\":4");
    expect(&acme, "release_quota", "{\"service\":\"sendgrid\",\"count\":4}", 200, "\"used\":0");
    expect(&beta, "record_quota_usage", "{\"service\":\"sendgrid\"}", 403, "operator_only");
    expect(OPERATOR, "record_quota_usage", TIINGO(",\"count\":2"), 200, "\"used\":7");
    expect(OPERATOR, "release_quota", TIINGO(",\"count\":7"), 200, "\"used\":0");
}

/* What is left is told before it is taken, in sum, as a resource, and is all there again after a
 * reset. */
static void
what_is_left_is_told_in_every_way(void **unused)
{
    const struct envelope acme = {.transport = TRANSPORT_HTTP, .tenants = SLICE("acme")};
    struct fake_sink sink;

    (void)unused;
    expect(OPERATOR, "check_quota", TIINGO(",\"count\":100"), 200, "\"remaining\":100");
    expect(OPERATOR, "acquire_quota", TIINGO(",\"count\":40"), 200, "\"remaining\":60");
    expect(OPERATOR, "check_quota", TIINGO(",\"count\":61"), 200, "\"reason\":");
    expect(OPERATOR, "check_quota", "{\"service\":\"none\"}", 404, "not_found");
    expect(OPERATOR, "get_quota_summary", "{}", 200, "\"total_calls_today\":40");
    expect(&acme, "get_quota_summary", "{}", 200, "\"service\":\"sendgrid\"");
    fake_sink_init(&sink);
    dispatch_resource(rig.dispatcher, OPERATOR, SLICE("tandem://quota/summary"), &sink.sink);
    CHECK(strstr(fake_sink_wait(&sink), "total_calls_today"));
    CHECK_INT(sink.status, 200);
    fake_sink_fini(&sink);
    expect(&acme, "reset_quota", TIINGO(""), 403, "operator_only");
    expect(OPERATOR, "reset_quota", TIINGO(""), 200, "\"used\":0");
    expect(OPERATOR, "reset_quota", "{\"service\":\"none\"}", 404, "not_found");
    expect(OPERATOR, "check_quota", TIINGO(""), 200, "\"remaining\":100");
    expect(&acme, "sync_quotas", "{}", 403, "operator_only");
    expect(OPERATOR, "sync_quotas", "{}", 200, "\"owed\":0");
    expect(OPERATOR, "release_quota", TIINGO(",\"reset_at\":\"soon\""), 400, "reset_at");
    expect(OPERATOR, "acquire_quota", TIINGO(",\"count\":3"), 200, "\"used\":3");
    /* Of a window that is over nothing is given back to the one that is. */
    expect(OPERATOR, "release_quota",
           TIINGO(",\"count\":3,\"reset_at\":\"2001-01-01T00:00:00.000Z\""), 200, "\"used\":3");
}

/* Past the critical part of a limit only calls of high priority are let through, and are told so.
 */
static void
the_last_part_is_for_high_priority(void **unused)
{
    (void)unused;
    expect(OPERATOR, "acquire_quota", TIINGO(",\"count\":70"), 200, "\"used\":70");
    expect(OPERATOR, "acquire_quota", TIINGO(",\"count\":15"), 429, "\"reason\":\"critical\"");
    expect(OPERATOR, "acquire_quota", TIINGO(",\"count\":15,\"priority\":\"high\""), 200,
           "\"used\":85");
    expect(OPERATOR, "acquire_quota", TIINGO(",\"count\":16,\"priority\":\"high\""), 429,
           "\"reason\":\"exhausted\"");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_refusal_tells_when_to_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_is_bound_moves_no_counts_of_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_left_is_told_in_every_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_part_is_for_high_priority, set_up, tear_down),
    };
    return CHECK_RUN(tests);
}
