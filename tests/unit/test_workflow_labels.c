/* test_workflow_labels.c -- single lines of task lists. */
#include "tests/check.h"

#include "state/workflow_labels.h"

static void
phases(void **state)
{
    static const char *const none[] = {"Phase 1",
                                       "Phase 1 Tasks",
                                       "Phase 1:",
                                       "Phase one: x",
                                       "Phases 1: x",
                                       "Phase 1-2: x",
                                       "Phase 1.2: x",
                                       "Phase: x",
                                       "Phase 1 \xE2\x86\x92 Phase 2",
                                       "Phase 123456: x",
                                       "",
                                       "**",
                                       "Phase 1: ****",
                                       "A Phase 1: x"};
    struct wf_phase_head head;
    int number;

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        if (wf_read_phase_head(slice_of(none[i]), &head)) {
            fail_msg("%s", none[i]);
        }
    }
    CHECK(wf_read_phase_head(SLICE("Phase 07: **Bold** name"), &head));
    CHECK_INT(head.number, 7);
    CHECK(slice_is(head.name, "**Bold** name"));
    CHECK(wf_read_phase_head(SLICE("Phase 1: Complete (4-6 hours)"), &head));
    CHECK(slice_is(head.name, "Complete (4-6 hours)"));
    CHECK(wf_read_numbered_head(SLICE("12. Name"), &head));
    CHECK_INT(head.number, 12);
    CHECK(!wf_read_numbered_head(SLICE("12 Name"), &head));
    CHECK(!wf_read_numbered_head(SLICE("1.2 Name"), &head));
    CHECK(!wf_read_numbered_head(SLICE("Name"), &head));
    CHECK(wf_read_phase_number(SLICE("**Phase 3** done"), &number));
    CHECK_INT(number, 3);
    CHECK(!wf_read_phase_number(SLICE("Phase 3rd"), &number));
    CHECK(!wf_read_phase_number(SLICE("phrase 3"), &number));
}

static void
tasks(void **state)
{
    struct wf_task_head head;

    (void)state;
    CHECK(wf_read_task_head(SLICE("**Task 2.10**: Name **x**"), &head));
    CHECK(head.phase == 2 && head.number == 10 && head.word && head.firm && head.bold);
    CHECK(slice_is(head.name, "Name **x**"));
    CHECK(wf_read_task_head(SLICE("**Task 2.1** Name"), &head));
    CHECK(!head.firm);
    CHECK(wf_read_task_head(SLICE("**Task 2.1 Name**"), &head));
    CHECK(head.firm && slice_is(head.name, "Name"));
    CHECK(wf_read_task_head(SLICE("Task 2.1"), &head));
    CHECK(!head.firm && head.name.len == 0);
    CHECK(wf_read_task_head(SLICE("0.0: x"), &head));
    CHECK(!head.word && head.firm);
    CHECK(!wf_read_task_head(SLICE("Task 2"), &head));
    CHECK(!wf_read_task_head(SLICE("Task 2."), &head));
    CHECK(!wf_read_task_head(SLICE("Task 2.x"), &head));
    CHECK(!wf_read_task_head(SLICE("Task 1.1-1.6 done"), &head));
    CHECK(!wf_read_task_head(SLICE("Tasks 1.1"), &head));
    CHECK(!wf_read_task_head(SLICE("Task 1.1/2"), &head));
    CHECK(!wf_read_task_head(SLICE(""), &head));
}

static void
gate(const char *text, bool is, int phase, bool many)
{
    int found = 0;
    bool found_many = false;

    if (wf_read_gate_head(slice_of(text), &found, &found_many) != is ||
        (is && (found != phase || found_many != many))) {
        fail_msg("%s: %d %d", text, found, found_many);
    }
}

