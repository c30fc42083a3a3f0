/* test_exposition.c -- what is written is what a strict reader takes, and the reader is strict. */
#include "tests/check.h"

#include "state/base/exposition.h"
#include "tests/exposition_check.h"

#include <math.h>

static void
all_kinds_are_written(void **unused)
{
    struct buf out = BUF_INIT;
    struct exposition e = {.out = &out};
    struct histogram h = {.sum_ns = 0};
    struct histogram_reading r = {.count = 0};
    const struct exposition_label odd[] = {
        {"name", "a\"b\\c\nd"}, {"none", NULL}, {"last", ""}, {NULL, NULL}};
    char why[256] = "";

    (void)unused;
    histogram_add(&h, 15000);
    histogram_add(&h, 2000000000);
    histogram_add(&h, INT64_C(400000000000));
    histogram_read(&h, &r);
    exposition_one(&e, "a_total", EXPOSITION_COUNTER, "Of a\nand \\ more.", 3);
    exposition_one(&e, "b", EXPOSITION_GAUGE, "Of b.", -1.5);
    exposition_family(&e, "c", EXPOSITION_GAUGE, "Of c.");
    exposition_sample(&e, odd, 1e15 + 1);
    exposition_sample(&e, NULL, INFINITY);
    exposition_family(&e, "d_seconds", EXPOSITION_HISTOGRAM, "Of d.");
    exposition_histogram(&e, odd, &r);
    exposition_histogram(&e, NULL, &r);
    if (!exposition_is_good(out.data, why, sizeof why)) {
        fail_msg("%s", why);
    }
    CHECK(strstr(out.data,
                 "# HELP a_total Of a\\nand \\\\ more.\n# TYPE a_total counter\na_total 3\n"));
    CHECK(strstr(out.data, "c{name=\"a\\\"b\\\\c\\nd\",last=\"\"} 1e+15\n"));
    CHECK_INT(exposition_value(out.data, "d_seconds_bucket{le=\"1e-05\"}"), 0);
    CHECK_INT(exposition_value(out.data, "d_seconds_bucket{le=\"2e-05\"}"), 1);
    CHECK_INT(exposition_value(out.data, "d_seconds_bucket{le=\"2\"}"), 2);
    CHECK_INT(exposition_value(out.data, "d_seconds_bucket{le=\"300\"}"), 2);
    CHECK_INT(exposition_value(out.data, "d_seconds_bucket{le=\"+Inf\"}"), 3);
    CHECK_INT(exposition_value(out.data, "d_seconds_count"), 3);
    CHECK_INT(exposition_value(out.data, "d_seconds_sum"), 402);
    CHECK_INT(exposition_value(out.data, "nothing"), -1);
    buf_fini(&out);
}

#define HEAD "# HELP a A.\n# TYPE a gauge\n"
#define HISTOGRAM "# HELP h H.\n# TYPE h histogram\n"

static void
the_reader_is_strict(void **unused)
{
    static const char *const bad[] = {
        "a 1\n",
        HEAD "a 1",
        HEAD "a 1\n" HEAD,
        HEAD "# TYPE a gauge\na 1\n",
        HEAD "a 1\na 2\n",
        HEAD "a{x=\"1\"} 1\na{x=\"1\"} 2\n",
        HEAD "a{x=\"1\",x=\"2\"} 1\n",
        HEAD "a{x=\"1} 1\n",
        HEAD "a{x=\"\\q\"} 1\n",
        HEAD "a{1x=\"\"} 1\n",
        HEAD "a one\n",
        HEAD "ab 1\n",
        HEAD "a{x=\"1\"}1\n",
        "# HELP a A.\na 1\n",
        "# HELP a A.\n# TYPE a counter\na 1\n",
        "# HELP a_total A.\n# TYPE a_total gauge\na_total 1\n",
        "# HELP a_total A.\n# TYPE a_total counter\na_total -1\n",
        "# HELP a A.\n# TYPE a summary\n",
        "# NOTE a\n",
        HISTOGRAM "h_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
        HISTOGRAM "h_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 1\n",
        HISTOGRAM "h_bucket{le=\"1\"} 1\nh_count 1\n",
        HISTOGRAM "h_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n",
        HISTOGRAM "h_bucket{le=\"+Inf\"} 1\nh_total 1\n",
    };
    char why[256];

    (void)unused;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (exposition_is_good(bad[i], why, sizeof why)) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    CHECK(exposition_is_good("", why, sizeof why));
    CHECK(exposition_is_good(HEAD "a 1\na{x=\"1\"} +Inf\na{x=\"2\"} NaN\n", why, sizeof why));
    CHECK(exposition_is_good(HISTOGRAM "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\n"
                                       "h_count 1\n",
                             why, sizeof why));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kinds_are_written),
        cmocka_unit_test(the_reader_is_strict),
    };
    return CHECK_RUN(tests);
}
