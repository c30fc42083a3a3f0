/* test_markdown_effort.c -- texts that would take for ever are told from those that people write.
 */
#include "state/markdown_effort.h"

#include "state/markdown.h"
#include "tests/check.h"

/* Adds 'part' until 'bytes' more are in 'out'. */
static void
repeat(struct buf *out, const char *part, size_t bytes)
{
    for (size_t end = out->len + bytes; out->len + strlen(part) <= end;) {
        buf_adds(out, part);
    }
}

/* Each is of a megabyte: it begins, repeats one part, has something between, and repeats another.
 */
static const struct {
    const char *head, *part, *between, *rest;
} hostile[] = {
    {"|a|\n|-|\n", "|", "\n", ""},  /* Cells of a row: 9.2 s in 64 KiB. */
    {"|a|\n|-|\n", "a|", "\n", ""}, /* 2.1 s. */
    {"a|b\n", "-|", "\n", ""},      /* Columns: 1.0 s. */
    {"", "- ", "x\n", "\n"},        /* Depth times blank lines: 12.6 s. */
    {"", "- ", "x\r", "\r"},        {"", "- ", "x\r\n", "\r\n"},
    {"", "- ", "x\n", " \n"},     /* 6.2 s. */
    {"", "1. ", "x\n", "\n"},     /* 8.0 s. */
    {"", "- ", "x\n", "x\n"},     /* And lazy ones: 2.5 s. */
    {"", "> ", "x\n", "x\n"},     /* 1.0 s. */
    {"a", "<?", "\n", ""},        /* Instructions without end: 0.6 s. */
    {"a", "<!A ", "\n", ""},      /* Declarations: 0.3 s. */
    {"a", "<![CDATA[", "\n", ""}, /* 0.1 s. */
    {"", "![[]()", "\n", ""},     /* Links among images: 0.3 s. */
    {"", "a\n", "|-|\n", ""},     /* A head of a table below many lines: 0.6 s. */
    {"", "![[a](b)\n", "\n", ""},
};

static void
what_takes_for_ever_is_refused(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        struct buf text = BUF_INIT;
        struct markdown md;
        struct fault f = FAULT_INIT;

        buf_adds(&text, hostile[i].head);
        repeat(&text, hostile[i].part, 500000);
        buf_adds(&text, hostile[i].between);
        repeat(&text, hostile[i].rest[0] ? hostile[i].rest : hostile[i].part, 500000);
        CHECK(text.len <= MARKDOWN_BYTES_MAX);
        CHECK(markdown_effort(buf_slice(&text)) > MARKDOWN_EFFORT_MAX);
        CHECK_INT(markdown_parse(buf_slice(&text), &md, &f), E_TOO_LARGE);
        CHECK(strstr(f.text, "takes too long") && f.remedy[0]);
        buf_fini(&text);
    }
}

/* As much of each as is let through is read; that this ends is the test. */
static void
what_is_let_through_is_read(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        for (size_t bytes = 1024; bytes < MARKDOWN_BYTES_MAX; bytes *= 2) {
            struct buf text = BUF_INIT;
            struct markdown md = MARKDOWN_INIT;
            bool good;

            buf_adds(&text, hostile[i].head);
            repeat(&text, hostile[i].part, bytes / 2);
            buf_adds(&text, hostile[i].between);
            repeat(&text, hostile[i].rest[0] ? hostile[i].rest : hostile[i].part, bytes / 2);
            good = markdown_effort(buf_slice(&text)) <= MARKDOWN_EFFORT_MAX;
            CHECK_INT(markdown_parse(buf_slice(&text), &md, NULL), good ? E_OK : E_TOO_LARGE);
            markdown_fini(&md);
            buf_fini(&text);
            CHECK(good || bytes > 4096);
        }
    }
}

/* A page of everything, over and over, as long as one may be. */
static void
what_people_write_is_far_from_it(void **unused)
{
    static const char page[] =
        "# Title\n\nText with a [link](a.md), ![an image](b.png) and `<?php`.\nMore of it.\n\n"
        "- item\n  - item in it\n    - and in that\n\n      with text\n\n"
        "| a | b | c | d | e | f |\n|---|---|---|---|---|---|\n| 1 | 2 | 3 | 4 | 5 | 6 |\n\n"
        "> quoted\n> > twice\n\n```xml\n<?xml version=\"1.0\"?>\n<!DOCTYPE html>\n"
        "                                        deep\n```\n\n1. one\n2. two\n";
    struct buf text = BUF_INIT;

    (void)unused;
    repeat(&text, page, MARKDOWN_BYTES_MAX);
    CHECK(markdown_effort(buf_slice(&text)) < MARKDOWN_EFFORT_MAX / 20);
    buf_fini(&text);
    CHECK_INT(markdown_effort(SLICE("")), 0);
    CHECK_INT(markdown_effort(SLICE("a")), 0);
    /* A line ends in three ways, and means the same. */
    CHECK_INT(markdown_effort(SLICE("- <?\r\n  ![[]()\r\n\r\n|\r\n")),
              markdown_effort(SLICE("- <?\n  ![[]()\n\n|\n")));
    CHECK_INT(markdown_effort(SLICE("- <?\r  ![[]()\r\r|\r")),
              markdown_effort(SLICE("- <?\n  ![[]()\n\n|\n")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_takes_for_ever_is_refused),
        cmocka_unit_test(what_is_let_through_is_read),
        cmocka_unit_test(what_people_write_is_far_from_it),
    };

    return CHECK_RUN(tests);
}
