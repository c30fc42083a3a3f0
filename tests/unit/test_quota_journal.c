/* test_quota_journal.c -- the files of quotas: what is read again, torn, damaged, expired, or
 * cannot be written. */
#include "tests/check.h"

#include "state/base/clock.h"
#include "state/quota_journal.h"
#include "state/quota_record.h"
#include "state/quota_rows.h"
#include "tests/threads.h"
#include "tests/tree.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>

#define NOW 1700000000000000000ll
#define DAY_NS (86400ll * 1000000000)

static struct quota_store *
open_store(struct tree *tree, int64_t wall_ns)
{
    struct quota_store *store;

    CHECK_INT(quota_journal_open(tree_dir(tree), wall_ns, &store, NULL), E_OK);
    return store;
}

static struct quota_add
add_of(const char *key, enum quota_period period, int64_t wall_ns, uint64_t used)
{
    struct quota_add add = {
        .id = 1,
        .window = quota_window_at(period, wall_ns),
        .day = quota_window_at(PERIOD_DAY, wall_ns).start,
        .more = {.used = used},
        .more_today = {.used = used},
    };

    snprintf(add.key, sizeof add.key, "%s", key);
    return add;
}

static enum err
put(struct quota_store *s, const char *key, enum quota_period period, uint64_t used)
{
    struct quota_add add = add_of(key, period, NOW, used);
    struct quota_total total;

    return s->class->add(s, &add, &total, NULL);
}

static uint64_t
get(struct quota_store *s, const char *key, enum quota_period period, int64_t wall_ns)
{
    struct quota_window window = quota_window_at(period, wall_ns);
    struct quota_total total;

    CHECK_INT(
        s->class->load(s, key, &window, quota_window_at(PERIOD_DAY, wall_ns).start, &total, NULL),
        E_OK);
    return quota_amounts_net(&total.window);
}

