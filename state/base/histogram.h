/* histogram.h -- how long things took: counts by bounds, added to from any thread without a lock.
 *
 * An addition is two relaxed additions to memory that only grows.  A reading taken while others add
 * may miss what they are adding, and its sum may be ahead of its counts by that; it never goes
 * back.  Bounds go from 10 us to 300 s by 1, 2 and 5, so that a percentile, found by a straight
 * line inside its bounds, is within a factor of two and mostly much nearer. */
#ifndef TANDEM_HISTOGRAM_H
#define TANDEM_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#define HISTOGRAM_BOUNDS 23 /* The last of them is followed by what is above all. */

struct histogram {
    _Atomic uint64_t counts[HISTOGRAM_BOUNDS + 1];
    _Atomic uint64_t sum_ns;
};

/* The same at a moment; can be added up. */
struct histogram_reading {
    uint64_t counts[HISTOGRAM_BOUNDS + 1];
    uint64_t count, sum_ns;
};

/* Upper bound number 'i', included in what it counts: nanoseconds. */
int64_t histogram_bound(unsigned i);
/* Zero is a valid, empty histogram.  What is negative counts as 0. */
void histogram_add(struct histogram *h, int64_t ns);
/* Adds what 'h' holds to 'r'. */
void histogram_read(const struct histogram *h, struct histogram_reading *r);
/* The value below which 'percent' of all are, in nanoseconds; of what is above the last bound only
 * that bound is known.  -1 of none. */
double histogram_percentile(const struct histogram_reading *r, double percent);

#endif
