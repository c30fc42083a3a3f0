/* test_workflow_content.c -- what sessions show: the real packs and lists, shifts, ticks, lost
 * sources. */
#include "tests/check.h"
#include "tests/tree.h"

#include "state/workflow_content.h"

#include <pthread.h>

#define PACKS "tests/fixtures/praxis/workflows"
#define SPECS "tests/fixtures/praxis/specs"
#define DUAL "2025-10-11-mcp-dual-transport"

static struct pack *
load(struct dir *dir, const char *name)
{
    struct pack_roots roots = {&dir, 1};
    struct pack *pack = NULL;
    struct fault f = FAULT_INIT;

    if (pack_load(&roots, name, &pack, &f)) {
        print_message("%s\n", f.text);
    }
    assert_non_null(pack);
    return pack;
}

/* Content of pack 'name' in 'dir' for the source 'path' of workspace 't'. */
static struct wf_content *
build(struct dir *dir, const char *name, struct dir *workspace, const char *path)
{
    struct pack *pack = load(dir, name);
    struct wf_content *content = NULL;
    struct fault f = FAULT_INIT;
    json_t *options = path ? json_pack("{s:s}", "spec_path", path) : NULL;

    if (wf_content_build(pack, workspace, "src", options, &content, &f)) {
        print_message("%s: %s\n", err_info(f.code)->name, f.text);
    }
    assert_non_null(content);
    json_decref(options);
    pack_unref(pack);
    return content;
}

static const char *
text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));

    return value ? value : "(null)";
}

static json_t *
phase_of(const struct wf_content *content, int phase)
{
    json_t *shown = NULL;
    struct fault f = FAULT_INIT;

    if (wf_content_phase(content, phase, &shown, &f)) {
        print_message("%s\n", f.text);
    }
    assert_non_null(shown);
    return shown;
}

static json_t *
task_of(const struct wf_content *content, int phase, int task)
{
    json_t *shown = NULL;
    struct fault f = FAULT_INIT;

    if (wf_content_task(content, phase, task, NULL, &shown, &f)) {
        print_message("%s\n", f.text);
    }
    assert_non_null(shown);
    return shown;
}

static void
a_static_pack_shows_its_files(void **state)
{
    struct dir *packs = NULL;
    struct wf_content *content;
    json_t *shown, *row;
    size_t count;

    (void)state;
    CHECK(dir_open(PACKS, false, &packs, NULL) == E_OK);
    content = build(packs, "spec_creation_v1", packs, NULL);
    CHECK_INT(wf_content_phases(content, &count)[5], 5);
    CHECK_INT(count, 6);
    CHECK_INT(wf_content_next_phase(content, 4), 5);
    CHECK_INT(wf_content_next_phase(content, 5), -1);
    CHECK_STR(wf_content_title(content, 1), "Requirements Gathering");
    CHECK_STR(wf_content_title(content, 9), "");
    CHECK(!wf_content_is_dynamic(content, 1));
    CHECK_STR(pack_id(wf_content_pack(content)), "spec_creation_v1");
    CHECK_INT(wf_content_warnings(content)->count, 0);

    shown = phase_of(content, 0);
    CHECK_INT(json_integer_value(json_object_get(shown, "phase")), 0);
    CHECK_STR(text(shown, "phase_name"), "Supporting Documents Integration");
    CHECK_STR(text(shown, "source"), "pack");
    CHECK(strncmp(text(shown, "phase_content"), "# Phase 0: Supporting", 21) == 0);
    CHECK_INT(json_integer_value(json_object_get(shown, "task_count")), 4);
    row = json_array_get(json_object_get(shown, "tasks"), 0);
    CHECK_INT(json_integer_value(json_object_get(row, "task_number")), 0);
    CHECK_STR(text(row, "task_id"), "0.0");
    CHECK_STR(text(row, "task_name"), "create-directory");
    CHECK(json_is_array(json_object_get(row, "dependencies")));
    assert_null(json_object_get(shown, "validation_gate"));
    assert_null(json_object_get(row, "missing"));
    json_decref(shown);

    shown = task_of(content, 0, 0);
    CHECK_STR(text(shown, "task_file"), "phases/0/task-0-create-directory.md");
    CHECK_STR(text(shown, "source"), "pack");
    CHECK(json_is_array(json_object_get(shown, "steps")));
    json_decref(shown);
    wf_content_unref(content);
    dir_unref(packs);
}

