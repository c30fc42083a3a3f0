/* wait.c -- waiting requests: in flight, on no worker, until time or a task wakes them.
 *
 * DESIGN.  As in need_park.c: whoever takes a request out of its waiting, with INFLIGHT held, has
 * it for himself.  Nobody is woken too late: a request begins to wait with INFLIGHT held and only
 * if what it waits for has not come, and who wakes it looks with INFLIGHT held after it came. */
#include "handlers/wait.h"

#include "handlers/dispatch_private.h"
#include "state/base/keeper.h"
#include "state/base/lock.h"
#include "state/mcp_tasks.h"

#include <assert.h>

enum err
wait_until(struct request *req, int64_t until_ns, struct fault *f)
{
    int64_t now = clock_mono(req->dispatcher->clock);

    if (now >= until_ns) {
        return E_OK;
    }
    if (now >= req->deadline_ns) {
        return fault_set(f, E_TIMEOUT, "the time that a call may take is over");
    }
    req->wait.until_ns = until_ns < req->deadline_ns ? until_ns : req->deadline_ns;
    req->wait.wanted = true;
    return E_INPUT;
}

static enum err
tell_close(struct fault *f)
{
    fault_set(f, E_OVERLOAD, "the server is ending, and does not wait for the task any more");
    return fault_remedy(f, "begin the task anew once a server runs: it ends with this one");
}

enum err
wait_for_task(struct request *req, struct mcp_task *task, unsigned changes, struct fault *f)
{
    wait_end(req);
    if (req->wait.vain) {
        return tell_close(f);
    }
    req->wait = (struct request_wait){
        .wanted = true, .until_ns = INT64_MAX, .task = mcp_task_ref(task), .changes = changes};
    return E_INPUT;
}

struct others {
    const struct request *req;
    const struct mcp_task *task;
    bool any;
};

static void
find_others(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct others *o = arg;

    for (const struct request *r = first; r; r = r->next) {
        o->any = o->any || (r != o->req && r->waiting && r->wait.task == o->task);
    }
}

bool
wait_for_task_by_others(const struct request *req, const struct mcp_task *task)
{
    struct others o = {.req = req, .task = task};

    inflight_do(req->dispatcher->inflight, find_others, &o);
    return o.any;
}

bool
wait_wanted(const struct request *req)
{
    return req->wait.wanted;
}

void
wait_end(struct request *req)
{
    mcp_task_unref(req->wait.task);
    req->wait.task = NULL;
}

/* ---- INFLIGHT held ---- */

static bool
is_due(const struct request_wait *w, int64_t now)
{
    return w->ready || now >= w->until_ns || (w->task && mcp_task_changes(w->task) > w->changes);
}

struct parking {
    struct request *req;
    enum asks_step step;
};

static void
park(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct parking *p = arg;
    struct request *req = p->req;

    (void)first;
    if (atomic_load(&req->progress) != REQUEST_RUNNING) {
        p->step = ASKS_OVER;
    } else if (req->dispatcher->waits_closed && req->wait.task) {
        req->wait.vain = true; /* Which its handler tells, unless what it waited for has come. */
        p->step = ASKS_AGAIN;
    } else if (!req->wait.ready && is_due(&req->wait, clock_mono(req->dispatcher->clock))) {
        p->step = ASKS_AGAIN;
    } else {
        req->waiting = true;
        p->step = ASKS_PARKED;
    }
}

/* Which are to be taken, and those that were, by 'job.next', which is theirs while no worker has
 * them. */
struct taking {
    int64_t now_ns;              /* Those that are due by then; */
    const struct mcp_task *task; /* or, if not null, that wait for it; */
    bool stopped;                /* or that were cancelled or ended. */
    bool more;                   /* Some wait for a moment still. */
    struct job *first;
};

static void
take(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct taking *t = arg;

    for (struct request *r = first; r; r = r->next) {
        bool runs = atomic_load(&r->progress) == REQUEST_RUNNING;

        if (!r->waiting) {
            continue;
        }
        if (t->stopped
                ? !runs
                : runs && (!t->task || r->wait.task == t->task) && is_due(&r->wait, t->now_ns)) {
            r->waiting = false;
            r->job.next = t->first;
            t->first = &r->job;
        } else if (r->wait.until_ns < INT64_MAX) {
            t->more = true;
        }
    }
}

struct closing {
    struct dispatcher *d;
    struct taking taken;
};

static void
close_all(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct closing *c = arg;

    c->d->waits_closed = true;
    for (struct request *r = first; r; r = r->next) {
        if (r->waiting && r->wait.task && !is_due(&r->wait, 0) &&
            atomic_load(&r->progress) == REQUEST_RUNNING) {
            r->waiting = false;
            r->job.next = c->taken.first;
            c->taken.first = &r->job;
        }
    }
}

/* ---- No lock held ---- */

static struct request *
next_taken(struct taking *t)
{
    struct request *req = (struct request *)t->first;

    if (req) {
        t->first = req->job.next;
    }
    return req;
}

/* Has taken requests run again.  Where no worker is to be had now they wait for one: true. */
static bool
run_taken(struct taking *t)
{
    struct request *req;
    bool more = false;

    while ((req = next_taken(t))) {
        struct dispatcher *d = req->dispatcher;
        enum err err;

        req->wait.wanted = req->wait.ready = false;
        err = pool_submit(d->pool, &req->job, dispatch_lane(req));
        if (err == E_BUSY) {
            struct parking p = {.req = req};

            req->wait.ready = true;
            inflight_do(d->inflight, park, &p);
            err = p.step == ASKS_PARKED ? E_OK : E_CANCELLED;
            more = more || !err;
        }
        if (err) {
            dispatch_end_call(req, fault_set(&req->fault, err, "the server is ending"));
        }
    }
    return more;
}

enum asks_step
wait_settle(struct request *req)
{
    struct dispatcher *d = req->dispatcher;
    struct parking p = {.req = req};

    assert(req->bytes); /* It runs on a worker: the transport's thread cannot wait. */
    inflight_do(d->inflight, park, &p);
    if (p.step == ASKS_PARKED) {
        if (d->waking) {
            keeper_stir(d->waking);
        }
    } else {
        req->wait.wanted = false;
    }
    return p.step;
}

void
wait_wake(struct dispatcher *d, const struct mcp_task *task)
{
    struct taking t = {.task = task};

    inflight_do(d->inflight, take, &t);
    if (run_taken(&t) && d->waking) {
        keeper_stir(d->waking);
    }
}

void
wait_drop_stopped(struct dispatcher *d)
{
    struct taking t = {.stopped = true};
    struct request *req;

    inflight_do(d->inflight, take, &t);
    while ((req = next_taken(&t))) {
        dispatch_end_call(req, E_CANCELLED);
    }
}

void
wait_close(struct dispatcher *d)
{
    struct closing c = {.d = d};
    struct request *req;

    inflight_do(d->inflight, close_all, &c);
    while ((req = next_taken(&c.taken))) {
        dispatch_end_call(req, tell_close(&req->fault));
    }
}

bool
wait_tick(struct dispatcher *d)
{
    struct taking t = {.now_ns = clock_mono(d->clock)};

    inflight_do(d->inflight, take, &t);
    return run_taken(&t) || t.more;
}
