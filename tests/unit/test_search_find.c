/* test_search_find.c -- queries on an index of real standards: what comes first. */
#include "state/search_find.h"
#include "state/standards.h"
#include "tests/check.h"
#include "tests/tree.h"

#include <stdio.h>

struct figures {
    unsigned first, five, all;
    double reciprocal;
};

static struct search_store *
index_standards(struct dir *data)
{
    const struct dir_place at = {data, "standards"};
    struct search_builder *b;
    struct search_store *store;
    struct document_list list;
    struct fault f = FAULT_INIT;

    CHECK_INT(standards_find(&at, &list, &f), E_OK);
    CHECK_INT(search_builder_begin(NULL, "standards", 1, NULL, &b, &f), E_OK);
    for (size_t i = 0; i < list.count; i++) {
        struct buf text = BUF_INIT;

        CHECK_INT(standards_read(&at, slice_of(list.paths[i]), &text, &f), E_OK);
        CHECK_INT(search_builder_put(b, list.paths[i], "1", buf_slice(&text), &f), E_OK);
        buf_fini(&text);
    }
    CHECK_INT(search_builder_end(b, 0, &store, &f), E_OK);
    document_list_fini(&list);
    return store;
}

/* Where the first relevant document of a query stands among the documents found, from 1; 0: not. */
static unsigned
place_of(struct search_store *store, const struct synonyms *synonyms, char *query, char *relevant)
{
    struct search_ask ask = {
        .query = slice_of(query), .limit = SEARCH_HITS_MAX, .phase = -1, .synonyms = synonyms};
    struct search_hits hits;
    struct fault f = FAULT_INIT;
    unsigned place = 0;

    CHECK_INT(search_find(store, &ask, &hits, &f), E_OK);
    for (unsigned i = 0; i < hits.count && !place; i++) {
        char *list = xstrdup(relevant), *rest = list, *one;
        while ((one = strsep(&rest, ","))) {
            place = strcmp(one, hits.items[i].path) == 0 ? i + 1 : place;
        }
        free(list);
    }
    search_hits_fini(&hits);
    return place;
}

static void
judged_queries(void **state)
{
    struct tree *tree = tree_create();
    struct synonyms *synonyms;
    struct search_store *store;
    struct fault f = FAULT_INIT;
    FILE *queries = fopen("tests/fixtures/praxis/queries.tsv", "r");
    char line[1024];
    struct figures figures = {0};

    (void)state;
    CHECK(queries != NULL);
    tree_copy(tree, "tests/fixtures/praxis/standards", "standards");
    CHECK_INT(synonyms_create(SLICE(""), &synonyms, &f), E_OK);
    store = index_standards(tree_dir(tree));
    while (fgets(line, sizeof line, queries)) {
        char *rest = line, *query = strsep(&rest, "\t"), *relevant = strsep(&rest, "\n");
        unsigned place = place_of(store, synonyms, query, relevant);

        figures.all++;
        figures.first += place == 1;
        figures.five += place >= 1 && place <= 5;
        figures.reciprocal += place ? 1.0 / place : 0;
    }
    fclose(queries);
    printf("# judged queries: %u first, %u among five, of %u; MRR %.3f\n", figures.first,
           figures.five, figures.all, figures.reciprocal / figures.all);
    CHECK_INT(figures.all, 30);
    CHECK(figures.first >= 24 && figures.five >= 28 && figures.reciprocal / figures.all >= 0.86);
    search_store_unref(store);
    synonyms_destroy(synonyms);
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
