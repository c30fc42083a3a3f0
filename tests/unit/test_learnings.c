/* test_learnings.c -- lessons in files: written behind, kept within bounds, read again. */
#include "tests/check.h"

#include "state/base/json_put.h"
#include "state/learnings.h"
#include "tests/threads.h"
#include "tests/tree.h"

#include <sched.h>
#include <stdio.h>

static struct learnings *
start(struct tree *tree, bool thread)
{
    struct learnings *l = learnings_create(tree_dir(tree), clock_real(), "default");

    CHECK_INT(thread ? learnings_start(l, NULL) : E_OK, E_OK);
    return l;
}

static enum err
add(struct learnings *l, const char *tenant, const char *target, const char *problem)
{
    json_t *lesson = json_must(json_object());
    enum err err;

    json_put_text(lesson, "problem", problem);
    err = learnings_add(l, tenant, target, lesson, NULL);
    json_decref(lesson);
    return err;
}

/* The problems of a target's lessons, newest first, with commas between them. */
static char *
problems(struct learnings *l, const char *tenant, const char *target, size_t limit)
{
    struct buf out = BUF_INIT;
    const json_t *lesson;
    json_t *lessons;
    size_t i;

    CHECK_INT(learnings_get(l, tenant, target, limit, &lessons, NULL), E_OK);
    json_array_foreach(lessons, i, lesson) {
        buf_addf(&out, "%s%s", i ? "," : "", json_string_value(json_object_get(lesson, "problem")));
    }
    json_decref(lessons);
    buf_addc(&out, '.');
    return buf_steal(&out);
}

#define CHECK_PROBLEMS(L, TENANT, TARGET, LIMIT, EXPECTED)        \
    do {                                                          \
        char *text_ = problems((L), (TENANT), (TARGET), (LIMIT)); \
        CHECK_STR(text_, EXPECTED);                               \
        free(text_);                                              \
    } while (0)

static char *
file(struct tree *tree, const char *path)
{
    struct buf text = BUF_INIT;

    CHECK_INT(dir_read(tree_dir(tree), path, 1 << 20, &text, NULL, NULL), E_OK);
    return buf_steal(&text);
}

static void
lessons_outlive_the_server(void **state)
{
    struct tree *tree = tree_create();
    struct learnings *l = start(tree, false);
    char *text;

    (void)state;
    CHECK_INT(add(l, "default", "qa", "one"), E_OK);
    CHECK_PROBLEMS(l, "default", "qa", 9, "one."); /* At once. */
    CHECK_INT(learnings_write(l, NULL), E_OK);
    CHECK_INT(add(l, "default", "qa", "two"), E_OK);
    CHECK_INT(add(l, "acme", "qa", "theirs"), E_OK);
    learnings_destroy(l); /* Writes what is left. */
    text = file(tree, "learnings/qa.jsonl");
    CHECK_STR(text, "{\"problem\":\"one\"}\n{\"problem\":\"two\"}\n");
    free(text);
    text = file(tree, "learnings/acme/qa.jsonl");
    CHECK_STR(text, "{\"problem\":\"theirs\"}\n");
    free(text);
    l = start(tree, false);
    CHECK_INT(add(l, "default", "qa", "three"), E_OK); /* Before anybody has read the file. */
    CHECK_PROBLEMS(l, "default", "qa", 2, "three,two.");
    CHECK_PROBLEMS(l, "default", "qa", 9, "three,two,one.");
    CHECK_PROBLEMS(l, "acme", "qa", 9, "theirs.");
    CHECK_PROBLEMS(l, "default", "nobody", 9, ".");
    CHECK_INT(learnings_counters(l).targets, 2); /* Who only asks leaves nothing. */
    learnings_destroy(l);
    l = start(tree, false);
    CHECK_INT(add(l, "default", "qa", "four"), E_OK); /* Written without having been read. */
    learnings_destroy(l);
    text = file(tree, "learnings/qa.jsonl");
    CHECK_STR(text, "{\"problem\":\"one\"}\n{\"problem\":\"two\"}\n{\"problem\":\"three\"}\n"
                    "{\"problem\":\"four\"}\n");
    free(text);
    tree_destroy(tree);
}

