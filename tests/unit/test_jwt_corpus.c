/* test_jwt_corpus.c -- what fuzz_jwt.c asks of any bytes, asked of its corpus and of the hostile
 * inputs. */
#include "tests/fuzz/fuzz_jwt.c"

#include "tests/corpus.h"

/* The same bytes as claims, as header and as keys. */
static void
replay_as_all(const struct hostile_case *c, void *arg)
{
    struct buf bytes = BUF_INIT;

    (void)arg;
    for (const char *as = "CHK"; *as; as++) {
        buf_reset(&bytes);
        buf_addc(&bytes, *as);
        buf_add_slice(&bytes, c->bytes);
        LLVMFuzzerTestOneInput((const uint8_t *)bytes.data, bytes.len);
    }
    buf_fini(&bytes);
}

static int
free_key(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    jwk_set_unref(keys);
    return 0;
}

int
main(void)
{
    static const struct corpus_set sets[] = {
        {CORPUS_FILES, "json", 301, replay_as_all},
        {CORPUS_END},
    };

    return corpus_run(&(struct corpus){"jwt", 9, LLVMFuzzerTestOneInput, free_key, sets});
}
