/* test_ws_corpus.c -- what fuzz_ws.c asks of any bytes, asked of its corpus and of the hostile
 * inputs. */
#include "tests/fuzz/fuzz_ws.c"

#include "tests/corpus.h"

int
main(void)
{
    static const struct corpus_set sets[] = {
        {CORPUS_LINES, "own/ws.jsonl", 1},
        {CORPUS_LINES, "own/http.jsonl", 1},
        {CORPUS_END},
    };

    return corpus_run(&(struct corpus){"ws", 20, LLVMFuzzerTestOneInput, NULL, sets});
}
