/* test_workflow_template.c -- both dialects, one pass, bounds; and the real templates. */
#include "tests/check.h"

#include "state/base/file.h"
#include "state/workflow_template.h"

static struct problems problems;

/* Renders 'text' from 'values' (steals) and compares. */
static void
renders(const char *text, json_t *values, const char *expected)
{
    struct wf_template *t = NULL;
    struct buf out = BUF_INIT;

    problems_fini(&problems);
    problems = (struct problems)PROBLEMS_INIT;
    assert_non_null(values);
    CHECK_INT(wf_template_parse(slice_of(text), "t.md", &t, &problems, NULL), E_OK);
    CHECK_INT(wf_template_render(t, values, &out, &problems, NULL), E_OK);
    CHECK_STR(out.data ? out.data : "", expected);
    buf_fini(&out);
    wf_template_free(t);
    json_decref(values);
}

static void
brackets_with_a_value_are_replaced_all_else_stays(void **state)
{
    (void)state;
    renders("# Phase [PHASE_NUMBER]: [PHASE_NAME]",
            json_pack("{s:i, s:s}", "PHASE_NUMBER", 3, "PHASE_NAME", "Build"), "# Phase 3: Build");
    renders("[N] [number] [TASK_STEPS or more] [X_Y] [ ] [x] [] [A",
            json_pack("{s:s}", "N", "never"),
            "[N] [number] [TASK_STEPS or more] [X_Y] [ ] [x] [] [A");
    renders("[[NAME]](NAME) [NAME][NAME]", json_pack("{s:s}", "NAME", "v"), "[v](NAME) vv");
    CHECK_INT(problems.count, 0);
}

static void
a_value_is_not_looked_through(void **state)
{
    (void)state;
    renders("[AA] {{b}} [BB]",
            json_pack("{s:s, s:s, s:s}", "AA", "[BB] {{b}}", "BB", "[AA]", "b", "[AA]{{#if b}}"),
            "[BB] {{b}} [AA]{{#if b}} [AA]");
}

static void
lists_become_lines_with_boxes(void **state)
{
    (void)state;
    renders("[CRITERIA]\n{{plain}}|{{none}}",
            json_pack("{s:[{s:s,s:b},{s:s,s:b}], s:[s,s], s:[]}", "CRITERIA", "text", "one", "done",
                      1, "text", "two", "done", 0, "plain", "a", "b", "none"),
            "- [x] one\n- [ ] two\n- [ ] a\n- [ ] b|");
}

static void
values_of_every_kind(void **state)
{
    (void)state;
    renders("{{s}} {{i}} {{r}} {{t}} {{f}} {{n}}{{o}} {{{s}}} {{ s }}",
            json_pack("{s:s, s:i, s:f, s:b, s:b, s:n, s:{}}", "s", "x", "i", -4, "r", 0.5, "t", 1,
                      "f", 0, "n", "o"),
            "x -4 0.5 true false  x x");
}

static void
blocks_repeat_and_choose(void **state)
{
    (void)state;
    renders("{{#each tasks}}{{number}}.{{name}}{{phase}};{{else}}no{{/each}}",
            json_pack("{s:[{s:i,s:s},{s:i,s:s}], s:s}", "tasks", "number", 1, "name", "a", "number",
                      2, "name", "b", "phase", "!"),
            "1.a!;2.b!;");
    renders("{{#each tasks}}x{{else}}no{{/each}}", json_pack("{s:[]}", "tasks"), "no");
    renders("{{#each a}}{{this}}{{#each b}}{{this}}{{/each}},{{/each}}",
            json_pack("{s:[s,s], s:[i,i]}", "a", "x", "y", "b", 1, 2), "x12,y12,");
    renders("{{#each a}}{{this.k}}{{k.m}}{{/each}}", json_pack("{s:[{s:{s:i}}]}", "a", "k", "m", 7),
            "7");
    renders("{{#if a}}A{{else}}B{{/if}}{{#if b}}A{{else}}B{{/if}}{{#if c}}C{{/if}}",
            json_pack("{s:b, s:s}", "a", 1, "b", ""), "AB");
    renders("{{#if a}}{{#if b}}1{{else}}2{{/if}}{{else}}3{{/if}}",
            json_pack("{s:i, s:[]}", "a", 1, "b"), "2");
    renders("{{#if z}}no{{/if}}{{#if o}}yes{{/if}}{{#if r}}yes{{/if}}{{#if q}}no{{/if}}",
            json_pack("{s:i, s:{}, s:f, s:f}", "z", 0, "o", "r", 0.5, "q", 0.0), "yesyes");
}

