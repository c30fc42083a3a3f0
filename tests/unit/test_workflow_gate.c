/* test_workflow_gate.c -- gates from files and definitions: loading and judging; a false claim
 * never passes a strict gate, a broken gate never passes anything, and no answer leaks a schema. */
#include "tests/gate_rig.h"

#include "state/base/thread.h"
#include "state/yaml.h"
#include "tests/check.h"

#include <stdio.h>

static const char *const gate_files[] = {
    PACKS "spec_creation_v1/phases/0/gate-definition.yaml",
    PACKS "spec_creation_v1/phases/1/gate-definition.yaml",
    PACKS "spec_creation_v1/phases/2/gate-definition.yaml",
    PACKS "spec_creation_v1/phases/3/gate-definition.yaml",
    PACKS "spec_creation_v1/phases/4/gate-definition.yaml",
    PACKS "spec_creation_v1/phases/5/gate-definition.yaml",
    PACKS "spec_execution_v1/phases/0/gate-definition.yaml",
};
#define GATE_FILES (sizeof gate_files / sizeof gate_files[0])

/* ---- Tier 1. ---- */

static void
every_shipped_gate_loads_without_a_problem(void **state)
{
    (void)state;
    for (size_t i = 0; i < GATE_FILES; i++) {
        char *text = gate_rig_read(gate_files[i]);
        struct gate *gate = gate_rig_load(text, 0);
        CHECK_STR(gate_source_name(gate), "yaml");
        CHECK(!gate_is_strict(gate) && !gate_needs_approval(gate));
        CHECK(gate_field_count(gate) >= 6);
        gate_unref(gate);
        free(text);
    }
}

/* The fields of a gate file, and evidence that meets them. */
static json_t *
good_evidence(const char *text, json_t **required)
{
    struct ytree *tree = NULL;
    const struct ynode *schema;
    json_t *evidence = json_object();

    *required = json_object();
    CHECK_INT(ytree_parse(slice_of(text), NULL, &tree, NULL), E_OK);
    schema = ynode_get(ytree_root(tree), "evidence_schema");
    for (size_t i = 0; i < ynode_count(schema); i++) {
        const char *name = ynode_text(ynode_key(schema, i)).data;
        const char *type = ynode_get_string(ynode_at(schema, i), "type");
        json_object_set_new(evidence, name,
                            strcmp(type, "boolean") == 0   ? json_true()
                            : strcmp(type, "integer") == 0 ? json_integer(7)
                                                           : json_string("text"));
        json_object_set_new(*required, name,
                            json_boolean(ynode_bool(ynode_get(ynode_at(schema, i), "required"))));
    }
    ytree_free(tree);
    return evidence;
}

static void
the_strict_twin_of_each_gate_refuses_each_wrong_field(void **state)
{
    (void)state;
    for (size_t i = 0; i < GATE_FILES; i++) {
        char *text = gate_rig_read(gate_files[i]), *strict = strstr(text, "strict: false");
        json_t *required, *good, *told, *flag;
        struct gate *lenient = gate_rig_load(text, 0), *gate;
        const char *name;
        memcpy(strict, "strict: true ", 13);
        gate = gate_rig_load(text, 0);
        CHECK(gate_is_strict(gate));
        good = good_evidence(text, &required);
        CHECK(gate_rig_judge_json(gate, good, &told));
        CHECK(json_array_size(json_object_get(told, "warnings")) == 0);
        json_decref(told);
        json_object_foreach(required, name, flag) {
            json_t *wrong = json_copy(good);
            json_object_set_new(wrong, name, json_pack("[s]", "no such type"));
            CHECK(!gate_rig_judge_json(gate, wrong, &told));
            CHECK(gate_rig_lists(told, "fields_failed", name) &&
                  gate_rig_tells(told, "errors", name));
            CHECK(gate_rig_tells(told, "next_steps", name));
            json_decref(told);
            /* The lenient one says the same in a warning, and passes. */
            CHECK(gate_rig_judge_json(lenient, wrong, &told));
            CHECK(gate_rig_lists(told, "fields_failed", name) &&
                  gate_rig_tells(told, "warnings", name));
            json_decref(told);
            json_object_del(wrong, name);
            CHECK(gate_rig_judge_json(gate, wrong, &told) == !json_is_true(flag));
            CHECK(gate_rig_lists(told, "fields_missing", name) == json_is_true(flag));
            json_decref(told);
            CHECK(gate_rig_judge_json(lenient, wrong, NULL));
            json_object_set_new(wrong, name, json_null());
            CHECK(!gate_rig_judge_json(gate, wrong, NULL));
            json_decref(wrong);
        }
        json_decref(good);
        json_decref(required);
        gate_unref(gate);
        gate_unref(lenient);
        free(text);
    }
}

