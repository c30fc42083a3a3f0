/* test_park.c -- a call that waits for its client, and all that may end its waiting at the
 * same moment: one of them does, and the call is answered once. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "state/mcp_session.h"
#include "state/state.h"
#include "tests/fakes.h"
#include "tests/threads.h"

#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#define SECOND_NS INT64_C(1000000000)
#define ROUNDS 400u

/* What ends a waiting; each is a thread of a round. */
enum role { ANSWER, CANCEL, CLOCK, ANSWER_AGAIN, CONNECTION, DRAIN, END_ALL };

static struct fake_clock fake_time;
static struct fake_project project;
static struct pool *pool;
static struct dispatcher *dispatcher;

static void
open_dispatcher(unsigned workers, unsigned queue)
{
    struct dispatch_limits limits = {.json = JSON_LIMITS_INIT,
                                     .calls = 64,
                                     .calls_per_session = 16,
                                     .call_ns = 60 * SECOND_NS,
                                     .groups = "conformance",
                                     .asks = 8,
                                     .asks_each = 8,
                                     .ask_ns = 300 * SECOND_NS};

    pool = pool_create(workers, workers > 1, queue);
    dispatcher = dispatcher_create(project.state, pool, &limits);
}

static void
close_dispatcher(void)
{
    dispatch_end_all(dispatcher);
    pool_destroy(pool);
    dispatcher_destroy(dispatcher);
}

static int
set_up(void **unused)
{
    (void)unused;
    fake_clock_init(&fake_time);
    fake_project_init(&project, &fake_time.clock);
    open_dispatcher(4, 64);
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    close_dispatcher();
    fake_project_fini(&project);
    return 0;
}

/* One call that waits, and the threads that end it. */
struct race {
    struct envelope env;
    struct fake_sink sink; /* Of the call. */
    const enum role *roles;
    _Atomic unsigned taken; /* Messages of the threads that were answered. */
};

static void
send_message(struct race *r, const char *text)
{
    struct fake_sink sink;

    fake_sink_init(&sink);
    dispatch_message(dispatcher, &r->env, slice_of(text), &sink.sink);
    fake_sink_wait(&sink);
    atomic_fetch_add(&r->taken, 1);
    fake_sink_fini(&sink);
}

static void
act(void *arg, unsigned number)
{
    struct race *r = arg;

    switch (r->roles[number]) {
    case ANSWER:
    case ANSWER_AGAIN:
        send_message(r,
                     "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"action\":\"accept\",\"content\":{"
                     "\"username\":\"u\",\"email\":\"e\"}}}");
        break;
    case CANCEL:
        send_message(r, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
                        "\"requestId\":7}}");
        break;
    case CLOCK:
        fake_clock_pass(&fake_time, 301 * SECOND_NS);
        dispatch_tick(dispatcher);
        break;
    case CONNECTION:
        dispatch_gone(dispatcher, &r->env, NULL);
        break;
    case DRAIN:
        dispatch_drain(dispatcher);
        break;
    case END_ALL:
        dispatch_end_all(dispatcher);
        break;
    }
}

/* How the calls of all rounds ended. */
struct outcomes {
    unsigned answered, cancelled, timed_out, ended;
};

static void
count(struct outcomes *o, const struct fake_sink *sink)
{
    if (sink->status == 204) {
        o->cancelled++;
    } else if (strstr(sink->body, "action=accept")) {
        o->answered++;
    } else if (strstr(sink->body, "timeout")) {
        o->timed_out++;
    } else if (strstr(sink->body, "the server is ending")) {
        o->ended++;
    } else {
        fail_msg("%d %s", sink->status, sink->body);
    }
}

