/* pool.c -- workers, made on demand.
 *
 * DESIGN.  A job goes to the worker that became idle last: its stack and what malloc() keeps for it
 * are warm.  Called in turn instead, as by one condition for all, sixteen workers each came to hold
 * what one needs, and a server with little to do grew by 60 KiB a minute for hours. */
#include "state/base/pool.h"

#include "state/base/lock.h"
#include "state/base/mem.h"
#include "state/base/thread.h"

#include <assert.h>

struct queue {
    struct job *first, **last;
    unsigned running, limit, queued;
    uint64_t taken; /* So far. */
};

struct worker {
    struct pool *pool; /* Borrowed; set once. */
    pthread_t thread;  /* LC_POOL until closing, then the joiner's. */
    struct cond call;
    struct worker *below GUARDED_BY(LC_POOL); /* Idle for longer. */
    bool called GUARDED_BY(LC_POOL);
};

struct pool {
    unsigned max_threads, max_queued; /* Set once. */
    struct worker *workers;           /* Owned. */
    struct lock lock;
    struct queue lanes[LANE_COUNT] GUARDED_BY(LC_POOL);
    unsigned turn GUARDED_BY(LC_POOL); /* The lane that is looked at first. */
    unsigned thread_count GUARDED_BY(LC_POOL);
    struct worker *uncalled GUARDED_BY(LC_POOL); /* Idle; who became so last is first. */
    unsigned idle GUARDED_BY(LC_POOL);           /* They, and those who have been called. */
    unsigned queued GUARDED_BY(LC_POOL);
    bool closing GUARDED_BY(LC_POOL);
};

UNSHARED struct pool *
pool_create(unsigned threads, unsigned reserve, unsigned queue)
{
    struct pool *p = xcalloc(1, sizeof *p);

    assert(threads > 0);
    p->max_threads = threads;
    p->max_queued = queue;
    p->workers = xcalloc(threads, sizeof *p->workers);
    lock_init(&p->lock, RANK_POOL);
    for (unsigned i = 0; i < threads; i++) {
        p->workers[i].pool = p;
        cond_init(&p->workers[i].call);
    }
    for (int i = 0; i < LANE_COUNT; i++) {
        p->lanes[i].last = &p->lanes[i].first;
    }
    p->lanes[LANE_IDE].limit = threads > reserve ? threads - reserve : 1;
    p->lanes[LANE_NETWORK].limit = threads > 1 ? threads - 1 : 1;
    return p;
}

/* Takes the next job that a lane has room for, or null.  Lanes take turns, so that a flood in one
 * holds the other up by a job at most. */
static struct job *
take_job_locked(struct pool *p) REQUIRES(LC_POOL)
{
    for (unsigned i = 0; i < LANE_COUNT; i++) {
        unsigned lane = (p->turn + i) % LANE_COUNT;
        struct queue *q = &p->lanes[lane];
        struct job *job = q->first;

        if (job && q->running < q->limit) {
            q->first = job->next;
            if (!q->first) {
                q->last = &q->first;
            }
            q->running++;
            q->queued--;
            q->taken++;
            p->queued--;
            p->turn = (lane + 1) % LANE_COUNT;
            return job;
        }
    }
    return NULL;
}

/* Until it is called. */
static void
be_idle_locked(struct pool *p, struct worker *w) REQUIRES(LC_POOL)
{
    w->called = false;
    w->below = p->uncalled;
    p->uncalled = w;
    p->idle++;
    while (!w->called) {
        cond_wait(&w->call, &p->lock, INT64_MAX);
    }
    p->idle--;
}

/* Has the worker that became idle last look for a job, if there is one. */
static void
call_one_locked(struct pool *p) REQUIRES(LC_POOL)
{
    struct worker *w = p->uncalled;

    if (w) {
        p->uncalled = w->below;
        w->called = true;
        cond_signal(&w->call);
    }
}

static void
call_all_locked(struct pool *p) REQUIRES(LC_POOL)
{
    while (p->uncalled) {
        call_one_locked(p);
    }
}

static void *
work(void *arg)
{
    struct worker *w = arg;
    struct pool *p = w->pool;

    LOCK(POOL, &p->lock);
    for (;;) {
        struct job *job = take_job_locked(p);

        if (job) {
            enum pool_lane lane = job->lane;
            UNLOCK(POOL, &p->lock);
            job->run(job);
            assert(lock_none_held());
            LOCK(POOL, &p->lock);
            p->lanes[lane].running--;
        } else if (p->closing && p->queued == 0) {
            break;
        } else {
            be_idle_locked(p, w);
        }
    }
    call_all_locked(p); /* They end too. */
    UNLOCK(POOL, &p->lock);
    return NULL;
}

/* Starts one more thread if, with one job more, more jobs wait than threads are free.  False if
 * there is no thread at all to run it. */
static bool
grow_locked(struct pool *p) REQUIRES(LC_POOL)
{
    if (p->queued >= p->idle && p->thread_count < p->max_threads) {
        struct worker *w = &p->workers[p->thread_count];

        p->thread_count += thread_start(&w->thread, "tandem-worker", work, w) == 0;
    } /* Else those that run will come to it. */
    return p->thread_count > 0;
}

enum err
pool_submit(struct pool *p, struct job *job, enum pool_lane lane)
{
    enum err err = E_OK;

    LOCK(POOL, &p->lock);
    if (!p->closing && p->queued >= p->max_queued) {
        err = E_BUSY;
    } else if (p->closing || !grow_locked(p)) {
        err = E_OVERLOAD;
    } else {
        job->next = NULL;
        job->lane = lane;
        *p->lanes[lane].last = job;
        p->lanes[lane].last = &job->next;
        p->lanes[lane].queued++;
        p->queued++;
        call_one_locked(p);
    }
    UNLOCK(POOL, &p->lock);
    return err;
}

UNSHARED void
pool_stop(struct pool *p)
{
    if (!p) {
        return;
    }
    LOCK(POOL, &p->lock);
    p->closing = true;
    call_all_locked(p);
    UNLOCK(POOL, &p->lock);
    /* A pool that is closing makes no threads, so the count is nobody else's. */
    while (p->thread_count) {
        pthread_join(p->workers[p->thread_count - 1].thread, NULL);
        LOCK(POOL, &p->lock);
        p->thread_count--;
        UNLOCK(POOL, &p->lock);
    }
}

UNSHARED void
pool_destroy(struct pool *p)
{
    if (p) {
        pool_stop(p);
        for (unsigned i = 0; i < p->max_threads; i++) {
            cond_fini(&p->workers[i].call);
        }
        lock_fini(&p->lock);
        free(p->workers);
        free(p);
    }
}

struct pool_counters
pool_counters(struct pool *p)
{
    struct pool_counters c = {0};

    LOCK(POOL, &p->lock);
    c.threads = p->thread_count;
    c.queued = p->queued;
    for (int i = 0; i < LANE_COUNT; i++) {
        c.running += p->lanes[i].running;
        c.lanes[i] = (struct pool_lane_counters){p->lanes[i].queued, p->lanes[i].taken};
    }
    UNLOCK(POOL, &p->lock);
    return c;
}
