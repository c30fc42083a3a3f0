/* test_budget.c -- tandem sessions: exact counts from many threads, thresholds told once, one
 * session a context, files that survive a kill, and nothing of one tenant told to another. */
#include "tests/check.h"

#include "state/bus.h"
#include "state/budget.h"
#include "state/config.h"
#include "tests/fakes.h"
#include "tests/threads.h"
#include "tests/tree.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MINUTE INT64_C(60000000000)

static struct tree *tree;
static struct fake_clock fake;
static struct config *config;
static struct bus *bus;
static struct budget *budget;

static void
open_budget(char *const *environment)
{
    struct budget_options options = {.clock = &fake.clock,
                                     .config = config,
                                     .bus = bus,
                                     .dir = tree_dir(tree),
                                     .default_tenant = "home",
                                     .environment = environment};

    CHECK_INT(budget_create(&options, &budget, NULL), E_OK);
}

static int
begin(void **unused)
{
    struct settings *settings = settings_create();
    struct bus_options options = BUS_OPTIONS_INIT;

    (void)unused;
    fake_clock_init(&fake);
    tree = tree_create();
    config = config_of(settings);
    settings_unref(settings);
    options.clock = &fake.clock;
    options.history = 10000;
    bus = bus_create(&options);
    open_budget(NULL);
    return 0;
}

static int
end(void **unused)
{
    (void)unused;
    budget_destroy(budget);
    bus_destroy(bus);
    config_unref(config);
    tree_destroy(tree);
    return 0;
}

static void
restart(char *const *environment)
{
    budget_destroy(budget);
    open_budget(environment);
}

static const char *
text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static json_int_t
number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* How many events of that topic there were. */
static unsigned
events_of(const char *topic)
{
    static struct bus_event *events[10000];
    struct bus_patterns patterns = {.count = 0};
    struct bus_query query = {.patterns = &patterns, .tenant = "home"};
    size_t count;

    CHECK_INT(bus_patterns_add(&patterns, slice_of(topic), NULL), E_OK);
    count = bus_recent(bus, &query, events, 10000);
    for (size_t i = 0; i < count; i++) {
        bus_event_unref(events[i]);
    }
    bus_patterns_fini(&patterns);
    return (unsigned)count;
}

/* The id of the current session of a tenant. */
static void
current(const char *tenant, char id[BUDGET_ID_MAX + 1])
{
    json_t *told;

    CHECK_INT(budget_get(budget, tenant, NULL, &told, NULL), E_OK);
    CHECK(json_is_true(json_object_get(told, "current")));
    strcpy(id, text_of(told, "id"));
    json_decref(told);
}

static char ids[20][BUDGET_ID_MAX + 1];
static _Atomic unsigned wrong;

static void
look(void *arg, unsigned number)
{
    json_t *told;

    (void)arg;
    if (budget_get(budget, "home", NULL, &told, NULL)) {
        wrong++;
        return;
    }
    strcpy(ids[number], text_of(told, "id"));
    json_decref(told);
}

static void
session_singleton_15_threads_one_id(void **unused)
{
    (void)unused;
    wrong = 0;
    threads_run(15, look, NULL);
    CHECK_INT(wrong, 0);
    for (int i = 1; i < 15; i++) {
        CHECK_STR(ids[i], ids[0]);
    }
    CHECK_INT(strlen(ids[0]), 32); /* 128 random bits. */
    CHECK_INT(events_of("session.started"), 1);
    CHECK_INT(budget_counters(budget).started, 1);
}

static _Atomic int64_t most;

static void
count(void *arg, unsigned number)
{
    const unsigned *rounds = arg;
    int64_t last = 0;

    for (unsigned i = 0; i < *rounds; i++) {
        struct budget_use use = {.tenant = "home", .input = number + 1, .output = 1};
        json_t *told;
        int64_t used, seen;

        if (budget_count(budget, &use, &told, NULL)) {
            wrong++;
            continue;
        }
        used = number_of(told, "used_tokens");
        wrong += used < last + number + 2; /* At least its own addition behind its last one. */
        wrong += number_of(told, "total_budget") - used != number_of(told, "remaining_tokens") &&
                 number_of(told, "remaining_tokens") != 0;
        last = used;
        seen = atomic_load(&most);
        while (seen < used && !atomic_compare_exchange_weak(&most, &seen, used)) {
        }
        json_decref(told);
    }
}

