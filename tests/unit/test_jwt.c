/* test_jwt.c -- good tokens of each algorithm pass; forged, old, foreign and broken ones do not. */
#include "tests/check.h"

#include "state/jwt.h"
#include "tests/tokens.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

static struct signer signers[JWT_ALG_COUNT], stranger;
static struct jwk_set *keys;

static const struct jwt_rules rules = {.issuer = TOKEN_ISSUER,
                                       .audience = TOKEN_AUDIENCE,
                                       .now_s = TOKEN_NOW,
                                       .skew_s = 30};

static int
make_keys(void **state)
{
    static const char *const kids[] = {"rs", "ps", "e2", "e3", "ed"};
    char *text;

    (void)state;
    for (int i = 0; i < JWT_ALG_COUNT; i++) {
        signer_init(&signers[i], (enum jwt_alg)i, kids[i]);
    }
    signer_init(&stranger, JWT_ES256, "e2");
    text = signers_jwks(signers, JWT_ALG_COUNT);
    CHECK(jwk_set_parse(slice_of(text), &keys, NULL) == E_OK);
    free(text);
    return 0;
}

static int
free_keys(void **state)
{
    (void)state;
    for (int i = 0; i < JWT_ALG_COUNT; i++) {
        signer_fini(&signers[i]);
    }
    signer_fini(&stranger);
    jwk_set_unref(keys);
    return 0;
}

/* What is said of a token, which is stolen. */
static enum err
verdict(char *token)
{
    struct fault f = FAULT_INIT;
    struct jwt_claims claims;
    enum err err = jwt_verify(slice_of(token), keys, &rules, &claims, &f);

    if (err) {
        /* The text can stand between quotes in a header, and has nothing of the token in it. */
        CHECK(f.text[0] && !strpbrk(f.text, "\"\\"));
        CHECK(!claims.subject && !claims.scopes && !claims.client);
    }
    jwt_claims_fini(&claims);
    free(token);
    return err;
}

#define REFUSED(TOKEN) CHECK_INT(verdict(TOKEN), E_UNAUTHORIZED)
#define ES256 (&signers[JWT_ES256])
#define HEADER "{\"alg\":\"ES256\",\"kid\":\"e2\"}"
#define CLAIMS_WITHOUT_TIME \
    "\"iss\":\"" TOKEN_ISSUER "\",\"aud\":\"" TOKEN_AUDIENCE "\",\"sub\":\"alice\""
#define CLAIMS "{" CLAIMS_WITHOUT_TIME ",\"exp\":1800000300}"

/* Well signed, with these claims beside iss, aud and sub. */
static char *
with_claims(const char *more)
{
    char *claims = xasprintf("{" CLAIMS_WITHOUT_TIME "%s}", more);
    char *token = token_of(ES256, HEADER, claims);

    free(claims);
    return token;
}

static void
good_tokens_of_each_algorithm_pass(void **state)
{
    (void)state;
    for (int i = 0; i < JWT_ALG_COUNT; i++) {
        char *token = token_good(&signers[i], ",\"scope\":\"a  b\",\"client_id\":\"ide\"");
        struct jwt_claims claims;

        CHECK(jwt_verify(slice_of(token), keys, &rules, &claims, NULL) == E_OK);
        CHECK_STR(claims.subject, "alice");
        CHECK_STR(claims.client, "ide");
        CHECK_STR(claims.scopes, "a b");
        CHECK(claims.expires_s == TOKEN_NOW + 300);
        jwt_claims_fini(&claims);
        free(token);
    }
}

/* ---- Headers ---- */

