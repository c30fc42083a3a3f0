/* test_workflow_gate_derive.c -- gates that are derived from what a phase itself says, and the one
 * that lets all pass. */
#include "tests/gate_rig.h"

#include "tests/check.h"

#include <stdio.h>

/* ---- Tiers 2 and 3. ---- */

static struct gate *
derive(const char *phase_md, const char *checkpoint, size_t warnings)
{
    struct gate_hints hints = {.phase_md = slice_of(phase_md), .file = "phase.md"};
    struct problems problems = PROBLEMS_INIT;
    struct gate *gate = NULL;
    json_t *json = checkpoint ? gate_rig_json(checkpoint) : NULL;

    hints.checkpoint = json;
    CHECK_INT(gate_derive(&hints, &gate, &problems, NULL), E_OK);
    CHECK(problems.errors == 0);
    if (problems.count != warnings) {
        fail_msg("%zu problems, first: %s", problems.count,
                 problems.count ? problems.items[0].text : "none");
    }
    problems_fini(&problems);
    json_decref(json);
    return gate;
}

/* The names of the fields, all of which are required, in one text. */
static char *
missing_names(const struct gate *gate)
{
    struct buf names = BUF_INIT;
    json_t *told, *name;
    size_t i;

    gate_rig_judge(gate, "{}", &told);
    json_array_foreach(json_object_get(json_object_get(told, "diagnostics"), "fields_missing"), i,
                       name) {
        buf_addf(&names, "%s%s", i ? " " : "", json_string_value(name));
    }
    json_decref(told);
    return buf_steal(&names);
}

static void
derives(const char *phase_md, const char *checkpoint, size_t warnings, const char *names)
{
    struct gate *gate = derive(phase_md, checkpoint, warnings);
    char *got = missing_names(gate);

    CHECK_STR(got ? got : "", names);
    CHECK(!gate_is_strict(gate));
    CHECK_STR(gate_source_name(gate), *names ? "derived" : "permissive");
    free(got);
    gate_unref(gate);
}

static void
every_shipped_phase_derives_a_gate(void **state)
{
    static const struct {
        const char *pack;
        size_t fields[6];
    } packs[] = {{"spec_creation_v1", {7, 8, 8, 7, 6, 7}},
                 {"standards_creation_v1", {4, 7, 5, 5, 5, 6}},
                 {"spec_execution_v1", {6}}};

    (void)state;
    for (size_t p = 0; p < sizeof packs / sizeof packs[0]; p++) {
        for (int i = 0; i < 6 && packs[p].fields[i]; i++) {
            char path[200], *text;
            struct gate *gate;
            snprintf(path, sizeof path, PACKS "%s/phases/%d/phase.md", packs[p].pack, i);
            text = gate_rig_read(path);
            gate = derive(text, NULL, 0);
            CHECK_STR(gate_source_name(gate), "derived");
            CHECK(!gate_needs_approval(gate));
            if (gate_field_count(gate) != packs[p].fields[i]) {
                fail_msg("%s: %zu fields", path, gate_field_count(gate));
            }
            CHECK(gate_rig_judge(gate, "{}", NULL));
            gate_unref(gate);
            free(text);
        }
    }
}

static void
a_table_gives_typed_fields_and_named_validators(void **state)
{
    char *text = gate_rig_read(PACKS "standards_creation_v1/phases/3/phase.md");
    struct gate *gate = derive(text, NULL, 0);
    json_t *told;

    (void)state;
    free(text);
    CHECK(gate_rig_judge(gate,
                         "{\"queries_tested\":5,\"queries_found_top3\":4,\"average_relevance\":0.9,"
                         "\"average_rank\":1.5,\"discoverability_passed\":true}",
                         &told));
    CHECK_INT(json_array_size(json_object_get(told, "warnings")), 0);
    json_decref(told);
    CHECK(gate_rig_judge(
        gate,
        "{\"queries_tested\":4,\"queries_found_top3\":\"4\",\"average_relevance\":0.9,"
        "\"average_rank\":2.5}",
        &told));
    CHECK(gate_rig_tells(told, "warnings", "Validation failed for field 'queries_tested'"));
    CHECK(gate_rig_tells(told, "warnings", "'queries_found_top3' must be integer, got: string"));
    CHECK(gate_rig_tells(told, "warnings", "Validation failed for field 'average_rank'"));
    CHECK(gate_rig_tells(told, "warnings", "'discoverability_passed' is required but missing"));
    json_decref(told);
    gate_unref(gate);
    derives(
        "## Gate\n\n| Evidence | Type | Validator | Required |\n|--|--|--|--|\n"
        "| `a_b` | string | - | yes |\n| Two words | int | none | |\n| c | colour | what | yes |\n"
        "| d | bool | is_true | no |\n| | int | | |\n| a_b | int | | |\n\n| x | y |\n|-|-|\n| 1 | "
        "2 |\n",
        NULL, 3, "a_b two_words c a_b_2");
    /* A table in a fence is a sample. */
    derives("```\n| Evidence | Type |\n|--|--|\n| a | int |\n```\n", NULL, 0, "");
}

