/* pool.c -- workers, made on demand. */
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

struct pool {
    unsigned max_threads, max_queued; /* Set once. */
    pthread_t *threads;               /* LC_POOL until closing, then the joiner's. */
    struct lock lock;
    struct cond work;
    struct queue lanes[LANE_COUNT] GUARDED_BY(LC_POOL);
    unsigned turn GUARDED_BY(LC_POOL); /* The lane that is looked at first. */
    unsigned thread_count GUARDED_BY(LC_POOL);
    unsigned idle GUARDED_BY(LC_POOL);
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
    p->threads = xcalloc(threads, sizeof *p->threads);
    lock_init(&p->lock, RANK_POOL);
    cond_init(&p->work);
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

static void *
work(void *arg)
{
    struct pool *p = arg;

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
            p->idle++;
            cond_wait(&p->work, &p->lock, INT64_MAX);
            p->idle--;
        }
    }
    cond_broadcast(&p->work);
    UNLOCK(POOL, &p->lock);
    return NULL;
}

/* Starts one more thread if, with one job more, more jobs wait than threads are free.  False if
 * there is no thread at all to run it. */
static bool
grow_locked(struct pool *p) REQUIRES(LC_POOL)
{
    if (p->queued >= p->idle && p->thread_count < p->max_threads &&
        thread_start(&p->threads[p->thread_count], "tandem-worker", work, p) == 0) {
        p->thread_count++;
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
        cond_signal(&p->work);
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
    cond_broadcast(&p->work);
    UNLOCK(POOL, &p->lock);
    /* A pool that is closing makes no threads, so the count is nobody else's. */
    while (p->thread_count) {
        pthread_join(p->threads[p->thread_count - 1], NULL);
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
        cond_fini(&p->work);
        lock_fini(&p->lock);
        free(p->threads);
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