static const char *const rich_gate =
    "checkpoint:\n"
    "  strict: true\n"
    "  allow_override: false\n"
    "evidence_schema:\n"
    "  tests_pass: {type: bool, required: true, validator: is_true}\n"
    "  test_output: {type: string, required: true, validator: output_ok,\n"
    "    description: what the test run printed}\n"
    "  tests_run: {type: int, required: true, validator: at_least, validator_params: {least: 5}}\n"
    "  coverage: {type: float, required: true, validator: greater_than_or_equal_0_85}\n"
    "  files: {type: array, validator: 'lambda v: all(f.endswith(\".c\") for f in v)'}\n"
    "  config: {type: dict, validator: has_fields, validator_params: {fields: [a]}}\n"
    "  note: {}\n"
    "validators:\n"
    "  output_ok: >-\n"
    "    lambda text: re.search(r'\\d+ passed', text) is not None\n"
    "    and 'failed' not in text.lower()\n"
    "  at_least: \"lambda n, least: n >= least\"\n"
    "cross_field_validation:\n"
    "  - rule: \"lambda e: len(e.get('files', [])) <= e['tests_run']\"\n"
    "    error_message: more files than tests\n"
    "  - rule: 'lambda e: e[\"tests_run\"] == int(e[\"test_output\"].split()[0])'\n"
    "    error_message: tests_run is not what test_output tells\n";

static const char *const rich_evidence =
    "{\"tests_pass\":true,\"test_output\":\"12 passed in 0.5s\",\"tests_run\":12,\"coverage\":0.9,"
    "\"files\":[\"a.c\",\"b.c\"],\"config\":{\"a\":1}}";

/* Judges the rich evidence with one member replaced. */
static bool
with(const struct gate *gate, const char *name, const char *value, json_t **told)
{
    json_t *evidence = gate_rig_json(rich_evidence),
           *json = json_loads(value, JSON_DECODE_ANY, NULL);
    bool passed;

    CHECK(json);
    json_object_set_new(evidence, name, json);
    passed = gate_rig_judge_json(gate, evidence, told);
    json_decref(evidence);
    return passed;
}

static void
a_false_claim_cannot_pass_a_strict_gate(void **state)
{
    static const char *const lies[][2] = {
        {"tests_pass", "false"},
        {"tests_pass", "\"true\""},
        {"tests_pass", "1"},
        {"tests_pass", "null"},
        {"test_output", "\"all good\""},
        {"test_output", "\"12 passed, 1 failed\""},
        {"test_output", "true"},
        {"test_output", "\"99 passed\""},
        {"tests_run", "4"},
        {"tests_run", "13"},
        {"tests_run", "true"},
        {"tests_run", "12.5"},
        {"tests_run", "\"12\""},
        {"coverage", "0.84"},
        {"coverage", "\"0.9\""},
        {"coverage", "true"},
        {"files", "[\"a.c\",\"b.h\"]"},
        {"files", "[1]"},
        {"files", "\"a.c\""},
        {"config", "{}"},
        {"config", "[\"a\"]"},
        {"note", "5"},
        {"files",
         "[\"1.c\",\"2.c\",\"3.c\",\"4.c\",\"5.c\",\"6.c\",\"7.c\",\"8.c\",\"9.c\",\"a.c\","
         "\"b.c\",\"c.c\",\"d.c\"]"},
        {"_override", "{\"reason\":\"I am sure\"}"},
    };
    struct gate *gate = gate_rig_load(rich_gate, 0);
    json_t *told;

    (void)state;
    CHECK(gate_rig_judge(gate, rich_evidence, NULL));
    CHECK(with(gate, "tests_run", "12.0", NULL));
    for (size_t i = 0; i < sizeof lies / sizeof lies[0] - 1; i++) {
        if (with(gate, lies[i][0], lies[i][1], &told)) {
            fail_msg("passed with %s = %s", lies[i][0], lies[i][1]);
        }
        CHECK(json_string_length(json_object_get(told, "remediation")) > 0);
        CHECK(json_array_size(json_object_get(told, "next_steps")) > 0);
        json_decref(told);
    }
    CHECK(!gate_rig_judge(gate, "{}", &told));
    CHECK(gate_rig_lists(told, "fields_missing", "coverage") &&
          !gate_rig_lists(told, "fields_missing", "note"));
    CHECK_INT(json_array_size(json_object_get(told, "next_steps")), 5);
    json_decref(told);
    CHECK(!gate_rig_judge(gate, "{\"_override\":{\"reason\":\"I am sure\"}}", &told));
    CHECK(gate_rig_tells(told, "errors", "takes no override"));
    json_decref(told);
    gate_unref(gate);
}

