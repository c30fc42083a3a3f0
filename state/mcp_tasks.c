/* mcp_tasks.c -- the table of tasks, and what their principals use up; mcp_tasks_each.c has the
 * rest.
 *
 * DESIGN.  Two locks.  TASKS guards the table and what its principals use up; TASK, one a task,
 * guards what changes in it, and is held while others are told of a change, so that they hear of
 * changes in their order.  The status is an atomic besides, since whoever runs a task asks for it
 * often.  Never are both held: expiry takes tasks out of the table first and ends them then.
 *
 * A task may not be forgotten before its time (MCP 2026-07-28, tasks extension), so limits refuse
 * new ones instead of dropping old ones. */
#include "state/mcp_tasks_private.h"

#include "state/base/random.h"
#include "state/mcp_session.h"
#include "state/mixup.h"

UNSHARED struct mcp_tasks *
mcp_tasks_create(const struct clock *clock, const struct mcp_task_limits *limits)
{
    struct mcp_tasks *t = xcalloc(1, sizeof *t);

    t->clock = clock;
    t->limits = *limits;
    t->next_expiry_ns = INT64_MAX;
    lock_init(&t->lock, RANK_TASKS);
    return t;
}

void
mcp_tasks_tell(struct mcp_tasks *t, const struct mcp_tasks_class *class, void *arg)
{
    t->class = class;
    t->class_arg = arg;
}

struct mcp_tasks_counters
mcp_tasks_counters(struct mcp_tasks *t)
{
    struct mcp_tasks_counters c;

    LOCK(TASKS, &t->lock);
    c = t->counters;
    UNLOCK(TASKS, &t->lock);
    return c;
}

/* ---- Principals ---- */

static struct owner *
owner_locked(struct mcp_tasks *t, struct slice principal) REQUIRES(LC_TASKS)
{
    struct owner *o;

    HASH_FIND(hh, t->owners, principal.data, principal.len, o);
    if (!o) {
        o = xcalloc(1, sizeof *o + principal.len + 1);
        if (principal.len) {
            memcpy(o->principal, principal.data, principal.len);
        }
        HASH_ADD_KEYPTR(hh, t->owners, o->principal, principal.len, o);
    }
    return o;
}

static void
drop_owner_locked(struct mcp_tasks *t, struct owner *o) REQUIRES(LC_TASKS)
{
    if (o->tasks == 0) {
        HASH_DEL(t->owners, o);
        free(o);
    }
}

static bool
is_owned_locked(const struct mcp_task *task, struct slice principal) REQUIRES(LC_TASKS)
{
    return slice_is(principal, task->owner->principal);
}

/* The task's reference by the table is the caller's to drop. */
static void
take_out_locked(struct mcp_tasks *t, struct mcp_task *task) REQUIRES(LC_TASKS)
{
    struct owner *o = task->owner;

    HASH_DEL(t->table, task);
    task->gone = true;
    task->owner = NULL;
    o->tasks--;
    o->bytes -= task->bytes;
    t->counters.bytes -= task->bytes;
    t->counters.live--;
    drop_owner_locked(t, o);
}

bool
mcp_tasks_take_room(struct mcp_task *task, size_t bytes)
{
    struct mcp_tasks *t = task->table;
    bool room;

    LOCK(TASKS, &t->lock);
    room = bytes <= MCP_TASK_SMALL || task->gone ||
           (t->counters.bytes + bytes <= t->limits.bytes &&
            task->owner->bytes + bytes <= t->limits.bytes_per_principal);
    if (room && !task->gone) {
        task->bytes += bytes;
        task->owner->bytes += bytes;
        t->counters.bytes += bytes;
    }
    UNLOCK(TASKS, &t->lock);
    return room;
}

void
mcp_tasks_settle(struct mcp_task *task, enum mcp_task_status status, bool won, size_t bytes)
{
    struct mcp_tasks *t = task->table;

    LOCK(TASKS, &t->lock);
    if (!won && !task->gone) {
        task->bytes -= bytes;
        task->owner->bytes -= bytes;
        t->counters.bytes -= bytes;
    }
    t->counters.completed += won && status == MCP_TASK_COMPLETED;
    t->counters.failed += won && (status == MCP_TASK_TOOL_FAILED || status == MCP_TASK_FAILED);
    t->counters.cancelled += won && status == MCP_TASK_CANCELLED;
    UNLOCK(TASKS, &t->lock);
}

/* ---- The table ---- */

static struct mcp_task *
new_task(struct mcp_tasks *t, struct mcp_session *session, int64_t ttl_ms)
{
    struct mcp_task *task = xcalloc(1, sizeof *task);
    int64_t most_ns = t->limits.ttl_most_ns;
    int64_t ttl_ns = t->limits.ttl_ns;

    if (ttl_ms >= 0) {
        ttl_ns = ttl_ms > most_ns / 1000000 ? most_ns : ttl_ms * 1000000;
    }
    ttl_ns = ttl_ns > most_ns ? most_ns : ttl_ns;
    ttl_ns = ttl_ns < MCP_TASK_TTL_LEAST_NS ? MCP_TASK_TTL_LEAST_NS : ttl_ns;
    task->table = t;
    task->session = session ? mcp_session_ref(session) : NULL;
    task->created_ns = clock_wall(t->clock);
    task->expires_ns = clock_mono(t->clock) + ttl_ns;
    task->ttl_ms = ttl_ns / 1000000;
    atomic_init(&task->refs, 2); /* The table's and the caller's. */
    atomic_init(&task->status, MCP_TASK_WORKING);
    lock_init(&task->lock, RANK_TASK);
    return task;
}