static void
algorithms_are_those_of_the_list(void **state)
{
    static const char *const headers[] = {
        "{\"alg\":\"none\"}",
        "{\"alg\":\"None\",\"kid\":\"e2\"}",
        "{\"alg\":\"HS256\",\"kid\":\"e2\"}",
        "{\"alg\":\"HS384\",\"kid\":\"rs\"}",
        "{\"alg\":\"ES512\",\"kid\":\"e2\"}",
        "{\"alg\":\"RS1\",\"kid\":\"rs\"}",
        "{\"alg\":\"es256\",\"kid\":\"e2\"}",
        "{\"alg\":5,\"kid\":\"e2\"}",
        "{\"alg\":[\"ES256\"],\"kid\":\"e2\"}",
        "{\"kid\":\"e2\"}",
        "[]",
        "\"ES256\"",
        "{\"alg\":\"ES256\",\"alg\":\"ES256\",\"kid\":\"e2\"}",
        "{\"alg\":\"ES256\",\"kid\":\"e2\",\"crit\":[\"exp\"],\"exp\":1}",
        "{\"alg\":\"ES256\",\"kid\":\"e2\",\"crit\":[]}",
        "{\"alg\":\"ES256\",\"kid\":\"e2\",\"typ\":\"logout+jwt\"}",
        "{\"alg\":\"ES256\",\"kid\":\"e2\",\"typ\":3}",
        "{\"alg\":\"ES256\",\"kid\":7}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        REFUSED(token_of(ES256, headers[i], CLAIMS));
        REFUSED(token_with(headers[i], CLAIMS, "AA"));
    }
    REFUSED(token_with("{\"alg\":\"none\"}", CLAIMS, ""));
}

static void
the_algorithm_must_fit_the_key(void **state)
{
    (void)state;
    CHECK_INT(verdict(token_of(ES256, "{\"alg\":\"ES256\",\"kid\":\"rs\"}", CLAIMS)), E_NOT_FOUND);
    CHECK_INT(verdict(token_of(&signers[JWT_RS256], "{\"alg\":\"RS256\",\"kid\":\"e2\"}", CLAIMS)),
              E_NOT_FOUND);
    CHECK_INT(verdict(token_of(ES256, "{\"alg\":\"ES384\",\"kid\":\"e2\"}", CLAIMS)), E_NOT_FOUND);
    CHECK_INT(verdict(token_of(ES256, "{\"alg\":\"EdDSA\",\"kid\":\"e2\"}", CLAIMS)), E_NOT_FOUND);
    /* One way of RSA is not the other. */
    REFUSED(token_of(&signers[JWT_RS256], "{\"alg\":\"PS256\",\"kid\":\"rs\"}", CLAIMS));
    REFUSED(token_of(&signers[JWT_PS256], "{\"alg\":\"RS256\",\"kid\":\"ps\"}", CLAIMS));
}

/* The public key is no secret: what is signed with it as one is not signed. */
static void
a_public_key_is_no_secret(void **state)
{
    char *jwk = signer_jwk(&signers[JWT_RS256], "");
    char *input = token_with("{\"alg\":\"HS256\",\"kid\":\"rs\"}", CLAIMS, NULL);
    unsigned char mac[32];
    unsigned len = sizeof mac;
    char *signature;

    (void)state;
    HMAC(EVP_sha256(), jwk, (int)strlen(jwk), (unsigned char *)input, strlen(input), mac, &len);
    signature = text_base64url((struct slice){(char *)mac, len});
    REFUSED(token_with("{\"alg\":\"HS256\",\"kid\":\"rs\"}", CLAIMS, signature));
    REFUSED(token_with("{\"alg\":\"RS256\",\"kid\":\"rs\"}", CLAIMS, signature));
    free(signature);
    free(input);
    free(jwk);
}

static void
keys_that_a_token_brings_are_not_looked_at(void **state)
{
    char *jwk = signer_jwk(&stranger, ""), *header;

    (void)state;
    header = xasprintf("{\"alg\":\"ES256\",\"kid\":\"e2\",\"jwk\":%s}", jwk);
    REFUSED(token_of(&stranger, header, CLAIMS));
    CHECK_INT(verdict(token_of(ES256, header, CLAIMS)), E_OK); /* It is ours, whatever it says. */
    free(header);
    header = xasprintf("{\"alg\":\"ES256\",\"jwk\":%s}", jwk);
    REFUSED(token_of(&stranger, header, CLAIMS));
    free(header);
    free(jwk);
    CHECK_INT(verdict(token_of(&stranger,
                               "{\"alg\":\"ES256\",\"kid\":\"x\",\"jku\":\"https://evil/\","
                               "\"x5u\":\"https://evil/\",\"x5c\":[\"AA\"]}",
                               CLAIMS)),
              E_NOT_FOUND);
}

