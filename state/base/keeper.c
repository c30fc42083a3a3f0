/* keeper.c -- a thread on a libuv loop.
 *
 * DESIGN.  All that belongs to the loop is touched by its thread alone.  Others hand it a function
 * and wait until it has run there, which makes adding and dropping a job plain code; only stirring
 * one goes by an atomic and a wake, for it stands on the path of every message.
 *
 * A job is awake, which means its timer runs, or rests.  Before it runs it is marked resting: who
 * stirs it while it looks, and may come too late to be seen, marks it awake again. */
#include "state/base/keeper.h"

#include "state/base/lock.h"
#include "state/base/mem.h"
#include "state/base/thread.h"

#include <assert.h>
#include <stdatomic.h>
#include <uv.h>

static void *
allocate(size_t size)
{
    void *p = try_malloc(size);

    if (!p) {
        out_of_memory();
    }
    return p;
}

void
keeper_prepare(void)
{
    int failed = uv_replace_allocator(allocate, xrealloc, xcalloc, free);

    assert(!failed); /* All four are given. */
    (void)failed;
}

struct keeper_job {
    uv_timer_t timer; /* First. */
    struct keeper *keeper;
    uint64_t ms;
    bool (*run)(void *arg);
    void *arg;
    _Atomic bool awake;
    struct keeper_job *next, **self; /* Of its keeper's; the place that points here. */
};

/* What another thread wants run; on its stack, or if it was posted on the heap. */
struct call {
    void (*run)(void *arg);
    void *arg;
    bool posted;       /* Nobody waits for it. */
    bool done;         /* LC_KEEPER. */
    struct call *next; /* LC_KEEPER. */
};

struct keeper {
    uv_loop_t loop;
    uv_async_t wake; /* The one handle that other threads touch. */
    pthread_t thread;
    _Atomic bool asked;      /* For a sign of life, and has not given it yet. */
    struct keeper_job *jobs; /* The thread's own. */
    struct lock lock;
    struct cond called;
    struct call *first GUARDED_BY(LC_KEEPER), **last GUARDED_BY(LC_KEEPER);
};

/* ---- On the keeper's thread ---- */

static void
timer_due(uv_timer_t *timer)
{
    struct keeper_job *job = (struct keeper_job *)timer;

    atomic_store(&job->awake, false);
    if (job->run(job->arg)) {
        atomic_store(&job->awake, true);
    } else if (!atomic_load(&job->awake)) {
        uv_timer_stop(timer); /* Stirred since?  Then a wake is on its way too. */
    }
    assert(lock_none_held());
}

static void
start_timer(struct keeper_job *job)
{
    int failed = uv_timer_start(&job->timer, timer_due, job->ms, job->ms);

    assert(!failed); /* Only one that is closing can fail. */
    (void)failed;
}

/* Runs what was called for.  What a call does may lead to more: they are seen too. */
static void
run_calls(struct keeper *k)
{
    struct call *call;

    do {
        LOCK(KEEPER, &k->lock);
        call = k->first;
        if (call) {
            k->first = call->next;
            k->last = k->first ? k->last : &k->first;
        }
        UNLOCK(KEEPER, &k->lock);
        if (call) {
            call->run(call->arg);
            assert(lock_none_held());
            if (call->posted) {
                free(call);
                continue;
            }
            LOCK(KEEPER, &k->lock);
            call->done = true;
            cond_broadcast(&k->called);
            UNLOCK(KEEPER, &k->lock);
        }
    } while (call);
}

static void
woken(uv_async_t *wake)
{
    struct keeper *k = wake->data;

    atomic_store(&k->asked, false);
    run_calls(k);
    for (struct keeper_job *job = k->jobs; job; job = job->next) {
        if (atomic_load(&job->awake) && !uv_is_active((uv_handle_t *)&job->timer)) {
            uv_update_time(&k->loop);
            start_timer(job);
        }
    }
}

static void *
keep(void *arg)
{
    struct keeper *k = arg;

    uv_run(&k->loop, UV_RUN_DEFAULT); /* Until the last handle is closed. */
    return NULL;
}

static void
free_job(uv_handle_t *timer)
{
    free(timer); /* The job begins with it. */
}

static void
add_job(void *arg)
{
    struct keeper_job *job = arg;
    struct keeper *k = job->keeper;

    uv_timer_init(&k->loop, &job->timer);
    job->self = &k->jobs;
    job->next = k->jobs;
    if (job->next) {
        job->next->self = &job->next;
    }
    k->jobs = job;
    uv_update_time(&k->loop);
    start_timer(job);
}

