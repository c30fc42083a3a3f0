/* workloads_http.c -- requests over HTTP: tandem beside nginx, bare libuv and the TypeScript SDK.
 */
#include "tests/bench/bench.h"

#include <stdio.h>

#define LIBUV_MAX 2048u /* Longer requests do not come in one read for sure. */

enum { TANDEM, NGINX, LIBUV, SDK, ENTRANTS };

struct workload {
    const char *name;
    enum mcp_era era;
    unsigned connections;
    const char *method, *tool; /* 'tool' may be null. */
    size_t text;               /* Length of echo's text. */
    const char *arguments;     /* Of other tools; may be null. */
    bool reconnect, sdk;
    const struct goal *goals;
};

/* A turn of one of them. */
struct turn {
    const struct bench *bench;
    struct load *load;
    pid_t pid;
    uint64_t most;
    struct load_result *result; /* Shared: one turn at a time. */
};

static const struct goal echo_goals[] = {{FIGURE_CPU, NGINX, true, 1.25},
                                         {FIGURE_RATE, NGINX, false, 0.8},
                                         {FIGURE_P99, NGINX, true, 1.5},
                                         {.limit = 0}};
static const struct goal large_goals[] = {{FIGURE_CPU, NGINX, true, 3}, {.limit = 0}};
static const struct goal list_goals[] = {{FIGURE_CPU, NGINX, true, 1.6}, {.limit = 0}};

#define ECHO(NAME, ERA, CONNECTIONS, GOALS)                                           \
    {                                                                                 \
        .name = NAME, .era = ERA, .connections = CONNECTIONS, .method = "tools/call", \
        .tool = "echo", .text = 20, .sdk = true, .goals = GOALS                       \
    }
#define LARGE(NAME, ERA)                                                                    \
    {                                                                                       \
        .name = NAME, .era = ERA, .connections = 8, .method = "tools/call", .tool = "echo", \
        .text = 65536, .sdk = true, .goals = large_goals                                    \
    }
#define LIST(NAME, ERA)                                                                   \
    {                                                                                     \
        .name = NAME, .era = ERA, .connections = 64, .method = "tools/list", .sdk = true, \
        .goals = list_goals                                                               \
    }
static const struct workload workloads[] = {
    ECHO("echo legacy 1 connection", MCP_LEGACY, 1, NULL),
    ECHO("echo legacy 8 connections", MCP_LEGACY, 8, echo_goals),
    ECHO("echo legacy 64 connections", MCP_LEGACY, 64, echo_goals),
    ECHO("echo legacy 256 connections", MCP_LEGACY, 256, echo_goals),
    ECHO("echo modern 1 connection", MCP_MODERN, 1, NULL),
    ECHO("echo modern 8 connections", MCP_MODERN, 8, echo_goals),
    ECHO("echo modern 64 connections", MCP_MODERN, 64, echo_goals),
    ECHO("echo modern 256 connections", MCP_MODERN, 256, echo_goals),
    LARGE("echo 64 KiB legacy 8 connections", MCP_LEGACY),
    LARGE("echo 64 KiB modern 8 connections", MCP_MODERN),
    LIST("tools/list legacy 64 connections", MCP_LEGACY),
    LIST("tools/list modern 64 connections", MCP_MODERN),
};

static void
take_turn(void *arg, double figures[FIGURES])
{
    struct turn *t = arg;
    struct load_result *r = t->result;
    int64_t cpu = process_cpu_ns(t->pid);

    load_run(t->load, t->bench->turn_ns, t->most, r);
    cpu = process_cpu_ns(t->pid) - cpu;
    bench_figures(r, cpu, figures);
}

/* The requests of a workload's clients: one for all, or for legacy clients one for each. */
struct requests {
    struct load_request *list;
    unsigned count;
    char *sessions; /* Of legacy clients; count of them. */
};

static struct requests
make_requests(const struct workload *w, struct asker who, const char *message)
{
    struct requests r = {.count = 1};

    if (who.era == MCP_LEGACY && who.token) {
        r.count = w->connections;
        r.sessions = message_sessions(&who, r.count);
    }
    r.list = xcalloc(r.count, sizeof *r.list);
    for (unsigned i = 0; i < r.count; i++) {
        who.session = r.sessions ? r.sessions + i * LOAD_SESSION : NULL;
        r.list[i] = message_post(&who, w->method, w->tool, message);
    }
    return r;
}

