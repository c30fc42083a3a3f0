/* jwt.c -- a token taken apart, its signature checked, its claims judged; in this order, so that
 * nothing is read of claims that nobody signed. */
#include "state/jwt.h"

#include "state/base/base64url.h"
#include "state/json_bounded.h"
#include "state/tenant_id.h"

#include <math.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <strings.h>

#define DER_MAX 128 /* Bytes of an ECDSA signature on P-384 in DER, and more. */

/* A token's three parts, and what of it is signed. */
struct parts {
    struct slice header, claims, signature, input;
};

static const struct json_bounds bounds = {.depth = 8, .values = 2000};

/* Three parts, none of them empty. */
static bool
split(struct slice token, struct parts *p)
{
    const char *end = token.data + token.len, *first, *second;

    first = token.len ? memchr(token.data, '.', token.len) : NULL;
    second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
    if (!second || memchr(second + 1, '.', (size_t)(end - second - 1))) {
        return false;
    }
    p->header = (struct slice){token.data, (size_t)(first - token.data)};
    p->claims = (struct slice){first + 1, (size_t)(second - first - 1)};
    p->signature = (struct slice){second + 1, (size_t)(end - second - 1)};
    p->input = (struct slice){token.data, (size_t)(second - token.data)};
    return p->header.len && p->claims.len && p->signature.len;
}

/* A part as a JSON object, new; null if it is none. */
static json_t *
load_part(struct slice part)
{
    struct buf text = BUF_INIT;
    json_t *object = NULL;

    if (base64url_decode(part, &text)) {
        object = json_load_bounded(buf_slice(&text), &bounds);
    }
    buf_fini(&text);
    if (!json_is_object(object)) {
        json_decref(object);
        object = NULL;
    }
    return object;
}

/* ---- Header ---- */

/* Tokens of other kinds that the same server signs are not for access. */
static bool
type_fits(const json_t *typ)
{
    static const char *const types[] = {"JWT", "at+jwt", "application/jwt", "application/at+jwt"};

    for (size_t i = 0; typ && i < sizeof types / sizeof types[0]; i++) {
        if (json_is_string(typ) && strcasecmp(json_string_value(typ), types[i]) == 0) {
            return true;
        }
    }
    return !typ;
}

static enum err
read_header(const json_t *header, const struct jwk_set *keys, enum jwt_alg *alg,
            const struct jwk **key, struct fault *f)
{
    const json_t *kid = json_object_get(header, "kid");
    const char *name = json_string_value(json_object_get(header, "alg"));
    int found = name ? jwt_alg_find(name) : -1;

    if (found < 0) {
        return fault_set(f, E_UNAUTHORIZED, "the token is signed in a way that is not taken here");
    }
    if (json_object_get(header, "crit")) {
        return fault_set(f, E_UNAUTHORIZED, "the token asks for an extension that is unknown here");
    }
    if (!type_fits(json_object_get(header, "typ"))) {
        return fault_set(f, E_UNAUTHORIZED, "the token is of a type that is not for access");
    }
    if (kid && (!json_is_string(kid) || json_string_length(kid) > JWK_KID_MAX)) {
        return fault_set(f, E_UNAUTHORIZED, "the name of the token's key is none");
    }
    *alg = (enum jwt_alg)found;
    *key = jwk_set_find(keys, json_string_value(kid), *alg);
    if (!*key) {
        return fault_set(f, E_NOT_FOUND, "the key that the token names is not among the issuer's");
    }
    return E_OK;
}

/* ---- Signature ---- */

/* ECDSA: the two numbers as they stand in a token, each of 'size' bytes, to DER in 'out'.  Returns
 * its length, or 0. */
static size_t
to_der(const unsigned char *raw, size_t size, unsigned char out[DER_MAX])
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, (int)size, NULL), *s = BN_bin2bn(raw + size, (int)size, NULL);
    unsigned char *end = out;
    int len = 0;

    if (sig && r && s && !BN_is_zero(r) && !BN_is_zero(s) && ECDSA_SIG_set0(sig, r, s) == 1) {
        r = s = NULL; /* The signature's now. */
        len = i2d_ECDSA_SIG(sig, NULL);
        len = len > 0 && len <= DER_MAX ? i2d_ECDSA_SIG(sig, &end) : 0;
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return len > 0 ? (size_t)len : 0;
}

