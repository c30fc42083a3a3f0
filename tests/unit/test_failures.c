/* test_failures.c -- failures and what mends them, from many threads; lessons and their files. */
#include "tests/check.h"

#include "state/base/json_put.h"
#include "state/bus.h"
#include "state/failures.h"
#include "state/learnings.h"
#include "state/state.h"
#include "tests/fakes.h"
#include "tests/threads.h"
#include "tests/tree.h"

#include <stdio.h>

struct rig {
    struct fake_clock clock;
    struct tree *tree;
    struct bus *bus;
    struct learnings *learnings;
    struct failures *failures;
};

static void
start(struct rig *r)
{
    r->learnings = learnings_create(tree_dir(r->tree), &r->clock.clock, "default");
    r->failures = failures_create(&r->clock.clock, r->bus, r->learnings);
}

static void
stop(struct rig *r)
{
    failures_destroy(r->failures);
    learnings_destroy(r->learnings);
}

static void
rig_init(struct rig *r)
{
    struct bus_options options = BUS_OPTIONS_INIT;

    memset(r, 0, sizeof *r);
    fake_clock_init(&r->clock);
    options.clock = &r->clock.clock;
    options.history = 5000;
    r->bus = bus_create(&options);
    r->tree = tree_create();
    start(r);
}

static void
rig_fini(struct rig *r)
{
    stop(r);
    bus_destroy(r->bus);
    tree_destroy(r->tree);
}

static struct failure_outcome
outcome(const char *tool, const char *command, const char *output, int exit_code)
{
    return (struct failure_outcome){.tenant = "default",
                                    .session = "s1",
                                    .tool = tool,
                                    .command = slice_of(command),
                                    .output = slice_of(output),
                                    .exit_code = exit_code};
}

/* What came of it; the id of the failure that failed or was mended, new, in '*id' unless null. */
static enum failure_kind
record(struct failures *t, struct failure_outcome o, char **id)
{
    struct failure_result result;
    enum failure_kind kind = FAILURE_NOTHING;

    if (failures_record(t, &o, &result, NULL) == E_OK) {
        const json_t *of = result.failure ? json_object_get(result.failure, "task_id")
                                          : json_object_get(result.fix, "failure");
        kind = result.kind;
        if (id) {
            *id = of ? xstrdup(json_string_value(of)) : NULL;
        }
        failure_result_fini(&result);
    }
    return kind;
}

/* ---- The singleton ---- */

struct shared {
    const struct state *state;
    void *seen[20];
};

static void
get(void *arg, unsigned number)
{
    struct shared *s = arg;

    s->seen[number] = state_failures(s->state);
    failures_stats(s->seen[number], NULL, NULL);
}

static void
failure_singleton_20_threads(void **state)
{
    struct fake_project project;
    struct shared shared = {.state = NULL};

    (void)state;
    fake_project_init(&project, NULL);
    shared.state = project.state;
    threads_run(20, get, &shared);
    for (int i = 0; i < 20; i++) {
        CHECK(shared.seen[i] == state_failures(project.state));
    }
    CHECK(failures_learnings(shared.seen[0]) == state_learnings(project.state));
    fake_project_fini(&project);
}

struct storm {
    struct rig *rig;
    unsigned rounds;
    atomic_uint odd, good;
    char *ids[50 * 10];
};

static void
use_or_reset(void *arg, unsigned number)
{
    struct storm *storm = arg;
    struct failures *t = storm->rig->failures;

    for (unsigned i = 0; i < storm->rounds; i++) {
        if (number == 10) {
            failures_clear(t, "default", NULL);
            continue;
        }
        if (record(t, outcome("Bash", "make test", "1 failed", 1), NULL) != FAILURE_FAILED) {
            atomic_fetch_add(&storm->odd, 1);
        }
        record(t, outcome("Bash", "make test", "ok", 0), NULL);
        json_decref(failures_list(
            t, &(struct failure_query){.tenant = "default", .session = "s1", .limit = 50}));
    }
}

