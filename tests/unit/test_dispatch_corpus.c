/* test_dispatch_corpus.c -- what fuzz_dispatch.c asks of any bytes, asked of its corpus, and of the
 * hostile inputs every way that they may come. */
#include "tests/fuzz/fuzz_dispatch.c"

#include "tests/corpus.h"

static void
replay_each_way(const struct hostile_case *c, void *arg)
{
    (void)arg;
    for (const char *way = "sfhm"; *way; way++) {
        struct buf input = BUF_INIT;

        buf_addc(&input, *way);
        buf_add_slice(&input, c->bytes);
        LLVMFuzzerTestOneInput((const uint8_t *)input.data, input.len);
        buf_fini(&input);
    }
}

/* As the arguments of a tool. */
static void
replay_as_arguments(const struct hostile_case *c, void *arg)
{
    struct buf input = BUF_INIT;

    (void)arg;
    buf_add(&input, "rpos_workflow", sizeof "rpos_workflow");
    buf_add_slice(&input, c->bytes);
    LLVMFuzzerTestOneInput((const uint8_t *)input.data, input.len);
    buf_fini(&input);
}

static int
end(void **state)
{
    (void)state;
    close_world();
    return 0;
}

int
main(void)
{
    static const struct corpus_set sets[] = {
        {CORPUS_LINES, "own/jsonrpc.jsonl", 61, replay_each_way},
        {CORPUS_LINES, "own/json.jsonl", 101, replay_as_arguments},
        {CORPUS_FILES, "json", 301, replay_as_arguments},
        {CORPUS_END},
    };

    return corpus_run(&(struct corpus){"dispatch", 60, LLVMFuzzerTestOneInput, end, sets});
}