static void
the_public_form_leaks_no_schema(void **state)
{
    struct gate *gate = gate_rig_load(rich_gate, 0);
    static const char *const secrets[] = {"lambda",
                                          "output_ok",
                                          "at_least",
                                          "least",
                                          "0.85",
                                          "0_85",
                                          "greater",
                                          "has_fields",
                                          "is_true",
                                          "endswith",
                                          "what the test run",
                                          "fields_required",
                                          "number",
                                          "list",
                                          "object",
                                          "boolean",
                                          "integer",
                                          "more files",
                                          "what test_output tells",
                                          "note"};
    json_t *told, *evidence = gate_rig_json("{\"test_output\":\"1 failed\"}");
    struct gate_result result = GATE_RESULT_INIT;
    char *text;

    (void)state;
    CHECK_INT(gate_evaluate(gate, evidence, &gate_rig_context, &result, NULL), E_OK);
    text = json_dumps(result.validation_result, JSON_COMPACT);
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
        if (strstr(text, secrets[i])) {
            fail_msg("'%s' in %s", secrets[i], text);
        }
    }
    free(text);
    /* The session's own log has it all. */
    text = json_dumps(result.diagnostic, JSON_COMPACT);
    CHECK(strstr(text, "output_ok") && strstr(text, "fields_required") &&
          strstr(text, "more files"));
    free(text);
    gate_result_fini(&result);
    json_decref(evidence);
    /* The type of a field that was tried is told, and an author's message about tried fields. */
    CHECK(!with(gate, "coverage", "\"much\"", &told));
    CHECK(gate_rig_tells(told, "errors", "Field 'coverage' must be number, got: string"));
    CHECK(!gate_rig_tells(told, "errors", "0.85"));
    json_decref(told);
    CHECK(!with(gate, "tests_run", "13", &told));
    CHECK(gate_rig_tells(told, "errors", "Cross-field validation failed: tests_run is not what"));
    json_decref(told);
    gate_unref(gate);
}

static void
the_result_has_the_members_that_packs_know(void **state)
{
    struct gate *gate = gate_rig_load(rich_gate, 0);
    json_t *told, *d;

    (void)state;
    CHECK(!with(gate, "extra", "1", &told) == false);
    CHECK(gate_rig_tells(told, "warnings", "Field 'extra' is not part of this gate"));
    d = json_object_get(told, "diagnostics");
    CHECK(json_is_array(json_object_get(d, "fields_submitted")));
    CHECK_INT(json_array_size(json_object_get(d, "fields_submitted")), 7);
    CHECK(json_is_true(json_object_get(d, "strict_mode")));
    CHECK_STR(json_string_value(json_object_get(d, "gate_source")), "yaml");
    CHECK_STR(json_string_value(json_object_get(d, "validation_timestamp")), gate_rig_context.now);
    CHECK_STR(json_string_value(json_object_get(told, "remediation")), "");
    CHECK(json_is_array(json_object_get(told, "next_steps")));
    CHECK(json_is_false(json_object_get(told, "overridden")));
    json_decref(told);
    gate_unref(gate);
}

/* A gate text that must be unusable, for 'part', at a place. */
static void
unusable(const char *text, unsigned line, unsigned column, const char *part)
{
    struct gate *gate = NULL;
    struct fault fault = FAULT_INIT;
    struct problems problems = PROBLEMS_INIT;
    enum err err = gate_parse(slice_of(text), "phases/1/gate.yaml", &gate, &problems, &fault);

    CHECK(err == E_REFUSED || err == E_TOO_LARGE);
    CHECK(fault.code == err && !gate && problems.errors > 0);
    if (fault.line != line || fault.column != column || !strstr(fault.text, part) ||
        !strstr(fault.text, "gate unusable: phases/1/gate.yaml")) {
        fail_msg("%s\n%u:%u: %s", text, fault.line, fault.column, fault.text);
    }
    CHECK(fault.remedy[0]);
    problems_fini(&problems);
    CHECK_INT(gate_parse(slice_of(text), NULL, &gate, NULL, NULL), err);
    CHECK(!gate);
}

#define HEAD "checkpoint: {strict: true}\n"
#define FIELD HEAD "evidence_schema:\n  a: "

