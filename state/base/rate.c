/* rate.c -- the generic cell rate algorithm. */
#include "state/base/rate.h"

bool
rate_take(struct rate *rate, int64_t now_ns, unsigned per_second, unsigned burst)
{
    int64_t full, next, interval;

    if (per_second == 0) {
        return true;
    }
    interval = 1000000000 / per_second;
    full = atomic_load_explicit(&rate->full_ns, memory_order_relaxed);
    do {
        next = (full > now_ns ? full : now_ns) + interval;
        if (next - now_ns > interval * burst) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&rate->full_ns, &full, next,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}
