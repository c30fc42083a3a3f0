/* test_resources.c -- resources and completions through dispatch: what is listed, page by page,
 * what is read, and that nothing else can be. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "handlers/service_resources.h"
#include "handlers/offers.h"
#include "state/mcp_session.h"
#include "state/state.h"
#include "state/workflow.h"
#include "tests/fakes.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define MODERN                                                               \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"," \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"

static struct fake_project project;
static struct pool *pool;
static struct dispatcher *plain, *fixtures;
static struct mcp_session *session;

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
    plain = dispatcher_create(project.state, pool, &limits);
    limits.groups = "conformance";
    fixtures = dispatcher_create(project.state, pool, &limits);
    if (mcp_session_start(state_sessions(project.state), SLICE("p"), &session, NULL) != E_OK) {
        return -1;
    }
    atomic_store(&session->revision, REVISION_2025_11_25);
    write_file("standards", "one.md", SLICE("# One\n"));
    write_file("standards/deep", "a b.md", SLICE("# \"Two\"\n\xE2\x9C\x93\n"));
    write_file("standards", "latin.md", SLICE("caf\xE9"));
    write_file("workflows/demo", "metadata.json",
               SLICE("{\"name\":\"Demo\",\"version\":\"1\",\"description\":\"Shows.\",\"phases\":["
                     "{\"phase_number\":0,\"phase_name\":\"First\"}]}"));
    write_file("workflows/demo/phases/0", "phase.md", SLICE("# Phase\n"));
    write_file("workflows/broken", "metadata.json", SLICE("{"));
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

/* The answer to one request, a new object; modern on a connection, or of the legacy session. */
static json_t *
ask(struct dispatcher *d, bool modern, const char *method, const char *params)
{
    struct envelope env = {.transport = modern ? TRANSPORT_STDIO : TRANSPORT_HTTP,
                           .principal = SLICE("p"),
                           .session_id = modern ? SLICE_NONE : slice_of(session->id)};
    char *body = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":{%s%s%s}}",
                           method, params, modern && *params ? "," : "", modern ? MODERN : "");
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

static int
code_of(const json_t *answer)
{
    return (int)json_integer_value(json_object_get(json_object_get(answer, "error"), "code"));
}

static const json_t *
result_of(const json_t *answer)
{
    return json_object_get(answer, "result");
}

static const char *
text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static json_t *
read_uri(struct dispatcher *d, bool modern, const char *uri)
{
    json_t *text = json_string(uri);
    char *quoted = json_dumps(text, JSON_ENCODE_ANY);
    char *params = xasprintf("\"uri\":%s", quoted);
    json_t *answer = ask(d, modern, "resources/read", params);

    free(params);
    free(quoted);
    json_decref(text);
    return answer;
}

/* The same for a script; stores the HTTP status. */
static json_t *
fetch(const char *uri, struct slice scopes, int *status)
{
    struct envelope env = {.transport = TRANSPORT_HTTP, .principal = SLICE("p"), .scopes = scopes};
    struct fake_sink sink;
    json_t *answer;

    fake_sink_init(&sink);
    dispatch_resource(plain, &env, slice_of(uri), &sink.sink);
    answer = json_loads(fake_sink_wait(&sink), 0, NULL);
    *status = sink.status;
    CHECK(answer != NULL);
    fake_sink_fini(&sink);
    return answer;
}

/* What a script gets is what resources/read has, without what is MCP's alone; its errors are those
 * of scripts. */
static void
scripts_read_the_same(void **unused)
{
    static const char *const uris[] = {"tandem://standard/one.md", "tandem://pack/demo",
                                       "tandem://standard/deep/a%20b.md",
                                       "skill://packs/demo/SKILL.md"};
    char *longest = xcalloc(1, OFFERS_URI_MAX + 2);
    json_t *answer, *other;
    int status;

    (void)unused;
    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        answer = fetch(uris[i], SLICE_NONE, &status);
        other = read_uri(plain, false, uris[i]);
        CHECK_INT(status, 200);
        CHECK_INT(json_object_size(answer), 1);
        CHECK(json_equal(answer, result_of(other)));
        json_decref(other);
        json_decref(answer);
    }
    answer = fetch("tandem://standard/../none.md", SLICE_NONE, &status);
    CHECK_INT(status, 404);
    CHECK_STR(text_of(answer, "code"), "not_found");
    CHECK(strstr(text_of(answer, "message"), "tandem://standard/../none.md"));
    json_decref(answer);
    memset(longest, 'a', OFFERS_URI_MAX + 1);
    answer = fetch(longest, SLICE_NONE, &status);
    CHECK_INT(status, 400);
    CHECK_STR(text_of(answer, "code"), "invalid_argument");
    json_decref(answer);
    free(longest);
    answer = fetch("", SLICE_NONE, &status);
    CHECK_INT(status, 400);
    CHECK(text_of(answer, "remedy")[0]);
    json_decref(answer);
    answer = fetch("tandem://server/info", SLICE("other"), &status);
    CHECK_INT(status, 403);
    json_decref(answer);
    answer = fetch("tandem://server/info", SLICE("tandem:read"), &status);
    CHECK_INT(status, 200);
    json_decref(answer);
}