static void
failure_reset_during_access_10_plus_1(void **state)
{
    struct storm storm = {.rounds = scaled(100)};
    struct failure_stats stats;
    struct rig rig;

    (void)state;
    rig_init(&rig);
    storm.rig = &rig;
    threads_run(11, use_or_reset, &storm);
    CHECK_INT(storm.odd, 0);
    stats = failures_stats(rig.failures, "default", NULL);
    CHECK_INT(stats.fixed + stats.unfixed, stats.failures);
    failures_clear(rig.failures, "default", NULL);
    CHECK_INT(failures_stats(rig.failures, NULL, NULL).failures, 0);
    rig_fini(&rig);
}

static void
fail_some(void *arg, unsigned number)
{
    struct storm *storm = arg;

    for (unsigned i = 0; i < 10; i++) {
        record(storm->rig->failures, outcome("Bash", "", "Error: x", 0),
               &storm->ids[number * 10 + i]);
    }
}

static int
by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
failure_50_threads_unique_ids(void **state)
{
    struct storm storm = {.rounds = 10};
    struct rig rig;

    (void)state;
    rig_init(&rig);
    storm.rig = &rig;
    threads_run(50, fail_some, &storm);
    qsort(storm.ids, 500, sizeof storm.ids[0], by_text);
    for (int i = 1; i < 500; i++) {
        CHECK(strcmp(storm.ids[i - 1], storm.ids[i]) != 0);
    }
    for (int i = 0; i < 500; i++) {
        free(storm.ids[i]);
    }
    CHECK_INT(failures_stats(rig.failures, "default", "s1").failures, 500);
    rig_fini(&rig);
}

static void
mend(void *arg, unsigned number)
{
    struct storm *storm = arg;
    enum failure_kind kind =
        record(storm->rig->failures, outcome("Bash", "make test", "ok", 0), NULL);

    (void)number;
    atomic_fetch_add(kind == FAILURE_MENDED ? &storm->good : &storm->odd, 1);
}

static void
failure_fix_claimed_once_20_threads(void **state)
{
    (void)state;
    for (unsigned i = 0; i < scaled(50); i++) {
        struct storm storm = {.rounds = 1};
        struct failure_stats stats;
        struct rig rig;
        rig_init(&rig);
        storm.rig = &rig;
        record(rig.failures, outcome("Bash", "make test", "1 failed", 1), NULL);
        threads_run(20, mend, &storm);
        CHECK_INT(storm.good, 1);
        CHECK_INT(storm.odd, 19);
        stats = failures_stats(rig.failures, "default", NULL);
        CHECK(stats.failures == 1 && stats.fixed == 1 && stats.fixes == 1 && stats.learnings == 1);
        CHECK_INT(learnings_counters(rig.learnings).added, 1);
        rig_fini(&rig);
    }
}

/* ---- Pairing ---- */

static void
failure_zero_failed_is_success(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    CHECK_INT(record(rig.failures, outcome("Bash", "make test", "9 passed, 0 failed", 0), NULL),
              FAILURE_NOTHING);
    CHECK_INT(record(rig.failures, outcome("Bash", "make test", "8 passed, 1 failed", 1), NULL),
              FAILURE_FAILED);
    CHECK_INT(record(rig.failures, outcome("Bash", "make test", "9 passed, 0 failed", 0), NULL),
              FAILURE_MENDED);
    rig_fini(&rig);
}

static void
failure_same_output_not_its_own_fix(void **state)
{
    struct rig rig;
    struct failure_stats stats;

    (void)state;
    rig_init(&rig);
    for (int i = 0; i < 3; i++) { /* Exit 0, and a text that says that it failed. */
        CHECK_INT(record(rig.failures, outcome("Bash", "make test", "2 failed", 0), NULL),
                  FAILURE_FAILED);
    }
    stats = failures_stats(rig.failures, "default", NULL);
    CHECK(stats.failures == 3 && stats.fixed == 0 && stats.fixes == 0);
    rig_fini(&rig);
}