static void
a_broken_gate_is_unusable_and_never_a_pass(void **state)
{
    (void)state;
    unusable("checkpoint:\n  strict: true\nevidence_schema:\n  a: [\n", 5, 1, "");
    unusable("checkpoint:\n\tstrict: true\n", 2, 1, "");
    unusable("", 1, 1, "must be a map, not null");
    unusable("- a\n", 1, 1, "must be a map, not list");
    unusable("evidence_schema: {}\n", 1, 1, "checkpoint is missing");
    unusable("checkpoint:\nevidence_schema: {}\n", 1, 12, "checkpoint must be a map");
    unusable(HEAD, 1, 1, "evidence_schema is missing");
    unusable(HEAD "evidence_schema:\n", 2, 17, "evidence_schema must be a map, not null");
    unusable(HEAD "evidence_schema: [a]\n", 2, 18, "must be a map, not list");
    unusable("checkpoint: {strict: yes}\nevidence_schema: {}\n", 1, 22,
             "true or false, not string");
    unusable("checkpoint: {allow_override: 1}\nevidence_schema: {}\n", 1, 30, "true or false");
    unusable(FIELD "boolean\n", 3, 6, "field 'a' must be a map, not string");
    unusable(FIELD "\n", 3, 3, "field 'a' must be a map, not null");
    unusable(FIELD "{type: colour}\n", 3, 13, "unknown type 'colour'");
    unusable(FIELD "{type: 5}\n", 3, 13, "unknown type");
    unusable(FIELD "{required: maybe}\n", 3, 17, "true or false");
    unusable(FIELD "{description: [x]}\n", 3, 20, "description must be a text");
    unusable(FIELD "{validator: 5}\n", 3, 18, "validator must be a text");
    unusable(FIELD "{validator: nonsense}\n", 3, 18, "no validator is called 'nonsense'");
    unusable(FIELD "{validator: min_length}\n", 3, 18, "needs the parameter 'min'");
    unusable(FIELD "{validator: 'custom:regex:('}\n", 3, 18, "does not end");
    unusable(FIELD "{validator: positive, validator_params: 5}\n", 3, 46, "must be a map");
    unusable(FIELD "{validator: 'lambda x: open(x)'}\n", 3, 29, "'open' is no function");
    unusable(FIELD "{validator: 'lambda x, y: y'}\n", 3, 18, "needs the parameter 'y'");
    unusable(FIELD "{validator: 'lambda x: x', validator_params: {y: 1}}\n", 3, 18,
             "takes 0 parameters, not 1");
    unusable(FIELD "{validator: v}\nvalidators: {v: 'lambda x: x.__class__'}\n", 4, 30, "'v'");
    unusable(FIELD "{validator: v}\nvalidators: {v: 5}\n", 4, 17, "must be a text, not integer");
    unusable(FIELD "{validator: v}\nvalidators:\n  v: |\n    lambda x:\n      x +\n", 8, 0,
             "a value is missing");
    unusable(FIELD "{}\nvalidators: [a]\n", 4, 13, "validators must be a map");
    unusable(FIELD "{}\nvalidators: {v: \"__import__('os')\"}\n", 4, 18, "begins with 'lambda'");
    unusable(FIELD "{}\ncross_field_validation: {a: 1}\n", 4, 25, "must be a list");
    unusable(FIELD "{}\ncross_field_validation: [a]\n", 4, 26, "must be a map with");
    unusable(FIELD "{}\ncross_field_validation: [{rule: 'lambda a, b: a'}]\n", 4, 33,
             "takes one parameter");
    unusable(FIELD "{}\ncross_field_validation: [{rule: 'lambda e: e.x'}]\n", 4, 45, "attributes");
    unusable(FIELD "{}\ncross_field_validation: [{rule: 'lambda e: e', error_message: 5}]\n", 4, 63,
             "error_message must be");
    unusable(FIELD "{}\n  a: {}\n", 4, 3, "twice");
    unusable(HEAD "evidence_schema: {_override: {}}\n", 2, 19, "cannot be called");
    unusable(HEAD "evidence_schema: {'': {}}\n", 2, 19, "cannot be called");
    unusable(HEAD "evidence_schema: !!map {}\n", 2, 18, "tags");
    unusable("checkpoint: {}\nevidence_schema: {}\nhuman_approval_required: please\n", 3, 26,
             "true or false");
}

/* Appends 'part' many times, a number between its halves; the gate must be refused for its size. */
static void
too_much(const char *head, const char *before, const char *after, unsigned times)
{
    struct buf text = BUF_INIT;
    struct gate *gate = NULL;
    struct fault fault = FAULT_INIT;

    buf_adds(&text, head);
    for (unsigned i = 0; i < times; i++) {
        buf_addf(&text, "%s%u%s", before, i, after);
    }
    CHECK(gate_parse(buf_slice(&text), "g", &gate, NULL, &fault) != E_OK);
    CHECK(!gate && fault.text[0]);
    buf_fini(&text);
}

#define LONG                                                                                     \
    "name_name_name_name_name_name_name_name_name_name_name_name_name_name_name_name_name_name_" \
    "name"

static void
gates_are_bounded(void **state)
{
    (void)state;
    too_much(HEAD "evidence_schema:\n", "  f", ": {}\n", GATE_FIELDS_MAX + 1);
    too_much(HEAD "evidence_schema: {}\nvalidators:\n", "  v", ": 'lambda x: x'\n",
             GATE_VALIDATORS_MAX + 1);
    too_much(HEAD "evidence_schema: {}\ncross_field_validation:\n",
             "  - {rule: 'lambda x: x', error_message: '", "'}\n", GATE_RULES_MAX + 1);
    too_much(HEAD "evidence_schema:\n  " LONG LONG, LONG, ": {}\n", 1);
    too_much("", "# " LONG, "\n", 12000);
}

static void
every_problem_is_listed_and_warnings_do_no_harm(void **state)
{
    struct problems problems = PROBLEMS_INIT;
    struct gate *gate = NULL;
    json_t *told;
    size_t warnings = 0;

    (void)state;
    CHECK_INT(gate_parse(SLICE("checkpoint: {strict: 1, colour: red}\n"
                               "evidence_schema:\n"
                               "  a: {type: x}\n"
                               "  b: {type: y, requird: true}\n"
                               "more: 1\n"),
                         "g.yaml", &gate, &problems, NULL),
              E_REFUSED);
    CHECK_INT(problems.errors, 3);
    CHECK_INT(problems.count, 6);
    for (size_t i = 0; i < problems.count; i++) {
        CHECK(problems.items[i].line && problems.items[i].column);
        CHECK_STR(problems.items[i].file, "g.yaml");
        warnings += problems.items[i].severity == PROBLEM_WARNING;
    }
    CHECK_INT(warnings, 3);
    problems_fini(&problems);
    /* An unknown validator: in a lenient gate a warning when loaded, and one when judged. */
    gate =
        gate_rig_load("checkpoint: {strict: false}\nevidence_schema:\n"
                      "  a: {type: string, validator: nonsense}\n  b: {validator_params: {x: 1}}\n",
                      2);
    CHECK(gate_rig_judge(gate, "{\"a\":\"x\"}", &told));
    CHECK(gate_rig_tells(told, "warnings",
                         "Field 'a' was not checked: its validator is not defined"));
    CHECK(!gate_rig_tells(told, "warnings", "nonsense"));
    json_decref(told);
    gate_unref(gate);
    /* An empty map of validators, and none at all, are the same. */
    gate_unref(gate_rig_load("checkpoint: {}\nevidence_schema: {a: {}}\nvalidators:\n"
                             "cross_field_validation:\n",
                             0));
    gate = gate_rig_load("checkpoint: {strict: true}\nevidence_schema: {}\n", 1);
    CHECK(gate_rig_judge(gate, "{}", NULL));
    gate_unref(gate);
}