/* How many resources the services list. */
static size_t
services_listed(void)
{
    size_t count = 0;

    for (const struct service_resource *s = service_resources; s->uri; s++) {
        count += !service_resource_is_template(s);
    }
    return count;
}

/* The entry of a list with that URI, which must be there. */
static const json_t *
entry_of(const json_t *list, const char *uri)
{
    const json_t *entry;
    size_t i;

    json_array_foreach(list, i, entry) {
        if (strcmp(text_of(entry, "uri"), uri) == 0) {
            return entry;
        }
    }
    fail_msg("there is no %s", uri);
    return NULL;
}

static void
standards_and_packs_are_listed(void **unused)
{
    json_t *answer = ask(plain, false, "resources/list", "");
    const json_t *list = json_object_get(result_of(answer), "resources");

    (void)unused;
    CHECK_INT(json_array_size(list), 7 + services_listed());
    CHECK(entry_of(list, "skill://packs/demo/SKILL.md"));
    CHECK(entry_of(list, "tandem://events/recent"));
    CHECK(entry_of(list, "tandem://events/stats"));
    CHECK(entry_of(list, "tandem://relay/status"));
    CHECK(entry_of(list, "tandem://pack/demo"));
    CHECK_STR(text_of(entry_of(list, "tandem://pack/demo"), "title"), "Demo");
    CHECK_STR(text_of(entry_of(list, "tandem://pack/demo"), "description"), "Shows.");
    CHECK_STR(text_of(entry_of(list, "tandem://pack/demo"), "mimeType"), "application/json");
    CHECK(strncmp(text_of(json_array_get(
                              json_object_get(entry_of(list, "tandem://pack/demo"), "icons"), 0),
                          "src"),
                  "data:image/svg+xml;base64,", 26) == 0);
    CHECK(entry_of(list, "tandem://server/caches"));
    CHECK(entry_of(list, "tandem://server/info"));
    CHECK(entry_of(list, "tandem://standard/deep/a%20b.md"));
    CHECK_STR(text_of(entry_of(list, "tandem://standard/deep/a%20b.md"), "name"), "deep/a b.md");
    CHECK_STR(text_of(entry_of(list, "tandem://standard/deep/a%20b.md"), "title"), "\"Two\"");
    CHECK_STR(text_of(entry_of(list, "tandem://standard/deep/a%20b.md"), "mimeType"),
              "text/markdown");
    CHECK_INT(json_integer_value(
                  json_object_get(entry_of(list, "tandem://standard/deep/a%20b.md"), "size")),
              12);
    CHECK(clock_parse(text_of(
              json_object_get(entry_of(list, "tandem://standard/deep/a%20b.md"), "annotations"),
              "lastModified")) > 0);
    CHECK(!json_object_get(result_of(answer), "ttlMs"));
    json_decref(answer);
    answer = ask(plain, true, "resources/list", "");
    CHECK_STR(text_of(result_of(answer), "cacheScope"), "public");
    CHECK(json_is_integer(json_object_get(result_of(answer), "ttlMs")));
    json_decref(answer);
}

static void
older_revisions_have_no_titles(void **unused)
{
    static const int revisions[] = {REVISION_2024_11_05, REVISION_2025_03_26, REVISION_2025_06_18};
    static const char *const methods[] = {"resources/list", "resources/templates/list"};

    (void)unused;
    for (size_t i = 0; i < 6; i++) {
        json_t *answer;
        char *text;

        atomic_store(&session->revision, revisions[i / 2]);
        answer = ask(plain, false, methods[i % 2], "");
        text = json_dumps(answer, 0);
        CHECK((strstr(text, "\"title\"") != NULL) == (i / 2 == 2));
        CHECK((strstr(text, "\"lastModified\"") != NULL) == (i == 4));
        CHECK((strstr(text, "\"size\"") != NULL) == (i % 2 == 0));
        CHECK(strstr(text, "\"icons\"") == NULL);
        free(text);
        json_decref(answer);
    }
    atomic_store(&session->revision, REVISION_2025_11_25);
}

