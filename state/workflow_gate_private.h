/* workflow_gate_private.h -- the insides of a gate, shared by the files that load, derive and
 * judge. */
#ifndef TANDEM_WORKFLOW_GATE_PRIVATE_H
#define TANDEM_WORKFLOW_GATE_PRIVATE_H

#include "state/workflow_evidence.h"
#include "state/workflow_expr.h"
#include "state/workflow_gate.h"
#include "state/workflow_validators.h"
#include "state/yaml.h"

#include <stdatomic.h>

#define GATE_NAME_MAX 128u /* Bytes of a field's name. */
#define GATE_APPROVAL "human_approved"
#define GATE_OVERRIDE "_override"

enum gate_source { GATE_YAML, GATE_DEFINITION, GATE_DERIVED, GATE_PERMISSIVE };

struct gate_field {
    char *name;
    enum evidence_type type;
    bool required;
    char *validator;         /* As written; null if there is none.  Owned. */
    struct validator *named; /* If it is a named one; owned. */
    struct expr *inlined;    /* If it was written in place; owned. */
    const struct expr *expr; /* 'inlined', or one of the gate's own; null if named or unknown. */
    json_t *params;          /* validator_params, an object, or null.  Owned. */
};

struct gate_validator {
    char *name;
    struct expr *expr;
};

struct gate_rule {
    struct expr *expr;
    char *message;
};

struct gate {
    _Atomic unsigned refs;
    enum gate_source source;
    bool strict, allow_override, needs_approval;
    char *file; /* Null if it comes from none.  All below is owned. */
    struct gate_field *fields;
    size_t field_count;
    struct gate_validator *validators;
    size_t validator_count;
    struct gate_rule *rules;
    size_t rule_count;
};

/* Where a gate is being made, and what was wrong so far. */
struct gate_loader {
    struct gate *gate;
    const char *file;
    struct problems *problems;
    struct fault *fault; /* Told of the first error. */
    size_t errors;
    enum err machine; /* What the machine failed with, as that is no error of the gate; or E_OK. */
};

/* A new gate of 'source' with one reference; 'file' may be null. */
struct gate *gate_new(enum gate_source source, const char *file);
/* Notes an error, which makes the gate unusable, or a warning, at a place in the file (0: none). */
void gate_error(struct gate_loader *l, unsigned line, unsigned column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void gate_warning(struct gate_loader *l, unsigned line, unsigned column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Notes that a part could not be read for what the machine lacks just now, as 'why' tells: nothing
 * is known of the gate then. */
void gate_machine_error(struct gate_loader *l, const struct fault *why);
/* The gate, or null: after an error E_REFUSED with the first one; after one of the machine, that.
 */
enum err gate_finish(struct gate_loader *l, struct gate **gate);

/* Adds a field, for the caller to fill before the next one is added. */
struct gate_field *gate_add_field(struct gate *gate, const char *name);
const struct gate_field *gate_find_field(const struct gate *gate, const char *name);

#endif
