/* lifecycle.c -- how the real server starts and ends: alone, among twenty, told to, killed, with
 * calls in flight. */
#include "tests/check.h"
#include "tests/crowd.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const packs[] = {PACK_BUG_FIX, NULL};

/* Waits until nobody accepts connections any more: the server has begun to end. */
static void
wait_for_refusal(const struct server_info *info)
{
    int64_t deadline = in_time();
    int fd;

    while ((fd = http_connect(info)) >= 0) {
        close(fd);
        CHECK(now_ns() < deadline);
        look_again_soon();
    }
}

struct drained {
    unsigned results, refusals;
};

/* One answer for each call, with its own id: its result, or an error that says why not. */
static void
count_answer(const json_t *answer, int id, struct drained *drained)
{
    const json_t *error = json_object_get(answer, "error");
    struct mcp_outcome outcome = {.result = NULL};
    json_t *want = json_integer(id);

    if (error) {
        CHECK(json_equal(json_object_get(answer, "id"), want));
        CHECK(json_is_string(json_object_get(error, "message")));
        drained->refusals++;
    } else {
        const char *why = mcp_check_answer(answer, want, MCP_MODERN, &outcome);
        if (why) {
            printf("id %d: %s\n", id, why);
        }
        CHECK(!why);
        drained->results += !outcome.is_error;
        drained->refusals += outcome.is_error;
    }
    outcome_fini(&outcome);
    json_decref(want);
}

static struct drained
drain_crowd(struct server *s, struct crowd *crowd)
{
    struct drained drained = {0, 0};
    bool seen[CROWD_EACH] = {false};

    for (int i = 0; i < CROWD_EACH; i++) {
        json_t *answer = server_read(s, in_time());
        json_int_t id = json_integer_value(json_object_get(answer, "id"));
        CHECK(answer && id >= 0 && id < CROWD_EACH && !seen[id]);
        seen[id] = true;
        count_answer(answer, (int)id, &drained);
        json_decref(answer);
    }
    for (int i = 0; i < CROWD_EACH; i++) {
        struct http_reply reply = {.status = 0};
        json_t *answer;
        CHECK(http_read(&crowd->peers[i], &reply));
        answer = json_loadb(reply.body.data, reply.body.len, 0, NULL);
        CHECK(answer);
        count_answer(answer, i, &drained);
        json_decref(answer);
        http_reply_fini(&reply);
    }
    return drained;
}

/* How the server is told to end: 0 for the end of its standard input. */
static void
tell_to_end(struct server *s, int signal_number)
{
    if (signal_number) {
        CHECK_INT(kill(s->pid, signal_number), 0);
    } else {
        server_close_stdin(s);
    }
}

/* Calls in flight have as long as there is, where it is not the point how long they have. */
static const char *const patient[] = {"--drain", "1m", NULL};

static void
ends_with_50_calls_in_flight(int signal_number, const char *name)
{
    char root[HARNESS_ROOT];
    struct fake_git git;
    struct server s;
    struct crowd crowd;
    struct drained drained;
    int64_t start;
    int status;

    harness_project(root, packs);
    fake_git_init(&git, root);
    server_start(&s, root, &(struct server_options){.args = patient, .path_first = git.folder});
    crowd_fill(&s, &crowd, &git);
    start = now_ns();
    tell_to_end(&s, signal_number);
    wait_for_refusal(&s.info);
    fake_git_release(&git);
    drained = drain_crowd(&s, &crowd);
    CHECK(!server_has_line(&s, in_time())); /* End of its output, and nothing more on it. */
    CHECK_INT(s.lines.len, 0);
    status = server_wait(&s, in_time());
    printf("%s with %d calls in flight: %u answered, %u refused, ended after %.1f ms\n", name,
           2 * CROWD_EACH, drained.results, drained.refusals, (double)(now_ns() - start) / MS);
    if (status != 0) {
        harness_show_log(root);
    }
    CHECK_INT(status, 0);
    CHECK_INT(drained.results, 2 * CROWD_EACH);
    CHECK_STR(server_left(root), "");
    crowd_leave(&crowd);
    harness_remove(root);
}

