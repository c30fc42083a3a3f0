/* Times as text: there and back, and everything that is none. */
#include "tests/check.h"

#include "state/base/clock.h"

#include <stdio.h>
#include <string.h>

#define S 1000000000LL

static void
the_real_clock_goes_on(void **state)
{
    const struct clock *c = clock_real();
    int64_t before = clock_mono(c), after;

    (void)state;
    do {
        after = clock_mono(c);
    } while (after == before);
    CHECK(after > before);
    CHECK(clock_wall(c) > 1700000000 * S); /* Later than this was written. */
    CHECK(c == clock_real());
}

static void
times_are_written_in_utc(void **state)
{
    char text[CLOCK_TEXT_SIZE];

    (void)state;
    clock_format_utc(0, text);
    CHECK_STR(text, "1970-01-01T00:00:00.000Z");
    clock_format_utc(1795241100 * S + 123999999, text);
    CHECK_STR(text, "2026-11-21T06:05:00.123Z");
    clock_format_utc(INT64_MAX, text);
    CHECK_STR(text, "2262-04-11T23:47:16.854Z");
}

static void
times_come_back(void **state)
{
    char text[CLOCK_TEXT_SIZE];

    (void)state;
    for (int64_t s = 0; s < 8000000000; s += 86400 * 13 + 12345) {
        int64_t ns = s * S + s % 1000 * 1000000;
        clock_format_utc(ns, text);
        CHECK(clock_parse(text) == ns);
    }
}

static void
times_of_others_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"2026-11-21T06:05:00Z", 1795241100 * S},
        {"2026-11-21T06:05:00", 1795241100 * S},
        {"2026-11-21T06:05:00.5", 1795241100 * S + 500000000},
        {"2026-11-21T06:05:00.123456789123Z", 1795241100 * S + 123456789},
        {"2026-11-21T08:05:00+02:00", 1795241100 * S},
        {"2026-11-21T01:35:00.000001-04:30", 1795241100 * S + 1000},
        {"2026-11-21T08:05:00+0200", 1795241100 * S},
        {"2026-11-21T08:05:00+02", 1795241100 * S},
        {"1970-01-01T00:00:00Z", 0},
        {"2262-01-01T00:00:00Z", 9214646400 * S},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK(clock_parse(cases[i].text) == cases[i].ns);
    }
}

static void
what_is_no_time_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "now",
        "2026-11-21",
        "2026-13-21T06:05:00Z",
        "2026-11-21T25:05:00Z",
        "2026-11-21T06:05Z",
        "2026-11-21T06:05:00Zx",
        "2026-11-21T06:05:00+2:00",
        "2026-11-21T06:05:00+-1:00",
        "2026-11-21T06:05:00+02:0",
        "2026-11-21T06:05:00+02:00Z",
        "2026-11-21T06:05:00+99:00",
        "2026-11-21T06:05:00+02:99",
        "2026-11-21T06:05:00 Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59Z", /* Past what nanoseconds can count. */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK(clock_parse(cases[i]) == -1);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_real_clock_goes_on),
        cmocka_unit_test(times_are_written_in_utc),
        cmocka_unit_test(times_come_back),
        cmocka_unit_test(times_of_others_are_read),
        cmocka_unit_test(what_is_no_time_is_refused),
    };
    return CHECK_RUN(tests);
}
