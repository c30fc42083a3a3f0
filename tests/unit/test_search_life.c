/* test_search_life.c -- the index follows the files, whatever they do, and ends when it is told. */
#include "state/base/sql.h"
#include "state/search_life.h"
#include "tests/check.h"
#include "tests/search_rig.h"

#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOUR_NS INT64_C(3600000000000)

/* What the log says while 'run' does its work; new. */
static char *
log_of(void (*run)(struct search_rig *r), struct search_rig *r)
{
    char name[] = "/tmp/tandem-log-XXXXXX";
    int fd = mkstemp(name), before = dup(STDERR_FILENO);
    struct stat st;
    char *text;

    CHECK(fd >= 0 && before >= 0);
    fflush(stderr);
    CHECK(dup2(fd, STDERR_FILENO) >= 0);
    run(r);
    CHECK(dup2(before, STDERR_FILENO) >= 0);
    close(before);
    CHECK_INT(fstat(fd, &st), 0);
    text = xcalloc(1, (size_t)st.st_size + 1);
    CHECK(pread(fd, text, (size_t)st.st_size, 0) == st.st_size);
    close(fd);
    unlink(name);
    return text;
}

/* ---- Files that change ---- */

static void
files_are_followed(void **state)
{
    struct search_rig r;

    (void)state;
    search_rig_create(&r, false);
    CHECK_INT((int)search_rig_status(&r).index.files, 2);
    tree_write(r.tree, "standards/locks.md", "# Locks\n\nUse a semaphore.\n");
    tree_write(r.tree, "standards/new.md", "# New\n\nWords: zebra.\n");
    search_rig_follow(&r);
    search_rig_finds(&r, "zebra", "new.md");
    search_rig_finds(&r, "write", "");
    search_rig_finds(&r, "semaphore", "locks.md");
    tree_remove(r.tree, "standards/new.md");
    search_rig_follow(&r);
    search_rig_finds(&r, "zebra", "");
    tree_remove(r.tree, "standards");
    search_rig_follow(&r);
    search_rig_finds(&r, "spy", "");
    CHECK_INT((int)search_rig_status(&r).index.files, 0);
    tree_write(r.tree, "standards/back.md", "# Back\n\nA spy.\n");
    search_rig_follow(&r);
    search_rig_finds(&r, "spy", "back.md");
    search_rig_destroy(&r);
}

static void
what_cannot_be_read_keeps_its_last_passages(void **state)
{
    struct search_rig r;

    (void)state;
    search_rig_create(&r, false);
    tree_write(r.tree, "standards/locks.md", "# Locks \xff\n");
    tree_write(r.tree, "standards/never.md", "# Never \xff\n");
    search_rig_follow(&r);
    search_rig_finds(&r, "mutex", "locks.md");
    CHECK_INT((int)search_rig_status(&r).skipped, 2);
    search_rig_destroy(&r);
}

static void
without_standards_there_is_no_index(void **state)
{
    struct search_rig r;

    (void)state;
    search_rig_create_empty(&r, true);
    search_rig_start(&r);
    search_rig_finds(&r, "mutex", "");
    CHECK(!search_rig_status(&r).ready);
    CHECK(!dir_is_folder(tree_dir(r.tree), "index"));
    tree_write(r.tree, "standards/first.md", "# First\n\nA mutex.\n");
    search_rig_follow(&r);
    search_rig_finds(&r, "mutex", "first.md");
    CHECK(search_rig_status(&r).index.on_disk);
    search_rig_destroy(&r);
}

/* "Nothing was found" and "there is nothing" are two answers. */
static void
that_there_is_no_standard_is_told(void **state)
{
    struct tag_list tags = {.count = 0};
    const struct search_ask ask = {.query = SLICE("zebra"), .limit = 5, .phase = -1, .tags = &tags};
    struct search_answer answer;
    struct search_rig r;

    (void)state;
    search_rig_create_empty(&r, true);
    for (int started = 0; started < 2; started++) {
        started ? search_rig_start(&r) : search_rig_open(&r);
        for (int round = 0; round < 3; round++) { /* None, one that does not match, none again. */
            if (round == 1) {
                tree_write(r.tree, "standards/first.md", "# First\n\nA mutex.\n");
            } else if (round == 2) {
                tree_remove(r.tree, "standards");
            }
            if (started) {
                search_rig_follow(&r);
            }
            CHECK_INT(search_ask(r.search, &ask, &answer, NULL), E_OK);
            CHECK_INT(answer.hits->count, 0);
            CHECK_INT(answer.nothing, round != 1);
            search_release(r.search, &answer);
        }
        search_destroy(r.search);
    }
    tree_destroy(r.tree);
}

static void
nothing_new_is_no_generation(void **state)
{
    struct search_rig r;
    struct search_status before, after;

    (void)state;
    search_rig_create(&r, false);
    before = search_rig_status(&r);
    search_rig_follow(&r);
    search_rig_follow(&r);
    after = search_rig_status(&r);
    CHECK_INT((int)after.index.generation, (int)before.index.generation);
    CHECK_INT((int)after.builds, (int)before.builds + 2);
    search_rig_destroy(&r);
}

