/* test_workflow.c -- the engine as a client sees it: what its actions do, from start to end, and
 * what threads do at once.  What it refuses is in test_workflow_arguments.c. */
#include "tests/check.h"

#include "tests/engine_rig.h"
#include "tests/workflow_rig.h"

#include <stdio.h>

#define SECOND 1000000000ll

static void
the_guidance_comes_first(void **state)
{
    static const char *const first[] = {"execution_mode", "task_tracking", "execution_model",
                                        "status", "action"};
    struct engine_rig rig;
    json_t *answer, *tasks;
    void *it;
    (void)state;

    engine_rig_init(&rig);
    answer = call(&rig, "{\"action\": \"start\", \"workflow_type\": \"strict\", "
                        "\"target_file\": \"src/a.c\"}");
    it = json_object_iter(answer);
    for (size_t i = 0; i < 5; i++, it = json_object_iter_next(answer, it)) {
        CHECK_STR(json_object_iter_key(it), first[i]);
    }
    CHECK_STR(answer_text(answer, "workflow_type"), "strict");
    CHECK_STR(answer_text(answer, "target_file"), "src/a.c");
    CHECK_STR(answer_text(answer, "phase_name"), "Phase 0 of strict");
    CHECK_STR(answer_text(answer, "phase_content"), "# A phase\n\nDo it.\n");
    CHECK_STR(answer_text(answer, "source"), "pack");
    CHECK_STR(answer_text(answer, "session_status"), "active");
    CHECK(json_is_false(json_object_get(answer, "resumed")));
    CHECK_INT(answer_number(answer, "current_phase"), 0);
    tasks = json_object_get(answer, "tasks");
    CHECK_INT(json_array_size(tasks), 1);
    CHECK_INT(answer_number(json_object_get(answer, "workflow_overview"), "total_phases"), 3);
    json_decref(answer);
    answer = call(&rig, "{\"action\": \"start\", \"workflow_type\": \"strict\", "
                        "\"target_file\": \"src/a.c\"}");
    CHECK(json_is_true(json_object_get(answer, "resumed")));
    json_decref(answer);
    answer = call(&rig, "{\"action\": \"start\", \"workflow_type\": \"strict\", "
                        "\"target_file\": \"src/a.c\", \"options\": {\"new_session\": true}}");
    CHECK(json_is_false(json_object_get(answer, "resumed")));
    json_decref(answer);
    engine_rig_fini(&rig);
}

static void
strict_gates_cannot_be_claimed_through(void **state)
{
    static const char *const claims[] = {
        "{}",
        "{\"count\": true, \"output\": \"12 passed, 0 failed\"}",
        "{\"count\": 3}",
        "{\"count\": 2, \"output\": \"8 passed, 0 failed\"}",
        "{\"count\": 3, \"output\": \"99 passed, 0 failed\"}",
        "{\"count\": 3, \"output\": true}",
        "{\"all_done\": true, \"tests_pass\": true}",
        "{\"_override\": {\"reason\": \"trust me\"}}",
        "{\"human_approved\": true}",
    };
    struct engine_rig rig;
    json_t *answer, *result;
    char id[37], *told;
    (void)state;

    engine_rig_init(&rig);
    start_session(&rig, "strict", "a", id);
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        answer =
            expect_refused(call(&rig,
                                "{\"action\": \"complete_phase\", " IN("%s") ", \"phase\": 0, "
                                                                             "\"evidence\": %s}",
                                id, claims[i]),
                           "ValidationError", "phase 0");
        CHECK(json_is_false(json_object_get(answer, "checkpoint_passed")));
        CHECK(!json_object_get(answer, "phase_completed"));
        CHECK_INT(answer_number(answer, "current_phase"), 0);
        CHECK_STR(answer_text(answer, "session_status"), "failed");
        CHECK(*answer_text(answer, "remediation"));
        result = json_object_get(answer, "validation_result");
        CHECK(json_is_false(json_object_get(result, "checkpoint_passed")));
        told = json_dumps(answer, 0);
        CHECK(!strstr(told, "least") && !strstr(told, "lambda") && !strstr(told, "the schema"));
        free(told);
        json_decref(answer);
    }
    answer = call(&rig, "{\"action\": \"get_errors\", " IN("%s") "}", id);
    CHECK_INT(answer_number(answer, "error_count"), 9);
    CHECK_INT(json_array_size(json_object_get(answer, "errors")), 9);
    CHECK_STR(answer_text(json_object_get(answer, "last_error"), "error_type"), "ValidationError");
    told = json_dumps(answer, 0);
    CHECK(!strstr(told, "lambda") && !strstr(told, "details"));
    free(told);
    json_decref(answer);

    answer = call(&rig,
                  "{\"action\": \"complete_phase\", " IN("%s") ", \"phase\": 0.0, "
                                                               "\"evidence\": " STRICT_EVIDENCE "}",
                  id);
    CHECK(json_is_true(json_object_get(answer, "checkpoint_passed")));
    CHECK_INT(answer_number(answer, "phase_completed"), 0);
    CHECK_INT(answer_number(answer, "next_phase"), 1);
    CHECK_STR(answer_text(json_object_get(answer, "next_phase_content"), "phase_name"),
              "Phase 1 of strict");
    CHECK(json_is_false(json_object_get(answer, "workflow_complete")));
    json_decref(answer);
    answer = call(&rig, "{\"action\": \"get_session\", " IN("%s") "}", id);
    result = json_object_get(json_object_get(answer, "artifacts"), "0");
    CHECK_STR(answer_text(json_object_get(result, "evidence"), "output"), "12 passed, 0 failed");
    result = json_array_get(json_object_get(result, "commands_executed"), 0);
    CHECK_STR(answer_text(result, "command"), "make test");
    CHECK_INT(answer_number(result, "exit_code"), 0);
    CHECK_INT(json_object_size(json_object_get(answer, "artifacts")), 1);
    json_decref(answer);
    engine_rig_fini(&rig);
}

