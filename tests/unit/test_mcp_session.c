/* test_mcp_session.c -- legacy sessions: whose they are, how many, and when they end. */
#include "tests/check.h"

#include "state/mcp_session.h"
#include "tests/fakes.h"
#include "tests/threads.h"

#include <stdio.h>
#include <string.h>

#define SECOND ((int64_t)1000000000)

static struct fake_clock fake;
static struct mcp_sessions *sessions;

static int
set_up(void **unused)
{
    struct mcp_session_limits limits = {.sessions = 8, .per_principal = 5, .idle_ns = 60 * SECOND};

    (void)unused;
    fake_clock_init(&fake);
    sessions = mcp_sessions_create(&fake.clock, &limits);
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    mcp_sessions_destroy(sessions);
    return 0;
}

static struct mcp_session *
start(const char *principal)
{
    struct mcp_session *session = NULL;
    CHECK_INT(mcp_session_start(sessions, slice_of(principal), &session, NULL), E_OK);
    return session;
}

static enum err
find(const char *id, const char *principal)
{
    struct mcp_session *session = NULL;
    enum err err = mcp_session_find(sessions, slice_of(id), slice_of(principal), &session, NULL);

    CHECK((session != NULL) == (err == E_OK));
    mcp_session_unref(session);
    return err;
}

static void
an_id_is_random_and_belongs_to_its_principal(void **unused)
{
    struct mcp_session *a = start("ann"), *b = start("bob");

    (void)unused;
    CHECK_INT(strlen(a->id), 32);
    CHECK(strcmp(a->id, b->id) != 0);
    CHECK_INT(find(a->id, "ann"), E_OK);
    CHECK_INT(find(a->id, "bob"), E_NO_SESSION);
    CHECK_INT(find(a->id, ""), E_NO_SESSION);
    CHECK_INT(find("00000000000000000000000000000000", "ann"), E_NO_SESSION);
    CHECK_INT(find("", "ann"), E_NO_SESSION);
    mcp_session_unref(a);
    mcp_session_unref(b);
}

static void
an_ended_session_is_gone_but_stays_valid_for_its_holder(void **unused)
{
    struct mcp_session *a = start("ann");

    (void)unused;
    CHECK(mcp_session_end(sessions, a));
    CHECK(!mcp_session_end(sessions, a));
    CHECK(atomic_load(&a->ended));
    CHECK_INT(find(a->id, "ann"), E_NO_SESSION);
    CHECK_INT(mcp_sessions_counters(sessions).live, 0);
    mcp_session_unref(a);
}

/* pitfall: Session leak */
static void
idle_time_counts_from_the_end_of_the_last_request(void **unused)
{
    struct mcp_session *a = start("ann"), *b = start("ann");

    (void)unused;
    mcp_session_busy(a);
    fake_clock_pass(&fake, 61 * SECOND);
    CHECK_INT(find(b->id, "ann"), E_NO_SESSION);
    CHECK_INT(find(a->id, "ann"), E_OK);
    mcp_session_idle(a, clock_mono(&fake.clock));
    fake_clock_pass(&fake, 59 * SECOND);
    CHECK_INT(find(a->id, "ann"), E_OK);
    fake_clock_pass(&fake, 1 * SECOND);
    CHECK_INT(find(a->id, "ann"), E_NO_SESSION);
    CHECK_INT(mcp_sessions_counters(sessions).expired, 2);
    mcp_session_unref(a);
    mcp_session_unref(b);
}

static void
limits_hold_and_idle_ones_make_room(void **unused)
{
    struct mcp_session *refused = NULL;
    struct fault f = FAULT_INIT;

    (void)unused;
    for (int i = 0; i < 5; i++) {
        mcp_session_unref(start("ann"));
    }
    for (int i = 0; i < 3; i++) {
        mcp_session_unref(start("bob"));
    }
    CHECK_INT(mcp_session_start(sessions, SLICE("eve"), &refused, &f), E_OVERLOAD);
    CHECK(strstr(f.text, "8 sessions"));
    CHECK(f.remedy[0]);
    fake_clock_pass(&fake, 60 * SECOND);
    mcp_session_unref(start("eve"));
    CHECK_INT(mcp_sessions_counters(sessions).live, 1);
    for (int i = 0; i < 4; i++) {
        mcp_session_unref(start("eve"));
    }
    mcp_session_unref(start("bob"));
    CHECK_INT(mcp_session_start(sessions, SLICE("eve"), &refused, &f), E_OVERLOAD);
    CHECK(strstr(f.text, "5 sessions of this client"));
    mcp_session_unref(start("ann"));
}

