/* workloads_http.c -- requests over HTTP: tandem beside nginx, bare libuv and the TypeScript SDK,
 * and its tools beside its echo. */
#include "tests/bench/side.h"

#define LIBUV_MAX 2048u /* Longer requests do not come in one read for sure. */
#define ENTRANTS 4
#define SDK_WARM_TURNS 10

/* The others of a contest: goals are ratios to the first of them. */
#define FIRST 1

struct workload {
    const char *name;
    struct question question;
    size_t text; /* Of echo. */
    const struct goal *goals;
};

static const struct goal echo_goals[] = {{FIGURE_CPU, FIRST, true, 1.25},
                                         {FIGURE_RATE, FIRST, false, 0.8},
                                         {FIGURE_P99, FIRST, true, 1.5},
                                         {.limit = 0}};
static const struct goal large_goals[] = {{FIGURE_CPU, FIRST, true, 3}, {.limit = 0}};
static const struct goal list_goals[] = {{FIGURE_CPU, FIRST, true, 1.6}, {.limit = 0}};
static const struct goal storm_goals[] = {{FIGURE_CPU, FIRST, true, 1.3}, {.limit = 0}};
static const struct goal task_goals[] = {{FIGURE_CPU, FIRST, true, 1.3}, {.limit = 0}};
static const struct goal search_goals[] = {{FIGURE_CPU, FIRST, true, 1.5}, {.limit = 0}};

#define ECHO(NAME, ERA, CONNECTIONS, TEXT, GOALS)                                    \
    {                                                                                \
        NAME, {ERA, CONNECTIONS, "tools/call", "echo"}, .text = TEXT, .goals = GOALS \
    }
#define LIST(NAME, ERA)                                    \
    {                                                      \
        NAME, {ERA, 64, "tools/list"}, .goals = list_goals \
    }
static const struct workload workloads[] = {
    ECHO("echo legacy 1 connection", MCP_LEGACY, 1, 20, NULL),
    ECHO("echo legacy 8 connections", MCP_LEGACY, 8, 20, echo_goals),
    ECHO("echo legacy 64 connections", MCP_LEGACY, 64, 20, echo_goals),
    ECHO("echo legacy 256 connections", MCP_LEGACY, 256, 20, echo_goals),
    ECHO("echo modern 1 connection", MCP_MODERN, 1, 20, NULL),
    ECHO("echo modern 8 connections", MCP_MODERN, 8, 20, echo_goals),
    ECHO("echo modern 64 connections", MCP_MODERN, 64, 20, echo_goals),
    ECHO("echo modern 256 connections", MCP_MODERN, 256, 20, echo_goals),
    ECHO("echo 64 KiB legacy 8 connections", MCP_LEGACY, 8, 65536, large_goals),
    ECHO("echo 64 KiB modern 8 connections", MCP_MODERN, 8, 65536, large_goals),
    LIST("tools/list legacy 64 connections", MCP_LEGACY),
    LIST("tools/list modern 64 connections", MCP_MODERN),
    {"connect, initialize, close",
     {MCP_LEGACY, 8, "initialize", .reconnect = true},
     .goals = storm_goals},
    {"connect, server/discover, close",
     {MCP_MODERN, 8, "server/discover", .reconnect = true},
     .goals = storm_goals},
};

/* Starts the SDK, and lets it work until what compiles it has done so. */
static void
start_sdk(const struct bench *b, struct peer *sdk, enum mcp_era era)
{
    struct entrant *e = xcalloc(1, sizeof *e);
    char *arguments = message_echo(20);
    struct question question = {era, 8, "tools/call", "echo", arguments};
    double figures[FIGURES];
    struct side *side;

    peer_sdk_http(sdk, era);
    side = side_mcp(b, e, sdk->name, sdk->pid, (struct asker){.era = era, .port = sdk->port},
                    &question, false);
    for (unsigned i = 0; i < SDK_WARM_TURNS; i++) {
        e->turn(e->arg, figures);
    }
    side_free(side);
    free(arguments);
    free(e);
}

