/* test_config.c -- settings from file, environment and options: precedence, places, reloads. */
#include "state/config.h"

#include "tests/check.h"
#include "tests/threads.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/tandem-config-XXXXXX";
static char path[64];

static int
make_folder(void **unused)
{
    (void)unused;
    if (!mkdtemp(folder)) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/config.json", folder);
    return 0;
}

static int
remove_folder(void **unused)
{
    (void)unused;
    unlink(path);
    return rmdir(folder);
}

static void
write_file(const char *text)
{
    char temp[80];
    FILE *file;

    snprintf(temp, sizeof temp, "%s.new", path);
    file = fopen(temp, "w");
    CHECK(file != NULL);
    fputs(text, file);
    fclose(file);
    CHECK_INT(rename(temp, path), 0);
}

/* Builds with 'text' as the file (null: none). */
static enum err
load(const char *text, char *const *variables, const char *option, struct config **c,
     struct problems *problems, struct fault *f)
{
    struct config_options o = {.path = path, .name = ".tandem/config.json"};

    unlink(path);
    if (text) {
        write_file(text);
    }
    config_texts_from_environment(&o.environment, variables, problems);
    if (option) {
        config_texts_add(&o.options, SETTING_drain, option);
    }
    return config_create(&o, c, problems, f);
}

static void
defaults_hold_without_sources(void **unused)
{
    struct config *c;
    struct settings *s;

    (void)unused;
    CHECK_INT(load(NULL, NULL, NULL, &c, NULL, NULL), E_OK);
    s = config_settings(c);
    CHECK_INT(s->drain, INT64_C(5000000000));
    CHECK_INT(s->limits_message, 1 << 20);
    CHECK_STR(s->listen, "127.0.0.1");
    CHECK_INT(s->auth, AUTH_TOKEN);
    CHECK_INT(s->version, 1);
    settings_unref(s);
    config_unref(c);
    config_unref(NULL);
}

static void
later_sources_win(void **unused)
{
    static const char file[] = "{\"drain\": \"1s\", \"limits\": {\"json_depth\": 65, "
                               "\"message\": \"2MiB\", \"calls\": 9}, \"linger\": true}";
    char one[] = "TANDEM_DRAIN=2s", two[] = "TANDEM_LIMITS_MESSAGE=3MiB", three[] = "PATH=/bin";
    char empty[] = "TANDEM_LIMITS_CALLS=";
    char *variables[] = {one, two, three, empty, NULL};
    struct config *c;
    struct settings *s;

    (void)unused;
    CHECK_INT(load(file, variables, "3s", &c, NULL, NULL), E_OK);
    s = config_settings(c);
    CHECK_INT(s->drain, INT64_C(3000000000));
    CHECK_INT(s->origins[SETTING_drain], ORIGIN_OPTION);
    CHECK_INT(s->limits_message, 3 << 20);
    CHECK_INT(s->origins[SETTING_limits_message], ORIGIN_ENVIRONMENT);
    CHECK_INT(s->limits_json_depth, 65);
    CHECK_INT(s->limits_calls, 9);
    CHECK(s->linger);
    CHECK_INT(s->origins[SETTING_limits_calls], ORIGIN_FILE);
    CHECK_INT(s->origins[SETTING_auth], ORIGIN_DEFAULT);
    settings_unref(s);
    config_unref(c);
}

static void
lists_add_up(void **unused)
{
    struct config_texts t = {.text = {NULL}};

    (void)unused;
    config_texts_add(&t, SETTING_allow_host, "a");
    config_texts_add(&t, SETTING_allow_host, "b,c");
    CHECK_STR(t.text[SETTING_allow_host], "a,b,c");
    config_texts_add(&t, SETTING_listen, "a");
    config_texts_add(&t, SETTING_listen, "b");
    CHECK_STR(t.text[SETTING_listen], "b");
    config_texts_fini(&t);
    CHECK(!t.text[SETTING_listen]);
}

