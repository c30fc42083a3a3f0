/* test_search.c -- what is asked, and the answers that are kept. */
#include "tests/check.h"
#include "tests/search_rig.h"
#include "tests/threads.h"

#include <stdio.h>

#define HOUR_NS INT64_C(3600000000000)

/* ---- What is asked ---- */

static void
questions_that_cannot_be_answered(void **state)
{
    struct search_rig r;
    struct search_answer answer;
    struct fault f = FAULT_INIT;
    char *long_one = xcalloc(1, 1 << 20);

    (void)state;
    search_rig_create(&r, false);
    memset(long_one, 'a', (1 << 20) - 1);
    CHECK_INT(search_rig_ask(&r, "", &answer, &f), E_ARGUMENT);
    CHECK_STR(f.text, "the query holds no word");
    CHECK(f.remedy[0]);
    CHECK_INT(search_rig_ask(&r, " \t\n?!", &answer, &f), E_ARGUMENT);
    CHECK_INT(search_rig_ask(&r, long_one, &answer, &f), E_ARGUMENT);
    CHECK(strstr(f.text, "over") != NULL);
    CHECK(f.remedy[0]);
    CHECK_INT((int)search_counters(r.search).size, 0); /* None of them is kept. */
    free(long_one);
    search_rig_destroy(&r);
}

static void
operators_are_words(void **state)
{
    static const char *const queries[] = {"mutex\"",        "\"mutex",
                                          "\"\" mutex",     "mutex AND",
                                          "NOT mutex",      "NEAR(mutex)",
                                          "mutex*",         "-mutex",
                                          "heading:mutex",  "(mutex",
                                          "mutex)",         "^mutex",
                                          "{mutex} : b",    "mutex' OR 1",
                                          "+mutex",         "\"before you write\"",
                                          "\"mutex take\"", "mutex \xF0\x9F\x94\x92"};
    struct search_rig r;

    (void)state;
    search_rig_create(&r, false);
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        search_rig_finds(&r, queries[i], "locks.md");
    }
    search_rig_finds(&r, "xylophone", "");
    search_rig_destroy(&r);
}

/* A query is a slice: what stands behind a NUL counts too. */
static void
a_query_may_hold_nul(void **state)
{
    struct search_rig r;
    struct search_answer answer;
    struct fault f = FAULT_INIT;

    (void)state;
    search_rig_create(&r, false);
    CHECK_INT(
        search_ask(r.search,
                   &(struct search_ask){.query = {"zebra\0mutex", 11}, .limit = 5, .phase = -1},
                   &answer, &f),
        E_OK);
    CHECK_INT(answer.hits->count, 1);
    search_release(r.search, &answer);
    search_rig_destroy(&r);
}

static void
filters_come_before_ranking(void **state)
{
    struct search_rig r;
    struct tag_list tags = {.items = {(char *)(uintptr_t) "mocking", (char *)(uintptr_t) "tests"},
                            .count = 2};
    struct search_ask one = {.query = SLICE("spy"), .limit = 10, .phase = 3, .tags = &tags};
    struct search_answer answer;
    struct fault f = FAULT_INIT;

    (void)state;
    search_rig_create(&r, false);
    CHECK_INT(search_ask(r.search, &one, &answer, &f), E_OK);
    CHECK_INT(answer.hits->count, 1);
    CHECK_INT(answer.hits->items[0].phase, 3);
    search_release(r.search, &answer);
    one.phase = 4;
    CHECK_INT(search_ask(r.search, &one, &answer, &f), E_OK);
    CHECK_INT(answer.hits->count, 0);
    search_release(r.search, &answer);
    one.phase = -1;
    tags.items[1] = (char *)(uintptr_t) "o'ther\" tag";
    CHECK_INT(search_ask(r.search, &one, &answer, &f), E_OK);
    CHECK_INT(answer.hits->count, 0);
    search_release(r.search, &answer);
    search_rig_destroy(&r);
}

