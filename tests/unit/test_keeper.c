/* The keeper: jobs come again, rest, and are stirred; none is lost, and none runs once dropped. */
#include "tests/check.h"

#include "state/base/keeper.h"
#include "state/base/lock.h"
#include "state/base/mem.h"
#include "tests/threads.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/resource.h>

/* What a job counts, and what a test waits for. */
struct count {
    _Atomic unsigned runs, wrong;
    unsigned rest_at; /* It rests after so many runs; 0: never. */
    sem_t ran;
};

static void
count_init(struct count *c, unsigned rest_at)
{
    *c = (struct count){.rest_at = rest_at};
    sem_init(&c->ran, 0, 0);
}

static bool
count_run(void *arg)
{
    struct count *c = arg;
    unsigned runs = ++c->runs;

    c->wrong += !lock_none_held();
    sem_post(&c->ran);
    return !c->rest_at || runs < c->rest_at;
}

static void
await(sem_t *s, unsigned times)
{
    while (times--) {
        while (sem_wait(s) != 0) {
        }
    }
}

static struct keeper *
start(void)
{
    struct keeper *k;
    struct fault f = FAULT_INIT;

    CHECK_INT(keeper_start(&k, &f), E_OK);
    return k;
}

static void
job_comes_again(void **state)
{
    struct keeper *k = start();
    struct count c;
    struct keeper_job *job;

    (void)state;
    count_init(&c, 0);
    job = keeper_every(k, 1, count_run, &c);
    await(&c.ran, 5);
    keeper_drop(job);
    CHECK(c.runs >= 5);
    CHECK_INT(c.wrong, 0);
    keeper_stop(k);
    sem_destroy(&c.ran);
}

/* Another job of the same period is the clock: no test sleeps. */
static void
job_rests_until_it_is_stirred(void **state)
{
    struct keeper *k = start();
    struct count resting, clock;
    struct keeper_job *job;

    (void)state;
    count_init(&resting, 2);
    count_init(&clock, 0);
    job = keeper_every(k, 1, count_run, &resting);
    await(&resting.ran, 2);
    keeper_every(k, 1, count_run, &clock);
    await(&clock.ran, 20);
    CHECK_INT(resting.runs, 2);
    keeper_stir(job);
    await(&resting.ran, 1);
    CHECK_INT(resting.runs, 3);
    keeper_stir(job);
    keeper_stir(job); /* Twice is once. */
    await(&resting.ran, 1);
    await(&clock.ran, 20);
    CHECK_INT(resting.runs, 4);
    keeper_stop(k); /* Drops both. */
    sem_destroy(&resting.ran);
    sem_destroy(&clock.ran);
}

static void
dropped_job_does_not_run(void **state)
{
    struct keeper *k = start();
    struct count clock;

    (void)state;
    count_init(&clock, 0);
    keeper_every(k, 1, count_run, &clock);
    for (unsigned i = 0; i < 50; i++) {
        struct count c; /* On the stack: a late run would be seen by the sanitizers. */
        struct keeper_job *job;
        unsigned runs;

        count_init(&c, 0);
        job = keeper_every(k, 1, count_run, &c);
        await(&clock.ran, i % 3);
        keeper_drop(job);
        runs = c.runs;
        await(&clock.ran, 2);
        CHECK_INT(c.runs, runs);
        sem_destroy(&c.ran);
    }
    keeper_drop(NULL);
    keeper_stop(k);
    keeper_stop(NULL);
    sem_destroy(&clock.ran);
}

/* ---- Calls ---- */

struct where {
    struct keeper *keeper;
    pthread_t thread;
    unsigned depth;
};

static void
note_thread(void *arg)
{
    struct where *w = arg;

    w->thread = pthread_self();
    if (w->depth-- > 0) {
        keeper_call(w->keeper, note_thread, w); /* At once: it would wait for itself. */
    }
}

