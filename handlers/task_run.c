/* task_run.c -- how a call becomes a task, asks its client, tells it things, and ends.
 *
 * DESIGN.  A task is run by the very request that asked for it, which was detached: it has no sink,
 * its id and its session's limits are free again, and what it gives goes to the store.  So all that
 * holds for requests holds for tasks: workers, waiting without one, cancelling, the end of the
 * server.  The store says who ended the task; whatever the request does after that is lost. */
#include "handlers/asks.h"
#include "handlers/dispatch_private.h"
#include "handlers/era.h"
#include "handlers/need.h"
#include "handlers/subscriptions.h"
#include "handlers/task_form.h"
#include "handlers/tasks.h"
#include "handlers/wait.h"
#include "state/state.h"

#include <assert.h>

struct task_run {
    struct need_host host; /* First. */
    struct request *req;   /* Whose it is. */
    struct mcp_task *task; /* Counted. */
    _Atomic unsigned refs;
};

/* ---- What the store tells ---- */

/* Modern: tells those who follow the task by subscriptions/listen. */
static void
tell_followers(struct dispatcher *d, const struct mcp_task *task, const struct mcp_task_look *now)
{
    const char *id = mcp_task_id(task);
    struct buf text = BUF_INIT;

    if (!subscriptions_follow(d, id)) {
        return; /* The common case costs no copy of a result. */
    }
    task_add(&text, ERA_MODERN, id, now);
    task_add_outcome(&text, now,
                     now->input ? (struct slice){now->input->data, now->input->len} : SLICE_NONE);
    buf_addc(&text, ',');
    if (!text.failed) {
        subscriptions_tell_task(d, id, text.data);
    }
    buf_fini(&text);
}

static void
on_change(void *arg, struct mcp_task *task, const struct mcp_task_look *now)
{
    struct mcp_session *session = mcp_task_session(task);
    struct buf text = BUF_INIT;

    tell_followers(arg, task, now);
    if (session) {
        buf_adds(&text,
                 "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks/status\",\"params\":{");
        task_add(&text, ERA_LEGACY, mcp_task_id(task), now);
        buf_adds(&text, "}}");
        if (!text.failed) {
            mcp_session_send(session, buf_slice(&text)); /* Who cannot be told polls. */
        }
        buf_fini(&text);
    }
}

struct search {
    const struct mcp_task *task;
    struct task_run *run; /* Counted. */
};

static void
find_run(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct search *s = arg;

    for (const struct request *r = first; r && !s->run; r = r->next) {
        if (r->task && r->task->task == s->task) {
            s->run = r->task;
            atomic_fetch_add(&s->run->refs, 1);
        }
    }
}

struct task_run *
tasks_find_run(struct dispatcher *d, const struct mcp_task *task)
{
    struct search s = {.task = task};

    inflight_do(d->inflight, find_run, &s);
    return s.run;
}

const struct need_host *
tasks_host(const struct task_run *run)
{
    return run ? &run->host : NULL;
}

void
tasks_unref_run(struct task_run *run)
{
    if (run && atomic_fetch_sub(&run->refs, 1) == 1) {
        mcp_task_unref(run->task);
        free(run);
    }
}

static void
on_end(void *arg, struct mcp_task *task)
{
    struct dispatcher *d = arg;
    struct task_run *run = tasks_find_run(d, task);

    if (run) {
        dispatch_cancel(d, &(struct inflight_match){.host = &run->host});
        tasks_unref_run(run);
    }
    wait_wake(d, task);
    subscriptions_sweep(d);
}

static const struct mcp_tasks_class class = {on_change, on_end};

void
tasks_open(struct dispatcher *d)
{
    mcp_tasks_tell(state_tasks(d->state), &class, d);
}

void
tasks_close(struct dispatcher *d)
{
    mcp_tasks_tell(state_tasks(d->state), NULL, NULL);
}

bool
tasks_tick(struct dispatcher *d)
{
    subscriptions_sweep(d);
    return mcp_tasks_expire(state_tasks(d->state)) < INT64_MAX;
}

/* ---- Which calls are tasks ---- */

bool
tasks_declared(const struct request *req)
{
    const struct json_value *declared = &req->message.meta[RPC_META_CLIENT_CAPABILITIES];
    struct json_value extensions, ours;

    return json_slice_member(declared->raw, "extensions", &extensions) &&
           extensions.kind == KIND_OBJECT &&
           json_slice_member(extensions.raw, TASKS_EXTENSION, &ours) && ours.kind == KIND_OBJECT;
}

