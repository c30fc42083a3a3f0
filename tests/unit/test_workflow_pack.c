/* test_workflow_pack.c -- packs: the real ones, each divergence that is known of real packs, and
 * attacks. */
#include "tests/check.h"
#include "tests/hostile.h"
#include "tests/tree.h"

#include "state/workflow_pack.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define REAL "tests/fixtures/praxis/workflows"

static bool
says(const struct problems *problems, const char *text)
{
    for (size_t i = 0; i < problems->count; i++) {
        if (strstr(problems->items[i].text, text)) {
            return true;
        }
    }
    return false;
}

static struct pack *
load_from(struct dir *dir, const char *name)
{
    struct pack_roots roots = {&dir, 1};
    struct pack *pack = NULL;
    struct fault f = FAULT_INIT;

    if (pack_load(&roots, name, &pack, &f)) {
        print_message("%s: %s\n", err_info(f.code)->name, f.text);
    }
    assert_non_null(pack);
    return pack;
}

static struct fault
refusal_from(struct dir *dir, const char *name, enum err err)
{
    struct pack_roots roots = {&dir, 1};
    struct pack *pack = NULL;
    struct fault f = FAULT_INIT;

    if (pack_load(&roots, name, &pack, &f) != err) {
        if (!f.code) {
            for (size_t i = 0; i < pack_warnings(pack)->count; i++) {
                print_message("%s\n", pack_warnings(pack)->items[i].text);
            }
        }
        fail_msg("%s instead of %s: %s", f.code ? err_info(f.code)->name : "OK",
                 err_info(err)->name, f.text);
    }
    assert_null(pack);
    CHECK(!strstr(f.text, "/tmp/"));
    return f;
}

/* Writes a pack with one phase and loads it. */
static struct pack *
pack_with(struct tree *t, const char *metadata)
{
    tree_write(t, "w/metadata.json", metadata);
    tree_write(t, "w/phases/0/phase.md", "# Phase 0\n");
    return load_from(tree_dir(t), "w");
}

static void
real_packs_load_without_a_warning(void **state)
{
    static const struct {
        const char *id;
        size_t phases, tasks;
        bool dynamic;
    } real[] = {{"spec_creation_v1", 6, 27, false},
                {"spec_execution_v1", 1, 3, true},
                {"standards_creation_v1", 6, 31, false}};
    struct dir *dir = NULL;

    (void)state;
    CHECK(dir_open(REAL, false, &dir, NULL) == E_OK);
    for (size_t i = 0; i < 3; i++) {
        struct pack *pack = load_from(dir, real[i].id);
        size_t tasks = 0;

        for (size_t j = 0; j < pack_warnings(pack)->count; j++) {
            print_message("%s: %s\n", real[i].id, pack_warnings(pack)->items[j].text);
        }
        CHECK_INT(pack_warnings(pack)->count, 0);
        CHECK_INT(pack_phase_count(pack), real[i].phases);
        for (size_t j = 0; j < pack_phase_count(pack); j++) {
            CHECK_INT(pack_phase_at(pack, j)->number, j);
            tasks += pack_phase_at(pack, j)->task_count;
            for (size_t k = 0; k < pack_phase_at(pack, j)->task_count; k++) {
                CHECK(!pack_phase_at(pack, j)->tasks[k].missing);
            }
        }
        CHECK_INT(tasks, real[i].tasks);
        CHECK((pack_dynamic(pack) != NULL) == real[i].dynamic);
        CHECK_STR(pack_id(pack), real[i].id);
        CHECK_STR(pack_type(pack), real[i].id);
        CHECK_STR(pack_version(pack), "1.0.0");
        pack_unref(pack);
    }
    dir_unref(dir);
}

static void
a_phase_knows_its_tasks_and_texts(void **state)
{
    struct dir *dir = NULL;
    struct pack *pack;
    const struct pack_phase *phase;
    struct buf text = BUF_INIT;
    struct file_identity identity = {.size = 0};

    (void)state;
    CHECK(dir_open(REAL, false, &dir, NULL) == E_OK);
    pack = load_from(dir, "spec_creation_v1");
    phase = pack_phase(pack, 0);
    CHECK_STR(phase->name, "Supporting Documents Integration");
    CHECK_STR(phase->effort, "10-20 minutes");
    CHECK_INT(phase->tasks[0].number, 0);
    CHECK_STR(phase->tasks[0].name, "create-directory");
    CHECK_STR(phase->tasks[0].file, "phases/0/task-0-create-directory.md");
    assert_non_null(pack_phase_task(phase, 3));
    assert_null(pack_phase_task(phase, 4));
    assert_null(pack_phase(pack, 6));
    assert_null(pack_phase_at(pack, 6));
    CHECK(pack_read_phase(pack, phase, &text, &identity, NULL) == E_OK);
    CHECK(strncmp(text.data, "# Phase 0: Supporting", 21) == 0);
    CHECK_INT(identity.size, text.len);
    buf_reset(&text);
    CHECK(pack_read_task(pack, &phase->tasks[1], &text, NULL, NULL) == E_OK);
    CHECK(strncmp(text.data, "# Task 1: Copy", 14) == 0);
    CHECK(pack_gate_identity(pack, 0, &identity, NULL) == E_OK);
    CHECK(pack_gate_identity(pack, 7, &identity, NULL) == E_NOT_FOUND);
    buf_fini(&text);
    pack_unref(pack_ref(pack));
    pack_unref(pack);
    pack_unref(NULL);
    dir_unref(dir);
}