static void
tags_alone_on_a_line_take_the_line(void **state)
{
    (void)state;
    renders("a\n  {{#each l}}  \n- {{this}}\n{{/each}}\r\nb", json_pack("{s:[i,i]}", "l", 1, 2),
            "a\n- 1\n- 2\nb");
    renders("{{#if a}}\nyes\n{{else}}\nno\n{{/if}}", json_pack("{s:b}", "a", 1), "yes\n");
    renders("x {{#if a}}\nyes{{/if}}", json_pack("{s:b}", "a", 1), "x \nyes");
}

static void
unknown_names_are_empty_and_told_once(void **state)
{
    (void)state;
    renders("a\n{{x}}{{x}}{{y}}{{#each z}}1{{/each}}", json_object(), "a\n");
    CHECK_INT(problems.count, 3);
    CHECK_INT(problems.items[0].line, 2);
    CHECK_STR(problems.items[0].file, "t.md");
    CHECK_STR(problems.items[0].text, "nothing is known of {{x}}: left empty");
}

static void
what_is_no_tag_is_text(void **state)
{
    (void)state;
    renders("${{ secrets.X }} {{ a b }} {{}} {{a-} {{/foo}} {{#with x}} {{", json_object(),
            "${{ secrets.X }} {{ a b }} {{}} {{a-} {{/foo}} {{#with x}} {{");
    CHECK_INT(problems.count, 0);
}

static void
blocks_that_do_not_match_are_told(void **state)
{
    (void)state;
    renders("a{{/if}}b{{else}}c", json_object(), "abc");
    CHECK_INT(problems.count, 2);
    CHECK_STR(problems.items[0].text, "{{/if}} belongs to no block");
    renders("\n{{#if a}}x{{#each b}}y", json_pack("{s:b, s:[i]}", "a", 1, "b", 1), "\nxy");
    CHECK_INT(problems.count, 2);
    CHECK_INT(problems.items[0].line, 2);
    renders("{{#if a}}1{{else}}2{{else}}3{{/if}}", json_pack("{s:b}", "a", 0), "23");
    CHECK_INT(problems.count, 1);
    renders("{{#each a}}1{{/if}}2{{/each}}", json_pack("{s:[i]}", "a", 0), "12");
    CHECK_INT(problems.count, 1);
}

static enum err
try_render(const char *text, json_t *values)
{
    struct wf_template *t = NULL;
    struct buf out = BUF_INIT;
    struct fault f = FAULT_INIT;
    enum err err = wf_template_parse(slice_of(text), "t.md", &t, NULL, &f);

    if (!err) {
        err = wf_template_render(t, values, &out, NULL, &f);
    }
    CHECK(!err || f.text[0]);
    buf_fini(&out);
    wf_template_free(t);
    json_decref(values);
    return err;
}