/* The first problem of a file's text, as "line:column: text". */
static const char *
problem_of(const char *text)
{
    static char out[600];
    struct problems p = PROBLEMS_INIT;

    config_check(slice_of(text), "c.json", &p);
    if (p.count == 0) {
        strcpy(out, "none");
    } else {
        CHECK_STR(p.items[0].file, "c.json");
        snprintf(out, sizeof out, "%u:%u:%s %s", p.items[0].line, p.items[0].column,
                 p.items[0].severity == PROBLEM_ERROR ? "" : " warning:", p.items[0].text);
    }
    problems_fini(&p);
    return out;
}

static void
mistakes_have_their_place(void **unused)
{
    static const struct {
        const char *file, *problem;
    } cases[] = {
        {"{}", "none"},
        {" \n {\n}\n", "none"},
        {"{\"$schema\": \"x\"}", "none"},
        {"{\n  \"lisen\": \"x\"\n}", "2:3: unknown key \"lisen\"; did you mean \"listen\"?"},
        {"{\"limits\": {\n\t\"mesage\": 1}}",
         "2:2: unknown key \"limits.mesage\"; did you mean \"limits.message\"?"},
        {"{\"zzzzzzzz\": {\"a\": [1, {\"}\": \"\\\"{\"}]}}",
         "1:2: unknown key \"zzzzzzzz\"; \"tandem settings\" lists all that there are"},
        {"{\"limits\": 5}",
         "1:2: unknown key \"limits\"; \"tandem settings\" lists all that there are"},
        {"{\"drain\": \"5s\",\n \"drain\": \"6s\"}",
         "2:8: not JSON: duplicate object key near '\"drain\"'"},
        {"{\"limits\": {\"calls\": 5},\n \"limits.calls\": 6}",
         "2:2: limits.calls was given already, in line 1"},
        {"{\n\"drain\":\n   5}", "3:4: drain: \"5\" is not a time such as 500ms, 10s, 30m"},
        {"{\"drain\": \"61s\"}", "1:11: drain: 61s is not within 0s to 1m"},
        {"{\"drain\": 1.5}", "1:11: drain must be a string such as \"10s\""},
        {"{\"drain\": null}", "1:11: drain must be a string such as \"10s\""},
        {"{\"linger\": 1}", "1:12: linger must be true or false"},
        {"{\"listen\": 4242}", "1:12: listen must be a string"},
        {"{\"auth\": \"jtw\"}", "1:10: auth: \"jtw\" is not one of none|token|jwt"},
        {"{\"groups\": [\"a,b\"]}", "1:12: groups must be an array of strings without commas"},
        {"{\"groups\": [1]}", "1:12: groups must be an array of strings without commas"},
        {"{\"root\": \"/x\"}", "1:2: root cannot be set in the file, only at the start"},
        {"{\"ports\": {\"first\": 9000}}", "0:0: ports.first (9000) is above ports.last (5242)"},
        {"[1]", "1:1: the file must be one JSON object"},
        {"{\"mcp\": {\"http_port\": 0}}", "1:23: mcp.http_port must be a number from 1 to 65535"},
        {"{\"mcp\": {\"http_port\": \"1\"}}",
         "1:23: mcp.http_port must be a number from 1 to 65535"},
        {"{\"mcp\": {\"http_host\": 1}}", "1:23: mcp.http_host must be a string"},
        {"{\"mcp\": {\"max_tools_warning\": 20}}",
         "1:10: warning: mcp.max_tools_warning means nothing to tandem"},
        {"{\"rag\": {\"standard_path\": \"x\"}}",
         "1:10: unknown key \"rag.standard_path\"; did you mean \"rag.standards_path\"?"},
        {"{\"\xc3\xa9\xc3\xa9\": 1}",
         "1:2: unknown key \"\xc3\xa9\xc3\xa9\"; \"tandem settings\" lists all that there are"},
        {"{\"listen\": \"\xc3\xa9\xc3\xa9\\\\\", \"nope\": 1}",
         "1:20: unknown key \"nope\"; \"tandem settings\" lists all that there are"},
        {"{\"limits\": {\"calls\": true}}", "1:22: limits.calls must be a whole number"},
        {"{\"limits\": {\"message\": {}}}",
         "1:24: limits.message must be a number, or a string as \"1MiB\""},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_STR(problem_of(cases[i].file), cases[i].problem);
    }
}

