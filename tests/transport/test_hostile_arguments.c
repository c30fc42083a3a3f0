/* test_hostile_arguments.c -- names, paths and texts that mean harm, wherever a client can put one.
 *
 * The places are not listed here but asked for: every text argument of every tool, every variable
 * of every resource template, every action of the workflows; and, by hand, the metadata, headers
 * and paths that no list tells of.  Each string goes to many of them, as a line of the real
 * server's input; those of the wire of HTTP go there.  Every call is answered, nothing of a file
 * outside the project comes back, and on the disk is then nothing that was not there but what has a
 * plain name inside the data folder. */
#include "tests/check.h"

#include "tests/harness.h"
#include "tests/hostile.h"
#include "tests/http_client.h"
#include "tests/serving.h"

#include <ctype.h>
#include <ftw.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECONDS 60
#define TOGETHER 24 /* Calls at once: fewer than a connection may have in flight. */
#define CANARY "this is outside of the project 7f3a"
#define META                                                  \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":" \
    "\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{}"

/* Messages with %s in the place of a string, escaped for JSON; each owned. */
struct places {
    char **items;
    size_t count, size;
};

static struct serving server;
static struct places places;
static char *workflow; /* The id of a session that is there. */
static unsigned calls, next_id;

/* ---- Lines ---- */

static json_t *
next_answer(void)
{
    for (;;) {
        char *line = serving_line(&server, SECONDS);
        json_t *message = line ? json_loads(line, JSON_ALLOW_NUL, NULL) : NULL;

        if (!message) {
            fail_msg("no answer, or no JSON: %s", line ? line : "(nothing)");
        }
        if (strstr(line, CANARY) || strstr(line, "root:x:0:")) {
            fail_msg("this was read outside of the project: %s", line);
        }
        free(line);
        if (json_object_get(message, "id")) {
            return message;
        }
        json_decref(message); /* That something has changed. */
    }
}

static json_t *
ask(const char *message)
{
    json_t *answer;

    serving_send(&server, slice_of(message));
    answer = next_answer();
    CHECK(json_object_get(answer, "result"));
    return answer;
}

/* ---- Places ---- */

static void __attribute__((format(printf, 1, 2))) add_place(const char *format, ...)
{
    char text[4096];
    va_list args;

    va_start(args, format);
    CHECK(vsnprintf(text, sizeof text, format, args) < (int)sizeof text);
    va_end(args);
    if (places.count == places.size) {
        places.size = places.size ? 2 * places.size : 64;
        places.items = xrealloc(places.items, places.size * sizeof *places.items);
    }
    places.items[places.count++] = xstrdup(text);
}

/* A value that a schema takes, for an argument that must be there. */
static json_t *
some_value(const char *name, const json_t *schema)
{
    const char *type = json_string_value(json_object_get(schema, "type"));
    const json_t *words = json_object_get(schema, "enum"), *least;

    if (strcmp(name, "session_id") == 0) {
        return json_string(workflow);
    }
    if (json_array_size(words)) {
        return json_deep_copy(json_array_get(words, 0));
    }
    least = json_object_get(schema, "minimum");
    return !type || strcmp(type, "string") == 0 ? json_string("x")
           : strcmp(type, "object") == 0        ? json_object()
           : strcmp(type, "array") == 0         ? json_array()
           : strcmp(type, "boolean") == 0       ? json_true()
                                          : json_integer(least ? json_integer_value(least) : 1);
}

/* What a tool must be given besides 'mark', which is where the string goes. */
static json_t *
arguments_around(const json_t *schema, const char *mark)
{
    json_t *arguments = json_object(), *required = json_object_get(schema, "required"), *name;
    size_t i;

    json_array_foreach(required, i, name) {
        const char *key = json_string_value(name);
        const json_t *property = json_object_get(json_object_get(schema, "properties"), key);

        json_object_set_new(arguments, key, some_value(key, property));
    }
    json_object_set_new(arguments, mark, json_string("@"));
    return arguments;
}

/* The '@' of the arguments becomes a %s; nothing else of them can be either. */
static void
add_call(const char *tool, const json_t *arguments)
{
    char *text = json_dumps(arguments, JSON_COMPACT), *mark = strstr(text, "\"@\"");

    CHECK(mark && !strchr(text, '%'));
    add_place("\"method\":\"tools/call\",\"params\":{\"name\":\"%s\",\"arguments\":%.*s\"%%s\"%s}",
              tool, (int)(mark - text), text, mark + 3);
    free(text);
}

