/* test_dispatch_corpus.c -- what fuzz_dispatch.c asks of any bytes, asked of its corpus, and of the
 * hostile inputs every way that they may come. */
#include "tests/fuzz/fuzz_dispatch.c"

#include "tests/check.h"
#include "tests/hostile.h"

static void
corpus_holds(void **state)
{
    (void)state;
    CHECK(hostile_corpus("dispatch", LLVMFuzzerTestOneInput) >= 60);
}

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

static void
hostile_inputs_hold(void **state)
{
    (void)state;
    CHECK(hostile_lines("own/jsonrpc.jsonl", replay_each_way, NULL) > 60);
    CHECK(hostile_lines("own/json.jsonl", replay_as_arguments, NULL) > 100);
    CHECK(hostile_files("json", replay_as_arguments, NULL) > 300);
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corpus_holds),
        cmocka_unit_test(hostile_inputs_hold),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
