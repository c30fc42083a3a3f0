/* test_skill_resources.c -- the skills extension through dispatch: lists, entries, folders, files,
 * and that nothing else can be read by it. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "state/state.h"
#include "tests/fakes.h"
#include "tests/json_match.h"
#include "tests/tree.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define MODERN                                                               \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"," \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"

static struct fake_project project;
static struct pool *pool;
static struct dispatcher *d;

static void
write_file(const char *folder, const char *name, struct slice text)
{
    struct dir *dir;

    CHECK_INT(dir_sub(project.data, folder, true, &dir, NULL), E_OK);
    CHECK_INT(dir_write_volatile(dir, name, text, NULL), E_OK);
    dir_unref(dir);
}

static int
set_up(void **unused)
{
    struct dispatch_limits limits = {
        .json = JSON_LIMITS_INIT, .calls = 64, .calls_per_session = 8, .call_ns = 60000000000};
    (void)unused;
    fake_project_init(&project, NULL);
    pool = pool_create(2, 1, 64);
    d = dispatcher_create(project.state, pool, &limits);
    write_file("standards/testing", "one two.md", SLICE("# One\n"));
    write_file("standards/testing/deep", "b.bin", SLICE("\xFF\x00\x01"));
    write_file("skills/mine", "SKILL.md", SLICE("---\nname: mine\ndescription: My own.\n---\n"));
    write_file("skills/broken", "SKILL.md", SLICE("no front matter"));
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    pool_destroy(pool);
    dispatcher_destroy(d);
    fake_project_fini(&project);
    return 0;
}

/* The answer to one modern request, a new object. */
static json_t *
ask(const char *method, const char *params)
{
    struct envelope env = {.transport = TRANSPORT_STDIO, .principal = SLICE("p")};
    char *body = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":{%s%s%s}}",
                           method, params, *params ? "," : "", MODERN);
    struct fake_sink sink;
    json_t *answer;

    fake_sink_init(&sink);
    dispatch_message(d, &env, slice_of(body), &sink.sink);
    answer = json_loads(fake_sink_wait(&sink), 0, NULL);
    CHECK(answer != NULL);
    fake_sink_fini(&sink);
    free(body);
    return answer;
}

/* Checks the answer to a request, in the words of json_match.h. */
static void
expect(const char *method, const char *params, const char *want)
{
    json_t *answer = ask(method, params), *expected = json_loads(want, 0, NULL);
    struct buf why = BUF_INIT;

    CHECK(expected != NULL);
    if (!json_match(expected, answer, &why)) {
        print_message("%s %s: %s\n", method, params, why.data);
        CHECK(false);
    }
    buf_fini(&why);
    json_decref(expected);
    json_decref(answer);
}

static void
skills_are_listed_with_their_manifests(void **unused)
{
    (void)unused;
    expect("skills/list", "",
           "{\"result\":{\"resultType\":\"complete\",\"ttlMs\":\"*int\",\"cacheScope\":\"public\","
           "\"nextCursor\":\"!\",\"skills\":["
           "{\"uri\":\"skill://project/mine/SKILL.md\",\"=\":\"\","
           " \"frontmatter\":{\"name\":\"mine\",\"description\":\"My own.\",\"=\":\"\"},"
           " \"resources\":[{\"uri\":\"skill://project/mine/SKILL.md\",\"=\":\"\",\"size\":40,"
           "  \"digest\":\"~sha256:\"}]},"
           "{\"uri\":\"skill://standards/testing-standards/SKILL.md\","
           " \"resources\":[{\"uri\":\"skill://standards/testing-standards/SKILL.md\"},"
           "  {\"uri\":\"skill://standards/testing-standards/deep/b.bin\",\"size\":3},"
           "  {\"uri\":\"skill://standards/testing-standards/one%20two.md\",\"size\":6}]}]}}");
}

