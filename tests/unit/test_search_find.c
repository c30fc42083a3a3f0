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
    right =
        judged_ask(&judged, store, &(struct search_ask){.phase = -1, .synonyms = synonyms}, NULL);
    wrong = judged_ask(&misspelled, store, &(struct search_ask){.phase = -1, .synonyms = synonyms},
                       NULL);
    printf("# judged queries: %u first, %u among five, of %u; MRR %.3f; misspelled: %u, %u; %.3f\n",
           right.first, right.five, right.all, right.mrr, wrong.first, wrong.five, wrong.mrr);
    CHECK_INT(right.all, 30);
    CHECK(right.first >= 26 && right.five >= 29 && right.mrr >= 0.90);
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

/* ---- What may be in a query ---- */

static struct search_store *
index_texts(const char *const *texts, size_t count)
{
    struct search_builder *b;
    struct search_store *store;
    struct fault f = FAULT_INIT;

    CHECK_INT(search_builder_begin(NULL, "test", 1, NULL, &b, &f), E_OK);
    for (size_t i = 0; i < count; i++) {
        char path[8];

        snprintf(path, sizeof path, "%c.md", (char)('a' + (int)i));
        CHECK_INT(search_builder_put(b, path, "1", slice_of(texts[i]), &f), E_OK);
    }
    CHECK_INT(search_builder_end(b, 0, &store, &f), E_OK);
    return store;
}

/* The files found, best first, by their letters. */
static void
finds(struct search_store *store, const struct search_ask *ask, const char *expected)
{
    struct search_hits hits;
    struct fault f = FAULT_INIT;
    char found[SEARCH_HITS_MAX + 1] = "";
    struct search_ask asked = *ask;

    asked.limit = SEARCH_HITS_MAX;
    CHECK_INT(search_find(store, &asked, &hits, &f), E_OK);
    for (size_t i = 0; i < hits.count; i++) {
        found[i] = hits.items[i].path[0];
    }
    CHECK_STR(found, expected);
    search_hits_fini(&hits);
}

#define ASK(TEXT) (&(struct search_ask){.query = SLICE(TEXT), .phase = -1})

static void
signs_and_operators_are_text(void **state)
{
    static const char *const texts[] = {"# Lock\n\nTake the lock near the queue and not twice.\n",
                                        "# Queue\n\nA queue or a ring.\n"};
    static const char *const queries[] = {"lock AND",        "NOT lock",
                                          "(lock",           "lock)",
                                          "lock*",           "^lock",
                                          "title : lock",    "body:lock",
                                          "{body}: lock",    "lock \"",
                                          "\"lock",          "NEAR(lock)",
                                          "lock + -- /*",    "'lock'; DROP TABLE passages",
                                          "-lock",           "\"\" lock",
                                          "\"---\" lock",    "lock \"(\"",
                                          "a\001b lock",     "lock \377\376",
                                          "l\303\266ck lock"};
    struct search_store *store = index_texts(texts, 2);

    (void)state;
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        struct search_ask ask = {.query = slice_of(queries[i]), .phase = -1, .limit = 5};
        struct search_hits hits;
        struct fault f = FAULT_INIT;

        CHECK_INT(search_find(store, &ask, &hits, &f), E_OK);
        CHECK(hits.count >= 1);
        CHECK_STR(hits.items[0].path, "a.md");
        search_hits_fini(&hits);
    }
    finds(store, &(struct search_ask){.query = {"lo\0ck queue", 11}, .phase = -1}, "ba");
    search_store_unref(store);
}

static void
tags_with_quotes_find_nothing(void **state)
{
    static const char *const texts[] = {"# Lock\n\nlock\n"};
    struct search_store *store = index_texts(texts, 1);
    struct tag_list tags = {.items = {(char *)(uintptr_t) "x' OR '1'='1"}, .count = 1};

    (void)state;
    finds(store, &(struct search_ask){.query = SLICE("lock"), .phase = -1, .tags = &tags}, "");
    search_store_unref(store);
}

static void
what_is_quoted_stands_there(void **state)
{
    static const char *const texts[] = {"# A\n\nlock the queue\n", "# B\n\nqueue, then lock\n",
                                        "# C\n\na queue lock\n"};
    struct search_store *store = index_texts(texts, 3);

    (void)state;
    finds(store, ASK("\"queue lock\""), "c");
    finds(store, ASK("\"lock the queue\" \"the queue\""), "a");
    finds(store, ASK("\"the lock queue\" lock"), "acb"); /* Nowhere: its words then. */
    finds(store, ASK("queue lock"), "cab");              /* In this order; near; by path. */
    search_store_unref(store);
}

/* ---- The means ---- */

