/* test_workflow_arguments.c -- the engine as a client sees it: what each action needs, and what it
 * does with all that it should not be given. */
#include "tests/check.h"

#include "tests/engine_rig.h"

#include <stdio.h>
#include <unistd.h>

static void
actions_say_what_they_need(void **state)
{
    static const struct {
        const char *args, *word;
    } cases[] = {
        {"{}", "unknown action"},
        {"{\"action\": \"fly\"}", "unknown action 'fly'"},
        {"{\"action\": \"start\"}", "needs workflow_type"},
        {"{\"action\": \"start\", \"workflow_type\": \"open\"}", "needs target_file"},
        {"{\"action\": \"get_phase\"}", "needs session_id"},
        {"{\"action\": \"get_task\", \"session_id\": null}", "needs session_id"},
        {"{\"action\": \"get_task\", \"session_id\": \"x\"}", "needs phase"},
        {"{\"action\": \"get_task\", \"session_id\": \"x\", \"phase\": 1}", "needs task_number"},
        {"{\"action\": \"complete_phase\", \"session_id\": \"x\", \"phase\": 1}", "needs evidence"},
        {"{\"action\": \"get_state\"}", "needs session_id"},
        {"{\"action\": \"get_session\"}", "needs session_id"},
        {"{\"action\": \"get_errors\"}", "needs session_id"},
        {"{\"action\": \"delete_session\"}", "needs session_id"},
        {"{\"action\": \"pause\"}", "needs session_id"},
        {"{\"action\": \"resume\"}", "needs session_id"},
        {"{\"action\": \"retry_phase\", \"session_id\": \"x\"}", "needs phase"},
        {"{\"action\": \"rollback\", \"session_id\": \"x\"}", "needs to_phase"},
        {"{\"action\": \"get_phase\", \"session_id\": \"x\", \"phase\": -1}", "out of range"},
        {"{\"action\": \"get_phase\", \"session_id\": \"x\", \"phase\": 1e300}", "out of range"},
    };
    struct engine_rig rig;
    json_t *answer, *names;
    (void)state;

    engine_rig_init(&rig);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_decref(expect_refused(call(&rig, "%s", cases[i].args), "ValueError", cases[i].word));
    }
    answer = call(&rig, "{\"action\": \"fly\"}");
    CHECK_STR(answer_text(answer, "action"), "fly");
    names = json_object_get(answer, "valid_actions");
    CHECK_INT(json_array_size(names), 14);
    for (size_t i = 1; i < 14; i++) {
        CHECK(strcmp(json_string_value(json_array_get(names, i - 1)),
                     json_string_value(json_array_get(names, i))) < 0);
    }
    json_decref(answer);
    engine_rig_fini(&rig);
}

/* The engine checks by itself what the tool's table has checked before it. */
static void
the_engine_trusts_nobody(void **state)
{
    static workflow_action *const actions[] = {
        workflow_start,     workflow_get_phase,   workflow_get_task,       workflow_complete_phase,
        workflow_get_state, workflow_get_session, workflow_delete_session, workflow_pause,
        workflow_resume,    workflow_retry_phase, workflow_rollback,       workflow_get_errors,
    };
    struct engine_rig rig;
    struct workflow_args a = {.action = "x"};
    struct fault f;
    json_t *answer;
    char id[37];
    (void)state;

    engine_rig_init(&rig);
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        answer = NULL;
        CHECK_INT(actions[i](state_workflow(rig.state), &a, &answer, &f), E_ARGUMENT);
        CHECK_STR(answer_text(answer, "status"), "error");
        json_decref(answer);
    }
    start_session(&rig, "open", "a", id);
    a.session_id = id;
    CHECK_INT(workflow_complete_phase(state_workflow(rig.state), &a, &answer, &f), E_ARGUMENT);
    CHECK(strstr(answer_text(answer, "remediation"), "current phase is 0"));
    json_decref(answer);
    CHECK_INT(workflow_get_task(state_workflow(rig.state), &a, &answer, &f), E_ARGUMENT);
    json_decref(answer);
    a.has_phase = true;
    CHECK_INT(workflow_get_task(state_workflow(rig.state), &a, &answer, &f), E_ARGUMENT);
    json_decref(answer);
    CHECK_INT(workflow_complete_phase(state_workflow(rig.state), &a, &answer, &f), E_ARGUMENT);
    json_decref(answer);
    workflow_destroy(NULL);
    engine_rig_fini(&rig);
}

static void
many_refusals_are_counted(void **state)
{
    struct engine_rig rig;
    json_t *answer;
    char id[37];
    (void)state;

    engine_rig_init(&rig);
    start_session(&rig, "strict", "a", id);
    for (int i = 0; i < 103; i++) {
        CHECK(!passed_phase(&rig, id, 0, "{}"));
    }
    answer = call(&rig, "{\"action\": \"get_errors\", " IN("%s") "}", id);
    CHECK_INT(answer_number(answer, "error_count"), 100);
    CHECK_INT(answer_number(answer, "left_out"), 3);
    json_decref(answer);
    engine_rig_fini(&rig);
}

