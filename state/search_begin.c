/* search_begin.c -- a new generation as it begins: empty, or a copy of the one before. */
#include "state/search_builder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <unistd.h>

static enum err
copy_file(const struct dir *dir, const char *from, const char *to, struct fault *f)
{
    int in = dir_open_at(dir, from, O_RDONLY, 0);
    int out = in < 0 ? -1 : dir_open_at(dir, to, O_WRONLY | O_CREAT | O_EXCL, 0600);
    ssize_t n = -1;

    while (out >= 0 && (n = sendfile(out, in, NULL, 1 << 30)) > 0) {
    }
    if (n < 0) {
        fault_set(f, E_IO, "the index cannot be written: %s", strerror(errno));
    }
    if (in >= 0) {
        close(in);
    }
    if (out >= 0 && close(out) != 0 && n >= 0) {
        n = -1;
        fault_set(f, E_IO, "the index cannot be written: %s", strerror(errno));
    }
    return n < 0 ? E_IO : E_OK;
}

/* Opens the database that is to be the new generation, with what 'old' has in it. */
static enum err
open_file(struct search_builder *b, const struct search_store *old, struct fault *f)
{
    uint64_t salt = 0;
    char *path;
    enum err err = E_OK;

    if (getrandom(&salt, sizeof salt, 0) != (ssize_t)sizeof salt) {
        return fault_set(f, E_IO, "no random bytes: %s", strerror(errno));
    }
    b->temp = xasprintf(".%s.%016llx.tmp", b->name, (unsigned long long)salt);
    if (old) {
        err = copy_file(b->dir, old->file, b->temp, f);
    }
    if (!err) {
        path = search_path(b->dir, b->temp);
        err = sql_open(path, true, &b->db, f);
        free(path);
    }
    return err;
}

static enum err
open_memory(struct search_builder *b, const struct search_store *old, struct fault *f)
{
    enum err err = sql_open(":memory:", true, &b->db, f);

    if (!err && old) {
        sqlite3_int64 size = (sqlite3_int64)old->info.bytes;
        unsigned char *copy = sqlite3_malloc64((sqlite3_uint64)size);

        if (!copy) {
            return fault_set(f, E_OVERLOAD, "there is no memory for the index now");
        }
        memcpy(copy, old->image, (size_t)size);
        if (sqlite3_deserialize(b->db, "main", copy, size, size,
                                SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE) !=
            SQLITE_OK) {
            err = sql_fault(b->db, f);
        }
    }
    return err;
}

static enum err
prepare(struct search_builder *b, struct fault *f)
{
    const struct {
        sqlite3_stmt **statement;
        const char *text;
    } all[] = {
        {&b->add_file, "INSERT INTO files(path, stamp, title, tags, words, length)"
                       " VALUES(?1, ?2, ?3, ?4, x'', 0)"},
        {&b->set_words, "UPDATE files SET words = ?2, length = ?3 WHERE id = ?1"},
        {&b->find_file, "SELECT words FROM files WHERE id = ?1"},
        {&b->add_chunk, "INSERT INTO chunks(file, ordinal, line, phase, path, more, sample, text)"
                        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"},
        {&b->add_words,
         "INSERT INTO chunk_words(chunk, file, ordinal, words) VALUES(?1, ?2, ?3, ?4)"},
        {&b->add_passage, "INSERT INTO passages(rowid, title, head, path, tags, body, sample)"
                          " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"},
        {&b->remove_passage,
         "INSERT INTO passages(passages, rowid, title, head, path, tags, body, sample)"
         " VALUES('delete', ?1, ?2, ?3, ?4, ?5, ?6, ?7)"},
        {&b->add_tag, "INSERT OR IGNORE INTO tags(tag, chunk) VALUES(?1, ?2)"},
        {&b->find_chunks, "SELECT c.id, f.title, f.path, f.tags, c.path, c.more, c.sample,"
                          " c.text, w.words FROM chunks c JOIN files f ON f.id = c.file"
                          " JOIN chunk_words w ON w.chunk = c.id WHERE c.file = ?1"},
    };
    enum err err = search_words_of(b->db, &b->words, f);

    for (size_t i = 0; i < sizeof all / sizeof all[0] && !err; i++) {
        err = sql_prepare(b->db, all[i].text, all[i].statement, f);
    }
    return err;
}

/* Reads which documents the database has. */
static enum err
load_known(struct search_builder *b, struct fault *f)
{
    sqlite3_stmt *ask = NULL;
    bool row = true;
    enum err err = sql_prepare(b->db, "SELECT id, path, stamp FROM files", &ask, f);

    while (!err && row) {
        err = sql_step(ask, &row, f);
        if (!err && row) {
            struct slice path = sql_slice(ask, 1), stamp = sql_slice(ask, 2);
            struct known *k = xcalloc(1, sizeof *k + path.len + 1);

            k->id = sqlite3_column_int64(ask, 0);
            k->stamp = xstrndup(stamp.data, stamp.len);
            memcpy(k->path, path.data, path.len);
            HASH_ADD(hh, b->known, path, path.len, k);
        }
    }
    sqlite3_finalize(ask);
    return err;
}

static enum err
load_old(struct search_builder *b, const struct search_store *old, struct fault *f)
{
    if (!old) {
        return sql_run(b->db, SEARCH_SCHEMA, f);
    }
    b->counts.length = old->info.mean_length * (double)old->info.passages;
    b->counts.document_length = old->info.document_length * (double)old->info.files;
    return load_known(b, f);
}

enum err
search_builder_begin(struct dir *dir, const char *name, uint64_t number, struct search_store *old,
                     struct search_builder **builder, struct fault *f)
{
    struct search_builder *b = xcalloc(1, sizeof *b);
    enum err err;

    if (old && !old->file != !dir) {
        old = NULL; /* Made elsewhere: begin anew. */
    }
    b->dir = dir ? dir_ref(dir) : NULL;
    b->name = name;
    b->generation = number;
    b->anew = b->changed = !old;
    err = dir ? open_file(b, old, f) : open_memory(b, old, f);
    err = err ? err : sql_run(b->db, "BEGIN", f);
    err = err ? err : load_old(b, old, f);
    err = err ? err : prepare(b, f);
    if (err) {
        search_builder_abort(b);
        b = NULL;
    }
    *builder = b;
    return err == E_INTERNAL && old ? fault_set(f, E_REFUSED, "the index is damaged") : err;
}

enum err
search_builder_as_written(struct search_builder *b, struct fault *f)
{
    enum err err =
        sql_run(b->db,
                "DROP TABLE passages; INSERT INTO meta VALUES('as_written', 1);" SEARCH_PASSAGES(
                    WORDS_AS_WRITTEN),
                f);

    words_destroy(b->words);
    b->words = NULL;
    return err ? err : search_words_of(b->db, &b->words, f);
}

void
search_builder_heed(struct search_builder *b, const _Atomic bool *stop)
{
    b->stop = stop;
    sql_heed(b->db, stop);
}
