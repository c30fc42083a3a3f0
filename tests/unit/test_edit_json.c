/* test_edit_json.c -- one member is set or taken out, and every other byte stays. */
#include "server/edit/edit_json.h"
#include "tests/check.h"
#include "tests/edit_rig.h"

#include <stdio.h>

static const char *const path[] = {"mcpServers", "tandem"};
#define DEPTH 2u

static json_t *
entry(void)
{
    return json_pack("{s:s, s:[s, s]}", "command", "tandem", "args", "serve", "--linger");
}

static const struct edit_rig rig = {.set = edit_json_set,
                                    .remove = edit_json_remove,
                                    .get = edit_json_get,
                                    .path = {"mcpServers", "tandem"},
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
    check_set("",
              "{\n  \"mcpServers\": {\n    \"tandem\": {\n      \"command\": \"tandem\",\n"
              "      \"args\": [\"serve\", \"--linger\"]\n    }\n  }\n}\n",
              "{\n  \"mcpServers\": {}\n}\n");
    check_set("{\n\t\"a\": 1,\n\t\"mcpServers\": {\n\t\t\"x\": {}\n\t}\n}\n",
              "{\n\t\"a\": 1,\n\t\"mcpServers\": {\n\t\t\"x\": {},\n\t\t\"tandem\": {\n"
              "\t\t\t\"command\": \"tandem\",\n\t\t\t\"args\": [\"serve\", \"--linger\"]\n\t\t}\n"
              "\t}\n}\n",
              "{\n\t\"a\": 1,\n\t\"mcpServers\": {\n\t\t\"x\": {}\n\t}\n}\n");
    check_set("{\"a\": 1, \"mcpServers\": {\"x\": 2}}",
              "{\"a\": 1, \"mcpServers\": {\"x\": 2, \"tandem\": { \"command\": \"tandem\", "
              "\"args\": [\"serve\", \"--linger\"] }}}",
              "{\"a\": 1, \"mcpServers\": {\"x\": 2}}");
}

static void
comments_commas_marks_and_line_ends_stay(void **unused)
{
    (void)unused;
    check_set(
        "\xEF\xBB\xBF{\r\n    // first\r\n    \"mcpServers\": {\r\n        \"x\": 1 // why\r\n"
        "        // nothing else\r\n    }, /* last */\r\n}\r\n",
        "\xEF\xBB\xBF{\r\n    // first\r\n    \"mcpServers\": {\r\n        \"x\": 1, // why\r\n"
        "        \"tandem\": {\r\n            \"command\": \"tandem\",\r\n"
        "            \"args\": [\"serve\", \"--linger\"]\r\n        }\r\n"
        "        // nothing else\r\n    }, /* last */\r\n}\r\n",
        "\xEF\xBB\xBF{\r\n    // first\r\n    \"mcpServers\": {\r\n        \"x\": 1 // why\r\n"
        "        // nothing else\r\n    }, /* last */\r\n}\r\n");
    check_set("{\n  \"mcpServers\": {\n    \"x\": 1,\n  },\n}\n",
              "{\n  \"mcpServers\": {\n    \"x\": 1,\n    \"tandem\": {\n"
              "      \"command\": \"tandem\",\n      \"args\": [\"serve\", \"--linger\"]\n    },\n"
              "  },\n}\n",
              "{\n  \"mcpServers\": {\n    \"x\": 1,\n  },\n}\n");
    check_set("{\"mcpServers\": {\"x\": 1 /* on\nand on */ }}",
              "{\"mcpServers\": {\"x\": 1,\n\"tandem\": {\n  \"command\": \"tandem\",\n"
              "  \"args\": [\"serve\", \"--linger\"]\n} /* on\nand on */ }}",
              "{\"mcpServers\": {\"x\": 1 /* on\nand on */ }}");
    check_set("{\n  // none yet\n}\n",
              "{\n  // none yet\n  \"mcpServers\": {\n    \"tandem\": {\n"
              "      \"command\": \"tandem\",\n      \"args\": [\"serve\", \"--linger\"]\n    }\n"
              "  }\n}\n",
              "{\n  // none yet\n  \"mcpServers\": {}\n}\n");
}

/* What follows the member must not become part of the comment before it. */
static void
a_comment_keeps_the_end_of_its_line(void **unused)
{
    struct buf out = BUF_INIT;

    (void)unused;
    CHECK_INT(edit_json_remove(SLICE("{\"mcpServers\": {\n  \"a\": 1, // one\n  \"tandem\": {}}}"),
                               path, DEPTH, &out, NULL),
              E_OK);
    CHECK_STR(out.data, "{\"mcpServers\": {\n  \"a\": 1 // one\n}}");
    buf_fini(&out);
}