static void
failure_fix_newest_first(void **state)
{
    char *first, *second, *mended;
    struct rig rig;

    (void)state;
    rig_init(&rig);
    record(rig.failures, outcome("Bash", "make test", "1 failed", 1), &first);
    record(rig.failures, outcome("Bash", "make test", "2 failed", 1), &second);
    record(rig.failures, outcome("Bash", "make", "error: x", 1), NULL); /* Another kind. */
    record(rig.failures, outcome("Bash", "make test", "ok", 0), &mended);
    CHECK_STR(mended, second);
    free(mended);
    record(rig.failures, outcome("Bash", "make test", "ok", 0), &mended);
    CHECK_STR(mended, first);
    free(mended);
    CHECK_INT(record(rig.failures, outcome("Bash", "make test", "ok", 0), &mended),
              FAILURE_NOTHING);
    CHECK(mended == NULL);
    free(first);
    free(second);
    CHECK_INT(failures_stats(rig.failures, "default", NULL).unfixed, 1);
    rig_fini(&rig);
}

static void
failure_other_tool_not_fixed(void **state)
{
    struct failure_outcome other = outcome("Bash", "make test", "ok", 0);
    struct rig rig;

    (void)state;
    rig_init(&rig);
    record(rig.failures, outcome("Bash", "make test", "1 failed", 1), NULL);
    CHECK_INT(record(rig.failures, outcome("Shell", "make test", "ok", 0), NULL), FAILURE_NOTHING);
    CHECK_INT(record(rig.failures, outcome("Bash", "make", "ok", 0), NULL), FAILURE_NOTHING);
    other.session = "s2";
    CHECK_INT(record(rig.failures, other, NULL), FAILURE_NOTHING);
    other.session = "s1";
    other.tenant = "acme";
    CHECK_INT(record(rig.failures, other, NULL), FAILURE_NOTHING);
    record(rig.failures, outcome("Read", "", "x: y", 3), NULL); /* Of no kind: by tool. */
    CHECK_INT(record(rig.failures, outcome("Write", "", "x", 0), NULL), FAILURE_NOTHING);
    CHECK_INT(record(rig.failures, outcome("Read", "", "x", 0), NULL), FAILURE_MENDED);
    rig_fini(&rig);
}

/* ---- What is told ---- */

static unsigned
told(struct bus *bus, const char *topic)
{
    struct bus_event *events[100];
    size_t count =
        bus_recent(bus, &(struct bus_query){.patterns = NULL, .tenant = "default"}, events, 100);
    unsigned found = 0;

    for (size_t i = 0; i < count; i++) {
        found += slice_is(events[i]->topic, topic);
        bus_event_unref(events[i]);
    }
    return found;
}

