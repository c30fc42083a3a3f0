/* test_jwk.c -- which keys are taken of a set, and what they may have signed. */
#include "tests/check.h"

#include "state/jwk.h"
#include "tests/tokens.h"

static struct signer signers[JWT_ALG_COUNT];

static int
make_keys(void **state)
{
    static const char *const kids[] = {"rs", "ps", "e2", "e3", "ed"};

    (void)state;
    for (int i = 0; i < JWT_ALG_COUNT; i++) {
        signer_init(&signers[i], (enum jwt_alg)i, kids[i]);
    }
    return 0;
}

static int
free_keys(void **state)
{
    (void)state;
    for (int i = 0; i < JWT_ALG_COUNT; i++) {
        signer_fini(&signers[i]);
    }
    return 0;
}

/* Parses a set of one key, its text stolen; null if it is of no use. */
static struct jwk_set *
set_of(char *jwk)
{
    char *text = xasprintf("{\"keys\":[%s]}", jwk);
    struct jwk_set *set = NULL;
    struct fault f = FAULT_INIT;

    CHECK((jwk_set_parse(slice_of(text), &set, &f) == E_OK) == (set != NULL));
    free(text);
    free(jwk);
    return set;
}

static bool
is_taken(char *jwk)
{
    struct jwk_set *set = set_of(jwk);
    bool taken = set && set->count == 1;

    jwk_set_unref(set);
    return taken;
}

static void
each_type_has_its_algorithms(void **state)
{
    char *text = signers_jwks(signers, JWT_ALG_COUNT);
    struct jwk_set *set;

    (void)state;
    CHECK(jwk_set_parse(slice_of(text), &set, NULL) == E_OK);
    CHECK(set->count == JWT_ALG_COUNT && set->passed_over == 0);
    for (int i = 0; i < JWT_ALG_COUNT; i++) {
        for (int alg = 0; alg < JWT_ALG_COUNT; alg++) {
            bool both_rsa = i <= JWT_PS256 && alg <= JWT_PS256;
            const struct jwk *k = jwk_set_find(set, signers[i].kid, (enum jwt_alg)alg);

            CHECK((k != NULL) == (i == alg || both_rsa));
        }
    }
    CHECK(!jwk_set_find(set, "other", JWT_ES256));
    CHECK(jwk_set_find(set, NULL, JWT_ES256) != NULL);
    CHECK(!jwk_set_find(set, NULL, JWT_RS256)); /* Two could be meant. */
    jwk_set_unref(jwk_set_ref(set));
    jwk_set_unref(set);
    free(text);
}

static void
a_key_says_what_it_is_for(void **state)
{
    struct jwk_set *set;

    (void)state;
    CHECK(is_taken(signer_jwk(&signers[JWT_ES256], ",\"use\":\"sig\"")));
    CHECK(is_taken(signer_jwk(&signers[JWT_ES256], ",\"key_ops\":[\"sign\",\"verify\"]")));
    CHECK(!is_taken(signer_jwk(&signers[JWT_ES256], ",\"use\":\"enc\"")));
    CHECK(!is_taken(signer_jwk(&signers[JWT_ES256], ",\"use\":1")));
    CHECK(!is_taken(signer_jwk(&signers[JWT_ES256], ",\"key_ops\":[\"encrypt\"]")));
    CHECK(!is_taken(signer_jwk(&signers[JWT_ES256], ",\"key_ops\":\"verify\"")));
    CHECK(!is_taken(signer_jwk(&signers[JWT_ES256], ",\"alg\":\"ES384\"")));
    CHECK(!is_taken(signer_jwk(&signers[JWT_RS256], ",\"alg\":\"RSA-OAEP\"")));
    CHECK(!is_taken(signer_jwk(&signers[JWT_RS256], ",\"alg\":7")));
    set = set_of(signer_jwk(&signers[JWT_RS256], ",\"alg\":\"PS256\""));
    CHECK(!jwk_set_find(set, "rs", JWT_RS256) && jwk_set_find(set, "rs", JWT_PS256));
    jwk_set_unref(set);
}