static void
what_is_not_there_is_told(void **state)
{
    struct tree *t = tree_create();
    struct wf_content *content;
    struct fault f = FAULT_INIT;
    json_t *shown;

    (void)state;
    tree_write(
        t, "w/metadata.json",
        "{\"phases\": [{\"phase_number\": 1, \"phase_name\": \"One\", \"purpose\": \"Do it.\","
        " \"key_deliverables\": [\"a thing\", 3],"
        " \"tasks\": [{\"task_number\": 3, \"name\": \"x\", \"file\": \"task-3-x.md\"},"
        " {\"task_number\": 4, \"name\": \"y\"}]}]}");
    tree_mkdir(t, "w/phases/1");
    tree_mkdir(t, "w/phases/2");
    content = build(tree_dir(t), "w", tree_dir(t), NULL);
    shown = phase_of(content, 1);
    CHECK_STR(
        text(shown, "phase_content"),
        "# Phase 1: One\n\nDo it.\n\n## Deliverables\n\n- a thing\n\n## Tasks\n\n- Task 3: x\n"
        "- Task 4: y\n");
    CHECK(json_is_true(
        json_object_get(json_array_get(json_object_get(shown, "tasks"), 0), "missing")));
    CHECK_INT(json_array_size(json_object_get(shown, "warnings")), 1);
    json_decref(shown);
    CHECK(wf_content_phase(content, 0, &shown, &f) == E_NOT_FOUND);
    CHECK_STR(f.remedy, "its phases are 1 to 2, 2 in all");
    CHECK(wf_content_task(content, 0, 1, NULL, &shown, &f) == E_NOT_FOUND);
    CHECK(wf_content_task(content, 1, 9, NULL, &shown, &f) == E_NOT_FOUND);
    CHECK_STR(f.text, "phase 1 has no task 9");
    CHECK_STR(f.remedy, "it has 3, 4");
    CHECK(wf_content_task(content, 2, 1, NULL, &shown, &f) == E_NOT_FOUND);
    CHECK_STR(f.remedy, "it has no tasks: read the phase and complete it");
    CHECK(wf_content_task(content, 1, 3, NULL, &shown, &f) == E_NOT_FOUND);
    CHECK(strstr(f.text, "has no file phases/1/task-3-x.md"));
    CHECK(wf_content_task(content, 1, 4, NULL, &shown, &f) == E_NOT_FOUND);
    CHECK_STR(f.text, "task 4 of phase 1 has no file");
    /* Files may come later; they are read when asked for. */
    tree_write(t, "w/phases/1/task-3-x.md", "now");
    shown = task_of(content, 1, 3);
    CHECK_STR(text(shown, "content"), "now");
    json_decref(shown);
    tree_write(t, "w/phases/1/phase.md", "\xFF");
    CHECK(wf_content_phase(content, 1, &shown, &f) == E_REFUSED);
    wf_content_unref(content);
    tree_destroy(t);
}

static void
every_real_list_makes_a_session(void **state)
{
    struct dir *packs = NULL, *specs = NULL;
    struct dir_list folders;
    size_t phases = 0, tasks = 0;

    (void)state;
    CHECK(dir_open(PACKS, false, &packs, NULL) == E_OK);
    CHECK(dir_open(SPECS, false, &specs, NULL) == E_OK);
    CHECK(dir_list(specs, ".", 100, &folders, NULL) == E_OK);
    for (size_t i = 0; i < folders.count; i++) {
        struct wf_content *content;
        const int *numbers;
        size_t count;

        if (!folders.entries[i].folder) {
            continue;
        }
        content = build(packs, "spec_execution_v1", specs, folders.entries[i].name);
        numbers = wf_content_phases(content, &count);
        for (size_t j = 0; j < count; j++) {
            json_t *shown = phase_of(content, numbers[j]);
            json_t *rows = json_object_get(shown, "tasks");

            CHECK_INT(numbers[j], j);
            assert_null(json_object_get(shown, "warnings"));
            for (size_t k = 0; k < json_array_size(rows); k++) {
                json_t *row = json_array_get(rows, k);
                json_t *task =
                    task_of(content, numbers[j],
                            (int)json_integer_value(json_object_get(row, "task_number")));

                CHECK_STR(text(task, "task_id"), text(row, "task_id"));
                CHECK(!strstr(text(task, "content"), "[TASK_ID]"));
                CHECK(!strstr(text(task, "content"), "[NEXT_TASK_NUMBER]"));
                tasks += j > 0;
                json_decref(task);
            }
            phases += j > 0;
            json_decref(shown);
        }
        wf_content_unref(content);
    }
    CHECK_INT(phases, 47);
    CHECK_INT(tasks, 235);
    dir_list_fini(&folders);
    dir_unref(packs);
    dir_unref(specs);
}

