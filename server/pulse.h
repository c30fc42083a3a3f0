/* pulse.h -- whether the threads that serve still do.
 *
 * A server that hangs answers nobody, and says nothing: who watches over it has to be told that it
 * lives by something that hangs with it.  So a sign of life is given only when every loop (of each
 * transport, of the keeper) has come round since the last look, and no lane of the workers has had
 * jobs waiting for longer than any call may take, without a worker taking one.
 *
 * One thread looks, main's; it never waits for those that it looks at. */
#ifndef TANDEM_PULSE_H
#define TANDEM_PULSE_H

#include "state/base/pool.h"

#include <stdbool.h>
#include <stdint.h>

#define PULSE_LOOPS_MAX 4

struct pulse {
    struct pulse_loop {
        const char *name;
        /* Whether it has come round since it was asked that last; and asks it again. */
        bool (*beats)(void *loop);
        void *loop;
    } loops[PULSE_LOOPS_MAX];
    unsigned loop_count;
    struct pool *pool;   /* Borrowed; null: there is none. */
    int64_t patience_ns; /* How long a lane's jobs may wait without one being taken.  The caller's,
                          * who may change it between two looks. */
    struct {
        bool waits;       /* As of the last look, */
        uint64_t taken;   /* as this is, */
        int64_t since_ns; /* and since when it has waited with nothing taken. */
    } lanes[LANE_COUNT];
};
/* All zero is one of nothing, whose heart beats. */

/* Adds a loop, borrowed as the names are. */
void pulse_add(struct pulse *p, const char *name, bool (*beats)(void *loop), void *loop);
/* Adds the workers. */
void pulse_add_pool(struct pulse *p, struct pool *pool);
/* Looks, at the monotonic time 'now_ns'.  Null if all is well; else the name of what stands still.
 * The time between two looks is what a loop has to come round. */
const char *pulse_look(struct pulse *p, int64_t now_ns);

#endif
