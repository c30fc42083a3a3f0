/* test_quota.c -- the tracker: counting from many threads, priorities, windows, tenants, crashes.
 */
#include "tests/check.h"

#include "tests/quota_rig.h"
#include "tests/threads.h"

#include <stdio.h>

#define DAY_NS (86400ll * 1000000000)

/* Many threads do the same, or two kinds of things. */
struct crowd {
    struct quota_rig *rig;
    const char *services[2];
    unsigned rounds;
    bool mixed; /* Every other thread has low priority. */
    atomic_uint good, odd;
};

static void
record_some(void *arg, unsigned number)
{
    struct crowd *crowd = arg;

    for (unsigned i = 0; i < crowd->rounds; i++) {
        rig_record(crowd->rig, crowd->services[crowd->services[1] ? number % 2 : 0], 1);
    }
}

static void
record_by(struct quota_rig *rig, unsigned threads, unsigned rounds, const char *one,
          const char *other)
{
    struct crowd crowd = {.rig = rig, .services = {one, other}, .rounds = rounds};

    threads_run(threads, record_some, &crowd);
}

static void
quota_10x50_same_service(void **state)
{
    struct quota_rig rig;

    (void)state;
    quota_rig_init(&rig, NULL, false);
    record_by(&rig, 10, 50, "tiingo", NULL);
    CHECK_INT(rig_used(&rig, "tiingo"), 500);
    quota_rig_fini(&rig);
}

static void
check_some(void *arg, unsigned number)
{
    struct crowd *crowd = arg;

    (void)number;
    for (unsigned i = 0; i < crowd->rounds; i++) {
        struct quota_view view = rig_check(crowd->rig, crowd->services[0], false);
        atomic_fetch_add(&crowd->good, view.verdict == QUOTA_ALLOWED && view.used == 7);
    }
}

static void
quota_check_20_threads(void **state)
{
    struct crowd crowd = {.services = {"tiingo"}, .rounds = 50};
    struct quota_rig rig;

    (void)state;
    quota_rig_init(&rig, NULL, false);
    crowd.rig = &rig;
    rig_record(&rig, "tiingo", 7);
    threads_run(20, check_some, &crowd);
    CHECK_INT(crowd.good, 1000);
    quota_rig_fini(&rig);
}

static void
record_or_check(void *arg, unsigned number)
{
    struct crowd *crowd = arg;
    uint64_t last = 0;

    for (unsigned i = 0; i < crowd->rounds; i++) {
        if (number % 2) {
            rig_record(crowd->rig, "tiingo", 1);
        } else {
            uint64_t used = rig_used(crowd->rig, "tiingo");
            atomic_fetch_add(&crowd->odd, used < last || used > 2 * crowd->rounds);
            last = used;
        }
    }
}

static void
quota_2_recorders_2_checkers_x100(void **state)
{
    struct crowd crowd = {.rounds = 100};
    struct quota_rig rig;

    (void)state;
    quota_rig_init(&rig, NULL, false);
    crowd.rig = &rig;
    threads_run(4, record_or_check, &crowd);
    CHECK_INT(rig_used(&rig, "tiingo"), 200);
    CHECK_INT(crowd.odd, 0);
    quota_rig_fini(&rig);
}

/* The test that failed in the prior art, 52 of 100: a hundred times. */
static void
quota_two_services_2x100(void **state)
{
    (void)state;
    for (unsigned i = 0; i < scaled(100); i++) {
        struct quota_rig rig;
        quota_rig_init(&rig, NULL, false);
        record_by(&rig, 2, 100, "tiingo", "finnhub");
        CHECK_INT(rig_used(&rig, "tiingo"), 100);
        CHECK_INT(rig_used(&rig, "finnhub"), 100);
        quota_rig_fini(&rig);
    }
}

static void
quota_100_plus_100_threads_two_services(void **state)
{
    struct quota_rig rig;

    (void)state;
    quota_rig_init(&rig, NULL, false);
    record_by(&rig, 200, 5, "tiingo", "sendgrid");
    CHECK_INT(rig_used(&rig, "tiingo"), 500);
    CHECK_INT(rig_used(&rig, "sendgrid"), 500);
    quota_rig_fini(&rig);
}

static void
quota_50_more_on_50(void **state)
{
    struct quota_rig rig;

    (void)state;
    quota_rig_init(&rig, NULL, false);
    rig_record(&rig, "tiingo", 50);
    record_by(&rig, 10, 5, "tiingo", NULL);
    CHECK_INT(rig_used(&rig, "tiingo"), 100);
    quota_rig_fini(&rig);
}

