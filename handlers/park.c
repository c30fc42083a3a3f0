/* park.c -- requests that wait, and what becomes of those that were taken. */
#include "handlers/park.h"

#include "handlers/asks.h"
#include "handlers/dispatch_private.h"
#include "state/base/keeper.h"

#include <assert.h>

/* ---- INFLIGHT held ---- */

bool
park_goes_on_locked(const struct request *req) REQUIRES(LC_INFLIGHT)
{
    return atomic_load(&req->progress) == REQUEST_RUNNING;
}

void
park_locked(struct request *req, enum parked why) REQUIRES(LC_INFLIGHT)
{
    assert(!req->parked && park_goes_on_locked(req));
    req->parked = why;
    if (why != PARKED_WORKER) { /* Who waited for its client before that waits on. */
        req->stopped_ns = why == PARKED_CLIENT ? clock_mono(req->dispatcher->clock) : -1;
    }
}

bool
park_holds_locked(const struct request *req, enum parked why) REQUIRES(LC_INFLIGHT)
{
    return req->parked == why && park_goes_on_locked(req);
}

void
park_take_locked(struct request *req, struct taken *taken) REQUIRES(LC_INFLIGHT)
{
    if (req->parked == PARKED_CLIENT) {
        asks_leave_locked(req);
    }
    req->parked = PARKED_NOT;
    req->job.next = taken->first;
    taken->first = &req->job;
}

static void
take_stopped(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    for (struct request *r = first; r; r = r->next) {
        if (r->parked && !park_goes_on_locked(r)) {
            park_take_locked(r, arg);
        }
    }
}

static void
take_ready(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    for (struct request *r = first; r; r = r->next) {
        if (park_holds_locked(r, PARKED_WORKER)) {
            park_take_locked(r, arg);
        }
    }
}

struct readiness {
    struct request *req;
    bool parked;
};

static void
park_ready(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct readiness *r = arg;

    (void)first;
    r->parked = park_goes_on_locked(r->req);
    if (r->parked) {
        park_locked(r->req, PARKED_WORKER);
    }
}

/* ---- No lock held ---- */

static struct request *
next_taken(struct taken *taken)
{
    struct request *req = (struct request *)taken->first;

    if (req) {
        taken->first = req->job.next;
    }
    return req;
}

/* Has one run again.  True if it waits for a worker, and is not the caller's any more. */
static bool
run_again(struct request *req)
{
    struct dispatcher *d = req->dispatcher;
    enum err err;

    if (req->stopped_ns >= 0) {
        int64_t now = clock_mono(d->clock);

        req->deadline_ns += now - req->stopped_ns;
        req->stopped_ns = now;
    }
    err = pool_submit(d->pool, &req->job, dispatch_lane(req));
    if (err == E_BUSY) {
        struct readiness r = {.req = req};

        inflight_do(d->inflight, park_ready, &r);
        if (r.parked) {
            return true;
        }
        err = E_CANCELLED; /* Stopped while nobody had it parked. */
    }
    if (err) {
        dispatch_end_call(req, fault_set(&req->fault, err, "the server is ending"));
    }
    return false;
}

void
park_run(struct taken *taken)
{
    struct request *req;

    while ((req = next_taken(taken))) {
        struct dispatcher *d = req->dispatcher;

        if (run_again(req) && d->waking) {
            keeper_stir(d->waking);
        }
    }
}

void
park_end(struct taken *taken, const struct fault *f)
{
    struct request *req;

    while ((req = next_taken(taken))) {
        req->fault = *f;
        dispatch_end_call(req, f->code);
    }
}

void
park_drop_stopped(struct dispatcher *d)
{
    struct fault f = FAULT_INIT;
    struct taken taken = {NULL};

    inflight_do(d->inflight, take_stopped, &taken);
    fault_set(&f, E_CANCELLED, "the call was cancelled");
    park_end(&taken, &f);
}

bool
park_tick(struct dispatcher *d)
{
    struct taken taken = {NULL};
    struct request *req;
    bool more = false;

    inflight_do(d->inflight, take_ready, &taken);
    while ((req = next_taken(&taken))) {
        more |= run_again(req);
    }
    return more;
}
