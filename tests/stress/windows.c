/* windows.c -- many windows on one project: one server, the others bridges; and kill -9 of the
 * server while all of them call.
 *
 * Every window is the real binary over stdio.  Counted are servers, answers for each id, and
 * sessions: what was acknowledged is there, each request is answered once, and what only reads
 * never fails. */
#include "tests/check.h"
#include "tests/harness_http.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define WINDOWS 50
#define STORM_WINDOWS 21
#define KILLS 6
#define AT_ONCE 8      /* Requests in flight of one window. */
#define REQUESTS 20000 /* Of one window, at most. */
#define PRIVATE_MAX ((size_t)1024 * 1024)

static const char *const packs[] = {PACK_BUG_FIX, NULL};
static const char *const args[] = {"--limits-call-rate",
                                   "0",
                                   "--limits-active-workflows",
                                   "10000",
                                   "--listen",
                                   "127.0.0.1:0",
                                   "--log-level",
                                   "debug",
                                   NULL};
static const struct server_options options = {.args = args};

#define CALL(TOOL, ARGUMENTS) \
    "\"method\":\"tools/call\",\"params\":{\"name\":\"" TOOL "\",\"arguments\":" ARGUMENTS

/* ---- One window ---- */

/* The next message that is an answer: lists may change unasked.  New. */
static json_t *
take_response(struct server *s)
{
    json_t *message;

    while ((message = server_read(s, now_ns() + PATIENCE)) && !json_object_get(message, "id")) {
        json_decref(message);
    }
    return message;
}

static void
initialize(struct server *s)
{
    json_t *answer;

    CHECK(server_send(
        s,
        "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"method\":\"initialize\",\"params\":{"
        "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"elicitation\":{}},\"clientInfo\":{"
        "\"name\":\"window\",\"version\":\"1\"}}}"));
    CHECK(server_send(s, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"));
    answer = take_response(s);
    CHECK(json_object_get(answer, "result"));
    json_decref(answer);
}

/* The structured result of a call whose answer comes next; the caller drops it. */
static json_t *
take_result(struct server *s)
{
    json_t *answer = take_response(s);
    json_t *result = json_object_get(json_object_get(answer, "result"), "structuredContent");

    if (!result) {
        char *text = json_dumps(answer, JSON_COMPACT);

        printf("no result: %.500s\n", text ? text : "nothing");
        free(text);
    }
    json_incref(result);
    json_decref(answer);
    return result;
}

/* Which process answers this window's calls. */
static pid_t
who_serves(struct server *s)
{
    json_t *info;
    pid_t pid;

    CHECK(
        server_send(s, "{\"jsonrpc\":\"2.0\",\"id\":\"who\"," CALL("get_server_info", "{}") "}}"));
    info = take_result(s);
    pid = (pid_t)json_integer_value(json_object_get(json_object_get(info, "server"), "pid"));
    json_decref(info);
    return pid;
}

/* Bytes that are this process's alone. */
static size_t
private_bytes(pid_t pid)
{
    char path[64], line[256];
    size_t total = 0, kib;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "Private_Clean: %zu", &kib) == 1 ||
            sscanf(line, "Private_Dirty: %zu", &kib) == 1) {
            total += kib * 1024;
        }
    }
    CHECK(file && total);
    fclose(file);
    return total;
}

static int64_t
deadline_of_the_end(void)
{
    return now_ns() + (sanitized() ? PATIENCE : 2 * SECOND);
}

/* ---- All at once ---- */

static void
check_sessions_are_seen(struct server *windows)
{
    for (int i = 0; i < WINDOWS; i++) {
        json_t *result;

        CHECK(server_send(&windows[i],
                          "{\"jsonrpc\":\"2.0\",\"id\":1," CALL(
                              "pos_workflow",
                              "{\"action\":\"start\",\"workflow_type\":\"bug_fix_v1\","
                              "\"target_file\":\"src/%d.c\"}") "}}",
                          i));
        result = take_result(&windows[i]);
        CHECK(json_string_value(json_object_get(result, "session_id")));
        json_decref(result);
    }
    for (int i = 0; i < WINDOWS; i++) {
        json_t *result;

        CHECK(server_send(&windows[i], "{\"jsonrpc\":\"2.0\",\"id\":2," CALL(
                                           "pos_workflow", "{\"action\":\"list_sessions\"}") "}}"));
        result = take_result(&windows[i]);
        CHECK_INT(json_array_size(json_object_get(result, "sessions")), WINDOWS);
        json_decref(result);
    }
}

