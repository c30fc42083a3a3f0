/* search_answers.c -- questions, on the edition that is current, and the answers that are kept. */
#include "state/base/log.h"
#include "state/search_life.h"
#include "state/search_near.h"

LOG_MODULE("search");

#define SCAN_FILES 300u /* Looked at while there is no index. */

/* What a load of an answer gets. */
struct question {
    struct edition *edition; /* Borrowed. */
    const struct search_ask *ask;
    const float *direction; /* The question's vector; null: by words alone. */
    int64_t now_ns;         /* Monotonic. */
    bool loaded;
    bool with_text; /* Only an answer that a text is kept with is of use. */
};

struct kept_answer {
    struct search_hits hits;
    int64_t made_ns;              /* Monotonic. */
    _Atomic(struct bytes *) text; /* Counted; set once, or null. */
};

/* Puts the passages that lie near to the question into it, by way of 'near'. */
static enum err
find_near(const struct question *q, struct search_ask *ask, int64_t near[SEARCH_NEAR_MAX],
          struct fault *f)
{
    if (!q->direction) {
        return E_OK;
    }
    ask->near = near;
    return search_near(q->edition->store, q->edition->vectors, q->direction, ask, near,
                       &ask->near_count, f);
}

static enum err
load_answer(void *owner, const char *key, const char *version, void *arg, void **value,
            struct fault *f)
{
    struct question *q = arg;
    struct search_ask ask = *q->ask;
    struct kept_answer *answer = xcalloc(1, sizeof *answer);
    int64_t near[SEARCH_NEAR_MAX];
    enum err err;

    (void)owner, (void)key, (void)version;
    q->loaded = true;
    ask.synonyms = q->edition->synonyms;
    err = find_near(q, &ask, near, f);
    err = err ? err : search_find(q->edition->store, &ask, &answer->hits, f);
    if (err) {
        free(answer);
        return err;
    }
    answer->made_ns = q->now_ns;
    *value = answer;
    return E_OK;
}

static void
free_answer(void *value)
{
    struct kept_answer *answer = value;

    search_hits_fini(&answer->hits);
    bytes_unref(atomic_load(&answer->text));
    free(answer);
}

static bool
is_fresh(const void *value, const void *arg)
{
    const struct kept_answer *answer = value;
    const struct question *q = arg;

    return q->now_ns - answer->made_ns < SEARCH_ANSWER_NS &&
           (!q->with_text || atomic_load(&answer->text));
}

const struct slots_class search_answers_class = {"search_answers", load_answer, free_answer,
                                                 is_fresh};

/* Adds a text so that it ends where its length says, whatever it holds. */
static void
add_counted(struct buf *out, const char *text)
{
    buf_addf(out, "%zu:%s", strlen(text), text);
}

static bool
is_gap(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0'; /* No word holds a NUL. */
}

/* Adds a text with its white space folded. */
static void
add_folded(struct buf *out, struct slice text)
{
    size_t start = out->len;

    for (size_t i = 0, word; i < text.len; i++) {
        for (word = i; i < text.len && !is_gap(text.data[i]);) {
            i++;
        }
        if (i > word) {
            buf_adds(out, out->len > start ? " " : "");
            buf_add(out, text.data + word, i - word);
        }
    }
}

/* Writes all that makes a question another one: what is asked for, then the query. */
static void
write_key(const struct search_ask *ask, struct buf *out)
{
    buf_reserve(out, ask->query.len + 64);
    buf_add_int(out, ask->limit);
    buf_addc(out, ' ');
    buf_add_int(out, ask->phase);
    buf_addc(out, ' ');
    buf_add_int(out, ask->without);
    buf_addc(out, ' ');
    for (size_t i = 0; ask->tags && i < ask->tags->count; i++) {
        add_counted(out, ask->tags->items[i]);
    }
    buf_addc(out, '\n');
    add_folded(out, ask->query);
}

