/* test_token.c -- a token that was given is the only one, and is a good one. */
#include "server/token.h"

#include "state/config.h"
#include "tests/check.h"
#include "tests/tree.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define GOOD "0f1e2d3c4b5a69788796a5b4c3d2e1f0"

static struct tree *tree;
static struct context context;

static int
start(void **unused)
{
    char path[64];

    (void)unused;
    tree = tree_create();
    snprintf(path, sizeof path, "/proc/self/fd/%d", dir_fd(tree_dir(tree)));
    context = (struct context)CONTEXT_INIT;
    context.settings = settings_create();
    return project_find(path, "/", NULL, &context.project, NULL) ? -1 : 0;
}

static int
stop(void **unused)
{
    (void)unused;
    context_close(&context);
    tree_destroy(tree);
    return 0;
}

static void
name(const char *place)
{
    CHECK_INT(settings_set(context.settings, SETTING_token_file, place, ORIGIN_OPTION, NULL), E_OK);
}

static enum err
read_it(char token[TOKEN_SIZE], struct fault *f)
{
    *f = (struct fault)FAULT_INIT;
    token[0] = '\0';
    return token_read(&context, token, f);
}

static void
without_a_name_it_is_that_of_the_data_folder(void **unused)
{
    char token[TOKEN_SIZE], again[TOKEN_SIZE];
    struct fault f;

    (void)unused;
    CHECK(!token_is_given(context.settings));
    CHECK_INT(project_open_data(&context.project, true, NULL), E_OK);
    CHECK_INT(read_it(token, &f), E_OK);
    CHECK_INT(discovery_token(context.project.data, again, NULL), E_OK);
    CHECK_STR(token, again);
}

static void
a_file_or_a_variable_has_it(void **unused)
{
    char token[TOKEN_SIZE];
    struct fault f;

    (void)unused;
    tree_write(tree, "secrets/token", GOOD "\n");
    CHECK_INT(fchmodat(dir_fd(tree_dir(tree)), "secrets/token", 0440, 0), 0);
    name("secrets/token");
    CHECK(token_is_given(context.settings));
    CHECK_INT(read_it(token, &f), E_OK);
    CHECK_STR(token, GOOD);
    CHECK(!context.project.data); /* It needs no data folder, and makes none. */
    setenv("TEST_GIVEN_TOKEN", "abcdefgh.-_~+/=abcdefghABCDEFGH0", 1);
    name("env:TEST_GIVEN_TOKEN");
    CHECK_INT(read_it(token, &f), E_OK);
    CHECK_STR(token, "abcdefgh.-_~+/=abcdefghABCDEFGH0");
    unsetenv("TEST_GIVEN_TOKEN");
    CHECK_INT(read_it(token, &f), E_NOT_FOUND);
}

static void
a_secret_may_stand_behind_links(void **unused)
{
    char token[TOKEN_SIZE];
    struct fault f;
    int fd = dir_fd(tree_dir(tree));

    (void)unused;
    tree_write(tree, "mount/..2026/token", GOOD);
    CHECK_INT(symlinkat("..2026", fd, "mount/..data"), 0);
    CHECK_INT(symlinkat("..data/token", fd, "mount/token"), 0);
    name("mount/token");
    CHECK_INT(read_it(token, &f), E_OK);
    CHECK_STR(token, GOOD);
}

static void
what_others_can_read_is_refused(void **unused)
{
    static const mode_t bad[] = {0604, 0602, 0620, 0444, 0666};
    char token[TOKEN_SIZE];
    struct fault f;

    (void)unused;
    tree_write(tree, "token.txt", GOOD);
    name("token.txt");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_INT(fchmodat(dir_fd(tree_dir(tree)), "token.txt", bad[i], 0), 0);
        CHECK_INT(read_it(token, &f), E_REFUSED);
        CHECK(strstr(f.text, "token_file: others can read") && strstr(f.remedy, "chmod 400"));
        CHECK_STR(token, "");
    }
}

static void
what_could_be_guessed_is_refused(void **unused)
{
    static const char *const bad[] = {
        "changeme",                        /* Short. */
        "0f1e2d3c4b5a69788796a5b4c3d2e1f", /* By one. */
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "12345671234567123456712345671234567", /* Seven kinds. */
        "0f1e2d3c4b5a69788796a5b4c3d2e1f0 and more",
        "0f1e2d3c4b5a69788796a5b4c3d2e1f0\"",
    };
    char token[TOKEN_SIZE];
    struct buf longest = BUF_INIT;
    struct fault f;

    (void)unused;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        setenv("TEST_GIVEN_TOKEN", bad[i], 1);
        name("env:TEST_GIVEN_TOKEN");
        CHECK(read_it(token, &f) != E_OK);
        CHECK(f.text[0] && f.remedy[0] && !strstr(f.text, bad[i]) && !strstr(f.remedy, bad[i]));
        CHECK_STR(token, "");
    }
    for (int i = 0; i < TOKEN_SIZE - 1; i++) {
        buf_addc(&longest, "0123456789abcdef"[i % 16]);
    }
    setenv("TEST_GIVEN_TOKEN", longest.data, 1);
    CHECK_INT(read_it(token, &f), E_OK);
    CHECK_STR(token, longest.data);
    buf_addc(&longest, '0');
    setenv("TEST_GIVEN_TOKEN", longest.data, 1);
    CHECK_INT(read_it(token, &f), E_REFUSED);
    unsetenv("TEST_GIVEN_TOKEN");
    buf_fini(&longest);
}

static void
a_place_that_has_none_is_told_and_not_shown(void **unused)
{
    char token[TOKEN_SIZE];
    struct fault f;

    (void)unused;
    name(GOOD); /* The token itself, by mistake. */
    CHECK_INT(read_it(token, &f), E_NOT_FOUND);
    CHECK(strstr(f.text, "token_file") && !strstr(f.text, GOOD) && !strstr(f.remedy, GOOD));
    tree_write(tree, "empty", "");
    CHECK_INT(fchmodat(dir_fd(tree_dir(tree)), "empty", 0400, 0), 0);
    name("empty");
    CHECK_INT(read_it(token, &f), E_ARGUMENT);
    name("empty/token");
    CHECK_INT(read_it(token, &f), E_IO);
}

#define WITH(TEST) cmocka_unit_test_setup_teardown(TEST, start, stop)

static const struct CMUnitTest tests[] = {
    WITH(without_a_name_it_is_that_of_the_data_folder),
    WITH(a_file_or_a_variable_has_it),
    WITH(a_secret_may_stand_behind_links),
    WITH(what_others_can_read_is_refused),
    WITH(what_could_be_guessed_is_refused),
    WITH(a_place_that_has_none_is_told_and_not_shown),
};

int
main(void)
{
    return CHECK_RUN(tests);
}
