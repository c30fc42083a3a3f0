/* test_search_rank.c -- the parts of a score, on passages of a few words. */
#include "state/search_rank.h"
#include "tests/check.h"

#include <math.h>

#define NEARLY(A, B) CHECK(fabs((A) - (B)) < 1e-9)

/* A query for the words 1, 2, ...: as many as 'own', then what 'more' has. */
static struct rank_query
query_of(unsigned own, const struct rank_term *more, size_t count)
{
    struct rank_query q = {.mean_length = 10, .document_length = 10};

    for (unsigned i = 0; i < own; i++) {
        CHECK(rank_add(&q,
                       &(struct rank_term){
                           .hash = i + 1, .kind = RANK_OWN, .of = i, .idf = 1, .document_idf = 1}));
    }
    for (size_t i = 0; i < count; i++) {
        CHECK(rank_add(&q, &more[i]));
    }
    return q;
}

/* The score of a passage with these words in one field. */
static struct rank_score
score_of(const struct rank_query *q, enum search_field field, const uint32_t *hashes, size_t count)
{
    struct rank_words words = {.hashes = hashes};

    words.counts[field] = (uint32_t)count;
    return rank_passage(q, &words);
}

static void
rarity(void **state)
{
    struct rank_query q = {.without = 0};
    double rare = rank_idf(&q, 1, 1000), known = rank_idf(&q, 500, 1000);

    (void)state;
    CHECK(rare > known && known > 0);
    CHECK(rank_idf(&q, 0, 1000) < 1.05 * rare); /* By chance. */
    CHECK(rank_idf(&q, 2000, 1000) >= 0);
    q.without = RANK_RARITY;
    NEARLY(rank_idf(&q, 1, 1000), log(1 + 999.5 / 1.5));
}

static void
nearness_by_distance_and_order(void **state)
{
    struct rank_query q = query_of(2, NULL, 0);
    const uint32_t phrase[] = {1, 2}, turned[] = {2, 1}, apart[] = {1, 9, 9, 2};
    const uint32_t far[] = {1, 9, 9, 9, 9, 9, 9, 9, 9, 2};

    (void)state;
    NEARLY(score_of(&q, FIELD_BODY, phrase, 2).nearness, 0.5 * 2);
    NEARLY(score_of(&q, FIELD_BODY, turned, 2).nearness, 0.5);
    NEARLY(score_of(&q, FIELD_BODY, apart, 4).nearness, 0.5 / 3);
    NEARLY(score_of(&q, FIELD_BODY, far, 10).nearness, 0);
    NEARLY(score_of(&q, FIELD_SAMPLE, phrase, 2).nearness, 0); /* Prose only. */
    q.without = RANK_NEARNESS;
    NEARLY(score_of(&q, FIELD_BODY, phrase, 2).nearness, 0);
}

static void
a_word_counts_in_its_best_form(void **state)
{
    const struct rank_term more[] = {
        {.hash = 50, .kind = RANK_FORM, .idf = 1, .document_idf = 1},
        {.hash = 51, .kind = RANK_FORM, .idf = 0.5, .document_idf = 1},
        {.hash = 60, .kind = RANK_SYNONYM, .idf = 1, .document_idf = 1},
        {.hash = 61, .kind = RANK_SYNONYM, .idf = 1, .document_idf = 1},
    };
    struct rank_query q = query_of(1, more, 4);
    const uint32_t own[] = {1, 9}, both[] = {1, 50}, forms[] = {50, 51}, form[] = {50, 9};
    const uint32_t synonyms[] = {60, 61}, synonym[] = {60, 9};
    struct rank_score a = score_of(&q, FIELD_BODY, own, 2), b;

    (void)state;
    b = score_of(&q, FIELD_BODY, both, 2);
    NEARLY(rank_total(&a), rank_total(&b));
    a = score_of(&q, FIELD_BODY, form, 2);
    b = score_of(&q, FIELD_BODY, forms, 2);
    CHECK(a.forms > 0 && a.words <= 0);
    NEARLY(a.forms, b.forms);
    a = score_of(&q, FIELD_BODY, synonym, 2);
    b = score_of(&q, FIELD_BODY, synonyms, 2);
    CHECK(a.synonyms > 0);
    NEARLY(a.synonyms, b.synonyms);
}

static void
titles_and_tags(void **state)
{
    const struct rank_term more[] = {
        {.hash = 60, .kind = RANK_SYNONYM, .idf = 1, .document_idf = 1}};
    struct rank_query q = query_of(1, more, 1);
    const uint32_t own[] = {1}, synonym[] = {60};

    (void)state;
    NEARLY(score_of(&q, FIELD_TITLE, own, 1).title, 0.7);
    NEARLY(score_of(&q, FIELD_TAGS, own, 1).title, 0.7);
    NEARLY(score_of(&q, FIELD_HEAD, own, 1).title, 0);
    NEARLY(score_of(&q, FIELD_TITLE, synonym, 1).title, 0);
    q.without = RANK_TITLE;
    NEARLY(score_of(&q, FIELD_TITLE, own, 1).title, 0);
    CHECK(score_of(&q, FIELD_TITLE, own, 1).words > 0);
    q.without = RANK_FIELDS;
    NEARLY(score_of(&q, FIELD_TITLE, own, 1).words, 0);
}

static void
documents_wherever_their_words_lie(void **state)
{
    const struct rank_count counts[] = {{1, 2}, {5, 1}, {9, 4}};
    char bytes[sizeof counts + 1];
    struct rank_query q = query_of(2, NULL, 0);
    double score;

    (void)state;
    memcpy(bytes + 1, counts, sizeof counts);
    score = rank_document(&q, (struct slice){bytes + 1, sizeof counts}, 7);
    CHECK(score > 0);
    NEARLY(rank_document(&q, (struct slice){(const char *)counts, sizeof counts}, 7), score);
    NEARLY(rank_document(&q, SLICE(""), 0), 0);
}

static void
no_more_terms_than_there_is_room(void **state)
{
    struct rank_query q = query_of(0, NULL, 0);

    (void)state;
    for (uint32_t i = 0; i < RANK_TERMS_MAX; i++) {
        CHECK(rank_add(&q, &(struct rank_term){.hash = i << 8, .kind = RANK_SYNONYM}));
    }
    CHECK(!rank_add(&q, &(struct rank_term){.hash = 7}));
    CHECK_INT(rank_find(&q, 63u << 8), 63);
    CHECK_INT(rank_find(&q, 7), q.count);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rarity),
        cmocka_unit_test(nearness_by_distance_and_order),
        cmocka_unit_test(a_word_counts_in_its_best_form),
        cmocka_unit_test(titles_and_tags),
        cmocka_unit_test(documents_wherever_their_words_lie),
        cmocka_unit_test(no_more_terms_than_there_is_room),
    };
    return CHECK_RUN(tests);
}