static void
quota_stats_10x20(void **state)
{
    struct quota_counters counters;
    struct quota_rig rig;

    (void)state;
    quota_rig_init(&rig, NULL, true);
    record_by(&rig, 10, 20, "tiingo", NULL);
    counters = quota_counters(rig.quota);
    CHECK_INT(counters.misses, 1);
    CHECK_INT(counters.hits, 199);
    CHECK_INT(counters.atomic_writes, 200);
    CHECK_INT(rig.database.loads, 1);
    quota_rig_fini(&rig);
}

static void
quota_high_contention_50x20_barrier(void **state)
{
    (void)state;
    for (int shared = 0; shared < 2; shared++) {
        struct quota_rig rig;
        quota_rig_init(&rig, "tiingo=5000/month", shared);
        record_by(&rig, 50, 20, "tiingo", NULL);
        CHECK_INT(rig_used(&rig, "tiingo"), 1000);
        quota_rig_restart(&rig);
        CHECK_INT(rig_used(&rig, "tiingo"), 1000);
        quota_rig_fini(&rig);
    }
}

static void
quota_critical_crossed_once_under_50_threads(void **state)
{
    struct quota_rig rig;

    (void)state;
    quota_rig_init(&rig, "tiingo=500/month", false);
    record_by(&rig, 50, 12, "tiingo", NULL);
    CHECK_INT(rig_told(&rig, "quota.warning"), 1);
    CHECK_INT(rig_told(&rig, "quota.critical"), 1);
    CHECK_INT(rig_told(&rig, "quota.exhausted"), 1);
    CHECK(quota_counters(rig.quota).syncs >= 1); /* Forced. */
    fake_clock_pass(&rig.clock, 40 * DAY_NS);    /* Another month: told again. */
    record_by(&rig, 50, 12, "tiingo", NULL);
    CHECK_INT(rig_told(&rig, "quota.critical"), 2);
    CHECK_INT(quota_counters(rig.quota).exhausted, 2);
    quota_rig_fini(&rig);
}

/* Two services, recorded together by each writer, differ in no summary by more than the writers. */
static void
summarize_or_record(void *arg, unsigned number)
{
    struct crowd *crowd = arg;

    for (unsigned i = 0; i < crowd->rounds; i++) {
        struct quota_summary s;
        if (number % 2) {
            rig_record(crowd->rig, "tiingo", 1);
            rig_record(crowd->rig, "sendgrid", 1);
            continue;
        }
        if (quota_summary(crowd->rig->quota, "default", NULL, &s, NULL) != E_OK || s.count != 4) {
            atomic_fetch_add(&crowd->odd, 1);
            continue;
        }
        atomic_fetch_add(&crowd->good, s.views[0].used >= s.views[2].used &&
                                           s.views[0].used - s.views[2].used <= 2 &&
                                           s.total_today == s.views[0].used + s.views[2].used);
        quota_summary_fini(&s);
    }
}

static void
quota_summary_2_writers_2_readers_x50(void **state)
{
    struct crowd crowd = {.rounds = 50};
    struct quota_rig rig;

    (void)state;
    quota_rig_init(&rig, NULL, false);
    crowd.rig = &rig;
    threads_run(4, summarize_or_record, &crowd);
    CHECK_INT(crowd.odd, 0);
    CHECK_INT(crowd.good, 100);
    quota_rig_fini(&rig);
}

static void
record_or_clear(void *arg, unsigned number)
{
    struct crowd *crowd = arg;

    for (unsigned i = 0; i < crowd->rounds; i++) {
        if (number < 2) {
            rig_record(crowd->rig, "tiingo", 1);
        } else if (i % 10 == 0) {
            quota_clear(crowd->rig->quota);
        }
    }
}

static void
quota_clear_during_access_2x100_10(void **state)
{
    (void)state;
    for (int shared = 0; shared < 2; shared++) {
        struct crowd crowd = {.rounds = 100};
        struct quota_rig rig;
        quota_rig_init(&rig, NULL, shared);
        crowd.rig = &rig;
        threads_run(3, record_or_clear, &crowd);
        quota_clear(rig.quota);
        CHECK_INT(rig_used(&rig, "tiingo"), 200); /* As the store has it. */
        quota_rig_fini(&rig);
    }
}

