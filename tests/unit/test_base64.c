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
        buf_reset(&out);
        CHECK(base64_decode(slice_of(pairs[i][1]), &out));
        CHECK(slice_is(buf_slice(&out), pairs[i][0]));
        buf_fini(&out);
    }
}

static void
what_is_not_the_one_way_is_refused(void **unused)
{
    static const char *const texts[] = {
        "Z",    "Zg",   "Zg=",  "Zm9",  "Zh==", "Zm9=",     "====",
        "Z===", "Zg=a", "=Zg=", "Zg*=", "-_8=", "Zg==Zg==", "Zg==\n",
    };

    (void)unused;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct buf out = BUF_INIT;

        if (base64_decode(slice_of(texts[i]), &out)) {
            fail_msg("taken: %s", texts[i]);
        }
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
    out.limit = 5;
    CHECK(!base64_decode(SLICE("Zm9vYmFy"), &out));
    buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_of_bytes),
        cmocka_unit_test(what_is_not_the_one_way_is_refused),
        cmocka_unit_test(a_limit_is_kept),
    };

    return CHECK_RUN(tests);
}
