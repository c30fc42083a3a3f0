/* test_workflow_definition.c -- YAML definitions: the real one, then each rule and each refusal. */
#include "tests/check.h"
#include "tests/hostile.h"

#include "state/base/file.h"
#include "state/workflow_definition.h"
#include "state/yaml.h"

#define REAL "tests/fixtures/praxis/workflows/standards_creation_v1/supporting-docs"

static struct wf_source *
parse(const char *text, struct problems *problems)
{
    struct wf_source *source = NULL;
    struct fault f = FAULT_INIT;

    if (wf_definition_parse(slice_of(text), "d.yaml", problems, &source, &f)) {
        print_message("%s: %s\n", err_info(f.code)->name, f.text);
    }
    assert_non_null(source);
    return source;
}

static void
refused(const char *text, unsigned line, unsigned column, const char *said)
{
    struct wf_source *source = NULL;
    struct problems problems = PROBLEMS_INIT;
    struct fault f = FAULT_INIT;

    CHECK_INT(wf_definition_parse(slice_of(text), "d.yaml", &problems, &source, &f), E_REFUSED);
    assert_null(source);
    if (f.line != line || f.column != column) {
        print_message("%s: %u:%u %s\n", text, f.line, f.column, f.text);
    }
    CHECK_INT(f.line, line);
    CHECK_INT(f.column, column);
    if (!strstr(f.text, said)) {
        fail_msg("'%s' does not say '%s'", f.text, said);
    }
    CHECK(problems.errors > 0);
    problems_fini(&problems);
    /* The same without anyone to tell. */
    CHECK_INT(wf_definition_parse(slice_of(text), "d.yaml", NULL, &source, NULL), E_REFUSED);
}

static void
real_definition_has_its_phases(void **state)
{
    static const size_t tasks[] = {5, 6, 4, 5, 5, 6};
    struct problems problems = PROBLEMS_INIT;
    struct buf text = BUF_INIT;
    struct dir *dir = NULL;
    struct wf_source *source;
    size_t gates = 0;

    (void)state;
    CHECK(dir_open(REAL, false, &dir, NULL) == E_OK);
    CHECK(dir_read(dir, "workflow-definition.yaml", 1 << 20, &text, NULL, NULL) == E_OK);
    source = parse(text.data, &problems);
    CHECK_INT(problems.count, 0);
    CHECK_INT(source->phase_count, 6);
    for (size_t i = 0; i < 6; i++) {
        CHECK_INT(source->phases[i].number, i);
        CHECK_INT(source->phases[i].task_count, tasks[i]);
        assert_non_null(source->phases[i].gate_node);
        gates += source->phases[i].gate_count;
    }
    print_message("%zu tasks, %zu criteria, %zu gate lines\n", source->task_count,
                  source->criterion_count, gates);
    CHECK_INT(source->task_count, 31);
    CHECK_STR(source->phases[0].tasks[1].id, "0.2");
    CHECK_STR(source->phases[0].tasks[1].name, "identify-domain-keywords");
    CHECK_STR(source->phases[0].tasks[1].criteria[0].text, "At least 10 keywords identified");
    CHECK_STR(source->phases[0].gate[0].text, "List of >= 10 domain keywords");
    CHECK(strstr(source->phases[0].description, "**Deliverable:** Domain keywords"));
    CHECK(strstr(source->phases[0].tasks[1].text, "**Steps:**\n\n1. Extract primary topic"));
    CHECK(strstr(source->phases[0].tasks[1].text, "- read_file"));
    wf_source_unref(source);
    buf_fini(&text);
    dir_unref(dir);
    problems_fini(&problems);
}

static void
relative_phases_come_after_the_generated_ones(void **state)
{
    const char *text = "phases:\n"
                       "  - {number: 1, name: A, tasks: [{number: 1, name: a}]}\n"
                       "  - {number: 2, name: B, tasks: [{number: 1, name: b}]}\n"
                       "  - {number: \"N+4\", name: C, tasks: [{number: 1, name: c}]}\n"
                       "  - {number: n + 5, name: D, tasks: [{number: 1, name: d}]}\n";
    const int taken[] = {0, 1, 8};
    struct wf_source *source = parse(text, NULL);

    (void)state;
    CHECK_INT(source->phases[2].number, 6);
    CHECK_STR(source->phases[2].source_label, "N+4");
    CHECK_STR(source->phases[2].tasks[0].id, "N+4.1");
    CHECK_INT(source->phases[3].number, 7);
    /* A pack that has 0, 1 and 8 itself: 1 and 2 move up by one, N+4 stays. */
    CHECK_INT(wf_source_place(source, taken, 3), 1);
    CHECK_INT(source->phases[0].number, 2);
    CHECK_INT(source->phases[1].number, 3);
    CHECK_INT(source->phases[2].number, 6);
    CHECK_INT(source->phases[3].number, 7);
    wf_source_unref(source);
}

static void
relative_phases_make_way(void **state)
{
    const char *text = "phases:\n"
                       "  - {number: 5, name: A}\n"
                       "  - {number: N, name: B}\n"
                       "  - {number: N+1, name: C}\n";
    const int taken[] = {6};
    struct wf_source *source = parse(text, NULL);

    (void)state;
    CHECK_INT(wf_source_place(source, taken, 1), 0);
    CHECK_INT(source->phases[0].number, 5);
    CHECK_INT(source->phases[1].number, 7); /* 1 is not above 5, 6 is taken. */
    CHECK_INT(source->phases[2].number, 8);
    wf_source_unref(source);
}

