/* test_singletons.c -- every row of SINGLETONS under many threads: one of each, whole when it is
 * seen, its operations safe against each other, and a reset that takes nothing away from its users.
 *
 * Races of creation, which other servers guard by locks that are taken twice, cannot exist here:
 * state_create() makes all rows in order on main's thread, and each thread that asks for one is
 * started after it returned, which orders all stores of the maker before any load of the user.  No
 * accessor makes anything.  So of the common tests of a singleton
 *
 *   one construction, rapid fire    are that all threads see one, whole: here, for each row;
 *   initialised once, first         are properties of that one call: here; of the settings, which
 *   arguments, a second attempt     are read before, in test_config;
 *   no deadlock, fast path          are here; how long they take is for the runner's limit and for
 *                                   the benches to say, not for a test on a busy machine;
 *   reset under access              is here: each row has its reset, or why it has none;
 *   a violated lock order           aborts: test_lock;
 *   both transports at once         is test_mixed_load.
 *
 * What could race is what the stores do inside: so each row has an operation here that reads and,
 * where it can, changes it. */
#include "tests/check.h"

#include "state/budget.h"
#include "state/bus.h"
#include "state/changes.h"
#include "state/config.h"
#include "state/failures.h"
#include "state/helpdesk.h"
#include "state/helpdesk_profile.h"
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
    struct relay *relay = state_relay(project.state);
    struct relay_card *card;
    char tenant[16];
    bool resumed, whole;

    snprintf(tenant, sizeof tenant, "t%u", n % 3);
    if (relay_enter(relay, SLICE_NONE, tenant, &card, &resumed, NULL) != E_OK) {
        return false;
    }
    whole = !resumed && strlen(relay_card_id(card)) == RELAY_ID_SIZE - 1 &&
            relay_counters(relay).connected > 0;
    relay_leave(relay, card);
    return whole;
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

    struct failure_stats stats = failures_stats(state_failures(project.state), "default", "s");

    failure_result_fini(&result);
    return whole && stats.fixed + stats.unfixed == stats.failures;
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
    struct skill_paths paths;
    struct skill *skill = NULL;
    bool whole = skills_find(state_skills(project.state), &paths, NULL) == E_OK;

    (void)n;
    if (whole) {
        skill_paths_fini(&paths);
    }
    return whole &&
           skills_load(state_skills(project.state), SLICE("none"), &skill, NULL) == E_NOT_FOUND;
}

static bool
use_search(unsigned n)
{
    char query[24];
    struct search_ask ask = {.limit = 5, .phase = -1};
    struct search_answer answer;
    bool whole;

    snprintf(query, sizeof query, "retry %u", n % 7);
    ask.query = slice_of(query);
    if (search_ask(state_search(project.state), &ask, &answer, NULL) != E_OK) {
        return false;
    }
    whole = answer.hits != NULL;
    search_release(state_search(project.state), &answer);
    return whole;
}

static bool
use_helpdesk(unsigned n)
{
    const struct helpdesk_asker asker = {.tenant = "default", .deadline_ns = INT64_MAX};
    struct helpdesk_ask ask = {.query = n % 2 ? SLICE("money back") : SLICE("opening hours")};
    struct helpdesk_answer answer;
    bool whole;

    helpdesk_search_init(&ask.search, PROFILE_NONE, true, false);
    if (helpdesk_search(state_helpdesk(project.state), &asker, &ask, &answer, NULL) != E_OK) {
        return false;
    }
    whole = answer.index->generation > 0 && answer.hits.count == 0; /* It has no documents. */
    helpdesk_release(&answer);
    return whole;
}

/* One who listens for a moment. */
struct ear {
    struct listener listener; /* First. */
    _Atomic unsigned told;
};

static enum err
ear_begin(struct listener *l, struct fault *f)
{
    (void)l, (void)f;
    return E_OK;
}

static enum told
ear_tell(struct listener *l, enum change change, const char *name)
{
    (void)change, (void)name;
    atomic_fetch_add(&((struct ear *)l)->told, 1);
    return TOLD;
}

static void
ear_over(struct listener *l)
{
    (void)l;
}

static bool
is_mine(const struct listener *l, const void *arg)
{
    return l == arg;
}

