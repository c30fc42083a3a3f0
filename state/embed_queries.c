/* embed_queries.c -- a cache whose loads are done by one thread, all that wait in one question.
 *
 * DESIGN.  The first who wants a vector loads its slot (slots.h): he leaves a note for the thread
 * and waits until his deadline; others of that text wait on the slot.  When he leaves before the
 * answer has come, the thread puts it into the cache by itself, so a provider that always takes
 * longer than anybody waits is of use all the same for what is asked again. */
#include "state/embed_queries.h"

#include "state/base/clock.h"
#include "state/base/hash.h"
#include "state/base/lock.h"
#include "state/base/thread.h"

#define KEPT 512u
#define WAITING_MAX 128u
#define AGAIN_FIRST_NS INT64_C(1000000000)
#define AGAIN_LAST_NS INT64_C(60000000000)

/* A text whose vector is wanted. */
struct note {
    struct note *prev, *next; /* Among those that wait, or that are being asked for. */
    char *text;               /* Owned. */
    unsigned waiting;         /* Who wait for it: it is freed by the last, or by the thread. */
    bool done;
    float *vector; /* Owned; null if there is none. */
    unsigned dimension;
    struct fault fault; /* Why not. */
};

struct kept_vector {
    unsigned dimension;
    float data[];
};

struct embed_queries {
    struct embedder *embedder; /* Counted. */
    struct slots *cache;
    pthread_t thread;
    struct lock lock;
    struct cond wake; /* The thread: there are notes. */
    struct cond done; /* Others: some notes have been answered. */
    _Atomic bool stopping;
    struct note *notes GUARDED_BY(LC_QUERIES); /* First to last. */
    struct note *asked GUARDED_BY(LC_QUERIES); /* What the thread is asking for now. */
    unsigned count GUARDED_BY(LC_QUERIES);     /* Of both. */
    /* After trouble: when to ask again, and what it was. */
    int64_t again_ns GUARDED_BY(LC_QUERIES), again_after_ns GUARDED_BY(LC_QUERIES);
    struct fault trouble GUARDED_BY(LC_QUERIES);
};

static void
free_note(struct note *n)
{
    free(n->text);
    free(n->vector);
    free(n);
}

static struct kept_vector *
keep(const float *vector, unsigned dimension)
{
    struct kept_vector *v = xcalloc(1, sizeof *v + dimension * sizeof *v->data);

    v->dimension = dimension;
    memcpy(v->data, vector, dimension * sizeof *v->data);
    return v;
}

/* ---- The thread ---- */

/* Takes the notes that wait, as many as the embedder takes at once; their number. */
static size_t
take_notes_locked(struct embed_queries *q, struct slice *texts) REQUIRES(LC_QUERIES)
{
    size_t count = 0;

    while (q->notes && count < WAITING_MAX && count < q->embedder->batch) {
        struct note *n = q->notes;

        DL_DELETE(q->notes, n);
        DL_APPEND(q->asked, n);
        texts[count++] = slice_of(n->text);
    }
    return count;
}

/* Notes whether the embedder can be asked. */
static void
judge_locked(struct embed_queries *q, const struct fault *why) REQUIRES(LC_QUERIES)
{
    if (!why) {
        q->again_ns = q->again_after_ns = 0;
        return;
    }
    q->again_after_ns = !q->again_after_ns                      ? AGAIN_FIRST_NS
                        : q->again_after_ns < AGAIN_LAST_NS / 2 ? 2 * q->again_after_ns
                                                                : AGAIN_LAST_NS;
    q->again_ns = clock_mono(clock_real()) + q->again_after_ns;
    q->trouble = *why;
}

/* Answers all that was asked for.  What nobody waits for any more is returned, for the cache. */
static struct note *
answer_locked(struct embed_queries *q, const struct vectors *made, const struct fault *why)
    REQUIRES(LC_QUERIES)
{
    struct note *left = NULL, *n;
    size_t i = 0;

    while ((n = q->asked)) {
        DL_DELETE(q->asked, n);
        q->count--;
        n->done = true;
        if (why) {
            n->fault = *why;
        } else {
            size_t bytes = made->dimension * sizeof *n->vector;

            n->vector = xrealloc(NULL, bytes);
            n->dimension = made->dimension;
            memcpy(n->vector, vectors_at(made, i++), bytes);
        }
        if (!n->waiting) {
            DL_APPEND(left, n);
        }
    }
    cond_broadcast(&q->done);
    return left;
}

/* Asks for what waits. */
static void
ask(struct embed_queries *q)
{
    const struct embed_limits limits = {.deadline_ns = INT64_MAX, .stop.flag = &q->stopping};
    struct slice texts[WAITING_MAX];
    struct fault why = FAULT_INIT;
    struct note *left, *next;
    struct vectors made;
    size_t count;
    enum err err;

    LOCK(QUERIES, &q->lock);
    count = take_notes_locked(q, texts);
    UNLOCK(QUERIES, &q->lock);
    err = embedder_embed(q->embedder, texts, count, &limits, &made, &why);
    LOCK(QUERIES, &q->lock);
    judge_locked(q, err && err != E_REFUSED && err != E_CANCELLED ? &why : NULL);
    left = answer_locked(q, &made, err ? &why : NULL);
    UNLOCK(QUERIES, &q->lock);
    vectors_fini(&made);
    for (; left; left = next) {
        struct slot_pin pin = {.slot = NULL};

        next = left->next;
        if (left->vector && slots_put(q->cache, left->text, keep(left->vector, left->dimension),
                                      &pin, NULL) == E_OK) {
            slots_unpin(q->cache, &pin);
        }
        free_note(left);
    }
}