static void
what_is_listed_is_read(void **unused)
{
    /* The second as a client makes it that expands the template. */
    static const struct {
        const char *uri, *mime, *want;
    } cases[] = {
        {"tandem://standard/deep/a%20b.md", "text/markdown", "# \"Two\"\n\xE2\x9C\x93\n"},
        {"tandem://standard/deep%2Fa%20b.md", "text/markdown", "# \"Two\"\n\xE2\x9C\x93\n"},
        {"tandem://standard/one.md", "text/markdown", "# One\n"},
        {"tandem://pack/demo", "application/json", "\"First\""},
        {"tandem://server/info", "application/json", "\"requests_in_flight\""},
        {"tandem://server/caches", "application/json", "\"workflow_sessions\""},
    };

    (void)unused;
    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        json_t *answer = read_uri(plain, i % 2, cases[i / 2].uri);
        const json_t *content = json_array_get(json_object_get(result_of(answer), "contents"), 0);

        CHECK_STR(text_of(content, "uri"), cases[i / 2].uri);
        CHECK_STR(text_of(content, "mimeType"), cases[i / 2].mime);
        CHECK(strstr(text_of(content, "text"), cases[i / 2].want) != NULL);
        CHECK((json_object_get(result_of(answer), "ttlMs") != NULL) == (i % 2));
        json_decref(answer);
    }
}

static void
sessions_are_read_and_never_kept(void **unused)
{
    json_t *target = json_string("x.c"), *started = NULL, *answer;
    struct workflow_args args = {.action = "start", .workflow_type = "demo", .target_file = target};
    char *uri, *params;
    const json_t *result;

    (void)unused;
    CHECK_INT(workflow_start(state_workflow(project.state), &args, &started, &(struct fault){0}),
              E_OK);
    uri = xasprintf("tandem://session/%s", text_of(started, "session_id"));
    answer = read_uri(plain, true, uri);
    result = result_of(answer);
    CHECK_STR(text_of(result, "cacheScope"), "private");
    CHECK_INT(json_integer_value(json_object_get(result, "ttlMs")), 0);
    CHECK(strstr(text_of(json_array_get(json_object_get(result, "contents"), 0), "text"),
                 "workflow_state") != NULL);
    json_decref(answer);
    params =
        xasprintf("\"ref\":{\"type\":\"ref/resource\",\"uri\":\"tandem://session/{session_id}\"}"
                  ",\"argument\":{\"name\":\"session_id\",\"value\":\"%.4s\"}",
                  text_of(started, "session_id"));
    answer = ask(plain, false, "completion/complete", params);
    result = json_object_get(result_of(answer), "completion");
    CHECK_INT(json_array_size(json_object_get(result, "values")), 1);
    CHECK_STR(json_string_value(json_array_get(json_object_get(result, "values"), 0)),
              text_of(started, "session_id"));
    json_decref(answer);
    free(params);
    free(uri);
    json_decref(started);
    json_decref(target);
}

/* How many values of 'phase' are proposed for a session. */
static size_t
complete_phase(const char *session_id)
{
    char *params = xasprintf("\"ref\":{\"type\":\"ref/"
                             "resource\",\"uri\":\"tandem://session/{session_id}/phase/{phase}\"},"
                             "\"argument\":{\"name\":\"phase\",\"value\":\"\"}%s%s%s",
                             session_id ? ",\"context\":{\"arguments\":{\"session_id\":\"" : "",
                             session_id ? session_id : "", session_id ? "\"}}" : "");
    json_t *answer = ask(plain, true, "completion/complete", params);
    const json_t *values =
        json_object_get(json_object_get(result_of(answer), "completion"), "values");
    size_t count = json_array_size(values);

    CHECK(json_is_array(values));
    json_decref(answer);
    free(params);
    return count;
}

static bool
is_listed(const char *uri)
{
    json_t *answer = ask(plain, true, "resources/list", ""), *entry;
    bool listed = false;
    size_t i;

    json_array_foreach(json_object_get(result_of(answer), "resources"), i, entry) {
        listed |= strcmp(text_of(entry, "uri"), uri) == 0;
    }
    json_decref(answer);
    return listed;
}