static void
dynamic_configuration(void **state)
{
    struct dir *dir = NULL;
    struct tree *t = tree_create();
    struct pack *pack;
    json_t *shown;

    (void)state;
    CHECK(dir_open(REAL, false, &dir, NULL) == E_OK);
    pack = load_from(dir, "spec_execution_v1");
    CHECK_STR(pack_dynamic(pack)->source_path_key, "spec_path");
    CHECK_STR(pack_dynamic(pack)->source_type, "spec_tasks_md");
    CHECK_STR(pack_dynamic(pack)->phase_template, "phases/dynamic/phase-template.md");
    CHECK_INT(pack_dynamic(pack)->parser, PACK_PARSE_TASKS);
    shown = pack_overview(pack);
    CHECK_STR(json_string_value(json_object_get(shown, "total_phases")), "dynamic");
    CHECK_INT(json_array_size(json_object_get(shown, "phases")), 2);
    CHECK_STR(json_string_value(json_object_get(json_array_get(json_object_get(shown, "phases"), 1),
                                                "phase_number")),
              "1-N");
    assert_non_null(json_object_get(shown, "workflow_features"));
    json_decref(shown);
    pack_unref(pack);
    dir_unref(dir);

    pack = pack_with(t, "{\"dynamic_config\": {\"parser\": \"workflow_definition_parser\"}}");
    CHECK_STR(pack_dynamic(pack)->source_path_key, "spec_path");
    CHECK_STR(pack_dynamic(pack)->task_template, "phases/dynamic/task-template.md");
    CHECK_INT(pack_dynamic(pack)->parser, PACK_PARSE_DEFINITION);
    pack_unref(pack);
    pack = pack_with(t, "{\"dynamic_phases\": true}");
    CHECK(says(pack_warnings(pack), "'dynamic_config' should be an object"));
    pack_unref(pack);
    tree_write(t, "w/metadata.json",
               "{\"dynamic_phases\": true,\n \"dynamic_config\": {\"parser\": \"mine\"}}");
    CHECK(strstr(refusal_from(tree_dir(t), "w", E_REFUSED).text, "'mine' is no parser"));
    tree_write(
        t, "w/metadata.json",
        "{\"dynamic_phases\": true, \"dynamic_config\": {\"templates\": {\"task\": \"../x\"}}}");
    CHECK(strstr(refusal_from(tree_dir(t), "w", E_REFUSED).text, "leaves"));
    tree_write(t, "w/metadata.json", "{\"dynamic_phases\": true, \"dynamic_config\": 3}");
    refusal_from(tree_dir(t), "w", E_REFUSED);
    tree_write(t, "w/metadata.json", "{\"dynamic_phases\": \"yes\"}");
    refusal_from(tree_dir(t), "w", E_REFUSED);
    tree_destroy(t);
}

static void
what_is_missing_has_a_default_and_a_warning(void **state)
{
    static const char *const missing[] = {"workflow_type", "version", "estimated_duration",
                                          "primary_outputs", "total_phases"};
    struct tree *t = tree_create();
    struct pack *pack = pack_with(t, "{\"phases\": [{\"phase_number\": 0}]}");
    json_t *shown = pack_overview(pack), *phase;

    (void)state;
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        char *text = xasprintf("'%s' is missing", missing[i]);

        CHECK(says(pack_warnings(pack), text));
        assert_non_null(json_object_get(shown, missing[i]));
        free(text);
    }
    CHECK(says(pack_warnings(pack), "'phase_name' is missing"));
    CHECK_STR(pack_type(pack), "w");
    CHECK_STR(pack_version(pack), "unversioned");
    CHECK_STR(pack_title(pack), "w");
    CHECK_STR(pack_description(pack), "");
    CHECK_INT(pack_warnings(pack)->items[0].line, 1);
    phase = json_array_get(json_object_get(shown, "phases"), 0);
    CHECK_STR(json_string_value(json_object_get(phase, "phase_name")), "Phase 0");
    CHECK(json_is_array(json_object_get(phase, "key_deliverables")));
    CHECK(json_is_array(json_object_get(phase, "tasks")));
    CHECK_INT(json_array_size(json_object_get(shown, "warnings")), pack_warnings(pack)->count);
    json_decref(shown);
    pack_unref(pack);
    pack = pack_with(t, "{}");
    CHECK(says(pack_warnings(pack), "'phases' is missing"));
    CHECK(says(pack_warnings(pack), "folder phases/0 has no entry"));
    CHECK_INT(pack_phase_count(pack), 1);
    pack_unref(pack);
    tree_destroy(t);
}