static void
a_dynamic_phase_is_rendered_from_its_list(void **state)
{
    struct dir *packs = NULL, *specs = NULL;
    struct wf_content *content;
    json_t *shown, *row;

    (void)state;
    CHECK(dir_open(PACKS, false, &packs, NULL) == E_OK);
    CHECK(dir_open(SPECS, false, &specs, NULL) == E_OK);
    content = build(packs, "spec_execution_v1", specs, DUAL "/tasks.md");
    CHECK(!wf_content_is_dynamic(content, 0));
    CHECK(wf_content_is_dynamic(content, 4));
    CHECK_STR(wf_content_title(content, 4), "Rollout & Monitoring");
    shown = phase_of(content, 4);
    CHECK_STR(text(shown, "source"), "dynamic");
    CHECK_INT(json_integer_value(json_object_get(shown, "source_phase")), 4);
    CHECK_INT(json_array_size(json_object_get(shown, "validation_gate")), 11);
    CHECK(strstr(text(shown, "phase_content"), "# Phase 4: Rollout & Monitoring"));
    CHECK(strstr(text(shown, "phase_content"), "**Estimated Duration:** 2-3 hours"));
    CHECK(strstr(text(shown, "phase_content"), "- [ ] All tests passing (unit + integration)"));
    CHECK(strstr(text(shown, "phase_content"), "Proceed to Phase (none: this is the last phase)"));
    json_decref(shown);

    shown = task_of(content, 4, 3);
    CHECK_STR(text(shown, "task_name"), "Update Installation Instructions \xE2\x9C\x85");
    CHECK(strstr(text(shown, "content"), "- [x] IDE config instructions updated"));
    CHECK(strstr(text(shown, "content"), "task_number=4)"));
    CHECK(strstr(text(shown, "content"), "**Dependencies:** None"));
    CHECK(strstr(text(shown, "source_text"), "Added state file checking instructions"));
    row = json_array_get(json_object_get(shown, "criteria"), 0);
    CHECK(json_is_true(json_object_get(row, "done")));
    json_decref(shown);
    shown = task_of(content, 4, 4);
    CHECK(strstr(text(shown, "content"), "complete phase 4 with complete_phase"));
    json_decref(shown);
    shown = task_of(content, 0, 1);
    CHECK_STR(text(shown, "source"), "pack");
    json_decref(shown);
    CHECK(wf_content_task(content, 4, 9, NULL, &shown, NULL) == E_NOT_FOUND);
    CHECK(wf_content_task(content, 4, -1, NULL, &shown, NULL) == E_NOT_FOUND);
    wf_content_unref(wf_content_ref(content));
    wf_content_unref(content);
    wf_content_unref(NULL);
    dir_unref(packs);
    dir_unref(specs);
}

