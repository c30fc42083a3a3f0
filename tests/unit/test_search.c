/* test_search.c -- the life of the index: made, followed, healed; and what searches see of it. */
#include "state/search.h"
#include "tests/check.h"
#include "tests/threads.h"
#include "tests/tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct rig {
    struct tree *tree;
    struct search *search;
};

static struct search *
open_search(const struct tree *tree, bool keep)
{
    return search_create(
        &(struct search_options){.data = tree_dir(tree), .clock = clock_real(), .keep = keep});
}

static void
start(struct rig *r, bool keep)
{
    struct fault f = FAULT_INIT;

    r->search = open_search(r->tree, keep);
    CHECK_INT(search_start(r->search, &f), E_OK);
    CHECK(search_settle(r->search, INT64_MAX));
}

static struct rig
rig_create(bool keep)
{
    struct rig r = {.tree = tree_create()};

    tree_write(r.tree, "standards/locks.md", "# Locks\n\nTake a mutex before you write.\n");
    tree_write(r.tree, "standards/tests/doubles.md",
               "---\ntags: [Mocking, unit tests]\n---\n# Test doubles\n\nA spy records calls.\n\n"
               "## Phase 3\n\nReplace the spy.\n");
    start(&r, keep);
    return r;
}

static void
rig_destroy(struct rig *r)
{
    search_destroy(r->search);
    tree_destroy(r->tree);
}

static void
follow(struct rig *r)
{
    search_stir(r->search);
    CHECK(search_settle(r->search, INT64_MAX));
}

static struct search_status
status_of(struct rig *r)
{
    struct search_status status;

    search_status(r->search, &status);
    return status;
}

static enum err
ask(struct search *search, const char *query, struct search_answer *answer, struct fault *f)
{
    return search_ask(search,
                      &(struct search_ask){.query = slice_of(query), .limit = 10, .phase = -1},
                      answer, f);
}

/* The paths found, with blanks between. */
static void
finds(struct rig *r, const char *query, const char *expected)
{
    struct search_answer answer;
    struct fault f = FAULT_INIT;
    struct buf paths = BUF_INIT;

    CHECK_INT(ask(r->search, query, &answer, &f), E_OK);
    for (size_t i = 0; i < answer.hits->count; i++) {
        buf_addf(&paths, "%s%s", i ? " " : "", answer.hits->items[i].path);
    }
    CHECK_STR(paths.data ? paths.data : "", expected);
    buf_fini(&paths);
    search_release(r->search, &answer);
}

/* ---- What is asked ---- */

static void
questions_that_cannot_be_answered(void **state)
{
    struct rig r = rig_create(false);
    struct search_answer answer;
    struct fault f = FAULT_INIT;
    char *long_one = xcalloc(1, 1 << 20);

    (void)state;
    memset(long_one, 'a', (1 << 20) - 1);
    CHECK_INT(ask(r.search, "", &answer, &f), E_ARGUMENT);
    CHECK_STR(f.text, "the query holds no word");
    CHECK_INT(ask(r.search, " \t\n?!", &answer, &f), E_ARGUMENT);
    CHECK_INT(ask(r.search, long_one, &answer, &f), E_ARGUMENT);
    CHECK(strstr(f.text, "over") != NULL);
    free(long_one);
    rig_destroy(&r);
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
    struct rig r = rig_create(false);

    (void)state;
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        finds(&r, queries[i], "locks.md");
    }
    finds(&r, "xylophone", "");
    rig_destroy(&r);
}

static void
filters_come_before_ranking(void **state)
{
    struct rig r = rig_create(false);
    struct tag_list tags = {.items = {(char *)(uintptr_t) "mocking", (char *)(uintptr_t) "tests"},
                            .count = 2};
    struct search_ask one = {.query = SLICE("spy"), .limit = 10, .phase = 3, .tags = &tags};
    struct search_answer answer;
    struct fault f = FAULT_INIT;

    (void)state;
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
    rig_destroy(&r);
}

