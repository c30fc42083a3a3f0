/* test_tasklist_corpus.c -- what fuzz_tasklist.c asks of any bytes, asked of its corpus and of the
 * hostile inputs. */
#include "tests/fuzz/fuzz_tasklist.c"

#include "tests/corpus.h"

int
main(void)
{
    static const struct corpus_set sets[] = {
        {CORPUS_FILES, "yaml", 301},
        {CORPUS_FILES, "utf8", 1},
        {CORPUS_STRINGS, NULL, 501},
        {CORPUS_END},
    };

    return corpus_run(&(struct corpus){"tasklist", 7, LLVMFuzzerTestOneInput, NULL, sets});
}
