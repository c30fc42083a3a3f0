/* quota_period.h -- what a quota counts in: minutes, hours, days and calendar months of UTC.
 *
 * Pure; any thread. */
#ifndef TANDEM_QUOTA_PERIOD_H
#define TANDEM_QUOTA_PERIOD_H

#include "state/base/mem.h"

enum quota_period { PERIOD_MINUTE, PERIOD_HOUR, PERIOD_DAY, PERIOD_MONTH, PERIOD_COUNT };

/* "minute", "hour", "day", "month". */
const char *quota_period_name(enum quota_period period);
/* False if 'word' is none. */
bool quota_period_parse(struct slice word, enum quota_period *period);

/* One period on the calendar: from 'start' to right before 'end', in seconds since 1970 UTC. */
struct quota_window {
    enum quota_period period;
    int64_t start, end;
};

/* The window in which 'wall_ns' falls. */
struct quota_window quota_window_at(enum quota_period period, int64_t wall_ns);
/* The one that begins at 'start'. */
struct quota_window quota_window_from(enum quota_period period, int64_t start);
static inline bool
quota_window_same(const struct quota_window *a, const struct quota_window *b)
{
    return a->period == b->period && a->start == b->start;
}

#endif