static void
session_tokens_100_threads_exact_sum(void **unused)
{
    unsigned rounds = scaled(100);
    int64_t wanted = (int64_t)rounds * (100 * 101 / 2 + 100);
    json_t *told;

    (void)unused;
    wrong = 0;
    most = 0;
    threads_run(100, count, &rounds);
    CHECK_INT(wrong, 0);
    CHECK_INT(budget_metrics(budget, "home", NULL, &told, NULL), E_OK);
    CHECK_INT(number_of(told, "used_tokens"), wanted);
    CHECK_INT(number_of(told, "output_tokens"), rounds * 100);
    CHECK_INT(most, wanted);
    CHECK_INT(budget_counters(budget).tokens, wanted);
    json_decref(told);
}

static void
open_context(void *arg, unsigned number)
{
    json_t *told;

    (void)arg;
    if (budget_open(budget, "home", "review of x", true, 30 * MINUTE, &told, NULL)) {
        wrong++;
        return;
    }
    strcpy(ids[number], text_of(told, "id"));
    json_decref(told);
}

static void
session_get_or_create_20_threads(void **unused)
{
    json_t *told;

    (void)unused;
    wrong = 0;
    threads_run(20, open_context, NULL);
    CHECK_INT(wrong, 0);
    for (int i = 1; i < 20; i++) {
        CHECK_STR(ids[i], ids[0]);
    }
    told = budget_list(budget, "home", "review of x", 10);
    CHECK_INT(number_of(told, "total"), 1);
    CHECK_INT(number_of(json_array_get(json_object_get(told, "sessions"), 0), "use_count"), 20);
    json_decref(told);
    CHECK_INT(budget_counters(budget).saves, 1);
}

static void
session_threshold_event_once(void **unused)
{
    unsigned rounds = 10;
    json_t *told;

    (void)unused;
    CHECK_INT(config_set(config, SETTING_session_budget, "5000", NULL), E_OK);
    wrong = 0;
    threads_run(100, count, &rounds); /* 51,500 tokens. */
    CHECK_INT(wrong, 0);
    CHECK_INT(events_of("session.threshold"), 4);
    CHECK_INT(events_of("session.tokens"), 1000);
    restart(NULL);
    CHECK_INT(budget_metrics(budget, "home", NULL, &told, NULL), E_OK);
    CHECK_INT(number_of(told, "used_tokens"), 0); /* A random id: another session. */
    json_decref(told);
}

/* Each is told where it is reached, and not one token before. */
static void
thresholds_are_exact(void **unused)
{
    static const struct {
        int64_t tokens;
        unsigned events;
        const char *status;
    } steps[] = {{699, 0, "ok"},        {1, 1, "caution"},  {149, 1, "caution"},
                 {1, 2, "warning"},     {49, 2, "warning"}, {1, 3, "auto_pause"},
                 {49, 3, "auto_pause"}, {1, 4, "critical"}, {5000, 4, "critical"}};

    (void)unused;
    CHECK_INT(config_set(config, SETTING_session_budget, "1000", NULL), E_OK);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct budget_use use = {
            .tenant = "home", .input = steps[i].tokens, .stop_reason = "end_turn", .model = "m"};
        json_t *told;

        CHECK_INT(budget_count(budget, &use, &told, NULL), E_OK);
        CHECK_INT(events_of("session.threshold"), steps[i].events);
        CHECK_STR(text_of(told, "status"), steps[i].status);
        CHECK_STR(text_of(told, "stop_reason"), "end_turn");
        CHECK(number_of(told, "remaining_tokens") >= 0);
        json_decref(told);
    }
    CHECK_INT(config_set(config, SETTING_session_budget, "1000000", NULL), E_OK);
    CHECK_INT(config_set(config, SETTING_session_budget, "1000", NULL), E_OK);
    CHECK_INT(events_of("session.threshold"), 4);
}