static void
types_are_those_of_access_tokens(void **state)
{
    (void)state;
    CHECK_INT(
        verdict(token_of(ES256, "{\"alg\":\"ES256\",\"kid\":\"e2\",\"typ\":\"JWT\"}", CLAIMS)),
        E_OK);
    CHECK_INT(
        verdict(token_of(ES256, "{\"alg\":\"ES256\",\"typ\":\"application/AT+JWT\"}", CLAIMS)),
        E_OK);
}

/* ---- Signatures ---- */

static void
a_strangers_signature_does_not_hold(void **state)
{
    (void)state;
    REFUSED(token_good(&stranger, ""));
    REFUSED(token_of(&stranger, HEADER, CLAIMS));
}

/* One character changed anywhere makes a bad token of a good one. */
static void
every_character_counts(void **state)
{
    for (int i = JWT_ES256; i < JWT_ALG_COUNT; i++) {
        char *token = token_good(&signers[i], "");
        size_t len = strlen(token);

        (void)state;
        for (size_t at = 0; at < len; at += 3) {
            char *forged = xstrdup(token);

            forged[at] = forged[at] == 'A' ? 'B' : 'A';
            CHECK(verdict(forged) != E_OK);
        }
        for (size_t cut = 0; cut < len; cut += 7) {
            CHECK(verdict(xstrndup(token, cut)) != E_OK);
        }
        free(token);
    }
}

static void
signatures_have_one_length(void **state)
{
    for (int i = 0; i < JWT_ALG_COUNT; i++) {
        char *token = token_good(&signers[i], ""), *dot = strrchr(token, '.');
        size_t len = strlen(token);

        (void)state;
        REFUSED(xstrndup(token, len - 1));
        REFUSED(xstrndup(token, len - 4));
        REFUSED(xstrndup(token, (size_t)(dot - token)));
        REFUSED(xstrndup(token, (size_t)(dot - token) + 1));
        REFUSED(xasprintf("%sAAAA", token));
        REFUSED(xasprintf("%s=", token));
        REFUSED(xasprintf("%s.", token));
        REFUSED(xasprintf("%s.AA", token));
        REFUSED(xasprintf(".%s", token));
        free(token);
    }
}

/* What once ran over another server's buffer: the signature of an ES256 token of that length. */
static void
a_huge_signature_is_not_even_decoded(void **state)
{
    char *token = token_good(ES256, ""), *dot = strrchr(token, '.');
    struct buf huge = BUF_INIT;

    (void)state;
    for (size_t length = 15000; length <= 21830; length += 6830) {
        buf_reset(&huge);
        buf_add(&huge, token, (size_t)(dot - token) + 1);
        for (size_t i = 0; i < length; i++) {
            buf_addc(&huge, 'A');
        }
        REFUSED(buf_steal(&huge));
    }
    free(token);
}

static void
signatures_of_zeros_do_not_hold(void **state)
{
    static const int algs[][2] = {{JWT_ES256, 64}, {JWT_ES384, 96}, {JWT_EDDSA, 64}};
    static const char *const headers[] = {HEADER, "{\"alg\":\"ES384\",\"kid\":\"e3\"}",
                                          "{\"alg\":\"EdDSA\",\"kid\":\"ed\"}"};

    (void)state;
    for (int i = 0; i < 3; i++) {
        char bytes[96] = "";
        char *signature = text_base64url((struct slice){bytes, (size_t)algs[i][1]});

        REFUSED(token_with(headers[i], CLAIMS, signature));
        free(signature);
        bytes[algs[i][1] / 2 - 1] = 1; /* r is 1, s is 0; then the other way round. */
        signature = text_base64url((struct slice){bytes, (size_t)algs[i][1]});
        REFUSED(token_with(headers[i], CLAIMS, signature));
        free(signature);
        bytes[algs[i][1] / 2 - 1] = 0;
        bytes[algs[i][1] - 1] = 1;
        signature = text_base64url((struct slice){bytes, (size_t)algs[i][1]});
        REFUSED(token_with(headers[i], CLAIMS, signature));
        free(signature);
        memset(bytes, 0xFF, sizeof bytes); /* Above the order of the group. */
        signature = text_base64url((struct slice){bytes, (size_t)algs[i][1]});
        REFUSED(token_with(headers[i], CLAIMS, signature));
        free(signature);
    }
}

