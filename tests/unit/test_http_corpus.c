/* test_http_corpus.c -- what fuzz_http.c asks of any bytes, asked of its corpus and of the hostile
 * inputs. */
#include "tests/fuzz/fuzz_http.c"

#include "tests/check.h"
#include "tests/hostile.h"

static void
corpus_holds(void **state)
{
    (void)state;
    CHECK(hostile_corpus("http", LLVMFuzzerTestOneInput) >= 10);
}

static void
hostile_inputs_hold(void **state)
{
    hostile_target *one = LLVMFuzzerTestOneInput;

    (void)state;
    CHECK(hostile_lines("own/http.jsonl", hostile_replay, &one) > 140);
    CHECK(hostile_lines("http/llhttp-requests.jsonl", hostile_replay, &one) > 160);
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
