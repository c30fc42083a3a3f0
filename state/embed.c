/* embed.c -- what embedders have in common, and arithmetic on vectors. */
#include "state/embed.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

void
embedder_init(struct embedder *e, const struct embedder_class *class, const char *identity,
              unsigned dimension)
{
    assert(strlen(identity) < sizeof e->identity);
    e->class = class;
    e->batch = 16;
    snprintf(e->identity, sizeof e->identity, "%s", identity);
    atomic_init(&e->dimension, dimension);
    atomic_init(&e->refs, 1);
}

struct embedder *
embedder_ref(struct embedder *e)
{
    atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
    return e;
}

void
embedder_unref(struct embedder *e)
{
    if (e && atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) == 1) {
        e->class->free(e);
    }
}

enum err
embedder_embed(struct embedder *e, const struct slice *texts, size_t count,
               const struct embed_limits *limits, struct vectors *out, struct fault *f)
{
    enum err err = E_OK;

    *out = (struct vectors){.data = NULL};
    if (count) {
        err = e->class->embed(e, texts, count, limits, out, f);
    }
    if (err) {
        vectors_fini(out);
    }
    return err;
}

enum err
vectors_make(struct vectors *v, size_t count, unsigned dimension, struct fault *f)
{
    *v = (struct vectors){.count = count, .dimension = dimension};
    if (dimension && dimension <= EMBED_DIMENSION_MAX &&
        count <= SIZE_MAX / sizeof *v->data / dimension) {
        v->data = try_malloc(count * dimension * sizeof *v->data);
    }
    if (!v->data) {
        *v = (struct vectors){.data = NULL};
        return fault_set(f, E_OVERLOAD, "there is no memory for the vectors now");
    }
    memset(v->data, 0, count * dimension * sizeof *v->data);
    return E_OK;
}

void
vectors_fini(struct vectors *v)
{
    free(v->data);
    *v = (struct vectors){.data = NULL};
}

bool
vector_normalize(float *vector, unsigned dimension)
{
    double square = vector_dot(vector, vector, dimension), scale;

    if (!isfinite(square) || square <= 0) { /* Floats' squares fit in a double. */
        return false;
    }
    scale = 1 / sqrt(square);
    for (unsigned i = 0; i < dimension; i++) {
        vector[i] = (float)(vector[i] * scale);
    }
    return true;
}

double
vector_dot(const float *a, const float *b, unsigned dimension)
{
    double sum = 0;

    for (unsigned i = 0; i < dimension; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}