static void
a_run_from_start_to_end(void **state)
{
    struct engine_rig rig;
    json_t *answer;
    char id[37];
    (void)state;

    engine_rig_init(&rig);
    start_session(&rig, "strict", "a", id);
    json_decref(
        expect_refused(call(&rig, "{\"action\": \"get_phase\", " IN("%s") ", \"phase\": 1}", id),
                       "StateError", "current phase is 0"));
    answer = expect_refused(call(&rig,
                                 "{\"action\": \"get_task\", " IN("%s") ", \"phase\": 2, "
                                                                        "\"task_number\": 1}",
                                 id),
                            "StateError", "not open");
    CHECK_INT(answer_number(answer, "current_phase"), 0);
    CHECK_INT(json_array_size(json_object_get(answer, "next_calls")), 3);
    json_decref(answer);
    json_decref(
        expect_refused(call(&rig, "{\"action\": \"get_phase\", " IN("%s") ", \"phase\": 7}", id),
                       "NotFoundError", "no phase 7"));
    answer = expect_refused(call(&rig,
                                 "{\"action\": \"complete_phase\", " IN("%s") ", \"phase\": 1, "
                                                                              "\"evidence\": {}}",
                                 id),
                            "StateError", "current phase is 0");
    CHECK(strstr(answer_text(answer, "remediation"), "phase 0"));
    json_decref(answer);
    for (int i = 0; i < 3; i++) {
        pass_phase(&rig, id, i);
    }
    answer = call(&rig, "{\"action\": \"get_phase\", " IN("%s") "}", id);
    CHECK(json_is_true(json_object_get(answer, "is_complete")));
    CHECK(*answer_text(answer, "message"));
    CHECK(!json_object_get(answer, "phase_content"));
    CHECK_INT(answer_number(answer, "current_phase"), 2);
    json_decref(answer);
    answer = call(&rig, "{\"action\": \"get_phase\", " IN("%s") ", \"phase\": 1}", id);
    CHECK_STR(answer_text(answer, "phase_name"), "Phase 1 of strict");
    json_decref(answer);
    answer = call(&rig,
                  "{\"action\": \"get_task\", " IN("%s") ", \"phase\": 1, "
                                                         "\"task_number\": 1.9}",
                  id);
    CHECK_STR(answer_text(answer, "content"), "# A task\n\nDo this.\n");
    json_decref(answer);
    json_decref(
        expect_refused(call(&rig,
                            "{\"action\": \"complete_phase\", " IN("%s") ", \"phase\": 2, "
                                                                         "\"evidence\": {}}",
                            id),
                       "StateError", "completed"));
    answer = call(&rig, "{\"action\": \"start\", \"workflow_type\": \"strict\", "
                        "\"target_file\": \"a\"}");
    CHECK(strcmp(answer_text(answer, "session_id"), id) != 0); /* The finished one is left alone. */
    json_decref(answer);
    engine_rig_fini(&rig);
}

/* Runs a pack through, reading every phase and task on the way.  Returns how many tasks there were.
 */
static int
run_pack(struct engine_rig *rig, const char *pack, const char *target, int *phases)
{
    json_t *answer = call(rig,
                          "{\"action\": \"start\", \"workflow_type\": \"%s\", "
                          "\"target_file\": \"%s\", \"options\": {\"spec_path\": \"%s\"}}",
                          pack, target, target);
    char id[37];
    bool done = false;
    int count = 0;

    CHECK_STR(answer_text(answer, "status"), "success");
    memcpy(id, answer_text(answer, "session_id"), 37);
    json_decref(answer);
    for (*phases = 0; !done; ++*phases) {
        json_t *phase = call(rig, "{\"action\": \"get_phase\", " IN("%s") "}", id), *task;
        int current = answer_number(phase, "current_phase");
        size_t i;
        json_t *row;

        CHECK_STR(answer_text(phase, "status"), "success");
        CHECK(*answer_text(phase, "phase_content"));
        json_array_foreach(json_object_get(phase, "tasks"), i, row) {
            task = call(rig,
                        "{\"action\": \"get_task\", " IN("%s") ", \"phase\": %d, "
                                                               "\"task_number\": %d}",
                        id, current, answer_number(row, "task_number"));
            if (json_is_true(json_object_get(row, "missing"))) {
                CHECK_STR(answer_text(task, "error_type"), "NotFoundError");
            } else {
                CHECK_STR(answer_text(task, "status"), "success");
                CHECK(*answer_text(task, "content"));
                CHECK_STR(answer_text(task, "task_name"), answer_text(row, "task_name"));
            }
            json_decref(task);
            count++;
        }
        json_decref(phase);
        answer =
            call(rig,
                 "{\"action\": \"complete_phase\", " IN("%s") ", \"phase\": %d, "
                                                              "\"evidence\": {\"done\": true}}",
                 id, current);
        CHECK(json_is_true(json_object_get(answer, "checkpoint_passed")));
        done = json_is_true(json_object_get(answer, "workflow_complete"));
        json_decref(answer);
    }
    return count;
}