static void
gates(void **state)
{
    (void)state;
    gate("Validation Gate", true, -1, false);
    gate("Validation Gates", true, -1, true);
    gate("Phase Validation Gates", true, -1, true);
    gate("Phase 2 Validation Gate: Done", true, 2, false);
    gate("Phase 2 Validation Gate (Final)", true, 2, false);
    gate("Phase 2: Validation Gate", true, 2, false);
    gate("Validation Gate for Phase 3", true, 3, false);
    gate("Validation Gate: Phase 3", true, 3, false);
    gate("Validation Gate (Phase 3)", true, 3, false);
    gate("\xF0\x9F\x9B\x91 **GATE**", true, -1, false);
    gate("VALIDATE-GATE", true, -1, false);
    gate("4. Validation Gate", true, -1, false);
    gate("4. Gates", true, -1, true);
    gate("Phase 3: Validation Gate Implementation", false, 0, false);
    gate("Validation Gate Design", false, 0, false);
    gate("Write the validation gate", false, 0, false);
    gate("Gateway", false, 0, false);
    gate("Phase 1 Tasks", false, 0, false);
    gate("", false, 0, false);
}

static void
label(const char *text, int kind, const char *key, const char *value)
{
    struct wf_label_line line;
    bool is = wf_read_label(slice_of(text), &line);

    if (is != (kind >= 0) || (is && (line.label != (enum wf_label)kind ||
                                     !slice_is(line.key, key) || !slice_is(line.value, value)))) {
        fail_msg("%s: %d '%.*s' '%.*s'", text, (int)line.label, (int)line.key.len, line.key.data,
                 (int)line.value.len, line.value.data);
    }
}

static void
labels(void **state)
{
    enum wf_label found;

    (void)state;
    label("**Goal:** x", WF_LABEL_OBJECTIVE, "Goal", "x");
    label("**Goal**: x", WF_LABEL_OBJECTIVE, "Goal", "x");
    label("__Goal__ : x", WF_LABEL_OBJECTIVE, "Goal", "x");
    label("goal: x", WF_LABEL_OBJECTIVE, "goal", "x");
    label("\xF0\x9F\x8E\xAF **Objective:**", WF_LABEL_OBJECTIVE, "Objective", "");
    label("**Acceptance Criteria (must)**", WF_LABEL_CRITERIA, "Acceptance Criteria (must)", "");
    label("**Notes:** x", WF_LABEL_OTHER, "Notes", "x");
    label("**Depends on**: 1.1", WF_LABEL_DEPENDS, "Depends on", "1.1");
    label("**Phase 1 Validation Gate**:", WF_LABEL_GATE, "Phase 1 Validation Gate", "");
    label("Notes: x", -1, "", "");
    label("**bold** text", -1, "", "");
    label("**Goal** text", -1, "", "");
    label("**never closed: x", -1, "", "");
    label("**:** x", -1, "", "");
    label("****", -1, "", "");
    label("plain", -1, "", "");
    label("", -1, "", "");
    CHECK(wf_read_label_heading(SLICE("**Acceptance Criteria:**"), &found));
    CHECK_INT(found, WF_LABEL_CRITERIA);
    CHECK(!wf_read_label_heading(SLICE("Notes"), &found));
    CHECK(!wf_read_label_heading(SLICE("Validation Gate"), &found));
    CHECK(!wf_read_label_heading(SLICE(""), &found));
}

static void
criteria(void **state)
{
    (void)state;
    CHECK(slice_is(wf_criterion_text(SLICE(" a \xE2\x9C\x85/\xE2\x9D\x8C ")), "a"));
    CHECK(slice_is(wf_criterion_text(SLICE("**a** \xE2\x9C\x85 / \xE2\x9D\x8C")), "a"));
    CHECK(slice_is(wf_criterion_text(SLICE("a \xE2\x9C\x85")), "a \xE2\x9C\x85"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phases), cmocka_unit_test(tasks),    cmocka_unit_test(gates),
        cmocka_unit_test(labels), cmocka_unit_test(criteria),
    };

    return CHECK_RUN(tests);
}
