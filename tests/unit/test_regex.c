/* test_regex.c -- the linear-time matcher: what it takes, refuses, and how long it may run. */
#include "state/regex.h"
#include "tests/check.h"

static bool
run(const char *pattern, const char *text, enum regex_mode mode)
{
    struct regex *regex = NULL;
    struct fault fault = FAULT_INIT;
    uint64_t steps = 1000000;
    bool matched = false;

    if (regex_compile(slice_of(pattern), &regex, &fault)) {
        fail_msg("%s: %s", pattern, fault.text);
    }
    CHECK_INT(regex_run(regex, slice_of(text), mode, &steps, &matched, &fault), E_OK);
    CHECK(steps < 1000000);
    regex_free(regex);
    return matched;
}

/* 'answers' tells match, search and full, each by 1 or 0. */
static void
tells(const char *pattern, const char *text, const char *answers)
{
    char got[4] = "";

    for (int mode = REGEX_MATCH; mode <= REGEX_FULL; mode++) {
        got[mode] = run(pattern, text, (enum regex_mode)mode) ? '1' : '0';
    }
    if (strcmp(got, answers) != 0) {
        fail_msg("%s on %s: %s, not %s", pattern, text, got, answers);
    }
}

static void
literals_classes_and_places(void **state)
{
    (void)state;
    tells("ab", "abc", "110");
    tells("bc", "abc", "010");
    tells("abc", "abc", "111");
    tells("", "", "111");
    tells("", "x", "110");
    tells("a.c", "a\nc", "000");
    tells("(?s)a.c", "a\nc", "111");
    tells("a.c",
          "a\xC3\xA9"
          "c",
          "111");
    tells("[a-c]+", "abcabc", "111");
    tells("[^a-c]", "a", "000");
    tells("[]x]+", "]x", "111");
    tells("[a-]+", "a-", "111");
    tells("[\\d_.]+", "1_2.", "111");
    tells("[\\b]", "\b", "111");
    tells("\\d\\D\\w\\W\\s\\S", "1aB- x", "111");
    tells("\\bfoo\\b", "a foo!", "010");
    tells("\\Boo", "foo", "010");
    tells("^a$", "a\n", "110");
    tells("\\Aa\\Z", "a\n", "000");
    tells("(?m)^b$", "a\nb\nc", "010");
    tells("\\x41\\u00e9\\U0001F6D1\\n\\.\\0", "A\xC3\xA9\xF0\x9F\x9B\x91\n.", "000");
    tells("\\x41\\u00e9\\U0001F6D1\\n\\.", "A\xC3\xA9\xF0\x9F\x9B\x91\n.", "111");
    tells("(?i)aBc[d-f]\\xc9", "AbCE\xC3\xA9", "111");
    tells("\\w+", "h\xC3\xA9llo", "111");
    tells("[^x]", "\xC3\xA9", "111");
}

static void
groups_and_repetitions(void **state)
{
    (void)state;
    tells("(ab|c)*d", "abcabd", "111");
    tells("(?:a|b)+?", "abba", "111");
    tells("(?P<year>\\d{4})-\\d{2}", "2025-10", "111");
    tells("a{2}", "aaa", "110");
    tells("a{2,}", "aaaa", "111");
    tells("a{,2}", "aaa", "110");
    tells("a{1,2}?b", "aab", "111");
    tells("a{,}b", "a{,}b", "111");
    tells("a{x", "a{x", "111");
    tells("x{1", "x{1", "111");
    tells("{a", "{a", "111");
    tells("(a*)*b", "aaab", "111");
    tells("(a|)+", "aa", "111");
    tells("(|a)", "a", "111");
    tells("a|b|c|", "c", "111");
    tells("\\d+ passed", "12 passed, 0 failed", "110");
    tells("(?i)(?:ok)", "(?i)", "000");
    tells("(\\.|a){0,3}", ".a.", "111");
}

static void
refuses(const char *pattern, enum err err, unsigned column, const char *part)
{
    struct regex *regex = NULL;
    struct fault fault = FAULT_INIT;

    CHECK_INT(regex_compile(slice_of(pattern), &regex, &fault), err);
    CHECK(!regex);
    if (fault.column != column || !strstr(fault.text, part)) {
        fail_msg("%s: %u: %s", pattern, fault.column, fault.text);
    }
}