static void
types_have_synonyms_and_defaults(void **state)
{
    static const char *const rows[][3] = {
        {"boolean", "true", "1"},  {"bool", "false", "\"x\""}, {"integer", "1", "true"},
        {"int", "1.0", "1.5"},     {"number", "1", "true"},    {"float", "1.5", "\"1\""},
        {"string", "\"x\"", "1"},  {"str", "\"\"", "[]"},      {"list", "[]", "{}"},
        {"array", "[1]", "\"a\""}, {"object", "{}", "[]"},     {"dict", "{\"a\":1}", "null"}};
    char text[200], evidence[100];
    struct gate *gate;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(text, sizeof text, FIELD "{type: %s, required: true}\n", rows[i][0]);
        gate = gate_rig_load(text, 0);
        snprintf(evidence, sizeof evidence, "{\"a\":%s}", rows[i][1]);
        CHECK(gate_rig_judge(gate, evidence, NULL));
        snprintf(evidence, sizeof evidence, "{\"a\":%s}", rows[i][2]);
        CHECK(!gate_rig_judge(gate, evidence, NULL));
        gate_unref(gate);
    }
    /* Without anything said: a string that may be left out. */
    gate = gate_rig_load(FIELD "{}\n", 0);
    CHECK(gate_rig_judge(gate, "{}", NULL) && gate_rig_judge(gate, "{\"a\":\"x\"}", NULL));
    CHECK(!gate_rig_judge(gate, "{\"a\":1}", NULL));
    gate_unref(gate);
    /* What is submitted as false without a validator passes, with a word about it. */
    gate = gate_rig_load(FIELD "{type: boolean}\n", 0);
    json_t *told;
    CHECK(gate_rig_judge(gate, "{\"a\":false}", &told));
    CHECK(gate_rig_tells(told, "warnings", "was submitted as false"));
    json_decref(told);
    gate_unref(gate);
}

/* ---- Overrides, approval, proofs. ---- */

static void
overrides_are_honoured_only_where_allowed_and_recorded(void **state)
{
    static const char *const bad[] = {
        "{\"_override\":{}}",         "{\"_override\":{\"reason\":\"\"}}",
        "{\"_override\":true}",       "{\"_override\":{\"reason\":\" \\n\"}}",
        "{\"_override\":\"please\"}", "{\"_override\":{\"reason\":5}}",
        "{\"_override\":null}"};
    struct gate *gate = gate_rig_load("checkpoint: {strict: true}\nevidence_schema:\n"
                                      "  a: {type: boolean, required: true, validator: is_true}\n",
                                      0);
    struct gate_result result = GATE_RESULT_INIT;
    json_t *told,
        *evidence = gate_rig_json("{\"a\":false,\"_override\":{\"reason\":\"known flake #12\"}}");

    (void)state;
    CHECK_INT(gate_evaluate(gate, evidence, &gate_rig_context, &result, NULL), E_OK);
    CHECK(result.passed && result.overridden);
    CHECK(json_is_true(json_object_get(result.validation_result, "overridden")));
    CHECK_STR(json_string_value(json_object_get(result.validation_result, "override_reason")),
              "known flake #12");
    CHECK_STR(json_string_value(json_object_get(result.diagnostic, "override_reason")),
              "known flake #12");
    CHECK(gate_rig_tells(result.validation_result, "warnings", "Validation failed for field 'a'"));
    CHECK(!gate_rig_lists(result.validation_result, "fields_submitted", "_override"));
    gate_result_fini(&result);
    json_decref(evidence);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK(!gate_rig_judge(gate, bad[i], &told));
        CHECK(gate_rig_tells(told, "errors", "needs a 'reason'"));
        json_decref(told);
    }
    CHECK(gate_rig_judge(gate, "{\"a\":true,\"_override\":{\"reason\":\"x\"}}", &told));
    CHECK(gate_rig_tells(told, "warnings", "not needed") &&
          json_is_false(json_object_get(told, "overridden")));
    json_decref(told);
    gate_unref(gate);
}

