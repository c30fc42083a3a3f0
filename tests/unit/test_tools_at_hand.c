/* test_tools_at_hand.c -- what is asked again is answered with the text that was written before,
 * and reads as if it had been made anew. */
#include "tests/check.h"

#include "state/search.h"
#include "tests/tool_rig.h"

#include <string.h>

static struct tool_rig rig;
static struct dir *standards;

static int
set_up(void **unused)
{
    struct fault f = FAULT_INIT;

    (void)unused;
    fake_project_init(&rig.project, NULL);
    CHECK_INT(dir_sub(rig.project.data, "standards", true, &standards, NULL), E_OK);
    CHECK_INT(dir_write(standards, "locks.md",
                        SLICE("# Locks \"and\" more\n\nA mutex \\ n\xC3\xA9.\n"), NULL),
              E_OK);
    CHECK_INT(search_prepare(state_search(rig.project.state), &f), E_OK);
    CHECK_INT(search_start(state_search(rig.project.state), &f), E_OK);
    CHECK(search_settle(state_search(rig.project.state), INT64_MAX));
    tool_rig_serve(&rig, "core");
    rig.secret = NULL;
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    tool_rig_fini(&rig);
    dir_unref(standards);
    return 0;
}

static json_t *
ask(const char *arguments)
{
    char *params = xasprintf("\"name\":\"search_standards\",\"arguments\":%s", arguments);
    json_t *result = tool_rig_ask(&rig, NULL, "tools/call", params);

    free(params);
    return result;
}

static unsigned
misses(void)
{
    return (unsigned)search_counters(state_search(rig.project.state)).misses;
}

/* The answer without what differs each time; a new text.  Checks that it is told as text too. */
static char *
told(json_t *result)
{
    json_t *structured = json_object_get(result, "structuredContent"), *text;
    json_t *block = json_array_get(json_object_get(result, "content"), 0);
    char *all;

    text =
        json_loads(json_string_value(json_object_get(block, "text")), JSON_REJECT_DUPLICATES, NULL);
    CHECK(json_equal(text, structured));
    json_decref(text);
    CHECK(json_real_value(json_object_get(structured, "query_time_ms")) >= 0);
    json_object_del(structured, "query_time_ms");
    json_object_del(structured, "cache_hit");
    json_object_del(block, "text");
    all = json_dumps(result, JSON_SORT_KEYS);
    json_decref(result);
    return all;
}

static void
the_same_is_told_each_time(void **state)
{
    static const char query[] = "{\"query\":\"mutex\"}";
    char *first = told(ask(query));

    (void)state;
    CHECK(strstr(first, "locks.md") && strstr(first, "resource_link"));
    for (int i = 0; i < 4; i++) {
        json_t *result = ask(query);
        char *again;

        CHECK(json_is_true(
            json_object_get(json_object_get(result, "structuredContent"), "cache_hit")));
        again = told(result);
        CHECK_STR(again, first);
        free(again);
    }
    CHECK_INT(misses(), 1);
    free(first);
}

/* Whether a search is answered before dispatch returns, with the standard that there is. */
static bool
is_at_hand(const char *arguments)
{
    char *message =
        xasprintf("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":"
                  "\"search_standards\",\"arguments\":%s,\"_meta\":{"
                  "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                  "\"io.modelcontextprotocol/clientCapabilities\":{}}}}",
                  arguments);
    struct fake_sink sink;
    bool at_hand;

    fake_sink_init(&sink);
    dispatch_message(rig.dispatcher, &rig.connection, slice_of(message), &sink.sink);
    at_hand = sink.status == 200 && strstr(sink.body, "locks.md");
    fake_sink_fini(&sink);
    free(message);
    return at_hand;
}