static void
the_real_packs_run_to_their_end(void **state)
{
    struct engine_rig rig;
    struct dir_list specs;
    int phases, tasks, all_phases = 0, all_tasks = 0;
    (void)state;

    engine_rig_init(&rig);
    engine_rig_add_praxis(&rig);
    tasks = run_pack(&rig, "spec_creation_v1", "user-auth", &phases);
    CHECK_INT(phases, 6);
    CHECK(tasks >= 25);
    tasks = run_pack(&rig, "standards_creation_v1", "naming.md", &phases);
    CHECK_INT(phases, 6);
    CHECK(tasks >= 30);
    CHECK_INT(dir_list(tree_dir(rig.tree), "specs", 100, &specs, NULL), E_OK);
    for (size_t i = 0; i < specs.count; i++) {
        char path[256];

        if (specs.entries[i].folder) {
            snprintf(path, sizeof path, "specs/%s", specs.entries[i].name);
            all_tasks += run_pack(&rig, "spec_execution_v1", path, &phases) - 3;
            all_phases += phases - 1;
        }
    }
    CHECK_INT(all_phases, 47);
    CHECK_INT(all_tasks, 235);
    dir_list_fini(&specs);
    engine_rig_fini(&rig);
}

static void
dynamic_sessions_outlive_their_source(void **state)
{
    struct engine_rig rig;
    json_t *answer;
    char id[37];
    const char *spec = "specs/2025-10-11-mcp-dual-transport";
    (void)state;

    engine_rig_init(&rig);
    engine_rig_add_praxis(&rig);
    /* A source that is not there: an error, and nothing remains. */
    json_decref(
        expect_refused(call(&rig, "{\"action\": \"start\", \"workflow_type\": "
                                  "\"spec_execution_v1\", \"target_file\": \"specs/none\"}"),
                       "NotFoundError", "specs/none"));
    answer = call(&rig, "{\"action\": \"list_sessions\"}");
    CHECK_INT(answer_number(answer, "count"), 0);
    json_decref(answer);
    start_session(&rig, "spec_execution_v1", spec, id);
    CHECK(passed_phase(&rig, id, 0, "{\"x\": 1}"));
    answer = call(&rig, "{\"action\": \"get_state\", " IN("%s") "}", id);
    CHECK(!json_object_get(answer, "warnings"));
    json_decref(answer);
    tree_remove(rig.tree, spec);
    answer = call(&rig,
                  "{\"action\": \"get_task\", " IN("%s") ", \"phase\": 1, "
                                                         "\"task_number\": 1}",
                  id);
    CHECK_STR(answer_text(answer, "source"), "dynamic");
    CHECK_INT(json_array_size(json_object_get(answer, "warnings")), 1);
    json_decref(answer);
    engine_rig_restart(&rig); /* Now it cannot be loaded any more; what is known is still told. */
    answer = call(&rig, "{\"action\": \"get_state\", " IN("%s") "}", id);
    CHECK_INT(answer_number(json_object_get(answer, "workflow_state"), "current_phase"), 1);
    CHECK_INT(json_array_size(json_object_get(answer, "warnings")), 1);
    json_decref(answer);
    json_decref(expect_refused(call(&rig, "{\"action\": \"get_phase\", " IN("%s") "}", id),
                               "NotFoundError", "mcp-dual-transport"));
    answer =
        call(&rig, "{\"action\": \"pause\", " IN("%s") ", \"checkpoint_note\": \"no list\"}", id);
    CHECK_STR(answer_text(answer, "status"), "success");
    json_decref(answer);
    engine_rig_add_praxis(&rig); /* It came back. */
    answer = call(&rig, "{\"action\": \"resume\", " IN("%s") "}", id);
    CHECK_STR(answer_text(answer, "source"), "dynamic");
    CHECK(json_is_true(json_object_get(answer, "resumed")));
    json_decref(answer);
    answer = call(&rig, "{\"action\": \"get_phase\", " IN("%s") "}", id);
    CHECK_STR(answer_text(answer, "source"), "dynamic");
    json_decref(answer);
    engine_rig_fini(&rig);
}

static void
gates_in_their_tiers(void **state)
{
    static const char file[] = ".tandem/workflows/open/phases/0/gate-definition.yaml";
    struct engine_rig rig;
    json_t *answer, *result;
    char id[37];
    (void)state;

    engine_rig_init(&rig);
    start_session(&rig, "open", "a", id);
    /* Tier 1, unusable: never a pass, whatever it says about strictness. */
    tree_write(rig.tree, file, "checkpoint:\n  strict: true\n evidence_schema: [\n");
    answer = expect_refused(
        call(&rig,
             "{\"action\": \"complete_phase\", " IN("%s") ", \"phase\": 0, "
                                                          "\"evidence\": {\"a\": 1}}",
             id),
        "ValidationError", "gate unusable");
    CHECK(answer_number(answer, "line") > 0);
    CHECK_INT(answer_number(answer, "current_phase"), 0);
    CHECK_STR(answer_text(answer, "session_status"), "active");
    json_decref(answer);
    answer = call(&rig, "{\"action\": \"get_errors\", " IN("%s") "}", id);
    CHECK_INT(answer_number(answer, "error_count"), 1);
    CHECK(strstr(answer_text(json_object_get(answer, "last_error"), "message"), "gate unusable"));
    json_decref(answer);
    /* An edit counts at once. */
    tree_write(rig.tree, file,
               "checkpoint:\n  strict: true\nevidence_schema:\n  a:\n    type: string\n"
               "    required: true\nvalidators: {}\n");
    CHECK(!passed_phase(&rig, id, 0, "{\"a\": 1}"));
    tree_remove(rig.tree, file);
    /* Tier 2: what phase.md asks for; lenient. */
    tree_write(rig.tree, ".tandem/workflows/open/phases/0/phase.md",
               "# P\n\n## Validation Gate\n\n- [ ] Report is written \xE2\x9C\x85/\xE2\x9D\x8C\n");
    answer = call(&rig,
                  "{\"action\": \"complete_phase\", " IN("%s") ", \"phase\": 0, "
                                                               "\"evidence\": {\"a\": 1}}",
                  id);
    CHECK(json_is_true(json_object_get(answer, "checkpoint_passed")));
    result = json_object_get(answer, "validation_result");
    CHECK_STR(answer_text(json_object_get(result, "diagnostics"), "gate_source"), "derived");
    CHECK(json_array_size(json_object_get(result, "warnings")) > 0);
    json_decref(answer);
    /* Tier 3. */
    answer = call(&rig,
                  "{\"action\": \"complete_phase\", " IN("%s") ", \"phase\": 1, "
                                                               "\"evidence\": {\"a\": 1}}",
                  id);
    result = json_object_get(answer, "validation_result");
    CHECK_STR(answer_text(json_object_get(result, "diagnostics"), "gate_source"), "permissive");
    CHECK(json_array_size(json_object_get(result, "warnings")) > 0);
    CHECK(json_is_true(json_object_get(answer, "workflow_complete")));
    CHECK(json_is_null(json_object_get(answer, "next_phase")));
    CHECK(*answer_text(answer, "message"));
    json_decref(answer);
    engine_rig_fini(&rig);
}

