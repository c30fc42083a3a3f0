/* test_tool_config.c -- the settings through their tools and their resource: what they tell, what
 * they change and that it takes effect, and that they tell nobody secrets or folders. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "state/bus.h"
#include "state/config.h"
#include "tests/fakes.h"
#include "tests/tree.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct tree *tree;
static struct dir *data;
static char file[200];
static struct config *config;
static struct settings *settings;
static struct state *state;
static struct pool *pool;
static struct dispatcher *dispatcher;

/* The folder's name, for the options that want one. */
static void
name_file(void)
{
    char link[40];
    ssize_t len;

    snprintf(link, sizeof link, "/proc/self/fd/%d", dir_fd(data));
    len = readlink(link, file, sizeof file - 16);
    CHECK(len > 0);
    strcpy(file + len, "/config.json");
}

static void
begin(const char *text)
{
    struct config_options o = {.path = file, .name = file};
    struct state_options options = {.clock = clock_real(),
                                    .root_path = "/nowhere",
                                    .data_name = ".tandem",
                                    .mode = "dual",
                                    .instance = "test"};
    struct dispatch_limits limits = {.json = JSON_LIMITS_INIT,
                                     .calls = 64,
                                     .calls_per_session = 8,
                                     .call_ns = 60000000000,
                                     .calls_per_second = 0,
                                     .groups = "config"};
    struct problems problems = PROBLEMS_INIT;

    tree = tree_create();
    tree_mkdir(tree, ".tandem");
    CHECK_INT(dir_sub(tree_dir(tree), ".tandem", false, &data, NULL), E_OK);
    name_file();
    tree_write(tree, ".tandem/config.json", text);
    config_texts_add(&o.options, SETTING_root, "/home/someone/project");
    config_texts_add(&o.options, SETTING_listen, "unix:/run/someone/socket");
    config_texts_add(&o.options, SETTING_jwt_keys, "https://user:pass@keys.example.com/jwks");
    CHECK_INT(config_create(&o, &config, &problems, NULL), E_OK);
    problems_fini(&problems);
    settings = config_settings(config);
    options.settings = settings;
    options.config = config;
    options.root = tree_dir(tree);
    options.data = data;
    CHECK_INT(state_create(&options, &state, NULL), E_OK);
    pool = pool_create(2, 1, 64);
    dispatcher = dispatcher_create(state, pool, &limits);
}

static int
end(void **unused)
{
    (void)unused;
    pool_stop(pool);
    dispatcher_destroy(dispatcher);
    pool_destroy(pool);
    state_destroy(state);
    settings_unref(settings);
    config_unref(config);
    dir_unref(data);
    tree_destroy(tree);
    return 0;
}

/* The answer of a tool, new; stores its HTTP status. */
static json_t *
call(const char *tool, const char *arguments, int *status)
{
    struct envelope env = {.transport = TRANSPORT_HTTP, .principal = SLICE("p")};
    struct fake_sink sink;
    json_t *answer;

    fake_sink_init(&sink);
    dispatch_tool(dispatcher, &env, slice_of(tool), slice_of(arguments), &sink.sink);
    answer = json_loads(fake_sink_wait(&sink), 0, NULL);
    CHECK(answer != NULL);
    CHECK(!strstr(sink.body, "/home/") && !strstr(sink.body, "/tmp/") &&
          !strstr(sink.body, "pass@"));
    *status = sink.status;
    fake_sink_fini(&sink);
    return answer;
}

static void
expect(const char *tool, const char *arguments, int status, const char *members)
{
    json_t *wanted = json_loads(members, 0, NULL), *answer, *value;
    const char *key;
    int got;

    CHECK(wanted != NULL);
    answer = call(tool, arguments, &got);
    CHECK_INT(got, status);
    json_object_foreach(wanted, key, value) {
        if (!json_equal(json_object_get(answer, key), value)) {
            fail_msg("%s %s: %s is not as wanted: %s", tool, arguments, key,
                     json_dumps(answer, JSON_COMPACT));
        }
    }
    json_decref(answer);
    json_decref(wanted);
}

