/* test_base64.c -- the vectors of RFC 4648, and every byte. */
#include "tests/check.h"

#include "state/base/base64.h"

static void
text_of_bytes(void **unused)
{
    static const char *const pairs[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xFF\xFE\xFB", "//77"},
        {"\xFB\xEF", "++8="},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct buf out = BUF_INIT;

        buf_adds(&out, "<");
        buf_add_base64(&out, slice_of(pairs[i][0]));
        CHECK(out.data[0] == '<');
        CHECK_STR(out.data + 1, pairs[i][1]);
        buf_fini(&out);
    }
}

static void
a_limit_is_kept(void **unused)
{
    struct buf out = {.limit = 6};

    (void)unused;
    buf_add_base64(&out, SLICE("foobar"));
    CHECK(out.failed);
    buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_of_bytes),
        cmocka_unit_test(a_limit_is_kept),
    };

    return CHECK_RUN(tests);
}
