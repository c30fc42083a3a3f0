/* mcp_tasks_private.h -- what the files of the tasks' store share.
 *
 *   mcp_tasks.c       the table, and what its principals use up
 *   mcp_tasks_each.c  what a task is, and how it changes */
#ifndef TANDEM_MCP_TASKS_PRIVATE_H
#define TANDEM_MCP_TASKS_PRIVATE_H

#include "state/base/hash.h"
#include "state/base/lock.h"
#include "state/mcp_tasks.h"

#include <stdatomic.h>

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

/* mcp_tasks.c: makes room for a result of a task in the table. */
bool mcp_tasks_take_room(struct mcp_task *task, size_t bytes);
/* Counts an end; or, when another one came first, gives the room back. */
void mcp_tasks_settle(struct mcp_task *task, enum mcp_task_status status, bool won, size_t bytes);
/* mcp_tasks_each.c: frees what nobody holds. */
void mcp_task_free(struct mcp_task *task);

#endif