static void
bounds_hold(void **state)
{
    struct buf text = BUF_INIT;
    json_t *list = json_array();
    char *big = malloc(100001);

    (void)state;
    for (int i = 0; i < 9; i++) {
        buf_adds(&text, "{{#if a}}");
    }
    CHECK_INT(try_render(text.data, json_object()), E_TOO_LARGE);
    for (int i = 0; i < 200; i++) {
        json_array_append_new(list, json_integer(i));
    }
    /* 200^5 empty rounds: stopped by the count of steps. */
    CHECK_INT(try_render("{{#each l}}{{#each l}}{{#each l}}{{#each l}}{{#each l}}{{/each}}{{/each}}"
                         "{{/each}}{{/each}}{{/each}}",
                         json_pack("{s:O}", "l", list)),
              E_TOO_LARGE);
    memset(big, 'x', 100000);
    big[100000] = '\0';
    CHECK_INT(try_render("{{#each l}}{{b}}{{/each}}", json_pack("{s:O, s:s}", "l", list, "b", big)),
              E_TOO_LARGE);
    buf_reset(&text);
    for (size_t i = 0; i <= WF_TEMPLATE_BYTES_MAX / 16; i++) {
        buf_adds(&text, "0123456789abcdef");
    }
    CHECK_INT(try_render(text.data, json_object()), E_TOO_LARGE);
    json_decref(list);
    free(big);
    buf_fini(&text);
}

static void
memory_that_runs_out_is_an_error(void **state)
{
    struct wf_template *t = NULL;
    struct buf out = {.limit = 4};
    struct fault f = FAULT_INIT;

    (void)state;
    CHECK_INT(wf_template_parse(SLICE("123456"), "t.md", &t, NULL, NULL), E_OK);
    CHECK_INT(wf_template_render(t, NULL, &out, NULL, &f), E_OVERLOAD);
    buf_fini(&out);
    wf_template_free(t);
    CHECK_INT(wf_template_parse(SLICE_NONE, "t.md", &t, NULL, NULL), E_OK);
    wf_template_free(t);
}

static void
real_templates_fill(void **state)
{
    static const char *const prose[] = {"[N.1]", "[TASK_STEPS or general", "[number]",
                                        "[DEPENDENCIES or \"None\"]", "{SPEC_DIR}"};
    struct dir *dir = NULL;
    struct buf text = BUF_INIT, out = BUF_INIT;
    struct wf_template *t = NULL;
    json_t *values = json_pack("{s:s, s:s, s:s, s:i, s:s}", "TASK_ID", "1.2", "TASK_NAME", "Name",
                               "DEPENDENCIES", "None", "PHASE_NUMBER", 1, "PHASE_NAME", "Core");

    (void)state;
    CHECK(dir_open("tests/fixtures/praxis/workflows/spec_execution_v1/phases/dynamic", false, &dir,
                   NULL) == E_OK);
    CHECK(dir_read(dir, "phase-template.md", 1 << 20, &text, NULL, NULL) == E_OK);
    CHECK(dir_read(dir, "task-template.md", 1 << 20, &text, NULL, NULL) == E_OK);
    CHECK(wf_template_parse(buf_slice(&text), "t", &t, NULL, NULL) == E_OK);
    CHECK(wf_template_render(t, values, &out, NULL, NULL) == E_OK);
    for (size_t i = 0; i < sizeof prose / sizeof prose[0]; i++) {
        assert_non_null(strstr(out.data, prose[i]));
    }
    assert_non_null(strstr(out.data, "# Task 1.2: Name"));
    assert_non_null(strstr(out.data, "**Phase:** 1 (Core)"));
    assert_null(strstr(out.data, "[PHASE_NUMBER]"));
    assert_null(strstr(out.data, "[TASK_ID]"));
    json_decref(values);
    wf_template_free(t);
    buf_fini(&text);
    buf_fini(&out);
    dir_unref(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(brackets_with_a_value_are_replaced_all_else_stays),
        cmocka_unit_test(a_value_is_not_looked_through),
        cmocka_unit_test(lists_become_lines_with_boxes),
        cmocka_unit_test(values_of_every_kind),
        cmocka_unit_test(blocks_repeat_and_choose),
        cmocka_unit_test(tags_alone_on_a_line_take_the_line),
        cmocka_unit_test(unknown_names_are_empty_and_told_once),
        cmocka_unit_test(what_is_no_tag_is_text),
        cmocka_unit_test(blocks_that_do_not_match_are_told),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(memory_that_runs_out_is_an_error),
        cmocka_unit_test(real_templates_fill),
    };
    int failed = CHECK_RUN(tests);

    problems_fini(&problems);
    return failed;
}
