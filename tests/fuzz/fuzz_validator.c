/* fuzz_validator.c -- any bytes as an expression of the validator language, or as the name and
 * parameters of a validator, and any JSON as the evidence that it judges.
 *
 * An input is 'e', an expression, NUL, JSON; or 'v', a name, NUL, JSON of parameters, NUL, JSON.
 * Judging ends within its budget, says the same when it is asked again, says why not, and leaves
 * the evidence as it is.  Run by "make fuzz-validator"; finds are kept in
 * tests/fuzz/corpus/validator. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "state/workflow_expr.h"
#include "state/workflow_validators.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(CONDITION)                                                         \
    do {                                                                        \
        if (!(CONDITION)) {                                                     \
            fprintf(stderr, "fuzz_validator: does not hold: %s\n", #CONDITION); \
            abort();                                                            \
        }                                                                       \
    } while (0)

#define STEPS 100000
#define MEMORY ((size_t)1 << 20)

/* What stands before the next NUL; '*rest' goes on behind it. */
static struct slice
part(struct slice *rest)
{
    const char *nul = rest->len ? memchr(rest->data, '\0', rest->len) : NULL;
    struct slice whole = *rest, first = {whole.data, nul ? (size_t)(nul - whole.data) : whole.len};

    *rest = nul ? (struct slice){nul + 1, whole.len - first.len - 1} : SLICE("");
    return first;
}

/* JSON as evidence comes: bounded in depth; null if it is none. */
static json_t *
evidence(struct slice text)
{
    return text.len && text.len < 65536
               ? json_loadb(text.data, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL)
               : NULL;
}

static enum err
test_once(const struct expr *expr, const json_t *value, uint64_t *left, bool *holds)
{
    struct expr_budget budget = {.steps = STEPS, .memory = MEMORY};
    const json_t *args[EXPR_PARAMS_MAX];
    struct fault fault = FAULT_INIT;
    enum err err;

    for (unsigned i = 0; i < EXPR_PARAMS_MAX; i++) {
        args[i] = json_is_array(value) && i ? json_array_get(value, i) : value;
    }
    err = expr_test(expr, args, &budget, holds, &fault);
    MUST(err == fault.code && (!err || (fault.text[0] && !*holds)));
    MUST(err == E_OK || err == E_REFUSED || err == E_LIMIT);
    MUST(budget.steps <= STEPS && (err != E_LIMIT || budget.steps < STEPS));
    *left = budget.steps;
    return err;
}

static void
as_expression(struct slice rest)
{
    struct slice source = part(&rest);
    json_t *value = evidence(rest), *before = json_deep_copy(value);
    struct fault fault = FAULT_INIT;
    struct expr *expr = NULL;
    bool first = false, second = false;
    uint64_t used, again;

    if (expr_compile(source, &expr, &fault)) {
        MUST(!expr && fault.text[0]);
        MUST(fault.code == E_REFUSED || fault.code == E_TOO_LARGE);
    } else {
        unsigned count = expr_param_count(expr);

        MUST(count >= 1 && count <= EXPR_PARAMS_MAX && source.len <= EXPR_BYTES_MAX);
        for (unsigned i = 0; i < count; i++) {
            MUST(expr_param_name(expr, i)[0]);
        }
        MUST(test_once(expr, value, &used, &first) == test_once(expr, value, &again, &second));
        MUST(first == second && used == again);
        MUST(!value || json_equal(value, before));
    }
    expr_free(expr);
    json_decref(value);
    json_decref(before);
}

static void
as_validator(struct slice rest)
{
    struct slice name = part(&rest), text = part(&rest);
    char *called = xstrndup(name.data, name.len);
    json_t *params = evidence(text), *value = evidence(rest), *before = json_deep_copy(value);
    struct validator *v = NULL;
    struct fault fault = FAULT_INIT, why = FAULT_INIT, same = FAULT_INIT;

    if (validator_bind(called, json_is_object(params) ? params : NULL, &v, &fault)) {
        MUST(!v && fault.text[0]);
        MUST(fault.code == E_NOT_FOUND || fault.code == E_REFUSED);
    } else if (value) {
        uint64_t steps = STEPS, again = STEPS;
        struct validator_context context = {.steps = &steps};
        bool holds = validator_check(v, value, &context, &why);

        context.steps = &again;
        MUST(holds == validator_check(v, value, &context, &same) && steps == again);
        MUST(steps <= STEPS && (holds || (why.text[0] && strcmp(why.text, same.text) == 0)));
        MUST(json_equal(value, before));
    }
    validator_free(v);
    json_decref(params);
    json_decref(value);
    json_decref(before);
    free(called);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = {(const char *)data + 1, size - 1};

    if (size && data[0] == 'e') {
        as_expression(rest);
    } else if (size && data[0] == 'v') {
        as_validator(rest);
    }
    return 0;
}