static void
base64_is_strict(void **state)
{
    char *token = token_good(ES256, ""), *first = strchr(token, '.');

    (void)state;
    REFUSED(xasprintf("%.*s=%s", (int)(first - token), token, first));
    REFUSED(xasprintf("%.*s %s", (int)(first - token), token, first));
    REFUSED(xasprintf("+%s", token + 1));
    REFUSED(xasprintf(" %s", token));
    free(token);
    REFUSED(xstrdup(""));
    REFUSED(xstrdup("."));
    REFUSED(xstrdup(".."));
    REFUSED(xstrdup("a.b.c"));
    REFUSED(xstrdup("e30.e30.e30"));
}

/* ---- Claims ---- */

static void
issuer_and_audience_must_be_ours(void **state)
{
    static const char *const good[] = {
        "\"" TOKEN_AUDIENCE "\"",
        "[\"" TOKEN_AUDIENCE "\"]",
        "[\"other\",1,null,\"" TOKEN_AUDIENCE "\"]",
    };
    static const char *const bad[] = {
        "\"" TOKEN_AUDIENCE "/\"",
        "\"https://tandem.example.com\"",
        "\"HTTPS://TANDEM.example.com/mcp\"",
        "\"\"",
        "[]",
        "null",
        "[[\"" TOKEN_AUDIENCE "\"]]",
        "{\"" TOKEN_AUDIENCE "\":1}",
        "\"" TOKEN_AUDIENCE " other\"",
    };
    static const char *const issuers[] = {"\"" TOKEN_ISSUER "/\"", "\"https://evil.example\"",
                                          "null", "[\"" TOKEN_ISSUER "\"]", "\"\""};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0] + sizeof bad / sizeof bad[0]; i++) {
        bool is_good = i < sizeof good / sizeof good[0];
        const char *aud = is_good ? good[i] : bad[i - sizeof good / sizeof good[0]];
        char *claims = xasprintf("{\"iss\":\"" TOKEN_ISSUER "\",\"sub\":\"a\",\"aud\":%s,"
                                 "\"exp\":1800000300}",
                                 aud);

        CHECK_INT(verdict(token_of(ES256, HEADER, claims)), is_good ? E_OK : E_UNAUTHORIZED);
        free(claims);
    }
    for (size_t i = 0; i < sizeof issuers / sizeof issuers[0]; i++) {
        char *claims = xasprintf("{\"iss\":%s,\"sub\":\"a\",\"aud\":\"" TOKEN_AUDIENCE
                                 "\",\"exp\":1800000300}",
                                 issuers[i]);

        REFUSED(token_of(ES256, HEADER, claims));
        free(claims);
    }
    REFUSED(token_of(ES256, HEADER, "{\"sub\":\"a\",\"exp\":1800000300}"));
    REFUSED(token_of(ES256, HEADER,
                     "{\"iss\":\"" TOKEN_ISSUER "\",\"sub\":\"a\","
                     "\"exp\":1800000300}")); /* Without audience. */
}