static void
broken_json_names_line_and_column(void **unused)
{
    struct problems p = PROBLEMS_INIT;
    struct config *c;
    struct fault f = FAULT_INIT;

    (void)unused;
    CHECK_INT(load("{\n  \"drain\": \"1s\",\n  \"linger\": tru\n}", NULL, NULL, &c, &p, &f),
              E_ARGUMENT);
    CHECK(!c);
    CHECK_INT(f.line, 3);
    CHECK(f.column > 0);
    CHECK(strstr(f.text, ".tandem/config.json: not JSON"));
    CHECK(strstr(f.remedy, "tandem settings"));
    CHECK_INT(p.errors, 1);
    CHECK_INT(load("", NULL, NULL, &c, NULL, &f), E_ARGUMENT);
    CHECK_INT(load("   \n", NULL, NULL, &c, NULL, &f), E_ARGUMENT);
    problems_fini(&p);
}

static void
every_mistake_is_told_at_once(void **unused)
{
    char one[] = "TANDEM_DRAIN=never", two[] = "TANDEM_LIMITS_CALL=5", three[] = "TANDEM_XQ=5",
         clients[] = "TANDEM_URL=http://127.0.0.1:1/mcp";
    char *variables[] = {one, two, three, clients, NULL};
    struct problems p = PROBLEMS_INIT;
    struct config *c;
    struct fault f = FAULT_INIT;

    (void)unused;
    CHECK_INT(load("{\"lnger\": true, \"auth\": \"x\"}", variables, "1y", &c, &p, &f), E_ARGUMENT);
    CHECK_INT(p.errors, 4);
    CHECK_INT(p.count, 6);
    CHECK_STR(p.items[0].text,
              "no setting has the variable TANDEM_LIMITS_CALL; did you mean TANDEM_LIMITS_CALLS?");
    CHECK_STR(p.items[1].text, "no setting has the variable TANDEM_XQ");
    CHECK_INT(p.items[0].severity, PROBLEM_WARNING);
    CHECK_STR(p.items[4].file, "environment");
    CHECK_STR(p.items[5].file, "command line");
    CHECK(strstr(f.text, "lnger"));
    problems_fini(&p);
}

static void
bounds_hold_for_every_number(void **unused)
{
    (void)unused;
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct setting_row *row = setting_row((enum setting)i);
        char text[160];

        if (row->type == SETTING_UINT) {
            unsigned most = (unsigned)atol(row->most), least = (unsigned)atol(row->least);
            snprintf(text, sizeof text, "{\"%s\": %u}", row->key, most + 1);
            CHECK(strstr(problem_of(text), "is not within"));
            snprintf(text, sizeof text, "{\"%s\": %u}", row->key, most);
            CHECK(!strstr(problem_of(text), "is not within"));
            snprintf(text, sizeof text, "{\"%s\": %u}", row->key, least);
            CHECK(!strstr(problem_of(text), "is not within"));
            snprintf(text, sizeof text, "{\"%s\": %d}", row->key, (int)least - 1);
            CHECK(strstr(problem_of(text), "is not"));
        }
    }
}

