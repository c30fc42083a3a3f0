/* test_helpdesk_find.c -- scores, order, the threshold with its fallback, and diversity, on vectors
 * whose angles are known. */
#include "tests/check.h"

#include "state/helpdesk_find.h"
#include "state/helpdesk_profile.h"
#include "tests/fakes.h"

#include <math.h>

/* An embedder that is never asked: all vectors are given. */
static enum err
never(struct embedder *e, const struct slice *texts, size_t count,
      const struct embed_limits *limits, struct vectors *out, struct fault *f)
{
    (void)e, (void)texts, (void)count, (void)limits, (void)out;
    return fault_set(f, E_INTERNAL, "asked");
}

static void
nothing(struct embedder *e)
{
    (void)e;
}

static const struct embedder_class given_class = {never, nothing};

/* An index of passages named "0", "1", ... with these vectors of two numbers. */
static struct helpdesk_index *
index_of(float (*vectors)[2], size_t count)
{
    struct helpdesk_index *index = helpdesk_index_create(1000);
    struct embedder given;

    embedder_init(&given, &given_class, "given", 2);
    for (size_t i = 0; i < count; i++) {
        char *text = xasprintf("%zu", i);
        struct helpdesk_item item = {
            .text = slice_of(text), .source = "test", .vector = vectors[i], .dimension = 2};

        CHECK_INT(helpdesk_index_add(index, &item, NULL), E_OK);
        free(text);
    }
    CHECK_INT(helpdesk_index_embed(index, &given, NULL, NULL, NULL), E_OK);
    return index;
}

/* A vector of length 1 at an angle, in degrees. */
static void
put_angle(float vector[2], double degrees)
{
    vector[0] = (float)cos(degrees * 3.14159265358979 / 180);
    vector[1] = (float)sin(degrees * 3.14159265358979 / 180);
}

static struct helpdesk_index *
index_at(const double *degrees, size_t count)
{
    float vectors[64][2];

    for (size_t i = 0; i < count; i++) {
        put_angle(vectors[i], degrees[i]);
    }
    return index_of(vectors, count);
}

static const float east[2] = {1, 0};

static struct helpdesk_hits
find(const struct helpdesk_index *index, struct helpdesk_search search)
{
    struct helpdesk_hits hits;

    search.fetch_k = search.fetch_k ? search.fetch_k : search.top_k;
    helpdesk_find(index, east, NULL, &search, &hits);
    return hits;
}

static void
finds(const struct helpdesk_hits *hits, const char *numbers)
{
    struct buf text = BUF_INIT;

    for (size_t i = 0; i < hits->count; i++) {
        buf_addf(&text, "%s%zu", i ? " " : "", hits->items[i].number);
    }
    CHECK_STR(text.data ? text.data : "", numbers);
    buf_fini(&text);
}

static void
near(double a, double b)
{
    CHECK(fabs(a - b) < 1e-9);
}

static void
scores_are_those_of_the_formula(void **unused)
{
    static const double degrees[] = {0, 36.8698976458, 60, 90, 180};
    static const double scores[] = {1, 0.714, 0.5, 0.333, 0.2};
    static const double cosines[] = {1, 0.8, 0.5, 0, -1};
    struct helpdesk_index *index = index_at(degrees, 5);
    struct helpdesk_hits hits = find(index, (struct helpdesk_search){.top_k = 5});

    (void)unused;
    CHECK_INT(hits.count, 5);
    CHECK_INT(hits.before, 5);
    for (size_t i = 0; i < 5; i++) {
        CHECK_INT(hits.items[i].number, i);
        near(hits.items[i].score, scores[i]);
        near(hits.items[i].cosine, cosines[i]);
        CHECK(!hits.items[i].below);
    }
    helpdesk_index_unref(index);
}

static void
helpdesk_score_range_0_1(void **unused)
{
    static float odd[][2] = {{1e18F, 0}, {-1e18F, 1e18F}, {1e-18F, 0}, {0.5F, 0.5F}, {1, 0}};
    struct helpdesk_index *index = index_of(odd, 5);
    struct helpdesk_hits hits = find(index, (struct helpdesk_search){.top_k = 5});

    (void)unused;
    CHECK_INT(hits.count, 5);
    for (size_t i = 0; i < hits.count; i++) {
        CHECK(hits.items[i].score >= 0 && hits.items[i].score <= 1);
        CHECK(hits.items[i].cosine >= -1 && hits.items[i].cosine <= 1);
    }
    CHECK_INT(hits.items[0].number, 4);
    near(helpdesk_score(0), 1);
    near(helpdesk_score(INFINITY), 0);
    helpdesk_index_unref(index);
}

