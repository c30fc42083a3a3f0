/* workflow_evidence.c -- types, proof forms and bounds of evidence.  See workflow_evidence.h and
 * the evidence part of workflow_gate.h. */
#include "state/workflow_evidence.h"

#include "state/base/rune.h"
#include "state/workflow_gate.h"

#include <math.h>
#include <string.h>

#define OUTPUT_MAX (16u << 10)

static const struct {
    const char *name;
    enum evidence_type type;
} type_names[] = {
    /* The first of each type is the one it is told by. */
    {"any", EVIDENCE_ANY},         {"boolean", EVIDENCE_BOOLEAN}, {"bool", EVIDENCE_BOOLEAN},
    {"integer", EVIDENCE_INTEGER}, {"int", EVIDENCE_INTEGER},     {"number", EVIDENCE_NUMBER},
    {"float", EVIDENCE_NUMBER},    {"string", EVIDENCE_STRING},   {"str", EVIDENCE_STRING},
    {"list", EVIDENCE_LIST},       {"array", EVIDENCE_LIST},      {"object", EVIDENCE_OBJECT},
    {"dict", EVIDENCE_OBJECT},
};

bool
evidence_type_named(const char *name, enum evidence_type *type)
{
    for (size_t i = 1; i < sizeof type_names / sizeof type_names[0]; i++) {
        if (strcmp(name, type_names[i].name) == 0) {
            *type = type_names[i].type;
            return true;
        }
    }
    return false;
}

const char *
evidence_type_name(enum evidence_type type)
{
    size_t i = 0;

    while (type_names[i].type != type) {
        i++;
    }
    return type_names[i].name;
}

const char *
evidence_value_name(const json_t *value)
{
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_OBJECT:
        return "object";
    case JSON_ARRAY:
        return "list";
    case JSON_STRING:
        return "string";
    case JSON_INTEGER:
        return "integer";
    case JSON_REAL:
        return "number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "boolean";
    default:
        return "null";
    }
}

/* A float that is a whole number of 64 bits. */
static bool
is_whole(double d)
{
    return d >= -9223372036854775808.0 && d < 9223372036854775808.0 && floor(d) == d;
}

bool
evidence_is(const json_t *value, enum evidence_type type)
{
    switch (type) {
    case EVIDENCE_BOOLEAN:
        return json_is_boolean(value);
    case EVIDENCE_INTEGER:
        return json_is_integer(value) || (json_is_real(value) && is_whole(json_real_value(value)));
    case EVIDENCE_NUMBER:
        return json_is_number(value);
    case EVIDENCE_STRING:
        return json_is_string(value);
    case EVIDENCE_LIST:
        return json_is_array(value);
    case EVIDENCE_OBJECT:
        return json_is_object(value);
    default:
        return true;
    }
}

bool
evidence_equal(const json_t *a, const json_t *b)
{
    if (json_is_real(a) && json_is_integer(b)) {
        const json_t *swap = a;
        a = b;
        b = swap;
    }
    if (json_is_integer(a) && json_is_real(b)) {
        double d = json_real_value(b);
        return is_whole(d) && (json_int_t)d == json_integer_value(a);
    }
    return json_equal(a, b);
}

bool
evidence_is_proof(const json_t *field)
{
    static const char *const members[] = {"value",  "command",     "exit_code",
                                          "output", "executed_at", "duration_ms"};
    size_t known = 0;
    const json_t *code = json_object_get(field, "exit_code");
    const json_t *output = json_object_get(field, "output");

    if (!json_object_get(field, "value") || !json_is_string(json_object_get(field, "command")) ||
        (code && !json_is_integer(code)) || (output && !json_is_string(output))) {
        return false;
    }
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        known += json_object_get(field, members[i]) != NULL;
    }
    return known == json_object_size(field);
}

const json_t *
evidence_value(const json_t *field)
{
    return evidence_is_proof(field) ? json_object_get(field, "value") : field;
}

/* ---- The evidence part of workflow_gate.h. ---- */