static void
extras_pass_through(void **state)
{
    struct tree *t = tree_create();
    struct pack *pack = pack_with(t, "{\"quality_gates\": [1], \"phases\": [{\"phase_number\": 0,"
                                     " \"skippable\": true, \"checkpoint\": {\"required_evidence\":"
                                     " [\"a\"]}}]}");
    json_t *shown = pack_overview(pack);
    json_t *phase = json_array_get(json_object_get(shown, "phases"), 0);

    (void)state;
    assert_non_null(json_object_get(shown, "quality_gates"));
    CHECK(json_is_true(json_object_get(phase, "skippable")));
    assert_non_null(json_object_get(pack_phase(pack, 0)->metadata, "checkpoint"));
    json_decref(shown);
    pack_unref(pack);
    tree_destroy(t);
}

static void
phases_are_the_union_of_entries_and_folders(void **state)
{
    struct tree *t = tree_create();
    struct pack *pack;
    json_t *shown;

    (void)state;
    tree_write(t, "w/phases/10/phase.md", "x");
    tree_write(t, "w/phases/2/phase.md", "x");
    tree_mkdir(t, "w/phases/dynamic");
    tree_mkdir(t, "w/phases/01");
    tree_mkdir(t, "w/phases/drafts");
    tree_mkdir(t, "w/phases/4");
    pack = pack_with(t, "{\"total_phases\": 7, \"phases\": [{\"phase_number\": 2.0},"
                        " {\"phase_number\": \"1-N\"}, {\"phase_number\": \"3\"}, {\"x\": 1},"
                        " {\"phase_number\": 2}, {\"phase_number\": \"N+1\"}]}");
    CHECK_INT(pack_phase_count(pack), 5);
    CHECK_INT(pack_phase_at(pack, 0)->number, 0);
    CHECK_INT(pack_phase_at(pack, 1)->number, 2);
    CHECK_INT(pack_phase_at(pack, 2)->number, 3);
    CHECK(!pack_phase_at(pack, 2)->folder);
    CHECK_INT(pack_phase_at(pack, 3)->number, 4);
    CHECK_INT(pack_phase_at(pack, 4)->number, 10);
    CHECK(says(pack_warnings(pack), "phase 3 has no folder phases/3: it is not offered"));
    CHECK(says(pack_warnings(pack), "phases/01 is no phase"));
    CHECK(says(pack_warnings(pack), "phases/drafts is no phase"));
    CHECK(says(pack_warnings(pack), "phase 4 has no readable phases/4/phase.md"));
    CHECK(says(pack_warnings(pack), "'phase_number' is missing: taken for 4"));
    CHECK(says(pack_warnings(pack), "phase 2 is there already"));
    CHECK(says(pack_warnings(pack), "second entry for generated phases"));
    CHECK(says(pack_warnings(pack), "'dynamic_phases' is not true"));
    CHECK(says(pack_warnings(pack), "'total_phases' is 7, but there are 4"));
    CHECK(says(pack_warnings(pack), "should be written as an integer"));
    shown = pack_overview(pack);
    CHECK_INT(json_integer_value(json_object_get(shown, "total_phases")), 4);
    CHECK(json_is_false(
        json_object_get(json_array_get(json_object_get(shown, "phases"), 2), "offered")));
    json_decref(shown);
    pack_unref(pack);
    pack = pack_with(t, "{\"total_phases\": \"dynamic\"}");
    CHECK(says(pack_warnings(pack), "\"dynamic\", but"));
    pack_unref(pack);
    pack = pack_with(t, "{\"total_phases\": [], \"start_phase\": 2, \"phases\": [{}]}");
    CHECK(says(pack_warnings(pack), "should be a number or"));
    CHECK(says(pack_warnings(pack), "taken for 2"));
    pack_unref(pack);
    tree_destroy(t);
}

