/* dispatch.c -- the spine: one message from its bytes to its answer.
 *
 *   dispatch_message   parse, decide the era, find the row, check headers     transport's thread
 *     prepare          what the row wants checked; says where it runs         transport's thread
 *     handle           the handler writes the result                          here, or a worker
 *   finish             frame, answer through the sink, let go of everything   wherever it ended
 *
 * What is no message is in dispatch_peers.c, what scripts ask for in dispatch_rest.c.
 *
 * A request on its way to a worker moves to the heap with a copy of its bytes and enters the list
 * of calls in flight; until then it lives on the transport's stack and costs no allocation but its
 * answer and, if its client may come back for that, its stream. */
#include "handlers/dispatch.h"

#include "handlers/asks.h"
#include "handlers/dispatch_private.h"
#include "handlers/era.h"
#include "handlers/notices.h"
#include "handlers/operations.h"
#include "handlers/tasks.h"
#include "handlers/tenant.h"
#include "handlers/wait.h"
#include "state/base/keeper.h"
#include "state/config.h"
#include "state/base/log.h"
#include "state/mcp_session.h"
#include "state/settings.h"
#include "state/state.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

LOG_MODULE("dispatch");

#define ROOM_MAX ((size_t)256 * 1024) /* Of what a transport lends and is given back. */

static void
config_changed(void *arg, const struct settings *now, const bool keys[SETTING_COUNT])
{
    struct dispatcher *d = arg;

    if (keys[SETTING_limits_call_time]) {
        atomic_store(&d->call_ns, now->limits_call_time);
    }
    if (keys[SETTING_limits_call_rate]) {
        atomic_store(&d->calls_per_second, now->limits_call_rate);
    }
}

struct dispatcher *
dispatcher_create(struct state *state, struct pool *pool, const struct dispatch_limits *limits)
{
    struct dispatcher *d = xcalloc(1, sizeof *d);

    d->state = state;
    d->pool = pool;
    d->clock = state_clock(state);
    d->limits = *limits;
    d->operations = operations_create();
    d->inflight = inflight_create(limits->calls, limits->calls_per_session);
    d->tools = tools_create(limits->groups);
    d->asks = asks_create(&(struct asks_limits){.parked = limits->asks,
                                                .parked_each = limits->asks_each,
                                                .ask_ns = limits->ask_ns,
                                                .secret = limits->secret});
    atomic_init(&d->call_ns, limits->call_ns);
    atomic_init(&d->calls_per_second, limits->calls_per_second);
    config_listen(state_config(state), config_changed, d);
    d->limits.groups = NULL;
    d->limits.secret = SLICE_NONE;
    tasks_open(d);
    return d;
}

void
dispatcher_destroy(struct dispatcher *d)
{
    if (d) {
        config_deafen(state_config(d->state), config_changed, d);
        keeper_drop(d->ticking);
        keeper_drop(d->waking);
        tasks_close(d);
        notices_end_all(d);
        inflight_destroy(d->inflight);
        tools_destroy(d->tools);
        asks_destroy(d->asks);
        operations_destroy(d->operations);
        free(d);
    }
}

/* Before a message is taken, for it may stay in flight, and after, for what it left behind. */
static void
stir(struct dispatcher *d)
{
    if (d->ticking) {
        keeper_stir(d->ticking);
    }
}

/* ---- One message ---- */

void
request_init(struct request *req, struct dispatcher *d, const struct envelope *env,
             struct sink *sink, enum dialect dialect)
{
    memset(req, 0, offsetof(struct request, fault));
    fault_init(&req->fault);
    rpc_init(&req->message);
    req->dispatcher = d;
    req->state = d->state;
    req->env = *env;
    req->sink = sink;
    req->dialect = dialect;
    req->revision = REVISION_NONE;
    tenant_set(req, slice_of(state_options(d->state)->settings->tenant_default_id));
    req->log_level = -1;
    req->last_progress = -INFINITY;
    req->started_ns = env->came_ns ? env->came_ns : clock_mono(d->clock);
    req->deadline_ns = req->started_ns + atomic_load_explicit(&d->call_ns, memory_order_relaxed);
    atomic_init(&req->progress, REQUEST_RUNNING);
    if (env->room) {
        req->out = *env->room;
        *env->room = (struct buf)BUF_INIT;
        buf_reset(&req->out);
    }
    stir(d);
}

/* Gives back what the transport has lent, unless that has grown to much, or somebody else, whose
 * request began during this one, has done so. */
static void
return_room(struct request *req)
{
    struct buf *room = req->env.room;

    if (room && !room->data && req->out.size <= ROOM_MAX) {
        *room = req->out;
    } else {
        buf_fini(&req->out);
    }
}