static void
the_same_question_is_answered_once(void **state)
{
    struct rig r = rig_create(false);
    struct search_answer answer;
    struct fault f = FAULT_INIT;

    (void)state;
    CHECK_INT(ask(r.search, "take mutex", &answer, &f), E_OK);
    CHECK(!answer.cached);
    search_release(r.search, &answer);
    CHECK_INT(ask(r.search, "  take \n mutex ", &answer, &f), E_OK);
    CHECK(answer.cached);
    search_release(r.search, &answer);
    tree_write(r.tree, "standards/more.md", "# More\n\nA mutex too.\n");
    follow(&r);
    CHECK_INT(ask(r.search, "take mutex", &answer, &f), E_OK);
    CHECK(!answer.cached);
    CHECK_INT(answer.hits->count, 2);
    search_release(r.search, &answer);
    CHECK_INT((int)search_counters(r.search).misses, 2);
    CHECK_INT((int)search_counters(r.search).hits, 1);
    rig_destroy(&r);
}

static void
users_add_synonyms(void **state)
{
    struct rig r = rig_create(false);

    (void)state;
    finds(&r, "padlock", "");
    tree_write(r.tree, "standards/synonyms.txt", "# ours\npadlock, mutex\n");
    follow(&r);
    finds(&r, "padlock", "locks.md");
    tree_write(r.tree, "standards/synonyms.txt",
               "padlock\n"); /* No group: the trade's own go on. */
    follow(&r);
    finds(&r, "padlock", "");
    rig_destroy(&r);
}

/* ---- Files that change ---- */

static void
files_are_followed(void **state)
{
    struct rig r = rig_create(false);

    (void)state;
    CHECK_INT((int)status_of(&r).index.files, 2);
    tree_write(r.tree, "standards/locks.md", "# Locks\n\nUse a semaphore.\n");
    tree_write(r.tree, "standards/new.md", "# New\n\nWords: zebra.\n");
    follow(&r);
    finds(&r, "zebra", "new.md");
    finds(&r, "write", "");
    finds(&r, "semaphore", "locks.md");
    tree_remove(r.tree, "standards/new.md");
    follow(&r);
    finds(&r, "zebra", "");
    tree_remove(r.tree, "standards");
    follow(&r);
    finds(&r, "spy", "");
    CHECK_INT((int)status_of(&r).index.files, 0);
    tree_write(r.tree, "standards/back.md", "# Back\n\nA spy.\n");
    follow(&r);
    finds(&r, "spy", "back.md");
    rig_destroy(&r);
}

static void
what_cannot_be_read_keeps_its_last_passages(void **state)
{
    struct rig r = rig_create(false);

    (void)state;
    tree_write(r.tree, "standards/locks.md", "# Locks \xff\n");
    tree_write(r.tree, "standards/never.md", "# Never \xff\n");
    follow(&r);
    finds(&r, "mutex", "locks.md");
    CHECK_INT((int)status_of(&r).skipped, 2);
    rig_destroy(&r);
}

static void
without_standards_there_is_no_index(void **state)
{
    struct rig r = {.tree = tree_create()};

    (void)state;
    start(&r, true);
    finds(&r, "mutex", "");
    CHECK(!status_of(&r).ready);
    CHECK(!dir_is_folder(tree_dir(r.tree), "index"));
    tree_write(r.tree, "standards/first.md", "# First\n\nA mutex.\n");
    follow(&r);
    finds(&r, "mutex", "first.md");
    CHECK(status_of(&r).index.on_disk);
    rig_destroy(&r);
}

static void
nothing_new_is_no_generation(void **state)
{
    struct rig r = rig_create(false);
    struct search_status before = status_of(&r), after;

    (void)state;
    follow(&r);
    follow(&r);
    after = status_of(&r);
    CHECK_INT((int)after.index.generation, (int)before.index.generation);
    CHECK_INT((int)after.builds, (int)before.builds + 2);
    rig_destroy(&r);
}

/* ---- What is kept on disk ---- */

