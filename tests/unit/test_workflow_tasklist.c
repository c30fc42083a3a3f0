/* test_workflow_tasklist.c -- task lists: the eleven real ones against their outline, then each
 * rule. */
#include "tests/check.h"

#include "state/base/file.h"
#include "state/workflow_tasklist.h"

#include <stdio.h>

#define SPECS "tests/fixtures/praxis/specs"

static struct problems problems;

static struct wf_source *
parse(const char *text)
{
    struct wf_source *source = NULL;
    struct fault f = FAULT_INIT;

    problems_fini(&problems);
    problems = (struct problems)PROBLEMS_INIT;
    if (wf_tasklist_parse(slice_of(text), "tasks.md", &problems, &source, &f)) {
        print_message("%s: %s\n", err_info(f.code)->name, f.text);
    }
    assert_non_null(source);
    return source;
}

static void
add_counts(struct buf *out, const struct wf_phase *phase, int what)
{
    for (size_t i = 0; i < phase->task_count; i++) {
        const struct wf_task *task = &phase->tasks[i];
        int done = 0;

        for (size_t j = 0; j < task->criterion_count; j++) {
            done += task->criteria[j].done;
        }
        buf_adds(out, i ? "," : "");
        if (what == 0) {
            buf_adds(out, task->id);
        } else {
            buf_add_int(out, what == 1 ? (int)task->criterion_count : done);
        }
    }
}

static void
add_outline(struct buf *out, const char *name, const struct wf_source *source)
{
    for (size_t i = 0; i < source->phase_count; i++) {
        const struct wf_phase *phase = &source->phases[i];

        buf_addf(out, "%s\t%d\t%s\t", name, phase->number, phase->name);
        for (int what = 0; what < 3; what++) {
            add_counts(out, phase, what);
            buf_addc(out, what < 2 ? '\t' : '\n');
        }
    }
}

static void
real_lists_agree_with_their_outline(void **state)
{
    struct dir *specs = NULL;
    struct dir_list folders;
    struct buf outline = BUF_INIT, found = BUF_INIT;
    size_t phases = 0, tasks = 0, criteria = 0, ticked = 0;

    (void)state;
    CHECK(dir_open(SPECS, false, &specs, NULL) == E_OK);
    CHECK(dir_read(specs, "outline.tsv", 1 << 20, &outline, NULL, NULL) == E_OK);
    CHECK(dir_list(specs, ".", 100, &folders, NULL) == E_OK);
    buf_adds(&found, "file\tphase\tphase_name\ttask_ids\tcriteria_per_task\tticked_per_task\n");
    for (size_t i = 0; i < folders.count; i++) {
        struct buf text = BUF_INIT;
        char *name = xasprintf("%s/tasks.md", folders.entries[i].name);

        if (folders.entries[i].folder) {
            struct wf_source *source;

            CHECK(dir_read(specs, name, 1 << 20, &text, NULL, NULL) == E_OK);
            source = parse(text.data);
            CHECK_INT(problems.errors, 0);
            for (size_t j = 0; j < problems.count; j++) {
                print_message("%s:%u: %s\n", name, problems.items[j].line, problems.items[j].text);
            }
            add_outline(&found, name, source);
            phases += source->phase_count;
            tasks += source->task_count;
            criteria += source->criterion_count;
            ticked += source->done_count;
            wf_source_unref(source);
        }
        buf_fini(&text);
        free(name);
    }
    print_message("%zu phases, %zu tasks, %zu criteria, %zu ticked\n", phases, tasks, criteria,
                  ticked);
    CHECK_STR(found.data, outline.data);
    CHECK_INT(phases, 47);
    CHECK_INT(tasks, 235);
    dir_list_fini(&folders);
    buf_fini(&outline);
    buf_fini(&found);
    dir_unref(specs);
}

/* The text of criterion 'c' of task 't' of phase 'p', counted from 0. */
static const char *
criterion(const struct wf_source *source, size_t p, size_t t, size_t c)
{
    CHECK(p < source->phase_count && t < source->phases[p].task_count &&
          c < source->phases[p].tasks[t].criterion_count);
    return source->phases[p].tasks[t].criteria[c].text;
}

