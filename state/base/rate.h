/* rate.h -- how often: a token bucket without a lock, for one peer.
 *
 * The bucket is one number, the time at which it would be full again (the generic cell rate
 * algorithm), so that any thread takes from it with one compare-and-swap.  Zero is a full bucket.
 */
#ifndef TANDEM_RATE_H
#define TANDEM_RATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct rate {
    _Atomic int64_t full_ns; /* Monotonic. */
};

/* Takes one from a bucket that holds 'burst' and gains 'per_second'; false if it is empty.
 * 'per_second' 0 means no limit. */
bool rate_take(struct rate *rate, int64_t now_ns, unsigned per_second, unsigned burst);

#endif