static void
names_are_checked(void **state)
{
    static const char *const wrong[] = {
        "",
        "..",
        "../qa",
        "a/b",
        ".qa",
        "-qa",
        "q a",
        "qa.jsonl",
        "q\xc3\xa4",
        "_x",
        "a2345678901234567890123456789012345678901234567890123456789012345",
    };
    struct tree *tree = tree_create();
    struct learnings *l = start(tree, false);
    json_t *lessons;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK(!learnings_target_valid(wrong[i]));
        CHECK_INT(add(l, "default", wrong[i], "x"), E_ARGUMENT);
        CHECK_INT(learnings_get(l, "default", wrong[i], 1, &lessons, NULL), E_ARGUMENT);
    }
    CHECK(learnings_target_valid("PM") && learnings_target_valid("code-reviewer_2"));
    learnings_destroy(l);
    CHECK(!dir_is_folder(tree_dir(tree), "learnings"));
    tree_destroy(tree);
}

static void
the_oldest_make_room(void **state)
{
    struct tree *tree = tree_create();
    struct learnings *l = start(tree, false);
    char text[1000], *whole, *newest;
    struct buf huge = BUF_INIT;

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        snprintf(text, sizeof text, "%u %0900d", i, 0);
        CHECK_INT(add(l, "default", "qa", text), E_OK);
        if (i % 50 == 49) {
            CHECK_INT(learnings_write(l, NULL), E_OK);
        }
    }
    whole = file(tree, "learnings/qa.jsonl");
    CHECK(strlen(whole) <= LEARNINGS_BYTES && strlen(whole) > LEARNINGS_BYTES - 1000);
    CHECK(strncmp(whole, "{\"problem\":\"0 ", 14) != 0);
    free(whole);
    CHECK(learnings_counters(l).rewrites >= 1);
    CHECK(learnings_counters(l).dropped > 100);
    newest = problems(l, "default", "qa", 1);
    CHECK(strncmp(newest, "199 ", 4) == 0);
    free(newest);
    for (unsigned i = 0; i < LEARNINGS_LINE_MAX; i++) {
        buf_addc(&huge, 'x');
    }
    CHECK_INT(add(l, "default", "qa", huge.data), E_TOO_LARGE);
    buf_fini(&huge);
    for (unsigned i = 0; i < LEARNINGS_TARGETS_MAX - 1; i++) {
        snprintf(text, sizeof text, "t%u", i);
        CHECK_INT(add(l, "default", text, "x"), E_OK);
    }
    CHECK_INT(add(l, "default", "onemore", "x"), E_LIMIT);
    learnings_destroy(l);
    tree_destroy(tree);
}

/* A line that a crash has torn, and one that is none, go; a file that is none of ours is kept. */
static void
damage_costs_what_is_damaged(void **state)
{
    struct tree *tree = tree_create();
    struct learnings *l;
    struct dir_list list;
    struct dir *folder = NULL;
    struct buf huge = BUF_INIT;
    char *text;

    (void)state;
    tree_write(tree, "learnings/qa.jsonl",
               "{\"problem\":\"one\"}\nno json\n{\"problem\":\"two\"}\n{\"prob");
    for (unsigned i = 0; i < 8 * LEARNINGS_BYTES; i++) {
        buf_addc(&huge, 'x');
    }
    tree_write(tree, "learnings/big.jsonl", huge.data);
    buf_fini(&huge);
    l = start(tree, false);
    CHECK_PROBLEMS(l, "default", "qa", 9, "two,one.");
    CHECK_INT(add(l, "default", "qa", "three"), E_OK);
    CHECK_INT(add(l, "default", "big", "small"), E_OK);
    CHECK_INT(learnings_write(l, NULL), E_OK);
    text = file(tree, "learnings/qa.jsonl");
    CHECK_STR(text, "{\"problem\":\"one\"}\n{\"problem\":\"two\"}\n{\"problem\":\"three\"}\n");
    free(text);
    CHECK_PROBLEMS(l, "default", "big", 9, "small.");
    learnings_destroy(l);
    CHECK_INT(dir_sub(tree_dir(tree), "learnings", false, &folder, NULL), E_OK);
    CHECK_INT(dir_list(folder, ".", 10, &list, NULL), E_OK);
    CHECK_INT(list.count, 3);
    CHECK(strncmp(list.entries[1].name, "big.jsonl.corrupt-", 18) == 0);
    dir_list_fini(&list);
    dir_unref(folder);
    tree_destroy(tree);
}

