/* test_singletons.c -- every row of SINGLETONS under many threads: one of each, whole when it is
 * seen, its operations safe against each other, and a reset that takes nothing away from its users.
 *
 * Races of creation, which other servers guard by locks that are taken twice, cannot exist here:
 * state_create() makes all rows in order on main's thread, and each thread that asks for one is
 * started after it returned, which orders all stores of the maker before any load of the user.  No
 * accessor makes anything, so "the first arguments win" and "one more attempt after a failure" are
 * properties of that one call: what follows tests them there.  What could race is what the stores
 * do inside, so each row has an operation below that reads and, where it can, changes it. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "state/budget.h"
#include "state/bus.h"
#include "state/changes.h"
#include "state/config.h"
#include "state/failures.h"
#include "state/helpdesk.h"
#include "state/learnings.h"
#include "state/mcp_session.h"
#include "state/mcp_tasks.h"
#include "state/project_info.h"
#include "state/quota.h"
#include "state/relay.h"
#include "state/search.h"
#include "state/skills.h"
#include "state/state.h"
#include "state/tenants.h"
#include "state/traffic.h"
#include "state/workflow.h"
#include "tests/fakes.h"
#include "tests/threads.h"

#include <stdio.h>
#include <string.h>

#define SERVICE "tiingo"
#define RULE SERVICE "=1000000/month"

static struct fake_project project;
static json_t *own_limits; /* Of a tenant of its own. */
static _Atomic unsigned wrong;

static int
set_up(void **unused)
{
    (void)unused;
    fake_project_init(&project, NULL);
    own_limits = json_pack("{s:[s]}", "services", RULE);
    wrong = 0;
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    fake_project_fini(&project);
    json_decref(own_limits);
    return 0;
}

/* ---- An operation of each: false if what it finds is not whole ---- */

static bool
use_config(unsigned n)
{
    struct settings *s = config_settings(state_config(project.state));
    bool whole = s->version > 0 && s->limits_call_rate <= 1000000 && s->listen && s->groups;
    char rate[16];

    settings_unref(s);
    snprintf(rate, sizeof rate, "%u", n % 1000 + 1);
    return whole &&
           config_set(state_config(project.state), SETTING_limits_call_rate, rate, NULL) == E_OK;
}

static bool
use_traffic(unsigned n)
{
    (void)n;
    traffic_add(state_traffic(project.state), accepted, 1);
    return atomic_load(&state_traffic(project.state)->accepted) > 0;
}

static bool
use_tenants(unsigned n)
{
    struct tenant_pin pin;
    struct fault f;
    char id[16];
    enum err err;

    snprintf(id, sizeof id, "nobody-%u", n % 7);
    err = tenants_get(state_tenants(project.state), id, INT64_MAX, &pin, &f);
    if (!err) {
        tenants_unpin(state_tenants(project.state), &pin);
    }
    return (!err || err == E_NO_TENANT) && tenants_counters(state_tenants(project.state)).cache.max;
}

static bool
use_sessions(unsigned n)
{
    struct mcp_sessions *all = state_sessions(project.state);
    struct mcp_session *session, *found;
    char who[16];
    bool whole;

    snprintf(who, sizeof who, "p%u", n);
    if (mcp_session_start(all, slice_of(who), &session, NULL)) {
        return false;
    }
    whole = mcp_session_find(all, slice_of(session->id), slice_of(who), &found, NULL) == E_OK &&
            found == session;
    mcp_session_unref(found);
    whole = whole && mcp_session_end(all, session);
    mcp_session_unref(session);
    return whole;
}

static bool
use_tasks(unsigned n)
{
    (void)n;
    return mcp_tasks_counters(state_tasks(project.state)).live == 0;
}

static bool
use_bus(unsigned n)
{
    struct bus_event *events[8];
    uint64_t last = 0;
    bool whole = true;
    size_t count;

    (void)n;
    whole = bus_publish(state_bus(project.state), &(struct bus_draft){.topic = "test.used"}) ==
            PUBLISHED_ACCEPTED;
    count = bus_recent(state_bus(project.state), &(struct bus_query){.after = 0}, events, 8);
    for (size_t i = 0; i < count; i++) {
        whole = whole && events[i]->seq > last && events[i]->text.len > 0;
        last = events[i]->seq;
        bus_event_unref(events[i]);
    }
    return whole;
}

static bool
use_relay(unsigned n)
{
    struct relay_counters c = relay_counters(state_relay(project.state));

    (void)n;
    (void)c;
    return true;
}

static bool
use_budget(unsigned n)
{
    struct budget_use use = {.tenant = "default", .input = 1, .output = 1};
    char context[16];
    json_t *told;

    if (budget_count(state_budget(project.state), &use, &told, NULL)) {
        return false;
    }
    json_decref(told);
    snprintf(context, sizeof context, "c%u", n % 5);
    if (budget_open(state_budget(project.state), "default", context, true, INT64_MAX / 2, &told,
                    NULL)) {
        return false;
    }
    json_decref(told);
    return true;
}

