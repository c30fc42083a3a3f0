/* test_search_disk.c -- the index on disk is a cache: damaged, lost or unwritable, search goes on,
 * and it heals. */
#include "state/base/sql.h"
#include "tests/check.h"
#include "tests/search_rig.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOUR_NS INT64_C(3600000000000)

/* Does something to the one file of the index, as a failing disk would. */
static void
damage_index(const struct search_rig *r, void (*damage)(int fd, off_t size))
{
    struct dir_list list;
    struct stat st;
    char *path;
    int fd;

    CHECK_INT(dir_list(tree_dir(r->tree), "index", 10, &list, NULL), E_OK);
    CHECK_INT(list.count, 1);
    path = xasprintf("index/%s", list.entries[0].name);
    fd = dir_open_at(tree_dir(r->tree), path, O_WRONLY, 0);
    CHECK(fd >= 0);
    CHECK_INT(fstat(fd, &st), 0);
    damage(fd, st.st_size);
    close(fd);
    free(path);
    dir_list_fini(&list);
}

static void
overwrite(int fd, off_t from, off_t to)
{
    char junk[4096];

    memset(junk, 0x5A, sizeof junk);
    for (off_t at = from; at < to; at += (off_t)sizeof junk) {
        CHECK(pwrite(fd, junk, sizeof junk, at) == (ssize_t)sizeof junk);
    }
}

static void
make_garbage(int fd, off_t size)
{
    overwrite(fd, 0, size);
}

static void
spoil_all_but_the_head(int fd, off_t size)
{
    overwrite(fd, 8192, size);
}

static void
cut_in_half(int fd, off_t size)
{
    CHECK_INT(ftruncate(fd, size / 2), 0);
}

static void
empty(int fd, off_t size)
{
    (void)size;
    CHECK_INT(ftruncate(fd, 0), 0);
}

static void (*const damages[])(int fd, off_t size) = {make_garbage, spoil_all_but_the_head,
                                                      cut_in_half, empty};
#define DAMAGES (sizeof damages / sizeof damages[0])

/* Asks until an index answers; every answer is right, whichever way it was found. */
static void
expect_healed(struct search_rig *r)
{
    char query[64];

    for (unsigned i = 0; i < 3; i++) {
        snprintf(query, sizeof query, "mutex try%u", i);
        search_rig_finds(r, query, "locks.md");
        snprintf(query, sizeof query, "records try%u", i);
        search_rig_finds(r, query, "tests/doubles.md");
        CHECK(search_settle(r->search, INT64_MAX));
    }
    CHECK(search_rig_status(r).ready);
    CHECK(search_rig_status(r).index.on_disk);
    CHECK_INT((int)search_rig_status(r).index.files, 2);
    search_rig_expect_one_generation(r);
}

static void
an_index_damaged_in_use_heals(void **state)
{
    (void)state;
    for (size_t i = 0; i < DAMAGES; i++) {
        struct search_rig r;

        search_rig_create(&r, true);
        damage_index(&r, damages[i]);
        search_rig_follow(&r);
        expect_healed(&r);
        /* Also when it is to be built upon. */
        damage_index(&r, damages[i]);
        tree_write(r.tree, "standards/locks.md", "# Locks\n\nAnother mutex.\n");
        search_rig_follow(&r);
        expect_healed(&r);
        search_rig_destroy(&r);
    }
}

static void
an_index_found_damaged_heals(void **state)
{
    (void)state;
    for (size_t i = 0; i < DAMAGES; i++) {
        struct search_rig r;

        search_rig_create(&r, true);
        search_destroy(r.search);
        damage_index(&r, damages[i]);
        search_rig_start(&r);
        expect_healed(&r);
        search_rig_destroy(&r);
    }
}

static void
make_unreadable(int fd, off_t size)
{
    (void)size;
    CHECK_INT(fchmod(fd, 0), 0);
}

static void
an_index_that_may_not_be_read_is_made_anew(void **state)
{
    struct search_rig r;

    (void)state;
    search_rig_create(&r, true);
    search_destroy(r.search);
    damage_index(&r, make_unreadable);
    search_rig_start(&r);
    expect_healed(&r);
    search_rig_destroy(&r);
}