static void *
run_thread(void *arg)
{
    struct embed_queries *q = arg;

    while (!atomic_load(&q->stopping)) {
        LOCK(QUERIES, &q->lock);
        while (!q->notes && !atomic_load(&q->stopping)) {
            cond_wait(&q->wake, &q->lock, INT64_MAX);
        }
        UNLOCK(QUERIES, &q->lock);
        if (!atomic_load(&q->stopping)) {
            ask(q);
        }
    }
    return NULL;
}

/* ---- Those who want a vector ---- */

/* The note for 'text', if there may be one now; a new one unless somebody has left it. */
static enum err
find_note_locked(struct embed_queries *q, const char *text, struct note **note, struct fault *f)
    REQUIRES(LC_QUERIES)
{
    struct note *n;

    DL_FOREACH(q->notes, n) {
        if (strcmp(n->text, text) == 0) {
            *note = n;
            return E_OK;
        }
    }
    DL_FOREACH(q->asked, n) {
        if (strcmp(n->text, text) == 0) {
            *note = n;
            return E_OK;
        }
    }
    if (q->again_after_ns && clock_mono(clock_real()) < q->again_ns) {
        fault_set(f, E_NOT_READY, "%s", q->trouble.text);
        return fault_remedy(f, "%s", q->trouble.remedy);
    }
    if (q->count == WAITING_MAX) {
        return fault_set(f, E_NOT_READY, "%u queries wait for their vectors already", WAITING_MAX);
    }
    n = xcalloc(1, sizeof *n);
    n->text = xstrdup(text);
    DL_APPEND(q->notes, n);
    q->count++;
    cond_signal(&q->wake);
    *note = n;
    return E_OK;
}

static enum err
load_vector(void *owner, const char *key, const char *version, void *arg, void **value,
            struct fault *f)
{
    struct embed_queries *q = owner;
    int64_t deadline_ns = *(const int64_t *)arg;
    struct note *n = NULL;
    bool in_time = true, mine;
    enum err err;

    (void)version;
    LOCK(QUERIES, &q->lock);
    err = find_note_locked(q, key, &n, f);
    if (!err) {
        n->waiting++;
        while (!n->done && in_time && !atomic_load(&q->stopping)) {
            in_time = cond_wait(&q->done, &q->lock, deadline_ns);
        }
        n->waiting--;
        if (!n->done) {
            err = fault_set(f, E_TIMEOUT, "the vector of the query did not come in time");
        } else if (n->vector) {
            *value = keep(n->vector, n->dimension);
        } else {
            err = n->fault.code;
            fault_set(f, err, "%s", n->fault.text);
        }
    }
    mine = n && n->done && !n->waiting;
    UNLOCK(QUERIES, &q->lock);
    if (mine) {
        free_note(n);
    }
    return err;
}

static const struct slots_class vectors_class = {.name = "query_vectors",
                                                 .load = load_vector,
                                                 .free = free,
                                                 .evicts_used = true};

UNSHARED static void
free_queries(struct embed_queries *q)
{
    struct note *n, *next;

    DL_FOREACH_SAFE(q->notes, n, next)
    {
        free_note(n); /* Of those who did not wait. */
    }
    slots_destroy(q->cache);
    cond_fini(&q->wake);
    cond_fini(&q->done);
    lock_fini(&q->lock);
    embedder_unref(q->embedder);
    free(q);
}

UNSHARED enum err
embed_queries_create(struct embedder *embedder, struct embed_queries **result, struct fault *f)
{
    struct embed_queries *q = xcalloc(1, sizeof *q);

    q->embedder = embedder_ref(embedder);
    q->cache = slots_create(&vectors_class, q, KEPT);
    lock_init(&q->lock, RANK_QUERIES);
    cond_init(&q->wake);
    cond_init(&q->done);
    if (thread_start(&q->thread, "query-vectors", run_thread, q) != 0) {
        free_queries(q);
        *result = NULL;
        return fault_set(f, E_IO, "there can be no thread for the vectors of queries");
    }
    *result = q;
    return E_OK;
}

void
embed_queries_destroy(struct embed_queries *q)
{
    if (q) {
        atomic_store(&q->stopping, true);
        LOCK(QUERIES, &q->lock);
        cond_signal(&q->wake);
        UNLOCK(QUERIES, &q->lock);
        pthread_join(q->thread, NULL);
        free_queries(q);
    }
}

enum err
embed_queries_get(struct embed_queries *q, const char *text, int64_t deadline_ns,
                  struct query_vector *vector, struct fault *f)
{
    enum err err;

    *vector = (struct query_vector){.data = NULL};
    err = slots_get(q->cache, text, NULL, &deadline_ns, deadline_ns, &vector->pin, f);
    if (!err) {
        const struct kept_vector *kept = vector->pin.value;

        vector->data = kept->data;
        vector->dimension = kept->dimension;
    }
    return err;
}

void
embed_queries_release(struct embed_queries *q, struct query_vector *vector)
{
    if (vector->pin.slot) {
        slots_unpin(q->cache, &vector->pin);
    }
    *vector = (struct query_vector){.data = NULL};
}

struct slots_counters
embed_queries_counters(struct embed_queries *q)
{
    return slots_counters(q->cache);
}
