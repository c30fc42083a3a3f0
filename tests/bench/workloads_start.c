/* workloads_start.c -- from the start of a process to its first answer, and what it takes while it
 * rests. */
#include "tests/bench/bench.h"
#include "tests/bench/lines.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define STARTS 64 /* In a turn, at most. */

struct turn {
    const struct bench *bench;
    bool http;
    char *hello; /* initialize, owned. */
};

/* What one start took: until the answer, and CPU time of the server until then. */
struct start {
    int64_t ns, cpu_ns;
};

/* ---- stdio ---- */

static struct start
tandem_by_stdio(const struct turn *t)
{
    struct start start = {.ns = now_ns()};
    struct server s;

    server_spawn(&s, t->bench->root, NULL);
    if (!server_send(&s, "%s", t->hello) || !server_has_line(&s, now_ns() + PATIENCE)) {
        bench_fail("tandem: no answer");
    }
    start.ns = now_ns() - start.ns;
    start.cpu_ns = process_cpu_ns(s.pid);
    if (!memmem(s.lines.data, s.lines.len, "\"serverInfo\"", 12) || server_end(&s) != 0) {
        bench_fail("tandem: a bad answer, or a bad end");
    }
    return start;
}

static struct start
sdk_by_stdio(const struct turn *t)
{
    struct start start = {.ns = now_ns()};
    struct lines *lines;
    struct peer p;

    peer_sdk_stdio(&p, MCP_LEGACY);
    lines = lines_open(
        &(struct lines_options){.name = p.name, .in = p.in, .out = p.out, .message = t->hello});
    start.ns = now_ns() - start.ns;
    start.cpu_ns = process_cpu_ns(p.pid);
    lines_close(lines);
    peer_end(&p);
    return start;
}

/* ---- HTTP ---- */

/* Asks as soon as there is somebody to connect to. */
static void
ask(const char *name, unsigned port, const char *token, const char *hello)
{
    struct asker who = {.era = MCP_LEGACY, .port = port, .token = token};
    struct load_request request = message_post(&who, "initialize", NULL, hello);
    struct server_info info = {.port = port, .host = "127.0.0.1"};
    struct load_options options = {
        .name = name, .port = port, .connections = 1, .requests = &request, .request_count = 1};
    int64_t deadline = now_ns() + PATIENCE;
    int fd;

    while ((fd = http_connect(&info)) < 0) {
        if (now_ns() > deadline) {
            bench_fail("%s does not start", name);
        }
        sched_yield(); /* A rest would be longer than what is measured. */
    }
    close(fd);
    load_close(load_open(&options));
    load_request_fini(&request);
}

static void
read_token(const char *root, char token[80])
{
    char *path = xasprintf("%s/.tandem/token", root);
    FILE *file = fopen(path, "re");

    if (!file || !fgets(token, 80, file)) {
        bench_fail("%s: %s", path, strerror(errno));
    }
    token[strcspn(token, "\n")] = '\0';
    fclose(file);
    free(path);
}

static struct start
tandem_by_http(const struct turn *t)
{
    char token[80], listen[32];
    unsigned port = peer_free_port();
    const char *const args[] = {"--listen", listen, NULL};
    struct server_options options = {.args = args, .no_stdin = true};
    struct start start;
    struct server s;

    read_token(t->bench->root, token);
    snprintf(listen, sizeof listen, "127.0.0.1:%u", port);
    start.ns = now_ns();
    server_spawn(&s, t->bench->root, &options);
    ask("tandem", port, token, t->hello);
    start.ns = now_ns() - start.ns;
    start.cpu_ns = process_cpu_ns(s.pid);
    bench_tandem_end(&s);
    return start;
}

static struct start
sdk_by_http(const struct turn *t)
{
    struct start start = {.ns = now_ns()};
    struct peer p;

    peer_sdk_http(&p, MCP_LEGACY);
    ask(p.name, p.port, NULL, t->hello);
    start.ns = now_ns() - start.ns;
    start.cpu_ns = process_cpu_ns(p.pid);
    peer_end(&p);
    return start;
}

/* ---- Turns ---- */