void
request_fini(struct request *req)
{
    stir(req->dispatcher);
    mcp_session_unref(req->session);
    if (req->sink) {
        req->sink->class->unref(req->sink);
    }
    tenants_unpin(state_tenants(req->state), &req->customer);
    asks_end(req);
    tasks_end(req);
    wait_end(req);
    bytes_unref(req->at_hand);
    bytes_unref(req->error);
    return_room(req);
    buf_fini(&req->fault_data);
    if (req->bytes) { /* It went to a worker. */
        mcp_session_unref(req->env.session);
        bytes_unref(req->bytes);
    }
    free(req->principal);
    free(req->scopes);
}

void
request_answer(struct request *req, int status, struct slice body)
{
    struct reply reply = {
        .body = body,
        .status = status,
        .session_id = req->new_session_id,
        .retry_after = status != 429 && status != 503 ? 0
                       : req->fault.retry_s           ? req->fault.retry_s
                                                      : 1,
        .scope = slice_of(scope_text(req->scope)),
    };
    req->sink->class->answer(req->sink, &reply);
}

/* Nothing is ever answered to a notification or a response, except that HTTP needs a status. */
static bool
wants_answer(const struct request *req)
{
    return req->message.shape != RPC_NOTIFICATION && req->message.shape != RPC_RESPONSE;
}

/* Replaces what 'out' holds by the error; returns the HTTP status. */
static int
write_error(struct request *req)
{
    if (req->dialect == DIALECT_REST) {
        if (req->out.failed || !req->out.len) { /* Else the tool has told it in its own form. */
            buf_reset(&req->out);
            fault_write(&req->out, &req->fault);
        }
        return err_info(req->fault.code)->http_status;
    }
    return era_write_error(req);
}

void
request_answer_error(struct request *req)
{
    int status = write_error(req);

    if (req->out.failed) { /* The memory of what is not to be makes room for a plain error. */
        buf_fini(&req->out);
        buf_fini(&req->fault_data);
        status = write_error(req);
        if (req->out.failed) {
            out_of_memory();
        }
    }
    if (!wants_answer(req)) {
        status = status == 200 ? 400 : status;
        if (req->env.transport != TRANSPORT_HTTP) {
            buf_reset(&req->out);
        }
    }
    if (req->fault.code == E_INTERNAL) {
        log_error("request failed", F_STR("text", req->fault.text));
    }
    request_answer(req, status, buf_slice(&req->out));
}

/* Before the answer leaves, so that who has it finds it counted. */
static void
count(const struct request *req, enum err err, int64_t now_ns)
{
    struct dispatcher *d = req->dispatcher;
    bool over = atomic_load(&req->progress) != REQUEST_RUNNING;

    if (req->message.kind != RPC_RESPONSE) {
        operations_count(d->operations, req, over ? E_CANCELLED : err, now_ns);
    }
}

void
request_finish(struct request *req, enum err err)
{
    bool silent = req->dialect == DIALECT_RPC && req->message.kind != RPC_REQUEST;
    int64_t now_ns = clock_mono(req->dispatcher->clock);
    int running = REQUEST_RUNNING;

    count(req, err, now_ns);
    if (req->busy) {
        mcp_session_idle(req->session, now_ns);
        req->busy = false;
    }
    if (req->task) {
        tasks_finish(req, err);
        return;
    }
    if (!err && !silent && req->dialect == DIALECT_RPC) {
        era_end_result(req);
    }
    if (!err && req->out.failed) {
        err = fault_set(&req->fault, E_OVERLOAD, "there is no memory for the answer now");
    }
    if (!atomic_compare_exchange_strong(&req->progress, &running, REQUEST_ANSWERED)) {
        if (running == REQUEST_CANCELLED) {
            request_answer(req, 204, SLICE_NONE); /* Nothing more is said of it. */
        }
    } else if (err) {
        req->fault.code = err;
        request_answer_error(req);
    } else if (silent) {
        request_answer(req, 202, SLICE_NONE);
    } else { /* What a script asked for may be done without a word. */
        request_answer(req, req->dialect == DIALECT_REST && !req->out.len ? 204 : 200,
                       buf_slice(&req->out));
    }
}

/* What becomes of a request whose handler said E_INPUT. */
static enum asks_step
settle(struct request *req)
{
    if (req->begins_task) {
        req->begins_task = false;
        req->as_task = tasks_detach(req) == E_OK; /* Else without one, or it is over. */
        return atomic_load(&req->progress) == REQUEST_RUNNING ? ASKS_AGAIN : ASKS_OVER;
    }
    return wait_wanted(req) ? wait_settle(req) : req->task ? tasks_settle(req) : asks_settle(req);
}

