/* search_build.c -- makes a generation from the one before it.
 *
 * DESIGN.  The old database is copied, and what has changed since is taken out of it and put in
 * again; so an edit costs what it changes, and a copy.  FTS5 keeps no copy of its texts: to take a
 * passage out it is told what was put in, made again from the chunk. */
#include "state/search_builder.h"
#include "state/search_chunk.h"
#include "state/search_tags.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Words ---- */

static bool
add_hash(void *arg, const struct word *word)
{
    struct search_builder *b = arg;

    buf_add(&b->hashes, &word->hash, sizeof word->hash);
    spelling_note(&b->spellings, word);
    return true;
}

/* Puts the stored form of the words in b->fields into b->hashes. */
static enum err
hash_fields(struct search_builder *b, struct fault *f)
{
    uint32_t counts[FIELD_COUNT] = {0};
    bool good = true;

    buf_reset(&b->hashes);
    buf_add(&b->hashes, counts, sizeof counts);
    for (int i = 0; i < FIELD_COUNT && good; i++) {
        size_t before = b->hashes.len;

        good = words_each(b->words, buf_slice(&b->fields.text[i]), add_hash, b);
        counts[i] = (uint32_t)((b->hashes.len - before) / sizeof(uint32_t));
    }
    if (!good || b->hashes.failed) {
        return fault_set(f, E_OVERLOAD, "there is no memory for the index now");
    }
    memcpy(b->hashes.data, counts, sizeof counts);
    return E_OK;
}

/* What b->hashes holds. */
static struct rank_words
hashed(const struct search_builder *b)
{
    struct rank_words words;

    memcpy(words.counts, b->hashes.data, sizeof words.counts);
    words.hashes = (const uint32_t *)(const void *)(b->hashes.data + sizeof words.counts);
    return words;
}

static void
bind_fields(struct search_builder *b, sqlite3_stmt *statement, int64_t chunk)
{
    sqlite3_bind_int64(statement, 1, chunk);
    for (int i = 0; i < FIELD_COUNT; i++) {
        sql_bind_text(statement, 2 + i, buf_slice(&b->fields.text[i]));
    }
}

static char *
take_text(sqlite3_stmt *row, int column)
{
    struct slice text = sql_slice(row, column);

    return xstrndup(text.data, text.len);
}

/* ---- Documents ---- */

static struct known *
find_known(const struct search_builder *b, const char *path)
{
    struct known *k;

    HASH_FIND_STR(b->known, path, k);
    return k;
}

bool
search_builder_keep(struct search_builder *b, const char *path, const char *stamp)
{
    struct known *k = find_known(b, path);

    if (k && (!stamp || strcmp(k->stamp, stamp) == 0)) {
        k->kept = true;
        return true;
    }
    return false;
}

void
search_builder_keep_below(struct search_builder *b, const char *folder)
{
    size_t len = strlen(folder);

    for (struct known *k = b->known; k; k = k->hh.next) {
        k->kept |= len == 0 || (strncmp(k->path, folder, len) == 0 && k->path[len] == '/');
    }
}

static enum err
uncount_document(struct search_builder *b, int64_t id, struct fault *f)
{
    bool row;
    enum err err;

    sqlite3_bind_int64(b->find_file, 1, id);
    err = sql_step(b->find_file, &row, f);
    if (!err && row) {
        buf_reset(&b->words_of);
        buf_add_slice(&b->words_of, sql_slice(b->find_file, 0));
        sqlite3_reset(b->find_file);
        if (b->words_of.failed) {
            return fault_set(f, E_OVERLOAD, "there is no memory for the index now");
        }
        if (b->words_of.len % sizeof(struct rank_count)) {
            return fault_set(f, E_REFUSED, "the index is damaged");
        }
        search_count_document(&b->counts, buf_slice(&b->words_of), -1);
    }
    return err;
}

