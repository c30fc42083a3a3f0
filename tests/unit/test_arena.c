/* test_arena.c -- memory taken piece by piece. */
#include "tests/check.h"

#include "state/base/arena.h"

static void
pieces_are_apart_zeroed_and_aligned(void **state)
{
    struct arena a = ARENA_INIT(0);
    unsigned char *before = NULL;

    (void)state;
    for (size_t i = 1; i < 3000; i += 7) {
        unsigned char *p = arena_take(&a, i, 3);

        assert_non_null(p);
        CHECK_INT((uintptr_t)p % 16, 0);
        for (size_t j = 0; j < i * 3; j++) {
            CHECK_INT(p[j], 0);
        }
        memset(p, 0xFF, i * 3);
        CHECK(p != before);
        before = p;
    }
    assert_non_null(arena_take(&a, 1, 1 << 20));
    assert_non_null(arena_take(&a, 1, 1));
    CHECK(!a.failed);
    arena_fini(&a);
    CHECK(!a.blocks && a.used == 0);
}

static void
texts_end_in_a_nul(void **state)
{
    struct arena a = ARENA_INIT(0);
    char text[] = "abc";
    const char *copy = arena_text(&a, (struct slice){text, 2});

    (void)state;
    text[0] = 'x';
    CHECK_STR(copy, "ab");
    CHECK_STR(arena_text(&a, SLICE_NONE), "");
    assert_null(arena_take(&a, 0, 8));
    CHECK(!a.failed);
    arena_fini(&a);
}

static void
a_limit_is_a_failure_that_stays(void **state)
{
    struct arena a = ARENA_INIT(64);

    (void)state;
    assert_non_null(arena_take(&a, 4, 16));
    assert_null(arena_take(&a, 1, 1));
    CHECK(a.failed);
    assert_null(arena_take(&a, 1, 1));
    assert_null(arena_text(&a, SLICE("x")));
    assert_null(arena_text(&a, SLICE_NONE));
    arena_fini(&a);
    a = (struct arena)ARENA_INIT(0);
    assert_null(arena_take(&a, SIZE_MAX / 2, 16));
    CHECK(a.failed);
    arena_fini(&a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_apart_zeroed_and_aligned),
        cmocka_unit_test(texts_end_in_a_nul),
        cmocka_unit_test(a_limit_is_a_failure_that_stays),
    };

    return CHECK_RUN(tests);
}
