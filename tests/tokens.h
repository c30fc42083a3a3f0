/* tokens.h -- an authorization server for tests: keys, key sets, tokens, good ones and forged.
 *
 * What an independent library makes of the same is tested in tests/clients. */
#ifndef TANDEM_TESTS_TOKENS_H
#define TANDEM_TESTS_TOKENS_H

#include "state/base/mem.h"
#include "state/jwk.h"

#include <stdint.h>

#define TOKEN_ISSUER "https://as.example.com"
#define TOKEN_AUDIENCE "https://tandem.example.com/mcp"
#define TOKEN_NOW INT64_C(1800000000) /* When the tests take place. */

struct signer {
    enum jwt_alg alg;
    const char *kid;         /* Borrowed; may be null. */
    struct evp_pkey_st *key; /* Owned. */
};
/* Makes a key pair for 'alg'. */
void signer_init(struct signer *s, enum jwt_alg alg, const char *kid);
/* The same with an RSA key of 'bits'. */
void signer_init_rsa(struct signer *s, const char *kid, unsigned bits);
void signer_fini(struct signer *s);

/* The public key as a JWK, new; 'more' are further members, each with a comma before it. */
char *signer_jwk(const struct signer *s, const char *more);
/* The set of all of them, new. */
char *signers_jwks(const struct signer *s, size_t count);

/* A token of 'header' and 'claims', JSON texts, signed as 'alg' says.  New. */
char *token_of(const struct signer *s, const char *header, const char *claims);
/* The same with the header that fits, and claims that are good at TOKEN_NOW; 'more' are further
 * members of the claims, each with a comma before it. */
char *token_good(const struct signer *s, const char *more);
/* The first two parts, encoded, with 'signature' behind them as it is.  New. */
char *token_with(const char *header, const char *claims, const char *signature);
char *text_base64url(struct slice bytes);

#endif