enum err
tasks_need_declared(struct request *req, const char *what)
{
    if (tasks_declared(req)) {
        return E_OK;
    }
    buf_reset(&req->fault_data);
    buf_adds(&req->fault_data,
             "{\"requiredCapabilities\":{\"extensions\":{\"" TASKS_EXTENSION "\":{}}}}");
    return fault_set(&req->fault, E_CAPABILITY,
                     "'%s' is for clients that declare the extension " TASKS_EXTENSION, what);
}

/* The ttl that a legacy client asks for; -1: none. */
static enum err
read_ttl(struct request *req, int64_t *ttl_ms)
{
    const struct json_value *asked = &req->message.param[RPC_PARAM_TASK];
    struct json_value ttl;

    *ttl_ms = -1;
    if (asked->kind != KIND_OBJECT) {
        return fault_set(&req->fault, E_PARAMS, "params.task is no object");
    }
    if (!json_slice_member(asked->raw, "ttl", &ttl)) {
        return E_OK;
    }
    if (ttl.kind == KIND_NULL) { /* For ever: as long as may be. */
        *ttl_ms = INT64_MAX;
    } else if (ttl.kind != KIND_INTEGER || !json_slice_int(ttl.raw, ttl_ms) || *ttl_ms < 0) {
        fault_set(&req->fault, E_PARAMS, "params.task.ttl is no whole number of milliseconds");
        return fault_remedy(&req->fault, "leave it out, or say how long the task is to be kept");
    }
    return E_OK;
}

enum err
tasks_prepare_call(struct request *req, enum runs *runs)
{
    enum task_support support = req->tool->task;
    bool asked = req->message.param[RPC_PARAM_TASK].kind != KIND_NONE;
    enum err err = E_OK;

    req->ttl_ms = -1;
    if (req->era == ERA_MODERN) {
        if (support == TASK_REQUIRED) {
            err = tasks_need_declared(req, req->tool->name);
        }
        req->as_task = support != TASK_FORBIDDEN && tasks_declared(req);
    } else if (era_knows(req, REVISION_2025_11_25)) {
        if (asked && support == TASK_FORBIDDEN) {
            fault_set(&req->fault, E_NO_METHOD, "'%s' cannot be called as a task", req->tool->name);
            err = fault_remedy(&req->fault, "leave params.task out");
        } else if (!asked && support == TASK_REQUIRED) {
            fault_set(&req->fault, E_NO_METHOD, "'%s' can only be called as a task",
                      req->tool->name);
            err = fault_remedy(&req->fault, "add \"task\":{} to params");
        } else if (asked) {
            err = read_ttl(req, &req->ttl_ms);
        }
        req->as_task = asked;
    }
    if (req->as_task || support == TASK_REQUIRED) {
        *runs = WORKER;
    }
    return err;
}

/* ---- Becoming one ---- */

/* The answer that tells of the new task, in req->out. */
static void
write_created(struct request *req, struct mcp_task *task)
{
    struct mcp_task_look look;

    mcp_task_look(task, &look);
    era_begin_result(req);
    if (req->era == ERA_MODERN) {
        task_add(&req->out, req->era, mcp_task_id(task), &look);
        req->result_type = "task";
    } else {
        request_member(req, "task");
        buf_addc(&req->out, '{');
        task_add(&req->out, req->era, mcp_task_id(task), &look);
        buf_addc(&req->out, '}');
    }
    era_end_result(req);
    req->result_type = NULL;
    mcp_task_look_fini(&look);
}

/* INFLIGHT held: what it lacks is asked for by whoever follows the task. */
static void
on_parked(struct need_host *host, bool parked)
{
    struct task_run *run = (struct task_run *)host;
    struct buf input = BUF_INIT;

    if (parked) {
        need_add_lacking(run->req, &input);
    }
    mcp_task_input(run->task, buf_slice(&input));
    buf_fini(&input);
}