static void
tasks_come_in_list_order_then_by_number(void **state)
{
    static const struct {
        int number;
        const char *name, *file;
        bool listed, missing;
    } want[] = {{5, "Named", "phases/0/task-2-b.md", true, false},
                {1, "gone", "phases/0/task-9-gone.md", true, true},
                {6, "c", "phases/0/task-3-c.md", true, false},
                {7, "root", "core/root.md", true, false},
                {0, "zero", "phases/0/task-0-zero.md", false, false},
                {2, "other-b", "phases/0/task-2-other-b.md", false, false},
                {4, "task 4", "phases/0/task-4.md", false, false},
                {10, "ten-again", "phases/0/task-10-ten-again.md", false, false},
                {11, "ten", "phases/0/task-10-ten.md", false, false}};
    struct tree *t = tree_create();
    struct pack *pack;
    const struct pack_phase *phase;

    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        char *path = xasprintf("w/%s", want[i].file);

        if (!want[i].missing) {
            tree_write(t, path, "x");
        }
        free(path);
    }
    tree_write(t, "w/phases/0/task-x.md", "x");
    tree_write(t, "w/phases/0/task-1-note.txt", "x");
    tree_mkdir(t, "w/phases/0/task-8-folder.md");
    pack = pack_with(t, "{\"phases\": [{\"phase_number\": 0, \"tasks\": ["
                        "{\"task_number\": 5, \"name\": \"Named\", \"file\": \"task-2-b.md\","
                        " \"purpose\": \"why\"},"
                        "{\"task_number\": 1, \"file\": \"task-9-gone.md\"},"
                        "{\"task_number\": 1, \"file\": \"task-3-c.md\"},"
                        "{\"name\": \"root\", \"file\": \"core/root.md\"}]}]}");
    phase = pack_phase(pack, 0);
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        CHECK(i < phase->task_count);
        CHECK_INT(phase->tasks[i].number, want[i].number);
        CHECK_STR(phase->tasks[i].name, want[i].name);
        CHECK_STR(phase->tasks[i].file, want[i].file);
        CHECK_INT(phase->tasks[i].listed, want[i].listed);
        CHECK_INT(phase->tasks[i].missing, want[i].missing);
    }
    CHECK_INT(phase->task_count, sizeof want / sizeof want[0]);
    CHECK_STR(phase->tasks[0].purpose, "why");
    CHECK(says(pack_warnings(pack), "there is no file phases/0/task-9-gone.md"));
    CHECK(says(pack_warnings(pack), "task 1 is there already: this one is task 6"));
    CHECK(says(pack_warnings(pack), "task 10 is there already: it is task 11"));
    pack_unref(pack);
    pack = pack_with(
        t, "{\"phases\": [{\"phase_number\": 0, \"phase_file\": \"core/root.md\","
           " \"tasks\": [\"task-3-c.md\", {\"task_number\": 4}, {\"task_number\": 77}]}]}");
    phase = pack_phase(pack, 0);
    CHECK_STR(phase->file, "core/root.md");
    CHECK_INT(phase->tasks[0].number, 1);
    CHECK_STR(phase->tasks[0].name, "c");
    CHECK_STR(phase->tasks[1].file, "phases/0/task-4.md");
    CHECK_STR(phase->tasks[2].file, "");
    CHECK(phase->tasks[2].missing);
    CHECK_STR(phase->tasks[2].name, "task 77");
    pack_unref(pack);
    pack = pack_with(t, "{\"phases\": [{\"phase_number\": 0, \"phase_file\": \"nowhere.md\"}]}");
    CHECK_STR(pack_phase(pack, 0)->file, "phases/0/phase.md");
    CHECK(says(pack_warnings(pack), "there is no file nowhere.md"));
    pack_unref(pack);
    tree_destroy(t);
}

static void
paths_that_leave_the_pack_are_refused(void **state)
{
    static const char *const bad[] = {
        "../1/phase.md", "../../../secret", "/etc/passwd", "a//b",     "..",
        "a/../b",        "a\\\\b",          "link.md",     "out/x.md", ""};
    struct tree *t = tree_create();

    (void)state;
    tree_write(t, "secret", "s");
    tree_write(t, "w/phases/0/phase.md", "x");
    tree_symlink(t, "../../../secret", "w/phases/0/link.md");
    tree_symlink(t, "../../..", "w/phases/0/out");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *text =
            xasprintf("{\"phases\": [{\"phase_number\": 0,\n \"tasks\": [{\"task_number\": 1,"
                      " \"file\": \"%s\"}]}]}",
                      bad[i]);
        struct fault f;

        tree_write(t, "w/metadata.json", text);
        f = refusal_from(tree_dir(t), "w", E_REFUSED);
        CHECK_INT(f.line, 2);
        CHECK_INT(f.column, 39);
        free(text);
    }
    tree_write(t, "w/metadata.json",
               "{\"phases\": [{\"phase_number\": 0, \"phase_file\": \"../x\"}]}");
    refusal_from(tree_dir(t), "w", E_REFUSED);
    tree_symlink(t, "../secret", "w/link.md");
    tree_write(t, "w/metadata.json",
               "{\"phases\": [{\"phase_number\": 0, \"phase_file\": \"link.md\"}]}");
    refusal_from(tree_dir(t), "w", E_REFUSED);
    tree_destroy(t);
}

