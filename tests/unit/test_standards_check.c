/* test_standards_check.c -- what a search could not use is told with its place. */
#include "state/standards_check.h"

#include "tests/check.h"
#include "tests/search_rig.h"

/* Whether there is an error there that says this. */
static bool
tells(const struct problems *p, const char *file, unsigned line, unsigned column, const char *text)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct problem *q = &p->items[i];

        if (q->severity == PROBLEM_ERROR && strcmp(q->file, file) == 0 && q->line == line &&
            q->column == column && strstr(q->text, text)) {
            return true;
        }
    }
    return false;
}

static void
what_cannot_be_used_has_its_place(void **state)
{
    struct search_rig r;
    struct problems p = PROBLEMS_INIT;
    struct buf text = BUF_INIT;
    struct dir_place at;

    (void)state;
    search_rig_create_empty(&r, false);
    at = (struct dir_place){tree_dir(r.tree), "standards"};
    CHECK_INT(standards_check(&at, &p), 0); /* No folder, no problem. */
    CHECK_INT(p.count, 0);
    tree_write(r.tree, "standards/good.md", "# Good\n\xEF\xBB\xBF \xE2\x82\xAC\n");
    tree_write(r.tree, "standards/empty.md", "");
    tree_write(r.tree, "standards/other.bin", "\xFF");
    tree_write(r.tree, "standards/synonyms.txt", "lock, mutex\n");
    CHECK_INT(standards_check(&at, &p), 3);
    CHECK_INT(p.count, 0);
    while (text.len <= DOCUMENT_TEXT_MAX) {
        buf_adds(&text, "A line of words.\n");
    }
    tree_write_bytes(r.tree, "standards/a/large.md", buf_slice(&text));
    tree_write(r.tree, "standards/a/bytes.md", "\xE2\x82\xAC\n\xE2\x82\xAC\xE2\x82");
    tree_write(r.tree, "standards/synonyms.txt", "lock, mutex\n\nalone\n");
    tree_write(r.tree, "standards/secret.md", "# Secret\n");
    search_rig_set_mode(&r, "standards/secret.md", 0);
    tree_write(r.tree, "standards/closed/c.md", "# Closed\n");
    search_rig_set_mode(&r, "standards/closed", 0);
    CHECK_INT(standards_check(&at, &p), 6);
    CHECK_INT(p.count, 5);
    CHECK(tells(&p, "a/large.md", 0, 0, "larger than"));
    CHECK(tells(&p, "a/bytes.md", 2, 2, "not UTF-8"));
    CHECK(tells(&p, "synonyms.txt", 3, 1, "one word"));
    CHECK(tells(&p, "secret.md", 0, 0, "cannot be opened"));
    CHECK(tells(&p, "closed", 0, 0, "cannot be read"));
    problems_fini(&p);
    CHECK(standards_check_file(&at, "a/bytes.md", &p));
    CHECK(standards_check_file(&at, "synonyms.txt", &p));
    CHECK_INT(p.count, 2);
    CHECK(!standards_check_file(&at, "other.bin", &p));
    problems_fini(&p);
    search_rig_set_mode(&r, "standards/closed", 0700);
    buf_fini(&text);
    tree_destroy(r.tree);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_cannot_be_used_has_its_place, search_rig_be_nobody,
                                        search_rig_be_oneself),
    };
    return CHECK_RUN(tests);
}
