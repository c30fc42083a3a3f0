/* search_vectors.c -- bytes instead of numbers, and the product of each with those of a query.
 *
 * DESIGN.  Exact search: 20,000 passages of 768 numbers are 15 MiB, read once from end to end in
 * about a millisecond; an approximate index would cost more to keep right than it saves. */
#include "state/search_vectors.h"

#include <assert.h>
#include <math.h>

struct search_vectors {
    _Atomic unsigned refs;
    uint64_t generation;
    unsigned dimension;
    size_t count, there;
    struct vector_row *rows; /* Owned, as are the others. */
    float *scales;           /* Null while the dimension is not known, as is the next. */
    signed char *numbers;
};

/* ---- The set ---- */

enum err
search_vectors_shape(struct search_vectors *v, unsigned dimension, struct fault *f)
{
    assert(!v->dimension && dimension && dimension <= EMBED_DIMENSION_MAX);
    if (v->count > VECTORS_BYTES_MAX / dimension) {
        return fault_set(f, E_OVERLOAD, "%zu passages are too many for vectors of %u numbers",
                         v->count, dimension);
    }
    v->scales = try_malloc((v->count + 1) * sizeof *v->scales);
    v->numbers = try_malloc((v->count + 1) * dimension);
    if (!v->scales || !v->numbers) {
        free(v->scales);
        free(v->numbers);
        v->scales = NULL;
        v->numbers = NULL;
        return fault_set(f, E_OVERLOAD, "there is no memory for the vectors now");
    }
    memset(v->scales, 0, (v->count + 1) * sizeof *v->scales);
    memset(v->numbers, 0, (v->count + 1) * dimension);
    v->dimension = dimension;
    return E_OK;
}

enum err
search_vectors_make(uint64_t generation, unsigned dimension, size_t count,
                    struct search_vectors **result, struct fault *f)
{
    struct search_vectors *v = xcalloc(1, sizeof *v);
    enum err err = E_OK;

    atomic_init(&v->refs, 1);
    v->generation = generation;
    if (count <= VECTORS_BYTES_MAX / sizeof *v->rows) {
        v->rows = try_malloc((count + 1) * sizeof *v->rows);
    }
    if (!v->rows) {
        err = fault_set(f, E_OVERLOAD, "there is no memory for the vectors of %zu passages", count);
    } else {
        memset(v->rows, 0, (count + 1) * sizeof *v->rows);
        v->count = count;
    }
    if (!err && dimension) {
        err = search_vectors_shape(v, dimension, f);
    }
    if (err) {
        search_vectors_unref(v);
        v = NULL;
    }
    *result = v;
    return err;
}

enum err
search_vectors_copy(const struct search_vectors *v, struct search_vectors **copy, struct fault *f)
{
    enum err err = search_vectors_make(v->generation, v->dimension, v->count, copy, f);

    if (!err) {
        struct search_vectors *c = *copy;

        memcpy(c->rows, v->rows, v->count * sizeof *v->rows);
        c->there = v->there;
        if (v->dimension) {
            memcpy(c->scales, v->scales, v->count * sizeof *v->scales);
            memcpy(c->numbers, v->numbers, v->count * v->dimension);
        }
    }
    return err;
}

struct search_vectors *
search_vectors_ref(struct search_vectors *v)
{
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    return v;
}

void
search_vectors_unref(struct search_vectors *v)
{
    if (v && atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) == 1) {
        free(v->rows);
        free(v->scales);
        free(v->numbers);
        free(v);
    }
}

struct vector_row *
search_vectors_rows(struct search_vectors *v)
{
    return v->rows;
}

const struct vector_row *
search_vectors_row(const struct search_vectors *v, size_t i)
{
    return &v->rows[i];
}

struct search_vectors_info
search_vectors_info(const struct search_vectors *v)
{
    return (struct search_vectors_info){v->generation, v->count, v->there, v->dimension};
}

/* ---- Vectors ---- */

/* Writes the vector as bytes, the largest of them 127; its scale, 0 for one without direction. */
static float
squeeze(const float *vector, unsigned dimension, signed char *out)
{
    float largest = 0;

    for (unsigned i = 0; i < dimension; i++) {
        largest = fmaxf(largest, fabsf(vector[i]));
    }
    for (unsigned i = 0; i < dimension; i++) {
        out[i] = largest > 0 ? (signed char)lrintf(vector[i] / largest * 127) : 0;
    }
    return largest / 127;
}

static void
mark_there(struct search_vectors *v, size_t i)
{
    v->there += !v->rows[i].there;
    v->rows[i].there = true;
}

void
search_vectors_put(struct search_vectors *v, size_t i, const float *vector)
{
    assert(v->dimension && i < v->count);
    v->scales[i] = squeeze(vector, v->dimension, v->numbers + i * v->dimension);
    mark_there(v, i);
}

bool
search_vectors_put_bytes(struct search_vectors *v, size_t i, struct vector_bytes bytes)
{
    assert(v->dimension && i < v->count);
    if (!(bytes.scale >= 0 && bytes.scale <= 1)) {
        return false;
    }
    v->scales[i] = bytes.scale;
    memcpy(v->numbers + i * v->dimension, bytes.numbers, v->dimension);
    mark_there(v, i);
    return true;
}

struct vector_bytes
search_vectors_bytes(const struct search_vectors *v, size_t i)
{
    return (struct vector_bytes){v->scales[i], v->numbers + i * v->dimension};
}

/* ---- Search ---- */

/* The Makefile asks for vector instructions here. */
static int32_t
product(const signed char *row, const int16_t *query, unsigned width)
{
    int32_t sum = 0;

    for (unsigned i = 0; i < width; i++) {
        sum += row[i] * query[i];
    }
    return sum;
}

/* Puts one in its place among those that are nearer than it. */
static size_t
take_near(struct vector_near *near, size_t count, size_t max, struct vector_near one)
{
    size_t at = count < max ? count : max - 1;

    while (at > 0 && near[at - 1].cosine < one.cosine) {
        near[at] = near[at - 1];
        at--;
    }
    near[at] = one;
    return count < max ? count + 1 : max;
}

size_t
search_vectors_find(const struct search_vectors *v, const float *direction,
                    bool (*allowed)(const void *arg, const struct vector_row *row), const void *arg,
                    struct vector_near *near, size_t max)
{
    signed char bytes[EMBED_DIMENSION_MAX];
    int16_t query[EMBED_DIMENSION_MAX];
    size_t count = 0;
    double scale;

    if (!v->dimension || !max) {
        return 0;
    }
    scale = (double)squeeze(direction, v->dimension, bytes);
    for (unsigned i = 0; i < v->dimension; i++) {
        query[i] = bytes[i];
    }
    for (size_t i = 0; i < v->count; i++) {
        int32_t dot = product(v->numbers + i * v->dimension, query, v->dimension);
        double cosine = dot * scale * (double)v->scales[i];

        if (v->scales[i] > 0 && (count < max || cosine > near[max - 1].cosine) &&
            (!allowed || allowed(arg, &v->rows[i]))) {
            count = take_near(near, count, max, (struct vector_near){v->rows[i].chunk, cosine});
        }
    }
    return count;
}