/* ---- What cannot be read ---- */

static void
what_cannot_be_read_is_told_once(void **state)
{
    struct search_rig r;
    char *text;

    (void)state;
    search_rig_create(&r, false);
    tree_write(r.tree, "standards/locks.md", "# Locks \xff\n");
    text = log_of(search_rig_follow, &r);
    CHECK(strstr(text, "locks.md") != NULL);
    CHECK(strstr(text, "not UTF-8") != NULL);
    free(text);
    text = log_of(search_rig_follow, &r);
    CHECK_STR(text, "");
    free(text);
    tree_write(r.tree, "standards/locks.md", "# Locks\n\nA semaphore.\n");
    search_rig_follow(&r);
    CHECK_INT((int)search_rig_status(&r).skipped, 0);
    search_rig_finds(&r, "semaphore", "locks.md");
    search_rig_destroy(&r);
}

static void
what_is_too_large_is_skipped(void **state)
{
    struct search_rig r;
    struct buf text = BUF_INIT;

    (void)state;
    search_rig_create(&r, false);
    while (text.len <= (1u << 20)) {
        buf_adds(&text, "A zebra is a word.\n");
    }
    tree_write_bytes(r.tree, "standards/locks.md", buf_slice(&text));
    search_rig_follow(&r);
    search_rig_finds(&r, "zebra", "");
    search_rig_finds(&r, "mutex", "locks.md");
    CHECK_INT((int)search_rig_status(&r).skipped, 1);
    buf_fini(&text);
    search_rig_destroy(&r);
}

static void
what_may_not_be_read_keeps_its_last_passages(void **state)
{
    struct search_rig r;

    (void)state;
    search_rig_create(&r, true);
    tree_write(r.tree, "standards/locks.md", "# Locks\n\nAnother mutex.\n");
    search_rig_set_mode(&r, "standards/locks.md", 0);
    search_rig_set_mode(&r, "standards/tests", 0);
    tree_write(r.tree, "standards/new.md", "# New\n\nA zebra.\n");
    search_rig_follow(&r);
    CHECK_INT((int)search_rig_status(&r).skipped, 2);
    CHECK(!search_rig_status(&r).trouble[0]);
    CHECK(search_rig_status(&r).index.on_disk);
    search_rig_finds(&r, "before you write", "locks.md");
    search_rig_finds(&r, "records", "tests/doubles.md");
    search_rig_finds(&r, "zebra", "new.md");
    search_rig_set_mode(&r, "standards", 0);
    search_rig_follow(&r);
    search_rig_finds(&r, "before you write", "locks.md");
    search_rig_finds(&r, "zebra now", "new.md");
    search_rig_set_mode(&r, "standards", 0700);
    search_rig_set_mode(&r, "standards/tests", 0700);
    search_rig_set_mode(&r, "standards/locks.md", 0600);
    search_rig_follow(&r);
    CHECK_INT((int)search_rig_status(&r).skipped, 0);
    search_rig_finds(&r, "another mutex", "locks.md");
    search_rig_destroy(&r);
}

/* Where nothing could be read from the start, it is read once it can be, though nobody tells. */
static void
what_was_not_to_be_read_is_tried_again(void **state)
{
    struct fake_clock clock;
    struct search_rig r;
    uint64_t builds;

    (void)state;
    fake_clock_init(&clock);
    search_rig_create_empty(&r, false);
    r.clock = &clock.clock;
    tree_write(r.tree, "standards/a.md", "A spy.\n");
    search_rig_set_mode(&r, "standards/a.md", 0);
    search_rig_start(&r);
    search_rig_finds(&r, "spy", "");
    search_rig_set_mode(&r, "standards/a.md", 0600);
    builds = search_rig_status(&r).builds;
    fake_clock_pass(&clock, 2 * HOUR_NS);
    LOCK(SEARCH, &r.search->lock); /* Wakes it, as time would: nothing has changed. */
    cond_signal(&r.search->wake);
    UNLOCK(SEARCH, &r.search->lock);
    while (search_rig_status(&r).builds == builds) {
        sched_yield();
    }
    search_rig_finds(&r, "the spy", "a.md");
    search_rig_destroy(&r);
}

/* ---- When ---- */

/* A clock that does something, once, when a generation is stamped: all files have been looked at,
 * and it is not in use yet. */
struct stamping_clock {
    struct clock clock; /* First. */
    void (*act)(struct stamping_clock *c);
    struct search_rig *rig;
    _Atomic bool stop;
};

static int64_t
act_then_tell(const struct clock *clock)
{
    struct stamping_clock *c = (struct stamping_clock *)(uintptr_t)clock;
    void (*act)(struct stamping_clock *) = c->act;

    c->act = NULL;
    if (act) {
        act(c);
    }
    return 1000000;
}

