/* search_draft.h -- the vectors of a generation while they are being made: which passages have one,
 * and what those of the others are made of.  For search_embed.c; one thread. */
#ifndef TANDEM_SEARCH_DRAFT_H
#define TANDEM_SEARCH_DRAFT_H

#include "state/search_store.h"
#include "state/search_vectors.h"

struct by_key;

struct draft {
    struct search_store *store;     /* Counted; null: there is no draft. */
    struct search_vectors *vectors; /* Counted, nobody else's. */
    struct by_key *index;           /* Of all rows, in the order of their keys; owned. */
    size_t next;                    /* Rows before it have vectors. */
};

/* Makes the draft of 'store', which is counted, without vectors; 'dimension' 0: not known yet.
 * E_REFUSED for a damaged index; E_OVERLOAD, E_IO.  It must be freed in any case. */
enum err draft_make(struct search_store *store, unsigned dimension, struct draft *d,
                    struct fault *f);
void draft_free(struct draft *d);
/* Whether all passages have a vector, or nearly all. */
bool draft_is_whole(const struct draft *d);
bool draft_is_enough(const struct draft *d);
/* Gives a vector of the draft's dimension to all passages of that key that have none.  True. */
bool draft_give(void *draft, const unsigned char key[VECTOR_KEY_SIZE], struct vector_bytes bytes);
/* From now on vectors have that dimension; those that have another are dropped.  E_OVERLOAD. */
enum err draft_shape(struct draft *d, unsigned dimension, struct fault *f);

/* Some passages without vectors. */
struct draft_batch {
    size_t *rows;         /* Owned, as is what follows. */
    struct buf *texts;    /* What their vectors are to be made of: title, headings, text. */
    struct slice *slices; /* The same. */
    size_t count;
};
/* Reads the next ones, up to 'max', into '*b', which must be ended in any case.  As draft_make().
 */
enum err draft_next(struct draft *d, size_t max, struct draft_batch *b, struct fault *f);
void draft_batch_fini(struct draft_batch *b);

#endif