/* Takes the passage out that 'find_chunks' is at. */
static enum err
remove_passage(struct search_builder *b, struct fault *f)
{
    sqlite3_stmt *row = b->find_chunks;
    struct search_about about = {sql_slice(row, 1), sql_slice(row, 2), sql_slice(row, 3)};
    char *path = take_text(row, 4), *more = take_text(row, 5);
    struct chunk chunk = {.path = path,
                          .more = more,
                          .sample = sqlite3_column_int(row, 6),
                          .text = sql_slice(row, 7)};
    struct rank_words words;
    enum err err = search_words_read(sql_slice(row, 8), &b->hashes, &words, f);

    if (!err) {
        search_count_passage(&b->counts, &words, -1);
        err = search_fields_fill(&b->fields, &about, &chunk, f);
    }
    if (!err) {
        bind_fields(b, b->remove_passage, sqlite3_column_int64(row, 0));
    }
    free(path);
    free(more);
    return err ? err : sql_do(b->remove_passage, f);
}

/* Takes a document and its passages out. */
static enum err
remove_document(struct search_builder *b, int64_t id, struct fault *f)
{
    enum err err = uncount_document(b, id, f);
    bool row = true;
    char text[320];

    b->changed = true;
    sqlite3_bind_int64(b->find_chunks, 1, id);
    while (!err && row) {
        err = sql_step(b->find_chunks, &row, f);
        if (!err && row) {
            err = remove_passage(b, f);
        }
    }
    sqlite3_reset(b->find_chunks);
    snprintf(text, sizeof text,
             "DELETE FROM tags WHERE chunk IN (SELECT id FROM chunks WHERE file = %lld);"
             "DELETE FROM chunk_words WHERE chunk IN (SELECT id FROM chunks WHERE file = %lld);"
             "DELETE FROM chunks WHERE file = %lld; DELETE FROM files WHERE id = %lld",
             (long long)id, (long long)id, (long long)id, (long long)id);
    return err ? err : sql_run(b->db, text, f);
}

static enum err
put_tags(struct search_builder *b, const struct tag_list *tags, int64_t chunk, struct fault *f)
{
    enum err err = E_OK;

    for (size_t i = 0; i < tags->count && !err; i++) {
        sql_bind_text(b->add_tag, 1, slice_of(tags->items[i]));
        sqlite3_bind_int64(b->add_tag, 2, chunk);
        err = sql_do(b->add_tag, f);
    }
    return err;
}

/* Adds the words of a passage to those of its document, which has one title, path and list of
 * tags. */
static void
add_counts(struct search_builder *b, const struct rank_words *words, bool first)
{
    const uint32_t *hash = words->hashes;

    for (int field = 0; field < FIELD_COUNT; field++) {
        bool counts = first || field == FIELD_HEAD || field == FIELD_BODY || field == FIELD_SAMPLE;

        for (uint32_t i = 0; i < words->counts[field]; i++, hash++) {
            struct rank_count count = {*hash, (float)rank_weight((enum search_field)field)};
            if (counts) {
                buf_add(&b->words_of, &count, sizeof count);
            }
        }
    }
}

static int
by_hash(const void *a, const void *b)
{
    uint32_t x = ((const struct rank_count *)a)->hash, y = ((const struct rank_count *)b)->hash;

    return (x > y) - (x < y);
}

/* Puts each word of the document once, in order, and writes them. */
static enum err
write_counts(struct search_builder *b, int64_t file, struct fault *f)
{
    struct rank_count *counts = (struct rank_count *)(void *)b->words_of.data;
    size_t count = b->words_of.len / sizeof *counts, kept = 0;
    double length = 0;

    if (b->words_of.failed) {
        return fault_set(f, E_OVERLOAD, "there is no memory for the index now");
    }
    if (count) {
        qsort(counts, count, sizeof *counts, by_hash);
    }
    for (size_t i = 0; i < count; i++) {
        length += (double)counts[i].frequency;
        if (kept && counts[kept - 1].hash == counts[i].hash) {
            counts[kept - 1].frequency += counts[i].frequency;
        } else {
            counts[kept++] = counts[i];
        }
    }
    b->words_of.len = kept * sizeof *counts;
    search_count_document(&b->counts, buf_slice(&b->words_of), 1);
    sqlite3_bind_int64(b->set_words, 1, file);
    sql_bind_blob(b->set_words, 2, buf_slice(&b->words_of));
    sqlite3_bind_double(b->set_words, 3, length);
    return sql_do(b->set_words, f);
}

