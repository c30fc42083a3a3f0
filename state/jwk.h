/* jwk.h -- the public keys of an authorization server: a JSON Web Key Set (RFC 7517), parsed.
 *
 * A set is immutable and counted; any thread uses it without a lock.  Keys that are of no use here
 * (another type, for encryption, too weak) are passed over; secrets ("oct") are among them, so that
 * no token can be made with what everybody may read. */
#ifndef TANDEM_JWK_H
#define TANDEM_JWK_H

#include "state/base/err.h"
#include "state/base/mem.h"

/* clang-format off */
/* How a token may be signed: by the private half of which key. */
#define JWT_ALGS(ROW)     \
    ROW(RS256, "RS256")   \
    ROW(PS256, "PS256")   \
    ROW(ES256, "ES256")   \
    ROW(ES384, "ES384")   \
    ROW(EDDSA, "EdDSA")   /* With Ed25519. */
enum jwt_alg {
#define ROW(NAME, TEXT) JWT_##NAME,
    JWT_ALGS(ROW)
#undef ROW
    JWT_ALG_COUNT
};
/* clang-format on */
/* The algorithm of that name, or -1: all others are refused. */
int jwt_alg_find(const char *name);

#define JWK_TEXT_MAX ((size_t)256 * 1024) /* Bytes of a set. */
#define JWK_KEYS_MAX 64                   /* Keys that are kept of it. */
#define JWK_KID_MAX 256                   /* Bytes of a key's name. */
#define JWK_RSA_BITS_MIN 2048
#define JWK_RSA_BITS_MAX 8192

struct evp_pkey_st;

struct jwk {
    char *kid;               /* Owned; null if it has no name. */
    unsigned algs;           /* Bits by enum jwt_alg: what it may have signed. */
    struct evp_pkey_st *key; /* Owned. */
};

struct jwk_set {
    _Atomic unsigned refs;
    unsigned passed_over; /* Keys that are of no use. */
    size_t count;
    struct jwk keys[JWK_KEYS_MAX];
};

/* A new set from its text.  E_ARGUMENT if it is none, or has no key that is of use. */
enum err jwk_set_parse(struct slice text, struct jwk_set **set, struct fault *f);
struct jwk_set *jwk_set_ref(struct jwk_set *set);
/* Null is ignored. */
void jwk_set_unref(struct jwk_set *set);

/* The key named 'kid' that may have signed with 'alg'.  With 'kid' null, the only one that may
 * have.  Null if there is none; borrowed from 'set'. */
const struct jwk *jwk_set_find(const struct jwk_set *set, const char *kid, enum jwt_alg alg);

#endif
