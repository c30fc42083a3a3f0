/* test_tool_search.c -- what search_standards and get_server_info tell of a provider's vectors, and
 * that nobody is told its key. */
#include "tests/check.h"

#include "state/search.h"
#include "tests/fake_provider.h"
#include "tests/tool_rig.h"

#include <sched.h>
#include <string.h>

#define SECRET "sk-told-to-nobody"

static struct fake_provider provider;
static struct tool_rig rig;

static void
set(enum setting setting, const char *text)
{
    CHECK_INT(settings_set(rig.project.settings, setting, text, ORIGIN_FILE, NULL), E_OK);
}

static int
set_up(void **unused)
{
    struct dir *standards = NULL;
    struct fault f = FAULT_INIT;

    (void)unused;
    fake_provider_start(&provider);
    fake_provider_mean(&provider, "automobile", "vehicles on wheels");
    fake_provider_mean(&provider, "sedan", "vehicles on wheels");
    fake_project_init(&rig.project, NULL);
    state_destroy(rig.project.state);
    set(SETTING_embed_provider, "openai");
    set(SETTING_embed_model, "small");
    set(SETTING_embed_url, provider.url);
    set(SETTING_embed_query_time, "30s");
    rig.project.options.embed_key = SECRET;
    CHECK_INT(dir_sub(rig.project.data, "standards", true, &standards, NULL), E_OK);
    CHECK_INT(dir_write(standards, "cars.md", SLICE("# Cars\n\nAn automobile.\n"), NULL), E_OK);
    CHECK_INT(dir_write(standards, "locks.md", SLICE("# Locks\n\nA mutex.\n"), NULL), E_OK);
    dir_unref(standards);
    CHECK_INT(state_create(&rig.project.options, &rig.project.state, &f), E_OK);
    CHECK_INT(search_prepare(state_search(rig.project.state), &f), E_OK);
    CHECK_INT(search_start(state_search(rig.project.state), &f), E_OK);
    tool_rig_serve(&rig, "core");
    rig.secret = SECRET;
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    tool_rig_fini(&rig);
    fake_provider_stop(&provider);
    return 0;
}

static json_t *
call(const char *tool, const char *arguments)
{
    return tool_rig_call(&rig, NULL, tool, arguments, NULL);
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
