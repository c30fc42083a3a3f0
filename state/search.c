/* search.c -- when to build, what is current, and the answers that are kept.
 *
 * DESIGN.  A change only raises a number.  The thread notes the number, looks at all files, and
 * builds; if the number has risen meanwhile it does so again.  So no change is lost, however it
 * falls, and any number of changes during a build cost one build more.
 *
 * What a query works on, an index and synonyms, is an edition: immutable, counted, swapped whole.
 * An index that turns out to be damaged is forgotten, and made anew by the next look. */
#include "state/search.h"

#include "state/base/log.h"
#include "state/base/thread.h"
#include "state/search_life.h"

#include <stdio.h>

LOG_MODULE("search");

#define NAME "standards"
#define ANSWERS_KEPT 256
#define SYNONYMS "standards/synonyms.txt"

/* ---- Editions ---- */

static struct edition *
edition_ref(struct edition *e)
{
    if (e) {
        atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
    }
    return e;
}

void
edition_unref(struct edition *e)
{
    if (e && atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) == 1) {
        search_store_unref(e->store);
        synonyms_destroy(e->synonyms);
        free(e);
    }
}

/* The synonyms as they are now: those of the trade alone if the user's cannot be used. */
static struct synonyms *
load_synonyms(const struct search *s)
{
    struct buf text = BUF_INIT;
    struct synonyms *synonyms = NULL;
    struct fault f = FAULT_INIT;
    enum err err = dir_read(s->options.data, SYNONYMS, SYNONYMS_BYTES_MAX, &text, NULL, &f);

    if (!err && !text.failed) {
        err = synonyms_create(buf_slice(&text), &synonyms, &f);
    }
    if (err && err != E_NOT_FOUND) {
        log_warn("the user's synonyms cannot be used", F_STR("file", SYNONYMS),
                 F_INT("line", f.line), F_STR("why", f.text));
    }
    if (!synonyms && synonyms_create(SLICE_NONE, &synonyms, &f) != E_OK) {
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
    *stale = s->seen != s->wanted;
    UNLOCK(SEARCH, &s->lock);
    return e;
}

/* ---- The thread ---- */

/* Puts 'e' (counted, taken over; or null) in the place of the current one. */
static void
publish(struct search *s, struct edition *e)
{
    struct edition *old;

    LOCK(SEARCH, &s->lock);
    old = s->current;
    s->current = e;
    s->damaged = false;
    UNLOCK(SEARCH, &s->lock);
    if (old && (!e || old->store != e->store)) {
        search_store_supersede(old->store);
    }
    edition_unref(old);
}

/* Whether the user's synonyms are others than at the last call. */
static bool
synonyms_changed(struct search *s)
{
    struct file_identity now = {.size = -1};
    bool changed;

    if (dir_identity(s->options.data, SYNONYMS, &now, NULL) != E_OK) {
        now = (struct file_identity){.size = -1};
    }
    changed = !file_identity_equal(&now, &s->synonyms);
    s->synonyms = now;
    return changed;
}

/* Builds a generation after the current one. */
static enum err
build(struct search *s, struct search_look *told, struct fault *f)
{
    struct search_place place = {.data = s->options.data, .index = s->index, .stop = &s->stopping};
    struct search_store *store = NULL;
    struct edition *old;
    bool damaged, ignored, new_synonyms = synonyms_changed(s);
    enum err err;

    LOCK(SEARCH, &s->lock);
    damaged = s->damaged;
    UNLOCK(SEARCH, &s->lock);
    old = edition_current(s, &ignored);
    err = search_look(&place, old && !damaged ? old->store : NULL, s->generation + 1,
                      clock_wall(s->options.clock) / 1000000, &store, told, f);
    if (!err && store) {
        s->generation++;
        publish(s, edition_make(s, store, ++s->editions));
    } else if (!err && old && new_synonyms) {
        publish(s, edition_make(s, search_store_ref(old->store), ++s->editions));
    }
    edition_unref(old);
    return err;
}

/* Opens what an earlier server has left. */
static void
open_index(struct search *s)
{
    struct search_store *store = NULL;
    struct fault f = FAULT_INIT;

    if (!s->options.keep || dir_sub(s->options.data, "index", true, &s->index, &f) != E_OK) {
        s->index = NULL;
        return;
    }
    dir_sweep(s->index);
    if (search_store_open(s->index, NAME, &store, &f) == E_OK) {
        s->generation = search_store_info(store)->generation;
        publish(s, edition_make(s, store, ++s->editions));
    }
}

/* False while there is nothing to search: a project without standards costs no index. */
static bool
has_standards(struct search *s)
{
    if (!s->opened && dir_is_folder(s->options.data, NAME)) {
        s->opened = true;
        open_index(s);
    }
    return s->opened;
}

/* One look, and what becomes of it; what fails for its place on disk is made in memory. */
static void
look(struct search *s, uint64_t wanted)
{
    struct search_look told = {.files = 0};
    struct fault f = FAULT_INIT;
    enum err err = has_standards(s) ? build(s, &told, &f) : E_OK;

    if (err == E_REFUSED) {
        log_warn("a damaged index is made anew", F_STR("why", f.text));
        publish(s, NULL);
        err = build(s, &told, &f);
    }
    if (err == E_IO && s->index) {
        log_warn("the index cannot be kept on disk and lives in memory", F_STR("why", f.text));
        dir_unref(s->index);
        s->index = NULL;
        err = build(s, &told, &f);
    }
    if (err && err != E_CANCELLED) {
        log_error("the index could not be built", F_STR("why", f.text));
    }
    LOCK(SEARCH, &s->lock);
    s->seen = wanted;
    s->told = told;
    s->builds += !err;
    s->failures += err != E_OK;
    snprintf(s->trouble, sizeof s->trouble, "%s", err ? f.text : "");
    cond_broadcast(&s->settled);
    UNLOCK(SEARCH, &s->lock);
}

static void *
run_thread(void *arg)
{
    struct search *s = arg;
    uint64_t wanted;

    for (;;) {
        LOCK(SEARCH, &s->lock);
        while (s->seen == s->wanted && !atomic_load(&s->stopping)) {
            cond_wait(&s->wake, &s->lock, INT64_MAX);
        }
        wanted = s->wanted;
        UNLOCK(SEARCH, &s->lock);
        if (atomic_load(&s->stopping)) {
            return NULL;
        }
        look(s, wanted);
    }
}

void
search_stir(struct search *s)
{
    LOCK(SEARCH, &s->lock);
    s->wanted++;
    cond_signal(&s->wake);
    UNLOCK(SEARCH, &s->lock);
}

bool
search_settle(struct search *s, int64_t deadline_ns)
{
    uint64_t wanted;
    bool in_time = true;

    LOCK(SEARCH, &s->lock);
    wanted = s->wanted;
    while (s->seen < wanted && in_time) {
        in_time = cond_wait(&s->settled, &s->lock, deadline_ns);
    }
    in_time = s->seen >= wanted;
    UNLOCK(SEARCH, &s->lock);
    return in_time;
}

/* ---- The whole ---- */

UNSHARED struct search *
search_create(const struct search_options *options)
{
    struct search *s = xcalloc(1, sizeof *s);

    s->options = *options;
    s->options.data = dir_ref(options->data);
    s->answers = slots_create(&search_answers_class, s, ANSWERS_KEPT);
    lock_init(&s->lock, RANK_SEARCH);
    cond_init(&s->wake);
    cond_init(&s->settled);
    return s;
}

enum err
search_start(struct search *s, struct fault *f)
{
    s->started = true;
    search_stir(s);
    if (thread_start(&s->thread, "search", run_thread, s) != 0) {
        s->started = false;
        return fault_set(f, E_IO, "there can be no thread for the search");
    }
    return E_OK;
}

UNSHARED void
search_destroy(struct search *s)
{
    if (!s) {
        return;
    }
    atomic_store(&s->stopping, true);
    LOCK(SEARCH, &s->lock);
    cond_signal(&s->wake);
    UNLOCK(SEARCH, &s->lock);
    if (s->started) {
        pthread_join(s->thread, NULL);
    }
    slots_destroy(s->answers);
    edition_unref(s->current);
    dir_unref(s->index);
    dir_unref(s->options.data);
    cond_fini(&s->wake);
    cond_fini(&s->settled);
    lock_fini(&s->lock);
    free(s);
}

void
search_status(struct search *s, struct search_status *status)
{
    *status = (struct search_status){.ready = false};
    LOCK(SEARCH, &s->lock);
    if (s->current) {
        status->index = *search_store_info(s->current->store);
        status->ready = true;
    }
    status->stale = s->seen != s->wanted;
    status->skipped = s->told.skipped;
    status->builds = s->builds;
    status->failures = s->failures;
    memcpy(status->trouble, s->trouble, sizeof status->trouble);
    UNLOCK(SEARCH, &s->lock);
}

struct slots_counters
search_counters(struct search *s)
{
    return slots_counters(s->answers);
}