static void
an_index_of_another_format_is_made_anew(void **state)
{
    struct search_rig r;
    struct dir_list list;
    struct fault f = FAULT_INIT;
    sqlite3 *db;
    char *path;

    (void)state;
    search_rig_create(&r, true);
    search_destroy(r.search);
    CHECK_INT(dir_list(tree_dir(r.tree), "index", 10, &list, NULL), E_OK);
    path = xasprintf("/proc/self/fd/%d/index/%s", dir_fd(tree_dir(r.tree)), list.entries[0].name);
    CHECK_INT(sql_open(path, true, &db, &f), E_OK);
    CHECK_INT(sql_run(db, "UPDATE meta SET value = 999999 WHERE key = 'format'", &f), E_OK);
    sql_close(db);
    free(path);
    dir_list_fini(&list);
    search_rig_start(&r);
    expect_healed(&r);
    search_rig_destroy(&r);
}

/* Somebody clears the data folder while the server runs. */
static void
an_index_folder_that_vanishes_is_made_again(void **state)
{
    struct search_rig r;

    (void)state;
    search_rig_create(&r, true);
    tree_remove(r.tree, "index");
    search_rig_finds(&r, "mutex", "locks.md"); /* Who has it open goes on. */
    tree_write(r.tree, "standards/new.md", "# New\n\nA zebra.\n");
    search_rig_follow(&r);
    search_rig_finds(&r, "zebra", "new.md");
    CHECK(search_rig_status(&r).index.on_disk);
    search_rig_expect_one_generation(&r);
    search_rig_destroy(&r);
}

static void
a_disk_that_cannot_be_written_is_tried_again(void **state)
{
    struct fake_clock clock;
    struct search_rig r;

    (void)state;
    fake_clock_init(&clock);
    search_rig_create_empty(&r, true);
    r.clock = &clock.clock;
    tree_write(r.tree, "standards/locks.md", "# Locks\n\nTake a mutex.\n");
    tree_mkdir(r.tree, "index");
    search_rig_set_mode(&r, "index", 0500); /* As on a disk that is read-only. */
    search_rig_start(&r);
    CHECK(!search_rig_status(&r).index.on_disk);
    CHECK(search_rig_status(&r).ready && !search_rig_status(&r).trouble[0]);
    search_rig_finds(&r, "mutex", "locks.md");
    search_rig_set_mode(&r, "index", 0700);
    search_rig_follow(&r); /* Not at once: it may cost a build each time. */
    CHECK(!search_rig_status(&r).index.on_disk);
    fake_clock_pass(&clock, HOUR_NS);
    search_rig_follow(&r);
    CHECK(search_rig_status(&r).index.on_disk);
    search_rig_finds(&r, "the mutex", "locks.md");
    search_rig_destroy(&r);
}

/* A file may not grow past 16 KiB: what a full disk does to an index. */
static void
fill_disk(struct rlimit *before)
{
    struct rlimit little;

    signal(SIGXFSZ, SIG_IGN);
    CHECK_INT(getrlimit(RLIMIT_FSIZE, before), 0);
    little = *before;
    little.rlim_cur = 16384;
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &little), 0);
}

static void
a_full_disk_does_not_stop_the_search(void **state)
{
    struct fake_clock clock;
    struct search_rig r;
    struct rlimit before;

    (void)state;
    fake_clock_init(&clock);
    search_rig_create_empty(&r, true);
    r.clock = &clock.clock;
    tree_write(r.tree, "standards/locks.md", "# Locks\n\nTake a mutex.\n");
    search_rig_start(&r);
    CHECK(search_rig_status(&r).index.on_disk);
    fill_disk(&before);
    tree_write(r.tree, "standards/locks.md", "# Locks\n\nUse a semaphore.\n");
    search_rig_follow(&r);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &before), 0);
    CHECK(!search_rig_status(&r).index.on_disk);
    search_rig_finds(&r, "semaphore", "locks.md");
    fake_clock_pass(&clock, HOUR_NS);
    search_rig_follow(&r);
    CHECK(search_rig_status(&r).index.on_disk);
    search_rig_finds(&r, "a semaphore", "locks.md");
    search_rig_destroy(&r);
}