static void
a_named_session_goes_on_after_a_restart(void **unused)
{
    char one[] = "ANTHROPIC_SESSION_ID=host-7", two[] = "SESSION_ID=other",
         bad[] = "CLAUDE_SESSION_ID=no good";
    char *environment[] = {two, bad, one, NULL};
    struct budget_use use = {.tenant = "home", .input = 150000};
    char id[BUDGET_ID_MAX + 1];
    json_t *told;

    (void)unused;
    restart(environment);
    current("home", id);
    CHECK_STR(id, "host-7");
    CHECK_INT(budget_count(budget, &use, &told, NULL), E_OK);
    json_decref(told);
    CHECK_INT(events_of("session.threshold"), 1);
    restart(environment);
    use.input = 1;
    CHECK_INT(budget_count(budget, &use, &told, NULL), E_OK);
    CHECK_STR(text_of(told, "session_id"), "host-7");
    CHECK_INT(number_of(told, "used_tokens"), 150001);
    CHECK_INT(events_of("session.threshold"), 1); /* It was told before the restart. */
    json_decref(told);
    CHECK_INT(budget_end(budget, "home", NULL, "done", &told, NULL), E_OK);
    json_decref(told);
    current("home", id);
    CHECK(strcmp(id, "host-7") != 0);
    current("guest", id); /* The host's id is the default tenant's. */
    CHECK_INT(strlen(id), 32);
}

static void
contexts_are_reused_in_time(void **unused)
{
    json_t *a, *b;

    (void)unused;
    CHECK_INT(budget_open(budget, "home", "c", true, 30 * MINUTE, &a, NULL), E_OK);
    CHECK(json_is_false(json_object_get(a, "reused")));
    fake_clock_pass(&fake, 30 * MINUTE);
    CHECK_INT(budget_open(budget, "home", "c", true, 30 * MINUTE, &b, NULL), E_OK);
    CHECK(json_is_true(json_object_get(b, "reused")));
    CHECK_STR(text_of(a, "id"), text_of(b, "id"));
    json_decref(b);
    fake_clock_pass(&fake, 30 * MINUTE + 1);
    CHECK_INT(budget_open(budget, "home", "c", true, 30 * MINUTE, &b, NULL), E_OK);
    CHECK(strcmp(text_of(a, "id"), text_of(b, "id")) != 0);
    json_decref(b);
    CHECK_INT(budget_open(budget, "home", "c", false, 30 * MINUTE, &b, NULL), E_OK);
    CHECK(json_is_false(json_object_get(b, "reused")));
    json_decref(b);
    CHECK_INT(budget_open(budget, "guest", "c", true, 30 * MINUTE, &b, NULL), E_OK);
    CHECK(json_is_false(json_object_get(b, "reused"))); /* Not another tenant's. */
    json_decref(b);
    b = budget_list(budget, "home", NULL, 2);
    CHECK_INT(number_of(b, "total"), 3);
    CHECK_INT(json_array_size(json_object_get(b, "sessions")), 2);
    json_decref(b);
    fake_clock_pass(&fake, 24 * 60 * MINUTE);
    b = budget_list(budget, "home", NULL, 10);
    CHECK_INT(number_of(b, "total"), 0);
    json_decref(b);
    CHECK_INT(budget_counters(budget).archived, 4);
    CHECK_INT(budget_counters(budget).expired, 4);
    json_decref(a);
}

