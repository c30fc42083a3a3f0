/* search_embed.c -- one thread: what has a vector already, then the others, batch by batch.
 *
 * DESIGN.  The generation is not touched: vectors are a set beside it, and a file beside its file
 * that outlives all generations.  A new generation is told by search_embed_want(), which the thread
 * sees between two batches; what it has made so far is carried over by the passages' keys. */
#include "state/search_embed.h"

#include "state/base/clock.h"
#include "state/base/log.h"
#include "state/base/thread.h"
#include "state/search_draft.h"
#include "state/search_private.h"
#include "state/search_vector_file.h"

#include <stdio.h>

LOG_MODULE("search");

#define FILE_NAME "standards.vectors"
#define AGAIN_FIRST_NS INT64_C(500000000)
#define AGAIN_LAST_NS INT64_C(300000000000)
#define REFUSED_MAX 8u /* Passages in a row: then it is not for the passages. */

struct search_embed {
    struct embedder *embedder; /* Counted; set once, as is what follows. */
    void (*ready)(void *arg);
    void *arg;
    pthread_t thread;
    bool started;
    _Atomic bool stopping;

    struct lock lock;
    struct cond wake;
    struct search_store *wanted GUARDED_BY(LC_SEARCH_VECTORS); /* Counted; or null. */
    struct dir *wanted_dir GUARDED_BY(LC_SEARCH_VECTORS);      /* Counted; or null. */
    struct search_vectors *offer GUARDED_BY(LC_SEARCH_VECTORS);
    struct search_embed_status status GUARDED_BY(LC_SEARCH_VECTORS);

    /* The thread's own. */
    struct draft draft;
    struct dir *dir;          /* Counted; or null. */
    struct vector_file *file; /* Owned; null: vectors are kept nowhere. */
    int64_t again_ns, again_after_ns;
    size_t offered;   /* How many vectors were offered last, of this draft. */
    unsigned refused; /* Passages in a row that the embedder did not take. */
};

/* ---- Keeping and offering ---- */

/* What could not be read or written is not kept any more, until there is another generation. */
static void
leave_file(struct search_embed *s, const struct fault *why)
{
    log_warn("vectors are not kept on disk", F_STR("why", why->text));
    vector_file_close(s->file);
    s->file = NULL;
}

/* Offers what the draft has, if it is enough and more than was offered. */
static void
offer(struct search_embed *s)
{
    struct draft *d = &s->draft;
    struct search_vectors *copy = NULL, *old = NULL;
    struct fault f = FAULT_INIT;
    bool taken = false;

    if (!draft_is_enough(d) || search_vectors_info(d->vectors).there == s->offered) {
        return;
    }
    if (draft_is_whole(d)) {
        copy = search_vectors_ref(d->vectors); /* Nothing will change it. */
    } else if (search_vectors_copy(d->vectors, &copy, &f) != E_OK) {
        log_warn("search goes on with the vectors that it has", F_STR("why", f.text));
        return;
    }
    s->offered = search_vectors_info(copy).there;
    LOCK(SEARCH_VECTORS, &s->lock);
    if (!s->wanted) { /* Else they are of a generation that is wanted no more. */
        old = s->offer;
        s->offer = copy;
        taken = true;
    }
    UNLOCK(SEARCH_VECTORS, &s->lock);
    search_vectors_unref(taken ? old : copy);
    if (taken) {
        s->ready(s->arg);
    }
}

/* Tells how far it is; 'why' (null: nothing) went wrong. */
static void
tell(struct search_embed *s, uint64_t asked, const struct fault *why)
{
    struct search_vectors_info info = {.count = 0};

    if (s->draft.vectors) {
        info = search_vectors_info(s->draft.vectors);
    }
    LOCK(SEARCH_VECTORS, &s->lock);
    s->status.dimension = info.dimension;
    s->status.passages = info.count;
    s->status.made = info.there;
    s->status.asked += asked;
    s->status.failures += why != NULL;
    if (why || !s->again_after_ns) { /* Else the old trouble is there still. */
        snprintf(s->status.trouble, sizeof s->status.trouble, "%s", why ? why->text : "");
    }
    UNLOCK(SEARCH_VECTORS, &s->lock);
}

/* After trouble: when the next batch is due. */
static void
put_off(struct search_embed *s, const struct fault *why)
{
    s->again_after_ns = !s->again_after_ns                      ? AGAIN_FIRST_NS
                        : s->again_after_ns < AGAIN_LAST_NS / 2 ? 2 * s->again_after_ns
                                                                : AGAIN_LAST_NS;
    s->again_ns = clock_mono(clock_real()) + s->again_after_ns;
    if (s->again_after_ns == AGAIN_FIRST_NS) {
        log_warn("vectors cannot be made now; search goes by words", F_STR("why", why->text),
                 F_STR("next", why->remedy));
    }
    tell(s, 0, why);
    offer(s);
}

