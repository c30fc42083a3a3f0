/* search_vectors.h -- the vectors of a generation's passages, and which of them are nearest to that
 * of a query.
 *
 * A vector is kept as a byte a number with one scale for all, which costs less than a hundredth of
 * a cosine; all of them are compared with that of a query.  A passage is known by its key, the
 * digest of what its vector was made of, so that it keeps its vector in later generations.
 *
 * A set is filled by one thread, and immutable and counted once others have it. */
#ifndef TANDEM_SEARCH_VECTORS_H
#define TANDEM_SEARCH_VECTORS_H

#include "state/embed.h"

#define VECTOR_KEY_SIZE 16u
#define VECTORS_BYTES_MAX ((size_t)512 << 20) /* Of one set. */

struct vector_row {
    int64_t chunk; /* In the generation. */
    int phase;     /* -1: none. */
    bool there;    /* Its vector. */
    unsigned char key[VECTOR_KEY_SIZE];
};

/* A vector as it is kept. */
struct vector_bytes {
    float scale; /* What its numbers are to be multiplied with. */
    const signed char *numbers;
};

struct search_vectors;

/* A new set of 'count' rows, which the caller fills in (their 'there' is the set's affair), of
 * vectors of 'dimension' numbers; 0: not known yet.  E_OVERLOAD, also past VECTORS_BYTES_MAX. */
enum err search_vectors_make(uint64_t generation, unsigned dimension, size_t count,
                             struct search_vectors **v, struct fault *f);
/* A new one with the same rows and vectors, to be filled further.  E_OVERLOAD. */
enum err search_vectors_copy(const struct search_vectors *v, struct search_vectors **copy,
                             struct fault *f);
struct search_vectors *search_vectors_ref(struct search_vectors *v);
/* Null is ignored. */
void search_vectors_unref(struct search_vectors *v);

/* Once, for a set that does not know its dimension.  E_OVERLOAD. */
enum err search_vectors_shape(struct search_vectors *v, unsigned dimension, struct fault *f);
struct vector_row *search_vectors_rows(struct search_vectors *v);
/* One of them, borrowed. */
const struct vector_row *search_vectors_row(const struct search_vectors *v, size_t i);
/* Gives row 'i' its vector, of the set's dimension and of length 1; or all 0, and it is near to
 * nothing. */
void search_vectors_put(struct search_vectors *v, size_t i, const float *vector);
/* The same for one that was kept; false, and it is not taken, if 'scale' is not one. */
bool search_vectors_put_bytes(struct search_vectors *v, size_t i, struct vector_bytes bytes);
/* That of row 'i', which is there; borrowed. */
struct vector_bytes search_vectors_bytes(const struct search_vectors *v, size_t i);

struct search_vectors_info {
    uint64_t generation;
    size_t count, there;
    unsigned dimension;
};
/* What there is of them. */
struct search_vectors_info search_vectors_info(const struct search_vectors *v);

struct vector_near {
    int64_t chunk;
    double cosine;
};
/* Puts the passages nearest to 'direction', a vector of the set's dimension and of length 1, into
 * 'near', nearest first and, where they are as near, in the order of rows; tells how many, at most
 * 'max'.  'allowed' (null: all) says which passages count. */
size_t search_vectors_find(const struct search_vectors *v, const float *direction,
                           bool (*allowed)(const void *arg, const struct vector_row *row),
                           const void *arg, struct vector_near *near, size_t max);

#endif