static void
the_newest_agents_and_notes_are_kept(void **unused)
{
    char first[BUDGET_ID_MAX + 1] = "", id[BUDGET_ID_MAX + 1];
    json_t *told, *notes;
    struct fault f;

    (void)unused;
    for (int i = 0; i < BUDGET_AGENTS_MAX + 5; i++) {
        char task[120];

        snprintf(task, sizeof task, "%d: %0100d\xC3\xA9", i, 0);
        CHECK_INT(budget_record(budget, "home", NULL, "coder", task, &told, NULL), E_OK);
        json_decref(told);
    }
    CHECK_INT(budget_get(budget, "home", NULL, &told, NULL), E_OK);
    notes = json_object_get(told, "agents_run");
    CHECK_INT(json_array_size(notes), BUDGET_AGENTS_MAX);
    CHECK(strncmp(text_of(json_array_get(notes, 0), "task"), "5: ", 3) == 0);
    CHECK_INT(strlen(text_of(json_array_get(notes, 0), "task")), BUDGET_TASK_MAX);
    json_decref(told);
    for (int i = 0; i < BUDGET_NOTES_MAX + 2; i++) {
        current("home", id);
        if (!i) {
            strcpy(first, id);
        }
        CHECK_INT(budget_end(budget, "home", NULL, "where it stands", &told, NULL), E_OK);
        CHECK_STR(text_of(told, "session_id"), id);
        json_decref(told);
    }
    restart(NULL);
    notes = budget_notes(budget, "home");
    CHECK_INT(json_array_size(notes), BUDGET_NOTES_MAX);
    CHECK_STR(text_of(json_array_get(notes, 0), "session_id"), id);
    json_decref(notes);
    CHECK_INT(budget_note(budget, "home", id, &told, NULL), E_OK);
    CHECK_STR(text_of(told, "summary"), "where it stands");
    json_decref(told);
    CHECK_INT(budget_note(budget, "home", first, &told, &f), E_NOT_FOUND);
    CHECK_INT(budget_note(budget, "guest", id, &told, &f), E_NOT_FOUND);
    CHECK_INT(events_of("session.ended"), BUDGET_NOTES_MAX + 2);
}

static void
what_is_wrong_is_refused(void **unused)
{
    struct budget_use use = {.tenant = "home", .input = -1};
    char *long_text = xcalloc(1, BUDGET_SUMMARY_MAX + 2);
    char id[BUDGET_ID_MAX + 1];
    struct fault f;
    json_t *told, *other;

    (void)unused;
    memset(long_text, 'x', BUDGET_SUMMARY_MAX + 1);
    CHECK_INT(budget_count(budget, &use, &told, &f), E_ARGUMENT);
    use = (struct budget_use){.tenant = "home", .output = BUDGET_TOKENS_MAX + 1};
    CHECK_INT(budget_count(budget, &use, &told, &f), E_ARGUMENT);
    use = (struct budget_use){.tenant = "home", .id = "nobody"};
    CHECK_INT(budget_count(budget, &use, &told, &f), E_NOT_FOUND);
    CHECK_INT(budget_count(budget, &use, &told, NULL), E_NOT_FOUND);
    CHECK_INT(budget_get(budget, "home", "nobody", &told, &f), E_NOT_FOUND);
    CHECK_INT(budget_record(budget, "home", "nobody", "a", "t", &told, &f), E_NOT_FOUND);
    CHECK_INT(budget_end(budget, "home", "nobody", "s", &told, &f), E_NOT_FOUND);
    CHECK_INT(budget_end(budget, "home", NULL, long_text, &told, &f), E_TOO_LARGE);
    CHECK_INT(budget_open(budget, "home", "", true, 0, &told, &f), E_ARGUMENT);
    long_text[BUDGET_CONTEXT_MAX + 1] = '\0';
    CHECK_INT(budget_open(budget, "home", long_text, true, 0, &told, &f), E_ARGUMENT);
    CHECK_INT(budget_rename(budget, "home", "a b", &told, &f), E_ARGUMENT);
    CHECK_INT(budget_rename(budget, "home", "mine", &told, &f), E_OK);
    json_decref(told);
    current("home", id);
    CHECK_STR(id, "mine");
    CHECK_INT(budget_open(budget, "home", "c", true, 0, &told, NULL), E_OK);
    CHECK_INT(budget_rename(budget, "home", text_of(told, "id"), &other, &f), E_CONFLICT);
    json_decref(told);
    free(long_text);
}