static void
overrides_and_approvals(void **state)
{
    struct engine_rig rig;
    json_t *answer;
    char id[37];
    (void)state;

    engine_rig_init(&rig);
    tree_write(rig.tree, ".tandem/workflows/open/phases/0/gate-definition.yaml",
               "checkpoint:\n  strict: true\n  allow_override: true\nevidence_schema:\n"
               "  a:\n    type: string\n    required: true\n");
    start_session(&rig, "open", "a", id);
    CHECK(!passed_phase(&rig, id, 0, "{}"));
    answer = call(&rig,
                  "{\"action\": \"complete_phase\", " IN(
                      "%s") ", \"phase\": 0, "
                            "\"evidence\": {\"_override\": {\"reason\": \"the owner agreed\"}}}",
                  id);
    CHECK(json_is_true(json_object_get(answer, "overridden")));
    json_decref(answer);

    tree_write(rig.tree, ".tandem/workflows/made/metadata.json",
               "{\"workflow_type\": \"made\", \"version\": \"1\", \"total_phases\": \"dynamic\", "
               "\"dynamic_phases\": true, \"dynamic_config\": {\"source_type\": \"definition\", "
               "\"source_path_key\": \"definition_path\", \"parser\": "
               "\"workflow_definition_parser\", \"templates\": {\"phase\": "
               "\"phases/dynamic/phase-template.md\", \"task\": "
               "\"phases/dynamic/task-template.md\"}}, \"phases\": []}");
    tree_write(rig.tree, ".tandem/workflows/made/phases/dynamic/phase-template.md",
               "# [PHASE_NAME]\n");
    tree_write(rig.tree, ".tandem/workflows/made/phases/dynamic/task-template.md",
               "# [TASK_NAME]\n");
    tree_write(rig.tree, "def.yaml",
               "phases:\n  - number: 0\n    name: Build\n    purpose: p\n    tasks:\n"
               "      - number: 1\n        name: t\n        purpose: q\n    validation_gate:\n"
               "      human_approval_required: true\n      evidence_required:\n"
               "        built:\n          type: boolean\n          description: d\n");
    answer = call(&rig, "{\"action\": \"start\", \"workflow_type\": \"made\", \"target_file\": "
                        "\"x\", \"options\": {\"definition_path\": \"def.yaml\"}}");
    CHECK_STR(answer_text(answer, "status"), "success");
    memcpy(id, answer_text(answer, "session_id"), 37);
    json_decref(answer);
    answer = expect_refused(
        call(&rig,
             "{\"action\": \"complete_phase\", " IN("%s") ", \"phase\": 0, "
                                                          "\"evidence\": {\"built\": true}}",
             id),
        "ValidationError", "human_approved");
    CHECK(strstr(answer_text(answer, "remediation"), "person"));
    json_decref(answer);
    CHECK(passed_phase(&rig, id, 0, "{\"built\": true, \"human_approved\": true}"));
    engine_rig_fini(&rig);
}

