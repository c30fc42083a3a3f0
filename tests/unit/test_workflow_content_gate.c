/* test_workflow_content_gate.c -- which gate a phase has, and that a broken one never opens. */
#include "tests/check.h"
#include "tests/tree.h"

#include "state/workflow_content.h"

#define PACKS "tests/fixtures/praxis/workflows"
#define SPECS "tests/fixtures/praxis/specs"

static struct wf_content *
build(struct dir *dir, struct dir *workspace, const char *target, enum err expected)
{
    struct pack_roots roots = {&dir, 1};
    struct pack *pack = NULL;
    struct wf_content *content = NULL;
    struct fault f = FAULT_INIT;

    CHECK(pack_load(&roots, "w", &pack, &f) == E_OK);
    if (wf_content_build(pack, workspace, target, NULL, &content, &f) != expected) {
        fail_msg("%s", f.text);
    }
    pack_unref(pack);
    return content;
}

static void
gate_is(const struct wf_content *content, int phase, const char *source, size_t fields)
{
    struct gate *gate = NULL;
    struct fault f = FAULT_INIT;

    if (wf_content_gate(content, phase, &gate, NULL, &f)) {
        fail_msg("%s", f.text);
    }
    CHECK_STR(gate_source_name(gate), source);
    CHECK_INT(gate_field_count(gate), fields);
    gate_unref(gate);
}

static void
gate_is_unusable(const struct wf_content *content, int phase)
{
    struct gate *gate = NULL;
    struct fault f = FAULT_INIT;

    CHECK_INT(wf_content_gate(content, phase, &gate, NULL, &f), E_REFUSED);
    assert_null(gate);
    CHECK(strstr(f.text, "gate unusable"));
    CHECK(!strstr(f.text, "/tmp"));
}

static void
versions_of(const struct wf_content *content, int phase, struct wf_gate_ref *ref)
{
    CHECK(wf_content_gate_ref(content, phase, ref, NULL) == E_OK);
    CHECK(ref->key[0] && ref->version[0]);
}

static void
a_pack_of_files(void **state)
{
    struct tree *t = tree_create();
    struct wf_content *content;
    struct wf_gate_ref one, two, three;
    struct gate *gate = NULL;
    struct fault f = FAULT_INIT;

    (void)state;
    tree_copy(t, PACKS "/spec_creation_v1", "w");
    content = build(tree_dir(t), tree_dir(t), NULL, E_OK);
    for (int phase = 0; phase < 6; phase++) {
        CHECK(wf_content_gate(content, phase, &gate, NULL, NULL) == E_OK);
        CHECK_STR(gate_source_name(gate), "yaml");
        gate_unref(gate);
    }
    CHECK(wf_content_gate(content, 6, &gate, NULL, &f) == E_NOT_FOUND);
    CHECK(wf_content_gate_ref(content, 6, &one, &f) == E_NOT_FOUND);
    versions_of(content, 0, &one);
    versions_of(content, 1, &two);
    CHECK(strcmp(one.key, two.key) != 0);
    versions_of(content, 0, &two);
    CHECK(strcmp(one.key, two.key) == 0 && strcmp(one.version, two.version) == 0);

    /* An edit is a new version of the same gate; without the file it is derived. */
    tree_write(t, "w/phases/0/gate-definition.yaml",
               "checkpoint: {strict: true}\nevidence_schema: {a: {type: boolean}}\n");
    versions_of(content, 0, &two);
    CHECK(strcmp(one.key, two.key) == 0 && strcmp(one.version, two.version) != 0);
    gate_is(content, 0, "yaml", 1);
    tree_remove(t, "w/phases/0/gate-definition.yaml");
    versions_of(content, 0, &three);
    CHECK(strcmp(two.version, three.version) != 0);
    gate_is(content, 0, "derived", 7);
    tree_write(t, "w/phases/0/phase.md", "# Phase 0\n");
    versions_of(content, 0, &two);
    CHECK(strcmp(two.version, three.version) != 0);
    gate_is(content, 0, "derived", 4); /* From required_evidence. */
    tree_remove(t, "w/phases/0/phase.md");
    gate_is(content, 0, "derived", 4);
    wf_content_unref(content);
    tree_destroy(t);
}

