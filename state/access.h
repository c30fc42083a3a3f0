/* access.h -- who is let in by a token of the configured authorization server.
 *
 * A good token is granted: the grant says who its holder is and what he may do, and until when.
 * Granted tokens are remembered by their digest until they expire or the keys change, so that a
 * token is verified once and not with every request.  A token whose key is not known (yet) may wait
 * for it, off the thread that asks.  Nothing of a token is kept or logged but its digest.  Any
 * thread; takes KEYS and GRANTS, one after the other. */
#ifndef TANDEM_ACCESS_H
#define TANDEM_ACCESS_H

#include "state/base/clock.h"
#include "state/jwks.h"

#define ACCESS_REMEMBERED 1024 /* Granted tokens at most; the least recently used is forgotten. */

/* Immutable, counted. */
struct grant {
    _Atomic unsigned refs;
    int64_t
        ends_ns; /* Wall clock: when the token has expired, for clocks as far apart as may be. */
    char *principal; /* Issuer and subject, with a blank between them. */
    char *scopes;    /* With blanks between them. */
    char *tenants;   /* Their ids, with blanks between them; null if tokens do not say. */
    char *client;    /* Who asked for the token; for logs; may be null. */
};
/* Takes a reference, and returns it. */
struct grant *grant_ref(struct grant *g);
/* Null is ignored. */
void grant_unref(struct grant *g);

struct access;

struct access_options {
    struct jwks_options keys;
    const char *issuer, *audience; /* Copied. */
    const char *tenants; /* The claim that names a token's tenants, copied; null: none does. */
    int64_t skew_ns;
    const struct clock *clock; /* Borrowed. */
};

/* Errors are those of jwks_create(). */
enum err access_create(const struct access_options *options, struct access **access,
                       struct fault *f);
/* Those who wait are called first.  No other thread may use it.  Null is ignored. */
void access_destroy(struct access *a);

enum access_answer {
    ACCESS_GRANTED, /* '*grant' is set, counted. */
    ACCESS_REFUSED, /* The token is no good: 'f' says why, without quotes and backslashes. */
    ACCESS_UNKNOWN, /* Nobody can say now: the keys cannot be had. */
    ACCESS_LATER,   /* 'waiter' will be called; ask again then, with no waiter. */
};
/* Judges 'token'.  'waiter' as jwks_look() has it. */
enum access_answer access_check(struct access *a, struct slice token, struct jwks_waiter *waiter,
                                struct grant **grant, struct fault *f);

/* Has the keys looked at anew, soon. */
void access_look(struct access *a);

struct access_counters {
    struct jwks_counters keys;
    uint64_t remembered, verified, refused; /* Answers: from memory; by verifying; no good. */
    size_t size;
};
/* What is counted, as it is now. */
struct access_counters access_counters(struct access *a);

#endif
