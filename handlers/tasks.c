/* tasks.c -- tasks/get, result, list, cancel, update: how the tasks of tools/call are followed.
 *
 * A task belongs to a principal; to any other it is unknown.  tasks/list tells a session of its own
 * tasks only, as the principal alone does not tell two clients apart that show the same token. */
#include "handlers/tasks.h"

#include "handlers/dispatch_private.h"
#include "handlers/era.h"
#include "handlers/need.h"
#include "handlers/task_form.h"
#include "handlers/wait.h"
#include "state/state.h"

#include <inttypes.h>
#include <stdio.h>

#define TASKS_PAGE 50

/* Legacy: tasks came with 2025-11-25. */
static enum err
check_known(struct request *req)
{
    return era_knows(req, REVISION_2025_11_25)
               ? E_OK
               : fault_set(&req->fault, E_NO_METHOD, "method '%s' is not served",
                           req->method->name);
}

enum err
tasks_prepare_list(struct request *req, enum runs *runs)
{
    (void)runs;
    return check_known(req);
}

/* params.taskId, in 'id' of MCP_TASK_ID_SIZE bytes; what does not fit is no task's. */
static enum err
read_id(struct request *req, char *id)
{
    const struct json_value *value = &req->message.param[RPC_PARAM_TASK_ID];

    if (value->kind != KIND_STRING) {
        return fault_set(&req->fault, E_PARAMS, "params.taskId is missing, or no string");
    }
    if (json_string_into(value->raw, id, MCP_TASK_ID_SIZE) < 0) {
        id[0] = '\0';
    }
    return E_OK;
}

enum err
tasks_prepare(struct request *req, enum runs *runs)
{
    const struct json_value *value = &req->message.param[RPC_PARAM_TASK_ID];
    struct buf id = {.limit = 1024};
    enum err err = check_known(req);

    if (!err && value->kind == KIND_STRING && json_string_add(value->raw, &id)) {
        err = era_check_name(req, buf_slice(&id));
    }
    err = err ? err : request_check_scope(req, req->method->scope);
    if (!err && req->era == ERA_MODERN) {
        err = tasks_need_declared(req, req->method->name);
    }
    buf_fini(&id);
    if (req->method->handle == tasks_result) {
        *runs = WORKER; /* It may wait. */
    }
    return err;
}

enum err
tasks_find(const struct request *req, struct slice id, struct mcp_task **task, struct fault *f)
{
    enum err err = mcp_task_find(state_tasks(req->state), id, req->env.principal, task, f);

    if (!err && (mcp_task_session(*task) != NULL) != (req->era == ERA_LEGACY)) {
        mcp_task_unref(*task);
        *task = NULL;
        fault_set(f, E_PARAMS, "this task was begun by a client of the other era");
        err = fault_remedy(f, "follow it in the version in which it was begun");
    }
    return err;
}

/* The task that the request names, counted. */
static enum err
find(struct request *req, struct mcp_task **task)
{
    char id[MCP_TASK_ID_SIZE];
    enum err err = read_id(req, id);

    *task = NULL;
    return err ? err : tasks_find(req, slice_of(id), task, &req->fault);
}

/* Adds the members of a task, which are a whole result; modern: with what it gave, or asks for. */
static void
add_task(struct request *req, struct mcp_task *task)
{
    struct task_run *run = tasks_find_run(req->dispatcher, task);
    struct mcp_task_look look;
    struct buf input = BUF_INIT;

    mcp_task_look(task, &look);
    if (look.status == MCP_TASK_INPUT_REQUIRED && req->era == ERA_MODERN &&
        (!run || !need_lacks(req->dispatcher, tasks_host(run), &input))) {
        look.status = MCP_TASK_WORKING; /* It has just been given all. */
    }
    task_add(&req->out, req->era, mcp_task_id(task), &look);
    if (req->era == ERA_MODERN) {
        task_add_outcome(&req->out, &look, buf_slice(&input));
    }
    req->out.failed |= input.failed;
    buf_fini(&input);
    mcp_task_look_fini(&look);
    tasks_unref_run(run);
}

enum err
tasks_get(struct request *req)
{
    struct mcp_task *task;
    enum err err = find(req, &task);

    if (!err) {
        add_task(req, task);
    }
    mcp_task_unref(task);
    return err;
}

/* ---- tasks/result ---- */

/* Tells what came of a task that has ended, as the call would have told it. */
static enum err
tell_result(struct request *req, const struct mcp_task *task, const struct mcp_task_look *look)
{
    if (look->status == MCP_TASK_CANCELLED) {
        return fault_set(&req->fault, E_CANCELLED, "the task was cancelled");
    }
    if (look->status == MCP_TASK_FAILED) {
        req->error = bytes_ref(look->result);
        return fault_set(&req->fault, E_STATE, "%s", look->message);
    }
    buf_add(&req->out, look->result->data, look->result->len);
    request_member(req, "_meta");
    task_add_related(&req->out, mcp_task_id(task));
    return E_OK;
}

/* The sink of a request in flight, until that is ended: what is sent with INFLIGHT held never comes
 * after the answer. */
struct live_sink {
    struct sink sink; /* First. */
    struct request *req;
};

