/* tools.c -- tools/list and tools/call, for both eras and for scripts.
 *
 * A broken request or an unknown tool is a protocol error.  A tool that was found and then failed,
 * if only because its arguments do not fit its schema, is a result with isError: that is what a
 * model can read and mend. */
#include "handlers/tools.h"

#include "handlers/content.h"
#include "handlers/dispatch_private.h"
#include "handlers/era.h"
#include "handlers/param_headers.h"
#include "handlers/schema.h"
#include "handlers/tasks.h"
#include "state/base/json_put.h"
#include "state/base/log.h"
#include "state/base/rate.h"
#include "state/mcp_session.h"
#include "state/settings.h"

#include <assert.h>

LOG_MODULE("tools");

static const struct tool *const rows[] = {
#define ROW(NAME, FILE) &tool_##NAME,
    TOOLS(ROW)
#undef ROW
};
#define TOOL_COUNT (sizeof rows / sizeof rows[0])

/* Which members of a tool the revisions know: one text of the list for each step. */
enum list_form { LIST_PLAIN, LIST_ANNOTATED, LIST_STRUCTURED, LIST_TASKS, LIST_FORM_COUNT };

/* A tool that is enabled. */
struct entry {
    const struct tool *tool;
    json_t *input, *output;        /* Owned, immutable; 'output' may be null. */
    struct param_headers *headers; /* Owned; null if no argument is a header too. */
};

struct tools {
    struct entry entries[TOOL_COUNT];
    size_t count;
    const struct entry *changing; /* The one that comes and goes: the last; or null. */
    _Atomic bool shown;           /* It is there now. */
    /* Owned: the JSON array of tools/list, without it and with it. */
    char *lists[LIST_FORM_COUNT][2];
};

/* Parses one schema of a row with 'check'; a bad one is a bug. */
static json_t *
parse_schema(const char *text, enum err (*check)(const json_t *, struct fault *))
{
    json_t *schema = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    struct fault f = FAULT_INIT;

    if (!schema || check(schema, &f) != E_OK) {
        log_error("a tool's schema is no good", F_STR("why", f.text), F_STR("schema", text));
        abort();
    }
    return schema;
}

static void
write_text_member(struct buf *out, const char *key, const char *text)
{
    buf_addf(out, "\"%s\":", key);
    buf_add_json(out, slice_of(text));
    buf_addc(out, ',');
}

static void
write_tool(struct buf *out, const struct tool *tool, enum list_form form)
{
    buf_addc(out, '{');
    write_text_member(out, "name", tool->name);
    if (form >= LIST_STRUCTURED) {
        write_text_member(out, "title", tool->title);
    }
    write_text_member(out, "description", tool->description);
    buf_addf(out, "\"inputSchema\":%s", tool->input_schema);
    if (form >= LIST_STRUCTURED && tool->output_schema) {
        buf_addf(out, ",\"outputSchema\":%s", tool->output_schema);
    }
    if (form >= LIST_ANNOTATED) {
        buf_addf(out,
                 ",\"annotations\":{\"readOnlyHint\":%s,\"destructiveHint\":%s,"
                 "\"idempotentHint\":%s,\"openWorldHint\":%s}",
                 tool->hints & HINT_READ_ONLY ? "true" : "false",
                 tool->hints & HINT_DESTRUCTIVE ? "true" : "false",
                 tool->hints & HINT_IDEMPOTENT ? "true" : "false",
                 tool->hints & HINT_OPEN_WORLD ? "true" : "false");
    }
    if (form == LIST_TASKS && tool->task != TASK_FORBIDDEN) {
        buf_addf(out, ",\"execution\":{\"taskSupport\":\"%s\"}",
                 tool->task == TASK_REQUIRED ? "required" : "optional");
    }
    buf_addc(out, '}');
}

/* ---- Groups ---- */

enum enabled_by { ALWAYS, CORE, NAMED };
static const struct {
    const char *name;
    enum enabled_by by;
} groups[] = {
#define ROW(NAME, BY) {#NAME, BY},
    TOOL_GROUPS(ROW)
#undef ROW
};
#define GROUP_COUNT (sizeof groups / sizeof groups[0])

