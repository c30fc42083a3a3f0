/* test_edit_toml.c -- one table is set or taken out, and every other byte stays; TOML is read. */
#include "server/edit/edit_toml.h"
#include "server/edit/toml.h"
#include "tests/check.h"
#include "tests/edit_rig.h"

#include <stdio.h>

static const char *const path[] = {"mcp_servers", "tandem"};
#define DEPTH 2u
#define TABLE                                                                              \
    "[mcp_servers.tandem]\ncommand = \"tandem\"\nargs = [\"serve\", \"--root\", \"/p\"]\n" \
    "env = { A = \"b\" }"

static json_t *
entry(void)
{
    return json_pack("{s:s, s:[s, s, s], s:{s:s}}", "command", "tandem", "args", "serve", "--root",
                     "/p", "env", "A", "b");
}

static const struct edit_rig rig = {.set = edit_toml_set,
                                    .remove = edit_toml_remove,
                                    .get = edit_toml_get,
                                    .path = {"mcp_servers", "tandem"},
                                    .entry = entry};

static void
check_set(const char *before, const char *after, const char *again)
{
    edit_rig_set(&rig, before, after, again);
}

static void
a_file_without_the_table_gets_it_at_its_end(void **unused)
{
    (void)unused;
    check_set("", TABLE "\n", "");
    check_set("model = \"o\" # mine\n\n[mcp_servers.x]\ncommand = 'x'\n",
              "model = \"o\" # mine\n\n[mcp_servers.x]\ncommand = 'x'\n\n" TABLE "\n",
              "model = \"o\" # mine\n\n[mcp_servers.x]\ncommand = 'x'\n");
    check_set("[mcp_servers]\nx = 1", "[mcp_servers]\nx = 1\n\n" TABLE "\n",
              "[mcp_servers]\nx = 1\n");
}

static void
a_table_that_is_there_is_replaced(void **unused)
{
    (void)unused;
    check_set("a = 1\n\n[mcp_servers . \"tandem\"] # ours\ncommand = \"old\"\n"
              "args = [ # many\n  \"[x]\",\n]\n# of y\n[y]\nb = 2\n\n"
              "[mcp_servers.tandem.env]\nA = \"z\"\n\n[z]\n",
              "a = 1\n\n" TABLE "\n# of y\n[y]\nb = 2\n\n[z]\n",
              "a = 1\n# of y\n[y]\nb = 2\n\n[z]\n");
}

static void
the_ends_of_lines_stay(void **unused)
{
    struct buf out = BUF_INIT;
    struct fault f = FAULT_INIT;
    json_t *value = json_pack("{s:s}", "url", "u");

    (void)unused;
    CHECK_INT(edit_toml_set(SLICE("\xEF\xBB\xBF"
                                  "a = 1\r\n"),
                            path, DEPTH, value, &out, &f),
              E_OK);
    CHECK_STR(out.data, "\xEF\xBB\xBF"
                        "a = 1\r\n\r\n[mcp_servers.tandem]\r\nurl = \"u\"\r\n");
    json_decref(value);
    buf_fini(&out);
}

