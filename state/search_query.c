/* search_query.c -- words are looked for by their stems; the rarest of them choose candidates. */
#include "state/search_query.h"

#include "state/search_common.h"

#include <stdlib.h>

#define ENOUGH_MATCHES 400u /* Passages that choosing candidates may look at, before that. */

/* ---- Words ---- */

static bool
has_term(const struct search_run *s, uint32_t hash)
{
    size_t i = 0;

    while (i < s->count && s->terms[i].hash != hash) {
        i++;
    }
    return i < s->count;
}

/* Adds a term that is not there yet, while there is room. */
static void
add_term(struct search_run *s, struct slice text, uint32_t hash, enum rank_kind kind, unsigned of)
{
    if (s->count < RANK_TERMS_MAX && !has_term(s, hash)) {
        s->terms[s->count++] = (struct term){
            .hash = hash, .text = xstrndup(text.data, text.len), .kind = kind, .of = of};
    }
}

static bool
take_word(void *arg, const struct word *word)
{
    struct search_run *s = arg;
    bool asking = !(s->ask->without & RANK_COMMON) && search_is_common(word->text);

    s->words++;
    if (s->count < RANK_WORDS_MAX) {
        add_term(s, word->text, word->hash, asking ? RANK_ASKING : RANK_OWN, (unsigned)s->count);
    }
    return true;
}

/* Keeps the parts of the split text between quotes, as words with blanks between. */
static void
find_phrases(struct search_run *s, struct slice text)
{
    const char *at = text.data, *end;

    if (!text.len) {
        return;
    }
    end = text.data + text.len;
    while (s->phrase_count < PHRASES_MAX && (at = memchr(at, '"', (size_t)(end - at)))) {
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
    return E_OK;
}

/* ---- What stands for them ---- */

/* Finds out how many passages and documents have the terms from 'from' on. */
static enum err
count_terms(struct search_run *s, size_t from, struct fault *f)
{
    sqlite3_stmt *ask = s->reader->find_word;
    enum err err = E_OK;

    for (size_t i = from; i < s->count && !err; i++) {
        struct term *t = &s->terms[i];
        bool row;

        sqlite3_bind_int64(ask, 1, t->hash);
        err = sql_step(ask, &row, f);
        if (!err && row) {
            t->passages = (uint64_t)sqlite3_column_int64(ask, 0);
            t->documents = (uint64_t)sqlite3_column_int64(ask, 1);
            sqlite3_reset(ask);
        }
    }
    return err;
}

/* For words that no passage has: those that are written nearly so. */
static void
add_spellings(struct search_run *s, size_t own)
{
    for (size_t i = 0; i < own && !(s->ask->without & RANK_SPELLING); i++) {
        struct spelling near[SPELL_NEAREST];
        size_t count = s->terms[i].passages
                           ? 0
                           : spellings_near(s->store->spellings, slice_of(s->terms[i].text), near);

        for (size_t j = 0; j < count; j++) {
            add_term(s, slice_of(near[j].text), near[j].hash, RANK_FORM, (unsigned)i);
        }
    }
}

struct standing {
    struct search_run *run;
    bool own; /* It is the turn of the user's list. */
    unsigned of;
    enum rank_kind kind;
};

static bool
take_standing(void *arg, const struct word *word)
{
    const struct standing *st = arg;

    add_term(st->run, word->text, word->hash, st->kind, st->of);
    return true;
}

static void
take_synonym(void *arg, const struct synonym *synonym)
{
    struct standing *st = arg;
    unsigned without = st->run->ask->without;

    st->kind = synonym->form ? RANK_FORM : RANK_SYNONYM;
    if (synonym->own == st->own && !(without & (synonym->form ? RANK_FORMS : RANK_SYNONYMS))) {
        words_each(st->run->reader->words, slice_of(synonym->word), take_standing, st);
    }
}

static void
add_synonyms(struct search_run *s, bool own)
{
    size_t known = s->count; /* The words of the query, and their other spellings. */

    for (size_t i = 0; i < known && s->ask->synonyms; i++) {
        struct standing st = {.run = s, .own = own, .of = s->terms[i].of};

        if (s->terms[i].kind != RANK_ASKING && s->terms[i].kind != RANK_SYNONYM) {
            synonyms_each(s->ask->synonyms, s->terms[i].hash, take_synonym, &st);
        }
    }
}

enum err
search_expand_query(struct search_run *s, struct fault *f)
{
    const struct search_store_info *info = &s->store->info;
    struct rank_query *q = &s->query;
    size_t own = s->count;
    enum err err = count_terms(s, 0, f);

    if (err) {
        return err;
    }
    add_spellings(s, own);
    add_synonyms(s, true);
    add_synonyms(s, false);
    err = count_terms(s, own, f);
    q->without = s->ask->without;
    q->mean_length = info->mean_length;
    q->document_length = info->document_length;
    for (size_t i = 0; i < s->count; i++) {
        const struct term *t = &s->terms[i];

        rank_add(q, &(struct rank_term){.hash = t->hash,
                                        .kind = t->kind,
                                        .of = t->of,
                                        .idf = rank_idf(q, t->passages, info->passages),
                                        .document_idf = rank_idf(q, t->documents, info->files)});
    }
    return err;
}

/* ---- Candidates ---- */

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

/* Puts the terms that the index knows into 'order', rarest first: those that say what is looked
 * for, if there are any. */
static size_t
put_in_order(const struct search_run *s, const struct term *order[RANK_TERMS_MAX])
{
    size_t known = 0;

    for (int asking = 0; asking < 2 && !known; asking++) {
        for (size_t i = 0; i < s->count; i++) {
            if (s->terms[i].passages && (s->terms[i].kind == RANK_ASKING) == asking) {
                order[known++] = &s->terms[i];
            }
        }
    }
    qsort(order, known, sizeof order[0], rarest_first);
    return known;
}

bool
search_write_match(const struct search_run *s, bool with_phrases, struct buf *out)
{
    const struct term *order[RANK_TERMS_MAX];
    size_t known = put_in_order(s, order);
    uint64_t matches = 0;

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
