/* cmd_call.c -- "tandem call": one tool call, by the running server or in this process. */
#include "handlers/tools.h"
#include "server/core.h"
#include "server/explain.h"
#include "server/reach.h"
#include "server/report.h"

#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

enum { OPTION_ARGS, OPTION_URL, OPTION_EXPLAIN };
static const struct command_option own_options[] = {
    [OPTION_ARGS] = {"args", "JSON", "the arguments as one object; key=value adds to it"},
    [OPTION_URL] = {"url", "URL", "the server to call, instead of the project's own"},
    [OPTION_EXPLAIN] = {"explain", NULL,
                        "of a search: a table of why each result ranks where it does"},
    {NULL, NULL, NULL},
};

/* Whether the type in a schema, a word or several, or null for any, allows 'word'. */
static bool
allows(const json_t *type, const char *word)
{
    const json_t *one;
    size_t i;

    if (!json_is_array(type)) {
        return !type || strcmp(json_string_value(type), word) == 0;
    }
    json_array_foreach(type, i, one) {
        if (strcmp(json_string_value(one), word) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether a value is of a type in a schema. */
static bool
fits(const json_t *value, const json_t *type)
{
    static const char *const words[] = {
        [JSON_OBJECT] = "object",   [JSON_ARRAY] = "array", [JSON_STRING] = "string",
        [JSON_INTEGER] = "integer", [JSON_REAL] = "number", [JSON_TRUE] = "boolean",
        [JSON_FALSE] = "boolean",   [JSON_NULL] = "null"};

    return allows(type, words[json_typeof(value)]) ||
           (json_is_integer(value) && allows(type, "number"));
}

/* The value of "key=text", new; 'type' is what the schema says of the key.  JSON, but what is no
 * JSON, or of no type that it may have where it may be a string, is a string.  Null: it is not
 * UTF-8.
 */
static json_t *
value_of(const char *text, const json_t *type)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);

    if (!value || (!fits(value, type) && allows(type, "string"))) {
        json_decref(value);
        value = json_string(text);
    }
    return value;
}

/* Takes one "key=value"; after "key:=" there must be JSON.  'properties' are those of the tool's
 * schema.  False, told on standard error, if it is neither. */
static bool
take_pair(json_t *arguments, const json_t *properties, const char *pair)
{
    const char *equals = strchr(pair, '=');
    bool strict = equals > pair && equals[-1] == ':';
    size_t len = equals ? (size_t)(equals - pair) - strict : 0;
    json_error_t error;
    json_t *value;
    char *key;
    bool taken;

    if (len == 0) {
        fprintf(stderr, "tandem: \"%s\" is not key=value\n", pair);
        return false;
    }
    key = xstrndup(pair, len);
    value = strict
                ? json_loads(equals + 1, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error)
                : value_of(equals + 1, json_object_get(json_object_get(properties, key), "type"));
    taken = value && json_object_set_new(arguments, key, value) == 0;
    if (strict && !value) {
        fprintf(stderr, "tandem: \"%s\": what follows := is not JSON: %s\n", pair, error.text);
    } else if (!taken) {
        fprintf(stderr, "tandem: \"%s\" is not UTF-8\n", pair);
    }
    free(key);
    return taken;
}

/* What the tool takes, as this program knows it, new; null if it knows no such tool: that is for
 * the server to say. */
static json_t *
schema_of(const char *tool)
{
    const struct tool *row = tools_row(slice_of(tool));

    return row ? json_loads(row->input_schema, 0, NULL) : NULL;
}

/* The arguments as JSON text, new; or null, told on standard error. */
static char *
read_arguments(const struct invocation *v)
{
    const char *args = v->values[OPTION_ARGS];
    json_error_t error;
    json_t *arguments = args ? json_loads(args, JSON_REJECT_DUPLICATES, &error) : json_object();
    json_t *schema = schema_of(v->args[0]);
    char *text = NULL;
    bool good = true;

    if (!arguments) {
        fprintf(stderr, "tandem: --args is not JSON: %s (line %d, column %d)\n", error.text,
                error.line, error.column);
    } else if (!json_is_object(arguments)) {
        fputs("tandem: --args must be a JSON object\n", stderr);
    } else {
        for (int i = 1; i < v->arg_count && good; i++) {
            good = take_pair(arguments, json_object_get(schema, "properties"), v->args[i]);
        }
        text = good ? json_dumps(arguments, JSON_COMPACT) : NULL;
    }
    json_decref(schema);
    json_decref(arguments);
    return text;
}

static bool
is_tool_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return len > 0 && len <= 64 && !name[len];
}

/* Calls in this process, under the project's lock if it is free: while it is held a server waits
 * to start. */