static void
records_come_back_or_not_at_all(void **state)
{
    struct quota_add add = add_of("tenant/service", PERIOD_MONTH, NOW, 77), back;
    unsigned char record[QUOTA_RECORD_SIZE];

    (void)state;
    add.id = 0xfedcba9876543210u;
    add.more.released = 3;
    for (int kind = 0; kind < RECORD_KIND_COUNT; kind++) {
        quota_record_put((enum quota_record_kind)kind, &add, record);
        CHECK(quota_record_get((enum quota_record_kind)kind, record, &back));
        CHECK(back.id == add.id && quota_window_same(&back.window, &add.window));
        CHECK(back.window.end == add.window.end && back.day == add.day);
        CHECK(back.more.used == 77 && back.more.released == 3 && back.more_today.used == 77);
        CHECK_STR(back.key, "tenant/service");
        CHECK(!quota_record_get((enum quota_record_kind)((kind + 1) % RECORD_KIND_COUNT), record,
                                &back));
        for (size_t bit = 0; bit < 8 * sizeof record; bit++) { /* Any bit that flips is seen. */
            record[bit / 8] ^= (unsigned char)(1 << bit % 8);
            CHECK(!quota_record_get((enum quota_record_kind)kind, record, &back));
            record[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
    }
    add.more.used = UINT64_MAX; /* Whole, but nothing that is ever written. */
    quota_record_put(RECORD_ADD, &add, record);
    CHECK(!quota_record_get(RECORD_ADD, record, &back));
}

static void
a_folder_is_made_when_it_is_needed(void **state)
{
    struct tree *tree = tree_create();
    struct quota_store *s = open_store(tree, NOW);

    (void)state;
    CHECK_INT(get(s, "/a", PERIOD_DAY, NOW), 0);
    CHECK_INT(s->class->flush(s, NULL), E_OK);
    CHECK_INT(s->class->sync(s, NOW, NULL), E_OK);
    CHECK(!dir_is_folder(tree_dir(tree), "quota"));
    CHECK_INT(put(s, "/a", PERIOD_DAY, 1), E_OK);
    CHECK(dir_is_file(tree_dir(tree), "quota/journal-0000000000000001"));
    CHECK_INT(s->class->flush(s, NULL), E_OK);
    CHECK_INT(s->class->sync(s, NOW, NULL), E_OK);
    CHECK(dir_is_file(tree_dir(tree), "quota/snapshot"));
    CHECK(!dir_is_file(tree_dir(tree), "quota/journal-0000000000000001"));
    CHECK_INT(s->class->sync(s, NOW, NULL), E_OK); /* Nothing to do: nothing is made. */
    CHECK(!dir_is_file(tree_dir(tree), "quota/journal-0000000000000002"));
    s->class->close(s);
    tree_destroy(tree);
}

static void
append_bytes(struct tree *tree, const char *path, const char *more, size_t len)
{
    struct buf text = BUF_INIT;

    CHECK_INT(dir_read(tree_dir(tree), path, 1 << 20, &text, NULL, NULL), E_OK);
    buf_add(&text, more, len);
    tree_write_bytes(tree, path, buf_slice(&text));
    buf_fini(&text);
}

/* A record that was torn is none; those before and after it are. */
static void
torn_records_are_skipped(void **state)
{
    static const char journal[] = "quota/journal-0000000000000001";
    struct quota_add add = add_of("/a", PERIOD_DAY, NOW, 5);
    unsigned char record[QUOTA_RECORD_SIZE];

    (void)state;
    quota_record_put(RECORD_ADD, &add, record);
    for (size_t torn = 0; torn < QUOTA_RECORD_SIZE; torn += 13) {
        struct tree *tree = tree_create();
        struct quota_store *s = open_store(tree, NOW);
        CHECK_INT(put(s, "/a", PERIOD_DAY, 2), E_OK);
        s->class->close(s);
        append_bytes(tree, journal, (const char *)record, torn);
        s = open_store(tree, NOW);
        CHECK_INT(get(s, "/a", PERIOD_DAY, NOW), 2);
        CHECK_INT(put(s, "/a", PERIOD_DAY, 1), E_OK); /* In a journal of its own. */
        s->class->close(s);
        append_bytes(tree, journal, (const char *)record, sizeof record);
        s = open_store(tree, NOW);
        CHECK_INT(get(s, "/a", PERIOD_DAY, NOW), 2 + 1 + 5);
        CHECK_INT(s->class->sync(s, NOW, NULL), E_OK);
        CHECK(!dir_is_file(tree_dir(tree), journal));
        s->class->close(s);
        s = open_store(tree, NOW);
        CHECK_INT(get(s, "/a", PERIOD_DAY, NOW), 8);
        s->class->close(s);
        tree_destroy(tree);
    }
}

/* More than one piece of it is read at a time. */
static void
long_journals_are_read(void **state)
{
    struct tree *tree = tree_create();
    struct quota_store *s = open_store(tree, NOW);

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        CHECK_INT(put(s, i % 3 ? "/a" : "/b", PERIOD_HOUR, 1), E_OK);
    }
    s->class->close(s);
    s = open_store(tree, NOW);
    CHECK_INT(get(s, "/a", PERIOD_HOUR, NOW) + get(s, "/b", PERIOD_HOUR, NOW), 1000);
    CHECK_INT(get(s, "/a", PERIOD_DAY, NOW), 666);
    s->class->close(s);
    tree_destroy(tree);
}

/* Where a snapshot is damaged, what is whole in it counts, and the file is kept. */
static void
a_damaged_snapshot_is_healed(void **state)
{
    (void)state;
    for (int where = 0; where < 2; where++) { /* Its head, or a row. */
        struct tree *tree = tree_create();
        struct quota_store *s = open_store(tree, NOW);
        struct buf text = BUF_INIT;
        struct dir_list list;
        struct dir *dir;
        uint64_t left;

        put(s, "/a", PERIOD_DAY, 4);
        put(s, "/b", PERIOD_DAY, 4);
        put(s, "/c", PERIOD_DAY, 4);
        CHECK_INT(s->class->sync(s, NOW, NULL), E_OK);
        put(s, "/a", PERIOD_DAY, 1);
        s->class->close(s);
        CHECK_INT(dir_read(tree_dir(tree), "quota/snapshot", 1 << 20, &text, NULL, NULL), E_OK);
        text.data[where ? QUOTA_RECORD_SIZE + 20 : 20] ^= 1;
        tree_write_bytes(tree, "quota/snapshot", buf_slice(&text));
        buf_fini(&text);
        for (int again = 0; again < 2; again++) {
            s = open_store(tree, NOW);
            left = get(s, "/a", PERIOD_DAY, NOW) + get(s, "/b", PERIOD_DAY, NOW) +
                   get(s, "/c", PERIOD_DAY, NOW);
            CHECK_INT(left, where ? 9 : 13);
            s->class->close(s);
        }
        CHECK_INT(dir_sub(tree_dir(tree), "quota", false, &dir, NULL), E_OK);
        CHECK_INT(dir_list(dir, ".", 10, &list, NULL), E_OK);
        CHECK(strncmp(list.entries[list.count - 1].name, "snapshot.corrupt-", 17) == 0);
        dir_list_fini(&list);
        dir_unref(dir);
        tree_destroy(tree);
    }
}

static void
counters_expire_a_week_after_their_window(void **state)
{
    struct tree *tree = tree_create();
    struct quota_store *s = open_store(tree, NOW);
    int64_t end = quota_window_at(PERIOD_DAY, NOW).end * 1000000000;

    (void)state;
    put(s, "/a", PERIOD_DAY, 4);
    CHECK_INT(s->class->sync(s, end + 7 * DAY_NS - 1, NULL), E_OK);
    CHECK_INT(get(s, "/a", PERIOD_DAY, NOW), 4);
    put(s, "/b", PERIOD_MONTH, 4); /* So that there is something to do. */
    CHECK_INT(s->class->sync(s, end + 7 * DAY_NS, NULL), E_OK);
    CHECK_INT(get(s, "/a", PERIOD_DAY, NOW), 0);
    CHECK_INT(get(s, "/b", PERIOD_MONTH, NOW), 4);
    s->class->close(s);
    s = open_store(tree, end + 60 * DAY_NS);
    CHECK_INT(get(s, "/b", PERIOD_MONTH, NOW), 0);
    s->class->close(s);
    tree_destroy(tree);
}

static void
the_oldest_rows_make_room(void **state)
{
    struct quota_rows *rows = quota_rows_create();
    struct quota_total total;
    struct quota_window window;

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        struct quota_add add = add_of("/a", PERIOD_MINUTE, NOW + i * 60000000000ll, 1);
        quota_rows_add(rows, PART_EVEN, &add, &total);
    }
    CHECK_INT(quota_rows_count(rows), 101 + (total.today.used < 100)); /* And of the day. */
    quota_rows_expire(rows, 0, 50);
    CHECK_INT(quota_rows_count(rows), 50);
    window = quota_window_at(PERIOD_MINUTE, NOW + 99 * 60000000000ll);
    quota_rows_load(rows, "/a", &window, quota_window_at(PERIOD_DAY, NOW).start, &total);
    CHECK_INT(total.window.used, 1);
    quota_rows_destroy(rows);
    quota_rows_destroy(NULL);
}

