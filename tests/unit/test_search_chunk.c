/* test_search_chunk.c -- every byte in exactly one chunk; headings, samples, long and short
 * sections. */
#include "state/search_chunk.h"
#include "state/base/rune.h"
#include "tests/check.h"
#include "tests/hostile.h"

#include <dirent.h>
#include <stdio.h>

static struct chunks
chunks_of(struct slice text)
{
    struct fault f = FAULT_INIT;
    struct chunks c;

    CHECK_INT(chunks_make(text, &c, &f), E_OK);
    return c;
}

/* Whether a character of 'text', valid or not as a whole, goes over byte 'at'. */
static bool
is_inside_character(struct slice text, size_t at)
{
    for (size_t back = 1; back <= 3 && back <= at; back++) {
        uint32_t rune;

        if (rune_decode(text, at - back, &rune) > back) {
            return true;
        }
    }
    return false;
}

/* What must hold of any text. */
static void
check_properties(struct slice text)
{
    struct chunks c = chunks_of(text);
    const char *at = text.data;
    unsigned line = 1;

    for (size_t i = 0; i < c.count; i++) {
        const struct chunk *chunk = &c.items[i];

        CHECK(chunk->text.data == at);
        CHECK(chunk->text.len > 0 && chunk->text.len <= CHUNK_BYTES_MAX);
        CHECK(!is_inside_character(text, (size_t)(at - text.data)));
        CHECK(chunk->line >= line);
        line = chunk->line;
        at += chunk->text.len;
    }
    CHECK(at == text.data + text.len);
    chunks_fini(&c);
}

/* The chunks as "path|headings|bytes" lines. */
static void
shows(const char *text, const char *expected)
{
    struct chunks c = chunks_of(slice_of(text));
    struct buf out = BUF_INIT;

    for (size_t i = 0; i < c.count; i++) {
        buf_addf(&out, "%u %s|%s|%zu\n", c.items[i].line, c.items[i].path, c.items[i].more,
                 c.items[i].text.len);
    }
    CHECK_STR(out.data ? out.data : "", expected);
    check_properties(slice_of(text));
    buf_fini(&out);
    chunks_fini(&c);
}

/* A paragraph of 'len' bytes with the newline, in words. */
static void
add_words(struct buf *b, size_t len)
{
    while (len > 6) {
        buf_adds(b, "words ");
        len -= 6;
    }
    for (; len > 1; len--) {
        buf_addc(b, 'x');
    }
    buf_addc(b, '\n');
}

static void
small_neighbours_share_a_chunk(void **state)
{
    (void)state;
    shows("", "");
    shows("before\n", "1 ||7\n");
    shows("before\n# A\ntext\n## B\nb\n## C\nc\n", "1 ||7\n2 A|B\nC|23\n");
    shows("# A\na\n# B\nb\n", "1 A|B|12\n");
}

static void
a_heading_in_a_sample_is_none(void **state)
{
    (void)state;
    shows("# A\n```sh\n# no\n## heading\n```\n    # nor this\n> # nor this\n", "1 A||58\n");
    shows("Title\n=====\ntext\n", "1 Title||17\n");
}

static void
sections_of_another_parent_do_not_join(void **state)
{
    struct buf text = BUF_INIT, expected = BUF_INIT;

    (void)state;
    buf_adds(&text, "# T\n");
    add_words(&text, 1000);
    buf_adds(&text, "## A\n");
    add_words(&text, 1200);
    buf_adds(&text, "### A1\nshort\n## B\nshort\n### B1\nshort\n");
    buf_addf(&expected, "1 T||1004\n3 T > A|A1\nB\nB1|%zu\n", text.len - 1004);
    shows(text.data, expected.data);
    buf_reset(&text);
    buf_adds(&text, "# T\n");
    add_words(&text, 1990);
    buf_adds(&text, "## A\n### A1\n");
    add_words(&text, 1900);
    buf_adds(&text, "## B\nshort\n");
    shows(text.data, "1 T||1994\n3 T > A|A1\nB|1923\n");
    buf_fini(&text);
    buf_fini(&expected);
}

static void
long_sections_are_cut_at_blank_lines(void **state)
{
    struct buf text = BUF_INIT;

    (void)state;
    buf_adds(&text, "# T\n");
    for (int i = 0; i < 5; i++) {
        add_words(&text, 799);
        buf_adds(&text, "\n");
    }
    shows(text.data, "1 T||1604\n6 T||1600\n10 T||800\n");
    buf_fini(&text);
}

