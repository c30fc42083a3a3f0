/* finds: reading variable 'count' requires holding lock 'LC_SLOTS' */
#include "state/base/lock.h"

struct store {
    struct lock lock;
    unsigned count GUARDED_BY(LC_SLOTS);
};

unsigned count_of(struct store *s);

unsigned
count_of(struct store *s)
{
    return s->count;
}
