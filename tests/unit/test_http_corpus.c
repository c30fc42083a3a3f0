/* test_http_corpus.c -- what fuzz_http.c asks of any bytes, asked of its corpus and of the hostile
 * inputs. */
#include "tests/fuzz/fuzz_http.c"

#include "tests/corpus.h"

int
main(void)
{
    static const struct corpus_set sets[] = {
        {CORPUS_LINES, "own/http.jsonl", 141},
        {CORPUS_LINES, "http/llhttp-requests.jsonl", 161},
        {CORPUS_END},
    };

    return corpus_run(&(struct corpus){"http", 10, LLVMFuzzerTestOneInput, NULL, sets});
}