static void
approval_is_neither_softened_nor_overridden(void **state)
{
    struct gate *gate = gate_rig_load("checkpoint: {strict: false}\nhuman_approval_required: true\n"
                                      "evidence_schema: {a: {required: true}}\n",
                                      0);
    json_t *told;

    (void)state;
    CHECK(gate_needs_approval(gate));
    CHECK(!gate_rig_judge(gate, "{\"a\":\"x\"}", &told));
    CHECK(gate_rig_lists(told, "fields_missing", "human_approved"));
    CHECK(gate_rig_tells(told, "errors", "a person has to approve"));
    json_decref(told);
    CHECK(!gate_rig_judge(gate, "{\"human_approved\":\"yes\"}", &told));
    CHECK(gate_rig_lists(told, "fields_failed", "human_approved") &&
          gate_rig_tells(told, "warnings", "'a'"));
    json_decref(told);
    CHECK(!gate_rig_judge(
        gate, "{\"human_approved\":false,\"_override\":{\"reason\":\"in a hurry\"}}", NULL));
    CHECK(gate_rig_judge(gate, "{\"human_approved\":true}", &told));
    CHECK(!gate_rig_tells(told, "warnings", "human_approved"));
    json_decref(told);
    gate_unref(gate);
}

static void
proofs_are_unwrapped_and_their_commands_kept(void **state)
{
    struct gate *gate =
        gate_rig_load(FIELD "{type: boolean, required: true, validator: is_true}\n"
                            "  n: {type: integer}\n"
                            "cross_field_validation:\n"
                            "  - rule: \"lambda e: e['a'] is True and e.get('n', 1) == 1\"\n",
                      0);
    json_t *evidence =
        gate_rig_json("{\"a\":{\"value\":true,\"command\":\"make test\",\"exit_code\":2,"
                      "\"output\":\"ok\"},\"n\":{\"value\":1.0,\"command\":\"wc\"}}");
    json_t *told, *plain, *commands, *first;
    struct buf big = BUF_INIT;

    (void)state;
    CHECK(gate_rig_judge_json(gate, evidence, &told));
    CHECK(gate_rig_tells(told, "warnings", "proves field 'a' ended with exit code 2"));
    json_decref(told);
    plain = gate_plain_evidence(evidence);
    CHECK(json_is_true(json_object_get(plain, "a")));
    CHECK(json_is_real(json_object_get(plain, "n")));
    json_decref(plain);
    commands = gate_commands(evidence);
    CHECK_INT(json_array_size(commands), 2);
    first = json_array_get(commands, 0);
    CHECK_STR(json_string_value(json_object_get(first, "field")), "a");
    CHECK_STR(json_string_value(json_object_get(first, "command")), "make test");
    CHECK_INT(json_integer_value(json_object_get(first, "exit_code")), 2);
    CHECK(json_is_null(json_object_get(first, "executed_at")));
    CHECK(json_is_null(json_object_get(json_array_get(commands, 1), "output")));
    json_decref(commands);
    for (int i = 0; i < 8000; i++) {
        buf_adds(&big, "\xC3\xA9x");
    }
    json_object_set_new(json_object_get(evidence, "a"), "output", json_string(big.data));
    commands = gate_commands(evidence);
    first = json_array_get(commands, 0);
    CHECK(json_is_true(json_object_get(first, "output_cut")));
    CHECK(json_string_length(json_object_get(first, "output")) <= 16384);
    json_decref(commands);
    json_object_set_new(json_object_get(evidence, "a"), "value", json_false());
    CHECK(!gate_rig_judge_json(gate, evidence, NULL));
    /* What only looks like a proof is the value itself. */
    CHECK(!gate_rig_judge(gate, "{\"a\":{\"value\":true,\"command\":5}}", NULL));
    CHECK(!gate_rig_judge(gate, "{\"a\":{\"value\":true}}", NULL));
    buf_fini(&big);
    json_decref(evidence);
    gate_unref(gate);
}

/* ---- Bounds of evidence and of judging. ---- */