static void
check_memory(const struct server *windows, pid_t server)
{
    size_t most = 0;

    for (int i = 0; i < WINDOWS; i++) {
        size_t bytes = windows[i].pid == server ? 0 : private_bytes(windows[i].pid);

        most = bytes > most ? bytes : most;
    }
    printf("private memory of a bridge: at most %zu KiB\n", most / 1024);
    CHECK(sanitized() || most < PRIVATE_MAX);
}

static void
fifty_windows_are_one_server(void **state)
{
    static struct server windows[WINDOWS];
    char root[HARNESS_ROOT];
    unsigned servers = 0;
    int64_t deadline_ns;
    pid_t server = 0;

    (void)state;
    harness_project(root, packs);
    for (int i = 0; i < WINDOWS; i++) {
        server_spawn(&windows[i], root, &options);
    }
    for (int i = 0; i < WINDOWS; i++) {
        pid_t pid;

        initialize(&windows[i]);
        pid = who_serves(&windows[i]);
        CHECK(pid > 0 && (!server || pid == server));
        server = pid;
        servers += windows[i].pid == pid;
    }
    CHECK_INT(servers, 1);
    check_sessions_are_seen(windows);
    check_memory(windows, server);
    deadline_ns = deadline_of_the_end();
    for (int i = 0; i < WINDOWS; i++) {
        server_close_stdin(&windows[i]);
    }
    for (int i = 0; i < WINDOWS; i++) {
        CHECK_INT(server_wait(&windows[i], deadline_ns), 0);
    }
    harness_remove(root);
}

/* The server's own window is closed, again and again: the next serves. */
static void
windows_outlive_the_first(void **state)
{
    static struct server windows[4];
    char root[HARNESS_ROOT];

    (void)state;
    harness_project(root, packs);
    for (int i = 0; i < 4; i++) {
        server_spawn(&windows[i], root, &options);
        initialize(&windows[i]);
    }
    for (int left = 4; left > 0; left--) {
        pid_t server = who_serves(&windows[0]);
        int at = 0;

        for (int i = 0; i < left; i++) {
            CHECK_INT(who_serves(&windows[i]), server);
            at = windows[i].pid == server ? i : at;
        }
        CHECK_INT(windows[at].pid, server);
        CHECK_INT(left % 2
                      ? server_end(&windows[at])
                      : (kill(server, SIGTERM), server_wait(&windows[at], now_ns() + PATIENCE)),
                  0);
        windows[at] = windows[left - 1];
    }
    harness_remove(root);
}

/* ---- Questions ---- */

/* A message that asks the client comes next; its id. */
static json_int_t
take_question(struct server *s)
{
    json_t *message = take_response(s);
    const char *method = json_string_value(json_object_get(message, "method"));
    json_int_t id = json_integer_value(json_object_get(message, "id"));

    CHECK(method && strcmp(method, "elicitation/create") == 0);
    json_decref(message);
    return id;
}

/* What was asked by a server that has died is withdrawn; a response to it is no answer to what the
 * next one asks. */
