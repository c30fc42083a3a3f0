/* workloads_relay.c -- one who publishes, many who read: tandem's relay beside a plain loop that
 * sends the same bytes. */
#include "tests/bench/bench.h"
#include "tests/harness_fanout.h"

#define PLANNED_NS (400 * MS) /* A turn that the plans are for. */

struct turn {
    const struct server *server; /* Null: the plain loop. */
    const struct fanout_plan *plan;
    struct fanout_run *run; /* Shared: the loop sends the frames that the relay sent. */
};

static void
take_turn(void *arg, double figures[FIGURES])
{
    struct turn *t = arg;
    bool good = t->server ? fanout_relay(t->server, t->plan, t->run) : fanout_raw(t->plan, t->run);

    if (!good) {
        bench_fail("%s: not all was told", t->server ? "tandem" : "plain loop");
    }
    memset(figures, 0, FIGURES * sizeof *figures);
    figures[FIGURE_CPU] = t->run->cpu_us;
    figures[FIGURE_RATE] = t->plan->events * (double)t->plan->readers / t->run->seconds;
}

/* A plan for shorter turns than those that it is for has fewer events. */
static struct fanout_plan
shorter(const struct bench *b, struct fanout_plan plan)
{
    if (b->turn_ns < PLANNED_NS) {
        plan.events = (unsigned)(plan.events * (double)b->turn_ns / PLANNED_NS);
        plan.events -= plan.events % plan.burst;
        plan.events = plan.events ? plan.events : plan.burst;
    }
    return plan;
}

void
bench_relay(struct bench *b)
{
    static const char *const many[] = {"--relay-max-clients",
                                       "1024",
                                       "--limits-connections",
                                       "4096",
                                       "--limits-unchecked",
                                       "4096",
                                       NULL};
    static const struct goal goals[] = {{FIGURE_RATE, 1, false, 0.7}, {.limit = 0}};
    /* Deliveries: 30,000 events to each of the two. */
    static const struct goal promised[] = {{FIGURE_RATE, GOAL_ITSELF, false, 60000}, {.limit = 0}};
    static const struct {
        const char *name;
        struct fanout_plan plan;
        const struct goal *goals;
    } workloads[] = {
        {"relay to 1 subscriber", {.readers = 1, .events = 20000, .burst = 50, .ahead = 4}, NULL},
        {"relay to 2 subscribers",
         {.readers = 2, .events = 20000, .burst = 50, .ahead = 4},
         promised},
        {"relay to 100 subscribers",
         {.readers = 100, .events = 2000, .burst = 50, .ahead = 4},
         goals},
        {"relay to 100 subscribers one by one",
         {.readers = 100, .events = 500, .burst = 1, .ahead = 1},
         goals},
        {"relay to 1000 subscribers",
         {.readers = 1000, .events = 250, .burst = 50, .ahead = 4},
         NULL},
    };
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++) {
        struct fanout_plan plan = shorter(b, workloads[i].plan);
        struct fanout_run run;
        struct entrant *entrants;
        struct turn turns[2];
        struct server server;

        if (!bench_wants(b, workloads[i].name)) {
            continue;
        }
        bench_tandem(&server, b->root, false, many);
        turns[0] = (struct turn){&server, &plan, &run};
        turns[1] = (struct turn){NULL, &plan, &run};
        entrants = xcalloc(2, sizeof *entrants);
        entrants[0] = (struct entrant){.name = "tandem", .turn = take_turn, .arg = &turns[0]};
        entrants[1] = (struct entrant){.name = "plain send()", .turn = take_turn, .arg = &turns[1]};
        contest(entrants, 2, b->rounds);
        report_contest(b->report, workloads[i].name, entrants, 2, workloads[i].goals);
        bench_tandem_end(&server);
        free(entrants);
    }
}