static bool
use_quota(unsigned n)
{
    const struct quota_ask ask = {
        .tenant = "acme", .own = own_limits, .service = SERVICE, .count = 1, .high = n % 2};
    struct quota_view view;

    return quota_acquire(state_quota(project.state), &ask, &view, NULL) == E_OK && view.used > 0 &&
           view.used + view.remaining == view.limit;
}

static bool
use_learnings(unsigned n)
{
    json_t *lesson = json_pack("{s:i}", "number", (int)n), *lessons = NULL;
    bool whole = learnings_add(state_learnings(project.state), "default", n % 2 ? "qa" : "ops",
                               lesson, NULL) == E_OK &&
                 learnings_get(state_learnings(project.state), "default", n % 2 ? "qa" : "ops", 5,
                               &lessons, NULL) == E_OK &&
                 json_array_size(lessons) > 0;

    json_decref(lesson);
    json_decref(lessons);
    return whole;
}

static bool
use_failures(unsigned n)
{
    struct failure_outcome outcome = {.tenant = "default",
                                      .session = "s",
                                      .tool = "Bash",
                                      .output = SLICE("1 failed, 2 passed"),
                                      .exit_code = n % 2,
                                      .command = SLICE("pytest")};
    struct failure_result result;
    bool whole = failures_record(state_failures(project.state), &outcome, &result, NULL) == E_OK &&
                 result.kind == FAILURE_FAILED && result.failure;

    failure_result_fini(&result);
    return whole && failures_stats(state_failures(project.state), "default", "s").failures > 0;
}

static bool
use_project(unsigned n)
{
    char *name = project_info_name(state_project(project.state), NULL);
    bool whole = name && *name;

    (void)n;
    free(name);
    return whole;
}

static bool
use_workflow(unsigned n)
{
    json_t *answer = NULL;
    enum err err =
        workflow_list_sessions(state_workflow(project.state),
                               &(struct workflow_args){.action = "list_sessions"}, &answer, NULL);

    (void)n;
    json_decref(answer);
    return !err && workflow_counters(state_workflow(project.state)).sessions.max > 0;
}

static bool
use_skills(unsigned n)
{
    (void)n;
    return skills_counters(state_skills(project.state)).max > 0;
}

static bool
use_search(unsigned n)
{
    struct search_status status;

    (void)n;
    search_status(state_search(project.state), &status);
    return search_counters(state_search(project.state)).max > 0;
}

static bool
use_helpdesk(unsigned n)
{
    (void)n;
    return helpdesk_counters(state_helpdesk(project.state)).max > 0;
}

/* Every row, with what is done with it; a row that has nothing of its own here is still made once,
 * and seen by all. */
static const struct {
    const char *name;
    bool (*use)(unsigned n);
} uses[] = {
    {"config", use_config},       {"traffic", use_traffic},   {"tenants", use_tenants},
    {"sessions", use_sessions},   {"tasks", use_tasks},       {"bus", use_bus},
    {"relay", use_relay},         {"budget", use_budget},     {"quota", use_quota},
    {"learnings", use_learnings}, {"failures", use_failures}, {"project", use_project},
    {"workflow", use_workflow},   {"skills", use_skills},     {"search", use_search},
    {"helpdesk", use_helpdesk},
};
#define USES (sizeof uses / sizeof uses[0])

#define ROW(NAME, TYPE, MAKE, END)          \
    static const void *get_##NAME(void)     \
    {                                       \
        return state_##NAME(project.state); \
    }
SINGLETONS(ROW)
#undef ROW
static const struct {
    const char *name;
    const void *(*get)(void);
} rows[] = {
#define ROW(NAME, TYPE, MAKE, END) {#NAME, get_##NAME},
    SINGLETONS(ROW)
#undef ROW
};
#define ROWS (sizeof rows / sizeof rows[0])

/* What is done with row 'i'. */
static bool
use_row(size_t i, unsigned n)
{
    for (size_t u = 0; u < USES; u++) {
        if (strcmp(uses[u].name, rows[i].name) == 0) {
            return uses[u].use(n);
        }
    }
    return true;
}

/* ---- One of each, whole when it is seen ---- */

static const void *seen[ROWS][20];

static void
take_each(void *arg, unsigned number)
{
    (void)arg;
    for (size_t i = 0; i < ROWS; i++) {
        seen[i][number] = rows[i].get();
        wrong += !use_row(i, number);
    }
}