static void
the_index_outlives_the_server(void **state)
{
    struct rig r = rig_create(true);
    struct search_status before = status_of(&r), after;

    (void)state;
    CHECK(before.index.on_disk);
    search_destroy(r.search);
    start(&r, true);
    after = status_of(&r);
    CHECK_INT((int)after.index.generation, (int)before.index.generation);
    CHECK_INT((int)after.index.built_ms, (int)before.index.built_ms);
    finds(&r, "mutex", "locks.md");
    tree_write(r.tree, "standards/locks.md", "# Locks\n\nUse a semaphore.\n");
    follow(&r);
    CHECK_INT((int)status_of(&r).index.generation, (int)before.index.generation + 1);
    finds(&r, "semaphore", "locks.md");
    rig_destroy(&r);
}

/* Overwrites the one file of the index, in place, as a failing disk would. */
static void
damage_index(const struct rig *r)
{
    struct dir_list list;
    char junk[4096];
    char *path;
    int fd;

    memset(junk, 0x5A, sizeof junk);
    CHECK_INT(dir_list(tree_dir(r->tree), "index", 10, &list, NULL), E_OK);
    CHECK_INT(list.count, 1);
    path = xasprintf("index/%s", list.entries[0].name);
    fd = dir_open_at(tree_dir(r->tree), path, O_WRONLY, 0);
    CHECK(fd >= 0);
    for (off_t at = 0; at < 400 * 4096; at += (off_t)sizeof junk) {
        CHECK(pwrite(fd, junk, sizeof junk, at) == (ssize_t)sizeof junk);
    }
    close(fd);
    free(path);
    dir_list_fini(&list);
}

static void
a_damaged_index_heals(void **state)
{
    struct rig r = rig_create(true);
    uint64_t before = status_of(&r).index.generation;

    (void)state;
    damage_index(&r);
    finds(&r, "records", "tests/doubles.md"); /* Whichever way it was found. */
    CHECK(search_settle(r.search, INT64_MAX));
    finds(&r, "mutex now", "locks.md");
    CHECK(search_settle(r.search, INT64_MAX));
    finds(&r, "mutex then", "locks.md");
    CHECK(status_of(&r).index.generation > before);
    CHECK(status_of(&r).ready);
    rig_destroy(&r);
}

static void
without_a_place_it_lives_in_memory(void **state)
{
    struct rig r = {.tree = tree_create()};

    (void)state;
    tree_write(r.tree, "standards/locks.md", "# Locks\n\nTake a mutex.\n");
    tree_write(r.tree, "index", "a file where the folder should be\n");
    start(&r, true);
    CHECK(!status_of(&r).index.on_disk);
    finds(&r, "mutex", "locks.md");
    rig_destroy(&r);
}

static void
before_it_is_started_files_are_read(void **state)
{
    struct rig r = {.tree = tree_create()};
    struct search_answer answer;
    struct fault f = FAULT_INIT;

    (void)state;
    tree_write(r.tree, "standards/locks.md", "# Locks\n\nTake a mutex.\n");
    r.search = open_search(r.tree, true);
    CHECK_INT(ask(r.search, "mutex", &answer, &f), E_OK);
    CHECK(answer.scan && !answer.partial && !answer.cached);
    CHECK_INT(answer.hits->count, 1);
    search_release(r.search, &answer);
    rig_destroy(&r);
}

/* ---- Many at once ---- */

#define SEARCHERS 20u
#define SWAPS 100u

struct swaps {
    struct rig rig;
    _Atomic bool over;
    _Atomic unsigned answers, torn, failed;
};

/* Two documents carry the same number in each version: an answer that has two different ones has
 * seen two generations. */
static void
write_pair(const struct rig *r, unsigned number)
{
    char text[128];

    snprintf(text, sizeof text, "# Pair\n\nzebra version%u\n", number);
    tree_write(r->tree, "standards/one.md", text);
    tree_write(r->tree, "standards/two.md", text);
}

