/* search_fuse.h -- one order out of several: reciprocal rank fusion.
 *
 * Scores of different makes (words, vectors of one model or another) cannot be added; places can.
 * An item gets weight / (FUSE_DEPTH + place) from each list that has it, place from 1.  Items that
 * come out even stay in the order in which they were first added, so the result depends on nothing
 * but the lists.  A fusion is one thread's own. */
#ifndef TANDEM_SEARCH_FUSE_H
#define TANDEM_SEARCH_FUSE_H

#include <stddef.h>
#include <stdint.h>

/* How little the first places differ; the value that the method was published with. */
#define FUSE_DEPTH 60

struct fused {
    int64_t id;
    double score;
    size_t added; /* How many different items came before it. */
};

/* Zero is an empty fusion. */
struct fuse {
    struct fused *items; /* Owned; different ids. */
    size_t count, room;
};

/* Adds a list of different ids, best first. */
void fuse_add(struct fuse *fuse, const int64_t *ids, size_t count, double weight);
/* Puts the items in order, best first. */
void fuse_order(struct fuse *fuse);
void fuse_fini(struct fuse *fuse);

#endif
