/* finds: lock 'LC_SLOTS' must be acquired before 'LC_OUTBOX' */
#include "state/base/lock.h"

void both(struct lock *slots, struct lock *outbox);

void
both(struct lock *slots, struct lock *outbox)
{
    LOCK(OUTBOX, outbox);
    LOCK(SLOTS, slots);
    UNLOCK(SLOTS, slots);
    UNLOCK(OUTBOX, outbox);
}
