/* test_documents.c -- how far below a folder its documents are; test_standards.c has the rest. */
#include "tests/check.h"

#include "state/documents.h"
#include "tests/tree.h"

static void
depth_is_kept(void **unused)
{
    static const struct document_folder flat = {"help", "article", 0}, deep = {"help/a", "page", 1};
    struct tree *t = tree_create();
    struct document_list list;
    struct fault f = FAULT_INIT;
    struct buf out = BUF_INIT;

    (void)unused;
    tree_write(t, "help/top.md", "# Top\n");
    tree_write(t, "help/a/one.md", "# One\n");
    tree_write(t, "help/a/b/two.md", "# Two\n");
    tree_write(t, "help/a/b/c/three.md", "# Three\n");
    CHECK_INT(documents_find(tree_dir(t), &flat, &list, &f), E_OK);
    CHECK_INT(list.count, 1);
    CHECK_STR(list.paths[0], "top.md");
    document_list_fini(&list);
    CHECK_INT(documents_find(tree_dir(t), &deep, &list, &f), E_OK);
    CHECK_INT(list.count, 2);
    CHECK_STR(list.paths[0], "b/two.md");
    CHECK_STR(list.paths[1], "one.md");
    document_list_fini(&list);
    CHECK_INT(documents_read(tree_dir(t), &flat, SLICE("a/one.md"), &out, &f), E_NOT_FOUND);
    CHECK_STR(f.text, "this names no article");
    CHECK_INT(documents_read(tree_dir(t), &deep, SLICE("none.md"), &out, &f), E_NOT_FOUND);
    CHECK_INT(documents_read(tree_dir(t), &deep, SLICE("b/two.md"), &out, &f), E_OK);
    CHECK_STR(out.data, "# Two\n");
    buf_fini(&out);
    tree_destroy(t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(depth_is_kept),
    };
    return CHECK_RUN(tests);
}