static void
end_of_input_drains(void **state)
{
    (void)state;
    ends_with_50_calls_in_flight(0, "end of input");
}
static void
sigint_drains(void **state)
{
    (void)state;
    ends_with_50_calls_in_flight(SIGINT, "SIGINT");
}
static void
sigterm_drains(void **state)
{
    (void)state;
    ends_with_50_calls_in_flight(SIGTERM, "SIGTERM");
}

/* Calls that do not end in time are given up, and told so. */
static void
patience_ends(void **state)
{
    /* Whatever is logged of it. */
    static const char *const args[] = {"--drain", "100ms", "--log-level", "off", NULL};
    char root[HARNESS_ROOT];
    struct fake_git git;
    struct server s;
    struct crowd crowd;
    struct drained drained;
    int64_t start;

    (void)state;
    harness_project(root, packs);
    fake_git_init(&git, root);
    server_start(&s, root, &(struct server_options){.args = args, .path_first = git.folder});
    crowd_fill(&s, &crowd, &git);
    start = now_ns();
    tell_to_end(&s, SIGTERM);
    drained = drain_crowd(&s, &crowd);
    CHECK_INT(server_wait(&s, in_time()), 0);
    printf("git never answers: %u answered, %u refused, ended after %.1f ms\n", drained.results,
           drained.refusals, (double)(now_ns() - start) / MS);
    CHECK_INT(drained.results, 0); /* None waited until git's own time was over. */
    CHECK_INT(drained.refusals, 2 * CROWD_EACH);
    CHECK_STR(server_left(root), "");
    fake_git_release(&git);
    crowd_leave(&crowd);
    harness_remove(root);
}

static void
second_signal_ends_at_once(void **state)
{
    char root[HARNESS_ROOT];
    struct fake_git git;
    struct server s;
    struct crowd crowd;

    (void)state;
    harness_project(root, packs);
    fake_git_init(&git, root);
    server_start(&s, root, &(struct server_options){.args = patient, .path_first = git.folder});
    crowd_fill(&s, &crowd, &git);
    tell_to_end(&s, SIGTERM);
    wait_for_refusal(&s.info);
    CHECK(server_alive(&s));
    tell_to_end(&s, SIGTERM);
    CHECK(server_wait(&s, in_time()) > 0);
    /* It did not wait for its calls: only now git, whom nobody asks any more, is ended too. */
    while (fake_git_waits(&git)) {
        CHECK(now_ns() < in_time());
        look_again_soon();
    }
    fake_git_release(&git);
    crowd_leave(&crowd);
    harness_remove(root);
}

/* Twenty projects, twenty servers at once. */
#define MANY 20

static void
twenty_at_once_have_ports_of_their_own(void **state)
{
    static char roots[MANY][HARNESS_ROOT];
    static struct server servers[MANY];

    (void)state;
    for (int i = 0; i < MANY; i++) {
        harness_project(roots[i], packs);
    }
    for (int i = 0; i < MANY; i++) {
        server_spawn(&servers[i], roots[i], NULL);
    }
    for (int i = 0; i < MANY; i++) {
        CHECK(server_ready(&servers[i]));
        for (int j = 0; j < i; j++) {
            CHECK(servers[i].info.port != servers[j].info.port);
            CHECK(strcmp(servers[i].info.token, servers[j].info.token) != 0);
            CHECK(strcmp(servers[i].info.instance, servers[j].info.instance) != 0);
        }
    }
    for (int i = 0; i < MANY; i++) {
        struct findings findings = FINDINGS_INIT;
        struct mcp_peer peer;
        struct mcp_outcome outcome;
        const json_t *told;

        CHECK(mcp_open(&peer, &servers[i].info, i % 2 ? MCP_MODERN : MCP_LEGACY, i, &findings));
        outcome = mcp_call(&peer, "get_server_info", "{}");
        CHECK_INT(findings_tell(&findings), 0);
        told = json_object_get(outcome.result, "server");
        CHECK_STR(json_string_value(json_object_get(told, "instance")), servers[i].info.instance);
        CHECK_INT(json_integer_value(json_object_get(told, "pid")), servers[i].pid);
        outcome_fini(&outcome);
        mcp_close(&peer);
        samples_fini(&peer.samples);
    }
    for (int i = 0; i < MANY; i++) {
        server_close_stdin(&servers[i]);
    }
    for (int i = 0; i < MANY; i++) {
        CHECK_INT(server_end(&servers[i]), 0);
        CHECK_STR(server_left(roots[i]), "");
        harness_remove(roots[i]);
    }
}

