/* test_search_find.c -- queries on an index of real standards: what comes first. */
#include "state/search_find.h"
#include "tests/check.h"
#include "tests/judged.h"

#include <stdio.h>

/* What the issue asks for, and what holds for queries that nobody has chosen. */
static void
judged_queries(void **state)
{
    struct tree *tree = tree_create();
    struct judged_set judged, misspelled;
    struct judged_figures right, wrong;
    struct synonyms *synonyms;
    struct search_store *store;
    struct fault f = FAULT_INIT;

    (void)state;
    judged_read(&judged, "tests/fixtures/praxis/queries.tsv");
    judged_misspell(&misspelled, &judged);
    tree_copy(tree, "tests/fixtures/praxis/standards", "standards");
    CHECK_INT(synonyms_create(SLICE(""), true, &synonyms, &f), E_OK);
    store = judged_index(tree, true);
    right = judged_ask(&judged, store, &(struct search_ask){.phase = -1, .synonyms = synonyms});
    wrong = judged_ask(&misspelled, store, &(struct search_ask){.phase = -1, .synonyms = synonyms});
    printf("# judged queries: %u first, %u among five, of %u; MRR %.3f; misspelled: %u, %u; %.3f\n",
           right.first, right.five, right.all, right.mrr, wrong.first, wrong.five, wrong.mrr);
    CHECK_INT(right.all, 30);
    CHECK(right.first >= 25 && right.five >= 29 && right.mrr >= 0.90);
    CHECK(wrong.first >= 24 && wrong.five >= 28 && wrong.mrr >= 0.85);
    search_store_unref(store);
    synonyms_destroy(synonyms);
    judged_fini(&judged);
    judged_fini(&misspelled);
    tree_destroy(tree);
}

/* The same documents, put in another order, give the same hits with the same scores. */
static void
order_of_building_does_not_matter(void **state)
{
    static const char *const texts[] = {"# A\n\nlock the queue\n", "# B\n\nlock the queue\n",
                                        "# C\n\nthe queue is long\n\n## D\n\nlock\n"};
    struct search_ask ask = {.query = SLICE("lock a queue"), .limit = 10, .phase = -1};
    struct buf shown[2] = {BUF_INIT, BUF_INIT};
    struct fault f = FAULT_INIT;

    (void)state;
    for (unsigned order = 0; order < 2; order++) {
        struct search_builder *b;
        struct search_store *store;
        struct search_hits hits;

        CHECK_INT(search_builder_begin(NULL, "test", 1, NULL, &b, &f), E_OK);
        for (unsigned i = 0; i < 3; i++) {
            unsigned at = order ? 2 - i : i;
            char path[8];

            snprintf(path, sizeof path, "%u.md", at);
            CHECK_INT(search_builder_put(b, path, "1", slice_of(texts[at]), &f), E_OK);
        }
        CHECK_INT(search_builder_end(b, 0, &store, &f), E_OK);
        CHECK_INT(search_find(store, &ask, &hits, &f), E_OK);
        for (size_t i = 0; i < hits.count; i++) {
            buf_addf(&shown[order], "%s:%u %.6f\n", hits.items[i].path, hits.items[i].line,
                     rank_total(&hits.items[i].score));
        }
        search_hits_fini(&hits);
        search_store_unref(store);
    }
    CHECK(strncmp(shown[0].data, "0.md:1 ", 7) == 0);
    CHECK_STR(shown[0].data, shown[1].data);
    buf_fini(&shown[0]);
    buf_fini(&shown[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judged_queries),
        cmocka_unit_test(order_of_building_does_not_matter),
    };
    return CHECK_RUN(tests);
}
