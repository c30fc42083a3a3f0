/* test_chunk_corpus.c -- what fuzz_chunk.c asks of any bytes, asked of its corpus and of the
 * hostile inputs. */
#include "tests/fuzz/fuzz_chunk.c"

#include "tests/corpus.h"

int
main(void)
{
    static const struct corpus_set sets[] = {
        {CORPUS_FILES, "json", 301},
        {CORPUS_FILES, "utf8", 1},
        {CORPUS_LINES, "own/utf8.jsonl", 1},
        {CORPUS_LINES, "own/frame.jsonl", 1},
        {CORPUS_END},
    };

    return corpus_run(&(struct corpus){"chunk", 7, LLVMFuzzerTestOneInput, NULL, sets});
}