static void
evidence_is_bounded(void **state)
{
    struct gate *gate = gate_permissive();
    struct gate_result result;
    struct fault fault = FAULT_INIT;
    json_t *evidence, *deep;
    struct buf big = BUF_INIT;

    (void)state;
    evidence = json_array();
    CHECK_INT(gate_evaluate(gate, evidence, &gate_rig_context, &result, &fault), E_ARGUMENT);
    CHECK(!result.validation_result && strstr(fault.text, "must be an object, got: list"));
    CHECK_INT(gate_check_evidence(NULL, &fault), E_ARGUMENT);
    json_decref(evidence);
    evidence = json_object();
    for (int i = 0; i < 1001; i++) {
        char name[20];
        snprintf(name, sizeof name, "f%d", i);
        CHECK_INT(gate_check_evidence(evidence, &fault), E_OK);
        json_object_set_new(evidence, name, json_integer(i));
    }
    CHECK_INT(gate_check_evidence(evidence, &fault), E_ARGUMENT);
    json_object_clear(evidence);
    deep = json_array();
    for (int i = 0; i < 31; i++) {
        json_t *outer = json_array();
        json_array_append_new(outer, deep);
        deep = outer;
    }
    json_object_set(evidence, "d", deep);
    CHECK_INT(gate_check_evidence(evidence, &fault), E_OK);
    json_object_set_new(evidence, "d", json_pack("[o]", deep));
    CHECK_INT(gate_check_evidence(evidence, &fault), E_ARGUMENT);
    CHECK(strstr(fault.text, "nested"));
    json_object_clear(evidence);
    deep = json_array();
    for (int i = 0; i < 49998; i++) {
        json_array_append_new(deep, json_true());
    }
    json_object_set(evidence, "l", deep);
    CHECK_INT(gate_check_evidence(evidence, &fault), E_OK);
    json_array_append_new(deep, json_true());
    CHECK_INT(gate_check_evidence(evidence, &fault), E_ARGUMENT);
    CHECK(strstr(fault.text, "50000 values"));
    json_decref(deep);
    json_object_clear(evidence);
    for (size_t i = 0; i < GATE_EVIDENCE_BYTES_MAX - 8; i++) {
        buf_addc(&big, 'x');
    }
    json_object_set_new(evidence, "t", json_stringn(big.data, big.len));
    CHECK_INT(gate_check_evidence(evidence, &fault), E_OK);
    buf_addc(&big, 'x');
    json_object_set_new(evidence, "t", json_stringn(big.data, big.len));
    CHECK_INT(gate_check_evidence(evidence, &fault), E_ARGUMENT);
    CHECK(strstr(fault.text, "bytes") && fault.remedy[0]);
    buf_fini(&big);
    json_decref(evidence);
    gate_unref(gate);
}

static void
judging_is_bounded_and_a_runaway_has_failed(void **state)
{
    struct gate *gate =
        gate_rig_load(FIELD "{validator: 'lambda v: all(i >= 0 for i in range(999999999))'}\n"
                            "  b: {validator: 'lambda v: True'}\n"
                            "  c: {validator: 'lambda v: len(v * 999999999) > 0'}\n",
                      0);
    json_t *told;

    (void)state;
    CHECK(!gate_rig_judge(gate, "{\"c\":\"x\"}", &told));
    CHECK(gate_rig_lists(told, "fields_failed", "c"));
    json_decref(told);
    /* The steps are shared: what comes after a runaway finds none left, and has failed, too. */
    CHECK(!gate_rig_judge(gate, "{\"a\":\"x\",\"b\":\"x\"}", &told));
    CHECK(gate_rig_lists(told, "fields_failed", "a") && gate_rig_lists(told, "fields_failed", "b"));
    json_decref(told);
    CHECK(gate_rig_judge(gate, "{\"b\":\"x\"}", NULL));
    gate_unref(gate);
}

static void
many_unknown_fields_are_told_in_short(void **state)
{
    struct gate *gate = gate_rig_load(FIELD "{}\n", 0);
    json_t *evidence = json_object(), *told;
    char name[300];

    (void)state;
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    json_object_set_new(evidence, name, json_true());
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "u%d", i);
        json_object_set_new(evidence, name, json_true());
    }
    CHECK(gate_rig_judge_json(gate, evidence, &told));
    CHECK_INT(json_array_size(json_object_get(told, "warnings")), 51);
    CHECK(gate_rig_tells(told, "warnings", "151 more fields"));
    json_decref(told);
    json_decref(evidence);
    gate_unref(gate);
}

/* ---- Definitions. ---- */

static void
a_definition_makes_a_strict_gate(void **state)
{
    char *text =
        gate_rig_read(PACKS "standards_creation_v1/supporting-docs/workflow-definition.yaml");
    struct ytree *tree = NULL;
    const struct ynode *phases;
    struct problems problems = PROBLEMS_INIT;
    struct gate *gate = NULL;
    struct fault fault = FAULT_INIT;

    (void)state;
    CHECK_INT(ytree_parse(slice_of(text), NULL, &tree, &fault), E_OK);
    phases = ynode_get(ytree_root(tree), "phases");
    CHECK_INT(ynode_count(phases), 6);
    for (size_t i = 0; i < 6; i++) {
        CHECK_INT(gate_from_definition(ynode_get(ynode_at(phases, i), "validation_gate"), "d.yaml",
                                       &gate, &problems, &fault),
                  E_OK);
        CHECK_INT(problems.count, 0);
        CHECK_STR(gate_source_name(gate), "definition");
        CHECK(gate_is_strict(gate) && !gate_needs_approval(gate));
        CHECK(!gate_rig_judge(gate, "{}", NULL));
        if (i == 3) {
            CHECK(gate_rig_judge(gate,
                                 "{\"queries_tested\":5,\"queries_found_top3\":4,"
                                 "\"average_relevance\":0.85,\"average_rank\":2,"
                                 "\"discoverability_passed\":true}",
                                 NULL));
            CHECK(!gate_rig_judge(gate,
                                  "{\"queries_tested\":5,\"queries_found_top3\":3,"
                                  "\"average_relevance\":0.85,\"average_rank\":2,"
                                  "\"discoverability_passed\":true}",
                                  NULL));
        }
        gate_unref(gate);
    }
    ytree_free(tree);
    free(text);
}

