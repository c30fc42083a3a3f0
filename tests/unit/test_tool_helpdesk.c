/* test_tool_helpdesk.c -- the helpdesk's tools as their callers see them: for whom, with which
 * settings, and what is told to others. */
#include "tests/check.h"

#include "state/bus.h"
#include "tests/tool_rig.h"

#include <stdio.h>
#include <string.h>

static struct tool_rig rig;

static void
write_into(struct dir *data, const char *folder, const char *name, const char *text)
{
    struct dir *dir = NULL;

    CHECK_INT(dir_sub(data, folder, true, &dir, NULL), E_OK);
    CHECK_INT(dir_write(dir, name, slice_of(text), NULL), E_OK);
    dir_unref(dir);
}

static void
write_file(const char *folder, const char *name, const char *text)
{
    write_into(rig.project.data, folder, name, text);
}

static void
write_tenant(const char *id, const char *helpdesk)
{
    char *name = xasprintf("%s.json", id);
    char *text = xasprintf("{\"client\":{\"id\":\"%s\",\"name\":\"%s\",\"short_name\":\"%s\","
                           "\"timezone\":\"Europe/Berlin\"},\"helpdesk\":%s}",
                           id, id, id, helpdesk);

    write_file("tenants", name, text);
    free(text);
    free(name);
}

static int
set_up(void **unused)
{
    (void)unused;
    fake_project_init(&rig.project, NULL);
    write_file("helpdesk", "refunds.md", "# Refunds\n\nMoney comes back in ten days.\n");
    write_file("helpdesk", "visas.md", "# Visas\n\nAsk the embassy.\n");
    write_file("helpdesk", "hours.md", "# Hours\n\nThe desk is open from nine to five.\n");
    write_file("helpdesk", "fees.md", "# Fees\n\nA change costs ten pounds.\n");
    write_file("helpdesk/acme", "vault.md", "# Vault\n\nThe code of acme is 1111.\n");
    write_file("helpdesk/globex", "vault.md", "# Vault\n\nThe code of globex is 2222.\n");
    write_tenant("acme", "{\"index\":\"acme\",\"min_score\":0.9}");
    write_tenant("globex", "{\"index\":\"globex\"}");
    write_tenant("initech", "{}");
    write_tenant("hooli", "{\"index\":\"nowhere\"}");
    tool_rig_serve(&rig, "helpdesk");
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    tool_rig_fini(&rig);
    return 0;
}

static json_t *
call(const char *tenant, const char *tool, const char *arguments, const char *code)
{
    return tool_rig_call(&rig, tenant, tool, arguments, code);
}

static const char *
text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

static bool
holds(const json_t *value, const char *word)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY);
    bool found = strstr(text, word) != NULL;

    free(text);
    return found;
}

static void
a_search_tells_all_of_its_hits(void **unused)
{
    json_t *result = call(NULL, "search_helpdesk", "{\"query\":\"money back, a refund\"}", NULL);
    const json_t *hits = json_object_get(result, "hits"), *hit = json_array_get(hits, 0);
    double score, cosine;

    (void)unused;
    CHECK_INT(json_array_size(hits), 4);
    CHECK_INT(json_integer_value(json_object_get(result, "total_before_filter")), 4);
    CHECK_STR(text_of(hit, "source"), "refunds.md");
    CHECK_STR(text_of(hit, "content"), "# Refunds\n\nMoney comes back in ten days.\n");
    CHECK_STR(text_of(json_object_get(hit, "meta"), "section"), "Refunds");
    score = json_number_value(json_object_get(hit, "score"));
    cosine = json_number_value(json_object_get(hit, "cosine"));
    CHECK(score > 0.333 && score < 1 && cosine > 0);
    CHECK(score - 1 / (3 - 2 * cosine) < 0.001 && 1 / (3 - 2 * cosine) - score < 0.001);
    CHECK(json_is_false(json_object_get(hit, "below_threshold")));
    CHECK(json_is_integer(json_object_get(hit, "index")));
    CHECK(json_is_real(json_object_get(json_object_get(result, "timing"), "search_ms")));
    json_decref(result);
    result = call(NULL, "search_helpdesk",
                  "{\"query\":\"money\",\"with_context\":false,\"top_k\":2,\"use_mmr\":true,"
                  "\"lambda_mmr\":0,\"fetch_k\":1}",
                  NULL);
    CHECK_INT(json_array_size(json_object_get(result, "hits")), 2);
    json_decref(result);
    result = call(NULL, "search_helpdesk",
                  "{\"query\":\"money\",\"min_score\":1,\"profile\":\"pricing\"}", NULL);
    CHECK_INT(json_array_size(json_object_get(result, "hits")), 3);
    CHECK(json_is_true(json_object_get(result, "fallback")));
    CHECK_STR(text_of(result, "profile"), "pricing");
    CHECK_INT(json_integer_value(json_object_get(result, "total_before_filter")), 4);
    json_decref(result);
    result = call(NULL, "search_helpdesk",
                  "{\"query\":\"money\",\"min_score\":1,\"with_context\":false}", NULL);
    CHECK_INT(json_array_size(json_object_get(result, "hits")), 0);
    json_decref(result);
    result =
        call(NULL, "search_helpdesk", "{\"query\":\"where is it\",\"profile\":\"auto\"}", NULL);
    CHECK_STR(text_of(result, "profile"), "place");
    json_decref(result);
}

