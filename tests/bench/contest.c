/* contest.c -- turns and medians. */
#include "tests/bench/contest.h"

#include "tests/bench/load.h"

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double
median_of(double *values, size_t count)
{
    if (!count) {
        return 0;
    }
    qsort(values, count, sizeof *values, compare);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

void
contest(struct entrant *entrants, size_t count, unsigned rounds)
{
    double figures[FIGURES];

    if (rounds > ROUNDS_MAX) {
        bench_fail("at most %d rounds", ROUNDS_MAX);
    }
    for (unsigned round = 0; round <= rounds; round++) {
        for (size_t i = 0; i < count; i++) {
            struct entrant *e = &entrants[round % 2 ? count - 1 - i : i];

            e->turn(e->arg, figures);
            for (size_t f = 0; f < FIGURES && round; f++) {
                e->runs[f][round - 1] = figures[f];
            }
            e->rounds = round;
        }
    }
}

double
entrant_figure(const struct entrant *e, enum figure figure)
{
    double values[ROUNDS_MAX];

    memcpy(values, e->runs[figure], sizeof values);
    return median_of(values, e->rounds);
}

double
entrant_ratio(const struct entrant *e, const struct entrant *to, enum figure figure)
{
    double values[ROUNDS_MAX];

    for (unsigned i = 0; i < e->rounds; i++) {
        values[i] = to->runs[figure][i] > 0 ? e->runs[figure][i] / to->runs[figure][i] : 0;
    }
    return median_of(values, e->rounds);
}
