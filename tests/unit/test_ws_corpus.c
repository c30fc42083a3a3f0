/* test_ws_corpus.c -- what fuzz_ws.c asks of any bytes, asked of its corpus and of the hostile
 * inputs. */
#include "tests/fuzz/fuzz_ws.c"

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
    CHECK(hostile_files("../../fuzz/corpus/ws", replay, NULL) >= 20);
}

static void
hostile_inputs_hold(void **state)
{
    (void)state;
    CHECK(hostile_lines("own/ws.jsonl", replay, NULL) > 0);
    CHECK(hostile_lines("own/http.jsonl", replay, NULL) > 0);
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