static void
starts(const struct turn *t, struct start (*one)(const struct turn *), double figures[FIGURES])
{
    double ns[STARTS], cpu[STARTS];
    int64_t begin = now_ns();
    size_t count = 0;

    do {
        struct start start = one(t);

        ns[count] = (double)start.ns;
        cpu[count++] = (double)start.cpu_ns;
    } while (count < STARTS && now_ns() - begin < t->bench->turn_ns);
    memset(figures, 0, FIGURES * sizeof *figures);
    figures[FIGURE_P50] = median_of(ns, count) / 1e3;
    figures[FIGURE_P99] = ns[count - 1] / 1e3;
    figures[FIGURE_CPU] = median_of(cpu, count) / 1e3;
}

static void
tandem_turn(void *arg, double figures[FIGURES])
{
    const struct turn *t = arg;

    starts(t, t->http ? tandem_by_http : tandem_by_stdio, figures);
}

static void
sdk_turn(void *arg, double figures[FIGURES])
{
    const struct turn *t = arg;

    starts(t, t->http ? sdk_by_http : sdk_by_stdio, figures);
}

static void
run_starts(struct bench *b, const char *name, bool http, double most_us)
{
    struct goal goals[] = {{FIGURE_P50, GOAL_ITSELF, true, most_us}, {.limit = 0}};
    struct entrant *entrants = xcalloc(2, sizeof *entrants);
    struct turn turn = {.bench = b, .http = http};
    size_t count = bench_has(b, "SDK") ? 2 : 1;

    if (bench_wants(b, name)) {
        turn.hello = message_new(MCP_LEGACY, "initialize", message_initialize);
        entrants[0] = (struct entrant){.name = "tandem", .turn = tandem_turn, .arg = &turn};
        entrants[1] = (struct entrant){.name = "TypeScript SDK 1", .turn = sdk_turn, .arg = &turn};
        contest(entrants, count, b->rounds);
        report_contest(b->report, name, entrants, count, goals);
        free(turn.hello);
    }
    free(entrants);
}

/* ---- At rest ---- */

/* What it takes, as text; new. */
static char *
sdk_at_rest(void)
{
    char *hello = message_new(MCP_LEGACY, "initialize", message_initialize), *text;
    struct peer p;

    peer_sdk_http(&p, MCP_LEGACY);
    ask(p.name, p.port, NULL, hello);
    text =
        xasprintf("%s with one tool %.1f MiB", p.name, (double)process_resident(p.pid) / (1 << 20));
    peer_end(&p);
    free(hello);
    return text;
}

/* A dual server with all groups of tools, which has served a client on each transport. */
static void
run_idle(struct bench *b)
{
    static const char name[] = "idle, every service on";
    static const char *const all[] = {"--groups", "full", "--helpdesk-preload", NULL};
    struct server_options options = {.args = all};
    struct findings findings = FINDINGS_INIT;
    struct mcp_outcome outcome;
    struct mcp_peer peer;
    struct server s;
    char *beside;

    if (!bench_wants(b, name)) {
        return;
    }
    server_start(&s, b->root, &options);
    if (!mcp_open(&peer, &s.info, MCP_LEGACY, 0, &findings)) {
        bench_fail("tandem: no client");
    }
    outcome = mcp_call(&peer, "get_server_info", "{}");
    outcome_fini(&outcome);
    beside = bench_has(b, "SDK") ? sdk_at_rest() : NULL;
    report_single(b->report, &(struct single){.workload = name,
                                              .what = "resident",
                                              .unit = "MiB",
                                              .beside = beside,
                                              .value = (double)process_resident(s.pid) / (1 << 20),
                                              .at_most = true,
                                              .limit = 8});
    mcp_close(&peer);
    samples_fini(&peer.samples);
    if (server_end(&s) != 0 || findings_tell(&findings)) {
        bench_fail("tandem did not end well");
    }
    free(beside);
}

void
bench_start(struct bench *b)
{
    run_starts(b, "start to first answer, stdio", false, 4000);
    run_starts(b, "start to first answer, HTTP", true, 5000);
    run_idle(b);
}
