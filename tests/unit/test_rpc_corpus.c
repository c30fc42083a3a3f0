/* test_rpc_corpus.c -- what fuzz_rpc.c asks of any bytes, asked of its corpus and of the hostile
 * inputs. */
#include "tests/fuzz/fuzz_rpc.c"

#include "tests/corpus.h"

int
main(void)
{
    static const struct corpus_set sets[] = {
        {CORPUS_FILES, "json", 1},
        {CORPUS_FILES, "json-transform", 1},
        {CORPUS_LINES, "own/json.jsonl", 1},
        {CORPUS_LINES, "own/jsonrpc.jsonl", 1},
        {CORPUS_END},
    };

    return corpus_run(&(struct corpus){"rpc", 60, LLVMFuzzerTestOneInput, NULL, sets});
}
