/* test_tools.c -- every row of TOOLS: what tools/list says of it, what it costs, and that what it
 * answers is what it promised. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "handlers/schema.h"
#include "handlers/tools_private.h"
#include "state/base/rune.h"
#include "state/config.h"
#include "state/mcp_session.h"
#include "tests/tool_rig.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What a client's model reads before it has done anything: 4 bytes a token. */
#define LIST_TOKENS_MAX 4000
#define LIST_TOOLS_MAX 12
#define META                                                                 \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"," \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"

static const struct tool *const rows[] = {
#define ROW(NAME, FILE) &tool_##NAME,
    OWN_TOOLS(ROW)
#undef ROW
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

/* How many of them are there without being asked for. */
static unsigned
core_count(void)
{
    unsigned count = 0;

    for (size_t i = 0; i < ROW_COUNT; i++) {
        count += rows[i]->core;
    }
    return count;
}

static struct tool_rig rig;

static int
set_up(void **unused)
{
    (void)unused;
    tool_rig_init(&rig, "full");
    CHECK_INT(config_set(state_config(rig.project.state), SETTING_quota_services,
                         "tiingo=500/month", NULL),
              E_OK);
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    tool_rig_fini(&rig);
    return 0;
}

/* The result of one request; new. */
static json_t *
ask(const char *method, const char *params)
{
    return tool_rig_ask(&rig, NULL, method, params);
}

static bool
is_name(const char *name)
{
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
               strlen(name) &&
           name[0] && strlen(name) <= 64;
}

static void
each_row_says_what_it_is(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct tool *tool = rows[i];
        const char *const texts[] = {tool->title, tool->group, tool->description};

        CHECK(is_name(tool->name));
        for (size_t j = 0; j < i; j++) {
            CHECK(strcmp(rows[j]->name, tool->name) != 0 &&
                  strcmp(rows[j]->title, tool->title) != 0);
        }
        for (size_t j = 0; j < sizeof texts / sizeof texts[0]; j++) {
            CHECK(texts[j] && texts[j][0] && rune_valid(slice_of(texts[j])));
            CHECK(!strpbrk(texts[j], "\n\r\t"));
        }
        CHECK(strlen(tool->title) <= 40);
        CHECK(strlen(tool->description) >= 40);
        /* What only reads destroys nothing. */
        CHECK(!(tool->hints & HINT_READ_ONLY) || !(tool->hints & HINT_DESTRUCTIVE));
        CHECK(tool->call != NULL);
    }
}

static void check_schema(const char *tool, const json_t *schema);

static void
check_members(const char *tool, const json_t *schema)
{
    const json_t *properties = json_object_get(schema, "properties");
    const char *key;
    json_t *value;
    size_t i;

    json_object_foreach((json_t *)(uintptr_t)properties, key, value) {
        if (!is_name(key) || !json_object_get(value, "type")) {
            fail_msg("%s: property %s has no type, or no name for every client", tool, key);
        }
        check_schema(tool, value);
    }
    json_array_foreach(json_object_get(schema, "required"), i, value) {
        if (!json_object_get(properties, json_string_value(value))) {
            fail_msg("%s: %s is required and not described", tool, json_string_value(value));
        }
    }
}

/* What all clients take, at every level. */
static void
check_schema(const char *tool, const json_t *schema)
{
    static const char *const refused[] = {"$ref", "$defs", "oneOf", "anyOf", "allOf", "not", "if"};
    const char *type = json_string_value(json_object_get(schema, "type"));

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (json_object_get(schema, refused[i])) {
            fail_msg("%s: %s is not for every client", tool, refused[i]);
        }
    }
    if (type && strcmp(type, "array") == 0) {
        CHECK(json_is_object(json_object_get(schema, "items")));
        check_schema(tool, json_object_get(schema, "items"));
    }
    check_members(tool, schema);
}

