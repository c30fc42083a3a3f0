/* tasks.h -- MCP tasks: calls of tools that go on after they were answered, and how they are
 * followed.
 *
 * Both forms, that of 2025-11-25 (the client asks for a task, polls tasks/get, waits in
 * tasks/result) and the extension io.modelcontextprotocol/tasks of 2026-07-28 (the server decides,
 * for clients that declare it), on one store (state/mcp_tasks.h).
 *
 * A call that becomes a task is answered with the task, which can be found by then, and becomes a
 * request of nobody: it stays in flight, has no sink, is not its session's any more, and has
 * until the task's time is over.  What comes of it goes to the store.  Whoever ends the task first,
 * a client or the clock, also cancels the request.
 *
 *   tasks.c       the methods tasks/get, result, list, cancel, update
 *   task_run.c    how a call becomes a task, asks, tells, and ends
 *   task_form.c   what is written: tasks, their results, notifications
 *
 * Any thread. */
#ifndef TANDEM_TASKS_H
#define TANDEM_TASKS_H

#include "handlers/asks.h"
#include "handlers/request.h"
#include "handlers/tool.h"

struct inflight_match;
struct mcp_task;
struct need_host;

#define TASKS_EXTENSION "io.modelcontextprotocol/tasks"

/* Has the store tell 'd' of its tasks; and no more. */
void tasks_open(struct dispatcher *d);
void tasks_close(struct dispatcher *d);

/* tools/call: checks whether the call may be, or must be, a task, once the tool is known.  Stores
 * in 'runs' where it runs: what is to be a task needs a worker.  E_NO_METHOD (legacy) or
 * E_CAPABILITY (modern) where tool and call do not fit. */
enum err tasks_prepare_call(struct request *req, enum runs *runs);
/* Whether a modern client declares that it knows tasks. */
bool tasks_declared(const struct request *req);

/* Finds a task of the request's principal and era, counted: each era has errors, questions and
 * results that the other does not know.  As mcp_task_find(). */
enum err tasks_find(const struct request *req, struct slice id, struct mcp_task **task,
                    struct fault *f);

/* Makes a request in flight a task, and answers it; that of tasks_prepare_call().  On error it is
 * what it was: E_BUSY where there are too many tasks, E_CANCELLED if its client has left. */
enum err tasks_detach(struct request *req);
/* For a tool with 'task_late': from here on a modern call is a task, if it may be one.  E_INPUT: to
 * be returned at once, as of need(); the handler is run again, then as a task.  Else E_OK. */
static inline enum err
tasks_begin(struct request *req)
{
    req->begins_task = req->as_task && !req->task;
    return req->begins_task ? E_INPUT : E_OK;
}
/* Keeps what a task's request gave, in the place of an answer. */
void tasks_finish(struct request *req, enum err err);
/* Frees what a request has as a task. */
void tasks_end(struct request *req);
/* Tells the client something of a running task: 'note' is a notification, changed to say of which.
 */
void tasks_send(struct request *req, struct buf *note);
/* Says how far a running task is. */
void tasks_say(struct request *req, const char *message);
/* What runs a task, counted; null if nothing does.  Through whom it asks: to name it to need.h. */
struct task_run *tasks_find_run(struct dispatcher *d, const struct mcp_task *task);
const struct need_host *tasks_host(const struct task_run *run);
void tasks_unref_run(struct task_run *run);
/* After a run of a task that ended in E_INPUT: as asks_settle(). */
enum asks_step tasks_settle(struct request *req);
/* Modern: refuses a client that does not declare that it knows tasks; 'what' is what it wants. */
enum err tasks_need_declared(struct request *req, const char *what);
/* Ends what is past its time; true while there are tasks. */
bool tasks_tick(struct dispatcher *d);

#endif