static void
free_requests(struct requests *r, const struct asker *who)
{
    if (r->sessions) {
        message_end_sessions(who, r->sessions, r->count);
    }
    for (unsigned i = 0; i < r->count; i++) {
        load_request_fini(&r->list[i]);
    }
    free(r->list);
    free(r->sessions);
}

static char *
workload_message(const struct workload *w, enum mcp_era era)
{
    char *arguments = w->arguments ? xstrdup(w->arguments) : message_echo(w->text);
    char *params = w->tool ? message_call(w->tool, arguments) : xstrdup("");
    char *message = message_new(era, w->method, params);

    free(arguments);
    free(params);
    return message;
}

static struct load *
open_load(const struct workload *w, const char *name, unsigned port, const struct requests *r,
          bool fixed)
{
    struct load_options options = {.name = name,
                                   .port = port,
                                   .connections = w->connections,
                                   .requests = r->list,
                                   .request_count = r->count,
                                   .fixed = fixed,
                                   .reconnect = w->reconnect};

    return load_open(&options);
}

static void
run_workload(struct bench *b, const struct workload *w, const struct server *tandem,
             const struct peer *sdk)
{
    struct load_result *result = xcalloc(1, sizeof *result);
    struct peer nginx = {.name = "nginx"}, libuv = {.name = "bare libuv"};
    struct turn turns[ENTRANTS] = {{.pid = tandem->pid}};
    struct entrant *entrants = xcalloc(ENTRANTS, sizeof *entrants);
    struct asker who = {.era = w->era, .port = tandem->info.port, .token = tandem->info.token};
    struct asker who_sdk = {.era = MCP_LEGACY, .port = sdk->port};
    char *message = workload_message(w, w->era), *message_sdk = workload_message(w, MCP_LEGACY);
    struct requests requests = make_requests(w, who, message);
    struct requests requests_sdk = make_requests(w, who_sdk, message_sdk);
    size_t body, count = 0;

    turns[TANDEM].load = open_load(w, "tandem", who.port, &requests, false);
    body = load_first_body(turns[TANDEM].load).len;
    peer_nginx(&nginx, b->root, body);
    turns[NGINX].load = open_load(w, nginx.name, nginx.port, &requests, true);
    turns[NGINX].pid = nginx.pid;
    count = NGINX + 1;
    if (requests.list[0].bytes.len < LIBUV_MAX) {
        peer_libuv(&libuv, body);
        turns[LIBUV].load = open_load(w, libuv.name, libuv.port, &requests, true);
        turns[LIBUV].pid = libuv.pid;
        entrants[count++] = (struct entrant){.name = libuv.name, .arg = &turns[LIBUV]};
    }
    if (w->sdk) {
        turns[SDK].load = open_load(w, sdk->name, sdk->port, &requests_sdk, false);
        turns[SDK].pid = sdk->pid;
        entrants[count++] = (struct entrant){.name = sdk->name, .arg = &turns[SDK]};
    }
    entrants[TANDEM] = (struct entrant){.name = "tandem", .arg = &turns[TANDEM]};
    entrants[NGINX] = (struct entrant){.name = nginx.name, .arg = &turns[NGINX]};
    for (size_t i = 0; i < count; i++) {
        struct turn *t = entrants[i].arg;
        t->bench = b;
        t->result = result;
        entrants[i].turn = take_turn;
    }
    contest(entrants, count, b->rounds);
    report_contest(b->report, w->name, entrants, count, w->goals);
    for (size_t i = 0; i < ENTRANTS; i++) {
        load_close(turns[i].load);
    }
    peer_end(&nginx);
    peer_end(&libuv);
    free_requests(&requests, &who);
    free_requests(&requests_sdk, &who_sdk);
    free(message);
    free(message_sdk);
    free(entrants);
    free(result);
}

void
bench_http(struct bench *b)
{
    struct server tandem;
    struct peer sdk;

    bench_tandem(&tandem, b->root, false, NULL);
    peer_sdk_http(&sdk);
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++) {
        if (bench_wants(b, workloads[i].name)) {
            run_workload(b, &workloads[i], &tandem, &sdk);
        }
    }
    peer_end(&sdk);
    bench_tandem_end(&tandem);
}