static void
a_checklist_gives_boolean_fields(void **state)
{
    static const char *const text =
        "# Phase 1: Gate keepers\n\n- [ ] not here\n\n## Tasks\n\n- [ ] nor here\n\n"
        "## \xF0\x9F\x9B\x91 Validation Gate\n\nBefore:\n- [ ] `srd.md` file exists "
        "\xE2\x9C\x85/\xE2\x9D\x8C\n"
        "- [x] Don\xE2\x80\x99t break it\n  - [ ] nested: 100%\n- plain\n\n### Details\n\n- [ ] "
        "deeper\n\n"
        "## Next\n\n- [ ] no more\n\n\xF0\x9F\x9B\x91 VALIDATE-GATE: Phase\n\n- [ ] after the "
        "line\n"
        "- [ ] \xE2\x9C\x85/\xE2\x9D\x8C\n- [ ] deeper\n\n## End\n\n- [ ] no\n";
    struct gate *gate = derive(text, NULL, 0);
    json_t *told;

    (void)state;
    derives(text, NULL, 0,
            "srd_md_file_exists dont_break_it nested_100 deeper after_the_line item_6 deeper_2");
    CHECK(gate_rig_judge(gate, "{\"deeper\":false,\"nested_100\":\"yes\"}", &told));
    CHECK(gate_rig_tells(told, "warnings", "Validation failed for field 'deeper'"));
    CHECK(gate_rig_tells(told, "warnings", "'nested_100' must be boolean"));
    json_decref(told);
    gate_unref(gate);
    derives("## Gate\n- [ ] one two three four five six seven eight nine ten eleven twelve "
            "thirteen fourteen fifteen sixteen\n- [ ] "
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaa\n",
            NULL, 0,
            "one_two_three_four_five_six_seven_eight_nine_ten_eleven_twelve_thirteen_fourteen "
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
}

static void
metadata_comes_last_and_nothing_is_permissive(void **state)
{
    struct gate *gate;
    json_t *told;

    (void)state;
    derives("# P\n\ntext\n", "{\"required_evidence\":[\"srd_created\",\"nfr_defined\"]}", 0,
            "srd_created nfr_defined");
    derives("## Gate\n- [ ] boxes win\n", "{\"required_evidence\":[\"no\"]}", 0, "boxes_win");
    derives("", "{\"required_evidence\":[5,\"a\"]}", 1, "a");
    derives("", "{\"required_evidence\":{\"a\":1}}", 1, "");
    derives("", "{}", 0, "");
    derives("", NULL, 0, "");
    gate = gate_permissive();
    CHECK_STR(gate_source_name(gate), "permissive");
    CHECK(gate_rig_judge(gate, "{\"anything\":{\"goes\":[]}}", &told));
    CHECK(gate_rig_tells(told, "warnings", "no gate") &&
          json_array_size(json_object_get(told, "warnings")) == 1);
    json_decref(told);
    CHECK(gate_ref(gate) == gate);
    gate_unref(gate);
    gate_unref(gate);
    gate_unref(NULL);
}

static void
criteria_of_a_task_list_come_first(void **state)
{
    static const char *const criteria[] = {"All tests pass (100%)", "`make lint` is clean"};
    struct gate_hints hints = {
        .criteria = criteria, .criteria_count = 2, .phase_md = SLICE("## Gate\n- [ ] other\n")};
    struct gate *gate = NULL;
    char *names;

    (void)state;
    CHECK_INT(gate_derive(&hints, &gate, NULL, NULL), E_OK);
    names = missing_names(gate);
    CHECK_STR(names, "all_tests_pass_100 make_lint_is_clean");
    free(names);
    gate_unref(gate);
}

static void
an_approval_line_is_heeded(void **state)
{
    static const char *const yes[] = {"**Human Approval**: True\n",
                                      "Human approval required: yes.\n",
                                      "- Human Approval: **Required** (lead)\n"};
    static const char *const no[] = {"**Human Approval**: False\n", "Human approval is good.\n",
                                     "Human Approval: Truely\n", "```\nHuman Approval: True\n```\n",
                                     "human approval  \nis one thing: true\n"};

    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        struct gate *gate = derive(yes[i], NULL, 0);
        CHECK(gate_needs_approval(gate));
        CHECK_STR(gate_source_name(gate), "derived");
        CHECK(!gate_rig_judge(gate, "{}", NULL) &&
              gate_rig_judge(gate, "{\"human_approved\":true}", NULL));
        gate_unref(gate);
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        struct gate *gate = derive(no[i], NULL, 0);
        CHECK(!gate_needs_approval(gate));
        gate_unref(gate);
    }
}

static void
derived_gates_are_bounded(void **state)
{
    struct buf text = BUF_INIT;
    struct gate_hints hints = {.file = NULL};
    struct problems problems = PROBLEMS_INIT;
    struct gate *gate = NULL;
    struct fault fault = FAULT_INIT;

    (void)state;
    buf_adds(&text, "## Gate\n");
    for (int i = 0; i < 300; i++) {
        buf_adds(&text, "- [ ] same\n");
    }
    hints.phase_md = buf_slice(&text);
    CHECK_INT(gate_derive(&hints, &gate, &problems, &fault), E_OK);
    CHECK_INT(gate_field_count(gate), GATE_FIELDS_MAX);
    CHECK(problems.count > 0);
    gate_unref(gate);
    problems_fini(&problems);
    while (text.len < 2 << 20) {
        buf_adds(&text, "text text text text text text text text text text text text text text\n");
    }
    hints.phase_md = buf_slice(&text);
    CHECK_INT(gate_derive(&hints, &gate, NULL, &fault), E_TOO_LARGE);
    CHECK(!gate);
    buf_fini(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shipped_phase_derives_a_gate),
        cmocka_unit_test(a_table_gives_typed_fields_and_named_validators),
        cmocka_unit_test(a_checklist_gives_boolean_fields),
        cmocka_unit_test(metadata_comes_last_and_nothing_is_permissive),
        cmocka_unit_test(criteria_of_a_task_list_come_first),
        cmocka_unit_test(an_approval_line_is_heeded),
        cmocka_unit_test(derived_gates_are_bounded),
    };
    return CHECK_RUN(tests);
}