static void
wrong_values_are_refused_with_their_place(void **state)
{
    static const struct {
        const char *text;
        unsigned line, column;
    } bad[] = {
        {"{\n \"phases\": 3}", 2, 12},
        {"{\n \"phases\": [3]}", 2, 13},
        {"{\"phases\": [{\"phase_number\": -1}]}", 1, 30},
        {"{\"phases\": [{\"phase_number\": 1.5}]}", 1, 30},
        {"{\"phases\": [{\"phase_number\": 99999}]}", 1, 30},
        {"{\"phases\": [{\"phase_number\": \"one\"}]}", 1, 30},
        {"{\"phases\": [{\"phase_number\": []}]}", 1, 30},
        {"{\"version\": []}", 1, 13},
        {"{\"phases\": [{\"phase_number\": 0, \"tasks\": 1}]}", 1, 42},
        {"{\"phases\": [{\"phase_number\": 0, \"tasks\": [1]}]}", 1, 43},
        {"{\"phases\": [{\"phase_number\": 0, \"tasks\": [{\"task_number\": \"x\"}]}]}", 1, 43},
        {"{\"phases\": [{\"phase_number\": 0, \"tasks\": [{\"file\": 3}]}]}", 1, 43}};
    struct tree *t = tree_create();

    (void)state;
    tree_write(t, "w/phases/0/phase.md", "x");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct fault f;

        tree_write(t, "w/metadata.json", bad[i].text);
        f = refusal_from(tree_dir(t), "w", E_REFUSED);
        if (f.line != bad[i].line || f.column != bad[i].column) {
            fail_msg("%s: %u:%u %s", bad[i].text, f.line, f.column, f.text);
        }
    }
    tree_write(t, "w/metadata.json", "{\"version\": 1.5, \"name\": true}");
    tree_remove(t, "w/phases");
    CHECK(strstr(refusal_from(tree_dir(t), "w", E_REFUSED).text, "no phase has a folder"));
    tree_destroy(t);
}

static void
broken_json_is_refused_never_invented(void **state)
{
    struct tree *t = tree_create();
    struct fault f;

    (void)state;
    tree_write(t, "w/phases/0/phase.md", "x");
    tree_write(t, "w/metadata.json", "{\n  \"version\": \"1\",\n  \"phases\": [}\n");
    f = refusal_from(tree_dir(t), "w", E_REFUSED);
    CHECK_INT(f.line, 3);
    CHECK_INT(f.column, 14);
    CHECK(strstr(f.text, "w/metadata.json is not valid JSON"));
    tree_write(t, "w/metadata.json", "{\"a\": 1, \"a\": 2}");
    refusal_from(tree_dir(t), "w", E_REFUSED);
    tree_write(t, "w/metadata.json", "[]");
    CHECK_INT(refusal_from(tree_dir(t), "w", E_REFUSED).column, 1);
    tree_write(t, "w/metadata.json", "");
    refusal_from(tree_dir(t), "w", E_REFUSED);
    tree_write_bytes(t, "w/metadata.json", SLICE("{}\0"));
    refusal_from(tree_dir(t), "w", E_REFUSED);
    tree_write(t, "w/metadata.json", "\xEF\xBB\xBF{}");
    pack_unref(load_from(tree_dir(t), "w"));
    {
        struct buf big = BUF_INIT;

        buf_adds(&big, "{\"x\": [");
        while (big.len <= PACK_METADATA_MAX) {
            buf_adds(&big, "1, ");
        }
        tree_write(t, "w/metadata.json", big.data);
        refusal_from(tree_dir(t), "w", E_TOO_LARGE);
        buf_fini(&big);
    }
    tree_remove(t, "w/metadata.json");
    refusal_from(tree_dir(t), "w", E_NOT_FOUND);
    tree_destroy(t);
}

static void
an_edit_is_seen_by_the_next_load(void **state)
{
    struct tree *t = tree_create();
    struct pack *old, *new;

    (void)state;
    old = pack_with(t, "{\"version\": \"1\"}");
    new = pack_with(t, "{\"version\": \"2\"}");
    CHECK_STR(pack_version(old), "1");
    CHECK_STR(pack_version(new), "2");
    CHECK(!file_identity_equal(pack_metadata_identity(old), pack_metadata_identity(new)));
    pack_unref(old);
    pack_unref(new);
    tree_destroy(t);
}