/* ---- Answers that are kept ---- */

/* Asks, and tells whether somebody had asked that before. */
static bool
is_cached(struct search_rig *r, const struct search_ask *ask)
{
    struct search_answer answer;
    struct fault f = FAULT_INIT;
    bool cached;

    CHECK_INT(search_ask(r->search, ask, &answer, &f), E_OK);
    cached = answer.cached;
    search_release(r->search, &answer);
    return cached;
}

static void
the_same_question_is_answered_once(void **state)
{
    struct search_rig r;
    struct search_answer answer;
    struct fault f = FAULT_INIT;

    (void)state;
    search_rig_create(&r, false);
    CHECK_INT(search_rig_ask(&r, "take mutex", &answer, &f), E_OK);
    CHECK(!answer.cached);
    search_release(r.search, &answer);
    CHECK_INT(search_rig_ask(&r, "  take \n mutex ", &answer, &f), E_OK);
    CHECK(answer.cached);
    search_release(r.search, &answer);
    tree_write(r.tree, "standards/more.md", "# More\n\nA mutex too.\n");
    search_rig_follow(&r);
    CHECK_INT(search_rig_ask(&r, "take mutex", &answer, &f), E_OK);
    CHECK(!answer.cached);
    CHECK_INT(answer.hits->count, 2);
    search_release(r.search, &answer);
    CHECK_INT((int)search_counters(r.search).misses, 2);
    CHECK_INT((int)search_counters(r.search).hits, 1);
    search_rig_destroy(&r);
}

static void
expect_kept_text(struct search_rig *r, const char *query, const char *expected)
{
    struct search_ask ask = {.query = slice_of(query), .limit = 10, .phase = -1};
    struct bytes *text = search_kept_text(r->search, &ask);

    if (expected) {
        CHECK(text != NULL);
        CHECK_STR(text->data, expected);
    } else {
        CHECK(text == NULL);
    }
    bytes_unref(text);
}

static void
keep_text(struct search_rig *r, const char *query, const char *text)
{
    struct bytes *bytes = bytes_new(text, strlen(text));
    struct search_answer answer;
    struct fault f = FAULT_INIT;

    CHECK_INT(search_rig_ask(r, query, &answer, &f), E_OK);
    search_keep_text(&answer, bytes);
    search_release(r->search, &answer);
    bytes_unref(bytes);
}

static void
a_text_is_kept_with_an_answer_as_long_as_that(void **state)
{
    char *long_one = xcalloc(1, SEARCH_QUERY_MAX + 2);
    struct search_rig r;

    (void)state;
    search_rig_create(&r, false);
    expect_kept_text(&r, "mutex", NULL);
    search_rig_finds(&r, "mutex", "locks.md");
    expect_kept_text(&r, "mutex", NULL); /* An answer, but no text with it. */
    CHECK_INT((int)search_counters(r.search).hits, 0);
    keep_text(&r, "mutex", "first");
    keep_text(&r, "mutex", "second");
    expect_kept_text(&r, " mutex\n", "first");
    CHECK_INT((int)search_counters(r.search).misses, 1);
    CHECK_INT((int)search_counters(r.search).hits, 3);
    expect_kept_text(&r, "mutexes", NULL);
    memset(long_one, 'a', SEARCH_QUERY_MAX + 1);
    expect_kept_text(&r, long_one, NULL);
    tree_write(r.tree, "standards/more.md", "# More\n\nA mutex too.\n");
    search_rig_follow(&r);
    expect_kept_text(&r, "mutex", NULL); /* The files have changed. */
    search_rig_destroy(&r);
    free(long_one);

    search_rig_create(&r, false);
    search_destroy(r.search);
    search_rig_open(&r); /* Nobody keeps an index: each answer is made of the files. */
    keep_text(&r, "mutex", "text");
    expect_kept_text(&r, "mutex", NULL);
    search_rig_destroy(&r);
}

