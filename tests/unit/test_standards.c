/* test_standards.c -- what is a standard, and what only looks like one. */
#include "tests/check.h"

#include "state/standards.h"
#include "tests/tree.h"

#include <stdio.h>

static struct document_list
find(const struct tree *t)
{
    struct document_list list;

    CHECK_INT(standards_find(&(struct dir_place){tree_dir(t), "standards"}, &list, NULL), E_OK);
    return list;
}

static enum err
read_path(const struct tree *t, const char *path, struct fault *f)
{
    struct buf out = BUF_INIT;
    enum err err =
        standards_read(&(struct dir_place){tree_dir(t), "standards"}, slice_of(path), &out, f);

    buf_fini(&out);
    return err;
}

static void
no_folder_is_no_standards(void **unused)
{
    struct tree *t = tree_create();
    struct document_list list = find(t);

    (void)unused;
    CHECK_INT(list.count, 0);
    document_list_fini(&list);
    CHECK_INT(read_path(t, "a.md", NULL), E_NOT_FOUND);
    tree_destroy(t);
}

static void
what_is_listed_can_be_read(void **unused)
{
    struct tree *t = tree_create();
    struct document_list list;

    (void)unused;
    tree_write(t, "standards/b.md", "# B\n");
    tree_write(t, "standards/a/c d.md", "# C\n");
    tree_write(t, "standards/a/notes.txt", "no");
    tree_write(t, "standards/.hidden.md", "no");
    tree_write(t, "standards/.git/x.md", "no");
    tree_write(t, "standards/back\\slash.md", "no");
    tree_write(t, "standards/.md", "no");
    tree_write(t, "secret.md", "secret");
    tree_symlink(t, "../secret.md", "standards/link.md");
    tree_symlink(t, "a", "standards/folder-link");
    tree_mkdir(t, "standards/folder.md");
    list = find(t);
    CHECK_INT(list.count, 2);
    CHECK_STR(list.paths[0], "a/c d.md");
    CHECK_STR(list.paths[1], "b.md");
    for (size_t i = 0; i < list.count; i++) {
        CHECK_INT(read_path(t, list.paths[i], NULL), E_OK);
    }
    document_list_fini(&list);
    tree_destroy(t);
}

static void
what_is_not_listed_is_not_found(void **unused)
{
    static const char *const paths[] = {
        "",
        "/",
        "/b.md",
        "../secret.md",
        "a/../b.md",
        "./b.md",
        "a//c.md",
        ".hidden.md",
        ".git/x.md",
        "link.md",
        "b.md/",
        "folder.md",
        "notes.txt",
        "..\\b.md",
        "a/notes.txt",
        "b.MD",
        ".md",
        "folder-link/c.md",
        "b.md\n",
        "\x01"
        "b.md",
        "\xFF"
        "b.md",
    };
    struct tree *t = tree_create();

    (void)unused;
    tree_write(t, "standards/b.md", "# B\n");
    tree_write(t, "standards/a/c.md", "# C\n");
    tree_write(t, "standards/a/notes.txt", "no");
    tree_write(t, "standards/.hidden.md", "no");
    tree_write(t, "standards/.git/x.md", "no");
    tree_write(t, "secret.md", "secret");
    tree_symlink(t, "../secret.md", "standards/link.md");
    tree_symlink(t, "a", "standards/folder-link");
    tree_mkdir(t, "standards/folder.md");
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (read_path(t, paths[i], NULL) != E_NOT_FOUND) {
            fail_msg("%s", paths[i]);
        }
    }
    tree_destroy(t);
}

static void
a_text_is_bounded_and_utf8(void **unused)
{
    struct tree *t = tree_create();
    struct fault f = FAULT_INIT;
    char *big = xcalloc(1, DOCUMENT_TEXT_MAX + 2);

    (void)unused;
    memset(big, 'x', DOCUMENT_TEXT_MAX + 1);
    tree_write(t, "standards/big.md", big);
    tree_write_bytes(t, "standards/latin.md", SLICE("caf\xE9"));
    CHECK_INT(read_path(t, "big.md", &f), E_TOO_LARGE);
    CHECK_INT(read_path(t, "latin.md", &f), E_REFUSED);
    CHECK(strstr(f.text, "latin.md") != NULL);
    free(big);
    tree_destroy(t);
}

static void
folders_are_walked_as_deep_as_can_be_read(void **unused)
{
    struct tree *t = tree_create();
    struct buf path = BUF_INIT, file = BUF_INIT;
    struct document_list list;

    (void)unused;
    for (unsigned i = 0; i <= DOCUMENT_DEPTH_MAX + 1; i++) {
        buf_reset(&file);
        buf_addf(&file, "standards/%sx.md", path.len ? path.data : "");
        tree_write(t, file.data, "x");
        buf_adds(&path, "d/");
    }
    list = find(t);
    CHECK_INT(list.count, DOCUMENT_DEPTH_MAX + 1);
    for (size_t i = 0; i < list.count; i++) {
        CHECK_INT(read_path(t, list.paths[i], NULL), E_OK);
    }
    CHECK_INT(read_path(t, file.data + strlen("standards/"), NULL), E_NOT_FOUND);
    document_list_fini(&list);
    buf_fini(&path);
    buf_fini(&file);
    tree_destroy(t);
}

static void
too_many_are_an_error(void **unused)
{
    struct tree *t = tree_create();
    struct document_list list;
    struct fault f = FAULT_INIT;

    (void)unused;
    for (unsigned i = 0; i < DOCUMENTS_MAX + 1; i++) {
        char path[64];

        snprintf(path, sizeof path, "standards/%u/%u.md", i % 2, i);
        tree_write(t, path, "");
    }
    CHECK_INT(standards_find(&(struct dir_place){tree_dir(t), "standards"}, &list, &f),
              E_TOO_LARGE);
    CHECK_INT(list.count, 0);
    tree_destroy(t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_folder_is_no_standards),
        cmocka_unit_test(what_is_listed_can_be_read),
        cmocka_unit_test(what_is_not_listed_is_not_found),
        cmocka_unit_test(a_text_is_bounded_and_utf8),
        cmocka_unit_test(folders_are_walked_as_deep_as_can_be_read),
        cmocka_unit_test(too_many_are_an_error),
    };
    return CHECK_RUN(tests);
}