static void
a_pair_becomes_a_lesson(void **state)
{
    struct failure_outcome o = outcome("Bash", "pytest -q", "E\nTypeError: bad\n  operand", 1);
    struct failure_result r;
    struct rig rig;
    json_t *lessons;

    (void)state;
    rig_init(&rig);
    o.agent_type = SLICE("tester");
    CHECK_INT(failures_record(rig.failures, &o, &r, NULL), E_OK);
    CHECK_STR(json_string_value(json_object_get(r.failure, "error_message")), "TypeError: bad");
    CHECK(!json_is_true(json_object_get(r.failure, "fixed")));
    failure_result_fini(&r);
    fake_clock_pass(&rig.clock, 90000000000);
    o.output = SLICE("12 passed");
    o.exit_code = 0;
    o.note = SLICE("cast it first");
    CHECK_INT(failures_record(rig.failures, &o, &r, NULL), E_OK);
    CHECK_INT(r.kind, FAILURE_MENDED);
    CHECK_STR(json_string_value(json_object_get(r.learning, "problem")),
              "Test failed: TypeError: bad");
    CHECK_STR(json_string_value(json_object_get(r.learning, "solution")),
              "After 90 s 'pytest -q' succeeded: 12 passed. Note: cast it first");
    CHECK_STR(json_string_value(json_object_get(r.learning, "category")), "Code Quality");
    CHECK_STR(json_string_value(json_object_get(r.learning, "target")), "tester");
    CHECK_INT(learnings_get(rig.learnings, "default", "tester", 5, &lessons, NULL), E_OK);
    CHECK_INT(json_array_size(lessons), 1);
    CHECK(json_equal(json_array_get(lessons, 0), r.learning));
    json_decref(lessons);
    failure_result_fini(&r);
    CHECK_INT(told(rig.bus, "failure.detected"), 1);
    CHECK_INT(told(rig.bus, "failure.fixed"), 1);
    CHECK_INT(told(rig.bus, "failure.learning"), 1);
    o.agent_type = SLICE("../qa");
    CHECK_INT(failures_record(rig.failures, &o, &r, NULL), E_ARGUMENT);
    rig_fini(&rig);
}

static void
a_ring_keeps_the_newest(void **state)
{
    struct failure_query query = {.tenant = "default", .session = "s1", .limit = 500};
    char *last = NULL;
    struct rig rig;
    json_t *list;

    (void)state;
    rig_init(&rig);
    for (unsigned i = 0; i < FAILURES_RING + 10; i++) {
        free(last);
        record(rig.failures, outcome("Bash", "", "Error: x", 0), &last);
    }
    list = failures_list(rig.failures, &query);
    CHECK_INT(json_array_size(list), FAILURES_RING);
    CHECK_STR(json_string_value(json_object_get(json_array_get(list, 0), "task_id")), last);
    json_decref(list);
    free(last);
    query.limit = 3;
    list = failures_list(rig.failures, &query);
    CHECK_INT(json_array_size(list), 3);
    json_decref(list);
    for (unsigned i = 0; i < FAILURES_SESSIONS + 5; i++) { /* Others push that session out. */
        char session[16];
        struct failure_outcome o = outcome("Bash", "", "Error: x", 0);
        snprintf(session, sizeof session, "other-%u", i);
        o.session = session;
        record(rig.failures, o, NULL);
    }
    CHECK_INT(failures_stats(rig.failures, "default", "s1").failures, 0);
    CHECK_INT(failures_stats(rig.failures, "default", NULL).sessions, FAILURES_SESSIONS);
    CHECK_INT(failures_stats(rig.failures, "acme", NULL).sessions, 0);
    CHECK_INT(failures_clear(rig.failures, "default", "other-30"), 1);
    CHECK_INT(failures_clear(rig.failures, "acme", NULL), 0);
    CHECK_INT(told(rig.bus, "failure.cleared"), 1); /* Nothing was nobody's loss. */
    CHECK_INT(failures_clear(rig.failures, "default", NULL), FAILURES_SESSIONS - 1);
    rig_fini(&rig);
}

/* ---- Tenants beside each other ---- */

static bool
fail_for(struct failures *t, const char *tenant, const char *session)
{
    struct failure_outcome o = outcome("Bash", "make", "Error: x", 0);

    o.tenant = tenant;
    o.session = session;
    return record(t, o, NULL) == FAILURE_FAILED;
}

static uint64_t
kept(struct failures *t, const char *tenant)
{
    return failures_stats(t, tenant, NULL).failures;
}

/* Fills all there is room for, by one tenant. */
static void
flood(struct failures *t, const char *tenant)
{
    char session[16];

    for (unsigned i = 0; i < FAILURES_MAX + 500; i++) {
        snprintf(session, sizeof session, "s%u", i / FAILURES_RING);
        CHECK(fail_for(t, tenant, session));
    }
}

