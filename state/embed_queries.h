/* embed_queries.h -- the vectors of queries, which nobody waits for longer than he wants.
 *
 * A thread of its own asks the embedder for all queries that wait, at once.  What comes too late
 * for the one who asked is kept for the next; after trouble nobody waits at all until it is time to
 * try again.  Any thread that holds no lock. */
#ifndef TANDEM_EMBED_QUERIES_H
#define TANDEM_EMBED_QUERIES_H

#include "state/base/slots.h"
#include "state/embed.h"

struct embed_queries;

/* A new one for 'embedder', which is counted, its thread running, in '*q'.  E_IO if there can be
 * none. */
enum err embed_queries_create(struct embedder *embedder, struct embed_queries **q, struct fault *f);
/* Ends the thread, whatever it is doing, within 100 ms, and frees.  Nobody else may be using it.
 * Null is ignored. */
void embed_queries_destroy(struct embed_queries *q);

/* The vector of a text: valid until it is released. */
struct query_vector {
    const float *data;
    unsigned dimension;
    struct slot_pin pin;
};
/* Finds the vector of 'text', waiting until 'deadline_ns' (monotonic) at most.  E_TIMEOUT: it is on
 * its way; E_NOT_READY: too many wait already, or there was trouble a moment ago; what the embedder
 * says. */
enum err embed_queries_get(struct embed_queries *q, const char *text, int64_t deadline_ns,
                           struct query_vector *vector, struct fault *f);
void embed_queries_release(struct embed_queries *q, struct query_vector *vector);

/* Of the vectors that are kept. */
struct slots_counters embed_queries_counters(struct embed_queries *q);

#endif
