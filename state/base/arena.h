/* arena.h -- memory that is taken piece by piece and freed at once.
 *
 * For what is built from a file and then only read: a parsed task list, a pack.  The size is
 * decided by the file, so an arena has a limit and running out sets 'failed' instead of aborting: a
 * parser checks once, at the end.  Not locked: one thread fills it; once it is full of finished
 * things, any thread may read them. */
#ifndef TANDEM_ARENA_H
#define TANDEM_ARENA_H

#include "state/base/mem.h"

#include <stdbool.h>
#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks; /* Newest first; owned. */
    size_t used;                /* Bytes handed out, in all blocks. */
    size_t limit;               /* Largest 'used' allowed; 0 means no limit. */
    bool failed;                /* Something did not fit.  From then on nothing does. */
    bool full;                  /* It failed for 'limit', not for want of memory. */
};
/* clang-format off */
#define ARENA_INIT(LIMIT) {.limit = (LIMIT)}
/* clang-format on */

/* Frees everything that was taken from 'a'. */
void arena_fini(struct arena *a);
/* Zeroed memory for 'count' things of 'size' bytes, aligned for any of them, or null and 'failed'.
 * A count of 0 gives null without failing.  Valid until arena_fini(). */
void *arena_take(struct arena *a, size_t count, size_t size);
/* A copy of 'text' with a NUL after it; the empty literal if it is empty; null and 'failed' if
 * there is no room. */
const char *arena_text(struct arena *a, struct slice text);

#endif
