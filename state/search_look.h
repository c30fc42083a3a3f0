/* search_look.h -- looks at a folder of standards and makes the generation that has them.
 *
 * Files whose identity has not changed are not read.  One that cannot be read, is no UTF-8 or is
 * too large is skipped, and so is a folder that cannot be listed; what was known of them stays. */
#ifndef TANDEM_SEARCH_LOOK_H
#define TANDEM_SEARCH_LOOK_H

#include "state/base/clock.h"
#include "state/base/problems.h"
#include "state/search_store.h"

struct search_place {
    const struct dir_place *standards;
    struct dir *index;         /* Where generations are files; null: in memory. */
    const struct clock *clock; /* For the time of a generation. */
    unsigned files_max;        /* At most so many are looked at; 0: all. */
    const _Atomic bool *stop;  /* Set: give up with E_CANCELLED.  May be null. */
};

struct search_look {
    unsigned files;           /* Looked at. */
    unsigned skipped;         /* Of them, not to be read; a folder counts as one. */
    bool partial;             /* There are more. */
    struct problems problems; /* What was skipped, and why. */
};
#define SEARCH_LOOK_INIT          \
    {                             \
        .problems = PROBLEMS_INIT \
    }
/* Frees what it holds; it can be used again, empty. */
void search_look_fini(struct search_look *told);

/* Makes the generation 'number' after 'old' (or null) in '*store', counted; null if nothing has
 * changed.  '*told' is filled in any case, and for search_look_fini().  E_IO, E_OVERLOAD, E_REFUSED
 * as a builder's: the index cannot be written, or the old one is damaged; E_TOO_LARGE for more
 * files than there may be; E_CANCELLED. */
enum err search_look(const struct search_place *place, struct search_store *old, uint64_t number,
                     struct search_store **store, struct search_look *told, struct fault *f);

#endif
