/* test_tool_search.c -- what search_standards and get_server_info tell of a provider's vectors, and
 * that nobody is told its key. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "state/mcp_session.h"
#include "state/search.h"
#include "tests/fake_provider.h"
#include "tests/fakes.h"

#include <sched.h>
#include <string.h>

#define SECRET "sk-told-to-nobody"

static struct fake_provider provider;
static struct fake_project project;
static struct pool *pool;
static struct dispatcher *dispatcher;
static struct envelope connection;

static void
set(enum setting setting, const char *text)
{
    CHECK_INT(settings_set(project.settings, setting, text, ORIGIN_FILE, NULL), E_OK);
}

static int
set_up(void **unused)
{
    const struct dispatch_limits limits = {.json = JSON_LIMITS_INIT,
                                           .calls = 64,
                                           .calls_per_session = 8,
                                           .call_ns = 60000000000,
                                           .groups = "core"};
    struct dir *standards = NULL;
    struct fault f = FAULT_INIT;

    (void)unused;
    fake_provider_start(&provider);
    fake_provider_mean(&provider, "automobile", "vehicles on wheels");
    fake_provider_mean(&provider, "sedan", "vehicles on wheels");
    fake_project_init(&project, NULL);
    state_destroy(project.state);
    set(SETTING_embed_provider, "openai");
    set(SETTING_embed_model, "small");
    set(SETTING_embed_url, provider.url);
    set(SETTING_embed_query_time, "30s");
    project.options.embed_key = SECRET;
    CHECK_INT(dir_sub(project.data, "standards", true, &standards, NULL), E_OK);
    CHECK_INT(dir_write(standards, "cars.md", SLICE("# Cars\n\nAn automobile.\n"), NULL), E_OK);
    CHECK_INT(dir_write(standards, "locks.md", SLICE("# Locks\n\nA mutex.\n"), NULL), E_OK);
    dir_unref(standards);
    CHECK_INT(state_create(&project.options, &project.state, &f), E_OK);
    CHECK_INT(search_start(state_search(project.state), &f), E_OK);
    pool = pool_create(2, 1, 64);
    dispatcher = dispatcher_create(project.state, pool, &limits);
    connection.transport = TRANSPORT_STDIO;
    connection.session = mcp_session_of_connection();
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    pool_destroy(pool);
    dispatcher_destroy(dispatcher);
    mcp_session_unref(connection.session);
    fake_project_fini(&project);
    fake_provider_stop(&provider);
    return 0;
}

/* The structured result of a tool; new. */
static json_t *
call(const char *tool, const char *arguments)
{
    char *message = xasprintf(
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"%s\","
        "\"arguments\":%s,\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
        "\"io.modelcontextprotocol/clientCapabilities\":{}}}}",
        tool, arguments);
    json_t *answer, *result;
    struct fake_sink sink;

    fake_sink_init(&sink);
    dispatch_message(dispatcher, &connection, slice_of(message), &sink.sink);
    CHECK(!strstr(fake_sink_wait(&sink), SECRET));
    answer = json_loads(sink.body, JSON_REJECT_DUPLICATES, NULL);
    result = json_incref(json_object_get(json_object_get(answer, "result"), "structuredContent"));
    if (!result) {
        fail_msg("%s: %s", message, sink.body);
    }
    json_decref(answer);
    fake_sink_fini(&sink);
    free(message);
    return result;
}

/* The section of get_server_info on vectors; new. */
static json_t *
vectors(void)
{
    json_t *info = call("get_server_info", "{}");
    json_t *section = json_incref(json_object_get(json_object_get(info, "index"), "vectors"));

    CHECK(json_is_object(section));
    json_decref(info);
    return section;
}

static const char *
text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));

    return text ? text : "";
}

static void
answers_tell_that_vectors_were_used(void **state)
{
    json_t *result = NULL, *section, *first;
    struct fake_asked asked;

    (void)state;
    do {
        json_decref(result);
        result = call("search_standards", "{\"query\":\"sedan\"}");
        sched_yield();
    } while (strcmp(text_of(result, "vectors"), "used") != 0);
    CHECK_STR(text_of(result, "retrieval_method"), "index+vectors");
    first = json_array_get(json_object_get(result, "results"), 0);
    CHECK_STR(text_of(first, "file"), "cars.md");
    first = json_object_get(first, "ranking");
    CHECK_INT(json_integer_value(json_object_get(first, "vector_place")), 1);
    CHECK(json_real_value(json_object_get(first, "fused")) > 0);
    json_decref(result);
    section = vectors();
    CHECK_STR(text_of(section, "embedder"), "openai/small");
    CHECK_INT(json_integer_value(json_object_get(section, "dimension")), 32);
    CHECK_INT(json_integer_value(json_object_get(section, "made")), 2);
    CHECK_INT(json_integer_value(json_object_get(section, "chunks")), 2);
    CHECK(!json_object_get(section, "error"));
    json_decref(section);
    asked = fake_provider_asked(&provider);
    CHECK_STR(asked.key, SECRET);
    free(asked.body);
}

static void
answers_tell_that_there_are_none(void **state)
{
    struct fake_trouble bad = {.times = 1000, .status = 401, .body = "{}"};
    json_t *result, *section = NULL;

    (void)state;
    fake_provider_trouble(&provider, &bad);
    do { /* The first batch may have been made before there was trouble. */
        json_decref(section);
        result = call("search_standards", "{\"query\":\"mutex of its own\"}");
        CHECK_STR(text_of(json_array_get(json_object_get(result, "results"), 0), "file"),
                  "locks.md");
        CHECK(text_of(result, "retrieval_method")[0]);
        section = vectors();
        if (strcmp(text_of(result, "vectors"), "unavailable") == 0) {
            json_decref(result);
            json_decref(section);
            return;
        }
        json_decref(result);
        sched_yield();
    } while (!strstr(text_of(section, "error"), "does not take the key"));
    json_decref(section);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_tell_that_vectors_were_used, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answers_tell_that_there_are_none, set_up, tear_down),
    };
    return CHECK_RUN(tests);
}
