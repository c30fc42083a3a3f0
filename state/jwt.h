/* jwt.h -- is this token signed, by whom, for whom, and until when: RFC 7519, checked.
 *
 * Pure: the keys, the rules and the time are the caller's, nothing is kept.  What a token says
 * about how to check it is believed only as far as the keys agree: its algorithm must be of the
 * list and fit the key's type; keys that it brings along or points to ("jwk", "jku", "x5c", "x5u")
 * are not looked at.  Texts of faults hold nothing of the token, and neither quotes nor
 * backslashes, so that they can stand in a header.  Any thread. */
#ifndef TANDEM_JWT_H
#define TANDEM_JWT_H

#include "state/jwk.h"

#define JWT_BYTES_MAX ((size_t)16 * 1024) /* A whole token. */
#define JWT_NAME_MAX 256                  /* Bytes of "sub" and of "client_id". */
#define JWT_SCOPES_MAX 4096               /* Bytes of all scopes. */
#define JWT_TENANTS_MAX 4096              /* Bytes of all tenants. */

struct jwt_rules {
    const char *issuer;   /* What "iss" must be. */
    const char *audience; /* What "aud" must name. */
    int64_t now_s;        /* Since 1970. */
    int64_t skew_s;       /* How far the clocks may be apart. */
    const char *tenants;  /* The claim that names its tenants, which it must have; null: none. */
};

struct jwt_claims {
    char *subject;     /* Owned; never empty, without NUL. */
    char *client;      /* Owned; "client_id" or "azp", or null. */
    char *scopes;      /* Owned; with single blanks between them; may be empty. */
    char *tenants;     /* Owned; ids with single blanks between them; null if rules want none. */
    int64_t expires_s; /* Since 1970, the skew not added. */
};

/* Checks 'token'.  On E_OK 'claims' is for the caller to finish; else it is empty.
 * E_UNAUTHORIZED: it is no good, and will not be.  E_NOT_FOUND: there is no key of that name, or
 * none that fits; others may be found elsewhere. */
enum err jwt_verify(struct slice token, const struct jwk_set *keys, const struct jwt_rules *rules,
                    struct jwt_claims *claims, struct fault *f);
void jwt_claims_fini(struct jwt_claims *claims);

#endif
