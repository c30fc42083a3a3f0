/* workflow_gate_judge.c -- judges an evidence by a gate.  See workflow_gate.h.
 *
 * DESIGN.  Judging gathers findings; only at the end are they softened, overridden and told.  Each
 * finding holds its public sentence and its full one, so that what a client may read is decided at
 * the place where it is known: the type of a field that was tried may be told, a rule never. */
#include "state/workflow_gate_judge_private.h"

#include "state/base/rune.h"

#include <stdio.h>

#define UNKNOWN_TOLD_MAX 50u /* Fields that are in no schema, told one by one. */
#define REASON_BYTES_MAX 2000u

/* Adds a finding about 'field' (null: about none); 'text' and 'step' are taken over, 'step' may be
 * null.  Returns its full form, borrowed, for more members. */
static json_t *
find(struct judge *j, const char *kind, bool warning, const char *field, char *text, char *step)
{
    struct finding *f;

    j->findings = xrealloc(j->findings, (j->count + 1) * sizeof *j->findings);
    f = &j->findings[j->count++];
    *f = (struct finding){.kind = kind, .warning = warning, .text = text, .step = step};
    f->full = json_pack("{s:s}", "kind", kind);
    if (field) {
        json_object_set_new(f->full, "field",
                            json_stringn(field, rune_cut(slice_of(field), GATE_NAME_MAX)));
    }
    return f->full;
}

/* A name as it is told in a sentence. */
#define NAME_SHOWN(NAME) (int)rune_cut(slice_of(NAME), 100), NAME

static void
add_name(json_t *list, const char *name)
{
    size_t i;
    json_t *there;

    json_array_foreach(list, i, there) {
        if (strcmp(json_string_value(there), name) == 0) {
            return;
        }
    }
    json_array_append_new(list, json_string(name));
}

/* ---- The checks, in their order. ---- */

static void
check_missing(struct judge *j)
{
    for (size_t i = 0; i < j->gate->field_count; i++) {
        const struct gate_field *f = &j->gate->fields[i];
        if (f->required && !json_object_get(j->plain, f->name)) {
            add_name(j->missing, f->name);
            find(j, "missing", false, f->name,
                 xasprintf("Field '%s' is required but missing", f->name),
                 xasprintf("Provide the field '%s'", f->name));
        }
    }
}

static bool
check_type(struct judge *j, const struct gate_field *f, const json_t *value)
{
    const char *expected = evidence_type_name(f->type), *got = evidence_value_name(value);
    json_t *full;

    if (evidence_is(value, f->type)) {
        return true;
    }
    add_name(j->failed, f->name);
    full = find(j, "type", false, f->name,
                xasprintf("Field '%s' must be %s, got: %s", f->name, expected, got),
                xasprintf("Submit the field '%s' as %s", f->name, expected));
    json_object_set_new(full, "expected", json_string(expected));
    json_object_set_new(full, "got", json_string(got));
    return false;
}

/* Whether 'why' is no finding, but what the machine lacks just now; then it is noted. */
static bool
lacks(struct judge *j, const struct fault *why)
{
    if (why->code == E_OVERLOAD && !j->machine.code) {
        j->machine = *why;
    }
    return why->code == E_OVERLOAD;
}

/* Evaluates the field's expression on 'value' and its parameters. */
static bool
expression_holds(struct judge *j, const struct gate_field *f, const json_t *value,
                 struct fault *why)
{
    const json_t *args[EXPR_PARAMS_MAX] = {value};
    bool holds = false;

    for (unsigned i = 1; i < expr_param_count(f->expr); i++) {
        args[i] = json_object_get(f->params, expr_param_name(f->expr, i));
    }
    if (expr_test(f->expr, args, &j->budget, &holds, why)) {
        return false;
    }
    if (!holds) {
        fault_set(why, E_REFUSED, "the expression is not true of it");
    }
    return holds;
}

static void
check_validator(struct judge *j, const struct gate_field *f, const json_t *value)
{
    struct validator_context context = {.workspace = j->context->workspace,
                                        .steps = &j->budget.steps};
    struct fault why = FAULT_INIT;
    json_t *full;
    bool holds;

    if (!f->validator) {
        return;
    }
    if (!f->named && !f->expr) {
        full = find(j, "undefined_validator", true, f->name,
                    xasprintf("Field '%s' was not checked: its validator is not defined", f->name),
                    NULL);
        json_object_set_new(full, "validator", json_string(f->validator));
        return;
    }
    holds = f->named ? validator_check(f->named, value, &context, &why)
                     : expression_holds(j, f, value, &why);
    if (holds || lacks(j, &why)) {
        return;
    }
    add_name(j->failed, f->name);
    full = find(
        j, "validator", false, f->name, xasprintf("Validation failed for field '%s'", f->name),
        xasprintf("Do the work that the field '%s' reports, and submit what it shows", f->name));
    json_object_set_new(full, "validator", json_string(f->validator));
    json_object_set_new(full, "detail", json_string(why.text));
}

