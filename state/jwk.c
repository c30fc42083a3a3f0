/* jwk.c -- keys out of JSON, checked once so that nothing has to be when tokens come. */
#include "state/jwk.h"

#include "state/base/base64url.h"
#include "state/json_bounded.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#define BIT(ALG) (1u << JWT_##ALG)
#define COORDINATE_MAX 48                  /* Bytes; of P-384. */
#define MODULUS_MAX (JWK_RSA_BITS_MAX / 8) /* Bytes. */
#define EXPONENT_MAX 8

static const char *const alg_names[JWT_ALG_COUNT] = {
#define ROW(NAME, TEXT) [JWT_##NAME] = TEXT,
    JWT_ALGS(ROW)
#undef ROW
};

int
jwt_alg_find(const char *name)
{
    for (int i = 0; i < JWT_ALG_COUNT; i++) {
        if (strcmp(name, alg_names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

/* ---- Numbers and points ---- */

/* Decodes the member 'name', at most 'max' bytes of it, into 'out'. */
static bool
take_bytes(const json_t *jwk, const char *name, size_t max, struct buf *out)
{
    const char *text = json_string_value(json_object_get(jwk, name));

    out->limit = max;
    return text && base64url_decode(slice_of(text), out) && out->len > 0;
}

static BIGNUM *
take_number(const json_t *jwk, const char *name, size_t max)
{
    struct buf bytes = BUF_INIT;
    BIGNUM *number = NULL;

    if (take_bytes(jwk, name, max, &bytes)) {
        number = BN_bin2bn((const unsigned char *)bytes.data, (int)bytes.len, NULL);
    }
    buf_fini(&bytes);
    return number;
}

/* A new public key of that type from its numbers; null if it is none. */
static EVP_PKEY *
key_from(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    if (!ctx || !params || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        key = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    return key;
}

/* A modulus of enough bits and an exponent that is no joke. */
static EVP_PKEY *
take_rsa(const json_t *jwk)
{
    BIGNUM *n = take_number(jwk, "n", MODULUS_MAX), *e = take_number(jwk, "e", EXPONENT_MAX);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = NULL;

    if (n && e && build && BN_num_bits(n) >= JWK_RSA_BITS_MIN &&
        BN_num_bits(n) <= JWK_RSA_BITS_MAX && BN_is_odd(n) && BN_is_odd(e) && !BN_is_one(e) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1) {
        params = OSSL_PARAM_BLD_to_param(build);
        key = key_from("RSA", params);
    }
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);
    return key;
}

/* Whether the point lies on its curve. */
static bool
is_on_curve(EVP_PKEY *key)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    bool good = ctx && EVP_PKEY_public_check(ctx) == 1;

    EVP_PKEY_CTX_free(ctx);
    return good;
}

static EVP_PKEY *
take_ec(const json_t *jwk, const char *group, size_t size)
{
    unsigned char point[1 + 2 * COORDINATE_MAX] = {0x04}; /* Uncompressed. */
    char name[32];
    struct buf x = BUF_INIT, y = BUF_INIT;
    EVP_PKEY *key = NULL;

    snprintf(name, sizeof name, "%s", group);
    if (take_bytes(jwk, "x", size, &x) && take_bytes(jwk, "y", size, &y) && x.len == size &&
        y.len == size) {
        OSSL_PARAM params[] = {
            OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, strlen(name)),
            OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size),
            OSSL_PARAM_END,
        };
        memcpy(point + 1, x.data, size);
        memcpy(point + 1 + size, y.data, size);
        key = key_from("EC", params);
    }
    if (key && !is_on_curve(key)) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    buf_fini(&x);
    buf_fini(&y);
    return key;
}

static EVP_PKEY *
take_ed25519(const json_t *jwk)
{
    struct buf x = BUF_INIT;
    EVP_PKEY *key = NULL;

    if (take_bytes(jwk, "x", 32, &x) && x.len == 32) {
        key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)x.data,
                                          x.len);
    }
    buf_fini(&x);
    return key;
}

/* ---- Keys ---- */

static bool
text_is(const json_t *jwk, const char *name, const char *want)
{
    const char *text = json_string_value(json_object_get(jwk, name));

    return text && strcmp(text, want) == 0;
}

