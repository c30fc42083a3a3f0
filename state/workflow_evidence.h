/* workflow_evidence.h -- the types that evidence may have, and the proof form around a value.
 *
 * Types follow the gate files, not Python: a boolean is no integer, and 3.0 is one.  Pure; any
 * thread. */
#ifndef TANDEM_WORKFLOW_EVIDENCE_H
#define TANDEM_WORKFLOW_EVIDENCE_H

#include <jansson.h>
#include <stdbool.h>

enum evidence_type {
    EVIDENCE_ANY, /* Nothing was said, or nothing that is understood. */
    EVIDENCE_BOOLEAN,
    EVIDENCE_INTEGER,
    EVIDENCE_NUMBER,
    EVIDENCE_STRING,
    EVIDENCE_LIST,
    EVIDENCE_OBJECT
};

/* The type called 'name' ("boolean", "bool", "array", ...), in '*type'; false if there is none. */
bool evidence_type_named(const char *name, enum evidence_type *type);
/* "boolean", "integer", "number", "string", "list", "object" or "any"; borrowed for ever. */
const char *evidence_type_name(enum evidence_type type);
/* What 'value' is, in the same words, or "null"; borrowed for ever. */
const char *evidence_value_name(const json_t *value);
bool evidence_is(const json_t *value, enum evidence_type type);
/* True if 'a' and 'b' are equal, an integer and a float of the same value included. */
bool evidence_equal(const json_t *a, const json_t *b);

/* True if 'field' is in the proof form: an object with "value" and a text "command", an integer
 * "exit_code" and a text "output" if they are there, and nothing else but "executed_at" and
 * "duration_ms". */
bool evidence_is_proof(const json_t *field);
/* What 'field' says: the value inside the proof form, or 'field' itself.  Borrowed. */
const json_t *evidence_value(const json_t *field);
/* The same value, for jansson's functions that want one they could write to, and do not. */
json_t *evidence_same(const json_t *value);

#endif
