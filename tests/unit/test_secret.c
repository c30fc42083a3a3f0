/* test_secret.c -- secrets are found where settings say, and stand in no error. */
#include "tests/check.h"

#include "server/secret.h"
#include "tests/tree.h"

static struct tree *tree;
static char *folder;

static int
start(void **state)
{
    (void)state;
    tree = tree_create();
    folder = xasprintf("/proc/self/fd/%d", dir_fd(tree_dir(tree)));
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    tree_destroy(tree);
    free(folder);
    return 0;
}

static enum err
read_text(const char *place, char **text)
{
    struct fault f = FAULT_INIT;
    enum err err = secret_read_text("embed.key_file", place, folder, text, &f);

    CHECK(!err == !f.text[0]);
    CHECK(!err || (strncmp(f.text, "embed.key_file: ", 16) == 0 && f.remedy[0]));
    CHECK(!err || (!*place || !strstr(f.text, place)));
    CHECK(!err || !*text);
    return err;
}

static void
a_secret_is_read_from_its_place(void **state)
{
    char *text, *path = xasprintf("%s/keys/provider", folder);

    (void)state;
    tree_write(tree, "keys/provider", " sk-1\r\n\n");
    setenv("TEST_SECRET_KEY", "sk-2", 1);
    CHECK_INT(read_text("keys/provider", &text), E_OK);
    CHECK_STR(text, "sk-1");
    secret_free(text);
    CHECK_INT(read_text(path, &text), E_OK);
    CHECK_STR(text, "sk-1");
    secret_free(text);
    CHECK_INT(read_text("env:TEST_SECRET_KEY", &text), E_OK);
    CHECK_STR(text, "sk-2");
    secret_free(text);
    CHECK_INT(read_text("", &text), E_OK);
    CHECK(!text);
    secret_free(text);
    free(path);
}

static void
what_is_no_secret_is_refused(void **state)
{
    struct buf large = BUF_INIT;
    char *text;

    (void)state;
    for (size_t i = 0; i <= SECRET_MAX; i++) {
        buf_addc(&large, 'x');
    }
    tree_write(tree, "huge.key", large.data);
    tree_write(tree, "none.key", "\n");
    tree_write(tree, "two.key", "sk-1\r\nX-Other: 1");
    tree_write(tree, "odd.key", "sk-\xC3\xA9");
    setenv("TEST_SECRET_KEY", large.data, 1);
    CHECK_INT(read_text("huge.key", &text), E_TOO_LARGE);
    CHECK_INT(read_text("env:TEST_SECRET_KEY", &text), E_TOO_LARGE);
    CHECK_INT(read_text("none.key", &text), E_ARGUMENT);
    CHECK_INT(read_text("two.key", &text), E_ARGUMENT);
    CHECK_INT(read_text("odd.key", &text), E_ARGUMENT);
    CHECK_INT(read_text("sk-put-here-by-mistake", &text), E_NOT_FOUND);
    CHECK_INT(read_text("no/such/folder", &text), E_NOT_FOUND);
    unsetenv("TEST_SECRET_KEY");
    CHECK_INT(read_text("env:TEST_SECRET_KEY", &text), E_NOT_FOUND);
    buf_fini(&large);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_secret_is_read_from_its_place, start, stop),
        cmocka_unit_test_setup_teardown(what_is_no_secret_is_refused, start, stop),
    };
    return CHECK_RUN(tests);
}
