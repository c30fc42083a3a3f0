/* cmd_demo.c -- "tandem demo": the main job in front of your eyes.
 *
 * A real server on a copy of the example project; an IDE on its stdio and two sub-agents, over
 * HTTP and WebSocket, do one piece of work together.  Every answer is checked; the exit status is 0
 * only if every step held. */
#include "server/command.h"
#include "server/play.h"
#include "server/report.h"
#include "state/base/clock.h"

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PACK "bug_fix_v1"
#define TARGET "src/parser.c"

struct demo {
    struct play play;
    char session[64];
    unsigned steps;
    int64_t step_start;
};

/* Starts a step's time. */
static void
begin(struct demo *d)
{
    d->step_start = clock_mono(clock_real());
}

/* Prints a step that held. */
static bool __attribute__((format(printf, 3, 4)))
held(struct demo *d, const char *who, const char *format, ...)
{
    double ms = (double)(clock_mono(clock_real()) - d->step_start) / 1e6;
    va_list args;

    printf("%2u  %-14s ", ++d->steps, who);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("  (%.1f ms)\n", ms);
    fflush(stdout);
    return true;
}

static const char *
text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static bool
did_not_hold(const char *what, const json_t *answer, const struct fault *f)
{
    char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;

    fprintf(stderr, "tandem demo: %s: %s\n", what, text ? text : f->text);
    free(text);
    return false;
}

static json_t *
workflow(const char *action, const struct demo *d)
{
    return json_pack("{s:s, s:s*}", "action", action, "session_id",
                     d->session[0] ? d->session : NULL);
}

static json_t *
start_arguments(void)
{
    return json_pack("{s:s, s:s, s:s}", "action", "start", "workflow_type", PACK, "target_file",
                     TARGET);
}

static json_t *
completion(const struct demo *d, int phase, json_t *evidence)
{
    json_t *args = workflow("complete_phase", d);

    json_object_set_new(args, "phase", json_integer(phase));
    json_object_set_new(args, "evidence", evidence);
    return args;
}

/* Whether two lists have the same tools, but for what only one revision knows. */
static bool
same_tools(const json_t *a, const json_t *b)
{
    json_t *lists[] = {json_deep_copy(json_object_get(a, "tools")),
                       json_deep_copy(json_object_get(b, "tools"))};
    json_t *tool;
    size_t i;
    bool same;

    for (int list = 0; list < 2; list++) {
        json_array_foreach(lists[list], i, tool) {
            json_object_del(tool, "execution"); /* MCP tasks of 2025-11-25. */
        }
    }
    same = json_array_size(lists[0]) > 0 && json_equal(lists[0], lists[1]);
    json_decref(lists[0]);
    json_decref(lists[1]);
    return same;
}

static bool
step_lists_agree(struct demo *d)
{
    struct fault f = FAULT_INIT;
    json_t *ide, *agent;
    bool same;

    begin(d);
    ide = play_ide(&d->play, "tools/list", json_object(), &f);
    agent = play_agent(&d->play, "tools/list", json_object(), &f);
    same = ide && agent && same_tools(ide, agent);
    same = same ? held(d, "IDE, agent A", "list the same %zu tools, in both eras of MCP",
                       json_array_size(json_object_get(ide, "tools")))
                : did_not_hold("tools/list differs", agent, &f);
    json_decref(ide);
    json_decref(agent);
    return same;
}

static bool
step_start(struct demo *d)
{
    struct fault f = FAULT_INIT;
    json_t *answer;
    bool good;

    begin(d);
    answer = play_ide_tool(&d->play, "pos_workflow", start_arguments(), &f);
    snprintf(d->session, sizeof d->session, "%s", text_of(answer, "session_id"));
    good = d->session[0] && json_is_false(json_object_get(answer, "resumed"));
    good = good ? held(d, "IDE", "starts %s: session %.8s", PACK, d->session)
                : did_not_hold("start", answer, &f);
    json_decref(answer);
    return good;
}

/* One agent's thread: the same request as the other's, at the same moment. */
struct agent {
    const struct demo *demo;
    pthread_barrier_t *barrier;
    json_t *args; /* Stolen. */
    bool second;  /* The one on the WebSocket. */
    json_t *answer;
    struct fault fault;
};

static void *
act(void *arg)
{
    struct agent *a = arg;

    pthread_barrier_wait(a->barrier);
    a->answer = a->second ? play_second_tool(&a->demo->play, "pos_workflow", a->args, &a->fault)
                          : play_agent_tool(&a->demo->play, "pos_workflow", a->args, &a->fault);
    return NULL;
}

/* Lets both agents ask at once. */
static void
both(const struct demo *d, struct agent agents[2], json_t *first, json_t *second)
{
    pthread_barrier_t barrier;
    pthread_t threads[2];

    pthread_barrier_init(&barrier, NULL, 2);
    for (int i = 0; i < 2; i++) {
        agents[i] = (struct agent){
            .demo = d, .barrier = &barrier, .args = i ? second : first, .second = i == 1};
        if (pthread_create(&threads[i], NULL, act, &agents[i]) != 0) {
            abort();
        }
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&barrier);
}