/* ---- A generation ---- */

/* Opens the file that vectors are kept in, if 'dir' is another folder than before. */
static void
open_file(struct search_embed *s, struct dir *dir)
{
    struct fault f = FAULT_INIT;

    if (dir == s->dir && s->file) {
        return;
    }
    vector_file_close(s->file);
    s->file = NULL;
    dir_unref(s->dir);
    s->dir = dir ? dir_ref(dir) : NULL;
    if (dir && vector_file_open(dir, FILE_NAME, s->embedder->identity, &s->file, &f) != E_OK) {
        leave_file(s, &f);
    }
}

static unsigned
known_dimension(const struct search_embed *s)
{
    unsigned dimension = atomic_load(&s->embedder->dimension);

    if (!dimension && s->draft.vectors) {
        dimension = search_vectors_info(s->draft.vectors).dimension;
    }
    return dimension || !s->file ? dimension : vector_file_dimension(s->file);
}

/* Gives the new draft all vectors that there are already. */
static void
carry_over(struct search_embed *s, const struct draft *old, struct draft *new)
{
    unsigned dimension = search_vectors_info(new->vectors).dimension;
    struct fault f = FAULT_INIT;

    if (dimension && old->vectors && search_vectors_info(old->vectors).dimension == dimension) {
        for (size_t i = 0; i < search_vectors_info(old->vectors).count; i++) {
            const struct vector_row *row = search_vectors_row(old->vectors, i);

            if (row->there) {
                draft_give(new, row->key, search_vectors_bytes(old->vectors, i));
            }
        }
    }
    if (dimension && s->file && vector_file_dimension(s->file) == dimension &&
        !draft_is_whole(new) && vector_file_each(s->file, draft_give, new, &f) != E_OK) {
        leave_file(s, &f);
    }
}

/* Begins with a generation; those vectors that there are already may be all it needs. */
static void
begin(struct search_embed *s, struct search_store *store, struct dir *dir)
{
    struct draft draft = {.store = NULL};
    struct fault f = FAULT_INIT;
    enum err err;

    open_file(s, dir);
    err = draft_make(store, known_dimension(s), &draft, &f);
    if (!err) {
        carry_over(s, &s->draft, &draft);
    } else {
        draft_free(&draft);
    }
    draft_free(&s->draft);
    s->draft = draft;
    s->offered = 0;
    tell(s, 0, err ? &f : NULL);
    if (err) {
        log_warn("this index gets no vectors", F_STR("why", f.text));
    } else {
        offer(s);
    }
}

/* ---- A batch ---- */

/* Puts the vectors of a batch into the draft, with those of its twins, and into the file. */
static enum err
keep_batch(struct search_embed *s, const struct draft_batch *b, const struct vectors *made,
           struct fault *f)
{
    struct draft *d = &s->draft;
    struct fault why = FAULT_INIT;
    enum err err = draft_shape(d, made->dimension, f);

    if (err) {
        return err;
    }
    for (size_t i = 0; i < b->count; i++) {
        search_vectors_put(d->vectors, b->rows[i], vectors_at(made, i));
        draft_give(d, search_vectors_row(d->vectors, b->rows[i])->key,
                   search_vectors_bytes(d->vectors, b->rows[i]));
    }
    if (s->file && vector_file_add(s->file, d->vectors, b->rows, b->count, &why) != E_OK) {
        leave_file(s, &why);
    }
    return E_OK;
}

/* A passage that the embedder does not take, however short it is made, gets a vector that is near
 * to nothing. */
static enum err
pass_over(struct search_embed *s, const struct draft_batch *b, struct fault *f)
{
    unsigned dimension = known_dimension(s);
    struct vectors none;
    enum err err;

    if (!dimension || ++s->refused > REFUSED_MAX) {
        return E_REFUSED; /* As 'f' says. */
    }
    log_warn_rl("a passage gets no vector", F_STR("why", f->text));
    err = vectors_make(&none, 1, dimension, f);
    err = err ? err : keep_batch(s, b, &none, f);
    vectors_fini(&none);
    return err;
}

/* Makes vectors of up to 'max' passages. */
static enum err
make_some(struct search_embed *s, size_t max, struct fault *f)
{
    const struct embed_limits limits = {.deadline_ns = INT64_MAX, .stop.flag = &s->stopping};
    struct vectors made = {.data = NULL};
    struct draft_batch b;
    enum err err = draft_next(&s->draft, max, &b, f);

    if (!err && b.count) {
        err = embedder_embed(s->embedder, b.slices, b.count, &limits, &made, f);
        if (!err) {
            err = keep_batch(s, &b, &made, f);
            s->refused = 0;
        } else if (err == E_REFUSED && max == 1) {
            err = pass_over(s, &b, f);
        }
    }
    if (!err) {
        s->again_ns = s->again_after_ns = 0;
        tell(s, b.count, NULL);
    }
    vectors_fini(&made);
    draft_batch_fini(&b);
    return err;
}