static void
enter_locked(struct mcp_tasks *t, struct mcp_task *task, struct owner *o) REQUIRES(LC_TASKS)
{
    task->owner = o;
    task->number = ++t->last_number;
    HASH_ADD_STR(t->table, id, task);
    o->tasks++;
    t->counters.live++;
    t->counters.started++;
    if (task->expires_ns < t->next_expiry_ns) {
        t->next_expiry_ns = task->expires_ns;
    }
}

UNSHARED enum err
mcp_task_start(struct mcp_tasks *t, struct slice principal, struct mcp_session *session,
               int64_t ttl_ms, struct mcp_task **task, struct fault *f)
{
    struct mcp_task *fresh;
    struct owner *o;
    bool full;

    *task = NULL;
    mcp_tasks_expire(t);
    fresh = new_task(t, session, ttl_ms);
    fresh->updated_ns = fresh->created_ns;
    if (!random_hex(fresh->id, sizeof fresh->id)) {
        mcp_task_free(fresh);
        return fault_set(f, E_OVERLOAD, "no random bytes for a task's id");
    }
    LOCK(TASKS, &t->lock);
    o = owner_locked(t, principal);
    full = t->counters.live >= t->limits.tasks || o->tasks >= t->limits.per_principal;
    if (full) {
        t->counters.refused++;
        drop_owner_locked(t, o);
    } else {
        enter_locked(t, fresh, o);
    }
    UNLOCK(TASKS, &t->lock);
    if (full) {
        mcp_task_free(fresh);
        fault_set(f, E_BUSY, "there are too many tasks");
        return fault_remedy(f, "a task is forgotten when its time to live is over; ask for shorter "
                               "ones, or call without a task");
    }
    *task = fresh;
    return E_OK;
}

enum err
mcp_task_find(struct mcp_tasks *t, struct slice id, struct slice principal, struct mcp_task **task,
              struct fault *f)
{
    int64_t now = clock_mono(t->clock);
    struct mcp_task *found;
    bool foreign = false;
    uint64_t owner = 0;

    *task = NULL;
    LOCK(TASKS, &t->lock);
    HASH_FIND(hh, t->table, id.data, id.len, found);
    if (found && found->expires_ns > now && is_owned_locked(found, principal)) {
        *task = mcp_task_ref(found);
    } else if (found && found->expires_ns > now) {
        foreign = true;
        owner = mixup_tag(slice_of(found->owner->principal));
    }
    UNLOCK(TASKS, &t->lock);
    if (foreign) {
        mixup_log("task", mixup_tag(principal), owner);
    }
    if (*task) {
        return E_OK;
    }
    fault_set(f, E_PARAMS, "this task is unknown, or its time is over");
    return fault_remedy(f, "make the call again");
}

size_t
mcp_task_list(struct mcp_tasks *t, struct slice principal, const struct mcp_session *session,
              uint64_t after, struct mcp_task *page[], size_t max, uint64_t *last)
{
    int64_t now = clock_mono(t->clock);
    size_t count = 0;
    bool more = false;

    LOCK(TASKS, &t->lock);
    for (struct mcp_task *task = t->table; task && !more; task = task->hh.next) {
        if (task->number > after && task->expires_ns > now && is_owned_locked(task, principal) &&
            (!session || task->session == session)) {
            more = count == max;
            if (!more) {
                page[count++] = mcp_task_ref(task);
            }
        }
    }
    UNLOCK(TASKS, &t->lock);
    *last = more && count ? page[count - 1]->number : 0;
    return count;
}

/* Takes out one task whose time is over; null if there is none, and then '*next' is when there will
 * be. */
static struct mcp_task *
take_expired(struct mcp_tasks *t, int64_t now, int64_t *next)
{
    struct mcp_task *task = NULL, *following;

    LOCK(TASKS, &t->lock);
    if (now >= t->next_expiry_ns) {
        int64_t soonest = INT64_MAX;

        for (task = t->table; task && task->expires_ns > now; task = following) {
            following = task->hh.next;
            soonest = task->expires_ns < soonest ? task->expires_ns : soonest;
        }
        if (task) {
            take_out_locked(t, task);
            t->counters.expired++;
        } else {
            t->next_expiry_ns = soonest;
        }
    }
    *next = t->next_expiry_ns;
    UNLOCK(TASKS, &t->lock);
    return task;
}

int64_t
mcp_tasks_expire(struct mcp_tasks *t)
{
    int64_t now = clock_mono(t->clock), next;
    struct mcp_task *task;

    while ((task = take_expired(t, now, &next))) {
        mcp_task_end(task, MCP_TASK_CANCELLED, "its time to live is over", SLICE_NONE);
        mcp_task_unref(task);
    }
    return next;
}

UNSHARED void
mcp_tasks_destroy(struct mcp_tasks *t)
{
    struct mcp_task *task, *next;

    if (t) {
        HASH_ITER(hh, t->table, task, next) {
            take_out_locked(t, task);
            mcp_task_unref(task);
        }
        lock_fini(&t->lock);
        free(t);
    }
}
