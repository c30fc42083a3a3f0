/* wait.h -- a request that waits for a moment, or for a task, and holds no worker meanwhile.
 *
 * As with need(): the handler returns E_INPUT at once, having changed nothing, is parked (park.h),
 * and is run again from its beginning when the time has come.  Only for what runs on a worker. */
#ifndef TANDEM_WAIT_H
#define TANDEM_WAIT_H

#include "handlers/asks.h"
#include "handlers/request.h"

struct mcp_task;

/* E_OK once 'until_ns', monotonic, is past; before, E_INPUT, or E_TIMEOUT if the request's own time
 * is over by then.  The thread that runs the request. */
enum err wait_until(struct request *req, int64_t until_ns, struct fault *f);
/* Waits until the status of 'task' has changed more than 'changes' times: E_INPUT; E_OVERLOAD once
 * the server is ending. */
enum err wait_for_task(struct request *req, struct mcp_task *task, unsigned changes,
                       struct fault *f);

/* Whether any request but 'req' waits for the task. */
bool wait_for_task_by_others(const struct request *req, const struct mcp_task *task);

/* ---- Called by dispatch ---- */

/* After a run that ended in E_INPUT: whether it is one of these; what becomes of it then. */
bool wait_wanted(const struct request *req);
enum asks_step wait_settle(struct request *req);
/* Lets go of what a request waits for. */
void wait_end(struct request *req);
/* The task has changed: who waits for it runs again. */
void wait_wake(struct dispatcher *d, const struct mcp_task *task);
/* The server is about to end: who waits for a task is told so now.  What waits for a moment does
 * work, as its client sees it, and has until the end of the drain as all that does. */
void wait_close(struct dispatcher *d);
/* Runs those whose time has come.  True while any waits for a moment. */
bool wait_tick(struct dispatcher *d);

#endif
