/* workflow_content_show.c -- see workflow_content.h: phases and tasks as answers show them.
 *
 * One shape for a pack's own phases and for those of a source.  JSON calls that fail for want of
 * memory leave a null behind, which is noticed once, where the whole is handed out. */
#include "state/workflow_content_private.h"
#include "state/workflow_steps.h"
#include "state/yaml.h"

#include <stdio.h>

#define NOT_STATED "Variable" /* A time that the source does not tell: packs expect this word. */

static enum err
no_memory(json_t *object, struct fault *f)
{
    json_decref(object);
    return fault_set(f, E_OVERLOAD, "no memory for the answer");
}

/* Sets 'key' to 'value' (steals, may be null: then it fails). */
static bool
set(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0;
}

/* Sets 'warnings' if there are any.  Frees 'problems'. */
static bool
set_warnings(json_t *object, struct problems *problems)
{
    bool good = problems->count == 0 || set(object, "warnings", pack_warning_texts(problems));

    problems_fini(problems);
    return good;
}

/* Steals 'item'. */
static bool
append(json_t *array, json_t *item)
{
    return json_array_append_new(array, item) == 0;
}

static json_t *
text_or(const char *text, const char *otherwise)
{
    return json_string(text[0] ? text : otherwise);
}

static json_t *
dependencies_of(const struct wf_task *task)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < task->dependency_count; i++) {
        if (!append(list, json_string(task->dependencies[i]))) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *
criteria_of(const struct wf_criterion *criteria, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < count; i++) {
        if (!append(list,
                    json_pack("{s:s, s:b}", "text", criteria[i].text, "done", criteria[i].done))) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *
own_task_row(const struct pack_phase *phase, const struct pack_task *task)
{
    json_t *row = json_pack("{s:i, s:o, s:s, s:s, s:[], s:s, s:s}", "task_number", task->number,
                            "task_id", json_sprintf("%d.%d", phase->number, task->number),
                            "task_name", task->name, "estimated_time", "", "dependencies",
                            "purpose", task->purpose, "task_file", task->file);

    if (row && task->missing && !set(row, "missing", json_true())) {
        json_decref(row);
        return NULL;
    }
    return row;
}

static json_t *
made_task_row(const struct wf_task *task)
{
    return json_pack("{s:i, s:s, s:s, s:o, s:o}", "task_number", (int)task->number, "task_id",
                     task->id, "task_name", task->name, "estimated_time",
                     text_or(task->estimated_time, NOT_STATED), "dependencies",
                     dependencies_of(task));
}

/* The text of a phase that has no phase.md: what metadata says of it. */
static void
write_phase(const struct pack_phase *phase, struct buf *out)
{
    const json_t *list = json_object_get(phase->metadata, "key_deliverables");

    buf_addf(out, "# Phase %d: %s\n", phase->number, phase->name);
    if (phase->purpose[0]) {
        buf_addf(out, "\n%s\n", phase->purpose);
    }
    if (json_array_size(list) > 0) {
        buf_adds(out, "\n## Deliverables\n\n");
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));

        if (text) {
            buf_addf(out, "- %s\n", text);
        }
    }
    buf_adds(out, "\n## Tasks\n\n");
    for (size_t i = 0; i < phase->task_count; i++) {
        buf_addf(out, "- Task %d: %s\n", phase->tasks[i].number, phase->tasks[i].name);
    }
}

static enum err
show_own_phase(const struct wf_content *content, const struct pack_phase *phase, json_t **result,
               struct fault *f)
{
    struct problems warnings = PROBLEMS_INIT;
    struct fault local = FAULT_INIT;
    struct buf text = BUF_INIT;
    json_t *tasks = json_array();
    json_t *shown;
    bool good = tasks != NULL;
    enum err err = pack_read_phase(content->frame->pack, phase, &text, NULL, &local);

    if (err == E_NOT_FOUND) {
        problems_add(&warnings, PROBLEM_WARNING, phase->file, 0, 0,
                     "is not there: the text is made from metadata.json");
        write_phase(phase, &text);
    } else if (err) {
        json_decref(tasks);
        buf_fini(&text);
        if (f) {
            *f = local;
        }
        return err;
    }
    for (size_t i = 0; good && i < phase->task_count; i++) {
        good = append(tasks, own_task_row(phase, &phase->tasks[i]));
    }
    shown = json_pack("{s:i, s:s, s:s%, s:O, s:i, s:s}", "phase", phase->number, "phase_name",
                      phase->name, "phase_content", text.len ? text.data : "", text.len, "tasks",
                      tasks, "task_count", (int)phase->task_count, "source", "pack");
    json_decref(tasks);
    buf_fini(&text);
    good = set_warnings(shown, &warnings) && good && shown;
    if (!good) {
        return no_memory(shown, f);
    }
    *result = shown;
    return E_OK;
}

