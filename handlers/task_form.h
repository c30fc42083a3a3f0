/* task_form.h -- MCP tasks as they are written, in both eras.  Pure; any thread. */
#ifndef TANDEM_TASK_FORM_H
#define TANDEM_TASK_FORM_H

#include "handlers/request.h"
#include "state/mcp_tasks.h"

/* How often a client may ask how a task is, in milliseconds. */
#define TASK_POLL_MS 1000

/* The members of a task: id, status, times. */
void task_add(struct buf *out, enum era era, const char *id, const struct mcp_task_look *look);
/* Modern: what a task gave, or asks for: a member "result", "error" or "inputRequests" with a comma
 * before it, or nothing.  'input' is what is asked for, JSON text. */
void task_add_outcome(struct buf *out, const struct mcp_task_look *look, struct slice input);
/* {"io.modelcontextprotocol/related-task":{"taskId":...}}. */
void task_add_related(struct buf *out, const char *id);

#endif