static void
acquire_some(void *arg, unsigned number)
{
    struct crowd *crowd = arg;

    bool high = !crowd->mixed || number % 2;

    for (unsigned i = 0; i < crowd->rounds; i++) {
        bool good = rig_acquire(crowd->rig, "tiingo", 1, high) == E_OK;
        atomic_fetch_add(&crowd->good, good);
        if (!good) {
            struct quota_view view = rig_check(crowd->rig, "tiingo", high);
            atomic_fetch_add(&crowd->odd, view.verdict == QUOTA_ALLOWED);
        }
    }
}

static void
quota_acquire_never_exceeds_limit_100_threads(void **state)
{
    (void)state;
    for (int shared = 0; shared < 2; shared++) {
        struct crowd crowd = {.rounds = 20};
        struct quota_rig rig;
        quota_rig_init(&rig, "tiingo=500/month", shared);
        crowd.rig = &rig;
        threads_run(100, acquire_some, &crowd);
        CHECK_INT(crowd.good, 500);
        CHECK_INT(crowd.odd, 0); /* Nobody was refused what was there. */
        CHECK_INT(rig_used(&rig, "tiingo"), 500);
        CHECK_INT(quota_counters(rig.quota).refused, 1500);
        quota_rig_fini(&rig);
    }
}

/* Who has low priority may have counted a unit here when others have brought the store over his
 * bound: it refuses him.  Until then the unit is his, and the last of the others may miss it; then
 * it is there for whoever asks next. */
static void
what_the_store_refuses_is_there_for_others(void **state)
{
    (void)state;
    for (int shared = 0; shared < 2; shared++) {
        struct crowd crowd = {.rounds = 20, .mixed = true};
        unsigned asked = 100 * 20;
        struct quota_rig rig;
        quota_rig_init(&rig, "tiingo=500/month", shared);
        crowd.rig = &rig;
        threads_run(100, acquire_some, &crowd);
        CHECK(crowd.good <= 500);
        for (bool more = true; more; asked++) {
            more = rig_acquire(&rig, "tiingo", 1, true) == E_OK;
            crowd.good += more;
        }
        CHECK_INT(crowd.good, 500);
        CHECK_INT(rig_used(&rig, "tiingo"), 500);
        CHECK_INT(quota_counters(rig.quota).refused, asked - 500);
        quota_rig_fini(&rig);
    }
}

/* Two processes on one store: what the one has taken the other does not get, although it does not
 * know of it. */
struct two {
    struct quota *trackers[2];
    atomic_uint good;
};

static void
acquire_from_two(void *arg, unsigned number)
{
    struct two *two = arg;
    struct quota_ask ask = {.tenant = "default", .service = "tiingo", .count = 1, .high = true};

    for (unsigned i = 0; i < 20; i++) {
        struct quota_view view;
        atomic_fetch_add(&two->good,
                         quota_acquire(two->trackers[number % 2], &ask, &view, NULL) == E_OK);
    }
}

static void
two_processes_never_exceed_a_shared_limit(void **state)
{
    struct quota_rig rig;
    struct two two = {.good = 0};

    (void)state;
    quota_rig_init(&rig, "tiingo=500/month", true);
    two.trackers[0] = rig.quota;
    two.trackers[1] = quota_rig_second(&rig);
    threads_run(100, acquire_from_two, &two);
    CHECK_INT(two.good, 500);
    CHECK_INT(fake_database_used(&rig.database, "/tiingo", PERIOD_MONTH, rig.clock.wall_ns), 500);
    fake_clock_pass(&rig.clock, 12000000000); /* What was read is too old. */
    CHECK_INT(rig_used(&rig, "tiingo"), 500);
    quota_destroy(two.trackers[1]);
    quota_rig_fini(&rig);
}

static void
quota_durable_adds_10x5(void **state)
{
    struct quota_rig rig;

    (void)state;
    quota_rig_init(&rig, NULL, true);
    record_by(&rig, 10, 5, "tiingo", NULL);
    CHECK_INT(fake_database_used(&rig.database, "/tiingo", PERIOD_MONTH, rig.clock.wall_ns), 50);
    CHECK_INT(rig.database.adds, 50);
    quota_rig_fini(&rig);
}

