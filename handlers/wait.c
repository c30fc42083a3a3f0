/* wait.c -- requests that are parked until time or a task wakes them.
 *
 * DESIGN.  Nobody is woken too late: a request is parked with INFLIGHT held and only if what it
 * waits for has not come, and who wakes it looks with INFLIGHT held after it came. */
#include "handlers/wait.h"

#include "handlers/dispatch_private.h"
#include "handlers/park.h"
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
        o->any = o->any || (r != o->req && r->parked && r->wait.task == o->task);
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
    return now >= w->until_ns || (w->task && mcp_task_changes(w->task) > w->changes);
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
    if (!park_goes_on_locked(req)) {
        p->step = ASKS_OVER;
    } else if (req->dispatcher->waits_closed && req->wait.task) {
        req->wait.vain = true; /* Which its handler tells, unless what it waited for has come. */
        p->step = ASKS_AGAIN;
    } else if (is_due(&req->wait, clock_mono(req->dispatcher->clock))) {
        p->step = ASKS_AGAIN;
    } else {
        park_locked(req, PARKED_EVENT);
        p->step = ASKS_PARKED;
    }
}

struct waking {
    int64_t now_ns;              /* Those that are due by then */
    const struct mcp_task *task; /* and, if this is not null, wait for it. */
    bool more;                   /* Some wait for a moment still. */
    struct taken taken;
};

static void
take_due(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct waking *w = arg;

    for (struct request *r = first; r; r = r->next) {
        if (!park_holds_locked(r, PARKED_EVENT)) {
            continue;
        }
        if ((!w->task || r->wait.task == w->task) && is_due(&r->wait, w->now_ns)) {
            park_take_locked(r, &w->taken);
        } else if (r->wait.until_ns < INT64_MAX) {
            w->more = true;
        }
    }
}

struct closing {
    struct dispatcher *d;
    struct taken taken;
};

static void
close_all(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct closing *c = arg;

    c->d->waits_closed = true;
    for (struct request *r = first; r; r = r->next) {
        if (park_holds_locked(r, PARKED_EVENT) && r->wait.task && !is_due(&r->wait, 0)) {
            park_take_locked(r, &c->taken);
        }
    }
}

/* ---- No lock held ---- */

enum asks_step
wait_settle(struct request *req)
{
    struct dispatcher *d = req->dispatcher;
    struct parking p = {.req = req};

    assert(req->bytes); /* It runs on a worker: the transport's thread cannot wait. */
    req->wait.wanted = false;
    inflight_do(d->inflight, park, &p);
    if (p.step == ASKS_PARKED && d->waking) {
        keeper_stir(d->waking);
    }
    return p.step;
}

void
wait_wake(struct dispatcher *d, const struct mcp_task *task)
{
    struct waking w = {.task = task};

    inflight_do(d->inflight, take_due, &w);
    park_run(&w.taken);
}

void
wait_close(struct dispatcher *d)
{
    struct closing c = {.d = d};
    struct fault f = FAULT_INIT;

    inflight_do(d->inflight, close_all, &c);
    tell_close(&f);
    park_end(&c.taken, &f);
}

bool
wait_tick(struct dispatcher *d)
{
    struct waking w = {.now_ns = clock_mono(d->clock)};

    inflight_do(d->inflight, take_due, &w);
    park_run(&w.taken);
    return w.more;
}