json_t *
evidence_same(const json_t *value)
{
    json_t *same;

    memcpy(&same, &value, sizeof same);
    return same;
}

static enum err
count_values(const json_t *value, unsigned depth, size_t *count, struct fault *fault)
{
    const char *key;
    json_t *member;
    size_t i;
    enum err err = E_OK;

    if (++*count > GATE_EVIDENCE_VALUES_MAX) {
        return fault_set(fault, E_ARGUMENT, "the evidence holds more than %u values",
                         GATE_EVIDENCE_VALUES_MAX);
    }
    if (depth > GATE_EVIDENCE_DEPTH_MAX) {
        return fault_set(fault, E_ARGUMENT, "the evidence is nested deeper than %u levels",
                         GATE_EVIDENCE_DEPTH_MAX);
    }
    json_array_foreach(value, i, member) {
        err = err ? err : count_values(member, depth + 1, count, fault);
    }
    json_object_foreach(evidence_same(value), key, member) {
        err = err ? err : count_values(member, depth + 1, count, fault);
    }
    return err;
}

static int
count_bytes(const char *data, size_t len, void *total)
{
    size_t *bytes = total;

    (void)data;
    *bytes += len;
    return *bytes > GATE_EVIDENCE_BYTES_MAX ? -1 : 0;
}

enum err
gate_check_evidence(const json_t *evidence, struct fault *fault)
{
    size_t values = 0, bytes = 0;
    enum err err;

    if (!json_is_object(evidence)) {
        fault_set(fault, E_ARGUMENT, "evidence must be an object, got: %s",
                  evidence_value_name(evidence));
        return fault_remedy(fault, "send an object with one member for each piece of evidence");
    }
    if (json_object_size(evidence) > GATE_EVIDENCE_FIELDS_MAX) {
        return fault_set(fault, E_ARGUMENT, "the evidence has %zu fields, more than %u",
                         json_object_size(evidence), GATE_EVIDENCE_FIELDS_MAX);
    }
    /* Depth first: printing recurses. */
    err = count_values(evidence, 0, &values, fault);
    if (!err && json_dump_callback(evidence, count_bytes, &bytes, JSON_COMPACT)) {
        fault_set(fault, E_ARGUMENT, "the evidence is larger than %u bytes as JSON",
                  GATE_EVIDENCE_BYTES_MAX);
        err = fault_remedy(fault, "send paths of large outputs instead of the outputs");
    }
    return err;
}

json_t *
gate_plain_evidence(const json_t *evidence)
{
    json_t *plain = json_object(), *field;
    const char *name;

    json_object_foreach(evidence_same(evidence), name, field) {
        if (strcmp(name, "_override") != 0 && strcmp(name, "_approval") != 0) { /* Ours alone. */
            json_object_set(plain, name, evidence_same(evidence_value(field)));
        }
    }
    return plain;
}

/* 'output' as it is kept: cut at a whole character. */
static json_t *
kept_output(const json_t *output, bool *cut)
{
    struct slice text = {json_string_value(output), json_string_length(output)};

    *cut = text.len > OUTPUT_MAX;
    return output ? json_stringn(text.data, rune_cut(text, OUTPUT_MAX)) : json_null();
}

json_t *
gate_commands(const json_t *evidence)
{
    static const char *const copied[] = {"command", "exit_code", "executed_at", "duration_ms"};
    json_t *records = json_array(), *field;
    const char *name;

    json_object_foreach(evidence_same(evidence), name, field) {
        json_t *record;
        bool cut;
        if (!evidence_is_proof(field)) {
            continue;
        }
        record = json_pack("{s:s}", "field", name);
        for (size_t i = 0; i < sizeof copied / sizeof copied[0]; i++) {
            json_t *member = json_object_get(field, copied[i]);
            json_object_set_new(record, copied[i], member ? json_incref(member) : json_null());
        }
        json_object_set_new(record, "output", kept_output(json_object_get(field, "output"), &cut));
        if (cut) {
            json_object_set_new(record, "output_cut", json_true());
        }
        json_array_append_new(records, record);
    }
    return records;
}
