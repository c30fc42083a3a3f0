/* fine: the others fail for their error and not for their surroundings. */
#include "state/base/lock.h"

struct store {
    struct lock lock;
    unsigned count GUARDED_BY(LC_SLOTS);
};

void add(struct store *s, struct lock *pool);

static void
add_locked(struct store *s) REQUIRES(LC_SLOTS)
{
    s->count++;
}

void
add(struct store *s, struct lock *pool)
{
    LOCK(SLOTS, &s->lock);
    add_locked(s);
    LOCK(POOL, pool);
    UNLOCK(POOL, pool);
    UNLOCK(SLOTS, &s->lock);
}
