/* memory.c -- the n-th allocation fails, for every n: each message is still answered once, whole
 * and with its id, or the process ends with the line that says why.  D8.
 *
 * malloc() is ours here, which sanitizers do not allow: under them there is nothing to do.  Each n
 * has a process of its own, made by fork() before there are threads. */
#include "tests/check.h"

#include "handlers/dispatch_private.h"
#include "handlers/era.h"
#include "state/base/json_put.h"
#include "state/base/log.h"
#include "state/crypto.h"
#include "state/mcp_session.h"
#include "tests/fakes.h"
#include "tests/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define META                                                                 \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"," \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OURS 0
#else
#define OURS 1
#endif

static _Atomic long countdown; /* Allocations until one fails; below 1: none does. */
static _Atomic bool failed;

#if OURS
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static bool
fails(void)
{
    if (countdown < 1 || --countdown != 0) {
        return false;
    }
    failed = true;
    errno = ENOMEM;
    return true;
}

void *
malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *
realloc(void *old, size_t size)
{
    return fails() ? NULL : __libc_realloc(old, size);
}
#endif

/* What is said, and what must be in a good answer. */
static const struct {
    const char *text;
    const char *id; /* As the answer has it; null for a notification. */
} messages[] = {
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
     "\"2025-03-26\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}",
     "1"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", NULL},
    {"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}", "2"},
    {"{\"jsonrpc\":\"2.0\",\"id\":\"a\\u0031\",\"method\":\"tools/call\",\"params\":{\"name\":"
     "\"current_date\",\"arguments\":{}}}",
     "\"a\\u0031\""},
    {"{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"tools/call\",\"params\":{\"name\":"
     "\"pos_workflow\",\"arguments\":{\"action\":\"list_sessions\"}}}",
     "4"},
    {"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/call\",\"params\":{\"name\":"
     "\"current_date\",\"arguments\":{\"zone\":[1,2,{\"a\":\"b\"}]}," META "}}",
     "5"},
    {"{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"nope\",\"params\":{" META "}}", "6"},
    {"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/list\",\"params\":{\"_meta\":{"
     "\"io.modelcontextprotocol/protocolVersion\":\"v9\","
     "\"io.modelcontextprotocol/clientCapabilities\":{}}}}",
     "7"},
    {"{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"tools/call\",\"params\":{\"name\":"
     "\"test_input_required_result_multi_round\",\"arguments\":{},\"inputResponses\":{\"step1\":{"
     "\"action\":\"accept\",\"content\":{\"name\":\"a\"}}},\"_meta\":{"
     "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
     "\"io.modelcontextprotocol/clientCapabilities\":{\"elicitation\":{}}}}}",
     "9"},
    {"{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"tools/li", ""},
};

static void
wrong(const char *what, const char *sent, const char *got)
{
    countdown = 0;
    fprintf(stderr, "WRONG: %s\nsent %s\ngot  %s\n", what, sent, got);
    _exit(1);
}

/* Keeps an answer without an allocation. */
struct keeper {
    struct sink sink; /* First. */
    sem_t let_go;
    unsigned answers;
    char body[256 * 1024];
};

static void
keep(struct sink *sink, const struct reply *reply)
{
    struct keeper *k = (struct keeper *)sink;

    k->answers++;
    if (reply->body.len >= sizeof k->body) {
        wrong("an answer too long for this test", "", "");
    }
    if (reply->body.len) {
        memcpy(k->body, reply->body.data, reply->body.len);
    }
    k->body[reply->body.len] = '\0';
}

/* Events are taken, and not kept. */
static enum err
take(struct sink *sink, const struct event *event)
{
    (void)sink, (void)event;
    return E_OK;
}

static void
let_go(struct sink *sink)
{
    sem_post(&((struct keeper *)sink)->let_go);
}

static struct keeper keeper;

static struct sink *
new_answer(void)
{
    static const struct sink_class class = {.send = take, .answer = keep, .unref = let_go};

    keeper.sink.class = &class;
    keeper.answers = 0;
    sem_init(&keeper.let_go, 0, 0);
    return &keeper.sink;
}

/* The answer, once it is whole and let go. */
static const char *
wait_for_answer(const char *sent)
{
    while (sem_wait(&keeper.let_go) != 0) {
    }
    if (keeper.answers != 1) {
        wrong("not one answer", sent, keeper.body);
    }
    return keeper.body;
}

/* A JSON-RPC answer with the right id, and either a result or an error. */
static void
check_answer(const char *sent, const char *id, const char *body)
{
    char *member = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":%s,", id);
    json_t *answer = json_loads(body, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(answer) ||
        !json_object_get(answer, "result") == !json_object_get(answer, "error")) {
        wrong("no answer, or half of one", sent, body);
    }
    if (*id ? strncmp(body, member, strlen(member)) != 0 : json_object_get(answer, "id") != NULL) {
        wrong("another id", sent, body);
    }
    json_decref(answer);
    free(member);
}