static void
record_or_sync(void *arg, unsigned number)
{
    struct crowd *crowd = arg;

    for (unsigned i = 0; i < crowd->rounds; i++) {
        if (number % 4) {
            rig_record(crowd->rig, "tiingo", 1);
        } else if (quota_sync(crowd->rig->quota, NULL, NULL) != E_OK) {
            atomic_fetch_add(&crowd->odd, 1);
        }
    }
}

/* Snapshots are written while three times as many threads add. */
static void
quota_snapshot_does_not_lose_counter(void **state)
{
    struct crowd crowd = {.rounds = 25};
    struct quota_rig rig;

    (void)state;
    quota_rig_init(&rig, NULL, false);
    crowd.rig = &rig;
    threads_run(8, record_or_sync, &crowd);
    CHECK_INT(crowd.odd, 0);
    CHECK_INT(rig_used(&rig, "tiingo"), 150);
    quota_rig_crash(&rig);
    CHECK_INT(rig_used(&rig, "tiingo"), 150);
    quota_rig_restart(&rig);
    rig_record(&rig, "tiingo", 1);
    CHECK_INT(rig_used(&rig, "tiingo"), 151); /* The next add does not start from 1. */
    quota_rig_fini(&rig);
}

static void
quota_crash_replay(void **state)
{
    struct quota_rig rig;
    struct quota_view view;

    (void)state;
    quota_rig_init(&rig, NULL, false);
    quota_rig_crash(&rig); /* Before anything was counted. */
    rig_record(&rig, "tiingo", 20);
    rig_record(&rig, "finnhub", 3);
    quota_rig_crash(&rig);
    CHECK_INT(rig_used(&rig, "tiingo"), 20);
    CHECK_INT(quota_sync(rig.quota, NULL, NULL), E_OK);
    rig_record(&rig, "tiingo", 300);
    quota_rig_crash(&rig); /* A snapshot, and a journal after it. */
    view = rig_check(&rig, "tiingo", false);
    CHECK_INT(view.used, 320);
    CHECK_INT(view.today, 320);
    CHECK(view.warning && !view.critical);
    CHECK_INT(rig_used(&rig, "finnhub"), 3);
    CHECK_INT(rig_told(&rig, "quota.warning"), 1); /* Not again after a start. */
    rig_record(&rig, "tiingo", 1);
    CHECK_INT(rig_told(&rig, "quota.warning"), 1);
    quota_rig_crash(&rig);
    quota_rig_crash(&rig);
    CHECK_INT(rig_used(&rig, "tiingo"), 321);
    quota_rig_fini(&rig);
}

static int64_t
at(const char *text)
{
    int64_t ns = clock_parse(text);

    CHECK(ns >= 0);
    return ns;
}