static void
a_folder_of_the_pack_is_never_hidden(void **state)
{
    struct tree *t = tree_create();
    struct wf_content *content;
    json_t *shown;
    size_t count;
    const int *phases;

    (void)state;
    tree_copy(t, PACKS "/spec_execution_v1", "w");
    tree_write(t, "spec/tasks.md",
               "## Phase 0: Zero\n- [ ] **Task 0.1**: a\n## Phase 1: One\n- [ ] **Task 1.1**: b\n");
    content = build(tree_dir(t), "w", tree_dir(t), "spec/");
    phases = wf_content_phases(content, &count);
    CHECK_INT(count, 3);
    CHECK_INT(phases[2], 2);
    CHECK_STR(wf_content_title(content, 0), "Spec Analysis & Planning");
    CHECK_STR(wf_content_title(content, 1), "Zero");
    shown = phase_of(content, 1);
    CHECK_INT(json_integer_value(json_object_get(shown, "source_phase")), 0);
    json_decref(shown);
    shown = task_of(content, 2, 1);
    CHECK_STR(text(shown, "task_id"), "1.1");
    CHECK(strstr(text(shown, "content"), "**Phase:** 2 (One)"));
    json_decref(shown);
    CHECK(strstr(wf_content_warnings(content)->items[0].text, "numbered 1 higher"));
    wf_content_unref(content);
    tree_destroy(t);
}

static void
a_definition_makes_phases_too(void **state)
{
    struct tree *t = tree_create();
    struct pack *pack;
    struct wf_content *content = NULL;
    json_t *shown, *options = json_pack("{s:s}", "definition", "d");
    size_t count;
    const int *phases;

    (void)state;
    tree_write(t, "w/metadata.json",
               "{\"dynamic_phases\": true, \"dynamic_config\": {\"parser\": "
               "\"workflow_definition_parser\","
               " \"source_path_key\": \"definition\"}, \"phases\": [{\"phase_number\": 9}]}");
    tree_write(t, "w/phases/0/phase.md", "own");
    tree_write(t, "w/phases/dynamic/phase-template.md",
               "{{target_phase_number}} {{target_phase_name}} {{iteration_number}}"
               "{{#if has_next_iteration}} more{{/if}}\n{{#each tasks}}\n- {{task_name}}"
               "{{#if is_last_task}} (last){{/if}}\n{{/each}}\n");
    tree_write(t, "w/phases/dynamic/task-template.md",
               "{{task_name}}: {{task_purpose}} {{nothing}}\n{{#each steps_outline}}\n* {{this}}\n"
               "{{/each}}\n{{task_context}} [NEXT_TASK_NUMBER]");
    tree_write(
        t, "d/workflow-definition.yaml",
        "phases:\n"
        "  - number: 1\n    name: Build\n    tasks:\n"
        "      - {number: 1, name: a, purpose: p, steps_outline: [x, y], task_context: ctx}\n"
        "      - {number: 2, name: b}\n"
        "    validation_gate: {evidence_required: {n: {type: array, description: Names}}}\n"
        "  - number: N+4\n    name: End\n    tasks: [{number: 1, name: c}]\n");
    pack = load(tree_dir(t), "w");
    CHECK(wf_content_build(pack, tree_dir(t), NULL, options, &content, NULL) == E_OK);
    phases = wf_content_phases(content, &count);
    CHECK_INT(count, 3);
    CHECK_INT(phases[1], 1);
    CHECK_INT(phases[2], 5);
    shown = phase_of(content, 1);
    CHECK_STR(text(shown, "phase_content"), "1 Build 1 more\n- a\n- b (last)\n");
    CHECK_STR(json_string_value(json_array_get(json_object_get(shown, "validation_gate"), 0)),
              "Names");
    {
        char *all = json_dumps(shown, 0);

        CHECK(!strstr(all, "array") && !strstr(all, "evidence_required"));
        free(all);
    }
    json_decref(shown);
    shown = phase_of(content, 5);
    CHECK_STR(text(shown, "source_phase"), "N+4");
    json_decref(shown);
    shown = task_of(content, 1, 1);
    CHECK_STR(text(shown, "content"), "a: p \n* x\n* y\nctx 2");
    CHECK_INT(json_array_size(json_object_get(shown, "warnings")), 1);
    CHECK(strstr(text(shown, "source_text"), "**Context:** ctx"));
    json_decref(shown);
    {
        struct wf_content *fresh = NULL;
        char *warning = NULL;

        tree_write(t, "d/workflow-definition.yaml",
                   "phases:\n  - number: 1\n    name: Other\n    tasks: [{number: 1, name: a}]\n");
        CHECK(wf_content_refresh(content, tree_dir(t), &fresh, &warning, NULL) == E_OK);
        CHECK(strstr(warning, "other phases or tasks"));
        wf_content_unref(content);
        content = fresh;
        free(warning);
        CHECK(wf_content_refresh(content, tree_dir(t), &fresh, &warning, NULL) == E_OK);
        CHECK(fresh == content && strstr(warning, "other phases or tasks"));
        wf_content_unref(fresh);
        free(warning);
        shown = task_of(content, 1, 1);
        CHECK(strstr(text(shown, "content"), "* y"));
        json_decref(shown);
    }
    CHECK(strstr(wf_content_warnings(content)->items[wf_content_warnings(content)->count - 1].text,
                 "phase 9 is neither"));
    wf_content_unref(content);
    pack_unref(pack);
    json_decref(options);
    tree_destroy(t);
}

