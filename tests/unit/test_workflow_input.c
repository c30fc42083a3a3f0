/* test_workflow_input.c -- what is refused before anything is done, and what is not. */
#include "tests/check.h"

#include "tests/tree.h"

#include "state/workflow_input.h"

#include <stdio.h>

static void
paths_that_are_fine(void **state)
{
    static const char *const good[] = {
        "a",         "a/b.md",         "./a",
        ".",         "a/./b",          "user-auth feature (v2)",
        "a..b",      "..a/b",          "a/...",
        ".hidden/x", "src/\xC3\xBC.c", "100%",
        "a%20b",     "in/file",        "not/there/yet",
    };
    struct tree *t = tree_create();
    struct fault f = FAULT_INIT;
    (void)state;

    tree_mkdir(t, "real");
    tree_symlink(t, "real", "in");
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (input_check_path("target_file", good[i], tree_dir(t), &f) != E_OK) {
            fail_msg("'%s': %s", good[i], f.text);
        }
    }
    tree_destroy(t);
}

static void
paths_that_lead_out(void **state)
{
    static const char *const bad[] = {"out", "out/x", "deep/out/x", "up/x", "real/up2"};
    struct tree *t = tree_create();
    struct fault f = FAULT_INIT;
    (void)state;

    tree_mkdir(t, "real");
    tree_mkdir(t, "deep");
    tree_symlink(t, "/etc", "out");
    tree_symlink(t, "/", "deep/out");
    tree_symlink(t, "..", "up");
    tree_symlink(t, "../../x", "real/up2");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_INT(input_check_path("target_file", bad[i], tree_dir(t), &f), E_ARGUMENT);
        CHECK(strstr(f.text, "symbolic link") && f.remedy[0]);
    }
    tree_destroy(t);
}

static void
values_are_counted(void **state)
{
    json_t *options = json_object(), *list = json_array();
    struct fault f = FAULT_INIT;
    (void)state;

    CHECK_INT(input_check_options(NULL, &f), E_OK);
    CHECK_INT(input_check_options(json_null(), &f), E_OK);
    CHECK_INT(input_check_options(options, &f), E_OK);
    json_object_set_new(options, "list", list);
    for (int i = 0; i < 990; i++) {
        json_array_append_new(list, json_integer(i));
    }
    CHECK_INT(input_check_options(options, &f), E_OK);
    for (int i = 0; i < 10; i++) {
        json_array_append_new(list, json_integer(i));
    }
    CHECK_INT(input_check_options(options, &f), E_ARGUMENT);
    CHECK(strstr(f.text, "too many"));
    json_decref(options);
}

static void
keys_with_nul_are_refused(void **state)
{
    json_t *evidence = json_object(), *inner = json_object(), *list = json_array();
    struct fault f = FAULT_INIT;
    (void)state;

    json_object_set_new(evidence, "a", list);
    json_array_append_new(list, inner);
    json_object_set_new(inner, "fine", json_stringn("a\0b", 3));
    CHECK_INT(input_check_keys(evidence, &f), E_OK);
    CHECK(json_object_setn_new(inner, "k\0y", 3, json_true()) == 0);
    CHECK_INT(input_check_keys(evidence, &f), E_ARGUMENT);
    CHECK(strstr(f.text, "NUL"));
    json_decref(evidence);
}

static void
notes(void **state)
{
    char text[INPUT_NOTE_MAX + 2];
    (void)state;

    memset(text, 'x', sizeof text);
    text[INPUT_NOTE_MAX + 1] = '\0';
    CHECK_INT(input_check_note("reason", NULL, NULL), E_OK);
    CHECK_INT(input_check_note("reason", text, NULL), E_ARGUMENT);
    text[INPUT_NOTE_MAX] = '\0';
    CHECK_INT(input_check_note("reason", text, NULL), E_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_that_are_fine),
        cmocka_unit_test(paths_that_lead_out),
        cmocka_unit_test(values_are_counted),
        cmocka_unit_test(keys_with_nul_are_refused),
        cmocka_unit_test(notes),
    };
    return CHECK_RUN(tests);
}
