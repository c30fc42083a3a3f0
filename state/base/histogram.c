/* histogram.c -- counts by bounds. */
#include "state/base/histogram.h"

#define US INT64_C(1000)
#define MS INT64_C(1000000)
#define S INT64_C(1000000000)

/* From 10 ms on those that the conventions for MCP name. */
static const int64_t bounds[HISTOGRAM_BOUNDS] = {
    10 * US, 20 * US, 50 * US, 100 * US, 200 * US, 500 * US, 1 * MS,   2 * MS,
    5 * MS,  10 * MS, 20 * MS, 50 * MS,  100 * MS, 200 * MS, 500 * MS, 1 * S,
    2 * S,   5 * S,   10 * S,  30 * S,   60 * S,   120 * S,  300 * S};

int64_t
histogram_bound(unsigned i)
{
    return bounds[i];
}

void
histogram_add(struct histogram *h, int64_t ns)
{
    unsigned i = 0;

    ns = ns > 0 ? ns : 0;
    while (i < HISTOGRAM_BOUNDS && ns > bounds[i]) {
        i++;
    }
    atomic_fetch_add_explicit(&h->counts[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_ns, (uint64_t)ns, memory_order_relaxed);
}

void
histogram_read(const struct histogram *h, struct histogram_reading *r)
{
    for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++) {
        uint64_t count = atomic_load_explicit(&h->counts[i], memory_order_relaxed);

        r->counts[i] += count;
        r->count += count;
    }
    r->sum_ns += atomic_load_explicit(&h->sum_ns, memory_order_relaxed);
}

double
histogram_percentile(const struct histogram_reading *r, double percent)
{
    double wanted = (double)r->count * percent / 100, below = 0;

    if (!r->count) {
        return -1;
    }
    for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
        double here = (double)r->counts[i];

        if (here > 0 && below + here >= wanted) {
            double from = i ? (double)bounds[i - 1] : 0;

            return from + ((double)bounds[i] - from) * (wanted - below) / here;
        }
        below += here;
    }
    return (double)bounds[HISTOGRAM_BOUNDS - 1];
}