static enum err
define(const char *text, struct gate **gate, struct problems *problems, struct fault *fault)
{
    struct ytree *tree = NULL;
    enum err err;

    CHECK_INT(ytree_parse(slice_of(text), NULL, &tree, fault), E_OK);
    err = gate_from_definition(ytree_root(tree), "d.yaml", gate, problems, fault);
    ytree_free(tree);
    return err;
}

static void
definitions_can_say_more_or_be_wrong(void **state)
{
    struct problems problems = PROBLEMS_INIT;
    struct gate *gate = NULL;
    struct fault fault = FAULT_INIT;

    (void)state;
    CHECK_INT(define("evidence_required: {a: {type: float, required: false}}\n"
                     "human_approval_required: true\nstrict: false\nallow_override: false\n",
                     &gate, &problems, &fault),
              E_OK);
    CHECK(gate_needs_approval(gate) && !gate_is_strict(gate));
    CHECK(gate_rig_judge(gate, "{\"human_approved\":true}", NULL) &&
          !gate_rig_judge(gate, "{}", NULL));
    gate_unref(gate);
    CHECK_INT(define("human_approval_required: true\n", &gate, &problems, &fault), E_OK);
    gate_unref(gate);
    CHECK_INT(problems.count, 0);
    CHECK_INT(define("human_approval_required: false\n", &gate, &problems, &fault), E_OK);
    gate_unref(gate);
    CHECK_INT(problems.count, 1);
    CHECK_INT(define("[a]", &gate, &problems, &fault), E_REFUSED);
    CHECK(!gate);
    CHECK_INT(define("evidence_required: [a]", &gate, &problems, &fault), E_REFUSED);
    CHECK_INT(define("evidence_required: {a: {validator: what}}", &gate, &problems, &fault),
              E_REFUSED);
    CHECK(strstr(fault.text, "gate unusable: d.yaml") && fault.line == 1 && fault.column == 36);
    CHECK_INT(gate_from_definition(NULL, NULL, &gate, NULL, &fault), E_REFUSED);
    problems_fini(&problems);
}

/* ---- Many threads. ---- */

struct shared {
    pthread_barrier_t start;
    struct gate *gate;
    const char *phase_md;
    _Atomic unsigned good;
};

static void *
use_one_gate(void *arg)
{
    struct shared *s = arg;

    pthread_barrier_wait(&s->start);
    for (int i = 0; i < 20; i++) {
        struct gate_hints hints = {.phase_md = slice_of(s->phase_md)};
        struct gate *gate = gate_ref(s->gate), *derived = NULL;
        struct gate_result result = GATE_RESULT_INIT;
        json_t *evidence = json_loads(rich_evidence, 0, NULL);
        bool bad = i % 2;
        json_object_set_new(evidence, "tests_run", json_integer(bad ? 13 : 12));
        if (!gate_evaluate(gate, evidence, &gate_rig_context, &result, NULL) &&
            result.passed == !bad && !gate_derive(&hints, &derived, NULL, NULL) &&
            gate_field_count(derived) == 4) {
            s->good++;
        }
        gate_result_fini(&result);
        gate_unref(derived);
        gate_unref(gate);
        json_decref(evidence);
    }
    return NULL;
}

static void
one_gate_serves_many_threads(void **state)
{
    enum { THREADS = 8 };
    char *text = gate_rig_read(PACKS "standards_creation_v1/phases/0/phase.md");
    struct shared s = {.gate = gate_rig_load(rich_gate, 0), .phase_md = text};
    pthread_t threads[THREADS];

    (void)state;
    json_object_seed(0);
    pthread_barrier_init(&s.start, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(thread_start(&threads[i], "judge", use_one_gate, &s), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&s.start);
    CHECK_INT(s.good, THREADS * 20);
    gate_unref(s.gate);
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shipped_gate_loads_without_a_problem),
        cmocka_unit_test(the_strict_twin_of_each_gate_refuses_each_wrong_field),
        cmocka_unit_test(a_false_claim_cannot_pass_a_strict_gate),
        cmocka_unit_test(the_public_form_leaks_no_schema),
        cmocka_unit_test(the_result_has_the_members_that_packs_know),
        cmocka_unit_test(a_broken_gate_is_unusable_and_never_a_pass),
        cmocka_unit_test(gates_are_bounded),
        cmocka_unit_test(every_problem_is_listed_and_warnings_do_no_harm),
        cmocka_unit_test(types_have_synonyms_and_defaults),
        cmocka_unit_test(overrides_are_honoured_only_where_allowed_and_recorded),
        cmocka_unit_test(approval_is_neither_softened_nor_overridden),
        cmocka_unit_test(proofs_are_unwrapped_and_their_commands_kept),
        cmocka_unit_test(evidence_is_bounded),
        cmocka_unit_test(judging_is_bounded_and_a_runaway_has_failed),
        cmocka_unit_test(many_unknown_fields_are_told_in_short),
        cmocka_unit_test(a_definition_makes_a_strict_gate),
        cmocka_unit_test(definitions_can_say_more_or_be_wrong),
        cmocka_unit_test(one_gate_serves_many_threads),
    };
    return CHECK_RUN(tests);
}
