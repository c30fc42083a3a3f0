/* search_find.c -- from the text of a query to its hits. */
#include "state/search_find.h"

#include "state/base/rune.h"
#include "state/search_order.h"
#include "state/search_query.h"

/* ---- Candidates ---- */

/* The statement that finds candidates, with its filters. */
static enum err
prepare_match(const struct search_run *s, struct slice match, sqlite3_stmt **find, struct fault *f)
{
    const struct tag_list *tags = s->ask->tags;
    struct buf text = BUF_INIT;
    enum err err;
    int at = 2;

    buf_adds(&text, "SELECT rowid FROM passages WHERE passages MATCH ?1");
    if (s->ask->phase >= 0) {
        buf_adds(&text, " AND (SELECT phase FROM chunks WHERE id = passages.rowid) = ?2");
        at++;
    }
    for (size_t i = 0; tags && i < tags->count; i++) {
        buf_addf(&text,
                 " AND EXISTS (SELECT 1 FROM tags WHERE tag = ?%d AND chunk = passages.rowid)",
                 at + (int)i);
    }
    buf_adds(&text, " ORDER BY bm25(passages");
    for (int field = 0; field < FIELD_COUNT; field++) {
        bool body = field == FIELD_BODY || field == FIELD_SAMPLE;

        buf_addf(&text, ", %g",
                 body || !(s->ask->without & RANK_FIELDS) ? rank_weight((enum search_field)field)
                                                          : 0);
    }
    buf_addf(&text, "), rowid LIMIT %u", SEARCH_CANDIDATES);
    err = text.failed ? fault_set(f, E_OVERLOAD, "there is no memory for this search now")
                      : sql_prepare(s->reader->db, text.data, find, f);
    buf_fini(&text);
    if (!err) {
        sql_bind_text(*find, 1, match);
        if (s->ask->phase >= 0) {
            sqlite3_bind_int64(*find, 2, s->ask->phase);
        }
        for (size_t i = 0; tags && i < tags->count; i++) {
            sql_bind_text(*find, at + (int)i, slice_of(tags->items[i]));
        }
    }
    return err;
}

/* Ranks one passage. */
static enum err
rank_chunk(struct search_run *s, int64_t chunk, struct candidate *c, struct fault *f)
{
    sqlite3_stmt *ask = s->reader->read_words;
    struct rank_words words;
    struct slice path;
    bool row;
    enum err err;

    sqlite3_bind_int64(ask, 1, chunk);
    err = sql_step(ask, &row, f);
    if (err) {
        return err;
    }
    err = row ? search_words_read(sql_slice(ask, 0), &s->reader->room, &words, f)
              : fault_set(f, E_REFUSED, "the index is damaged");
    if (err) {
        sqlite3_reset(ask);
        return err;
    }
    path = sql_slice(ask, 3);
    *c = (struct candidate){
        .chunk = chunk,
        .file = sqlite3_column_int64(ask, 1),
        .ordinal = sqlite3_column_int64(ask, 2),
        .path = xstrndup(path.data, path.len),
        .score = rank_passage(&s->query, &words),
    };
    sqlite3_reset(ask);
    return E_OK;
}

static enum err
rank_one_document(struct search_run *s, struct candidate *c, struct fault *f)
{
    sqlite3_stmt *ask = s->reader->read_document;
    bool row;
    enum err err;

    sqlite3_bind_int64(ask, 1, c->file);
    err = sql_step(ask, &row, f);
    if (err || !row) {
        return err ? err : fault_set(f, E_REFUSED, "the index is damaged");
    }
    c->score.document = rank_document(&s->query, sql_slice(ask, 0), sqlite3_column_double(ask, 1));
    sqlite3_reset(ask);
    return E_OK;
}

/* Adds what its document as a whole gives to each candidate. */
static enum err
rank_documents(struct search_run *s, struct candidate *found, size_t count, struct fault *f)
{
    enum err err = E_OK;

    for (size_t i = 0; i < count && !err && !(s->ask->without & RANK_DOCUMENT); i++) {
        size_t same = 0;

        while (found[same].file != found[i].file) {
            same++;
        }
        if (same == i) {
            err = rank_one_document(s, &found[i], f);
        } else {
            found[i].score.document = found[same].score.document;
        }
    }
    return err;
}

static enum err
find_candidates(struct search_run *s, bool with_phrases, struct candidate found[SEARCH_RANKED_MAX],
                size_t *count, struct fault *f)
{
    struct buf match = BUF_INIT;
    sqlite3_stmt *find = NULL;
    bool row = true;
    enum err err = E_OK;

    *count = 0;
    if (search_write_match(s, with_phrases, &match)) {
        err = match.failed ? fault_set(f, E_OVERLOAD, "there is no memory for this search now")
                           : prepare_match(s, buf_slice(&match), &find, f);
    }
    while (!err && find && row) {
        err = sql_step(find, &row, f);
        if (!err && row) {
            err = rank_chunk(s, sqlite3_column_int64(find, 0), &found[*count], f);
            *count += !err;
        }
    }
    sqlite3_finalize(find);
    buf_fini(&match);
    return err;
}