static bool
warned(const char *text, unsigned line)
{
    for (size_t i = 0; i < problems.count; i++) {
        if (strstr(problems.items[i].text, text) && problems.items[i].line == line) {
            return true;
        }
    }
    return false;
}

static void
every_form_of_a_phase(void **state)
{
    static const char *const forms[] = {"## Phase 1: Foundation",
                                        "### Phase 1: Foundation",
                                        "##Phase 1:Foundation",
                                        "## Phase 1 - Foundation",
                                        "## Phase 1 \xE2\x80\x93 Foundation",
                                        "## Phase 1 \xE2\x80\x94 Foundation",
                                        "## Phase 1. Foundation",
                                        "## **Phase 1:** Foundation",
                                        "## **Phase 1: Foundation**",
                                        "## \xF0\x9F\x9A\x80 Phase 1: Foundation",
                                        "## PHASE 1: Foundation ##",
                                        "Phase 1: Foundation\n===",
                                        "Phase 1: Foundation\n---",
                                        "## 1. Foundation",
                                        "## 1: Foundation",
                                        "## Phase 1 -- Foundation",
                                        "## Phase 1: __Foundation__",
                                        "\xEF\xBB\xBF# Phase 1: Foundation"};

    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char *text = xasprintf("%s\r\n\r\n- [ ] **Task 1.1**: a\r\n", forms[i]);
        struct wf_source *source = parse(text);

        CHECK_INT(source->phase_count, 1);
        CHECK_INT(source->phases[0].number, 1);
        CHECK_STR(source->phases[0].source_label, "1");
        CHECK_STR(source->phases[0].name, "Foundation");
        wf_source_unref(source);
        free(text);
    }
}

static void
every_form_of_a_task(void **state)
{
    static const char *const forms[] = {"- [ ] **Task 1.2**: Name",
                                        "- [x] **Task 1.2:** Name",
                                        "- [ ] **Task 1.2: Name**",
                                        "- [ ] Task 1.2: Name",
                                        "- [ ] Task 1.2 Name",
                                        "- [ ] **1.2** Name",
                                        "- [ ] 1.2: Name",
                                        "- [ ] 1.2 Name",
                                        "- Task 1.2: Name",
                                        "- **Task 1.2**: Name",
                                        "* **Task 1.2** - Name",
                                        "1. Task 1.2: Name",
                                        "### Task 1.2: Name",
                                        "#### **Task 1.2**: Name",
                                        "### Task 1-2: Name",
                                        "## Task 1.2. Name",
                                        "**Task 1.2:** Name",
                                        "### \xE2\x9C\x85 Task 1.2: Name",
                                        "- [ ] **Task 1.2**:\n  Name",
                                        "+ [X] task 1.2: Name"};

    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char *text = xasprintf("## Phase 1: P\n\n%s\n", forms[i]);
        struct wf_source *source = parse(text);

        CHECK_INT(source->task_count, 1);
        CHECK_STR(source->phases[0].tasks[0].id, "1.2");
        CHECK_INT(source->phases[0].tasks[0].number, 2);
        if (strstr(forms[i], "\n")) {
            CHECK_STR(source->phases[0].tasks[0].name, " Name");
        } else {
            CHECK_STR(source->phases[0].tasks[0].name, "Name");
        }
        CHECK_INT(source->phases[0].tasks[0].done,
                  strstr(forms[i], "[x]") || strstr(forms[i], "[X]"));
        wf_source_unref(source);
        free(text);
    }
}

