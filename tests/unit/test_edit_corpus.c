/* test_edit_corpus.c -- what fuzz_edit.c asks of any bytes, asked of its corpus, and of the hostile
 * inputs as each of the formats. */
#include "tests/fuzz/fuzz_edit.c"

#include "tests/corpus.h"

static void
replay_as_each(const struct hostile_case *c, void *arg)
{
    (void)arg;
    for (const char *format = "jty"; *format; format++) {
        struct buf input = BUF_INIT;

        buf_addc(&input, *format);
        buf_add_slice(&input, c->bytes);
        LLVMFuzzerTestOneInput((const uint8_t *)input.data, input.len);
        buf_fini(&input);
    }
}

int
main(void)
{
    static const struct corpus_set sets[] = {
        {CORPUS_FILES, "json", 301, replay_as_each},
        {CORPUS_FILES, "json-transform", 21, replay_as_each},
        {CORPUS_FILES, "yaml", 301, replay_as_each},
        {CORPUS_FILES, "utf8", 1, replay_as_each},
        {CORPUS_STRINGS, NULL, 501, replay_as_each},
        {CORPUS_END},
    };

    return corpus_run(&(struct corpus){"edit", 30, LLVMFuzzerTestOneInput, NULL, sets});
}
