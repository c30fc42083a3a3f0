/* tools_call.c -- tools/call for both eras, and calls by scripts.
 *
 * A broken request or an unknown tool is a protocol error.  A tool that was found and then failed,
 * if only because its arguments do not fit its schema, is a result with isError: that is what a
 * model can read and mend. */
#include "handlers/tools_private.h"

#include "handlers/content.h"
#include "handlers/dispatch_private.h"
#include "handlers/era.h"
#include "handlers/schema.h"
#include "handlers/schema_plain.h"
#include "handlers/tasks.h"
#include "handlers/tools_at_hand.h"
#include "state/base/json_put.h"
#include "state/base/log.h"
#include "state/base/rate.h"
#include "state/mcp_session.h"

LOG_MODULE("tools");

/* Finds the tool that is asked for; false if there is none now. */
static bool
find_tool(struct request *req, struct slice name)
{
    req->entry = tools_find(req->dispatcher->tools, name);
    req->tool = req->entry ? req->entry->tool : NULL;
    return req->tool != NULL;
}

static enum err
unknown_tool(struct request *req, struct slice name)
{
    fault_set(&req->fault, req->dialect == DIALECT_REST ? E_NOT_FOUND : E_PARAMS,
              "unknown tool '%.*s'", (int)(name.len < 128 ? name.len : 128), name.data);
    return fault_remedy(&req->fault, "tools/list names the tools there are");
}

enum err
tools_check_rate(struct request *req)
{
    unsigned per_second =
        atomic_load_explicit(&req->dispatcher->calls_per_second, memory_order_relaxed);
    struct mcp_session *session = req->session ? req->session : req->env.session;
    struct rate *rate = session ? &session->calls : req->env.rate;

    if (rate && !rate_take(rate, req->started_ns, per_second, 2 * per_second)) {
        fault_set(&req->fault, E_BUSY, "more than %u calls a second came from here", per_second);
        return fault_remedy(&req->fault, "wait a second, or raise limits.call_rate");
    }
    return E_OK;
}

/* Modern HTTP: arguments that are headers too must say the same there. */
static enum err
check_param_headers(struct request *req)
{
    const struct param_headers *headers;
    json_t *args = NULL;
    enum err err;

    if (req->era != ERA_MODERN || !req->env.param_header) {
        return E_OK;
    }
    headers = tools_schemas(req->entry)->headers;
    if (!headers) {
        return E_OK;
    }
    err = rpc_load(&req->message.param[RPC_PARAM_ARGUMENTS], "arguments", &args, &req->fault);
    if (!err) {
        err = param_headers_check(headers, &req->env, args, &req->fault);
    }
    json_decref(args);
    return err;
}

/* Tools that change nothing need less than the others. */
static enum err
check_tool_scope(struct request *req)
{
    return request_check_scope(req, req->tool->hints & HINT_READ_ONLY ? SCOPE_READ : SCOPE_WRITE);
}

/* A modern client declares with each request what it can do. */
static enum err
check_capability(struct request *req)
{
    const char *needs = req->tool->needs;
    json_t *declared = NULL;
    enum err err;

    if (!needs || req->era != ERA_MODERN) {
        return E_OK;
    }
    err = rpc_load(&req->message.meta[RPC_META_CLIENT_CAPABILITIES], "clientCapabilities",
                   &declared, &req->fault);
    if (!err && !json_object_get(declared, needs)) {
        buf_reset(&req->fault_data);
        buf_addf(&req->fault_data, "{\"requiredCapabilities\":{\"%s\":{}}}", needs);
        err = fault_set(&req->fault, E_CAPABILITY, "'%s' is for clients that declare %s",
                        req->tool->name, needs);
    }
    json_decref(declared);
    return err;
}