static void
add_workflow_calls(const json_t *schema, const char *mark)
{
    static const char *const actions[] = {
        "list_workflows", "start",       "get_task",     "complete_phase", "get_phase",
        "get_state",      "get_session", "get_errors",   "pause",          "resume",
        "retry_phase",    "rollback",    "list_sessions"};

    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        json_t *arguments = arguments_around(schema, mark);
        const json_t *more = json_pack("{s:s, s:s, s:s, s:i, s:i, s:i}", "session_id", workflow,
                                       "workflow_type", "bug_fix_v1", "target_file", "a.c", "phase",
                                       1, "task_number", 1, "to_phase", 0);

        json_object_set_new(arguments, "action", json_string(actions[i]));
        json_object_update_missing(arguments, (json_t *)(uintptr_t)more);
        json_decref((json_t *)(uintptr_t)more);
        if (strcmp(mark, "action") != 0) {
            add_call("pos_workflow", arguments);
        }
        json_decref(arguments);
    }
    add_place("\"method\":\"tools/call\",\"params\":{\"name\":\"pos_workflow\",\"arguments\":{"
              "\"action\":\"start\",\"workflow_type\":\"bug_fix_v1\",\"target_file\":\"b.c\","
              "\"options\":{\"spec_path\":\"%%s\",\"new_session\":true}}}");
}

static void
add_tool(const json_t *tool)
{
    const char *name = json_string_value(json_object_get(tool, "name")), *key;
    json_t *schema = json_object_get(tool, "inputSchema"), *property;

    json_object_foreach(json_object_get(schema, "properties"), key, property) {
        const char *type = json_string_value(json_object_get(property, "type"));
        bool text = !type || strcmp(type, "string") == 0;
        json_t *arguments = text ? arguments_around(schema, key) : NULL;

        if (text && strcmp(name, "pos_workflow") == 0) {
            add_workflow_calls(schema, key);
        } else if (text) {
            add_call(name, arguments);
        }
        json_decref(arguments);
    }
}

/* A template's first variable is the string, the others something that may be there. */
static void
add_template(const char *uri)
{
    struct buf filled = BUF_INIT;
    bool first = true;

    for (const char *at = uri; *at; at++) {
        const char *end = *at == '{' ? strchr(at, '}') : NULL;

        if (end) {
            buf_adds(&filled, first ? "%s" : "1");
            first = false;
            at = end;
        } else {
            buf_addc(&filled, *at);
        }
    }
    add_place("\"method\":\"resources/read\",\"params\":{\"uri\":\"%s\"}", filled.data);
    add_place("\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"%s\"}", filled.data);
    buf_fini(&filled);
}

static void
find_places(void)
{
    json_t *answer = ask("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}"), *item;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(answer, "result"), "tools"), i, item) {
        add_tool(item);
    }
    CHECK(i > 35);
    json_decref(answer);
    answer = ask("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/templates/list\"}");
    json_array_foreach(json_object_get(json_object_get(answer, "result"), "resourceTemplates"), i,
                       item) {
        add_template(json_string_value(json_object_get(item, "uriTemplate")));
    }
    CHECK(i > 3);
    json_decref(answer);
    add_place("\"method\":\"resources/read\",\"params\":{\"uri\":\"%%s\"}");
    add_place("\"method\":\"resources/read\",\"params\":{\"uri\":\"file://%%s\"}");
    add_place("\"method\":\"resources/read\",\"params\":{\"uri\":\"tandem://%%s\"}");
    add_place("\"method\":\"resources/read\",\"params\":{\"uri\":\"skill://%%s\"}");
    add_place("\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"%%s\"}");
    add_place("\"method\":\"prompts/get\",\"params\":{\"name\":\"%%s\"}");
    add_place("\"method\":\"tools/call\",\"params\":{\"name\":\"%%s\",\"arguments\":{}}");
    add_place("\"method\":\"completion/complete\",\"params\":{\"ref\":{\"type\":\"ref/resource\","
              "\"uri\":\"%%s\"},\"argument\":{\"name\":\"a\",\"value\":\"\"}}");
    add_place("\"method\":\"completion/complete\",\"params\":{\"ref\":{\"type\":\"ref/prompt\","
              "\"name\":\"a\"},\"argument\":{\"name\":\"a\",\"value\":\"%%s\"}}");
    add_place("\"method\":\"tools/list\",\"params\":{\"cursor\":\"%%s\"}");
    add_place("\"method\":\"%%s\",\"params\":{}");
    add_place("\"method\":\"tools/"
              "call\",\"params\":{\"name\":\"get_tenant_config\",\"arguments\":{}," META
              ",\"dev.tandem/client-id\":\"%%s\"}}");
    add_place("\"method\":\"tools/call\",\"params\":{\"name\":\"get_server_info\",\"arguments\":{},"
              "\"_meta\":{\"progressToken\":\"%%s\"}}");
    add_place("\"method\":\"skills/get\",\"params\":{\"name\":\"%%s\"," META "}}");
    add_place("\"method\":\"resources/directory/read\",\"params\":{\"uri\":\"%%s\"," META "}}");
    add_place("\"method\":\"tasks/get\",\"params\":{\"taskId\":\"%%s\"}");
}

/* ---- The server ---- */

