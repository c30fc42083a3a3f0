/* workflow_gate.c -- the life of a gate: made, shared, asked, freed.  See workflow_gate.h.
 *
 * Loading is in workflow_gate_load.c, deriving in workflow_gate_derive.c, judging in
 * workflow_gate_judge.c; evidence itself in workflow_evidence.c. */
#include "state/workflow_gate_private.h"

#include <stdio.h>

struct gate *
gate_new(enum gate_source source, const char *file)
{
    struct gate *gate = xcalloc(1, sizeof *gate);

    atomic_init(&gate->refs, 1);
    gate->source = source;
    gate->allow_override = true;
    gate->file = file ? xstrdup(file) : NULL;
    return gate;
}

static void
field_fini(struct gate_field *f)
{
    free(f->name);
    free(f->validator);
    validator_free(f->named);
    expr_free(f->inlined);
    json_decref(f->params);
}

static void
gate_free(struct gate *gate)
{
    for (size_t i = 0; i < gate->field_count; i++) {
        field_fini(&gate->fields[i]);
    }
    for (size_t i = 0; i < gate->validator_count; i++) {
        free(gate->validators[i].name);
        expr_free(gate->validators[i].expr);
    }
    for (size_t i = 0; i < gate->rule_count; i++) {
        free(gate->rules[i].message);
        expr_free(gate->rules[i].expr);
    }
    free(gate->fields);
    free(gate->validators);
    free(gate->rules);
    free(gate->file);
    free(gate);
}

struct gate *
gate_ref(struct gate *gate)
{
    atomic_fetch_add_explicit(&gate->refs, 1, memory_order_relaxed);
    return gate;
}

void
gate_unref(struct gate *gate)
{
    if (gate && atomic_fetch_sub_explicit(&gate->refs, 1, memory_order_acq_rel) == 1) {
        gate_free(gate);
    }
}

struct gate *
gate_permissive(void)
{
    return gate_new(GATE_PERMISSIVE, NULL);
}

const char *
gate_source_name(const struct gate *gate)
{
    static const char *const names[] = {"yaml", "definition", "derived", "permissive"};
    return names[gate->source];
}

bool
gate_is_strict(const struct gate *gate)
{
    return gate->strict;
}

bool
gate_needs_approval(const struct gate *gate)
{
    return gate->needs_approval;
}

size_t
gate_field_count(const struct gate *gate)
{
    return gate->field_count;
}

const struct gate_field *
gate_find_field(const struct gate *gate, const char *name)
{
    for (size_t i = 0; i < gate->field_count; i++) {
        if (strcmp(gate->fields[i].name, name) == 0) {
            return &gate->fields[i];
        }
    }
    return NULL;
}

struct gate_field *
gate_add_field(struct gate *gate, const char *name)
{
    gate->fields = xrealloc(gate->fields, (gate->field_count + 1) * sizeof *gate->fields);
    gate->fields[gate->field_count] =
        (struct gate_field){.name = xstrdup(name), .type = EVIDENCE_STRING};
    return &gate->fields[gate->field_count++];
}

static void
note(struct gate_loader *l, enum problem_severity severity, unsigned line, unsigned column,
     const char *text)
{
    problems_add(l->problems, severity, l->file, line, column, "%s", text);
    if (severity == PROBLEM_ERROR && l->errors++ == 0 && !l->machine) {
        fault_at(l->fault, E_REFUSED, line, column, "gate unusable: %s%s%s", l->file ? l->file : "",
                 l->file ? ": " : "", text);
        fault_remedy(l->fault, "correct the gate; \"tandem check\" lists all of its problems");
    }
}

void
gate_error(struct gate_loader *l, unsigned line, unsigned column, const char *format, ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    note(l, PROBLEM_ERROR, line, column, text);
}

void
gate_warning(struct gate_loader *l, unsigned line, unsigned column, const char *format, ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    note(l, PROBLEM_WARNING, line, column, text);
}

void
gate_machine_error(struct gate_loader *l, const struct fault *why)
{
    if (!l->machine) {
        l->machine = fault_set(l->fault, why->code, "gate unusable: %s", why->text);
    }
}

enum err
gate_finish(struct gate_loader *l, struct gate **gate)
{
    if (l->errors || l->machine) {
        gate_unref(l->gate);
        *gate = NULL;
        return l->machine ? l->machine : E_REFUSED;
    }
    *gate = l->gate;
    return E_OK;
}
