/* helpdesk_index.c -- fills a generation, and gives its passages their vectors. */
#include "state/helpdesk_index.h"

#include "state/base/hash.h"
#include "state/base/json_put.h"
#include "state/base/rune.h"
#include "state/search_chunk.h"

#include <math.h>
#include <stdio.h>

#define BATCH 32u /* Texts that are embedded by one call. */

struct helpdesk_index *
helpdesk_index_create(size_t passages_max)
{
    struct helpdesk_index *index = xcalloc(1, sizeof *index);

    atomic_init(&index->refs, 1);
    index->passages_max = passages_max;
    return index;
}

struct helpdesk_index *
helpdesk_index_ref(struct helpdesk_index *index)
{
    atomic_fetch_add_explicit(&index->refs, 1, memory_order_relaxed);
    return index;
}

static void
fini_passage(struct helpdesk_passage *p)
{
    free(p->text);
    free(p->source);
    free(p->heading);
    json_decref(p->meta);
}

void
helpdesk_index_unref(struct helpdesk_index *index)
{
    if (!index || atomic_fetch_sub_explicit(&index->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < index->count; i++) {
        fini_passage(&index->passages[i]);
    }
    free(index->passages);
    helpdesk_words_destroy(index->words);
    buf_fini(&index->given);
    vectors_fini(&index->vectors);
    free(index);
}

/* ---- Words ---- */

enum err
helpdesk_index_use_words(struct helpdesk_index *index, struct fault *f)
{
    return helpdesk_words_create(&index->words, f);
}

/* Adds the words of a document whose first passage is to be the next one. */
static enum err
add_words(struct helpdesk_index *index, const char *source, struct slice text, struct fault *f)
{
    return index->words ? helpdesk_words_add(index->words, index->count, source, text, f) : E_OK;
}

size_t
helpdesk_index_number(const struct helpdesk_index *index, const struct helpdesk_word_hit *hit)
{
    size_t at = hit->first;

    while (at < index->count && index->passages[at].first == hit->first) {
        if (index->passages[at].whole || index->passages[at].ordinal == hit->ordinal) {
            return at;
        }
        at++;
    }
    return index->count;
}

/* ---- Passages ---- */

/* The next passage, empty; null, and the fault is set, if there can be none. */
static struct helpdesk_passage *
add_passage(struct helpdesk_index *index, struct fault *f)
{
    if (index->count == index->passages_max) {
        fault_set(f, E_TOO_LARGE, "the helpdesk index has more than %zu passages",
                  index->passages_max);
        fault_remedy(f, "leave something out, or raise helpdesk.passages");
        return NULL;
    }
    if (index->count == index->room) {
        index->room = index->room ? index->room * 2 : 64;
        index->passages = xrealloc(index->passages, index->room * sizeof *index->passages);
    }
    index->passages[index->count] = (struct helpdesk_passage){.text = NULL};
    return &index->passages[index->count++];
}

static bool
is_blank(struct slice text)
{
    uint32_t rune;
    size_t n;

    for (size_t at = 0; at < text.len; at += n) {
        n = rune_decode(text, at, &rune);
        if (n == 0 || !rune_is_space(rune)) {
            return false;
        }
    }
    return true;
}

static json_t *
meta_of_chunk(const struct chunks *chunks, const struct chunk *c, const json_t *meta)
{
    json_t *all = meta ? json_clone(meta) : json_must(json_object());

    json_put_text(all, "title", chunks->title);
    json_put_text(all, "section", c->path);
    json_put_int(all, "line", c->line);
    return all;
}

enum err
helpdesk_index_add_document(struct helpdesk_index *index, const char *source, struct slice text,
                            const json_t *meta, struct fault *f)
{
    struct chunks chunks;
    size_t first = index->count;
    enum err err = chunks_make(text, &chunks, f);

    if (err) {
        return err;
    }
    index->documents++;
    err = add_words(index, source, text, f);
    for (size_t i = 0; i < chunks.count && !err; i++) {
        const struct chunk *c = &chunks.items[i];
        struct helpdesk_passage *p;

        if (is_blank(c->text)) {
            continue;
        }
        p = add_passage(index, f);
        err = p ? E_OK : E_TOO_LARGE;
        if (p) {
            p->text = xstrndup(c->text.data, c->text.len);
            p->source = xstrdup(source);
            p->heading = xstrdup(c->path);
            p->meta = meta_of_chunk(&chunks, c, meta);
            p->first = first;
            p->ordinal = (unsigned)i;
        }
    }
    chunks_fini(&chunks);
    return err;
}

/* Notes the vector of 'p', which is the last passage. */
static enum err
add_vector(struct helpdesk_index *index, struct helpdesk_passage *p,
           const struct helpdesk_item *item, struct fault *f)
{
    if (index->given_dimension && index->given_dimension != item->dimension) {
        return fault_set(f, E_REFUSED, "a vector has %u numbers, the first had %u", item->dimension,
                         index->given_dimension);
    }
    for (unsigned i = 0; i < item->dimension; i++) {
        if (!isfinite(item->vector[i])) {
            return fault_set(f, E_REFUSED, "number %u of a vector is not finite", i + 1);
        }
    }
    index->given_dimension = item->dimension;
    buf_add(&index->given, item->vector, item->dimension * sizeof *item->vector);
    p->given = true;
    return index->given.failed
               ? fault_set(f, E_OVERLOAD, "there is no memory for the helpdesk index now")
               : E_OK;
}

enum err
helpdesk_index_add(struct helpdesk_index *index, const struct helpdesk_item *item, struct fault *f)
{
    struct helpdesk_passage *p;
    enum err err = E_OK;

    if (item->text.len > HELPDESK_PASSAGE_MAX) {
        return fault_set(f, E_TOO_LARGE, "a passage has more than %u bytes", HELPDESK_PASSAGE_MAX);
    }
    if (item->text.data && index->count < index->passages_max) {
        err = add_words(index, item->source, item->text, f);
    }
    p = err ? NULL : add_passage(index, f);
    if (!p) {
        return err ? err : E_TOO_LARGE;
    }
    p->first = index->count - 1;
    p->whole = true;
    if (item->text.data) {
        p->text = xstrndup(item->text.data, item->text.len);
        p->source = xstrdup(item->source);
        p->meta = item->meta ? json_clone(item->meta) : NULL;
        index->documents++;
    }
    return item->vector ? add_vector(index, p, item, f) : E_OK;
}

/* ---- Vectors ---- */

/* What is embedded of a passage; new. */
static char *
text_to_embed(const struct helpdesk_passage *p)
{
    return p->heading && *p->heading ? xasprintf("%s\n%s", p->heading, p->text) : xstrdup(p->text);
}

/* A passage of the old generation, by what was embedded of it. */
struct known {
    UT_hash_handle hh;
    size_t number;
    char text[]; /* The key. */
};

static struct known *
know(const struct helpdesk_index *old, const struct embedder *embedder)
{
    struct known *known = NULL, *k;

    if (!old || strcmp(old->embedder, embedder->identity) != 0) {
        return NULL;
    }
    for (size_t i = 0; i < old->count; i++) {
        char *text;
        size_t len;

        if (!old->passages[i].text || old->passages[i].given || old->passages[i].square == 0) {
            continue;
        }
        text = text_to_embed(&old->passages[i]);
        len = strlen(text);
        HASH_FIND(hh, known, text, len, k);
        if (!k) {
            k = xcalloc(1, sizeof *k + len + 1);
            k->number = i;
            memcpy(k->text, text, len + 1);
            HASH_ADD_KEYPTR(hh, known, k->text, len, k);
        }
        free(text);
    }
    return known;
}

static void
forget(struct known **known)
{
    struct known *k, *next;

    HASH_ITER(hh, *known, k, next) {
        HASH_DEL(*known, k);
        free(k);
    }
}

/* What is being embedded: the passages of one call. */
struct batch {
    struct helpdesk_index *index;
    struct embedder *embedder;
    const struct helpdesk_index *old;
    const struct embed_limits *limits;
    char *texts[BATCH]; /* Owned. */
    size_t numbers[BATCH];
    size_t count;
};

/* Makes room for all vectors once their dimension is known. */
static enum err
make_room(struct helpdesk_index *index, unsigned dimension, struct fault *f)
{
    if (index->given_dimension && index->given_dimension != dimension) {
        fault_set(f, E_REFUSED, "the index file has vectors of %u numbers, the embedder makes %u",
                  index->given_dimension, dimension);
        return fault_remedy(f, "make the file with the embedder that is configured");
    }
    return index->vectors.data || !index->count
               ? E_OK
               : vectors_make(&index->vectors, index->count, dimension, f);
}

static void
put_vector(struct helpdesk_index *index, size_t number, const float *vector)
{
    float *place = vectors_at(&index->vectors, number);

    memcpy(place, vector, index->vectors.dimension * sizeof *place);
    index->passages[number].square = (float)vector_dot(place, place, index->vectors.dimension);
}

/* Embeds what is in the batch, and empties it. */
static enum err
run_batch(struct batch *b, struct fault *f)
{
    struct slice texts[BATCH];
    struct vectors made;
    enum err err;

    for (size_t i = 0; i < b->count; i++) {
        texts[i] = slice_of(b->texts[i]);
    }
    err = embedder_embed(b->embedder, texts, b->count, b->limits, &made, f);
    if (!err && b->count) {
        err = make_room(b->index, made.dimension, f);
        if (!err && made.dimension != b->index->vectors.dimension) {
            err = fault_set(f, E_REFUSED, "the embedder's vectors have changed their dimension");
        }
        for (size_t i = 0; i < b->count && !err; i++) {
            put_vector(b->index, b->numbers[i], vectors_at(&made, i));
        }
    }
    for (size_t i = 0; i < b->count; i++) {
        free(b->texts[i]);
    }
    b->count = 0;
    vectors_fini(&made);
    return err;
}

/* Sees to it that one passage gets a vector: the old one, or one of the next batch. */
static enum err
want_vector(struct batch *b, struct known *known, size_t number, struct fault *f)
{
    char *text = text_to_embed(&b->index->passages[number]);
    struct known *k = NULL;
    enum err err = E_OK;

    if (known) {
        HASH_FIND(hh, known, text, strlen(text), k);
    }
    if (k) {
        free(text);
        err = make_room(b->index, b->old->vectors.dimension, f);
        if (!err) {
            put_vector(b->index, number, vectors_at(&b->old->vectors, k->number));
            b->index->reused++;
        }
        return err;
    }
    b->texts[b->count] = text;
    b->numbers[b->count++] = number;
    return b->count == BATCH ? run_batch(b, f) : E_OK;
}

/* Puts the vectors that were given in their places. */
static enum err
put_given(struct helpdesk_index *index, unsigned dimension, struct fault *f)
{
    const float *next = (const float *)(const void *)index->given.data;
    enum err err = index->given_dimension ? make_room(index, dimension, f) : E_OK;

    for (size_t i = 0; i < index->count && !err; i++) {
        if (index->passages[i].given) {
            put_vector(index, i, next);
            next += index->given_dimension;
        }
    }
    buf_fini(&index->given);
    return err;
}

enum err
helpdesk_index_embed(struct helpdesk_index *index, struct embedder *embedder,
                     const struct helpdesk_index *old, const struct embed_limits *limits,
                     struct fault *f)
{
    struct batch b = {.index = index, .embedder = embedder, .old = old, .limits = limits};
    struct known *known = know(old, embedder);
    unsigned dimension = atomic_load(&embedder->dimension);
    enum err err = put_given(index, dimension ? dimension : index->given_dimension, f);

    for (size_t i = 0; i < index->count && !err; i++) {
        if (index->passages[i].text && !index->passages[i].given) {
            err = want_vector(&b, known, i, f);
        }
    }
    err = err ? err : run_batch(&b, f);
    for (size_t i = 0; i < b.count; i++) {
        free(b.texts[i]);
    }
    forget(&known);
    if (!err) {
        snprintf(index->embedder, sizeof index->embedder, "%s", embedder->identity);
    }
    return err;
}

void
helpdesk_index_do_without(struct helpdesk_index *index, const char *why)
{
    vectors_fini(&index->vectors);
    buf_fini(&index->given);
    for (size_t i = 0; i < index->count; i++) {
        index->passages[i].square = 0;
    }
    index->reused = 0;
    snprintf(index->without, sizeof index->without, "%s", why);
}