/* Whether the key says, if anything, that it is for checking signatures. */
static bool
is_for_signatures(const json_t *jwk)
{
    const json_t *use = json_object_get(jwk, "use"), *ops = json_object_get(jwk, "key_ops"), *op;
    size_t i;

    if (use && !text_is(jwk, "use", "sig")) {
        return false;
    }
    json_array_foreach(ops, i, op) {
        if (json_is_string(op) && strcmp(json_string_value(op), "verify") == 0) {
            return true;
        }
    }
    return !ops;
}

/* What its type, and its curve, can have signed; fills in its key. */
static unsigned
take_key(const json_t *jwk, EVP_PKEY **key)
{
    *key = NULL;
    if (text_is(jwk, "kty", "RSA")) {
        *key = take_rsa(jwk);
        return BIT(RS256) | BIT(PS256);
    }
    if (text_is(jwk, "kty", "EC") && text_is(jwk, "crv", "P-256")) {
        *key = take_ec(jwk, "P-256", 32);
        return BIT(ES256);
    }
    if (text_is(jwk, "kty", "EC") && text_is(jwk, "crv", "P-384")) {
        *key = take_ec(jwk, "P-384", 48);
        return BIT(ES384);
    }
    if (text_is(jwk, "kty", "OKP") && text_is(jwk, "crv", "Ed25519")) {
        *key = take_ed25519(jwk);
        return BIT(EDDSA);
    }
    return 0;
}

/* Adds one key to the set; false if it is of no use. */
static bool
add_key(struct jwk_set *set, const json_t *jwk)
{
    const json_t *kid = json_object_get(jwk, "kid"), *alg = json_object_get(jwk, "alg");
    const char *name = json_string_value(alg);
    struct jwk *k = &set->keys[set->count];
    int named = name ? jwt_alg_find(name) : -1;

    if (set->count == JWK_KEYS_MAX || !is_for_signatures(jwk) || (alg && named < 0) ||
        (kid && (!json_is_string(kid) || json_string_length(kid) > JWK_KID_MAX))) {
        return false;
    }
    k->algs = take_key(jwk, &k->key);
    k->algs &= alg ? 1u << named : ~0u;
    if (!k->key || !k->algs) {
        EVP_PKEY_free(k->key);
        return false;
    }
    k->kid = kid ? xstrdup(json_string_value(kid)) : NULL;
    set->count++;
    return true;
}

enum err
jwk_set_parse(struct slice text, struct jwk_set **result, struct fault *f)
{
    static const struct json_bounds bounds = {.depth = 8, .values = 20000};
    json_t *root = text.len <= JWK_TEXT_MAX ? json_load_bounded(text, &bounds) : NULL;
    const json_t *keys = json_object_get(root, "keys"), *jwk;
    struct jwk_set *set = NULL;
    size_t i;

    *result = NULL;
    if (!json_is_array(keys)) {
        json_decref(root);
        return fault_set(f, E_ARGUMENT, "this is no JSON Web Key Set: {\"keys\":[...]}");
    }
    set = xcalloc(1, sizeof *set);
    atomic_init(&set->refs, 1);
    json_array_foreach(keys, i, jwk) {
        set->passed_over += !add_key(set, jwk);
    }
    json_decref(root);
    ERR_clear_error(); /* Of keys that were none. */
    if (!set->count) {
        jwk_set_unref(set);
        return fault_set(f, E_ARGUMENT,
                         "none of its keys is of use: RSA of %d bits or more, EC on P-256 or "
                         "P-384, or Ed25519, for signatures",
                         JWK_RSA_BITS_MIN);
    }
    *result = set;
    return E_OK;
}

struct jwk_set *
jwk_set_ref(struct jwk_set *set)
{
    atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    return set;
}

void
jwk_set_unref(struct jwk_set *set)
{
    if (set && atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) == 1) {
        for (size_t i = 0; i < set->count; i++) {
            free(set->keys[i].kid);
            EVP_PKEY_free(set->keys[i].key);
        }
        free(set);
    }
}

const struct jwk *
jwk_set_find(const struct jwk_set *set, const char *kid, enum jwt_alg alg)
{
    const struct jwk *found = NULL;

    for (size_t i = 0; i < set->count; i++) {
        const struct jwk *k = &set->keys[i];

        if (!(k->algs & 1u << alg) || (kid && (!k->kid || strcmp(kid, k->kid) != 0))) {
            continue;
        }
        if (kid) {
            return k;
        }
        if (found) {
            return NULL; /* The token has to say which. */
        }
        found = k;
    }
    return found;
}