static void
pause_and_resume(void **state)
{
    struct engine_rig rig;
    json_t *answer, *checkpoint;
    char id[37];
    (void)state;

    engine_rig_init(&rig);
    start_session(&rig, "strict", "a", id);
    answer =
        call(&rig, "{\"action\": \"pause\", " IN("%s") ", \"checkpoint_note\": \"lunch\"}", id);
    CHECK(json_is_true(json_object_get(answer, "paused")));
    CHECK(json_is_true(json_object_get(answer, "resume_capable")));
    checkpoint = json_object_get(answer, "checkpoint");
    CHECK_INT(answer_number(checkpoint, "phase"), 0);
    CHECK_STR(answer_text(checkpoint, "note"), "lunch");
    CHECK_STR(answer_text(checkpoint, "timestamp"), "2023-11-14T22:13:20.000Z");
    json_decref(answer);
    json_decref(expect_refused(call(&rig, "{\"action\": \"pause\", " IN("%s") "}", id),
                               "StateError", "paused already"));
    answer = expect_refused(
        call(&rig,
             "{\"action\": \"complete_phase\", " IN("%s") ", \"phase\": 0, "
                                                          "\"evidence\": " STRICT_EVIDENCE "}",
             id),
        "StateError", "paused");
    CHECK_STR(answer_text(json_array_get(json_object_get(answer, "next_calls"), 0), "action"),
              "resume");
    json_decref(answer);
    answer = call(&rig, "{\"action\": \"get_phase\", " IN("%s") "}", id);
    CHECK_STR(answer_text(answer, "session_status"), "paused");
    CHECK(*answer_text(answer, "phase_content"));
    json_decref(answer);
    answer = call(&rig,
                  "{\"action\": \"get_task\", " IN("%s") ", \"phase\": 0, "
                                                         "\"task_number\": 1}",
                  id);
    CHECK_STR(answer_text(answer, "status"), "success");
    json_decref(answer);
    answer = call(&rig, "{\"action\": \"start\", \"workflow_type\": \"strict\", "
                        "\"target_file\": \"a\"}");
    CHECK(json_is_true(json_object_get(answer, "resumed")));
    CHECK_STR(answer_text(answer, "session_status"), "paused");
    CHECK_INT(json_array_size(json_object_get(answer, "warnings")), 1);
    json_decref(answer);
    answer = call(&rig, "{\"action\": \"list_sessions\", \"status\": \"paused\"}");
    CHECK_INT(answer_number(answer, "count"), 1);
    json_decref(answer);
    fake_clock_pass(&rig.clock, 90 * SECOND);
    answer = call(&rig, "{\"action\": \"resume\", " IN("%s") "}", id);
    CHECK(json_is_true(json_object_get(answer, "resumed")));
    CHECK(json_real_value(json_object_get(answer, "paused_duration_seconds")) == 90);
    CHECK_INT(answer_number(answer, "current_phase"), 0);
    CHECK(*answer_text(answer, "phase_content"));
    json_decref(answer);
    json_decref(expect_refused(call(&rig, "{\"action\": \"resume\", " IN("%s") "}", id),
                               "StateError", "not paused"));
    engine_rig_fini(&rig);
}

static void
retry_and_rollback(void **state)
{
    struct engine_rig rig;
    json_t *answer;
    char id[37];
    (void)state;

    engine_rig_init(&rig);
    start_session(&rig, "strict", "a", id);
    json_decref(
        expect_refused(call(&rig, "{\"action\": \"retry_phase\", " IN("%s") ", \"phase\": 0}", id),
                       "StateError", "not failed"));
    CHECK(!passed_phase(&rig, id, 0, "{\"count\": 1}"));
    answer = call(&rig, "{\"action\": \"list_sessions\", \"status\": \"error\"}");
    CHECK_INT(answer_number(answer, "count"), 1);
    CHECK_STR(answer_text(json_array_get(json_object_get(answer, "sessions"), 0), "session_status"),
              "failed");
    json_decref(answer);
    answer = call(&rig,
                  "{\"action\": \"retry_phase\", " IN("%s") ", \"phase\": 0, "
                                                            "\"reset_evidence\": true}",
                  id);
    CHECK(json_is_true(json_object_get(answer, "retrying")));
    CHECK(json_is_true(json_object_get(answer, "evidence_reset")));
    CHECK_INT(json_array_size(json_object_get(answer, "previous_errors")), 1);
    CHECK_STR(answer_text(answer, "session_status"), "active");
    CHECK(*answer_text(answer, "phase_content"));
    json_decref(answer);
    for (int i = 0; i < 3; i++) {
        pass_phase(&rig, id, i);
    }
    json_decref(
        expect_refused(call(&rig, "{\"action\": \"retry_phase\", " IN("%s") ", \"phase\": 2}", id),
                       "StateError", "completed"));
    answer = call(&rig, "{\"action\": \"rollback\", " IN("%s") ", \"to_phase\": 1}", id);
    CHECK_INT(answer_number(answer, "from_phase"), 2);
    CHECK_INT(answer_number(answer, "to_phase"), 1);
    CHECK_INT(answer_number(answer, "artifacts_cleared"), 2);
    CHECK_STR(answer_text(answer, "session_status"), "active");
    CHECK_STR(answer_text(answer, "phase_name"), "Phase 1 of strict");
    json_decref(answer);
    json_decref(
        expect_refused(call(&rig, "{\"action\": \"rollback\", " IN("%s") ", \"to_phase\": 1}", id),
                       "StateError", "completed phase before"));
    json_decref(expect_refused(call(&rig,
                                    "{\"action\": \"get_task\", " IN("%s") ", \"phase\": 2, "
                                                                           "\"task_number\": 1}",
                                    id),
                               "StateError", "not open"));
    pass_phase(&rig, id, 1);
    pass_phase(&rig, id, 2);
    engine_rig_fini(&rig);
}

