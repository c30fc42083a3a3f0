/* test_prompts.c -- prompts through dispatch: one a pack, and what a client may get wrong. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "state/mcp_session.h"
#include "state/state.h"
#include "tests/fakes.h"

#include <jansson.h>
#include <string.h>

static struct fake_project project;
static struct pool *pool;
static struct dispatcher *plain, *fixtures;
static struct mcp_session *session;

static int
set_up(void **unused)
{
    struct dispatch_limits limits = {
        .json = JSON_LIMITS_INIT, .calls = 64, .calls_per_session = 8, .call_ns = 60000000000};
    struct dir *dir;

    (void)unused;
    fake_project_init(&project, NULL);
    pool = pool_create(2, 1, 64);
    plain = dispatcher_create(project.state, pool, &limits);
    limits.groups = "core,conformance";
    fixtures = dispatcher_create(project.state, pool, &limits);
    CHECK_INT(dir_sub(project.data, "workflows/demo", true, &dir, NULL), E_OK);
    CHECK_INT(
        dir_write_volatile(dir, "metadata.json",
                           SLICE("{\"name\":\"Demo\",\"workflow_type\":\"demo_type\","
                                 "\"description\":\"Shows.\",\"phases\":[{\"phase_number\":0}]}"),
                           NULL),
        E_OK);
    dir_unref(dir);
    CHECK_INT(dir_sub(project.data, "workflows/demo/phases/0", true, &dir, NULL), E_OK);
    CHECK_INT(dir_write_volatile(dir, "phase.md", SLICE("# Phase\n"), NULL), E_OK);
    dir_unref(dir);
    CHECK_INT(mcp_session_start(state_sessions(project.state), SLICE("p"), &session, NULL), E_OK);
    atomic_store(&session->revision, REVISION_2025_11_25);
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    mcp_session_unref(session);
    pool_destroy(pool);
    dispatcher_destroy(plain);
    dispatcher_destroy(fixtures);
    fake_project_fini(&project);
    return 0;
}

/* The answer's text, new, to one request of the legacy session. */
static char *
ask(struct dispatcher *d, const char *method, const char *params)
{
    struct envelope env = {
        .transport = TRANSPORT_HTTP, .principal = SLICE("p"), .session_id = slice_of(session->id)};
    char *body = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":{%s}}",
                           method, params);
    struct fake_sink sink;
    char *answer;

    fake_sink_init(&sink);
    dispatch_message(d, &env, slice_of(body), &sink.sink);
    answer = xstrdup(fake_sink_wait(&sink));
    fake_sink_fini(&sink);
    free(body);
    return answer;
}

struct row {
    const char *method, *params;
    const char *want;
};

static void
check_rows(struct dispatcher *d, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *answer = ask(d, rows[i].method, rows[i].params);

        if (!strstr(answer, rows[i].want)) {
            fail_msg("%s %s: wanted %s, got %s", rows[i].method, rows[i].params, rows[i].want,
                     answer);
        }
        free(answer);
    }
}

#define CHECK_ROWS(D, ROWS) check_rows(D, ROWS, sizeof(ROWS) / sizeof((ROWS)[0]))

static void
a_pack_is_a_prompt(void **unused)
{
    static const struct row rows[] = {
        {"prompts/list", "",
         "\"name\":\"start-demo\",\"title\":\"Demo\",\"description\":\"Shows.\""},
        {"prompts/list", "", "\"name\":\"target_file\""},
        {"prompts/list", "", "\"required\":true"},
        {"prompts/get", "\"name\":\"start-demo\",\"arguments\":{\"target_file\":\"a \\\"b\\\".c\"}",
         "\\\"target_file\\\":\\\"a \\\\\\\"b\\\\\\\".c\\\""},
        {"prompts/get", "\"name\":\"start-demo\",\"arguments\":{\"target_file\":\"x\"}",
         "\\\"workflow_type\\\":\\\"demo\\\""},
        {"prompts/get",
         "\"name\":\"start-demo\",\"arguments\":{\"target_file\":\"x\",\"more\":\"y\"}",
         "\"description\":\"Shows.\",\"messages\":[{\"role\":\"user\",\"content\":{\"type\":"
         "\"text\""},
        {"completion/complete",
         "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"start-demo\"},\"argument\":{\"name\":"
         "\"target_file\",\"value\":\"a\"}",
         "\"completion\":{\"values\":[],\"total\":0,\"hasMore\":false}"},
    };
    char *answer;

    (void)unused;
    CHECK_ROWS(plain, rows);
    atomic_store(&session->revision, REVISION_2025_03_26);
    answer = ask(plain, "prompts/list", "");
    CHECK(strstr(answer, "start-demo") && !strstr(answer, "\"title\""));
    free(answer);
    atomic_store(&session->revision, REVISION_2025_11_25);
}