static void
praxis_sections_are_understood(void **unused)
{
    static const char file[] =
        "{\"rag\": {\"standards_path\": \".praxis-os/standards\", \"workflows_path\": \"w\",\n"
        "  \"index_path\": \"i\", \"embedding_model\": \"m\"},\n"
        " \"mcp\": {\"http_port\": 4300, \"http_host\": \"::1\", \"http_path\": \"/x\",\n"
        "  \"enabled_tool_groups\": [\"rag\", \"workflow\"]}}";
    struct problems p = PROBLEMS_INIT;
    struct config *c;
    struct settings *s;

    (void)unused;
    CHECK_INT(load(file, NULL, NULL, &c, &p, NULL), E_OK);
    CHECK_INT(p.count, 1); /* Nothing here has use for the other keys of rag. */
    s = config_settings(c);
    CHECK_STR(s->workflows_path, "w");
    CHECK_STR(s->standards_path, ".praxis-os/standards");
    CHECK_STR(s->index_path, "i");
    CHECK_STR(s->listen, "[::1]:4300");
    CHECK_STR(s->http_path, "/x");
    CHECK_STR(s->groups, "rag,workflow");
    settings_unref(s);
    config_unref(c);
    problems_fini(&p);

    CHECK_INT(
        load("{\"mcp\": {\"http_port\": 4300, \"http_host\": \"a\"}, \"mcp.http_host\": \"b\"}",
             NULL, NULL, &c, NULL, NULL),
        E_OK);
    s = config_settings(c);
    CHECK_STR(s->listen, "b:4300");
    settings_unref(s);
    config_unref(c);
    CHECK_INT(
        load("{\"listen\": \"h\", \"mcp\": {\"http_host\": \"a\"}}", NULL, NULL, &c, NULL, NULL),
        E_OK);
    s = config_settings(c);
    CHECK_STR(s->listen, "h");
    settings_unref(s);
    config_unref(c);
}

static void
files_that_cannot_be_read(void **unused)
{
    struct config_options o = {.path = path, .name = "x.json", .required = true};
    struct config *c;
    struct fault f = FAULT_INIT;
    char *large;

    (void)unused;
    unlink(path);
    CHECK_INT(config_create(&o, &c, NULL, &f), E_NOT_FOUND);
    CHECK(strstr(f.text, "x.json"));
    o.path = "/tmp";
    CHECK_INT(config_create(&o, &c, NULL, &f), E_IO);
    o.path = path;
    CHECK_INT(mkfifo(path, 0600), 0); /* Must not wait for a writer. */
    CHECK_INT(config_create(&o, &c, NULL, &f), E_IO);
    unlink(path);

    large = malloc(CONFIG_FILE_MAX + 2);
    memset(large, ' ', CONFIG_FILE_MAX + 1);
    memcpy(large, "{}", 2);
    large[CONFIG_FILE_MAX + 1] = '\0';
    write_file(large);
    CHECK_INT(config_create(&o, &c, NULL, &f), E_TOO_LARGE);
    large[CONFIG_FILE_MAX] = '\0';
    write_file(large);
    CHECK_INT(config_create(&o, &c, NULL, &f), E_OK);
    config_unref(c);
    free(large);
}

static void
config_bad_file_keeps_old(void **unused)
{
    struct config *c;
    struct settings *s, *t;
    struct fault f = FAULT_INIT;

    (void)unused;
    CHECK_INT(load("{\"drain\": \"1s\"}", NULL, NULL, &c, NULL, NULL), E_OK);
    s = config_settings(c);
    write_file("{\"drain\": ");
    CHECK_INT(config_reload(c, NULL, &f), E_ARGUMENT);
    t = config_settings(c);
    CHECK(s == t);
    settings_unref(t);
    write_file("{\"drain\": \"2s\"}");
    CHECK_INT(config_reload(c, NULL, &f), E_OK);
    t = config_settings(c);
    CHECK_INT(t->drain, INT64_C(2000000000));
    CHECK_INT(t->version, 2);
    CHECK_INT(s->drain, INT64_C(1000000000)); /* Who holds it, keeps it. */
    settings_unref(s);
    settings_unref(t);
    config_unref(c);
}

#define READERS 6
#define RELOADS 500 /* By each of two threads. */
struct reading {
    struct config *config;
    pthread_barrier_t barrier;
    _Atomic bool done;
    _Atomic unsigned torn, back, failed;
};

static void *
read_snapshots(void *arg)
{
    struct reading *r = arg;
    uint64_t last = 0;

    pthread_barrier_wait(&r->barrier);
    while (!atomic_load(&r->done)) {
        struct settings *s = config_settings(r->config);
        /* The file always gives both the same number. */
        if (s->drain != s->limits_call_rate * INT64_C(1000000)) {
            atomic_fetch_add(&r->torn, 1);
        }
        if (s->version < last) {
            atomic_fetch_add(&r->back, 1);
        }
        last = s->version;
        settings_unref(s);
    }
    return NULL;
}

