/* search_edition.c -- what a query works on: an index, synonyms and vectors that fit each other.
 *
 * DESIGN.  An edition is immutable, counted, and swapped whole: a query that runs ends with the one
 * it began with.  Whoever drops the last reference of one that was replaced hands it to the
 * keeper's thread, as freeing it closes a database: no query pays for that. */
#include "state/base/log.h"
#include "state/search_life.h"

LOG_MODULE("search");

static struct edition *
edition_ref(struct edition *e)
{
    if (e) {
        atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
    }
    return e;
}

static void
edition_free(struct edition *e)
{
    search_store_unref(e->store);
    synonyms_destroy(e->synonyms);
    search_vectors_unref(e->vectors);
    free(e);
}

void
editions_free(struct edition *gone)
{
    while (gone) {
        struct edition *e = gone;

        gone = e->next_gone;
        edition_free(e);
    }
}

/* True for whoever drops the last reference. */
static bool
was_last(struct edition *e)
{
    return e && atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) == 1;
}

void
edition_unref(struct edition *e)
{
    if (was_last(e)) {
        edition_free(e);
    }
}

void
edition_drop(struct search *s, struct edition *e)
{
    if (!was_last(e)) {
        return;
    }
    if (e->scan || !s->prepared) {
        edition_free(e);
        return;
    }
    LOCK(SEARCH, &s->lock);
    e->next_gone = s->gone;
    s->gone = e;
    cond_signal(&s->wake);
    UNLOCK(SEARCH, &s->lock);
}

/* The synonyms as they are now: those of the trade alone if the user's cannot be used. */
static struct synonyms *
load_synonyms(const struct search *s)
{
    struct buf text = BUF_INIT;
    struct synonyms *synonyms = NULL;
    struct fault f = FAULT_INIT;
    enum err err =
        dir_read(s->options.standards.base, s->synonyms_path, SYNONYMS_BYTES_MAX, &text, NULL, &f);

    if (!err && !text.failed) {
        err = synonyms_create(buf_slice(&text), true, &synonyms, &f);
    }
    if (err && err != E_NOT_FOUND) {
        log_warn("the user's synonyms cannot be used", F_STR("file", s->synonyms_path),
                 F_INT("line", f.line), F_STR("why", f.text));
    }
    if (!synonyms && synonyms_create(SLICE_NONE, true, &synonyms, &f) != E_OK) {
        log_warn("search goes without synonyms", F_STR("why", f.text));
    }
    buf_fini(&text);
    return synonyms;
}

struct edition *
edition_make(const struct search *s, struct search_store *store, uint64_t number)
{
    struct edition *e = xcalloc(1, sizeof *e);

    atomic_init(&e->refs, 1);
    e->number = number;
    e->store = store;
    e->synonyms = load_synonyms(s);
    return e;
}

struct edition *
edition_current(struct search *s, bool *stale)
{
    struct edition *e;

    LOCK(SEARCH, &s->lock);
    e = edition_ref(s->current);
    *stale = s->seen != s->wanted || s->trouble[0];
    UNLOCK(SEARCH, &s->lock);
    return e;
}
