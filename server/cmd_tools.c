/* cmd_tools.c -- "tandem tools": the tools and their arguments. */
#include "handlers/tools.h"
#include "server/reach.h"
#include "server/report.h"

#include <jansson.h>
#include <stdio.h>

enum { OPTION_JSON, OPTION_URL };
static const struct command_option own_options[] = {
    [OPTION_JSON] = {"json", NULL, "as JSON, with the schemas"},
    [OPTION_URL] = {"url", "URL", "the server to ask, instead of the project's own"},
    {NULL, NULL, NULL},
};

/* The type of an argument in a word or a few: "string", "integer", "a|b|c". */
static void
add_type(struct buf *out, const json_t *schema)
{
    const json_t *words = json_object_get(schema, "enum");
    const json_t *type = json_object_get(schema, "type");
    const json_t *list = json_is_array(words) ? words : type;
    const json_t *word;
    size_t i;

    if (json_is_string(type) && !json_is_array(words)) {
        buf_adds(out, json_string_value(type));
        return;
    }
    json_array_foreach(list, i, word) {
        const char *text = json_string_value(word);
        if (text) {
            buf_addf(out, "%s%s", i ? "|" : "", text);
        }
    }
    if (json_array_size(list) == 0) {
        buf_adds(out, "any");
    }
}

static bool
is_required(const json_t *schema, const char *name)
{
    const json_t *word;
    size_t i;

    json_array_foreach(json_object_get(schema, "required"), i, word) {
        const char *text = json_string_value(word);
        if (text && strcmp(text, name) == 0) {
            return true;
        }
    }
    return false;
}

static void
print_tool(const json_t *tool)
{
    const char *name = json_string_value(json_object_get(tool, "name"));
    const char *description = json_string_value(json_object_get(tool, "description"));
    json_t *schema = json_object_get(tool, "inputSchema");
    const char *argument;
    json_t *rules;

    printf("%s\n    ", name ? name : "?");
    report_wrapped(stdout, 4, 4, description ? description : "");
    json_object_foreach(json_object_get(schema, "properties"), argument, rules) {
        const char *help = json_string_value(json_object_get(rules, "description"));
        struct buf line = BUF_INIT;

        buf_addf(&line, "%s (", argument);
        add_type(&line, rules);
        buf_addf(&line, "%s)%s%s", is_required(schema, argument) ? ", required" : "",
                 help ? " " : "", help ? help : "");
        fputs("    - ", stdout);
        report_wrapped(stdout, 6, 8, line.failed ? argument : line.data);
        buf_fini(&line);
    }
}

static bool
print_tools(struct slice text, bool as_json, struct fault *f)
{
    json_t *root = json_loadb(text.data ? text.data : "", text.len, 0, NULL);
    const json_t *tools = json_object_get(root, "tools");
    const json_t *tool;
    bool done = json_is_array(tools);
    size_t i;

    if (!done) {
        fault_set(f, E_IO, "the server's list of tools makes no sense");
    } else if (as_json) {
        done = json_dumpf(root, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF;
    } else {
        json_array_foreach(tools, i, tool) {
            print_tool(tool);
        }
    }
    json_decref(root);
    return done;
}

static int
run(struct invocation *invocation)
{
    bool as_json = invocation->values[OPTION_JSON] != NULL;
    struct client_reply reply = CLIENT_REPLY_INIT;
    struct fault f = FAULT_INIT;
    struct context context;
    struct reach reach;
    enum err err;

    if (!context_open(invocation, &context)) {
        return STATUS_FAILED;
    }
    err = reach_find(&context, invocation->values[OPTION_URL], &reach, &f);
    if (!err && reach.remote) {
        err = reach_ask(&context, &reach, "GET", "/api/tools", SLICE_NONE, &reply, &f);
        if (!err && reply.status != 200) {
            err = fault_set(&f, E_IO, "the server answered with status %d", reply.status);
        }
    } else if (!err) {
        struct tools *tools = tools_create(context.settings->groups);
        buf_addf(&reply.body, "{\"tools\":%s}", tools_json(tools));
        tools_destroy(tools);
    }
    if (!err && !print_tools(buf_slice(&reply.body), as_json, &f)) {
        err = f.code ? f.code : E_IO;
    }
    if (err && f.code) {
        report_fault(stderr, &f);
    }
    buf_fini(&reply.body);
    reach_fini(&reach);
    context_close(&context);
    return err ? STATUS_FAILED : STATUS_OK;
}

const struct command command_tools = {
    .name = "tools",
    .usage = "",
    .summary = "list the tools and their arguments",
    .details = "Those of the project's server if it runs, else those that one started here would "
               "have.",
    .options = own_options,
    .run = run,
};