static void
an_answer_is_its_passages(void **unused)
{
    json_t *result =
        call(NULL, "ask_helpdesk", "{\"question\":\"How much does a change cost?\"}", NULL);
    const json_t *sources = json_object_get(result, "sources");

    (void)unused;
    CHECK_STR(text_of(result, "method"), "passages");
    CHECK_STR(text_of(result, "profile"), "pricing");
    CHECK(strncmp(text_of(result, "answer"),
                  "[1] fees.md\n# Fees\n\nA change costs ten pounds.\n\n\n[2] ", 49) == 0);
    CHECK_INT(json_array_size(sources), 4);
    CHECK_STR(text_of(json_array_get(sources, 0), "source"), "fees.md");
    CHECK(json_number_value(json_object_get(json_array_get(sources, 0), "score")) > 0.333);
    CHECK(json_is_real(json_object_get(json_object_get(result, "timing"), "total_ms")));
    json_decref(result);
}

static void
wrong_questions_are_told(void **unused)
{
    char *long_one = xcalloc(1, 2100), *arguments;

    (void)unused;
    json_decref(call(NULL, "search_helpdesk", "{\"query\":\"\"}", "invalid_argument"));
    json_decref(call(NULL, "search_helpdesk", "{\"query\":\" \\t\"}", "invalid_argument"));
    json_decref(call(NULL, "search_helpdesk", "{\"query\":\"!\"}", "invalid_argument"));
    json_decref(call(NULL, "search_helpdesk", "{}", "invalid_argument"));
    json_decref(call(NULL, "search_helpdesk", "{\"query\":\"x\",\"top_k\":0}", "invalid_argument"));
    json_decref(
        call(NULL, "search_helpdesk", "{\"query\":\"x\",\"top_k\":51}", "invalid_argument"));
    json_decref(
        call(NULL, "search_helpdesk", "{\"query\":\"x\",\"profile\":\"odd\"}", "invalid_argument"));
    json_decref(call(NULL, "ask_helpdesk", "{\"question\":\"\"}", "invalid_argument"));
    memset(long_one, 'x', 2001);
    arguments = xasprintf("{\"query\":\"%s\"}", long_one);
    json_decref(call(NULL, "search_helpdesk", arguments, "invalid_argument"));
    free(arguments);
    free(long_one);
}

