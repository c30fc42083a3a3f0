/* search_near.h -- the passages of a generation that lie near to a query, by its vector and theirs,
 * and that its filters let through. */
#ifndef TANDEM_SEARCH_NEAR_H
#define TANDEM_SEARCH_NEAR_H

#include "state/search_find.h"
#include "state/search_vectors.h"

/* Puts up to SEARCH_NEAR_MAX of the passages of 'store' that pass the filters of 'ask' into 'near',
 * nearest first, and how many into '*count'.  'vectors' are those of that generation, 'direction'
 * has their dimension and length 1.  E_REFUSED if the index is damaged; E_IO, E_OVERLOAD. */
enum err search_near(struct search_store *store, const struct search_vectors *vectors,
                     const float *direction, const struct search_ask *ask,
                     int64_t near[SEARCH_NEAR_MAX], size_t *count, struct fault *f);

#endif