static enum err
send_alive(struct sink *sink, const struct event *event)
{
    struct request *req = ((struct live_sink *)sink)->req;

    return atomic_load(&req->progress) == REQUEST_RUNNING ? req->sink->class->send(req->sink, event)
                                                          : E_CANCELLED;
}

/* Asks for what the task lacks on the stream of this request; who takes nothing there is asked
 * where somebody else waits, or not at all. */
static void
ask(struct request *req, const struct mcp_task *task)
{
    static const struct sink_class class = {.send = send_alive};
    struct task_run *run = tasks_find_run(req->dispatcher, task);
    struct live_sink alive = {{&class}, req};
    struct buf meta = BUF_INIT;

    task_add_related(&meta, mcp_task_id(task));
    /* Another session could not answer: its ids are its own. */
    if (run && !meta.failed && mcp_task_session(task) == req->session) {
        if (!req->wait.task && !wait_for_task_by_others(req, task)) {
            need_unask(req->dispatcher, tasks_host(run)); /* Whoever was asked waits no more. */
        }
        need_ask(req->dispatcher, tasks_host(run), &alive.sink, buf_slice(&meta));
    }
    buf_fini(&meta);
    tasks_unref_run(run);
}

enum err
tasks_result(struct request *req)
{
    struct mcp_task_look look;
    struct mcp_task *task;
    enum err err = find(req, &task);

    if (err) {
        return err;
    }
    mcp_task_look(task, &look);
    if (look.status == MCP_TASK_INPUT_REQUIRED) {
        ask(req, task);
    }
    err = look.status <= MCP_TASK_INPUT_REQUIRED
              ? wait_for_task(req, task, look.changes, &req->fault)
              : tell_result(req, task, &look);
    mcp_task_look_fini(&look);
    mcp_task_unref(task);
    return err;
}

/* ---- tasks/list ---- */

static enum err
read_cursor(struct request *req, uint64_t *after)
{
    const struct json_value *cursor = &req->message.param[RPC_PARAM_CURSOR];
    char text[24], *end;

    *after = 0;
    if (cursor->kind == KIND_NONE) {
        return E_OK;
    }
    if (cursor->kind == KIND_STRING && json_string_into(cursor->raw, text, sizeof text) == 16 &&
        strspn(text, "0123456789abcdef") == 16) {
        *after = strtoull(text, &end, 16);
        return E_OK;
    }
    fault_set(&req->fault, E_PARAMS, "this cursor is not one that tasks/list gave");
    return fault_remedy(&req->fault, "leave 'cursor' out to begin anew");
}

enum err
tasks_list(struct request *req)
{
    struct mcp_task *page[TASKS_PAGE];
    uint64_t after, last = 0;
    size_t count;
    enum err err = read_cursor(req, &after);

    if (err) {
        return err;
    }
    count = mcp_task_list(state_tasks(req->state), req->env.principal, req->session, after, page,
                          TASKS_PAGE, &last);
    request_member(req, "tasks");
    buf_addc(&req->out, '[');
    for (size_t i = 0; i < count; i++) {
        buf_adds(&req->out, i ? ",{" : "{");
        add_task(req, page[i]);
        buf_addc(&req->out, '}');
        mcp_task_unref(page[i]);
    }
    buf_addc(&req->out, ']');
    if (last) {
        request_member(req, "nextCursor");
        buf_addf(&req->out, "\"%016" PRIx64 "\"", last);
    }
    return E_OK;
}

/* ---- tasks/cancel and tasks/update ---- */

enum err
tasks_cancel(struct request *req)
{
    struct mcp_task *task;
    enum err err = find(req, &task);

    if (!err) {
        err = mcp_task_end(task, MCP_TASK_CANCELLED, "cancelled by its client", SLICE_NONE);
        if (req->era == ERA_MODERN) {
            err = E_OK; /* Also where it has ended before. */
        } else if (err) {
            err = fault_set(&req->fault, E_PARAMS, "the task has ended already");
        } else {
            add_task(req, task);
        }
    }
    mcp_task_unref(task);
    return err;
}

enum err
tasks_update(struct request *req)
{
    const struct json_value *responses = &req->message.param[RPC_PARAM_INPUT_RESPONSES];
    struct mcp_task *task;
    struct task_run *run = NULL;
    json_t *tree = NULL, *answer;
    const char *key;
    enum err err = find(req, &task);

    if (!err && responses->kind != KIND_OBJECT) {
        err = fault_set(&req->fault, E_PARAMS, "params.inputResponses is missing, or no object");
    }
    err = err ? err : rpc_load(responses, "inputResponses", &tree, &req->fault);
    run = err ? NULL : tasks_find_run(req->dispatcher, task);
    json_object_foreach(run ? tree : NULL, key, answer) {
        struct fault f = FAULT_INIT;
        enum err given = need_give(req->dispatcher, tasks_host(run), key, answer, &f);

        if (given && given != E_NOT_FOUND && !err) { /* Unknown keys are ignored. */
            req->fault = f;
            err = req->fault.code = E_PARAMS;
        }
    }
    json_decref(tree);
    tasks_unref_run(run);
    mcp_task_unref(task);
    return err;
}
