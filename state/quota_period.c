/* quota_period.c -- windows on the calendar of UTC.  Months are as long as they are. */
#include "state/quota_period.h"

#include <time.h>

#define DAY 86400

static const struct {
    const char *name;
    int64_t seconds; /* 0: a month. */
} periods[PERIOD_COUNT] = {
    [PERIOD_MINUTE] = {"minute", 60},
    [PERIOD_HOUR] = {"hour", 3600},
    [PERIOD_DAY] = {"day", DAY},
    [PERIOD_MONTH] = {"month", 0},
};

const char *
quota_period_name(enum quota_period period)
{
    return periods[period].name;
}

bool
quota_period_parse(struct slice word, enum quota_period *period)
{
    for (int i = 0; i < PERIOD_COUNT; i++) {
        if (slice_is(word, periods[i].name)) {
            *period = (enum quota_period)i;
            return true;
        }
    }
    return false;
}

/* The first second of the month that is 'months' after the one of 'at'. */
static int64_t
month_start(int64_t at, int months)
{
    time_t time = (time_t)at;
    struct tm tm;

    gmtime_r(&time, &tm);
    tm.tm_mon += months; /* timegm() carries into the year. */
    tm.tm_mday = 1;
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    return (int64_t)timegm(&tm);
}

/* Also before 1970, where division alone would round the other way. */
static int64_t
floor_to(int64_t at, int64_t unit)
{
    int64_t rest = at % unit;

    return at - (rest < 0 ? rest + unit : rest);
}

struct quota_window
quota_window_from(enum quota_period period, int64_t start)
{
    int64_t seconds = periods[period].seconds;

    return (struct quota_window){
        .period = period,
        .start = start,
        .end = seconds ? start + seconds : month_start(start, 1),
    };
}

struct quota_window
quota_window_at(enum quota_period period, int64_t wall_ns)
{
    int64_t at = floor_to(wall_ns, 1000000000) / 1000000000, seconds = periods[period].seconds;

    return quota_window_from(period, seconds ? floor_to(at, seconds) : month_start(at, 0));
}