/* It is answered where there are no workers any more; what is asked in another way is not. */
static void
what_is_at_hand_needs_no_worker(void **state)
{
    static const char *const asked[] = {
        "{\"query\":\"mutex\"}",
        "{\"n_results\":7,\"query\":\"mutex\"}",
        "{\"query\":\"mutex \\\"and\\\" more\",\"n_results\":1}",
        "{\"query\":\"n\\u00e9 mutex\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        json_decref(ask(asked[i]));
        json_decref(ask(asked[i]));
    }
    pool_stop(rig.pool);
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        CHECK(is_at_hand(asked[i]));
    }
    CHECK(is_at_hand("{ \"query\" : \"  mu\\u0074ex \", \"n_results\" : 5 }"));
    CHECK(!is_at_hand("{\"query\":\"mutex\",\"n_results\":3}"));
    CHECK(!is_at_hand("{\"query\":\"mutex\",\"n_results\":5.0}"));
    CHECK(!is_at_hand("{\"query\":\"mutex\",\"n_results\":0}"));
    CHECK(!is_at_hand("{\"query\":\"mutex\",\"query\":\"mutex\"}"));
    CHECK(!is_at_hand("{\"query\":\"mutex\",\"filter_phase\":1}"));
    CHECK(!is_at_hand("{\"query\":\"mutex\",\"filter_tags\":[\"x\"]}"));
    CHECK(!is_at_hand("{\"query\":\"mutex\",\"filter_tags\":{}}"));
    CHECK(!is_at_hand("{\"query\":\"mutex\",\"other\":1}"));
    CHECK(!is_at_hand("{\"query\":5}"));
    CHECK(!is_at_hand("{}"));
}

static void
an_edit_is_told(void **state)
{
    static const char query[] = "{\"query\":\"mutex\"}";
    char *before, *after;

    (void)state;
    json_decref(ask(query));
    json_decref(ask(query));
    before = told(ask(query));
    CHECK_INT(dir_write(standards, "more.md", SLICE("# More\n\nA mutex too.\n"), NULL), E_OK);
    search_stir(state_search(rig.project.state));
    CHECK(search_settle(state_search(rig.project.state), INT64_MAX));
    after = told(ask(query));
    CHECK(!strstr(before, "more.md") && strstr(after, "more.md"));
    free(before);
    free(after);
}

/* What is wrong with a call is told as it is of any, also where the right one is at hand. */
static void
bad_arguments_are_refused_as_ever(void **state)
{
    (void)state;
    json_decref(ask("{\"query\":\"mutex\"}"));
    json_decref(ask("{\"query\":\"mutex\"}"));
    json_decref(tool_rig_call(&rig, NULL, "search_standards",
                              "{\"query\":\"mutex\",\"n_results\":0}", "invalid_argument"));
    json_decref(tool_rig_call(&rig, NULL, "search_standards",
                              "{\"query\":\"mutex\",\"filter_tags\":[\"!!!\"]}",
                              "invalid_argument"));
    json_decref(tool_rig_call(&rig, NULL, "search_standards", "{\"query\":\"mutex\",\"n\":1}",
                              "invalid_argument"));
    /* And a null for what may be left out is as if it were. */
    json_decref(tool_rig_call(&rig, NULL, "search_standards",
                              "{\"query\":\"mutex\",\"n_results\":null}", NULL));
    CHECK_INT(misses(), 1);
}

/* Clients of the oldest revision know neither structured content nor links. */
static void
an_old_client_is_told_text_only(void **state)
{
    static const char call[] =
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{"
        "\"name\":\"search_standards\",\"arguments\":{\"query\":\"mutex\"}}}";
    static const char hello[] =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
        "\"2024-11-05\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}";

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct fake_sink sink;
        json_t *answer, *result;

        fake_sink_init(&sink);
        dispatch_message(rig.dispatcher, &rig.connection, slice_of(i ? call : hello), &sink.sink);
        answer = json_loads(fake_sink_wait(&sink), JSON_REJECT_DUPLICATES, NULL);
        result = json_object_get(answer, "result");
        CHECK(json_is_object(result));
        CHECK(!json_object_get(result, "structuredContent"));
        CHECK_INT(json_array_size(json_object_get(result, "content")), i ? 1 : 0);
        json_decref(answer);
        fake_sink_fini(&sink);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_is_told_each_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_at_hand_needs_no_worker, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_edit_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_arguments_are_refused_as_ever, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_old_client_is_told_text_only, set_up, tear_down),
    };

    return CHECK_RUN(tests);
}