static void
sessions_are_bounded(void **unused)
{
    struct fault f;
    json_t *told;

    (void)unused;
    fake_clock_pass(&fake, MINUTE);
    for (int i = 0; i < BUDGET_SESSIONS_MAX; i++) {
        char context[16];

        snprintf(context, sizeof context, "c%d", i);
        CHECK_INT(budget_open(budget, "home", context, true, 0, &told, NULL), E_OK);
        json_decref(told);
    }
    CHECK_INT(budget_open(budget, "home", "more", true, 0, &told, &f), E_LIMIT);
    CHECK(f.remedy[0]);
    CHECK_INT(budget_get(budget, "home", NULL, &told, &f), E_LIMIT);
    restart(NULL); /* All of them are read again. */
    CHECK_INT(budget_counters(budget).sessions, BUDGET_SESSIONS_MAX);
}

static unsigned
sessions_of(const char *tenant, const char *context)
{
    json_t *list = budget_list(budget, tenant, context, 1);
    unsigned total = (unsigned)json_integer_value(json_object_get(list, "total"));

    json_decref(list);
    return total;
}

/* Opens ten for a tenant of its own: none is refused, and none of others that have less is lost. */
static void
open_ten(void *arg, unsigned number)
{
    char tenant[16], context[16];

    snprintf(tenant, sizeof tenant, "t%u", number);
    for (unsigned i = 0; i < 10; i++) {
        json_t *told = NULL;

        snprintf(context, sizeof context, "c%u", i);
        if (budget_open(budget, tenant, context, true, 0, &told, NULL) != E_OK) {
            atomic_fetch_add((atomic_uint *)arg, 1);
        }
        json_decref(told);
    }
}

static void
who_has_most_sessions_makes_room(void **unused)
{
    const struct budget_options options = {.clock = &fake.clock, .config = config, .bus = bus};
    atomic_uint refused = 0;
    json_t *told;

    (void)unused;
    budget_destroy(budget);
    CHECK_INT(budget_create(&options, &budget, NULL), E_OK); /* With no file to write each time. */
    for (int i = 0; i < BUDGET_SESSIONS_MAX; i++) {
        char context[16];

        snprintf(context, sizeof context, "c%d", i);
        fake_clock_pass(&fake, 1000000);
        CHECK_INT(budget_open(budget, "busy", context, true, 0, &told, NULL), E_OK);
        json_decref(told);
    }
    CHECK_INT(budget_get(budget, "acme", NULL, &told, NULL), E_OK);
    json_decref(told);
    CHECK_INT(sessions_of("busy", NULL), BUDGET_SESSIONS_MAX - 1);
    CHECK_INT(sessions_of("busy", "c0"), 0); /* That was used least recently. */
    CHECK_INT(sessions_of("busy", "c1"), 1);
    threads_run(10, open_ten, &refused);
    CHECK_INT(refused, 0);
    for (unsigned i = 0; i < 10; i++) {
        char tenant[16];

        snprintf(tenant, sizeof tenant, "t%u", i);
        CHECK_INT(sessions_of(tenant, NULL), 10);
    }
    CHECK_INT(sessions_of("acme", NULL), 1);
    CHECK_INT(sessions_of("busy", NULL), BUDGET_SESSIONS_MAX - 101);
    CHECK_INT(budget_counters(budget).sessions, BUDGET_SESSIONS_MAX);
    CHECK_INT(budget_open(budget, "busy", "more", true, 0, &told, NULL), E_LIMIT);
}

static void
a_damaged_file_is_put_aside(void **unused)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{\"format\":0,\"sessions\":[],\"archive\":[],\"notes\":[]}",
        "{\"format\":1,\"sessions\":[{\"id\":\"x\"}],\"archive\":[],\"notes\":[]}",
        "{\"format\":1,\"sessions\":{},\"archive\":[],\"notes\":[]}"};

    (void)unused;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        budget_destroy(budget);
        tree_write(tree, "sessions.json", texts[i]);
        open_budget(NULL);
        CHECK_INT(budget_counters(budget).sessions, 0);
        CHECK(dir_is_file(tree_dir(tree), "sessions.json.bad"));
        CHECK(!dir_is_file(tree_dir(tree), "sessions.json"));
        tree_remove(tree, "sessions.json.bad");
    }
}