static void
what_is_no_task(void **state)
{
    static const char *const mentions[] = {"Task 1.2 comes later.",
                                           "- Task 1.2 must be done",
                                           "- [ ] Tasks 1.2-1.4 are done",
                                           "- **Task 1.2** (x) first",
                                           "- [ ] Task 1.2, 1.3 done",
                                           "- [ ] 1.2.3 is released",
                                           "- [ ] Task 1.2.1: part",
                                           "- 1.2: y",
                                           "- [ ] 2.1 is the version",
                                           "### Task 2.1: other phase",
                                           "### 1.2 Section",
                                           "  - [ ] **Task 1.2**: nested",
                                           "```\n- [ ] Task 1.2: x\n```",
                                           "<!--\n- [ ] Task 1.2: x\n-->",
                                           "- [ ] **Task 1.1**: again",
                                           "### Task 1.1: as heading",
                                           "- [ ] Task 1.2a: x",
                                           "- [ ] Task 99999.1: x"};

    (void)state;
    for (size_t i = 0; i < sizeof mentions / sizeof mentions[0]; i++) {
        char *text = xasprintf("## Phase 1: P\n\n- [ ] **Task 1.1**: a\n\n%s\n", mentions[i]);
        struct wf_source *source = parse(text);

        if (source->task_count != 1) {
            fail_msg("%s", mentions[i]);
        }
        wf_source_unref(source);
        free(text);
    }
}

static void
misplaced_tasks_are_told(void **state)
{
    (void)state;
    wf_source_unref(parse("## Phase 1: P\n### Task 1.1: a\n### Task 2.2: b\n### Task 1.1: c\n"
                          "- [ ] **Task 3.1:** d\n"));
    CHECK(warned("task 2.2 stands in phase 1 and is left out", 3));
    CHECK(warned("task 1.1 is there already", 4));
    CHECK(warned("task 3.1 stands in phase 1", 5));
}

static void
summaries_are_no_phases(void **state)
{
    struct wf_source *source =
        parse("## Overview\n### Phase 1: short\n### Phase 2: short\n"
              "## Phase 1: One\n- [ ] **Task 1.1**: a\n"
              "## Phase 2: Two\n- [ ] **Task 2.1**: b\n## Phase 4: Four\nno task\n"
              "### Phase 5: Later\n## Phase 3: Three\n- [ ] **Task 3.1**: late\n"
              "## Dependencies\n### Phase 1 \xE2\x86\x92 Phase 2\n#### Phase 1: One (again)\n"
              "- **Task 1.1**: again\n- **Task 1.2**: only here\n"
              "## Risks\n### Risk 1: x\n1. Risk: y\n");

    (void)state;
    CHECK_INT(source->phase_count, 3);
    CHECK_STR(source->phases[0].name, "One");
    CHECK_INT(source->phases[0].line, 4);
    CHECK_INT(source->phases[0].task_count, 1);
    CHECK_INT(source->phases[2].number, 3);
    CHECK(warned("phase 4 has no task and is left out", 8));
    CHECK(warned("phase 5 has no task and is left out", 10));
    wf_source_unref(source);

    source = parse("## Phase 1: a\n- [ ] Task 1.1: x\n## Phase 2: empty\n## Phase 7: c\n"
                   "- [ ] Task 7.1: x\n## Phase 3: d\n- [ ] Task 3.1: x\n");
    CHECK_INT(source->phase_count, 3);
    CHECK_INT(source->phases[1].number, 2);
    CHECK_INT(source->phases[2].number, 7);
    CHECK(warned("phase 2 has no task", 3));
    CHECK(warned("phase 3 after phase 7: left out, with its tasks", 6));
    wf_source_unref(source);
}

static void
numbered_headings_count_only_without_phase_headings(void **state)
{
    struct wf_source *source =
        parse("# 1. Intro\ntext\n## 0. Zero\n### Task 0.1: z\n## 1. One\n"
              "- [ ] Task 1.1: a\n## 2. Empty\n## 3. Notes\n- Task 9.9: x\n# Risks\n1. one\n");

    (void)state;
    CHECK_INT(source->phase_count, 2);
    CHECK_INT(source->phases[0].number, 0);
    CHECK_STR(source->phases[1].name, "One");
    wf_source_unref(source);
    source = parse("## 1. One\n- [ ] Task 1.1: a\n## Phase 2: Two\n- [ ] Task 2.1: b\n");
    CHECK_INT(source->phase_count, 1);
    CHECK_INT(source->phases[0].number, 2);
    wf_source_unref(source);
}