static void
the_index_outlives_the_server(void **state)
{
    struct search_rig r;
    struct search_status before, after;

    (void)state;
    search_rig_create(&r, true);
    before = search_rig_status(&r);
    CHECK(before.index.on_disk);
    search_destroy(r.search);
    search_rig_start(&r);
    after = search_rig_status(&r);
    CHECK_INT((int)after.index.generation, (int)before.index.generation);
    CHECK_INT((int)after.index.built_ms, (int)before.index.built_ms);
    search_rig_finds(&r, "mutex", "locks.md");
    tree_write(r.tree, "standards/locks.md", "# Locks\n\nUse a semaphore.\n");
    search_rig_follow(&r);
    CHECK_INT((int)search_rig_status(&r).index.generation, (int)before.index.generation + 1);
    search_rig_finds(&r, "semaphore", "locks.md");
    search_rig_destroy(&r);
}

static void
without_a_place_it_lives_in_memory(void **state)
{
    struct search_rig r;

    (void)state;
    search_rig_create_empty(&r, true);
    tree_write(r.tree, "standards/locks.md", "# Locks\n\nTake a mutex.\n");
    tree_write(r.tree, "index", "a file where the folder should be\n");
    search_rig_start(&r);
    CHECK(!search_rig_status(&r).index.on_disk);
    search_rig_finds(&r, "mutex", "locks.md");
    search_rig_destroy(&r);
}

static void
before_it_is_started_files_are_read(void **state)
{
    struct search_rig r;
    struct search_answer answer;
    struct fault f = FAULT_INIT;

    (void)state;
    search_rig_create_empty(&r, true);
    tree_write(r.tree, "standards/locks.md", "# Locks\n\nTake a mutex.\n");
    search_rig_open(&r);
    CHECK_INT(search_rig_ask(&r, "mutex", &answer, &f), E_OK);
    CHECK(answer.scan && !answer.partial && !answer.cached);
    CHECK_INT(answer.hits->count, 1);
    search_release(r.search, &answer);
    search_rig_destroy(&r);
}

static void
the_prior_arts_flag_makes_it_anew(void **state)
{
    struct search_rig r;
    uint64_t before;

    (void)state;
    search_rig_create(&r, true);
    before = search_rig_status(&r).index.generation;
    search_destroy(r.search);
    tree_write(r.tree, "standards/.rebuild_index", "");
    search_rig_start(&r);
    CHECK(search_rig_status(&r).index.generation == before + 1);
    CHECK(!dir_is_file(tree_dir(r.tree), "standards/.rebuild_index"));
    expect_healed(&r);
    search_destroy(r.search);
    search_rig_start(&r);
    CHECK(search_rig_status(&r).index.generation == before + 1);
    search_rig_destroy(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_index_damaged_in_use_heals),
        cmocka_unit_test(an_index_found_damaged_heals),
        cmocka_unit_test_setup_teardown(an_index_that_may_not_be_read_is_made_anew,
                                        search_rig_be_nobody, search_rig_be_oneself),
        cmocka_unit_test(an_index_of_another_format_is_made_anew),
        cmocka_unit_test(an_index_folder_that_vanishes_is_made_again),
        cmocka_unit_test_setup_teardown(a_disk_that_cannot_be_written_is_tried_again,
                                        search_rig_be_nobody, search_rig_be_oneself),
        cmocka_unit_test(a_full_disk_does_not_stop_the_search),
        cmocka_unit_test(the_index_outlives_the_server),
        cmocka_unit_test(without_a_place_it_lives_in_memory),
        cmocka_unit_test(before_it_is_started_files_are_read),
        cmocka_unit_test(the_prior_arts_flag_makes_it_anew),
    };
    return CHECK_RUN(tests);
}