static void
singleton_each_one_construction(void **unused)
{
    (void)unused;
    threads_run(20, take_each, NULL);
    CHECK_INT(wrong, 0);
    for (size_t i = 0; i < ROWS; i++) {
        for (int t = 0; t < 20; t++) {
            if (!seen[i][t] || seen[i][t] != seen[i][0]) {
                fail_msg("%s is not one", rows[i].name);
            }
        }
        for (size_t j = 0; j < i; j++) {
            CHECK(seen[j][0] != seen[i][0]);
        }
    }
    for (size_t u = 0; u < USES; u++) { /* No use is left behind by a row that has gone. */
        size_t i = 0;

        while (i < ROWS && strcmp(rows[i].name, uses[u].name) != 0) {
            i++;
        }
        CHECK(i < ROWS);
    }
}

static void
ask_fast(void *arg, unsigned number)
{
    (void)arg, (void)number;
    for (unsigned n = 0; n < 1000; n++) {
        for (size_t i = 0; i < ROWS; i++) {
            wrong += rows[i].get() != seen[i][0];
        }
    }
}

/* The accessors are loads of what never changes: nothing is taken, nothing waits. */
static void
singleton_fast_path(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROWS; i++) {
        seen[i][0] = rows[i].get();
    }
    threads_run(10, ask_fast, NULL);
    CHECK_INT(wrong, 0);
}

/* What the tracker has counted. */
static uint64_t
quota_used(const char *tenant, const json_t *own)
{
    const struct quota_ask ask = {.tenant = tenant, .own = own, .service = SERVICE, .count = 1};
    struct quota_view view;

    CHECK_INT(quota_check(state_quota(project.state), &ask, &view, NULL), E_OK);
    return view.used;
}

static void
use_all(void *arg, unsigned number)
{
    const unsigned *rounds = arg;

    for (unsigned n = 0; n < *rounds; n++) {
        for (size_t i = 0; i < ROWS; i++) { /* Each thread in another order. */
            wrong += !use_row((i + number) % ROWS, number * 1000 + n);
        }
    }
}

/* All services mixed.  A deadlock is told by the time that the runner gives a program. */
static void
singleton_no_deadlock(void **unused)
{
    unsigned rounds = scaled(100);
    struct bus_stats bus;

    (void)unused;
    threads_run(10, use_all, &rounds);
    CHECK_INT(wrong, 0);
    bus = bus_stats(state_bus(project.state));
    CHECK_INT(bus.seq, bus.published); /* One sequence, without holes. */
    CHECK_INT(budget_counters(state_budget(project.state)).tokens, 2 * 10 * rounds);
    CHECK_INT(quota_used("acme", own_limits), 10 * rounds);
}

static void
one_row_under_20_threads(void *arg, unsigned number)
{
    wrong += !use_row(*(const size_t *)arg, number);
    wrong += !use_row(*(const size_t *)arg, number + 20);
}

static void
each_row_under_20_threads(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROWS; i++) {
        threads_run(20, one_row_under_20_threads, &i);
        if (wrong) {
            fail_msg("%s", rows[i].name);
        }
    }
}

/* ---- Reset ---- */

static _Atomic unsigned users;

/* Number 0 resets while anybody uses it; the others use it. */
static void
use_or_reset(void *arg, unsigned number)
{
    const unsigned *rounds = arg;

    if (number == 0) {
        do {
            bus_reset(state_bus(project.state));
            config_set(state_config(project.state), SETTING_limits_call_rate, NULL, NULL);
        } while (atomic_load(&users) > 0);
        return;
    }
    for (unsigned n = 0; n < *rounds; n++) {
        wrong += !use_bus(n);
        wrong += !use_config(n);
    }
    atomic_fetch_sub(&users, 1);
}

/* The stores that can be reset in a running process are the bus, and the settings that were set at
 * run time; the others are reset by state_destroy() and state_create(), when nobody uses them. */
static void
singleton_reset_under_access(void **unused)
{
    static const unsigned counts[] = {10, 50};

    (void)unused;
    for (size_t i = 0; i < 2; i++) {
        unsigned rounds = scaled(i ? 100 : 200);

        users = counts[i];
        threads_run(counts[i] + 1, use_or_reset, &rounds);
        CHECK_INT(wrong, 0);
        CHECK(bus_stats(state_bus(project.state)).generation > 0);
    }
}

/* ---- Creation, which is main's ---- */

static void
singleton_failed_constructor_retries(void **unused)
{
    struct state_options options = project.options;
    struct dir *sub;
    struct state *state;
    struct fault f = FAULT_INIT;

    (void)unused;
    CHECK_INT(dir_sub(project.data, "other", true, &sub, NULL), E_OK);
    CHECK_INT(dir_create_file(sub, "session", SLICE("no folder"), NULL), E_OK);
    options.data = sub;
    CHECK(state_create(&options, &state, &f) != E_OK); /* In the middle of the rows. */
    CHECK(!state && f.text[0]);
    CHECK_INT(dir_remove(sub, "session", NULL), E_OK);
    CHECK_INT(state_create(&options, &state, &f), E_OK);
    CHECK(state_budget(state) != NULL);
    state_destroy(state);
    dir_unref(sub);
}

