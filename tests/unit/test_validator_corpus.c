/* test_validator_corpus.c -- what fuzz_validator.c asks of any bytes, asked of its corpus, and of
 * the hostile inputs as evidence. */
#include "tests/fuzz/fuzz_validator.c"

#include "tests/check.h"
#include "tests/hostile.h"

static void
corpus_holds(void **state)
{
    (void)state;
    CHECK(hostile_corpus("validator", LLVMFuzzerTestOneInput) >= 40);
}

/* Each text as what an expression, and a pattern, is to judge. */
static void
replay_as_evidence(const struct hostile_case *c, void *arg)
{
    static const char *const judges[] = {
        "elambda v: len(v) > 0 and v == v and sorted(str(v)) and v[0] in v",
        "elambda v: yaml.safe_load(str(v)) or [x for x in v if not isinstance(x, dict)]",
        "vcontains_any\0{\"patterns\":[\"a\",\"\xC3\xA9\"]}",
        "vnon_empty\0",
    };

    (void)arg;
    for (size_t i = 0; i < sizeof judges / sizeof *judges; i++) {
        struct buf input = BUF_INIT;

        buf_adds(&input, judges[i]);
        buf_addc(&input, '\0');
        if (judges[i][0] == 'v') {
            buf_adds(&input, judges[i] + strlen(judges[i]) + 1);
            buf_addc(&input, '\0');
        }
        buf_add_slice(&input, c->bytes);
        LLVMFuzzerTestOneInput((const uint8_t *)input.data, input.len);
        buf_fini(&input);
    }
}

static void
hostile_inputs_hold(void **state)
{
    (void)state;
    CHECK(hostile_files("json", replay_as_evidence, NULL) > 300);
    CHECK(hostile_files("json-transform", replay_as_evidence, NULL) > 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corpus_holds),
        cmocka_unit_test(hostile_inputs_hold),
    };
    return CHECK_RUN(tests);
}