static void
times_have_edges(void **state)
{
    static const struct {
        const char *claims;
        enum err err;
    } cases[] = {
        {"", E_UNAUTHORIZED},
        {",\"exp\":1799999971", E_OK}, /* 29 s ago, clocks may be 30 s apart. */
        {",\"exp\":1799999970", E_UNAUTHORIZED},
        {",\"exp\":1799999970.5", E_OK},
        {",\"exp\":0", E_UNAUTHORIZED},
        {",\"exp\":-5", E_UNAUTHORIZED},
        {",\"exp\":\"1800000300\"", E_UNAUTHORIZED},
        {",\"exp\":null", E_UNAUTHORIZED},
        {",\"exp\":1e300", E_OK},
        {",\"exp\":9223372036854775807", E_OK},
        {",\"exp\":1e999", E_UNAUTHORIZED},
        {",\"exp\":1800000300,\"nbf\":1800000030", E_OK},
        {",\"exp\":1800000300,\"nbf\":1800000031", E_UNAUTHORIZED},
        {",\"exp\":1800000300,\"nbf\":\"x\"", E_UNAUTHORIZED},
        {",\"exp\":1800000300,\"iat\":1800000031", E_UNAUTHORIZED},
        {",\"exp\":1800000300,\"iat\":1800000030", E_OK},
        {",\"exp\":1800000300,\"iat\":true", E_UNAUTHORIZED},
        {",\"exp\":1800000300,\"exp\":1", E_UNAUTHORIZED}, /* Twice. */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_INT(verdict(with_claims(cases[i].claims)), cases[i].err);
    }
}

static void
somebody_must_be_meant(void **state)
{
    static const char *const subjects[] = {"null", "\"\"", "5", "[\"a\"]", "\"a\\u0000b\""};
    struct buf name = BUF_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) {
        char *claims = xasprintf("{\"iss\":\"" TOKEN_ISSUER "\",\"aud\":\"" TOKEN_AUDIENCE
                                 "\",\"sub\":%s,\"exp\":1800000300}",
                                 subjects[i]);

        REFUSED(token_of(ES256, HEADER, claims));
        free(claims);
    }
    buf_adds(&name, "{\"iss\":\"" TOKEN_ISSUER "\",\"aud\":\"" TOKEN_AUDIENCE "\",\"sub\":\"");
    for (int i = 0; i < JWT_NAME_MAX + 1; i++) {
        buf_addc(&name, 'x');
    }
    buf_adds(&name, "\",\"exp\":1800000300}");
    REFUSED(token_of(ES256, HEADER, name.data));
    buf_fini(&name);
}

/* Checks the scopes and the client of a good token with 'more' claims. */
static void
check_claims(const char *more, const char *scopes, const char *client)
{
    char *token = token_good(ES256, more);
    struct jwt_claims claims;

    CHECK(jwt_verify(slice_of(token), keys, &rules, &claims, NULL) == E_OK);
    CHECK_STR(claims.scopes, scopes);
    CHECK(client ? claims.client && strcmp(claims.client, client) == 0 : !claims.client);
    jwt_claims_fini(&claims);
    free(token);
}

/* What a good token with 'more' claims says of its tenants, by the claim "org"; null: it is
 * refused.
 */
static void
check_tenants(const char *more, const char *tenants)
{
    struct jwt_rules wanted = rules;
    char *token = token_good(ES256, more);
    struct jwt_claims claims;
    struct fault f = FAULT_INIT;
    enum err err;

    wanted.tenants = "org";
    err = jwt_verify(slice_of(token), keys, &wanted, &claims, &f);
    CHECK_INT(err, tenants ? E_OK : E_UNAUTHORIZED);
    CHECK_STR(claims.tenants ? claims.tenants : "", tenants ? tenants : "");
    jwt_claims_fini(&claims);
    free(token);
}

static void
tenants_are_named_by_a_claim(void **state)
{
    (void)state;
    check_tenants(",\"org\":\"acme\"", "acme");
    check_tenants(",\"org\":[\"acme\",\"beta-2\"]", "acme beta-2");
    check_tenants("", NULL); /* Who does not say is of none, and not of all. */
    check_tenants(",\"org\":\"\"", NULL);
    check_tenants(",\"org\":[]", NULL);
    check_tenants(",\"org\":\"acme beta\"", NULL);
    check_tenants(",\"org\":[\"acme\",\"../x\"]", NULL);
    check_tenants(",\"org\":[\"acme\",7]", NULL);
    check_tenants(",\"org\":{\"acme\":1}", NULL);
    check_tenants(",\"org\":null", NULL);
}

