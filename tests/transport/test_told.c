/* What changes on disk is told to a legacy client on stdio, to a legacy one on its GET stream and
 * to a modern one that listens, all at once: each once for each burst. */
#include "tests/check.h"

#include "tests/harness.h"
#include "tests/http_client.h"
#include "tests/serving.h"

#include <stdio.h>

#define SECONDS 20
#define META                                                                 \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"," \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"
#define INITIALIZE                                                                           \
    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{"                   \
    "\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\"," \
    "\"version\":\"1\"}}}"
#define INITIALIZED "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"
#define STANDARD "tandem://standard/last.md"
#define SUBSCRIBE(ID, URI)            \
    "{\"jsonrpc\":\"2.0\",\"id\":" ID \
    ",\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"" URI "\"}}"

static struct serving server;
static struct client modern, legacy; /* Their streams. */
static char *session;                /* The header line of the legacy session over HTTP. */
static struct buf told_stdio;        /* All that came on stdio. */

/* Reads lines of stdio until one holds 'text'. */
static bool
stdio_until(const char *text)
{
    char *line;
    bool found = false;

    while (!found && (line = serving_line(&server, SECONDS))) {
        buf_addf(&told_stdio, "%s\n", line);
        found = strstr(line, text);
        free(line);
    }
    return found;
}

static void
stdio_send(const char *text, const char *until)
{
    serving_send(&server, slice_of(text));
    CHECK(stdio_until(until));
}

/* Sends a request; 'body' may be null. */
static void
http_send_to(struct client *c, const char *method, const char *headers, const char *body)
{
    char *text = xasprintf("%s /mcp HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAuthorization: Bearer %s\r\n"
                           "Accept: application/json, text/event-stream\r\n%s%sContent-Length: "
                           "%zu\r\n\r\n%s",
                           method, server.port, server.token, headers,
                           body ? "Content-Type: application/json\r\n" : "",
                           body ? strlen(body) : 0, body ? body : "");

    CHECK(client_sends(c, text));
    free(text);
}

/* One request of the legacy HTTP client on a connection of its own. */
static void
legacy_post(const char *body)
{
    struct response r;
    struct client c;
    char *id;

    client_open(&c, server.port);
    http_send_to(&c, "POST", session ? session : "", body);
    r = client_read(&c, false, SECONDS);
    CHECK(r.status == 200 || r.status == 202);
    if (!session) {
        id = client_header(&r, "Mcp-Session-Id");
        session = xasprintf("Mcp-Session-Id: %s\r\nMCP-Protocol-Version: 2025-06-18\r\n", id);
        free(id);
    }
    client_close(&c);
}

/* What came on a stream so far, ended by NUL. */
static const char *
all_of(const struct client *c)
{
    return c->in.data;
}

static unsigned
count(const char *text, const char *what)
{
    unsigned n = 0;

    for (const char *at = text; (at = strstr(at, what)); at++) {
        n++;
    }
    return n;
}

static int
start(void **state)
{
    static const char *const options[] = {NULL};

    (void)state;
    serving_prepare(&server);
    /* There before the server: that it is new is nothing to be told late. */
    tree_write(server.project, ".tandem/standards/last.md", "# Last\n");
    serving_start_prepared(&server, "dual", options);
    stdio_send(INITIALIZE, "serverInfo");
    serving_send(&server, SLICE(INITIALIZED));
    serving_discover(&server);
    return 0;
}

static int
stop(void **state)
{
    int status;

    (void)state;
    client_close(&modern);
    client_close(&legacy);
    status = serving_stop(&server);
    serving_fini(&server);
    free(session);
    session = NULL;
    buf_fini(&told_stdio);
    return status;
}

/* Opens the three of them. */
static void
listen_all(void)
{
    serving_send(&server, SLICE(SUBSCRIBE("1", STANDARD)));
    CHECK(stdio_until("\"id\":1,\"result\":{}"));
    legacy_post(INITIALIZE);
    legacy_post(INITIALIZED);
    legacy_post(SUBSCRIBE("2", STANDARD));
    client_open(&legacy, server.port);
    http_send_to(&legacy, "GET", session, NULL);
    CHECK(client_until(&legacy, "\r\n\r\n", SECONDS));
    client_open(&modern, server.port);
    http_send_to(
        &modern, "POST", "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: subscriptions/listen\r\n",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"subscriptions/listen\",\"params\":{"
        "\"notifications\":{\"promptsListChanged\":true,\"resourcesListChanged\":true,"
        "\"resourceSubscriptions\":[\"" STANDARD "\",\"tandem://pack/dropped_v1\"]}," META "}}");
    CHECK(client_until(&modern, "subscriptions/acknowledged", SECONDS));
}

#define UPDATED "notifications/resources/updated"
#define STANDARD_UPDATED UPDATED "\",\"params\":{\"uri\":\"" STANDARD "\""

/* Edits the standard and waits until all have been told, as the last thing they are. */
static void
edit_the_standard(const char *text)
{
    tree_write(server.project, ".tandem/standards/last.md", text);
    CHECK(stdio_until(STANDARD_UPDATED));
    CHECK(client_until(&legacy, STANDARD_UPDATED, SECONDS));
    CHECK(client_until(&modern, STANDARD_UPDATED, SECONDS));
}

static void
a_pack_that_is_dropped_is_told_once_to_each(void **state)
{
    static const char *const lists[] = {"notifications/prompts/list_changed",
                                        "notifications/resources/list_changed"};
    int root = dir_fd(tree_dir(server.project));

    (void)state;
    listen_all();
    tree_copy(server.project, PACK_BUG_FIX, "made/dropped_v1"); /* Where nobody looks. */
    CHECK_INT(renameat(root, "made", root, ".tandem/workflows"), 0);
    for (int i = 0; i < 2; i++) {
        CHECK(stdio_until(lists[i]));
        CHECK(client_until(&legacy, lists[i], SECONDS));
        CHECK(client_until(&modern, lists[i], SECONDS));
    }
    CHECK(client_until(&modern, "tandem://pack/dropped_v1", SECONDS));
    edit_the_standard("# Another\n");
    for (int i = 0; i < 2; i++) {
        CHECK_INT(count(told_stdio.data, lists[i]), 1);
        CHECK_INT(count(all_of(&legacy), lists[i]), 1);
        CHECK_INT(count(all_of(&modern), lists[i]), 1);
    }
    CHECK_INT(count(told_stdio.data, UPDATED), 1);
    CHECK_INT(count(all_of(&legacy), UPDATED), 1);
    CHECK_INT(count(all_of(&modern), UPDATED), 2);
    CHECK_INT(count(all_of(&modern), "subscriptionId\":7}"), 5); /* On each, and only there. */
    CHECK_INT(count(all_of(&legacy), "subscriptionId"), 0);

    /* What is listed now is the new pack. */
    stdio_send("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"prompts/list\"}", "start-dropped_v1");
    stdio_send("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"resources/read\",\"params\":{\"uri\":"
               "\"tandem://server/info\"}}",
               "\\\"unwatched\\\":0");
    /* A text of the pack changes no list. */
    tree_write(server.project, ".tandem/workflows/dropped_v1/phases/0/phase.md", "# Phase 0\n");
    CHECK(client_until(&modern, "tandem://pack/dropped_v1", SECONDS));
    /* It goes: the lists change again. */
    tree_remove(server.project, ".tandem/workflows");
    for (int i = 0; i < 2; i++) {
        CHECK(stdio_until(lists[i]));
        CHECK(client_until(&legacy, lists[i], SECONDS));
        CHECK(client_until(&modern, lists[i], SECONDS));
    }
}

static void
a_session_that_goes_on_is_told(void **state)
{
    const char *id;
    char *line, *text;

    (void)state;
    tree_copy(server.project, PACK_BUG_FIX, ".tandem/workflows/bug_fix_v1");
    listen_all();
    stdio_send("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"tools/call\",\"params\":{\"name\":"
               "\"pos_workflow\",\"arguments\":{\"action\":\"start\",\"workflow_type\":"
               "\"bug_fix_v1\",\"target_file\":\"a.c\"}}}",
               "\"id\":4,");
    CHECK(client_until(&modern, "notifications/resources/list_changed", SECONDS));
    line = strstr(told_stdio.data, "\"structuredContent\"");
    id = line ? strstr(line, "\"session_id\":\"") : NULL;
    assert_non_null(id);
    text = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"resources/subscribe\",\"params\":{"
                     "\"uri\":\"tandem://session/%.36s\"}}",
                     id + 14);
    stdio_send(text, "\"id\":5,\"result\":{}");
    legacy_post(text);
    free(text);
    text = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"tools/call\",\"params\":{\"name\":"
                     "\"pos_workflow\",\"arguments\":{\"action\":\"pause\",\"session_id\":"
                     "\"%.36s\"}}}",
                     id + 14);
    legacy_post(text); /* The sub-agent works, and the IDE hears of it. */
    CHECK(stdio_until(UPDATED "\",\"params\":{\"uri\":\"tandem://session/"));
    CHECK(client_until(&legacy, UPDATED "\",\"params\":{\"uri\":\"tandem://session/", SECONDS));
    free(text);
}

