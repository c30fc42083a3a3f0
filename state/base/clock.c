/* clock.c -- the real clock, and times as text. */
#include "state/base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#define SECOND ((int64_t)1000000000) /* In nanoseconds. */

static int64_t
read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * SECOND + t.tv_nsec;
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

int64_t
clock_files(void)
{
    return read_clock(CLOCK_REALTIME_COARSE);
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
    time_t seconds = (time_t)(wall_ns / SECOND);
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

/* Reads two digits; -1 if there are none. */
static int
two_digits(const char *p)
{
    bool are = p[0] >= '0' && p[0] <= '9' && p[1] >= '0' && p[1] <= '9';

    return are ? (p[0] - '0') * 10 + (p[1] - '0') : -1;
}

/* Reads "Z", "+hh:mm", "+hhmm" or "+hh" at '*p' as seconds; false if it is something else. */
static bool
parse_offset(const char **p, int64_t *seconds)
{
    int hours, minutes = 0, sign = **p == '-' ? -1 : 1;

    *seconds = 0;
    if (**p == 'Z' || **p == '\0') {
        *p += **p == 'Z';
        return true;
    }
    if ((**p != '+' && **p != '-') || (hours = two_digits(*p + 1)) < 0) {
        return false;
    }
    *p += 3;
    if (**p) {
        *p += **p == ':';
        minutes = two_digits(*p);
        if (minutes < 0) {
            return false;
        }
        *p += 2;
    }
    *seconds = sign * (hours * 3600 + minutes * 60);
    return hours < 24 && minutes < 60;
}

void
clock_format_stamp(int64_t wall_ns, char out[CLOCK_TEXT_SIZE])
{
    char *p = out;

    clock_format_utc(wall_ns, out);
    for (const char *c = out; *c; c++) {
        if (*c != ':' && *c != '-') {
            *p++ = *c;
        }
    }
    *p = '\0';
}

int64_t
clock_parse(const char *text)
{
    struct tm tm = {0};
    int64_t ns, offset, seconds;
    const char *p = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

    if (!p) {
        return -1;
    }
    ns = parse_fraction(&p);
    if (!parse_offset(&p, &offset) || *p) {
        return -1;
    }
    seconds = (int64_t)timegm(&tm) - offset;
    if (seconds < 0 || seconds >= INT64_MAX / SECOND) {
        return -1;
    }
    return seconds * SECOND + ns;
}
