/* search_query.c -- words are looked for by their stems; the rarest of them choose candidates. */
#include "state/search_query.h"

#include <stdlib.h>

#define WORDS_MAX 32u       /* Different words of a query that are looked for. */
#define ENOUGH_MATCHES 600u /* Passages that choosing candidates may look at, before that. */
#define SECOND_WEIGHT 0.5

static bool
has_term(const struct search_run *s, uint32_t hash)
{
    size_t i = 0;

    while (i < s->count && s->terms[i].hash != hash) {
        i++;
    }
    return i < s->count;
}

static void
add_term(struct search_run *s, const struct word *word, bool synonym)
{
    s->terms[s->count++] = (struct term){
        .hash = word->hash, .text = xstrndup(word->text.data, word->text.len), .synonym = synonym};
}

static bool
take_word(void *arg, const struct word *word)
{
    struct search_run *s = arg;

    s->words++;
    if (s->count < WORDS_MAX && !has_term(s, word->hash)) {
        add_term(s, word, false);
    }
    return true;
}

static bool
take_synonym_word(void *arg, const struct word *word)
{
    struct search_run *s = arg;

    if (s->count < RANK_TERMS_MAX && !has_term(s, word->hash)) {
        add_term(s, word, true);
    }
    return true;
}

static void
take_synonym(void *arg, const char *word)
{
    struct search_run *s = arg;

    words_each(s->reader->words, slice_of(word), take_synonym_word, s);
}

/* Keeps the parts of the split text between quotes, as words with blanks between. */
static void
find_phrases(struct search_run *s, struct slice text)
{
    const char *at = text.data, *end = text.data + text.len;

    while (text.len && s->phrase_count < PHRASES_MAX &&
           (at = memchr(at, '"', (size_t)(end - at)))) {
        const char *close = memchr(at + 1, '"', (size_t)(end - at - 1));

        if (!close) {
            return;
        }
        if (close > at + 1) {
            s->phrases[s->phrase_count++] = xstrndup(at + 1, (size_t)(close - at - 1));
        }
        at = close + 1;
    }
}

enum err
search_read_query(struct search_run *s, struct fault *f)
{
    struct buf split = BUF_INIT;
    size_t own;
    bool good;

    if (s->ask->query.len > SEARCH_QUERY_MAX) {
        fault_set(f, E_ARGUMENT, "the query is over %u bytes", SEARCH_QUERY_MAX);
        return fault_remedy(f, "ask in one or two sentences");
    }
    words_split(s->ask->query, &split);
    good = words_each(s->reader->words, buf_slice(&split), take_word, s) && !split.failed;
    find_phrases(s, buf_slice(&split));
    buf_fini(&split);
    if (!good) {
        return fault_set(f, E_OVERLOAD, "there is no memory for this search now");
    }
    if (!s->count) {
        fault_set(f, E_ARGUMENT, "the query holds no word");
        return fault_remedy(f, "say what you look for, in words");
    }
    own = s->count;
    for (size_t i = 0; i < own && s->ask->synonyms; i++) {
        synonyms_each(s->ask->synonyms, s->terms[i].hash, take_synonym, s);
    }
    return E_OK;
}

enum err
search_weigh_terms(struct search_run *s, struct fault *f)
{
    sqlite3_stmt *ask = s->reader->find_word;
    uint64_t all = s->store->info.passages, files = s->store->info.files;
    enum err err = E_OK;

    s->query.mean_length = s->store->info.mean_length;
    s->query.document_length = s->store->info.document_length;
    for (size_t i = 0; i < s->count && !err; i++) {
        struct term *t = &s->terms[i];
        uint64_t documents = 0;
        bool row;

        sqlite3_bind_int64(ask, 1, t->hash);
        err = sql_step(ask, &row, f);
        if (!err && row) {
            t->passages = (uint64_t)sqlite3_column_int64(ask, 0);
            documents = (uint64_t)sqlite3_column_int64(ask, 1);
            sqlite3_reset(ask);
        }
        rank_add(&s->query, &(struct rank_term){.hash = t->hash,
                                                .synonym = t->synonym,
                                                .idf = rank_idf(t->passages, all),
                                                .document_idf = rank_idf(documents, files)});
    }
    return err;
}

static int
rarest_first(const void *a, const void *b)
{
    const struct term *x = *(const struct term *const *)a, *y = *(const struct term *const *)b;

    if (x->passages != y->passages) {
        return x->passages < y->passages ? -1 : 1;
    }
    return strcmp(x->text, y->text);
}

/* Adds 'text', which may hold anything, as one string of a match expression. */
static void
add_string(struct buf *out, const char *text)
{
    buf_addc(out, '"');
    for (; *text; text++) {
        buf_addc(out, *text);
        if (*text == '"') {
            buf_addc(out, '"');
        }
    }
    buf_addc(out, '"');
}

bool
search_write_match(const struct search_run *s, bool with_phrases, struct buf *out)
{
    const struct term *order[RANK_TERMS_MAX];
    uint64_t matches = 0;
    size_t known = 0;

    for (size_t i = 0; i < s->count; i++) {
        if (s->terms[i].passages) {
            order[known++] = &s->terms[i];
        }
    }
    qsort(order, known, sizeof order[0], rarest_first);
    for (size_t i = 0; i < s->phrase_count && with_phrases; i++) {
        add_string(out, s->phrases[i]);
        buf_adds(out, " AND ");
    }
    buf_addc(out, '(');
    for (size_t i = 0; i < known; i++) {
        if (i && matches + order[i]->passages > ENOUGH_MATCHES &&
            (matches >= SEARCH_CANDIDATES || order[i]->passages > s->store->info.passages / 4)) {
            break;
        }
        matches += order[i]->passages;
        buf_adds(out, i ? " OR " : "");
        add_string(out, order[i]->text);
    }
    buf_addc(out, ')');
    return known > 0;
}