static void
what_cannot_be_read_never_opens(void **state)
{
    struct tree *t = tree_create();
    struct wf_content *content;
    struct wf_gate_ref ref;
    struct fault f = FAULT_INIT;

    (void)state;
    tree_write(t, "w/metadata.json", "{}");
    tree_write(t, "w/phases/0/phase.md", "text");
    content = build(tree_dir(t), tree_dir(t), NULL, E_OK);
    gate_is(content, 0, "permissive", 0);
    tree_write(t, "w/phases/0/gate-definition.yaml", "checkpoint: {strict: true\n");
    gate_is_unusable(content, 0);
    tree_write(t, "w/phases/0/gate-definition.yaml", "\xFF");
    gate_is_unusable(content, 0);
    tree_remove(t, "w/phases/0/gate-definition.yaml");
    tree_symlink(t, "phase.md", "w/phases/0/gate-definition.yaml");
    gate_is_unusable(content, 0);
    CHECK(wf_content_gate_ref(content, 0, &ref, &f) == E_REFUSED);
    tree_remove(t, "w/phases/0/gate-definition.yaml");
    tree_mkdir(t, "w/phases/0/gate-definition.yaml");
    gate_is_unusable(content, 0);
    tree_remove(t, "w/phases/0/gate-definition.yaml");
    tree_write(t, "w/phases/0/phase.md", "\xFF");
    gate_is_unusable(content, 0);
    wf_content_unref(content);
    tree_destroy(t);
}

static void
a_task_list_gives_gates(void **state)
{
    struct tree *t = tree_create();
    struct wf_content *content;
    struct wf_gate_ref one, two;

    (void)state;
    tree_copy(t, PACKS "/spec_execution_v1", "w");
    tree_copy(t, SPECS "/2025-10-11-mcp-dual-transport", "spec");
    content = build(tree_dir(t), tree_dir(t), "spec", E_OK);
    gate_is(content, 0, "yaml", 6);
    gate_is(content, 1, "derived", 10);
    gate_is(content, 4, "derived", 11);
    versions_of(content, 1, &one);
    versions_of(content, 2, &two);
    CHECK(strcmp(one.key, two.key) != 0);
    tree_write(t, "w/phases/dynamic/gate-definition.yaml",
               "checkpoint: {strict: true}\nevidence_schema: {a: {type: boolean}}\n");
    gate_is(content, 1, "yaml", 1);
    versions_of(content, 1, &one);
    versions_of(content, 2, &two);
    CHECK_STR(one.key, two.key);
    CHECK_STR(one.version, two.version);
    wf_content_unref(content);
    tree_destroy(t);
}

static void
a_definition_gives_gates(void **state)
{
    struct tree *t = tree_create();
    struct wf_content *content, *fresh = NULL;
    struct gate *gate = NULL;
    char *warning = NULL;

    (void)state;
    tree_write(t, "w/metadata.json",
               "{\"dynamic_phases\": true, \"dynamic_config\":"
               " {\"parser\": \"workflow_definition_parser\"}}");
    tree_write(t, "w/phases/dynamic/phase-template.md", "x");
    tree_write(t, "w/phases/dynamic/task-template.md", "x");
    tree_copy(t, PACKS "/standards_creation_v1/supporting-docs", "d");
    content = build(tree_dir(t), tree_dir(t), "d", E_OK);
    gate_is(content, 0, "definition", 4);
    gate_is(content, 1, "definition", 7);
    wf_content_unref(content);

    tree_write(t, "d/workflow-definition.yaml",
               "phases:\n  - number: 1\n    tasks: [{number: 1}]\n    validation_gate:\n"
               "      human_approval_required: true\n  - number: 2\n");
    content = build(tree_dir(t), tree_dir(t), "d", E_OK);
    CHECK(wf_content_gate(content, 1, &gate, NULL, NULL) == E_OK);
    CHECK(gate_needs_approval(gate));
    gate_unref(gate);
    gate_is(content, 2, "permissive", 0);
    /* The gate stays usable when the source is edited or refreshed. */
    tree_write(t, "d/workflow-definition.yaml", "phases: [{number: 1, tasks: [{number: 1}]}]");
    CHECK(wf_content_refresh(content, tree_dir(t), &fresh, &warning, NULL) == E_OK);
    wf_content_unref(content);
    CHECK(wf_content_gate(fresh, 1, &gate, NULL, NULL) == E_OK);
    CHECK(gate_needs_approval(gate));
    gate_unref(gate);
    free(warning);
    wf_content_unref(fresh);

    tree_write(t, "d/workflow-definition.yaml",
               "phases:\n  - number: 1\n    tasks: [{number: 1}]\n    validation_gate:\n"
               "      evidence_required: {a: {type: nonsense}}\n");
    assert_null(build(tree_dir(t), tree_dir(t), "d", E_REFUSED));
    tree_destroy(t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pack_of_files),
        cmocka_unit_test(what_cannot_be_read_never_opens),
        cmocka_unit_test(a_task_list_gives_gates),
        cmocka_unit_test(a_definition_gives_gates),
    };

    return CHECK_RUN(tests);
}
