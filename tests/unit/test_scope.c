/* test_scope.c -- broad implies narrow, words are whole words, and no list is no limit. */
#include "tests/check.h"

#include "state/scope.h"

static void
broad_implies_narrow(void **state)
{
    (void)state;
    CHECK(scope_allows(SLICE("tandem:read"), SCOPE_READ));
    CHECK(!scope_allows(SLICE("tandem:read"), SCOPE_WRITE));
    CHECK(scope_allows(SLICE("tandem:write"), SCOPE_READ));
    CHECK(scope_allows(SLICE("openid tandem:write"), SCOPE_WRITE));
    CHECK(scope_allows(SLICE("tandem:write openid"), SCOPE_WRITE));
}

static void
only_whole_words_count(void **state)
{
    (void)state;
    CHECK(!scope_allows(SLICE("tandem:readers"), SCOPE_READ));
    CHECK(!scope_allows(SLICE("xtandem:read"), SCOPE_READ));
    CHECK(!scope_allows(SLICE("tandem:rea"), SCOPE_READ));
    CHECK(!scope_allows(SLICE("TANDEM:READ"), SCOPE_READ));
    CHECK(!scope_allows(SLICE(""), SCOPE_READ));
    CHECK(!scope_allows(SLICE("  "), SCOPE_READ));
}

static void
no_list_is_no_limit(void **state)
{
    (void)state;
    CHECK(scope_allows(SLICE_NONE, SCOPE_WRITE));
    CHECK(scope_allows(SLICE(""), SCOPE_NONE));
    CHECK_STR(scope_text(SCOPE_NONE), "");
    CHECK_STR(scope_text(SCOPE_WRITE), "tandem:write");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broad_implies_narrow),
        cmocka_unit_test(only_whole_words_count),
        cmocka_unit_test(no_list_is_no_limit),
    };
    return CHECK_RUN(tests);
}