static void
quota_rollover_each_period(void **state)
{
    static const struct {
        const char *services, *before, *last, *next;
    } rows[] = {
        {"s=10/minute", "2026-11-21T06:05:00Z", "2026-11-21T06:05:59.999Z", "2026-11-21T06:06:00Z"},
        {"s=10/hour", "2026-11-21T06:00:00Z", "2026-11-21T06:59:59.999Z", "2026-11-21T07:00:00Z"},
        {"s=10/day", "2026-11-21T00:00:00Z", "2026-11-21T23:59:59.999Z", "2026-11-22T00:00:00Z"},
        {"s=10/month", "2026-11-01T00:00:00Z", "2026-11-30T23:59:59.999Z", "2026-12-01T00:00:00Z"},
        {"s=10/month", "2024-02-10T00:00:00Z", "2024-02-29T23:59:59.999Z", "2024-03-01T00:00:00Z"},
        {"s=10/month", "2026-12-31T12:00:00Z", "2026-12-31T23:59:59.999Z", "2027-01-01T00:00:00Z"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct quota_rig rig;
        quota_rig_init(&rig, rows[i].services, false);
        atomic_store(&rig.clock.wall_ns, at(rows[i].before));
        rig_record(&rig, "s", 4);
        CHECK_INT(rig_check(&rig, "s", false).window.end, at(rows[i].next) / 1000000000);
        atomic_store(&rig.clock.wall_ns, at(rows[i].last));
        CHECK_INT(rig_used(&rig, "s"), 4);
        atomic_store(&rig.clock.wall_ns, at(rows[i].next));
        CHECK_INT(rig_used(&rig, "s"), 0);
        rig_record(&rig, "s", 1);
        CHECK_INT(rig_used(&rig, "s"), 1);
        quota_rig_restart(&rig);
        CHECK_INT(rig_used(&rig, "s"), 1);
        atomic_store(&rig.clock.wall_ns, at(rows[i].last)); /* A clock set back: no new window. */
        rig_record(&rig, "s", 1);
        CHECK_INT(rig_used(&rig, "s"), 2);
        quota_rig_fini(&rig);
    }
}

/* Threads meet in the moment in which a window ends: each unit is in one of both. */
static void
record_across(void *arg, unsigned number)
{
    struct crowd *crowd = arg;

    for (unsigned i = 0; i < crowd->rounds; i++) {
        if (number == 0 && i == crowd->rounds / 2) {
            fake_clock_pass(&crowd->rig->clock, 60000000000);
        }
        rig_record(crowd->rig, "s", 1);
    }
}

static void
nothing_is_lost_while_a_window_ends(void **state)
{
    struct crowd crowd = {.rounds = 40};
    struct quota_rig rig;
    int64_t start;

    (void)state;
    quota_rig_init(&rig, "s=100/minute", true);
    crowd.rig = &rig;
    start = rig.clock.wall_ns;
    threads_run(10, record_across, &crowd);
    CHECK_INT(fake_database_used(&rig.database, "/s", PERIOD_MINUTE, start) +
                  fake_database_used(&rig.database, "/s", PERIOD_MINUTE, start + 60000000000),
              400);
    CHECK_INT(fake_database_used(&rig.database, "/s", PERIOD_DAY, start), 400);
    quota_rig_fini(&rig);
}

static void
priorities_and_levels(void **state)
{
    struct quota_rig rig;
    struct quota_view view;

    (void)state;
    quota_rig_init(&rig, "s=10/day,none=0/day", false);
    view = rig_check(&rig, "s", false);
    CHECK(!view.warning && !view.critical && !view.exhausted && view.remaining == 10);
    CHECK_INT(rig_acquire(&rig, "s", 9, false), E_OVER_QUOTA); /* Past critical in one go. */
    CHECK_INT(rig_acquire(&rig, "s", 8, false), E_OK);
    view = rig_check(&rig, "s", false);
    CHECK(view.warning && view.critical && view.verdict == QUOTA_CRITICAL);
    CHECK_INT(rig_acquire(&rig, "s", 1, false), E_OVER_QUOTA);
    CHECK_INT(rig_check(&rig, "s", true).verdict, QUOTA_ALLOWED);
    CHECK_INT(rig_acquire(&rig, "s", 3, true), E_OVER_QUOTA);
    CHECK_INT(rig_acquire(&rig, "s", 2, true), E_OK);
    CHECK_INT(rig_acquire(&rig, "s", 1, true), E_OVER_QUOTA);
    rig_record(&rig, "s", 5); /* It happened: it counts. */
    view = rig_check(&rig, "s", true);
    CHECK(view.used == 15 && view.remaining == 0 && view.verdict == QUOTA_EXHAUSTED);
    view = rig_check(&rig, "none", true);
    CHECK(!view.warning && !view.critical && view.verdict == QUOTA_EXHAUSTED);
    CHECK_INT(rig_acquire(&rig, "none", 1, true), E_OVER_QUOTA);
    quota_rig_fini(&rig);
}

static void
refusals_say_what_to_do(void **state)
{
    struct quota_ask ask = {.tenant = "default", .service = "s", .count = 8};
    struct fault f = FAULT_INIT;
    struct quota_view view;
    struct quota_rig rig;

    (void)state;
    quota_rig_init(&rig, "s=10/day,spare=1/day", false);
    CHECK_INT(quota_acquire(rig.quota, &ask, &view, &f), E_OK);
    CHECK_INT(quota_acquire(rig.quota, &ask, &view, &f), E_OVER_QUOTA);
    CHECK_STR(f.text, "'s' has not so many left: 8 of 10 units of this day are used");
    ask.count = 1;
    CHECK_INT(quota_acquire(rig.quota, &ask, &view, &f), E_OVER_QUOTA);
    CHECK_STR(f.text, "'s' is critical: 8 of 10 units of this day are used");
    CHECK_STR(f.remedy, "if it matters ask with priority high, or wait until "
                        "2023-11-15T00:00:00.000Z, when it starts over");
    ask.count = QUOTA_COUNT_MAX + 1;
    CHECK_INT(quota_record(rig.quota, &ask, &view, &f), E_ARGUMENT);
    ask.count = 1;
    ask.service = "spar";
    CHECK_INT(quota_check(rig.quota, &ask, &view, &f), E_NOT_FOUND);
    CHECK_STR(f.remedy, "did you mean 'spare'?");
    ask.service = "something else";
    CHECK_INT(quota_record(rig.quota, &ask, &view, &f), E_NOT_FOUND);
    CHECK_STR(f.remedy, "those there are: s, spare");
    ask.service = "a name that is much longer than the name of any service may ever be, really";
    CHECK_INT(quota_check(rig.quota, &ask, &view, &f), E_NOT_FOUND);
    quota_rig_fini(&rig);
}

static void
what_was_not_used_is_given_back(void **state)
{
    struct quota_ask ask = {.tenant = "default", .service = "s", .count = 3};
    struct fault f = FAULT_INIT;
    struct quota_view view;
    struct quota_rig rig;
    uint64_t given;
    int64_t reset_at;

    (void)state;
    quota_rig_init(&rig, "s=10/hour", false);
    CHECK_INT(quota_acquire(rig.quota, &ask, &view, NULL), E_OK);
    reset_at = view.window.end;
    ask.count = 2;
    CHECK_INT(quota_release(rig.quota, &ask, reset_at, &given, &view, NULL), E_OK);
    CHECK(given == 2 && view.used == 1 && view.today == 1);
    CHECK_INT(quota_release(rig.quota, &ask, 0, &given, &view, &f), E_ARGUMENT);
    CHECK_STR(f.text, "only 1 units of 's' are used");
    quota_rig_crash(&rig);
    CHECK_INT(rig_used(&rig, "s"), 1);
    fake_clock_pass(&rig.clock, 3600000000000);
    rig_record(&rig, "s", 5);
    CHECK_INT(quota_release(rig.quota, &ask, reset_at, &given, &view, NULL), E_OK);
    CHECK(given == 0 && view.used == 5); /* Of a window that is over nothing is left to give. */
    quota_rig_fini(&rig);
}

static void
a_reset_starts_over(void **state)
{
    struct quota_ask ask = {.tenant = "default", .service = "s", .count = 1};
    struct quota_view view;
    struct quota_rig rig;

    (void)state;
    quota_rig_init(&rig, "s=10/month", false);
    rig_record(&rig, "s", 10);
    CHECK_INT(quota_reset(rig.quota, &ask, &view, NULL), E_OK);
    CHECK(view.used == 0 && view.remaining == 10);
    CHECK_INT(view.today, 10); /* They were made all the same. */
    CHECK_INT(rig_told(&rig, "quota.reset"), 1);
    quota_rig_crash(&rig);
    CHECK_INT(rig_used(&rig, "s"), 0);
    rig_record(&rig, "s", 10);
    CHECK_INT(rig_told(&rig, "quota.exhausted"), 2);
    quota_rig_fini(&rig);
}

/* A tenant with a rule of its own has its own count; others share the server's. */
static void
tenants_with_rules_of_their_own(void **state)
{
    json_t *own = json_pack("{s:[s,s], s:i}", "services", "s=4/day", "mine=2/hour", "critical", 75);
    struct quota_ask shared = {.tenant = "acme", .service = "s", .count = 1};
    struct quota_ask alone = {.tenant = "umbrella", .own = own, .service = "s", .count = 3};
    struct quota_summary summary;
    struct quota_view view;
    struct quota_rig rig;
    struct fault f = FAULT_INIT;

    (void)state;
    quota_rig_init(&rig, "s=10/day,t=5/hour", false);
    CHECK_INT(quota_acquire(rig.quota, &shared, &view, NULL), E_OK);
    CHECK(!view.own && view.used == 1 && view.limit == 10);
    CHECK_INT(quota_acquire(rig.quota, &alone, &view, NULL), E_OK);
    CHECK(view.own && view.used == 3 && view.limit == 4 && view.critical);
    CHECK_INT(rig_used(&rig, "s"), 1);
    shared.service = "mine";
    CHECK_INT(quota_check(rig.quota, &shared, &view, NULL), E_NOT_FOUND);
    CHECK_INT(quota_summary(rig.quota, "umbrella", own, &summary, NULL), E_OK);
    CHECK_INT(summary.count, 3);
    CHECK_STR(summary.views[0].service, "s");
    CHECK_INT(summary.views[0].used, 3);
    CHECK_STR(summary.views[2].service, "mine");
    quota_summary_fini(&summary);
    CHECK_INT(quota_summary(rig.quota, "acme", NULL, &summary, NULL), E_OK);
    CHECK_INT(summary.count, 2);
    CHECK_INT(summary.views[0].used, 1);
    quota_summary_fini(&summary);
    quota_rig_crash(&rig);
    CHECK_INT(quota_check(rig.quota, &alone, &view, NULL), E_OK);
    CHECK_INT(view.used, 3);
    json_decref(own);
    own = json_pack("{s:i}", "services", 5);
    alone.own = own;
    CHECK_INT(quota_check(rig.quota, &alone, &view, &f), E_ARGUMENT);
    CHECK_INT(quota_summary(rig.quota, "umbrella", own, &summary, &f), E_ARGUMENT);
    json_decref(own);
    quota_rig_fini(&rig);
}

/* Settings that change: counts stay, what has another period starts its own. */
static void
settings_are_followed(void **state)
{
    struct quota_rig rig;

    (void)state;
    quota_rig_init(&rig, "s=10/day", false);
    rig_record(&rig, "s", 6);
    quota_rig_set(&rig, "quota.services", "s=100/day");
    CHECK_INT(rig_check(&rig, "s", false).limit, 100);
    CHECK_INT(rig_used(&rig, "s"), 6);
    quota_rig_set(&rig, "quota.critical", "60");
    CHECK_INT(rig_acquire(&rig, "s", 55, false), E_OVER_QUOTA);
    CHECK_INT(rig_acquire(&rig, "s", 54, false), E_OK);
    quota_rig_fini(&rig);
}

static void
costs_and_calls_of_a_day(void **state)
{
    struct quota_summary s;
    struct quota_rig rig;

    (void)state;
    quota_rig_init(&rig, "cheap=100/month@0.25,dear=60/minute@2", false);
    rig_record(&rig, "cheap", 4);
    rig_record(&rig, "dear", 1);
    fake_clock_pass(&rig.clock, 60000000000);
    rig_record(&rig, "dear", 2);
    CHECK_INT(quota_summary(rig.quota, "default", NULL, &s, NULL), E_OK);
    CHECK_INT(s.views[1].used, 2);
    CHECK_INT(s.views[1].today, 3);
    CHECK_INT(s.total_today, 7);
    CHECK(s.cost_today > 6.99 && s.cost_today < 7.01);
    quota_summary_fini(&s);
    quota_rig_restart(&rig);
    fake_clock_pass(&rig.clock, DAY_NS / 2);
    CHECK_INT(quota_summary(rig.quota, "default", NULL, &s, NULL), E_OK);
    CHECK_INT(s.total_today, 0);
    CHECK_INT(s.views[0].used, 4);
    quota_summary_fini(&s);
    quota_rig_fini(&rig);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quota_10x50_same_service),
        cmocka_unit_test(quota_check_20_threads),
        cmocka_unit_test(quota_2_recorders_2_checkers_x100),
        cmocka_unit_test(quota_two_services_2x100),
        cmocka_unit_test(quota_100_plus_100_threads_two_services),
        cmocka_unit_test(quota_50_more_on_50),
        cmocka_unit_test(quota_stats_10x20),
        cmocka_unit_test(quota_high_contention_50x20_barrier),
        cmocka_unit_test(quota_critical_crossed_once_under_50_threads),
        cmocka_unit_test(quota_summary_2_writers_2_readers_x50),
        cmocka_unit_test(quota_clear_during_access_2x100_10),
        cmocka_unit_test(quota_acquire_never_exceeds_limit_100_threads),
        cmocka_unit_test(what_the_store_refuses_is_there_for_others),
        cmocka_unit_test(two_processes_never_exceed_a_shared_limit),
        cmocka_unit_test(quota_durable_adds_10x5),
        cmocka_unit_test(quota_snapshot_does_not_lose_counter),
        cmocka_unit_test(quota_crash_replay),
        cmocka_unit_test(quota_rollover_each_period),
        cmocka_unit_test(nothing_is_lost_while_a_window_ends),
        cmocka_unit_test(priorities_and_levels),
        cmocka_unit_test(refusals_say_what_to_do),
        cmocka_unit_test(what_was_not_used_is_given_back),
        cmocka_unit_test(a_reset_starts_over),
        cmocka_unit_test(tenants_with_rules_of_their_own),
        cmocka_unit_test(settings_are_followed),
        cmocka_unit_test(costs_and_calls_of_a_day),
    };

    return CHECK_RUN(tests);
}