#define REFUSED "\"code\":-32602"

static void
what_fits_no_prompt_is_refused(void **unused)
{
    static char longest[5000];
    static const struct row rows[] = {
        {"prompts/list", "\"cursor\":\"nowhere\"", REFUSED},
        {"prompts/get", "", REFUSED},
        {"prompts/get", "\"name\":7", REFUSED},
        {"prompts/get", "\"name\":\"\"", REFUSED},
        {"prompts/get", "\"name\":\"demo\"", REFUSED},
        {"prompts/get", "\"name\":\"start-\"", REFUSED},
        {"prompts/get", "\"name\":\"start-none\"", REFUSED},
        {"prompts/get", "\"name\":\"start-../demo\"", REFUSED},
        {"prompts/get", "\"name\":\"start-demo_type\"", REFUSED}, /* Its type is no id. */
        {"prompts/get", "\"name\":\"start-demo\\u0000\"", REFUSED},
        {"prompts/get", "\"name\":\"start-demo\"", "arguments.target_file"},
        {"prompts/get", "\"name\":\"start-demo\",\"arguments\":{\"target_file\":\"\"}", REFUSED},
        {"prompts/get", "\"name\":\"start-demo\",\"arguments\":{\"target_file\":7}", REFUSED},
        {"prompts/get", "\"name\":\"start-demo\",\"arguments\":[]", REFUSED},
        {"prompts/get", "\"name\":\"test_simple_prompt\"", REFUSED},
        {"prompts/get",
         "\"name\":\"start-demo\",\"arguments\":{\"target_file\":\"a\",\"target_"
         "file\":\"b\"}",
         REFUSED},
        {"completion/complete",
         "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"demo\"},\"argument\":{\"name\":\"target_"
         "file\",\"value\":\"\"}",
         REFUSED},
        {"completion/complete",
         "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"start-demo\"},\"argument\":{\"name\":"
         "\"other\",\"value\":\"\"}",
         REFUSED},
        {"completion/complete",
         "\"ref\":{\"type\":\"ref/prompt\"},\"argument\":{\"name\":\"other\",\"value\":\"\"}",
         REFUSED},
    };
    char *params;
    struct row too_long = {.method = "prompts/get", .want = "longer"};

    (void)unused;
    CHECK_ROWS(plain, rows);
    memset(longest, 'x', sizeof longest - 1);
    params = xasprintf("\"name\":\"start-demo\",\"arguments\":{\"target_file\":\"%s\"}", longest);
    too_long.params = params;
    check_rows(plain, &too_long, 1);
    free(params);
}

static void
fixtures_are_there_if_asked_for(void **unused)
{
    static const struct row rows[] = {
        {"prompts/list", "", "test_prompt_with_arguments"},
        {"prompts/list", "", "start-demo"},
        {"prompts/get", "\"name\":\"test_simple_prompt\"", "\"type\":\"text\""},
        {"prompts/get", "\"name\":\"test_prompt_with_image\"", "\"mimeType\":\"image/png\""},
        {"prompts/get",
         "\"name\":\"test_prompt_with_arguments\",\"arguments\":{\"arg1\":\"one\",\"arg2\":"
         "\"two\"}",
         "arg1='one', arg2='two'"},
        {"prompts/get", "\"name\":\"test_prompt_with_arguments\",\"arguments\":{\"arg1\":\"one\"}",
         "arguments.arg2"},
        {"prompts/get",
         "\"name\":\"test_prompt_with_embedded_resource\",\"arguments\":{\"resourceUri\":\"x:y\"}",
         "\"uri\":\"x:y\""},
        {"prompts/get", "\"name\":\"test_prompt_with_embedded_resource\"", REFUSED},
        {"completion/complete",
         "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"test_prompt_with_arguments\"},"
         "\"argument\":{\"name\":\"arg1\",\"value\":\"test_o\"}",
         "\"values\":[\"test_one\"],\"total\":1"},
        {"completion/complete",
         "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"test_prompt_with_arguments\"},"
         "\"argument\":{\"name\":\"arg2\",\"value\":\"\"}",
         "\"values\":[]"},
        {"completion/complete",
         "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"test_prompt_with_arguments\"},"
         "\"argument\":{\"name\":\"arg3\",\"value\":\"\"}",
         REFUSED},
        {"completion/complete",
         "\"ref\":{\"type\":\"ref/resource\",\"uri\":\"test://template/{id}/data\"},"
         "\"argument\":{\"name\":\"id\",\"value\":\"\"}",
         "\"values\":[]"},
    };

    (void)unused;
    CHECK_ROWS(fixtures, rows);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pack_is_a_prompt),
        cmocka_unit_test(what_fits_no_prompt_is_refused),
        cmocka_unit_test(fixtures_are_there_if_asked_for),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