/* All passages have a vector. */
static void
finish(struct search_embed *s)
{
    struct search_vectors_info info = search_vectors_info(s->draft.vectors);
    struct fault f = FAULT_INIT;

    offer(s);
    if (s->file && vector_file_records(s->file) > 2 * info.there + 1024 &&
        vector_file_replace(s->file, s->draft.vectors, &f) != E_OK) {
        leave_file(s, &f);
    }
}

static void
work(struct search_embed *s)
{
    struct fault f = FAULT_INIT;
    enum err err = make_some(s, s->embedder->batch, &f);

    if (err == E_REFUSED) { /* One of them is not taken: passage by passage then. */
        err = make_some(s, 1, &f);
    }
    if (err && err != E_CANCELLED) {
        put_off(s, &f);
    } else if (!err && draft_is_whole(&s->draft)) {
        finish(s);
    }
}

/* ---- The thread ---- */

static void *
run_thread(void *arg)
{
    struct search_embed *s = arg;

    while (!atomic_load(&s->stopping)) {
        bool idle = !s->draft.vectors || draft_is_whole(&s->draft), in_time = true;
        int64_t until = idle ? INT64_MAX : s->again_ns;
        struct search_store *store;
        struct dir *dir;

        LOCK(SEARCH_VECTORS, &s->lock);
        while (!s->wanted && !atomic_load(&s->stopping) && in_time) {
            in_time = cond_wait(&s->wake, &s->lock, until);
        }
        store = s->wanted;
        dir = s->wanted_dir;
        s->wanted = NULL;
        s->wanted_dir = NULL;
        UNLOCK(SEARCH_VECTORS, &s->lock);
        if (store) {
            begin(s, store, dir);
            search_store_unref(store);
            dir_unref(dir);
        } else if (!atomic_load(&s->stopping)) {
            work(s);
        }
    }
    return NULL;
}

UNSHARED struct search_embed *
search_embed_create(struct embedder *embedder, void (*ready)(void *arg), void *arg)
{
    struct search_embed *s = xcalloc(1, sizeof *s);

    s->embedder = embedder_ref(embedder);
    s->ready = ready;
    s->arg = arg;
    snprintf(s->status.embedder, sizeof s->status.embedder, "%s", embedder->identity);
    lock_init(&s->lock, RANK_SEARCH_VECTORS);
    cond_init(&s->wake);
    return s;
}

enum err
search_embed_start(struct search_embed *s, struct fault *f)
{
    s->started = thread_start(&s->thread, "search-vectors", run_thread, s) == 0;
    return s->started ? E_OK : fault_set(f, E_IO, "there can be no thread for vectors");
}

UNSHARED void
search_embed_destroy(struct search_embed *s)
{
    if (!s) {
        return;
    }
    atomic_store(&s->stopping, true);
    LOCK(SEARCH_VECTORS, &s->lock);
    cond_signal(&s->wake);
    UNLOCK(SEARCH_VECTORS, &s->lock);
    if (s->started) {
        pthread_join(s->thread, NULL);
    }
    draft_free(&s->draft);
    vector_file_close(s->file);
    dir_unref(s->dir);
    search_store_unref(s->wanted);
    dir_unref(s->wanted_dir);
    search_vectors_unref(s->offer);
    cond_fini(&s->wake);
    lock_fini(&s->lock);
    embedder_unref(s->embedder);
    free(s);
}

/* ---- Others ---- */

void
search_embed_want(struct search_embed *s, struct search_store *store, struct dir *dir)
{
    struct search_store *old;
    struct dir *old_dir;
    struct search_vectors *old_offer;

    LOCK(SEARCH_VECTORS, &s->lock);
    old = s->wanted;
    old_dir = s->wanted_dir;
    old_offer = s->offer;
    s->wanted = search_store_ref(store);
    s->wanted_dir = dir ? dir_ref(dir) : NULL;
    s->offer = NULL;
    cond_signal(&s->wake);
    UNLOCK(SEARCH_VECTORS, &s->lock);
    search_store_unref(old);
    dir_unref(old_dir);
    search_vectors_unref(old_offer);
}

struct search_vectors *
search_embed_take(struct search_embed *s)
{
    struct search_vectors *offer;

    LOCK(SEARCH_VECTORS, &s->lock);
    offer = s->offer;
    s->offer = NULL;
    UNLOCK(SEARCH_VECTORS, &s->lock);
    return offer;
}

void
search_embed_status(struct search_embed *s, struct search_embed_status *status)
{
    LOCK(SEARCH_VECTORS, &s->lock);
    *status = s->status;
    UNLOCK(SEARCH_VECTORS, &s->lock);
}
