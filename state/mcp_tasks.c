/* mcp_tasks.c -- the table of tasks, and what each is.
 *
 * DESIGN.  Two locks.  TASKS guards the table and what its principals use up; TASK, one a task,
 * guards what changes in it, and is held while others are told of a change, so that they hear of
 * changes in their order.  The status is an atomic besides, since whoever runs a task asks for it
 * often.  Never are both held: expiry takes tasks out of the table first and ends them then.
 *
 * A task may not be forgotten before its time (MCP 2026-07-28, tasks extension), so limits refuse
 * new ones instead of dropping old ones. */
#include "state/mcp_tasks.h"

#include "state/base/hash.h"
#include "state/base/lock.h"
#include "state/base/random.h"
#include "state/base/rune.h"
#include "state/mcp_session.h"
#include "state/mixup.h"

#include <stdio.h>

/* What one principal has. */
struct owner {
    unsigned tasks;
    size_t bytes;
    UT_hash_handle hh;
    char principal[];
};

struct mcp_task {
    char id[MCP_TASK_ID_SIZE]; /* Set once, as are the next. */
    struct mcp_tasks *table;   /* Borrowed; used by who runs it, before the table ends. */
    struct mcp_session *session;
    struct owner *owner; /* Borrowed; LC_TASKS, while it is in the table. */
    uint64_t number;
    int64_t created_ns, expires_ns, ttl_ms;
    _Atomic unsigned refs;
    _Atomic int status; /* Changes with TASK held, as does the next. */
    _Atomic unsigned changes;
    bool gone GUARDED_BY(LC_TASKS);    /* Out of the table. */
    size_t bytes GUARDED_BY(LC_TASKS); /* What its result counts for. */
    UT_hash_handle hh;                 /* LC_TASKS. */
    struct lock lock;
    int64_t updated_ns GUARDED_BY(LC_TASK);
    char message[MCP_TASK_MESSAGE_SIZE] GUARDED_BY(LC_TASK);
    struct bytes *result GUARDED_BY(LC_TASK);
    struct bytes *input GUARDED_BY(LC_TASK);
};

struct mcp_tasks {
    const struct clock *clock; /* Borrowed; set once, as are the next. */
    struct mcp_task_limits limits;
    const struct mcp_tasks_class *class;
    void *class_arg;
    struct lock lock;
    struct mcp_task *table GUARDED_BY(LC_TASKS); /* In the order of their beginning. */
    struct owner *owners GUARDED_BY(LC_TASKS);
    uint64_t last_number GUARDED_BY(LC_TASKS);
    int64_t next_expiry_ns GUARDED_BY(LC_TASKS);
    struct mcp_tasks_counters counters GUARDED_BY(LC_TASKS);
};

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

/* ---- What a task is ---- */

struct mcp_task *
mcp_task_ref(struct mcp_task *task)
{
    atomic_fetch_add_explicit(&task->refs, 1, memory_order_relaxed);
    return task;
}

static UNSHARED void
free_task(struct mcp_task *task)
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
        free_task(task);
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

/* Makes room for a result of a task in the table. */
static bool
take_room(struct mcp_task *task, size_t bytes)
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

/* Counts an end; or, when another one came first, gives the room back. */
static void
settle(struct mcp_task *task, enum mcp_task_status status, bool won, size_t bytes)
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

enum err
mcp_task_end(struct mcp_task *task, enum mcp_task_status status, const char *message,
             struct slice result)
{
    struct bytes *fresh, *input = NULL;
    bool won;

    if (!mcp_task_runs(task)) {
        return E_STATE;
    }
    if (!take_room(task, result.len)) {
        return E_LIMIT;
    }
    fresh = result.data ? bytes_new(result.data, result.len) : NULL;
    if (result.data && !fresh) {
        settle(task, status, false, result.len);
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
    settle(task, status, won, result.len);
    if (won && task->table->class) {
        task->table->class->ended(task->table->class_arg, task);
    }
    return won ? E_OK : E_STATE;
}

/* ---- The table ---- */

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
        free_task(fresh);
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
        free_task(fresh);
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