static void
search_pairs(void *arg, unsigned thread)
{
    struct swaps *s = arg;

    for (unsigned i = 0; !atomic_load(&s->over); i++) {
        struct search_answer answer;
        struct fault f = FAULT_INIT;
        char query[64];

        snprintf(query, sizeof query, i % 2 ? "zebra" : "zebra %u %u", thread, i);
        if (ask(s->rig.search, query, &answer, &f) != E_OK) {
            atomic_fetch_add(&s->failed, 1);
            continue;
        }
        atomic_fetch_add(&s->answers, 1);
        if (answer.hits->count != 2 ||
            strcmp(answer.hits->items[0].text, answer.hits->items[1].text) != 0) {
            atomic_fetch_add(&s->torn, 1);
        }
        search_release(s->rig.search, &answer);
    }
}

static void
swap_pairs(void *arg, unsigned thread)
{
    struct swaps *s = arg;

    (void)thread;
    for (unsigned i = 1; i <= scaled(SWAPS); i++) {
        write_pair(&s->rig, i);
        search_stir(s->rig.search);
        if (!search_settle(s->rig.search, INT64_MAX)) {
            atomic_fetch_add(&s->failed, 1);
        }
    }
    atomic_store(&s->over, true);
}

static void
search_or_swap(void *arg, unsigned thread)
{
    if (thread == 0) {
        swap_pairs(arg, thread);
    } else {
        search_pairs(arg, thread);
    }
}

static void
every_answer_is_of_one_generation(bool keep)
{
    struct swaps s = {.rig = {.tree = tree_create()}};

    write_pair(&s.rig, 0);
    start(&s.rig, keep);
    threads_run(SEARCHERS + 1, search_or_swap, &s);
    CHECK_INT((int)atomic_load(&s.torn), 0);
    CHECK_INT((int)atomic_load(&s.failed), 0);
    CHECK(atomic_load(&s.answers) > SEARCHERS);
    CHECK(status_of(&s.rig).index.generation >= scaled(SWAPS));
    rig_destroy(&s.rig);
}

static void
swaps_in_memory(void **state)
{
    (void)state;
    every_answer_is_of_one_generation(false);
}

static void
swaps_on_disk(void **state)
{
    (void)state;
    every_answer_is_of_one_generation(true);
}

struct crowd {
    struct rig rig;
    _Atomic unsigned good;
};

static void
ask_the_same(void *arg, unsigned thread)
{
    struct crowd *c = arg;
    struct search_answer answer;
    struct fault f = FAULT_INIT;

    (void)thread;
    if (ask(c->rig.search, "the spy records a mutex", &answer, &f) == E_OK) {
        atomic_fetch_add(&c->good, answer.hits->count > 0);
        search_release(c->rig.search, &answer);
    }
}

static void
one_question_of_many_is_computed_once(void **state)
{
    struct crowd c = {.rig = rig_create(false)};
    struct slots_counters counters;

    (void)state;
    threads_run(100, ask_the_same, &c);
    counters = search_counters(c.rig.search);
    CHECK_INT((int)atomic_load(&c.good), 100);
    CHECK_INT((int)counters.misses, 1);
    CHECK_INT((int)(counters.hits + counters.double_loads), 99);
    rig_destroy(&c.rig);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_that_cannot_be_answered),
        cmocka_unit_test(operators_are_words),
        cmocka_unit_test(filters_come_before_ranking),
        cmocka_unit_test(the_same_question_is_answered_once),
        cmocka_unit_test(users_add_synonyms),
        cmocka_unit_test(files_are_followed),
        cmocka_unit_test(what_cannot_be_read_keeps_its_last_passages),
        cmocka_unit_test(without_standards_there_is_no_index),
        cmocka_unit_test(nothing_new_is_no_generation),
        cmocka_unit_test(the_index_outlives_the_server),
        cmocka_unit_test(a_damaged_index_heals),
        cmocka_unit_test(without_a_place_it_lives_in_memory),
        cmocka_unit_test(before_it_is_started_files_are_read),
        cmocka_unit_test(swaps_in_memory),
        cmocka_unit_test(swaps_on_disk),
        cmocka_unit_test(one_question_of_many_is_computed_once),
    };
    return CHECK_RUN(tests);
}
