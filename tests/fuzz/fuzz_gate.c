/* fuzz_gate.c -- any bytes as a gate file, a YAML text, an expression, a pattern or a phase's text.
 *
 * The first byte tells which: g, y, e, r (pattern, NUL, text) or m.  Run by "make fuzz-gate"; finds
 * are kept in tests/fuzz/corpus/gate. */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "state/base/rune.h"
#include "state/regex.h"
#include "state/workflow_expr.h"
#include "state/workflow_gate.h"
#include "state/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(CONDITION)                                                    \
    do {                                                                   \
        if (!(CONDITION)) {                                                \
            fprintf(stderr, "fuzz_gate: does not hold: %s\n", #CONDITION); \
            abort();                                                       \
        }                                                                  \
    } while (0)

static const struct gate_context context = {.now = "2025-11-21T06:00:00Z"};

/* A gate judges one evidence, in both forms. */
static void
must_judge(const struct gate *gate)
{
    static const char *const evidence =
        "{\"a\":true,\"b\":[1,2.5,\"x\"],\"c\":\"12 passed\",\"d\":{\"k\":null},\"n\":7.0,"
        "\"p\":{\"value\":1,\"command\":\"make\",\"exit_code\":1,\"output\":\"no\"},"
        "\"_override\":{\"reason\":\"why not\"},\"human_approved\":true}";
    struct gate_result result;
    struct fault fault = FAULT_INIT;
    json_t *json = json_loads(evidence, 0, NULL);

    MUST(gate_evaluate(gate, json, &context, &result, &fault) == E_OK);
    MUST(result.validation_result && result.diagnostic);
    MUST(json_is_true(json_object_get(result.validation_result, "checkpoint_passed")) ==
         result.passed);
    MUST(result.passed || !result.overridden);
    gate_result_fini(&result);
    json_decref(json);
}

static void
as_gate(struct slice text)
{
    struct problems problems = PROBLEMS_INIT;
    struct fault fault = FAULT_INIT;
    struct gate *gate = NULL;
    enum err err = gate_parse(text, "gate.yaml", &gate, &problems, &fault);

    MUST((err == E_OK) == (gate != NULL) && (err != E_OK) == (problems.errors > 0));
    MUST(fault.code == err);
    if (gate) {
        must_judge(gate);
    }
    gate_unref(gate);
    problems_fini(&problems);
}

/* What was read, written as JSON, is YAML for the same value, or refused. */
static void
as_yaml(struct slice text)
{
    struct fault fault = FAULT_INIT;
    struct ytree *tree = NULL, *again = NULL;
    enum err err = ytree_parse(text, NULL, &tree, &fault);

    MUST((err == E_OK) == (tree != NULL) && fault.code == err);
    if (tree) {
        json_t *json = ynode_to_json(ytree_root(tree)), *same;
        char *dump = json_dumps(json, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
        MUST(json && dump);
        if (ytree_parse(slice_of(dump), NULL, &again, NULL) == E_OK) {
            same = ynode_to_json(ytree_root(again));
            MUST(json_equal(json, same));
            json_decref(same);
        }
        free(dump);
        json_decref(json);
    }
    ytree_free(tree);
    ytree_free(again);
}

static void
as_expression(struct slice text)
{
    struct fault fault = FAULT_INIT;
    struct expr *expr = NULL;
    struct expr_budget budget = {.steps = 200000, .memory = 4u << 20};
    json_t *value = json_loads("{\"s\":\"a b\",\"n\":5,\"l\":[1,2],\"f\":2.5,\"z\":null}", 0, NULL);
    const json_t *args[EXPR_PARAMS_MAX];
    bool holds = false;

    if (expr_compile(text, &expr, &fault) == E_OK) {
        for (unsigned i = 0; i < EXPR_PARAMS_MAX; i++) {
            args[i] = i % 2 ? json_object_get(value, "l") : value;
        }
        MUST(expr_test(expr, args, &budget, &holds, &fault) == E_OK || !holds);
    } else {
        MUST(!expr && fault.text[0]);
    }
    expr_free(expr);
    json_decref(value);
}

static void
as_pattern(struct slice text)
{
    const char *nul = text.len ? memchr(text.data, '\0', text.len) : NULL;
    struct slice pattern = {text.data, nul ? (size_t)(nul - text.data) : text.len};
    struct slice subject = nul ? (struct slice){nul + 1, text.len - pattern.len - 1} : SLICE("");
    struct regex *regex = NULL;
    bool full, match, search;
    uint64_t steps = 2000000;

    if (!rune_valid(subject) || regex_compile(pattern, &regex, NULL)) {
        return;
    }
    if (!regex_run(regex, subject, REGEX_FULL, &steps, &full, NULL) &&
        !regex_run(regex, subject, REGEX_MATCH, &steps, &match, NULL) &&
        !regex_run(regex, subject, REGEX_SEARCH, &steps, &search, NULL)) {
        MUST((!full || match) && (!match || search));
    }
    regex_free(regex);
}

static void
as_phase(struct slice text)
{
    struct gate_hints hints = {.phase_md = text, .file = "phase.md"};
    struct problems problems = PROBLEMS_INIT;
    struct gate *gate = NULL;

    MUST(gate_derive(&hints, &gate, &problems, NULL) == E_OK);
    MUST(problems.errors == 0 && !gate_is_strict(gate));
    must_judge(gate);
    gate_unref(gate);
    problems_fini(&problems);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text;

    if (!size) {
        return 0;
    }
    text = (struct slice){(const char *)data + 1, size - 1};
    switch (data[0]) {
    case 'g':
        as_gate(text);
        break;
    case 'y':
        as_yaml(text);
        break;
    case 'e':
        as_expression(text);
        break;
    case 'r':
        as_pattern(text);
        break;
    case 'm':
        as_phase(text);
        break;
    default:
        break;
    }
    return 0;
}