static void
a_busy_session_does_not_hide_idle_ones(void **unused)
{
    struct mcp_session *busy[4];

    (void)unused;
    for (int i = 0; i < 4; i++) {
        busy[i] = start("ann");
        mcp_session_busy(busy[i]);
    }
    for (int i = 0; i < 4; i++) {
        mcp_session_unref(start("bob"));
    }
    fake_clock_pass(&fake, 60 * SECOND);
    mcp_session_unref(start("bob"));
    CHECK_INT(mcp_sessions_counters(sessions).live, 5);
    for (int i = 0; i < 4; i++) {
        mcp_session_unref(busy[i]);
    }
}

static void
expire_ends_all_that_are_idle(void **unused)
{
    struct mcp_session_limits limits = {.sessions = 200, .per_principal = 200, .idle_ns = SECOND};
    struct mcp_sessions *many = mcp_sessions_create(&fake.clock, &limits);
    struct mcp_session *busy = NULL, *idle;
    struct fault f = FAULT_INIT;

    (void)unused;
    CHECK_INT(mcp_sessions_expire(many), 0);
    CHECK_INT(mcp_session_start(many, SLICE("ann"), &busy, &f), E_OK);
    mcp_session_busy(busy);
    for (int i = 0; i < 150; i++) {
        CHECK_INT(mcp_session_start(many, SLICE("bob"), &idle, &f), E_OK);
        mcp_session_unref(idle);
    }
    CHECK_INT(mcp_sessions_expire(many), 151);
    fake_clock_pass(&fake, SECOND);
    CHECK_INT(mcp_sessions_expire(many), 1);
    CHECK_INT(mcp_sessions_counters(many).expired, 150);
    mcp_session_idle(busy, clock_mono(&fake.clock));
    CHECK_INT(mcp_sessions_expire(many), 1);
    fake_clock_pass(&fake, SECOND);
    CHECK_INT(mcp_sessions_expire(many), 0);
    CHECK(atomic_load(&busy->ended));
    mcp_session_unref(busy);
    mcp_sessions_destroy(many);
}

/* Threads start, find and end sessions of the same table at once; none is lost, none is given out
 * twice. */
static struct mcp_sessions *shared;
static _Atomic unsigned ends, faults;

static void
churn(void *arg, unsigned number)
{
    char principal[16];

    (void)arg;
    snprintf(principal, sizeof principal, "p%u", number % 4);
    for (int i = 0; i < 50; i++) {
        struct mcp_session *own = NULL, *found = NULL;

        if (mcp_session_start(shared, slice_of(principal), &own, NULL) != E_OK) {
            atomic_fetch_add(&faults, 1);
            continue;
        }
        if (mcp_session_find(shared, slice_of(own->id), slice_of(principal), &found, NULL) !=
                E_OK ||
            found != own) {
            atomic_fetch_add(&faults, 1);
        }
        mcp_session_unref(found);
        atomic_fetch_add(&ends, mcp_session_end(shared, own));
        mcp_session_unref(own);
    }
}

static void
many_threads_share_the_table(void **unused)
{
    struct mcp_session_limits limits = {.sessions = 1000, .per_principal = 1000, .idle_ns = SECOND};

    (void)unused;
    for (const unsigned *count = race_sizes; *count; count++) {
        shared = mcp_sessions_create(&fake.clock, &limits);
        ends = faults = 0;
        threads_run(*count, churn, NULL);
        CHECK_INT(faults, 0);
        CHECK_INT(ends, *count * 50);
        CHECK_INT(mcp_sessions_counters(shared).started, *count * 50);
        CHECK_INT(mcp_sessions_counters(shared).live, 0);
        mcp_sessions_destroy(shared);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_id_is_random_and_belongs_to_its_principal, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_ended_session_is_gone_but_stays_valid_for_its_holder,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(idle_time_counts_from_the_end_of_the_last_request, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(limits_hold_and_idle_ones_make_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_busy_session_does_not_hide_idle_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(expire_ends_all_that_are_idle, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_threads_share_the_table, set_up, tear_down),
    };
    return CHECK_RUN(tests);
}
