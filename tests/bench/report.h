/* report.h -- what was measured: told as it comes, then written as the README's table and as a
 * chart (report_write.c). */
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

/* A figure by itself; no goal with a limit of 0.  'beside' says what others take; may be null. */
struct single {
    const char *workload, *what, *unit, *beside;
    double value;
    bool at_most;
    double limit;
};

struct report;
/* 'machine' says what was measured on; copied. */
struct report *report_create(const char *machine);
void report_destroy(struct report *r);
/* A contest that has been held; the goals end with a limit of 0, those that are ratios to who has
 * not taken part do not count.  'workload' is copied; the names of the entrants are borrowed for
 * ever. */
void report_contest(struct report *r, const char *workload, const struct entrant *entrants,
                    size_t count, const struct goal *goals);
void report_single(struct report *r, const struct single *s);
/* Says how many goals were met and which were missed. */
void report_end(const struct report *r);

/* Writes all of it in Markdown; CPU time a request as a chart. */
void report_write_table(const struct report *r, const char *path);
void report_write_chart(const struct report *r, const char *path);

#endif