static void
names_types_and_near_misses(void **state)
{
    static const char *const bad[] = {"", "a/b", "..", "a b", "caf\xC3\xA9", "a.b"};
    struct tree *one = tree_create(), *two = tree_create();
    struct dir *dirs[] = {tree_dir(one), tree_dir(two)};
    struct pack_roots roots = {dirs, 2};
    struct pack *pack = NULL;
    struct fault f = FAULT_INIT;
    char *longer = xcalloc(PACK_NAME_MAX + 2, 1);

    (void)state;
    tree_write(one, "build_v1/metadata.json",
               "{\"workflow_type\": \"build\", \"version\": \"one\"}");
    tree_write(one, "build_v1/phases/1/phase.md", "x");
    tree_write(two, "build_v1/metadata.json", "{\"version\": \"two\"}");
    tree_write(two, "build_v1/phases/1/phase.md", "x");
    tree_write(two, "test_v1/metadata.json", "{\"workflow_type\": \"test\"}");
    tree_write(two, "test_v1/phases/1/phase.md", "x");
    tree_write(two, "test_v2/metadata.json", "{\"workflow_type\": \"test\"}");
    tree_write(two, "broken/metadata.json", "{");
    tree_mkdir(two, "no_pack");
    CHECK(pack_load(&roots, "build_v1", &pack, &f) == E_OK);
    CHECK_STR(pack_version(pack), "one");
    pack_unref(pack);
    CHECK(pack_load(&roots, "build", &pack, &f) == E_OK);
    CHECK_STR(pack_id(pack), "build_v1");
    CHECK_STR(pack_type(pack), "build");
    pack_unref(pack);
    CHECK(pack_load(&roots, "test", &pack, &f) == E_ARGUMENT);
    CHECK(strstr(f.text, "'test_v1'") && strstr(f.text, "'test_v2'"));
    CHECK(pack_load(&roots, "biuld_v1", &pack, &f) == E_NOT_FOUND);
    CHECK_STR(f.text, "there is no workflow 'biuld_v1'");
    CHECK_STR(f.remedy, "did you mean 'build_v1'?");
    CHECK(pack_load(&roots, "something_else", &pack, &f) == E_NOT_FOUND);
    CHECK(strstr(f.remedy, "there are 'broken', 'build_v1', 'test_v1', 'test_v2'"));
    CHECK(pack_load(&roots, "no_pack", &pack, &f) == E_NOT_FOUND);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK(pack_load(&roots, bad[i], &pack, &f) == E_ARGUMENT);
    }
    CHECK(pack_load(&roots, NULL, &pack, &f) == E_ARGUMENT);
    memset(longer, 'a', PACK_NAME_MAX + 1);
    CHECK(pack_load(&roots, longer, &pack, &f) == E_ARGUMENT);
    roots.count = 0;
    CHECK(pack_load(&roots, "any", &pack, &f) == E_NOT_FOUND);
    CHECK_STR(f.remedy, "no workflows are installed");
    free(longer);
    tree_destroy(one);
    tree_destroy(two);
}

static void
listing_tells_all_that_can_be_used(void **state)
{
    struct tree *t = tree_create();
    struct dir *dir = tree_dir(t);
    struct pack_roots roots = {&dir, 1};
    struct problems problems = PROBLEMS_INIT;
    json_t *list = NULL;

    (void)state;
    tree_copy(t, REAL, ".");
    tree_write(t, "broken/metadata.json", "{\n!");
    tree_write(t, "bad name/metadata.json", "{}");
    tree_write(t, "tagged/metadata.json", "{\"category\": \"c\", \"phases\": []}");
    tree_write(t, "tagged/phases/0/phase.md", "x");
    CHECK(pack_list(&roots, NULL, &list, &problems, NULL) == E_OK);
    CHECK_INT(json_array_size(list), 4);
    CHECK_STR(json_string_value(json_object_get(json_array_get(list, 0), "id")),
              "spec_creation_v1");
    CHECK_STR(json_string_value(json_object_get(json_array_get(list, 0), "name")),
              "Specification Creation Workflow");
    CHECK(json_array_size(json_object_get(json_array_get(list, 3), "warnings")) > 0);
    CHECK_INT(problems.count, 2);
    CHECK_STR(problems.items[1].file, "broken/metadata.json");
    CHECK_INT(problems.items[1].line, 2);
    json_decref(list);
    CHECK(pack_list(&roots, "c", &list, NULL, NULL) == E_OK);
    CHECK_INT(json_array_size(list), 1);
    json_decref(list);
    CHECK(pack_list(&roots, "documentation", &list, NULL, NULL) == E_OK);
    CHECK_INT(json_array_size(list), 1);
    CHECK_STR(json_string_value(json_object_get(json_array_get(list, 0), "id")),
              "standards_creation_v1");
    json_decref(list);
    tree_write(t, "spec_creation_v1/metadata.json", "{\"version\": \"edited\"}");
    CHECK(pack_list(&roots, NULL, &list, NULL, NULL) == E_OK);
    CHECK_STR(json_string_value(json_object_get(json_array_get(list, 0), "version")), "edited");
    json_decref(list);
    problems_fini(&problems);
    tree_destroy(t);
}