/* Whatever differs makes another question, even where the texts would run together. */
static void
the_key_is_all_that_is_asked(void **state)
{
    struct tag_list one = {.items = {(char *)(uintptr_t) "a b"}, .count = 1};
    struct tag_list two = {.items = {(char *)(uintptr_t) "a", (char *)(uintptr_t) "b"}, .count = 2};
    const struct search_ask asks[] = {
        {.query = SLICE("spy"), .limit = 5, .phase = -1},
        {.query = SLICE("Spy"), .limit = 5, .phase = -1},
        {.query = SLICE("spy calls"), .limit = 5, .phase = -1},
        {.query = SLICE("spycalls"), .limit = 5, .phase = -1},
        {.query = SLICE("spy"), .limit = 6, .phase = -1},
        {.query = SLICE("spy"), .limit = 5, .phase = 3},
        {.query = SLICE("spy"), .limit = 5, .phase = -1, .tags = &one},
        {.query = SLICE("spy"), .limit = 5, .phase = -1, .tags = &two},
    };
    struct tag_list none = {.count = 0};
    struct search_rig r;

    (void)state;
    search_rig_create(&r, false);
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
        CHECK(!is_cached(&r, &asks[i]));
    }
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
        CHECK(is_cached(&r, &asks[i]));
    }
    /* No filters, and filters that are empty, are the same question. */
    CHECK(is_cached(
        &r, &(struct search_ask){.query = SLICE(" spy"), .limit = 5, .phase = -1, .tags = &none}));
    search_rig_destroy(&r);
}

static void
an_answer_is_kept_for_an_hour(void **state)
{
    const struct search_ask ask = {.query = SLICE("spy"), .limit = 5, .phase = -1};
    struct fake_clock clock;
    struct search_rig r;

    (void)state;
    fake_clock_init(&clock);
    search_rig_create_empty(&r, false);
    r.clock = &clock.clock;
    tree_write(r.tree, "standards/a.md", "A spy.\n");
    search_rig_start(&r);
    fake_clock_pass(&clock, HOUR_NS / 2); /* Its hour begins when it is made, not on the hour. */
    CHECK(!is_cached(&r, &ask));
    fake_clock_pass(&clock, HOUR_NS - 1);
    CHECK(is_cached(&r, &ask));
    fake_clock_pass(&clock, 1);
    CHECK(!is_cached(&r, &ask));
    CHECK(is_cached(&r, &ask));
    CHECK_INT((int)search_counters(r.search).misses, 2);
    CHECK_INT((int)search_counters(r.search).hits, 2);
    CHECK_INT((int)search_counters(r.search).size, 1);
    search_rig_destroy(&r);
}

static void
the_answers_kept_are_bounded(void **state)
{
    struct search_rig r;
    struct slots_counters c;
    struct search_ask ask = {.query = SLICE("spy"), .limit = 5, .phase = -1};
    char query[32];

    (void)state;
    search_rig_create(&r, false);
    CHECK(!is_cached(&r, &ask));
    for (int i = 0; i < 300; i++) {
        snprintf(query, sizeof query, "spy number%d", i);
        CHECK(!is_cached(&r,
                         &(struct search_ask){.query = slice_of(query), .limit = 5, .phase = -1}));
        CHECK(is_cached(&r, &ask)); /* What is used is not put out. */
    }
    c = search_counters(r.search);
    CHECK_INT((int)c.size, (int)c.max);
    CHECK_INT((int)c.evictions, 301 - (int)c.max);
    CHECK_INT((int)c.misses, 301);
    CHECK_INT((int)c.hits, 300);
    CHECK(!is_cached(&r,
                     &(struct search_ask){.query = SLICE("spy number0"), .limit = 5, .phase = -1}));
    search_rig_destroy(&r);
}

/* A clock that, when it is asked, has the index swapped first: between the moment when a question
 * takes its edition and the one when it looks for an answer. */
struct swapping_clock {
    struct clock clock; /* First. */
    struct search_rig *rig;
    pthread_t asker;
    bool armed;
};

