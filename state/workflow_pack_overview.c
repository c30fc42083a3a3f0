/* workflow_pack_overview.c -- the normalised metadata of a pack, as answers show it.
 *
 * What the file says passes through; what it should say and does not gets its default; phases and
 * tasks are those that were found.  A JSON call that fails for want of memory makes the whole fail:
 * the flag is looked at once, at the end. */
#include "state/workflow_pack_private.h"

json_t *
pack_warning_texts(const struct problems *problems)
{
    json_t *texts = json_array();

    for (size_t i = 0; texts && i < problems->count; i++) {
        const struct problem *p = &problems->items[i];
        json_t *text;

        if (p->file && p->line) {
            text = json_sprintf("%s:%u: %s", p->file, p->line, p->text);
        } else if (p->file) {
            text = json_sprintf("%s: %s", p->file, p->text);
        } else {
            text = json_string(p->text);
        }
        if (!text || json_array_append_new(texts, text)) {
            json_decref(texts);
            return NULL;
        }
    }
    if (texts && problems->left_out > 0) {
        json_array_append_new(texts, json_sprintf("and %zu more", problems->left_out));
    }
    return texts;
}

static bool
set(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0;
}

/* Sets 'key' unless the object has a value of that type. */
static bool
set_default(json_t *object, const char *key, json_type type, json_t *value)
{
    const json_t *old = json_object_get(object, key);

    if (old && json_typeof(old) == type) {
        json_decref(value);
        return true;
    }
    return set(object, key, value);
}

static json_t *
show_task(const struct pack_task *task)
{
    json_t *shown = json_pack("{s:i, s:s, s:s, s:s}", "task_number", task->number, "name",
                              task->name, "file", task->file, "purpose", task->purpose);

    if (shown && task->missing && !set(shown, "missing", json_true())) {
        json_decref(shown);
        return NULL;
    }
    return shown;
}

static json_t *
show_phase(const struct pack *pack, const struct pack_phase *phase)
{
    json_t *shown = phase->metadata ? json_deep_copy(phase->metadata) : json_object();
    json_t *tasks = json_array();
    bool good = shown && tasks;

    for (size_t i = 0; good && i < phase->task_count; i++) {
        good = json_array_append_new(tasks, show_task(&phase->tasks[i])) == 0;
    }
    good = good && set(shown, "phase_number", json_integer(phase->number)) &&
           set(shown, "phase_name", json_string(phase->name)) &&
           set(shown, "purpose", json_string(phase->purpose)) &&
           set(shown, "estimated_effort", json_string(phase->effort)) &&
           set_default(shown, "key_deliverables", JSON_ARRAY, json_array()) &&
           set_default(shown, "validation_criteria", JSON_ARRAY, json_array()) &&
           json_object_set(shown, "tasks", tasks) == 0;
    if (good && !phase->folder) {
        good = set(shown, "offered", json_boolean(pack->is_dynamic));
    }
    json_decref(tasks);
    if (!good) {
        json_decref(shown);
        return NULL;
    }
    return shown;
}

static json_t *
show_phases(const struct pack *pack)
{
    json_t *phases = json_array();
    bool good = phases != NULL;

    for (size_t i = 0; good && i < pack->phase_count; i++) {
        good = json_array_append_new(phases, show_phase(pack, &pack->phases[i])) == 0;
    }
    if (good && pack->range) {
        good = json_array_append_new(phases, json_deep_copy(pack->range)) == 0;
    }
    if (!good) {
        json_decref(phases);
        return NULL;
    }
    return phases;
}

/* The number of phases that a session has, or "dynamic". */
static json_t *
total_phases(const struct pack *pack)
{
    json_int_t count = 0;

    if (pack->is_dynamic) {
        return json_string("dynamic");
    }
    for (size_t i = 0; i < pack->phase_count; i++) {
        count += pack->phases[i].folder;
    }
    return json_integer(count);
}

json_t *
pack_overview(const struct pack *pack)
{
    json_t *shown = json_copy(pack->metadata);
    bool good = shown && set(shown, "id", json_string(pack->id)) &&
                set(shown, "workflow_type", json_string(pack->type)) &&
                set(shown, "version", json_string(pack->version)) &&
                set(shown, "name", json_string(pack->title)) &&
                set(shown, "description", json_string(pack->description)) &&
                set(shown, "total_phases", total_phases(pack)) &&
                set_default(shown, "estimated_duration", JSON_STRING, json_string("not stated")) &&
                set_default(shown, "primary_outputs", JSON_ARRAY, json_array()) &&
                set(shown, "dynamic_phases", json_boolean(pack->is_dynamic)) &&
                set(shown, "phases", show_phases(pack)) &&
                set(shown, "warnings", pack_warning_texts(&pack->warnings));

    if (!good) {
        json_decref(shown);
        return NULL;
    }
    return shown;
}