static void
tenants_get_their_own_index(void **unused)
{
    static const char *const questions[] = {"search_helpdesk", "ask_helpdesk"};
    static const char *const arguments[] = {"{\"query\":\"the code of the vault\"}",
                                            "{\"question\":\"the code of the vault\"}"};

    (void)unused;
    for (int i = 0; i < 2; i++) {
        json_t *acme = call("acme", questions[i], arguments[i], NULL);
        json_t *globex = call("globex", questions[i], arguments[i], NULL);
        json_t *initech = call("initech", questions[i], arguments[i], NULL);

        CHECK(holds(acme, "1111") && !holds(acme, "2222") && !holds(acme, "embassy"));
        CHECK(holds(globex, "2222") && !holds(globex, "1111") && !holds(globex, "embassy"));
        CHECK(!holds(initech, "1111") && !holds(initech, "2222") && holds(initech, "embassy"));
        json_decref(acme);
        json_decref(globex);
        json_decref(initech);
    }
    json_decref(call("hooli", questions[0], arguments[0], "not_ready"));
    json_decref(call("hooli", "reload_helpdesk_index", "{}", "not_found"));
    json_decref(call("unheard", questions[0], arguments[0], "unknown_tenant"));
    json_decref(call("unheard", "get_helpdesk_status", "{}", "unknown_tenant"));
    json_decref(call("unheard", "reload_helpdesk_index", "{}", "unknown_tenant"));
}

static void
tenants_have_their_own_threshold(void **unused)
{
    json_t *acme = call("acme", "search_helpdesk", "{\"query\":\"vault\"}", NULL);
    json_t *other = call("globex", "search_helpdesk", "{\"query\":\"vault\"}", NULL);

    (void)unused;
    CHECK(json_number_value(json_object_get(acme, "min_score")) == 0.9);
    CHECK(json_is_true(json_object_get(acme, "fallback")));
    CHECK(json_number_value(json_object_get(other, "min_score")) == 0.3);
    json_decref(acme);
    json_decref(other);
}

static void
status_and_reload_are_the_tenants(void **unused)
{
    json_t *before = call("globex", "get_helpdesk_status", "{}", NULL);
    json_t *reloaded = call("globex", "reload_helpdesk_index", "{\"clear_cache\":true}", NULL);
    json_t *after = call("globex", "get_helpdesk_status", "{}", NULL);
    json_t *acme = call("acme", "get_helpdesk_status", "{}", NULL);
    json_t *resource =
        tool_rig_ask(&rig, "globex", "resources/read", "\"uri\":\"tandem://helpdesk/status\"");
    const json_t *status = json_object_get(reloaded, "status");

    (void)unused;
    CHECK(json_is_true(json_object_get(reloaded, "success")));
    CHECK_STR(text_of(status, "state"), "ready");
    CHECK_STR(text_of(status, "source"), "globex");
    CHECK_STR(text_of(status, "embedder"), "hashed/1");
    CHECK(strlen(text_of(status, "loaded_at")) > 10);
    CHECK(json_integer_value(json_object_get(status, "loads")) ==
          json_integer_value(json_object_get(before, "loads")) + 1);
    CHECK(json_integer_value(json_object_get(status, "generation")) >
          json_integer_value(json_object_get(before, "generation")));
    CHECK(json_equal(json_object_get(after, "generation"), json_object_get(status, "generation")));
    CHECK_STR(text_of(acme, "source"), "acme");
    CHECK(holds(resource, "globex") && holds(resource, "vector_count"));
    json_decref(before);
    json_decref(reloaded);
    json_decref(after);
    json_decref(acme);
    json_decref(resource);
}

/* The topics of what a tenant sees on the bus, newest last; 'seen' is all of their data. */
static void
read_events(const char *tenant, struct buf *topics, struct buf *seen)
{
    struct bus_patterns patterns = {.count = 0};
    struct bus_event *events[100];
    size_t count;

    CHECK_INT(bus_patterns_add(&patterns, SLICE("helpdesk.*"), NULL), E_OK);
    count = bus_recent(state_bus(rig.project.state),
                       &(struct bus_query){.patterns = &patterns, .tenant = tenant}, events, 100);
    for (size_t i = 0; i < count; i++) {
        buf_add_slice(topics, events[i]->topic);
        buf_addc(topics, ' ');
        buf_add_slice(seen, events[i]->text);
        bus_event_unref(events[i]);
    }
    bus_patterns_fini(&patterns);
}