static void
each_schema_is_in_the_profile(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const char *const texts[] = {rows[i]->input_schema, rows[i]->output_schema};

        CHECK(texts[0]);
        for (size_t j = 0; j < 2 && texts[j]; j++) {
            json_t *schema = json_loads(texts[j], JSON_REJECT_DUPLICATES, NULL);
            struct fault f = FAULT_INIT;

            if (!schema || schema_check_profile(schema, &f) != E_OK) {
                fail_msg("%s: %s", rows[i]->name, f.text);
            }
            CHECK_STR(json_string_value(json_object_get(schema, "type")), "object");
            CHECK(json_is_object(json_object_get(schema, "properties")));
            check_schema(rows[i]->name, schema);
            json_decref(schema);
        }
    }
}

static void
the_list_is_small_and_always_the_same(void **unused)
{
    struct tools *a = tools_create(NULL), *b = tools_create(NULL);
    const char *text = tools_json(a);
    json_t *list = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *tool;
    size_t i, row = 0;

    (void)unused;
    CHECK_STR(text, tools_json(b));
    CHECK(strlen(text) / 4 <= LIST_TOKENS_MAX);
    CHECK(core_count() <= LIST_TOOLS_MAX);
    CHECK_INT(tools_count(a), core_count());
    CHECK_INT(json_array_size(list), core_count());
    json_array_foreach(list, i, tool) { /* In the order of the rows. */
        while (!rows[row]->core) {
            row++;
        }
        CHECK_STR(json_string_value(json_object_get(tool, "name")), rows[row++]->name);
    }
    json_decref(list);
    tools_destroy(a);
    tools_destroy(b);
}

/* The whole answer to tools/list of a client of 'revision' that was offered nothing but the core;
 * new. */
static char *
list_of(const char *revision)
{
    struct dispatch_limits limits = {.json = JSON_LIMITS_INIT,
                                     .calls = 64,
                                     .calls_per_session = 8,
                                     .call_ns = 60000000000,
                                     .groups = "core"};
    struct dispatcher *core = dispatcher_create(rig.project.state, rig.pool, &limits);
    struct envelope env = {.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};
    bool modern = strcmp(revision, "2026-07-28") == 0;
    char *messages[] = {
        xasprintf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{"
                  "\"protocolVersion\":\"%s\",\"capabilities\":{},"
                  "\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}",
                  revision),
        xasprintf("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\",\"params\":{%s}}",
                  modern ? META : "")};
    char *body = NULL;

    for (int i = modern; i < 2; i++) {
        struct fake_sink sink;

        fake_sink_init(&sink);
        dispatch_message(core, &env, slice_of(messages[i]), &sink.sink);
        free(body);
        body = xstrdup(fake_sink_wait(&sink));
        fake_sink_fini(&sink);
    }
    free(messages[0]);
    free(messages[1]);
    dispatch_gone(core, &env, NULL);
    mcp_session_unref(env.session);
    dispatcher_destroy(core);
    return body;
}

/* design.md 3: which tools an agent has in its context without being asked, and what they cost. */
static void
the_core_is_cheap_in_every_revision(void **unused)
{
    static const char *const revisions[] = {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25",
                                            "2026-07-28"};
    static const char *const names[LIST_TOOLS_MAX] = {
        "current_date",      "get_server_info",     "pos_workflow",        "search_standards",
        "get_recent_events", "publish_event",       "get_context_metrics", "update_token_usage",
        "get_learnings",     "record_tool_outcome", "acquire_quota",       "get_quota_summary"};

    (void)unused;
    for (size_t i = 0; i < sizeof revisions / sizeof revisions[0]; i++) {
        char *text = list_of(revisions[i]);
        json_t *answer = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        json_t *tools = json_object_get(json_object_get(answer, "result"), "tools");

        if (json_array_size(tools) != LIST_TOOLS_MAX || strlen(text) / 4 > LIST_TOKENS_MAX) {
            fail_msg("%s: %zu tools, %zu tokens", revisions[i], json_array_size(tools),
                     strlen(text) / 4);
        }
        for (size_t t = 0; t < LIST_TOOLS_MAX; t++) {
            CHECK_STR(json_string_value(json_object_get(json_array_get(tools, t), "name")),
                      names[t]);
        }
        json_decref(answer);
        free(text);
    }
}

