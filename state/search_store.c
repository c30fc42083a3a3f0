/* search_store.c -- a finished generation: finding it on disk, its connections, its end. */
#include "state/search_store.h"

#include "state/base/log.h"
#include "state/search_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

LOG_MODULE("search");

#define FILES_MAX 10000u /* In the index' folder. */

/* ---- Connections ---- */

static void
free_reader(struct search_reader *r)
{
    if (r) {
        sqlite3_finalize(r->find_word);
        sqlite3_finalize(r->read_words);
        sqlite3_finalize(r->read_document);
        sqlite3_finalize(r->read_chunk);
        words_destroy(r->words);
        buf_fini(&r->room);
        sql_close(r->db);
        free(r);
    }
}

char *
search_path(const struct dir *dir, const char *name)
{
    return xasprintf("/proc/self/fd/%d/%s", dir_fd(dir), name);
}

static enum err
connect_to(const struct search_store *store, sqlite3 **db, struct fault *f)
{
    char *path = store->image ? xstrdup(":memory:") : search_path(store->dir, store->file);
    enum err err = sql_open(path, store->image != NULL, db, f);

    if (!err && store->image) { /* All connections read the one image. */
        sqlite3_int64 size = (sqlite3_int64)store->info.bytes;
        if (sqlite3_deserialize(*db, "main", store->image, size, size,
                                SQLITE_DESERIALIZE_READONLY) != SQLITE_OK) {
            err = sql_fault(*db, f);
            sql_close(*db);
        }
    }
    free(path);
    return err;
}

enum err
search_words_of(sqlite3 *db, struct words **words, struct fault *f)
{
    sqlite3_stmt *ask = NULL;
    bool row = false, stems;
    enum err err = sql_prepare(db, "SELECT 1 FROM meta WHERE key = 'as_written'", &ask, f);

    err = err ? err : sql_step(ask, &row, f);
    stems = !row;
    sqlite3_finalize(ask);
    return err ? err : words_create(db, stems, words, f);
}

static enum err
make_reader(const struct search_store *store, struct search_reader **reader, struct fault *f)
{
    struct search_reader *r = xcalloc(1, sizeof *r);
    enum err err = connect_to(store, &r->db, f);

    if (err) {
        free(r);
        return err;
    }
    err = sql_run(r->db, "BEGIN", f); /* For good: nothing changes, and each query costs less. */
    err = err ? err : search_words_of(r->db, &r->words, f);
    err = err ? err
              : sql_prepare(r->db, "SELECT passages, documents FROM words WHERE hash = ?1",
                            &r->find_word, f);
    err = err ? err
              : sql_prepare(r->db,
                            "SELECT w.words, w.file, w.ordinal, f.path FROM chunk_words w"
                            " JOIN files f ON f.id = w.file WHERE w.chunk = ?1",
                            &r->read_words, f);
    err = err ? err
              : sql_prepare(r->db, "SELECT words, length FROM files WHERE id = ?1",
                            &r->read_document, f);
    err = err ? err
              : sql_prepare(r->db,
                            "SELECT f.path, f.title, c.ordinal, c.line, c.phase, c.path, c.text"
                            " FROM chunks c JOIN files f ON f.id = c.file WHERE c.id = ?1",
                            &r->read_chunk, f);
    if (err) {
        free_reader(r);
        return err == E_INTERNAL ? fault_set(f, E_REFUSED, "this is no index of this format") : err;
    }
    *reader = r;
    return E_OK;
}

enum err
search_reader_take(struct search_store *store, struct search_reader **reader, struct fault *f)
{
    struct search_reader *r;

    LOCK(SEARCH_READERS, &store->lock);
    r = store->idle;
    if (r) {
        store->idle = r->next;
        store->idle_count--;
    }
    UNLOCK(SEARCH_READERS, &store->lock);
    *reader = r;
    return r ? E_OK : make_reader(store, reader, f);
}

void
search_reader_give(struct search_store *store, struct search_reader *reader)
{
    bool keep;

    LOCK(SEARCH_READERS, &store->lock);
    keep = store->idle_count < SEARCH_READERS_KEPT;
    if (keep) {
        reader->next = store->idle;
        store->idle = reader;
        store->idle_count++;
    }
    UNLOCK(SEARCH_READERS, &store->lock);
    if (!keep) {
        free_reader(reader);
    }
}

/* ---- The store ---- */

UNSHARED static void
free_store(struct search_store *s)
{
    while (s->idle) {
        struct search_reader *r = s->idle;

        s->idle = r->next;
        free_reader(r);
    }
    if (s->file && atomic_load(&s->superseded)) {
        unlinkat(dir_fd(s->dir), s->file, 0); /* What stays is removed at the next start. */
    }
    lock_fini(&s->lock);
    spellings_free(s->spellings);
    sqlite3_free(s->image);
    dir_unref(s->dir);
    free(s->file);
    free(s);
}

struct search_store *
search_store_ref(struct search_store *store)
{
    atomic_fetch_add_explicit(&store->refs, 1, memory_order_relaxed);
    return store;
}

void
search_store_unref(struct search_store *store)
{
    if (store && atomic_fetch_sub_explicit(&store->refs, 1, memory_order_acq_rel) == 1) {
        free_store(store);
    }
}

