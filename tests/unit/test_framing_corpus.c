/* test_framing_corpus.c -- what fuzz_framing.c asks of any bytes, asked of its corpus and of the
 * hostile inputs. */
#include "tests/fuzz/fuzz_framing.c"

#include "tests/corpus.h"

int
main(void)
{
    static const struct corpus_set sets[] = {
        {CORPUS_FILES, "json", 1},
        {CORPUS_LINES, "own/frame.jsonl", 1},
        {CORPUS_LINES, "own/http.jsonl", 1},
        {CORPUS_END},
    };

    return corpus_run(&(struct corpus){"framing", 50, LLVMFuzzerTestOneInput, NULL, sets});
}