static void
see_arguments(void *arg, unsigned number)
{
    (void)number;
    wrong += state_options(project.state)->settings != arg;
    wrong += strcmp(state_options(project.state)->instance, "test") != 0;
}

static void
singleton_first_arguments_win(void **unused)
{
    (void)unused;
    threads_run(10, see_arguments, project.settings);
    CHECK_INT(wrong, 0);
}

static void
singleton_rapid_fire(void **unused)
{
    (void)unused;
    for (int round = 0; round < 10; round++) {
        threads_run(10, take_each, NULL);
        for (size_t i = 0; i < ROWS; i++) {
            for (int t = 1; t < 10; t++) {
                wrong += seen[i][t] != seen[i][0];
            }
        }
    }
    CHECK_INT(wrong, 0);
}

/* ---- Both transports at once ---- */

static struct dispatcher *dispatcher;
static char session_ids[100][129];

/* Calls a tool; its answer is new, or null if it is no success. */
static json_t *
call(unsigned number, const char *tool, const char *args)
{
    struct rate rate = {.full_ns = 0};
    struct envelope env = {.transport = number % 2 ? TRANSPORT_HTTP : TRANSPORT_STDIO,
                           .principal = SLICE("p"),
                           .rate = &rate};
    struct fake_sink sink;
    json_t *answer;

    fake_sink_init(&sink);
    dispatch_tool(dispatcher, &env, slice_of(tool), slice_of(args), &sink.sink);
    answer = json_loads(fake_sink_wait(&sink), 0, NULL);
    if (sink.status != 200) {
        json_decref(answer);
        answer = NULL;
    }
    fake_sink_fini(&sink);
    return answer;
}

static void
count_all(void *arg, unsigned number)
{
    const unsigned *rounds = arg;

    for (unsigned i = 0; i < *rounds; i++) {
        json_t *tokens =
            call(number, "update_token_usage", "{\"input_tokens\":2,\"output_tokens\":1}");
        json_t *quota = call(number, "acquire_quota", "{\"service\":\"" SERVICE "\"}");
        const char *id = json_string_value(json_object_get(tokens, "session_id"));

        wrong += !json_is_true(json_object_get(quota, "allowed"));
        if (!id) {
            wrong++;
        } else if (i == 0) {
            snprintf(session_ids[number], sizeof session_ids[number], "%s", id);
        } else {
            wrong += strcmp(session_ids[number], id) != 0;
        }
        json_decref(tokens);
        json_decref(quota);
    }
}

/* 50 callers of each side, 100 calls of two tools each: exact sums, one session, a sequence without
 * holes. */
static void
dual_transport_mixed_load(void **unused)
{
    struct dispatch_limits limits = {.json = JSON_LIMITS_INIT,
                                     .calls = 4096,
                                     .calls_per_session = 4096,
                                     .call_ns = 60000000000,
                                     .groups = "full"};
    struct pool *pool = pool_create(4, 1, 4096);
    unsigned rounds = scaled(100);
    struct bus_stats bus;
    json_t *told;

    (void)unused;
    dispatcher = dispatcher_create(project.state, pool, &limits);
    CHECK_INT(config_set(state_config(project.state), SETTING_quota_services, RULE, NULL), E_OK);
    threads_run(100, count_all, &rounds);
    CHECK_INT(wrong, 0);
    for (int i = 1; i < 100; i++) {
        CHECK_STR(session_ids[i], session_ids[0]);
    }
    CHECK_INT(budget_metrics(state_budget(project.state), "default", NULL, &told, NULL), E_OK);
    CHECK_INT(json_integer_value(json_object_get(told, "used_tokens")), 300 * rounds);
    json_decref(told);
    CHECK_INT(quota_used("default", NULL), 100 * rounds);
    bus = bus_stats(state_bus(project.state));
    CHECK_INT(bus.seq, bus.published);
    CHECK(bus.published >= 100 * rounds);
    pool_stop(pool);
    dispatcher_destroy(dispatcher);
    pool_destroy(pool);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)
        TEST(singleton_each_one_construction),
        TEST(each_row_under_20_threads),
        TEST(singleton_first_arguments_win),
        TEST(singleton_rapid_fire),
        TEST(singleton_fast_path),
        TEST(singleton_no_deadlock),
        TEST(singleton_reset_under_access),
        TEST(singleton_failed_constructor_retries),
        TEST(dual_transport_mixed_load),
#undef TEST
    };
    return CHECK_RUN(tests);
}
