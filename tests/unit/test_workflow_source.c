/* test_workflow_source.c -- numbering beside a pack's own phases, and ticks read again. */
#include "tests/check.h"

#include "state/workflow_definition.h"
#include "state/workflow_source.h"
#include "state/workflow_tasklist.h"

static struct wf_source *
list(const char *text)
{
    struct wf_source *source = NULL;

    CHECK(wf_tasklist_parse(slice_of(text), "t", NULL, &source, NULL) == E_OK);
    return source;
}

static void
offsets_are_the_smallest_that_end_collisions(void **state)
{
    static const struct {
        int taken[4];
        size_t count;
        int offset;
    } cases[] = {{{0}, 0, 0},    {{0}, 1, 0},    {{1}, 1, 1},         {{1, 2}, 2, 2},
                 {{3, 1}, 2, 1}, {{2, 4}, 2, 0}, {{1, 2, 3, 5}, 4, 3}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct wf_source *source = list("## Phase 1: a\n- [ ] Task 1.1: x\n## Phase 3: b\n"
                                        "- [ ] Task 3.1: y\n");
        int offset = wf_source_place(source, cases[i].taken, cases[i].count);

        if (offset != cases[i].offset) {
            fail_msg("case %zu: %d", i, offset);
        }
        CHECK_INT(source->phases[1].number, 3 + offset);
        CHECK_INT(source->phases[1].source_phase, 3);
        CHECK(wf_source_phase(source, 1 + offset) == &source->phases[0]);
        assert_null(wf_source_phase(source, 99));
        assert_null(wf_phase_task(&source->phases[0], 2));
        wf_source_unref(source);
    }
    wf_source_unref(NULL);
}

static void
refreshing_takes_ticks_by_task_and_text(void **state)
{
    struct wf_source *old =
        list("## Phase 1: a\n- [ ] **Task 1.1**: x\n  - **Acceptance Criteria**:\n"
             "    - [ ] same\n    - [ ] same\n    - [ ] other\n"
             "- [ ] **Task 1.2**: y\n\n**Validation Gate:**\n- [ ] g\n");
    struct wf_source *now = list("## Phase 1: a\n- [ ] **Task 1.2**: y\n"
                                 "- [x] **Task 1.1**: x\n  - **Acceptance Criteria**:\n"
                                 "    - [x] other\n    - [ ] same\n    - [x] same\n\n"
                                 "**Validation Gate:**\n- [x] g\n");
    struct wf_source *fresh = NULL;
    bool changed = true;

    (void)state;
    CHECK(wf_source_refresh(old, now, &fresh, &changed, NULL) == E_OK);
    CHECK(!changed);
    CHECK(fresh->phases[0].tasks[0].done);
    CHECK(!fresh->phases[0].tasks[0].criteria[0].done);
    CHECK(fresh->phases[0].tasks[0].criteria[1].done);
    CHECK(fresh->phases[0].tasks[0].criteria[2].done);
    CHECK(fresh->phases[0].gate[0].done);
    CHECK_INT(fresh->done_count, 2);
    CHECK_INT(old->done_count, 0);
    wf_source_unref(now);
    wf_source_unref(wf_source_ref(old));
    wf_source_unref(old);
    CHECK_STR(fresh->phases[0].tasks[0].criteria[2].text, "other");
    wf_source_unref(fresh);
}

static void
refreshed(const char *text, bool expected)
{
    struct wf_source *old =
        list("## Phase 1: a\n- [ ] **Task 1.1**: x\n  - **Acceptance Criteria**:\n"
             "    - [ ] c\n    - [ ] d\n## Phase 2: b\n- [ ] Task 2.1: y\n");
    struct wf_source *now = list(text), *fresh = NULL;
    bool changed = !expected;

    CHECK(wf_source_refresh(old, now, &fresh, &changed, NULL) == E_OK);
    if (changed != expected) {
        fail_msg("%s", text);
    }
    CHECK_INT(fresh->phase_count, 2);
    CHECK_INT(fresh->task_count, 2);
    CHECK_INT(fresh->criterion_count, 2);
    wf_source_unref(old);
    wf_source_unref(now);
    wf_source_unref(fresh);
}

static void
whatever_but_ticks_is_a_change(void **state)
{
    (void)state;
#define ONE                                                                                       \
    "## Phase 1: a\n- [ ] **Task 1.1**: x\n  - **Acceptance Criteria**:\n    - [ ] c\n    - [x] " \
    "d\n"
#define TWO "## Phase 2: b\n- [ ] Task 2.1: y\n"
    refreshed(ONE TWO, false);
    refreshed("# Title\n" ONE "\n\n" TWO, false);
    refreshed(ONE, true);
    refreshed(ONE TWO "## Phase 3: c\n- [ ] Task 3.1: z\n", true);
    refreshed(ONE "## Phase 3: b\n- [ ] Task 3.1: y\n", true);
    refreshed(ONE "## Phase 2: renamed\n- [ ] Task 2.1: y\n", true);
    refreshed(ONE "## Phase 2: b\n- [ ] Task 2.1: renamed\n", true);
    refreshed(ONE "## Phase 2: b\n- [ ] Task 2.2: y\n", true);
    refreshed(ONE TWO "- [ ] Task 2.2: more\n", true);
    refreshed(ONE TWO "  - **Acceptance Criteria**: c\n", true);
    refreshed("## Phase 1: a\n- [ ] **Task 1.1**: x\n  - **Acceptance Criteria**:\n    - [ ] c\n"
              "    - [x] e\n" TWO,
              true);
}

static void
nodes_of_a_definition_outlive_refreshes(void **state)
{
    const char *text = "phases: [{number: 1, name: a, tasks: [{number: 1, name: b, x: 1}],"
                       " validation_gate: {evidence_required: {}}}]";
    struct wf_source *source = NULL, *now = NULL;
    bool changed;

    (void)state;
    CHECK(wf_definition_parse(slice_of(text), "d", NULL, &source, NULL) == E_OK);
    CHECK(wf_definition_parse(slice_of(text), "d", NULL, &now, NULL) == E_OK);
    for (int i = 0; i < 3; i++) {
        struct wf_source *fresh = NULL;

        CHECK(wf_source_refresh(source, now, &fresh, &changed, NULL) == E_OK);
        CHECK(!changed && fresh->phases[0].gate_node == source->phases[0].gate_node);
        wf_source_unref(source);
        source = fresh;
    }
    assert_non_null(source->phases[0].tasks[0].node);
    CHECK_STR(source->phases[0].tasks[0].id, "1.1");
    wf_source_unref(source);
    wf_source_unref(now);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_are_the_smallest_that_end_collisions),
        cmocka_unit_test(refreshing_takes_ticks_by_task_and_text),
        cmocka_unit_test(whatever_but_ticks_is_a_change),
        cmocka_unit_test(nodes_of_a_definition_outlive_refreshes),
    };

    return CHECK_RUN(tests);
}
