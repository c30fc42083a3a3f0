/* test_gate_corpus.c -- what fuzz_gate.c asks of any bytes, asked of its corpus and of the hostile
 * inputs. */
#include "tests/fuzz/fuzz_gate.c"

#include "tests/corpus.h"

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

int
main(void)
{
    static const struct corpus_set sets[] = {
        {CORPUS_FILES, "yaml", 301, replay_as_each},
        {CORPUS_FILES, "json", 301, replay_as_each},
        {CORPUS_LINES, "own/utf8.jsonl", 1, replay_as_each},
        {CORPUS_END},
    };

    return corpus_run(&(struct corpus){"gate", 9, LLVMFuzzerTestOneInput, NULL, sets});
}
