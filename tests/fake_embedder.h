/* fake_embedder.h -- an embedder that tests hold up, make fail, and count. */
#ifndef TANDEM_TESTS_FAKE_EMBEDDER_H
#define TANDEM_TESTS_FAKE_EMBEDDER_H

#include "state/embed.h"

#include <pthread.h>
#include <stdbool.h>

/* Makes the vectors of the hashed embedder. */
struct fake_embedder {
    struct embedder embedder; /* First. */
    struct embedder *hashed;  /* Counted. */
    pthread_mutex_t mutex;
    pthread_cond_t moved;
    bool closed;          /* Calls wait until it is opened, or they are to stop. */
    unsigned inside;      /* Calls that wait. */
    _Atomic int fails;    /* enum err: what calls say instead. */
    _Atomic size_t texts; /* Embedded so far. */
};

/* One reference, which is the caller's. */
void fake_embedder_init(struct fake_embedder *e, unsigned dimension);
/* Nobody may be using it. */
void fake_embedder_fini(struct fake_embedder *e);
void fake_embedder_close(struct fake_embedder *e);
void fake_embedder_open(struct fake_embedder *e);
/* Waits until so many calls wait for it to be opened. */
void fake_embedder_wait_inside(struct fake_embedder *e, unsigned calls);

#endif