static void
phase_zero_and_labels(void **state)
{
    struct wf_source *source =
        parse("## Phase 0: Zero\n\nIntro of the phase.\n\n**Estimated Effort**: 3 days\n\n"
              "- [ ] **Task 0.1**: a\n"
              "## Phase 1: One\n\n**Purpose:** To do\nthings well\n\n- and more\n\n"
              "*Timeframe: soon*\nTimeframe: 2 weeks\n"
              "### Task 1.1: b\n**Goal:** reach it\n\n**TIME**:\n2 hours\n\nMore.\n\n"
              "### Task 1.2: c\nFree text\non two lines.\n\n```sh\ncode\n```\n\n- bullet\n\n"
              "**Depends On:**\n- Task 1.1\n- Task 0.1\n\n**Estimate:** 1 h\n**Estimate:** 2 h\n"
              "### Task 1.3: d\n#### Description\nBelow a heading.\n#### Requires\n");

    (void)state;
    CHECK_INT(source->phases[0].number, 0);
    CHECK_STR(source->phases[0].description, "Intro of the phase.");
    CHECK_STR(source->phases[0].duration, "3 days");
    CHECK_STR(source->phases[1].description,
              "To do\nthings well\n\n- and more\n\n*Timeframe: soon*");
    CHECK_STR(source->phases[1].duration, "2 weeks");
    CHECK_STR(source->phases[1].tasks[0].description, "reach it");
    CHECK_STR(source->phases[1].tasks[0].estimated_time, "2 hours");
    CHECK_STR(source->phases[1].tasks[1].description,
              "Free text\non two lines.\n\n```sh\ncode\n```\n\n- bullet");
    CHECK_INT(source->phases[1].tasks[1].dependency_count, 2);
    CHECK_STR(source->phases[1].tasks[1].dependencies[1], "0.1");
    CHECK_STR(source->phases[1].tasks[1].estimated_time, "1 h");
    CHECK_STR(source->phases[1].tasks[2].description, "Below a heading.");
    CHECK(strncmp(source->phases[1].tasks[1].text, "### Task 1.2: c\nFree", 20) == 0);
    wf_source_unref(source);
}

static void
depends(const char *value, const char *expected)
{
    char *text = xasprintf("## Phase 1: P\n### Task 1.1: a\n### Task 1.2: b\n### Task 1.3: c\n"
                           "### Task 1.10: d\n### Task 1.11: e\n**Dependencies:** %s\n",
                           value);
    struct wf_source *source = parse(text);
    const struct wf_task *task = &source->phases[0].tasks[4];
    struct buf found = BUF_INIT;

    for (size_t i = 0; i < task->dependency_count; i++) {
        buf_addf(&found, "%s<%s>", i ? " " : "", task->dependencies[i]);
    }
    CHECK_STR(found.data ? found.data : "", expected);
    buf_fini(&found);
    wf_source_unref(source);
    free(text);
}