static void
drop_job(void *arg)
{
    struct keeper_job *job = arg;

    *job->self = job->next;
    if (job->next) {
        job->next->self = job->self;
    }
    uv_close((uv_handle_t *)&job->timer, free_job);
}

static void
end(void *arg)
{
    struct keeper *k = arg;

    while (k->jobs) {
        drop_job(k->jobs);
    }
    uv_close((uv_handle_t *)&k->wake, NULL);
}

/* ---- On any thread ---- */

UNSHARED enum err
keeper_start(struct keeper **keeper, struct fault *f)
{
    struct keeper *k = xcalloc(1, sizeof *k);
    int failed = uv_loop_init(&k->loop);

    *keeper = NULL;
    if (failed) {
        free(k);
        return fault_set(f, E_IO, "the keeper's loop cannot be made: %s", uv_strerror(failed));
    }
    failed = uv_async_init(&k->loop, &k->wake, woken);
    if (!failed) {
        k->wake.data = k;
        lock_init(&k->lock, RANK_KEEPER);
        cond_init(&k->called);
        k->last = &k->first;
        failed = -thread_start(&k->thread, "tandem-keeper", keep, k);
        if (!failed) {
            *keeper = k;
            return E_OK;
        }
        cond_fini(&k->called);
        lock_fini(&k->lock);
        uv_close((uv_handle_t *)&k->wake, NULL);
        uv_run(&k->loop, UV_RUN_DEFAULT);
    }
    uv_loop_close(&k->loop);
    free(k);
    return fault_set(f, E_IO, "the keeper cannot be started: %s", uv_strerror(failed));
}

UNSHARED void
keeper_stop(struct keeper *k)
{
    int busy;

    if (!k) {
        return;
    }
    keeper_call(k, end, k);
    pthread_join(k->thread, NULL);
    busy = uv_loop_close(&k->loop);
    assert(!busy); /* A handle of somebody's is open still. */
    (void)busy;
    cond_fini(&k->called);
    lock_fini(&k->lock);
    free(k);
}

static void
hand_over(struct keeper *k, struct call *call)
{
    LOCK(KEEPER, &k->lock);
    *k->last = call;
    k->last = &call->next;
    UNLOCK(KEEPER, &k->lock);
    uv_async_send(&k->wake);
}

void
keeper_post(struct keeper *k, void (*run)(void *arg), void *arg)
{
    struct call *call;

    assert(lock_none_held());
    if (pthread_equal(pthread_self(), k->thread)) {
        run(arg);
        return;
    }
    call = xcalloc(1, sizeof *call);
    *call = (struct call){.run = run, .arg = arg, .posted = true};
    hand_over(k, call);
}

void
keeper_call(struct keeper *k, void (*run)(void *arg), void *arg)
{
    struct call call = {.run = run, .arg = arg};

    assert(lock_none_held());
    if (pthread_equal(pthread_self(), k->thread)) {
        run(arg);
        return;
    }
    hand_over(k, &call);
    LOCK(KEEPER, &k->lock);
    while (!call.done) {
        cond_wait(&k->called, &k->lock, INT64_MAX);
    }
    UNLOCK(KEEPER, &k->lock);
}

bool
keeper_beats(struct keeper *k)
{
    if (atomic_exchange(&k->asked, true)) {
        return false;
    }
    uv_async_send(&k->wake);
    return true;
}

struct keeper_job *
keeper_every(struct keeper *k, unsigned ms, bool (*run)(void *arg), void *arg)
{
    struct keeper_job *job = xcalloc(1, sizeof *job);

    job->keeper = k;
    job->ms = ms;
    job->run = run;
    job->arg = arg;
    atomic_init(&job->awake, true);
    keeper_post(k, add_job, job);
    return job;
}

void
keeper_stir(struct keeper_job *job)
{
    if (!atomic_load(&job->awake) && !atomic_exchange(&job->awake, true)) {
        uv_async_send(&job->keeper->wake);
    }
}

void
keeper_drop(struct keeper_job *job)
{
    if (job) {
        keeper_call(job->keeper, drop_job, job);
    }
}

struct uv_loop_s *
keeper_loop(struct keeper *k)
{
    return &k->loop;
}