static void
an_entry_is_that_of_the_list(void **unused)
{
    json_t *list = ask("skills/list", ""), *entry;
    const json_t *skills = json_object_get(json_object_get(list, "result"), "skills");
    size_t i;

    (void)unused;
    for (i = 0; i < json_array_size(skills); i++) {
        const json_t *skill = json_array_get(skills, i);
        char *params =
            xasprintf("\"uri\":\"%s\"", json_string_value(json_object_get(skill, "uri")));

        entry = ask("skills/get", params);
        CHECK(json_equal(json_object_get(json_object_get(entry, "result"), "skill"),
                         (json_t *)(uintptr_t)skill));
        CHECK(json_object_get(json_object_get(entry, "result"), "ttlMs"));
        json_decref(entry);
        free(params);
    }
    CHECK_INT(i, 2);
    json_decref(list);
}

static void
what_is_no_skill_is_a_bad_parameter(void **unused)
{
    static const char *const uris[] = {
        "skill://project/none/SKILL.md",
        "skill://project/mine",
        "skill://project/mine/",
        "skill://project/mine/skill.md",
        "skill:///SKILL.md",
        "skill://SKILL.md",
        "skill://",
        "SKILL.md",
        "skill://project/../project/mine/SKILL.md",
        "skill://project/mine/../mine/SKILL.md",
        "skill://project%2Fmine%00/SKILL.md",
        "skill://project/%FF/SKILL.md",
        "skill://project/%zz/SKILL.md",
        "file:///etc/passwd",
    };

    (void)unused;
    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        char *params = xasprintf("\"uri\":\"%s\"", uris[i]);
        char *want = xasprintf("{\"error\":{\"code\":-32602,\"data\":{\"uri\":\"%s\"}}}", uris[i]);

        expect("skills/get", params, want);
        free(params);
        free(want);
    }
    expect("skills/get", "", "{\"error\":{\"code\":-32602}}");
    expect("skills/get", "\"uri\":7", "{\"error\":{\"code\":-32602}}");
    expect("skills/get", "\"uri\":\"\"", "{\"error\":{\"code\":-32602}}");
    expect("skills/get", "\"uri\":\"skill://project/broken/SKILL.md\"",
           "{\"error\":{\"message\":\"~front matter\"}}");
    expect("skills/list", "\"cursor\":\"x\"", "{\"error\":{\"code\":-32602}}");
}

static void
folders_have_children(void **unused)
{
    (void)unused;
    expect(
        "resources/directory/read", "\"uri\":\"skill://standards/testing-standards\"",
        "{\"result\":{\"resultType\":\"complete\",\"ttlMs\":\"*int\",\"cacheScope\":\"public\","
        "\"resources\":["
        "{\"uri\":\"skill://standards/testing-standards/SKILL.md\",\"mimeType\":\"text/markdown\","
        " \"name\":\"testing-standards\",\"description\":\"~testing\"},"
        "{\"uri\":\"skill://standards/testing-standards/deep\",\"name\":\"deep\","
        " \"mimeType\":\"inode/directory\",\"size\":\"!\"},"
        "{\"uri\":\"skill://standards/testing-standards/one%20two.md\",\"name\":\"one two.md\","
        " \"title\":\"One\",\"mimeType\":\"text/markdown\",\"size\":6}]}}");
    expect(
        "resources/directory/read", "\"uri\":\"skill://standards/testing-standards/deep/\"",
        "{\"result\":{\"resources\":[{\"uri\":\"skill://standards/testing-standards/deep/b.bin\","
        "\"mimeType\":\"application/octet-stream\"}]}}");
    expect("resources/directory/read", "\"uri\":\"skill://project\"",
           "{\"result\":{\"resources\":[{\"uri\":\"skill://project/mine\",\"name\":\"mine\","
           "\"description\":\"My own.\",\"mimeType\":\"inode/directory\"}]}}");
}

