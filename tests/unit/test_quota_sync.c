/* test_quota_sync.c -- a store that fails: what is owed, the mode in which little is given, loads;
 * and the thread. */
#include "tests/check.h"

#include "tests/quota_rig.h"
#include "tests/threads.h"

#include "state/quota_journal.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#define SECOND 1000000000ll

/* Records in a row, failing or not. */
static void
write_some(struct quota_rig *rig, char kind, unsigned count)
{
    atomic_store(&rig->database.failing, kind == 'F' ? count : 0);
    for (unsigned i = 0; i < count; i++) {
        rig_record(rig, "tiingo", 1);
    }
    CHECK_INT(rig->database.failing, 0);
}

static bool
is_reduced(struct quota_rig *rig)
{
    return rig_check(rig, "tiingo", false).reduced;
}

static void
quota_hysteresis_table(void **state)
{
    static const struct {
        const char *writes; /* "2F1S": two that fail, one that is good. */
        bool reduced;       /* After them. */
        unsigned changes;
    } rows[] = {
        {"1F", false, 0},    {"2F", false, 0},       {"3F", true, 1},        {"3F1S", true, 1},
        {"3F4S", true, 1},   {"3F5S", false, 2},     {"2F1S2F", false, 0},   {"3F4S1F4S", true, 1},
        {"2F1S3F", true, 1}, {"3F4S1F5S", false, 2}, {"3F5S2F1S", false, 2}, {"3F5S3F", true, 3},
        {"9F", true, 1},     {"3F9S", false, 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct quota_rig rig;
        quota_rig_init(&rig, "tiingo=500/month", true);
        for (const char *p = rows[i].writes; *p; p += 2) {
            write_some(&rig, p[1], (unsigned)(p[0] - '0'));
        }
        if (is_reduced(&rig) != rows[i].reduced ||
            rig_told(&rig, "quota.reduced") + rig_told(&rig, "quota.restored") != rows[i].changes) {
            fail_msg("%s", rows[i].writes);
        }
        quota_rig_fini(&rig);
    }
}

/* 20 times one and the other: whatever the mode is, it stays. */
static void
flapping_changes_nothing(void **state)
{
    struct quota_rig rig;

    (void)state;
    quota_rig_init(&rig, "tiingo=500/month", true);
    for (unsigned i = 0; i < 20; i++) {
        write_some(&rig, "FS"[i % 2], 1);
    }
    CHECK(!is_reduced(&rig));
    write_some(&rig, 'F', 3);
    for (unsigned i = 0; i < 20; i++) {
        write_some(&rig, "SF"[i % 2], 1);
    }
    CHECK(is_reduced(&rig));
    CHECK_INT(rig_told(&rig, "quota.reduced"), 1);
    CHECK_INT(rig_told(&rig, "quota.restored"), 0);
    quota_rig_fini(&rig);
}

static void
reading_restores_nothing(void **state)
{
    struct quota_rig rig;

    (void)state;
    quota_rig_init(&rig, "tiingo=500/month", true);
    write_some(&rig, 'F', 2);
    for (unsigned i = 0; i < 10; i++) {
        fake_clock_pass(&rig.clock, 20 * SECOND); /* Each look asks the store again. */
        rig_used(&rig, "tiingo");
    }
    write_some(&rig, 'F', 1);
    CHECK(is_reduced(&rig));
    quota_rig_fini(&rig);
}

/* A quarter of the limit, whatever the priority. */
static void
reduced_means_a_quarter(void **state)
{
    struct quota_rig rig;
    struct quota_view view;

    (void)state;
    quota_rig_init(&rig, "tiingo=50/month", true);
    write_some(&rig, 'F', 3);
    CHECK_INT(rig_acquire(&rig, "tiingo", 9, true), E_OK); /* 12 of 12.5; and a good write. */
    CHECK_INT(rig_acquire(&rig, "tiingo", 1, true), E_OVER_QUOTA);
    view = rig_check(&rig, "tiingo", true);
    CHECK(view.verdict == QUOTA_REDUCED && view.used == 12);
    rig_record(&rig, "tiingo", 1); /* It always counts. */
    CHECK_INT(rig_used(&rig, "tiingo"), 13);
    for (unsigned i = 0; i < 3; i++) {
        rig_record(&rig, "tiingo", 1);
    }
    CHECK_INT(rig_acquire(&rig, "tiingo", 20, false), E_OK);
    quota_rig_fini(&rig);
}

static void
settings_say_when(void **state)
{
    struct quota_rig rig;

    (void)state;
    quota_rig_init(&rig, "tiingo=500/month", true);
    quota_rig_set(&rig, "quota.reduce_after", "1");
    quota_rig_set(&rig, "quota.restore_after", "2");
    write_some(&rig, 'F', 1);
    CHECK(is_reduced(&rig));
    write_some(&rig, 'S', 2);
    CHECK(!is_reduced(&rig));
    write_some(&rig, 'F', 1);
    quota_clear(rig.quota);
    CHECK(!is_reduced(&rig));
    quota_rig_fini(&rig);
}

static void
the_alert_comes_every_five_minutes(void **state)
{
    struct quota_rig rig;

    (void)state;
    quota_rig_init(&rig, "tiingo=500/month", true);
    write_some(&rig, 'F', 8);
    CHECK_INT(rig_told(&rig, "quota.store_unreachable"), 1);
    fake_clock_pass(&rig.clock, 299 * SECOND);
    write_some(&rig, 'F', 1);
    CHECK_INT(rig_told(&rig, "quota.store_unreachable"), 1);
    fake_clock_pass(&rig.clock, SECOND);
    write_some(&rig, 'F', 2);
    CHECK_INT(rig_told(&rig, "quota.store_unreachable"), 2);
    CHECK_INT(quota_counters(rig.quota).alerts, 2);
    quota_rig_fini(&rig);
}

/* What failed counts here, and gets to the store later, once. */
static void
what_is_owed_is_paid(void **state)
{
    struct quota_ask ask = {.tenant = "default", .service = "tiingo", .count = 5};
    struct quota_view view;
    struct quota_rig rig;
    uint64_t owed;

    (void)state;
    quota_rig_init(&rig, "tiingo=500/month", true);
    rig_record(&rig, "tiingo", 10);
    atomic_store(&rig.database.failing, 2);
    CHECK_INT(quota_acquire(rig.quota, &ask, &view, NULL), E_OK);
    CHECK(view.owed && view.used == 15 && view.verdict == QUOTA_ALLOWED);
    rig_record(&rig, "tiingo", 2);
    rig_record(&rig, "tiingo", 1); /* Works: the store tells 11, what is owed comes on top. */
    CHECK_INT(rig_used(&rig, "tiingo"), 18);
    CHECK_INT(fake_database_used(&rig.database, "/tiingo", PERIOD_MONTH, rig.clock.wall_ns), 11);
    CHECK_INT(quota_counters(rig.quota).owed, 2);
    atomic_store(&rig.database.failing, 1);
    CHECK(quota_sync(rig.quota, &owed, NULL) != E_OK);
    CHECK_INT(owed, 2);
    CHECK_INT(quota_sync(rig.quota, &owed, NULL), E_OK);
    CHECK_INT(owed, 0);
    CHECK_INT(rig_used(&rig, "tiingo"), 18);
    CHECK_INT(fake_database_used(&rig.database, "/tiingo", PERIOD_MONTH, rig.clock.wall_ns), 18);
    quota_rig_fini(&rig);
}

/* One whose answer was lost has been made: its second try is ignored by its id. */
static void
an_answer_that_was_lost_counts_once(void **state)
{
    struct quota_rig rig;
    uint64_t owed;

    (void)state;
    quota_rig_init(&rig, "tiingo=500/month", true);
    atomic_store(&rig.database.deaf, 3);
    for (unsigned i = 0; i < 3; i++) {
        rig_record(&rig, "tiingo", 4);
    }
    CHECK_INT(quota_counters(rig.quota).owed, 3);
    CHECK_INT(quota_sync(rig.quota, &owed, NULL), E_OK);
    CHECK_INT(fake_database_used(&rig.database, "/tiingo", PERIOD_MONTH, rig.clock.wall_ns), 12);
    quota_clear(rig.quota);
    CHECK_INT(rig_used(&rig, "tiingo"), 12);
    quota_rig_fini(&rig);
}

/* Past so many they are put together; nothing is forgotten. */
static void
more_is_owed_than_can_be_kept_apart(void **state)
{
    struct quota_rig rig;
    uint64_t owed;

    (void)state;
    quota_rig_init(&rig, "tiingo=5000/month,finnhub=5000/month", true);
    atomic_store(&rig.database.failing, QUOTA_OWED_MAX + 50);
    for (unsigned i = 0; i < QUOTA_OWED_MAX + 50; i++) {
        rig_record(&rig, i < QUOTA_OWED_MAX + 40 ? "tiingo" : "finnhub", 2);
    }
    CHECK_INT(quota_counters(rig.quota).owed, QUOTA_OWED_MAX + 1);
    CHECK_INT(quota_sync(rig.quota, &owed, NULL), E_OK);
    CHECK_INT(fake_database_used(&rig.database, "/tiingo", PERIOD_MONTH, rig.clock.wall_ns),
              2 * (QUOTA_OWED_MAX + 40));
    CHECK_INT(fake_database_used(&rig.database, "/finnhub", PERIOD_MONTH, rig.clock.wall_ns), 20);
    quota_rig_fini(&rig);
}

struct outage {
    struct quota_rig *rig;
    atomic_uint failures;
};

static void
record_in_an_outage(void *arg, unsigned number)
{
    struct outage *o = arg;

    for (unsigned i = 0; i < 50; i++) {
        if (number == 0) {
            atomic_store(&o->rig->database.failing, i % 5);
            atomic_store(&o->rig->database.deaf, i % 3);
            quota_sync(o->rig->quota, NULL, NULL); /* Fails or not, as it comes. */
        } else {
            rig_record(o->rig, "tiingo", 1);
        }
    }
}

static void
nothing_is_lost_or_doubled_in_an_outage(void **state)
{
    struct quota_rig rig;
    struct outage o = {.rig = &rig};
    uint64_t owed;

    (void)state;
    quota_rig_init(&rig, "tiingo=5000/month", true);
    threads_run(9, record_in_an_outage, &o);
    atomic_store(&rig.database.failing, 0);
    atomic_store(&rig.database.deaf, 0);
    CHECK_INT(quota_sync(rig.quota, &owed, NULL), E_OK);
    CHECK_INT(owed, 0);
    CHECK_INT(fake_database_used(&rig.database, "/tiingo", PERIOD_MONTH, rig.clock.wall_ns), 400);
    CHECK_INT(rig_used(&rig, "tiingo"), 400);
    quota_rig_fini(&rig);
}

/* ---- Loads ---- */

static void
a_failed_load_is_never_zero(void **state)
{
    struct quota_ask ask = {.tenant = "default", .service = "tiingo", .count = 1};
    struct quota_summary summary;
    struct quota_view view;
    struct quota_rig rig;
    struct fault f = FAULT_INIT;

    (void)state;
    quota_rig_init(&rig, "tiingo=500/month", true);
    rig_record(&rig, "tiingo", 300);
    quota_rig_restart(&rig);
    atomic_store(&rig.database.blind, 1);
    CHECK_INT(quota_acquire(rig.quota, &ask, &view, &f), E_NOT_READY);
    CHECK_INT(quota_check(rig.quota, &ask, &view, &f), E_NOT_READY); /* Not asked at once again. */
    CHECK_INT(quota_summary(rig.quota, "default", NULL, &summary, &f), E_NOT_READY);
    CHECK_INT(rig.database.blind, 0);
    rig_record(&rig, "tiingo", 1); /* Counts all the same, and tells what there is. */
    fake_clock_pass(&rig.clock, 2 * SECOND);
    CHECK_INT(rig_used(&rig, "tiingo"), 301);
    fake_clock_pass(&rig.clock, 20 * SECOND);
    atomic_store(&rig.database.blind, 5);
    CHECK_INT(rig_used(&rig, "tiingo"), 301); /* What was known last. */
    CHECK_INT(quota_counters(rig.quota).load_failures, 2);
    quota_rig_fini(&rig);
}

/* Asked again by the age of what was read, not of what was written. */
static void
writes_do_not_make_it_young(void **state)
{
    struct quota_rig rig;
    unsigned loads;

    (void)state;
    quota_rig_init(&rig, "tiingo=500/month", true);
    rig_record(&rig, "tiingo", 1);
    loads = rig.database.loads;
    for (unsigned i = 0; i < 12; i++) {
        fake_clock_pass(&rig.clock, SECOND);
        rig_record(&rig, "tiingo", 1);
    }
    CHECK_INT(rig.database.loads, loads + 1);
    quota_rig_fini(&rig);
}

/* What others have used is told when it is read, and crosses a level here too. */
static void
others_bring_it_to_critical(void **state)
{
    struct quota_ask ask = {.tenant = "default", .service = "tiingo", .count = 400};
    struct quota_view view;
    struct quota_rig rig;
    struct quota *second;

    (void)state;
    quota_rig_init(&rig, "tiingo=500/month", true);
    CHECK_INT(rig_used(&rig, "tiingo"), 0);
    second = quota_rig_second(&rig);
    CHECK_INT(quota_record(second, &ask, &view, NULL), E_OK);
    CHECK_INT(rig_told(&rig, "quota.critical"), 1);
    CHECK_INT(rig_used(&rig, "tiingo"), 0); /* Known in a while. */
    fake_clock_pass(&rig.clock, 12 * SECOND);
    CHECK_INT(rig_used(&rig, "tiingo"), 400);
    CHECK_INT(rig_told(&rig, "quota.critical"), 2); /* Each process tells it once. */
    quota_destroy(second);
    quota_rig_fini(&rig);
}

/* ---- Syncs ---- */

static void
syncs_come_by_the_clock(void **state)
{
    struct quota_rig rig;

    (void)state;
    quota_rig_init(&rig, "tiingo=500/month", true);
    quota_rig_set(&rig, "quota.sync_interval", "1m");
    rig_record(&rig, "tiingo", 1);
    CHECK_INT(rig.database.syncs, 0);
    fake_clock_pass(&rig.clock, 60 * SECOND);
    rig_record(&rig, "tiingo", 1);
    rig_record(&rig, "tiingo", 1);
    CHECK_INT(rig.database.syncs, 1);
    atomic_store(&rig.database.sync_fails, true);
    CHECK_INT(quota_sync(rig.quota, NULL, NULL), E_IO);
    atomic_store(&rig.database.sync_fails, false);
    quota_rig_fini(&rig);
}

/* ---- The thread, on a real clock ---- */

static struct quota *
start_threaded(struct quota_rig *rig)
{
    struct quota_options options = {.clock = clock_real(), .settings = rig->settings};
    struct quota *quota;

    options.store = fake_store_open(&rig->database);
    CHECK_INT(quota_create(&options, &quota, NULL), E_OK);
    CHECK_INT(quota_start(quota, NULL), E_OK);
    return quota;
}

static void
the_thread_pays_and_tidies_up(void **state)
{
    struct quota_ask ask = {.tenant = "default", .service = "tiingo", .count = 450};
    struct quota_view view;
    struct quota_rig rig;
    struct quota *quota;

    (void)state;
    quota_rig_init(&rig, "tiingo=500/month", true);
    quota = start_threaded(&rig);
    atomic_store(&rig.database.failing, 1);
    CHECK_INT(quota_record(quota, &ask, &view, NULL), E_OK); /* Crosses: a sync is forced. */
    while (quota_counters(quota).owed || quota_counters(quota).syncs == 0) {
        sched_yield();
    }
    CHECK_INT(fake_database_used(&rig.database, "/tiingo", PERIOD_MONTH, clock_wall(clock_real())),
              450);
    quota_destroy(quota);
    quota = start_threaded(&rig); /* One that never has anything to do ends too. */
    quota_destroy(quota);
    quota_rig_fini(&rig);
}

/* What is flushed is no longer dirty: seen by a sync that finds an empty journal of the next
 * generation. */
static void
the_thread_flushes_the_journal(void **state)
{
    struct quota_ask ask = {.tenant = "default", .service = "tiingo", .count = 1};
    struct quota_options options = {.clock = clock_real()};
    struct tree *tree = tree_create();
    struct quota_view view;
    struct quota_rig rig;
    struct quota *quota;

    (void)state;
    quota_rig_init(&rig, "tiingo=500/month", true);
    quota_rig_set(&rig, "quota.flush", "1ms");
    quota_rig_set(&rig, "quota.sync_interval", "1s");
    options.settings = rig.settings;
    CHECK_INT(quota_journal_open(tree_dir(tree), clock_wall(clock_real()), &options.store, NULL),
              E_OK);
    CHECK_INT(quota_create(&options, &quota, NULL), E_OK);
    CHECK_INT(quota_start(quota, NULL), E_OK);
    CHECK_INT(quota_record(quota, &ask, &view, NULL), E_OK);
    while (!dir_is_file(tree_dir(tree), "quota/snapshot")) { /* Within a second, unasked. */
        sched_yield();
    }
    quota_destroy(quota);
    quota_rig_fini(&rig);
    tree_destroy(tree);
}

/* What the thread of all connections looks at waits for no store. */
static void
a_glance_asks_no_shared_store(void **state)
{
    struct quota_summary s;
    struct quota_rig rig;
    unsigned loads;

    (void)state;
    quota_rig_init(&rig, "a=10/day,b=10/day", true);
    quota_glance(rig.quota, &s);
    CHECK_INT(s.count, 0); /* Nothing is known, and nothing is told. */
    quota_summary_fini(&s);
    rig_record(&rig, "a", 3);
    loads = rig.database.loads;
    fake_clock_pass(&rig.clock, 3600000000000); /* What was told is old by now. */
    quota_glance(rig.quota, &s);
    CHECK_INT(s.count, 1);
    CHECK_STR(s.views[0].service, "a");
    CHECK_INT(s.views[0].used, 3);
    CHECK_INT(rig.database.loads, loads);
    quota_summary_fini(&s);
    quota_rig_fini(&rig);
    quota_rig_init(&rig, "a=10/day,b=10/day", false);
    rig_record(&rig, "b", 2);
    quota_rig_restart(&rig);
    quota_glance(rig.quota, &s); /* A journal is in memory. */
    CHECK_INT(s.count, 2);
    CHECK_INT(s.views[1].used, 2);
    quota_summary_fini(&s);
    quota_rig_fini(&rig);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quota_hysteresis_table),
        cmocka_unit_test(flapping_changes_nothing),
        cmocka_unit_test(reading_restores_nothing),
        cmocka_unit_test(reduced_means_a_quarter),
        cmocka_unit_test(settings_say_when),
        cmocka_unit_test(the_alert_comes_every_five_minutes),
        cmocka_unit_test(what_is_owed_is_paid),
        cmocka_unit_test(an_answer_that_was_lost_counts_once),
        cmocka_unit_test(more_is_owed_than_can_be_kept_apart),
        cmocka_unit_test(nothing_is_lost_or_doubled_in_an_outage),
        cmocka_unit_test(a_failed_load_is_never_zero),
        cmocka_unit_test(writes_do_not_make_it_young),
        cmocka_unit_test(others_bring_it_to_critical),
        cmocka_unit_test(syncs_come_by_the_clock),
        cmocka_unit_test(the_thread_pays_and_tidies_up),
        cmocka_unit_test(the_thread_flushes_the_journal),
        cmocka_unit_test(a_glance_asks_no_shared_store),
    };

    return CHECK_RUN(tests);
}
