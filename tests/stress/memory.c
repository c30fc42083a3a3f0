/* memory.c -- the n-th allocation of a scene fails, for every n of each: each message is still
 * answered once, whole and with its id, in that scene and in those that follow, or the process ends
 * with the line that says why.  D8.
 *
 * malloc() is ours here, which sanitizers do not allow: under them there is nothing to do.  Each n
 * has a process of its own, made by fork() before there are threads.  It plays what the scene
 * needs, the scene, and, should it still be there, the rest: nearly all end of their fault, so that
 * the rest is played by few.  Most allocations are those with which libcrypto begins, which has a
 * scene of its own that needs neither threads nor a disk, and is over before the others.  Several
 * play at a time, because each of them mostly waits for its threads and for the disk. */
#include "tests/check.h"

#include "handlers/dispatch_private.h"
#include "handlers/era.h"
#include "state/base/json_put.h"
#include "state/base/log.h"
#include "state/crypto.h"
#include "state/digest.h"
#include "state/mcp_session.h"
#include "tests/fakes.h"
#include "tests/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/mman.h>
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
static const struct message {
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
#define MESSAGES (sizeof messages / sizeof messages[0])
#define OPENING 2 /* Of them: without these the others are refused. */

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

/* What a scene is played on. */
struct stage {
    struct fake_project project;
    struct pool *pool;
    struct dispatcher *dispatcher;
    struct envelope env; /* Of a connection by stdio. */
};

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

static void
play_message(struct stage *s, const struct message *m)
{
    const char *body = play(s->dispatcher, &s->env, m->text);

    if (m->id) {
        check_answer(m->text, m->id, body);
    } else if (*body) {
        wrong("an answer to a notification", m->text, body);
    }
}

static void
play_batch(struct stage *s)
{
    static const char batch[] = "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"},"
                                "{\"jsonrpc\":\"2.0\",\"method\":\"x\"},"
                                "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\","
                                "\"params\":{\"name\":\"get_server_info\"}}]";

    atomic_store(&s->env.session->revision, REVISION_2025_03_26); /* If initialize failed. */
    check_batch(batch, play(s->dispatcher, &s->env, batch));
}

/* A tool as a script calls it. */
static void
play_script(struct stage *s)
{
    json_t *answer;

    arm();
    dispatch_tool(s->dispatcher, &s->env, SLICE("pos_workflow"),
                  SLICE("{\"action\":\"list_workflows\"}"), new_answer());
    wait_for_answer("list_workflows");
    disarm();
    answer = json_loads(keeper.body, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(answer)) {
        wrong("no JSON for a script", "list_workflows", keeper.body);
    }
    json_decref(answer);
}

/* A legacy call over HTTP that says something ahead of its answer, and comes back for that. */
static void
play_stream(struct stage *s)
{
    struct dispatcher *d = s->dispatcher;
    struct state *state = s->project.state;
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
        q->none_runs = q->none_runs && r->parked != PARKED_NOT;
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
play_task(struct stage *s)
{
    struct dispatcher *d = s->dispatcher;
    const struct envelope *env = &s->env;
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

/* ---- Scenes ---- */

/* Those that are more than a message, in the order in which they follow it. */
static void (*const scenes[])(struct stage *s) = {play_batch, play_script, play_stream, play_task};
#define SCENES (MESSAGES + sizeof scenes / sizeof scenes[0])

static void
play_scene(struct stage *s, size_t scene)
{
    if (scene < MESSAGES) {
        play_message(s, &messages[scene]);
    } else {
        scenes[scene - MESSAGES](s);
    }
}

static void
set_up(struct stage *s)
{
    const struct dispatch_limits limits = {
        .json = JSON_LIMITS_INIT,
        .calls = 64,
        .calls_per_session = 8,
        .call_ns = 60000000000,
        .groups = "core,conformance",
    };

    setenv("PATH", "/nonexistent", 1); /* No git: its time would be most of all. */
    fake_project_init(&s->project, NULL);
    s->pool = pool_create(1, 0, 8);
    s->dispatcher = dispatcher_create(s->project.state, s->pool, &limits);
    s->env =
        (struct envelope){.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};
}

static void
tear_down(struct stage *s)
{
    dispatch_end_all(s->dispatcher);
    pool_destroy(s->pool);
    dispatcher_destroy(s->dispatcher);
    mcp_session_unref(s->env.session);
    fake_project_fini(&s->project);
}

/* A scene without a stage: libcrypto begins, with thousands of allocations of its own. */
#define CRYPTO SCENES

static void
begin_crypto(void)
{
    unsigned char digest[DIGEST_SIZE];

    if (!digest_make(SLICE("text"), digest)) {
        wrong("no digest", "text", "");
    }
}

static void
begin_crypto_with_fault(void)
{
    unsigned char digest[DIGEST_SIZE];

    arm();
    digest_make(SLICE("text"), digest);
    disarm();
    begin_crypto(); /* Whatever it told. */
}

#define FEWER 2 /* Exit status: the scene has fewer than n allocations. */

/* In a process of its own. */
static void
play_fault(size_t scene, long n)
{
    struct stage s;

    held = n;
    if (scene == CRYPTO) {
        begin_crypto_with_fault();
        _exit(failed ? 0 : FEWER);
    }
    held = 0;
    set_up(&s);
    for (size_t i = 0; i < OPENING && i < scene; i++) {
        play_scene(&s, i);
    }
    held = n;
    play_scene(&s, scene);
    if (!failed) {
        _exit(FEWER);
    }
    for (size_t i = scene + 1; i < SCENES; i++) {
        play_scene(&s, i);
    }
    tear_down(&s);
    _exit(0);
}

/* Plays one; what it wrote on standard error is left in 'said'.  Returns waitpid()'s status. */
static int
run(size_t scene, long n, char *said, size_t size)
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
        play_fault(scene, n);
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

/* What the processes count that play a scene: in memory that they share. */
struct tally {
    _Atomic unsigned told, ended, wrong;
};

static void
count(struct tally *t, size_t scene, long n, int status, const char *said)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        t->told++;
    } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT &&
               (strstr(said, "out of memory, ending") ||
                /* jansson 2.14, where its buffer for a string cannot grow. */
                strstr(said, "lex_scan_string: Assertion"))) {
        t->ended++;
    } else {
        print_error("scene %zu, allocation %ld: status %#x: %s\n", scene, n, (unsigned)status,
                    said);
        t->wrong++;
    }
}

