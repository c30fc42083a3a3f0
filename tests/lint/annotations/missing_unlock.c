/* finds: mutex 'LC_SLOTS' is not held on every path through here */
#include "state/base/lock.h"

struct store {
    struct lock lock;
    unsigned count GUARDED_BY(LC_SLOTS);
};

bool add_up_to(struct store *s, unsigned most);

bool
add_up_to(struct store *s, unsigned most)
{
    LOCK(SLOTS, &s->lock);
    if (s->count == most) {
        return false;
    }
    s->count++;
    UNLOCK(SLOTS, &s->lock);
    return true;
}
