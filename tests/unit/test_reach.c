/* test_reach.c -- which server a command talks to, with which token; a call without any server. */
#include "server/reach.h"

#include "server/core.h"
#include "tests/check.h"

#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

static char path[64];
static struct context context;
static struct fault fault;

static int
make_project(void **unused)
{
    (void)unused;
    snprintf(path, sizeof path, "/tmp/tandem-reach-XXXXXX");
    context = (struct context)CONTEXT_INIT;
    fault = (struct fault)FAULT_INIT;
    if (!mkdtemp(path) || project_find(path, "/", NULL, &context.project, NULL)) {
        return -1;
    }
    context.settings = settings_create();
    return 0;
}

static int
remove_project(void **unused)
{
    char command[100];

    (void)unused;
    context_close(&context);
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    return system(command);
}

/* Announces a server that this process stands for. */
static void
announce(const char *transport, const char *url, const char *token)
{
    struct discovery d = {
        .transport = xstrdup(transport),
        .url = url ? xstrdup(url) : NULL,
        .token = token ? xstrdup(token) : NULL,
    };

    CHECK_INT(project_open_data(&context.project, true, NULL), E_OK);
    CHECK_INT(discovery_of_this_process(&d, NULL), E_OK);
    CHECK_INT(discovery_write(context.project.data, &d, NULL), E_OK);
    discovery_fini(&d);
}

static struct reach
find(const char *url)
{
    struct reach r;

    CHECK_INT(reach_find(&context, url, &r, &fault), E_OK);
    return r;
}

static void
nothing_is_found_and_nothing_made(void **unused)
{
    struct reach r = find(NULL);

    (void)unused;
    CHECK(!r.remote);
    CHECK_STR(r.absent.text, "the project has no .tandem folder");
    CHECK(!context.project.data);
    reach_fini(&r);
    CHECK_INT(project_open_data(&context.project, true, NULL), E_OK);
    r = find(NULL);
    CHECK(!r.remote);
    CHECK_STR(r.absent.text, "there is no server.json");
    CHECK(!dir_is_file(context.project.data, "token"));
    reach_fini(&r);
}

static void
discovery_names_the_server_and_the_token(void **unused)
{
    struct reach r;

    (void)unused;
    announce("dual", "http://127.0.0.1:4242/mcp", "sesame");
    r = find(NULL);
    CHECK(r.remote);
    CHECK_STR(r.token, "sesame");
    CHECK_STR(r.target.host, "127.0.0.1:4242");
    reach_fini(&r);
    announce("http", "http://127.0.0.1:4242/mcp", NULL); /* --auth none */
    r = find(NULL);
    CHECK(r.remote);
    CHECK(!r.token);
    reach_fini(&r);
    announce("http", "http://elsewhere:1/mcp", NULL);
    CHECK_INT(reach_find(&context, NULL, &r, &fault), E_ARGUMENT);
    CHECK(!r.remote);
    reach_fini(&r);
}

static void
a_stdio_server_cannot_be_reached(void **unused)
{
    struct reach r;

    (void)unused;
    announce("stdio", NULL, NULL);
    r = find(NULL);
    CHECK(!r.remote);
    CHECK_INT(r.discovery.pid, getpid());
    CHECK(strstr(r.absent.text, "serves its standard input only"));
    reach_fini(&r);
}

static void
variables_name_the_server_and_the_token(void **unused)
{
    struct reach r;

    (void)unused;
    announce("dual", "http://127.0.0.1:4242/mcp", "sesame");
    setenv(CLIENT_TOKEN, "issued", 1);
    r = find(NULL); /* As for --auth jwt: server.json has no token for that. */
    CHECK_STR(r.url, "http://127.0.0.1:4242/mcp");
    CHECK_STR(r.token, "issued");
    reach_fini(&r);
    setenv(CLIENT_URL, "http://192.0.2.1:7/mcp", 1);
    r = find(NULL);
    CHECK_STR(r.target.host, "192.0.2.1:7");
    CHECK_STR(r.token, "issued");
    reach_fini(&r);
    r = find("http://192.0.2.2:8/");
    CHECK_STR(r.url, "http://192.0.2.2:8/");
    reach_fini(&r);
    setenv(CLIENT_TOKEN, "two\r\nlines", 1);
    CHECK_INT(reach_find(&context, NULL, &r, &fault), E_ARGUMENT);
    CHECK(strstr(fault.text, CLIENT_TOKEN));
    reach_fini(&r);
    setenv(CLIENT_TOKEN, "", 1); /* As good as none. */
    setenv(CLIENT_URL, "http://127.0.0.1:7/", 1);
    r = find(NULL);
    CHECK_STR(r.token, "sesame");
    reach_fini(&r);
    unsetenv(CLIENT_TOKEN);
    unsetenv(CLIENT_URL);
}

