/* test_base64url.c -- each text has one meaning, and each meaning one text. */
#include "tests/check.h"

#include "state/base/base64url.h"

static bool
decodes(const char *text, const char *want)
{
    struct buf out = BUF_INIT;
    bool good = base64url_decode(slice_of(text), &out) && slice_is(buf_slice(&out), want);

    buf_fini(&out);
    return good;
}

static void
known_texts(void **state)
{
    static const char *const pairs[][2] = {
        {"", ""},
        {"f", "Zg"},
        {"fo", "Zm8"},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg"},
        {"?>~", "Pz5-"},
        {"\x7f\x7f\x7f\x7f", "f39_fw"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct buf out = BUF_INIT;

        base64url_encode(slice_of(pairs[i][0]), &out);
        CHECK(slice_is(buf_slice(&out), pairs[i][1]));
        CHECK(decodes(pairs[i][1], pairs[i][0]));
        buf_fini(&out);
    }
}

static void
there_is_no_second_way(void **state)
{
    static const char *const bad[] = {
        "Z",    "Zm9vY", "Zg==",  "Zg=",  "Zh",   "Zm9", /* A bit that means nothing. */
        "Zm8 ", " Zm8",  "Zm\n8", "Pz5+", "Pz5/", "Zm.v", "Zm9v\x80", "Zm9v====",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf out = BUF_INIT;

        CHECK(!base64url_decode(slice_of(bad[i]), &out));
        buf_fini(&out);
    }
}

static void
every_byte_comes_back(void **state)
{
    char bytes[256];

    (void)state;
    for (int i = 0; i < 256; i++) {
        bytes[i] = (char)(255 - i);
    }
    for (size_t len = 0; len <= sizeof bytes; len++) {
        struct buf text = BUF_INIT, back = BUF_INIT;

        base64url_encode((struct slice){bytes, len}, &text);
        CHECK(base64url_decode(buf_slice(&text), &back));
        CHECK(slice_equal(buf_slice(&back), (struct slice){bytes, len}));
        buf_fini(&text);
        buf_fini(&back);
    }
}

static void
a_limit_holds(void **state)
{
    struct buf out = {.limit = 2};

    (void)state;
    CHECK(!base64url_decode(SLICE("Zm9v"), &out));
    buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_texts),
        cmocka_unit_test(there_is_no_second_way),
        cmocka_unit_test(every_byte_comes_back),
        cmocka_unit_test(a_limit_holds),
    };
    return CHECK_RUN(tests);
}
