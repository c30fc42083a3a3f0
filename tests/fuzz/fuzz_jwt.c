/* fuzz_jwt.c -- any bytes as a token, as what is signed, and as a set of keys: what must hold
 * whatever they are.
 *
 * The first byte says as what the others are taken: 'C' the claims and 'H' the header of a token
 * that is well signed, 'K' a set of keys, and anything else, itself included, a token.  Run by
 * "make fuzz-jwt"; finds are kept in tests/fuzz/corpus/jwt. */
#include "state/base/base64url.h"
#include "state/jwt.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(CONDITION)                                                                \
    do {                                                                               \
        if (!(CONDITION)) {                                                            \
            fprintf(stderr, "fuzz_jwt: does not hold: %s (%s)\n", #CONDITION, f.text); \
            abort();                                                                   \
        }                                                                              \
    } while (0)

#define ISSUER "https://as"
#define AUDIENCE "https://tandem/mcp"
#define NOW INT64_C(1800000000)
#define SKEW 30

static struct fault f;
static const struct jwt_rules rules = {ISSUER, AUDIENCE, NOW, SKEW};
/* Made once. */
static EVP_PKEY *key;
static struct jwk_set *keys;

static void
encode(struct slice bytes, struct buf *out)
{
    base64url_encode(bytes, out);
    buf_adds(out, "");
}

static void
make_key(void)
{
    static const unsigned char secret[32] = {1, 2, 3};
    struct buf text = BUF_INIT;
    unsigned char public[32];
    size_t len = sizeof public;

    key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof secret);
    MUST(key && EVP_PKEY_get_raw_public_key(key, public, &len) == 1);
    buf_adds(&text, "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k\",\"x\":\"");
    encode((struct slice){(char *)public, len}, &text);
    buf_adds(&text, "\"}]}");
    MUST(jwk_set_parse(buf_slice(&text), &keys, &f) == E_OK);
    buf_fini(&text);
}

/* What holds for every verdict. */
static enum err
judge(struct slice token, struct jwt_claims *claims)
{
    enum err err = jwt_verify(token, keys, &rules, claims, &f);

    MUST(err == E_OK || err == E_UNAUTHORIZED || err == E_NOT_FOUND);
    if (err) {
        MUST(f.code == err && f.text[0] && !strpbrk(f.text, "\"\\\r\n"));
        MUST(!claims->subject && !claims->scopes && !claims->client);
    } else {
        size_t subject = strlen(claims->subject), scopes = strlen(claims->scopes);

        MUST(subject > 0 && subject <= JWT_NAME_MAX && scopes <= JWT_SCOPES_MAX);
        MUST(!claims->client || strlen(claims->client) <= JWT_NAME_MAX);
        MUST(!strstr(claims->scopes, "  ") && claims->scopes[0] != ' ');
        MUST(!scopes || claims->scopes[scopes - 1] != ' ');
        MUST(claims->expires_s > NOW - SKEW - 1);
    }
    return err;
}

/* Nobody who has not the key makes a token that is good. */
static void
as_token(struct slice bytes)
{
    struct jwt_claims claims;

    MUST(judge(bytes, &claims) != E_OK);
}

static void
as_signed(struct slice header, struct slice body)
{
    struct buf token = BUF_INIT;
    struct jwt_claims claims;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char sig[64];
    size_t len = sizeof sig;

    encode(header, &token);
    buf_addc(&token, '.');
    encode(body, &token);
    MUST(EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
         EVP_DigestSign(ctx, sig, &len, (unsigned char *)token.data, token.len) == 1);
    EVP_MD_CTX_free(ctx);
    buf_addc(&token, '.');
    encode((struct slice){(char *)sig, len}, &token);
    if (judge(buf_slice(&token), &claims) == E_OK) {
        /* One bit less, and it is nobody's. */
        struct jwt_claims none;

        token.data[token.len - 10] ^= 1;
        MUST(judge(buf_slice(&token), &none) != E_OK);
    }
    jwt_claims_fini(&claims);
    buf_fini(&token);
}

static void
as_keys(struct slice text)
{
    struct jwk_set *set;
    enum err err = jwk_set_parse(text, &set, &f);

    MUST((err == E_OK) == (set != NULL) && (err == E_OK || err == E_ARGUMENT));
    for (size_t i = 0; set && i < set->count; i++) {
        MUST(set->keys[i].key && set->keys[i].algs && set->count <= JWK_KEYS_MAX);
        for (int alg = 0; set->keys[i].kid && alg < JWT_ALG_COUNT; alg++) {
            MUST(!(set->keys[i].algs & 1u << alg) ||
                 jwk_set_find(set, set->keys[i].kid, (enum jwt_alg)alg));
        }
    }
    jwk_set_unref(set);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice all = {(const char *)data, size}, rest = {(const char *)data + 1, size - 1};
    const struct slice header = SLICE("{\"alg\":\"EdDSA\",\"kid\":\"k\"}");
    const struct slice body =
        SLICE("{\"iss\":\"" ISSUER "\",\"aud\":\"" AUDIENCE "\",\"sub\":\"a\",\"exp\":1800000300}");

    f = (struct fault)FAULT_INIT;
    if (!key) {
        make_key();
    }
    switch (size ? data[0] : 0) {
    case 'C':
        as_signed(header, rest);
        break;
    case 'H':
        as_signed(rest, body);
        break;
    case 'K':
        as_keys(rest);
        break;
    default:
        as_token(all);
    }
    return 0;
}
