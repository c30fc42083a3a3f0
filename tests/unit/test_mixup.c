/* test_mixup.c -- tags tell principals apart, and say the same each time. */
#include "tests/check.h"

#include "state/base/log.h"
#include "state/mixup.h"

static void
tags_are_known(void **state)
{
    (void)state;
    CHECK(mixup_tag(SLICE("")) == UINT64_C(0xcbf29ce484222325));
    CHECK(mixup_tag(SLICE("a")) == UINT64_C(0xaf63dc4c8601ec8c));
    CHECK(mixup_tag(SLICE("foobar")) == UINT64_C(0x85944171f73967e8));
}

static void
a_line_is_logged(void **state)
{
    (void)state;
    log_configure(LOG_WARN, LOG_TEXT);
    mixup_log("session", mixup_tag(SLICE("eve")), mixup_tag(SLICE("alice")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_are_known),
        cmocka_unit_test(a_line_is_logged),
    };
    return CHECK_RUN(tests);
}