static void
the_digest_follows_the_files(void **state)
{
    struct tree *t = tree_create();
    struct pack *pack;
    char first[PACK_DIGEST_MAX], second[PACK_DIGEST_MAX];

    (void)state;
    tree_copy(t, REAL "/spec_creation_v1", "w");
    pack = load_from(tree_dir(t), "w");
    CHECK(pack_digest(pack, first, NULL) == E_OK);
    CHECK_INT(strlen(first), 64);
    tree_write(t, "w/.hidden", "x");
    CHECK(pack_digest(pack, second, NULL) == E_OK);
    CHECK_STR(first, second);
    tree_write(t, "w/phases/3/task-1-identify-phases.md", "changed");
    CHECK(pack_digest(pack, second, NULL) == E_OK);
    CHECK(strcmp(first, second) != 0);
    CHECK(pack_digest(pack, first, NULL) == E_OK);
    CHECK_STR(first, second);
    {
        struct buf big = BUF_INIT;

        for (size_t i = 0; i <= PACK_TEXT_MAX / 8; i++) {
            buf_adds(&big, "12345678");
        }
        tree_write(t, "w/core/big.md", big.data);
        buf_fini(&big);
    }
    CHECK(pack_digest(pack, second, NULL) == E_OK);
    CHECK(strcmp(first, second) != 0);
    pack_unref(pack);
    tree_destroy(t);
}

static void
texts_that_cannot_be_shown(void **state)
{
    struct tree *t = tree_create();
    struct pack *pack =
        pack_with(t, "{\"phases\": [{\"phase_number\": 0, \"tasks\": [\"task-1-x.md\"]}]}");
    const struct pack_phase *phase = pack_phase(pack, 0);
    struct buf text = BUF_INIT;
    struct fault f = FAULT_INIT;

    (void)state;
    CHECK(pack_read_task(pack, &phase->tasks[0], &text, NULL, &f) == E_NOT_FOUND);
    CHECK_STR(f.text, "workflow 'w' has no file phases/0/task-1-x.md");
    tree_write(t, "w/phases/0/phase.md", "\xFF");
    CHECK(pack_read_phase(pack, phase, &text, NULL, &f) == E_REFUSED);
    tree_write_bytes(t, "w/phases/0/phase.md", SLICE("a\0b"));
    CHECK(pack_read_phase(pack, phase, &text, NULL, &f) == E_REFUSED);
    CHECK(pack_read_file(pack, "../x", &text, NULL, &f) == E_REFUSED);
    buf_fini(&text);
    pack_unref(pack);
    tree_destroy(t);
}

static void
bounds_hold(void **state)
{
    struct tree *t = tree_create();
    struct buf text = BUF_INIT;

    (void)state;
    tree_write(t, "w/phases/0/phase.md", "x");
    buf_adds(&text, "{\"phases\": [");
    for (unsigned i = 0; i <= PACK_PHASES_MAX; i++) {
        buf_addf(&text, "%s{\"phase_number\": %u}", i ? "," : "", i);
    }
    buf_adds(&text, "]}");
    tree_write(t, "w/metadata.json", text.data);
    CHECK(strstr(refusal_from(tree_dir(t), "w", E_REFUSED).text, "more than 200 phases"));
    buf_reset(&text);
    buf_adds(&text, "{\"phases\": [{\"phase_number\": 0, \"tasks\": [");
    for (unsigned i = 0; i <= PACK_TASKS_MAX; i++) {
        buf_adds(&text, i ? ",\"x.md\"" : "\"x.md\"");
    }
    buf_adds(&text, "]}]}");
    tree_write(t, "w/metadata.json", text.data);
    CHECK(strstr(refusal_from(tree_dir(t), "w", E_REFUSED).text, "more than 200 tasks"));
    tree_write(t, "w/metadata.json", "{}");
    for (unsigned i = 0; i <= PACK_TASKS_MAX; i++) {
        char path[64];

        snprintf(path, sizeof path, "w/phases/0/task-%u-x.md", i);
        tree_write(t, path, "x");
    }
    CHECK(strstr(refusal_from(tree_dir(t), "w", E_REFUSED).text, "more than 200 tasks"));
    buf_fini(&text);
    tree_destroy(t);
}

/* 'bytes' as metadata.json: refused, or a pack; a pack is made only of an object. */
static void
as_metadata(const struct hostile_case *c, void *arg)
{
    struct tree *t = arg;
    struct dir *dir = tree_dir(t);
    struct pack_roots roots = {&dir, 1};
    struct pack *pack = NULL;
    struct fault f = FAULT_INIT;
    enum err err;

    tree_write_bytes(t, "w/metadata.json", c->bytes);
    err = pack_load(&roots, "w", &pack, &f);
    if (strncmp(c->id, "n_", 2) == 0) {
        assert_int_not_equal(err, E_OK);
    }
    CHECK((err == E_OK) == (pack != NULL));
    CHECK(!err || (f.code == err && f.text[0]));
    if (pack) {
        json_t *shown = pack_overview(pack);

        CHECK(json_is_object(pack_metadata(pack)));
        assert_non_null(shown);
        json_decref(shown);
    }
    pack_unref(pack);
}