static void
refused(struct tree *t, const char *path, enum err err, const char *said)
{
    struct pack *pack = load(tree_dir(t), "w");
    struct wf_content *content = NULL;
    struct fault f = FAULT_INIT;
    json_t *options =
        path ? json_pack("{s:s}", "spec_path", path) : json_pack("{s:i}", "spec_path", 3);

    CHECK_INT(wf_content_build(pack, tree_dir(t), NULL, options, &content, &f), err);
    assert_null(content);
    if (!strstr(f.text, said) && !strstr(f.remedy, said)) {
        fail_msg("'%s' '%s' does not say '%s'", f.text, f.remedy, said);
    }
    CHECK(!strstr(f.text, "/tmp"));
    CHECK_INT(wf_content_build(pack, tree_dir(t), NULL, options, &content, NULL), err);
    json_decref(options);
    pack_unref(pack);
}

static void
sources_that_cannot_be_used_are_refused(void **state)
{
    struct tree *t = tree_create();

    (void)state;
    tree_copy(t, PACKS "/spec_execution_v1", "w");
    tree_write(t, "prose.md", "# Nothing\n\nto do\n");
    tree_write_bytes(t, "bytes.md", SLICE("## Phase 1: x\n\xFF"));
    tree_mkdir(t, "empty");
    tree_symlink(t, "prose.md", "link.md");
    refused(t, NULL, E_ARGUMENT, "spec_path");
    refused(t, "", E_ARGUMENT, "spec_path");
    refused(t, "../x", E_ARGUMENT, "relative to the project's root");
    refused(t, "/etc/passwd", E_ARGUMENT, "relative to the project's root");
    refused(t, "a/../../b", E_ARGUMENT, "relative to the project's root");
    refused(t, "nowhere", E_NOT_FOUND, "there is no file nowhere");
    refused(t, "empty", E_NOT_FOUND, "empty/tasks.md");
    refused(t, "link.md", E_ARGUMENT, "link.md");
    refused(t, "prose.md", E_REFUSED, "the task list has no phase");
    refused(t, "bytes.md", E_REFUSED, "not UTF-8");
    tree_remove(t, "w/phases/dynamic/task-template.md");
    refused(t, "prose.md", E_NOT_FOUND, "task-template.md");
    tree_destroy(t);
}

static void
the_target_is_the_source_if_no_option_names_one(void **state)
{
    struct tree *t = tree_create();
    struct pack *pack;
    struct wf_content *content = NULL;

    (void)state;
    tree_copy(t, PACKS "/spec_execution_v1", "w");
    tree_copy(t, SPECS "/" DUAL, "specs/dual");
    pack = load(tree_dir(t), "w");
    CHECK(wf_content_build(pack, tree_dir(t), "specs/dual", NULL, &content, NULL) == E_OK);
    CHECK(wf_content_has_phase(content, 4));
    CHECK(!wf_content_has_phase(content, 5));
    wf_content_unref(content);
    pack_unref(pack);
    tree_destroy(t);
}

static int
ticked(const struct wf_content *content, int phase, int task)
{
    json_t *shown = task_of(content, phase, task);
    const json_t *criteria = json_object_get(shown, "criteria");
    int count = 0;

    for (size_t i = 0; i < json_array_size(criteria); i++) {
        count += json_is_true(json_object_get(json_array_get(criteria, i), "done"));
    }
    json_decref(shown);
    return count;
}

static const char list[] = "## Phase 1: One\n- [ ] **Task 1.1**: a\n  **Acceptance Criteria:**\n"
                           "  - [ ] x\n  - [ ] y\n  - [ ] x\n";

