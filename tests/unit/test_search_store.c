/* test_search_store.c -- generations: what is built step by step equals what is built at once; what
 * is damaged is thrown away; files go with their last user. */
#include "state/search_find.h"
#include "state/search_private.h"
#include "tests/check.h"
#include "tests/tree.h"

#include <stdio.h>

#define DOCUMENTS 12u

struct document {
    bool there;
    char path[32], stamp[32];
    char text[512];
};

static uint64_t seed = 88172645463325252u;

static unsigned
any(unsigned below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed % below);
}

static void
write_document(struct document *d, unsigned number, unsigned version)
{
    static const char *const words[] = {"lock", "thread", "retryPolicy", "queue", "the", "writes",
                                        "Über", "cache",  "n+1",         "test",  "and", "fails"};
    size_t at = 0;

    d->there = true;
    snprintf(d->path, sizeof d->path, "topic%u/file-%u.md", number % 3, number);
    snprintf(d->stamp, sizeof d->stamp, "%u", version);
    at += (size_t)snprintf(d->text, sizeof d->text, "# Title %s\n\n", words[any(12)]);
    for (unsigned i = 0; i < 40; i++) {
        at += (size_t)snprintf(d->text + at, sizeof d->text - at, "%s%s",
                               any(8) ? "" : "\n\n## Phase 2 part\n", words[any(12)]);
        at += (size_t)snprintf(d->text + at, sizeof d->text - at, " ");
    }
}

static struct search_store *
build(struct dir *dir, uint64_t number, struct search_store *old, struct document *documents)
{
    struct search_builder *b;
    struct search_store *store;
    struct fault f = FAULT_INIT;

    CHECK_INT(search_builder_begin(dir, "test", number, old, &b, &f), E_OK);
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        const struct document *d = &documents[i];

        if (d->there && !search_builder_keep(b, d->path, d->stamp)) {
            CHECK_INT(search_builder_put(b, d->path, d->stamp, slice_of(d->text), &f), E_OK);
        }
    }
    CHECK_INT(search_builder_end(b, 1000, &store, &f), E_OK);
    return store;
}

/* All that a generation knows, as text, but for what numbers rows have. */
static char *
shown(struct search_store *store)
{
    static const char *const asks[] = {
        "SELECT path || '|' || stamp || '|' || title || '|' || tags || '|' || length || '|'"
        " || hex(words) FROM files ORDER BY path",
        "SELECT f.path || '|' || c.ordinal || '|' || c.line || '|' || ifnull(c.phase, '-') || '|'"
        " || c.path || '|' || c.more || '|' || c.sample || c.text || hex(w.words) FROM chunks c"
        " JOIN files f ON f.id = c.file JOIN chunk_words w ON w.chunk = c.id AND w.file = f.id"
        " AND w.ordinal = c.ordinal ORDER BY f.path, c.ordinal",
        "SELECT t.tag || '|' || f.path || c.ordinal FROM tags t JOIN chunks c ON c.id = t.chunk"
        " JOIN files f ON f.id = c.file ORDER BY 1",
        "SELECT hash || '|' || passages || '|' || documents FROM words ORDER BY hash",
        "SELECT key || '|' || round(value, 3) FROM meta WHERE key LIKE '%length' ORDER BY key",
        "SELECT 'left ' || count(*) FROM chunk_words WHERE chunk NOT IN (SELECT id FROM chunks)",
        "SELECT 'lock ' || count(*) FROM passages WHERE passages MATCH 'lock'",
        "SELECT 'retry ' || count(*) FROM passages WHERE passages MATCH 'body : retry'",
    };
    struct search_reader *reader;
    struct buf out = BUF_INIT;
    struct fault f = FAULT_INIT;

    CHECK_INT(search_reader_take(store, &reader, &f), E_OK);
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
        sqlite3_stmt *ask;
        bool row = true;

        CHECK_INT(sql_prepare(reader->db, asks[i], &ask, &f), E_OK);
        while (row) {
            CHECK_INT(sql_step(ask, &row, &f), E_OK);
            if (row) {
                buf_add_slice(&out, sql_slice(ask, 0));
                buf_addc(&out, '\n');
            }
        }
        sqlite3_finalize(ask);
    }
    search_reader_give(store, reader);
    return buf_steal(&out);
}

static void
check_equal(struct search_store *a, struct search_store *b)
{
    char *x = shown(a), *y = shown(b);

    CHECK_STR(x, y);
    free(x);
    free(y);
}

static void
steps_equal_a_whole(struct dir *dir)
{
    struct document documents[DOCUMENTS] = {{.there = false}};
    struct search_store *old = NULL;

    for (unsigned round = 1; round <= 30; round++) {
        struct search_store *next, *whole;

        for (unsigned i = any(4); i < DOCUMENTS; i += 1 + any(6)) {
            if (any(4)) {
                write_document(&documents[i], i, round);
            } else {
                documents[i].there = false;
            }
        }
        next = build(dir, round, old, documents);
        whole = build(NULL, 1, NULL, documents);
        if (next) {
            CHECK(search_store_info(next)->generation == round);
            check_equal(next, whole);
            if (old) {
                search_store_supersede(old);
            }
            search_store_unref(old);
            old = next;
        } else {
            check_equal(old, whole); /* Nothing had changed. */
        }
        search_store_unref(whole);
    }
    search_store_unref(old);
}

