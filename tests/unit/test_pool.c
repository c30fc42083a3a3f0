/* The pool: every job runs once, lanes keep their reserve, a full queue refuses, the end runs what
 * waits. */
#include "tests/check.h"

#include "state/base/lock.h"
#include "state/base/mem.h"
#include "state/base/pool.h"
#include "tests/threads.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

/* What all jobs of a test share. */
struct bench {
    struct pool *pool;
    _Atomic unsigned ran, running, most, wrong;
    sem_t started, release, done;
};

struct unit {
    struct job job; /* First. */
    struct bench *bench;
};

static void
set_up(struct bench *b, unsigned threads, unsigned reserve, unsigned queue)
{
    *b = (struct bench){.pool = pool_create(threads, reserve, queue)};
    sem_init(&b->started, 0, 0);
    sem_init(&b->release, 0, 0);
    sem_init(&b->done, 0, 0);
}

static void
tear_down(struct bench *b)
{
    pool_destroy(b->pool);
    sem_destroy(&b->started);
    sem_destroy(&b->release);
    sem_destroy(&b->done);
    CHECK_INT(b->wrong, 0);
}

static void
post(sem_t *s, unsigned times)
{
    while (times--) {
        sem_post(s);
    }
}

static void
await(sem_t *s, unsigned times)
{
    while (times--) {
        while (sem_wait(s) != 0) {
        }
    }
}

static void
note_start(struct bench *b)
{
    unsigned now = ++b->running, most = b->most;

    b->wrong += !lock_none_held();
    while (now > most && !atomic_compare_exchange_weak(&b->most, &most, now)) {
    }
}

/* Counts itself and is gone. */
static void
run_short(struct job *job)
{
    struct unit *u = (struct unit *)job;
    struct bench *b = u->bench;

    note_start(b);
    free(u);
    b->ran++;
    b->running--;
    sem_post(&b->done);
}

/* Runs until it is let go. */
static void
run_held(struct job *job)
{
    struct unit *u = (struct unit *)job;
    struct bench *b = u->bench;

    note_start(b);
    free(u);
    sem_post(&b->started);
    await(&b->release, 1);
    b->ran++;
    b->running--;
    sem_post(&b->done);
}

static enum err
submit(struct bench *b, void (*run)(struct job *), enum pool_lane lane)
{
    struct unit *u = xcalloc(1, sizeof *u);
    enum err err;

    *u = (struct unit){.job.run = run, .bench = b};
    err = pool_submit(b->pool, &u->job, lane);
    if (err) {
        free(u); /* It is still ours. */
    }
    return err;
}

static void
threads_are_made_as_they_are_needed(void **state)
{
    struct bench b;
    struct pool_counters c;

    (void)state;
    set_up(&b, 8, 2, 100);
    c = pool_counters(b.pool);
    CHECK_INT(c.threads, 0);
    CHECK(submit(&b, run_held, LANE_IDE) == E_OK);
    await(&b.started, 1);
    c = pool_counters(b.pool);
    CHECK_INT(c.threads, 1);
    CHECK_INT(c.running, 1);
    CHECK_INT(c.queued, 0);
    CHECK(submit(&b, run_held, LANE_NETWORK) == E_OK);
    CHECK(submit(&b, run_held, LANE_NETWORK) == E_OK);
    await(&b.started, 2);
    CHECK_INT(pool_counters(b.pool).threads, 3);
    CHECK_INT(pool_counters(b.pool).running, 3);
    post(&b.release, 3);
    await(&b.done, 3);
    tear_down(&b);
    pool_destroy(NULL);
}

/* Both agents of design.md 4: the IDE's calls hold all that they may, and a sub-agent still finds a
 * worker. */
