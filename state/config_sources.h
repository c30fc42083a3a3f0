/* config_sources.h -- where settings come from, and how they become a snapshot.
 *
 * Of config.c alone, which says when they are read and what becomes of it.  Any thread; no locks.
 */
#ifndef TANDEM_CONFIG_SOURCES_H
#define TANDEM_CONFIG_SOURCES_H

#include "state/config.h"

#include <stdatomic.h>

/* All zero: none. */
struct config_sources {
    struct config_texts environment, options; /* Set once, as are those below. */
    char *path, *name;                        /* Owned; null for no file. */
    bool required;                            /* It is an error if there is none. */
    _Atomic uint64_t reads, refused;          /* Times that they were read; and were no good. */
};

/* Frees what it holds. */
void config_sources_fini(struct config_sources *sources);
/* Builds the snapshot that is to come after 'old' (null: the first) out of the sources, without
 * what was set at run time for 'but' (-1: with all of it).  Errors as config_create(). */
enum err config_sources_read(struct config_sources *sources, const struct settings *old, int but,
                             struct settings **settings, struct problems *problems,
                             struct fault *f);

#endif
