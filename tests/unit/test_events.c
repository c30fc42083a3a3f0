/* The bus as clients see it: tools, resources and plain JSON; what a tenant sees, what a token must
 * allow, and how much is told at once. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "handlers/events_ingest.h"
#include "state/base/json_put.h"
#include "state/bus.h"
#include "state/bus_reader.h"
#include "tests/fakes.h"

#include <stdio.h>

#define ACME \
    "{\"client\":{\"id\":\"acme\",\"name\":\"Acme\",\"short_name\":\"A\",\"timezone\":\"UTC\"}}"

static struct fake_clock fake;
static struct fake_project project;
static struct pool *pool;
static struct dispatcher *dispatcher;
static struct bus *bus;
static uint64_t base; /* The number of the newest event when a test begins. */

/* Has the settings of a tenant loaded, so that no event tells of that later. */
static void
meet(const char *tenant)
{
    struct envelope env = {.transport = TRANSPORT_HTTP, .client_id = slice_of(tenant)};
    struct fake_sink sink;

    fake_sink_init(&sink);
    dispatch_tool(dispatcher, &env, SLICE("get_recent_events"), SLICE("{}"), &sink.sink);
    fake_sink_wait(&sink);
    CHECK_INT(sink.status, 200);
    fake_sink_fini(&sink);
}

static int
set_up(void **unused)
{
    struct dispatch_limits limits = {.json = JSON_LIMITS_INIT,
                                     .calls = 64,
                                     .calls_per_session = 8,
                                     .call_ns = 60000000000,
                                     .groups = "core,events"};
    struct dir *tenants;

    (void)unused;
    fake_clock_init(&fake);
    fake_project_init(&project, &fake.clock);
    bus = state_bus(project.state);
    pool = pool_create(2, 1, 64);
    dispatcher = dispatcher_create(project.state, pool, &limits);
    CHECK(dir_sub(project.data, "tenants", true, &tenants, NULL) == E_OK);
    CHECK(dir_write(tenants, "acme.json", SLICE(ACME), NULL) == E_OK);
    dir_unref(tenants);
    meet("default");
    meet("acme");
    bus_reset(bus);
    base = bus_seq(bus);
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    pool_destroy(pool);
    dispatcher_destroy(dispatcher);
    fake_project_fini(&project);
    return 0;
}

static struct envelope
envelope_of(const char *tenant)
{
    return (struct envelope){.transport = TRANSPORT_HTTP,
                             .principal = SLICE("p"),
                             .client_id = tenant ? slice_of(tenant) : SLICE_NONE};
}

/* Calls a tool; the answer, new, whose HTTP status must be 'status'. */
static json_t *
call(const char *tenant, const char *tool, int status, const char *arguments)
{
    struct envelope env = envelope_of(tenant);
    struct fake_sink sink;
    json_t *answer;

    fake_sink_init(&sink);
    dispatch_tool(dispatcher, &env, slice_of(tool), slice_of(arguments), &sink.sink);
    answer = json_loads(fake_sink_wait(&sink), JSON_REJECT_DUPLICATES, NULL);
    CHECK_INT(sink.status, status);
    fake_sink_fini(&sink);
    CHECK(answer != NULL);
    return answer;
}

static int
number_of(const json_t *object, const char *key)
{
    const json_t *number = json_object_get(object, key);

    return json_is_integer(number) ? (int)json_integer_value(number) : -1;
}

static const char *
text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static void
what_is_published_is_recent(void **unused)
{
    json_t *told = call(NULL, "publish_event", 200,
                        "{\"topic\":\"build.finished\",\"data\":{\"ok\":true},"
                        "\"correlation_id\":\"c\"}"),
           *recent, *event;

    (void)unused;
    CHECK_STR(text_of(told, "published"), "accepted");
    CHECK_INT(number_of(told, "seq"), base + 1);
    CHECK_STR(text_of(told, "epoch"), bus_epoch(bus));
    json_decref(call("acme", "publish_event", 200, "{\"topic\":\"build.started\"}"));
    recent = call(NULL, "get_recent_events", 200, "{}");
    CHECK_INT(number_of(recent, "count"), 1);
    CHECK_INT(number_of(recent, "seq"), base + 2);
    event = json_array_get(json_object_get(recent, "events"), 0);
    CHECK_STR(text_of(event, "id"), text_of(told, "id"));
    CHECK_STR(text_of(event, "tenant"), "default");
    CHECK_STR(text_of(event, "correlation_id"), "c");
    CHECK_STR(text_of(event, "source"), "client");
    CHECK(json_is_true(json_object_get(json_object_get(event, "data"), "ok")));
    json_decref(recent);
    json_decref(told);
    recent = call("acme", "get_recent_events", 200, "{\"patterns\":[\"*.started\"],\"limit\":5}");
    CHECK_INT(number_of(recent, "count"), 1);
    json_decref(recent);
    recent = call("acme", "get_recent_events", 200, "{\"patterns\":[\"other.*\"]}");
    CHECK_INT(number_of(recent, "count"), 0);
    json_decref(recent);
}

static void
mistakes_are_told(void **unused)
{
    static const char *const wrong[][2] = {
        {"publish_event", "{\"topic\":\"No\"}"},
        {"publish_event", "{\"topic\":\"session.ended\"}"},
        {"publish_event", "{\"topic\":\"a\",\"data\":[]}"},
        {"publish_event", "{}"},
        {"get_recent_events", "{\"patterns\":[\"hook*\"]}"},
        {"get_recent_events", "{\"limit\":101}"},
        {"set_event_filters", "{\"patterns\":[\"a\",\"b..c\"]}"},
        {"set_event_filters", "{}"},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        json_t *told = call(NULL, wrong[i][0], 400, wrong[i][1]);

        CHECK_STR(text_of(told, "code"), "invalid_argument");
        CHECK(*text_of(told, "message"));
        json_decref(told);
    }
    CHECK_INT(bus_stats(bus).published, 0);
    CHECK_INT(bus_stats(bus).filters, 0);
}