static bool
step_same_start(struct demo *d)
{
    struct agent agents[2];
    bool same = true;

    begin(d);
    both(d, agents, start_arguments(), start_arguments());
    for (int i = 0; i < 2; i++) {
        same = same && strcmp(text_of(agents[i].answer, "session_id"), d->session) == 0 &&
               json_is_true(json_object_get(agents[i].answer, "resumed"));
    }
    same = same ? held(d, "agents A, B", "start the same at once: one session, resumed twice")
                : did_not_hold("same start", agents[0].answer, &agents[0].fault);
    json_decref(agents[0].answer);
    json_decref(agents[1].answer);
    return same;
}

static bool
step_read_task(struct demo *d)
{
    struct fault f = FAULT_INIT;
    json_t *args = workflow("get_task", d), *answer;
    bool good;

    begin(d);
    json_object_set_new(args, "phase", json_integer(0));
    json_object_set_new(args, "task_number", json_integer(2));
    answer = play_agent_tool(&d->play, "pos_workflow", args, &f);
    good = strlen(text_of(answer, "content")) > 100;
    good =
        good ? held(d, "agent A", "reads task 2: \"%s\", %zu step to run",
                    text_of(answer, "task_name"), json_array_size(json_object_get(answer, "steps")))
             : did_not_hold("get_task", answer, &f);
    json_decref(answer);
    return good;
}

static bool
step_claim_refused(struct demo *d)
{
    struct fault f = FAULT_INIT;
    json_t *answer;
    bool good;

    begin(d);
    answer = play_second_tool(
        &d->play, "pos_workflow",
        completion(d, 0,
                   json_pack("{s:s, s:s, s:s}", "failing_test", "test_empty_input", "test_output",
                             "trust me, it fails", "expected_behaviour",
                             "an empty input gives an empty list")),
        &f);
    good = strcmp(text_of(answer, "error_type"), "ValidationError") == 0;
    good = good ? held(d, "agent B", "claims phase 0 without proof, by WebSocket: the gate refuses")
                : did_not_hold("a claim was not refused", answer, &f);
    json_decref(answer);
    return good;
}

static bool
step_gate_passes(struct demo *d)
{
    struct fault f = FAULT_INIT;
    json_t *answer;
    bool good;

    begin(d);
    answer = play_ide_tool(
        &d->play, "pos_workflow",
        completion(d, 0,
                   json_pack("{s:s, s:s, s:s}", "failing_test", "test_empty_input", "test_output",
                             "FAILED test_empty_input: expected [], got null", "expected_behaviour",
                             "an empty input gives an empty list")),
        &f);
    good = json_is_true(json_object_get(answer, "checkpoint_passed")) &&
           json_integer_value(json_object_get(answer, "next_phase")) == 1;
    good = good ? held(d, "IDE", "hands in the failing run: phase 0 passes")
                : did_not_hold("a good evidence did not pass", answer, &f);
    json_decref(answer);
    return good;
}

static json_t *
second_evidence(void)
{
    return json_pack("{s:s, s:[s], s:i}", "cause",
                     "the reader returned before it had allocated the list for an empty input",
                     "changed_files", TARGET, "lines_changed", 3);
}

static bool
step_one_completion(struct demo *d)
{
    struct agent agents[2];
    int passed = 0, refused = 0;
    bool good;

    begin(d);
    both(d, agents, completion(d, 1, second_evidence()), completion(d, 1, second_evidence()));
    for (int i = 0; i < 2; i++) {
        passed += json_is_true(json_object_get(agents[i].answer, "checkpoint_passed"));
        refused += strcmp(text_of(agents[i].answer, "error_type"), "StateError") == 0;
    }
    good = passed == 1 && refused == 1;
    good = good ? held(d, "agents A, B", "complete phase 1 at once: one does, the other is told so")
                : did_not_hold("two completions of one phase", agents[0].answer, &agents[0].fault);
    json_decref(agents[0].answer);
    json_decref(agents[1].answer);
    return good;
}

static bool
step_finish(struct demo *d)
{
    struct fault f = FAULT_INIT;
    json_t *answer;
    bool good;

    begin(d);
    answer =
        play_agent_tool(&d->play, "pos_workflow",
                        completion(d, 2,
                                   json_pack("{s:i, s:i, s:s}", "tests_passed", 42, "tests_failed",
                                             0, "test_output", "42 passed, 0 failed: success")),
                        &f);
    good = json_is_true(json_object_get(answer, "workflow_complete"));
    good = good ? held(d, "agent A", "completes the last phase: the work is done")
                : did_not_hold("the last phase", answer, &f);
    json_decref(answer);
    return good;
}