static void
what_is_no_such_file_is_refused_with_its_place(void **unused)
{
    static const struct edit_refusal rows[] = {
        {"a", E_PARSE, 1, 2},
        {"a = ", E_PARSE, 1, 5},
        {"a = 1 b = 2", E_PARSE, 1, 7},
        {"a = 01", E_PARSE, 1, 5},
        {"a = -", E_PARSE, 1, 5},
        {"a = 1.", E_PARSE, 1, 5},
        {"a = 0x", E_PARSE, 1, 5},
        {"a = yes", E_PARSE, 1, 5},
        {"\na = \"x", E_PARSE, 2, 7},
        {"a = \"\\q\"", E_PARSE, 1, 7},
        {"a = \"\\ud800\"", E_PARSE, 1, 8},
        {"a = \"\\u12\"", E_PARSE, 1, 8},
        {"a = \"\x01\"", E_PARSE, 1, 6},
        {"a = '''x", E_PARSE, 1, 9},
        {"a = [1 2]", E_PARSE, 1, 8},
        {"a = {b = 1,}", E_PARSE, 1, 12},
        {"a = {b = 1, b = 2}", E_PARSE, 1, 18},
        {"a = {b = 1 c = 2}", E_PARSE, 1, 12},
        {"[a", E_PARSE, 1, 3},
        {"[[a]", E_PARSE, 1, 4},
        {"[]", E_PARSE, 1, 2},
        {"a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q = 1", E_PARSE, 1, 33},
        {"\"a\\u0000\" = 1", E_PARSE, 1, 10},
        {"mcp_servers = {}", E_CONFLICT, 1, 1},
        {"mcp_servers.tandem.command = \"x\"", E_CONFLICT, 1, 1},
        {"[mcp_servers]\ntandem = 1", E_CONFLICT, 2, 1},
        {"[mcp_servers.tandem]\n[a]\n[mcp_servers.tandem]", E_CONFLICT, 3, 1},
        {"[[mcp_servers.tandem]]", E_CONFLICT, 1, 1},
        {"[mcp_servers.tandem]\na = 1\na = 2", E_CONFLICT, 3, 1},
        {"[mcp_servers.tandem]\na = 1\n[mcp_servers.tandem.a]", E_CONFLICT, 3, 1},
    };

    (void)unused;
    edit_rig_refuse(&rig, rows, sizeof rows / sizeof rows[0]);
}

/* Every kind of value, and what each is read as. */
static void
values_are_read(void **unused)
{
    static const struct {
        const char *toml, *json;
    } rows[] = {
        {"'C:\\x'", "\"C:\\\\x\""},
        {"\"\\t\\u00e4\\U0001F600\"", "\"\\t\xC3\xA4\xF0\x9F\x98\x80\""},
        {"\"\"\"\na\n\\\n   b\"\"\"\"", "\"a\\nb\\\"\""},
        {"'''a'b\n'''", "\"a'b\\n\""},
        {"''", "\"\""},
        {"1_000", "1000"},
        {"-7", "-7"},
        {"+0", "0"},
        {"0xff", "255"},
        {"0b101", "5"},
        {"0o17", "15"},
        {"6.5e2", "650.0"},
        {"true", "true"},
        {"false", "false"},
        {"1979-05-27 07:32:00Z", "\"1979-05-27 07:32:00Z\""},
        {"1979-05-27", "\"1979-05-27\""},
        {"07:32:00", "\"07:32:00\""},
        {"-inf", "\"-inf\""},
        {"[ # x\n 1, [2], ]", "[1, [2]]"},
        {"{ a.b = 1, \"c d\" = {} }", "{\"a\": {\"b\": 1}, \"c d\": {}}"},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *text = xasprintf("k = %s # end", rows[i].toml);
        json_t *json = json_loads(rows[i].json, JSON_DECODE_ANY, NULL);
        struct toml_statement s;
        struct fault f = FAULT_INIT;
        struct toml t;

        toml_begin(&t, slice_of(text));
        CHECK_INT(toml_next(&t, &s, &f), E_OK);
        CHECK_INT(s.kind, TOML_VALUE);
        if (!json_equal(s.value, json)) {
            print_message("%s\n", rows[i].toml);
            fail();
        }
        toml_statement_fini(&s);
        CHECK_INT(toml_next(&t, &s, &f), E_OK);
        CHECK_INT(s.kind, TOML_END);
        json_decref(json);
        free(text);
    }
}

static void
nesting_is_bounded(void **unused)
{
    struct buf file = BUF_INIT;
    struct fault f = FAULT_INIT;
    json_t *value;

    (void)unused;
    buf_adds(&file, "a = ");
    for (int i = 0; i < 100000; i++) {
        buf_addc(&file, '[');
    }
    CHECK_INT(edit_toml_get(buf_slice(&file), path, DEPTH, &value, &f), E_PARSE);
    CHECK_STR(f.text, "this is nested too deep");
    buf_fini(&file);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_without_the_table_gets_it_at_its_end),
        cmocka_unit_test(a_table_that_is_there_is_replaced),
        cmocka_unit_test(the_ends_of_lines_stay),
        cmocka_unit_test(what_is_no_such_file_is_refused_with_its_place),
        cmocka_unit_test(values_are_read),
        cmocka_unit_test(nesting_is_bounded),
    };
    return CHECK_RUN(tests);
}