static void
what_is_missing_has_a_default_and_a_warning(void **state)
{
    const char *text = "phases:\n"
                       "  - tasks:\n"
                       "      - purpose: only this\n"
                       "      - {number: \"7\", name: 3.10, dependencies: 1.10, "
                       "validation_criteria: one}\n"
                       "      - {name: x, dependencies: [none, 1.2, '0.1'], estimated_time: 2h}\n"
                       "  - name: second\n"
                       "    estimated_duration: 1 day\n"
                       "    validation_gate:\n"
                       "      human_approval_required: true\n";
    struct problems problems = PROBLEMS_INIT;
    struct wf_source *source = parse(text, &problems);
    const struct wf_phase *phase = &source->phases[0];

    (void)state;
    CHECK_INT(phase->number, 0);
    CHECK_STR(phase->name, "Phase 0");
    CHECK_INT(phase->tasks[0].number, 1);
    CHECK_STR(phase->tasks[0].name, "Task 1");
    CHECK_STR(phase->tasks[0].description, "only this");
    CHECK_INT(phase->tasks[1].number, 7);
    CHECK_STR(phase->tasks[1].name, "3.10");
    CHECK_STR(phase->tasks[1].dependencies[0], "1.10");
    CHECK_STR(phase->tasks[1].criteria[0].text, "one");
    CHECK_INT(phase->tasks[2].number, 8);
    CHECK_INT(phase->tasks[2].dependency_count, 2);
    CHECK_STR(phase->tasks[2].dependencies[1], "0.1");
    CHECK_STR(phase->tasks[2].estimated_time, "2h");
    CHECK_INT(source->phases[1].number, 1);
    CHECK_STR(source->phases[1].duration, "1 day");
    CHECK_INT(source->phases[1].gate_count, 1);
    CHECK_STR(source->phases[1].gate[0].text, "A human has approved this phase");
    CHECK(problems.errors == 0 && problems.count >= 6);
    CHECK_INT(problems.items[0].line, 2);
    wf_source_unref(source);
    problems_fini(&problems);
}

static void
nonsense_is_refused_with_its_place(void **state)
{
    (void)state;
    refused("", 1, 1, "must be a map");
    refused("- a", 1, 1, "must be a map");
    refused("phases: 3", 1, 9, "at least one phase");
    refused("phases: []", 1, 9, "at least one phase");
    refused("a: [", 2, 1, "");
    refused("phases:\n  - 3", 2, 5, "a phase must be a map");
    refused("phases:\n  - number: -1", 2, 13, "0 to 9999");
    refused("phases:\n  - number: N-1", 2, 13, "N+k");
    refused("phases:\n  - number: N+", 2, 13, "N+k");
    refused("phases:\n  - number: N+99999", 2, 13, "N+k");
    refused("phases:\n  - number: 2\n  - number: 1", 3, 13, "must rise");
    refused("phases:\n  - number: N+1\n  - number: 1", 3, 13, "must rise");
    refused("phases:\n  - number: N+1\n  - name: x", 3, 5, "needs a number");
    refused("phases:\n  - number: 1\n    tasks: x", 3, 12, "'tasks' must be a list");
    refused("phases:\n  - number: 1\n    name: [x]", 3, 11, "'name' must be text");
    refused("phases:\n  - tasks: [x]", 2, 13, "a task must be a map");
    refused("phases:\n  - tasks: [{number: x}]", 2, 22, "a task's number");
    refused("phases:\n  - tasks: [{number: 1}, {number: 1}]", 2, 35, "two tasks numbered 1");
    refused("phases:\n  - tasks: [{validation_criteria: {a: 1}}]", 2, 35, "list of texts");
    refused("phases:\n  - tasks: [{validation_criteria: [[a]]}]", 2, 36, "must be text");
    refused("phases:\n  - tasks: [{dependencies: [{a: 1}]}]", 2, 29, "must be text");
    refused("phases:\n  - validation_gate: 3", 2, 22, "must be a map");
    refused("phases:\n  - validation_gate: {evidence_required: [a]}", 2, 42, "must be a map");
}

static void
as_definition(const struct hostile_case *c, void *arg)
{
    struct wf_source *source = NULL;
    struct fault f = FAULT_INIT;
    enum err err = wf_definition_parse(c->bytes, "d.yaml", NULL, &source, &f);

    (void)arg;
    CHECK((err == E_OK) == (source != NULL));
    CHECK(!err || (f.code == err && f.text[0]));
    wf_source_unref(source);
}

static void
hostile_yaml_is_no_definition(void **state)
{
    (void)state;
    CHECK(hostile_files("yaml", as_definition, NULL) > 300);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_definition_has_its_phases),
        cmocka_unit_test(relative_phases_come_after_the_generated_ones),
        cmocka_unit_test(relative_phases_make_way),
        cmocka_unit_test(what_is_missing_has_a_default_and_a_warning),
        cmocka_unit_test(nonsense_is_refused_with_its_place),
        cmocka_unit_test(hostile_yaml_is_no_definition),
    };

    return CHECK_RUN(tests);
}