/* Adds one chunk of the document that the connection has just added as 'file'. */
static enum err
put_chunk(struct search_builder *b, int64_t file, const struct search_about *about,
          const struct chunks *chunks, size_t at, struct fault *f)
{
    const struct chunk *c = &chunks->items[at];
    int phase = search_phase(c);
    struct rank_words words;
    enum err err = search_fields_fill(&b->fields, about, c, f);

    err = err ? err : hash_fields(b, f);
    if (err) {
        return err;
    }
    words = hashed(b);
    search_count_passage(&b->counts, &words, 1);
    add_counts(b, &words, at == 0);
    sqlite3_bind_int64(b->add_chunk, 1, file);
    sqlite3_bind_int64(b->add_chunk, 2, (sqlite3_int64)at);
    sqlite3_bind_int64(b->add_chunk, 3, c->line);
    if (phase < 0) {
        sqlite3_bind_null(b->add_chunk, 4);
    } else {
        sqlite3_bind_int64(b->add_chunk, 4, phase);
    }
    sql_bind_text(b->add_chunk, 5, slice_of(c->path));
    sql_bind_text(b->add_chunk, 6, slice_of(c->more));
    sqlite3_bind_int(b->add_chunk, 7, c->sample);
    sql_bind_text(b->add_chunk, 8, c->text);
    err = sql_do(b->add_chunk, f);
    if (!err) {
        int64_t chunk = sqlite3_last_insert_rowid(b->db);

        sqlite3_bind_int64(b->add_words, 1, chunk);
        sqlite3_bind_int64(b->add_words, 2, file);
        sqlite3_bind_int64(b->add_words, 3, (sqlite3_int64)at);
        sql_bind_blob(b->add_words, 4, buf_slice(&b->hashes));
        err = sql_do(b->add_words, f);
        bind_fields(b, b->add_passage, chunk);
    }
    err = err ? err : sql_do(b->add_passage, f);
    return err;
}

/* Adds the passages of a document that the connection has just added. */
static enum err
put_chunks(struct search_builder *b, const struct search_about *about, const struct chunks *chunks,
           const struct tag_list *tags, struct fault *f)
{
    int64_t file = sqlite3_last_insert_rowid(b->db);
    enum err err = E_OK;

    buf_reset(&b->words_of);
    for (size_t i = 0; i < chunks->count && !err; i++) {
        err = put_chunk(b, file, about, chunks, i, f);
        err = err ? err : put_tags(b, tags, sqlite3_last_insert_rowid(b->db), f);
    }
    return err ? err : write_counts(b, file, f);
}

enum err
search_builder_put(struct search_builder *b, const char *path, const char *stamp, struct slice text,
                   struct fault *f)
{
    struct known *k = find_known(b, path);
    struct tag_list tags = {.count = 0};
    struct buf tag_text = BUF_INIT;
    struct search_about about;
    struct chunks chunks;
    enum err err = chunks_make(text, &chunks, f);

    if (err) {
        return err;
    }
    b->changed = true;
    if (k) {
        err = remove_document(b, k->id, f);
        HASH_DEL(b->known, k);
        free(k->stamp);
        free(k);
    }
    search_document_tags(&tags, path, text);
    for (size_t i = 0; i < tags.count; i++) {
        buf_addf(&tag_text, "%s ", tags.items[i]);
    }
    if (tag_text.failed) {
        err = err ? err : fault_set(f, E_OVERLOAD, "there is no memory for the index now");
    }
    about = (struct search_about){slice_of(chunks.title), slice_of(path), buf_slice(&tag_text)};
    sql_bind_text(b->add_file, 1, about.path);
    sql_bind_text(b->add_file, 2, slice_of(stamp));
    sql_bind_text(b->add_file, 3, about.title);
    sql_bind_text(b->add_file, 4, about.tags);
    err = err ? err : sql_do(b->add_file, f);
    err = err ? err : put_chunks(b, &about, &chunks, &tags, f);
    buf_fini(&tag_text);
    search_tags_fini(&tags);
    chunks_fini(&chunks);
    return err;
}

/* ---- The end ---- */