static void
phases_of_running_sessions_are_there(void **unused)
{
    json_t *target = json_string("y.c"), *started = NULL, *gone = NULL, *answer;
    struct workflow_args args = {.action = "start", .workflow_type = "demo", .target_file = target};
    static const char *const none[] = {"/phase/1", "/phase/00", "/phase/",           "/phase/-1",
                                       "/phase/x", "/phase/0/", "/phase/99999999999"};
    char *uri, *phase;

    (void)unused;
    CHECK_INT(workflow_start(state_workflow(project.state), &args, &started, &(struct fault){0}),
              E_OK);
    args.session_id = text_of(started, "session_id");
    uri = xasprintf("tandem://session/%s", args.session_id);
    phase = xasprintf("%s/phase/0", uri);
    CHECK(is_listed(uri) && is_listed(phase));
    answer = read_uri(plain, false, phase);
    CHECK(strstr(text_of(json_array_get(json_object_get(result_of(answer), "contents"), 0), "text"),
                 "\"phase_content\"") != NULL);
    json_decref(answer);
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        char *other = xasprintf("%s%s", uri, none[i]);

        answer = read_uri(plain, false, other);
        CHECK_INT(code_of(answer), -32002);
        json_decref(answer);
        free(other);
    }
    CHECK_INT(complete_phase(args.session_id), 1);
    CHECK_INT(complete_phase("nobody"), 0);
    CHECK_INT(complete_phase(NULL), 0);
    CHECK_INT(
        workflow_delete_session(state_workflow(project.state), &args, &gone, &(struct fault){0}),
        E_OK);
    CHECK(!is_listed(uri) && !is_listed(phase));
    free(phase);
    free(uri);
    json_decref(gone);
    json_decref(started);
    json_decref(target);
}

static void
check_not_found(const char *uri)
{
    for (int modern = 0; modern < 2; modern++) {
        json_t *answer = read_uri(fixtures, modern, uri);

        if (code_of(answer) != (modern ? -32602 : -32002) ||
            strcmp(text_of(json_object_get(json_object_get(answer, "error"), "data"), "uri"),
                   uri) != 0) {
            fail_msg("%s: %d", uri, code_of(answer));
        }
        json_decref(answer);
    }
}

static void
what_is_not_there_is_named(void **unused)
{
    static const char *const uris[] = {
        "x",
        "tandem://",
        "tandem://standard/",
        "tandem://standard/none.md",
        "tandem://pack/",
        "tandem://pack/none",
        "tandem://pack/../demo",
        "tandem://pack/demo/",
        "tandem://pack/%64emo",
        "tandem://session/",
        "tandem://session/none",
        "tandem://session/../../x",
        "tandem://other/x",
        "TANDEM://standard/one.md",
        "tandem://standard//one.md",
        "tandem://standard/one.md?x",
        "tandem://standard/one.md#x",
        "tandem://standard/one.md%00",
        "tandem://standard/%2E/one.md",
        "tandem://standard/deep/%2E%2E/one.md",
        "tandem://standard/..%2fconfig.md",
        "file:///etc/passwd",
        "test://template//data",
        "test://template/data",
        "test://static-texts",
        "test://nonexistent-resource-for-conformance-testing",
    };

    (void)unused;
    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        check_not_found(uris[i]);
    }
}

/* Every traversal of the corpus, as a path, and encoded as one. */
static void
no_uri_leaves_the_folder(void **unused)
{
    static const char corpus[] = "tests/fixtures/hostile/path/fuzzdb-traversals-8-deep.txt";
    FILE *file = fopen(corpus, "r");
    char line[1024];
    unsigned count = 0;

    (void)unused;
    CHECK(file != NULL);
    while (fgets(line, sizeof line, file)) {
        char uri[1200];
        struct slice text = {line, strcspn(line, "\r\n")};
        json_t *valid = json_stringn(text.data, text.len);

        line[text.len] = '\0';
        if (valid && text.len) {
            snprintf(uri, sizeof uri, "tandem://standard/%s", line);
            check_not_found(uri);
            snprintf(uri, sizeof uri, "tandem://standard/x%s.md", line);
            check_not_found(uri);
            snprintf(uri, sizeof uri, "skill://packs/demo/%s", line);
            check_not_found(uri);
            snprintf(uri, sizeof uri, "skill://%s", line);
            check_not_found(uri);
            count++;
        }
        json_decref(valid);
    }
    fclose(file);
    CHECK(count > 400);
}

