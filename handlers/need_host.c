/* need_host.c -- what a task does for a request that is parked in it: tells what it lacks, answers
 * it, or has its client asked. */
#include "handlers/need_private.h"

#include "handlers/dispatch_private.h"
#include "state/base/json_put.h"

void
need_add_lacking(const struct request *req, struct buf *out)
{
    needs_add_wanted(req->needs, out);
}

struct lookup {
    const struct need_host *host;
    const char *key;
    struct buf *out;
    struct sink *sink;
    struct slice meta;
    bool found;
    enum need_kind kind;
    json_t *params; /* Counted. */
    enum err err;
};

static struct request *
parked_of_locked(struct request *first, const struct need_host *host) REQUIRES(LC_INFLIGHT)
{
    for (struct request *r = first; r; r = r->next) {
        if (r->host == host) {
            return r->parked == PARKED_CLIENT ? r : NULL;
        }
    }
    return NULL;
}

static void
add_lacking(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct lookup *l = arg;
    struct request *r = parked_of_locked(first, l->host);

    l->found = r && needs_lack(r->needs);
    if (l->found) {
        needs_add_wanted(r->needs, l->out);
    }
}

bool
need_lacks(struct dispatcher *d, const struct need_host *host, struct buf *out)
{
    struct lookup l = {.host = host, .out = out};

    inflight_do(d->inflight, add_lacking, &l);
    return l.found;
}

static void
look_question_up(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct lookup *l = arg;
    struct request *r = parked_of_locked(first, l->host);
    struct need_slot *slot =
        r ? needs_slot_meant(r->needs, &(struct arrival){.key = l->key}) : NULL;

    if (slot) {
        l->kind = slot->kind;
        l->params = json_incref(slot->params);
    }
}

enum err
need_give(struct dispatcher *d, const struct need_host *host, const char *key, const json_t *answer,
          struct fault *f)
{
    struct lookup l = {.host = host, .key = key};
    struct arrival a = {.host = host, .key = key};
    enum err err;

    inflight_do(d->inflight, look_question_up, &l);
    if (!l.params) {
        return fault_set(f, E_NOT_FOUND, "'%.64s' is not asked for", key);
    }
    a.answer = json_clone(answer);
    err = need_check(l.kind, l.params, a.answer, f);
    json_decref(l.params);
    if (!err) {
        inflight_do(d->inflight, needs_arrive, &a);
        err = a.answer ? fault_set(f, E_NOT_FOUND, "'%.64s' is not asked for any more", key) : E_OK;
    }
    json_decref(a.answer);
    park_run(&a.taken);
    return err;
}

static void
ask_for_host(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct lookup *l = arg;
    struct request *r = parked_of_locked(first, l->host);

    if (r && r->session && atomic_load(&r->session->initialized)) {
        l->err = needs_send_locked(r, l->sink, l->meta);
    }
}

enum err
need_ask(struct dispatcher *d, const struct need_host *host, struct sink *sink, struct slice meta)
{
    struct lookup l = {.host = host, .sink = sink, .meta = meta};

    inflight_do(d->inflight, ask_for_host, &l);
    return l.err;
}

static void
unask_for_host(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct lookup *l = arg;
    struct request *r = parked_of_locked(first, l->host);

    for (size_t i = 0; r && i < r->needs->count; i++) {
        struct need_slot *slot = &r->needs->slots[i];

        slot->ask_id = slot->answer || slot->error ? slot->ask_id : 0;
    }
}

void
need_unask(struct dispatcher *d, const struct need_host *host)
{
    struct lookup l = {.host = host};

    inflight_do(d->inflight, unask_for_host, &l);
}
