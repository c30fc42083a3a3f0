/* test_jwt_corpus.c -- what fuzz_jwt.c asks of any bytes, asked of its corpus and of the hostile
 * inputs. */
#include "tests/fuzz/fuzz_jwt.c"

#include "tests/check.h"
#include "tests/hostile.h"

/* The same bytes as claims, as header and as keys. */
static void
replay_as_all(const struct hostile_case *c, void *arg)
{
    struct buf bytes = BUF_INIT;

    (void)arg;
    for (const char *as = "CHK"; *as; as++) {
        buf_reset(&bytes);
        buf_addc(&bytes, *as);
        buf_add_slice(&bytes, c->bytes);
        LLVMFuzzerTestOneInput((const uint8_t *)bytes.data, bytes.len);
    }
    buf_fini(&bytes);
}

static void
corpus_holds(void **state)
{
    (void)state;
    CHECK(hostile_corpus("jwt", LLVMFuzzerTestOneInput) >= 9);
}

static void
hostile_inputs_hold(void **state)
{
    (void)state;
    CHECK(hostile_files("json", replay_as_all, NULL) > 300);
}

static int
free_key(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    jwk_set_unref(keys);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corpus_holds),
        cmocka_unit_test(hostile_inputs_hold),
    };
    return cmocka_run_group_tests(tests, NULL, free_key);
}