/* The newest of its kind that was told has that data. */
static void
expect_event(const char *wanted)
{
    struct bus_patterns patterns = {.count = 0};
    struct bus_event *event = NULL;
    struct bus_query query = {.patterns = &patterns};

    CHECK_INT(bus_patterns_add(&patterns, SLICE("config.changed"), NULL), E_OK);
    CHECK_INT(bus_recent(state_bus(state), &query, &event, 1), 1);
    if (!slice_is(event->data, wanted)) {
        fail_msg("%.*s", (int)event->text.len, event->text.data);
    }
    bus_event_unref(event);
    bus_patterns_fini(&patterns);
}

static void
values_and_where_they_come_from(void **unused)
{
    (void)unused;
    begin("{\n\"limits\": {\"calls\": 9},\n\"allow_host\": [\"a\", \"b:1\"]}");
    expect("get_config", "{\"key\":\"limits.calls\"}", 200,
           "{\"key\":\"limits.calls\",\"value\":9,\"origin\":\"file\","
           "\"where\":\".../config.json:2\",\"mutable\":false,\"version\":1}");
    expect(
        "get_config", "{\"key\":\"LIMITS-CALL_TIME\"}", 200,
        "{\"key\":\"limits.call_time\",\"value\":\"1m\",\"where\":\"default\",\"mutable\":true}");
    expect("get_config", "{\"key\":\"allow_host\"}", 200, "{\"value\":[\"a\",\"b:1\"]}");
    expect("get_config", "{\"key\":\"root\"}", 200, "{\"value\":\".../project\"}");
    expect("get_config", "{\"key\":\"listen\"}", 200, "{\"value\":\"unix:.../socket\"}");
    expect("get_config", "{\"key\":\"http_path\"}", 200, "{\"value\":\"/mcp\"}");
    expect("get_config", "{\"key\":\"jwt.keys\"}", 200,
           "{\"value\":\"https://***@keys.example.com/jwks\"}");
    expect("get_config", "{\"key\":\"limits.cals\"}", 404,
           "{\"code\":\"not_found\",\"remedy\":\"did you mean \\\"limits.calls\\\"?\"}");
    expect("get_config", "{\"key\":\"nothing.of.it\",\"default\":\"x\"}", 200,
           "{\"key\":\"nothing.of.it\",\"value\":\"x\",\"origin\":\"argument\"}");
}

static void
a_change_takes_effect_and_is_taken_back(void **unused)
{
    (void)unused;
    begin("{\"drain\": \"2s\"}");
    expect("set_config", "{\"key\":\"drain\",\"value\":\"3s\"}", 200,
           "{\"key\":\"drain\",\"value\":\"3s\",\"previous\":\"2s\",\"origin\":\"run_time\","
           "\"where\":\"set at run time\",\"version\":2}");
    expect("set_config", "{\"key\":\"drain\"}", 200,
           "{\"value\":\"2s\",\"previous\":\"3s\",\"origin\":\"file\",\"version\":3}");
    expect("set_config", "{\"key\":\"drain\",\"value\":\"2h\"}", 400,
           "{\"code\":\"invalid_argument\"}");
    expect("set_config", "{\"key\":\"listen\",\"value\":\"x\"}", 409, "{\"code\":\"wrong_state\"}");
    expect("set_config", "{\"key\":\"lsten\",\"value\":\"x\"}", 404, "{}");
    CHECK_INT(config_counters(config).version, 3);
    expect_event("{\"keys\":[\"drain\"],\"version\":3}");
}

