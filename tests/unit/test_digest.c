/* test_digest.c -- the vectors of FIPS 180-2, whole and cut. */
#include "tests/check.h"

#include "state/digest.h"

static void
known_digests(void **unused)
{
    static const char *const pairs[][2] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        unsigned char digest[DIGEST_SIZE];
        char text[DIGEST_TEXT_SIZE];

        CHECK(digest_make(slice_of(pairs[i][0]), digest));
        digest_format(digest, text, sizeof text);
        CHECK_STR(text, pairs[i][1]);
    }
}

static void
what_does_not_fit_is_left_out(void **unused)
{
    unsigned char digest[DIGEST_SIZE];
    char text[8] = "xxxxxxx";

    (void)unused;
    CHECK(digest_make(SLICE("abc"), digest));
    digest_format(digest, text, 5);
    CHECK_STR(text, "ba78");
    digest_format(digest, text, 6);
    CHECK_STR(text, "ba78"); /* Whole bytes only. */
    digest_format(digest, text, 1);
    CHECK_STR(text, "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_digests),
        cmocka_unit_test(what_does_not_fit_is_left_out),
    };

    return CHECK_RUN(tests);
}