static void
check_batch(const char *sent, const char *body)
{
    json_t *answer = json_loads(body, JSON_REJECT_DUPLICATES, NULL);

    if (json_is_array(answer) ? json_array_size(answer) != 2 : !json_object_get(answer, "error")) {
        wrong("neither all answers nor one error", sent, body);
    }
    json_decref(answer);
}

/* Only what the server does may fail: what the test needs is made first, and looked at later. */
static long held;

static void
arm(void)
{
    countdown = held;
}

static void
disarm(void)
{
    held = countdown;
    countdown = 0;
}

static const char *
play(struct dispatcher *d, const struct envelope *env, const char *text)
{
    const char *body;

    arm();
    dispatch_message(d, env, slice_of(text), new_answer());
    body = wait_for_answer(text);
    disarm();
    return body;
}

/* A legacy call over HTTP that says something ahead of its answer, and comes back for that. */
static void
play_stream(struct dispatcher *d, struct state *state)
{
    static const char call[] =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{"
        "\"name\":\"test_tool_with_progress\",\"_meta\":{\"progressToken\":1}}}";
    struct envelope env = {.transport = TRANSPORT_HTTP, .principal = SLICE("a"), .events = true};
    struct mcp_session *session = NULL;

    if (mcp_session_start(state_sessions(state), env.principal, &session, NULL) != E_OK) {
        wrong("no session", "", "");
    }
    atomic_store(&session->revision, REVISION_2025_11_25);
    env.session_id = slice_of(session->id);
    check_answer(call, "1", play(d, &env, call));
    arm();
    mcp_session_send(session, SLICE("{}"));
    dispatch_listen(d, &env, SLICE_NONE, new_answer());
    mcp_session_end(state_sessions(state), session);
    wait_for_answer("GET");
    disarm();
    mcp_session_unref(session);
}

struct quiet {
    bool none_runs, none_left;
};

static void
look(struct request *first, void *arg)
{
    struct quiet *q = arg;

    *q = (struct quiet){true, !first};
    for (const struct request *r = first; r; r = r->next) {
        q->none_runs = q->none_runs && (r->parked || r->waiting);
    }
}

/* Sends a message of a task, and waits until nothing runs. */
static const char *
play_quietly(struct dispatcher *d, const struct envelope *env, const char *text, struct quiet *q)
{
    const char *body;

    arm();
    dispatch_message(d, env, slice_of(text), new_answer());
    body = wait_for_answer(text);
    do {
        sched_yield();
        inflight_do(d->inflight, look, q);
    } while (!q->none_runs);
    disarm();
    return body;
}

/* A task that asks two things, is told both, and is cancelled should it not have ended by then. */
static void
play_task(struct dispatcher *d, const struct envelope *env)
{
    static const char meta[] =
        "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
        "\"io.modelcontextprotocol/clientCapabilities\":{\"elicitation\":{},"
        "\"extensions\":{\"io.modelcontextprotocol/tasks\":{}}}}";
    static const char *const steps[] = {
        "tasks/get",
        "tasks/update\",\"params\":{\"inputResponses\":{\"name\":{\"action\":\"decline\"},"
        "\"confirm\":{\"action\":\"decline\"}},",
        "tasks/get",
        "tasks/cancel",
    };
    char *text = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{"
                           "\"name\":\"multi_input\",%s}}",
                           meta);
    struct quiet q;
    const char *body = play_quietly(d, env, text, &q), *at = strstr(body, "\"taskId\":\"");
    char id[33];

    check_answer(text, "1", body);
    snprintf(id, sizeof id, "%.32s", at ? at + 10 : "none");
    free(text);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        text = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"%s%s\"taskId\":\"%s\",%s}}",
                         steps[i], strchr(steps[i], ',') ? "" : "\",\"params\":{", id, meta);
        check_answer(text, "2", play_quietly(d, env, text, &q));
        free(text);
    }
    if (at && !q.none_left && !failed) {
        wrong("the task has not ended", "", "");
    }
}

