/* need_end.c -- what ends the waiting for a client, other than its answer: its leaving, the clock,
 * the end of the server. */
#include "handlers/need_private.h"

#include "handlers/dispatch_private.h"

struct ending {
    struct dispatcher *d;
    struct taken taken;
    int64_t now_ns;
    const struct mcp_session *session;
};

static void
take_initialized(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct ending *e = arg;

    for (struct request *r = first; r; r = r->next) {
        struct fault f = FAULT_INIT;

        if (r->parked == PARKED_CLIENT && !r->host && r->session == e->session &&
            needs_send_locked(r, r->sink, SLICE_NONE) != E_OK) {
            fault_set(&f, E_NO_INPUT, "the client cannot be asked");
            needs_fail_locked(r, &f, "the call was given up", &e->taken);
        }
    }
}

void
asks_initialized(struct dispatcher *d, const struct mcp_session *session)
{
    struct ending e = {.d = d, .session = session};

    inflight_do(d->inflight, take_initialized, &e);
    park_run(&e.taken);
}

static void
take_expired(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct ending *e = arg;
    struct fault f = FAULT_INIT;

    fault_set(&f, E_TIMEOUT, "the client did not answer what it was asked in time");
    fault_remedy(&f, "call again when somebody is there to answer, or raise limits.ask_time");
    for (struct request *r = first; r; r = r->next) {
        if (park_holds_locked(r, PARKED_CLIENT) && e->now_ns >= r->needs->expires_ns) {
            needs_fail_locked(r, &f, "there was no answer in time", &e->taken);
        }
    }
}

void
asks_tick(struct dispatcher *d)
{
    struct ending e = {.d = d, .now_ns = clock_mono(d->clock)};

    inflight_do(d->inflight, take_expired, &e);
    park_run(&e.taken);
}

static void
close_all(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct ending *e = arg;
    struct fault f = FAULT_INIT;

    fault_set(&f, E_OVERLOAD, "the server is ending, and does not wait for its client any more");
    e->d->asks->closed = true;
    for (struct request *r = first; r; r = r->next) {
        if (park_holds_locked(r, PARKED_CLIENT)) {
            needs_fail_locked(r, &f, "the server is ending", &e->taken);
        }
    }
}

static void
close_session(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct ending *e = arg;
    struct fault f = FAULT_INIT;

    fault_set(&f, E_CANCELLED, "the client ended its input before it answered");
    for (struct request *r = first; r; r = r->next) {
        if (park_holds_locked(r, PARKED_CLIENT) && r->session == e->session) {
            needs_fail_locked(r, &f, "nobody can answer", &e->taken);
        }
    }
}

void
asks_close_session(struct dispatcher *d, const struct mcp_session *session)
{
    struct ending e = {.d = d, .session = session};

    inflight_do(d->inflight, close_session, &e);
    park_run(&e.taken);
}

void
asks_close(struct dispatcher *d)
{
    struct ending e = {.d = d};

    inflight_do(d->inflight, close_all, &e);
    park_run(&e.taken);
}
