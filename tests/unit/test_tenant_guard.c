/* test_tenant_guard.c -- three mismatches in five minutes, half an hour without. */
#include "tests/check.h"

#include "state/tenant_guard.h"
#include "tests/fakes.h"
#include "tests/threads.h"

#include <stdio.h>

#define S INT64_C(1000000000)
#define PEER SLICE("192.0.2.7")

static struct fake_clock fake;

static struct tenant_guard *
guard_new(void)
{
    fake_clock_init(&fake);
    return tenant_guard_create(&fake.clock);
}

static void
three_block_the_pair_and_no_other(void **unused)
{
    struct tenant_guard *g = guard_new();

    (void)unused;
    CHECK_INT(tenant_guard_blocked(g, PEER, "acme"), 0);
    CHECK(!tenant_guard_note(g, PEER, "acme"));
    CHECK(!tenant_guard_note(g, PEER, "acme"));
    CHECK_INT(tenant_guard_blocked(g, PEER, "acme"), 0);
    CHECK(tenant_guard_note(g, PEER, "acme"));
    CHECK_INT(tenant_guard_blocked(g, PEER, "acme"), 1800);
    CHECK_INT(tenant_guard_blocked(g, PEER, "beta"), 0);
    CHECK_INT(tenant_guard_blocked(g, SLICE("192.0.2.8"), "acme"), 0);
    fake_clock_pass(&fake, 1799 * S + S / 2);
    CHECK_INT(tenant_guard_blocked(g, PEER, "acme"), 1);
    CHECK(!tenant_guard_note(g, PEER, "acme")); /* It does not last longer for that. */
    fake_clock_pass(&fake, S / 2);
    CHECK_INT(tenant_guard_blocked(g, PEER, "acme"), 0);
    CHECK(!tenant_guard_note(g, PEER, "acme"));
    CHECK_INT(tenant_guard_counters(g).blocks, 1);
    CHECK_INT(tenant_guard_counters(g).refused, 2);
    CHECK_INT(tenant_guard_counters(g).mismatches, 5);
    tenant_guard_destroy(g);
    tenant_guard_destroy(NULL);
}

static void
only_those_within_five_minutes_count(void **unused)
{
    struct tenant_guard *g = guard_new();

    (void)unused;
    for (int i = 0; i < 10; i++) {
        CHECK(!tenant_guard_note(g, PEER, "acme"));
        fake_clock_pass(&fake, 151 * S);
    }
    CHECK_INT(tenant_guard_blocked(g, PEER, "acme"), 0);
    fake_clock_pass(&fake, 301 * S);
    CHECK_INT(tenant_guard_counters(g).size, 0);
    CHECK(!tenant_guard_note(g, PEER, "acme"));
    fake_clock_pass(&fake, 150 * S);
    CHECK(!tenant_guard_note(g, PEER, "acme"));
    fake_clock_pass(&fake, 150 * S);
    CHECK(tenant_guard_note(g, PEER, "acme"));
    tenant_guard_destroy(g);
}

static void
the_table_is_bounded_and_keeps_who_is_blocked(void **unused)
{
    struct tenant_guard *g = guard_new();
    char tenant[32];

    (void)unused;
    for (int i = 0; i < 3; i++) {
        tenant_guard_note(g, PEER, "acme");
    }
    for (int i = 0; i < 5 * TENANT_GUARD_MAX; i++) {
        snprintf(tenant, sizeof tenant, "t%d", i);
        tenant_guard_note(g, PEER, tenant);
    }
    CHECK_INT(tenant_guard_counters(g).size, TENANT_GUARD_MAX);
    CHECK_INT(tenant_guard_blocked(g, PEER, "acme"), 1800);
    for (int i = 0; i < 3 * TENANT_GUARD_MAX; i++) { /* All of them blocked: the oldest goes. */
        snprintf(tenant, sizeof tenant, "b%d", i / 3);
        tenant_guard_note(g, PEER, tenant);
    }
    CHECK_INT(tenant_guard_counters(g).size, TENANT_GUARD_MAX);
    CHECK_INT(tenant_guard_counters(g).blocked, TENANT_GUARD_MAX);
    CHECK_INT(tenant_guard_blocked(g, PEER, "acme"), 0);
    tenant_guard_destroy(g);
}

static void
a_peer_may_be_anything(void **unused)
{
    struct tenant_guard *g = guard_new();
    char peer[4096];

    (void)unused;
    memset(peer, 'x', sizeof peer);
    for (int i = 0; i < 3; i++) {
        tenant_guard_note(g, (struct slice){peer, sizeof peer}, "acme");
        tenant_guard_note(g, SLICE_NONE, "acme");
    }
    CHECK_INT(tenant_guard_blocked(g, (struct slice){peer, sizeof peer}, "acme"), 1800);
    CHECK_INT(tenant_guard_blocked(g, SLICE_NONE, "acme"), 1800);
    tenant_guard_destroy(g);
}

static _Atomic unsigned blocks;

static void
one_of_many(void *arg, unsigned number)
{
    (void)number;
    blocks += tenant_guard_note(arg, PEER, "acme");
    tenant_guard_blocked(arg, PEER, "acme");
}

static void
many_threads_block_once(void **unused)
{
    (void)unused;
    for (unsigned round = 0; round < scaled(100); round++) {
        struct tenant_guard *g = guard_new();

        blocks = 0;
        threads_run(10, one_of_many, g);
        CHECK_INT(blocks, 1);
        CHECK_INT(tenant_guard_counters(g).mismatches, 10);
        tenant_guard_destroy(g);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_block_the_pair_and_no_other),
        cmocka_unit_test(only_those_within_five_minutes_count),
        cmocka_unit_test(the_table_is_bounded_and_keeps_who_is_blocked),
        cmocka_unit_test(a_peer_may_be_anything),
        cmocka_unit_test(many_threads_block_once),
    };
    return CHECK_RUN(tests);
}
