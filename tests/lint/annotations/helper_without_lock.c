/* finds: calling function 'add_locked' requires holding lock 'LC_SLOTS' exclusively */
#include "state/base/lock.h"

struct store {
    struct lock lock;
    unsigned count GUARDED_BY(LC_SLOTS);
};

void add(struct store *s);

static void
add_locked(struct store *s) REQUIRES(LC_SLOTS)
{
    s->count++;
}

void
add(struct store *s)
{
    LOCK(SLOTS, &s->lock);
    UNLOCK(SLOTS, &s->lock);
    add_locked(s);
}