static enum err
write_meta(struct search_builder *b, int64_t now_ms, struct fault *f)
{
    char text[320];

    snprintf(text, sizeof text,
             "INSERT OR REPLACE INTO meta VALUES('format', %d), ('generation', %llu),"
             " ('built_ms', %lld), ('length', %.17g), ('document_length', %.17g)",
             SEARCH_FORMAT, (unsigned long long)b->generation, (long long)now_ms, b->counts.length,
             b->counts.document_length);
    return sql_run(b->db, text, f);
}

static enum err
remove_gone(struct search_builder *b, struct fault *f)
{
    enum err err = E_OK;

    for (struct known *k = b->known; k && !err; k = k->hh.next) {
        if (!k->kept) {
            err = remove_document(b, k->id, f);
        }
    }
    return err;
}

static void
close_database(struct search_builder *b)
{
    sqlite3_finalize(b->add_file);
    sqlite3_finalize(b->find_file);
    sqlite3_finalize(b->set_words);
    sqlite3_finalize(b->add_chunk);
    sqlite3_finalize(b->add_words);
    sqlite3_finalize(b->add_passage);
    sqlite3_finalize(b->remove_passage);
    sqlite3_finalize(b->add_tag);
    sqlite3_finalize(b->find_chunks);
    words_destroy(b->words);
    sql_close(b->db);
    b->add_file = b->find_file = b->set_words = b->add_chunk = b->add_words = b->add_passage =
        b->add_tag = NULL;
    b->remove_passage = b->find_chunks = NULL;
    b->words = NULL;
    b->db = NULL;
}

/* Gives the finished file its name. */
static enum err
publish_file(struct search_builder *b, struct search_store **store, struct fault *f)
{
    char *file = search_file(b->name, b->generation);
    int fd;

    close_database(b);
    fd = dir_open_at(b->dir, b->temp, O_RDONLY, 0);
    if (fd < 0 || fsync(fd) != 0 || renameat(dir_fd(b->dir), b->temp, dir_fd(b->dir), file) != 0) {
        fault_set(f, E_IO, "the index cannot be written: %s", strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        free(file);
        return E_IO;
    }
    close(fd);
    free(b->temp);
    b->temp = NULL;
    return search_store_make(b->dir, file, NULL, 0, store, f);
}

static enum err
publish_memory(struct search_builder *b, struct search_store **store, struct fault *f)
{
    sqlite3_int64 size = 0;
    unsigned char *image = sqlite3_serialize(b->db, "main", &size, 0);

    if (!image) {
        return fault_set(f, E_OVERLOAD, "there is no memory for the index now");
    }
    return search_store_make(NULL, NULL, image, (size_t)size, store, f);
}

enum err
search_builder_end(struct search_builder *b, int64_t now_ms, struct search_store **store,
                   struct fault *f)
{
    enum err err = remove_gone(b, f);

    *store = NULL;
    if (!err && b->changed) {
        err = search_counts_write(&b->counts, b->db, f);
        err = err ? err : spelling_write(&b->spellings, b->db, f);
        err = err ? err : write_meta(b, now_ms, f);
        if (!err && b->anew) {
            err = sql_run(b->db, "INSERT INTO passages(passages) VALUES('optimize')", f);
        }
        err = err ? err : sql_run(b->db, "COMMIT", f);
        if (!err && b->stop && atomic_load(b->stop)) { /* What follows may wait for the disk. */
            err = fault_set(f, E_CANCELLED, "the server is ending");
        }
        if (!err) {
            err = b->dir ? publish_file(b, store, f) : publish_memory(b, store, f);
        }
    }
    search_builder_abort(b);
    return err;
}

void
search_builder_abort(struct search_builder *b)
{
    struct known *k, *next_known;

    HASH_ITER(hh, b->known, k, next_known) {
        HASH_DEL(b->known, k);
        free(k->stamp);
        free(k);
    }
    search_counts_fini(&b->counts);
    spelling_set_fini(&b->spellings);
    close_database(b);
    if (b->temp) {
        unlinkat(dir_fd(b->dir), b->temp, 0);
    }
    dir_unref(b->dir);
    free(b->temp);
    search_fields_fini(&b->fields);
    buf_fini(&b->hashes);
    buf_fini(&b->words_of);
    free(b);
}
