/* test_subscriptions.c -- subscriptions/listen: what is said, in which order, and all the ways it
 * ends. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "handlers/subscriptions.h"
#include "state/changes.h"
#include "state/mcp_session.h"
#include "tests/fakes.h"

#include <string.h>

#define META                                                                 \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"," \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"
#define LISTEN(ID, FILTER)                                                                \
    "{\"jsonrpc\":\"2.0\",\"id\":" ID ",\"method\":\"subscriptions/listen\",\"params\":{" \
    "\"notifications\":" FILTER "," META "}}"
#define ID(TEXT) "\"io.modelcontextprotocol/subscriptionId\":" TEXT

static struct fake_project project;
static struct pool *pool;
static struct dispatcher *dispatcher;
static struct fake_sink sinks[40];

static int
set_up(void **unused)
{
    struct dispatch_limits limits = {.json = JSON_LIMITS_INIT,
                                     .calls = 64,
                                     .calls_per_session = 8,
                                     .call_ns = 60000000000,
                                     .groups = "core,conformance"};

    (void)unused;
    fake_project_init(&project, NULL);
    pool = pool_create(2, 1, 64);
    dispatcher = dispatcher_create(project.state, pool, &limits);
    for (size_t i = 0; i < sizeof sinks / sizeof sinks[0]; i++) {
        fake_sink_init(&sinks[i]);
    }
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    dispatch_drain(dispatcher);
    pool_destroy(pool);
    dispatcher_destroy(dispatcher);
    for (size_t i = 0; i < sizeof sinks / sizeof sinks[0]; i++) {
        fake_sink_fini(&sinks[i]);
    }
    fake_project_fini(&project);
    return 0;
}

static struct envelope
over_http(void)
{
    return (struct envelope){.transport = TRANSPORT_HTTP,
                             .protocol_version = SLICE("2026-07-28"),
                             .method = SLICE("subscriptions/listen")};
}

/* Sends a listen over HTTP and expects it to stay open. */
static void
open_listen(struct fake_sink *sink, const char *text)
{
    struct envelope env = over_http();

    dispatch_message(dispatcher, &env, slice_of(text), &sink->sink);
    CHECK_INT(sink->answers, 0);
    CHECK_INT(sink->unrefs, 0);
}

static unsigned
lines(const struct fake_sink *s)
{
    unsigned count = 0;

    for (const char *p = s->sent.data; p && (p = strchr(p, '\n')); p++) {
        count++;
    }
    return count;
}

static void
acknowledged_first_then_told(void **unused)
{
    (void)unused;
    open_listen(&sinks[0], LISTEN("1732176000123", "{\"toolsListChanged\":true,"
                                                   "\"promptsListChanged\":false,\"other\":1}"));
    CHECK_STR(sinks[0].sent.data,
              "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\","
              "\"params\":{\"notifications\":{\"toolsListChanged\":true},\"_meta\":{" ID(
                  "1732176000123") "}}}\n");
    open_listen(&sinks[1], LISTEN("\"a\"", "{\"toolsListChanged\":false}"));
    open_listen(&sinks[2], LISTEN("1732176000123", "{\"toolsListChanged\":true}"));
    changes_publish(state_changes(project.state), CHANGE_TOOLS);
    changes_publish(state_changes(project.state), CHANGE_PROMPTS);
    CHECK(strstr(sinks[0].sent.data,
                 "\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\","
                 "\"params\":{\"_meta\":{" ID("1732176000123") "}}}\n"));
    CHECK_INT(lines(&sinks[0]), 2);
    CHECK_INT(lines(&sinks[1]), 1);
    CHECK_INT(lines(&sinks[2]), 2); /* The same id from another client is another subscription. */
}

