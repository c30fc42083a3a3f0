/* access.c -- tokens judged: from memory, or by the issuer's keys as they are now.
 *
 * DESIGN.  What is remembered belongs to one generation of keys: when they change, all of it is
 * forgotten, so that a key that was taken back opens nothing any more.  The table keeps the order
 * of last use, as uthash keeps that of insertion. */
#include "state/access.h"

#include "state/base/hash.h"
#include "state/base/lock.h"
#include "state/base/log.h"
#include "state/digest.h"
#include "state/jwt.h"

#include <assert.h>

LOG_MODULE("access");

#define SECOND_NS INT64_C(1000000000)
#define VERIFY_TRIES 3 /* While the keys change under the check. */

struct entry {
    unsigned char digest[DIGEST_SIZE]; /* SHA-256 of the token. */
    struct grant *grant;               /* Counted. */
    UT_hash_handle hh;
};

struct access {
    struct jwks *jwks; /* Owned; set once, as are those up to 'lock'. */
    char *issuer, *audience, *tenants;
    int64_t skew_ns;
    const struct clock *clock;
    struct lock lock;
    struct entry *table GUARDED_BY(LC_GRANTS); /* Least recently used first. */
    uint64_t generation GUARDED_BY(LC_GRANTS); /* Of the keys that granted them. */
    struct access_counters counters GUARDED_BY(LC_GRANTS);
};

struct grant *
grant_ref(struct grant *g)
{
    atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
    return g;
}

void
grant_unref(struct grant *g)
{
    if (g && atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) == 1) {
        free(g->principal);
        free(g->scopes);
        free(g->tenants);
        free(g->client);
        free(g);
    }
}

/* ---- Memory ---- */

static void
forget_locked(struct access *a, struct entry *e) REQUIRES(LC_GRANTS)
{
    HASH_DEL(a->table, e);
    grant_unref(e->grant);
    free(e);
}

static void
forget_all_locked(struct access *a) REQUIRES(LC_GRANTS)
{
    struct entry *e, *next;

    HASH_ITER(hh, a->table, e, next) {
        forget_locked(a, e);
    }
}

/* The grant of a token that was found good by the keys of 'generation', counted, or null. */
static struct grant *
recall(struct access *a, const unsigned char *digest, uint64_t generation, int64_t now_ns)
{
    struct grant *grant = NULL;
    struct entry *e;

    LOCK(GRANTS, &a->lock);
    if (a->generation < generation) {
        forget_all_locked(a);
        a->generation = generation;
    }
    HASH_FIND(hh, a->table, digest, DIGEST_SIZE, e);
    if (e && now_ns >= e->grant->ends_ns) {
        forget_locked(a, e);
    } else if (e && a->generation == generation) {
        HASH_DEL(a->table, e);
        HASH_ADD(hh, a->table, digest, DIGEST_SIZE, e);
        grant = grant_ref(e->grant);
        a->counters.remembered++;
    }
    UNLOCK(GRANTS, &a->lock);
    return grant;
}

static void
remember(struct access *a, const unsigned char *digest, uint64_t generation, struct grant *grant)
{
    struct entry *e, *fresh = xcalloc(1, sizeof *fresh);

    memcpy(fresh->digest, digest, DIGEST_SIZE);
    fresh->grant = grant_ref(grant);
    LOCK(GRANTS, &a->lock);
    HASH_FIND(hh, a->table, digest, DIGEST_SIZE, e);
    if (!e && a->generation == generation) {
        if (HASH_COUNT(a->table) >= ACCESS_REMEMBERED) {
            forget_locked(a, a->table);
        }
        HASH_ADD(hh, a->table, digest, DIGEST_SIZE, fresh);
        fresh = NULL;
    }
    a->counters.verified++;
    UNLOCK(GRANTS, &a->lock);
    if (fresh) {
        grant_unref(fresh->grant);
        free(fresh);
    }
}

/* ---- Judging ---- */

static struct grant *
grant_of(const struct access *a, struct jwt_claims *claims)
{
    struct grant *g = xcalloc(1, sizeof *g);

    atomic_init(&g->refs, 1);
    g->ends_ns = claims->expires_s * SECOND_NS + a->skew_ns;
    g->principal = xasprintf("%s %s", a->issuer, claims->subject);
    g->scopes = claims->scopes;
    g->client = claims->client;
    g->tenants = claims->tenants;
    claims->scopes = claims->client = claims->tenants = NULL;
    return g;
}