enum err
tools_prepare(struct request *req, enum runs *runs)
{
    const struct json_value *name = &req->message.param[RPC_PARAM_NAME];
    const struct json_value *arguments = &req->message.param[RPC_PARAM_ARGUMENTS];
    struct slice text = {.data = NULL};
    struct buf unescaped = {.limit = 1024};
    enum err err = E_OK;

    if (name->kind != KIND_STRING || !json_string_said(name->raw, &unescaped, &text)) {
        err = fault_set(&req->fault, E_PARAMS, "params.name is missing, or no string");
        goto out;
    }
    err = era_check_name(req, text);
    if (err) {
        goto out;
    }
    if (!find_tool(req, text)) {
        err = unknown_tool(req, text);
    } else if (arguments->kind != KIND_NONE && arguments->kind != KIND_OBJECT) {
        err = fault_set(&req->fault, E_PARAMS, "params.arguments is no object");
    } else {
        err = check_param_headers(req);
        err = err ? err : check_tool_scope(req);
        err = err ? err : check_capability(req);
        *runs = req->tool->runs;
        err = err ? err : tasks_prepare_call(req, runs);
        err = err ? err : tools_check_rate(req);
        if (!err && *runs == WORKER && req->tool->at_hand && !req->as_task && at_hand_find(req)) {
            *runs = INLINE;
        }
    }
out:
    buf_fini(&unescaped);
    return err;
}

enum err
tools_find_rest(struct request *req, struct slice name, struct slice arguments)
{
    struct json_value *value = &req->message.param[RPC_PARAM_ARGUMENTS];
    struct json_scan scan;

    if (!find_tool(req, name)) {
        return unknown_tool(req, name);
    }
    if (arguments.len == 0) {
        return E_OK;
    }
    json_scan_init(&scan, arguments, &req->dispatcher->limits.json);
    if (!json_scan_value(&scan, value) || !json_scan_end(&scan) || scan.flaw) {
        return json_scan_fault(&scan, &req->fault);
    }
    if (value->kind != KIND_OBJECT) {
        fault_set(&req->fault, E_ARGUMENT, "the body is no JSON object");
        return fault_remedy(&req->fault, "send the tool's arguments as one object");
    }
    return E_OK;
}

enum err
tools_prepare_rest(struct request *req, enum runs *runs)
{
    enum err err = check_tool_scope(req);

    *runs = req->tool->runs;
    return err ? err : tools_check_rate(req);
}

/* Checks what a tool answers against what it promised: a mismatch is our mistake, not the caller's.
 */
static enum err
check_result(const struct request *req, const json_t *schema, json_t *result, struct fault *f)
{
    enum err err = schema ? schema_validate(schema, result, "result", f) : E_OK;

    if (err) {
        log_error("a tool's result breaks its schema", F_STR("tool", req->tool->name),
                  F_STR("why", f->text));
        return fault_set(f, E_INTERNAL, "the result of '%s' is not what it should be",
                         req->tool->name);
    }
    return E_OK;
}

/* Whether the argument 'key' is known, not required, and cannot be null. */
static bool
may_be_left_out(const json_t *schema, const char *key)
{
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *type = json_object_get(json_object_get(properties, key), "type");

    return json_is_string(type) && strcmp(json_string_value(type), "null") != 0 &&
           !schema_requires(schema, key);
}

/* Many clients send null for an argument that they leave out.  Takes those away that may be left
 * out and could not be null. */
static void
drop_nulls(const json_t *schema, json_t *args)
{
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(args, next, key, value)
    {
        if (json_is_null(value) && may_be_left_out(schema, key)) {
            json_object_del(args, key);
        }
    }
}

/* Loads and checks the arguments.  '*args' is a new object, or null. */
static enum err
load_arguments(struct request *req, const struct tool_schemas *schemas, json_t **args,
               struct fault *f)
{
    enum err err = rpc_load(&req->message.param[RPC_PARAM_ARGUMENTS], "arguments", args, f);

    if (!err && !*args) {
        *args = json_must(json_object());
    }
    if (!err && !schema_plain_fits(schemas->plain, *args)) {
        drop_nulls(schemas->input, *args);
        err = schema_validate(schemas->input, *args, "arguments", f);
    }
    return err && err != E_OVERLOAD ? E_ARGUMENT : err; /* Whatever the cause: it can be mended. */
}