static void
resources_are_told_by_uri(void **unused)
{
    struct changes *changes = state_changes(project.state);

    (void)unused;
    open_listen(&sinks[0],
                LISTEN("7", "{\"promptsListChanged\":true,\"resourcesListChanged\":true,"
                            "\"resourceSubscriptions\":[\"tandem://pack/p\",\"x:\\u00e9\","
                            "\"tandem://session/s\"]}"));
    CHECK_STR(sinks[0].sent.data,
              "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\","
              "\"params\":{\"notifications\":{\"promptsListChanged\":true,"
              "\"resourcesListChanged\":true,\"resourceSubscriptions\":[\"tandem://pack/p\","
              "\"x:\xc3\xa9\",\"tandem://session/s\"]},\"_meta\":{" ID("7") "}}}\n");
    open_listen(&sinks[1], LISTEN("8", "{\"resourceSubscriptions\":[]}"));
    CHECK(strstr(sinks[1].sent.data, "\"notifications\":{},"));
    changes_publish(changes, CHANGE_TOOLS);
    changes_publish(changes, CHANGE_PROMPTS);
    changes_publish_resource(changes, "x:\xc3\xa9");
    changes_publish_resource(changes, "tandem://session/s/phase/1");
    changes_publish_resource(changes, "tandem://pack/q");
    CHECK_INT(lines(&sinks[0]), 4);
    CHECK_INT(lines(&sinks[1]), 1);
    CHECK(strstr(sinks[0].sent.data, "notifications/prompts/list_changed\""));
    CHECK(strstr(sinks[0].sent.data,
                 "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\","
                 "\"params\":{\"uri\":\"x:\xc3\xa9\",\"_meta\":{" ID("7") "}}}\n"));
    CHECK(strstr(sinks[0].sent.data, "\"uri\":\"tandem://session/s/phase/1\","));
}

/* What is no filter is refused, and nothing stays open. */
static void
bad_uris_are_refused(void **unused)
{
    static const char *const filters[] = {
        LISTEN("1", "{\"resourceSubscriptions\":{}}"),
        LISTEN("1", "{\"resourceSubscriptions\":[\"a\",1]}"),
        LISTEN("1", "{\"resourceSubscriptions\":[\"\"]}"),
        LISTEN("1", "{\"resourceSubscriptions\":[\"a\\u0000\"]}"),
    };
    struct envelope env = over_http();

    (void)unused;
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        dispatch_message(dispatcher, &env, slice_of(filters[i]), &sinks[i].sink);
        CHECK(strstr(fake_sink_wait(&sinks[i]), i == 3 ? "\"error\":{\"code\":" : "-32602"));
    }
}

static void
who_leaves_is_told_nothing_more(void **unused)
{
    struct envelope env = over_http();

    (void)unused;
    open_listen(&sinks[0], LISTEN("1", "{\"toolsListChanged\":true}"));
    open_listen(&sinks[1], LISTEN("1", "{\"toolsListChanged\":true}"));
    dispatch_gone(dispatcher, &env, &sinks[0].sink);
    CHECK_STR(fake_sink_wait(&sinks[0]), "");
    CHECK_INT(sinks[0].status, 204);
    dispatch_gone(dispatcher, &env, &sinks[0].sink);
    changes_publish(state_changes(project.state), CHANGE_TOOLS);
    CHECK_INT(lines(&sinks[0]), 1);
    CHECK_INT(lines(&sinks[1]), 2);
}

static void
a_connection_cancels_its_own(void **unused)
{
    struct envelope one = {.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};
    struct envelope two = {.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};
    const char *listen = LISTEN("5", "{\"toolsListChanged\":true}");
    const char *cancel = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
                         "\"requestId\":5," META "}}";

    (void)unused;
    dispatch_message(dispatcher, &one, slice_of(listen), &sinks[0].sink);
    dispatch_message(dispatcher, &two, slice_of(listen), &sinks[1].sink);
    dispatch_message(dispatcher, &one, slice_of(listen), &sinks[2].sink);
    CHECK(strstr(fake_sink_wait(&sinks[2]), "-32600"));
    dispatch_message(dispatcher, &one, slice_of(cancel), &sinks[3].sink);
    CHECK_STR(fake_sink_wait(&sinks[0]), "");
    CHECK_INT(sinks[1].answers, 0);
    dispatch_gone(dispatcher, &two, NULL);
    CHECK_STR(fake_sink_wait(&sinks[1]), "");
    mcp_session_unref(one.session);
    mcp_session_unref(two.session);
}

