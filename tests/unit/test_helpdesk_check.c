/* test_helpdesk_check.c -- what of the helpdesk's folder could not be loaded is told with its
 * place.
 */
#include "state/helpdesk_check.h"

#include "tests/check.h"
#include "tests/tree.h"

#define HEAD "{\"format\":\"tandem-helpdesk\",\"version\":1,\"count\":1"
#define VECTORS ",\"metric\":\"squared_l2\",\"dimension\":2,\"embedder\":\"somebody's\""

static bool
tells(const struct problems *p, const char *file, unsigned line, const char *text)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct problem *q = &p->items[i];

        if (strcmp(q->file, file) == 0 && q->line == line && strcmp(q->text, text) == 0) {
            return true;
        }
    }
    return false;
}

static void
what_is_good_is_counted(void **unused)
{
    struct tree *t = tree_create();
    const struct dir_place at = {tree_dir(t), "desk"};
    struct problems p = PROBLEMS_INIT;

    (void)unused;
    CHECK_INT(helpdesk_check(&at, &p), 0); /* No folder, no problem. */
    tree_write(t, "desk/faq.md", "# Refunds\n\nTen days.\n");
    tree_write(t, "desk/shared/deep/down.md", "# More\n");
    tree_write(t, "desk/acme/own.md", "# Acme\n");
    tree_write(t, "desk/index.jsonl", HEAD VECTORS "}\n{\"content\":\"a\",\"vector\":[1,0]}\n");
    tree_write(t, "desk/acme/index.json", HEAD ",\"documents\":[{\"content\":\"a\"}]}");
    tree_write(t, "desk/notes.txt", "\xFF");
    CHECK_INT(helpdesk_check(&at, &p), 5);
    CHECK_INT(p.count, 0);
    tree_destroy(t);
}

static void
what_is_not_has_its_place(void **unused)
{
    struct tree *t = tree_create();
    const struct dir_place at = {tree_dir(t), "desk"};
    struct problems p = PROBLEMS_INIT;

    (void)unused;
    tree_write(t, "desk/acme/a/bytes.md", "# A\n\xFF");
    tree_write(t, "desk/index.json", "{}");
    tree_write(t, "desk/acme/index.jsonl", HEAD VECTORS "}\n{\"content\":\"a\",\"vector\":[1]}\n");
    tree_mkdir(t, "desk/No.Index");
    CHECK_INT(helpdesk_check(&at, &p), 3);
    CHECK_INT(p.errors, 3);
    CHECK_INT(p.count, 4);
    CHECK(tells(&p, "acme/a/bytes.md", 2, "the document is not UTF-8 from here on"));
    CHECK(tells(&p, "index.json", 0, "\"format\" is not \"tandem-helpdesk\""));
    CHECK(tells(&p, "acme/index.jsonl", 2, "a vector has 1 numbers, and the head says 2"));
    CHECK_STR(p.items[1].file, "No.Index");
    CHECK_INT(p.items[1].severity, PROBLEM_WARNING);
    problems_fini(&p);
    tree_destroy(t);
}

static void
one_file(void **unused)
{
    struct tree *t = tree_create();
    struct problems p = PROBLEMS_INIT;

    (void)unused;
    CHECK(helpdesk_check_knows("index.json") && helpdesk_check_knows("index.jsonl"));
    CHECK(!helpdesk_check_knows("config.json"));
    CHECK(!helpdesk_check_file(tree_dir(t), "index.json", "index.json", &p));
    CHECK_INT(p.count, 0);
    tree_write(t, "a/index.json", "no");
    CHECK(helpdesk_check_file(tree_dir(t), "a/index.json", "as/given", &p));
    CHECK_INT(p.errors, 1);
    CHECK_STR(p.items[0].file, "as/given");
    CHECK(strncmp(p.items[0].text, "it is no JSON object", 20) == 0);
    problems_fini(&p);
    tree_destroy(t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_good_is_counted),
        cmocka_unit_test(what_is_not_has_its_place),
        cmocka_unit_test(one_file),
    };
    return CHECK_RUN(tests);
}