static void *
reload_often(void *arg)
{
    struct reading *r = arg;

    pthread_barrier_wait(&r->barrier);
    for (int i = 0; i < RELOADS; i++) {
        if (config_reload(r->config, NULL, NULL)) {
            atomic_fetch_add(&r->failed, 1);
        }
    }
    return NULL;
}

static void
config_readers_during_1000_reloads_never_torn(void **unused)
{
    struct reading r = {.torn = 0};
    pthread_t readers[READERS], writers[2];
    struct settings *s;

    (void)unused;
    CHECK_INT(load("{\"drain\": \"7ms\", \"limits\": {\"call_rate\": 7}}", NULL, NULL, &r.config,
                   NULL, NULL),
              E_OK);
    pthread_barrier_init(&r.barrier, NULL, READERS + 3);
    for (int i = 0; i < READERS; i++) {
        pthread_create(&readers[i], NULL, read_snapshots, &r);
    }
    for (int i = 0; i < 2; i++) {
        pthread_create(&writers[i], NULL, reload_often, &r);
    }
    pthread_barrier_wait(&r.barrier);
    for (unsigned i = 1; i <= 100; i++) {
        char text[80];
        snprintf(text, sizeof text, "{\"drain\": \"%ums\", \"limits\": {\"call_rate\": %u}}", i, i);
        write_file(text);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(writers[i], NULL);
    }
    atomic_store(&r.done, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i], NULL);
    }
    pthread_barrier_destroy(&r.barrier);
    CHECK_INT(r.torn, 0);
    CHECK_INT(r.back, 0);
    CHECK_INT(r.failed, 0);
    CHECK_INT(config_reload(r.config, NULL, NULL), E_OK);
    s = config_settings(r.config);
    CHECK_INT(s->limits_call_rate, 100);
    CHECK_INT(s->version, 2 + 2 * RELOADS); /* Each of 1001 reloads took effect once. */
    settings_unref(s);
    config_unref(r.config);
}

/* What came with the start and what a running server can change, each from its own place. */
static void
origins_are_told(void **unused)
{
    char one[] = "TANDEM_LIMITS_CALL_RATE=9";
    char *variables[] = {one, NULL};
    static const struct {
        enum setting setting;
        const char *where;
    } cases[] = {{SETTING_listen, ".tandem/config.json:3"},
                 {SETTING_limits_calls, ".tandem/config.json:2"},
                 {SETTING_limits_call_rate, "TANDEM_LIMITS_CALL_RATE"},
                 {SETTING_drain, "--drain"},
                 {SETTING_auth, "default"},
                 {SETTING_linger, "set at run time"}};
    struct config *c;
    struct settings *s;

    (void)unused;
    CHECK_INT(load("{\n\"limits\": {\"calls\": 9},\n\"mcp\": {\"http_port\": 4300}}", variables,
                   "3s", &c, NULL, NULL),
              E_OK);
    CHECK_INT(config_set(c, SETTING_linger, "true", NULL), E_OK);
    s = config_settings(c);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf where = BUF_INIT;

        settings_show_origin(s, cases[i].setting, &where);
        CHECK_STR(where.data, cases[i].where);
        buf_fini(&where);
    }
    settings_unref(s);
    config_unref(c);
}

static void
what_is_set_at_run_time_wins_until_it_is_taken_back(void **unused)
{
    struct config *c;
    struct settings *s;
    struct fault f = FAULT_INIT;

    (void)unused;
    CHECK_INT(load("{\"drain\": \"1s\"}", NULL, "2s", &c, NULL, NULL), E_OK);
    CHECK_INT(config_set(c, SETTING_drain, "3s", &f), E_OK);
    CHECK_INT(config_set(c, SETTING_drain, "61s", &f), E_ARGUMENT); /* Refused, not bent. */
    CHECK(strstr(f.text, "0s to 1m"));
    CHECK_INT(config_set(c, SETTING_listen, "localhost", &f), E_STATE);
    CHECK(f.remedy[0]);
    CHECK_INT(config_reload(c, NULL, NULL), E_OK);
    s = config_settings(c);
    CHECK_INT(s->drain, INT64_C(3000000000));
    CHECK_INT(s->version, 3);
    CHECK_INT(s->origins[SETTING_drain], ORIGIN_RUN_TIME);
    settings_unref(s);
    CHECK_INT(config_set(c, SETTING_drain, NULL, &f), E_OK);
    s = config_settings(c);
    CHECK_INT(s->drain, INT64_C(2000000000));
    CHECK_INT(s->origins[SETTING_drain], ORIGIN_OPTION);
    settings_unref(s);
    config_unref(c);
}

