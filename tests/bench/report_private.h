/* report_private.h -- what a report holds, for report.c and report_write.c. */
#ifndef TANDEM_TESTS_REPORT_PRIVATE_H
#define TANDEM_TESTS_REPORT_PRIVATE_H

#include "tests/bench/report.h"

#define TOLD_ENTRANTS 4
#define TOLD_VERDICTS 4

struct verdict {
    char *text; /* Owned: "CPU a request 1.71 x nginx, goal at most 1.25". */
    bool met;
};

/* What was measured of one workload. */
struct told {
    char *workload; /* Owned. */
    /* A contest's; none of a single figure. */
    size_t count;
    const char *names[TOLD_ENTRANTS];
    double figures[TOLD_ENTRANTS][FIGURES];
    /* A single figure's: "resident 5.10 MiB", and what others take; owned. */
    char *single, *beside;
    size_t verdict_count;
    struct verdict verdicts[TOLD_VERDICTS];
};

struct report {
    char *machine;     /* Owned. */
    struct told *told; /* Owned. */
    size_t count, size;
};

size_t report_verdicts(const struct report *r, size_t *met);

#endif
