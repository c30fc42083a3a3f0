/* park.h -- requests that wait: in flight, on no worker, until somebody takes them.
 *
 * A handler that has to wait returns E_INPUT, having changed nothing, and its request is parked
 * instead of answered.  request.parked says what for:
 *
 *   PARKED_CLIENT   for answers of its client: need_park.c, need_end.c
 *   PARKED_EVENT    for a moment or a task: wait.c
 *   PARKED_WORKER   for a worker: it was taken, and there was none to be had just then
 *
 * Those files know when the waiting is over; what is the same for both is here.  Whoever takes a
 * request, with INFLIGHT held, has it for himself and hands it to park_run(), or to park_end()
 * where nothing more is to be said: so there is one outcome, whatever comes together (the last
 * answer, a cancel, the clock, the end of the server).  Any thread; takes INFLIGHT. */
#ifndef TANDEM_PARK_H
#define TANDEM_PARK_H

#include "handlers/request.h"

/* Taken requests: a list by 'job.next', which is theirs while no worker has them. */
struct taken {
    struct job *first;
};

/* Whether 'req' goes on: it was neither cancelled nor ended.  That does not change while INFLIGHT
 * is held. */
bool park_goes_on_locked(const struct request *req) REQUIRES(LC_INFLIGHT);
/* Parks a request that goes on, and is the caller's until then.  While it waits for its client the
 * time that it may take stands still. */
void park_locked(struct request *req, enum parked why) REQUIRES(LC_INFLIGHT);
/* Whether it is parked for 'why', and goes on once it is taken. */
bool park_holds_locked(const struct request *req, enum parked why) REQUIRES(LC_INFLIGHT);
/* Takes a parked request. */
void park_take_locked(struct request *req, struct taken *taken) REQUIRES(LC_INFLIGHT);

/* Has what was taken run again from its beginning.  The caller holds no lock. */
void park_run(struct taken *taken);
/* Answers what was taken with 'f', and frees it.  The caller holds no lock. */
void park_end(struct taken *taken, const struct fault *f);

/* Ends the waiting of those that were cancelled or ended.  The caller holds no lock. */
void park_drop_stopped(struct dispatcher *d);
/* Runs those that wait for a worker, as far as there are some.  True while any waits still.  The
 * caller holds no lock. */
bool park_tick(struct dispatcher *d);

#endif
