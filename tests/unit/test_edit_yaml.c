/* test_edit_yaml.c -- one member of a map is set or taken out, and every other line stays. */
#include "server/edit/edit_yaml.h"
#include "tests/check.h"
#include "tests/edit_rig.h"

#include <stdio.h>

static const char *const path[] = {"extensions", "tandem"};
#define DEPTH 2u
#define MEMBER "  tandem:\n    cmd: \"tandem\"\n    args: [\"serve\", \"--root\"]\n    envs: {}\n"

static json_t *
entry(void)
{
    return json_pack("{s:s, s:[s, s], s:{}}", "cmd", "tandem", "args", "serve", "--root", "envs");
}

static const struct edit_rig rig = {.set = edit_yaml_set,
                                    .remove = edit_yaml_remove,
                                    .get = edit_yaml_get,
                                    .path = {"extensions", "tandem"},
                                    .entry = entry};

static void
check_set(const char *before, const char *after, const char *again)
{
    edit_rig_set(&rig, before, after, again);
}

static void
a_file_without_the_member_gets_it(void **unused)
{
    (void)unused;
    check_set("", "extensions:\n" MEMBER, "extensions:\n");
    check_set("# mine\nMODEL: x", "# mine\nMODEL: x\nextensions:\n" MEMBER,
              "# mine\nMODEL: x\nextensions:\n");
    check_set("extensions: {} # none\nMODEL: x\n", "extensions: # none\n" MEMBER "MODEL: x\n",
              "extensions: # none\nMODEL: x\n");
    check_set("extensions:\nMODEL: x\n", "extensions:\n" MEMBER "MODEL: x\n",
              "extensions:\nMODEL: x\n");
    check_set("extensions:\n  developer:\n    args:\n    - a\n    - b\n    # its own\n\n# next\n"
              "MODEL: x\n",
              "extensions:\n  developer:\n    args:\n    - a\n    - b\n    # its own\n" MEMBER
              "\n# next\nMODEL: x\n",
              "extensions:\n  developer:\n    args:\n    - a\n    - b\n    # its own\n\n# next\n"
              "MODEL: x\n");
}

static void
a_member_that_is_there_is_replaced(void **unused)
{
    (void)unused;
    check_set("extensions:\n  a: {type: b}\n  tandem:\n    cmd: |\n      old\n\n      more\n\n"
              "  z:\n    c: d\n",
              "extensions:\n  a: {type: b}\n" MEMBER "\n  z:\n    c: d\n",
              "extensions:\n  a: {type: b}\n\n  z:\n    c: d\n");
}

static void
comments_stay_where_they_are(void **unused)
{
    (void)unused;
    check_set("extensions: {} # not {}\n  # none\nMODEL: x\n",
              "extensions: # not {}\n  # none\n" MEMBER "MODEL: x\n",
              "extensions: # not {}\n  # none\nMODEL: x\n");
    check_set("extensions: ~\nMODEL: x\n", "extensions:\n" MEMBER "MODEL: x\n",
              "extensions:\nMODEL: x\n");
    check_set("extensions:\n  tandem:\n# old\n    cmd: x\n# next\n  z: 1\n",
              "extensions:\n" MEMBER "# next\n  z: 1\n", "extensions:\n# next\n  z: 1\n");
}

/* A text that ends with the file would get the end of a line. */
static void
what_would_change_the_rest_is_not_done(void **unused)
{
    static const struct slice file = {"a: |\n  text", 11};
    struct buf out = BUF_INIT;
    struct fault f = FAULT_INIT;
    json_t *value = entry();

    (void)unused;
    CHECK_INT(edit_yaml_set(file, path, DEPTH, value, &out, &f), E_CONFLICT);
    CHECK(f.text[0] && f.remedy[0]);
    CHECK_INT(out.len, 0);
    json_decref(value);
    buf_fini(&out);
}

static void
the_ends_of_lines_stay(void **unused)
{
    struct buf out = BUF_INIT;
    json_t *value = json_pack("{s:s}", "uri", "u");

    (void)unused;
    CHECK_INT(edit_yaml_set(SLICE("a: 1\r\n"), path, DEPTH, value, &out, NULL), E_OK);
    CHECK_STR(out.data, "a: 1\r\nextensions:\r\n  tandem:\r\n    uri: \"u\"\r\n");
    json_decref(value);
    buf_fini(&out);
}

static void
what_is_no_such_file_is_refused_with_its_place(void **unused)
{
    static const struct edit_refusal rows[] = {
        {"a: [", E_PARSE, 2},
        {"a: 1\n\tb: 2", E_PARSE, 2},
        {"a: 1\na: 2", E_PARSE, 2},
        {"- a", E_CONFLICT, 1},
        {"{a: 1}", E_CONFLICT, 1},
        {"extensions: x", E_CONFLICT, 1},
        {"extensions: {a: 1}", E_CONFLICT, 1},
    };

    (void)unused;
    edit_rig_refuse(&rig, rows, sizeof rows / sizeof rows[0]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_without_the_member_gets_it),
        cmocka_unit_test(a_member_that_is_there_is_replaced),
        cmocka_unit_test(comments_stay_where_they_are),
        cmocka_unit_test(what_would_change_the_rest_is_not_done),
        cmocka_unit_test(the_ends_of_lines_stay),
        cmocka_unit_test(what_is_no_such_file_is_refused_with_its_place),
    };
    return CHECK_RUN(tests);
}
