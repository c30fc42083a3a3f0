/* test_report.c -- words for people fit their screen. */
#include "server/report.h"

#include "tests/check.h"

#include <stdlib.h>

static char *text;

static FILE *
begin(void)
{
    static size_t size;

    free(text);
    return open_memstream(&text, &size);
}

static const char *
wrapped(unsigned at, unsigned indent, const char *words)
{
    FILE *to = begin();

    report_wrapped(to, at, indent, words);
    fclose(to);
    return text;
}

#define TEN "aaaaaaaaa "
#define SEVENTY_LONG "/a/very/long/path/that/does/not/fit/on/one/line/of/a/terminal/that/has"
#define SEVENTY TEN TEN TEN TEN TEN TEN TEN

static void
lines_break_between_words(void **unused)
{
    (void)unused;
    CHECK_STR(wrapped(0, 2, ""), "\n");
    CHECK_STR(wrapped(0, 2, "one two"), "one two\n");
    CHECK_STR(wrapped(0, 2, "one\ntwo"), "one\n  two\n");
    CHECK_STR(wrapped(0, 2, SEVENTY "bbbbbbbbbb c"), SEVENTY "bbbbbbbbbb\n  c\n");
    CHECK_STR(wrapped(0, 2, SEVENTY "bbbbbbbbbbb c"),
              "aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa\n"
              "  bbbbbbbbbbb c\n");
    CHECK_STR(wrapped(70, 4, "long words"), "long words\n");
    CHECK_STR(wrapped(78, 4, "long words"), "\n    long words\n");
}

static void
overlong_words_stay_whole(void **unused)
{
    const char *word = SEVENTY_LONG SEVENTY_LONG;
    char words[200], expected[200];

    (void)unused;
    snprintf(words, sizeof words, "see %s there", word);
    snprintf(expected, sizeof expected, "see\n  %s\n  there\n", word);
    CHECK_STR(wrapped(0, 2, words), expected);
}

static void
faults_and_problems(void **unused)
{
    struct fault f = FAULT_INIT;
    struct problems p = PROBLEMS_INIT;
    FILE *to = begin();

    (void)unused;
    fault_set(&f, E_STATE, "it failed");
    report_fault(to, &f);
    fault_at(&f, E_IO, 3, 4, "it failed there");
    fault_remedy(&f, "mend it");
    report_fault(to, &f);
    problems_add(&p, PROBLEM_ERROR, "a.json", 3, 7, "bad");
    problems_add(&p, PROBLEM_WARNING, "a.json", 3, 0, "odd");
    problems_add(&p, PROBLEM_WARNING, NULL, 0, 0, "%s", "strange");
    p.left_out = 2;
    report_problems(to, "", &p);
    p.count = 1;
    p.left_out = 0;
    report_problems(to, "a/b", &p);
    p.count = 3;
    p.left_out = 2;
    report_problems(to, "", &(struct problems)PROBLEMS_INIT);
    fclose(to);
    CHECK_STR(text, "tandem: it failed\n"
                    "tandem: it failed there (line 3, column 4)\n  mend it\n"
                    "a.json:3:7: error: bad\na.json:3: warning: odd\ntandem: warning: strange\n"
                    "tandem: 2 more problems are not listed\n"
                    "a/b/a.json:3:7: error: bad\n");
    problems_fini(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_break_between_words),
        cmocka_unit_test(overlong_words_stay_whole),
        cmocka_unit_test(faults_and_problems),
    };
    int failed = CHECK_RUN(tests);

    free(text);
    return failed;
}
