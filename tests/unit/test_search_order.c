/* test_search_order.c -- the best passage of each document first; by words, and fused with the
 * order by vectors. */
#include "tests/check.h"

#include "state/search_order.h"

/* Passage 'id' of a document, worth 'words'; its path is a letter a document. */
static struct candidate
passage(int64_t id, int64_t file, double words)
{
    static const char *const paths[] = {"a", "b", "c", "d", "e"};

    return (struct candidate){.chunk = id,
                              .file = file,
                              .ordinal = id,
                              .path = (char *)(uintptr_t)paths[file],
                              .score = {.words = words}};
}

static void
check_order(const struct search_ask *ask, struct candidate *found, size_t count,
            const int64_t *expected)
{
    search_put_in_order(ask, found, count);
    for (size_t i = 0; i < count; i++) {
        CHECK_INT(found[i].chunk, expected[i]);
    }
}

static void
a_second_passage_counts_half_by_words(void **state)
{
    const struct search_ask ask = {.limit = 10}, alone = {.without = RANK_SECOND};
    const struct candidate found[] = {passage(1, 0, 5), passage(2, 1, 4), passage(3, 1, 3),
                                      passage(4, 1, 1)};
    struct candidate copy[4];

    (void)state;
    memcpy(copy, found, sizeof copy);
    check_order(&ask, copy, 4, (const int64_t[]){2, 1, 3, 4});
    CHECK(copy[0].score.second == 1.5 && copy[1].score.second == 0);
    memcpy(copy, found, sizeof copy);
    check_order(&alone, copy, 4, (const int64_t[]){1, 2, 3, 4});
}

static void
equals_stand_by_their_place(void **state)
{
    const struct search_ask ask = {.limit = 10};
    struct candidate found[] = {passage(9, 2, 1), passage(8, 0, 1), passage(7, 1, 1),
                                passage(6, 1, 1)};

    (void)state;
    check_order(&ask, found, 4, (const int64_t[]){6, 8, 9, 7});
}

static void
two_near_passages_outweigh_no_nearer_one(void **state)
{
    const int64_t near[] = {1, 2, 3};
    const struct search_ask ask = {.near = near, .near_count = 3};
    struct candidate found[] = {passage(3, 1, 0), passage(2, 1, 0), passage(1, 0, 0)};

    (void)state;
    check_order(&ask, found, 3, (const int64_t[]){1, 2, 3});
    CHECK(found[0].score.fused > found[1].score.fused);
    CHECK(found[1].score.fused > 0 && found[2].score.fused > 0);
}

static void
both_orders_count(void **state)
{
    const int64_t near[] = {4, 2, 5};
    const struct search_ask ask = {.near = near, .near_count = 3};
    /* By words 1, 2, 3 of three documents; by vectors 4 (of the third), 2, 5. */
    struct candidate found[] = {passage(1, 0, 9), passage(2, 1, 8), passage(3, 2, 7),
                                passage(4, 2, 0), passage(5, 3, 0)};

    (void)state;
    /* Documents: second by both; third and first; what only one order has comes after. */
    check_order(&ask, found, 5, (const int64_t[]){4, 2, 1, 5, 3});
    CHECK_INT(found[0].place, 0);
    CHECK_INT(found[4].place, 1);
}

static void
near_passages_may_be_all_there_is(void **state)
{
    const int64_t near[] = {2, 1};
    const struct search_ask ask = {.near = near, .near_count = 2};
    struct candidate found[] = {passage(1, 0, 0), passage(2, 1, 0)};

    (void)state;
    check_order(&ask, found, 2, (const int64_t[]){2, 1});
    search_put_in_order(&ask, found, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_passage_counts_half_by_words),
        cmocka_unit_test(equals_stand_by_their_place),
        cmocka_unit_test(two_near_passages_outweigh_no_nearer_one),
        cmocka_unit_test(both_orders_count),
        cmocka_unit_test(near_passages_may_be_all_there_is),
    };
    return CHECK_RUN(tests);
}