/* Verifies the token with the keys that are there. */
static enum err
verify(struct access *a, struct slice token, const struct jwk_set *keys, int64_t now_ns,
       struct grant **grant, struct fault *f)
{
    const struct jwt_rules rules = {
        .issuer = a->issuer,
        .audience = a->audience,
        .now_s = now_ns / SECOND_NS,
        .skew_s = a->skew_ns / SECOND_NS,
        .tenants = a->tenants,
    };
    struct jwt_claims claims;
    enum err err = keys ? jwt_verify(token, keys, &rules, &claims, f)
                        : fault_set(f, E_NOT_FOUND, "the issuer's keys are not known yet");

    if (!err) {
        *grant = grant_of(a, &claims);
        jwt_claims_fini(&claims);
    }
    return err;
}

static enum access_answer
refuse(struct access *a)
{
    LOCK(GRANTS, &a->lock);
    a->counters.refused++;
    UNLOCK(GRANTS, &a->lock);
    return ACCESS_REFUSED;
}

/* Judges with the keys of now.  E_CONFLICT: they are others by now, and nothing is said yet. */
static enum err
judge(struct access *a, struct slice token, const unsigned char *digest, struct jwks_waiter *waiter,
      struct grant **grant, enum access_answer *answer, struct fault *f)
{
    int64_t now_ns = clock_wall(a->clock);
    uint64_t generation;
    struct jwk_set *keys = jwks_current(a->jwks, &generation);
    enum err err = E_OK;

    *grant = recall(a, digest, generation, now_ns);
    if (!*grant) {
        err = verify(a, token, keys, now_ns, grant, f);
        if (!err) {
            log_debug("a token was found good",
                      F_STR("client", (*grant)->client ? (*grant)->client : "unnamed"));
            remember(a, digest, generation, *grant);
        }
    }
    jwk_set_unref(keys);
    if (err == E_NOT_FOUND) {
        switch (jwks_look(a->jwks, generation, waiter)) {
        case JWKS_CHANGED:
            return E_CONFLICT;
        case JWKS_WAIT:
            *answer = ACCESS_LATER;
            return E_OK;
        case JWKS_TROUBLED:
            *answer = ACCESS_UNKNOWN;
            return E_OK;
        case JWKS_SETTLED:
            break;
        }
    }
    *answer = err ? refuse(a) : ACCESS_GRANTED;
    return E_OK;
}

enum access_answer
access_check(struct access *a, struct slice token, struct jwks_waiter *waiter, struct grant **grant,
             struct fault *f)
{
    unsigned char digest[DIGEST_SIZE];
    enum access_answer answer = ACCESS_UNKNOWN; /* While the keys change faster than we look. */

    *grant = NULL;
    if (token.len > JWT_BYTES_MAX) {
        fault_set(f, E_UNAUTHORIZED, "the token is too long");
        return refuse(a);
    }
    if (!digest_make(token, digest)) {
        fault_set(f, E_OVERLOAD, "there is no memory to check the token now");
        return ACCESS_UNKNOWN;
    }
    for (int i = 0; i < VERIFY_TRIES; i++) {
        if (judge(a, token, digest, waiter, grant, &answer, f) != E_CONFLICT) {
            break;
        }
    }
    assert((answer == ACCESS_GRANTED) == (*grant != NULL)); /* Nobody is let in as nobody. */
    return answer;
}

/* ---- Life ---- */

UNSHARED enum err
access_create(const struct access_options *options, struct access **access, struct fault *f)
{
    struct access *a = xcalloc(1, sizeof *a);
    enum err err = jwks_create(&options->keys, &a->jwks, f);

    *access = NULL;
    if (err) {
        free(a);
        return err;
    }
    a->issuer = xstrdup(options->issuer);
    a->audience = xstrdup(options->audience);
    a->tenants = options->tenants ? xstrdup(options->tenants) : NULL;
    a->skew_ns = options->skew_ns;
    a->clock = options->clock;
    lock_init(&a->lock, RANK_GRANTS);
    *access = a;
    return E_OK;
}

UNSHARED void
access_destroy(struct access *a)
{
    if (a) {
        jwks_destroy(a->jwks);
        forget_all_locked(a);
        lock_fini(&a->lock);
        free(a->issuer);
        free(a->audience);
        free(a->tenants);
        free(a);
    }
}

void
access_look(struct access *a)
{
    jwks_refresh(a->jwks);
}

struct access_counters
access_counters(struct access *a)
{
    struct jwks_counters keys = jwks_counters(a->jwks);
    struct access_counters counters;

    LOCK(GRANTS, &a->lock);
    counters = a->counters;
    counters.size = HASH_COUNT(a->table);
    UNLOCK(GRANTS, &a->lock);
    counters.keys = keys;
    return counters;
}
