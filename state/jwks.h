/* jwks.h -- the keys of the issuer as they are now: from a file or a URL, kept fresh.
 *
 * One thread looks at the source, so there is never more than one fetch (single flight), and nobody
 * who checks a token waits for it without wanting to.  It looks again when the keys have grown old
 * and somebody uses them, and when a token names a key that is unknown; for a URL that is bounded:
 * once a minute, or every few seconds while it fails.  What it cannot read changes nothing: the old
 * keys stay.  Any thread; takes KEYS. */
#ifndef TANDEM_JWKS_H
#define TANDEM_JWKS_H

#include "state/base/clock.h"
#include "state/jwk.h"

struct jwks;

struct jwks_options {
    const char *source;        /* A URL that fetch_allowed() allows, or a file's path; copied. */
    const struct clock *clock; /* Borrowed. */
    int timeout_ms;            /* Of one fetch. */
};

/* A new source.  A file is read at once, and it is an error if it cannot be; a URL is fetched in
 * the background, beginning now.  E_ARGUMENT, E_NOT_FOUND, E_TOO_LARGE, E_IO. */
enum err jwks_create(const struct jwks_options *options, struct jwks **jwks, struct fault *f);
/* Ends the thread; those who still wait are called first.  No other thread may use it.  Null is
 * ignored. */
void jwks_destroy(struct jwks *j);

/* The keys as they are known now, counted, and the number of this state, which grows with each
 * change; null while there are none. */
struct jwk_set *jwks_current(struct jwks *j, uint64_t *generation);

/* Somebody who waits for a look at the source. */
struct jwks_waiter {
    /* Called once, on the thread of 'jwks', which holds no lock; must not block. */
    void (*ready)(struct jwks_waiter *waiter);
    struct jwks_waiter *next;
};

enum jwks_look {
    JWKS_WAIT,     /* The source is being looked at; 'waiter' will be called. */
    JWKS_CHANGED,  /* The keys are others already. */
    JWKS_SETTLED,  /* The source has been looked at a moment ago: what is not there is unknown. */
    JWKS_TROUBLED, /* The source could not be read a moment ago: nobody knows. */
};
/* Asks for a look, since the keys of 'generation' (0: there were none) do not serve.  'waiter',
 * which may be null for one who will not wait, is borrowed until it is called. */
enum jwks_look jwks_look(struct jwks *j, uint64_t generation, struct jwks_waiter *waiter);

/* Somebody says that the source has changed: it is looked at, soon. */
void jwks_refresh(struct jwks *j);

struct jwks_counters {
    uint64_t looks, failures, changes;
};
/* What is counted, as it is now. */
struct jwks_counters jwks_counters(struct jwks *j);

#endif