static void
each_means_moves_what_it_is_for(void **state)
{
    static const char *const texts[] = {
        "# Retry\n\nAgain.\n", "# Other\n\nRetry now, and again, as it comes.\n",
        "# Written\n\nA note.\n", "# Semaphores\n\nA count of permits.\n",
        "# Mutex\n\nOne holder.\n"};
    struct search_store *store = index_texts(texts, 5);
    struct synonyms *synonyms;
    struct fault f = FAULT_INIT;
    struct search_ask ask = {.phase = -1};

    (void)state;
    CHECK_INT(synonyms_create(SLICE("keeper, holder\n"), true, &synonyms, &f), E_OK);
    ask.synonyms = synonyms;
    ask.query = SLICE("retry");
    finds(store, &ask, "ab");
    ask.query = SLICE("write");
    finds(store, &ask, "c");
    ask.without = RANK_FORMS;
    finds(store, &ask, "");
    ask.without = 0;
    ask.query = SLICE("smeaphore");
    finds(store, &ask, "de"); /* And what may stand for the word that was meant. */
    ask.without = RANK_SPELLING;
    finds(store, &ask, "");
    ask.without = 0;
    ask.query = SLICE("keeper");
    finds(store, &ask, "e");
    ask.without = RANK_SYNONYMS;
    finds(store, &ask, "");
    ask.without = 0;
    ask.query = SLICE("how do I"); /* Words that only ask, when there are no others. */
    finds(store, &ask, "");
    ask.query = SLICE("what is it as");
    finds(store, &ask, "b");
    synonyms_destroy(synonyms);
    search_store_unref(store);
}

/* The user's synonyms have room, whatever the shipped ones of earlier words would take. */
static void
own_synonyms_before_ours(void **state)
{
    static const char *const texts[] = {"# A\n\nzebra\n", "# B\n\nother\n"};
    struct search_store *store = index_texts(texts, 2);
    struct buf query = BUF_INIT;
    struct synonyms *synonyms;
    struct fault f = FAULT_INIT;

    (void)state;
    CHECK_INT(synonyms_create(SLICE("quagga, zebra\n"), true, &synonyms, &f), E_OK);
    buf_adds(&query, "mutex database credential error deploy config log performance api security "
                     "retry cache worker queue token test review plan split quagga");
    finds(store,
          &(struct search_ask){.query = buf_slice(&query), .phase = -1, .synonyms = synonyms}, "a");
    buf_fini(&query);
    synonyms_destroy(synonyms);
    search_store_unref(store);
}

static void
near_passages_are_fused(void **state)
{
    static const char *const texts[] = {"# A\n\nlock\n", "# B\n\nlock, then lock\n",
                                        "# C\n\nnothing of it\n"};
    static const int64_t near[] = {3, 1}; /* Of C, and A. */
    struct search_store *store = index_texts(texts, 3);
    struct search_ask ask = {
        .query = SLICE("lock"), .phase = -1, .near = near, .near_count = 2, .limit = 5};
    struct search_hits hits;
    struct fault f = FAULT_INIT;

    (void)state;
    finds(store, &ask, "abc"); /* B and C come out even: by path. */
    CHECK_INT(search_find(store, &ask, &hits, &f), E_OK);
    CHECK(hits.items[0].score.fused > hits.items[1].score.fused);
    CHECK(rank_total(&hits.items[2].score) > 1.0 / 62 && hits.items[2].score.words <= 0);
    search_hits_fini(&hits);
    ask.query = SLICE("unheard");
    finds(store, &ask, "ca");
    search_store_unref(store);
}

static void
words_as_they_are_written(void **state)
{
    struct search_builder *b;
    struct search_store *store;
    struct fault f = FAULT_INIT;

    (void)state;
    CHECK_INT(search_builder_begin(NULL, "test", 1, NULL, &b, &f), E_OK);
    CHECK_INT(search_builder_as_written(b, &f), E_OK);
    CHECK_INT(search_builder_put(b, "a.md", "1", SLICE("# A\n\nlocking\n"), &f), E_OK);
    CHECK_INT(search_builder_put(b, "b.md", "1", SLICE("# B\n\nlocked\n"), &f), E_OK);
    CHECK_INT(search_builder_end(b, 0, &store, &f), E_OK);
    finds(store, ASK("locked"), "b");
    CHECK_INT(search_builder_begin(NULL, "test", 2, store, &b, &f), E_OK);
    CHECK(search_builder_keep(b, "a.md", "1"));
    CHECK_INT(search_builder_put(b, "c.md", "1", SLICE("# C\n\nlocked\n"), &f), E_OK);
    search_store_unref(store);
    CHECK_INT(search_builder_end(b, 0, &store, &f), E_OK);
    finds(store, ASK("locked"), "c");
    search_store_unref(store);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judged_queries),
        cmocka_unit_test(order_of_building_does_not_matter),
        cmocka_unit_test(signs_and_operators_are_text),
        cmocka_unit_test(tags_with_quotes_find_nothing),
        cmocka_unit_test(what_is_quoted_stands_there),
        cmocka_unit_test(each_means_moves_what_it_is_for),
        cmocka_unit_test(own_synonyms_before_ours),
        cmocka_unit_test(near_passages_are_fused),
        cmocka_unit_test(words_as_they_are_written),
    };
    return CHECK_RUN(tests);
}