/* Has a call wait. */
static void
begin_race(struct race *r, const enum role *roles)
{
    *r = (struct race){
        .env = {.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()},
        .roles = roles,
    };
    send_message(r, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{"
                    "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"elicitation\":{}},"
                    "\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}");
    send_message(r, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
    fake_sink_init(&r->sink);
    dispatch_message(dispatcher, &r->env,
                     SLICE("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{"
                           "\"name\":\"test_elicitation\",\"arguments\":{\"message\":\"?\"}}}"),
                     &r->sink.sink);
    fake_sink_wait_sent(&r->sink, 1);
}

static void
end_race(struct race *r, struct outcomes *o)
{
    fake_sink_wait(&r->sink);
    CHECK_INT(r->sink.answers, 1);
    CHECK_INT(r->sink.unrefs, 1);
    CHECK(r->sink.lines <= 2); /* The question, and perhaps that it is taken back. */
    CHECK_INT(dispatch_in_flight(dispatcher, TRANSPORT_STDIO), 0);
    count(o, &r->sink);
    CHECK_INT(atomic_load(&r->env.session->in_flight), 0);
    fake_sink_fini(&r->sink);
    mcp_session_unref(r->env.session);
}

/* Has a call wait, then lets all roles at it. */
static void
run_race(const enum role *roles, unsigned threads, struct outcomes *o)
{
    struct race r;

    begin_race(&r, roles);
    threads_run(threads, act, &r);
    end_race(&r, o);
}

static void
one_outcome_whatever_comes_together(void **unused)
{
    static const enum role roles[] = {ANSWER, CANCEL, CLOCK, ANSWER_AGAIN, CONNECTION};
    struct outcomes o = {0};
    unsigned rounds = scaled(ROUNDS);

    (void)unused;
    for (unsigned i = 0; i < rounds; i++) {
        run_race(roles, 5 - i % 4, &o); /* With fewer, those left win more often. */
    }
    CHECK_INT(o.answered + o.cancelled + o.timed_out, rounds);
    CHECK_INT(o.ended, 0);
    CHECK(o.answered > 0);
}

static void
one_outcome_at_the_servers_end(void **unused)
{
    static const enum role roles[][5] = {{ANSWER, DRAIN, CANCEL, CLOCK, END_ALL},
                                         {END_ALL, ANSWER, DRAIN, CONNECTION, CLOCK},
                                         {DRAIN, END_ALL, ANSWER, CANCEL, CANCEL}};
    struct outcomes o = {0};
    unsigned rounds = scaled(ROUNDS / 4);

    (void)unused;
    for (unsigned i = 0; i < rounds; i++) {
        run_race(roles[i % 3], 5, &o);
        close_dispatcher();
        open_dispatcher(4, 64);
    }
    CHECK_INT(o.answered + o.cancelled + o.timed_out + o.ended, rounds);
}

/* A job that keeps the one worker busy until it is let go, or runs through. */
struct crowding {
    struct job job; /* First. */
    sem_t runs, go;
};

static void
crowd(struct job *job)
{
    struct crowding *c = (struct crowding *)job;

    sem_post(&c->runs);
    while (sem_wait(&c->go) != 0) {
    }
}

static void
await(sem_t *sem)
{
    while (sem_wait(sem) != 0) {
    }
}

/* One job runs, the other fills the queue. */
static void
begin_crowd(struct crowding jobs[2])
{
    for (int i = 0; i < 2; i++) {
        jobs[i].job = (struct job){.run = crowd};
        sem_init(&jobs[i].runs, 0, 0);
        sem_init(&jobs[i].go, 0, 0);
    }
    CHECK_INT(pool_submit(pool, &jobs[0].job, LANE_IDE), E_OK);
    await(&jobs[0].runs);
    CHECK_INT(pool_submit(pool, &jobs[1].job, LANE_IDE), E_OK);
}

/* Lets the worker go: who waits for it finds it when he looks again. */
static void
end_crowd(struct crowding jobs[2])
{
    for (int i = 0; i < 2; i++) {
        sem_post(&jobs[i].go);
    }
    await(&jobs[1].runs);
    while (dispatch_in_flight(dispatcher, TRANSPORT_STDIO)) { /* For ever, if it is lost. */
        dispatch_tick(dispatcher);
        sched_yield();
    }
}

/* The second look at the clock while an answer is taken is its call's, on the way to a worker. */
static struct race *interrupted;
static unsigned looks;

static int64_t
mono_with_a_cancel(const struct clock *c)
{
    struct race *r = interrupted;

    if (r && ++looks == 2) {
        static const enum role cancel[] = {CANCEL};
        const enum role *roles = r->roles;

        interrupted = NULL;
        r->roles = cancel;
        act(r, 0);
        r->roles = roles;
    }
    return atomic_load(&((const struct fake_clock *)c)->mono_ns);
}

static void
a_call_is_cancelled_between_its_answer_and_a_worker(void **unused)
{
    static const enum role roles[] = {ANSWER};
    static struct crowding jobs[2]; /* The worker may look at them until the pool has ended. */
    struct outcomes o = {0};
    struct race r;

    (void)unused;
    close_dispatcher();
    open_dispatcher(1, 1);
    fake_time.clock.monotonic_ns = mono_with_a_cancel;
    begin_race(&r, roles);
    begin_crowd(jobs);
    looks = 0;
    interrupted = &r;
    act(&r, 0);
    CHECK(!interrupted);
    end_crowd(jobs);
    end_race(&r, &o);
    CHECK_INT(o.cancelled, 1);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_outcome_whatever_comes_together),
        T(one_outcome_at_the_servers_end),
        T(a_call_is_cancelled_between_its_answer_and_a_worker),
    };
    return CHECK_RUN(tests);
}
