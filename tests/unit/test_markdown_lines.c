/* test_markdown_lines.c -- what each line of a Markdown text is. */
#include "tests/check.h"

#include "state/markdown_lines.h"

static const char letters[] = ".#-t_fcex";

/* Classifies 'text' and compares one letter a line: blank . heading # item - text t break _ fence f
 * code c end of fence e comment x. */
static void
kinds(const char *text, const char *expected)
{
    struct mdl_lines md = MDL_LINES_INIT;
    struct buf found = BUF_INIT;

    CHECK(mdl_lines_read(&md, slice_of(text), NULL) == E_OK);
    for (size_t i = 0; i < md.count; i++) {
        buf_addc(&found, letters[md.lines[i].kind]);
        CHECK_INT(md.lines[i].number, i + 1);
    }
    if (strcmp(found.data ? found.data : "", expected) != 0) {
        fail_msg("%s: %s, not %s", text, found.data ? found.data : "", expected);
    }
    buf_fini(&found);
    mdl_lines_fini(&md);
}

static void
lines_are_classified(void **state)
{
    (void)state;
    kinds("", "");
    kinds("\n", ".");
    kinds("a\n\nb", "t.t");
    kinds("# a\n####### b\n#c\n##d\n#\n    # e\n ## f ##", "#tt##t#");
    kinds("- a\n* b\n+ c\n1. d\n23) e\n-f\n1.g\n-\n1234567890. x", "-----tt-t");
    kinds("---\n***\n_ _ _\n--\n-- -\n* * *", "___t__");
    kinds("a\n===\nb\n---\n**c**\n---\n| d\n---\ne\nf\n---", "#.#.t_t_tt_");
    kinds("<!-- a -->\nb <!--\n<!--\nc\n--> d\ne\n<!-- f", "xtxxxtt");
}

static void
fences_run_to_their_end(void **state)
{
    (void)state;
    kinds("```\na\n```\nb", "fcet");
    kinds("~~~ sh\n```\n~~~~~\nb", "fcet");
    kinds("````\n```\n````", "fce");
    kinds("``` a`b\nc", "tt");
    kinds("``\nc", "tt");
    kinds("```\na", "fc");
    kinds("- ```\n  a\n  ```\nb", "fcet");
    kinds("- a\n  ```\n  b\nc\n```\nd", "-fctfc");
    kinds("- a\n\n```\nb\n```", "-.fce");
    kinds("```md\n```sh\na\n```\n```\nb", "fcccet");
    kinds("```md\n```sh\n```\na\n```md\n```sh\n```\n```\n```\nb", "fcccccccet");
    kinds("```md\n```sh\na\n```\nb", "fccet");
    kinds("```python\n```sh\na\n```\nb", "fccet");
    kinds("```md\n```md\n```md\n```md\n```md\n```md\n```md\n```md\n```md\n```x\n```\n```\n```\n```"
          "\n```\n"
          "```\n```\n```\nb",
          "fccccccccccccccccet");
}

static void
details_of_lines(void **state)
{
    struct mdl_lines md = MDL_LINES_INIT;

    (void)state;
    CHECK(mdl_lines_read(
              &md,
              SLICE("\xEF\xBB\xBF## A ##\r\n- [ ] open\n\t* [x] ticked\n  [x] none\n- [X]\n"
                    "- [ ]no\n- [y] no\n\n  text\n\nout\n```  sh -x \n```\n   lone"),
              NULL) == E_OK);
    CHECK_INT(md.lines[0].level, 2);
    CHECK(slice_is(md.lines[0].text, "A"));
    CHECK(slice_is(md.lines[0].raw, "## A ##"));
    CHECK_INT(md.lines[1].box, ' ');
    CHECK(slice_is(md.lines[1].text, "open"));
    CHECK_INT(md.lines[2].box, 'x');
    CHECK_INT(md.lines[2].indent, 4);
    CHECK_INT(md.lines[3].kind, MDL_TEXT);
    CHECK_INT(md.lines[3].indent, 2);
    CHECK_INT(md.lines[4].box, 'x');
    CHECK_INT(md.lines[5].box, 0);
    CHECK(slice_is(md.lines[6].text, "[y] no"));
    CHECK_INT(md.lines[8].indent, 2);
    CHECK_INT(md.lines[10].indent, 0);
    CHECK(slice_is(md.lines[11].text, "sh -x"));
    CHECK_INT(md.lines[13].indent, 0);
    CHECK_INT(md.unclosed, 0);
    mdl_lines_fini(&md);
    CHECK(mdl_lines_read(&md, SLICE("a\n```\nb\n"), NULL) == E_OK);
    CHECK_INT(md.unclosed, 2);
    mdl_lines_fini(&md);
}