static void
ties_by_number(void **unused)
{
    static const double degrees[] = {30, 10, 30, 10, 30, 10};
    struct helpdesk_index *index = index_at(degrees, 6);
    struct helpdesk_hits hits = find(index, (struct helpdesk_search){.top_k = 5});

    (void)unused;
    finds(&hits, "1 3 5 0 2");
    hits = find(index, (struct helpdesk_search){.top_k = 2});
    finds(&hits, "1 3");
    hits = find(index, (struct helpdesk_search){.top_k = 50});
    finds(&hits, "1 3 5 0 2 4");
    helpdesk_index_unref(index);
}

/* At 60 degrees a score is 0.5. */
static void
helpdesk_context_fallback_top3(void **unused)
{
    static const double degrees[] = {10, 20, 80, 85, 90};
    struct helpdesk_index *index = index_at(degrees, 5);
    struct helpdesk_search search = {.top_k = 5, .min_score = 0.5, .context = true};
    struct helpdesk_hits hits = find(index, search);

    (void)unused;
    finds(&hits, "0 1 2"); /* Two are over it; the third comes along. */
    CHECK(hits.fallback);
    CHECK(!hits.items[0].below && !hits.items[1].below && hits.items[2].below);
    CHECK_INT(hits.before, 5);
    search.context = false;
    hits = find(index, search);
    finds(&hits, "0 1");
    CHECK(!hits.fallback);
    search.context = true;
    search.min_score = 0.375; /* Of 80 degrees: 0.377. */
    hits = find(index, search);
    finds(&hits, "0 1 2");
    CHECK(!hits.fallback && !hits.items[2].below);
    search.min_score = 1;
    hits = find(index, search);
    finds(&hits, "0 1 2");
    CHECK(hits.fallback && hits.items[0].below);
    helpdesk_index_unref(index);
}

static void
helpdesk_context_fewer_than_3_total(void **unused)
{
    static const double degrees[] = {80, 10};
    struct helpdesk_index *index = index_at(degrees, 2);
    struct helpdesk_search search = {.top_k = 8, .min_score = 0.5, .context = true};
    struct helpdesk_hits hits = find(index, search);

    (void)unused;
    finds(&hits, "1 0"); /* All there are. */
    CHECK(hits.fallback && hits.items[1].below);
    CHECK_INT(hits.before, 2);
    search.min_score = 0.3;
    hits = find(index, search);
    finds(&hits, "1 0");
    CHECK(!hits.fallback);
    helpdesk_index_unref(index);
    index = helpdesk_index_create(1);
    hits = find(index, search);
    CHECK_INT(hits.count, 0);
    CHECK(!hits.fallback);
    helpdesk_index_unref(index);
}

/* The threshold is for the score as it is told. */
static void
the_threshold_is_that_of_the_score_told(void **unused)
{
    static const double degrees[] = {60.02, 60.02, 60.02, 60.02};
    struct helpdesk_index *index = index_at(degrees, 4);
    struct helpdesk_search search = {.top_k = 4, .min_score = 0.5};
    struct helpdesk_hits hits = find(index, search);

    (void)unused;
    CHECK_INT(hits.count, 4);
    near(hits.items[0].score, 0.5);
    helpdesk_index_unref(index);
}

static void
helpdesk_mmr_lambda_0_and_1(void **unused)
{
    /* Three near each other, two elsewhere. */
    static const double degrees[] = {5, 6, 7, 70, -59};
    struct helpdesk_index *index = index_at(degrees, 5);
    struct helpdesk_search search = {.top_k = 3, .fetch_k = 5, .mmr = true, .lambda = 1};
    struct helpdesk_hits hits = find(index, search);

    (void)unused;
    finds(&hits, "0 1 2"); /* As without. */
    search.lambda = 0;
    hits = find(index, search);
    finds(&hits, "0 3 4"); /* The nearest; then the farthest from those taken. */
    search.lambda = 0.5;
    hits = find(index, search);
    CHECK_INT(hits.items[0].number, 0);
    CHECK(hits.items[1].number >= 3);
    search.fetch_k = 3; /* No more than that to choose from. */
    search.lambda = 0;
    hits = find(index, search);
    finds(&hits, "0 2 1");
    helpdesk_index_unref(index);
}

/* The worth of what is chosen next, step by step, as the formula has it. */
static void
diversity_is_the_formula(void **unused)
{
    double degrees[24];
    struct helpdesk_index *index;
    struct helpdesk_search search = {.top_k = 24, .fetch_k = 24, .mmr = true, .lambda = 0.7};
    struct helpdesk_hits hits;

    (void)unused;
    for (int i = 0; i < 24; i++) {
        degrees[i] = (i * 37) % 171;
    }
    index = index_at(degrees, 24);
    hits = find(index, search);
    CHECK_INT(hits.count, 24);
    for (size_t step = 1; step < 24; step++) {
        double worth[24];

        for (size_t i = step; i < 24; i++) {
            double a = degrees[hits.items[i].number] * 3.14159265358979 / 180, most = -1;

            for (size_t j = 0; j < step; j++) {
                double b = degrees[hits.items[j].number] * 3.14159265358979 / 180;
                most = fmax(most, cos(a - b));
            }
            worth[i] = 0.7 / (3 - 2 * cos(a)) - 0.3 * most;
            CHECK(worth[i] <= worth[step] + 1e-6);
        }
    }
    helpdesk_index_unref(index);
}