/* What the last server on 'root' said on standard error, new. */
static char *
read_log(const char *root)
{
    char path[HARNESS_ROOT + 16];
    struct buf text = BUF_INIT;
    char chunk[4096];
    size_t n;
    FILE *file;

    snprintf(path, sizeof path, "%s/server.log", root);
    file = fopen(path, "re");
    while (file && (n = fread(chunk, 1, sizeof chunk, file)) > 0) {
        buf_add(&text, chunk, n);
    }
    if (file) {
        fclose(file);
    }
    buf_addc(&text, '\0');
    return buf_steal(&text);
}

static void
a_second_server_refuses_and_names_the_first(void **state)
{
    static const char *const exclusive[] = {"--exclusive", NULL};
    const struct server_options ways[] = {{.args = exclusive}, {.no_stdin = true}};
    char root[HARNESS_ROOT], pid[24];
    struct server first, second;
    struct server_info info;
    const char *why;
    char *said;

    (void)state;
    harness_project(root, packs);
    server_start(&first, root, NULL);
    snprintf(pid, sizeof pid, "%d", (int)first.pid);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        server_spawn(&second, root, &ways[i]);
        CHECK_INT(server_wait(&second, in_time()), 1);
        said = read_log(root);
        CHECK(strstr(said, pid));
        CHECK(!strstr(said, first.info.token));
        free(said);
        CHECK(server_info_read(root, &info, &why)); /* The first one's, untouched. */
        CHECK_STR(info.instance, first.info.instance);
        CHECK(server_alive(&first));
    }
    CHECK_INT(server_end(&first), 0);
    CHECK_STR(server_left(root), "");
    server_start(&second, root, NULL); /* Now there is place. */
    CHECK_INT(server_end(&second), 0);
    CHECK_STR(server_left(root), "");
    harness_remove(root);
}