static void
state_after_a_restart(void **state)
{
    struct engine_rig rig;
    json_t *answer, *told, *resumption;
    char id[37];
    (void)state;

    engine_rig_init(&rig);
    start_session(&rig, "strict", "a", id);
    fake_clock_pass(&rig.clock, 30 * SECOND);
    pass_phase(&rig, id, 0);
    fake_clock_pass(&rig.clock, 10 * SECOND);
    CHECK(!passed_phase(&rig, id, 1, "{\"count\": 1}"));
    engine_rig_restart(&rig);
    answer = call(&rig, "{\"action\": \"get_state\", " IN("%s") "}", id);
    told = json_object_get(answer, "workflow_state");
    CHECK_STR(answer_text(told, "session_id"), id);
    CHECK_INT(answer_number(told, "current_phase"), 1);
    CHECK_STR(answer_text(told, "current_phase_title"), "Phase 1 of strict");
    CHECK_INT(answer_number(told, "total_phases"), 3);
    CHECK(json_is_false(json_object_get(told, "is_complete")));
    CHECK_STR(answer_text(json_object_get(told, "checkpoints"), "0"), "passed");
    resumption = json_object_get(told, "resumption");
    CHECK_INT(answer_number(resumption, "percent_complete"), 33);
    CHECK_INT(answer_number(resumption, "phases_remaining_count"), 2);
    CHECK(json_real_value(json_object_get(json_object_get(resumption, "phase_seconds"), "0")) ==
          30);
    CHECK(json_real_value(json_object_get(resumption, "average_phase_seconds")) == 30);
    CHECK(json_real_value(json_object_get(resumption, "current_phase_seconds")) == 10);
    CHECK_INT(answer_number(json_object_get(resumption, "last_error"), "phase"), 1);
    CHECK_INT(json_array_size(json_object_get(resumption, "next_calls")), 3);
    CHECK(!json_object_get(answer, "warnings"));
    json_decref(answer);
    tree_write(rig.tree, ".tandem/workflows/strict/phases/1/task-1-do.md", "Do otherwise.\n");
    answer = call(&rig, "{\"action\": \"get_state\", " IN("%s") "}", id);
    CHECK(strstr(json_string_value(json_array_get(json_object_get(answer, "warnings"), 0)),
                 "changed since"));
    json_decref(answer);
    tree_remove(rig.tree, ".tandem/workflows/strict");
    engine_rig_restart(&rig);
    answer = call(&rig, "{\"action\": \"get_state\", " IN("%s") "}", id);
    CHECK_INT(answer_number(json_object_get(answer, "workflow_state"), "current_phase"), 1);
    CHECK_INT(json_array_size(json_object_get(answer, "warnings")), 1);
    json_decref(answer);
    json_decref(expect_refused(
        call(&rig,
             "{\"action\": \"complete_phase\", " IN("%s") ", \"phase\": 1, "
                                                          "\"evidence\": " STRICT_EVIDENCE "}",
             id),
        "NotFoundError", "strict"));
    engine_rig_fini(&rig);
}

static void
what_follows_may_be_unreadable(void **state)
{
    struct engine_rig rig;
    json_t *answer;
    char id[37];
    (void)state;

    engine_rig_init(&rig);
    start_session(&rig, "open", "a", id);
    tree_write(rig.tree, ".tandem/workflows/open/phases/1/phase.md", "\xFF\xFE");
    answer = call(&rig,
                  "{\"action\": \"complete_phase\", " IN("%s") ", \"phase\": 0, "
                                                               "\"evidence\": {\"a\": 1}}",
                  id);
    CHECK_STR(answer_text(answer, "status"), "success"); /* It has happened. */
    CHECK(json_is_null(json_object_get(answer, "next_phase_content")));
    CHECK_INT(json_array_size(json_object_get(answer, "warnings")), 1);
    json_decref(answer);
    tree_write(rig.tree, ".tandem/workflows/open/phases/0/phase.md", "\xFF\xFE");
    json_decref(expect_refused(call(&rig, "{\"action\": \"start\", \"workflow_type\": \"open\", "
                                          "\"target_file\": \"b\"}"),
                               "ValidationError", "UTF-8"));
    answer = call(&rig, "{\"action\": \"list_sessions\"}");
    CHECK_INT(answer_number(answer, "count"), 1);
    json_decref(answer);
    engine_rig_fini(&rig);
}

static void
deleting(void **state)
{
    struct engine_rig rig;
    json_t *answer;
    char id[37];
    (void)state;

    engine_rig_init(&rig);
    start_session(&rig, "open", "a", id);
    answer = call(&rig, "{\"action\": \"delete_session\", " IN("%s") ", \"reason\": \"old\"}", id);
    CHECK(json_is_true(json_object_get(answer, "deleted")));
    CHECK_STR(answer_text(answer, "session_id"), id);
    json_decref(answer);
    answer = expect_refused(call(&rig, "{\"action\": \"delete_session\", " IN("%s") "}", id),
                            "NotFoundError", id);
    CHECK(json_is_false(json_object_get(answer, "deleted")));
    json_decref(answer);
    json_decref(expect_refused(call(&rig, "{\"action\": \"get_phase\", " IN("%s") "}", id),
                               "NotFoundError", id));
    engine_rig_fini(&rig);
}