/* Sets the same value, which is stolen, by all its names: packs of each generation have their own.
 */
static bool
set_names(json_t *values, json_t *value, const char *const *names)
{
    bool good = value != NULL;

    while (good && *names) {
        good = json_object_set(values, *names++, value) == 0;
    }
    json_decref(value);
    return good;
}
#define SET(VALUE, ...) set_names(values, VALUE, (const char *const[]){__VA_ARGS__, NULL})

/* What both templates of a phase may name. */
static json_t *
phase_values(const struct wf_content *content, const struct wf_phase *phase)
{
    const char *description = phase->description[0] ? phase->description : phase->name;
    json_t *values = json_object();
    json_t *gate = phase->gate_count > 0 ? criteria_of(phase->gate, phase->gate_count)
                                         : json_string("(The source has no list for this gate.)");
    int next = wf_content_next_phase(content, phase->number);
    size_t round = (size_t)(phase - content->source->phases);
    bool more = round + 1 < content->source->phase_count;
    json_t *next_phase =
        next >= 0 ? json_integer(next) : json_string("(none: this is the last phase)");
    bool good =
        values &&
        SET(json_integer(phase->number), "PHASE_NUMBER", "phase_number", "target_phase_number") &&
        SET(json_string(phase->name), "PHASE_NAME", "phase_name", "target_phase_name") &&
        SET(json_string(description), "PHASE_DESCRIPTION", "phase_description",
            "target_phase_purpose") &&
        SET(text_or(phase->duration, NOT_STATED), "ESTIMATED_DURATION", "estimated_duration") &&
        SET(json_integer((json_int_t)phase->task_count), "TASK_COUNT", "task_count") &&
        SET(json_incref(next_phase), "NEXT_PHASE_NUMBER", "next_phase_number") &&
        SET(json_incref(gate), "VALIDATION_GATE", "validation_gate") &&
        SET(json_integer((json_int_t)round + 1), "iteration_number") &&
        SET(json_boolean(more), "has_next_iteration") &&
        SET(json_boolean(next < 0), "is_last_phase");

    json_decref(gate);
    json_decref(next_phase);
    if (!good) {
        json_decref(values);
        return NULL;
    }
    return values;
}

/* Adds what a definition says of a task in members of its own, unless the name is taken. */
static bool
add_members(json_t *values, const struct wf_task *task)
{
    json_t *members = task->node ? ynode_to_json(task->node) : NULL;
    bool good = !task->node || (members && json_object_update_missing(values, members) == 0);

    json_decref(members);
    return good;
}

/* What an 'each' over the tasks, and the template of a task, may name of one. */
static json_t *
task_values(const struct wf_phase *phase, const struct wf_task *task)
{
    const char *description = task->description[0] ? task->description : task->name;
    bool last = task + 1 == phase->tasks + phase->task_count;
    json_t *values = json_object();
    bool good =
        values && set(values, "task_number", json_integer((json_int_t)task->number)) &&
        set(values, "task_id", json_string(task->id)) &&
        set(values, "task_name", json_string(task->name)) &&
        set(values, "task_purpose", json_string(description)) &&
        set(values, "task_description", json_string(description)) &&
        set(values, "estimated_time", text_or(task->estimated_time, NOT_STATED)) &&
        set(values, "dependencies", dependencies_of(task)) &&
        set(values, "acceptance_criteria", criteria_of(task->criteria, task->criterion_count)) &&
        set(values, "is_last_task", json_boolean(last)) && add_members(values, task);

    if (!good) {
        json_decref(values);
        return NULL;
    }
    return values;
}

static bool
add_tasks(json_t *values, const struct wf_phase *phase)
{
    json_t *tasks = json_array();
    bool good = tasks != NULL;

    for (size_t i = 0; good && i < phase->task_count; i++) {
        good = append(tasks, task_values(phase, &phase->tasks[i]));
    }
    if (!good) {
        json_decref(tasks);
        return false;
    }
    return set(values, "tasks", tasks);
}