/* In a process of its own. */
static void
scenario(long n)
{
    static const char batch[] = "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"},"
                                "{\"jsonrpc\":\"2.0\",\"method\":\"x\"},"
                                "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\","
                                "\"params\":{\"name\":\"get_server_info\"}}]";
    struct dispatch_limits limits = {
        .json = JSON_LIMITS_INIT,
        .calls = 64,
        .calls_per_session = 8,
        .call_ns = 60000000000,
        .groups = "core,conformance",
    };
    struct envelope env = {.transport = TRANSPORT_STDIO};
    struct fake_project project;
    struct dispatcher *d;
    struct pool *pool;
    json_t *script;

    setenv("PATH", "/nonexistent", 1); /* No git: its time would be most of all. */
    fake_project_init(&project, NULL);
    pool = pool_create(1, 0, 8);
    d = dispatcher_create(project.state, pool, &limits);
    env.session = mcp_session_of_connection();
    held = n;
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        const char *body = play(d, &env, messages[i].text);

        if (messages[i].id) {
            check_answer(messages[i].text, messages[i].id, body);
        } else if (*body) {
            wrong("an answer to a notification", messages[i].text, body);
        }
    }
    atomic_store(&env.session->revision, REVISION_2025_03_26); /* If initialize failed. */
    check_batch(batch, play(d, &env, batch));
    arm();
    dispatch_tool(d, &env, SLICE("pos_workflow"), SLICE("{\"action\":\"list_workflows\"}"),
                  new_answer());
    wait_for_answer("list_workflows");
    disarm();
    script = json_loads(keeper.body, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(script)) {
        wrong("no JSON for a script", "list_workflows", keeper.body);
    }
    json_decref(script);
    play_stream(d, project.state);
    play_task(d, &env);
    dispatch_end_all(d);
    pool_destroy(pool);
    dispatcher_destroy(d);
    mcp_session_unref(env.session);
    fake_project_fini(&project);
    _exit(failed ? 0 : 2); /* 2: fewer than n allocations. */
}

/* Runs one scenario; what it wrote on standard error is left in 'said'.  Returns waitpid()'s
 * status. */
static int
run(long n, char *said, size_t size)
{
    int fds[2], status;
    size_t len = 0;
    ssize_t got;
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) != 0 || (pid = fork()) < 0) {
        abort();
    }
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(fds[1], STDERR_FILENO);
        scenario(n);
    }
    close(fds[1]);
    while ((got = read(fds[0], said + len, size - 1 - len)) > 0) {
        len += (size_t)got;
    }
    said[len] = '\0';
    close(fds[0]);
    if (waitpid(pid, &status, 0) != pid) {
        abort();
    }
    return status;
}

static void
every_allocation_fails_once(void **state)
{
    struct tree *folder = tree_create(); /* Who ends for want of memory leaves its project. */
    unsigned survived = 0, ended = 0;
    char said[4096];
    long n = 0;

    (void)state;
    setenv("TMPDIR", tree_path(folder), 1);
    log_configure(LOG_OFF, LOG_TEXT);
    for (n = 1; OURS; n++) {
        int status = run(n, said, sizeof said);

        if (WIFEXITED(status) && WEXITSTATUS(status) == 2) {
            break;
        }
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
            survived++;
        } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT &&
                   (strstr(said, "out of memory, ending") ||
                    /* jansson 2.14, where its buffer for a string cannot grow. */
                    strstr(said, "lex_scan_string: Assertion"))) {
            ended++;
        } else {
            fail_msg("allocation %ld: status %#x: %s", n, (unsigned)status, said);
        }
    }
    printf("%ld allocations failed, one at a time: %u told, %u ended the process cleanly\n", n - 1,
           survived, ended);
    tree_destroy(folder);
    CHECK(!OURS || survived > 20);
}

/* With a number: only that one, in this process, for a debugger. */
int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_fails_once),
    };

    json_prepare();
    crypto_prepare();
    if (argc > 1) {
        log_configure(LOG_OFF, LOG_TEXT);
        scenario(strtol(argv[1], NULL, 10));
    }
    return CHECK_RUN(tests);
}