static void
dependencies_are_ids_or_words(void **state)
{
    (void)state;
    depends("None", "");
    depends("none (first task)", "");
    depends("N/A", "");
    depends("-", "");
    depends("Task 1.1", "<1.1>");
    depends("1.1, 1.2", "<1.1> <1.2>");
    depends("Tasks 1.1 and 1.10, Task 1.1", "<1.1> <1.10>");
    depends("Tasks 1.1-1.3", "<1.1> <1.2> <1.3>");
    depends("1.1 through 1.10", "<1.1> <1.2> <1.3> <1.10>");
    depends("Task 3.9", "<3.9>");
    CHECK(warned("depends on task 3.9, which is not in the list", 6));
    depends("Phase 0 complete (a, b), **docs**", "<Phase 0 complete (a, b)> <docs>");
    depends("Python 3.11, release 1.2.3", "<Python 3.11> <release 1.2.3>");
    depends("Task 1.1 on Python 99999.1", "<1.1>");
    depends("a (b, c", "<a (b, c>");
    {
        struct buf many = BUF_INIT;

        for (int i = 0; i < 400; i++) {
            buf_addf(&many, "word %d, ", i);
        }
        buf_adds(&many, "x");
        {
            char *text = xasprintf("## Phase 1: P\n### Task 1.1: a\n**After:** %s\n", many.data);
            struct wf_source *source = parse(text);

            CHECK_INT(source->phases[0].tasks[0].dependency_count, 64);
            wf_source_unref(source);
            free(text);
        }
        buf_reset(&many);
        for (int i = 0; i < 1000; i++) {
            buf_adds(&many, "Task 1.1 - 1.9999 ");
        }
        depends(many.data, "<1.1> <1.2> <1.3> <1.10> <1.11> <1.9999>");
        buf_fini(&many);
    }
}

static void
criteria_are_boxes_below_their_label(void **state)
{
    struct wf_source *source =
        parse("## Phase 1: P\n"
              "- [ ] **Task 1.1**: a\n"
              "  - [ ] not below a label\n"
              "  - **Acceptance Criteria**:\n"
              "    - [x] one \xE2\x9C\x85/\xE2\x9D\x8C\n"
              "      goes on\n"
              "    - [ ] **two**\n"
              "      - detail\n"
              "      - [X] three, nested\n"
              "      - **Time:** no label here\n"
              "  - **Notes**:\n"
              "    - [ ] not one\n"
              "- [ ] **Task 1.2**: b\n"
              "  - [ ] without a label\n"
              "  - [x] they count\n"
              "- [ ] **Task 1.3**: c\n\n"
              "  **Acceptance criteria (all):**\n"
              "  - plain\n    - detail\n  - bullets\n"
              "- other item\n"
              "  - [ ] of the other item\n"
              "## Phase 2: Q\n"
              "### Task 2.1: d\n#### Acceptance Criteria\n##### Part\n- [ ] x\n**Bold:**\n- [ ] y\n"
              "#### Else\n- [ ] z\n"
              "### Task 2.2: e\n**Definition of Done:** it works\n\n---\n- [ ] after a rule\n"
              "### Task 2.3: f\nAcceptance Criteria:\n1. first\n2. second\n");

    (void)state;
    CHECK_INT(source->phases[0].tasks[0].criterion_count, 3);
    CHECK_STR(criterion(source, 0, 0, 0), "one \xE2\x9C\x85/\xE2\x9D\x8C goes on");
    CHECK_STR(criterion(source, 0, 0, 1), "two");
    CHECK_STR(criterion(source, 0, 0, 2), "three, nested");
    CHECK(source->phases[0].tasks[0].criteria[0].done);
    CHECK(!source->phases[0].tasks[0].criteria[1].done);
    CHECK_INT(source->phases[0].tasks[0].criteria[2].line, 9);
    CHECK_STR(source->phases[0].tasks[0].estimated_time, "");
    CHECK_INT(source->phases[0].tasks[1].criterion_count, 2);
    CHECK_INT(source->phases[0].tasks[2].criterion_count, 2);
    CHECK_STR(criterion(source, 0, 2, 1), "bullets");
    CHECK_INT(source->phases[1].tasks[0].criterion_count, 2);
    CHECK_STR(criterion(source, 1, 0, 1), "y");
    CHECK_INT(source->phases[1].tasks[1].criterion_count, 1);
    CHECK_STR(criterion(source, 1, 1, 0), "it works");
    CHECK_INT(source->phases[1].tasks[2].criterion_count, 2);
    CHECK_INT(source->done_count, 3);
    wf_source_unref(source);
}