static void
hostile_json_is_no_pack(void **state)
{
    struct tree *t = tree_create();

    (void)state;
    tree_write(t, "w/phases/0/phase.md", "x");
    CHECK(hostile_files("json", as_metadata, t) > 300);
    tree_destroy(t);
}

static void
hostile_paths_are_no_names_and_no_files(void **state)
{
    struct tree *t = tree_create();
    struct buf lines = hostile_read("path/fuzzdb-traversals-8-deep.txt");
    struct pack *pack = pack_with(t, "{}");
    struct dir *dir = tree_dir(t);
    struct pack_roots roots = {&dir, 1};
    char *save = NULL;
    size_t count = 0;

    (void)state;
    buf_addc(&lines, '\0');
    for (char *line = strtok_r(lines.data, "\r\n", &save); line;
         line = strtok_r(NULL, "\r\n", &save)) {
        struct pack *other = NULL;
        struct buf out = BUF_INIT;
        enum err err = pack_load(&roots, line, &other, NULL);

        CHECK(err == E_ARGUMENT || err == E_NOT_FOUND);
        CHECK(pack_read_file(pack, line, &out, NULL, NULL) != E_OK);
        CHECK_INT(out.len, 0);
        buf_fini(&out);
        count++;
    }
    CHECK(count > 500);
    buf_fini(&lines);
    pack_unref(pack);
    tree_destroy(t);
}

struct edits {
    struct tree *t;
    pthread_barrier_t barrier;
    _Atomic int newest; /* Version that is on disk for certain. */
    _Atomic int failed;
    _Atomic bool done;
};

static void *
edit(void *arg)
{
    struct edits *e = arg;

    pthread_barrier_wait(&e->barrier);
    for (int i = 1; i <= 300; i++) {
        char text[64];

        snprintf(text, sizeof text, "{\"version\": \"%d\"}", i);
        tree_write(e->t, "w/metadata.json", text);
        atomic_store(&e->newest, i);
    }
    atomic_store(&e->done, true);
    return NULL;
}

static void *
load_again(void *arg)
{
    struct edits *e = arg;
    struct dir *dir = tree_dir(e->t);
    struct pack_roots roots = {&dir, 1};

    pthread_barrier_wait(&e->barrier);
    while (!atomic_load(&e->done)) {
        int before = atomic_load(&e->newest);
        struct pack *pack = NULL;

        if (pack_load(&roots, "w", &pack, NULL) != E_OK ||
            strtol(pack_version(pack), NULL, 10) < before) {
            atomic_fetch_add(&e->failed, 1);
        }
        pack_unref(pack);
    }
    return NULL;
}

static void
readers_see_whole_files_and_the_newest(void **state)
{
    enum { READERS = 4 };
    struct edits e = {.t = tree_create()};
    pthread_t threads[READERS + 1];

    (void)state;
    tree_write(e.t, "w/metadata.json", "{\"version\": \"0\"}");
    tree_write(e.t, "w/phases/0/phase.md", "x");
    pthread_barrier_init(&e.barrier, NULL, READERS + 1);
    for (int i = 0; i <= READERS; i++) {
        CHECK_INT(pthread_create(&threads[i], NULL, i ? load_again : edit, &e), 0);
    }
    for (int i = 0; i <= READERS; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_INT(atomic_load(&e.failed), 0);
    pthread_barrier_destroy(&e.barrier);
    tree_destroy(e.t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_packs_load_without_a_warning),
        cmocka_unit_test(a_phase_knows_its_tasks_and_texts),
        cmocka_unit_test(dynamic_configuration),
        cmocka_unit_test(what_is_missing_has_a_default_and_a_warning),
        cmocka_unit_test(extras_pass_through),
        cmocka_unit_test(phases_are_the_union_of_entries_and_folders),
        cmocka_unit_test(tasks_come_in_list_order_then_by_number),
        cmocka_unit_test(paths_that_leave_the_pack_are_refused),
        cmocka_unit_test(wrong_values_are_refused_with_their_place),
        cmocka_unit_test(broken_json_is_refused_never_invented),
        cmocka_unit_test(an_edit_is_seen_by_the_next_load),
        cmocka_unit_test(readers_see_whole_files_and_the_newest),
        cmocka_unit_test(names_types_and_near_misses),
        cmocka_unit_test(listing_tells_all_that_can_be_used),
        cmocka_unit_test(the_digest_follows_the_files),
        cmocka_unit_test(texts_that_cannot_be_shown),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(hostile_json_is_no_pack),
        cmocka_unit_test(hostile_paths_are_no_names_and_no_files),
    };

    return CHECK_RUN(tests);
}