static void
the_token_stays_on_this_machine(void **unused)
{
    char token[TOKEN_SIZE];
    struct reach r;

    (void)unused;
    CHECK_INT(project_open_data(&context.project, true, NULL), E_OK);
    CHECK_INT(discovery_token(context.project.data, token, NULL), E_OK);
    r = find("http://127.0.0.1:1/");
    CHECK(r.remote);
    CHECK_STR(r.token, token);
    reach_fini(&r);
    r = find("http://192.0.2.1:1/");
    CHECK(r.remote);
    CHECK(!r.token);
    reach_fini(&r);
    announce("http", "http://127.0.0.1:1/", "its own");
    r = find("http://localhost:1/");
    CHECK_STR(r.token, "its own");
    reach_fini(&r);
    announce("http", "http://127.0.0.1:1/", NULL);
    r = find("http://localhost:1/");
    CHECK_STR(r.token, token);
    reach_fini(&r);
    CHECK_INT(reach_find(&context, "nonsense", &r, &fault), E_ARGUMENT);
    reach_fini(&r);
}

static void
a_token_that_the_settings_name_is_shown(void **unused)
{
    static const char given[] = "fedcba9876543210fedcba9876543210";
    struct reach r;

    (void)unused;
    setenv("TEST_REACH_TOKEN", given, 1);
    CHECK_INT(settings_set(context.settings, SETTING_token_file, "env:TEST_REACH_TOKEN",
                           ORIGIN_OPTION, NULL),
              E_OK);
    r = find("http://127.0.0.1:1/");
    CHECK_STR(r.token, given);
    reach_fini(&r);
    r = find("http://192.0.2.1:1/");
    CHECK(!r.token);
    reach_fini(&r);
    announce("http", "http://127.0.0.1:1/mcp", NULL); /* One that keeps it to itself. */
    r = find(NULL);
    CHECK_STR(r.token, given);
    reach_fini(&r);
    announce("http", "http://127.0.0.1:1/mcp", "its own");
    r = find(NULL);
    CHECK_STR(r.token, "its own");
    reach_fini(&r);
    unsetenv("TEST_REACH_TOKEN"); /* The server says so, if it asks for one. */
    announce("http", "http://127.0.0.1:1/mcp", NULL);
    r = find(NULL);
    CHECK(r.remote && !r.token);
    reach_fini(&r);
}

static void
a_data_folder_that_is_a_link_is_told(void **unused)
{
    char link[100];
    struct reach r;

    (void)unused;
    snprintf(link, sizeof link, "%s/.tandem", path);
    CHECK_INT(symlink("/tmp", link), 0);
    CHECK(reach_find(&context, NULL, &r, &fault) != E_OK);
    CHECK(strstr(fault.text, ".tandem"));
    reach_fini(&r);
}

static void
a_tool_is_called_without_a_server(void **unused)
{
    struct core core;
    struct buf out = BUF_INIT;
    json_t *answer;

    (void)unused;
    CHECK_INT(project_open_data(&context.project, true, NULL), E_OK);
    CHECK_INT(core_open(&(struct core_options){&context, "call", "an instance", NULL, NULL}, &core,
                        &fault),
              E_OK);
    CHECK_INT(core_call(&core, SLICE("get_server_info"), SLICE("{}"), &out), 200);
    answer = json_loadb(out.data, out.len, 0, NULL);
    CHECK_STR(json_string_value(json_object_get(json_object_get(answer, "server"), "instance")),
              "an instance");
    json_decref(answer);
    buf_reset(&out);
    CHECK_INT(core_call(&core, SLICE("no_such_tool"), SLICE("{}"), &out), 404);
    CHECK(strstr(out.data, "no_such_tool"));
    buf_reset(&out);
    CHECK(core_call(&core, SLICE("current_date"), SLICE("["), &out) >= 400);
    CHECK(strstr(out.data, "\"message\""));
    buf_fini(&out);
    core_close(&core);
    core_close(&core);
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, make_project, remove_project)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_found_and_nothing_made),
        TEST(discovery_names_the_server_and_the_token),
        TEST(a_stdio_server_cannot_be_reached),
        TEST(the_token_stays_on_this_machine),
        TEST(a_token_that_the_settings_name_is_shown),
        TEST(a_data_folder_that_is_a_link_is_told),
        TEST(a_tool_is_called_without_a_server),
        TEST(variables_name_the_server_and_the_token),
    };
    json_object_seed(0);
    return CHECK_RUN(tests);
}