static void
every_action_checks_the_session_id(void **state)
{
    static const char *const actions[] = {
        "\"get_phase\"",
        "\"get_state\"",
        "\"get_session\"",
        "\"get_errors\"",
        "\"delete_session\"",
        "\"pause\"",
        "\"resume\"",
        "\"get_task\", \"phase\": 0, \"task_number\": 1",
        "\"complete_phase\", \"phase\": 0, \"evidence\": {}",
        "\"retry_phase\", \"phase\": 0",
        "\"rollback\", \"to_phase\": 0",
    };
    static const char *const ids[] = {
        "",
        "x",
        "../../../../etc/passwd",
        "------------------------------------",
        "0a1b2c3d-0000-4000-8000-00000000000f\\n",
        "0A1B2C3D-0000-4000-8000-00000000000F",
        "0a1b2c3d-0000-4000-8000-00000000000f.json",
        "%2e%2e%2f",
    };
    struct engine_rig rig;
    struct dir_list files;
    (void)state;

    engine_rig_init(&rig);
    for (size_t a = 0; a < sizeof actions / sizeof *actions; a++) {
        for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
            json_decref(expect_refused(
                call(&rig, "{\"action\": %s, \"session_id\": \"%s\"}", actions[a], ids[i]),
                "ValueError", "session_id"));
        }
        json_decref(expect_refused(call(&rig,
                                        "{\"action\": %s, \"session_id\": "
                                        "\"0a1b2c3d-0000-4000-8000-00000000000f\"}",
                                        actions[a]),
                                   "NotFoundError", "0a1b2c3d"));
    }
    CHECK_INT(dir_list(tree_dir(rig.tree), ".tandem/state", 10, &files, NULL), E_OK);
    CHECK_INT(files.count, 0);
    dir_list_fini(&files);
    engine_rig_fini(&rig);
}

static void
targets_and_options_are_checked(void **state)
{
    static const char *const targets[] = {
        "\"\"",
        "\"/etc/passwd\"",
        "\"../x\"",
        "\"a/../../x\"",
        "\"a/..\"",
        "\"..\\\\x\"",
        "\"\\\\\\\\host\\\\x\"",
        "\"C:/x\"",
        "\"c:x\"",
        "\"~/x\"",
        "\"a;b\"",
        "\"a|b\"",
        "\"a`b\"",
        "\"a$b\"",
        "\"a&b\"",
        "\"a>b\"",
        "\"a<b\"",
        "\"a\\nb\"",
        "\"a\\u0000b\"",
        "\"a\\u007f\"",
        "\"%2e%2e/x\"",
        "\"a%2Fb\"",
        "\"a%5cb\"",
        "\"%252e%252e\"",
        "\"\xEF\xBC\x8E\xEF\xBC\x8E/x\"",
        "\"a\xEF\xBC\x8F"
        "b\"",
        "\"\xE2\x80\xA5/x\"",
        "\"out/x\"",
        "5",
        "[]",
        "{}",
    };
    static const char *const options[] = {
        "[]",
        "5",
        "\"x\"",
        "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{"
        "\"a\":{"
        "\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}}}}}}}}}}}}",
    };
    struct engine_rig rig;
    struct buf text = BUF_INIT;
    json_t *answer;
    (void)state;

    engine_rig_init(&rig);
    tree_symlink(rig.tree, "/tmp", "out");
    tree_mkdir(rig.tree, "real");
    tree_symlink(rig.tree, "real", "in");
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        json_decref(expect_refused(call(&rig,
                                        "{\"action\": \"start\", \"workflow_type\": \"open\", "
                                        "\"target_file\": %s}",
                                        targets[i]),
                                   "ValueError", "target_file"));
    }
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        json_decref(expect_refused(call(&rig,
                                        "{\"action\": \"start\", \"workflow_type\": \"open\", "
                                        "\"target_file\": \"a\", \"options\": %s}",
                                        options[i]),
                                   "ValueError", "options"));
    }
    json_decref(expect_refused(call(&rig, "{\"action\": \"start\", \"workflow_type\": \"../open\", "
                                          "\"target_file\": \"a\"}"),
                               "ValueError", "workflow_type"));
    for (int i = 0; i < 2000; i++) {
        buf_adds(&text, "long/");
    }
    json_decref(expect_refused(call(&rig,
                                    "{\"action\": \"start\", \"workflow_type\": \"open\", "
                                    "\"target_file\": \"%s\"}",
                                    text.data),
                               "ValueError", "1024"));
    json_decref(expect_refused(
        call(&rig,
             "{\"action\": \"start\", \"workflow_type\": \"open\", "
             "\"target_file\": \"a\", \"options\": {\"n\": \"%s%s%s%s%s%s%s\"}}",
             text.data, text.data, text.data, text.data, text.data, text.data, text.data),
        "ValueError", "65536"));
    buf_fini(&text);
    answer = call(&rig, "{\"action\": \"start\", \"workflow_type\": \"open\", "
                        "\"target_file\": \"in/x.md\", \"options\": null}");
    CHECK_STR(answer_text(answer, "status"), "success"); /* A link that stays inside. */
    json_decref(answer);
    engine_rig_fini(&rig);
}