/* Whether what runs on a worker is for a tenant: what gives or does something, unlike what manages
 * the connection. */
static bool
serves(const struct request *req)
{
    return req->bytes && req->method->prepare;
}

/* The same of what runs on the transport's thread, where a tenant's file is not read: tools, and
 * what scripts send. */
static bool
serves_inline(const struct request *req)
{
    return req->tool || (req->dialect == DIALECT_REST && req->method->prepare);
}

/* Runs the handler of a request that passed all checks, and runs it again where its client cannot
 * be asked.  False if it waits for its client now, and is not the caller's any more. */
static bool
run(struct request *req, enum err *err)
{
    enum asks_step step = ASKS_AGAIN;

    if (req->session && !req->busy) { /* initialize makes one: that is not busy yet. */
        mcp_session_busy(req->session);
        req->busy = true;
    }
    *err = serves(req) && !req->customer.tenant ? tenant_enter(req) : E_OK;
    if (*err) {
        *err = tools_refuse(req, *err) ? E_OK : *err;
        return true;
    }
    *err = asks_begin(req);
    while (!*err && step == ASKS_AGAIN) {
        if (req->dialect == DIALECT_RPC && req->message.kind == RPC_REQUEST) {
            era_begin_result(req);
        } else {
            buf_reset(&req->out); /* What the run before has left. */
        }
        *err = req->method->handle(req);
        if (*err != E_INPUT) {
            return true;
        }
        step = settle(req);
        *err = step == ASKS_OVER ? E_CANCELLED : E_OK;
    }
    return step != ASKS_PARKED;
}

void
dispatch_end_call(struct request *req, enum err err)
{
    inflight_remove(req->dispatcher->inflight, req);
    request_finish(req, err);
    request_fini(req);
    free(req);
}

static void
run_on_worker(struct job *job)
{
    struct request *req = (struct request *)job;
    enum err err = E_OK;

    if (atomic_load(&req->progress) != REQUEST_RUNNING || run(req, &err)) {
        dispatch_end_call(req, err);
    }
}

enum pool_lane
dispatch_lane(const struct request *req)
{
    return req->env.transport == TRANSPORT_STDIO ? LANE_IDE : LANE_NETWORK;
}

/* A copy of 'req' on the heap, with a copy of its bytes, that has what it holds; null without
 * memory. */
static struct request *
copy_request(const struct request *req, struct slice body)
{
    struct request *copy = try_malloc(sizeof *copy);
    struct bytes *bytes = bytes_new(body.data, body.len);

    if (!copy || !bytes) {
        free(copy);
        bytes_unref(bytes);
        return NULL;
    }
    memcpy(copy, req, sizeof *copy);
    copy->out = (struct buf)BUF_INIT; /* Nothing is written yet. */
    rpc_copy(&copy->message, &req->message, body, bytes->data);
    copy->job.run = run_on_worker;
    copy->bytes = bytes;
    copy->principal = xstrndup(req->env.principal.data, req->env.principal.len);
    copy->scopes =
        req->env.scopes.data ? xstrndup(req->env.scopes.data, req->env.scopes.len) : NULL;
    copy->env = (struct envelope){
        .transport = req->env.transport,
        .session = req->env.session ? mcp_session_ref(req->env.session) : NULL,
        .principal = slice_of(copy->principal),
        .scopes = slice_of(copy->scopes),
    };
    return copy;
}

/* Gives back to 'req' what its copy has, with what went wrong. */
static void
undo_copy(struct request *req, struct request *copy)
{
    req->fault = copy->fault;
    atomic_store(&req->progress, atomic_load(&copy->progress));
    buf_fini(&copy->out);
    mcp_session_unref(copy->env.session);
    bytes_unref(copy->bytes);
    free(copy->principal);
    free(copy->scopes);
    free(copy);
}

/* A call that is to be a task becomes one here, unless that is its tool's to say. */
static enum err
begin_task(struct request *req)
{
    enum err err = E_OK;

    if (req->as_task && (req->era == ERA_LEGACY || !req->tool->task_late)) {
        err = tasks_detach(req);
        if (err == E_BUSY && req->era == ERA_MODERN && req->tool->task != TASK_REQUIRED) {
            req->as_task = false; /* It is ours to decide: it is answered when it is done. */
            err = E_OK;
        }
    }
    return err;
}

/* Moves a request to the heap and hands it to a worker.  On error it is still the caller's,
 * unchanged but for its fault and its progress. */
