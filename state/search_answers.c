/* search_answers.c -- questions, on the edition that is current, and the answers that are kept. */
#include "state/base/log.h"
#include "state/search_life.h"

#include <inttypes.h>
#include <stdio.h>

LOG_MODULE("search");

#define ANSWER_NS INT64_C(3600000000000) /* How long an answer is kept. */
#define SCAN_FILES 300u                  /* Looked at while there is no index. */

/* What a load of an answer gets. */
struct question {
    struct search *search;
    struct edition *edition; /* Borrowed. */
    const struct search_ask *ask;
    bool loaded;
};

static enum err
load_answer(void *owner, const char *key, const char *version, void *arg, void **value,
            struct fault *f)
{
    struct question *q = arg;
    struct search_ask ask = *q->ask;
    struct search_hits *hits = xcalloc(1, sizeof *hits);
    enum err err;

    (void)owner, (void)key, (void)version;
    q->loaded = true;
    ask.synonyms = q->edition->synonyms;
    err = search_find(q->edition->store, &ask, hits, f);
    if (err) {
        free(hits);
        return err;
    }
    *value = hits;
    return E_OK;
}

static void
free_answer(void *value)
{
    search_hits_fini(value);
    free(value);
}

const struct slots_class search_answers_class = {"search_answers", load_answer, free_answer};

/* Writes the query with its white space folded, after its filters. */
static void
write_key(const struct search_ask *ask, struct buf *out)
{
    bool gap = false;
    size_t start;

    buf_addf(out, "%u %d", ask->limit, ask->phase);
    for (size_t i = 0; ask->tags && i < ask->tags->count; i++) {
        buf_addf(out, " %s", ask->tags->items[i]);
    }
    buf_addc(out, '\n');
    start = out->len;
    for (size_t i = 0; i < ask->query.len; i++) {
        char c = ask->query.data[i];

        if (strchr(" \t\r\n", c)) { /* NUL too: no word holds one. */
            gap = out->len > start;
            continue;
        }
        if (gap) {
            buf_addc(out, ' ');
            gap = false;
        }
        buf_addc(out, c);
    }
}

/* An edition for one query while there is no index. */
static enum err
scan(struct search *s, struct edition **edition, struct fault *f)
{
    struct search_place place = {
        .data = s->options.data,
        .files_max = s->started ? SCAN_FILES : 0, /* Else nobody will look at the others. */
        .stop = &s->stopping,
    };
    struct search_store *store = NULL;
    struct search_look told;
    enum err err = search_look(&place, NULL, 0, 0, &store, &told, f);

    if (!err) {
        *edition = edition_make(s, store, 0);
        (*edition)->scan = true;
        (*edition)->partial = told.partial;
    }
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
        edition_unref(old);
    }
}

/* Finds or makes the answer on one edition. */
static enum err
answer_on(struct search *s, struct edition *edition, const struct search_ask *ask,
          struct search_answer *answer, struct fault *f)
{
    struct question q = {.search = s, .edition = edition, .ask = ask};
    int64_t now = clock_mono(s->options.clock);
    struct buf key = BUF_INIT;
    char version[64];
    enum err err;

    snprintf(version, sizeof version, "%" PRIu64 ".%" PRId64, edition->number, now / ANSWER_NS);
    write_key(ask, &key);
    err = key.failed ? fault_set(f, E_OVERLOAD, "there is no memory for this search now")
                     : slots_get(s->answers, key.data, version, &q, INT64_MAX, &answer->pin, f);
    buf_fini(&key);
    if (!err) {
        answer->hits = answer->pin.value;
        answer->cached = !q.loaded;
    }
    return err;
}

/* The same while there is no index: nothing of it is kept. */
static enum err
answer_by_scan(struct search *s, const struct search_ask *ask, struct search_answer *answer,
               struct fault *f)
{
    struct question q = {.search = s, .ask = ask};
    void *hits = NULL;
    enum err err = scan(s, &q.edition, f);

    if (err) {
        return err;
    }
    err = load_answer(NULL, NULL, NULL, &q, &hits, f);
    answer->hits = hits;
    answer->scan = true;
    answer->partial = q.edition->partial;
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
    edition_unref(edition);
    return err;
}

void
search_release(struct search *s, struct search_answer *answer)
{
    if (answer->scan) {
        free_answer((void *)(uintptr_t)answer->hits);
    } else if (answer->hits) {
        slots_unpin(s->answers, &answer->pin);
    }
    answer->hits = NULL;
}
