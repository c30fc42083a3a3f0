/* workflow_gate_judge_tell.c -- what came of an evidence, in the form that its client may read and
 * in the full one. */
#include "state/workflow_gate_judge_private.h"

#include "state/base/rune.h"

#define STEPS_TOLD_MAX 5u
#define REMEDIES_TOLD_MAX 3u

static json_t *
submitted_names(const struct judge *j)
{
    json_t *names = json_array(), *value;
    const char *name;

    json_object_foreach(j->plain, name, value) {
        json_array_append_new(names, json_stringn(name, rune_cut(slice_of(name), GATE_NAME_MAX)));
    }
    return names;
}

/* The public sentences of the errors, or of the warnings. */
static json_t *
sentences(const struct judge *j, bool warnings)
{
    json_t *list = json_array();

    for (size_t i = 0; i < j->count; i++) {
        if (j->findings[i].warning == warnings) {
            json_array_append_new(list, json_string(j->findings[i].text));
        }
    }
    return list;
}

/* The first errors in one text, and what to do about the first few. */
static void
tell_next(const struct judge *j, json_t *result)
{
    struct buf remedy = BUF_INIT;
    json_t *steps = json_array();
    size_t told = 0;
    char *text;

    for (size_t i = 0; i < j->count && told < STEPS_TOLD_MAX; i++) {
        const struct finding *f = &j->findings[i];
        if (f->warning) {
            continue;
        }
        if (told < REMEDIES_TOLD_MAX) {
            buf_addf(&remedy, "%s%s", told ? "; " : "", f->text);
        }
        told++;
        json_array_append_new(steps, json_string(f->step));
    }
    text = buf_steal(&remedy);
    json_object_set_new(result, "remediation", json_string(text ? text : ""));
    json_object_set_new(result, "next_steps", steps);
    free(text);
}

json_t *
judge_public_form(const struct judge *j, bool passed)
{
    json_t *result = json_pack(
        "{s:b, s:o, s:o, s:{s:o, s:O, s:O, s:b, s:s, s:s?}, s:b}", "checkpoint_passed", passed,
        "errors", sentences(j, false), "warnings", sentences(j, true), "diagnostics",
        "fields_submitted", submitted_names(j), "fields_missing", j->missing, "fields_failed",
        j->failed, "strict_mode", j->gate->strict, "gate_source", gate_source_name(j->gate),
        "validation_timestamp", j->context->now, "overridden", j->overridden);

    if (j->reason) {
        json_object_set_new(result, "override_reason", json_string(j->reason));
    }
    tell_next(j, result);
    return result;
}

static json_t *
required_names(const struct gate *gate)
{
    json_t *names = json_array();

    for (size_t i = 0; i < gate->field_count; i++) {
        if (gate->fields[i].required) {
            json_array_append_new(names, json_string(gate->fields[i].name));
        }
    }
    return names;
}

json_t *
judge_full_form(const struct judge *j, bool passed)
{
    json_t *findings = json_array();

    for (size_t i = 0; i < j->count; i++) {
        const struct finding *f = &j->findings[i];
        json_object_set_new(f->full, "severity", json_string(f->warning ? "warning" : "error"));
        json_object_set_new(f->full, "text", json_string(f->text));
        json_array_append(findings, f->full);
    }
    return json_pack("{s:b, s:b, s:s?, s:s, s:s?, s:b, s:b, s:b, s:o, s:o, s:O, s:O, s:o, s:s?}",
                     "passed", passed, "overridden", j->overridden, "override_reason", j->reason,
                     "gate_source", gate_source_name(j->gate), "gate_file", j->gate->file,
                     "strict_mode", j->gate->strict, "allow_override", j->gate->allow_override,
                     "needs_approval", j->gate->needs_approval, "fields_submitted",
                     submitted_names(j), "fields_required", required_names(j->gate),
                     "fields_missing", j->missing, "fields_failed", j->failed, "findings", findings,
                     "validation_timestamp", j->context->now);
}