static int
start(void **state)
{
    static const char *const options[] = {
        "--root", "inner", "--groups", "full", "--limits-call-rate", "0", "--limits-sessions-each",
        "8",      NULL};
    json_t *answer;

    (void)state;
    serving_prepare(&server);
    tree_remove(server.project, ".tandem");
    tree_write(server.project, "secret.txt", CANARY "\n");
    tree_write(server.project, "inner/a.c", "int a;\n");
    tree_copy(server.project, "deploy/example/.tandem/workflows", "inner/.tandem/workflows");
    tree_copy(server.project, "deploy/example/.tandem/standards", "inner/.tandem/standards");
    serving_start_prepared(&server, "stdio", options);
    json_decref(ask("{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{"
                    "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{"
                    "\"name\":\"t\",\"version\":\"1\"}}}"));
    serving_send(&server, SLICE("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"));
    answer = ask("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":"
                 "\"pos_workflow\",\"arguments\":{\"action\":\"start\",\"workflow_type\":"
                 "\"bug_fix_v1\",\"target_file\":\"a.c\"}}}");
    workflow = xstrdup(json_string_value(json_object_get(
        json_object_get(json_object_get(answer, "result"), "structuredContent"), "session_id")));
    json_decref(answer);
    find_places();
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    serving_fini(&server);
    for (size_t i = 0; i < places.count; i++) {
        free(places.items[i]);
    }
    free(places.items);
    free(workflow);
    return 0;
}

/* ---- Strings ---- */

/* 'text' as JSON without its quotes; null if it is no text. */
static char *
escaped(struct slice text)
{
    json_t *string = json_stringn(text.data, text.len);
    char *dump = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;

    json_decref(string);
    if (dump) {
        size_t len = strlen(dump) - 2;

        memmove(dump, dump + 1, len);
        dump[len] = '\0';
    }
    return dump;
}

static void
send_to_place(const char *place, const char *text)
{
    const char *mark = strstr(place, "%s");
    char *line = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":%u,%.*s%s%s}", ++next_id,
                           (int)(mark - place), place, text, mark + 2);

    serving_send(&server, slice_of(line));
    free(line);
}

/* The string at every so many places, from another one on each time. */
static void
try_string(const struct hostile_case *c, void *arg)
{
    size_t step = *(const size_t *)arg, at = calls % step;
    char *text = escaped(c->bytes);

    for (; text && at < places.count; at += step * TOGETHER) {
        unsigned sent = 0;

        for (; sent < TOGETHER && at + sent * step < places.count; sent++) {
            send_to_place(places.items[at + sent * step], text);
        }
        for (; sent > 0; sent--) {
            json_t *answer = next_answer();

            CHECK(!json_object_get(answer, "result") != !json_object_get(answer, "error"));
            json_decref(answer);
        }
    }
    calls++;
    free(text);
}

static void
strings_do_no_harm_in_any_place(void **state)
{
    size_t all = 1, some = 1 + 1500 / stress_count(50, 16); /* STRESS_SCALE=30: every other one. */

    (void)state;
    CHECK(places.count > 150);
    CHECK_INT(hostile_lines("own/path.jsonl", try_string, &some), 66);
    CHECK(hostile_traversals("secret.txt", try_string, &some) > 520);
    CHECK_INT(hostile_strings(try_string, &some), 515);
    try_string(&(struct hostile_case){.id = "up", .bytes = SLICE("../secret.txt")}, &all);
    try_string(&(struct hostile_case){.id = "up 3", .bytes = SLICE("../../../secret.txt")}, &all);
    try_string(&(struct hostile_case){.id = "option", .bytes = SLICE("--output=../x")}, &all);
    try_string(&(struct hostile_case){.id = "empty", .bytes = SLICE("")}, &all);
    json_decref(ask("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"));
}

/* ---- The disk ---- */

static unsigned strange;

/* What stands outside of the data folder is what the test has put there. */
static bool
is_known(const char *name, int level)
{
    return level == 0 || level > 2 ||
           (level == 1 ? strcmp(name, "inner") == 0 || strcmp(name, "secret.txt") == 0
                       : strcmp(name, ".tandem") == 0 || strcmp(name, "a.c") == 0);
}

static int
look_at(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    const char *name = path + ftw->base;
    bool plain = *name != '\0' && strlen(name) <= 200;

    for (const char *c = name; *c; c++) {
        plain = plain && (isalnum((unsigned char)*c) || strchr("._-", *c));
    }
    if (!plain || !is_known(name, ftw->level) || kind == FTW_SL ||
        (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))) {
        print_error("strange: %s\n", path);
        strange++;
    }
    return 0;
}

static void
nothing_strange_is_on_the_disk(void **state)
{
    char root[64];
    struct buf text = BUF_INIT;

    (void)state;
    CHECK_INT(serving_stop(&server), 0);
    CHECK(dir_read(tree_dir(server.project), "secret.txt", 100, &text, NULL, NULL) == E_OK);
    CHECK_STR(text.data, CANARY "\n");
    buf_fini(&text);
    snprintf(root, sizeof root, "/proc/self/fd/%d/.", dir_fd(tree_dir(server.project)));
    CHECK_INT(nftw(root, look_at, 16, FTW_PHYS), 0);
    CHECK_INT(strange, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_do_no_harm_in_any_place),
        cmocka_unit_test(nothing_strange_is_on_the_disk),
    };

    alarm(500);
    return cmocka_run_group_tests(tests, start, stop);
}
