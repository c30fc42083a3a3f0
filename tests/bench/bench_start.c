/* bench_start.c -- how soon the server answers after it is started, and how much memory it takes
 * while idle.
 *
 * Start: from fork() to the last byte of the answer to initialize on its stdio, a dual-transport
 * server on a project with two packs, many times over; beside it what starting and ending /bin/true
 * takes.  Memory: the resident set of a dual server that has served a client on each transport and
 * rests.  "make bench-start" runs it. */
#include "tests/harness_http.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define STARTS 200
#define GOAL_START_MS 5.0
#define GOAL_IDLE_MIB 7.0

static const char *const packs[] = {PACK_BUG_FIX, PACK_SPEC_CREATION, NULL};
static const char hello[] =
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
    "\"2025-11-25\","
    "\"capabilities\":{},\"clientInfo\":{\"name\":\"bench\",\"version\":\"1\"}}}";

static int64_t
start_to_answer(const char *root)
{
    struct server s;
    int64_t start = now_ns(), took;
    json_t *answer;

    server_spawn(&s, root, NULL);
    if (!server_send(&s, "%s", hello) || !server_has_line(&s, now_ns() + PATIENCE)) {
        harness_give_up("no answer");
    }
    took = now_ns() - start;
    answer = server_read(&s, now_ns());
    if (!json_object_get(answer, "result") || server_end(&s) != 0) {
        harness_give_up("a bad answer, or a bad end");
    }
    json_decref(answer);
    return took;
}

static int64_t
start_and_end_true(void)
{
    int64_t start = now_ns();
    pid_t pid = fork();

    if (pid == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
    return now_ns() - start;
}

static void
bench_start(const char *root)
{
    struct samples server = {.ns = NULL}, nothing = {.ns = NULL};
    double median;

    for (int i = 0; i < STARTS; i++) {
        samples_add(&server, start_to_answer(root));
        samples_add(&nothing, start_and_end_true());
    }
    median = (double)samples_percentile(&server, 50) / MS;
    printf(
        "start to first answer on stdio: median %.2f ms, best %.2f, p90 %.2f, of %d (goal: under "
        "%.0f ms: %s); %.1f times /bin/true\n",
        median, (double)samples_percentile(&server, 0) / MS,
        (double)samples_percentile(&server, 90) / MS, STARTS, GOAL_START_MS,
        median < GOAL_START_MS ? "met" : "missed",
        median * MS / (double)samples_percentile(&nothing, 50));
    samples_fini(&server);
    samples_fini(&nothing);
}

static void
bench_idle(const char *root)
{
    struct findings findings = FINDINGS_INIT;
    struct mcp_outcome outcome;
    struct mcp_peer peer;
    struct server s;
    double fresh, idle;

    server_start(&s, root, NULL);
    fresh = (double)server_resident(&s) / (1 << 20);
    if (!mcp_open(&peer, &s.info, MCP_LEGACY, 0, &findings)) {
        harness_give_up("no client");
    }
    outcome = mcp_call(&peer, "get_server_info", "{}");
    outcome_fini(&outcome);
    idle = (double)server_resident(&s) / (1 << 20);
    printf(
        "resident memory of an idle dual server: %.1f MiB once it serves, %.1f MiB with a client "
        "on each transport (goal: under %.0f MiB: %s)\n",
        fresh, idle, GOAL_IDLE_MIB, idle < GOAL_IDLE_MIB ? "met" : "missed");
    mcp_close(&peer);
    samples_fini(&peer.samples);
    if (server_end(&s) != 0 || findings_tell(&findings)) {
        harness_give_up("the server did not end well");
    }
}

int
main(void)
{
    char root[HARNESS_ROOT];

    harness_project(root, packs);
    bench_start(root);
    bench_idle(root);
    harness_remove(root);
    return 0;
}