static bool
is_core(struct slice item)
{
    return slice_is(item, "core") || slice_is(item, "full");
}

static bool
group_enabled(const char *list, const char *name)
{
    struct slice item;
    size_t at = 0;

    while (strcmp(groups[at].name, name) != 0) {
        at++;
    }
    if (groups[at].by == ALWAYS) {
        return true;
    }
    while (settings_next_item(&list, &item)) {
        if (slice_is(item, name) || (groups[at].by == CORE && is_core(item))) {
            return true;
        }
    }
    return false;
}

static void
log_unknown_groups(const char *list)
{
    struct slice item;

    while (settings_next_item(&list, &item)) {
        bool known = is_core(item);

        for (size_t i = 0; i < GROUP_COUNT; i++) {
            known = known || slice_is(item, groups[i].name);
        }
        if (!known) {
            char *name = xstrndup(item.data, item.len);
            log_warn("there is no such tool group", F_STR("group", name));
            free(name);
        }
    }
}

/* ---- The registry ---- */

static void
add_entry(struct tools *t, const struct tool *tool)
{
    struct entry *e = &t->entries[t->count++];
    struct fault f = FAULT_INIT;

    e->tool = tool;
    e->input =
        parse_schema(tool->input_schema, tool->any_schema ? schema_check : schema_check_profile);
    if (param_headers_create(e->input, &e->headers, &f) != E_OK) {
        log_error("a tool's headers are no good", F_STR("tool", tool->name), F_STR("why", f.text));
        abort();
    }
    if (tool->output_schema) {
        e->output = parse_schema(tool->output_schema, schema_check_profile);
    }
}

/* The JSON array of the first 'count' tools, new. */
static char *
write_list(const struct tools *t, enum list_form form, size_t count)
{
    struct buf out = BUF_INIT;
    char *text;

    buf_addc(&out, '[');
    for (size_t i = 0; i < count; i++) {
        buf_adds(&out, i ? "," : "");
        write_tool(&out, t->entries[i].tool, form);
    }
    buf_addc(&out, ']');
    text = buf_steal(&out);
    assert(text);
    return text;
}

struct tools *
tools_create(const char *enabled)
{
    struct tools *t = xcalloc(1, sizeof *t);

    enabled = enabled ? enabled : "core";
    log_unknown_groups(enabled);
    for (size_t i = 0; i < TOOL_COUNT; i++) {
        if (group_enabled(enabled, rows[i]->group)) {
            add_entry(t, rows[i]);
        }
    }
    if (t->count && t->entries[t->count - 1].tool == &tool_test_changing_tool) {
        t->changing = &t->entries[t->count - 1];
    }
    for (int form = 0; form < LIST_FORM_COUNT; form++) {
        t->lists[form][0] = write_list(t, (enum list_form)form, t->count - (t->changing != NULL));
        t->lists[form][1] = write_list(t, (enum list_form)form, t->count);
    }
    return t;
}

void
tools_destroy(struct tools *t)
{
    if (t) {
        for (size_t i = 0; i < t->count; i++) {
            param_headers_destroy(t->entries[i].headers);
            json_decref(t->entries[i].input);
            json_decref(t->entries[i].output);
        }
        for (int form = 0; form < LIST_FORM_COUNT; form++) {
            free(t->lists[form][0]);
            free(t->lists[form][1]);
        }
        free(t);
    }
}

unsigned
tools_count(const struct tools *t)
{
    return (unsigned)t->count - (t->changing && !atomic_load(&t->shown));
}

bool
tools_can_change(const struct tools *t)
{
    return t->changing != NULL;
}

bool
tools_show_changing(struct tools *t, bool shown)
{
    return t->changing && atomic_exchange(&t->shown, shown) != shown;
}

static struct slice
list_text(const struct tools *t, enum list_form form)
{
    return slice_of(t->lists[form][atomic_load(&t->shown)]);
}

