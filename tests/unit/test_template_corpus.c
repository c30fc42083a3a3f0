/* test_template_corpus.c -- what fuzz_template.c asks of any bytes, asked of its corpus and of the
 * hostile inputs. */
#include "tests/fuzz/fuzz_template.c"

#include "tests/corpus.h"

int
main(void)
{
    static const struct corpus_set sets[] = {
        {CORPUS_FILES, "yaml", 301},
        {CORPUS_STRINGS, NULL, 501},
        {CORPUS_END},
    };

    return corpus_run(&(struct corpus){"template", 2, LLVMFuzzerTestOneInput, NULL, sets});
}
