/* embed_http.c -- batches of texts to a provider, by fetch.h, and what its answers mean. */
#include "state/embed_http.h"

#include "state/base/clock.h"
#include "state/base/lock.h"
#include "state/base/rune.h"
#include "state/fetch.h"

#include <assert.h>
#include <limits.h>

#define MS_NS INT64_C(1000000)
#define IDLE_KEPT 4u
#define TRIES_MAX 8u
#define CUT_MIN 256u /* Bytes: a shorter text is not what a provider finds too long. */
#define REST_MS 200  /* When a provider that is asked too often does not say how long to wait. */

struct connection {
    struct connection *next;
    struct fetcher *fetcher; /* Owned. */
};

struct http_embedder {
    struct embedder e; /* First. */
    enum embed_dialect dialect;
    char *url, *model; /* Owned; set once, as are those up to 'lock'. */
    char *key_header;  /* Owned; or null. */
    unsigned asked;    /* The dimension that is asked for; 0: none. */
    int64_t timeout_ns;
    struct lock lock;
    struct connection *idle GUARDED_BY(LC_EMBED);
    unsigned idle_count GUARDED_BY(LC_EMBED);
};

/* ---- Connections ---- */

static struct connection *
take_connection(struct http_embedder *h)
{
    struct connection *c;

    LOCK(EMBED, &h->lock);
    c = h->idle;
    if (c) {
        h->idle = c->next;
        h->idle_count--;
    }
    UNLOCK(EMBED, &h->lock);
    if (!c) {
        c = xcalloc(1, sizeof *c);
        c->fetcher = fetcher_create();
    }
    return c;
}

static void
free_connection(struct connection *c)
{
    fetcher_destroy(c->fetcher);
    free(c);
}

static void
give_connection(struct http_embedder *h, struct connection *c)
{
    bool keep;

    LOCK(EMBED, &h->lock);
    keep = h->idle_count < IDLE_KEPT;
    if (keep) {
        c->next = h->idle;
        h->idle = c;
        h->idle_count++;
    }
    UNLOCK(EMBED, &h->lock);
    if (!keep) {
        free_connection(c);
    }
}

/* ---- One batch ---- */

/* What an answer without vectors says. */
static enum err
tell_status(const struct http_embedder *h, long status, struct fault *f)
{
    switch (status) {
    case 401:
    case 403:
        fault_set(f, E_NOT_READY, "the provider does not take the key (status %ld)", status);
        return fault_remedy(f, "name the file with a good key by embed.key_file");
    case 404:
        fault_set(f, E_NOT_READY, "the provider does not know the model \"%s\", or is elsewhere",
                  h->model);
        return fault_remedy(f, h->dialect == EMBED_OLLAMA
                                   ? "pull the model, or correct embed.model or embed.url"
                                   : "correct embed.model or embed.url");
    case 429:
        fault_set(f, E_LIMIT, "the provider is asked too often");
        return fault_remedy(f, "try again later, or raise the limit there");
    default:
        break;
    }
    if (status >= 300 && status < 400) {
        fault_set(f, E_NOT_READY, "the provider has moved (status %ld)", status);
        return fault_remedy(f, "set embed.url to where it is now");
    }
    if (status >= 500) {
        fault_set(f, E_IO, "the provider failed (status %ld)", status);
        return fault_remedy(f, "see its log");
    }
    fault_set(f, E_REFUSED, "the provider does not take such a question (status %ld)", status);
    return fault_remedy(f, "does embed.model make embeddings? See the provider's log");
}

/* The end of a batch that begins now. */
static int64_t
batch_deadline(const struct http_embedder *h, const struct embed_limits *limits)
{
    int64_t own = clock_mono(clock_real()) + h->timeout_ns;

    return limits && limits->deadline_ns < own ? limits->deadline_ns : own;
}

/* Asks until there is an answer that is not "later", or no time for another try. */
static enum err
ask(struct http_embedder *h, struct fetcher *fetcher, struct slice question, size_t count,
    const struct embed_limits *limits, struct fetch_answer *answer, struct fault *f)
{
    int64_t deadline = batch_deadline(h, limits);
    unsigned dimension = atomic_load(&h->e.dimension);
    struct fetch_request request = {
        .url = h->url,
        .headers = {"Content-Type: application/json", "Expect:", h->key_header},
        .body = question,
        .max = embed_answer_max(count, dimension),
        .stop = limits ? limits->stop : (struct stop){.flag = NULL},
    };

    for (unsigned tries = 1;; tries++) {
        int64_t left_ms = (deadline - clock_mono(clock_real())) / MS_NS, rest_ms;
        enum err err;

        if (left_ms <= 0) {
            return fault_set(f, E_TIMEOUT, "it did not come in time");
        }
        request.timeout_ms = left_ms < INT_MAX ? (int)left_ms : INT_MAX;
        buf_fini(&answer->body);
        err = fetcher_send(fetcher, &request, answer, f);
        rest_ms = answer->retry_after_ms >= 0 ? answer->retry_after_ms : REST_MS;
        if (err || answer->status == 200) {
            return err;
        }
        if ((answer->status != 429 && answer->status != 503) || tries == TRIES_MAX ||
            clock_mono(clock_real()) + rest_ms * MS_NS >= deadline) {
            return tell_status(h, answer->status, f);
        }
        if (!fetcher_rest(fetcher, rest_ms, &request.stop)) {
            return fault_set(f, E_CANCELLED, "given up");
        }
    }
}