static void
who_has_most_makes_room(void **state)
{
    struct failure_outcome good = outcome("Bash", "make", "ok", 0);
    struct failures *t;
    struct rig rig;
    char tenant[16];

    (void)state;
    rig_init(&rig);
    t = rig.failures;
    CHECK(fail_for(t, "small", "s"));
    CHECK(fail_for(t, "small", "s"));
    flood(t, "busy");
    CHECK_INT(kept(t, "small"), 2);
    CHECK_INT(kept(t, NULL), FAILURES_MAX);
    CHECK_INT(failures_stats(t, "busy", NULL).sessions, FAILURES_SESSIONS);
    for (unsigned i = 0; i < 300; i++) { /* Each is one more for whom the busy one makes room. */
        snprintf(tenant, sizeof tenant, "t%u", i % 30);
        CHECK(fail_for(t, tenant, "s"));
    }
    CHECK_INT(kept(t, "t0"), 10);
    CHECK_INT(kept(t, "t29"), 10);
    CHECK_INT(kept(t, "busy"), FAILURES_MAX - 302);
    CHECK_INT(kept(t, NULL), FAILURES_MAX);
    good.tenant = "small";
    good.session = "s";
    CHECK_INT(record(t, good, NULL), FAILURE_MENDED);
    CHECK_INT(failures_stats(t, "small", NULL).fixed, 1);
    CHECK_INT(failures_clear(t, "busy", NULL), FAILURES_MAX - 302);
    CHECK_INT(kept(t, NULL), 302);
    rig_fini(&rig);
}

static void
sessions_are_shared_out_too(void **state)
{
    struct failures *t;
    struct rig rig;
    char name[16];

    (void)state;
    rig_init(&rig);
    t = rig.failures;
    for (unsigned i = 0; i < FAILURES_SESSIONS; i++) {
        snprintf(name, sizeof name, "s%u", i);
        CHECK(fail_for(t, "busy", name));
    }
    for (unsigned i = 0; i < FAILURES_SESSIONS_MAX - FAILURES_SESSIONS + 5; i++) {
        snprintf(name, sizeof name, "t%u", i);
        CHECK(fail_for(t, name, "s"));
    }
    CHECK_INT(failures_stats(t, NULL, NULL).sessions, FAILURES_SESSIONS_MAX);
    CHECK_INT(failures_stats(t, "busy", NULL).sessions, FAILURES_SESSIONS - 5);
    CHECK_INT(kept(t, "t0"), 1);
    CHECK_INT(failures_stats(t, "busy", "s4").sessions, 0); /* Those used least recently. */
    CHECK_INT(failures_stats(t, "busy", "s5").sessions, 1);
    rig_fini(&rig);
}

/* Eight tenants push while four keep their own: none of theirs is ever missed. */
static void
push_or_keep(void *arg, unsigned number)
{
    struct storm *storm = arg;
    struct failures *t = storm->rig->failures;
    char tenant[16], session[16];

    snprintf(tenant, sizeof tenant, "t%u", number);
    for (unsigned i = 0; i < storm->rounds; i++) {
        if (number < 8) {
            snprintf(session, sizeof session, "s%u", i % 8);
            atomic_fetch_add(&storm->odd, !fail_for(t, tenant, session));
        } else if (i % 16 == 0) {
            struct failure_outcome good = outcome("Bash", "make", "ok", 0);

            good.tenant = tenant;
            if (!fail_for(t, tenant, good.session) || record(t, good, NULL) != FAILURE_MENDED) {
                atomic_fetch_add(&storm->odd, 1);
            }
        }
    }
}

static void
nobody_loses_what_is_less_than_his_part(void **state)
{
    struct storm storm = {.rounds = 3000};
    struct rig rig;

    (void)state;
    rig_init(&rig);
    storm.rig = &rig;
    threads_run(12, push_or_keep, &storm);
    CHECK_INT(storm.odd, 0);
    CHECK_INT(kept(rig.failures, NULL), FAILURES_MAX);
    CHECK_INT(kept(rig.failures, "t11"), (3000 + 15) / 16);
    CHECK_INT(failures_stats(rig.failures, "t8", NULL).fixed, (3000 + 15) / 16);
    rig_fini(&rig);
}

