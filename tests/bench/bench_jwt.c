/* bench_jwt.c -- what a token costs: verified, with each algorithm; remembered; and forged.
 *
 * Tokens are verified on the transport's thread, so this is what one may hold up the others for.
 * "make bench-jwt" runs it. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "state/access.h"
#include "state/jwt.h"
#include "tests/tokens.h"

static const char *const names[JWT_ALG_COUNT] = {
#define ROW(NAME, TEXT) [JWT_##NAME] = TEXT,
    JWT_ALGS(ROW)
#undef ROW
};

static double
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* What is measured: either with these keys, or with 'access'. */
struct subject {
    struct slice token;
    const struct jwk_set *keys;
    struct access *access;
};

static bool
once(const struct subject *s)
{
    const struct jwt_rules rules = {TOKEN_ISSUER, TOKEN_AUDIENCE, TOKEN_NOW, 30};
    struct grant *grant = NULL;
    struct jwt_claims claims;
    bool good;

    if (s->access) {
        good = access_check(s->access, s->token, NULL, &grant, NULL) == ACCESS_GRANTED;
        grant_unref(grant);
    } else {
        good = jwt_verify(s->token, s->keys, &rules, &claims, NULL) == E_OK;
        jwt_claims_fini(&claims);
    }
    return good;
}

/* The best of several rounds, in ns a call; each takes about 20 ms. */
static double
measure(const struct subject *s, bool good)
{
    double best = 1e18;
    unsigned calls = 1;

    for (int round = 0; round < 12; round++) {
        double begin = now_ns(), spent;

        for (unsigned i = 0; i < calls; i++) {
            if (once(s) != good) {
                fprintf(stderr, "bench_jwt: a token was not judged as it should be\n");
                exit(1);
            }
        }
        spent = (now_ns() - begin) / calls;
        best = spent < best ? spent : best;
        calls = (unsigned)(2e7 / spent) + 1;
    }
    return best;
}

static int64_t
token_time(const struct clock *c)
{
    (void)c;
    return TOKEN_NOW * 1000000000;
}

/* The same token, from memory. */
static double
measure_remembered(const char *jwks, struct slice token)
{
    static const struct clock clock = {token_time, token_time};
    char path[] = "/tmp/tandem-bench-XXXXXX";
    int fd = mkstemp(path);
    const struct access_options options = {
        .keys = {path, &clock, 1000},
        .issuer = TOKEN_ISSUER,
        .audience = TOKEN_AUDIENCE,
        .clock = &clock,
    };
    struct subject s = {.token = token};
    double ns;

    if (fd < 0 || write(fd, jwks, strlen(jwks)) != (ssize_t)strlen(jwks) ||
        access_create(&options, &s.access, NULL) != E_OK) {
        fprintf(stderr, "bench_jwt: the keys could not be written and read\n");
        exit(1);
    }
    close(fd);
    unlink(path);
    ns = measure(&s, true);
    access_destroy(s.access);
    return ns;
}

int
main(void)
{
    for (int alg = 0; alg < JWT_ALG_COUNT; alg++) {
        struct signer signer, other;
        struct subject good = {.keys = NULL}, bad;
        struct jwk_set *keys;
        char *jwks, *token, *forged;
        double verified, refused, remembered;

        signer_init(&signer, (enum jwt_alg)alg, "key");
        signer_init(&other, (enum jwt_alg)alg, "key");
        jwks = signers_jwks(&signer, 1);
        token = token_good(&signer, ",\"scope\":\"tandem:read tandem:write\"");
        forged = token_good(&other, "");
        if (jwk_set_parse(slice_of(jwks), &keys, NULL) != E_OK) {
            return 1;
        }
        good = (struct subject){.token = slice_of(token), .keys = keys};
        bad = (struct subject){.token = slice_of(forged), .keys = keys};
        verified = measure(&good, true);
        refused = measure(&bad, false);
        remembered = measure_remembered(jwks, good.token);
        printf("%-6s %4zu bytes  verified %8.1f us   forged %8.1f us   remembered %6.2f us   "
               "ratio %6.1f\n",
               names[alg], good.token.len, verified / 1e3, refused / 1e3, remembered / 1e3,
               verified / remembered);
        jwk_set_unref(keys);
        signer_fini(&signer);
        signer_fini(&other);
        free(jwks);
        free(token);
        free(forged);
    }
    return 0;
}
