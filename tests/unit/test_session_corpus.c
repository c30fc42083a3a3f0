/* test_session_corpus.c -- what fuzz_session.c asks of any bytes, asked of its corpus and of the
 * hostile inputs. */
#include "tests/fuzz/fuzz_session.c"

#include "tests/check.h"
#include "tests/hostile.h"

static void
corpus_holds(void **state)
{
    (void)state;
    CHECK(hostile_corpus("session", LLVMFuzzerTestOneInput) >= 9);
}

static void
hostile_inputs_hold(void **state)
{
    hostile_target *one = LLVMFuzzerTestOneInput;

    (void)state;
    CHECK(hostile_files("json", hostile_replay, &one) > 300);
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
