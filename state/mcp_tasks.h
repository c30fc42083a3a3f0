/* mcp_tasks.h -- MCP tasks: calls that go on after the request that began them was answered.
 *
 * A task has an id that nobody can guess, belongs to a principal, and has a status until it ends:
 * the first to end it wins (who runs it, a client that cancels it, the end of its time), and from
 * then on it does not change.  It is kept, with its result, until its time to live is over, which
 * counts from its beginning.  Who holds one keeps it; nobody finds it any more.
 *
 * Knows nothing of messages: a result is text.  Any thread; takes TASKS, TASK. */
#ifndef TANDEM_MCP_TASKS_H
#define TANDEM_MCP_TASKS_H

#include "state/base/clock.h"
#include "state/base/err.h"
#include "state/base/mem.h"

struct mcp_session;
struct mcp_task;
struct mcp_tasks;

#define MCP_TASK_ID_SIZE 33 /* 128 random bits in hex, and NUL. */
#define MCP_TASK_MESSAGE_SIZE 256

/* Those below INPUT_REQUIRED are ends.  TOOL_FAILED: the tool ran and told an error; FAILED: there
 * is an error in the place of a result. */
enum mcp_task_status {
    MCP_TASK_WORKING,
    MCP_TASK_INPUT_REQUIRED,
    MCP_TASK_COMPLETED,
    MCP_TASK_TOOL_FAILED,
    MCP_TASK_FAILED,
    MCP_TASK_CANCELLED,
};

struct mcp_task_limits {
    unsigned tasks, per_principal;
    size_t bytes, bytes_per_principal; /* Of results that are kept. */
    int64_t ttl_ns, ttl_most_ns;       /* Time to live if none is asked for; the most. */
};
/* No time to live is shorter. */
#define MCP_TASK_TTL_LEAST_NS 1000000000
/* Results up to here are kept even where there is no room, as the number of tasks is bounded too.
 */
#define MCP_TASK_SMALL 4096

struct mcp_tasks_counters {
    unsigned live; /* Kept, running or not. */
    size_t bytes;
    uint64_t started, completed, failed, cancelled, expired, refused;
};

/* What a task is at one moment. */
struct mcp_task_look {
    enum mcp_task_status status;
    char message[MCP_TASK_MESSAGE_SIZE]; /* Empty if there is nothing to say. */
    int64_t created_ns, updated_ns;      /* Wall time. */
    int64_t ttl_ms;
    struct bytes *result; /* Counted; null unless it has ended with one. */
    struct bytes *input;  /* Counted; what it asks for, while INPUT_REQUIRED. */
    unsigned changes;
};

/* Whom the tasks tell of what becomes of them. */
struct mcp_tasks_class {
    /* The status has changed; in the order of the changes.  TASK is held, and what the caller of
     * the change held: hands on, and nothing else. */
    void (*told)(void *arg, struct mcp_task *task, const struct mcp_task_look *now);
    /* The task has ended; no lock is held, but what the caller of mcp_task_end() held. */
    void (*ended)(void *arg, struct mcp_task *task);
};

/* A new table; 'clock' is borrowed and must outlive it, 'limits' are copied. */
struct mcp_tasks *mcp_tasks_create(const struct clock *clock, const struct mcp_task_limits *limits);
/* Null is ignored.  Tasks that are still held live on. */
void mcp_tasks_destroy(struct mcp_tasks *t);
struct mcp_tasks_counters mcp_tasks_counters(struct mcp_tasks *t);
/* Tells 'class' (borrowed; null: nobody any more) of all changes.  No other thread may be using
 * 't'.
 */
void mcp_tasks_tell(struct mcp_tasks *t, const struct mcp_tasks_class *class, void *arg);

/* A new task that works, counted, in '*task'; it can be found at once.  'session' (may be null) is
 * remembered, counted.  'ttl_ms': what was asked for, bent to the limits; -1: nothing.  E_BUSY
 * where there are too many. */
enum err mcp_task_start(struct mcp_tasks *t, struct slice principal, struct mcp_session *session,
                        int64_t ttl_ms, struct mcp_task **task, struct fault *f);
/* Finds one, counted.  E_PARAMS: unknown, over, or another principal's, whom an id must not tell
 * that it is one. */
enum err mcp_task_find(struct mcp_tasks *t, struct slice id, struct slice principal,
                       struct mcp_task **task, struct fault *f);
/* Up to 'max' tasks of a principal, and of 'session' unless that is null, oldest first, counted;
 * those after the one of number 'after' (0: from the first).  Returns how many; '*last' is the
 * number to go on after, or 0 if there are no more. */
size_t mcp_task_list(struct mcp_tasks *t, struct slice principal, const struct mcp_session *session,
                     uint64_t after, struct mcp_task *page[], size_t max, uint64_t *last);
struct mcp_task *mcp_task_ref(struct mcp_task *task);
/* Null is ignored. */
void mcp_task_unref(struct mcp_task *task);

/* Set once. */
const char *mcp_task_id(const struct mcp_task *task);
struct mcp_session *mcp_task_session(const struct mcp_task *task); /* Borrowed; may be null. */
/* When its time is over, monotonic. */
int64_t mcp_task_expires_ns(const struct mcp_task *task);

/* Whether it has not ended; how often its status has changed.  Take no lock. */
bool mcp_task_runs(const struct mcp_task *task);
unsigned mcp_task_changes(const struct mcp_task *task);
void mcp_task_look(struct mcp_task *task, struct mcp_task_look *look);
void mcp_task_look_fini(struct mcp_task_look *look);

/* Says how far it is; cut if it is long.  Nothing once it has ended. */
void mcp_task_say(struct mcp_task *task, const char *message);
/* It waits for input, 'input' (copied) tells for which; or, empty: it works again.  False once it
 * has ended, or without memory. */
bool mcp_task_input(struct mcp_task *task, struct slice input);
/* Ends it.  'status' is an end; 'message' null: nothing to say; 'result' is copied, none if it has
 * no data. E_STATE: it has ended before; E_LIMIT: there is no room for this result, and nothing was
 * done. */
enum err mcp_task_end(struct mcp_task *task, enum mcp_task_status status, const char *message,
                      struct slice result);

/* Lets go of tasks whose time is over; those that still run are cancelled.  Returns when the next
 * one's is, monotonic; INT64_MAX if there is none.  Cheap while nothing is due. */
int64_t mcp_tasks_expire(struct mcp_tasks *t);

#endif