/* The dispatcher is told: from then on one call a second is let in, with a burst of two. */
static void
the_rate_of_calls_changes_at_once(void **unused)
{
    struct rate rate = {.full_ns = 0};
    struct envelope env = {.transport = TRANSPORT_HTTP, .principal = SLICE("p"), .rate = &rate};
    int refused = 0, status;

    (void)unused;
    begin("{}");
    json_decref(call("set_config", "{\"key\":\"limits.call_rate\",\"value\":\"1\"}", &status));
    CHECK_INT(status, 200);
    for (int i = 0; i < 4; i++) {
        struct fake_sink sink;

        fake_sink_init(&sink);
        dispatch_tool(dispatcher, &env, SLICE("get_config"), SLICE("{\"key\":\"drain\"}"),
                      &sink.sink);
        fake_sink_wait(&sink);
        refused += sink.status == 429;
        fake_sink_fini(&sink);
    }
    CHECK(refused > 0);
}

static void
a_file_is_checked_and_read_anew(void **unused)
{
    (void)unused;
    begin("{\"drain\": \"2s\"}");
    tree_write(tree, ".tandem/config.json", "{\"drain\": \"3s\",\n \"groups\": [\"full\"]}");
    expect("validate_config", "{}", 200,
           "{\"valid\":true,\"errors\":[],\"warnings\":[{\"file\":\".../config.json\",\"line\":2,"
           "\"column\":0,\"message\":\"groups takes effect at the next start\"}]}");
    expect("reload_config", "{}", 200, "{\"version\":2,\"changed\":[\"drain\"]}");
    tree_write(tree, ".tandem/config.json", "{\"drain\": \"3s\",\n \"lingr\": true}");
    expect("validate_config", "{}", 200,
           "{\"valid\":false,\"errors\":[{\"file\":\".../config.json\",\"line\":2,\"column\":2,"
           "\"message\":\"unknown key \\\"lingr\\\"; did you mean \\\"linger\\\"?\"}]}");
    expect(
        "reload_config", "{}", 400,
        "{\"message\":\"config.json: unknown key \\\"lingr\\\"; did you mean \\\"linger\\\"?\"}");
    expect("get_config", "{\"key\":\"drain\"}", 200, "{\"value\":\"3s\",\"version\":2}");
    tree_remove(tree, ".tandem/config.json");
    tree_mkdir(tree, ".tandem/config.json");
    expect("validate_config", "{}", 200,
           "{\"valid\":false,\"errors\":[{\"message\":\"config.json is not a regular file\"}]}");
    expect("reload_config", "{}", 500, "{\"message\":\"config.json is not a regular file\"}");
}

static void
the_resource_tells_all(void **unused)
{
    struct envelope env = {.transport = TRANSPORT_HTTP, .principal = SLICE("p")};
    struct fake_sink sink;
    json_t *answer, *told;

    (void)unused;
    begin("{}");
    fake_sink_init(&sink);
    dispatch_resource(dispatcher, &env, SLICE("tandem://config"), &sink.sink);
    answer = json_loads(fake_sink_wait(&sink), 0, NULL);
    CHECK_INT(sink.status, 200);
    told = json_loads(json_string_value(json_object_get(
                          json_array_get(json_object_get(answer, "contents"), 0), "text")),
                      0, NULL);
    CHECK_INT(json_object_size(json_object_get(told, "settings")), SETTING_COUNT);
    CHECK(clock_parse(json_string_value(json_object_get(told, "loaded_at"))) > 0);
    CHECK(!strstr(sink.body, "/home/") && !strstr(sink.body, "pass@"));
    json_decref(told);
    json_decref(answer);
    fake_sink_fini(&sink);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(values_and_where_they_come_from, end),
        cmocka_unit_test_teardown(a_change_takes_effect_and_is_taken_back, end),
        cmocka_unit_test_teardown(the_rate_of_calls_changes_at_once, end),
        cmocka_unit_test_teardown(a_file_is_checked_and_read_anew, end),
        cmocka_unit_test_teardown(the_resource_tells_all, end),
    };
    return CHECK_RUN(tests);
}