struct writers {
    struct quota_store *store;
    atomic_uint bad;
};

static void
add_or_sync(void *arg, unsigned number)
{
    struct writers *w = arg;

    for (unsigned i = 0; i < 50; i++) {
        enum err err = number == 0 ? w->store->class->sync(w->store, NOW, NULL)
                       : number == 1 && i % 2
                           ? E_OK
                           : put(w->store, number % 2 ? "/a" : "/b", PERIOD_DAY, 1);
        atomic_fetch_add(&w->bad, err != E_OK);
    }
}

/* While adders go on, each sync turns them to the next file and loses nothing. */
static void
adders_are_turned_to_the_next_file(void **state)
{
    struct tree *tree = tree_create();
    struct writers w = {.store = open_store(tree, NOW)};

    (void)state;
    threads_run(9, add_or_sync, &w);
    CHECK_INT(w.bad, 0);
    for (int again = 0; again < 2; again++) {
        CHECK_INT(get(w.store, "/a", PERIOD_DAY, NOW), 3 * 50 + 25);
        CHECK_INT(get(w.store, "/b", PERIOD_DAY, NOW), 4 * 50);
        w.store->class->close(w.store);
        w.store = open_store(tree, NOW);
    }
    w.store->class->close(w.store);
    tree_destroy(tree);
}

/* A disk that is full in the middle of a record: the add failed, and does not count later. */
static void
a_full_disk_is_an_error(void **state)
{
    struct tree *tree = tree_create();
    struct quota_store *s = open_store(tree, NOW);
    struct rlimit old, small;

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    CHECK_INT(put(s, "/a", PERIOD_DAY, 1), E_OK);
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = QUOTA_RECORD_SIZE * 3 / 2;
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &small), 0);
    CHECK_INT(put(s, "/a", PERIOD_DAY, 10), E_IO);
    CHECK_INT(put(s, "/a", PERIOD_DAY, 10), E_IO);
    CHECK(s->class->sync(s, NOW, NULL) != E_OK); /* The snapshot has no room either. */
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &old), 0);
    CHECK_INT(get(s, "/a", PERIOD_DAY, NOW), 1);
    CHECK_INT(put(s, "/a", PERIOD_DAY, 2), E_OK);
    s->class->close(s);
    s = open_store(tree, NOW);
    CHECK_INT(get(s, "/a", PERIOD_DAY, NOW), 3);
    CHECK_INT(s->class->sync(s, NOW, NULL), E_OK);
    s->class->close(s);
    s = open_store(tree, NOW);
    CHECK_INT(get(s, "/a", PERIOD_DAY, NOW), 3);
    s->class->close(s);
    tree_destroy(tree);
}

