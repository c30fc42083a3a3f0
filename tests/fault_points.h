/* fault_points.h -- which calls of a scenario are made to fail, and in what order.
 *
 * A point is a call path, or the n-th call.  A path is known by its functions' names as the source
 * has them, inlined ones too, and, among those of the same names, by which was gone first.  Those
 * chosen depend on that alone: an edit elsewhere, another compiler or a sanitizer moves only the
 * points whose own path it changes.
 *
 * Any thread; needs addr2line. */
#ifndef TANDEM_TESTS_FAULT_POINTS_H
#define TANDEM_TESTS_FAULT_POINTS_H

#include "tests/fault_plan.h"

#include "state/base/mem.h"

struct fault_point {
    unsigned long value; /* The hash of a path as the shim has it, or n. */
    unsigned long first; /* The n-th call is the first of it. */
    uint64_t key;        /* Of the names of the path. */
};
struct fault_points {
    struct fault_point *at; /* Owned. */
    size_t count;
};

/* All paths that a run of 'program' has noted in 'plan'. */
struct fault_points fault_points_paths(const char *program, const struct fault_plan *plan);
/* Each of so many calls. */
struct fault_points fault_points_calls(unsigned long calls);
/* Leaves at most 'most' of them, the 'turn'-th part of all (modulo how many parts there are, which
 * is returned), ordered by 'first'. */
unsigned long fault_points_choose(struct fault_points *points, size_t most, unsigned long turn);
/* Leaves the 'part'-th (from 1) of 'parts' parts, ordered by 'first'.  A point is in the same part
 * whichever others there are, so that all parts are all points, though each is of another run. */
void fault_points_part(struct fault_points *points, unsigned long part, unsigned long parts);
void fault_points_fini(struct fault_points *points);

/* For each of 'count' sites of 'program', as a plan has them: adds to 'names' what functions they
 * are, innermost first, at most 'most', without those of the shim.  A frame in a library stays what
 * it is. */
void fault_names(const char *program, const char *const *sites, size_t count, unsigned most,
                 struct buf *names);

#endif