static int64_t
swap_then_tell(const struct clock *clock)
{
    struct swapping_clock *c = (struct swapping_clock *)(uintptr_t)clock;

    if (pthread_equal(pthread_self(), c->asker) && c->armed) { /* Which is his alone. */
        c->armed = false;
        tree_write(c->rig->tree, "standards/locks.md", "# Locks\n\nA mutex, as it is now.\n");
        search_rig_follow(c->rig);
    }
    return 1;
}

static int64_t
no_time(const struct clock *clock)
{
    (void)clock;
    return 1;
}

static void
what_an_old_generation_gave_is_not_kept_for_the_new(void **state)
{
    struct search_rig r;
    struct swapping_clock clock = {
        .clock = {swap_then_tell, no_time}, .rig = &r, .asker = pthread_self()};
    struct search_answer before, after;
    struct fault f = FAULT_INIT;
    uint64_t generation;

    (void)state;
    search_rig_create_empty(&r, false);
    r.clock = &clock.clock;
    tree_write(r.tree, "standards/locks.md", "# Locks\n\nA mutex, as it was.\n");
    search_rig_start(&r);
    generation = search_rig_status(&r).index.generation;
    clock.armed = true;
    CHECK_INT(search_rig_ask(&r, "mutex", &before, &f), E_OK);
    CHECK(!clock.armed);
    CHECK(before.hits->generation == generation);
    CHECK(strstr(before.hits->items[0].text, "as it was") != NULL);
    CHECK(search_rig_status(&r).index.generation == generation + 1);
    CHECK_INT(search_rig_ask(&r, "mutex", &after, &f), E_OK);
    CHECK(!after.cached);
    CHECK(after.hits->generation == generation + 1);
    CHECK(strstr(after.hits->items[0].text, "as it is now") != NULL);
    search_release(r.search, &after);
    search_release(r.search, &before); /* It lives on for who has it. */
    search_rig_destroy(&r);
}

struct crowd {
    struct search_rig rig;
    _Atomic unsigned good, computed;
};

static void
ask_the_same(void *arg, unsigned thread)
{
    struct crowd *c = arg;
    struct search_answer answer;
    struct fault f = FAULT_INIT;

    (void)thread;
    if (search_rig_ask(&c->rig, "the spy records a mutex", &answer, &f) == E_OK) {
        atomic_fetch_add(&c->good, answer.hits->count > 0);
        atomic_fetch_add(&c->computed, !answer.cached);
        search_release(c->rig.search, &answer);
    }
}

static void
one_question_of_many_is_computed_once(void **state)
{
    (void)state;
    for (const unsigned *n = race_sizes; *n; n++) {
        struct crowd c = {.good = 0};
        struct slots_counters counters;

        search_rig_create(&c.rig, false);
        threads_run(*n, ask_the_same, &c);
        counters = search_counters(c.rig.search);
        CHECK_INT((int)atomic_load(&c.good), (int)*n);
        CHECK_INT((int)atomic_load(&c.computed), 1);
        CHECK_INT((int)counters.misses, 1);
        CHECK_INT((int)(counters.hits + counters.double_loads), (int)*n - 1);
        search_rig_destroy(&c.rig);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_that_cannot_be_answered),
        cmocka_unit_test(operators_are_words),
        cmocka_unit_test(a_query_may_hold_nul),
        cmocka_unit_test(filters_come_before_ranking),
        cmocka_unit_test(the_same_question_is_answered_once),
        cmocka_unit_test(a_text_is_kept_with_an_answer_as_long_as_that),
        cmocka_unit_test(the_key_is_all_that_is_asked),
        cmocka_unit_test(an_answer_is_kept_for_an_hour),
        cmocka_unit_test(the_answers_kept_are_bounded),
        cmocka_unit_test(what_an_old_generation_gave_is_not_kept_for_the_new),
        cmocka_unit_test(one_question_of_many_is_computed_once),
    };
    return CHECK_RUN(tests);
}