static void
gates_in_every_place(void **state)
{
    struct wf_source *source = parse(
        "## Phase 1: A\n- [ ] **Task 1.1**: a\n\n**Validation Gate:**\n- [x] in a label "
        "\xE2\x9C\x85/\xE2\x9D\x8C\n"
        "  - [ ] nested\n**Notes:**\n- [ ] not\n"
        "## Phase 2: B\n### Task 2.1: b\n### Validation Gate\n\n\xF0\x9F\x9B\x91 **GATE:** text\n\n"
        "**Before:**\n- [ ] below a heading\n- [ ] **Task 2.2**: of the gate\n#### Deeper\n- [ ] "
        "too\n"
        "### Other\n- [ ] not\n"
        "## Phase 3: C\n### Task 3.1: c\n**Phase 3 Validation Gate**: one line\n"
        "## Phase 4: D\n### Task 4.1: d\n## Validation Gate\n- plain\n- bullets\n  - detail\n"
        "## Phase 5: E\n### Task 5.1: e\n## Phase 6: F\n### Task 6.1: f\n## Phase 7: G\n"
        "- [ ] **Task 7.1**: g\n\n**Validation Gate**\n- [ ] first\n- [ ] **Task 7.2:** after the "
        "gate\n"
        "## Validation Gates\n### Phase 5: E\n- [ ] five\n#### Phase 6 Validation Gate (final)\n"
        "- [ ] six\n**Phase 7:**\n- [ ] seven\n### 3. Gate for Phase 1\n- [ ] one more\n"
        "### Phase 99 Validation Gate\n- [ ] lost\n## End\n**Validation Gate:**\n- [ ] nobody's\n");
    static const size_t counts[] = {3, 3, 1, 2, 1, 1, 2};

    (void)state;
    CHECK_INT(source->phase_count, 7);
    for (size_t i = 0; i < 7; i++) {
        if (source->phases[i].gate_count != counts[i]) {
            fail_msg("phase %zu has %zu", i + 1, source->phases[i].gate_count);
        }
    }
    CHECK_STR(source->phases[0].gate[0].text, "in a label");
    CHECK(source->phases[0].gate[0].done);
    CHECK_STR(source->phases[0].gate[2].text, "one more");
    CHECK_INT(source->phases[1].task_count, 1);
    CHECK_STR(source->phases[2].gate[0].text, "one line");
    CHECK_INT(source->phases[6].task_count, 2);
    CHECK(warned("this gate is for phase 99", 50));
    wf_source_unref(source);
}

static void
fences_hide_what_is_in_them(void **state)
{
    struct wf_source *source =
        parse("## Phase 1: A\n### Task 1.1: a\n**Acceptance Criteria:**\n"
              "```markdown\n# Phase 2: no\n```bash\n- [ ] no\n```\n- [ ] no\n```\n- [ ] yes\n"
              "- item\n  ```yaml\n  - [ ] no\n  ```\n- [ ] yes\n"
              "~~~~\n~~~\n```\n- [ ] no\n~~~~\n- [ ] yes\n"
              "- ```\n  - [ ] no\n\nout of the item\n- [ ] yes\n"
              "<!-- - [ ] no --> \n<!--\n- [ ] no\n-->\n- [ ] yes\n"
              "````markdown\n```sh\n````\n- [ ] yes\n");

    (void)state;
    CHECK_INT(source->phase_count, 1);
    CHECK_INT(source->phases[0].tasks[0].criterion_count, 6);
    wf_source_unref(source);
    /* A nested fence that does not come out even is read as CommonMark does. */
    source = parse("## Phase 1: A\n### Task 1.1: a\n**Acceptance Criteria:**\n"
                   "```markdown\n```bash\n```\n- [ ] yes\n");
    CHECK_INT(source->phases[0].tasks[0].criterion_count, 1);
    wf_source_unref(source);
    source = parse("## Phase 1: A\n### Task 1.1: a\n**Acceptance Criteria:**\n- [ ] yes\n"
                   "```python\n- [ ] no\n## Phase 2: no\n");
    CHECK_INT(source->phase_count, 1);
    CHECK_INT(source->criterion_count, 1);
    CHECK(warned("this code fence is never closed", 5));
    wf_source_unref(source);
    source = parse("## Phase 1: A\n<!-- never closed\n### Task 1.1: a\n<!-- again\n");
    CHECK_INT(source->task_count, 1);
    wf_source_unref(source);
}