static json_t *
gate_texts(const struct wf_phase *phase)
{
    json_t *texts = json_array();

    for (size_t i = 0; texts && i < phase->gate_count; i++) {
        if (!append(texts, json_string(phase->gate[i].text))) {
            json_decref(texts);
            return NULL;
        }
    }
    return texts;
}

static enum err
show_made_phase(const struct wf_content *content, const struct wf_phase *phase, json_t **result,
                struct fault *f)
{
    struct problems warnings = PROBLEMS_INIT;
    struct buf text = BUF_INIT;
    json_t *values = phase_values(content, phase);
    json_t *tasks = json_array();
    json_t *shown = NULL;
    bool good = values && tasks && add_tasks(values, phase);
    enum err err =
        good ? wf_template_render(content->frame->phase_template, values, &text, &warnings, f)
             : no_memory(NULL, f);

    for (size_t i = 0; !err && good && i < phase->task_count; i++) {
        good = append(tasks, made_task_row(&phase->tasks[i]));
    }
    if (!err) {
        shown = json_pack(
            "{s:i, s:s, s:s%, s:O, s:i, s:s, s:o, s:o}", "phase", phase->number, "phase_name",
            phase->name, "phase_content", text.len ? text.data : "", text.len, "tasks", tasks,
            "task_count", (int)phase->task_count, "source", "dynamic", "source_phase",
            phase->relative ? json_string(phase->source_label) : json_integer(phase->source_phase),
            "validation_gate", gate_texts(phase));
        if (!good || !shown || !set_warnings(shown, &warnings)) {
            err = no_memory(shown, f);
            shown = NULL;
        }
    }
    problems_fini(&warnings);
    json_decref(values);
    json_decref(tasks);
    buf_fini(&text);
    *result = shown;
    return err;
}

enum err
wf_content_phase(const struct wf_content *content, int phase, json_t **result, struct fault *f)
{
    const struct wf_phase *made = content_source_phase(content, phase);

    *result = NULL;
    if (!wf_content_has_phase(content, phase)) {
        return content_no_phase(content, phase, f);
    }
    return made ? show_made_phase(content, made, result, f)
                : show_own_phase(content, pack_phase(content->frame->pack, phase), result, f);
}

/* Tells which tasks there are: 'numbers' ("1, 2, 3") is built by the caller. */
static enum err
no_task(int phase, int task, const struct buf *numbers, struct fault *f)
{
    (void)fault_set(f, E_NOT_FOUND, "phase %d has no task %d", phase, task);
    if (numbers->len == 0) {
        return fault_remedy(f, "it has no tasks: read the phase and complete it");
    }
    return fault_remedy(f, "it has %s", numbers->data);
}

static enum err
show_own_task(const struct wf_content *content, const struct pack_phase *phase, int number,
              struct wf_file *read, json_t **result, struct fault *f)
{
    const struct pack_task *task = pack_phase_task(phase, number);
    struct buf text = BUF_INIT;
    json_t *shown;
    enum err err;

    if (!task) {
        for (size_t i = 0; i < phase->task_count; i++) {
            buf_addf(&text, "%s%d", i ? ", " : "", phase->tasks[i].number);
        }
        err = no_task(phase->number, number, &text, f);
        buf_fini(&text);
        return err;
    }
    if (!task->file[0]) {
        (void)fault_set(f, E_NOT_FOUND, "task %d of phase %d has no file", number, phase->number);
        return fault_remedy(f, "its entry in metadata.json must name one");
    }
    err = pack_read_task(content->frame->pack, task, &text, &read->identity, f);
    if (err) {
        buf_fini(&text);
        return err;
    }
    shown = json_pack(
        "{s:i, s:i, s:o, s:s, s:s, s:s%, s:s, s:o, s:s}", "phase", phase->number, "task_number",
        number, "task_id", json_sprintf("%d.%d", phase->number, number), "task_name", task->name,
        "task_file", task->file, "content", text.len ? text.data : "", text.len, "purpose",
        task->purpose, "steps", wf_steps(buf_slice(&text)), "source", "pack");
    buf_fini(&text);
    if (!shown) {
        return no_memory(NULL, f);
    }
    read->file = content->source ? NULL : task->file; /* A source may differ, too. */
    *result = shown;
    return E_OK;
}

