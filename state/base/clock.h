/* clock.h -- what time it is, as a thing that can be handed over, so that tests own time.
 *
 * Durations use the monotonic clock; stored times are UTC RFC 3339 with milliseconds.  Any thread.
 */
#ifndef TANDEM_CLOCK_H
#define TANDEM_CLOCK_H

#include <stddef.h>
#include <stdint.h>

struct clock {
    int64_t (*monotonic_ns)(const struct clock *c);
    int64_t (*wall_ns)(const struct clock *c); /* Since 1970-01-01T00:00:00Z. */
};

/* The machine's clock.  Borrowed for ever. */
const struct clock *clock_real(void);
static inline int64_t
clock_mono(const struct clock *c)
{
    return c->monotonic_ns(c);
}
static inline int64_t
clock_wall(const struct clock *c)
{
    return c->wall_ns(c);
}

/* Now, as the kernel notes it on files: no file that is changed from now on is older.  It goes by
 * ticks of some milliseconds. */
int64_t clock_files(void);

#define CLOCK_TEXT_SIZE 32
/* Writes "2026-11-21T06:05:00.123Z". */
void clock_format_utc(int64_t wall_ns, char out[CLOCK_TEXT_SIZE]);
/* The same without what file names dislike: "20261121T060500.123Z". */
void clock_format_stamp(int64_t wall_ns, char out[CLOCK_TEXT_SIZE]);
/* Reads an ISO 8601 time with or without fraction; 'Z', an offset, or neither (then UTC is assumed,
 * as old session files have local times without one).  Returns -1 if it is none, or not between
 * 1970 and 2262. */
int64_t clock_parse(const char *text);

#endif
