/* steady.c -- the real server at a steady pace over stdio, HTTP and WebSocket: memory and
 * descriptors stay what they are.
 *
 *     steady [SECONDS [REQUESTS A SECOND]]
 *
 * Each transport has a client that asks on time, whether the last answer was quick or not.
 * Sessions of both kinds are made and ended all the while.  Before that they ask without a pace
 * until all that is bounded is full: what is kept of events, caches, pools.  Memory is looked at
 * ten times a second; its slope is that of the line that fits best, behind the first 20 seconds. */
#include "tests/check.h"
#include "tests/harness_http.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#define TRANSPORTS 3
#define WARM_SHARE 3 /* The first third of the time, at most WARM_MAX, is not measured. */
#define WARM_MAX (20 * SECOND)
#define LOOKS_EACH (SECOND / 10)
#define FILL 6000 /* Requests of each before. */
#define BURSTS 20 /* Of calls at once, so that all workers are there that may be. */
#define BURST 24
#define LIVES_EACH 50           /* Requests of a connection before the next one. */
#define SLOPE_MAX (64 * 1024.0) /* Bytes a minute, */
#define STEP_MAX (1 << 20)      /* and once: workers that come late have a stack and a heap each. */
#define ID_SIZE 40

static const char *const args[] = {"--limits-call-rate", "0", "--listen", "127.0.0.1:0", NULL};
static const char *const packs[] = {PACK_BUG_FIX, NULL};
static unsigned seconds, rate;

struct pace {
    struct server server;
    struct findings findings;
    pthread_barrier_t filled; /* All are, and the times below are set. */
    int64_t start_ns, end_ns;
    atomic_uint done;
};

struct asker {
    struct pace *pace;
    struct mcp_peer peer;
    pthread_t thread;
    struct samples late; /* From when it was due to its answer. */
    int number;
    unsigned asked;
    char session[ID_SIZE];
};

/* ---- What is asked ---- */

/* Each tenth begins a workflow session, the ones behind it read it, the last deletes it. */
static char *
words(const struct asker *a, const char **tool)
{
    unsigned turn = a->asked % 10;

    *tool = turn == 0 || turn > 6 ? "pos_workflow" : turn == 5 ? "get_server_info" : "current_date";
    if (turn == 0) {
        return xasprintf("{\"action\":\"start\",\"workflow_type\":\"bug_fix_v1\",\"target_file\":"
                         "\"src/%d.c\"}",
                         a->number);
    }
    return turn > 6 ? xasprintf("{\"action\":\"%s\",\"session_id\":\"%s\"}",
                                turn == 9 ? "delete_session" : "get_phase", a->session)
                    : xstrdup("{}");
}

static void
take_answer(struct asker *a, const struct mcp_outcome *o)
{
    const char *id = outcome_text(o, "session_id");

    if (o->lost || o->is_error || !o->result) {
        char *text = o->result ? json_dumps(o->result, JSON_COMPACT) : NULL;
        finding(&a->pace->findings, "asker %d: %.300s", a->number, text ? text : "lost");
        free(text);
    }
    if (a->asked % 10 == 0) {
        snprintf(a->session, sizeof a->session, "%s", id ? id : "");
    }
    a->asked++;
    atomic_fetch_add(&a->pace->done, 1);
}

static void
ask_stdio(struct asker *a)
{
    struct mcp_outcome o = {.result = NULL};
    const char *tool, *why;
    char *text = words(a, &tool);
    json_t *answer, *id;

    if (!server_send(
            &a->pace->server,
            "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"tools/call\",\"params\":{\"name\":"
            "\"%s\",\"arguments\":%s," MODERN_META "}}",
            a->asked, tool, text)) {
        finding(&a->pace->findings, "stdio cannot be written");
    }
    answer = server_read(&a->pace->server, now_ns() + PATIENCE);
    id = json_object_get(answer, "id");
    why = mcp_check_answer(answer, id, MCP_MODERN, &o);
    if (why) {
        finding(&a->pace->findings, "stdio: %s", why);
    }
    take_answer(a, &o);
    outcome_fini(&o);
    json_decref(answer);
    free(text);
}

/* Over a new connection each LIVES_EACH requests; by HTTP of both eras in turn. */
static void
ask_network(struct asker *a)
{
    const struct server_info *info = &a->pace->server.info;
    enum mcp_era era = a->asked / LIVES_EACH % 2 ? MCP_LEGACY : MCP_MODERN;
    struct mcp_outcome o;
    const char *tool;
    char *text;

    if (a->asked % LIVES_EACH == 0) {
        if (a->asked) {
            mcp_close(&a->peer);
            samples_fini(&a->peer.samples);
        }
        (a->number == 1 ? mcp_open : mcp_open_websocket)(&a->peer, info, era, a->number,
                                                         &a->pace->findings);
    }
    text = words(a, &tool);
    o = mcp_call(&a->peer, tool, text);
    take_answer(a, &o);
    outcome_fini(&o);
    free(text);
}

static void
ask(struct asker *a)
{
    if (a->number == 0) {
        ask_stdio(a);
    } else {
        ask_network(a);
    }
}

static void
wait_until(int64_t ns)
{
    struct timespec until = {.tv_sec = ns / SECOND, .tv_nsec = ns % SECOND};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0) {
    }
}

