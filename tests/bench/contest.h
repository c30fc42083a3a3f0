/* contest.h -- rounds: who is compared takes turns, so that what else the machine does falls on
 * all.
 *
 * A round lets each have one turn, every other round in reverse order; a round before the first
 * warms up and does not count.  A figure is the median of the rounds, a ratio the median of the
 * rounds' ratios. */
#ifndef TANDEM_TESTS_CONTEST_H
#define TANDEM_TESTS_CONTEST_H

#include <stdbool.h>
#include <stddef.h>

enum figure {
    FIGURE_CPU,  /* Of the server, us a request. */
    FIGURE_RATE, /* Requests a second. */
    FIGURE_P50,  /* us. */
    FIGURE_P99,
    FIGURES
};

#define ROUNDS_MAX 101
struct entrant {
    const char *name;
    /* One turn; stores the figures. */
    void (*turn)(void *arg, double figures[FIGURES]);
    void *arg;
    unsigned rounds; /* That count. */
    double runs[FIGURES][ROUNDS_MAX];
};

void contest(struct entrant *entrants, size_t count, unsigned rounds);
double entrant_figure(const struct entrant *e, enum figure figure);
double entrant_ratio(const struct entrant *e, const struct entrant *to, enum figure figure);
/* The median of 'count' values, which are sorted. */
double median_of(double *values, size_t count);

#endif