/* How long a signature is in a token: nothing longer is decoded. */
static size_t
signature_size(enum jwt_alg alg, EVP_PKEY *key)
{
    return alg == JWT_ES384   ? 96
           : alg == JWT_ES256 ? 64
           : alg == JWT_EDDSA ? 64
                              : (size_t)EVP_PKEY_get_size(key);
}

static bool
verify(enum jwt_alg alg, EVP_PKEY *key, struct slice input, const unsigned char *sig, size_t len)
{
    const EVP_MD *digest = alg == JWT_EDDSA ? NULL : alg == JWT_ES384 ? EVP_sha384() : EVP_sha256();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *how;
    bool good = ctx && EVP_DigestVerifyInit(ctx, &how, digest, NULL, key) == 1;

    if (good && alg == JWT_PS256) {
        good = EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST) == 1;
    }
    good =
        good && EVP_DigestVerify(ctx, sig, len, (const unsigned char *)input.data, input.len) == 1;
    EVP_MD_CTX_free(ctx);
    return good;
}

static bool
signature_holds(const struct parts *p, enum jwt_alg alg, EVP_PKEY *key)
{
    size_t size = signature_size(alg, key);
    struct buf raw = {.limit = size};
    unsigned char der[DER_MAX];
    bool good = p->signature.len == (size * 4 + 2) / 3 && base64url_decode(p->signature, &raw) &&
                raw.len == size;

    if (good && (alg == JWT_ES256 || alg == JWT_ES384)) {
        size_t len = to_der((const unsigned char *)raw.data, size / 2, der);

        good = len > 0 && verify(alg, key, p->input, der, len);
    } else if (good) {
        good = verify(alg, key, p->input, (const unsigned char *)raw.data, raw.len);
    }
    buf_fini(&raw);
    ERR_clear_error();
    return good;
}

/* ---- Claims ---- */

/* Reads a time in seconds; 'otherwise' if it is not there.  False if it is no time. */
static bool
take_time(const json_t *claims, const char *name, double otherwise, double *seconds)
{
    const json_t *value = json_object_get(claims, name);

    *seconds = value ? json_number_value(value) : otherwise;
    return !value || (json_is_number(value) && isfinite(*seconds));
}

static enum err
check_times(const json_t *claims, const struct jwt_rules *rules, int64_t *expires_s,
            struct fault *f)
{
    double exp, nbf, iat, now = (double)rules->now_s, skew = (double)rules->skew_s;

    if (!json_object_get(claims, "exp") || !take_time(claims, "exp", 0, &exp) ||
        !take_time(claims, "nbf", now, &nbf) || !take_time(claims, "iat", now, &iat)) {
        return fault_set(f, E_UNAUTHORIZED, "the token does not say in numbers when it is valid");
    }
    if (now >= exp + skew) {
        return fault_set(f, E_UNAUTHORIZED, "the token has expired");
    }
    if (nbf > now + skew || iat > now + skew) {
        return fault_set(f, E_UNAUTHORIZED, "the token is not valid yet");
    }
    *expires_s = exp < 1e11 ? (int64_t)exp : (int64_t)1e11; /* The year 5138. */
    return E_OK;
}

static bool
names_audience(const json_t *aud, const char *audience)
{
    const json_t *item;
    size_t i;

    if (json_is_string(aud)) {
        return strcmp(json_string_value(aud), audience) == 0;
    }
    json_array_foreach(aud, i, item) {
        if (json_is_string(item) && strcmp(json_string_value(item), audience) == 0) {
            return true;
        }
    }
    return false;
}

/* A short text, copied; null if it is not there, empty, or no short text. */
static char *
take_name(const json_t *claims, const char *name)
{
    const json_t *value = json_object_get(claims, name);
    size_t len = json_string_length(value);

    return json_is_string(value) && len > 0 && len <= JWT_NAME_MAX
               ? xstrndup(json_string_value(value), len)
               : NULL;
}

/* Adds the words of 'text' to 'out', with single blanks between all. */
static void
add_words(const char *text, struct buf *out)
{
    while (*(text += strspn(text, " "))) {
        size_t len = strcspn(text, " ");

        buf_adds(out, out->len ? " " : "");
        buf_add(out, text, len);
        text += len;
    }
}