static void
what_happens_is_told_and_what_is_asked_is_not(void **unused)
{
    struct buf topics = BUF_INIT, seen = BUF_INIT;

    (void)unused;
    write_tenant("umbrella", "{\"index\":\"umbrella\"}");
    json_decref(call("umbrella", "search_helpdesk", "{\"query\":\"xyzzy\"}", "not_ready"));
    write_file("helpdesk/umbrella", "lab.md", "# Lab\n\nplugh\n");
    json_decref(call("umbrella", "reload_helpdesk_index", "{}", NULL));
    json_decref(call("umbrella", "reload_helpdesk_index", "{}", NULL));
    json_decref(call("umbrella", "search_helpdesk", "{\"query\":\"xyzzy\"}", NULL));
    read_events("umbrella", &topics, &seen);
    CHECK(strstr(topics.data, "helpdesk.loading helpdesk.failed helpdesk.loading helpdesk.ready "
                              "helpdesk.loading helpdesk.reloaded helpdesk.searched ") != NULL);
    CHECK(!strstr(seen.data, "xyzzy") && !strstr(seen.data, "plugh"));
    buf_reset(&topics);
    buf_reset(&seen);
    read_events("acme", &topics, &seen); /* Nothing of it. */
    CHECK(!seen.data || !strstr(seen.data, "umbrella"));
    buf_fini(&topics);
    buf_fini(&seen);
}

/* Nobody listens where the provider should be: the words of a question answer, and that is told. */
static void
without_its_provider_the_helpdesk_goes_by_words(void **unused)
{
    static const struct {
        enum setting setting;
        const char *value;
    } settings[] = {{SETTING_embed_provider, "openai"},
                    {SETTING_embed_model, "small"},
                    {SETTING_embed_url, "http://127.0.0.1:1"}};
    const json_t *hit;
    struct tool_rig alone;
    json_t *result;

    (void)unused;
    fake_project_init(&alone.project, NULL);
    state_destroy(alone.project.state);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        CHECK_INT(settings_set(alone.project.settings, settings[i].setting, settings[i].value,
                               ORIGIN_FILE, NULL),
                  E_OK);
    }
    write_into(alone.project.data, "helpdesk", "refunds.md", "# Refunds\n\nMoney comes back.\n");
    CHECK_INT(state_create(&alone.project.options, &alone.project.state, NULL), E_OK);
    tool_rig_serve(&alone, "helpdesk");
    alone.secret = NULL;
    result = tool_rig_call(&alone, NULL, "search_helpdesk", "{\"query\":\"money\"}", NULL);
    CHECK_STR(text_of(result, "ranked_by"), "words");
    CHECK(strstr(text_of(result, "degraded"), "embeddings: ") != NULL);
    hit = json_array_get(json_object_get(result, "hits"), 0);
    CHECK_STR(text_of(hit, "source"), "refunds.md");
    CHECK(json_is_null(json_object_get(hit, "score")) &&
          json_is_null(json_object_get(hit, "cosine")));
    json_decref(result);
    result = tool_rig_call(&alone, NULL, "ask_helpdesk", "{\"question\":\"money?\"}", NULL);
    CHECK(strstr(text_of(result, "answer"), "Money comes back.") != NULL);
    CHECK(text_of(result, "degraded")[0]);
    json_decref(result);
    result = tool_rig_call(&alone, NULL, "get_helpdesk_status", "{}", NULL);
    CHECK_STR(text_of(result, "state"), "ready");
    CHECK(json_is_true(json_object_get(result, "degraded")));
    CHECK(text_of(result, "error")[0]);
    CHECK_INT(json_integer_value(json_object_get(result, "vector_count")), 0);
    json_decref(result);
    tool_rig_fini(&alone);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_search_tells_all_of_its_hits),
        cmocka_unit_test(an_answer_is_its_passages),
        cmocka_unit_test(wrong_questions_are_told),
        cmocka_unit_test(tenants_get_their_own_index),
        cmocka_unit_test(tenants_have_their_own_threshold),
        cmocka_unit_test(status_and_reload_are_the_tenants),
        cmocka_unit_test(what_happens_is_told_and_what_is_asked_is_not),
        cmocka_unit_test(without_its_provider_the_helpdesk_goes_by_words),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