static void
a_sample_is_not_cut_while_there_is_another_place(void **state)
{
    struct buf text = BUF_INIT;

    (void)state;
    add_words(&text, 799);
    buf_adds(&text, "\n```\n");
    add_words(&text, 799);
    buf_adds(&text, "\n");
    add_words(&text, 799);
    buf_adds(&text, "```\nend\n");
    shows(text.data, "1 ||800\n3 ||1611\n");
    buf_fini(&text);
}

static void
a_long_line_is_cut_at_a_sentence_or_anywhere(void **state)
{
    struct buf text = BUF_INIT;

    (void)state;
    for (int i = 0; i < 200; i++) {
        buf_adds(&text, "This is a sentence. ");
    }
    shows(text.data, "1 ||2000\n1 ||2000\n");
    buf_reset(&text);
    for (int i = 0; i < 1000; i++) {
        buf_adds(&text, "\xe2\x82\xac"); /* Three bytes: 2000 is inside one. */
    }
    shows(text.data, "1 ||1998\n1 ||1002\n");
    buf_fini(&text);
}

static void
lines_may_end_in_any_way(void **state)
{
    (void)state;
    shows("a\r\n# B\r\nb\r\n", "1 ||3\n2 B||8\n");
    shows("a\r# B\rb\r", "1 ||2\n2 B||6\n");
}

static void
titles(void **state)
{
    static const char *const cases[][2] = {
        {"## B\n# A\n", "A"}, {"## B\n### C\n", "B"}, {"text\n", ""}, {"", ""}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct chunks c = chunks_of(slice_of(cases[i][0]));
        CHECK_STR(c.title, cases[i][1]);
        chunks_fini(&c);
    }
}

/* The names of the chunks of a text, a line each; new. */
static char *
ids_of(const char *text)
{
    struct chunks c = chunks_of(slice_of(text));
    struct buf out = BUF_INIT;

    for (size_t i = 0; i < c.count; i++) {
        chunk_id("a b.md", (unsigned)i, c.items[i].text, &out);
        buf_addc(&out, '\n');
    }
    chunks_fini(&c);
    return buf_steal(&out);
}

static void
ids_are_of_file_place_and_text(void **state)
{
    struct buf text = BUF_INIT;
    char *before, *same, *after, *line;

    (void)state;
    line = ids_of("# A\n");
    CHECK_STR(line, "a b.md#0-d978317c9108276d\n"); /* For ever: others may keep them. */
    free(line);
    buf_adds(&text, "# T\n");
    add_words(&text, 1990);
    buf_adds(&text, "# Same\n");
    add_words(&text, 1990);
    before = ids_of(text.data);
    same = ids_of(text.data);
    CHECK_STR(before, same);
    memcpy(text.data + 5, "W", 1);
    after = ids_of(text.data);
    CHECK(strcmp(before, after) != 0);
    CHECK_STR(strchr(before, '\n'), strchr(after, '\n')); /* Those of the others stay. */
    free(before);
    free(same);
    free(after);
    buf_fini(&text);
}

static void
check_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct buf text = BUF_INIT;
    char block[4096];
    size_t n;

    CHECK(file != NULL);
    while ((n = fread(block, 1, sizeof block, file)) > 0) {
        buf_add(&text, block, n);
    }
    fclose(file);
    check_properties(buf_slice(&text));
    buf_fini(&text);
}

static unsigned
check_tree(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    unsigned count = 0;

    CHECK(dir != NULL);
    while ((entry = readdir(dir))) {
        char *path = xasprintf("%s/%s", folder, entry->d_name);
        size_t len = strlen(path);

        if (entry->d_name[0] != '.' && entry->d_type == DT_DIR) {
            count += check_tree(path);
        } else if (len > 3 && strcmp(path + len - 3, ".md") == 0) {
            check_file(path);
            count++;
        }
        free(path);
    }
    closedir(dir);
    return count;
}

static void
every_fixture_is_whole(void **state)
{
    (void)state;
    CHECK(check_tree("tests/fixtures/praxis") >= 100);
}

static void
check_hostile(const struct hostile_case *c, void *arg)
{
    (void)arg;
    check_properties(c->bytes);
}

static void
hostile_bytes_are_whole(void **state)
{
    (void)state;
    CHECK(hostile_files("utf8", check_hostile, NULL) > 0);
    CHECK(hostile_files("json", check_hostile, NULL) > 0);
}

/* Hostile Markdown: 'head', then 'each' over and over, up to that many bytes or a few more. */
#define TEXT(LITERAL)                \
    {                                \
        LITERAL, sizeof(LITERAL) - 1 \
    }