/* How many tools the groups in 'list' have, and whether 'tool' is one of them. */
static unsigned
count_of(const char *list, const char *tool, bool *there)
{
    struct tools *t = tools_create(list);
    unsigned count = tools_count(t);
    char *name = xasprintf("\"name\":\"%s\"", tool);

    *there = strstr(tools_json(t), name) != NULL;
    free(name);
    tools_destroy(t);
    return count;
}

static void
groups_decide_which_tools_there_are(void **unused)
{
    bool there;

    (void)unused;
    CHECK_INT(count_of("core", "pos_workflow", &there), core_count());
    CHECK(there);
    CHECK_INT(count_of("full", "test_simple_text", &there), ROW_COUNT);
    CHECK(!there);
    CHECK_INT(count_of("core,events", "set_event_filters", &there), core_count() + 3);
    CHECK(there);
    CHECK(count_of("full,conformance", "test_simple_text", &there) > ROW_COUNT);
    CHECK(there);
    CHECK(count_of("conformance", "pos_workflow", &there) > 0);
    CHECK(!there);
    CHECK(count_of("rag", "current_date", &there) > 0); /* Another server's group: passed over. */
    CHECK(there);
}

/* One of many who ask for everything at the same moment, and what he got. */
struct asker {
    struct tools *tools;
    pthread_barrier_t *begin;
    const char *list;
    const struct tool_schemas *schemas[TOOL_COUNT];
};

static void *
ask_for_all(void *arg)
{
    struct asker *a = arg;

    pthread_barrier_wait(a->begin);
    a->list = tools_json(a->tools);
    for (size_t i = 0; i < a->tools->count; i++) {
        a->schemas[i] = tools_schemas(&a->tools->entries[i]);
    }
    return NULL;
}

static void
a_row_is_called_as_its_tool(void **unused)
{
    static const char *const names[] = {
#define ROW(NAME, FILE) #NAME,
        TOOLS(ROW)
#undef ROW
    };
    struct tools *t = tools_create("full,conformance");

    (void)unused;
    for (size_t i = 0; i < t->count; i++) {
        CHECK_INT(t->entries[i].number, i);
        CHECK_STR(t->entries[i].tool->name, names[i]);
    }
    tools_destroy(t);
}

static void
what_is_made_when_asked_for_is_made_once(void **unused)
{
    enum { ASKERS = 8 };
    struct tools *t = tools_create("full,conformance");
    struct asker *askers = xcalloc(ASKERS, sizeof *askers);
    pthread_t threads[ASKERS];
    pthread_barrier_t begin;

    (void)unused;
    CHECK_INT(t->count, TOOL_COUNT);
    pthread_barrier_init(&begin, NULL, ASKERS);
    for (int i = 0; i < ASKERS; i++) {
        askers[i] = (struct asker){.tools = t, .begin = &begin};
        CHECK_INT(pthread_create(&threads[i], NULL, ask_for_all, &askers[i]), 0);
    }
    for (int i = 0; i < ASKERS; i++) {
        pthread_join(threads[i], NULL);
        CHECK(askers[i].list == tools_json(t));
        for (size_t row = 0; row < t->count; row++) {
            const struct tool *tool = t->entries[row].tool;
            const struct tool_schemas *s = askers[i].schemas[row];

            CHECK(s == tools_schemas(&t->entries[row]));
            CHECK(json_is_object(s->input));
            CHECK_INT(json_is_object(s->output), tool->output_schema != NULL);
            CHECK_INT(s->headers != NULL, strstr(tool->input_schema, "x-mcp-header") != NULL);
        }
    }
    pthread_barrier_destroy(&begin);
    free(askers);
    tools_destroy(t);
}

