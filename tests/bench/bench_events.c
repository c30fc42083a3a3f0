/* bench_events -- what publishing costs, and how many events a second get through.
 *
 * The promise is 30,000 a second with two who listen to all of them; and that a publisher does not
 * notice who listens, least of all one who has stopped to read.
 *
 * Then over sockets: a client of the real server publishes, others read by WebSocket, beside a loop
 * that only sends the same bytes to as many sockets, in the same run.  Each of these prints a line
 * "workload NAME: KEY=VALUE ...", medians of ROUNDS pairs. */
#include "state/bus.h"
#include "state/bus_reader.h"
#include "state/bus_subscribe.h"
#include "tests/harness_fanout.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#define EVENTS 200000u
#define PROMISED 30000.0
#define THREADS 4u
#define ROUNDS 3

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
check(bool right, const char *what)
{
    if (!right) {
        fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

static struct bus *
start(void)
{
    struct bus_options options = BUS_OPTIONS_INIT;

    options.clock = clock_real();
    return bus_create(&options);
}

static void
publish(struct bus *bus, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        check(bus_publish(bus,
                          &(struct bus_draft){.topic = "bench.event",
                                              .tenant = "default",
                                              .data = json_pack("{s:i, s:s}", "n", (int)i, "what",
                                                                "something happened")}) ==
                  PUBLISHED_ACCEPTED,
              "an event was not accepted");
    }
}

/* ---- Who listens ---- */

static enum err
hear(void *arg, const struct bus_event *event)
{
    (void)event;
    atomic_fetch_add((_Atomic unsigned *)arg, 1);
    return E_OK;
}

struct client {
    pthread_t thread;
    struct bus *bus;
    uint64_t last, missed;
};

static void
ignore(void *arg)
{
    (void)arg;
}

/* Reads up to the last event, as a connection would. */
static void *
read_all(void *arg)
{
    struct client *c = arg;
    struct bus_reader_options options = {.tenant = "default", .from = BUS_FROM_SEQ, .wake = ignore};
    struct bus_reader_start begun;
    struct bus_reader *reader;
    struct bus_item items[32];
    struct fault f;

    check(bus_reader_open(c->bus, &options, &reader, &begun, &f) == E_OK, "no reader");
    while (c->last < EVENTS) {
        size_t count = bus_reader_take(reader, items, 32, NULL);

        for (size_t i = 0; i < count; i++) {
            if (items[i].kind == BUS_ITEM_GAP) {
                c->missed += items[i].to - items[i].from + 1;
                c->last = items[i].to;
            } else {
                c->last = items[i].event->seq;
                bus_event_unref(items[i].event);
            }
        }
        if (!count) {
            sched_yield();
        }
    }
    bus_reader_close(reader);
    return NULL;
}

/* ---- Figures ---- */

static double
alone(void)
{
    struct bus *bus = start();
    double begun = now(), took;

    publish(bus, EVENTS);
    took = now() - begun;
    bus_destroy(bus);
    printf("%-46s %9.0f events/s  %6.2f us each\n", "nobody listens", EVENTS / took,
           took / EVENTS * 1e6);
    return took;
}

/* Publishes no faster than the promise would have it, and looks what was dropped. */
static void
with_subscribers(void)
{
    struct bus *bus = start();
    _Atomic unsigned heard[2] = {0, 0};
    uint64_t ids[2];
    double begun, took;
    struct bus_stats s;

    for (int i = 0; i < 2; i++) {
        check(bus_subscribe(bus, NULL, hear, &heard[i], &ids[i], NULL) == E_OK, "no subscriber");
    }
    begun = now();
    for (unsigned done = 0; done < EVENTS; done += 1000) {
        publish(bus, 1000);
        while (bus_stats(bus).waiting > 5000) {
            sched_yield();
        }
    }
    while (heard[0] < EVENTS || heard[1] < EVENTS) {
        sched_yield();
    }
    took = now() - begun;
    s = bus_stats(bus);
    check(s.dropped == 0, "events were dropped");
    bus_destroy(bus);
    printf("%-46s %9.0f events/s  %6.1f times the promised %.0f\n",
           "2 subscribers in the process, all told", EVENTS / took, EVENTS / took / PROMISED,
           PROMISED);
}

static void
with_readers(void)
{
    struct bus *bus = start();
    struct client clients[2] = {{.bus = bus}, {.bus = bus}};
    double begun = now(), took;

    for (int i = 0; i < 2; i++) {
        check(pthread_create(&clients[i].thread, NULL, read_all, &clients[i]) == 0, "no thread");
    }
    publish(bus, EVENTS);
    for (int i = 0; i < 2; i++) {
        pthread_join(clients[i].thread, NULL);
    }
    took = now() - begun;
    bus_destroy(bus);
    printf("%-46s %9.0f events/s  %6.1f times the promised %.0f, %.1f%% in gaps\n",
           "2 readers of other threads", EVENTS / took, EVENTS / took / PROMISED, PROMISED,
           100.0 * (double)(clients[0].missed + clients[1].missed) / (2.0 * EVENTS));
}

static void
with_stalled(unsigned count, double alone_took)
{
    struct bus *bus = start();
    struct bus_reader_options options = {.tenant = "default", .wake = ignore};
    struct bus_reader *readers[100];
    struct bus_reader_start begun_at;
    struct fault f;
    double begun, took;
    char name[48];

    for (unsigned i = 0; i < count; i++) {
        check(bus_reader_open(bus, &options, &readers[i], &begun_at, &f) == E_OK, "no reader");
    }
    begun = now();
    publish(bus, EVENTS);
    took = now() - begun;
    for (unsigned i = 0; i < count; i++) {
        bus_reader_close(readers[i]);
    }
    bus_destroy(bus);
    snprintf(name, sizeof name, "%u who have stopped to read", count);
    printf("%-46s %9.0f events/s  %6.2f us each, %.2f times the cost\n", name, EVENTS / took,
           took / EVENTS * 1e6, took / alone_took);
}

static void *
publish_share(void *arg)
{
    publish(arg, EVENTS / THREADS);
    return NULL;
}

static void
from_threads(double alone_took)
{
    struct bus *bus = start();
    pthread_t threads[THREADS];
    struct bus_stats s;
    double begun = now(), took;

    for (unsigned i = 0; i < THREADS; i++) {
        check(pthread_create(&threads[i], NULL, publish_share, bus) == 0, "no thread");
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    took = now() - begun;
    s = bus_stats(bus);
    check(s.seq == EVENTS, "a hole in the sequence");
    bus_destroy(bus);
    printf("%-46s %9.0f events/s  %6.2f times that of one, %.2f%% found the lock taken\n",
           "4 threads publish", EVENTS / took, alone_took / took,
           100.0 * (double)s.lock_waits / (double)s.lock_acquisitions);
}

/* ---- Over sockets ---- */

/* As many readers as there may be, and no limit to what one may publish. */
static void
configure(const char *root)
{
    static const char config[] = "{\"relay.max_clients\":1024,\"limits.connections\":4096,"
                                 "\"limits.unchecked\":4096,\"limits.call_rate\":0}";
    char path[HARNESS_ROOT + 32];
    FILE *file;

    snprintf(path, sizeof path, "%s/.tandem/config.json", root);
    file = fopen(path, "w");
    check(file && fputs(config, file) >= 0 && fclose(file) == 0, "no configuration");
}

static int
compare(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static double
median(double values[ROUNDS])
{
    qsort(values, ROUNDS, sizeof *values, compare);
    return values[ROUNDS / 2];
}

static void
fan_out(const struct server *server, const char *name, const struct fanout_plan *plan)
{
    double rate[ROUNDS], raw_rate[ROUNDS], ratio[ROUNDS], cpu[ROUNDS], raw_cpu[ROUNDS];

    for (int i = 0; i < ROUNDS; i++) {
        struct fanout_run run;

        check(fanout_relay(server, plan, &run), "the relay did not tell all");
        rate[i] = plan->events / run.seconds;
        cpu[i] = run.cpu_us;
        check(fanout_raw(plan, &run), "the plain loop did not send all");
        raw_rate[i] = plan->events / run.seconds;
        raw_cpu[i] = run.cpu_us;
        ratio[i] = rate[i] / raw_rate[i];
    }
    printf("workload %s: readers=%u burst=%u events/s=%.0f deliveries/s=%.0f "
           "raw_deliveries/s=%.0f ratio=%.2f cpu_us=%.2f raw_cpu_us=%.2f\n",
           name, plan->readers, plan->burst, median(rate), median(rate) * plan->readers,
           median(raw_rate) * plan->readers, median(ratio), median(cpu), median(raw_cpu));
}

/* Whether the workload is among the program's arguments, or there are none. */
static bool
is_wanted(char **names, const char *name)
{
    bool wanted = !*names;

    for (; *names; names++) {
        wanted = wanted || strcmp(*names, name) == 0;
    }
    return wanted;
}

static void
over_sockets(char **names)
{
    static const char *const packs[] = {NULL};
    static const struct server_options options = {.no_stdin = true};
    static const struct {
        const char *name;
        struct fanout_plan plan;
    } workloads[] = {
        {"relay_1", {.readers = 1, .events = 20000, .burst = 50, .ahead = 4}},
        {"relay_2", {.readers = 2, .events = 20000, .burst = 50, .ahead = 4}},
        {"relay_100", {.readers = 100, .events = 2000, .burst = 50, .ahead = 4}},
        {"relay_1000", {.readers = 1000, .events = 250, .burst = 50, .ahead = 4}},
        /* Each is published once all have read the one before: nothing can go together. */
        {"relay_one_by_one_1", {.readers = 1, .events = 2000, .burst = 1, .ahead = 1}},
        {"relay_one_by_one_100", {.readers = 100, .events = 500, .burst = 1, .ahead = 1}},
    };
    char root[HARNESS_ROOT];
    struct server server;

    harness_project(root, packs);
    configure(root);
    server_start(&server, root, &options);
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++) {
        if (is_wanted(names, workloads[i].name)) {
            fan_out(&server, workloads[i].name, &workloads[i].plan);
        }
    }
    kill(server.pid, SIGTERM);
    check(server_wait(&server, now_ns() + PATIENCE) == 0, "the server ended badly");
    harness_remove(root);
}

static void
in_process(void)
{
    double took = alone();

    with_subscribers();
    with_readers();
    with_stalled(1, took);
    with_stalled(100, took);
    from_threads(took);
}

/* With arguments: only these workloads over sockets. */
int
main(int argc, char **argv)
{
    json_object_seed(1);
    if (argc == 1) {
        in_process();
    }
    over_sockets(argv + 1);
    return 0;
}