static void
questions_end_with_who_asked(void **state)
{
    static const char *const with_tools[] = {"--groups", "core,conformance", "--listen",
                                             "127.0.0.1:0", NULL};
    const struct server_options asking = {.args = with_tools};
    static struct server first, second;
    char root[HARNESS_ROOT];
    json_int_t old, new;
    json_t *message;

    (void)state;
    harness_project(root, packs);
    server_start(&first, root, &asking);
    server_spawn(&second, root, &asking);
    initialize(&second);
    CHECK(server_send(&second, "{\"jsonrpc\":\"2.0\",\"id\":\"ask\"," CALL(
                                   "test_elicitation", "{\"message\":\"who?\"}") "}}"));
    old = take_question(&second);
    server_kill(&first);
    message = server_read(&second, now_ns() + PATIENCE);
    CHECK_STR(json_string_value(json_object_get(message, "method")), "notifications/cancelled");
    CHECK_INT(json_integer_value(json_object_get(json_object_get(message, "params"), "requestId")),
              old);
    json_decref(message);
    new = take_question(&second); /* The call only reads: it is made again. */
    CHECK(new != old);
#define ACCEPT(NAME)                                                                   \
    "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":{\"action\":\"accept\",\"content\":{" \
    "\"username\":\"" NAME "\",\"email\":\"a@b.c\"}}}"
    CHECK(server_send(&second, ACCEPT("late"), (long long)old));
    CHECK(server_send(&second, ACCEPT("right"), (long long)new));
    message = take_response(&second);
    CHECK_STR(json_string_value(json_object_get(message, "id")), "ask");
    {
        char *text = json_dumps(message, JSON_COMPACT);

        CHECK(strstr(text, "right") && !strstr(text, "late"));
        free(text);
    }
    json_decref(message);
    CHECK_INT(who_serves(&second), second.pid);
    CHECK_INT(server_end(&second), 0);
    harness_remove(root);
}

/* ---- The storm ---- */

enum asked { READ, START, WRITE }; /* START may be done twice: it resumes. */

struct client {
    struct server server;
    struct storm *storm;
    pthread_t thread;
    int number;
    bool modern, killed;
    int sent, in_flight;
    unsigned acknowledged, unknown;
    unsigned char answered[REQUESTS];
    char (*sessions)[40]; /* Of acknowledged starts, by request; owned. */
};

struct storm {
    struct findings findings;
    atomic_uint answers;
    atomic_bool over;
    struct client clients[STORM_WINDOWS];
};

static enum asked
asked(int request)
{
    return request % 14 == 0 ? WRITE : request % 14 == 7 ? START : READ;
}

static bool
send_request(struct client *c)
{
    const char *meta = c->modern ? "," MODERN_META : "";
    int n = c->sent;

    if (asked(n) != READ) {
        return server_send(
            &c->server,
            "{\"jsonrpc\":\"2.0\",\"id\":%d," CALL(
                "pos_workflow", "{\"action\":\"start\",\"workflow_type\":"
                                "\"bug_fix_v1\",\"target_file\":\"w%d/%d.c\"%s}") "%s}}",
            n, c->number, n, asked(n) == WRITE ? ",\"options\":{\"new_session\":true}" : "", meta);
    }
    if (n % 3 == 0) {
        return server_send(&c->server,
                           "{\"jsonrpc\":\"2.0\",\"id\":%d," CALL(
                               "pos_workflow", "{\"action\":\"list_workflows\"}") "%s}}",
                           n, meta);
    }
    return server_send(&c->server,
                       "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"tools/list\","
                       "\"params\":{%s}}",
                       n, c->modern ? MODERN_META : "");
}

static void
note_write(struct client *c, int id, const json_t *answer)
{
    const char *session = json_string_value(json_object_get(
        json_object_get(json_object_get(answer, "result"), "structuredContent"), "session_id"));

    if (session) {
        snprintf(c->sessions[id], sizeof c->sessions[id], "%s", session);
        c->acknowledged++;
    } else {
        c->unknown++;
    }
}

/* Takes one message.  False if the window is gone. */
static bool
take_answer(struct client *c)
{
    struct findings *findings = &c->storm->findings;
    json_t *answer = server_read(&c->server, now_ns() + PATIENCE);
    json_t *id = json_object_get(answer, "id");
    int n = (int)json_integer_value(id);

    if (!answer) {
        return false;
    }
    if (!id) {
        const char *method = json_string_value(json_object_get(answer, "method"));

        if (!method || !strstr(method, "list_changed")) {
            finding(findings, "window %d: came unasked: %s", c->number, method ? method : "?");
        }
    } else if (!json_is_integer(id) || n < 0 || n >= c->sent || c->answered[n]++) {
        finding(findings, "window %d: id %d is answered twice, or was not asked", c->number, n);
    } else {
        c->in_flight--;
        atomic_fetch_add(&c->storm->answers, 1);
        if (asked(n) != READ) {
            note_write(c, n, answer);
        }
        if (asked(n) != WRITE && !json_object_get(answer, "result")) {
            char *text = json_dumps(answer, JSON_COMPACT);

            finding(findings, "window %d: what may be done twice failed: %.300s", c->number, text);
            free(text);
        }
    }
    json_decref(answer);
    return true;
}

static void *
run_client(void *arg)
{
    struct client *c = arg;
    bool there = true;

    while (there && (c->in_flight || !atomic_load(&c->storm->over))) {
        while (there && !atomic_load(&c->storm->over) && c->in_flight < AT_ONCE &&
               c->sent < REQUESTS) {
            there = send_request(c);
            c->sent += there;
            c->in_flight += there;
        }
        there = there && (c->in_flight ? take_answer(c) : c->sent < REQUESTS);
        if (c->sent == REQUESTS && !c->in_flight) {
            break;
        }
    }
    c->killed = !there;
    return NULL;
}

/* Lets the storm go on for so many answers. */
static void
wait_for_answers(struct storm *storm, unsigned more)
{
    unsigned until = atomic_load(&storm->answers) + more;
    int64_t deadline_ns = now_ns() + PATIENCE;

    while (atomic_load(&storm->answers) < until) {
        CHECK(now_ns() < deadline_ns);
        look_again_soon();
    }
}

/* Kills whoever serves now, once that is another than 'last'. */
static pid_t
kill_server(const char *root, pid_t last)
{
    int64_t deadline_ns = now_ns() + PATIENCE;
    struct server_info info;
    const char *why;

    while (!server_info_read(root, &info, &why) || info.pid == last) {
        CHECK(now_ns() < deadline_ns);
        look_again_soon();
    }
    CHECK_INT(kill(info.pid, SIGKILL), 0);
    return info.pid;
}

/* All that was acknowledged is there, as a window that has survived sees it. */
static void
check_nothing_is_lost(struct storm *storm, struct server *s)
{
    unsigned acknowledged = 0, unknown = 0, lost = 0;

    for (int i = 0; i < STORM_WINDOWS; i++) {
        struct client *c = &storm->clients[i];

        for (int n = 0; n < c->sent; n++) {
            json_t *result;

            if (!c->sessions[n][0]) {
                unknown += asked(n) != READ;
                continue;
            }
            CHECK(server_send(
                s,
                "{\"jsonrpc\":\"2.0\",\"id\":\"check\"," CALL(
                    "pos_workflow",
                    "{\"action\":\"get_state\",\"session_id\":\"%s\"}") "," MODERN_META "}}",
                c->sessions[n]));
            result = take_result(s);
            lost += !json_object_get(result, "workflow_state");
            acknowledged++;
            json_decref(result);
        }
    }
    printf("%d kills, %d windows: %u answers; %u starts acknowledged, %u lost; %u unknown\n", KILLS,
           STORM_WINDOWS, atomic_load(&storm->answers), acknowledged, lost, unknown);
    CHECK_INT(lost, 0);
    CHECK(acknowledged > 0);
}

static void
killed_servers_lose_nothing_acknowledged(void **state)
{
    struct storm *storm = xcalloc(1, sizeof *storm);
    char root[HARNESS_ROOT];
    struct server *survivor = NULL;
    unsigned killed = 0;
    int64_t deadline_ns;
    pid_t last = 0;

    (void)state;
    pthread_mutex_init(&storm->findings.mutex, NULL);
    harness_project(root, packs);
    for (int i = 0; i < STORM_WINDOWS; i++) {
        struct client *c = &storm->clients[i];

        *c = (struct client){.storm = storm, .number = i, .modern = i % 2};
        c->sessions = xcalloc(REQUESTS, sizeof *c->sessions);
        server_spawn(&c->server, root, &options);
    }
    for (int i = 0; i < STORM_WINDOWS; i++) {
        if (!storm->clients[i].modern) {
            initialize(&storm->clients[i].server);
        }
        CHECK_INT(pthread_create(&storm->clients[i].thread, NULL, run_client, &storm->clients[i]),
                  0);
    }
    for (int i = 0; i < KILLS; i++) {
        wait_for_answers(storm, stress_count(2000, 100));
        last = kill_server(root, last);
    }
    wait_for_answers(storm, stress_count(2000, 100));
    atomic_store(&storm->over, true);
    for (int i = 0; i < STORM_WINDOWS; i++) {
        struct client *c = &storm->clients[i];

        CHECK_INT(pthread_join(c->thread, NULL), 0);
        killed += c->killed;
        survivor = c->killed ? survivor : &c->server;
        CHECK(c->killed || c->in_flight == 0);
    }
    CHECK_INT(findings_tell(&storm->findings), 0);
    CHECK_INT(killed, KILLS);
    check_nothing_is_lost(storm, survivor);
    deadline_ns = deadline_of_the_end();
    for (int i = 0; i < STORM_WINDOWS; i++) {
        server_close_stdin(&storm->clients[i].server);
    }
    for (int i = 0; i < STORM_WINDOWS; i++) {
        struct client *c = &storm->clients[i];

        CHECK_INT(server_wait(&c->server, deadline_ns), c->killed ? 128 + SIGKILL : 0);
        free(c->sessions);
    }
    harness_remove(root);
    free(storm);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fifty_windows_are_one_server),
        cmocka_unit_test(windows_outlive_the_first),
        cmocka_unit_test(questions_end_with_who_asked),
        cmocka_unit_test(killed_servers_lose_nothing_acknowledged),
    };
    signal(SIGPIPE, SIG_IGN);
    return CHECK_RUN(tests);
}