static void
who_does_not_read_is_ended_with_the_result(void **unused)
{
    const char *body;

    (void)unused;
    open_listen(&sinks[0], LISTEN("\"x\"", "{\"toolsListChanged\":true}"));
    sinks[0].refuse = E_LIMIT;
    changes_publish(state_changes(project.state), CHANGE_TOOLS);
    body = fake_sink_wait(&sinks[0]);
    CHECK(strstr(body,
                 "\"id\":\"x\",\"result\":{\"resultType\":\"complete\",\"_meta\":{" ID("\"x\"")));
    CHECK(strstr(body, "io.modelcontextprotocol/serverInfo"));
}

static void
the_end_of_the_server_is_a_result(void **unused)
{
    struct envelope env = over_http();

    (void)unused;
    open_listen(&sinks[0], LISTEN("0", "{\"toolsListChanged\":true}"));
    dispatch_drain(dispatcher);
    CHECK(strstr(fake_sink_wait(&sinks[0]), "\"id\":0,\"result\":{"));
    CHECK_INT(sinks[0].status, 200);
    dispatch_message(dispatcher, &env, slice_of(LISTEN("1", "{}")), &sinks[1].sink);
    CHECK(strstr(fake_sink_wait(&sinks[1]), "\"code\":503"));
    CHECK_INT(sinks[1].status, 503);
    CHECK_INT(lines(&sinks[1]), 0);
}

static void
what_is_refused(void **unused)
{
    struct envelope env = over_http();
    struct envelope connection = {.transport = TRANSPORT_STDIO,
                                  .session = mcp_session_of_connection()};

    (void)unused;
    dispatch_message(dispatcher, &env, slice_of(LISTEN("1", "7")), &sinks[0].sink);
    CHECK(strstr(fake_sink_wait(&sinks[0]), "-32602"));
    sinks[1].refuse = E_REFUSED; /* Its Accept takes no stream. */
    dispatch_message(dispatcher, &env, slice_of(LISTEN("1", "{}")), &sinks[1].sink);
    CHECK(strstr(fake_sink_wait(&sinks[1]), "-32600"));
    CHECK_INT(sinks[1].status, 400);
    for (int i = 0; i <= SUBSCRIPTIONS_EACH; i++) {
        char *text = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"subscriptions/listen\","
                               "\"params\":{\"notifications\":{}," META "}}",
                               i);

        dispatch_message(dispatcher, &connection, slice_of(text), &sinks[2 + i].sink);
        CHECK_INT(sinks[2 + i].answers, i == SUBSCRIPTIONS_EACH);
        free(text);
    }
    CHECK(strstr(sinks[2 + SUBSCRIPTIONS_EACH].body, "too many subscriptions"));
    dispatch_gone(dispatcher, &connection, NULL);
    mcp_session_unref(connection.session);
}

static void
one_principal_leaves_room(void **unused)
{
    struct fake_sink *many = xcalloc(SUBSCRIPTIONS_PRINCIPAL + 2, sizeof *many);
    struct envelope env = over_http();

    (void)unused;
    for (unsigned i = 0; i < SUBSCRIPTIONS_PRINCIPAL + 2; i++) {
        env.principal = i > SUBSCRIPTIONS_PRINCIPAL ? SLICE("alice") : SLICE("bob");
        fake_sink_init(&many[i]);
        dispatch_message(dispatcher, &env, slice_of(LISTEN("1", "{}")), &many[i].sink);
        CHECK_INT(many[i].answers, i == SUBSCRIPTIONS_PRINCIPAL);
    }
    CHECK(strstr(many[SUBSCRIPTIONS_PRINCIPAL].body, "too many subscriptions"));
    dispatch_drain(dispatcher);
    for (unsigned i = 0; i < SUBSCRIPTIONS_PRINCIPAL + 2; i++) {
        fake_sink_fini(&many[i]);
    }
    free(many);
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(acknowledged_first_then_told),
        TEST(who_leaves_is_told_nothing_more),
        TEST(resources_are_told_by_uri),
        TEST(who_leaves_is_told_nothing_more),
        TEST(bad_uris_are_refused),
        TEST(who_leaves_is_told_nothing_more),
        TEST(a_connection_cancels_its_own),
        TEST(who_does_not_read_is_ended_with_the_result),
        TEST(the_end_of_the_server_is_a_result),
        TEST(what_is_refused),
        TEST(one_principal_leaves_room),
    };
    return CHECK_RUN(tests);
}