static void
filters_hold_for_all(void **unused)
{
    json_t *told = call(NULL, "set_event_filters", 200, "{\"patterns\":[\"build.*\",\"build.*\"]}");

    (void)unused;
    CHECK_INT(number_of(told, "filter_count"), 1);
    json_decref(told);
    told = call("acme", "publish_event", 200, "{\"topic\":\"test.run\"}");
    CHECK_STR(text_of(told, "published"), "filtered");
    CHECK(!json_object_get(told, "seq"));
    json_decref(told);
    told = call(NULL, "get_event_stats", 200, "{}");
    CHECK_INT(number_of(told, "events_filtered"), 1);
    CHECK_INT(number_of(told, "filter_count"), 1);
    CHECK(json_is_null(json_object_get(told, "last_event_time")));
    json_decref(told);
    json_decref(call(NULL, "set_event_filters", 200, "{\"patterns\":[]}"));
    json_decref(call(NULL, "publish_event", 200, "{\"topic\":\"test.run\"}"));
    told = call(NULL, "get_event_stats", 200, "{}");
    CHECK_INT(number_of(told, "events_published"), 1);
    CHECK_STR(text_of(told, "last_event_time"), "2023-11-14T22:13:20.000Z");
    json_decref(told);
}

/* An agent reads all that it is told. */
static void
no_more_is_told_than_can_be_read(void **unused)
{
    char *text = xcalloc(50001, 1);
    json_t *recent;

    (void)unused;
    memset(text, 'x', 50000);
    for (int i = 0; i < 8; i++) {
        bus_publish(bus, &(struct bus_draft){.topic = "a", .data = json_string(text)});
    }
    recent = call(NULL, "get_recent_events", 200, "{}");
    CHECK_INT(number_of(recent, "count"), 5);
    CHECK_INT(number_of(recent, "left_out"), 3);
    CHECK_INT(number_of(json_array_get(json_object_get(recent, "events"), 4), "seq"), base + 8);
    json_decref(recent);
    free(text);
}

static void
ignore(void *arg)
{
    (void)arg;
}

static void
the_relay_counts_its_clients(void **unused)
{
    struct bus_reader_options options = {.from = BUS_FROM_LAST, .last = 5, .wake = ignore};
    struct envelope env = envelope_of("acme");
    struct bus_reader_start start;
    struct bus_reader *reader;
    struct bus_item items[4];
    struct fault f;
    json_t *told;

    (void)unused;
    json_decref(call("acme", "publish_event", 200, "{\"topic\":\"a\"}"));
    json_decref(call(NULL, "publish_event", 200, "{\"topic\":\"a\"}"));
    CHECK(dispatch_read_events(dispatcher, &env, &options, &reader, &start, &f) == E_OK);
    CHECK_STR(bus_reader_tenant(reader), "acme");
    CHECK_INT(bus_reader_take(reader, items, 4, NULL), 1);
    bus_event_unref(items[0].event);
    told = call(NULL, "get_relay_status", 200, "{}");
    CHECK_INT(number_of(told, "clients"), 1);
    CHECK_INT(number_of(told, "events_relayed"), 1);
    json_decref(told);
    dispatch_tell_relay(dispatcher, RELAY_DROPPED, reader, "bored");
    bus_reader_close(reader);
    told = call("acme", "get_recent_events", 200, "{\"patterns\":[\"relay.client_dropped\"]}");
    CHECK_STR(text_of(json_object_get(json_array_get(json_object_get(told, "events"), 0), "data"),
                      "reason"),
              "bored");
    json_decref(told);
}

static int
ingest(const struct envelope *env, const char *body)
{
    struct fake_sink sink;
    int status;

    fake_sink_init(&sink);
    dispatch_event(dispatcher, env, slice_of(body), &sink.sink);
    fake_sink_wait(&sink);
    status = sink.status;
    fake_sink_fini(&sink);
    return status;
}

static void
tokens_must_allow_it(void **unused)
{
    struct envelope env = envelope_of(NULL);
    struct bus_reader_options options = {.wake = ignore};
    struct bus_reader_start start;
    struct bus_reader *reader;
    struct fault f;

    (void)unused;
    env.scopes = SLICE("tandem:read");
    CHECK_INT(ingest(&env, "{\"topic\":\"a\"}"), 403);
    CHECK(dispatch_read_events(dispatcher, &env, &options, &reader, &start, &f) == E_OK);
    bus_reader_close(reader);
    env.scopes = SLICE("tandem:write");
    CHECK_INT(ingest(&env, "{\"topic\":\"a\"}"), 204);
    env.scopes = SLICE("others");
    CHECK(dispatch_read_events(dispatcher, &env, &options, &reader, &start, &f) == E_SCOPE);
    CHECK(!reader && f.code == E_SCOPE);
    env = envelope_of("acme");
    env.tenants = SLICE("other");
    CHECK(dispatch_read_events(dispatcher, &env, &options, &reader, &start, &f) == E_TENANT);
    CHECK_INT(ingest(&env, "{\"topic\":\"a\"}"), 403);
    CHECK_INT(bus_stats(bus).published, 1);
    CHECK_INT(bus_stats(bus).readers, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)
        TEST(what_is_published_is_recent),  TEST(mistakes_are_told),
        TEST(filters_hold_for_all),         TEST(no_more_is_told_than_can_be_read),
        TEST(the_relay_counts_its_clients), TEST(tokens_must_allow_it),
    };
    return CHECK_RUN(tests);
}