/* Calls a tool that answers with content.  As its tell(). */
static enum err
tell_content(struct request *req, const json_t *args, struct fault *f)
{
    struct content content;
    enum err err;

    content_init(&content, req);
    err = req->tool->tell(req, args, &content, f);
    if (err) {
        content_drop(&content);
    } else {
        content_end(&content);
    }
    return err;
}

/* Loads and checks the arguments and calls the tool.  '*result' is as its call() says; what its
 * tell() says is in 'req->out'. */
static enum err
call_tool(struct request *req, json_t **result, struct fault *f)
{
    const struct tool_schemas *schemas = tools_schemas(req->entry);
    json_t *args = NULL;
    enum err err;

    *result = NULL;
    err = load_arguments(req, schemas, &args, f);
    if (!err) {
        err = req->tool->tell ? tell_content(req, args, f) : req->tool->call(req, args, result, f);
    }
    if (!err) {
        err = check_result(req, schemas->output, *result, f);
    }
    f->code = err;
    json_decref(args);
    return err;
}

json_t *
tools_fault_json(const struct fault *f)
{
    struct buf text = BUF_INIT;
    json_t *json;

    fault_write(&text, f);
    json = json_must(json_loadb(text.data ? text.data : "{}", text.data ? text.len : 2, 0, NULL));
    buf_fini(&text);
    return json;
}

/* Adds the JSON text of what a call gave: its result, or what went wrong. */
static void
add_given(struct buf *out, const json_t *result, const struct fault *f)
{
    if (result) {
        json_write(out, result);
    } else {
        fault_write(out, f);
    }
}

/* The blocks that follow the text of a structured result, each with a comma before it. */
static void
add_more_blocks(struct request *req, const json_t *result)
{
    json_t *blocks = json_must(json_array());
    const json_t *block;
    size_t i;

    req->tool->add_blocks(result, blocks);
    json_array_foreach(blocks, i, block) {
        buf_addc(&req->out, ',');
        json_write(&req->out, block);
    }
    json_decref(blocks);
}

/* Adds the structured result of a call, or, in the same form, what went wrong. */
static void
add_result(struct request *req, enum err err, const json_t *result)
{
    bool structured = era_knows(req, REVISION_2025_06_18);
    struct buf text = BUF_INIT;

    add_given(&text, result, &req->fault);
    request_member(req, "content");
    buf_adds(&req->out, "[{\"type\":\"text\",\"text\":");
    buf_add_json(&req->out, buf_slice(&text));
    buf_addc(&req->out, '}');
    if (!err && structured && req->tool->add_blocks) {
        add_more_blocks(req, result);
    }
    buf_addc(&req->out, ']');
    if (err) {
        request_add_raw(req, "isError", SLICE("true"));
    } else if (structured) {
        request_add_raw(req, "structuredContent", buf_slice(&text));
    }
    req->out.failed |= text.failed; /* It is told where the answer is finished. */
    buf_fini(&text);
}

enum err
tools_call(struct request *req)
{
    json_t *result = NULL;
    enum err err;

    if (req->at_hand) {
        at_hand_add(req);
        return E_OK;
    }
    err = call_tool(req, &result, &req->fault);
    if (!err && req->tool->tell) {
        return E_OK;
    }
    if (!err || err_info(err)->told != ERR_TOLD_PROTOCOL) {
        req->tool_failed = err != E_OK;
        add_result(req, err, result);
        err = E_OK;
    }
    json_decref(result);
    return err;
}

bool
tools_refuse(struct request *req, enum err err)
{
    if (!req->method || req->method->handle != tools_call ||
        err_info(err)->told == ERR_TOLD_PROTOCOL) {
        return false;
    }
    era_begin_result(req);
    req->tool_failed = true;
    add_result(req, err, NULL);
    return true;
}

enum err
tools_rest(struct request *req)
{
    json_t *result = NULL;
    enum err err;

    if (req->tool->tell) { /* Content is a member: of this object. */
        buf_addc(&req->out, '{');
        req->result_start = req->out.len;
    }
    err = call_tool(req, &result, &req->fault);
    if (!err && req->tool->tell) {
        buf_addc(&req->out, '}');
    } else {
        buf_reset(&req->out);
        add_given(&req->out, result, &req->fault);
    }
    json_decref(result);
    return err;
}
