/* test_rate.c -- buckets hold their burst, gain their rate, and give each token once. */
#include "tests/check.h"

#include "state/base/rate.h"
#include "tests/threads.h"

#define SECOND ((int64_t)1000000000)

static void
a_bucket_holds_its_burst_and_no_more(void **unused)
{
    struct rate rate = {0};

    (void)unused;
    for (int i = 0; i < 200; i++) {
        CHECK(rate_take(&rate, 5 * SECOND, 100, 200));
    }
    CHECK(!rate_take(&rate, 5 * SECOND, 100, 200));
}

static void
it_gains_with_time_up_to_the_burst(void **unused)
{
    struct rate rate = {0};

    (void)unused;
    while (rate_take(&rate, SECOND, 100, 200)) {
    }
    CHECK(!rate_take(&rate, SECOND + 9999999, 100, 200));
    CHECK(rate_take(&rate, SECOND + 10000000, 100, 200));
    CHECK(!rate_take(&rate, SECOND + 10000000, 100, 200));
    for (int i = 0; i < 200; i++) {
        CHECK(rate_take(&rate, 100 * SECOND, 100, 200));
    }
    CHECK(!rate_take(&rate, 100 * SECOND, 100, 200));
}

static void
zero_is_no_limit(void **unused)
{
    struct rate rate = {0};

    (void)unused;
    for (int i = 0; i < 100000; i++) {
        CHECK(rate_take(&rate, SECOND, 0, 0));
    }
}

static struct rate shared;
static _Atomic unsigned taken;

static void
take_many(void *arg, unsigned number)
{
    (void)arg, (void)number;
    for (int i = 0; i < 100; i++) {
        taken += rate_take(&shared, SECOND, 100, 200);
    }
}

static void
threads_share_exactly_the_burst(void **unused)
{
    (void)unused;
    for (const unsigned *count = race_sizes; *count; count++) {
        shared = (struct rate){0};
        taken = 0;
        threads_run(*count, take_many, NULL);
        CHECK_INT(taken, 200);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_holds_its_burst_and_no_more),
        cmocka_unit_test(it_gains_with_time_up_to_the_burst),
        cmocka_unit_test(zero_is_no_limit),
        cmocka_unit_test(threads_share_exactly_the_burst),
    };
    return CHECK_RUN(tests);
}
