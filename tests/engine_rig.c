/* engine_rig.c -- a project for tests of the engine. */
#include "tests/engine_rig.h"

#include "tests/check.h"

#include "handlers/tool.h"
#include "state/base/json_put.h"

#include <stdio.h>
#include <unistd.h>

static const char strict_gate[] =
    "checkpoint:\n  strict: true\n  allow_override: false\n"
    "evidence_schema:\n"
    "  count:\n    type: integer\n    required: true\n    validator: enough\n"
    "    validator_params: {least: 3}\n"
    "  output:\n    type: string\n    required: true\n    validator: contains_success\n"
    "validators:\n  enough: \"lambda x, least: x >= least\"\n"
    "cross_field_validation:\n"
    "  - rule: \"lambda e: str(e['count'] * 4) in e['output']\"\n"
    "    error_message: \"the counts differ\"\n";

static void
add_pack(struct engine_rig *rig, const char *name, int phases, const char *gate)
{
    struct buf text = BUF_INIT;
    char path[128];

    buf_addf(
        &text,
        "{\"workflow_type\": \"%s\", \"version\": \"1.0\", \"total_phases\": %d, \"phases\": [",
        name, phases);
    for (int i = 0; i < phases; i++) {
        buf_addf(&text,
                 "%s{\"phase_number\": %d, \"phase_name\": \"Phase %d of %s\", \"purpose\": \"p\", "
                 "\"tasks\": [{\"task_number\": 1, \"name\": \"do\", \"file\": \"task-1-do.md\"}]}",
                 i ? ", " : "", i, i, name);
    }
    buf_adds(&text, "]}");
    snprintf(path, sizeof path, ".tandem/workflows/%s/metadata.json", name);
    tree_write(rig->tree, path, text.data);
    buf_fini(&text);
    for (int i = 0; i < phases; i++) {
        snprintf(path, sizeof path, ".tandem/workflows/%s/phases/%d/phase.md", name, i);
        tree_write(rig->tree, path, "# A phase\n\nDo it.\n");
        snprintf(path, sizeof path, ".tandem/workflows/%s/phases/%d/task-1-do.md", name, i);
        tree_write(rig->tree, path, "# A task\n\nDo this.\n");
        if (gate) {
            snprintf(path, sizeof path, ".tandem/workflows/%s/phases/%d/gate-definition.yaml", name,
                     i);
            tree_write(rig->tree, path, gate);
        }
    }
}

void
engine_rig_init(struct engine_rig *rig)
{
    struct fault fault = FAULT_INIT;

    *rig = (struct engine_rig){.tree = tree_create()};
    fake_clock_init(&rig->clock);
    assert_int_equal(dir_sub(tree_dir(rig->tree), ".tandem", true, &rig->data, NULL), E_OK);
    add_pack(rig, "strict", 3, strict_gate);
    add_pack(rig, "open", 2, NULL);
    rig->settings = settings_create();
    rig->options = (struct state_options){
        .settings = rig->settings,
        .clock = &rig->clock.clock,
        .root_path = "/nowhere",
        .data_name = ".tandem",
        .root = tree_dir(rig->tree),
        .data = rig->data,
        .mode = "dual",
        .instance = "test",
    };
    assert_int_equal(state_create(&rig->options, &rig->state, &fault), E_OK);
}

void
engine_rig_restart(struct engine_rig *rig)
{
    state_destroy(rig->state);
    assert_int_equal(state_create(&rig->options, &rig->state, NULL), E_OK);
}

void
engine_rig_fini(struct engine_rig *rig)
{
    state_destroy(rig->state);
    settings_unref(rig->settings);
    dir_unref(rig->data);
    tree_destroy(rig->tree);
}

void
engine_rig_add_praxis(struct engine_rig *rig)
{
    tree_copy(rig->tree, "tests/fixtures/praxis/workflows", ".praxis-os/workflows");
    tree_copy(rig->tree, "tests/fixtures/praxis/specs", "specs");
}

const char *
answer_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

int
answer_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? (int)json_integer_value(value) : -1;
}

static json_t *
call_tool(struct engine_rig *rig, const char *text, enum err *err)
{
    struct request request = {.state = rig->state};
    struct fault fault = FAULT_INIT;
    json_t *args = json_loads(text, JSON_ALLOW_NUL, NULL), *answer = NULL;

    if (!args) {
        fprintf(stderr, "bad arguments: %s\n", text);
        abort();
    }
    *err = tool_pos_workflow.call(&request, args, &answer, &fault);
    json_decref(args);
    return answer;
}

#define FORMAT_ARGS(TEXT)                            \
    do {                                             \
        va_list args_;                               \
        va_start(args_, format);                     \
        if (vasprintf(&(TEXT), format, args_) < 0) { \
            abort();                                 \
        }                                            \
        va_end(args_);                               \
    } while (0)

json_t *
call_plain(struct engine_rig *rig, const char *format, ...)
{
    json_t *answer;
    enum err err;
    char *text;

    FORMAT_ARGS(text);
    answer = call_tool(rig, text, &err);
    free(text);
    return answer;
}

json_t *
call(struct engine_rig *rig, const char *format, ...)
{
    char *text, *told, where[64], root[512];
    json_t *answer;
    enum err err;
    ssize_t len;

    FORMAT_ARGS(text);
    answer = call_tool(rig, text, &err);
    free(text);
    assert_non_null(answer);
    assert_string_equal(answer_text(answer, "status"), err ? "error" : "success");
    assert_non_null(json_object_get(answer, "action"));
    if (err) {
        assert_string_equal(answer_text(answer, "error_type"), err_info(err)->type);
        assert_true(*answer_text(answer, "error"));
    }
    snprintf(where, sizeof where, "/proc/self/fd/%d", dir_fd(tree_dir(rig->tree)));
    len = readlink(where, root, sizeof root - 1);
    assert_true(len > 0);
    root[len] = '\0';
    told = json_dumps(answer, JSON_COMPACT);
    assert_null(strstr(told, root));
    free(told);
    return answer;
}

void
start_session(struct engine_rig *rig, const char *pack, const char *target, char id[37])
{
    json_t *answer = call(rig,
                          "{\"action\": \"start\", \"workflow_type\": \"%s\", "
                          "\"target_file\": \"%s\"}",
                          pack, target);

    assert_string_equal(answer_text(answer, "status"), "success");
    memcpy(id, answer_text(answer, "session_id"), 37);
    json_decref(answer);
}

bool
passed_phase(struct engine_rig *rig, const char *id, int phase, const char *evidence)
{
    json_t *answer = call(rig,
                          "{\"action\": \"complete_phase\", " IN("%s") ", \"phase\": %d, "
                                                                       "\"evidence\": %s}",
                          id, phase, evidence);
    bool passed = json_is_true(json_object_get(answer, "checkpoint_passed"));

    json_decref(answer);
    return passed;
}

void
pass_phase(struct engine_rig *rig, const char *id, int phase)
{
    CHECK(passed_phase(rig, id, phase, STRICT_EVIDENCE));
}

json_t *
expect_refused(json_t *answer, const char *type, const char *word)
{
    CHECK_STR(answer_text(answer, "error_type"), type);
    if (!strstr(answer_text(answer, "error"), word)) {
        fail_msg("'%s' is not in '%s'", word, answer_text(answer, "error"));
    }
    return answer;
}