static void
what_needs_a_restart_waits_for_it(void **unused)
{
    struct problems p = PROBLEMS_INIT;
    struct config *c;
    struct settings *s;

    (void)unused;
    CHECK_INT(load("{\"linger\": false}", NULL, NULL, &c, NULL, NULL), E_OK);
    write_file("{\"linger\": true,\n \"listen\": \"localhost\"}");
    CHECK_INT(config_validate(c, NULL, NULL), E_OK);
    s = config_settings(c);
    CHECK(!s->linger);
    CHECK_INT(s->version, 1);
    settings_unref(s);
    CHECK_INT(config_reload(c, &p, NULL), E_OK);
    s = config_settings(c);
    CHECK(s->linger);
    CHECK_STR(s->listen, "127.0.0.1");
    CHECK_INT(s->origins[SETTING_listen], ORIGIN_DEFAULT);
    settings_unref(s);
    CHECK_INT(p.count, 1);
    CHECK_INT(p.items[0].line, 2);
    CHECK_STR(p.items[0].text, "listen takes effect at the next start");
    problems_fini(&p);
    config_unref(c);
}

/* Two settings that exclude each other cannot be had one after the other either. */
static void
a_change_is_checked_with_all_others(void **unused)
{
    struct config *c;
    struct fault f = FAULT_INIT;

    (void)unused;
    CHECK_INT(load("{}", NULL, NULL, &c, NULL, NULL), E_OK);
    write_file("{\"drain\": \"1s\", \"linger\": 3}");
    CHECK_INT(config_validate(c, NULL, &f), E_ARGUMENT);
    CHECK_INT(config_set(c, SETTING_drain, NULL, &f), E_ARGUMENT); /* It would read the file. */
    CHECK_INT(config_counters(c).version, 1);
    CHECK_INT(config_counters(c).refused, 2);
    CHECK_INT(config_counters(c).reads, 3);
    config_unref(c);
}

struct heard {
    _Atomic unsigned calls, wrong;
    uint64_t version;
    unsigned keys;
    _Atomic bool inside;
};

static void
hear(void *arg, const struct settings *now, const bool keys[SETTING_COUNT])
{
    struct heard *h = arg;

    h->wrong += atomic_exchange(&h->inside, true) || now->version <= h->version;
    h->version = now->version;
    h->calls++;
    h->keys = 0;
    for (int i = 0; i < SETTING_COUNT; i++) {
        h->keys += keys[i];
    }
    atomic_store(&h->inside, false);
}

static void
listeners_are_told_what_changed(void **unused)
{
    struct heard h = {.calls = 0};
    struct config *c;

    (void)unused;
    CHECK_INT(load("{}", NULL, NULL, &c, NULL, NULL), E_OK);
    config_listen(c, hear, &h);
    CHECK_INT(config_reload(c, NULL, NULL), E_OK);
    CHECK_INT(h.calls, 0); /* Nothing is different. */
    CHECK_INT(config_set(c, SETTING_drain, "3s", NULL), E_OK);
    CHECK(h.calls == 1 && h.keys == 1 && h.version == 3);
    config_deafen(c, hear, &h);
    CHECK_INT(config_set(c, SETTING_drain, "4s", NULL), E_OK);
    CHECK_INT(h.calls, 1);
    config_unref(c);
}

static struct config *shared;

