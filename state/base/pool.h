/* pool.h -- worker threads on one bounded queue.
 *
 * A job is embedded in what it works on.  Threads are made as they are needed, up to the limit, and
 * stay until the pool ends.  Lanes keep one kind of caller from starving another: jobs of a lane
 * run on at most the lane's share of threads, so that a sub-agent's call over HTTP always finds a
 * worker while the IDE's calls are open; and lanes take turns, so that a flood of sub-agents does
 * not hold up the IDE. */
#ifndef TANDEM_POOL_H
#define TANDEM_POOL_H

#include "state/base/err.h"

#include <stddef.h>
#include <stdint.h>

enum pool_lane { LANE_IDE, LANE_NETWORK, LANE_COUNT };

struct job {
    /* Runs on a worker with no lock held.  May free the job. */
    void (*run)(struct job *job);
    struct job *next;
    enum pool_lane lane;
};

struct pool;

/* A new pool of at most 'threads' workers; 'reserve' of them never run LANE_IDE jobs (at least one
 * always does), and one never runs LANE_NETWORK jobs unless it is the only one.  At most 'queue'
 * jobs wait. */
struct pool *pool_create(unsigned threads, unsigned reserve, unsigned queue);
/* Queues 'job'.  E_BUSY if the queue is full, E_OVERLOAD once the pool is closing; then 'job' is
 * still the caller's. */
enum err pool_submit(struct pool *p, struct job *job, enum pool_lane lane);
/* Takes no more jobs, runs what is queued, and joins all threads.  Jobs must end by themselves: who
 * wants them to end early cancels them first.  Others may still submit, and are refused.  Null is
 * ignored. */
void pool_stop(struct pool *p);
/* The same, unless that was done before, and frees.  Nobody may submit any more.  Null is ignored.
 */
void pool_destroy(struct pool *p);

struct pool_counters {
    unsigned threads, running, queued;
    struct pool_lane_counters {
        unsigned queued;
        uint64_t taken; /* Jobs that a worker has taken so far. */
    } lanes[LANE_COUNT];
};
/* What is counted, as it is now. */
struct pool_counters pool_counters(struct pool *p);

#endif