#define VERSION_SIZE 40
/* Writes what answers of an edition are kept by, with or without a vector. */
static void
write_version(const struct edition *edition, bool vectors, char version[VERSION_SIZE])
{
    struct buf text = {.data = version, .size = VERSION_SIZE}; /* Never grows. */

    buf_add_int(&text, (int64_t)edition->number);
    buf_adds(&text, vectors ? "v" : "");
}

/* An edition for one query while there is no index. */
static enum err
scan(struct search *s, struct edition **edition, struct fault *f)
{
    struct search_place place = {
        .standards = &s->options.standards,
        .clock = s->options.clock,
        .files_max = s->prepared ? SCAN_FILES : 0, /* Else nobody will look at the others. */
        .stop = &s->stopping,
    };
    struct search_store *store = NULL;
    struct search_look told;
    enum err err = search_look(&place, NULL, 0, &store, &told, f);

    if (!err) {
        *edition = edition_make(s, store, 0);
        (*edition)->scan = true;
        (*edition)->partial = told.partial;
    }
    search_look_fini(&told);
    return err;
}

/* The index in use is damaged: it is made anew, and meanwhile there is none. */
static void
forget(struct search *s, const struct edition *edition)
{
    struct edition *old = NULL;

    LOCK(SEARCH, &s->lock);
    if (s->current == edition) {
        old = s->current;
        s->current = NULL;
        s->damaged = true;
        s->wanted++;
        cond_signal(&s->wake);
    }
    UNLOCK(SEARCH, &s->lock);
    if (old) {
        log_warn("the index is damaged and is made anew", F_INT("edition", (int64_t)old->number));
        search_store_supersede(old->store);
        edition_drop(s, old);
    }
}

/* Those who have the vectors of the edition's passages see that they are another model's. */
static void
tell_outdated(struct search *s, unsigned dimension)
{
    struct search_embed_status status;

    search_embed_status(s->embed, &status);
    if (status.dimension != dimension) { /* Else better ones are on their way. */
        LOCK(SEARCH, &s->lock);
        s->outdated = true;
        cond_signal(&s->wake);
        UNLOCK(SEARCH, &s->lock);
    }
}

/* Finds the question's vector, in time, if it is of use on this edition. */
static enum search_vectors_use
find_direction(struct search *s, const struct edition *edition, const struct search_ask *ask,
               struct query_vector *direction)
{
    int64_t deadline_ns = clock_mono(clock_real()) + s->options.query_ns;
    struct buf text = BUF_INIT;
    enum err err = E_OVERLOAD;

    *direction = (struct query_vector){.data = NULL};
    if (!s->embed) {
        return SEARCH_NO_VECTORS;
    }
    if (!edition->vectors) {
        return SEARCH_VECTORS_UNMADE;
    }
    add_folded(&text, ask->query);
    if (text.data && !text.failed) {
        err = embed_queries_get(s->queries, text.data, deadline_ns, direction, NULL);
    }
    buf_fini(&text);
    if (!err && direction->dimension != search_vectors_info(edition->vectors).dimension) {
        tell_outdated(s, direction->dimension);
        embed_queries_release(s->queries, direction);
        return SEARCH_VECTORS_UNMADE;
    }
    return !err               ? SEARCH_WITH_VECTORS
           : err == E_TIMEOUT ? SEARCH_VECTOR_LATE
                              : SEARCH_VECTOR_TROUBLE;
}

/* Finds or makes the answer on one edition, and with or without a vector. */
static enum err
answer_on(struct search *s, struct edition *edition, const struct search_ask *ask,
          struct search_answer *answer, struct fault *f)
{
    struct question q = {.edition = edition, .ask = ask, .now_ns = clock_mono(s->options.clock)};
    struct query_vector direction;
    struct buf key = BUF_INIT;
    char version[VERSION_SIZE];
    enum err err;

