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
    struct learnings *l;

    CHECK_INT(learnings_create(tree_dir(tree), clock_real(), "default", thread, &l, NULL), E_OK);
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

static struct learnings *crowded;

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
        cmocka_unit_test(many_threads_and_one_writer),
    };

    return CHECK_RUN(tests);
}