static void
the_rest_is_refused_with_its_place(void **state)
{
    struct buf big = BUF_INIT;
    struct regex *regex = NULL;

    (void)state;
    refuses("a**", E_REFUSED, 3, "repetition");
    refuses("a{2}{3}", E_REFUSED, 8, "repetition");
    refuses("a++", E_REFUSED, 3, "repetition");
    refuses("*a", E_REFUSED, 1, "nothing to repeat");
    refuses("a|{2}", E_REFUSED, 6, "nothing to repeat");
    refuses("^*", E_REFUSED, 3, "place");
    refuses("(a", E_REFUSED, 1, "group that does not end");
    refuses("a)", E_REFUSED, 2, "without its");
    refuses("x[a", E_REFUSED, 2, "class that does not end");
    refuses("[", E_REFUSED, 2, "too early");
    refuses("[a-", E_REFUSED, 1, "class that does not end");
    refuses("[b-a]", E_REFUSED, 2, "range");
    refuses("[a-\\d]", E_REFUSED, 2, "range");
    refuses("(a)\\1", E_REFUSED, 5, "references");
    refuses("\\q", E_REFUSED, 2, "escape");
    refuses("a\\", E_REFUSED, 3, "escape");
    refuses("\\x4", E_REFUSED, 4, "digits");
    refuses("\\ud800", E_REFUSED, 7, "character");
    refuses("(?=a)", E_REFUSED, 3, "not taken");
    refuses("(?<!a)b", E_REFUSED, 3, "not taken");
    refuses("a(?i)", E_REFUSED, 4, "not taken");
    refuses("(?P<>a)", E_REFUSED, 5, "name");
    refuses("(?P=x)", E_REFUSED, 3, "not taken");
    refuses("a{3,2}", E_REFUSED, 2, "smaller");
    refuses("a{1001}", E_TOO_LARGE, 2, "count");
    refuses("a{99999999999999}", E_TOO_LARGE, 2, "count");
    refuses("(a{1000}){1000}", E_TOO_LARGE, 1, "unrolled");
    refuses("((((((){1000}){1000}){1000}){1000}){1000}){1000}", E_TOO_LARGE, 1, "unrolled");
    refuses("a\xFF", E_REFUSED, 0, "UTF-8");
    for (int i = 0; i < 60; i++) {
        buf_addc(&big, '(');
    }
    CHECK_INT(regex_compile(buf_slice(&big), &regex, NULL), E_TOO_LARGE);
    buf_reset(&big);
    for (int i = 0; i < 3000; i++) {
        buf_adds(&big, "a");
    }
    CHECK_INT(regex_compile(buf_slice(&big), &regex, NULL), E_TOO_LARGE);
    for (int i = 0; i < 3000; i++) {
        buf_adds(&big, "a");
    }
    CHECK_INT(regex_compile(buf_slice(&big), &regex, NULL), E_TOO_LARGE);
    buf_reset(&big);
    for (int i = 0; i < 1300; i++) {
        buf_addc(&big, '|');
    }
    CHECK_INT(regex_compile(buf_slice(&big), &regex, NULL), E_OK);
    regex_free(regex);
    buf_fini(&big);
    regex_free(NULL);
}

/* Patterns that make a backtracking matcher run for ever take linear time, and a budget ends even
 * that. */
static void
hostile_patterns_take_linear_time(void **state)
{
    static const char *const patterns[] = {"(a+)+b",     "(a|a)*b",        "(a|aa)+$",
                                           "(.*a){20}b", "(a?){30}a{30}b", "([a-zA-Z]+)*!"};
    struct buf text = BUF_INIT;
    struct fault fault = FAULT_INIT;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        buf_addc(&text, 'a');
    }
    buf_addc(&text, 'c');
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        struct regex *regex = NULL;
        uint64_t steps = 20000ull * 500, few = 1000;
        bool matched = true;
        CHECK_INT(regex_compile(slice_of(patterns[i]), &regex, &fault), E_OK);
        CHECK_INT(regex_run(regex, buf_slice(&text), REGEX_MATCH, &steps, &matched, &fault), E_OK);
        CHECK(!matched);
        CHECK_INT(regex_run(regex, buf_slice(&text), REGEX_MATCH, &few, &matched, &fault), E_LIMIT);
        CHECK(!matched && few == 0);
        regex_free(regex);
    }
    buf_fini(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_classes_and_places),
        cmocka_unit_test(groups_and_repetitions),
        cmocka_unit_test(the_rest_is_refused_with_its_place),
        cmocka_unit_test(hostile_patterns_take_linear_time),
    };
    return CHECK_RUN(tests);
}
