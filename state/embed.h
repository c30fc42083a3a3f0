/* embed.h -- texts as vectors whose angles say how near their meanings are.
 *
 * An embedder is of a class: hashed (embed_hashed.h), which needs nobody and nothing, or that of a
 * provider that is asked over HTTP (embed_http.h).  Vectors can be compared only if they come from
 * embedders of one identity and have one dimension: whoever keeps vectors keeps both with them.
 * Immutable to its users and counted; any thread. */
#ifndef TANDEM_EMBED_H
#define TANDEM_EMBED_H

#include "state/base/err.h"
#include "state/base/mem.h"
#include "state/base/stop.h"

#define EMBED_IDENTITY_SIZE 160
#define EMBED_TEXT_MAX 32768u /* Bytes of a text that count; what is behind them does not. */
#define EMBED_DIMENSION_MAX 8192u

/* Vectors of one dimension, one after another.  All zero is none. */
struct vectors {
    float *data; /* Owned. */
    size_t count;
    unsigned dimension;
};

struct embedder;

/* When to give up. */
struct embed_limits {
    int64_t deadline_ns; /* Monotonic; INT64_MAX: none but the provider's own. */
    struct stop stop;    /* Within 100 ms. */
};

struct embedder_class {
    /* As embedder_embed(), with 'count' over 0 and 'out' empty. */
    enum err (*embed)(struct embedder *e, const struct slice *texts, size_t count,
                      const struct embed_limits *limits, struct vectors *out, struct fault *f);
    /* Frees.  Called once, by whoever drops the last reference. */
    void (*free)(struct embedder *e);
    /* Its vectors are made of letters: they know less of a question than the words of it do. */
    bool of_letters;
};

/* What all embedders begin with. */
struct embedder {
    const struct embedder_class *class;
    char identity[EMBED_IDENTITY_SIZE]; /* Who makes the vectors: "hashed/1", "ollama/MODEL". */
    _Atomic unsigned dimension;         /* 0: not known before the first answer. */
    unsigned batch; /* Texts that it takes at once; more are no faster.  Set once. */
    _Atomic unsigned refs;
};

/* Begins an embedder of 'class' with one reference; 'identity' must fit. */
void embedder_init(struct embedder *e, const struct embedder_class *class, const char *identity,
                   unsigned dimension);
struct embedder *embedder_ref(struct embedder *e);
/* Null is ignored. */
void embedder_unref(struct embedder *e);

/* Makes a vector of each of 'count' texts, in their order, in '*out', which the caller ends with
 * vectors_fini(): finite numbers, each vector of length 1, or all 0 for a text in which there is
 * nothing.  Bytes that are not UTF-8 do no harm.  May block until a limit is reached: hold no lock.
 * E_OVERLOAD without memory; E_CANCELLED; of a provider E_TIMEOUT, E_LIMIT (it is asked too often),
 * E_NOT_READY (it cannot be used as things are), E_REFUSED (it takes no such text), E_IO.  '*out'
 * is empty then. */
enum err embedder_embed(struct embedder *e, const struct slice *texts, size_t count,
                        const struct embed_limits *limits, struct vectors *out, struct fault *f);

/* Room for 'count' vectors, zeroed; E_OVERLOAD, also past EMBED_DIMENSION_MAX. */
enum err vectors_make(struct vectors *v, size_t count, unsigned dimension, struct fault *f);
void vectors_fini(struct vectors *v);
/* One of them, borrowed. */
static inline float *
vectors_at(const struct vectors *v, size_t i)
{
    return v->data + i * v->dimension;
}
/* Gives the vector length 1; false, and it is unchanged, if it has none or is not finite. */
bool vector_normalize(float *vector, unsigned dimension);
/* For vectors of length 1: the cosine of their angle. */
double vector_dot(const float *a, const float *b, unsigned dimension);

#endif