static const struct hostile_text {
    struct slice head, each;
    size_t len;
} hostile_texts[] = {
    {TEXT("# A\n```\n# in a fence that is never closed\n"), TEXT("## no heading\n\n"), 20000},
    {TEXT("~~~~ x\n"), TEXT("~~~\n# no\n```\n"), 20000},
    {TEXT("- a\n\n  ```\n"), TEXT("  # in a list's fence\n"), 20000},
    {TEXT("text\n"), TEXT("- "), 5000},
    {TEXT("text\n"), TEXT("> "), 5000},
    {TEXT(""), TEXT("- a\n  - b\n    - c\n      1. d\n\n"), 50000},
    {TEXT("# A\r\n"), TEXT("words in a line\r\n\r\n## B\r\n"), 20000},
    {TEXT("# A\r"), TEXT("words in a line\r\r## B\r"), 20000},
    {TEXT("a\r\n\rb\n\r"), TEXT("\r\n\n\r"), 20000},
    {TEXT("\xEF\xBB\xBF# A heading behind a BOM\n"), TEXT("\xEF\xBB\xBF"), 20000},
    {TEXT(""), TEXT("x"), 1 << 20},
    {TEXT(""), TEXT("\xF0\x9F\x94\x92"), 1 << 20},
    {TEXT("a"), TEXT("\xE2\x82\xAC"), 1 << 20},
    {TEXT("ab"), TEXT("\xC3\xA4"), 20000},
    {TEXT("# A\n"), TEXT("\xFF\xFE\xC3\xE2\x82\xF0\x9F\x94"), 20000},
    {TEXT(""), TEXT("\x80"), 20000},
    {TEXT("\xF0"), TEXT("\xF0\x9F\x94\x92\xF0\x9F"), 20000},
    {{"# A\0B\n", 6}, {"a\0b\n\0\n", 6}, 20000},
    {{"", 0}, {"\0", 1}, 20000},
    {TEXT(""), TEXT("\n"), 20000},
    {TEXT(""), TEXT(" \t"), 20000},
    {TEXT("<!--\n"), TEXT("# in a comment\n\n"), 20000},
    {TEXT("<pre>\n"), TEXT("# in HTML\n\n"), 20000},
    {TEXT(""), TEXT("A\n=\n"), 20000},
    {TEXT(""), TEXT("#\n"), 20000},
    {TEXT(""), TEXT("###### # ## \\#\n"), 20000},
    {TEXT(""), TEXT("["), 20000},
    {TEXT(""), TEXT("*a_ "), 20000},
    {TEXT(""), TEXT("`"), 20000},
    {TEXT("|a|\n|-|\n"), TEXT("|a|\n"), 20000},
};

static void
hostile_markdown_is_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hostile_texts / sizeof hostile_texts[0]; i++) {
        const struct hostile_text *h = &hostile_texts[i];
        struct buf text = BUF_INIT;

        buf_add_slice(&text, h->head);
        while (text.len < h->len) {
            buf_add_slice(&text, h->each);
        }
        check_properties(buf_slice(&text));
        buf_fini(&text);
    }
    shows("\xEF\xBB\xBF# A\ntext\n", "1 A||12\n");
}

/* Texts made of what Markdown reacts to, by a fixed generator. */
static void
made_up_texts_are_whole(void **state)
{
    static const char *const words[] = {
        "# a\n", "## b\n",   "###### c\n", "```\n",        "~~~\n",
        "\n",    "\r\n",     "\r",         "> ",           "- ",
        "1. ",   "    ",     "===\n",      "---\n",        "|a|b|\n",
        "word ", "x.  ",     "<div>\n",    "\xe2\x82\xac", "\xff",
        "\t",    "[a]: b\n", "\\",         "![",           "longer words stand here. "};
    uint64_t seed = 88172645463325252u;

    (void)state;
    for (int round = 0; round < 300; round++) {
        struct buf text = BUF_INIT;

        for (int i = 0; i < 400; i++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            buf_adds(&text, words[seed % (sizeof words / sizeof words[0])]);
        }
        check_properties(buf_slice(&text));
        buf_fini(&text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_neighbours_share_a_chunk),
        cmocka_unit_test(a_heading_in_a_sample_is_none),
        cmocka_unit_test(sections_of_another_parent_do_not_join),
        cmocka_unit_test(long_sections_are_cut_at_blank_lines),
        cmocka_unit_test(a_sample_is_not_cut_while_there_is_another_place),
        cmocka_unit_test(a_long_line_is_cut_at_a_sentence_or_anywhere),
        cmocka_unit_test(lines_may_end_in_any_way),
        cmocka_unit_test(titles),
        cmocka_unit_test(ids_are_of_file_place_and_text),
        cmocka_unit_test(every_fixture_is_whole),
        cmocka_unit_test(hostile_bytes_are_whole),
        cmocka_unit_test(hostile_markdown_is_whole),
        cmocka_unit_test(made_up_texts_are_whole),
    };
    return CHECK_RUN(tests);
}
