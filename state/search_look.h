/* search_look.h -- looks at a project's standards and makes the generation that has them.
 *
 * Files whose identity has not changed are not read.  One that cannot be read, or is no UTF-8, is
 * skipped; what was known of it stays. */
#ifndef TANDEM_SEARCH_LOOK_H
#define TANDEM_SEARCH_LOOK_H

#include "state/search_store.h"

struct search_place {
    const struct dir *data; /* Holds "standards". */
    struct dir *index;      /* Where generations are files; null: in memory. */
    unsigned files_max;     /* At most so many are looked at; 0: all. */
    _Atomic bool *stop;     /* Set: give up with E_CANCELLED.  May be null. */
};

struct search_look {
    unsigned files;   /* Looked at. */
    unsigned skipped; /* Of them, not to be read. */
    bool partial;     /* There are more. */
};

/* Makes the generation 'number' after 'old' (or null) in '*store', counted; null if nothing has
 * changed.  Errors as search_builder_begin() and search_builder_end(); E_TOO_LARGE for more files
 * than there may be; E_CANCELLED. */
enum err search_look(const struct search_place *place, struct search_store *old, uint64_t number,
                     int64_t now_ms, struct search_store **store, struct search_look *told,
                     struct fault *f);

#endif
