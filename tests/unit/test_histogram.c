/* test_histogram.c -- bounds, percentiles, and that no addition of any thread is lost. */
#include "tests/check.h"

#include "state/base/histogram.h"
#include "tests/threads.h"

static void
bounds_hold_what_is_on_them(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
        struct histogram h = {.sum_ns = 0};
        struct histogram_reading r = {.count = 0};

        histogram_add(&h, histogram_bound(i));
        histogram_add(&h, histogram_bound(i) + 1);
        histogram_read(&h, &r);
        CHECK_INT(r.counts[i], 1);
        CHECK_INT(r.counts[i + 1], 1);
        CHECK_INT(r.count, 2);
        CHECK(i == 0 || histogram_bound(i) > histogram_bound(i - 1));
    }
}

static void
percentiles_lie_within_their_bounds(void **unused)
{
    struct histogram h = {.sum_ns = 0};
    struct histogram_reading r = {.count = 0};

    (void)unused;
    CHECK(histogram_percentile(&r, 50) < 0);
    for (int i = 1; i <= 1000; i++) {
        histogram_add(&h, i * INT64_C(1000000)); /* 1 ms to 1 s, evenly. */
    }
    histogram_add(&h, -5);
    histogram_read(&h, &r);
    CHECK(histogram_percentile(&r, 50) > 490e6 && histogram_percentile(&r, 50) < 510e6);
    CHECK(histogram_percentile(&r, 95) > 940e6 && histogram_percentile(&r, 95) < 960e6);
    CHECK(histogram_percentile(&r, 100) <= 1e9);
    h = (struct histogram){.sum_ns = 0};
    r = (struct histogram_reading){.count = 0};
    histogram_add(&h, INT64_MAX);
    histogram_read(&h, &r);
    CHECK(histogram_percentile(&r, 50) == 300e9);
}

static struct histogram shared;

static void
add_many(void *arg, unsigned number)
{
    const unsigned *rounds = arg;

    for (unsigned i = 0; i < *rounds; i++) {
        histogram_add(&shared, (int64_t)number * 1000);
    }
}

static void
no_addition_is_lost(void **unused)
{
    struct histogram_reading r = {.count = 0};
    unsigned rounds = scaled(10000);

    (void)unused;
    threads_run(20, add_many, &rounds);
    histogram_read(&shared, &r);
    CHECK_INT(r.count, 20 * rounds);
    CHECK_INT(r.sum_ns, (uint64_t)rounds * 1000 * 190);
    CHECK_INT(r.counts[0], 11 * rounds);
    CHECK_INT(r.counts[1], 9 * rounds);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_hold_what_is_on_them),
        cmocka_unit_test(percentiles_lie_within_their_bounds),
        cmocka_unit_test(no_addition_is_lost),
    };
    return CHECK_RUN(tests);
}
