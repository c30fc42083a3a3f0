/* test_validator_corpus.c -- what fuzz_validator.c asks of any bytes, asked of its corpus, and of
 * the hostile inputs as evidence. */
#include "tests/fuzz/fuzz_validator.c"

#include "tests/corpus.h"

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

int
main(void)
{
    static const struct corpus_set sets[] = {
        {CORPUS_FILES, "json", 301, replay_as_evidence},
        {CORPUS_FILES, "json-transform", 21, replay_as_evidence},
        {CORPUS_END},
    };

    return corpus_run(&(struct corpus){"validator", 40, LLVMFuzzerTestOneInput, NULL, sets});
}
