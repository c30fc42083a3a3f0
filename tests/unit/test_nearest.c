/* test_nearest.c -- which word was meant. */
#include "state/base/nearest.h"

#include "tests/check.h"

static const char *const words[] = {"listen", "linger", "limits.message", "auth", "log_level"};

static int
nearest(const char *text)
{
    return text_nearest(slice_of(text), words, sizeof words / sizeof *words);
}

static void
finds_what_was_meant(void **unused)
{
    (void)unused;
    CHECK_INT(nearest("lisen"), 0);
    CHECK_INT(nearest("LISTEN"), 0);
    CHECK_INT(nearest("lsiten"), 0); /* Two neighbours swapped count once. */
    CHECK_INT(nearest("lingerr"), 1);
    CHECK_INT(nearest("limits.mesage"), 2);
    CHECK_INT(nearest("aut"), 3);
    CHECK_INT(nearest("log-level"), 4);
}

static void
finds_nothing_far_away(void **unused)
{
    char overlong[100];

    (void)unused;
    memset(overlong, 'a', sizeof overlong);
    CHECK_INT(nearest(""), -1);
    CHECK_INT(nearest("xy"), -1);
    CHECK_INT(nearest("something else"), -1);
    CHECK_INT(text_nearest((struct slice){overlong, sizeof overlong}, words, 5), -1);
    CHECK_INT(text_nearest(SLICE("listen"), words, 0), -1);
}

static void
overlong_words_are_stepped_over(void **unused)
{
    char word[100];
    const char *list[] = {word};

    (void)unused;
    memset(word, 'a', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    CHECK_INT(text_nearest(SLICE("aaa"), list, 1), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_meant),
        cmocka_unit_test(finds_nothing_far_away),
        cmocka_unit_test(overlong_words_are_stepped_over),
    };
    return CHECK_RUN(tests);
}
