/* test_pulse.c -- a part that stands still is told by name, and only such a part. */
#include "server/pulse.h"

#include "state/base/keeper.h"
#include "state/base/lock.h"
#include "tests/check.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

#define SECOND INT64_C(1000000000)

/* A thread that comes round when it is asked, unless it is held. */
struct loop {
    pthread_t thread;
    sem_t wake, held, go;
    _Atomic bool asked, hold, over;
    _Atomic unsigned rounds;
};

static void
await(sem_t *s)
{
    while (sem_wait(s) != 0) {
    }
}

static void *
run(void *arg)
{
    struct loop *l = arg;

    while (!l->over) {
        await(&l->wake);
        if (atomic_exchange(&l->hold, false)) {
            sem_post(&l->held);
            await(&l->go);
        }
        l->asked = false;
        l->rounds++;
    }
    return NULL;
}

static bool
beats(void *arg)
{
    struct loop *l = arg;

    if (atomic_exchange(&l->asked, true)) {
        return false;
    }
    sem_post(&l->wake);
    return true;
}

static void
loop_start(struct loop *l)
{
    *l = (struct loop){.over = false};
    sem_init(&l->wake, 0, 0);
    sem_init(&l->held, 0, 0);
    sem_init(&l->go, 0, 0);
    CHECK_INT(pthread_create(&l->thread, NULL, run, l), 0);
}

static void
loop_end(struct loop *l)
{
    l->over = true;
    sem_post(&l->wake);
    pthread_join(l->thread, NULL);
}

static void
await_rounds(struct loop *l, unsigned rounds)
{
    while (l->rounds < rounds) {
        sched_yield();
    }
}

static void
a_loop_that_is_held_is_named(void **unused)
{
    struct pulse p = {.loop_count = 0};
    struct loop good, bad;

    (void)unused;
    loop_start(&good);
    loop_start(&bad);
    pulse_add(&p, "good", beats, &good);
    pulse_add(&p, "bad", beats, &bad);
    for (unsigned i = 1; i <= 10; i++) {
        CHECK(!pulse_look(&p, i * SECOND));
        await_rounds(&good, i);
        await_rounds(&bad, i);
    }
    bad.hold = true;
    CHECK(!pulse_look(&p, 11 * SECOND)); /* It was asked just now. */
    await(&bad.held);
    await_rounds(&good, 11);
    for (unsigned i = 12; i < 15; i++) {
        CHECK_STR(pulse_look(&p, i * SECOND), "bad");
        await_rounds(&good, i);
    }
    sem_post(&bad.go);
    await_rounds(&bad, 11);
    CHECK(!pulse_look(&p, 15 * SECOND)); /* All that was wrong is over. */
    loop_end(&bad);
    loop_end(&good);
}

/* ---- Workers ---- */

struct held_job {
    struct job job; /* First. */
    sem_t *started, *release;
};

static void
run_held(struct job *job)
{
    struct held_job *h = (struct held_job *)job;

    sem_post(h->started);
    await(h->release);
}

static void
a_lane_where_nothing_moves_is_named(void **unused)
{
    struct pulse p = {.patience_ns = 60 * SECOND};
    struct pool *pool = pool_create(2, 1, 10);
    struct held_job jobs[3];
    sem_t started, release;

    (void)unused;
    sem_init(&started, 0, 0);
    sem_init(&release, 0, 0);
    for (int i = 0; i < 3; i++) {
        jobs[i] = (struct held_job){{.run = run_held}, &started, &release};
    }
    pulse_add_pool(&p, pool);
    CHECK(!pulse_look(&p, 1000 * SECOND)); /* Nothing to do, for however long. */

    CHECK_INT(pool_submit(pool, &jobs[0].job, LANE_IDE), E_OK);
    await(&started);
    CHECK(!pulse_look(&p, 1100 * SECOND)); /* A job that takes long makes nobody wait. */
    CHECK_INT(pool_submit(pool, &jobs[1].job, LANE_IDE), E_OK);
    CHECK(!pulse_look(&p, 1200 * SECOND)); /* It may have come just now. */
    CHECK(!pulse_look(&p, 1260 * SECOND));
    CHECK_STR(pulse_look(&p, 1261 * SECOND), "workers of the IDE");

    CHECK_INT(pool_submit(pool, &jobs[2].job, LANE_NETWORK), E_OK);
    await(&started);
    CHECK_STR(pulse_look(&p, 1262 * SECOND), "workers of the IDE"); /* Others' work is no excuse. */
    p.patience_ns = 120 * SECOND;
    CHECK(!pulse_look(&p, 1263 * SECOND));

    for (int i = 0; i < 3; i++) {
        sem_post(&release);
    }
    await(&started);
    CHECK(!pulse_look(&p, 2000 * SECOND)); /* None waits. */
    pool_destroy(pool);
    sem_destroy(&started);
    sem_destroy(&release);
}

/* ---- The keeper ---- */

static bool
keeper_loop_beats(void *keeper)
{
    return keeper_beats(keeper);
}

struct holding {
    sem_t held, go;
};

static void
hold(void *arg)
{
    struct holding *h = arg;

    sem_post(&h->held);
    await(&h->go);
}

/* It comes round in the end. */
static void
await_life(struct pulse *p)
{
    while (pulse_look(p, SECOND)) {
        sched_yield();
    }
}

static void
a_keeper_that_is_held_is_named(void **unused)
{
    struct pulse p = {.loop_count = 0};
    struct holding h;
    struct keeper *k;
    struct fault f = FAULT_INIT;

    (void)unused;
    sem_init(&h.held, 0, 0);
    sem_init(&h.go, 0, 0);
    CHECK_INT(keeper_start(&k, &f), E_OK);
    pulse_add(&p, "keeper", keeper_loop_beats, k);
    await_life(&p);
    await_life(&p);
    keeper_post(k, hold, &h);
    await(&h.held);
    pulse_look(&p, SECOND); /* It may have answered what it was asked before it was held. */
    CHECK_STR(pulse_look(&p, SECOND), "keeper");
    CHECK_STR(pulse_look(&p, SECOND), "keeper");
    sem_post(&h.go);
    await_life(&p);
    await_life(&p);
    keeper_stop(k);
    sem_destroy(&h.held);
    sem_destroy(&h.go);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_that_is_held_is_named),
        cmocka_unit_test(a_lane_where_nothing_moves_is_named),
        cmocka_unit_test(a_keeper_that_is_held_is_named),
    };

    return CHECK_RUN(tests);
}
