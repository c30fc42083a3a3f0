/* mcp_tasks_each.c -- one task: what it is, and how it changes until it ends.  See mcp_tasks.c. */
#include "state/mcp_tasks_private.h"

#include "state/base/rune.h"
#include "state/mcp_session.h"

struct mcp_task *
mcp_task_ref(struct mcp_task *task)
{
    atomic_fetch_add_explicit(&task->refs, 1, memory_order_relaxed);
    return task;
}

UNSHARED void
mcp_task_free(struct mcp_task *task)
{
    mcp_session_unref(task->session);
    bytes_unref(task->result);
    bytes_unref(task->input);
    lock_fini(&task->lock);
    free(task);
}

void
mcp_task_unref(struct mcp_task *task)
{
    if (task && atomic_fetch_sub_explicit(&task->refs, 1, memory_order_acq_rel) == 1) {
        mcp_task_free(task);
    }
}

const char *
mcp_task_id(const struct mcp_task *task)
{
    return task->id;
}

struct mcp_session *
mcp_task_session(const struct mcp_task *task)
{
    return task->session;
}

int64_t
mcp_task_expires_ns(const struct mcp_task *task)
{
    return task->expires_ns;
}

static bool
is_end(int status)
{
    return status > MCP_TASK_INPUT_REQUIRED;
}

bool
mcp_task_runs(const struct mcp_task *task)
{
    return !is_end(atomic_load(&task->status));
}

unsigned
mcp_task_changes(const struct mcp_task *task)
{
    return atomic_load(&task->changes);
}

/* Bytes are the task's own here, not counted. */
static void
look_locked(const struct mcp_task *task, struct mcp_task_look *look) REQUIRES(LC_TASK)
{
    *look = (struct mcp_task_look){
        .status = (enum mcp_task_status)atomic_load(&task->status),
        .created_ns = task->created_ns,
        .updated_ns = task->updated_ns,
        .ttl_ms = task->ttl_ms,
        .result = task->result,
        .input = task->input,
        .changes = atomic_load(&task->changes),
    };
    memcpy(look->message, task->message, sizeof look->message);
}

void
mcp_task_look(struct mcp_task *task, struct mcp_task_look *look)
{
    LOCK(TASK, &task->lock);
    look_locked(task, look);
    look->result = look->result ? bytes_ref(look->result) : NULL;
    look->input = look->input ? bytes_ref(look->input) : NULL;
    UNLOCK(TASK, &task->lock);
}

void
mcp_task_look_fini(struct mcp_task_look *look)
{
    bytes_unref(look->result);
    bytes_unref(look->input);
    look->result = look->input = NULL;
}

/* ---- How it changes ---- */

static void
say_locked(struct mcp_task *task, const char *message) REQUIRES(LC_TASK)
{
    struct slice text = slice_of(message);
    size_t len = rune_cut(text, sizeof task->message - 1);

    memcpy(task->message, text.data, len);
    task->message[len] = '\0';
}

static void
change_locked(struct mcp_task *task, enum mcp_task_status status) REQUIRES(LC_TASK)
{
    struct mcp_task_look now;
    const struct mcp_tasks *t = task->table;

    task->updated_ns = clock_wall(t->clock);
    atomic_store(&task->status, (int)status);
    atomic_fetch_add(&task->changes, 1);
    if (t->class) {
        look_locked(task, &now);
        t->class->told(t->class_arg, task, &now);
    }
}

void
mcp_task_say(struct mcp_task *task, const char *message)
{
    LOCK(TASK, &task->lock);
    if (mcp_task_runs(task)) {
        say_locked(task, message);
        task->updated_ns = clock_wall(task->table->clock);
    }
    UNLOCK(TASK, &task->lock);
}

bool
mcp_task_input(struct mcp_task *task, struct slice input)
{
    struct bytes *fresh = input.len ? bytes_new(input.data, input.len) : NULL, *old = fresh;
    bool done = false;

    if (input.len && !fresh) {
        return false;
    }
    LOCK(TASK, &task->lock);
    if (mcp_task_runs(task)) {
        enum mcp_task_status status = fresh ? MCP_TASK_INPUT_REQUIRED : MCP_TASK_WORKING;

        done = true;
        old = task->input;
        task->input = fresh;
        if (fresh || atomic_load(&task->status) != (int)status) {
            change_locked(task, status);
        }
    }
    UNLOCK(TASK, &task->lock);
    bytes_unref(old);
    return done;
}

enum err
mcp_task_end(struct mcp_task *task, enum mcp_task_status status, const char *message,
             struct slice result)
{
    struct bytes *fresh, *input = NULL;
    bool won;

    if (!mcp_task_runs(task)) {
        return E_STATE;
    }
    if (!mcp_tasks_take_room(task, result.len)) {
        return E_LIMIT;
    }
    fresh = result.data ? bytes_new(result.data, result.len) : NULL;
    if (result.data && !fresh) {
        mcp_tasks_settle(task, status, false, result.len);
        return E_LIMIT;
    }
    LOCK(TASK, &task->lock);
    won = mcp_task_runs(task);
    if (won) {
        input = task->input;
        task->input = NULL;
        task->result = fresh;
        fresh = NULL;
        say_locked(task, message ? message : "");
        change_locked(task, status);
    }
    UNLOCK(TASK, &task->lock);
    bytes_unref(fresh);
    bytes_unref(input);
    mcp_tasks_settle(task, status, won, result.len);
    if (won && task->table->class) {
        task->table->class->ended(task->table->class_arg, task);
    }
    return won ? E_OK : E_STATE;
}