/* An IDE that restarts its server does not wait for the old one. */
static void
the_next_server_waits_for_one_that_ends(void **state)
{
    char root[HARNESS_ROOT];
    struct server first, second;
    struct server_info info;
    struct fake_git git;
    const char *why;
    json_t *answer;

    (void)state;
    harness_project(root, packs);
    fake_git_init(&git, root);
    server_start(&first, root, &(struct server_options){.args = patient, .path_first = git.folder});
    CHECK(server_send(&first, "{\"jsonrpc\":\"2.0\",\"id\":1," INFO_CALL "}"));
    CHECK(fake_git_wait(&git, in_time()));
    server_close_stdin(&first);
    wait_for_refusal(&first.info);
    CHECK(!server_info_read(root, &info, &why)); /* Nobody finds it any more. */
    server_spawn(&second, root, NULL);
    CHECK(server_send(&second, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}"));
    CHECK(server_alive(&first) && fake_git_waits(&git));
    fake_git_release(&git);
    answer = server_read(&first, in_time());
    CHECK(json_object_get(answer, "result"));
    json_decref(answer);
    CHECK_INT(server_wait(&first, in_time()), 0);
    answer = server_read(&second, in_time());
    CHECK_INT(json_integer_value(json_object_get(answer, "id")), 2);
    json_decref(answer);
    CHECK(server_info_read(root, &info, &why) && info.pid == second.pid);
    CHECK_INT(server_end(&second), 0);
    CHECK_STR(server_left(root), "");
    harness_remove(root);
}

static void
killed_servers_leave_nothing_in_the_way(void **state)
{
    unsigned rounds = stress_count(10, 2);
    char root[HARNESS_ROOT];
    struct server s;
    struct server_info stale;
    const char *why;

    (void)state;
    harness_project(root, packs);
    for (unsigned i = 0; i < rounds; i++) {
        server_start(&s, root, NULL);
        if (i > 0) {
            CHECK(strcmp(stale.instance, s.info.instance) != 0);
        }
        server_kill(&s);
        CHECK(server_info_read(root, &stale, &why)); /* Stale: its process is gone. */
        CHECK_INT(stale.pid, s.pid);
    }
    server_start(&s, root, NULL);
    CHECK_INT(server_end(&s), 0);
    CHECK_STR(server_left(root), "");
    harness_remove(root);
}

struct watcher {
    char root[HARNESS_ROOT];
    struct findings findings;
    atomic_bool stop;
    atomic_uint whole, absent;
};

static void *
watch_file(void *arg)
{
    struct watcher *w = arg;
    char path[HARNESS_ROOT + 32];
    struct server_info info;
    const char *why;

    snprintf(path, sizeof path, "%s/.tandem/server.json", w->root);
    while (!atomic_load(&w->stop)) {
        struct stat st;
        if (server_info_read(w->root, &info, &why)) {
            atomic_fetch_add(&w->whole, 1);
        } else if (strcmp(why, "no server.json") == 0) {
            atomic_fetch_add(&w->absent, 1);
        } else {
            finding(&w->findings, "%s", why);
        }
        if (stat(path, &st) == 0 && (st.st_mode & 0777) != 0600) {
            finding(&w->findings, "server.json has mode %o", st.st_mode & 0777u);
        }
    }
    return NULL;
}

static void
the_discovery_file_is_never_seen_half_written(void **state)
{
    static struct watcher w = {.findings = FINDINGS_INIT};
    unsigned rounds = stress_count(40, 5);
    pthread_t thread;
    struct server s;

    (void)state;
    harness_project(w.root, packs);
    CHECK_INT(pthread_create(&thread, NULL, watch_file, &w), 0);
    for (unsigned i = 0; i < rounds; i++) {
        unsigned seen = atomic_load(&w.whole);
        int64_t deadline = in_time();
        server_start(&s, w.root, NULL);
        while (atomic_load(&w.whole) == seen && now_ns() < deadline) {
            sched_yield();
        }
        CHECK_INT(server_end(&s), 0);
    }
    atomic_store(&w.stop, true);
    pthread_join(thread, NULL);
    printf("server.json read %u times whole, %u times absent, in %u lives\n", w.whole, w.absent,
           rounds);
    CHECK_INT(findings_tell(&w.findings), 0);
    CHECK(w.whole >= rounds);
    CHECK_STR(server_left(w.root), "");
    harness_remove(w.root);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(end_of_input_drains),
        cmocka_unit_test(sigint_drains),
        cmocka_unit_test(sigterm_drains),
        cmocka_unit_test(patience_ends),
        cmocka_unit_test(second_signal_ends_at_once),
        cmocka_unit_test(twenty_at_once_have_ports_of_their_own),
        cmocka_unit_test(a_second_server_refuses_and_names_the_first),
        cmocka_unit_test(the_next_server_waits_for_one_that_ends),
        cmocka_unit_test(killed_servers_leave_nothing_in_the_way),
        cmocka_unit_test(the_discovery_file_is_never_seen_half_written),
    };

    return CHECK_RUN(tests);
}