static int64_t
no_time(const struct clock *clock)
{
    (void)clock;
    return 1;
}

static void
change_meanwhile(struct stamping_clock *c)
{
    tree_write(c->rig->tree, "standards/late.md", "# Late\n\nA zebra.\n");
    search_stir(c->rig->search);
}

static void
a_change_during_a_build_causes_another(void **state)
{
    struct search_rig r;
    struct stamping_clock clock = {
        .clock = {no_time, act_then_tell}, .act = change_meanwhile, .rig = &r};

    (void)state;
    search_rig_create_empty(&r, false);
    r.clock = &clock.clock;
    tree_write(r.tree, "standards/a.md", "A spy.\n");
    search_rig_start(&r); /* The first look: the change comes during it. */
    CHECK(search_settle(r.search, INT64_MAX));
    search_rig_finds(&r, "zebra", "late.md");
    CHECK_INT((int)search_rig_status(&r).builds, 2);
    CHECK_INT((int)search_rig_status(&r).index.generation, 2);
    search_rig_destroy(&r);
}

static void
stop_meanwhile(struct stamping_clock *c)
{
    atomic_store(&c->stop, true);
}

static void
a_build_can_be_stopped(void **state)
{
    struct tree *tree = tree_create();
    struct stamping_clock clock = {.clock = {no_time, act_then_tell}, .act = stop_meanwhile};
    const struct dir_place standards = {tree_dir(tree), "standards"};
    struct search_place place = {
        .standards = &standards, .clock = &clock.clock, .stop = &clock.stop};
    struct search_store *store;
    struct search_look told;
    struct fault f = FAULT_INIT;
    struct dir_list list;

    (void)state;
    tree_write(tree, "standards/a.md", "A spy.\n");
    CHECK_INT(dir_sub(tree_dir(tree), "index", true, &place.index, &f), E_OK);
    /* When all is ready but for the disk; */
    CHECK_INT(search_look(&place, NULL, 1, &store, &told, &f), E_CANCELLED);
    CHECK(!store);
    search_look_fini(&told);
    /* and before a file is read. */
    CHECK_INT(search_look(&place, NULL, 1, &store, &told, &f), E_CANCELLED);
    CHECK_INT((int)told.files, 0);
    search_look_fini(&told);
    CHECK_INT(dir_list(place.index, ".", 10, &list, NULL), E_OK);
    CHECK_INT(list.count, 0);
    CHECK_INT((int)dir_sweep(place.index), 0); /* Nor is half of one left. */
    dir_list_fini(&list);
    dir_unref(place.index);
    tree_destroy(tree);
}

/* What SQLite does in one go is stopped as well. */
static void
a_long_statement_can_be_stopped(void **state)
{
    _Atomic bool stop = true;
    struct fault f = FAULT_INIT;
    sqlite3 *db;

    (void)state;
    CHECK_INT(sql_open(":memory:", true, &db, &f), E_OK);
    sql_heed(db, &stop);
    CHECK_INT(sql_run(db,
                      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
                      " SELECT max(i) FROM n",
                      &f),
              E_CANCELLED);
    sql_heed(db, NULL);
    CHECK_INT(sql_run(db, "SELECT 1", &f), E_OK);
    sql_close(db);
}

static void
it_ends_while_it_builds(void **state)
{
    struct search_rig r;
    char path[64];

    (void)state;
    search_rig_create_empty(&r, true);
    for (int i = 0; i < 500; i++) {
        snprintf(path, sizeof path, "standards/%d.md", i);
        tree_write(r.tree, path, "# One of many\n\nWith a word or two.\n");
    }
    search_rig_open(&r);
    CHECK_INT(search_prepare(r.search, NULL), E_OK);
    CHECK_INT(search_start(r.search, NULL), E_OK);
    search_rig_destroy(&r); /* At once: wherever it is. */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_followed),
        cmocka_unit_test(what_cannot_be_read_keeps_its_last_passages),
        cmocka_unit_test(without_standards_there_is_no_index),
        cmocka_unit_test(that_there_is_no_standard_is_told),
        cmocka_unit_test(nothing_new_is_no_generation),
        cmocka_unit_test(what_cannot_be_read_is_told_once),
        cmocka_unit_test(what_is_too_large_is_skipped),
        cmocka_unit_test_setup_teardown(what_may_not_be_read_keeps_its_last_passages,
                                        search_rig_be_nobody, search_rig_be_oneself),
        cmocka_unit_test_setup_teardown(what_was_not_to_be_read_is_tried_again,
                                        search_rig_be_nobody, search_rig_be_oneself),
        cmocka_unit_test(a_change_during_a_build_causes_another),
        cmocka_unit_test(a_build_can_be_stopped),
        cmocka_unit_test(a_long_statement_can_be_stopped),
        cmocka_unit_test(it_ends_while_it_builds),
    };
    return CHECK_RUN(tests);
}