static void
ticks_are_refreshed_and_the_rest_stays(void **state)
{
    struct tree *t = tree_create();
    struct wf_content *content, *fresh = NULL;
    char *warning = NULL;
    json_t *before, *after;

    (void)state;
    tree_copy(t, PACKS "/spec_execution_v1", "w");
    tree_write(t, "tasks.md", list);
    content = build(tree_dir(t), "w", tree_dir(t), "tasks.md");
    before = wf_content_structure(content);
    CHECK(wf_content_refresh(content, tree_dir(t), &fresh, &warning, NULL) == E_OK);
    CHECK(fresh == content && !warning);
    wf_content_unref(fresh);

    tree_write(t, "tasks.md",
               "## Phase 1: One\n- [x] **Task 1.1**: a\n  **Acceptance Criteria:**\n"
               "  - [ ] x\n  - [x] y\n  - [x] x\n");
    CHECK(wf_content_refresh(content, tree_dir(t), &fresh, &warning, NULL) == E_OK);
    CHECK(fresh != content && !warning);
    CHECK_INT(ticked(content, 1, 1), 0);
    CHECK_INT(ticked(fresh, 1, 1), 2);
    after = wf_content_structure(fresh);
    CHECK(json_equal(before, after));
    json_decref(after);
    wf_content_unref(content);
    content = fresh;

    /* Another task, a criterion less, another phase: ticks only, and a warning that stays. */
    tree_write(t, "tasks.md",
               "## Phase 1: One\n- [x] **Task 1.1**: a\n  **Acceptance Criteria:**\n"
               "  - [x] x\n- [ ] **Task 1.2**: b\n## Phase 2: Two\n"
               "- [ ] **Task 2.1**: c\n");
    CHECK(wf_content_refresh(content, tree_dir(t), &fresh, &warning, NULL) == E_OK);
    assert_non_null(warning);
    CHECK(strstr(warning, "tasks.md has other phases or tasks"));
    CHECK_INT(ticked(fresh, 1, 1), 3);
    CHECK(!wf_content_has_phase(fresh, 2));
    free(warning);
    wf_content_unref(content);
    content = fresh;
    CHECK(wf_content_refresh(content, tree_dir(t), &fresh, &warning, NULL) == E_OK);
    CHECK(fresh == content && warning);
    free(warning);
    wf_content_unref(fresh);

    /* Gone, or broken: the session goes on. */
    tree_write(t, "tasks.md", "nothing");
    CHECK(wf_content_refresh(content, tree_dir(t), &fresh, &warning, NULL) == E_OK);
    CHECK(fresh == content && strstr(warning, "cannot be read any more"));
    free(warning);
    wf_content_unref(fresh);
    tree_remove(t, "tasks.md");
    CHECK(wf_content_refresh(content, tree_dir(t), &fresh, &warning, NULL) == E_OK);
    CHECK(fresh == content && strstr(warning, "cannot be read any more"));
    free(warning);
    wf_content_unref(fresh);
    CHECK_INT(ticked(content, 1, 1), 3);
    json_decref(before);
    wf_content_unref(content);
    tree_destroy(t);
}

static void
a_static_pack_has_nothing_to_refresh(void **state)
{
    struct dir *packs = NULL;
    struct wf_content *content, *fresh = NULL;
    char *warning = NULL;

    (void)state;
    CHECK(dir_open(PACKS, false, &packs, NULL) == E_OK);
    content = build(packs, "standards_creation_v1", packs, NULL);
    CHECK(wf_content_refresh(content, packs, &fresh, &warning, NULL) == E_OK);
    CHECK(fresh == content && !warning);
    wf_content_unref(fresh);
    wf_content_unref(content);
    dir_unref(packs);
}

