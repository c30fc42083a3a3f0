/* finds: writing variable 'count' requires holding lock 'LC_SLOTS' exclusively */
#include "state/base/lock.h"

struct store {
    struct lock lock;
    unsigned count GUARDED_BY(LC_SLOTS);
};

void reset(struct store *s, struct lock *other);

void
reset(struct store *s, struct lock *other)
{
    LOCK(POOL, other); /* A lock, but not the one. */
    s->count = 0;
    UNLOCK(POOL, other);
}
