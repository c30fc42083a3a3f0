/* test_quota_share.c -- what one tenant may do to a limit that all share: take of it, and give back
 * what it took. */
#include "tests/check.h"

#include "tests/quota_rig.h"
#include "tests/threads.h"

#include <stdio.h>

#define MONTH_NS (31ll * 86400 * 1000000000)

static enum err
acquire(struct quota_rig *rig, const char *tenant, uint64_t n)
{
    const struct quota_ask ask = {.tenant = tenant, .service = "s", .count = n, .bound = true};
    struct quota_view view;

    return quota_acquire(rig->quota, &ask, &view, NULL);
}

static enum err
release(struct quota_rig *rig, const char *tenant, uint64_t n, struct fault *f)
{
    const struct quota_ask ask = {.tenant = tenant, .service = "s", .count = n, .bound = true};
    struct quota_view view;
    uint64_t given;
    enum err err = quota_release(rig->quota, &ask, 0, &given, &view, f);

    return given == (err ? 0 : n) ? err : E_INTERNAL;
}

static void
a_tenant_gives_back_what_it_took(void **state)
{
    struct fault f = FAULT_INIT;
    struct quota_rig rig;

    (void)state;
    quota_rig_init(&rig, "s=100/month", false);
    rig_record(&rig, "s", 10); /* Whoever runs the server. */
    CHECK_INT(acquire(&rig, "acme", 3), E_OK);
    CHECK_INT(acquire(&rig, "beta", 4), E_OK);
    CHECK_INT(release(&rig, "acme", 4, &f), E_TENANT);
    CHECK_STR(f.text, "'s' is shared by all tenants, and 'acme' has only 3 units of it");
    CHECK_STR(f.reason, "not_acquired");
    CHECK(f.remedy[0]);
    CHECK_INT(rig_used(&rig, "s"), 17);
    CHECK_INT(release(&rig, "acme", 2, &f), E_OK);
    CHECK_INT(release(&rig, "acme", 2, &f), E_TENANT);
    CHECK_INT(release(&rig, "acme", 1, &f), E_OK);
    CHECK_INT(release(&rig, "acme", 1, &f), E_TENANT);
    CHECK_INT(release(&rig, "none", 1, &f), E_TENANT);
    CHECK_INT(rig_used(&rig, "s"), 14);
    CHECK_INT(release(&rig, "beta", 4, &f), E_OK);
    quota_rig_fini(&rig);
}

static void
a_tenant_records_on_its_own_limits_only(void **state)
{
    json_t *own = json_pack("{s:[s]}", "services", "s=5/day");
    struct quota_ask ask = {.tenant = "acme", .service = "s", .count = 9, .bound = true};
    struct fault f = FAULT_INIT;
    struct quota_view view;
    struct quota_rig rig;
    uint64_t given;

    (void)state;
    quota_rig_init(&rig, "s=100/month", false);
    CHECK_INT(quota_record(rig.quota, &ask, &view, &f), E_TENANT);
    CHECK_STR(f.reason, "operator_only");
    CHECK_INT(rig_used(&rig, "s"), 0);
    ask.own = own;
    CHECK_INT(quota_record(rig.quota, &ask, &view, &f), E_OK);
    CHECK_INT(view.used, 9);
    CHECK_INT(quota_release(rig.quota, &ask, 0, &given, &view, &f), E_OK);
    CHECK_INT(view.used, 0);
    quota_rig_fini(&rig);
    json_decref(own);
}

/* What a tenant took is forgotten with the window, a reset and the server: else it could free what
 * others have taken since. */
static void
what_was_taken_is_forgotten_with_the_count(void **state)
{
    struct quota_ask ask = {.tenant = "default", .service = "s", .count = 1};
    struct quota_view view;
    struct quota_rig rig;

    (void)state;
    quota_rig_init(&rig, "s=100/month", false);
    CHECK_INT(acquire(&rig, "acme", 5), E_OK);
    CHECK_INT(quota_reset(rig.quota, &ask, &view, NULL), E_OK);
    CHECK_INT(acquire(&rig, "beta", 5), E_OK);
    CHECK_INT(release(&rig, "acme", 1, NULL), E_TENANT);
    CHECK_INT(rig_used(&rig, "s"), 5);
    fake_clock_pass(&rig.clock, MONTH_NS);
    CHECK_INT(acquire(&rig, "acme", 5), E_OK);
    CHECK_INT(release(&rig, "beta", 1, NULL), E_TENANT);
    CHECK_INT(rig_used(&rig, "s"), 5);
    quota_rig_restart(&rig);
    CHECK_INT(rig_used(&rig, "s"), 5);
    CHECK_INT(release(&rig, "acme", 1, NULL), E_TENANT);
    ask.count = 5;
    CHECK_INT(quota_release(rig.quota, &ask, 0, &(uint64_t){0}, &view, NULL), E_OK);
    quota_rig_fini(&rig);
}