static void
the_network_always_finds_a_worker(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b, 4, 2, 100);
    for (int i = 0; i < 10; i++) {
        CHECK(submit(&b, run_held, LANE_IDE) == E_OK);
    }
    await(&b.started, 2);
    for (int i = 0; i < 50; i++) {
        CHECK(submit(&b, run_short, LANE_NETWORK) == E_OK);
    }
    await(&b.done, 50); /* With the IDE's still open. */
    CHECK_INT(b.ran, 50);
    CHECK_INT(sem_trywait(&b.started), -1);
    CHECK_INT(pool_counters(b.pool).queued, 8);
    post(&b.release, 10);
    await(&b.done, 10);
    CHECK_INT(b.ran, 60);
    CHECK(b.most <= 4);
    tear_down(&b);
}

static void
the_ide_has_at_least_one_worker(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b, 2, 5, 100);
    CHECK(submit(&b, run_held, LANE_IDE) == E_OK);
    CHECK(submit(&b, run_held, LANE_IDE) == E_OK);
    await(&b.started, 1);
    CHECK(submit(&b, run_short, LANE_NETWORK) == E_OK);
    await(&b.done, 1);
    CHECK_INT(b.most, 2);
    post(&b.release, 2);
    tear_down(&b);
    CHECK_INT(b.ran, 3);
}

/* However many jobs the network has waiting, the IDE's next job is at most one job away. */
struct placed {
    struct job job; /* First. */
    struct bench *bench;
    unsigned place; /* When it ran, from 1. */
};

static void
run_placed(struct job *job)
{
    struct placed *p = (struct placed *)job;

    p->place = ++p->bench->ran;
    sem_post(&p->bench->done);
}

static void
a_flood_of_one_lane_does_not_hold_up_the_other(void **state)
{
    (void)state;
    for (int ide_floods = 0; ide_floods < 2; ide_floods++) {
        enum pool_lane flood = ide_floods ? LANE_IDE : LANE_NETWORK;
        enum pool_lane other = ide_floods ? LANE_NETWORK : LANE_IDE;
        struct placed many[50], one = {.job.run = run_placed};
        struct bench b;

        set_up(&b, 1, 0, 100);
        one.bench = &b;
        CHECK(submit(&b, run_held, flood) == E_OK);
        await(&b.started, 1);
        for (int i = 0; i < 50; i++) {
            many[i] = (struct placed){.job.run = run_placed, .bench = &b};
            CHECK(pool_submit(b.pool, &many[i].job, flood) == E_OK);
        }
        CHECK(pool_submit(b.pool, &one.job, other) == E_OK);
        post(&b.release, 1);
        await(&b.done, 52);
        CHECK(one.place <= 3); /* The held one, and one of the flood. */
        CHECK_INT(many[49].place, 52);
        tear_down(&b);
    }
}

static void
the_ide_finds_a_worker_while_the_network_is_busy(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b, 3, 1, 100);
    for (int i = 0; i < 10; i++) {
        CHECK(submit(&b, run_held, LANE_NETWORK) == E_OK);
    }
    await(&b.started, 2);
    CHECK(submit(&b, run_short, LANE_IDE) == E_OK);
    await(&b.done, 1);
    CHECK_INT(b.running, 2);
    post(&b.release, 10);
    await(&b.done, 10);
    tear_down(&b);
}

static void
a_full_queue_refuses(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b, 1, 0, 2);
    CHECK(submit(&b, run_held, LANE_IDE) == E_OK);
    await(&b.started, 1);
    CHECK(submit(&b, run_short, LANE_IDE) == E_OK);
    CHECK(submit(&b, run_short, LANE_NETWORK) == E_OK);
    CHECK(submit(&b, run_short, LANE_IDE) == E_BUSY);
    CHECK(submit(&b, run_short, LANE_NETWORK) == E_BUSY);
    post(&b.release, 1);
    await(&b.done, 3);
    CHECK(submit(&b, run_short, LANE_IDE) == E_OK);
    await(&b.done, 1);
    CHECK_INT(b.ran, 4);
    tear_down(&b);
}

