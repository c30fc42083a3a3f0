/* task_form.c -- the members of tasks.
 *
 * The eras name the same things differently, and disagree on one: a tool that ran and told an error
 * has "failed" in 2025-11-25 and is "completed" in 2026-07-28. */
#include "handlers/task_form.h"

static const char *
status_text(enum era era, enum mcp_task_status status)
{
    static const char *const texts[] = {
        [MCP_TASK_WORKING] = "working",     [MCP_TASK_INPUT_REQUIRED] = "input_required",
        [MCP_TASK_COMPLETED] = "completed", [MCP_TASK_TOOL_FAILED] = "failed",
        [MCP_TASK_FAILED] = "failed",       [MCP_TASK_CANCELLED] = "cancelled",
    };

    return status == MCP_TASK_TOOL_FAILED && era == ERA_MODERN ? "completed" : texts[status];
}

static void
add_time(struct buf *out, const char *key, int64_t wall_ns)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_utc(wall_ns, text);
    buf_addf(out, ",\"%s\":\"%s\"", key, text);
}

void
task_add(struct buf *out, enum era era, const char *id, const struct mcp_task_look *look)
{
    const char *unit = era == ERA_MODERN ? "Ms" : "";

    buf_addf(out, "\"taskId\":\"%s\",\"status\":\"%s\"", id, status_text(era, look->status));
    if (look->message[0]) {
        buf_adds(out, ",\"statusMessage\":");
        buf_add_json(out, slice_of(look->message));
    }
    add_time(out, "createdAt", look->created_ns);
    add_time(out, "lastUpdatedAt", look->updated_ns);
    buf_addf(out, ",\"ttl%s\":", unit);
    buf_add_int(out, look->ttl_ms);
    buf_addf(out, ",\"pollInterval%s\":%d", unit, TASK_POLL_MS);
}

void
task_add_outcome(struct buf *out, const struct mcp_task_look *look, struct slice input)
{
    if (look->status == MCP_TASK_INPUT_REQUIRED) {
        buf_adds(out, ",\"inputRequests\":");
        buf_add_slice(out, input);
    } else if (look->status == MCP_TASK_FAILED) {
        buf_adds(out, ",\"error\":");
        buf_add(out, look->result->data, look->result->len);
    } else if (look->result) { /* The members of the result, see tasks_finish(). */
        buf_adds(out, ",\"result\":{");
        buf_add(out, look->result->data, look->result->len);
        buf_adds(out, ",\"resultType\":\"complete\"}");
    }
}

void
task_add_related(struct buf *out, const char *id)
{
    buf_addf(out, "{\"io.modelcontextprotocol/related-task\":{\"taskId\":\"%s\"}}", id);
}
