/* test_workflow_gates.c -- one gate for all sessions: parsed once a version, however many ask.  R4.
 */
#include "tests/check.h"

#include "state/workflow_gates.h"
#include "tests/threads.h"
#include "tests/tree.h"

#define GATE "pack/phases/0/gate-definition.yaml"
#define STRICT \
    "checkpoint: {strict: true}\nevidence_schema:\n  a: {type: boolean, required: true}\n"
#define LENIENT \
    "checkpoint: {strict: false}\nevidence_schema:\n  a: {type: boolean, required: true}\n"

static struct tree *tree;
static struct wf_content *content;
static struct workflow_gates *gates;

static int
set_up(void **unused)
{
    struct dir *dir;
    struct pack_roots roots = {&dir, 1};
    struct pack *pack = NULL;

    (void)unused;
    tree = tree_create();
    dir = tree_dir(tree);
    tree_write(
        tree, "pack/metadata.json",
        "{\"workflow_type\":\"pack\",\"version\":\"1\",\"total_phases\":1,"
        "\"estimated_duration\":\"1\",\"primary_outputs\":[],\"phases\":[{\"phase_number\":0,"
        "\"phase_name\":\"P\",\"purpose\":\"p\",\"estimated_effort\":\"1\","
        "\"key_deliverables\":[],\"validation_criteria\":[]}]}");
    tree_write(tree, "pack/phases/0/phase.md", "# Phase 0\n");
    tree_write(tree, GATE, STRICT);
    CHECK_INT(pack_load(&roots, "pack", &pack, NULL), E_OK);
    CHECK_INT(wf_content_build(pack, dir, "x", NULL, &content, NULL), E_OK);
    pack_unref(pack);
    gates = workflow_gates_create();
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    workflow_gates_destroy(gates);
    wf_content_unref(content);
    tree_destroy(tree);
    return 0;
}

static _Atomic unsigned strict, lenient, refused;

static void
ask(void *arg, unsigned number)
{
    struct gate *gate = NULL;
    struct fault f = FAULT_INIT;
    enum err err = workflow_gates_get(gates, content, 0, &gate, &f);

    (void)arg, (void)number;
    if (err) {
        refused += err == E_REFUSED && f.text[0] != '\0';
    } else if (gate_is_strict(gate)) {
        strict++;
    } else {
        lenient++;
    }
    gate_unref(gate);
}

static void
reset_counts(void)
{
    strict = lenient = refused = 0;
}

static void
each_version_is_parsed_once(void **unused)
{
    uint64_t misses = 0, others = 0;

    (void)unused;
    for (const unsigned *count = race_sizes; *count; count++) {
        struct slots_counters c;

        reset_counts();
        tree_write(tree, GATE, STRICT);
        threads_run(*count, ask, NULL);
        CHECK_INT(strict, *count);
        tree_write(tree, GATE, LENIENT); /* An edit is seen by the next who asks. */
        threads_run(*count, ask, NULL);
        CHECK_INT(lenient, *count);
        c = workflow_gates_counters(gates);
        CHECK_INT(c.misses - misses, 2);
        CHECK_INT(c.hits + c.double_loads - others, 2 * (*count - 1));
        misses = c.misses;
        others = c.hits + c.double_loads;
    }
}

static void
a_broken_gate_is_an_error_for_everyone_and_is_not_kept(void **unused)
{
    (void)unused;
    for (const unsigned *count = race_sizes; *count; count++) {
        reset_counts();
        tree_write(tree, GATE, "checkpoint: {strict: true\n");
        threads_run(*count, ask, NULL);
        CHECK_INT(refused, *count);
        tree_write(tree, GATE, STRICT);
        threads_run(*count, ask, NULL);
        CHECK_INT(strict, *count);
    }
}

/* Editors save while others ask: whoever asks gets one version or the other, whole. */
static void
edit_or_ask(void *arg, unsigned number)
{
    for (int i = 0; i < 20; i++) {
        if (number == 0) {
            tree_write(tree, GATE, i % 2 ? STRICT : LENIENT);
        } else {
            ask(arg, number);
        }
    }
}

static void
edits_race_with_those_who_ask(void **unused)
{
    (void)unused;
    reset_counts();
    threads_run(20, edit_or_ask, NULL);
    CHECK_INT(refused, 0);
    CHECK_INT(strict + lenient, 19 * 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_version_is_parsed_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_broken_gate_is_an_error_for_everyone_and_is_not_kept,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(edits_race_with_those_who_ask, set_up, tear_down),
    };
    return CHECK_RUN(tests);
}