bool
tools_has_group(const struct tools *t, const char *group)
{
    for (size_t i = 0; i < t->count; i++) {
        if (strcmp(t->entries[i].tool->group, group) == 0) {
            return true;
        }
    }
    return false;
}

const char *
tools_json(const struct tools *t)
{
    return list_text(t, LIST_STRUCTURED).data;
}

enum err
tools_list(struct request *req)
{
    enum list_form form = req->revision == REVISION_2025_11_25  ? LIST_TASKS
                          : era_knows(req, REVISION_2025_06_18) ? LIST_STRUCTURED
                          : era_knows(req, REVISION_2025_03_26) ? LIST_ANNOTATED
                                                                : LIST_PLAIN;

    if (req->message.param[RPC_PARAM_CURSOR].kind != KIND_NONE) {
        fault_set(&req->fault, E_PARAMS, "this cursor is not one that tools/list gave");
        return fault_remedy(&req->fault, "leave 'cursor' out: all tools fit one page");
    }
    request_add_raw(req, "tools", list_text(req->dispatcher->tools, form));
    era_add_cache(req, 60000, true);
    return E_OK;
}

enum err
tools_rest_list(struct request *req)
{
    buf_addc(&req->out, '{');
    req->result_start = req->out.len;
    request_add_raw(req, "tools", list_text(req->dispatcher->tools, LIST_STRUCTURED));
    buf_addc(&req->out, '}');
    return E_OK;
}

static const struct entry *
find_entry(const struct tools *t, struct slice name)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct entry *e = &t->entries[i];
        if (slice_is(name, e->tool->name)) {
            return e == t->changing && !atomic_load(&t->shown) ? NULL : e;
        }
    }
    return NULL;
}

/* The entry of the tool that was found, whether or not it is there still. */
static const struct entry *
entry_of(const struct request *req)
{
    const struct entry *e = req->dispatcher->tools->entries;

    while (e->tool != req->tool) {
        e++;
    }
    return e;
}

