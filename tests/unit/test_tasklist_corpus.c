/* test_tasklist_corpus.c -- what fuzz_tasklist.c asks of any bytes, asked of its corpus and of the
 * hostile inputs. */
#include "tests/fuzz/fuzz_tasklist.c"

#include "tests/check.h"
#include "tests/hostile.h"

static void
corpus_holds(void **state)
{
    (void)state;
    CHECK(hostile_corpus("tasklist", LLVMFuzzerTestOneInput) >= 7);
}

static void
hostile_inputs_hold(void **state)
{
    hostile_target *one = LLVMFuzzerTestOneInput;

    (void)state;
    CHECK(hostile_files("yaml", hostile_replay, &one) > 300);
    CHECK(hostile_files("utf8", hostile_replay, &one) > 0);
    CHECK(hostile_strings(hostile_replay, &one) > 500);
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