/* Who unsubscribed, or ended the session, is told nothing more. */
static void
who_does_not_want_it_any_more_is_not_told(void **state)
{
    struct client c;

    (void)state;
    listen_all();
    stdio_send("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"resources/unsubscribe\",\"params\":{"
               "\"uri\":\"" STANDARD "\"}}",
               "\"id\":3,\"result\":{}");
    tree_write(server.project, ".tandem/standards/last.md", "# Edited\n");
    CHECK(client_until(&legacy, STANDARD_UPDATED, SECONDS));
    CHECK(client_until(&modern, STANDARD_UPDATED, SECONDS));
    client_open(&c, server.port);
    http_send_to(&c, "DELETE", session, NULL);
    CHECK_INT(client_next(&c).status, 204);
    client_close(&c);
    tree_write(server.project, ".tandem/standards/new.md", "# New\n");
    CHECK(client_until(&modern, "resources/list_changed", SECONDS));
    CHECK(stdio_until("resources/list_changed"));
    CHECK_INT(count(told_stdio.data, UPDATED), 0);
    CHECK_INT(count(all_of(&legacy), "resources/list_changed"), 0);
}

/* What one client publishes is news for another, who subscribed to the events as a resource. */
static void
an_event_updates_its_resource(void **state)
{
    (void)state;
    listen_all();
    stdio_send(SUBSCRIBE("3", "tandem://events/recent"), "\"id\":3,\"result\":{}");
    legacy_post("{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"tools/call\",\"params\":{\"name\":"
                "\"publish_event\",\"arguments\":{\"topic\":\"build.finished\"}}}");
    CHECK(stdio_until(UPDATED "\",\"params\":{\"uri\":\"tandem://events/recent\"}"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_pack_that_is_dropped_is_told_once_to_each, start, stop),
        cmocka_unit_test_setup_teardown(a_session_that_goes_on_is_told, start, stop),
        cmocka_unit_test_setup_teardown(an_event_updates_its_resource, start, stop),
        cmocka_unit_test_setup_teardown(who_does_not_want_it_any_more_is_not_told, start, stop),
    };
    return CHECK_RUN(tests);
}