/* What the words find comes to the front; its score stays what it is. */
static void
words_have_a_say_in_the_order(void **unused)
{
    static const double degrees[] = {5, 10, 15, 20, 80, 25};
    struct helpdesk_index *index = index_at(degrees, 6);
    struct helpdesk_search search = {.top_k = 3, .fetch_k = 3};
    struct helpdesk_found found = {.numbers = {4, 2}, .count = 2, .weight = 8};
    struct helpdesk_hits hits;

    (void)unused;
    helpdesk_find(index, east, &found, &search, &hits);
    finds(&hits, "4 2 0");
    near(hits.items[0].score, 0.377);
    found.weight = 0.001; /* They can only settle what is even. */
    helpdesk_find(index, east, &found, &search, &hits);
    finds(&hits, "0 1 2");
    found.weight = 8;
    search.min_score = 0.9;
    search.context = true;
    helpdesk_find(index, east, &found, &search, &hits);
    finds(&hits, "4 2 0"); /* As the rule for context has it: the first of all. */
    CHECK(hits.fallback && hits.items[0].below && !hits.items[1].below);
    search = (struct helpdesk_search){.top_k = 3, .fetch_k = 6, .mmr = true, .lambda = 1};
    helpdesk_find(index, east, &found, &search, &hits);
    finds(&hits, "4 2 0"); /* Nothing but relevance is that very order. */
    search.lambda = 0;
    helpdesk_find(index, east, &found, &search, &hits);
    finds(&hits, "4 0 5"); /* The first; then what is farthest from those taken. */
    found.count = 0;
    search.lambda = 1;
    helpdesk_find(index, east, &found, &search, &hits);
    finds(&hits, "0 1 2");
    helpdesk_index_unref(index);
}

/* Even what is farther than all that would be looked at; what has no document stays unseen. */
static void
words_find_what_is_far(void **unused)
{
    double degrees[64];
    struct helpdesk_index *index;
    struct helpdesk_search search = {.top_k = 2, .fetch_k = 2};
    struct helpdesk_found found = {.numbers = {63, 62}, .count = 2, .weight = 8};
    struct helpdesk_hits hits;

    (void)unused;
    for (int i = 0; i < 64; i++) {
        degrees[i] = i + 1;
    }
    index = index_at(degrees, 64);
    helpdesk_find(index, east, &found, &search, &hits);
    finds(&hits, "63 62");
    CHECK_INT(hits.before, 2);
    free(index->passages[63].text);
    index->passages[63].text = NULL;
    helpdesk_find(index, east, &found, &search, &hits);
    finds(&hits, "62 0");
    helpdesk_index_unref(index);
}

/* They keep their numbers, and nobody sees them. */
static void
numbers_without_a_document_are_skipped(void **unused)
{
    float vector[2] = {1, 0}, none[2] = {0, 0};
    struct helpdesk_index *index = helpdesk_index_create(10);
    struct helpdesk_item item = {.vector = vector, .dimension = 2, .source = "test"};
    struct embedder given;
    struct helpdesk_hits hits;

    (void)unused;
    embedder_init(&given, &given_class, "given", 0);
    CHECK_INT(helpdesk_index_add(index, &item, NULL), E_OK);
    item.text = SLICE("there");
    CHECK_INT(helpdesk_index_add(index, &item, NULL), E_OK);
    item.vector = none;
    CHECK_INT(helpdesk_index_add(index, &item, NULL), E_OK);
    CHECK_INT(helpdesk_index_embed(index, &given, NULL, NULL, NULL), E_OK);
    CHECK_INT(index->count, 3);
    CHECK_INT(index->documents, 2);
    hits = find(index, (struct helpdesk_search){.top_k = 5});
    finds(&hits, "1");
    helpdesk_index_unref(index);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_those_of_the_formula),
        cmocka_unit_test(helpdesk_score_range_0_1),
        cmocka_unit_test(ties_by_number),
        cmocka_unit_test(helpdesk_context_fallback_top3),
        cmocka_unit_test(helpdesk_context_fewer_than_3_total),
        cmocka_unit_test(the_threshold_is_that_of_the_score_told),
        cmocka_unit_test(helpdesk_mmr_lambda_0_and_1),
        cmocka_unit_test(diversity_is_the_formula),
        cmocka_unit_test(words_have_a_say_in_the_order),
        cmocka_unit_test(words_find_what_is_far),
        cmocka_unit_test(numbers_without_a_document_are_skipped),
    };
    return CHECK_RUN(tests);
}
