/* inflight.c -- a list, because there are few: the limit is in the hundreds, and a walk is
 * microseconds. */
#include "handlers/inflight.h"

#include "state/base/lock.h"

struct inflight {
    unsigned total_limit, session_limit; /* Set once. */
    struct lock lock;
    struct request *first GUARDED_BY(LC_INFLIGHT);
    unsigned total GUARDED_BY(LC_INFLIGHT);
    bool ended GUARDED_BY(LC_INFLIGHT);
    unsigned by_transport[TRANSPORT_COUNT] GUARDED_BY(LC_INFLIGHT);
};

UNSHARED struct inflight *
inflight_create(unsigned total, unsigned per_session)
{
    struct inflight *t = xcalloc(1, sizeof *t);

    t->total_limit = total;
    t->session_limit = per_session;
    lock_init(&t->lock, RANK_INFLIGHT);
    return t;
}

void
inflight_destroy(struct inflight *t)
{
    if (t) {
        lock_fini(&t->lock);
        free(t);
    }
}

/* What scopes the ids of a request: its session or its connection; null for modern HTTP, and for
 * tasks, which have ids of their own. */
static const struct mcp_session *
scope_of(const struct request *req)
{
    return req->task ? NULL : req->session ? req->session : req->env.session;
}

/* True if no call more may run.  The network does not take the last places: who floods them must
 * not keep the IDE from calling. */
static bool
is_full_locked(const struct inflight *t, const struct request *req) REQUIRES(LC_INFLIGHT)
{
    unsigned most = t->total_limit / 4;
    unsigned kept = t->session_limit < most ? t->session_limit : most;

    return t->total >= t->total_limit ||
           (req->env.transport != TRANSPORT_STDIO &&
            t->total - t->by_transport[TRANSPORT_STDIO] >= t->total_limit - kept);
}

/* How many calls the scope of 'req' has in flight; '*twice' tells if one of them has its id. */
static unsigned
count_scope_locked(const struct inflight *t, const struct request *req, bool *twice)
    REQUIRES(LC_INFLIGHT)
{
    const struct mcp_session *scope = scope_of(req);
    unsigned count = 0;

    *twice = false;
    for (const struct request *r = t->first; r && scope; r = r->next) {
        if (scope_of(r) == scope) {
            count++;
            *twice = *twice || rpc_id_equal(r->message.id, req->message.id);
        }
    }
    return count;
}

static enum err
refuse_twice(struct fault *f)
{
    fault_set(f, E_INVALID_REQUEST, "a request with this id is still running");
    return fault_remedy(f, "give each request an id of its own");
}

enum err
inflight_check(struct inflight *t, const struct request *req, struct fault *f)
{
    bool twice;

    if (!scope_of(req) || !req->message.id.len) {
        return E_OK;
    }
    LOCK(INFLIGHT, &t->lock);
    count_scope_locked(t, req, &twice);
    UNLOCK(INFLIGHT, &t->lock);
    return twice ? refuse_twice(f) : E_OK;
}

enum err
inflight_add(struct inflight *t, struct request *req, struct fault *f)
{
    bool twice, full, ended;

    LOCK(INFLIGHT, &t->lock);
    full = count_scope_locked(t, req, &twice) >= t->session_limit || is_full_locked(t, req);
    ended = t->ended;
    if (!twice && !full && !ended) {
        req->prev = NULL;
        req->next = t->first;
        if (t->first) {
            t->first->prev = req;
        }
        t->first = req;
        t->total++;
        t->by_transport[req->env.transport]++;
    }
    UNLOCK(INFLIGHT, &t->lock);
    if (ended) {
        return fault_set(f, E_OVERLOAD, "the server is ending");
    }
    if (twice) {
        return refuse_twice(f);
    }
    if (full) {
        fault_set(f, E_BUSY, "too many calls are running");
        return fault_remedy(f, "wait for one to be answered and send this one again");
    }
    return E_OK;
}

void
inflight_remove(struct inflight *t, struct request *req)
{
    LOCK(INFLIGHT, &t->lock);
    *(req->prev ? &req->prev->next : &t->first) = req->next;
    if (req->next) {
        req->next->prev = req->prev;
    }
    if (!req->task) {
        t->total--;
        t->by_transport[req->env.transport]--;
    }
    UNLOCK(INFLIGHT, &t->lock);
}

struct sink *
inflight_detach(struct inflight *t, struct request *req, struct task_run *task,
                struct need_host *host)
{
    struct sink *sink = NULL;

    LOCK(INFLIGHT, &t->lock);
    if (atomic_load(&req->progress) == REQUEST_RUNNING) {
        sink = req->sink;
        req->sink = NULL;
        req->stream = NULL; /* It was the sink. */
        req->task = task;
        req->host = host;
        t->total--;
        t->by_transport[req->env.transport]--;
    }
    UNLOCK(INFLIGHT, &t->lock);
    return sink;
}

void
inflight_send(struct inflight *t, struct request *req, const struct event *event)
{
    LOCK(INFLIGHT, &t->lock);
    if (atomic_load(&req->progress) == REQUEST_RUNNING) {
        if (req->task) {
            mcp_session_send(req->session, event->body);
        } else {
            req->sink->class->send(req->sink, event);
        }
    }
    UNLOCK(INFLIGHT, &t->lock);
}

void
inflight_prime(struct inflight *t, int64_t started_ns)
{
    LOCK(INFLIGHT, &t->lock);
    for (struct request *r = t->first; r; r = r->next) {
        if (r->stream && r->started_ns < started_ns &&
            atomic_load(&r->progress) == REQUEST_RUNNING) {
            mcp_stream_prime(r->stream);
        }
    }
    UNLOCK(INFLIGHT, &t->lock);
}

void
inflight_do(struct inflight *t, void (*act)(struct request *first, void *arg), void *arg)
{
    LOCK(INFLIGHT, &t->lock);
    act(t->first, arg);
    UNLOCK(INFLIGHT, &t->lock);
}

static bool
matches(const struct request *req, const struct inflight_match *m)
{
    return (!m->session || scope_of(req) == m->session) &&
           (!m->sink || (req->sink == m->sink && req->era == ERA_MODERN)) &&
           (!m->host || req->host == m->host) &&
           (!m->id.len || rpc_id_equal(req->message.id, m->id));
}

unsigned
inflight_cancel(struct inflight *t, const struct inflight_match *match)
{
    unsigned count = 0;

    LOCK(INFLIGHT, &t->lock);
    for (struct request *r = t->first; r; r = r->next) {
        int running = REQUEST_RUNNING;
        if (matches(r, match) &&
            atomic_compare_exchange_strong(&r->progress, &running, REQUEST_CANCELLED)) {
            count++;
        }
    }
    UNLOCK(INFLIGHT, &t->lock);
    return count;
}

unsigned
inflight_end(struct inflight *t, void (*tell)(const struct request *req))
{
    unsigned count = 0;

    LOCK(INFLIGHT, &t->lock);
    t->ended = true;
    for (struct request *r = t->first; r; r = r->next) {
        int running = REQUEST_RUNNING;
        if (atomic_compare_exchange_strong(&r->progress, &running, REQUEST_ENDED)) {
            tell(r);
            count++;
        }
    }
    UNLOCK(INFLIGHT, &t->lock);
    return count;
}

unsigned
inflight_count(struct inflight *t, enum transport_kind transport)
{
    unsigned count;

    LOCK(INFLIGHT, &t->lock);
    count = t->by_transport[transport];
    UNLOCK(INFLIGHT, &t->lock);
    return count;
}
