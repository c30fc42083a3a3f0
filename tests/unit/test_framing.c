/* Lines out of pieces: every cut of a text gives the same lines, and no line is scanned twice. */
#include "tests/check.h"

#include "transports/framing.h"

#include <stdio.h>

/* What came out: "[line]" for a line, "!" for one that was too long. */
static void
collect(struct framing *fr, struct buf *got, bool at_end)
{
    struct slice line;
    enum framing_event event;

    for (;;) {
        event = at_end ? framing_end(fr, &line) : framing_next(fr, &line);
        if (event == FRAMING_LINE) {
            buf_addc(got, '[');
            buf_add_slice(got, line);
            buf_addc(got, ']');
        } else if (event == FRAMING_TOO_LONG) {
            buf_addc(got, '!');
        }
        if (event == FRAMING_MORE || at_end) {
            return;
        }
    }
}

/* Feeds 'text' in pieces of 'step' bytes; returns what came out, new. */
static char *
frame(struct slice text, size_t max_line, size_t step)
{
    struct framing fr;
    struct buf got = BUF_INIT;

    framing_init(&fr, max_line);
    buf_adds(&got, "");
    for (size_t at = 0; at < text.len; at += step) {
        size_t n = text.len - at < step ? text.len - at : step;
        /* A copy of just that size, so that a read past its end is seen. */
        char *piece = xstrndup(text.data + at, n);
        framing_feed(&fr, (struct slice){piece, n});
        collect(&fr, &got, false);
        free(piece);
    }
    collect(&fr, &got, true);
    framing_fini(&fr);
    return buf_steal(&got);
}

static void
check_all_cuts(struct slice text, size_t max_line, const char *expected)
{
    for (size_t step = 1; step <= text.len; step++) {
        char *got = frame(text, max_line, step);
        CHECK_STR(got ? got : "", expected);
        free(got);
    }
}

static void
lines_end_at_lf_only(void **state)
{
    (void)state;
    check_all_cuts(SLICE("one\ntwo\r\nthree\n"), 100, "[one][two][three]");
    check_all_cuts(SLICE("a\rb\nc\xE2\x80\xA8"
                         "d\n\v\f\n"),
                   100,
                   "[a\rb][c\xE2\x80\xA8"
                   "d][\v\f]");
    check_all_cuts(SLICE("{\"a\":\"x\"}\n"), 100, "[{\"a\":\"x\"}]");
}

static void
a_nul_is_part_of_the_line(void **state)
{
    struct framing fr;
    struct slice line;

    (void)state;
    framing_init(&fr, 10);
    framing_feed(&fr, SLICE("a\0b\n"));
    CHECK(framing_next(&fr, &line) == FRAMING_LINE);
    CHECK_INT(line.len, 3);
    CHECK(memcmp(line.data, "a\0b", 3) == 0);
    CHECK(framing_next(&fr, &line) == FRAMING_MORE);
    framing_fini(&fr);
}

static void
blank_lines_are_passed_over(void **state)
{
    (void)state;
    check_all_cuts(SLICE("\n\r\n \t\r\n\r\r\none\n\n"), 100, "[one]");
    check_all_cuts(SLICE(" \n \r"), 100, "");
}

static void
the_last_line_needs_no_lf(void **state)
{
    (void)state;
    check_all_cuts(SLICE("one\ntwo"), 100, "[one][two]");
    check_all_cuts(SLICE("one\r"), 3, "[one]");
    check_all_cuts(SLICE("one\ntwo4"), 3, "[one]!");
    check_all_cuts(SLICE("one\n"), 3, "[one]");
}

static void
a_long_line_is_told_once_and_skipped(void **state)
{
    (void)state;
    check_all_cuts(SLICE("12345\n"), 5, "[12345]");
    check_all_cuts(SLICE("12345\r\n"), 5, "[12345]");
    check_all_cuts(SLICE("123456\nok\n"), 5, "![ok]");
    check_all_cuts(SLICE("123456\r\nok\n"), 5, "![ok]");
    check_all_cuts(SLICE("12345\r\r\nok\n"), 5, "![ok]");
    check_all_cuts(SLICE("1234567890123456789\nok\n1234567890\n\nfine\n"), 5, "![ok]![fine]");
    check_all_cuts(SLICE("ok\n1234567890"), 5, "[ok]!");
    check_all_cuts(SLICE("      \n"), 5, "!");
}

static void
what_is_whole_is_not_copied(void **state)
{
    static const char text[] = "first\nsecond\nthi";
    struct framing fr;
    struct slice line;

    (void)state;
    framing_init(&fr, 100);
    framing_feed(&fr, (struct slice){text, sizeof text - 1});
    CHECK(framing_next(&fr, &line) == FRAMING_LINE);
    CHECK(line.data == text);
    CHECK(framing_next(&fr, &line) == FRAMING_LINE);
    CHECK(line.data == text + 6);
    CHECK(fr.partial.size == 0);
    CHECK(framing_next(&fr, &line) == FRAMING_MORE);
    CHECK_INT(fr.partial.len, 3);
    framing_feed(&fr, SLICE("rd\nx\n"));
    CHECK(framing_next(&fr, &line) == FRAMING_LINE);
    CHECK(slice_is(line, "third"));
    CHECK(framing_next(&fr, &line) == FRAMING_LINE);
    CHECK(slice_is(line, "x"));
    CHECK(fr.partial.size == 0); /* At rest it holds no memory. */
    CHECK(framing_next(&fr, &line) == FRAMING_MORE);
    framing_fini(&fr);
}

/* A line of a megabyte in pieces of 16 bytes: 65,536 calls that would take minutes if each looked
 * at the line from its start.  Counted by what is copied: the buffer doubles, so no more than twice
 * the line. */
static void
pieces_are_kept_within_the_limit(void **state)
{
    enum { SIZE = 1 << 20, STEP = 16 };
    struct framing fr;
    struct slice line;
    char piece[STEP];

    (void)state;
    memset(piece, 'x', sizeof piece);
    framing_init(&fr, SIZE);
    for (int i = 0; i < SIZE / STEP; i++) {
        framing_feed(&fr, (struct slice){piece, STEP});
        CHECK(framing_next(&fr, &line) == FRAMING_MORE);
    }
    CHECK_INT(fr.partial.len, SIZE);
    CHECK(fr.partial.size <= 2 * SIZE + 2);
    framing_feed(&fr, SLICE("\n"));
    CHECK(framing_next(&fr, &line) == FRAMING_LINE);
    CHECK_INT(line.len, SIZE);
    CHECK(framing_next(&fr, &line) == FRAMING_MORE);
    framing_fini(&fr);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_end_at_lf_only),
        cmocka_unit_test(a_nul_is_part_of_the_line),
        cmocka_unit_test(blank_lines_are_passed_over),
        cmocka_unit_test(the_last_line_needs_no_lf),
        cmocka_unit_test(a_long_line_is_told_once_and_skipped),
        cmocka_unit_test(what_is_whole_is_not_copied),
        cmocka_unit_test(pieces_are_kept_within_the_limit),
    };
    return CHECK_RUN(tests);
}
