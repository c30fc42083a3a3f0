/* test_session_corpus.c -- what fuzz_session.c asks of any bytes, asked of its corpus and of the
 * hostile inputs. */
#include "tests/fuzz/fuzz_session.c"

#include "tests/corpus.h"

int
main(void)
{
    static const struct corpus_set sets[] = {
        {CORPUS_FILES, "json", 301},
        {CORPUS_END},
    };

    return corpus_run(&(struct corpus){"session", 9, LLVMFuzzerTestOneInput, NULL, sets});
}
