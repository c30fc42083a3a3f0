/* test_markdown.c -- blocks of Markdown with their lines; nothing inside a fence is structure. */
#include "state/markdown.h"
#include "tests/check.h"

#include <stdio.h>

/* The blocks as one line of text: kind, level or box, line, text. */
static char *
shown(const char *text)
{
    struct markdown md;
    struct fault fault = FAULT_INIT;
    struct buf out = BUF_INIT;

    CHECK_INT(markdown_parse(slice_of(text), &md, &fault), E_OK);
    for (size_t i = 0; i < md.count; i++) {
        const struct md_block *b = &md.blocks[i];
        buf_addf(&out, "%c%u%s%s%s%u(%s%s%s)", "HPIRCK"[b->kind], b -> level,
                 b -> box == MD_OPEN        ? "o"
                      : b->box == MD_TICKED ? "x"
                                            : "",
                 b->head ? "h" : "", b->quoted ? "q@" : "@", b->line, b->info ? b->info : "",
                 b->info ? ":" : "", b->text);
    }
    markdown_fini(&md);
    return buf_steal(&out);
}

static void
shows(const char *text, const char *expected)
{
    char *got = shown(text);

    CHECK_STR(got, expected);
    free(got);
}

static void
headings_items_and_paragraphs(void **state)
{
    (void)state;
    shows("", "");
    shows("# A *b* `c`\n\ntext\nmore  \nhard\n\nTitle\n---\n",
          "H1@1(A b c)P0@3(text more\nhard)H2@7(Title)");
    shows("- [ ] one\n- [x] **two**\n  - [X] three\n\n    below\n- four\n",
          "I1o@1(one)I1x@2(two)I2x@3(three)P0@5(below)I1@6(four)");
    shows("1. a\n2. [b](http://x)\n", "I1@1(a)I1@2(b)");
    shows("> - [ ] q\n", "I1oq@1(q)");
    shows("-\n- x\n", "I1@1()I1@2(x)");
    shows("- ```\n  # no\n  ```\n", "I1@1()K0@1(:# no\n)");
}

static void
fences_hide_structure(void **state)
{
    (void)state;
    shows("```sh x\n# no\n- [ ] no\n```\n~~~\n| a | b |\n|---|---|\n~~~\n    # code\n",
          "K0@1(sh x:# no\n- [ ] no\n)K0@5(:| a | b |\n|---|---|\n)K0@9(:# code\n)");
    shows("<!-- # no -->\n\n<div>\n# no\n</div>\n", "");
    shows("```\nopen fence\n", "K0@1(:open fence\n)");
}

static void
tables_are_rows_of_cells(void **state)
{
    (void)state;
    shows("| `a` | B |\n|---|:--|\n| 1 | x \\| y |\n| 2 |\n\n| z |\n|---|\n",
          "R0h@1()C0h@1(a)C0h@1(B)R0@3()C0@3(1)C0@3(x | y)R0@4()C0@4(2)C0@4()R0h@6()C0h@6(z)");
}

static void
bytes_and_bounds(void **state)
{
    struct markdown md;
    struct fault fault = FAULT_INIT;
    struct buf big = BUF_INIT;

    (void)state;
    shows("a \xFF b\n", "P0@1(a \xEF\xBF\xBD b)");
    for (unsigned i = 0; i < MARKDOWN_BLOCKS_MAX + 1; i++) {
        buf_adds(&big, "-\n");
    }
    CHECK_INT(markdown_parse(buf_slice(&big), &md, &fault), E_TOO_LARGE);
    CHECK(!md.blocks && strstr(fault.text, "blocks"));
    while (big.len <= MARKDOWN_BYTES_MAX) {
        buf_adds(&big, "-------------------------------------------------------------\n");
    }
    CHECK_INT(markdown_parse(buf_slice(&big), &md, &fault), E_TOO_LARGE);
    CHECK(strstr(fault.text, "bytes"));
    buf_reset(&big);
    for (unsigned i = 0; i < 50000; i++) {
        buf_adds(&big, "> ");
    }
    CHECK_INT(markdown_parse(buf_slice(&big), &md, &fault), E_OK);
    markdown_fini(&md);
    buf_fini(&big);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headings_items_and_paragraphs),
        cmocka_unit_test(fences_hide_structure),
        cmocka_unit_test(tables_are_rows_of_cells),
        cmocka_unit_test(bytes_and_bounds),
    };
    return CHECK_RUN(tests);
}