static void
set_often(void *arg, unsigned number)
{
    (void)arg;
    for (unsigned i = 0; i < 50; i++) {
        char text[16];

        snprintf(text, sizeof text, "%u", number * 100 + i + 1);
        config_set(shared, SETTING_limits_call_rate, text, NULL);
    }
}

/* One listener at a time, never back to an older snapshot, and the last one is heard. */
static void
listeners_end_with_the_newest(void **unused)
{
    struct heard h = {.calls = 0};

    (void)unused;
    CHECK_INT(load("{}", NULL, NULL, &shared, NULL, NULL), E_OK);
    config_listen(shared, hear, &h);
    threads_run(8, set_often, NULL);
    CHECK_INT(h.wrong, 0);
    CHECK_INT(h.version, 401);
    CHECK_INT(config_counters(shared).version, 401);
    config_unref(shared);
}

static _Atomic unsigned different;

static void
look(void *arg, unsigned number)
{
    struct settings *s = config_settings(shared);

    (void)number;
    different += s != arg || s->drain != INT64_C(1000000000);
    settings_unref(s);
}

/* The sources are read once, by whoever makes it; all threads see that one snapshot. */
static void
config_init_once_10_threads(void **unused)
{
    struct settings *s;

    (void)unused;
    CHECK_INT(load("{\"drain\": \"1s\"}", NULL, NULL, &shared, NULL, NULL), E_OK);
    s = config_settings(shared);
    different = 0;
    threads_run(10, look, s);
    CHECK_INT(different, 0);
    CHECK_INT(config_counters(shared).reads, 1);
    settings_unref(s);
    config_unref(shared);
}

static void
secrets_are_not_shown(void **unused)
{
    (void)unused;
    for (int i = 0; i < SETTING_COUNT; i++) {
        if (setting_row((enum setting)i)->type == SETTING_SECRET) {
            struct settings *s = settings_create();
            struct buf shown = BUF_INIT;

            CHECK_INT(settings_set(s, (enum setting)i, "hush", ORIGIN_FILE, NULL), E_OK);
            settings_show(s, (enum setting)i, &shown);
            CHECK_STR(shown.data, "(secret)");
            buf_fini(&shown);
            settings_unref(s);
        }
    }
}

static void
the_markdown_has_a_row_each(void **unused)
{
    struct buf b = BUF_INIT;
    unsigned lines = 0;

    (void)unused;
    config_markdown(&b);
    CHECK(!b.failed);
    for (const char *p = b.data; *p; p++) {
        lines += *p == '\n';
    }
    CHECK_INT(lines, SETTING_COUNT + 2);
    CHECK(strstr(b.data, "| `limits.message` | BYTES | `1MiB` | 4KiB to 16MiB | "));
    CHECK(strstr(b.data, "| `auth` | none\\|token\\|jwt | `token` | "));
    CHECK(strstr(b.data, "| `root` | DIR | |  | "));
    buf_fini(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_hold_without_sources),
        cmocka_unit_test(later_sources_win),
        cmocka_unit_test(lists_add_up),
        cmocka_unit_test(mistakes_have_their_place),
        cmocka_unit_test(broken_json_names_line_and_column),
        cmocka_unit_test(every_mistake_is_told_at_once),
        cmocka_unit_test(bounds_hold_for_every_number),
        cmocka_unit_test(praxis_sections_are_understood),
        cmocka_unit_test(files_that_cannot_be_read),
        cmocka_unit_test(config_bad_file_keeps_old),
        cmocka_unit_test(config_readers_during_1000_reloads_never_torn),
        cmocka_unit_test(origins_are_told),
        cmocka_unit_test(what_is_set_at_run_time_wins_until_it_is_taken_back),
        cmocka_unit_test(what_needs_a_restart_waits_for_it),
        cmocka_unit_test(a_change_is_checked_with_all_others),
        cmocka_unit_test(listeners_are_told_what_changed),
        cmocka_unit_test(listeners_end_with_the_newest),
        cmocka_unit_test(config_init_once_10_threads),
        cmocka_unit_test(secrets_are_not_shown),
        cmocka_unit_test(the_markdown_has_a_row_each),
    };
    json_object_seed(0);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