/* What the way a value was submitted tells against it, though it passes. */
static void
check_claim(struct judge *j, const struct gate_field *f, const json_t *submitted,
            const json_t *value)
{
    const json_t *code =
        evidence_is_proof(submitted) ? json_object_get(submitted, "exit_code") : NULL;

    if (json_integer_value(code) != 0) {
        find(j, "exit_code", true, f->name,
             xasprintf("The command that proves field '%s' ended with exit code %lld", f->name,
                       (long long)json_integer_value(code)),
             NULL);
    }
    if (json_is_false(value) && !f->validator) {
        find(j, "denied", true, f->name, xasprintf("Field '%s' was submitted as false", f->name),
             NULL);
    }
}

static bool
is_known(const struct judge *j, const char *name)
{
    return gate_find_field(j->gate, name) ||
           (j->gate->needs_approval && strcmp(name, GATE_APPROVAL) == 0);
}

static void
check_unknown(struct judge *j)
{
    size_t unknown = 0;
    const char *name;
    json_t *value;

    json_object_foreach(j->plain, name, value) {
        if (!is_known(j, name) && ++unknown <= UNKNOWN_TOLD_MAX) {
            find(j, "unknown", true, name,
                 xasprintf("Field '%.*s' is not part of this gate", NAME_SHOWN(name)), NULL);
        }
    }
    if (unknown > UNKNOWN_TOLD_MAX) {
        find(j, "unknown", true, NULL,
             xasprintf("%zu more fields are not part of this gate", unknown - UNKNOWN_TOLD_MAX),
             NULL);
    }
}

static void
check_fields(struct judge *j)
{
    const char *name;
    json_t *value;

    json_object_foreach(j->plain, name, value) {
        const struct gate_field *f = gate_find_field(j->gate, name);
        if (f && check_type(j, f, value)) {
            check_validator(j, f, value);
            check_claim(j, f, json_object_get(j->evidence, name), value);
        }
    }
}

/* True if the rule speaks of a field of the gate that was not submitted. */
static bool
speaks_of_untried(const struct judge *j, const struct gate_rule *rule)
{
    for (size_t i = 0; i < j->gate->field_count; i++) {
        const char *name = j->gate->fields[i].name;
        if (!json_object_get(j->plain, name) && expr_mentions(rule->expr, name)) {
            return true;
        }
    }
    return false;
}

static void
check_rules(struct judge *j)
{
    for (size_t i = 0; i < j->gate->rule_count; i++) {
        const struct gate_rule *rule = &j->gate->rules[i];
        const json_t *args[1] = {j->plain};
        struct fault why = FAULT_INIT;
        bool holds = false, told;
        json_t *full;
        if ((!expr_test(rule->expr, args, &j->budget, &holds, &why) && holds) || lacks(j, &why)) {
            continue;
        }
        told = rule->message && !speaks_of_untried(j, rule);
        full = find(j, "cross_field", false, NULL,
                    told ? xasprintf("Cross-field validation failed: %s", rule->message)
                         : xstrdup("Cross-field validation failed"),
                    xstrdup("Make the submitted fields agree with one another"));
        json_object_set_new(full, "rule", json_integer((json_int_t)i + 1));
        json_object_set_new(full, "message", json_string(rule->message ? rule->message : ""));
        json_object_set_new(full, "detail", json_string(why.text));
    }
}

static void
check_approval(struct judge *j)
{
    const json_t *approved = json_object_get(j->plain, GATE_APPROVAL);

    if (!j->gate->needs_approval || json_is_true(approved)) {
        return;
    }
    add_name(approved ? j->failed : j->missing, GATE_APPROVAL);
    find(j, "approval", false, GATE_APPROVAL,
         xasprintf("Field '%s' must be true: a person has to approve this phase", GATE_APPROVAL),
         xasprintf("Ask a person to approve, then submit '%s': true", GATE_APPROVAL));
    j->findings[j->count - 1].hard = true;
}

