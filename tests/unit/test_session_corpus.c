/* test_session_corpus.c -- what fuzz_session.c asks of any bytes, asked of its corpus and of the
 * hostile inputs. */
#include "tests/fuzz/fuzz_session.c"

#include "tests/check.h"
#include "tests/hostile.h"

static void
replay(const struct hostile_case *c, void *arg)
{
    (void)arg;
    LLVMFuzzerTestOneInput((const uint8_t *)c->bytes.data, c->bytes.len);
}

static void
corpus_holds(void **state)
{
    (void)state;
    CHECK(hostile_files("../../fuzz/corpus/session", replay, NULL) >= 9);
}

static void
hostile_inputs_hold(void **state)
{
    (void)state;
    CHECK(hostile_files("json", replay, NULL) > 300);
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