static void
lists(void **state)
{
    struct engine_rig rig;
    json_t *answer, *row;
    char a[37], b[37];
    (void)state;

    engine_rig_init(&rig);
    answer = call(&rig, "{\"action\": \"list_workflows\"}");
    CHECK_INT(answer_number(answer, "count"), 2);
    json_decref(answer);
    tree_write(rig.tree, ".tandem/workflows/new/metadata.json", /* Seen at once. */
               "{\"workflow_type\": \"new\", \"category\": \"docs\", \"phases\": "
               "[{\"phase_number\": 0}]}");
    tree_mkdir(rig.tree, ".tandem/workflows/new/phases/0");
    tree_write(rig.tree, ".tandem/workflows/broken/metadata.json", "{\"workflow_type\": ");
    answer = call(&rig, "{\"action\": \"list_workflows\"}");
    CHECK_INT(answer_number(answer, "count"), 3);
    CHECK_INT(json_array_size(json_object_get(answer, "warnings")), 1);
    json_decref(answer);
    answer = call(&rig, "{\"action\": \"list_workflows\", \"category\": \"docs\"}");
    CHECK_INT(answer_number(answer, "count"), 1);
    json_decref(answer);
    json_decref(expect_refused(call(&rig, "{\"action\": \"start\", \"workflow_type\": \"broken\", "
                                          "\"target_file\": \"a\"}"),
                               "ValidationError", "metadata.json"));
    json_decref(expect_refused(call(&rig, "{\"action\": \"start\", \"workflow_type\": \"strictt\", "
                                          "\"target_file\": \"a\"}"),
                               "NotFoundError", "strictt"));

    start_session(&rig, "open", "a", a);
    fake_clock_pass(&rig.clock, SECOND);
    start_session(&rig, "strict", "b", b);
    answer = call(&rig, "{\"action\": \"list_sessions\"}");
    CHECK_INT(answer_number(answer, "count"), 2);
    row = json_array_get(json_object_get(answer, "sessions"), 0);
    CHECK_STR(answer_text(row, "session_id"), b);
    CHECK_STR(answer_text(row, "workflow_type"), "strict");
    CHECK_STR(answer_text(row, "session_status"), "active");
    CHECK_INT(answer_number(row, "current_phase"), 0);
    CHECK(*answer_text(row, "created_at") && *answer_text(row, "updated_at"));
    json_decref(answer);
    answer = call(&rig, "{\"action\": \"list_sessions\", \"status\": \"completed\"}");
    CHECK_INT(answer_number(answer, "count"), 0);
    json_decref(answer);
    json_decref(expect_refused(call(&rig, "{\"action\": \"list_sessions\", \"status\": \"odd\"}"),
                               "ValueError", "status"));
    tree_write(rig.tree, ".tandem/state/0a1b2c3d-0000-4000-8000-00000000000f.json", "{");
    answer = call(&rig, "{\"action\": \"list_sessions\"}");
    CHECK_INT(answer_number(answer, "unreadable"), 1);
    json_decref(answer);
    answer = call(&rig, "{\"action\": \"get_state\", "
                        "\"session_id\": \"0a1b2c3d-0000-4000-8000-00000000000f\"}");
    json_decref(expect_refused(answer, "RuntimeError", "set aside"));
    engine_rig_fini(&rig);
}

static void
old_sessions_go_on(void **state)
{
    struct engine_rig rig;
    struct buf path = BUF_INIT;
    json_t *answer, *told;
    static const char ids[][37] = {
        "10000000-0000-4000-8000-000000000001", "10000000-0000-4000-8000-000000000002",
        "10000000-0000-4000-8000-000000000003", "10000000-0000-4000-8000-000000000004",
        "10000000-0000-4000-8000-000000000005", "10000000-0000-4000-8000-000000000006"};
    (void)state;

    engine_rig_init(&rig);
    engine_rig_add_praxis(&rig);
    tree_copy(rig.tree, "tests/fixtures/sessions", ".tandem/state");
    answer = call(&rig, "{\"action\": \"list_sessions\"}");
    CHECK_INT(answer_number(answer, "count"), 6);
    json_decref(answer);
    for (size_t i = 0; i < 6; i++) {
        answer = call(&rig, "{\"action\": \"get_state\", " IN("%s") "}", ids[i]);
        CHECK_STR(answer_text(answer, "status"), "success");
        json_decref(answer);
    }
    answer = call(&rig, "{\"action\": \"get_phase\", " IN("%s") "}", ids[0]);
    CHECK_INT(answer_number(answer, "phase"), 2);
    CHECK_STR(answer_text(answer, "phase_name"), "Technical Design");
    json_decref(answer);
    CHECK(passed_phase(&rig, ids[0], 2, "{\"a\": 1}"));
    answer = call(&rig, "{\"action\": \"start\", \"workflow_type\": \"spec_creation_v1\", "
                        "\"target_file\": \"user-auth\"}");
    CHECK_STR(answer_text(answer, "session_id"), ids[0]);
    json_decref(answer);
    /* The fourth names its source by an absolute path of another machine: told, and not followed.
     */
    json_decref(expect_refused(call(&rig, "{\"action\": \"get_phase\", " IN("%s") "}", ids[3]),
                               "ValueError", ""));
    answer = call(&rig, "{\"action\": \"get_state\", " IN("%s") "}", ids[3]);
    told = json_object_get(answer, "workflow_state");
    CHECK_INT(answer_number(told, "current_phase"), 5);
    json_decref(answer);
    answer = call(&rig, "{\"action\": \"rollback\", " IN("%s") ", \"to_phase\": 4}", ids[1]);
    CHECK_STR(answer_text(answer, "session_status"), "active");
    json_decref(answer);
    buf_fini(&path);
    engine_rig_fini(&rig);
}

static void
sessions_are_cleaned_up(void **state)
{
    struct engine_rig rig;
    struct workflow_counters c;
    char id[37];
    (void)state;

    engine_rig_init(&rig);
    start_session(&rig, "open", "a", id);
    start_session(&rig, "open", "b", id);
    json_decref(call(&rig, "{\"action\": \"pause\", " IN("%s") "}", id));
    fake_clock_pass(&rig.clock, 8ll * 24 * 3600 * SECOND);
    CHECK_INT(workflow_clean(state_workflow(rig.state)), 1);
    c = workflow_counters(state_workflow(rig.state));
    CHECK_INT(c.sessions_on_disk, 1);
    CHECK_INT(c.sessions_paused, 1);
    CHECK_INT(c.cleaned, 1);
    engine_rig_fini(&rig);
}

/* Many threads, one session: one completion passes; the gate is parsed once a version. */
struct crowd {
    struct engine_rig *rig;
    char id[37];
    int phase;
    _Atomic unsigned passed, mismatched, other;
};