static void
call_runs_on_the_keepers_thread(void **state)
{
    struct keeper *k = start();
    struct where w = {.keeper = k, .thread = pthread_self(), .depth = 2};

    (void)state;
    CHECK(keeper_loop(k) != NULL);
    keeper_call(k, note_thread, &w);
    CHECK(!pthread_equal(w.thread, pthread_self()));
    CHECK_INT(w.depth, (unsigned)-1);
    keeper_stop(k);
}

static void
without_descriptors_there_is_none(void **state)
{
    struct keeper *k = NULL;
    struct fault f = FAULT_INIT;
    struct rlimit before, none;

    (void)state;
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK_INT(keeper_start(&k, &f), E_IO);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
    CHECK(k == NULL && f.text[0]);
}

/* ---- Races ---- */

struct work {
    struct keeper *keeper;
    struct keeper_job *job;
    _Atomic unsigned waiting, done, all;
    unsigned calls; /* The keeper's thread's: no atomic, so that a race is seen. */
    sem_t finished;
};

/* Takes whatever waits, and rests: who puts something down must stir it in any case. */
static bool
take_work(void *arg)
{
    struct work *w = arg;
    unsigned taken = atomic_exchange(&w->waiting, 0);

    if ((w->done += taken) == w->all && taken) {
        sem_post(&w->finished);
    }
    return false;
}

static void
count_call(void *arg)
{
    ((struct work *)arg)->calls++;
}

static void
put_work(void *arg, unsigned number)
{
    struct work *w = arg;

    (void)number;
    for (unsigned i = 0; i < 200; i++) {
        w->waiting++;
        keeper_stir(w->job);
        if (i % 50 == 0) {
            keeper_call(w->keeper, count_call, w);
        }
    }
}

static void
no_stir_is_lost(void **state)
{
    (void)state;
    for (const unsigned *size = race_sizes; *size; size++) {
        for (unsigned round = scaled(5); round > 0; round--) {
            struct work w = {.keeper = start(), .all = *size * 200};

            sem_init(&w.finished, 0, 0);
            w.job = keeper_every(w.keeper, 1, take_work, &w);
            threads_run(*size, put_work, &w);
            await(&w.finished, 1); /* For ever, if one is lost. */
            CHECK_INT(w.done, w.all);
            CHECK_INT(w.calls, *size * 4);
            keeper_stop(w.keeper);
            sem_destroy(&w.finished);
        }
    }
}

/* What is posted is run in order, and nobody waits for it. */

struct posted {
    struct keeper *keeper;
    sem_t go;
    char text[8];
};

static void
add_a(void *arg)
{
    struct posted *p = arg;

    while (sem_wait(&p->go) != 0) {
    }
    strcat(p->text, "a");
}

static void
add_b(void *arg)
{
    struct posted *p = arg;

    strcat(p->text, "b");
}

static void
add_c_and_b(void *arg)
{
    struct posted *p = arg;

    strcat(p->text, "c");
    keeper_post(p->keeper, add_b, p); /* From its own thread, at once. */
}

static void
posted_calls_run_in_order(void **state)
{
    struct posted p = {.keeper = start()};

    (void)state;
    sem_init(&p.go, 0, 0);
    keeper_post(p.keeper, add_a, &p);
    keeper_post(p.keeper, add_b, &p);
    keeper_post(p.keeper, add_c_and_b, &p);
    sem_post(&p.go); /* Only now can the first one end. */
    keeper_call(p.keeper, add_b, &p);
    CHECK_STR(p.text, "abcbb");
    sem_post(&p.go);
    keeper_post(p.keeper, add_a, &p); /* What is posted is done before the end. */
    keeper_stop(p.keeper);
    CHECK_STR(p.text, "abcbba");
    sem_destroy(&p.go);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posted_calls_run_in_order),
        cmocka_unit_test(job_comes_again),
        cmocka_unit_test(job_rests_until_it_is_stirred),
        cmocka_unit_test(dropped_job_does_not_run),
        cmocka_unit_test(call_runs_on_the_keepers_thread),
        cmocka_unit_test(without_descriptors_there_is_none),
        cmocka_unit_test(no_stir_is_lost),
    };
    return CHECK_RUN(tests);
}