    answer->vectors = find_direction(s, edition, ask, &direction);
    q.direction = direction.data;
    write_version(edition, q.direction != NULL, version);
    write_key(ask, &key);
    err = key.failed ? fault_set(f, E_OVERLOAD, "there is no memory for this search now")
                     : slots_get(s->answers, key.data, version, &q, INT64_MAX, &answer->pin, f);
    buf_fini(&key);
    if (direction.data) {
        embed_queries_release(s->queries, &direction);
    }
    if (!err) {
        answer->hits = &((const struct kept_answer *)answer->pin.value)->hits;
        answer->cached = !q.loaded;
        answer->nothing = search_store_info(edition->store)->files == 0;
    }
    return err;
}

/* The same while there is no index: nothing of it is kept. */
static enum err
answer_by_scan(struct search *s, const struct search_ask *ask, struct search_answer *answer,
               struct fault *f)
{
    struct question q = {.ask = ask};
    void *made = NULL;
    enum err err = scan(s, &q.edition, f);

    if (err) {
        return err;
    }
    err = load_answer(NULL, NULL, NULL, &q, &made, f);
    if (!err) {
        answer->pin.value = made;
        answer->hits = &((const struct kept_answer *)made)->hits;
    }
    answer->scan = true;
    answer->partial = q.edition->partial;
    answer->nothing = search_store_info(q.edition->store)->files == 0;
    edition_unref(q.edition);
    return err;
}

enum err
search_ask(struct search *s, const struct search_ask *ask, struct search_answer *answer,
           struct fault *f)
{
    struct edition *edition;
    enum err err;

    *answer = (struct search_answer){.hits = NULL};
    if (ask->query.len > SEARCH_QUERY_MAX) {
        fault_set(f, E_ARGUMENT, "the query is over %u bytes", SEARCH_QUERY_MAX);
        return fault_remedy(f, "ask in one or two sentences");
    }
    edition = edition_current(s, &answer->stale);
    err = edition ? answer_on(s, edition, ask, answer, f) : answer_by_scan(s, ask, answer, f);
    if (edition && (err == E_REFUSED || err == E_IO)) {
        forget(s, edition);
        err = answer_by_scan(s, ask, answer, f);
    }
    edition_drop(s, edition);
    return err;
}

void
search_release(struct search *s, struct search_answer *answer)
{
    if (answer->hits && answer->scan) {
        free_answer(answer->pin.value);
    } else if (answer->hits) {
        slots_unpin(s->answers, &answer->pin);
    }
    answer->hits = NULL;
}

void
search_keep_text(const struct search_answer *answer, struct bytes *text)
{
    struct kept_answer *kept = answer->scan ? NULL : answer->pin.value;
    struct bytes *none = NULL;

    if (kept) {
        bytes_ref(text); /* Before others can find it. */
        if (!atomic_compare_exchange_strong(&kept->text, &none, text)) {
            bytes_unref(text);
        }
    }
}

struct bytes *
search_kept_text(struct search *s, const struct search_ask *ask)
{
    struct question q = {.ask = ask, .now_ns = clock_mono(s->options.clock), .with_text = true};
    struct bytes *text = NULL;
    struct buf key = BUF_INIT;
    char version[VERSION_SIZE];
    struct slot_pin pin;
    bool stale;

    if (s->embed || ask->query.len > SEARCH_QUERY_MAX) {
        return NULL; /* The vector of the question may have to be waited for. */
    }
    q.edition = edition_current(s, &stale);
    if (q.edition && !stale) {
        write_version(q.edition, false, version);
        write_key(ask, &key);
        if (!key.failed && slots_look(s->answers, key.data, version, &q, &pin)) {
            text = bytes_ref(atomic_load(&((struct kept_answer *)pin.value)->text));
            slots_unpin(s->answers, &pin);
        }
        buf_fini(&key);
    }
    edition_drop(s, q.edition);
    return text;
}
