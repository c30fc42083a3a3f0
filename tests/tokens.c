/* tokens.c -- libcrypto on the private side. */
#include "tests/tokens.h"

#include "state/base/base64url.h"

#include <assert.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>

static const char *const alg_names[JWT_ALG_COUNT] = {
#define ROW(NAME, TEXT) [JWT_##NAME] = TEXT,
    JWT_ALGS(ROW)
#undef ROW
};

void
signer_init_rsa(struct signer *s, const char *kid, unsigned bits)
{
    *s = (struct signer){.alg = JWT_RS256, .kid = kid, .key = EVP_RSA_gen(bits)};
    assert(s->key);
}

void
signer_init(struct signer *s, enum jwt_alg alg, const char *kid)
{
    *s = (struct signer){.alg = alg, .kid = kid};
    s->key = alg == JWT_ES256   ? EVP_EC_gen("P-256")
             : alg == JWT_ES384 ? EVP_EC_gen("P-384")
             : alg == JWT_EDDSA ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                : EVP_RSA_gen(2048);
    assert(s->key);
}

void
signer_fini(struct signer *s)
{
    EVP_PKEY_free(s->key);
    s->key = NULL;
}

char *
text_base64url(struct slice bytes)
{
    struct buf out = BUF_INIT;

    buf_adds(&out, "");
    base64url_encode(bytes, &out);
    return out.data ? buf_steal(&out) : xstrdup("");
}

/* A number of the key, of 'size' bytes or as many as it takes.  New. */
static char *
number_text(const struct signer *s, const char *name, size_t size)
{
    unsigned char bytes[1024];
    BIGNUM *n = NULL;
    char *text;

    assert(EVP_PKEY_get_bn_param(s->key, name, &n) == 1);
    size = size ? size : (size_t)BN_num_bytes(n);
    assert(size <= sizeof bytes && BN_bn2binpad(n, bytes, (int)size) == (int)size);
    text = text_base64url((struct slice){(char *)bytes, size});
    BN_free(n);
    return text;
}

char *
signer_jwk(const struct signer *s, const char *more)
{
    char *kid = s->kid ? xasprintf(",\"kid\":\"%s\"", s->kid) : xstrdup("");
    char *first, *second = NULL, *jwk;
    unsigned char raw[32];
    size_t len = sizeof raw;

    switch (s->alg) {
    case JWT_ES256:
    case JWT_ES384:
        first = number_text(s, OSSL_PKEY_PARAM_EC_PUB_X, s->alg == JWT_ES256 ? 32 : 48);
        second = number_text(s, OSSL_PKEY_PARAM_EC_PUB_Y, s->alg == JWT_ES256 ? 32 : 48);
        jwk = xasprintf("{\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"%s%s}",
                        s->alg == JWT_ES256 ? "P-256" : "P-384", first, second, kid, more);
        break;
    case JWT_EDDSA:
        assert(EVP_PKEY_get_raw_public_key(s->key, raw, &len) == 1);
        first = text_base64url((struct slice){(char *)raw, len});
        jwk = xasprintf("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"%s%s}", first, kid, more);
        break;
    default:
        first = number_text(s, OSSL_PKEY_PARAM_RSA_N, 0);
        second = number_text(s, OSSL_PKEY_PARAM_RSA_E, 0);
        jwk =
            xasprintf("{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s%s}", first, second, kid, more);
    }
    free(first);
    free(second);
    free(kid);
    return jwk;
}

char *
signers_jwks(const struct signer *s, size_t count)
{
    struct buf out = BUF_INIT;

    buf_adds(&out, "{\"keys\":[");
    for (size_t i = 0; i < count; i++) {
        char *jwk = signer_jwk(&s[i], "");

        buf_addf(&out, "%s%s", i ? "," : "", jwk);
        free(jwk);
    }
    buf_adds(&out, "]}");
    return buf_steal(&out);
}

/* ---- Tokens ---- */

/* DER to the two numbers of 'size' bytes each. */
static size_t
to_raw(unsigned char *sig, size_t len, size_t size)
{
    const unsigned char *p = sig;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &p, (long)len);

    assert(pair);
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), sig, (int)size);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), sig + size, (int)size);
    ECDSA_SIG_free(pair);
    return 2 * size;
}

char *
token_with(const char *header, const char *claims, const char *signature)
{
    char *a = text_base64url(slice_of(header)), *b = text_base64url(slice_of(claims));
    char *token = xasprintf("%s.%s%s%s", a, b, signature ? "." : "", signature ? signature : "");

    free(a);
    free(b);
    return token;
}

char *
token_of(const struct signer *s, const char *header, const char *claims)
{
    const EVP_MD *digest = s->alg == JWT_EDDSA   ? NULL
                           : s->alg == JWT_ES384 ? EVP_sha384()
                                                 : EVP_sha256();
    char *input = token_with(header, claims, NULL), *signature, *token;
    unsigned char sig[2048];
    size_t len = sizeof sig;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *how;

    assert(EVP_DigestSignInit(ctx, &how, digest, NULL, s->key) == 1);
    if (s->alg == JWT_PS256) {
        assert(EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST) == 1);
    }
    assert(EVP_DigestSign(ctx, sig, &len, (unsigned char *)input, strlen(input)) == 1);
    EVP_MD_CTX_free(ctx);
    if (s->alg == JWT_ES256 || s->alg == JWT_ES384) {
        len = to_raw(sig, len, s->alg == JWT_ES256 ? 32 : 48);
    }
    signature = text_base64url((struct slice){(char *)sig, len});
    token = xasprintf("%s.%s", input, signature);
    free(input);
    free(signature);
    return token;
}

char *
token_good(const struct signer *s, const char *more)
{
    char *kid = s->kid ? xasprintf(",\"kid\":\"%s\"", s->kid) : xstrdup("");
    char *header = xasprintf("{\"alg\":\"%s\"%s,\"typ\":\"at+jwt\"}", alg_names[s->alg], kid);
    char *claims = xasprintf("{\"iss\":\"" TOKEN_ISSUER "\",\"aud\":\"" TOKEN_AUDIENCE
                             "\",\"sub\":\"alice\",\"iat\":%lld,\"exp\":%lld%s}",
                             (long long)TOKEN_NOW - 10, (long long)TOKEN_NOW + 300, more);
    char *token = token_of(s, header, claims);

    free(kid);
    free(header);
    free(claims);
    return token;
}