static void
structure_and_digest(void **state)
{
    struct tree *t = tree_create();
    struct wf_content *content, *again;
    json_t *structure, *other;
    char digest[PACK_DIGEST_MAX];

    (void)state;
    tree_copy(t, PACKS "/spec_execution_v1", "w");
    tree_write(t, "tasks.md", list);
    content = build(tree_dir(t), "w", tree_dir(t), "tasks.md");
    structure = wf_content_structure(content);
    CHECK_INT(json_array_size(json_object_get(structure, "phases")), 2);
    CHECK_STR(text(json_object_get(structure, "titles"), "1"), "One");
    CHECK_STR(text(structure, "pack_version"), "1.0.0");
    CHECK_INT(strlen(text(structure, "source_digest")), 64);
    CHECK(wf_content_digest(content, digest, NULL) == E_OK);
    CHECK_STR(digest, text(structure, "source_digest"));
    /* A tick is no change, a criterion is; and so is an edit of the pack. */
    tree_write(t, "tasks.md",
               "## Phase 1: One\n- [ ] **Task 1.1**: a\n  **Acceptance Criteria:**\n"
               "  - [x] x\n  - [x] y\n  - [ ] x\n");
    again = build(tree_dir(t), "w", tree_dir(t), "tasks.md");
    other = wf_content_structure(again);
    CHECK(json_equal(structure, other));
    json_decref(other);
    wf_content_unref(again);
    tree_write(t, "tasks.md", "## Phase 1: One\n- [ ] **Task 1.1**: a\n");
    again = build(tree_dir(t), "w", tree_dir(t), "tasks.md");
    other = wf_content_structure(again);
    CHECK(!json_equal(structure, other));
    json_decref(other);
    wf_content_unref(again);
    tree_write(t, "w/phases/0/phase.md", "edited");
    CHECK(wf_content_digest(content, digest, NULL) == E_OK);
    CHECK(strcmp(digest, text(structure, "source_digest")) != 0);
    json_decref(structure);
    wf_content_unref(content);
    tree_destroy(t);
}

struct reader {
    struct wf_content *content;
    pthread_barrier_t *barrier;
    char *bytes;
};

static void *
read_all(void *arg)
{
    struct reader *r = arg;
    json_t *shown = NULL;

    pthread_barrier_wait(r->barrier);
    for (int i = 0; i < 10; i++) {
        free(r->bytes);
        if (wf_content_task(r->content, 2, 1, NULL, &shown, NULL) == E_OK) {
            r->bytes = json_dumps(shown, JSON_SORT_KEYS);
        }
        json_decref(shown);
        wf_content_unref(wf_content_ref(r->content));
    }
    return NULL;
}

static void
many_threads_read_equal_bytes(void **state)
{
    enum { THREADS = 50 };
    struct dir *packs = NULL, *specs = NULL;
    struct reader readers[THREADS] = {{0}};
    pthread_t threads[THREADS];
    pthread_barrier_t barrier;
    struct wf_content *content;

    (void)state;
    CHECK(dir_open(PACKS, false, &packs, NULL) == E_OK);
    CHECK(dir_open(SPECS, false, &specs, NULL) == E_OK);
    content = build(packs, "spec_execution_v1", specs, DUAL);
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        readers[i] = (struct reader){.content = content, .barrier = &barrier};
        CHECK_INT(pthread_create(&threads[i], NULL, read_all, &readers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_non_null(readers[i].bytes);
        CHECK_STR(readers[i].bytes, readers[0].bytes);
    }
    for (int i = 0; i < THREADS; i++) {
        free(readers[i].bytes);
    }
    pthread_barrier_destroy(&barrier);
    wf_content_unref(content);
    dir_unref(packs);
    dir_unref(specs);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_static_pack_shows_its_files),
        cmocka_unit_test(what_is_not_there_is_told),
        cmocka_unit_test(every_real_list_makes_a_session),
        cmocka_unit_test(a_dynamic_phase_is_rendered_from_its_list),
        cmocka_unit_test(a_folder_of_the_pack_is_never_hidden),
        cmocka_unit_test(a_definition_makes_phases_too),
        cmocka_unit_test(sources_that_cannot_be_used_are_refused),
        cmocka_unit_test(the_target_is_the_source_if_no_option_names_one),
        cmocka_unit_test(ticks_are_refreshed_and_the_rest_stays),
        cmocka_unit_test(a_static_pack_has_nothing_to_refresh),
        cmocka_unit_test(structure_and_digest),
        cmocka_unit_test(many_threads_read_equal_bytes),
    };

    return CHECK_RUN(tests);
}