static void
what_cannot_be_read_says_why(void **unused)
{
    json_t *answer = read_uri(plain, false, "tandem://standard/latin.md");

    (void)unused;
    CHECK_INT(code_of(answer), -32603);
    CHECK(strstr(text_of(json_object_get(answer, "error"), "message"), "UTF-8") != NULL);
    json_decref(answer);
    answer = read_uri(plain, false, "tandem://pack/broken");
    CHECK_INT(code_of(answer), -32603);
    json_decref(answer);
}

static void
bad_params_are_refused(void **unused)
{
    static const struct {
        const char *method, *params;
    } cases[] = {
        {"resources/read", ""},
        {"resources/read", "\"uri\":7"},
        {"resources/read", "\"uri\":\"\""},
        {"resources/list", "\"cursor\":\"\""},
        {"resources/list", "\"cursor\":\"nowhere\""},
        {"resources/list", "\"cursor\":\"r\""},
        {"resources/list", "\"cursor\":\"r4\""},
        {"resources/list", "\"cursor\":\"r00\""},
        {"resources/list", "\"cursor\":\"rFF\""},
        {"resources/list", "\"cursor\":\"r4g\""},
        {"resources/list", "\"cursor\":\"x41\""},
        {"resources/list", "\"cursor\":\"p41\""}, /* Of another list. */
        {"prompts/list", "\"cursor\":\"r41\""},
        {"resources/directory/read", "\"uri\":\"skill://standards\",\"cursor\":\"r41\""},
        {"resources/list", "\"cursor\":41"},
        {"resources/list", "\"cursor\":{}"},
        {"resources/templates/list", "\"cursor\":\"c41\""},
        {"completion/complete", ""},
        {"completion/complete", "\"ref\":7,\"argument\":{\"name\":\"id\",\"value\":\"\"}"},
        {"completion/complete", "\"ref\":{\"type\":\"ref/resource\"},\"argument\":{}"},
        {"completion/complete",
         "\"ref\":{\"type\":\"ref/resource\",\"uri\":\"tandem://pack/{id}\"},\"argument\":{}"},
        {"completion/complete",
         "\"ref\":{\"type\":\"ref/resource\",\"uri\":\"tandem://pack/{id}\"},"
         "\"argument\":{\"name\":\"path\",\"value\":\"\"}"},
        {"completion/complete",
         "\"ref\":{\"type\":\"ref/resource\",\"uri\":\"tandem://pack/demo\"},"
         "\"argument\":{\"name\":\"id\",\"value\":\"\"}"},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *answer = ask(fixtures, i % 2, cases[i].method, cases[i].params);

        if (code_of(answer) != -32602) {
            fail_msg("%s %s: %d", cases[i].method, cases[i].params, code_of(answer));
        }
        json_decref(answer);
    }
}

static void
variables_are_completed_by_prefix(void **unused)
{
    json_t *answer = ask(plain, true, "completion/complete",
                         "\"ref\":{\"type\":\"ref/resource\",\"uri\":\"tandem://standard/{path}\"},"
                         "\"argument\":{\"name\":\"path\",\"value\":\"de\"}");
    const json_t *completion = json_object_get(result_of(answer), "completion");

    (void)unused;
    CHECK_INT(json_integer_value(json_object_get(completion, "total")), 1);
    CHECK_STR(json_string_value(json_array_get(json_object_get(completion, "values"), 0)),
              "deep/a b.md");
    json_decref(answer);
    answer = ask(plain, true, "completion/complete",
                 "\"ref\":{\"type\":\"ref/resource\",\"uri\":\"tandem://pack/{id}\"},"
                 "\"argument\":{\"name\":\"id\",\"value\":\"\"}");
    completion = json_object_get(result_of(answer), "completion");
    CHECK_INT(json_array_size(json_object_get(completion, "values")), 1);
    json_decref(answer);
}

static void
fixtures_are_there_if_asked_for(void **unused)
{
    static const char *const uris[] = {"test://static-text", "test://static-binary",
                                       "test://template/123/data"};

    (void)unused;
    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        json_t *answer = read_uri(fixtures, false, uris[i]);
        const json_t *content = json_array_get(json_object_get(result_of(answer), "contents"), 0);

        CHECK_STR(text_of(content, "uri"), uris[i]);
        CHECK(*text_of(content, i == 1 ? "blob" : "text"));
        json_decref(answer);
        answer = read_uri(plain, false, uris[i]);
        CHECK_INT(code_of(answer), -32002);
        json_decref(answer);
    }
}