static void
the_end_runs_what_waits(void **state)
{
    struct bench b;

    (void)state;
    for (unsigned round = 0; round < scaled(50); round++) {
        set_up(&b, 3, 1, 200);
        for (int i = 0; i < 100; i++) {
            CHECK(submit(&b, run_short, i % 2 ? LANE_IDE : LANE_NETWORK) == E_OK);
        }
        tear_down(&b);
        CHECK_INT(b.ran, 100);
    }
}

static void *
destroy(void *arg)
{
    struct bench *b = arg;

    pool_destroy(b->pool);
    return NULL;
}

/* A job that goes on submitting is what tells that the pool is closing. */
static void
run_until_refused(struct job *job)
{
    struct unit *u = (struct unit *)job;
    struct bench *b = u->bench;
    enum err err;

    free(u);
    sem_post(&b->started);
    do {
        err = submit(b, run_short, LANE_NETWORK);
        b->wrong += err != E_OK && err != E_BUSY && err != E_OVERLOAD;
    } while (err != E_OVERLOAD);
    sem_post(&b->release);
}

static void
a_closing_pool_takes_nothing(void **state)
{
    struct bench b;
    pthread_t thread;
    struct unit *u = xcalloc(1, sizeof *u);

    (void)state;
    set_up(&b, 2, 1, 10);
    *u = (struct unit){.job.run = run_until_refused, .bench = &b};
    CHECK(pool_submit(b.pool, &u->job, LANE_IDE) == E_OK);
    await(&b.started, 1);
    pthread_create(&thread, NULL, destroy, &b);
    await(&b.release, 1);
    pthread_join(thread, NULL);
    b.pool = NULL;
    tear_down(&b);
}

struct flood {
    struct bench b;
    _Atomic unsigned accepted, busy;
};

static void
submit_some(void *arg, unsigned number)
{
    struct flood *f = arg;

    for (unsigned i = 0; i < 50; i++) {
        switch (submit(&f->b, run_short, number % 2 ? LANE_IDE : LANE_NETWORK)) {
        case E_OK:
            f->accepted++;
            break;
        case E_BUSY:
            f->busy++;
            break;
        default:
            f->b.wrong++;
        }
    }
}

static void
a_stopped_pool_takes_nothing_and_ends_later(void **state)
{
    struct bench b;
    struct unit unit = {.bench = &b};

    (void)state;
    set_up(&b, 2, 1, 4);
    pool_stop(NULL);
    pool_stop(b.pool);
    CHECK_INT(pool_submit(b.pool, &unit.job, LANE_IDE), E_OVERLOAD);
    CHECK_INT(pool_counters(b.pool).threads, 0);
    pool_stop(b.pool);
    tear_down(&b);
}

static void
each_job_runs_once(void **state)
{
    (void)state;
    for (const unsigned *size = race_sizes; *size; size++) {
        struct flood f = {.accepted = 0};

        set_up(&f.b, 16, 4, 64);
        threads_run(*size, submit_some, &f);
        await(&f.b.done, f.accepted);
        CHECK_INT(f.accepted + f.busy, *size * 50);
        CHECK_INT(f.b.ran, f.accepted);
        CHECK(f.b.most <= 16);
        tear_down(&f.b);
        CHECK_INT(f.b.ran, f.accepted);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_are_made_as_they_are_needed),
        cmocka_unit_test(the_network_always_finds_a_worker),
        cmocka_unit_test(the_ide_has_at_least_one_worker),
        cmocka_unit_test(a_flood_of_one_lane_does_not_hold_up_the_other),
        cmocka_unit_test(the_ide_finds_a_worker_while_the_network_is_busy),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(the_end_runs_what_waits),
        cmocka_unit_test(a_closing_pool_takes_nothing),
        cmocka_unit_test(a_stopped_pool_takes_nothing_and_ends_later),
        cmocka_unit_test(each_job_runs_once),
    };
    alarm(300);
    return CHECK_RUN(tests);
}