/* ---- From findings to an outcome. ---- */

static bool
has_errors(const struct judge *j)
{
    for (size_t i = 0; i < j->count; i++) {
        if (!j->findings[i].warning) {
            return true;
        }
    }
    return false;
}

static void
soften(struct judge *j)
{
    for (size_t i = 0; i < j->count; i++) {
        j->findings[i].warning = j->findings[i].warning || !j->findings[i].hard;
    }
}

/* The reason of an override, or null if there is none that counts as one. */
static const char *
override_reason(const json_t *override)
{
    const json_t *reason = json_object_get(override, "reason");
    const char *text = json_string_value(reason);

    if (!text || json_string_length(reason) > REASON_BYTES_MAX ||
        strlen(text) != json_string_length(reason) || strspn(text, " \t\r\n") == strlen(text)) {
        return NULL;
    }
    return text;
}

static void
apply_override(struct judge *j)
{
    const json_t *override = json_object_get(j->evidence, GATE_OVERRIDE);
    const char *reason = override_reason(override);

    if (!override) {
        return;
    }
    if (!has_errors(j)) {
        find(j, "override", true, NULL, xstrdup("The override was not needed"), NULL);
    } else if (!j->gate->allow_override) {
        find(j, "override", false, NULL, xstrdup("This gate takes no override"),
             xstrdup("Meet the gate; it cannot be overridden"));
    } else if (!reason) {
        find(j, "override", false, NULL,
             xasprintf("'%s' needs a 'reason', a text of at most %u bytes", GATE_OVERRIDE,
                       REASON_BYTES_MAX),
             xstrdup("Say why the gate is to be overridden, or meet it"));
    } else {
        soften(j);
        j->overridden = !has_errors(j);
        j->reason = j->overridden ? reason : NULL;
    }
}

/* Unwraps the evidence, and makes 3.0 in an integer field the integer that it counts as. */
static json_t *
judged_evidence(const struct gate *gate, const json_t *evidence)
{
    json_t *plain = gate_plain_evidence(evidence);

    for (size_t i = 0; i < gate->field_count; i++) {
        const json_t *value = json_object_get(plain, gate->fields[i].name);
        if (gate->fields[i].type == EVIDENCE_INTEGER && json_is_real(value) &&
            evidence_is(value, EVIDENCE_INTEGER)) {
            json_object_set_new(plain, gate->fields[i].name,
                                json_integer((json_int_t)json_real_value(value)));
        }
    }
    return plain;
}

static void
judge_fini(struct judge *j)
{
    for (size_t i = 0; i < j->count; i++) {
        free(j->findings[i].text);
        free(j->findings[i].step);
        json_decref(j->findings[i].full);
    }
    free(j->findings);
    json_decref(j->plain);
    json_decref(j->missing);
    json_decref(j->failed);
}

enum err
gate_evaluate(const struct gate *gate, const json_t *evidence, const struct gate_context *context,
              struct gate_result *result, struct fault *fault)
{
    struct judge j = {
        .gate = gate, .evidence = evidence, .context = context, .budget = EXPR_BUDGET_INIT};
    enum err err = gate_check_evidence(evidence, fault);

    *result = (struct gate_result)GATE_RESULT_INIT;
    if (err) {
        return err;
    }
    j.plain = judged_evidence(gate, evidence);
    j.missing = json_array();
    j.failed = json_array();
    if (gate->source == GATE_PERMISSIVE) {
        find(&j, "permissive", true, NULL,
             xstrdup("This phase has no gate: the evidence was accepted unchecked"), NULL);
    } else {
        check_missing(&j);
        check_unknown(&j);
        check_fields(&j);
        check_rules(&j);
        check_approval(&j);
    }
    if (j.machine.code) {
        judge_fini(&j);
        return fault_set(fault, j.machine.code, "the evidence cannot be judged: %s",
                         j.machine.text);
    }
    if (!gate->strict) {
        soften(&j);
    }
    apply_override(&j);
    result->passed = !has_errors(&j);
    result->overridden = j.overridden;
    result->validation_result = judge_public_form(&j, result->passed);
    result->diagnostic = judge_full_form(&j, result->passed);
    judge_fini(&j);
    return E_OK;
}

void
gate_result_fini(struct gate_result *result)
{
    json_decref(result->validation_result);
    json_decref(result->diagnostic);
    *result = (struct gate_result)GATE_RESULT_INIT;
}