static void
the_list_tells_all_of_a_row(void **unused)
{
    json_t *result = ask("tools/list", ""), *again = ask("tools/list", ""), *tool;
    size_t i;

    (void)unused;
    CHECK(json_equal(result, again));
    json_array_foreach(json_object_get(result, "tools"), i, tool) {
        const struct tool *row = rows[i];
        json_t *input = json_loads(row->input_schema, 0, NULL);
        json_t *output = row->output_schema ? json_loads(row->output_schema, 0, NULL) : NULL;
        int read_only = -1, destructive = -1, idempotent = -1, open_world = -1;

        CHECK_STR(json_string_value(json_object_get(tool, "title")), row->title);
        CHECK_STR(json_string_value(json_object_get(tool, "description")), row->description);
        CHECK(json_equal(json_object_get(tool, "inputSchema"), input));
        CHECK(!output || json_equal(json_object_get(tool, "outputSchema"), output));
        CHECK_INT(json_unpack(json_object_get(tool, "annotations"), "{s:b, s:b, s:b, s:b}",
                              "readOnlyHint", &read_only, "destructiveHint", &destructive,
                              "idempotentHint", &idempotent, "openWorldHint", &open_world),
                  0);
        CHECK_INT(read_only, (row->hints & HINT_READ_ONLY) != 0);
        CHECK_INT(destructive, (row->hints & HINT_DESTRUCTIVE) != 0);
        CHECK_INT(idempotent, (row->hints & HINT_IDEMPOTENT) != 0);
        CHECK_INT(open_world, (row->hints & HINT_OPEN_WORLD) != 0);
        json_decref(input);
        json_decref(output);
    }
    json_decref(result);
    json_decref(again);
}

/* Arguments with which each tool answers something on an empty rig.project. */
static const char *
some_arguments(const struct tool *tool)
{
    static const struct {
        const char *tool, *arguments;
    } others[] = {
        {"pos_workflow", "{\"action\":\"list_workflows\"}"},
        {"search_standards", "{\"query\":\"anything\"}"},
        {"create_session", "{\"context\":\"c\"}"},
        {"end_session", "{\"summary\":\"s\"}"},
        {"record_session_use", "{\"agent\":\"a\",\"task\":\"t\"}"},
        {"set_session_id", "{\"id\":\"i\"}"},
        {"update_token_usage", "{\"input_tokens\":1,\"output_tokens\":2}"},
        {"get_config", "{\"key\":\"drain\"}"},
        {"set_config", "{\"key\":\"drain\",\"value\":\"6s\"}"},
        {"ask_helpdesk", "{\"question\":\"anything\"}"},
        {"search_helpdesk", "{\"query\":\"anything\"}"},
        {"publish_event", "{\"topic\":\"build.finished\"}"},
        {"set_event_filters", "{\"patterns\":[\"build.*\"]}"},
        {"set_tenant_config", "{\"client_id\":\"default\",\"config\":{\"branding\":{}}}"},
        {"get_learnings", "{\"target\":\"qa\"}"},
        {"record_tool_outcome", "{\"tool_name\":\"Bash\",\"output\":\"1 failed\"}"},
        {"acquire_quota", "{\"service\":\"tiingo\",\"count\":2}"},
        {"check_quota", "{\"service\":\"tiingo\"}"},
        {"record_quota_usage", "{\"service\":\"tiingo\"}"},
        {"release_quota", "{\"service\":\"tiingo\"}"},
        {"reset_quota", "{\"service\":\"tiingo\"}"},
    };

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(tool->name, others[i].tool) == 0) {
            return others[i].arguments;
        }
    }
    return "{}";
}

static const char *
text_of(const json_t *result)
{
    const json_t *content = json_array_get(json_object_get(result, "content"), 0);

    CHECK_STR(json_string_value(json_object_get(content, "type")), "text");
    return json_string_value(json_object_get(content, "text"));
}