/* "scope" as RFC 8693 has it, else "scp" as others do. */
static bool
take_scopes(const json_t *claims, char **scopes)
{
    const json_t *value = json_object_get(claims, "scope"), *item;
    struct buf out = {.limit = JWT_SCOPES_MAX};
    bool good;
    size_t i;

    value = value ? value : json_object_get(claims, "scp");
    good = !value || json_is_string(value) || json_is_array(value);
    buf_adds(&out, "");
    if (json_is_string(value)) {
        add_words(json_string_value(value), &out);
    }
    json_array_foreach(value, i, item) {
        good = good && json_is_string(item);
        add_words(json_is_string(item) ? json_string_value(item) : "", &out);
    }
    if (!good || out.failed) {
        buf_fini(&out);
        return false;
    }
    *scopes = out.data ? buf_steal(&out) : xstrdup("");
    return true;
}

/* The ids of one tenant or several, a text or an array of them: at least one. */
static bool
take_tenants(const json_t *value, char **tenants)
{
    struct buf out = {.limit = JWT_TENANTS_MAX};
    bool good = json_is_string(value) || json_array_size(value) > 0;
    size_t count = json_is_string(value) ? 1 : json_array_size(value);

    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_is_string(value) ? value : json_array_get(value, i);
        struct slice id = {json_string_value(item), json_string_length(item)};

        good = good && tenant_id_valid(id);
        buf_adds(&out, i ? " " : "");
        buf_add_slice(&out, id);
    }
    if (!good || out.failed) {
        buf_fini(&out);
        return false;
    }
    *tenants = buf_steal(&out);
    return true;
}

static enum err
read_claims(const json_t *claims, const struct jwt_rules *rules, struct jwt_claims *out,
            struct fault *f)
{
    const char *issuer = json_string_value(json_object_get(claims, "iss"));
    enum err err;

    if (!issuer || strcmp(issuer, rules->issuer) != 0) {
        return fault_set(f, E_UNAUTHORIZED, "the token is not from the issuer of this server");
    }
    if (!names_audience(json_object_get(claims, "aud"), rules->audience)) {
        return fault_set(f, E_UNAUTHORIZED, "the token is not for this server");
    }
    err = check_times(claims, rules, &out->expires_s, f);
    if (err) {
        return err;
    }
    out->subject = take_name(claims, "sub");
    if (!out->subject) {
        return fault_set(f, E_UNAUTHORIZED, "the token does not say whose it is");
    }
    out->client = take_name(claims, "client_id");
    out->client = out->client ? out->client : take_name(claims, "azp");
    if (!take_scopes(claims, &out->scopes)) {
        return fault_set(f, E_UNAUTHORIZED, "the scopes of the token are none, or too many");
    }
    if (rules->tenants && !take_tenants(json_object_get(claims, rules->tenants), &out->tenants)) {
        return fault_set(f, E_UNAUTHORIZED, "the token does not say of which tenant it is");
    }
    return E_OK;
}

enum err
jwt_verify(struct slice token, const struct jwk_set *keys, const struct jwt_rules *rules,
           struct jwt_claims *claims, struct fault *f)
{
    json_t *header = NULL, *body = NULL;
    const struct jwk *key = NULL;
    enum jwt_alg alg = JWT_ALG_COUNT;
    struct parts parts;
    enum err err;

    memset(claims, 0, sizeof *claims);
    if (token.len > JWT_BYTES_MAX || !split(token, &parts)) {
        return fault_set(f, E_UNAUTHORIZED, "the token is not three parts with dots between them");
    }
    header = load_part(parts.header);
    if (!header) {
        return fault_set(f, E_UNAUTHORIZED, "the header of the token cannot be read");
    }
    err = read_header(header, keys, &alg, &key, f);
    if (!err && !signature_holds(&parts, alg, key->key)) {
        err = fault_set(f, E_UNAUTHORIZED, "the signature of the token does not hold");
    }
    if (!err) {
        body = load_part(parts.claims);
        err = body ? read_claims(body, rules, claims, f)
                   : fault_set(f, E_UNAUTHORIZED, "the claims of the token cannot be read");
    }
    if (err) {
        jwt_claims_fini(claims);
    }
    json_decref(header);
    json_decref(body);
    return err;
}

void
jwt_claims_fini(struct jwt_claims *claims)
{
    free(claims->subject);
    free(claims->client);
    free(claims->scopes);
    free(claims->tenants);
    memset(claims, 0, sizeof *claims);
}