static void
where_no_folder_can_be_nothing_is_counted(void **state)
{
    struct tree *tree = tree_create();
    struct quota_store *s = open_store(tree, NOW);

    (void)state;
    tree_write(tree, "quota", "in the way");
    CHECK(put(s, "/a", PERIOD_DAY, 1) != E_OK);
    CHECK_INT(get(s, "/a", PERIOD_DAY, NOW), 0);
    tree_remove(tree, "quota");
    CHECK_INT(put(s, "/a", PERIOD_DAY, 1), E_OK);
    s->class->close(s);
    tree_destroy(tree);
}

/* Files of a folder that are not ours stay; a journal that a snapshot covers is not counted again.
 */
/* What stands in the place of a file, and is none, is told and not passed over: counts would be
 * forgotten. */
static void
what_is_no_file_is_an_error(void **state)
{
    static const char *const names[] = {"quota/snapshot", "quota/journal-0000000000000001"};
    struct tree *tree = tree_create();
    struct quota_store *store;
    struct fault f = FAULT_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        tree_mkdir(tree, names[i]);
        CHECK(quota_journal_open(tree_dir(tree), NOW, &store, &f) != E_OK);
        CHECK(f.code != E_OK && f.text[0]);
        tree_remove(tree, names[i]);
    }
    store = open_store(tree, NOW);
    tree_mkdir(tree, names[1]); /* Where its first file is to be. */
    CHECK_INT(put(store, "t/a", PERIOD_DAY, 1), E_IO);
    tree_remove(tree, names[1]);
    CHECK_INT(put(store, "t/a", PERIOD_DAY, 2), E_OK);
    CHECK_INT(get(store, "t/a", PERIOD_DAY, NOW), 2);
    store->class->close(store);
    store = open_store(tree, NOW);
    CHECK_INT(get(store, "t/a", PERIOD_DAY, NOW), 2);
    store->class->close(store);
    tree_destroy(tree);
}

static void
covered_journals_are_removed(void **state)
{
    struct tree *tree = tree_create();
    struct quota_add add = add_of("/a", PERIOD_DAY, NOW, 5);
    unsigned char record[QUOTA_RECORD_SIZE];
    struct quota_store *s = open_store(tree, NOW);

    (void)state;
    quota_record_put(RECORD_ADD, &add, record);
    CHECK_INT(put(s, "/a", PERIOD_DAY, 5), E_OK);
    CHECK_INT(s->class->sync(s, NOW, NULL), E_OK);
    s->class->close(s);
    tree_write_bytes(tree, "quota/journal-0000000000000001",
                     (struct slice){(const char *)record, sizeof record});
    tree_write(tree, "quota/journal-notes", "mine");
    s = open_store(tree, NOW);
    CHECK_INT(get(s, "/a", PERIOD_DAY, NOW), 5);
    CHECK(!dir_is_file(tree_dir(tree), "quota/journal-0000000000000001"));
    CHECK(dir_is_file(tree_dir(tree), "quota/journal-notes"));
    s->class->close(s);
    tree_destroy(tree);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back_or_not_at_all),
        cmocka_unit_test(a_folder_is_made_when_it_is_needed),
        cmocka_unit_test(torn_records_are_skipped),
        cmocka_unit_test(long_journals_are_read),
        cmocka_unit_test(a_damaged_snapshot_is_healed),
        cmocka_unit_test(counters_expire_a_week_after_their_window),
        cmocka_unit_test(the_oldest_rows_make_room),
        cmocka_unit_test(adders_are_turned_to_the_next_file),
        cmocka_unit_test(a_full_disk_is_an_error),
        cmocka_unit_test(where_no_folder_can_be_nothing_is_counted),
        cmocka_unit_test(what_is_no_file_is_an_error),
        cmocka_unit_test(covered_journals_are_removed),
    };

    return CHECK_RUN(tests);
}