/* Where the folder should be there is a file: told, and tried again. */
static void
what_cannot_be_written_is_tried_again(void **state)
{
    struct tree *tree = tree_create();
    struct learnings *l = start(tree, false);
    struct fault f = FAULT_INIT;
    char *text;

    (void)state;
    CHECK_INT(add(l, "default", "qa", "one"), E_OK);
    CHECK_PROBLEMS(l, "default", "qa", 9, "one.");
    tree_write(tree, "learnings", "in the way");
    CHECK(learnings_write(l, &f) != E_OK);
    CHECK(f.text[0] != '\0');
    CHECK_PROBLEMS(l, "default", "qa", 9, "one.");
    CHECK_INT(learnings_counters(l).failures, 1);
    tree_remove(tree, "learnings");
    CHECK_INT(add(l, "default", "qa", "two"), E_OK);
    CHECK_INT(learnings_write(l, NULL), E_OK);
    text = file(tree, "learnings/qa.jsonl");
    CHECK_STR(text, "{\"problem\":\"one\"}\n{\"problem\":\"two\"}\n");
    free(text);
    learnings_destroy(l);
    tree_destroy(tree);
}

/* ---- Tenants beside each other ---- */

/* 'count' lessons that are as long as they may be, to each of so many. */
static void
add_long(struct learnings *l, const char *tenant, unsigned targets, unsigned count)
{
    char problem[LEARNINGS_LINE_MAX - 40], name[16];

    for (unsigned i = 0; i < targets * count; i++) {
        snprintf(problem, sizeof problem, "%u %08000d", i / targets, 0);
        snprintf(name, sizeof name, "t%u", i % targets);
        CHECK_INT(add(l, tenant, name, problem), E_OK);
    }
}

static void
each_tenant_has_its_own_files(void **state)
{
    struct tree *tree = tree_create();
    struct learnings *l = start(tree, false);
    struct fault f = FAULT_INIT;
    json_t *lesson = json_object(), *names;
    char name[16];

    (void)state;
    for (unsigned i = 0; i < LEARNINGS_TARGETS_MAX; i++) {
        snprintf(name, sizeof name, "t%u", i);
        CHECK_INT(add(l, "busy", name, "x"), E_OK);
    }
    CHECK_INT(learnings_add(l, "busy", "onemore", lesson, &f), E_LIMIT);
    CHECK_STR(f.remedy, "name one of those in context.agent_type, as 't0'");
    CHECK_INT(add(l, "other", "onemore", "y"), E_OK);
    learnings_destroy(l);
    l = start(tree, false);
    CHECK_INT(add(l, "busy", "onemore", "x"), E_LIMIT); /* Files count, whoever made them. */
    CHECK_INT(add(l, "busy", "t7", "z"), E_OK);
    CHECK_PROBLEMS(l, "busy", "t7", 9, "z,x.");
    CHECK_PROBLEMS(l, "other", "onemore", 9, "y.");
    names = learnings_targets(l, "busy");
    CHECK_INT(json_array_size(names), LEARNINGS_TARGETS_MAX);
    json_decref(names);
    json_decref(lesson);
    learnings_destroy(l);
    tree_destroy(tree);
}

/* Memory is given up by who has most of it, and what was given up is read again. */
static void
who_has_most_makes_room(void **state)
{
    struct tree *tree = tree_create();
    struct learnings *l = start(tree, false);
    char *newest;

    (void)state;
    CHECK_INT(add(l, "small", "qa", "mine"), E_OK);
    add_long(l, "busy", LEARNINGS_TARGETS_MAX, 9);
    CHECK_INT(learnings_write(l, NULL), E_OK);
    CHECK_INT(learnings_counters(l).unloaded, 0);
    add_long(l, "other", LEARNINGS_TARGETS_MAX, 9);
    CHECK_INT(learnings_write(l, NULL), E_OK);
    CHECK(learnings_counters(l).bytes <= LEARNINGS_MEMORY);
    CHECK(learnings_counters(l).unloaded > 0);
    CHECK_INT(learnings_counters(l).dropped, 0);
    tree_remove(tree, "learnings/small");
    CHECK_PROBLEMS(l, "small", "qa", 9, "mine."); /* From memory, there is no file. */
    for (unsigned i = 0; i < LEARNINGS_TARGETS_MAX; i++) {
        char name[16];
        json_t *lessons;

        snprintf(name, sizeof name, "t%u", i);
        CHECK_INT(learnings_get(l, "busy", name, 50, &lessons, NULL), E_OK);
        CHECK_INT(json_array_size(lessons), 9);
        json_decref(lessons);
    }
    CHECK(learnings_counters(l).bytes <= LEARNINGS_MEMORY);
    newest = problems(l, "other", "t0", 1);
    CHECK(strncmp(newest, "8 ", 2) == 0);
    free(newest);
    learnings_destroy(l);
    tree_destroy(tree);
}