/* Adds those near passages that no word has chosen. */
static enum err
add_near(struct search_run *s, struct candidate found[SEARCH_RANKED_MAX], size_t *count,
         struct fault *f)
{
    size_t chosen = *count;
    enum err err = E_OK;

    for (size_t i = 0; i < s->ask->near_count && i < SEARCH_NEAR_MAX && !err; i++) {
        size_t at = 0;

        while (at < chosen && found[at].chunk != s->ask->near[i]) {
            at++;
        }
        if (at == chosen) {
            err = rank_chunk(s, s->ask->near[i], &found[*count], f);
            *count += !err;
        }
    }
    return err;
}

/* ---- The answer ---- */

/* A text as a string, new: as CommonMark has it, NUL is U+FFFD. */
static char *
take_text(sqlite3_stmt *ask, int column)
{
    struct slice text = sql_slice(ask, column);
    char *copy = xcalloc(3 * text.len + 1, 1), *to = copy;

    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i]) {
            *to++ = text.data[i];
        } else {
            memcpy(to, "\xEF\xBF\xBD", 3);
            to += 3;
        }
    }
    return xrealloc(copy, (size_t)(to - copy) + 1);
}

static unsigned
near_place(const struct search_ask *ask, int64_t chunk)
{
    for (unsigned i = 0; i < ask->near_count; i++) {
        if (ask->near[i] == chunk) {
            return i + 1;
        }
    }
    return 0;
}

static enum err
fill_hit(struct search_run *s, const struct candidate *c, struct search_hit *hit, struct fault *f)
{
    sqlite3_stmt *ask = s->reader->read_chunk;
    bool row;
    enum err err;

    sqlite3_bind_int64(ask, 1, c->chunk);
    err = sql_step(ask, &row, f);
    if (err || !row) {
        return err ? err : fault_set(f, E_REFUSED, "the index is damaged");
    }
    if (!rune_valid(sql_slice(ask, 0)) || !rune_valid(sql_slice(ask, 5)) ||
        !rune_valid(sql_slice(ask, 6))) { /* It was, when it was put in. */
        sqlite3_reset(ask);
        return fault_set(f, E_REFUSED, "the index is damaged");
    }
    *hit = (struct search_hit){
        .path = take_text(ask, 0),
        .title = take_text(ask, 1),
        .ordinal = (unsigned)sqlite3_column_int64(ask, 2),
        .line = (unsigned)sqlite3_column_int64(ask, 3),
        .phase = sqlite3_column_type(ask, 4) == SQLITE_NULL ? -1 : sqlite3_column_int(ask, 4),
        .heading = take_text(ask, 5),
        .text = take_text(ask, 6),
        .score = c->score,
        .near = near_place(s->ask, c->chunk),
    };
    sqlite3_reset(ask);
    return E_OK;
}

static enum err
run(struct search_run *s, struct search_hits *hits, struct fault *f)
{
    struct candidate found[SEARCH_RANKED_MAX];
    size_t count = 0;
    enum err err = search_read_query(s, f);

    err = err ? err : search_expand_query(s, f);
    err = err ? err : find_candidates(s, s->phrase_count > 0, found, &count, f);
    if (!err && !count && s->phrase_count) { /* Quoted words that stand nowhere in that order. */
        err = find_candidates(s, false, found, &count, f);
    }
    err = err ? err : add_near(s, found, &count, f);
    err = err ? err : rank_documents(s, found, count, f);
    if (!err) {
        search_put_in_order(s->ask, found, count);
        hits->candidates = (unsigned)count;
        hits->words = s->words;
        for (size_t i = 0; i < s->count; i++) {
            hits->known += s->terms[i].kind <= RANK_ASKING && s->terms[i].passages;
        }
        hits->items = xcalloc(count ? count : 1, sizeof *hits->items);
    }
    for (size_t i = 0; i < count && hits->count < s->ask->limit && !err; i++) {
        err = fill_hit(s, &found[i], &hits->items[hits->count], f);
        hits->count += !err;
    }
    for (size_t i = 0; i < count; i++) {
        free(found[i].path);
    }
    return err;
}

enum err
search_find(struct search_store *store, const struct search_ask *ask, struct search_hits *hits,
            struct fault *f)
{
    struct search_run s = {.store = store, .ask = ask};
    enum err err = search_reader_take(store, &s.reader, f);

    *hits = (struct search_hits){.generation = store->info.generation};
    if (err) {
        return err;
    }
    err = run(&s, hits, f);
    for (size_t i = 0; i < s.count; i++) {
        free(s.terms[i].text);
    }
    for (size_t i = 0; i < s.phrase_count; i++) {
        free(s.phrases[i]);
    }
    search_reader_give(store, s.reader);
    if (err) {
        search_hits_fini(hits);
    }
    return err;
}

void
search_hits_fini(struct search_hits *hits)
{
    for (size_t i = 0; i < hits->count; i++) {
        free(hits->items[i].path);
        free(hits->items[i].title);
        free(hits->items[i].heading);
        free(hits->items[i].text);
    }
    free(hits->items);
    *hits = (struct search_hits){.items = NULL};
}