static void
a_newer_file_is_kept_for_the_server_that_wrote_it(void **unused)
{
    static const char newer[] = "{\"format\":2,\"sessions\":[],\"archive\":[],\"notes\":[]}";
    struct buf text = BUF_INIT;

    (void)unused;
    budget_destroy(budget);
    tree_write(tree, "sessions.json", newer);
    open_budget(NULL);
    CHECK_INT(budget_counters(budget).sessions, 0);
    CHECK(!dir_is_file(tree_dir(tree), "sessions.json"));
    CHECK_INT(dir_read(tree_dir(tree), "sessions.json.newer", 1024, &text, NULL, NULL), E_OK);
    CHECK_STR(text.data, newer);
    buf_fini(&text);
}

/* ---- Crashes ---- */

/* Counts and saves for ever, and says after each save how much is safe. */
static void
work_until_killed(int fd)
{
    char one[] = "SESSION_ID=crash";
    char *environment[] = {one, NULL};

    open_budget(environment);
    for (;;) {
        struct budget_use use = {.tenant = "home", .input = 1};
        int64_t used;
        json_t *told;

        if (budget_count(budget, &use, &told, NULL) || budget_save(budget, NULL)) {
            _exit(1);
        }
        used = number_of(told, "used_tokens");
        json_decref(told);
        if (write(fd, &used, sizeof used) != sizeof used) {
            _exit(1);
        }
    }
}

static void
session_crash_during_save_keeps_old_file(void **unused)
{
    char one[] = "SESSION_ID=crash";
    char *environment[] = {one, NULL};
    int64_t safe = 0;

    (void)unused;
    budget_destroy(budget);
    for (unsigned round = 0; round < scaled(60); round++) {
        int fds[2], status;
        int64_t used;
        json_t *told;
        pid_t pid;

        CHECK_INT(pipe(fds), 0);
        pid = fork();
        if (pid == 0) {
            work_until_killed(fds[1]);
        }
        close(fds[1]);
        for (unsigned i = 0; i <= round; i++) { /* Somewhere in its work. */
            CHECK_INT(read(fds[0], &used, sizeof used), sizeof used);
            safe = used;
        }
        kill(pid, SIGKILL);
        CHECK_INT(waitpid(pid, &status, 0), pid);
        CHECK(WIFSIGNALED(status));
        while (read(fds[0], &used, sizeof used) == sizeof used) {
            safe = used;
        }
        close(fds[0]);
        CHECK(!dir_is_file(tree_dir(tree), "sessions.json.bad"));
        open_budget(environment);
        CHECK_INT(budget_metrics(budget, "home", NULL, &told, NULL), E_OK);
        CHECK(number_of(told, "used_tokens") >= safe);
        CHECK(number_of(told, "used_tokens") <= safe + 1);
        json_decref(told);
        budget_destroy(budget);
    }
    open_budget(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, begin, end)
        TEST(session_singleton_15_threads_one_id),
        TEST(session_tokens_100_threads_exact_sum),
        TEST(session_get_or_create_20_threads),
        TEST(session_threshold_event_once),
        TEST(thresholds_are_exact),
        TEST(a_named_session_goes_on_after_a_restart),
        TEST(contexts_are_reused_in_time),
        TEST(the_newest_agents_and_notes_are_kept),
        TEST(what_is_wrong_is_refused),
        TEST(sessions_are_bounded),
        TEST(who_has_most_sessions_makes_room),
        TEST(a_damaged_file_is_put_aside),
        TEST(a_newer_file_is_kept_for_the_server_that_wrote_it),
        TEST(session_crash_during_save_keeps_old_file),
#undef TEST
    };
    return CHECK_RUN(tests);
}