static enum err
send_to_worker(struct request *req, struct slice body)
{
    struct dispatcher *d = req->dispatcher;
    struct request *copy;
    enum err err;

    request_begin_stream(req);
    copy = copy_request(req, body);
    if (!copy) {
        return fault_set(&req->fault, E_OVERLOAD, "there is no memory for this call now");
    }
    err = inflight_add(d->inflight, copy, &copy->fault);
    if (err) {
        undo_copy(req, copy);
        return err;
    }
    err = begin_task(copy);
    if (!err) {
        err = pool_submit(d->pool, &copy->job, dispatch_lane(copy));
        if (err) {
            fault_set(&copy->fault, err, "all workers are busy");
            fault_remedy(&copy->fault, "try again in a moment");
        }
    }
    if (err && copy->task) { /* It was answered, and is told of as any task that fails. */
        dispatch_end_call(copy, err);
        return E_OK;
    }
    if (err) {
        inflight_remove(d->inflight, copy);
        undo_copy(req, copy);
    }
    return err;
}

void
request_begin_stream(struct request *req)
{
    if (!req->stream && req->env.events && req->session && req->session->streams && !req->batched &&
        req->message.kind == RPC_REQUEST) {
        req->stream =
            mcp_stream_begin(req->session, era_knows(req, REVISION_2025_11_25), req->sink);
        req->sink = mcp_stream_sink(req->stream);
    }
}

/* True if 'err' has been told as a tool tells its errors; 'req' is then finished. */
static bool
refused_as_tool(struct request *req, enum err err)
{
    if (!err || !tools_refuse(req, err)) {
        return false;
    }
    request_finish(req, E_OK);
    request_fini(req);
    return true;
}

/* What comes before the method itself; '*runs' says where that is to run. */
static enum err
prepare(struct request *req, enum runs *runs)
{
    enum err err = req->method->prepare ? req->method->prepare(req, runs) : E_OK;

    return err ? err : request_check_scope(req, req->method->scope);
}

void
dispatch_proceed(struct request *req, enum err err, struct slice body)
{
    enum runs runs = INLINE;

    if (!err && req->message.kind != RPC_RESPONSE) {
        err = tenant_resolve(req);
        if (refused_as_tool(req, err)) {
            return;
        }
    }
    if (!err && req->method) {
        err = prepare(req, &runs);
    }
    if (!err && serves_inline(req) && runs == INLINE) {
        runs = tenant_enter_now(req, &err) ? INLINE : WORKER;
        if (refused_as_tool(req, err)) {
            return;
        }
    }
    if (!err && runs == WORKER) {
        err = send_to_worker(req, body);
        if (!err) {
            return_room(req);
            return;
        }
    } else if (!err && req->method) {
        err = inflight_check(req->dispatcher->inflight, req, &req->fault);
        if (!err) {
            run(req, &err); /* Never parked: what waits for its client runs on a worker. */
        }
    }
    if (req->sink) { /* Else it stays open: a subscription. */
        request_finish(req, err);
    }
    request_fini(req);
}

/* Finds the row of a parsed message and checks everything that its headers and its era ask. */
static enum err
classify(struct request *req)
{
    enum err err = era_decide(req);

    if (err) {
        return err;
    }
    if (req->message.kind == RPC_RESPONSE) {
        asks_take_response(req);
        return E_OK;
    }
    req->method = method_find(req->message.method);
    if (req->method && req->method->kind != req->message.kind) {
        req->method = NULL;
    }
    if (req->message.kind == RPC_NOTIFICATION && !req->method) {
        return E_OK; /* Unknown notifications are ignored. */
    }
    return era_check_method(req);
}

static void
take_message(struct dispatcher *d, const struct envelope *env, struct slice body, bool batched,
             struct sink *sink)
{
    struct request req NOT_CLEARED;
    enum err err;

    request_init(&req, d, env, sink, DIALECT_RPC);
    req.batched = batched;
    err = rpc_parse(body, &d->limits.json, &req.message, &req.fault);
    if (!err && req.message.kind == RPC_BATCH) {
        return_room(&req);
        dispatch_batch(d, env, &req.message, sink);
        return;
    }
    if (!err) {
        err = classify(&req);
    }
    dispatch_proceed(&req, err, body);
}

void
dispatch_message(struct dispatcher *d, const struct envelope *env, struct slice body,
                 struct sink *sink)
{
    take_message(d, env, body, false, sink);
}

void
dispatch_batched(struct dispatcher *d, const struct envelope *env, struct slice body,
                 struct sink *sink)
{
    take_message(d, env, body, true, sink);
}