static void
scopes_come_in_two_ways(void **state)
{
    struct buf many = BUF_INIT;

    (void)state;
    check_claims("", "", NULL);
    check_claims(",\"scope\":\"\"", "", NULL);
    check_claims(",\"scope\":\" b a \"", "b a", NULL);
    check_claims(",\"scp\":\"b a\"", "b a", NULL);
    check_claims(",\"scp\":[\"b\",\"a c\"],\"azp\":\"app\"", "b a c", "app");
    check_claims(",\"scope\":\"x\",\"scp\":[\"tandem:write\"],\"client_id\":\"c\",\"azp\":\"z\"",
                 "x", "c");
    REFUSED(token_good(ES256, ",\"scope\":5"));
    REFUSED(token_good(ES256, ",\"scp\":[1]"));
    REFUSED(token_good(ES256, ",\"scope\":{}"));
    buf_adds(&many, ",\"scope\":\"");
    for (int i = 0; i < JWT_SCOPES_MAX; i++) {
        buf_addc(&many, 'x');
    }
    buf_adds(&many, "y\"");
    REFUSED(token_good(ES256, many.data));
    buf_fini(&many);
}

static void
odd_claims_are_refused(void **state)
{
    struct buf deep = BUF_INIT;

    (void)state;
    REFUSED(token_of(ES256, HEADER, "[]"));
    REFUSED(token_of(ES256, HEADER, "{"));
    REFUSED(token_of(ES256, HEADER, "null"));
    REFUSED(token_of(ES256, HEADER, CLAIMS "x"));
    REFUSED(token_of(ES256, HEADER,
                     "{" CLAIMS_WITHOUT_TIME ",\"exp\":1800000300,"
                     "\"aud\":\"other\"}"));
    REFUSED(with_claims(",\"exp\":1800000300,\"x\":\"\x80\""));
    buf_adds(&deep, ",\"exp\":1800000300,\"x\":");
    for (int i = 0; i < 3000; i++) {
        buf_addc(&deep, '[');
    }
    REFUSED(with_claims(deep.data));
    buf_fini(&deep);
}

static void
a_token_without_name_of_a_key_needs_one_that_fits(void **state)
{
    (void)state;
    CHECK_INT(verdict(token_of(ES256, "{\"alg\":\"ES256\"}", CLAIMS)), E_OK);
    CHECK_INT(verdict(token_of(&signers[JWT_RS256], "{\"alg\":\"RS256\"}", CLAIMS)), E_NOT_FOUND);
    CHECK_INT(verdict(token_of(ES256, "{\"alg\":\"ES256\",\"kid\":\"new\"}", CLAIMS)), E_NOT_FOUND);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_tokens_of_each_algorithm_pass),
        cmocka_unit_test(algorithms_are_those_of_the_list),
        cmocka_unit_test(the_algorithm_must_fit_the_key),
        cmocka_unit_test(a_public_key_is_no_secret),
        cmocka_unit_test(keys_that_a_token_brings_are_not_looked_at),
        cmocka_unit_test(types_are_those_of_access_tokens),
        cmocka_unit_test(a_strangers_signature_does_not_hold),
        cmocka_unit_test(every_character_counts),
        cmocka_unit_test(signatures_have_one_length),
        cmocka_unit_test(a_huge_signature_is_not_even_decoded),
        cmocka_unit_test(signatures_of_zeros_do_not_hold),
        cmocka_unit_test(base64_is_strict),
        cmocka_unit_test(issuer_and_audience_must_be_ours),
        cmocka_unit_test(times_have_edges),
        cmocka_unit_test(somebody_must_be_meant),
        cmocka_unit_test(tenants_are_named_by_a_claim),
        cmocka_unit_test(scopes_come_in_two_ways),
        cmocka_unit_test(odd_claims_are_refused),
        cmocka_unit_test(a_token_without_name_of_a_key_needs_one_that_fits),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