/* Last: makes many files. */
static void
long_lists_come_in_pages(void **unused)
{
    char cursor[512] = "";
    unsigned pages = 0, seen = 0;
    char last[256] = "";
    json_t *answer;

    (void)unused;
    for (int i = 0; i < 250; i++) {
        char name[32];

        snprintf(name, sizeof name, "%d.md", i);
        write_file("standards/many", name, SLICE("x"));
    }
    do {
        char *params = *cursor ? xasprintf("\"cursor\":\"%s\"", cursor) : xstrdup("");
        const json_t *list;
        size_t i;
        json_t *entry;

        answer = ask(plain, pages % 2, "resources/list", params);
        list = json_object_get(result_of(answer), "resources");
        CHECK(json_array_size(list) <= 100);
        json_array_foreach(list, i, entry) {
            CHECK(strcmp(last, text_of(entry, "uri")) < 0);
            snprintf(last, sizeof last, "%s", text_of(entry, "uri"));
            seen++;
        }
        snprintf(cursor, sizeof cursor, "%s", text_of(result_of(answer), "nextCursor"));
        json_decref(answer);
        free(params);
        pages++;
    } while (*cursor && pages < 10);
    CHECK_INT(pages, 3);
    CHECK_INT(seen, 260 + services_listed()); /* And a session with its phase. */
    answer = ask(plain, false, "completion/complete",
                 "\"ref\":{\"type\":\"ref/resource\",\"uri\":\"tandem://standard/{path}\"},"
                 "\"argument\":{\"name\":\"path\",\"value\":\"many/\"}");
    CHECK_INT(json_array_size(
                  json_object_get(json_object_get(result_of(answer), "completion"), "values")),
              100);
    CHECK_INT(json_integer_value(
                  json_object_get(json_object_get(result_of(answer), "completion"), "total")),
              250);
    CHECK(
        json_is_true(json_object_get(json_object_get(result_of(answer), "completion"), "hasMore")));
    json_decref(answer);
}

/* What comes and goes between two pages, and even the entry that the cursor names, neither hides
 * nor repeats the others. */
static void
a_cursor_survives_changes(void **unused)
{
    struct dir *many;
    json_t *answer = ask(plain, false, "resources/list", "");
    const json_t *list = json_object_get(result_of(answer), "resources");
    char last[128], *params;

    (void)unused;
    snprintf(last, sizeof last, "%s",
             text_of(json_array_get(list, json_array_size(list) - 1), "uri"));
    CHECK(strncmp(last, "tandem://standard/many/", 23) == 0);
    params = xasprintf("\"cursor\":\"%s\"", text_of(result_of(answer), "nextCursor"));
    json_decref(answer);
    CHECK_INT(dir_sub(project.data, "standards/many", false, &many, NULL), E_OK);
    CHECK_INT(dir_remove_volatile(many, last + 23, NULL), E_OK);
    write_file("standards/many", "0-new.md", SLICE("before"));
    write_file("standards/many", "zz-new.md", SLICE("behind"));
    answer = ask(plain, false, "resources/list", params);
    list = json_object_get(result_of(answer), "resources");
    CHECK_INT(json_array_size(list), 100);
    CHECK(strcmp(text_of(json_array_get(list, 0), "uri"), last) > 0);
    json_decref(answer);
    free(params);
    dir_unref(many);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(standards_and_packs_are_listed),
        cmocka_unit_test(older_revisions_have_no_titles),
        cmocka_unit_test(what_is_listed_is_read),
        cmocka_unit_test(scripts_read_the_same),
        cmocka_unit_test(sessions_are_read_and_never_kept),
        cmocka_unit_test(phases_of_running_sessions_are_there),
        cmocka_unit_test(what_is_not_there_is_named),
        cmocka_unit_test(no_uri_leaves_the_folder),
        cmocka_unit_test(what_cannot_be_read_says_why),
        cmocka_unit_test(bad_params_are_refused),
        cmocka_unit_test(variables_are_completed_by_prefix),
        cmocka_unit_test(fixtures_are_there_if_asked_for),
        cmocka_unit_test(long_lists_come_in_pages),
        cmocka_unit_test(a_cursor_survives_changes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
