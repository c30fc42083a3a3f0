/* request.c -- what every handler does with its request: ask whether to go on, tell how far it is,
 * and write the result. */
#include "handlers/request.h"

#include "handlers/dispatch_private.h"
#include "handlers/era.h"
#include "handlers/tasks.h"
#include "state/base/json_put.h"
#include "state/state.h"

#include <math.h>

enum err
request_check_scope(struct request *req, enum scope scope)
{
    if (scope_allows(req->env.scopes, scope)) {
        return E_OK;
    }
    req->scope = scope;
    fault_set(&req->fault, E_SCOPE, "the token does not allow this: it needs the scope %s",
              scope_text(scope));
    return fault_remedy(&req->fault, "get a token with that scope from the authorization server");
}

bool
request_stop(const struct request *req)
{
    return atomic_load_explicit(&req->progress, memory_order_relaxed) != REQUEST_RUNNING ||
           clock_mono(state_clock(req->state)) >= req->deadline_ns;
}

void
request_member(struct request *req, const char *key)
{
    if (req->out.len > req->result_start) {
        buf_addc(&req->out, ',');
    }
    buf_addc(&req->out, '"');
    buf_adds(&req->out, key);
    buf_adds(&req->out, "\":");
}

void
request_add_raw(struct request *req, const char *key, struct slice json)
{
    request_member(req, key);
    buf_add_slice(&req->out, json);
}

void
request_add_json(struct request *req, const char *key, const json_t *value)
{
    request_member(req, key);
    json_write(&req->out, value);
}

/* ---- What is told ahead of the answer ---- */

static const char *const levels[MCP_LEVEL_COUNT] = {
#define ROW(NAME, TEXT) [MCP_LEVEL_##NAME] = TEXT,
    MCP_LEVELS(ROW)
#undef ROW
};

int
request_level(const struct json_value *name)
{
    char text[16];

    if (name->kind != KIND_STRING || json_string_into(name->raw, text, sizeof text) < 0) {
        return -1;
    }
    for (int i = 0; i < MCP_LEVEL_COUNT; i++) {
        if (strcmp(text, levels[i]) == 0) {
            return i;
        }
    }
    return -1;
}

/* Sends a notification, unless the request has ended meanwhile: cancelled, or given up with the
 * server.  Who ends it holds the same lock, so nothing comes after that. */
static void
send_note(struct request *req, struct buf *note)
{
    const struct event event = {.body = buf_slice(note)};

    if (req->task) {
        tasks_send(req, note);
        return;
    }
    if (note->failed) {
        return;
    }
    if (req->bytes) {
        inflight_send(req->dispatcher->inflight, req, &event);
    } else {
        request_begin_stream(req);
        req->sink->class->send(req->sink, &event); /* On the transport's thread: none can end it. */
    }
}

bool
request_pause_stream(struct request *req, int retry_ms)
{
    return req->stream && mcp_stream_pause(req->stream, retry_ms);
}

static void
add_number(struct buf *out, double value)
{
    buf_addf(out, fabs(value) < 1e15 && floor(value) == value ? "%.0f" : "%.15g", value);
}

void
request_progress(struct request *req, double progress, double total, const char *message)
{
    const struct json_value *token = &req->message.meta[RPC_META_PROGRESS_TOKEN];
    struct buf note = BUF_INIT;

    if (!(progress > req->last_progress) || !isfinite(progress)) {
        return;
    }
    req->last_progress = progress;
    if (req->task && message) {
        tasks_say(req, message);
    }
    if (token->kind != KIND_STRING && token->kind != KIND_INTEGER) {
        return;
    }
    buf_adds(&note, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{"
                    "\"progressToken\":");
    buf_add_slice(&note, token->raw);
    buf_adds(&note, ",\"progress\":");
    add_number(&note, progress);
    if (total > 0) {
        buf_adds(&note, ",\"total\":");
        add_number(&note, total);
    }
    if (message && era_knows(req, REVISION_2025_03_26)) {
        buf_adds(&note, ",\"message\":");
        buf_add_json(&note, slice_of(message));
    }
    buf_adds(&note, "}}");
    send_note(req, &note);
    buf_fini(&note);
}

/* The least level that the client of this request wants to be told; MCP_LEVEL_COUNT for none. */
static int
level_wanted(const struct request *req)
{
    if (req->dialect == DIALECT_REST) {
        return MCP_LEVEL_COUNT;
    }
    if (req->era == ERA_MODERN) {
        return req->log_level < 0 || req->task ? MCP_LEVEL_COUNT : req->log_level;
    }
    return req->session ? atomic_load(&req->session->log_level) : MCP_LEVEL_COUNT;
}

void
request_log(struct request *req, enum mcp_level level, const char *logger, const json_t *data)
{
    struct buf note = BUF_INIT;

    if ((int)level < level_wanted(req)) {
        return;
    }
    buf_addf(
        &note,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"%s\"",
        levels[level]);
    if (logger) {
        buf_adds(&note, ",\"logger\":");
        buf_add_json(&note, slice_of(logger));
    }
    buf_adds(&note, ",\"data\":");
    json_write(&note, data);
    buf_adds(&note, "}}");
    send_note(req, &note);
    buf_fini(&note);
}