static void
a_member_that_is_there_is_replaced(void **unused)
{
    (void)unused;
    check_set("{\n  \"mcpServers\": {\n    \"t\\u0061ndem\": {\"command\": \"old\"}, // mine\n"
              "    \"y\": [1, \"}\", /* { */ 2]\n  }\n}",
              "{\n  \"mcpServers\": {\n    \"t\\u0061ndem\": {\n      \"command\": \"tandem\",\n"
              "      \"args\": [\"serve\", \"--linger\"]\n    }, // mine\n"
              "    \"y\": [1, \"}\", /* { */ 2]\n  }\n}",
              "{\n  \"mcpServers\": {\n    // mine\n    \"y\": [1, \"}\", /* { */ 2]\n  }\n}");
    check_set("{\"mcpServers\": {\"tandem\": 7, \"x\": 2}}",
              "{\"mcpServers\": {\"tandem\": { \"command\": \"tandem\", \"args\": [\"serve\", "
              "\"--linger\"] }, \"x\": 2}}",
              "{\"mcpServers\": {\"x\": 2}}");
    check_set("{\"mcpServers\":\n{\n \"tandem\":\n7,\n \"x\": 2}}",
              "{\"mcpServers\":\n{\n \"tandem\":\n{\n  \"command\": \"tandem\",\n"
              "  \"args\": [\"serve\", \"--linger\"]\n },\n \"x\": 2}}",
              "{\"mcpServers\":\n{\n \"x\": 2}}");
}

static void
comments_in_the_value_do_not_count(void **unused)
{
    static const char file[] = "{\"mcpServers\": {\"tandem\": { // mine\n\"command\": \"tandem\", "
                               "\"args\": [\"serve\", /*x*/ \"--linger\",], }}}";
    struct buf out = BUF_INIT;
    struct fault f = FAULT_INIT;
    json_t *value = entry();

    (void)unused;
    CHECK_INT(edit_json_set(slice_of(file), path, DEPTH, value, &out, &f), E_OK);
    CHECK_STR(out.data, file);
    json_decref(value);
    buf_fini(&out);
}

static void
what_is_no_such_file_is_refused_with_its_place(void **unused)
{
    static const struct edit_refusal rows[] = {
        {"[]", E_PARSE, 1, 1},
        {"{\n  \"a\": }", E_PARSE, 2, 8},
        {"{\n  \"a\" 1}", E_PARSE, 2, 7},
        {"{\"a\": 1 \"b\": 2}", E_PARSE, 1, 9},
        {"{\"a\": [1 2]}", E_PARSE, 1, 10},
        {"{\"a\": 01}", E_PARSE, 1, 7},
        {"{\"a\": 'x'}", E_PARSE, 1, 7},
        {"{\"a\": \"x\ny\"}", E_PARSE, 1, 7},
        {"{\"\xC3\xA4\": \"\xFF\"}", E_PARSE, 1, 7},
        {"{\"a\": 1", E_PARSE, 1, 8},
        {"{\"a\": \"x", E_PARSE, 1, 7},
        {"{\"a\": \"x\\", E_PARSE, 1, 7},
        {"{a: 1}", E_PARSE, 1, 2},
        {"{,}", E_PARSE, 1, 2},
        {"{} {}", E_PARSE, 1, 4},
        {"{} /* open", E_PARSE, 1, 4},
        {"// nothing else", E_PARSE, 1, 16},
        {"{\"mcpServers\": []}", E_CONFLICT, 1, 16},
        {"{\"mcpServers\": {},\n\"mcpServers\": {}}", E_CONFLICT, 2, 1},
        {"{\"mcpServers\": {\"tandem\": 1, \"tandem\": 2}}", E_CONFLICT, 1, 30},
    };

    (void)unused;
    edit_rig_refuse(&rig, rows, sizeof rows / sizeof rows[0]);
}

static void
nesting_is_bounded(void **unused)
{
    struct buf file = BUF_INIT, out = BUF_INIT;
    struct fault f = FAULT_INIT;
    json_t *value;

    (void)unused;
    buf_adds(&file, "{\"a\": ");
    for (int i = 0; i < 100000; i++) {
        buf_addc(&file, '[');
    }
    CHECK_INT(edit_json_get(buf_slice(&file), path, DEPTH, &value, &f), E_PARSE);
    CHECK_STR(f.text, "this is nested too deep");
    buf_fini(&file);
    buf_fini(&out);
}

static void
what_is_not_there_is_not_taken_out(void **unused)
{
    static const char *const files[] = {"", " \n", "{}", "{\"mcpServers\": {\"x\": 1}}",
                                        "{\"a\": {\"tandem\": 1}}"};
    (void)unused;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct buf out = BUF_INIT;
        json_t *value;

        CHECK_INT(edit_json_remove(slice_of(files[i]), path, DEPTH, &out, NULL), E_OK);
        CHECK_INT(out.len, strlen(files[i]));
        CHECK(out.len == 0 || memcmp(out.data, files[i], out.len) == 0);
        CHECK_INT(edit_json_get(slice_of(files[i]), path, DEPTH, &value, NULL), E_OK);
        CHECK(!value);
        buf_fini(&out);
    }
    CHECK_INT(edit_json_remove(SLICE_NONE, path, DEPTH, &(struct buf)BUF_INIT, NULL), E_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_without_the_member_gets_it),
        cmocka_unit_test(comments_commas_marks_and_line_ends_stay),
        cmocka_unit_test(a_comment_keeps_the_end_of_its_line),
        cmocka_unit_test(a_member_that_is_there_is_replaced),
        cmocka_unit_test(comments_in_the_value_do_not_count),
        cmocka_unit_test(what_is_no_such_file_is_refused_with_its_place),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(what_is_not_there_is_not_taken_out),
    };
    return CHECK_RUN(tests);
}
