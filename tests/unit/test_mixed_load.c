/* test_mixed_load.c -- a hundred callers of both transports and two tenants at once: exact sums,
 * one session for each tenant, nothing of one told to the other, a sequence of events without
 * holes. */
#include "tests/check.h"

#include "state/base/rate.h"
#include "state/budget.h"
#include "state/bus.h"
#include "state/failures.h"
#include "state/quota.h"
#include "tests/threads.h"
#include "tests/tool_rig.h"

#include <stdio.h>
#include <string.h>

#define CALLERS 100u
#define SERVICE "tiingo"

static struct tool_rig rig;
static char session_ids[CALLERS][BUDGET_ID_MAX + 1];
static _Atomic unsigned wrong;

/* Every fifth is of another tenant. */
static const char *
tenant_of(unsigned number)
{
    return number % 5 ? "default" : "acme";
}

/* Calls a tool; its answer is new, or null if it is no success. */
static json_t *
call(unsigned number, const char *tool, const char *args)
{
    struct rate rate = {.full_ns = 0};
    struct envelope env = {.transport = number % 2 ? TRANSPORT_HTTP : TRANSPORT_STDIO,
                           .principal = SLICE("p"),
                           .client_id = slice_of(tenant_of(number)),
                           .rate = &rate};
    struct fake_sink sink;
    json_t *answer;

    fake_sink_init(&sink);
    dispatch_tool(rig.dispatcher, &env, slice_of(tool), slice_of(args), &sink.sink);
    answer = json_loads(fake_sink_wait(&sink), 0, NULL);
    if (sink.status != 200) {
        json_decref(answer);
        answer = NULL;
    }
    fake_sink_fini(&sink);
    return answer;
}

static void
note_session(unsigned number, const char *id)
{
    if (!id) {
        wrong++;
    } else if (!session_ids[number][0]) {
        snprintf(session_ids[number], sizeof session_ids[number], "%s", id);
    } else {
        wrong += strcmp(session_ids[number], id) != 0;
    }
}

/* Each failure that a tenant is told of is its own: the tool's name says whose. */
static void
check_failures(unsigned number, const json_t *answer)
{
    const json_t *failures = json_object_get(answer, "failures"), *failure;
    size_t i;

    wrong += json_array_size(failures) == 0;
    json_array_foreach(failures, i, failure) {
        const char *tool = json_string_value(json_object_get(failure, "tool_name"));
        wrong += !tool || strcmp(tool, tenant_of(number)) != 0;
    }
}

static void
call_all(void *arg, unsigned number)
{
    const unsigned *rounds = arg;
    char outcome[128];

    snprintf(outcome, sizeof outcome, "{\"tool_name\":\"%s\",\"output\":\"1 failed\"}",
             tenant_of(number));
    for (unsigned i = 0; i < *rounds; i++) {
        json_t *answers[] = {
            call(number, "update_token_usage", "{\"input_tokens\":2,\"output_tokens\":1}"),
            call(number, "acquire_quota", "{\"service\":\"" SERVICE "\"}"),
            call(number, "record_tool_outcome", outcome),
            call(number, "list_failures", "{\"limit\":3}"),
        };

        note_session(number, json_string_value(json_object_get(answers[0], "session_id")));
        wrong += !json_is_true(json_object_get(answers[1], "allowed"));
        wrong += !json_object_get(answers[2], "failure");
        check_failures(number, answers[3]);
        for (size_t a = 0; a < sizeof answers / sizeof answers[0]; a++) {
            json_decref(answers[a]);
        }
    }
}

static void
check_tenant(const char *tenant, unsigned callers, unsigned rounds)
{
    json_t *told;

    CHECK_INT(budget_metrics(state_budget(rig.project.state), tenant, NULL, &told, NULL), E_OK);
    CHECK_INT(json_integer_value(json_object_get(told, "used_tokens")), 3 * callers * rounds);
    json_decref(told);
    told = budget_list(state_budget(rig.project.state), tenant, NULL, 10);
    CHECK_INT(json_integer_value(json_object_get(told, "total")), 1);
    json_decref(told);
    CHECK(failures_stats(state_failures(rig.project.state), tenant, NULL).failures ==
          (callers * rounds < FAILURES_RING ? callers * rounds : FAILURES_RING));
}

static void
dual_transport_mixed_load(void **unused)
{
    const struct quota_ask ask = {.tenant = "default", .service = SERVICE, .count = 1};
    unsigned rounds = scaled(100);
    struct quota_view view;
    struct bus_stats bus;

    (void)unused;
    tool_rig_init(&rig, "full");
    fake_project_tenant(&rig.project, "acme");
    CHECK_INT(config_set(state_config(rig.project.state), SETTING_quota_services,
                         SERVICE "=1000000/month", NULL),
              E_OK);
    threads_run(CALLERS, call_all, &rounds);
    CHECK_INT(wrong, 0);
    for (unsigned i = 0; i < CALLERS; i++) {
        CHECK_STR(session_ids[i], session_ids[i % 5 ? 1 : 0]);
    }
    CHECK(strcmp(session_ids[0], session_ids[1]) != 0);
    check_tenant("default", CALLERS * 4 / 5, rounds);
    check_tenant("acme", CALLERS / 5, rounds);
    CHECK_INT(quota_check(state_quota(rig.project.state), &ask, &view, NULL), E_OK);
    CHECK_INT(view.used, CALLERS * rounds);
    bus = bus_stats(state_bus(rig.project.state));
    CHECK_INT(bus.seq, bus.published);
    CHECK(bus.published >= 2 * CALLERS * rounds);
    tool_rig_fini(&rig);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dual_transport_mixed_load),
    };
    return CHECK_RUN(tests);
}