static const struct tool *
find_tool(const struct request *req, struct slice name)
{
    const struct entry *e = find_entry(req->dispatcher->tools, name);

    return e ? e->tool : NULL;
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
    const struct dispatcher *d = req->dispatcher;
    unsigned per_second = d->limits.calls_per_second;
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
    const struct entry *e = entry_of(req);
    json_t *args = NULL;
    enum err err;

    if (!e->headers || req->era != ERA_MODERN || !req->env.param_header) {
        return E_OK;
    }
    err = rpc_load(&req->message.param[RPC_PARAM_ARGUMENTS], "arguments", &args, &req->fault);
    if (!err) {
        err = param_headers_check(e->headers, &req->env, args, &req->fault);
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

    if (name->kind != KIND_STRING || !json_string_add(name->raw, &unescaped)) {
        err = fault_set(&req->fault, E_PARAMS, "params.name is missing, or no string");
        goto out;
    }
    text = buf_slice(&unescaped);
    err = era_check_name(req, text);
    if (err) {
        goto out;
    }
    req->tool = find_tool(req, text);
    if (!req->tool) {
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

    req->tool = find_tool(req, name);
    if (!req->tool) {
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

static bool
is_required(const json_t *schema, const char *name)
{
    size_t i;
    json_t *item;

    json_array_foreach(json_object_get(schema, "required"), i, item) {
        if (strcmp(json_string_value(item), name) == 0) {
            return true;
        }
    }
    return false;
}

/* Many clients send null for an argument that they leave out.  Takes those away that may be left
 * out and could not be null. */
static void
drop_nulls(const json_t *schema, json_t *args)
{
    const json_t *properties = json_object_get(schema, "properties");
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(args, next, key, value)
    {
        const json_t *type = json_object_get(json_object_get(properties, key), "type");
        if (json_is_null(value) && json_is_string(type) &&
            strcmp(json_string_value(type), "null") != 0 && !is_required(schema, key)) {
            json_object_del(args, key);
        }
    }
}

/* Loads and checks the arguments and calls the tool.  As struct tool's call(). */
static enum err
call_tool(struct request *req, json_t **result, struct fault *f)
{
    const struct entry *e = entry_of(req);
    json_t *args = NULL;
    enum err err;

    *result = NULL;
    err = rpc_load(&req->message.param[RPC_PARAM_ARGUMENTS], "arguments", &args, f);
    if (!err && !args) {
        args = json_must(json_object());
    }
    if (!err) {
        drop_nulls(e->input, args);
        err = schema_validate(e->input, args, "arguments", f);
    }
    if (err && err != E_OVERLOAD) {
        err = E_ARGUMENT; /* Whatever else the cause: the caller can mend it. */
    } else if (!err) {
        err = req->tool->call(req, args, result, f);
    }
    if (!err) {
        err = check_result(req, e->output, *result, f);
    }
    f->code = err;
    json_decref(args);
    return err;
}

void
tools_write_fault(struct buf *out, const struct fault *f)
{
    const struct err_info *info = err_info(f->code);

    buf_adds(out, "{\"code\":");
    buf_add_json(out, slice_of(info->code));
    buf_adds(out, ",\"message\":");
    buf_add_json(out, slice_of(f->text));
    buf_addf(out, ",\"retryable\":%s",
             info->http_status == 429 || info->http_status >= 500 ? "true" : "false");
    if (f->remedy[0]) {
        buf_adds(out, ",\"remedy\":");
        buf_add_json(out, slice_of(f->remedy));
    }
    buf_addc(out, '}');
}

/* The JSON text of what a call gave: its result, or what went wrong. */
static char *
result_text(const json_t *result, const struct fault *f)
{
    struct buf out = BUF_INIT;

    if (result) {
        json_write(&out, result);
    } else {
        tools_write_fault(&out, f);
    }
    return buf_steal(&out);
}

/* Adds what a call gave to the result: 'text' is its JSON text, or tells what went wrong. */
static void
add_content(struct request *req, enum err err, const char *text)
{
    if (!err && req->tool->gives == GIVES_CONTENT) {
        request_add_raw(req, "content", slice_of(text));
        return;
    }
    request_member(req, "content");
    buf_adds(&req->out, "[{\"type\":\"text\",\"text\":");
    buf_add_json(&req->out, slice_of(text));
    buf_adds(&req->out, "}]");
    if (err) {
        request_add_raw(req, "isError", SLICE("true"));
    } else if (era_knows(req, REVISION_2025_06_18)) {
        request_add_raw(req, "structuredContent", slice_of(text));
    }
}

enum err
tools_call(struct request *req)
{
    struct fault f = FAULT_INIT;
    json_t *result = NULL;
    enum err err = call_tool(req, &result, &f);
    char *text;

    if (!err && req->tool->gives == GIVES_CONTENT) {
        content_fit(result, req->revision);
    }
    text = result_text(result, &f);
    if (err && err_info(err)->told == ERR_TOLD_PROTOCOL) {
        req->fault = f;
    } else if (!text) {
        err = fault_set(&req->fault, E_OVERLOAD, "there is no memory for the answer now");
    } else {
        req->fault = f; /* For who tells it elsewhere. */
        req->tool_failed = err != E_OK;
        add_content(req, err, text);
        err = E_OK;
    }
    free(text);
    json_decref(result);
    return err;
}

enum err
tools_rest(struct request *req)
{
    struct fault f = FAULT_INIT;
    json_t *result = NULL;
    enum err err = call_tool(req, &result, &f);
    char *text = result_text(result, &f);

    if (text && !err && req->tool->gives == GIVES_CONTENT) {
        buf_addf(&req->out, "{\"content\":%s}", text);
    } else if (text) {
        buf_adds(&req->out, text);
    } else {
        err = fault_set(&f, E_OVERLOAD, "there is no memory for the answer now");
    }
    if (err) {
        req->fault = f;
    }
    free(text);
    json_decref(result);
    return err;
}