/* The dependencies as a line of text. */
static json_t *
dependency_line(const struct wf_task *task)
{
    struct buf text = BUF_INIT;
    json_t *line;

    for (size_t i = 0; i < task->dependency_count; i++) {
        buf_addf(&text, "%s%s", i ? ", " : "", task->dependencies[i]);
    }
    line = text.failed ? NULL : json_string(text.len ? text.data : "None");
    buf_fini(&text);
    return line;
}

/* The number of the task after 'task', or what to do instead. */
static json_t *
next_task(const struct wf_phase *phase, const struct wf_task *task)
{
    if (task + 1 < phase->tasks + phase->task_count) {
        return json_integer((json_int_t)task[1].number);
    }
    return json_sprintf("(none: this is the last task; complete phase %d with complete_phase)",
                        phase->number);
}

/* What the template of a task may name. */
static json_t *
task_template_values(const struct wf_content *content, const struct wf_phase *phase,
                     const struct wf_task *task)
{
    json_t *values = phase_values(content, phase);
    json_t *own = task_values(phase, task);
    json_t *criteria = task->criterion_count > 0
                           ? criteria_of(task->criteria, task->criterion_count)
                           : json_string("(The source has no criteria for this task.)");
    const char *description = task->description[0] ? task->description : task->name;
    bool good = values && own && json_object_update(values, own) == 0 &&
                set(values, "TASK_ID", json_string(task->id)) &&
                set(values, "TASK_NAME", json_string(task->name)) &&
                set(values, "TASK_DESCRIPTION", json_string(description)) &&
                set(values, "ESTIMATED_TIME", text_or(task->estimated_time, NOT_STATED)) &&
                set(values, "DEPENDENCIES", dependency_line(task)) &&
                json_object_set(values, "ACCEPTANCE_CRITERIA", criteria) == 0 &&
                set(values, "dependencies", dependency_line(task)) &&
                set(values, "NEXT_TASK_NUMBER", next_task(phase, task)) &&
                set(values, "next_task_number", next_task(phase, task));

    json_decref(own);
    json_decref(criteria);
    if (!good) {
        json_decref(values);
        return NULL;
    }
    return values;
}

static enum err
show_made_task(const struct wf_content *content, const struct wf_phase *phase, int number,
               json_t **result, struct fault *f)
{
    const struct wf_task *task = number < 0 ? NULL : wf_phase_task(phase, (unsigned)number);
    struct problems warnings = PROBLEMS_INIT;
    struct buf text = BUF_INIT;
    json_t *values = NULL, *shown = NULL;
    enum err err;

    if (!task) {
        for (size_t i = 0; i < phase->task_count && text.len < 200; i++) {
            buf_addf(&text, "%s%u", i ? ", " : "", phase->tasks[i].number);
        }
        err = no_task(phase->number, number, &text, f);
        buf_fini(&text);
        return err;
    }
    values = task_template_values(content, phase, task);
    err = values ? wf_template_render(content->frame->task_template, values, &text, &warnings, f)
                 : no_memory(NULL, f);
    if (!err) {
        shown = json_pack("{s:i, s:i, s:s, s:s, s:s%, s:s, s:o, s:s, s:o, s:o, s:o, s:s}", "phase",
                          phase->number, "task_number", number, "task_id", task->id, "task_name",
                          task->name, "content", text.len ? text.data : "", text.len, "purpose",
                          task->description, "steps", wf_steps(buf_slice(&text)), "source",
                          "dynamic", "estimated_time", text_or(task->estimated_time, NOT_STATED),
                          "dependencies", dependencies_of(task), "criteria",
                          criteria_of(task->criteria, task->criterion_count), "source_text",
                          task->text);
        if (!shown || !set_warnings(shown, &warnings)) {
            err = no_memory(shown, f);
            shown = NULL;
        }
    }
    problems_fini(&warnings);
    json_decref(values);
    buf_fini(&text);
    *result = shown;
    return err;
}

enum err
wf_content_task(const struct wf_content *content, int phase, int task, struct wf_file *read,
                json_t **result, struct fault *f)
{
    const struct wf_phase *made = content_source_phase(content, phase);
    struct wf_file unasked = {.file = NULL};

    read = read ? read : &unasked;
    read->file = NULL;
    *result = NULL;
    if (!wf_content_has_phase(content, phase)) {
        return content_no_phase(content, phase, f);
    }
    return made ? show_made_task(content, made, task, result, f)
                : show_own_task(content, pack_phase(content->frame->pack, phase), task, read,
                                result, f);
}
