/* test_search_fuse.c -- orders fused by rank. */
#include "state/search_fuse.h"
#include "tests/check.h"

static void
ordered(struct fuse *fuse, const int64_t *expected, size_t count)
{
    fuse_order(fuse);
    CHECK_INT(fuse->count, count);
    for (size_t i = 0; i < count; i++) {
        CHECK_INT(fuse->items[i].id, expected[i]);
    }
    fuse_fini(fuse);
}

static void
what_several_lists_have_comes_first(void **state)
{
    static const int64_t words[] = {7, 3, 9}, vectors[] = {4, 3};
    struct fuse fuse = {0};

    (void)state;
    fuse_add(&fuse, words, 3, 1);
    fuse_add(&fuse, vectors, 2, 1);
    fuse_order(&fuse);
    CHECK(fuse.items[0].score > 2.0 / 62 - 1e-12 && fuse.items[0].score < 2.0 / 62 + 1e-12);
    ordered(&fuse, (const int64_t[]){3, 7, 4, 9}, 4);
}

static void
what_comes_out_even_stays_as_it_was_added(void **state)
{
    static const int64_t a[] = {5, 1}, b[] = {1, 5};
    struct fuse fuse = {0};

    (void)state;
    fuse_add(&fuse, a, 2, 1);
    fuse_add(&fuse, b, 2, 1);
    ordered(&fuse, a, 2);
    fuse_add(&fuse, b, 2, 1);
    fuse_add(&fuse, a, 2, 1);
    ordered(&fuse, b, 2);
}

static void
a_list_counts_by_its_weight(void **state)
{
    static const int64_t light[] = {1}, heavy[] = {2};
    struct fuse fuse = {0};

    (void)state;
    fuse_add(&fuse, light, 1, 1);
    fuse_add(&fuse, heavy, 1, 1.5);
    ordered(&fuse, (const int64_t[]){2, 1}, 2);
}

static void
nothing_and_much(void **state)
{
    struct fuse fuse = {0};
    int64_t many[500];

    (void)state;
    ordered(&fuse, NULL, 0);
    for (int i = 0; i < 500; i++) {
        many[i] = 500 - i;
    }
    fuse_add(&fuse, many, 0, 1);
    fuse_add(&fuse, many, 500, 1);
    ordered(&fuse, many, 500);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_several_lists_have_comes_first),
        cmocka_unit_test(what_comes_out_even_stays_as_it_was_added),
        cmocka_unit_test(a_list_counts_by_its_weight),
        cmocka_unit_test(nothing_and_much),
    };
    return CHECK_RUN(tests);
}