/* Nothing can be written: what is lost is of who has most. */
static void
a_dead_disk_costs_who_has_most(void **state)
{
    struct tree *tree = tree_create();
    struct learnings *l = start(tree, false);
    struct learnings_counters counters;

    (void)state;
    CHECK_INT(add(l, "small", "qa", "mine"), E_OK);
    CHECK_INT(add(l, "busy", "t0", "x"), E_OK);
    CHECK_INT(add(l, "other", "t0", "x"), E_OK);
    tree_write(tree, "learnings", "in the way");
    CHECK(learnings_write(l, NULL) != E_OK);
    add_long(l, "busy", LEARNINGS_TARGETS_MAX, 9);
    CHECK(learnings_write(l, NULL) != E_OK);
    add_long(l, "other", LEARNINGS_TARGETS_MAX, 9);
    counters = learnings_counters(l);
    CHECK(counters.bytes <= LEARNINGS_MEMORY);
    CHECK(counters.dropped > 0);
    CHECK_INT(counters.written, 0);
    tree_remove(tree, "learnings");
    CHECK_INT(learnings_write(l, NULL), E_OK);
    CHECK_PROBLEMS(l, "small", "qa", 9, "mine.");
    counters = learnings_counters(l);
    CHECK_INT(counters.written + counters.dropped, counters.added);
    learnings_destroy(l);
    tree_destroy(tree);
}

static void
a_folder_in_the_way_holds_up_no_other(void **state)
{
    struct tree *tree = tree_create();
    struct learnings *l = start(tree, false);
    char *text;

    (void)state;
    CHECK_INT(add(l, "acme", "qa", "theirs"), E_OK);
    CHECK_INT(add(l, "default", "qa", "ours"), E_OK);
    CHECK_INT(add(l, "zeta", "qa", "its"), E_OK);
    tree_write(tree, "learnings/acme", "in the way");
    CHECK(learnings_write(l, NULL) != E_OK);
    CHECK_INT(learnings_counters(l).written, 2);
    text = file(tree, "learnings/zeta/qa.jsonl");
    CHECK_STR(text, "{\"problem\":\"its\"}\n");
    free(text);
    CHECK_PROBLEMS(l, "acme", "qa", 9, "theirs.");
    tree_remove(tree, "learnings/acme");
    CHECK_INT(learnings_write(l, NULL), E_OK);
    CHECK_INT(learnings_counters(l).written, 3);
    learnings_destroy(l);
    tree_destroy(tree);
}

/* More tenants than are known at a time: those that were used least recently are read again. */
static void
tenants_come_and_go(void **state)
{
    struct tree *tree = tree_create();
    struct learnings *l = start(tree, false);
    char tenant[16];

    (void)state;
    CHECK_INT(add(l, "first", "qa", "one"), E_OK);
    CHECK_INT(learnings_write(l, NULL), E_OK);
    for (unsigned i = 0; i < LEARNINGS_TENANTS_MAX; i++) {
        json_t *lessons;

        snprintf(tenant, sizeof tenant, "t%u", i);
        CHECK_INT(learnings_get(l, tenant, "qa", 1, &lessons, NULL), E_OK);
        json_decref(lessons);
    }
    CHECK_INT(learnings_counters(l).targets, 0); /* The first is forgotten. */
    CHECK_PROBLEMS(l, "first", "qa", 9, "one.");
    for (unsigned i = 0; i < LEARNINGS_TENANTS_MAX - 1; i++) {
        snprintf(tenant, sizeof tenant, "u%u", i);
        CHECK_INT(add(l, tenant, "qa", "x"), E_OK);
    }
    CHECK_INT(add(l, "last", "qa", "x"), E_OK); /* In the place of the first, which is written. */
    CHECK_INT(add(l, "over", "qa", "x"), E_LIMIT);
    CHECK_INT(learnings_write(l, NULL), E_OK);
    CHECK_INT(add(l, "over", "qa", "x"), E_OK);
    learnings_destroy(l);
    tree_destroy(tree);
}

static struct learnings *crowded;