static enum err
detach(struct request *req, struct mcp_task *task)
{
    struct dispatcher *d = req->dispatcher;
    struct task_run *run;
    struct sink *sink;

    write_created(req, task);
    if (req->out.failed) {
        return fault_set(&req->fault, E_OVERLOAD, "there is no memory for the answer now");
    }
    run = xcalloc(1, sizeof *run);
    *run = (struct task_run){.host = {on_parked}, .req = req, .task = task, .refs = 1};
    sink = inflight_detach(d->inflight, req, run, &run->host);
    if (!sink) {
        free(run);
        return fault_set(&req->fault, E_CANCELLED, "the call was cancelled");
    }
    req->deadline_ns = mcp_task_expires_ns(task);
    sink->class->answer(sink, &(struct reply){.body = buf_slice(&req->out), .status = 200});
    sink->class->unref(sink);
    buf_reset(&req->out);
    return E_OK;
}

enum err
tasks_detach(struct request *req)
{
    struct mcp_task *task = NULL;
    enum err err = mcp_task_start(state_tasks(req->state), req->env.principal,
                                  req->era == ERA_LEGACY ? req->session : NULL, req->ttl_ms, &task,
                                  &req->fault);

    if (!err) {
        err = detach(req, task);
    }
    if (err && task) {
        mcp_task_end(task, MCP_TASK_CANCELLED, NULL, SLICE_NONE);
        mcp_task_unref(task);
    }
    return err;
}

/* ---- Running ---- */

void
tasks_send(struct request *req, struct buf *note)
{
    const char *id = mcp_task_id(req->task->task);

    if (req->era == ERA_MODERN || note->failed) {
        return; /* The extension has no such notifications. */
    }
    note->len -= 2; /* The ends of params and message make room for one member more. */
    buf_adds(note, ",\"_meta\":");
    task_add_related(note, id);
    buf_adds(note, "}}");
    if (!note->failed) {
        inflight_send(req->dispatcher->inflight, req, &(struct event){.body = buf_slice(note)});
    }
}

enum asks_step
tasks_settle(struct request *req)
{
    struct dispatcher *d = req->dispatcher;
    struct mcp_task *task = mcp_task_ref(req->task->task);
    enum asks_step step = asks_settle(req);

    if (step == ASKS_PARKED) { /* It may be gone by now. */
        wait_wake(d, task);
    }
    mcp_task_unref(task);
    return step;
}

void
tasks_say(struct request *req, const char *message)
{
    mcp_task_say(req->task->task, message);
}

/* ---- Ending ---- */

static void
end_with_error(struct request *req)
{
    struct mcp_task *task = req->task->task;
    struct buf error = BUF_INIT;

    era_add_error(&error, req);
    if (error.failed ||
        mcp_task_end(task, MCP_TASK_FAILED, req->fault.text, buf_slice(&error)) == E_LIMIT) {
        mcp_task_end(
            task, MCP_TASK_FAILED, "there is no room for more of an error",
            SLICE("{\"code\":-32603,\"message\":\"there is no room for more of an error\"}"));
    }
    buf_fini(&error);
}

void
tasks_finish(struct request *req, enum err err)
{
    struct mcp_task *task = req->task->task;
    enum mcp_task_status status = req->tool_failed ? MCP_TASK_TOOL_FAILED : MCP_TASK_COMPLETED;
    struct slice members = {req->out.data + req->result_start, req->out.len - req->result_start};
    int running = REQUEST_RUNNING;

    if (!atomic_compare_exchange_strong(&req->progress, &running, REQUEST_ANSWERED)) {
        err =
            running == REQUEST_ENDED
                ? fault_set(&req->fault, E_OVERLOAD,
                            "the server is ending and gave this task up; what it was to do may or "
                            "may not have been done")
                : E_CANCELLED;
        if (err == E_CANCELLED) { /* By whoever has ended the task. */
            mcp_task_end(task, MCP_TASK_CANCELLED, "cancelled", SLICE_NONE);
            return;
        }
    }
    if (!err && req->out.failed) {
        err = fault_set(&req->fault, E_OVERLOAD, "there is no memory for the result now");
    }
    if (!err &&
        mcp_task_end(task, status, req->tool_failed ? req->fault.text : NULL, members) == E_LIMIT) {
        fault_set(&req->fault, E_LIMIT,
                  "there is no room for this result among those that are kept");
        err = fault_remedy(&req->fault,
                           "call without a task, or raise limits.task_bytes_each and _bytes");
    }
    if (err) {
        end_with_error(req);
    }
}

void
tasks_end(struct request *req)
{
    tasks_unref_run(req->task);
    req->task = NULL;
}