static bool
step_search(struct demo *d)
{
    struct fault f = FAULT_INIT;
    json_t *answer, *first;
    bool good;

    begin(d);
    answer = play_second_tool(&d->play, "search_standards",
                              json_pack("{s:s}", "query", "how do I reproduce a bug first"), &f);
    first = json_array_get(json_object_get(answer, "results"), 0);
    good = strcmp(text_of(first, "file"), "testing/reproducing-bugs.md") == 0;
    good = good ? held(d, "agent B", "asks the standards: %s, line %d", text_of(first, "file"),
                       (int)json_integer_value(json_object_get(first, "line")))
                : did_not_hold("search_standards", answer, &f);
    json_decref(answer);
    return good;
}

static bool
step_counters(struct demo *d)
{
    struct fault f = FAULT_INIT;
    json_t *answer, *cache;
    bool good;

    begin(d);
    answer = play_ide_tool(&d->play, "get_server_info", json_object(), &f);
    cache = json_object_get(json_object_get(answer, "caches"), "workflow_sessions");
    good = json_is_object(cache) && strcmp(text_of(json_object_get(answer, "server"), "instance"),
                                           d->play.server.instance) == 0;
    good = good ? held(d, "IDE", "asks the server: %d hits, %d misses, %d lock waits",
                       (int)json_integer_value(json_object_get(cache, "hits")),
                       (int)json_integer_value(json_object_get(cache, "misses")),
                       (int)json_integer_value(json_object_get(cache, "lock_waits")))
                : did_not_hold("get_server_info", answer, &f);
    json_decref(answer);
    return good;
}

static bool (*const story[])(struct demo *) = {
    step_lists_agree, step_start,          step_same_start, step_read_task, step_claim_refused,
    step_gate_passes, step_one_completion, step_finish,     step_search,    step_counters,
};

/* The example: beside the sources, or where "make install" puts it. */
static char *
find_example(void)
{
    static const char *const places[] = {"../../deploy/example", "../deploy/example",
                                         "../share/tandem/example"};
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;

    self[n > 0 ? n : 0] = '\0';
    slash = strrchr(self, '/');
    for (size_t i = 0; slash && i < sizeof places / sizeof places[0]; i++) {
        char *path = xasprintf("%.*s/%s", (int)(slash - self), self, places[i]);
        char *pack = xasprintf("%s/.tandem/workflows/" PACK, path);
        bool there = access(pack, R_OK) == 0;

        free(pack);
        if (there) {
            return path;
        }
        free(path);
    }
    return NULL;
}

/* On a terminal the server stays for a look around. */
static void
stay(const struct demo *d)
{
    sigset_t signals;
    int signal_number;

    printf("\nThe server stays up for you at %s, until Ctrl-C. In another terminal, try:\n"
           "    tandem status --root %s\n"
           "    tandem call --root %s pos_workflow action=get_state session_id=%s\n",
           d->play.server.url, d->play.root, d->play.root, d->session);
    fflush(stdout);
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    sigwait(&signals, &signal_number);
}

static bool
play_story(struct demo *d, const char *example)
{
    struct fault f = FAULT_INIT;
    int64_t first_ns = 0;

    begin(d);
    if (play_open(&d->play, example, &first_ns, &f) != E_OK) {
        return did_not_hold("the server did not start", NULL, &f);
    }
    d->step_start = clock_mono(clock_real()) - first_ns;
    held(d, "IDE", "starts the server and gets its first answer");
    for (size_t i = 0; i < sizeof story / sizeof story[0]; i++) {
        if (!story[i](d)) {
            return false;
        }
    }
    return true;
}

static int
run(struct invocation *invocation)
{
    char *example = invocation->values[0] ? xstrdup(invocation->values[0]) : find_example();
    struct demo d = {.steps = 0};
    unsigned kib = 0;
    bool good, ended;

    if (!example) {
        fprintf(stderr, "tandem demo: the example project is not beside this binary; name it with "
                        "--example DIR\n");
        return STATUS_FAILED;
    }
    signal(SIGPIPE, SIG_IGN);
    good = play_story(&d, example);
    if (good) {
        kib = play_memory_kib(&d.play);
        if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
            stay(&d);
        }
    }
    begin(&d);
    ended = play_close(&d.play);
    if (good && ended) {
        held(&d, "IDE", "closes the pipe: the server ends with 0 and leaves nothing behind");
        printf("\n%u steps, 3 clients, 1 process, %.1f MiB\n"
               "Next: \"tandem call --root deploy/example pos_workflow action=list_workflows\", or "
               "put "
               "tandem into your editor (README).\n",
               d.steps, kib / 1024.0);
    } else if (good) {
        fprintf(stderr, "tandem demo: the server did not end well\n");
    }
    free(example);
    return good && ended ? STATUS_OK : STATUS_FAILED;
}

static const struct command_option options[] = {
    {"example", "DIR", "the project to play on, instead of the one that comes with tandem"},
    {NULL, NULL, NULL},
};

const struct command command_demo = {
    .name = "demo",
    .usage = "",
    .summary = "show the main job: an IDE and two sub-agents on one server",
    .details =
        "Starts a server of its own on a copy of the example project, plays all three clients, "
        "checks "
        "every answer, and ends with status 0 only if every step held. On a terminal the server "
        "stays up until Ctrl-C.",
    .options = options,
    .most_args = 0,
    .run = run,
};
