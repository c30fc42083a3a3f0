/* gate_rig.c -- see gate_rig.h. */
#include "tests/gate_rig.h"

#include "tests/check.h"

#include <stdio.h>

const struct gate_context gate_rig_context = {.now = "2025-11-21T06:00:00Z"};

char *
gate_rig_read(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = xcalloc(1, 1 << 17);

    if (!f) {
        fail_msg("%s cannot be read", path);
        abort();
    }
    CHECK(fread(text, 1, (1 << 17) - 1, f) > 0);
    fclose(f);
    return text;
}

json_t *
gate_rig_json(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);

    if (!json) {
        fail_msg("not JSON: %s", text);
    }
    return json;
}

struct gate *
gate_rig_load(const char *text, size_t warnings)
{
    struct gate *gate = NULL;
    struct fault fault = FAULT_INIT;
    struct problems problems = PROBLEMS_INIT;

    if (gate_parse(slice_of(text), "gate.yaml", &gate, &problems, &fault)) {
        fail_msg("%u:%u: %s", fault.line, fault.column, fault.text);
    }
    if (problems.count != warnings) {
        fail_msg("%zu problems, first: %s", problems.count,
                 problems.count ? problems.items[0].text : "none");
    }
    problems_fini(&problems);
    return gate;
}

bool
gate_rig_judge_json(const struct gate *gate, json_t *evidence, json_t **told)
{
    struct gate_result result = GATE_RESULT_INIT;
    struct fault fault = FAULT_INIT;
    bool passed;

    if (gate_evaluate(gate, evidence, &gate_rig_context, &result, &fault)) {
        fail_msg("%s", fault.text);
    }
    passed = result.passed;
    CHECK(result.validation_result && result.diagnostic);
    CHECK(json_is_true(json_object_get(result.validation_result, "checkpoint_passed")) == passed);
    CHECK(json_is_true(json_object_get(result.diagnostic, "passed")) == passed);
    CHECK((json_array_size(json_object_get(result.validation_result, "errors")) == 0) == passed);
    if (told) {
        *told = json_incref(result.validation_result);
    }
    gate_result_fini(&result);
    return passed;
}

bool
gate_rig_judge(const struct gate *gate, const char *evidence, json_t **told)
{
    json_t *json = gate_rig_json(evidence);
    bool passed = gate_rig_judge_json(gate, json, told);

    json_decref(json);
    return passed;
}

bool
gate_rig_tells(const json_t *told, const char *key, const char *part)
{
    json_t *text;
    size_t i;

    json_array_foreach(json_object_get(told, key), i, text) {
        if (strstr(json_string_value(text), part)) {
            return true;
        }
    }
    return false;
}

bool
gate_rig_lists(const json_t *told, const char *key, const char *name)
{
    json_t *item;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(told, "diagnostics"), key), i, item) {
        if (strcmp(json_string_value(item), name) == 0) {
            return true;
        }
    }
    return false;
}
