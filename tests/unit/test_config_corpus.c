/* test_config_corpus.c -- what fuzz_config.c asks of any bytes, asked of its corpus and of the
 * hostile inputs. */
#include "tests/fuzz/fuzz_config.c"

#include "tests/corpus.h"

int
main(void)
{
    static const struct corpus_set sets[] = {
        {CORPUS_FILES, "json", 301},
        {CORPUS_FILES, "json-transform", 21},
        {CORPUS_LINES, "own/json.jsonl", 1},
        {CORPUS_END},
    };

    return corpus_run(&(struct corpus){"config", 8, LLVMFuzzerTestOneInput, NULL, sets});
}