static void
deep_lists_and_wide_indents(void **state)
{
    struct buf text = BUF_INIT;
    struct mdl_lines md = MDL_LINES_INIT;

    (void)state;
    for (int i = 0; i < 40; i++) {
        for (int j = 0; j < i * 2; j++) {
            buf_addc(&text, ' ');
        }
        buf_adds(&text, "- x\n");
    }
    for (int j = 0; j < 2000; j++) {
        buf_addc(&text, '\t');
    }
    buf_adds(&text, "- y\n");
    CHECK(mdl_lines_read(&md, buf_slice(&text), NULL) == E_OK);
    CHECK_INT(md.lines[39].indent, 78);
    CHECK_INT(md.lines[40].indent, 1000);
    mdl_lines_fini(&md);
    buf_fini(&text);
}

static void
helpers_take_marks_away(void **state)
{
    (void)state;
    CHECK(slice_is(mdl_trim(SLICE(" \t a \t")), "a"));
    CHECK(slice_is(mdl_unmark(SLICE(" **a** ")), "a"));
    CHECK(slice_is(mdl_unmark(SLICE("**__a__**")), "a"));
    CHECK(slice_is(mdl_unmark(SLICE("**a")), "**a"));
    CHECK(slice_is(mdl_unmark(SLICE("****")), ""));
    CHECK(slice_is(mdl_skip_symbols(SLICE("\xF0\x9F\x9B\x91 \xE2\x9A\xA0\xEF\xB8\x8F a")), "a"));
    CHECK(slice_is(mdl_skip_symbols(SLICE("\xC3\xA4 \xE2\x9C\x85")), "\xC3\xA4 \xE2\x9C\x85"));
    CHECK(slice_is(mdl_skip_symbols(SLICE("\xE2\x9C")), "\xE2\x9C"));
}

static void
what_is_no_text_is_refused(void **state)
{
    struct mdl_lines md = MDL_LINES_INIT;
    struct fault f = FAULT_INIT;
    struct buf text = BUF_INIT;

    (void)state;
    CHECK(mdl_lines_read(&md, SLICE("a\n\0"), &f) == E_REFUSED);
    CHECK_INT(f.line, 2);
    CHECK(mdl_lines_read(&md, SLICE("a\n\nb\x80"), &f) == E_REFUSED);
    CHECK_INT(f.line, 3);
    for (unsigned i = 0; i <= MDL_LINES_MAX; i++) {
        buf_addc(&text, '\n');
    }
    CHECK(mdl_lines_read(&md, buf_slice(&text), &f) == E_TOO_LARGE);
    text.len--;
    CHECK(mdl_lines_read(&md, buf_slice(&text), &f) == E_OK);
    CHECK_INT(md.count, MDL_LINES_MAX);
    mdl_lines_fini(&md);
    buf_fini(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_classified),    cmocka_unit_test(fences_run_to_their_end),
        cmocka_unit_test(details_of_lines),        cmocka_unit_test(deep_lists_and_wide_indents),
        cmocka_unit_test(helpers_take_marks_away), cmocka_unit_test(what_is_no_text_is_refused),
    };

    return CHECK_RUN(tests);
}
