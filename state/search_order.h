/* search_order.h -- the order of what a query has found: by words, or fused with that by vectors.
 * For search_find.c.  Pure. */
#ifndef TANDEM_SEARCH_ORDER_H
#define TANDEM_SEARCH_ORDER_H

#include "state/search_find.h"
#include "state/search_query.h"

#define SEARCH_RANKED_MAX (SEARCH_CANDIDATES + SEARCH_NEAR_MAX)

struct candidate {
    int64_t chunk, file;
    int64_t ordinal;
    char *path; /* Owned. */
    struct rank_score score;
    double total;
    unsigned place; /* Among those of its document, from 0. */
};

/* Puts 'count' different passages, at most SEARCH_RANKED_MAX, in the order in which they are told:
 * the best of each document first, then the others.  Among them are all that 'ask' says are near.
 * Sets what their scores gain by their documents and by places ('second', 'fused'). */
void search_put_in_order(const struct search_ask *ask, struct candidate *found, size_t count);

#endif
