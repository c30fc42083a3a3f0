/* planted.h -- small stores with a bug each, as people make them, and the same without it: the
 * scheduler must find the one, and find nothing in the other. */
#ifndef TANDEM_TESTS_PLANTED_H
#define TANDEM_TESTS_PLANTED_H

#include <stdbool.h>

struct planted {
    const char *name, *bug;
    void (*run)(bool bug); /* Within a run of sched.h. */
};

extern const struct planted planted[];
extern const unsigned planted_count;

#endif