static void
complete_in_crowd(void *arg, unsigned i)
{
    struct crowd *c = arg;
    json_t *answer = call_plain(c->rig,
                                "{\"action\": \"complete_phase\", " IN(
                                    "%s") ", "
                                          "\"phase\": %d, \"evidence\": " STRICT_EVIDENCE "}",
                                c->id, c->phase);
    const char *type = answer_text(answer, "error_type");

    (void)i;
    if (!*type) {
        atomic_fetch_add(&c->passed, 1);
    } else if (strcmp(type, "StateError") == 0 &&
               answer_number(answer, "current_phase") != c->phase) {
        atomic_fetch_add(&c->mismatched, 1);
    } else {
        atomic_fetch_add(&c->other, 1);
    }
    json_decref(answer);
}

static void
one_of_a_crowd_completes(void **state)
{
    static const char file[] = ".tandem/workflows/strict/phases/0/gate-definition.yaml";
    struct engine_rig rig;
    struct crowd c = {.rig = &rig};
    struct workflow_counters counters;
    struct buf gate = BUF_INIT;
    (void)state;

    engine_rig_init(&rig);
    start_session(&rig, "strict", "a", c.id);
    for (c.phase = 0; c.phase < 2; c.phase++) {
        atomic_store(&c.passed, 0);
        atomic_store(&c.mismatched, 0);
        run_together(50, complete_in_crowd, &c);
        CHECK_INT(c.passed, 1);
        CHECK_INT(c.mismatched, 49);
        CHECK_INT(c.other, 0);
        counters = workflow_counters(state_workflow(rig.state));
        CHECK_INT(counters.gates.misses, (unsigned)c.phase + 1);
        CHECK_INT(counters.gates.load_failures, 0);
    }
    /* Another session of the pack: its gates are there. */
    start_session(&rig, "strict", "b", c.id);
    pass_phase(&rig, c.id, 0);
    pass_phase(&rig, c.id, 1);
    counters = workflow_counters(state_workflow(rig.state));
    CHECK_INT(counters.gates.misses, 2);
    /* The same text in a new file is a new version. */
    CHECK_INT(dir_read(tree_dir(rig.tree), file, 65536, &gate, NULL, NULL), E_OK);
    tree_write(rig.tree, file, gate.data);
    start_session(&rig, "strict", "c", c.id);
    pass_phase(&rig, c.id, 0);
    counters = workflow_counters(state_workflow(rig.state));
    CHECK_INT(counters.gates.misses, 3);
    CHECK_INT(counters.conflicts, 0);
    buf_fini(&gate);
    engine_rig_fini(&rig);
}

/* Sub-agents that work on sessions of their own and on a shared one, while others look. */
static void
mix_calls(void *arg, unsigned i)
{
    struct crowd *c = arg;

    for (int round = 0; round < 6; round++) {
        json_t *answer;

        switch ((i + (unsigned)round) % 6) {
        case 0:
            answer = call_plain(c->rig,
                                "{\"action\": \"start\", \"workflow_type\": \"open\", "
                                "\"target_file\": \"t%d\"}",
                                round % 3);
            break;
        case 1:
            answer = call_plain(c->rig, "{\"action\": \"get_phase\", " IN("%s") "}", c->id);
            break;
        case 2:
            answer = call_plain(c->rig, "{\"action\": \"list_sessions\"}");
            break;
        case 3:
            answer = call_plain(c->rig, "{\"action\": \"get_state\", " IN("%s") "}", c->id);
            break;
        case 4:
            answer = call_plain(c->rig, "{\"action\": \"list_workflows\"}");
            break;
        default:
            answer = call_plain(c->rig,
                                "{\"action\": \"get_task\", " IN("%s") ", \"phase\": 0, "
                                                                       "\"task_number\": 1}",
                                c->id);
            break;
        }
        atomic_fetch_add(&c->other, strcmp(answer_text(answer, "status"), "success") != 0);
        json_decref(answer);
    }
}

static void
calls_of_all_kinds_at_once(void **state)
{
    struct engine_rig rig;
    struct crowd c = {.rig = &rig};
    json_t *answer;
    (void)state;

    engine_rig_init(&rig);
    start_session(&rig, "strict", "a", c.id);
    run_together(24, mix_calls, &c);
    CHECK_INT(c.other, 0);
    answer = call(&rig, "{\"action\": \"list_sessions\"}");
    CHECK_INT(answer_number(answer, "count"), 4); /* a, t0, t1, t2: none twice. */
    json_decref(answer);
    engine_rig_fini(&rig);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_guidance_comes_first),
        cmocka_unit_test(strict_gates_cannot_be_claimed_through),
        cmocka_unit_test(a_run_from_start_to_end),
        cmocka_unit_test(the_real_packs_run_to_their_end),
        cmocka_unit_test(dynamic_sessions_outlive_their_source),
        cmocka_unit_test(gates_in_their_tiers),
        cmocka_unit_test(overrides_and_approvals),
        cmocka_unit_test(pause_and_resume),
        cmocka_unit_test(retry_and_rollback),
        cmocka_unit_test(state_after_a_restart),
        cmocka_unit_test(what_follows_may_be_unreadable),
        cmocka_unit_test(deleting),
        cmocka_unit_test(lists),
        cmocka_unit_test(old_sessions_go_on),
        cmocka_unit_test(sessions_are_cleaned_up),
        cmocka_unit_test(one_of_a_crowd_completes),
        cmocka_unit_test(calls_of_all_kinds_at_once),
    };
    return CHECK_RUN(tests);
}