static bool
use_changes(unsigned n)
{
    static const struct listener_class class = {ear_begin, ear_tell, ear_over};
    struct ear ear = {.listener = {.class = &class, .kinds = 1u << CHANGE_TOOLS}};
    struct changes *changes = state_changes(project.state);

    (void)n;
    if (changes_listen(changes, &ear.listener, NULL) != E_OK) {
        return false;
    }
    changes_publish(changes, CHANGE_TOOLS);
    return changes_take(changes, is_mine, &ear.listener) == &ear.listener &&
           atomic_load(&ear.told) > 0;
}

/* ---- A reset of each, where a running server has one ---- */

static void
reset_config(void)
{
    config_set(state_config(project.state), SETTING_limits_call_rate, NULL, NULL);
}

static void
reset_tenants(void)
{
    tenants_forget(state_tenants(project.state), NULL);
}

static void
reset_bus(void)
{
    bus_reset(state_bus(project.state));
}

static void
reset_quota(void)
{
    quota_clear(state_quota(project.state));
}

static void
reset_failures(void)
{
    failures_clear(state_failures(project.state), "default", NULL);
}

static void
reset_budget(void)
{
    json_t *note = NULL;

    budget_end(state_budget(project.state), "default", NULL, "reset", &note, NULL);
    json_decref(note);
}

static void
reset_search(void)
{
    search_stir(state_search(project.state));
}

static void
reset_helpdesk(void)
{
    const struct helpdesk_asker asker = {.tenant = "default", .deadline_ns = INT64_MAX};

    helpdesk_reload(state_helpdesk(project.state), &asker, true, NULL);
}

/* Every row: what is done with it, and what resets it, or why nothing does. */
static const struct use {
    const char *name;
    bool (*use)(unsigned n);
    void (*reset)(void);
    const char *why_not;
} uses[] = {
    {"config", use_config, reset_config, NULL},
    {"traffic", use_traffic, NULL, "counters that only rise"},
    {"sessions", use_sessions, NULL, "each is its client's to end"},
    {"tasks", use_tasks, NULL, "each is its client's to end"},
    {"changes", use_changes, NULL, "holds nothing but who listens"},
    {"bus", use_bus, reset_bus, NULL},
    {"relay", use_relay, NULL, "holds nothing but who is connected"},
    {"budget", use_budget, reset_budget, NULL},
    {"quota", use_quota, reset_quota, NULL},
    {"learnings", use_learnings, NULL, "lessons are there to stay"},
    {"failures", use_failures, reset_failures, NULL},
    {"project", use_project, NULL, "read anew when its files change"},
    {"workflow", use_workflow, NULL, "sessions are on disk; read anew when files change"},
    {"skills", use_skills, NULL, "read anew when files change"},
    {"search", use_search, reset_search, NULL},
    {"helpdesk", use_helpdesk, reset_helpdesk, NULL},
    {"tenants", use_tenants, reset_tenants, NULL},
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

static const struct use *
use_of(size_t i)
{
    for (size_t u = 0; u < USES; u++) {
        if (strcmp(uses[u].name, rows[i].name) == 0) {
            return &uses[u];
        }
    }
    fail_msg("%s is not used in this test", rows[i].name);
    return NULL;
}

/* What is done with row 'i'. */
static bool
use_row(size_t i, unsigned n)
{
    return use_of(i)->use(n);
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
    CHECK_INT(USES, ROWS); /* No use is left behind by a row that has gone. */
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
            for (size_t u = 0; u < USES; u++) {
                if (uses[u].reset) {
                    uses[u].reset();
                }
            }
        } while (atomic_load(&users) > 0);
        return;
    }
    for (unsigned n = 0; n < *rounds; n++) {
        for (size_t u = 0; u < USES; u++) {
            if (uses[u].reset) {
                wrong += !uses[u].use(number * 1000 + n);
            }
        }
    }
    atomic_fetch_sub(&users, 1);
}

static void
singleton_reset_under_access(void **unused)
{
    static const unsigned counts[] = {10, 50};

    (void)unused;
    for (size_t u = 0; u < USES; u++) {
        CHECK((uses[u].reset != NULL) != (uses[u].why_not != NULL));
    }
    for (size_t i = 0; i < 2; i++) {
        unsigned rounds = scaled(i ? 5 : 25);

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
#undef TEST
    };
    return CHECK_RUN(tests);
}
