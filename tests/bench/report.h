/* report.h -- what was measured: told as it comes, then kept for the README's table and the chart.
 */
#ifndef TANDEM_TESTS_REPORT_H
#define TANDEM_TESTS_REPORT_H

#include "tests/bench/contest.h"

#include <stdint.h>

/* What tandem is to reach, as a ratio; the first entrant is tandem. */
#define GOAL_ITSELF SIZE_MAX
struct goal {
    enum figure figure;
    size_t of; /* The entrant that the ratio is to; GOAL_ITSELF: the figure is judged as it is. */
    bool at_most;
    double limit;
};

struct report;
struct report *report_create(void);
void report_destroy(struct report *r);
/* A contest that has been held; the goals end with a limit of 0.  'workload' is copied. */
void report_contest(struct report *r, const char *workload, const struct entrant *entrants,
                    size_t count, const struct goal *goals);
/* A figure by itself; no goal with a limit of 0.  'beside' says what others take; may be null. */
struct single {
    const char *workload, *what, *unit, *beside;
    double value;
    bool at_most;
    double limit;
};
void report_single(struct report *r, const struct single *s);
/* Says how many goals were met and which were missed.  Returns the number of those missed. */
unsigned report_end(const struct report *r);

#endif
