/* finds: acquiring lock 'LC_SLOTS' that is already held */
#include "state/base/lock.h"

void both(struct lock *one, struct lock *other);

void
both(struct lock *one, struct lock *other)
{
    LOCK(SLOTS, one);
    LOCK(SLOTS, other);
    UNLOCK(SLOTS, other);
    UNLOCK(SLOTS, one);
}
