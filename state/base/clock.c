/* clock.c -- the real clock, and times as text. */
#include "state/base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t
read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t
real_monotonic(const struct clock *c)
{
    (void)c;
    return read_clock(CLOCK_MONOTONIC);
}

static int64_t
real_wall(const struct clock *c)
{
    (void)c;
    return read_clock(CLOCK_REALTIME);
}

const struct clock *
clock_real(void)
{
    static const struct clock real = {real_monotonic, real_wall};
    return &real;
}

void
clock_format_utc(int64_t wall_ns, char out[CLOCK_TEXT_SIZE])
{
    time_t seconds = (time_t)(wall_ns / 1000000000);
    struct tm tm;
    size_t n;

    gmtime_r(&seconds, &tm);
    n = strftime(out, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, CLOCK_TEXT_SIZE - n, ".%03dZ", (int)(wall_ns / 1000000 % 1000));
}

/* Reads the fraction at '*p' as nanoseconds. */
static int64_t
parse_fraction(const char **p)
{
    int64_t ns = 0, unit = 100000000;

    if (**p != '.') {
        return 0;
    }
    for ((*p)++; **p >= '0' && **p <= '9'; (*p)++) {
        ns += (**p - '0') * unit;
        unit /= 10;
    }
    return ns;
}

int64_t
clock_parse(const char *text)
{
    struct tm tm = {0};
    int64_t ns, offset = 0;
    const char *p = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

    if (!p) {
        return -1;
    }
    ns = parse_fraction(&p);
    if (*p == '+' || *p == '-') {
        int hours, minutes, read = 0;
        if (sscanf(p + 1, "%2d:%2d%n", &hours, &minutes, &read) != 2) {
            return -1;
        }
        offset = (*p == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
        p += 1 + read;
    } else if (*p == 'Z') {
        p++;
    }
    return *p ? -1 : ((int64_t)timegm(&tm) - offset) * 1000000000 + ns;
}
