/* tools.c -- the tools that are offered, and tools/list for each revision and for scripts. */
#include "handlers/tools_private.h"

#include "handlers/dispatch_private.h"
#include "handlers/era.h"
#include "handlers/schema.h"
#include "handlers/schema_plain.h"
#include "state/base/log.h"

#include <assert.h>

LOG_MODULE("tools");

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
    buf_add_json(out, slice_of(key));
    buf_addc(out, ':');
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
    buf_adds(out, "\"inputSchema\":");
    buf_adds(out, tool->input_schema);
    if (form >= LIST_STRUCTURED && tool->output_schema) {
        buf_adds(out, ",\"outputSchema\":");
        buf_adds(out, tool->output_schema);
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

/* ---- The registry ---- */

/* Where a name is looked for first.  Names begin alike, by what they are about. */
static size_t
first_place(struct slice name)
{
    const unsigned char *text = (const unsigned char *)name.data;

    return name.len ? (name.len * 31 + text[name.len / 2] * 7u + text[name.len - 1]) % TOOL_PLACES
                    : 0;
}

void
tools_add(struct tools *t, const struct tool *tool, unsigned number)
{
    struct tool_entry *e = &t->entries[t->count];
    size_t place;

    e->tool = tool;
    e->number = number;
    e->name = slice_of(e->tool->name);
    e->schemas = &t->schemas[t->count++];
    place = first_place(e->name);
    while (t->places[place]) {
        place = (place + 1) % TOOL_PLACES;
    }
    t->places[place] = (unsigned char)t->count;
}

static struct tool_schemas *
schemas_create(const struct tool *tool)
{
    struct tool_schemas *s = xcalloc(1, sizeof *s);
    struct fault f = FAULT_INIT;

    s->input =
        parse_schema(tool->input_schema, tool->any_schema ? schema_check : schema_check_profile);
    s->plain = schema_plain_create(s->input);
    if (param_headers_create(s->input, &s->headers, &f) != E_OK) {
        log_error("a tool's headers are no good", F_STR("tool", tool->name), F_STR("why", f.text));
        abort();
    }
    if (tool->output_schema) {
        s->output = parse_schema(tool->output_schema, schema_check_profile);
    }
    return s;
}

/* Null is ignored. */
static void
schemas_destroy(struct tool_schemas *s)
{
    if (s) {
        param_headers_destroy(s->headers);
        schema_plain_destroy(s->plain);
        json_decref(s->input);
        json_decref(s->output);
        free(s);
    }
}

const struct tool_schemas *
tools_schemas(const struct tool_entry *e)
{
    struct tool_schemas *there = atomic_load(e->schemas);

    if (!there) {
        struct tool_schemas *made = schemas_create(e->tool);

        if (atomic_compare_exchange_strong(e->schemas, &there, made)) {
            return made;
        }
        schemas_destroy(made);
    }
    return there;
}

/* The JSON array of the first 'count' tools, new. */
static struct bytes *
write_list(const struct tools *t, enum list_form form, size_t count)
{
    struct buf out = BUF_INIT;
    struct bytes *text;

    buf_addc(&out, '[');
    for (size_t i = 0; i < count; i++) {
        buf_adds(&out, i ? "," : "");
        write_tool(&out, t->entries[i].tool, form);
    }
    buf_addc(&out, ']');
    text = out.failed ? NULL : bytes_new(out.data, out.len);
    if (!text) {
        out_of_memory(); /* It is made of what the binary holds. */
    }
    buf_fini(&out);
    return text;
}

static struct slice
list_text(struct tools *t, enum list_form form)
{
    bool shown = atomic_load(&t->shown);
    _Atomic(struct bytes *) *list = &t->lists[form][shown];
    struct bytes *there = atomic_load(list);

    if (!there) {
        struct bytes *made = write_list(t, form, t->count - (t->changing && !shown));

        if (atomic_compare_exchange_strong(list, &there, made)) {
            there = made;
        } else {
            bytes_unref(made);
        }
    }
    return (struct slice){there->data, there->len};
}

void
tools_destroy(struct tools *t)
{
    if (t) {
        for (size_t i = 0; i < t->count; i++) {
            schemas_destroy(t->schemas[i]);
        }
        for (int form = 0; form < LIST_FORM_COUNT; form++) {
            bytes_unref(t->lists[form][0]);
            bytes_unref(t->lists[form][1]);
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
tools_json(struct tools *t)
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

const struct tool_entry *
tools_find(const struct tools *t, struct slice name)
{
    const struct tool_entry *e;

    for (size_t i = first_place(name); t->places[i]; i = (i + 1) % TOOL_PLACES) {
        e = &t->entries[t->places[i] - 1];
        if (slice_equal(name, e->name)) {
            return e == t->changing && !atomic_load(&t->shown) ? NULL : e;
        }
    }
    return NULL;
}

unsigned
tools_number(const struct tool_entry *e)
{
    return e->number;
}