static void
refused(struct slice text, enum err err, unsigned line, const char *said)
{
    struct wf_source *source = NULL;
    struct fault f = FAULT_INIT;

    CHECK_INT(wf_tasklist_parse(text, "tasks.md", NULL, &source, &f), err);
    assert_null(source);
    CHECK_INT(f.line, line);
    if (!strstr(f.text, said)) {
        fail_msg("'%s' does not say '%s'", f.text, said);
    }
    CHECK_INT(wf_tasklist_parse(text, "tasks.md", NULL, &source, NULL), err);
}

static void
what_is_no_task_list_is_refused(void **state)
{
    (void)state;
    refused(SLICE_NONE, E_REFUSED, 0, "has no phase");
    refused(SLICE("\n\n  \n"), E_REFUSED, 0, "has no phase");
    refused(SLICE("# Some content\nBut no phases"), E_REFUSED, 0, "has no phase");
    refused(SLICE("## Phase 1: A\n"), E_REFUSED, 0, "none of the phases");
    refused(SLICE("## Phase 1: A\n- [ ] Task 1.1: a\n\xC3\x28"), E_REFUSED, 3, "not UTF-8");
    refused(SLICE("## Phase 1: A\n\0"), E_REFUSED, 2, "NUL");
    refused(SLICE("\xED\xA0\x80"), E_REFUSED, 1, "not UTF-8");
}

/* 'unit' again and again, until 'size'. */
static struct buf
repeat(const char *head, const char *unit, size_t size)
{
    struct buf text = BUF_INIT;

    buf_adds(&text, head);
    while (text.len + strlen(unit) <= size) {
        buf_adds(&text, unit);
    }
    return text;
}

static void
bounds_hold(void **state)
{
    struct buf text = repeat("## Phase 1: A\n- [ ] Task 1.1: a\n", "x", WF_SOURCE_BYTES_MAX + 1);

    (void)state;
    refused(buf_slice(&text), E_TOO_LARGE, 0, "bytes");
    buf_fini(&text);
    text = repeat("", "\n", 300000);
    refused(buf_slice(&text), E_TOO_LARGE, 0, "lines");
    buf_reset(&text);
    for (unsigned i = 0; i <= WF_PHASES_MAX; i++) {
        buf_addf(&text, "## Phase %u: x\n", i);
    }
    refused(buf_slice(&text), E_TOO_LARGE, 0, "1000 phases");
    buf_reset(&text);
    for (unsigned p = 1; p < 4; p++) {
        buf_addf(&text, "## Phase %u: x\n", p);
        for (unsigned i = 0; i < 5000; i++) {
            buf_addf(&text, "### Task %u.%u: x\n", p, i);
        }
    }
    refused(buf_slice(&text), E_TOO_LARGE, 0, "10000 tasks");
    buf_fini(&text);
    text =
        repeat("## Phase 1: x\n### Task 1.1: x\n**Acceptance Criteria:**\n", "- [ ] x\n", 1 << 20);
    refused(buf_slice(&text), E_TOO_LARGE, 0, "100000 criteria");
    buf_fini(&text);
    text = repeat("## Phase 1: x\n### Task 1.1: x\n### Validation Gate\n", "- [ ] x\n", 1 << 20);
    refused(buf_slice(&text), E_TOO_LARGE, 0, "100000 gate items");
    buf_fini(&text);
    text = repeat("## Phase 1: x\n### Task 1.1: x\n", "**Validation Gate:**\n", 1 << 20);
    refused(buf_slice(&text), E_TOO_LARGE, 0, "1000 gates");
    buf_fini(&text);
}