/* Says whose fault it was, and what can be done about it. */
static enum err
name_fault(enum err err, const struct fault *why, struct fault *f)
{
    static const char *const remedies[ERR_COUNT] = {
        [E_IO] = "is the provider running? It is asked at embed.url",
        [E_TIMEOUT] = "is it busy? embed.timeout says how long it is waited for",
    };

    fault_set(f, err, "embeddings: %s", why->text);
    if (why->remedy[0] || remedies[err]) {
        fault_remedy(f, "%s", why->remedy[0] ? why->remedy : remedies[err]);
    }
    return err;
}

static enum err
embed_batch(struct http_embedder *h, struct fetcher *fetcher, const struct slice *texts,
            size_t count, const struct embed_limits *limits, struct vectors *out, struct fault *f)
{
    struct fetch_answer answer = {.status = 0};
    struct buf question = BUF_INIT;
    struct fault why = FAULT_INIT;
    unsigned known = 0;
    enum err err;

    embed_ask_write(h->dialect, h->model, h->asked, texts, count, &question);
    err = question.failed ? fault_set(&why, E_OVERLOAD, "there is no memory for the question now")
                          : ask(h, fetcher, buf_slice(&question), count, limits, &answer, &why);
    buf_fini(&question);
    err = err ? err
              : embed_answer_read(h->dialect, buf_slice(&answer.body), count,
                                  atomic_load(&h->e.dimension), out, &why);
    buf_fini(&answer.body);
    if (!err && !atomic_compare_exchange_strong(&h->e.dimension, &known, out->dimension) &&
        known != out->dimension) { /* Two asked at first, and were told different things. */
        err = fault_set(&why, E_IO, "the provider's vectors are of different dimensions");
        vectors_fini(out);
    }
    return err ? name_fault(err, &why, f) : E_OK;
}

/* ---- The embedder ---- */

/* What a call works on. */
struct job {
    struct http_embedder *h;
    struct fetcher *fetcher;
    const struct embed_limits *limits;
    struct vectors *out;
    size_t count; /* Of all texts. */
};

/* Makes the vectors from 'at' on.  Where the provider takes no question of that size each half is
 * asked for by itself, and of one text its beginning: what is too long for the model is to be found
 * by how it begins. */
static enum err
embed_part(const struct job *job, const struct slice *texts, size_t count, size_t at,
           struct fault *f)
{
    struct vectors part = {.data = NULL};
    enum err err = embed_batch(job->h, job->fetcher, texts, count, job->limits, &part, f);

    if (err == E_REFUSED && count > 1) {
        err = embed_part(job, texts, count / 2, at, f);
        return err ? err : embed_part(job, texts + count / 2, count - count / 2, at + count / 2, f);
    }
    if (err == E_REFUSED && texts->len > CUT_MIN) {
        struct slice text = {texts->data,
                             texts->len < EMBED_TEXT_MAX ? texts->len : EMBED_TEXT_MAX};

        text.len = rune_cut(text, text.len / 2);
        return embed_part(job, &text, 1, at, f);
    }
    if (!err && !job->out->data) {
        err = vectors_make(job->out, job->count, part.dimension, f);
    }
    if (!err) {
        memcpy(vectors_at(job->out, at), part.data, count * part.dimension * sizeof *part.data);
    }
    vectors_fini(&part);
    return err;
}

static enum err
embed(struct embedder *e, const struct slice *texts, size_t count,
      const struct embed_limits *limits, struct vectors *out, struct fault *f)
{
    struct http_embedder *h = (struct http_embedder *)e;
    struct connection *c = take_connection(h);
    const struct job job = {h, c->fetcher, limits, out, count};
    enum err err = E_OK;

    for (size_t i = 0; i < count && !err; i += e->batch) {
        size_t n = count - i < e->batch ? count - i : e->batch;

        err = embed_part(&job, texts + i, n, i, f);
    }
    give_connection(h, c);
    return err;
}

UNSHARED static void
free_embedder(struct embedder *e)
{
    struct http_embedder *h = (struct http_embedder *)e;

    while (h->idle) {
        struct connection *c = h->idle;

        h->idle = c->next;
        free_connection(c);
    }
    lock_fini(&h->lock);
    free(h->url);
    free(h->model);
    if (h->key_header) {
        explicit_bzero(h->key_header, strlen(h->key_header));
        free(h->key_header);
    }
    free(h);
}

static const struct embedder_class http = {embed, free_embedder};

struct embedder *
embed_http_create(const struct embed_http_options *options)
{
    struct http_embedder *h = xcalloc(1, sizeof *h);
    char *identity =
        xasprintf("%s/%s", options->dialect == EMBED_OLLAMA ? "ollama" : "openai", options->model);
    size_t len = strlen(options->url);

    assert(options->batch && options->batch <= EMBED_BATCH_MAX);
    while (len && options->url[len - 1] == '/') {
        len--;
    }
    embedder_init(&h->e, &http, identity, options->dimension);
    h->dialect = options->dialect;
    h->url = xasprintf("%.*s%s", (int)len, options->url, embed_path(options->dialect));
    h->model = xstrdup(options->model);
    if (options->key && *options->key) {
        h->key_header = xasprintf("Authorization: Bearer %s", options->key);
    }
    h->asked = options->dimension;
    h->e.batch = options->batch;
    h->timeout_ns = options->timeout_ns;
    lock_init(&h->lock, RANK_EMBED);
    free(identity);
    return &h->e;
}