static void
against_peers(struct bench *b, const struct workload *w, const struct peer *sdk)
{
    struct entrant *entrants = xcalloc(ENTRANTS, sizeof *entrants);
    struct side *sides[ENTRANTS] = {NULL};
    struct question question = w->question;
    struct peer nginx = {.pid = 0}, libuv = {.pid = 0};
    char *arguments = message_echo(w->text);
    struct server tandem;
    size_t count;

    if (question.tool) {
        question.arguments = arguments;
    }
    bench_tandem(&tandem, b->root, false, question.reconnect ? bench_many_sessions : NULL);
    sides[0] = side_mcp(b, &entrants[0], "tandem", tandem.pid, side_asker(&tandem, question.era),
                        &question, question.era == MCP_LEGACY && !question.reconnect);
    count = 1;
    if (bench_has(b, "nginx")) {
        peer_nginx(&nginx, b->root, side_body_len(sides[0]));
        sides[count] = side_fixed(b, &entrants[count], &nginx, &question, sides[0]);
        count++;
    }
    if (side_request_len(sides[0]) < LIBUV_MAX) {
        peer_libuv(&libuv, side_body_len(sides[0]));
        sides[count] = side_fixed(b, &entrants[count], &libuv, &question, sides[0]);
        count++;
    }
    if (bench_has(b, "SDK")) {
        sides[count] =
            side_mcp(b, &entrants[count], sdk->name, sdk->pid,
                     (struct asker){.era = question.era, .port = sdk->port}, &question, false);
        count++;
    }
    contest(entrants, count, b->rounds);
    report_contest(b->report, w->name, entrants, count, bench_has(b, "nginx") ? w->goals : NULL);
    for (size_t i = 0; i < count; i++) {
        side_free(sides[i]);
    }
    peer_end(&nginx);
    peer_end(&libuv);
    bench_tandem_end(&tandem);
    free(arguments);
    free(entrants);
}

/* ---- tandem's tools, beside its echo ---- */

/* Starts a workflow session; the arguments that read its first task, new. */
static char *
task_arguments(const struct server *tandem)
{
    struct findings findings = FINDINGS_INIT;
    struct mcp_outcome outcome;
    struct mcp_peer peer;
    char *arguments;

    if (!mcp_open(&peer, &tandem->info, MCP_MODERN, 0, &findings)) {
        bench_fail("tandem: no client");
    }
    outcome = mcp_workflow(&peer, "{\"action\":\"start\",\"workflow_type\":\"bug_fix_v1\","
                                  "\"target_file\":\"calendar.c\"}");
    if (findings_tell(&findings) || !outcome_text(&outcome, "session_id")) {
        bench_fail("tandem: no workflow session");
    }
    arguments = xasprintf("{\"action\":\"get_task\",\"session_id\":\"%s\",\"phase\":0,"
                          "\"task_number\":1}",
                          outcome_text(&outcome, "session_id"));
    outcome_fini(&outcome);
    mcp_close(&peer);
    samples_fini(&peer.samples);
    return arguments;
}

static void
against_echo(struct bench *b, const char *name, const char *tool, const char *arguments,
             const struct goal *goals, const struct server *tandem)
{
    struct entrant *entrants = xcalloc(ENTRANTS, sizeof *entrants);
    char *echo = message_echo(20);
    struct question question = {MCP_MODERN, 8, "tools/call", tool, arguments, .varies = true};
    struct question plain = {MCP_MODERN, 8, "tools/call", "echo", echo};
    struct asker who = side_asker(tandem, MCP_MODERN);
    struct side *sides[2];

    sides[0] = side_mcp(b, &entrants[0], "tandem", tandem->pid, who, &question, false);
    sides[1] = side_mcp(b, &entrants[1], "its echo", tandem->pid, who, &plain, false);
    contest(entrants, 2, b->rounds);
    report_contest(b->report, name, entrants, 2, goals);
    side_free(sides[0]);
    side_free(sides[1]);
    free(entrants);
    free(echo);
}

static void
bench_tools(struct bench *b)
{
    static const char task[] = "pos_workflow get_task 8 connections",
                      cached[] = "search_standards cached 8 connections",
                      fresh[] = "search_standards not cached 8 connections";
    struct server tandem;
    char *arguments;

    if (!bench_wants(b, task) && !bench_wants(b, cached) && !bench_wants(b, fresh)) {
        return;
    }
    bench_tandem(&tandem, b->root, false, NULL);
    if (bench_wants(b, task)) {
        arguments = task_arguments(&tandem);
        against_echo(b, task, "pos_workflow", arguments, task_goals, &tandem);
        free(arguments);
    }
    if (bench_wants(b, cached)) {
        against_echo(b, cached, "search_standards",
                     "{\"query\":\"how long to wait before trying again\"}", search_goals, &tandem);
    }
    if (bench_wants(b, fresh)) { /* The id of the request is one of the words: never asked yet. */
        against_echo(b, fresh, "search_standards",
                     "{\"query\":\"how long to wait before trying again after error " LOAD_ID "\"}",
                     NULL, &tandem);
    }
    bench_tandem_end(&tandem);
}

void
bench_http(struct bench *b)
{
    struct peer sdks[] = {[MCP_LEGACY] = {.pid = 0}, [MCP_MODERN] = {.pid = 0}};

    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++) {
        enum mcp_era era = workloads[i].question.era;

        if (bench_wants(b, workloads[i].name)) {
            if (!sdks[era].pid && bench_has(b, "SDK")) {
                start_sdk(b, &sdks[era], era);
            }
            against_peers(b, &workloads[i], &sdks[era]);
        }
    }
    peer_end(&sdks[MCP_LEGACY]);
    peer_end(&sdks[MCP_MODERN]);
    bench_tools(b);
}