static void
what_is_no_folder_is_a_bad_parameter(void **unused)
{
    static const char *const uris[] = {
        "skill://project/mine/SKILL.md",
        "skill://project/none",
        "skill://none",
        "skill://",
        "skill://project//",
        "skill://project/mine//",
        "skill://standards/testing-standards/dee",
        "skill://standards/testing-standards/deep/b.bin",
        "skill://standards/testing-standards/..",
        "skill://standards/testing-standards/deep/..",
        "skill://standards/../standards",
        "skill://project/mine%00",
        "tandem://standard/testing",
    };

    (void)unused;
    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        char *params = xasprintf("\"uri\":\"%s\"", uris[i]);

        expect("resources/directory/read", params, "{\"error\":{\"code\":-32602}}");
        free(params);
    }
}

static void
files_are_read_as_they_are(void **unused)
{
    (void)unused;
    expect("resources/read", "\"uri\":\"skill://project/mine/SKILL.md\"",
           "{\"result\":{\"contents\":[{\"mimeType\":\"text/markdown\",\"blob\":\"!\","
           "\"text\":\"---\\nname: mine\\ndescription: My own.\\n---\\n\"}]}}");
    expect("resources/read", "\"uri\":\"skill://standards/testing-standards/deep/b.bin\"",
           "{\"result\":{\"contents\":[{\"mimeType\":\"application/octet-stream\",\"text\":\"!\","
           "\"blob\":\"/wAB\"}]}}");
    expect("resources/read", "\"uri\":\"skill://standards/testing-standards/SKILL.md\"",
           "{\"result\":{\"contents\":[{\"text\":\"~name: \\\"testing-standards\\\"\"}]}}");
    expect("resources/read", "\"uri\":\"skill://project/broken/none\"",
           "{\"error\":{\"code\":-32602,\"data\":{\"uri\":\"skill://project/broken/none\"}}}");
    expect("resources/list", "",
           "{\"result\":{\"resources\":[{\"uri\":\"skill://project/mine/SKILL.md\","
           "\"name\":\"mine\",\"description\":\"My own.\",\"mimeType\":\"text/markdown\"},"
           "{\"uri\":\"skill://standards/testing-standards/SKILL.md\","
           "\"name\":\"testing-standards\"},\"*\"]}}");
    expect("completion/complete",
           "\"ref\":{\"type\":\"ref/resource\",\"uri\":\"skill://{file}\"},"
           "\"argument\":{\"name\":\"file\",\"value\":\"\"}",
           "{\"result\":{\"completion\":{\"values\":[\"project/mine/SKILL.md\","
           "\"standards/testing-standards/SKILL.md\"],\"total\":2}}}");
}

static void
pages_hold_whole_skills(void **unused)
{
    json_t *first, *second;
    const json_t *result;
    char *params;

    (void)unused;
    for (unsigned i = 0; i < 23; i++) {
        char folder[32];

        snprintf(folder, sizeof folder, "standards/t%02u", i);
        write_file(folder, "a.md", SLICE("# A\n"));
    }
    first = ask("skills/list", "");
    result = json_object_get(first, "result");
    CHECK(json_array_size(json_object_get(result, "skills")) < 21);
    CHECK(json_array_size(json_object_get(result, "skills")) > 17);
    params =
        xasprintf("\"cursor\":\"%s\"", json_string_value(json_object_get(result, "nextCursor")));
    second = ask("skills/list", params);
    CHECK_INT(json_array_size(json_object_get(result, "skills")) +
                  json_array_size(json_object_get(json_object_get(second, "result"), "skills")),
              25);
    json_decref(first);
    json_decref(second);
    free(params);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(skills_are_listed_with_their_manifests),
        cmocka_unit_test(an_entry_is_that_of_the_list),
        cmocka_unit_test(what_is_no_skill_is_a_bad_parameter),
        cmocka_unit_test(folders_have_children),
        cmocka_unit_test(what_is_no_folder_is_a_bad_parameter),
        cmocka_unit_test(files_are_read_as_they_are),
        cmocka_unit_test(pages_hold_whole_skills),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