static void
weak_and_broken_keys_are_passed_over(void **state)
{
    static const char *const bad[] = {
        "{\"kty\":\"oct\",\"k\":\"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0\"}",
        "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"e\":\"AQAB\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AA\",\"y\":\"AA\"}",
        "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AA\",\"y\":\"AA\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}",
        /* Not on the curve. */
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\","
        "\"y\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"AA\"}",
        "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":"
        "\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA==\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}",
        "{\"kty\":1}",
        "{}",
        "7",
    };
    struct signer weak;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK(!is_taken(xstrdup(bad[i])));
    }
    signer_init_rsa(&weak, "weak", 1024);
    CHECK(!is_taken(signer_jwk(&weak, "")));
    signer_fini(&weak);
    CHECK(!is_taken(
        signer_jwk(&(struct signer){JWT_ES256, NULL, signers[JWT_ES256].key}, ",\"kid\":5")));
}

/* An exponent of one would make every number its own signature. */
static void
exponents_are_odd_and_more_than_one(void **state)
{
    char *jwk = signer_jwk(&signers[JWT_RS256], ""), *e = strstr(jwk, "\"AQAB\"");

    (void)state;
    CHECK(e != NULL);
    memcpy(e, "\"AQ\"  ", 6);
    CHECK(!is_taken(xstrdup(jwk)));
    memcpy(e, "\"Ag\"  ", 6);
    CHECK(!is_taken(xstrdup(jwk)));
    memcpy(e, "\"Aw\"  ", 6);
    CHECK(is_taken(xstrdup(jwk)));
    free(jwk);
}

static void
good_keys_stay_beside_bad_ones(void **state)
{
    char *good = signer_jwk(&signers[JWT_EDDSA], "");
    struct jwk_set *set = set_of(xasprintf("{\"kty\":\"oct\",\"k\":\"AA\"},%s,null", good));

    (void)state;
    CHECK(set && set->count == 1 && set->passed_over == 2);
    jwk_set_unref(set);
    free(good);
}

static void
a_set_is_bounded(void **state)
{
    struct buf text = BUF_INIT;
    struct jwk_set *set;
    char *jwk = signer_jwk(&signers[JWT_EDDSA], "");

    (void)state;
    buf_adds(&text, "{\"keys\":[");
    for (int i = 0; i < JWK_KEYS_MAX + 10; i++) {
        buf_addf(&text, "%s%s", i ? "," : "", jwk);
    }
    buf_adds(&text, "]}");
    CHECK(jwk_set_parse(buf_slice(&text), &set, NULL) == E_OK);
    CHECK(set->count == JWK_KEYS_MAX && set->passed_over == 10);
    jwk_set_unref(set);
    buf_reserve(&text, JWK_TEXT_MAX);
    memset(text.data + text.len, ' ', JWK_TEXT_MAX);
    text.len += JWK_TEXT_MAX;
    CHECK(jwk_set_parse(buf_slice(&text), &set, NULL) == E_ARGUMENT);
    buf_fini(&text);
    free(jwk);
}

static void
what_is_no_set_is_told(void **state)
{
    static const char *const bad[] = {
        "", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[]}", "<html>", "{\"keys\":[],\"keys\":[]}"};
    struct jwk_set *set;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct fault f = FAULT_INIT;

        CHECK(jwk_set_parse(slice_of(bad[i]), &set, &f) == E_ARGUMENT);
        CHECK(!set && f.text[0]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_has_its_algorithms),
        cmocka_unit_test(a_key_says_what_it_is_for),
        cmocka_unit_test(weak_and_broken_keys_are_passed_over),
        cmocka_unit_test(exponents_are_odd_and_more_than_one),
        cmocka_unit_test(good_keys_stay_beside_bad_ones),
        cmocka_unit_test(a_set_is_bounded),
        cmocka_unit_test(what_is_no_set_is_told),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