static void
a_post_mortem_is_by_priority(void **state)
{
    struct failure_query query = {.tenant = "default", .limit = 50};
    const json_t *one;
    struct rig rig;
    json_t *list;

    (void)state;
    rig_init(&rig);
    record(rig.failures, outcome("Bash", "make", "src/a.c:12:3: error: expected ';'", 1), NULL);
    record(rig.failures, outcome("Bash", "make test", "1 failed", 1), NULL);
    record(rig.failures, outcome("Bash", "python x.py", "SyntaxError: bad", 1), NULL);
    list = failures_analyze(rig.failures, &query);
    CHECK_INT(json_array_size(list), 3);
    CHECK_STR(json_string_value(json_object_get(json_array_get(list, 0), "priority")), "critical");
    CHECK_STR(json_string_value(json_object_get(json_array_get(list, 1), "priority")), "high");
    one = json_array_get(list, 2);
    CHECK_STR(json_string_value(json_object_get(one, "file")), "src/a.c");
    CHECK_INT(json_integer_value(json_object_get(one, "line")), 12);
    CHECK_STR(json_string_value(json_object_get(one, "root_cause")),
              "The tool says that something is wrong. src/a.c:12:3: error: expected ';'");
    CHECK(json_string_length(json_object_get(one, "suggestion")) > 10);
    json_decref(list);
    rig_fini(&rig);
}

static void
failure_markdown_shape(void **state)
{
    json_t *lessons =
        json_pack("[{s:s, s:s, s:s}, {s:s, s:s, s:s}, {s:s, s:s, s:s}]", "category", "Testing",
                  "problem", "Test failed: *a* <b>", "solution", "After 3 s it worked", "category",
                  "Dependencies", "problem", "p2", "solution", "s2", "category", "Testing",
                  "problem", "p3", "solution", "s3");
    json_t *none = json_array();
    struct buf out = BUF_INIT;

    (void)state;
    failures_markdown(&out, "qa", lessons);
    CHECK_STR(out.data, "# What qa has learned\n"
                        "\n## Testing\n\n"
                        "- **Problem:** Test failed: \\*a\\* \\<b\\>\n"
                        "  **Solution:** After 3 s it worked\n"
                        "- **Problem:** p3\n"
                        "  **Solution:** s3\n"
                        "\n## Dependencies\n\n"
                        "- **Problem:** p2\n"
                        "  **Solution:** s2\n");
    buf_reset(&out);
    failures_markdown(&out, "qa", none);
    CHECK_STR(out.data, "# What qa has learned\n\nNothing yet: a failure that is mended becomes a "
                        "lesson.\n");
    buf_fini(&out);
    json_decref(none);
    json_decref(lessons);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failure_singleton_20_threads),
        cmocka_unit_test(failure_reset_during_access_10_plus_1),
        cmocka_unit_test(failure_50_threads_unique_ids),
        cmocka_unit_test(failure_fix_claimed_once_20_threads),
        cmocka_unit_test(failure_zero_failed_is_success),
        cmocka_unit_test(failure_same_output_not_its_own_fix),
        cmocka_unit_test(failure_fix_newest_first),
        cmocka_unit_test(failure_other_tool_not_fixed),
        cmocka_unit_test(a_pair_becomes_a_lesson),
        cmocka_unit_test(a_ring_keeps_the_newest),
        cmocka_unit_test(who_has_most_makes_room),
        cmocka_unit_test(sessions_are_shared_out_too),
        cmocka_unit_test(nobody_loses_what_is_less_than_his_part),
        cmocka_unit_test(a_post_mortem_is_by_priority),
        cmocka_unit_test(failure_markdown_shape),
    };

    return CHECK_RUN(tests);
}
