/* test_random.c -- random digits: all of them, all kinds, never the same. */
#include "tests/check.h"

#include "state/base/random.h"

#include <string.h>

static void
digits_are_hex_and_differ(void **unused)
{
    char a[33], b[33], one[1] = "x", long_text[2001];

    (void)unused;
    CHECK(random_hex(a, sizeof a) && random_hex(b, sizeof b));
    CHECK_INT(strspn(a, "0123456789abcdef"), 32);
    CHECK_INT(strlen(a), 32);
    CHECK(strcmp(a, b) != 0);
    CHECK(random_hex(one, sizeof one) && one[0] == '\0');
    CHECK(random_hex(long_text, sizeof long_text));
    CHECK_INT(strspn(long_text, "0123456789abcdef"), 2000);
    for (const char *c = "0123456789abcdef"; *c; c++) {
        CHECK(strchr(long_text, *c)); /* Missing by chance: once in 10^55. */
    }
}

static void
bytes_are_of_all_kinds(void **unused)
{
    unsigned char bytes[8192], seen[256] = {0};

    (void)unused;
    CHECK(random_bytes(bytes, sizeof bytes) && random_bytes(bytes, 0));
    for (size_t i = 0; i < sizeof bytes; i++) {
        seen[bytes[i]] = 1;
    }
    CHECK(!memchr(seen, 0, sizeof seen)); /* One is missing by chance: once in 10^11. */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(digits_are_hex_and_differ),
                                       cmocka_unit_test(bytes_are_of_all_kinds)};

    return CHECK_RUN(tests);
}