void
search_store_supersede(struct search_store *store)
{
    atomic_store(&store->superseded, true);
}

const struct search_store_info *
search_store_info(const struct search_store *store)
{
    return &store->info;
}

/* What a generation says of itself; E_REFUSED if it is not whole, or of another format. */
static enum err
read_info(sqlite3 *db, struct search_store_info *info, struct fault *f)
{
    sqlite3_stmt *ask = NULL;
    bool row = false;
    enum err err = sql_prepare(
        db,
        "SELECT (SELECT value FROM meta WHERE key = 'format'),"
        " (SELECT value FROM meta WHERE key = 'generation'),"
        " (SELECT value FROM meta WHERE key = 'built_ms'),"
        " (SELECT value FROM meta WHERE key = 'length'),"
        " (SELECT count(*) FROM files), (SELECT count(*) FROM chunks),"
        " (SELECT count(*) FROM words), (SELECT page_count * page_size FROM pragma_page_count,"
        " pragma_page_size), (SELECT value FROM meta WHERE key = 'document_length')",
        &ask, f);

    err = err ? err : sql_step(ask, &row, f);
    if (!err && (!row || sqlite3_column_int64(ask, 0) != SEARCH_FORMAT)) {
        err = fault_set(f, E_REFUSED, "the index is of another format");
    }
    if (!err) {
        info->generation = (uint64_t)sqlite3_column_int64(ask, 1);
        info->built_ms = sqlite3_column_int64(ask, 2);
        info->files = (uint64_t)sqlite3_column_int64(ask, 4);
        info->passages = (uint64_t)sqlite3_column_int64(ask, 5);
        info->words = (uint64_t)sqlite3_column_int64(ask, 6);
        info->bytes = (uint64_t)sqlite3_column_int64(ask, 7);
        info->mean_length =
            info->passages ? sqlite3_column_double(ask, 3) / (double)info->passages : 1;
        info->mean_length = info->mean_length > 0 ? info->mean_length : 1;
        info->document_length =
            info->files ? sqlite3_column_double(ask, 8) / (double)info->files : 1;
        info->document_length = info->document_length > 0 ? info->document_length : 1;
    }
    sqlite3_finalize(ask);
    return err;
}

enum err
search_store_make(struct dir *dir, char *file, unsigned char *image, size_t size,
                  struct search_store **store, struct fault *f)
{
    struct search_store *s = xcalloc(1, sizeof *s);
    struct search_reader *reader = NULL;
    enum err err;

    atomic_init(&s->refs, 1);
    lock_init(&s->lock, RANK_SEARCH_READERS);
    s->dir = file ? dir_ref(dir) : NULL;
    s->file = file;
    s->image = image;
    s->info.bytes = size;
    err = search_reader_take(s, &reader, f);
    if (!err) {
        err = read_info(reader->db, &s->info, f);
        err = err ? err : spellings_load(reader->db, &s->spellings, f);
        s->info.on_disk = file != NULL;
        search_reader_give(s, reader);
    }
    if (err) {
        search_store_unref(s);
        s = NULL;
    }
    *store = s;
    return err == E_INTERNAL ? fault_set(f, E_REFUSED, "this is no index of this format") : err;
}

char *
search_file(const char *name, uint64_t generation)
{
    return xasprintf("%s-%" PRIu64 ".db", name, generation);
}

/* The number in "<name>-<number>.db"; 0 for another name. */
static uint64_t
generation_of(const char *file, const char *name)
{
    size_t len = strlen(name);
    uint64_t number;
    int end = 0;

    if (strncmp(file, name, len) != 0 ||
        sscanf(file + len, "-%20" SCNu64 ".db%n", &number, &end) != 1 || !end ||
        file[len + (size_t)end]) {
        return 0;
    }
    return number;
}

/* The highest generation of 'name' below 'below' that there is a file for; 0: none. */
static uint64_t
find_newest(const struct dir *dir, const char *name, uint64_t below)
{
    struct dir_list list;
    uint64_t best = 0;

    if (dir_list(dir, ".", FILES_MAX, &list, NULL) != E_OK) {
        return 0;
    }
    for (size_t i = 0; i < list.count; i++) {
        uint64_t number = generation_of(list.entries[i].name, name);

        best = number > best && number < below ? number : best;
    }
    dir_list_fini(&list);
    return best;
}

enum err
search_store_open(struct dir *dir, const char *name, struct search_store **store, struct fault *f)
{
    uint64_t number = UINT64_MAX;
    enum err err = E_OK;

    *store = NULL;
    while (!err && (number = find_newest(dir, name, number)) != 0) {
        char *file = search_file(name, number);
        bool old = *store != NULL;

        if (!old) {
            err = search_store_make(dir, xstrdup(file), NULL, 0, store, f);
        }
        if (err == E_REFUSED || err == E_IO) { /* It is a cache: no use in knowing why. */
            log_warn("an index that cannot be used is thrown away", F_STR("file", file),
                     F_STR("why", f->text));
            err = E_OK;
        }
        if (!err && (old || !*store)) {
            unlinkat(dir_fd(dir), file, 0);
        }
        free(file);
    }
    return err || *store ? err : fault_set(f, E_NOT_FOUND, "there is no index yet");
}
