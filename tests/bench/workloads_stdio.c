/* workloads_stdio.c -- messages on stdio: tandem beside bare pipes and the TypeScript SDK. */
#include "tests/bench/bench.h"
#include "tests/bench/lines.h"

enum { TANDEM, PIPE, SDK, ENTRANTS };

struct workload {
    const char *name;
    enum mcp_era era;
    unsigned in_flight;
    size_t text; /* Length of echo's text. */
    const struct goal *goals;
};

struct turn {
    const struct bench *bench;
    struct lines *lines;
    pid_t pid;
    unsigned in_flight;
    struct load_result *result; /* Shared: one turn at a time. */
};

static const struct goal one_goals[] = {{FIGURE_RATE, PIPE, false, 0.9}, {.limit = 0}};
static const struct goal many_goals[] = {{FIGURE_CPU, GOAL_ITSELF, true, 2}, {.limit = 0}};
static const struct goal large_goals[] = {{FIGURE_RATE, SDK, false, 3}, {.limit = 0}};

static const struct workload workloads[] = {
    {"stdio legacy one by one", MCP_LEGACY, 1, 20, one_goals},
    {"stdio modern one by one", MCP_MODERN, 1, 20, one_goals},
    {"stdio legacy 64 in flight", MCP_LEGACY, 64, 20, many_goals},
    {"stdio modern 64 in flight", MCP_MODERN, 64, 20, many_goals},
    {"stdio 64 KiB legacy 64 in flight", MCP_LEGACY, 64, 65536, large_goals},
    {"stdio 64 KiB modern 64 in flight", MCP_MODERN, 64, 65536, large_goals},
};

static void
take_turn(void *arg, double figures[FIGURES])
{
    struct turn *t = arg;
    int64_t cpu = process_cpu_ns(t->pid);

    lines_run(t->lines, t->in_flight, t->bench->turn_ns, t->result);
    bench_figures(t->result, process_cpu_ns(t->pid) - cpu, figures);
}

static char *
echo_message(enum mcp_era era, size_t text)
{
    char *arguments = message_echo(text), *params = message_call("echo", arguments);
    char *message = message_new(era, "tools/call", params);

    free(arguments);
    free(params);
    return message;
}

static struct lines *
open_lines(const char *name, int in, int out, const char *message, enum mcp_era era, bool fixed)
{
    struct lines_options options = {.name = name,
                                    .in = in,
                                    .out = out,
                                    .message = message,
                                    .initialize = era == MCP_LEGACY && !fixed,
                                    .fixed = fixed};

    return lines_open(&options);
}

static void
run_workload(struct bench *b, const struct workload *w)
{
    struct load_result *result = xcalloc(1, sizeof *result);
    struct entrant *entrants = xcalloc(ENTRANTS, sizeof *entrants);
    char *message = echo_message(w->era, w->text);
    struct turn turns[ENTRANTS];
    struct peer pipe, sdk = {.pid = 0};
    size_t count = bench_has(b, "SDK") ? ENTRANTS : SDK;
    struct server tandem;

    for (size_t i = 0; i < ENTRANTS; i++) {
        turns[i] = (struct turn){.bench = b, .in_flight = w->in_flight, .result = result};
        entrants[i] = (struct entrant){.turn = take_turn, .arg = &turns[i]};
    }
    bench_tandem(&tandem, b->root, true, NULL);
    turns[TANDEM].lines = open_lines("tandem", tandem.in, tandem.out, message, w->era, false);
    turns[TANDEM].pid = tandem.pid;
    entrants[TANDEM].name = "tandem";
    peer_pipe(&pipe, lines_answer_len(turns[TANDEM].lines));
    turns[PIPE].lines = open_lines(pipe.name, pipe.in, pipe.out, message, w->era, true);
    turns[PIPE].pid = pipe.pid;
    entrants[PIPE].name = pipe.name;
    if (count == ENTRANTS) {
        peer_sdk_stdio(&sdk, w->era);
        turns[SDK].lines = open_lines(sdk.name, sdk.in, sdk.out, message, w->era, false);
        turns[SDK].pid = sdk.pid;
        entrants[SDK].name = sdk.name;
    }

    contest(entrants, count, b->rounds);
    report_contest(b->report, w->name, entrants, count, w->goals);
    for (size_t i = 0; i < ENTRANTS; i++) {
        lines_close(turns[i].lines);
    }
    bench_tandem_end(&tandem);
    peer_end(&pipe);
    peer_end(&sdk);
    free(message);
    free(entrants);
    free(result);
}

void
bench_stdio(struct bench *b)
{
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++) {
        if (bench_wants(b, workloads[i].name)) {
            run_workload(b, &workloads[i]);
        }
    }
}