/* Texts that would take a quadratic reader hours. */
static void
work_is_linear(void **state)
{
    static const char *const units[] = {"```md\n```x\n```\n",
                                        "```\n",
                                        "- ```\n",
                                        "<!--\n",
                                        "> > > ",
                                        "  - - - - - - - -",
                                        "**",
                                        "*",
                                        "[ ] ",
                                        "- [ ] Task 1.1: x\n",
                                        "### Task 1.2: x\n",
                                        "a\n",
                                        "\t",
                                        "#",
                                        "- [ ] 1.2 x\n  y\n",
                                        "**Dependencies:** 1.1-1.9 ",
                                        "**Goal:** x\n",
                                        "1.1 - 1.9999 ",
                                        "~~~x\n",
                                        "(,"};

    (void)state;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        struct buf text =
            repeat("## Phase 1: P\n- [ ] **Task 1.1**: a\n**After:** ", units[i], 600000);
        struct wf_source *source = NULL;

        (void)wf_tasklist_parse(buf_slice(&text), "tasks.md", NULL, &source, NULL);
        wf_source_unref(source);
        buf_fini(&text);
    }
}

/* The real lists, cut and mixed: nothing crashes, and whatever is accepted is whole. */
static void
mutations_do_no_harm(void **state)
{
    static const char *const bits[] = {
        "\n",           "```\n", "- [ ] ", "## Phase 3: x\n",   "**",   "Task 2.1: ", "\t",
        "\xE2\x9C\x85", "<!--",  "-->",    "Validation Gate\n", "---\n"};
    struct dir *specs = NULL;
    struct dir_list folders;
    uint32_t seed = 12345;

    (void)state;
    CHECK(dir_open(SPECS, false, &specs, NULL) == E_OK);
    CHECK(dir_list(specs, ".", 100, &folders, NULL) == E_OK);
    for (size_t i = 0; i < folders.count; i++) {
        struct buf text = BUF_INIT;
        char *name = xasprintf("%s/tasks.md", folders.entries[i].name);

        if (folders.entries[i].folder &&
            dir_read(specs, name, 1 << 20, &text, NULL, NULL) == E_OK) {
            for (int round = 0; round < 40; round++) {
                struct buf mixed = BUF_INIT;
                struct wf_source *source = NULL;
                size_t at = 0;

                while (at < text.len) {
                    size_t len;

                    seed = seed * 1664525 + 1013904223;
                    len = (seed >> 8) % 700;
                    len = len < text.len - at ? len : text.len - at;
                    buf_add(&mixed, text.data + at, len);
                    buf_adds(&mixed, bits[(seed >> 20) % (sizeof bits / sizeof bits[0])]);
                    at += len + (seed >> 28);
                }
                if (wf_tasklist_parse(buf_slice(&mixed), "t", NULL, &source, NULL) == E_OK) {
                    CHECK(source->phase_count > 0 && source->task_count > 0);
                    for (size_t p = 1; p < source->phase_count; p++) {
                        CHECK(source->phases[p].number > source->phases[p - 1].number);
                    }
                }
                wf_source_unref(source);
                buf_fini(&mixed);
            }
        }
        buf_fini(&text);
        free(name);
    }
    dir_list_fini(&folders);
    dir_unref(specs);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_lists_agree_with_their_outline),
        cmocka_unit_test(every_form_of_a_phase),
        cmocka_unit_test(every_form_of_a_task),
        cmocka_unit_test(what_is_no_task),
        cmocka_unit_test(misplaced_tasks_are_told),
        cmocka_unit_test(summaries_are_no_phases),
        cmocka_unit_test(numbered_headings_count_only_without_phase_headings),
        cmocka_unit_test(phase_zero_and_labels),
        cmocka_unit_test(dependencies_are_ids_or_words),
        cmocka_unit_test(criteria_are_boxes_below_their_label),
        cmocka_unit_test(gates_in_every_place),
        cmocka_unit_test(fences_hide_what_is_in_them),
        cmocka_unit_test(what_is_no_task_list_is_refused),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(work_is_linear),
        cmocka_unit_test(mutations_do_no_harm),
    };
    int failed = CHECK_RUN(tests);

    problems_fini(&problems);
    return failed;
}
