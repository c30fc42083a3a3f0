/* dispatch_peers.c -- what is no message: peers that listen, leave, have room again; what comes by
 * time; the end of sessions and of the server. */
#include "handlers/asks.h"
#include "handlers/dispatch_private.h"
#include "handlers/era.h"
#include "handlers/notices.h"
#include "handlers/park.h"
#include "handlers/subscriptions.h"
#include "handlers/suspension.h"
#include "handlers/tasks.h"
#include "handlers/tenant.h"
#include "handlers/wait.h"
#include "state/base/keeper.h"
#include "state/mcp_session.h"
#include "state/state.h"

/* A legacy call that runs longer than this has a stream that its client can resume. */
#define LONG_NS INT64_C(1000000000)

/* ---- What comes by time ---- */

static bool
tick(void *arg)
{
    return dispatch_tick(arg);
}

/* Runs what waited for a worker or a moment.  True while anything does. */
static bool
wake(void *arg)
{
    bool more = park_tick(arg);

    return wait_tick(arg) || more;
}

void
dispatch_keep(struct dispatcher *d, struct keeper *keeper)
{
    d->ticking = keeper_every(keeper, 1000, tick, d);
    d->waking = keeper_every(keeper, 50, wake, d);
}

bool
dispatch_tick(struct dispatcher *d)
{
    bool more = mcp_sessions_expire(state_sessions(d->state)) > 0;

    notices_sweep(d);
    inflight_prime(d->inflight, clock_mono(d->clock) - LONG_NS);
    mcp_streams_tick(mcp_sessions_streams(state_sessions(d->state)));

    asks_tick(d);
    more |= tasks_tick(d);
    more |= suspension_tick(d);
    wake(d);
    /* A call in flight may leave behind what has a time. */
    for (enum transport_kind t = 0; t < TRANSPORT_COUNT; t++) {
        more |= inflight_count(d->inflight, t) > 0;
    }
    return more;
}

/* ---- Legacy sessions over HTTP, and their connections ---- */

void
dispatch_listen(struct dispatcher *d, const struct envelope *env, struct slice last_event_id,
                struct sink *sink)
{
    struct request req;
    enum err err;

    request_init(&req, d, env, sink, DIALECT_RPC);
    req.message.kind = RPC_REQUEST; /* Which has an answer, though no id. */
    err = era_decide_bare(&req);
    err = err ? err : tenant_resolve(&req);
    err = err ? err : request_check_scope(&req, SCOPE_READ);
    if (!err) {
        err = mcp_stream_open(req.session, last_event_id, era_knows(&req, REVISION_2025_11_25),
                              sink, &req.fault);
    }
    if (err) {
        request_finish(&req, err);
    } else {
        req.sink = NULL; /* It stays open. */
    }
    request_fini(&req);
}

void
dispatch_end(struct dispatcher *d, const struct envelope *env, struct sink *sink)
{
    struct mcp_sessions *sessions = state_sessions(d->state);
    struct request req;
    enum err err;

    request_init(&req, d, env, sink, DIALECT_RPC);
    err = era_decide_bare(&req);
    if (!err) {
        mcp_session_end(sessions, req.session);
        dispatch_cancel(d, &(struct inflight_match){.session = req.session});
        notices_end(d, req.session);
        request_answer(&req, 204, SLICE_NONE);
    } else {
        request_finish(&req, err);
    }
    request_fini(&req);
}

void
dispatch_gone(struct dispatcher *d, const struct envelope *env, const struct sink *sink)
{
    if (env->session || sink) {
        dispatch_cancel(d, &(struct inflight_match){.session = env->session, .sink = sink});
        subscriptions_cancel(d,
                             &(struct subscription_match){.session = env->session, .sink = sink});
        if (!sink) {
            notices_end(d, env->session);
        }
    }
    if (sink) {
        mcp_streams_gone(mcp_sessions_streams(state_sessions(d->state)), sink);
    }
}

void
dispatch_drained(struct dispatcher *d, const struct sink *sink)
{
    mcp_streams_drained(mcp_sessions_streams(state_sessions(d->state)), sink);
}

/* ---- Calls that end before they are done ---- */

/* Answers a call that somebody else is running: from what does not change while it runs, and with
 * buffers of its own. */
static void
tell_end(const struct request *req)
{
    struct request told = {
        .dispatcher = req->dispatcher,
        .state = req->state,
        .message = req->message,
        .env = req->env,
        .sink = req->sink,
        .dialect = req->dialect,
        .era = req->era,
        .revision = req->revision,
    };

    if (req->task) {
        return; /* It is told what came of it when its worker lets go of it. */
    }
    fault_set(&told.fault, E_OVERLOAD,
              "the server is ending and gave this call up; what it was to do may "
              "or may not have been done");
    request_answer_error(&told);
    buf_fini(&told.out);
}

void
dispatch_last(struct dispatcher *d, const struct envelope *env)
{
    subscriptions_finish(d, &(struct subscription_match){.session = env->session});
    asks_close_session(d, env->session);
}

void
dispatch_drain(struct dispatcher *d)
{
    subscriptions_end(d);
    mcp_streams_drain(mcp_sessions_streams(state_sessions(d->state)));
    asks_close(d);
    wait_close(d);
    notices_end_all(d);
}

unsigned
dispatch_end_all(struct dispatcher *d)
{
    unsigned count = inflight_end(d->inflight, tell_end);

    park_drop_stopped(d);
    return count;
}

unsigned
dispatch_cancel(struct dispatcher *d, const struct inflight_match *match)
{
    unsigned count = inflight_cancel(d->inflight, match);

    park_drop_stopped(d);
    return count;
}

unsigned
dispatch_in_flight(struct dispatcher *d, enum transport_kind transport)
{
    return inflight_count(d->inflight, transport);
}

/* notifications/cancelled {requestId}: stops a call of the same session or connection.  An id that
 * is not in flight is ignored: it may just have been answered.  So is any over modern HTTP, where
 * closing the stream cancels: ids begin anew with each POST, so another client's call may well have
 * the same one. */
enum err
dispatch_cancelled(struct request *req)
{
    struct inflight_match match = {
        .session = req->session ? req->session : req->env.session,
        .id = req->message.param[RPC_PARAM_REQUEST_ID].raw,
    };

    if (match.session && match.id.len) {
        dispatch_cancel(req->dispatcher, &match);
        subscriptions_cancel(req->dispatcher, &(struct subscription_match){.session = match.session,
                                                                           .id = match.id});
    }
    return E_OK;
}
