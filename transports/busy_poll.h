/* busy_poll.h -- runs a loop that, while messages come one right after the other, looks for the
 * next one a little before it sleeps.
 *
 * A client that asks, waits and asks again is answered in 6 us and then lets the loop sleep; to be
 * woken costs more than the answer, both sides.  So when one event came within BUSY_POLL_NS of the
 * one before, the loop expects the next to do so too, and looks without sleeping for that long.
 * The first that comes later ends it: of a run of quick messages only the last is waited for in
 * vain, and a loop with nothing to do, or with a message now and then, sleeps as ever.
 *
 * Only while one source has all the messages: of several clients the next one's is there already,
 * or somebody's processor is needed to send it.  Eight connections at a time cost 8.3 us a request
 * where the loop sleeps, and 11 where it looks.
 *
 * Where there is one processor to run on, whoever would send the next message could not run
 * meanwhile: the loop always sleeps.  And where a look takes far longer than it can, the processor
 * was taken away meanwhile, by others who need it or because a container's share of it is used up:
 * then the loop sleeps each time for a second, before it tries again.
 *
 * One thread, the loop's. */
#ifndef TANDEM_TRANSPORTS_BUSY_POLL_H
#define TANDEM_TRANSPORTS_BUSY_POLL_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* Some four times what it takes to be woken, and less than a hop to a worker and back takes. */
#define BUSY_POLL_NS (INT64_C(50) * 1000)
/* A look that took this long did not have a processor to itself, */
#define BUSY_POLL_AWAY_NS (INT64_C(1000) * 1000)
/* and there are none for this long. */
#define BUSY_POLL_OFF_NS (INT64_C(1000) * 1000 * 1000)

struct busy_poll {
    bool may;             /* There is more than one processor. */
    bool looks;           /* Rather than sleeps. */
    bool came;            /* Something did, in this turn, */
    bool others;          /* and not all from where the last one came from. */
    const void *who;      /* That; never looked into. */
    int64_t last_ns;      /* When it last did. */
    int64_t turn_ns;      /* When the last turn ended. */
    int64_t off_until_ns; /* Sleeps until then. */
};

/* Makes 'b' for a loop that this thread, or one of the same processors, will run. */
void busy_poll_init(struct busy_poll *b);

/* Something came that others may follow at once: to be called by a handle's callback.  'who' tells
 * sources from each other; null is none of its own, such as an answer that is there now. */
static inline void
busy_poll_came(struct busy_poll *b, const void *who)
{
    b->came = true;
    if (who && who != b->who) {
        b->others = true;
        b->who = who;
    }
}

/* At the end of a turn, at 'now_ns': whether the next one looks rather than sleeps. */
bool busy_poll_decide(struct busy_poll *b, int64_t now_ns);

/* Runs 'loop' until it has no handle left, as uv_run(UV_RUN_DEFAULT) does. */
void busy_poll_run(struct busy_poll *b, uv_loop_t *loop);

#endif