/* A shared store refused what was counted here already: nothing was taken. */
static void
what_the_store_refused_cannot_be_given_back(void **state)
{
    struct quota_rig rig;
    struct quota *second;
    struct quota_ask ask = {.tenant = "beta", .service = "s", .count = 8, .high = true};
    struct quota_view view;

    (void)state;
    quota_rig_init(&rig, "s=10/month", true);
    CHECK_INT(rig_used(&rig, "s"), 0); /* Known here, and about to be wrong. */
    second = quota_rig_second(&rig);
    CHECK_INT(quota_acquire(second, &ask, &view, NULL), E_OK);
    CHECK_INT(acquire(&rig, "acme", 8), E_OVER_QUOTA);
    CHECK_INT(release(&rig, "acme", 1, NULL), E_TENANT);
    quota_destroy(second);
    quota_rig_fini(&rig);
}

static struct quota_rig crowd;

/* Each tenant takes and gives back at once with its fellows, and tries what is not its. */
static void
take_and_give(void *arg, unsigned number)
{
    atomic_uint *odd = arg;
    char tenant[16];

    snprintf(tenant, sizeof tenant, "t%u", number % 5);
    for (unsigned i = 0; i < 50; i++) {
        enum err err = acquire(&crowd, tenant, 2);

        if (err || release(&crowd, tenant, 1, NULL) != E_OK ||
            release(&crowd, tenant, 1000000, NULL) == E_OK) {
            atomic_fetch_add(odd, 1);
        }
    }
}

static void
twenty_threads_of_five_tenants(void **state)
{
    atomic_uint odd = 0;

    (void)state;
    quota_rig_init(&crowd, "s=1000000/month", false);
    threads_run(20, take_and_give, &odd);
    CHECK_INT(odd, 0);
    CHECK_INT(rig_used(&crowd, "s"), 1000);
    for (unsigned i = 0; i < 5; i++) { /* Each has just what it kept. */
        char tenant[16];
        snprintf(tenant, sizeof tenant, "t%u", i);
        CHECK_INT(release(&crowd, tenant, 201, NULL), E_TENANT);
        CHECK_INT(release(&crowd, tenant, 200, NULL), E_OK);
    }
    CHECK_INT(rig_used(&crowd, "s"), 0);
    quota_rig_fini(&crowd);
}

/* Past what is noted they are counted all the same, and others keep what they have. */
static void
more_tenants_than_are_noted(void **state)
{
    struct quota_rig rig;
    char tenant[16];

    (void)state;
    quota_rig_init(&rig, "s=1000000/month", false);
    for (unsigned i = 0; i <= QUOTA_SHARES_MAX; i++) {
        snprintf(tenant, sizeof tenant, "t%u", i);
        CHECK_INT(acquire(&rig, tenant, 1), E_OK);
    }
    CHECK_INT(rig_used(&rig, "s"), QUOTA_SHARES_MAX + 1);
    CHECK_INT(release(&rig, tenant, 1, NULL), E_TENANT);
    CHECK_INT(release(&rig, "t0", 1, NULL), E_OK);
    CHECK_INT(acquire(&rig, tenant, 1), E_OK); /* There is room now. */
    CHECK_INT(release(&rig, tenant, 1, NULL), E_OK);
    quota_rig_fini(&rig);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tenant_gives_back_what_it_took),
        cmocka_unit_test(a_tenant_records_on_its_own_limits_only),
        cmocka_unit_test(what_was_taken_is_forgotten_with_the_count),
        cmocka_unit_test(what_the_store_refused_cannot_be_given_back),
        cmocka_unit_test(twenty_threads_of_five_tenants),
        cmocka_unit_test(more_tenants_than_are_noted),
    };

    return CHECK_RUN(tests);
}