static enum err
call_here(struct context *context, const char *tool, struct slice arguments,
          struct client_reply *reply, struct fault *f)
{
    struct core core = CORE_INIT;
    int lock_fd = -1;
    enum err err = project_open_data(&context->project, true, f);

    if (!err) {
        err = discovery_lock(context->project.data, &lock_fd, f);
        if (err == E_CONFLICT) {
            err = E_OK; /* A server of standard input only has it, or a call like this one. */
        } else if (!err) {
            err = project_tidy_data(&context->project, f);
        }
    }
    if (!err) {
        err = core_open(
            &(struct core_options){.context = context, .mode = "call", .instance = "call"}, &core,
            f);
    }
    if (!err) {
        reply->status = core_call(&core, slice_of(tool), arguments, &reply->body);
        core_close(&core);
    }
    if (lock_fd >= 0) {
        close(lock_fd);
    }
    return err;
}

static bool
print_json(const json_t *value)
{
    size_t flags = JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15);
    return json_dumpf(value, stdout, flags) == 0 && putchar('\n') != EOF;
}

/* One of two members that is a string; null if neither is. */
static const char *
text_of(const json_t *object, const char *key, const char *other_key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : json_string_value(json_object_get(object, other_key));
}

/* Prints what the tool answered, as JSON or, if it can be and is wanted, as a table. */
static int
tell_result(const json_t *body, bool explain)
{
    if (!explain) {
        return print_json(body) ? STATUS_OK : STATUS_FAILED;
    }
    if (!explain_search(stdout, body)) {
        fputs("tandem: --explain is for searches, and this tool's result is none; without it the "
              "result is printed as it is\n",
              stderr);
        return STATUS_USAGE;
    }
    return STATUS_OK;
}

/* Prints the result, or the error.  An error in a tool's own form is a result as well: it may
 * hold what is missing.  Returns the exit status. */
static int
tell(const struct client_reply *reply, bool explain)
{
    json_t *body = json_loadb(reply->body.data ? reply->body.data : "", reply->body.len,
                              JSON_DECODE_ANY, NULL);
    const char *message = text_of(body, "message", "error");
    const char *remedy = text_of(body, "remedy", "remediation");
    int status = STATUS_FAILED;

    if (reply->status == 200 && body) {
        status = tell_result(body, explain);
    } else if (message) {
        struct fault f = FAULT_INIT;

        if (json_object_get(body, "error")) {
            print_json(body);
        }
        fault_set(&f, E_REFUSED, "%s",
                  message); /* What mends it, the server has said, or nobody. */
        fault_remedy(&f, "%s", remedy ? remedy : "");
        report_fault(stderr, &f);
    } else {
        fprintf(stderr, "tandem: the server answered with status %d%s%.2000s\n", reply->status,
                reply->body.len ? ": " : "", reply->body.len ? reply->body.data : "");
    }
    json_decref(body);
    return status;
}

static int
run(struct invocation *invocation)
{
    const char *tool = invocation->args[0];
    char *arguments = read_arguments(invocation);
    struct client_reply reply = CLIENT_REPLY_INIT;
    struct fault f = FAULT_INIT;
    struct context context;
    struct reach reach;
    int status = STATUS_FAILED;
    enum err err;

    if (!arguments) {
        return STATUS_USAGE;
    }
    if (!is_tool_name(tool)) {
        fprintf(stderr, "tandem: \"%s\" cannot be a tool's name; \"tandem tools\" lists them\n",
                tool);
        free(arguments);
        return STATUS_USAGE;
    }
    if (!context_open(invocation, &context)) {
        free(arguments);
        return STATUS_FAILED;
    }
    err = reach_find(&context, invocation->values[OPTION_URL], &reach, &f);
    if (!err && reach.remote) {
        char path[96];
        snprintf(path, sizeof path, "/api/tools/%s", tool);
        err = reach_ask(&context, &reach, "POST", path, slice_of(arguments), &reply, &f);
    } else if (!err) {
        err = call_here(&context, tool, slice_of(arguments), &reply, &f);
    }
    if (err) {
        report_fault(stderr, &f);
    } else {
        status = tell(&reply, invocation->values[OPTION_EXPLAIN] != NULL);
    }
    buf_fini(&reply.body);
    reach_fini(&reach);
    context_close(&context);
    free(arguments);
    return status;
}

const struct command command_call = {
    .name = "call",
    .usage = "TOOL [key=value ...]",
    .summary = "call one tool and print its result as JSON",
    .details = "The project's server is called if it runs; else the tool runs in this process, on "
               "the same data. A value is of the type that the tool wants: query=404 is a string, "
               "limit=5 a number, and what is JSON is taken as such else; key:=value is JSON, "
               "whatever it wants. The status is 1 if the tool failed.",
    .options = own_options,
    .least_args = 1,
    .most_args = 1000,
    .run = run,
};