static void
each_answer_is_what_was_promised(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        char *params =
            xasprintf("\"name\":\"%s\",\"arguments\":%s", rows[i]->name, some_arguments(rows[i]));
        json_t *result = ask("tools/call", params), *text;
        json_t *structured = json_object_get(result, "structuredContent");
        json_t *schema =
            rows[i]->output_schema ? json_loads(rows[i]->output_schema, 0, NULL) : NULL;
        struct fault f = FAULT_INIT;

        if (json_object_get(result, "isError") || !json_is_object(structured)) {
            fail_msg("%s: %s", rows[i]->name, text_of(result));
        }
        if (schema && schema_validate(schema, structured, "result", &f) != E_OK) {
            fail_msg("%s: %s", rows[i]->name, f.text);
        }
        text = json_loads(text_of(result), JSON_REJECT_DUPLICATES, NULL);
        CHECK(json_equal(text, structured)); /* Old clients read the one, new ones the other. */
        json_decref(text);
        json_decref(schema);
        json_decref(result);
        free(params);
    }
}

static void
wrong_arguments_are_told_to_who_can_mend_them(void **unused)
{
    static const char *const wrong[] = {
        "\"name\":\"current_date\",\"arguments\":{\"zone\":\"UTC\"}",
        "\"name\":\"pos_workflow\",\"arguments\":{}",
        "\"name\":\"pos_workflow\",\"arguments\":{\"action\":7}",
        "\"name\":\"pos_workflow\",\"arguments\":{\"action\":null}",
        "\"name\":\"pos_workflow\",\"arguments\":{\"action\":\"get_phase\",\"phase\":[]}",
    };

    (void)unused;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        json_t *result = ask("tools/call", wrong[i]);
        json_t *told = json_loads(text_of(result), JSON_REJECT_DUPLICATES, NULL);

        CHECK(json_is_true(json_object_get(result, "isError")));
        CHECK(!json_object_get(result, "structuredContent"));
        CHECK_STR(json_string_value(json_object_get(told, "code")), "invalid_argument");
        CHECK(json_string_length(json_object_get(told, "message")) > 10);
        json_decref(told);
        json_decref(result);
    }
}

/* null for what may be left out is as if it were. */
static void
nulls_are_left_out(void **unused)
{
    json_t *result = ask("tools/call", "\"name\":\"pos_workflow\",\"arguments\":{\"action\":"
                                       "\"list_workflows\",\"session_id\":null,\"phase\":null}");

    (void)unused;
    CHECK(!json_object_get(result, "isError"));
    json_decref(result);
}

/* A number past what the tool counts in is still one that nothing has, not "any". */
static void
no_passage_is_on_a_phase_past_all(void **unused)
{
    static const char *const phases[] = {"2147483648", "9223372036854775807", "1e300"};
    char *folder = xasprintf("%s/.tandem/standards", rig.project.path);
    char *path = xasprintf("%s/locks.md", folder);
    FILE *file = NULL;

    (void)unused;
    CHECK(mkdir(folder, 0777) == 0 && (file = fopen(path, "w")) != NULL);
    fputs("# Locks\n\nTake a mutex before you write.\n", file);
    fclose(file);
    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) {
        char *params = xasprintf("\"name\":\"search_standards\",\"arguments\":{\"query\":"
                                 "\"mutex\",\"filter_phase\":%s}",
                                 phases[i]);
        json_t *result = ask("tools/call", params), *found;

        found = json_object_get(json_object_get(result, "structuredContent"), "results");
        CHECK(json_is_array(found) || json_object_get(result, "isError"));
        CHECK_INT(json_array_size(found), 0);
        json_decref(result);
        free(params);
    }
    free(path);
    free(folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_says_what_it_is),
        cmocka_unit_test(each_schema_is_in_the_profile),
        cmocka_unit_test(the_list_is_small_and_always_the_same),
        cmocka_unit_test(the_core_is_cheap_in_every_revision),
        cmocka_unit_test(the_list_tells_all_of_a_row),
        cmocka_unit_test(groups_decide_which_tools_there_are),
        cmocka_unit_test(what_is_made_when_asked_for_is_made_once),
        cmocka_unit_test(a_row_is_called_as_its_tool),
        cmocka_unit_test(each_answer_is_what_was_promised),
        cmocka_unit_test(wrong_arguments_are_told_to_who_can_mend_them),
        cmocka_unit_test(nulls_are_left_out),
        cmocka_unit_test(no_passage_is_on_a_phase_past_all),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