static void
evidence_is_bounded(void **state)
{
    struct engine_rig rig;
    struct buf text = BUF_INIT;
    char id[37];
    (void)state;

    engine_rig_init(&rig);
    start_session(&rig, "open", "a", id);
    json_decref(
        expect_refused(call(&rig,
                            "{\"action\": \"complete_phase\", " IN("%s") ", \"phase\": 0, "
                                                                         "\"evidence\": [1]}",
                            id),
                       "ValueError", "evidence"));
    for (int i = 0; i < 40; i++) {
        buf_adds(&text, "{\"a\":");
    }
    buf_adds(&text, "1");
    for (int i = 0; i < 40; i++) {
        buf_adds(&text, "}");
    }
    json_decref(
        expect_refused(call(&rig,
                            "{\"action\": \"complete_phase\", " IN("%s") ", \"phase\": 0, "
                                                                         "\"evidence\": %s}",
                            id, text.data),
                       "ValueError", "evidence"));
    buf_reset(&text);
    for (int i = 0; i < 1500; i++) {
        buf_addf(&text, "%c\"k%d\": 1", i ? ',' : '{', i);
    }
    buf_adds(&text, "}");
    json_decref(
        expect_refused(call(&rig,
                            "{\"action\": \"complete_phase\", " IN("%s") ", \"phase\": 0, "
                                                                         "\"evidence\": %s}",
                            id, text.data),
                       "ValueError", "evidence"));
    /* Within the gate's bounds, but more than a session file may hold. */
    buf_reset(&text);
    for (int i = 0; i < 1100000; i++) {
        buf_addc(&text, 'x');
    }
    json_decref(expect_refused(
        call(&rig,
             "{\"action\": \"complete_phase\", " IN("%s") ", \"phase\": 0, "
                                                          "\"evidence\": {\"log\": \"%s\"}}",
             id, text.data),
        "ValueError", "1048576"));
    buf_fini(&text);
    CHECK(passed_phase(&rig, id, 0, "{\"nul\": \"a\\u0000b\", \"n\": 1.5}"));
    engine_rig_restart(&rig); /* What was stored is read again, NUL and all. */
    CHECK(passed_phase(&rig, id, 1, "{}"));
    engine_rig_fini(&rig);
}

static void
notes_are_bounded(void **state)
{
    struct engine_rig rig;
    struct buf text = BUF_INIT;
    char id[37];
    (void)state;

    engine_rig_init(&rig);
    start_session(&rig, "open", "a", id);
    for (int i = 0; i < 5000; i++) {
        buf_addc(&text, 'x');
    }
    json_decref(expect_refused(call(&rig,
                                    "{\"action\": \"pause\", " IN("%s") ", \"checkpoint_note\": "
                                                                        "\"%s\"}",
                                    id, text.data),
                               "ValueError", "checkpoint_note"));
    json_decref(expect_refused(call(&rig,
                                    "{\"action\": \"delete_session\", " IN("%s") ", \"reason\": "
                                                                                 "\"%s\"}",
                                    id, text.data),
                               "ValueError", "reason"));
    buf_fini(&text);
    engine_rig_fini(&rig);
}

/* An absolute source path that lies in the project is as good as a relative one. */
static void
absolute_paths_inside_are_taken(void **state)
{
    struct engine_rig rig;
    char link[64], root[512];
    json_t *args, *answer = NULL;
    struct workflow_args a = {.action = "start", .workflow_type = "spec_execution_v1"};
    struct fault f = FAULT_INIT;
    ssize_t len;
    (void)state;

    engine_rig_init(&rig);
    engine_rig_add_praxis(&rig);
    snprintf(link, sizeof link, "/proc/self/fd/%d", dir_fd(tree_dir(rig.tree)));
    len = readlink(link, root, sizeof root - 64);
    CHECK(len > 0);
    strcpy(root + len, "/specs/2025-10-11-mcp-dual-transport");
    args = json_pack("{s:s, s:{s:s}}", "target", "x", "options", "spec_path", root);
    a.target_file = json_object_get(args, "target");
    a.options = json_object_get(args, "options");
    CHECK_INT(workflow_start(state_workflow(rig.state), &a, &answer, &f), E_OK);
    json_decref(answer);
    json_object_set_new(json_object_get(args, "options"), "spec_path", json_string("/etc/passwd"));
    json_object_set_new(args, "target", json_string("y"));
    a.target_file = json_object_get(args, "target");
    CHECK(workflow_start(state_workflow(rig.state), &a, &answer, &f) != E_OK);
    json_decref(answer);
    json_decref(args);
    engine_rig_fini(&rig);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(actions_say_what_they_need),
        cmocka_unit_test(the_engine_trusts_nobody),
        cmocka_unit_test(many_refusals_are_counted),
        cmocka_unit_test(every_action_checks_the_session_id),
        cmocka_unit_test(targets_and_options_are_checked),
        cmocka_unit_test(evidence_is_bounded),
        cmocka_unit_test(notes_are_bounded),
        cmocka_unit_test(absolute_paths_inside_are_taken),
    };
    return CHECK_RUN(tests);
}
