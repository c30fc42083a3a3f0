/* An edit is found by whoever asks, on whatever transport: stdio, HTTP in both eras, WebSocket in
 * both eras, and REST, all of them clients of one server.
 *
 * A standard is written, changed, moved and removed while the server runs; each client asks until
 * it is told so.  The files are watched in time, so none of this waits for a clock. */
#include "tests/check.h"

#include "tests/harness_http.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum client { STDIO, HTTP_LEGACY, HTTP_MODERN, WS_LEGACY, WS_MODERN, REST, CLIENTS };
static const char *const client_names[] = {"stdio",      "http, legacy", "http, modern",
                                           "ws, legacy", "ws, modern",   "rest"};

static char root[HARNESS_ROOT];
static struct server server;
static struct findings findings = FINDINGS_INIT;
static struct mcp_peer peers[REST]; /* But for STDIO's. */
static struct http_peer rest;
static int next_id;

static void
write_standard(const char *name, const char *text)
{
    char *path = xasprintf("%s/.tandem/standards/%s", root, name);
    char *temp = xasprintf("%s/.tandem/made", root);
    FILE *file = fopen(temp, "w");

    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
    CHECK_INT(rename(temp, path), 0);
    free(temp);
    free(path);
}

static json_t *
ask_stdio(const char *arguments)
{
    json_t *answer, *result, *id = json_integer(++next_id);

    CHECK(server_send(&server,
                      "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"tools/call\",\"params\":{"
                      "\"name\":\"search_standards\",\"arguments\":%s}}",
                      next_id, arguments));
    do { /* What the server tells unasked has no id. */
        answer = server_read(&server, now_ns() + PATIENCE);
        CHECK(answer != NULL);
        result = json_equal(json_object_get(answer, "id"), id)
                     ? json_incref(
                           json_object_get(json_object_get(answer, "result"), "structuredContent"))
                     : NULL;
        json_decref(answer);
    } while (!result);
    json_decref(id);
    return result;
}

static json_t *
ask_rest(const char *arguments)
{
    struct http_reply reply = {.status = 0};
    json_t *result;

    CHECK(http_send(&rest, "POST", "/api/tools/search_standards", "", arguments, &reply));
    CHECK_INT(reply.status, 200);
    result = json_loadb(reply.body.data, reply.body.len, 0, NULL);
    http_reply_fini(&reply);
    return result;
}

/* The structured result of one search; new. */
static json_t *
ask(enum client client, const char *query)
{
    char *arguments = xasprintf("{\"query\":\"%s\"}", query);
    json_t *result;

    if (client == STDIO) {
        result = ask_stdio(arguments);
    } else if (client == REST) {
        result = ask_rest(arguments);
    } else {
        struct mcp_outcome o = mcp_call(&peers[client], "search_standards", arguments);

        result = json_incref(o.result);
        outcome_fini(&o);
    }
    free(arguments);
    CHECK(json_is_array(json_object_get(result, "results")));
    return result;
}

/* Asks until the first file found is 'file', or, if that is null, nothing is found. */
static void
ask_until(enum client client, const char *query, const char *file)
{
    int64_t deadline = now_ns() + PATIENCE;
    bool found = false;

    while (!found) {
        json_t *result = ask(client, query);
        const char *first = json_string_value(
            json_object_get(json_array_get(json_object_get(result, "results"), 0), "file"));

        found = file ? first && strcmp(first, file) == 0 : !first;
        json_decref(result);
        if (!found && now_ns() > deadline) {
            fail_msg("%s: \"%s\" does not find %s", client_names[client], query,
                     file ? file : "nothing");
        }
    }
}

static void
all_find(const char *query, const char *file)
{
    for (enum client client = 0; client < CLIENTS; client++) {
        ask_until(client, query, file);
    }
}

static int
start(void **state)
{
    static const char *const no_packs[] = {NULL};
    static const char *const args[] = {"--limits-call-rate", "0", NULL};
    char *folder;

    (void)state;
    harness_project(root, no_packs);
    folder = xasprintf("%s/.tandem/standards", root);
    CHECK(mkdir(folder, 0700) == 0 || errno == EEXIST);
    free(folder);
    server_start(&server, root, &(struct server_options){.args = args});
    CHECK(server_send(&server,
                      "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{"
                      "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},"
                      "\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}"));
    json_decref(server_read(&server, now_ns() + PATIENCE));
    CHECK(server_send(&server, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"));
    CHECK(mcp_open(&peers[HTTP_LEGACY], &server.info, MCP_LEGACY, 1, &findings));
    CHECK(mcp_open(&peers[HTTP_MODERN], &server.info, MCP_MODERN, 2, &findings));
    CHECK(mcp_open_websocket(&peers[WS_LEGACY], &server.info, MCP_LEGACY, 3, &findings));
    CHECK(mcp_open_websocket(&peers[WS_MODERN], &server.info, MCP_MODERN, 4, &findings));
    http_peer_init(&rest, &server.info);
    return 0;
}

static int
stop(void **state)
{
    int status;

    (void)state;
    for (enum client client = HTTP_LEGACY; client < REST; client++) {
        mcp_close(&peers[client]);
        samples_fini(&peers[client].samples);
    }
    http_peer_fini(&rest);
    status = server_end(&server);
    harness_remove(root);
    return status || findings_tell(&findings);
}

static void
an_edit_is_found_on_every_transport(void **state)
{
    char *from = xasprintf("%s/.tandem/standards/first.md", root);
    char *to = xasprintf("%s/.tandem/standards/moved.md", root);

    (void)state;
    for (enum client client = 0; client < CLIENTS; client++) { /* Each is the first once. */
        char text[64], word[32];

        snprintf(word, sizeof word, "quokka%d", client);
        snprintf(text, sizeof text, "# First\n\nA %s.\n", word);
        write_standard("first.md", text);
        ask_until(client, word, "first.md");
        all_find(word, "first.md");
    }
    CHECK_INT(rename(from, to), 0);
    all_find("quokka5", "moved.md");
    CHECK_INT(unlink(to), 0);
    all_find("quokka5", NULL);
    free(from);
    free(to);
}

/* The whole folder goes, and another comes in its place: search goes on meanwhile. */
static void
a_folder_that_vanishes_and_comes_back_is_followed(void **state)
{
    char *folder = xasprintf("%s/.tandem/standards", root);
    char *aside = xasprintf("%s/aside", root);

    (void)state;
    write_standard("kept.md", "# Kept\n\nA wombat.\n");
    all_find("wombat", "kept.md");
    CHECK_INT(rename(folder, aside), 0);
    all_find("wombat", NULL);
    CHECK_INT(rename(aside, folder), 0);
    all_find("wombat", "kept.md");
    free(folder);
    free(aside);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_edit_is_found_on_every_transport, start, stop),
        cmocka_unit_test_setup_teardown(a_folder_that_vanishes_and_comes_back_is_followed, start,
                                        stop),
    };
    return CHECK_RUN(tests);
}