#define CROWD 12u
#define EACH 12u /* Files of a thread. */

/* Each has files of its own among four tenants, and finds at once what it has added. */
static void
add_long_and_read(void *arg, unsigned number)
{
    atomic_uint *odd = arg;
    char tenant[16], target[24], problem[LEARNINGS_LINE_MAX - 40];

    snprintf(tenant, sizeof tenant, "tenant-%u", number % 4);
    for (unsigned i = 0; i < 9 * EACH; i++) {
        json_t *lessons = NULL;
        const char *got = NULL;

        snprintf(target, sizeof target, "t%u-%u", number, i % EACH);
        snprintf(problem, sizeof problem, "%u-%u %08000d", number, i, 0);
        if (add(crowded, tenant, target, problem) == E_OK &&
            learnings_get(crowded, tenant, target, 50, &lessons, NULL) == E_OK) {
            got = json_string_value(json_object_get(json_array_get(lessons, 0), "problem"));
        }
        if (!got || strcmp(got, problem) != 0 || json_array_size(lessons) != i / EACH + 1) {
            atomic_fetch_add(odd, 1);
        }
        json_decref(lessons);
        if (i % EACH == EACH - 1 && learnings_write(crowded, NULL)) { /* Else some would be lost. */
            atomic_fetch_add(odd, 1);
        }
    }
}

static void
what_makes_room_is_not_missed(void **state)
{
    struct tree *tree = tree_create();
    atomic_uint odd = 0;
    char tenant[16], target[24];

    (void)state;
    crowded = start(tree, true);
    threads_run(CROWD, add_long_and_read, &odd);
    CHECK_INT(odd, 0);
    CHECK(learnings_counters(crowded).unloaded > 0);
    learnings_destroy(crowded);
    crowded = start(tree, false);
    for (unsigned i = 0; i < CROWD * EACH; i++) {
        json_t *lessons;

        snprintf(tenant, sizeof tenant, "tenant-%u", i / EACH % 4);
        snprintf(target, sizeof target, "t%u-%u", i / EACH, i % EACH);
        CHECK_INT(learnings_get(crowded, tenant, target, 50, &lessons, NULL), E_OK);
        CHECK_INT(json_array_size(lessons), 9);
        json_decref(lessons);
    }
    learnings_destroy(crowded);
    tree_destroy(tree);
}

static void
add_and_read(void *arg, unsigned number)
{
    atomic_uint *odd = arg;
    char target[16], problem[16];

    for (unsigned i = 0; i < 20; i++) {
        json_t *lessons = NULL;
        snprintf(target, sizeof target, "t%u", number % 3);
        snprintf(problem, sizeof problem, "%u-%u", number, i);
        if (add(crowded, "default", target, problem) != E_OK ||
            learnings_get(crowded, "default", target, 50, &lessons, NULL) != E_OK ||
            json_array_size(lessons) == 0 || (i % 5 == 0 && learnings_write(crowded, NULL))) {
            atomic_fetch_add(odd, 1);
        }
        json_decref(lessons);
    }
}

static void
many_threads_and_one_writer(void **state)
{
    struct tree *tree = tree_create();
    atomic_uint odd = 0;
    size_t lines = 0;
    char path[32], *text;

    (void)state;
    crowded = start(tree, true);
    threads_run(12, add_and_read, &odd);
    CHECK_INT(odd, 0);
    while (learnings_counters(crowded).written < 240) {
        sched_yield(); /* The thread is told of each. */
    }
    learnings_destroy(crowded);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "learnings/t%d.jsonl", i);
        text = file(tree, path);
        for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++) {
            lines++;
        }
        free(text);
    }
    CHECK_INT(lines, 240);
    tree_destroy(tree);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lessons_outlive_the_server),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(the_oldest_make_room),
        cmocka_unit_test(damage_costs_what_is_damaged),
        cmocka_unit_test(what_cannot_be_written_is_tried_again),
        cmocka_unit_test(each_tenant_has_its_own_files),
        cmocka_unit_test(who_has_most_makes_room),
        cmocka_unit_test(a_dead_disk_costs_who_has_most),
        cmocka_unit_test(a_folder_in_the_way_holds_up_no_other),
        cmocka_unit_test(tenants_come_and_go),
        cmocka_unit_test(what_makes_room_is_not_missed),
        cmocka_unit_test(many_threads_and_one_writer),
    };

    return CHECK_RUN(tests);
}
