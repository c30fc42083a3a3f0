/* test_gate_corpus.c -- what fuzz_gate.c asks of any bytes, asked of its corpus and of the hostile
 * inputs. */
#include "tests/fuzz/fuzz_gate.c"

#include "tests/check.h"
#include "tests/hostile.h"

/* The bytes as each of the things that one may be. */
static void
replay_as_each(const struct hostile_case *c, void *arg)
{
    (void)arg;
    as_gate(c->bytes);
    as_yaml(c->bytes);
    as_expression(c->bytes);
    as_pattern(c->bytes);
    as_phase(c->bytes);
}

static void
corpus_holds(void **state)
{
    (void)state;
    CHECK(hostile_corpus("gate", LLVMFuzzerTestOneInput) >= 9);
}

static void
hostile_inputs_hold(void **state)
{
    (void)state;
    CHECK(hostile_files("yaml", replay_as_each, NULL) > 300);
    CHECK(hostile_files("json", replay_as_each, NULL) > 300);
    CHECK(hostile_lines("own/utf8.jsonl", replay_as_each, NULL) > 0);
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
