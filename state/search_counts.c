/* search_counts.c -- one small record a word that a build meets. */
#include "state/search_counts.h"

#include "state/base/hash.h"

struct search_delta {
    UT_hash_handle hh;
    uint32_t hash;
    int64_t passages, documents;
    uint64_t seen_in; /* The last passage counted for it. */
};

static struct search_delta *
delta_of(struct search_counts *c, uint32_t hash)
{
    struct search_delta *d;

    HASH_FIND(hh, c->deltas, &hash, sizeof hash, d);
    if (!d) {
        d = xcalloc(1, sizeof *d);
        d->hash = hash;
        HASH_ADD(hh, c->deltas, hash, sizeof hash, d);
    }
    return d;
}

void
search_count_passage(struct search_counts *c, const struct rank_words *words, int by)
{
    size_t count = 0;

    c->passages++;
    c->length += by * rank_length(words);
    for (int i = 0; i < FIELD_COUNT; i++) {
        count += words->counts[i];
    }
    for (size_t i = 0; i < count; i++) {
        struct search_delta *d = delta_of(c, words->hashes[i]);

        if (d->seen_in != c->passages) {
            d->seen_in = c->passages;
            d->passages += by;
        }
    }
}

void
search_count_document(struct search_counts *c, struct slice words, int by)
{
    const struct rank_count *counts = (const struct rank_count *)(const void *)words.data;

    for (size_t i = 0; i < words.len / sizeof *counts; i++) {
        delta_of(c, counts[i].hash)->documents += by;
        c->document_length += by * (double)counts[i].frequency;
    }
}

enum err
search_counts_write(const struct search_counts *c, sqlite3 *db, struct fault *f)
{
    sqlite3_stmt *add = NULL;
    enum err err = sql_prepare(db,
                               "INSERT INTO words(hash, passages, documents) VALUES(?1, ?2, ?3)"
                               " ON CONFLICT(hash) DO UPDATE SET passages = passages + ?2,"
                               " documents = documents + ?3",
                               &add, f);

    for (struct search_delta *d = c->deltas; d && !err; d = d->hh.next) {
        if (d->passages || d->documents) {
            sqlite3_bind_int64(add, 1, d->hash);
            sqlite3_bind_int64(add, 2, d->passages);
            sqlite3_bind_int64(add, 3, d->documents);
            err = sql_do(add, f);
        }
    }
    sqlite3_finalize(add);
    return err ? err : sql_run(db, "DELETE FROM words WHERE passages <= 0", f);
}

void
search_counts_fini(struct search_counts *c)
{
    struct search_delta *d, *next;

    HASH_ITER(hh, c->deltas, d, next) {
        HASH_DEL(c->deltas, d);
        free(d);
    }
}