/* Has many calls in flight at once, again and again. */
static void
fill_pool(struct pace *p)
{
    for (int i = 0; i < BURSTS * BURST; i++) {
        if (!server_send(&p->server,
                         "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"tools/call\","
                         "\"params\":{\"name\":\"get_server_info\",\"arguments\":{}," MODERN_META
                         "}}",
                         i % BURST)) {
            finding(&p->findings, "stdio cannot be written");
        }
        for (int k = 0; i % BURST == BURST - 1 && k < BURST; k++) {
            json_t *answer = server_read(&p->server, now_ns() + PATIENCE);

            if (!json_object_get(answer, "result")) {
                finding(&p->findings, "one of many at once was not answered");
            }
            json_decref(answer);
        }
    }
}

/* On time: who falls behind asks at once until it has caught up. */
static void *
run_asker(void *arg)
{
    struct asker *a = arg;
    int64_t each = SECOND * TRANSPORTS / rate;
    unsigned fill = stress_count(FILL, 100);

    if (a->number == 0) {
        fill_pool(a->pace);
    }
    while (a->asked < fill) {
        ask(a);
    }
    pthread_barrier_wait(&a->pace->filled);
    pthread_barrier_wait(&a->pace->filled);
    for (int64_t due = a->pace->start_ns; due < a->pace->end_ns; due += each) {
        wait_until(due);
        ask(a);
        samples_add(&a->late, now_ns() - due);
    }
    if (a->number > 0) {
        mcp_close(&a->peer);
        samples_fini(&a->peer.samples);
    }
    return NULL;
}

/* ---- What is looked at ---- */

/* The line that fits best: sums of it. */
struct fit {
    double n, x, y, xx, xy; /* x: seconds; y: bytes. */
    size_t first, last;
    /* The least number of descriptors, in each half of the time: what is open for a moment only
     * does not count. */
    unsigned descriptors[2];
};

static void
look(struct fit *fit, const struct server *s, double x, unsigned half)
{
    size_t resident = server_resident(s);
    unsigned descriptors = harness_descriptors(s->pid);
    double y = (double)resident;

    fit->first = fit->n > 0 ? fit->first : resident;
    fit->last = resident;
    if (!fit->descriptors[half] || descriptors < fit->descriptors[half]) {
        fit->descriptors[half] = descriptors;
    }
    fit->n++;
    fit->x += x;
    fit->y += y;
    fit->xx += x * x;
    fit->xy += x * y;
}

/* Bytes a minute. */
static double
slope(const struct fit *f)
{
    return 60 * (f->n * f->xy - f->x * f->y) / (f->n * f->xx - f->x * f->x);
}

/* How long was looked. */
static double
fit_minutes(const struct fit *f)
{
    return f->n * LOOKS_EACH / (60.0 * SECOND);
}

static void
watch(struct pace *p, struct fit *fit)
{
    int64_t warm = (p->end_ns - p->start_ns) / WARM_SHARE;

    warm = warm < WARM_MAX ? warm : WARM_MAX;
    for (int64_t due = p->start_ns + warm; due < p->end_ns; due += LOOKS_EACH) {
        wait_until(due);
        look(fit, &p->server, (double)(due - p->start_ns) / SECOND,
             due > (p->start_ns + warm + p->end_ns) / 2);
    }
}

static void
nothing_grows_with_time(void **state)
{
    static struct pace p = {.findings = FINDINGS_INIT};
    struct asker askers[TRANSPORTS];
    struct samples late = {.ns = NULL};
    struct fit fit = {.n = 0};
    char root[HARNESS_ROOT];
    double grows;

    (void)state;
    harness_project(root, packs);
    server_start(&p.server, root, &(struct server_options){.args = args});
    pthread_barrier_init(&p.filled, NULL, TRANSPORTS + 1);
    for (int i = 0; i < TRANSPORTS; i++) {
        askers[i] = (struct asker){.pace = &p, .number = i};
        CHECK_INT(pthread_create(&askers[i].thread, NULL, run_asker, &askers[i]), 0);
    }
    pthread_barrier_wait(&p.filled);
    p.start_ns = now_ns();
    p.end_ns = p.start_ns + seconds * SECOND;
    atomic_store(&p.done, 0);
    pthread_barrier_wait(&p.filled);
    watch(&p, &fit);
    for (int i = 0; i < TRANSPORTS; i++) {
        pthread_join(askers[i].thread, NULL);
        samples_merge(&late, &askers[i].late);
        samples_fini(&askers[i].late);
    }
    CHECK_INT(findings_tell(&p.findings), 0);
    CHECK_INT(server_end(&p.server), 0);
    pthread_barrier_destroy(&p.filled);
    grows = slope(&fit);
    printf("from when they were due to their answer: p50 %.2f ms, p99 %.2f ms\n",
           (double)samples_percentile(&late, 50) / MS, (double)samples_percentile(&late, 99) / MS);
    printf("figure: %u requests in %u s over three transports; memory %zu KiB, then %zu KiB, slope "
           "%.1f KiB a minute; %u descriptors, then %u\n",
           atomic_load(&p.done), seconds, fit.first / 1024, fit.last / 1024, grows / 1024,
           fit.descriptors[0], fit.descriptors[1]);
    CHECK(fit.descriptors[1] <= fit.descriptors[0] + 1); /* A connection on its way out. */
    CHECK(sanitized() || grows < SLOPE_MAX + STEP_MAX / fit_minutes(&fit));
    samples_fini(&late);
    harness_remove(root);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_grows_with_time),
    };

    seconds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : stress_count(60, 6);
    rate = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : stress_count(200, 30);
    return CHECK_RUN(tests);
}