/* Every 'step'-th allocation of a scene, until there are no more. */
static void
fail_some(struct tally *t, size_t scene, long first, long step)
{
    char said[4096];

    for (long n = first; !t->wrong; n += step) {
        int status = run(scene, n, said, sizeof said);

        if (WIFEXITED(status) && WEXITSTATUS(status) == FEWER) {
            return;
        }
        count(t, scene, n, status, said);
    }
}

/* Each allocation of a scene. */
static void
fail_each(struct tally *t, size_t scene)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN), processes = cores > 0 ? 2 * cores : 2;
    unsigned before = t->told + t->ended;

    fflush(NULL);
    for (long i = 0; i < processes; i++) {
        pid_t pid = fork();

        if (pid < 0) {
            abort();
        }
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            fail_some(t, scene, i + 1, processes);
            fflush(NULL);
            _exit(0);
        }
    }
    for (int status; processes; processes--) {
        t->wrong += wait(&status) < 0 || status != 0;
    }
    CHECK_INT(t->wrong, 0);
    CHECK(t->told + t->ended > before);
}

static void
every_allocation_fails_once(void **state)
{
    const char *before = getenv("TMPDIR");
    struct tree *folder;
    struct tally *t;
    char *kept;

    (void)state;
    if (!OURS) {
        skip();
    }
    kept = before ? xstrdup(before) : NULL;
    folder = tree_create(); /* Who ends for want of memory leaves its project. */
    t = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(t != MAP_FAILED);
    setenv("TMPDIR", tree_path(folder), 1);
    fail_each(t, CRYPTO);
    begin_crypto(); /* For all that follow. */
    for (size_t scene = 0; scene < SCENES; scene++) {
        fail_each(t, scene);
    }
    if (kept) {
        setenv("TMPDIR", kept, 1);
    } else {
        unsetenv("TMPDIR");
    }
    printf("%u allocations failed, one at a time: %u told, %u ended the process cleanly\n",
           t->told + t->ended, t->told, t->ended);
    tree_destroy(folder);
    CHECK(t->told > 20);
    munmap(t, sizeof *t);
    free(kept);
}

/* The last test: no process can be made of this one afterwards. */
static void
all_scenes_hold_without_a_fault(void **state)
{
    struct stage s;

    (void)state;
    set_up(&s);
    for (size_t scene = 0; scene < SCENES; scene++) {
        play_scene(&s, scene);
    }
    tear_down(&s);
    CHECK(!failed);
}

/* With the number of a scene and of an allocation: only that one, in this process, for a debugger.
 */
int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_fails_once),
        cmocka_unit_test(all_scenes_hold_without_a_fault),
    };

    json_prepare();
    crypto_prepare();
    log_configure(LOG_OFF, LOG_TEXT);
    if (argc > 2) {
        size_t scene = strtoul(argv[1], NULL, 10);

        if (scene < SCENES) {
            begin_crypto();
        }
        play_fault(scene < SCENES ? scene : CRYPTO, strtol(argv[2], NULL, 10));
    }
    return CHECK_RUN(tests);
}