static void
steps_equal_a_whole_in_memory(void **state)
{
    (void)state;
    steps_equal_a_whole(NULL);
}

static size_t
count_files(const struct tree *tree)
{
    struct dir_list list;
    size_t count;

    CHECK_INT(dir_list(tree_dir(tree), ".", 100, &list, NULL), E_OK);
    count = list.count;
    dir_list_fini(&list);
    return count;
}

static void
steps_equal_a_whole_on_disk(void **state)
{
    struct tree *tree = tree_create();

    (void)state;
    steps_equal_a_whole(tree_dir(tree));
    CHECK_INT(count_files(tree), 1); /* Those that were superseded have gone. */
    tree_destroy(tree);
}

static void
nothing_changed_makes_nothing(void **state)
{
    struct document documents[DOCUMENTS] = {{.there = false}};
    struct search_store *first;

    (void)state;
    write_document(&documents[3], 3, 1);
    first = build(NULL, 1, NULL, documents);
    CHECK(first != NULL);
    CHECK(build(NULL, 2, first, documents) == NULL);
    search_store_unref(first);
}

static void
what_is_left_is_opened(void **state)
{
    struct tree *tree = tree_create();
    struct document documents[DOCUMENTS] = {{.there = false}};
    struct search_store *made, *next, *opened;
    struct fault f = FAULT_INIT;

    (void)state;
    CHECK_INT(search_store_open(tree_dir(tree), "test", &opened, &f), E_NOT_FOUND);
    write_document(&documents[1], 1, 1);
    made = build(tree_dir(tree), 1, NULL, documents);
    write_document(&documents[2], 2, 1);
    next = build(tree_dir(tree), 2, made, documents);
    CHECK_INT(search_store_open(tree_dir(tree), "test", &opened, &f), E_OK);
    CHECK(search_store_info(opened)->generation == 2);
    CHECK(search_store_info(opened)->on_disk);
    check_equal(next, opened);
    CHECK_INT(count_files(tree), 1); /* The older one is of no use any more. */
    search_store_unref(made);
    search_store_unref(next);
    search_store_unref(opened);
    tree_destroy(tree);
}

static void
damage_is_thrown_away(void **state)
{
    struct tree *tree = tree_create();
    struct document documents[DOCUMENTS] = {{.there = false}};
    struct search_store *made, *opened;
    struct fault f = FAULT_INIT;

    (void)state;
    write_document(&documents[1], 1, 1);
    made = build(tree_dir(tree), 4, NULL, documents);
    search_store_unref(made);
    tree_write(tree, "test-5.db", "this is no database");
    tree_write(tree, "test-6.db", "");
    tree_write(tree, "test-7x.db", "not ours");
    tree_write(tree, "other-9.db", "nor this");
    CHECK_INT(search_store_open(tree_dir(tree), "test", &opened, &f), E_OK);
    CHECK(search_store_info(opened)->generation == 4);
    CHECK_INT(count_files(tree), 3);
    search_store_unref(opened);
    tree_destroy(tree);
}

static void
a_folder_that_cannot_be_written(void **state)
{
    struct tree *tree = tree_create();
    struct dir *gone;
    struct search_builder *b;
    struct fault f = FAULT_INIT;

    (void)state;
    tree_mkdir(tree, "gone");
    CHECK_INT(dir_sub(tree_dir(tree), "gone", false, &gone, &f), E_OK);
    tree_remove(tree, "gone");
    CHECK_INT(search_builder_begin(gone, "test", 1, NULL, &b, &f), E_IO);
    CHECK(strstr(f.text, "the index") != NULL);
    dir_unref(gone);
    tree_destroy(tree);
}

static void
a_document_that_cannot_be_read_stays(void **state)
{
    struct document documents[DOCUMENTS] = {{.there = false}};
    struct search_store *first, *second;
    struct search_builder *b;
    struct fault f = FAULT_INIT;

    (void)state;
    write_document(&documents[1], 1, 1);
    write_document(&documents[2], 2, 1);
    first = build(NULL, 1, NULL, documents);
    CHECK_INT(search_builder_begin(NULL, "test", 2, first, &b, &f), E_OK);
    CHECK(search_builder_keep(b, documents[1].path, NULL));
    CHECK(!search_builder_keep(b, "another.md", NULL));
    CHECK_INT(search_builder_end(b, 0, &second, &f), E_OK);
    CHECK_INT(search_store_info(second)->files, 1);
    search_store_unref(first);
    search_store_unref(second);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_equal_a_whole_in_memory),
        cmocka_unit_test(steps_equal_a_whole_on_disk),
        cmocka_unit_test(nothing_changed_makes_nothing),
        cmocka_unit_test(what_is_left_is_opened),
        cmocka_unit_test(damage_is_thrown_away),
        cmocka_unit_test(a_folder_that_cannot_be_written),
        cmocka_unit_test(a_document_that_cannot_be_read_stays),
    };
    return CHECK_RUN(tests);
}
