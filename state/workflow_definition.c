/* workflow_definition.c -- see workflow_definition.h. */
#include "state/workflow_definition.h"

#include "state/yaml.h"

#include <stdio.h>

struct definition {
    struct wf_source *source;
    const char *file;
    struct problems *problems;
    struct fault *fault;
    bool refused;
    size_t criteria;
};

/* Notes an error with its place; the first one is what the caller is told. */
static void __attribute__((format(printf, 3, 4)))
refuse(struct definition *d, const struct ynode *node, const char *format, ...)
{
    va_list args;
    char text[256];

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    problems_add(d->problems, PROBLEM_ERROR, d->file, ynode_line(node), ynode_column(node), "%s",
                 text);
    if (!d->refused) {
        (void)fault_at(d->fault, E_REFUSED, ynode_line(node), ynode_column(node), "%s: %s", d->file,
                       text);
    }
    d->refused = true;
}

static void __attribute__((format(printf, 3, 4)))
warn(struct definition *d, const struct ynode *node, const char *format, ...)
{
    va_list args;
    char text[256];

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    problems_add(d->problems, PROBLEM_WARNING, d->file, ynode_line(node), ynode_column(node), "%s",
                 text);
}

static bool
is_scalar(const struct ynode *node)
{
    return ynode_kind(node) != YNODE_NULL && ynode_kind(node) != YNODE_LIST &&
           ynode_kind(node) != YNODE_MAP;
}

/* 'text' without blanks and line ends around it. */
static struct slice
trim(struct slice text)
{
    while (text.len > 0 && strchr(" \t\r\n", text.data[0]) && text.data[0]) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && strchr(" \t\r\n", text.data[text.len - 1]) && text.data[text.len - 1]) {
        text.len--;
    }
    return text;
}

static const char *
keep(struct definition *d, struct slice text)
{
    return arena_text(&d->source->arena, trim(text));
}

/* The text of member 'key'; empty if it is not there.  A list or map there is refused. */
static const char *
text_of(struct definition *d, const struct ynode *map, const char *key)
{
    const struct ynode *node = ynode_get(map, key);

    if (node && !is_scalar(node) && ynode_kind(node) != YNODE_NULL) {
        refuse(d, node, "'%s' must be text, not a %s", key, ynode_kind_name(node));
    }
    return is_scalar(node) ? keep(d, ynode_text(node)) : "";
}

/* The i-th text of 'node', a list of texts or a single one. */
static const struct ynode *
nth(const struct ynode *node, size_t i)
{
    return ynode_kind(node) == YNODE_LIST ? ynode_at(node, i)
           : i == 0 && is_scalar(node)    ? node
                                          : NULL;
}

static size_t
count_of(struct definition *d, const struct ynode *node, const char *key)
{
    if (ynode_kind(node) == YNODE_MAP) {
        refuse(d, node, "'%s' must be a list of texts, not a map", key);
        return 0;
    }
    return ynode_kind(node) == YNODE_LIST ? ynode_count(node) : is_scalar(node) ? 1 : 0;
}

/* Reads a list of texts under 'key' as criteria. */
static struct wf_criterion *
read_criteria(struct definition *d, const struct ynode *map, const char *key, size_t *count)
{
    const struct ynode *node = ynode_get(map, key);
    size_t most = count_of(d, node, key);
    struct wf_criterion *criteria = arena_take(&d->source->arena, most, sizeof *criteria);

    *count = 0;
    for (size_t i = 0; criteria && i < most; i++) {
        const struct ynode *item = nth(node, i);

        if (!is_scalar(item)) {
            refuse(d, item, "an item of '%s' must be text, not a %s", key, ynode_kind_name(item));
            continue;
        }
        criteria[*count].text = keep(d, ynode_text(item));
        criteria[(*count)++].line = ynode_line(item);
    }
    return criteria;
}

static void
read_dependencies(struct definition *d, const struct ynode *map, struct wf_task *task)
{
    const struct ynode *node = ynode_get(map, "dependencies");
    size_t most = count_of(d, node, "dependencies");

    task->dependencies = arena_take(&d->source->arena, most, sizeof *task->dependencies);
    for (size_t i = 0; task->dependencies && i < most; i++) {
        const struct ynode *item = nth(node, i);
        struct slice text = trim(ynode_text(item));

        if (!is_scalar(item)) {
            refuse(d, item, "a dependency must be text, not a %s", ynode_kind_name(item));
        } else if (text.len > 0 && !slice_is(text, "none") && !slice_is(text, "None")) {
            task->dependencies[task->dependency_count++] = keep(d, text);
        }
    }
}

/* Adds the texts under 'key' to 'out' below 'title', if there are any. */
static void
add_section(struct buf *out, const struct ynode *map, const char *key, const char *title,
            bool numbered)
{
    const struct ynode *node = ynode_get(map, key);

    if (is_scalar(node) && trim(ynode_text(node)).len > 0) {
        buf_addf(out, "%s**%s:** ", out->len ? "\n\n" : "", title);
        buf_add_slice(out, trim(ynode_text(node)));
        return;
    }
    if (ynode_kind(node) != YNODE_LIST || ynode_count(node) == 0) {
        return;
    }
    buf_addf(out, "%s**%s:**\n", out->len ? "\n\n" : "", title);
    for (size_t i = 0; i < ynode_count(node); i++) {
        if (numbered) {
            buf_addf(out, "\n%zu. ", i + 1);
        } else {
            buf_adds(out, "\n- ");
        }
        buf_add_slice(out, trim(ynode_text(ynode_at(node, i))));
    }
}

/* What a task says beyond its name, purpose and criteria, as Markdown. */
static const char *
further_text(struct definition *d, const struct ynode *map)
{
    struct buf text = BUF_INIT;
    const char *result;

    add_section(&text, map, "task_context", "Context", false);
    add_section(&text, map, "domain_focus", "Domain focus", false);
    add_section(&text, map, "steps_outline", "Steps", true);
    add_section(&text, map, "commands_needed", "Commands needed", false);
    add_section(&text, map, "examples_needed", "Examples needed", false);
    add_section(&text, map, "invokes_workflow", "Runs workflow", false);
    result = arena_text(&d->source->arena, buf_slice(&text));
    d->source->arena.failed = d->source->arena.failed || text.failed;
    buf_fini(&text);
    return result;
}

/* Reads an integer of 0 to WF_NUMBER_MAX, also if it is quoted. */
static bool
read_number(const struct ynode *node, int *number)
{
    struct slice text = trim(ynode_text(node));
    int value = 0;

    if (text.len == 0 || text.len > 4 || !is_scalar(node)) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        value = value * 10 + (text.data[i] - '0');
    }
    *number = value;
    return true;
}

/* Reads "N", "N+4": the number of generated phases, and more. */
static bool
read_relative(const struct ynode *node, int *plus)
{
    struct slice text = trim(ynode_text(node));

    *plus = 0;
    if (!is_scalar(node) || text.len == 0 || (text.data[0] != 'N' && text.data[0] != 'n')) {
        return false;
    }
    text = trim((struct slice){text.data + 1, text.len - 1});
    if (text.len == 0) {
        return true;
    }
    if (text.data[0] != '+') {
        return false;
    }
    text = trim((struct slice){text.data + 1, text.len - 1});
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || *plus > WF_NUMBER_MAX / 10) {
            return false;
        }
        *plus = *plus * 10 + (text.data[i] - '0');
    }
    return text.len > 0;
}

static void
read_task(struct definition *d, const struct ynode *map, struct wf_phase *phase)
{
    struct wf_task *task = &phase->tasks[phase->task_count];
    const struct ynode *number = ynode_get(map, "number");
    int n = phase->task_count > 0 ? (int)phase->tasks[phase->task_count - 1].number + 1 : 1;
    char text[32];

    if (ynode_kind(map) != YNODE_MAP) {
        refuse(d, map, "a task must be a map, not a %s", ynode_kind_name(map));
        return;
    }
    if (!number) {
        warn(d, map, "a task of phase %s has no number: taken for %d", phase->source_label, n);
    } else if (!read_number(number, &n)) {
        refuse(d, number, "a task's number must be a number of 0 to %d", WF_NUMBER_MAX);
        return;
    }
    if (wf_phase_task(phase, (unsigned)n)) {
        refuse(d, number ? number : map, "phase %s has two tasks numbered %d", phase->source_label,
               n);
        return;
    }
    task->number = (unsigned)n;
    snprintf(text, sizeof text, "%s.%d", phase->source_label, n);
    task->id = keep(d, slice_of(text));
    task->name = text_of(d, map, "name");
    if (task->name && task->name[0] == '\0') {
        snprintf(text, sizeof text, "Task %d", n);
        task->name = keep(d, slice_of(text));
        warn(d, map, "task %s has no name", task->id ? task->id : "");
    }
    task->description = text_of(d, map, "purpose");
    task->estimated_time = text_of(d, map, "estimated_time");
    task->criteria = read_criteria(d, map, "validation_criteria", &task->criterion_count);
    read_dependencies(d, map, task);
    task->text = further_text(d, map);
    task->line = ynode_line(map);
    task->node = map;
    d->criteria += task->criterion_count;
    phase->task_count++;
}

/* The field of evidence 'name' as a line for an agent: what it is about, not how it is checked. */
static const char *
gate_text(struct definition *d, const struct ynode *name, const struct ynode *field)
{
    const struct ynode *description = ynode_get(field, "description");
    char *words;
    const char *result;

    if (is_scalar(description) && trim(ynode_text(description)).len > 0) {
        return keep(d, ynode_text(description));
    }
    words = xstrndup(ynode_text(name).data, ynode_text(name).len);
    for (char *c = words; *c; c++) {
        *c = *c == '_' ? ' ' : *c;
    }
    result = keep(d, slice_of(words));
    free(words);
    return result;
}

static void
read_gate(struct definition *d, const struct ynode *map, struct wf_phase *phase)
{
    const struct ynode *gate = ynode_get(map, "validation_gate");
    const struct ynode *fields = ynode_get(gate, "evidence_required");
    bool approval = ynode_bool(ynode_get(gate, "human_approval_required"));

    if (ynode_kind(gate) == YNODE_NULL) {
        warn(d, gate ? gate : map, "phase %s has no validation_gate", phase->source_label);
        return;
    }
    if (ynode_kind(gate) != YNODE_MAP) {
        refuse(d, gate, "'validation_gate' must be a map, not a %s", ynode_kind_name(gate));
        return;
    }
    if (fields && ynode_kind(fields) != YNODE_MAP && ynode_kind(fields) != YNODE_NULL) {
        refuse(d, fields, "'evidence_required' must be a map, not a %s", ynode_kind_name(fields));
        return;
    }
    phase->gate_node = gate;
    phase->gate =
        arena_take(&d->source->arena, ynode_count(fields) + approval, sizeof *phase->gate);
    for (size_t i = 0; phase->gate && i < ynode_count(fields); i++) {
        phase->gate[phase->gate_count++] =
            (struct wf_criterion){.text = gate_text(d, ynode_key(fields, i), ynode_at(fields, i)),
                                  .line = ynode_line(ynode_key(fields, i))};
    }
    if (phase->gate && approval) {
        phase->gate[phase->gate_count++] = (struct wf_criterion){
            .text = "A human has approved this phase", .line = ynode_line(gate)};
    }
}

/* Reads the number of a phase.  False if it makes no sense where it stands. */
static bool
read_phase_number(struct definition *d, const struct ynode *map, struct wf_phase *phase)
{
    const struct wf_source *source = d->source;
    const struct wf_phase *before =
        source->phase_count > 0 ? &source->phases[source->phase_count - 1] : NULL;
    const struct ynode *node = ynode_get(map, "number");
    char label[32];

    if (!node) {
        if (before && before->relative) {
            refuse(d, map, "a phase after one numbered N+k needs a number");
            return false;
        }
        phase->source_phase = before ? before->source_phase + 1 : 0;
        warn(d, map, "a phase has no number: taken for %d", phase->source_phase);
    } else if (read_relative(node, &phase->source_phase)) {
        phase->relative = true;
    } else if (!read_number(node, &phase->source_phase)) {
        refuse(d, node, "a phase's number must be a number of 0 to %d, or N+k", WF_NUMBER_MAX);
        return false;
    }
    if (before &&
        (before->relative > phase->relative ||
         (before->relative == phase->relative && before->source_phase >= phase->source_phase))) {
        refuse(d, node ? node : map, "the numbers of phases must rise; those with N come last");
        return false;
    }
    snprintf(label, sizeof label, phase->relative ? "N+%d" : "%d", phase->source_phase);
    phase->source_label = keep(d, slice_of(label));
    return true;
}

/* The purpose of a phase, and what it is to deliver. */
static const char *
phase_description(struct definition *d, const struct ynode *map)
{
    struct buf text = BUF_INIT;
    const char *result;

    buf_add_slice(&text, slice_of(text_of(d, map, "purpose")));
    add_section(&text, map, "deliverable", "Deliverable", false);
    result = arena_text(&d->source->arena, buf_slice(&text));
    d->source->arena.failed = d->source->arena.failed || text.failed;
    buf_fini(&text);
    return result;
}

static void
read_phase(struct definition *d, const struct ynode *map)
{
    struct wf_phase *phase = &d->source->phases[d->source->phase_count];
    const struct ynode *tasks = ynode_get(map, "tasks");

    if (ynode_kind(map) != YNODE_MAP) {
        refuse(d, map, "a phase must be a map, not a %s", ynode_kind_name(map));
        return;
    }
    if (!read_phase_number(d, map, phase)) {
        return;
    }
    phase->number = phase->source_phase;
    phase->line = ynode_line(map);
    phase->name = text_of(d, map, "name");
    if (phase->name && phase->name[0] == '\0') {
        char name[48];

        snprintf(name, sizeof name, "Phase %s", phase->source_label ? phase->source_label : "");
        phase->name = keep(d, slice_of(name));
        warn(d, map, "phase %s has no name", phase->source_label);
    }
    phase->description = phase_description(d, map);
    phase->duration = text_of(d, map, "estimated_duration");
    if (tasks && ynode_kind(tasks) != YNODE_LIST && ynode_kind(tasks) != YNODE_NULL) {
        refuse(d, tasks, "'tasks' must be a list, not a %s", ynode_kind_name(tasks));
        return;
    }
    if (ynode_count(tasks) == 0) {
        warn(d, map, "phase %s has no task", phase->source_label);
    }
    phase->tasks = arena_take(&d->source->arena, ynode_count(tasks), sizeof *phase->tasks);
    for (size_t i = 0; phase->tasks && i < ynode_count(tasks); i++) {
        read_task(d, ynode_at(tasks, i), phase);
    }
    read_gate(d, map, phase);
    d->source->phase_count++;
}

static void
read_phases(struct definition *d)
{
    const struct ynode *root = ytree_root(d->source->tree);
    const struct ynode *phases = ynode_get(root, "phases");

    if (ynode_kind(root) != YNODE_MAP) {
        refuse(d, root, "a definition must be a map with 'phases'");
        return;
    }
    if (ynode_kind(phases) != YNODE_LIST || ynode_count(phases) == 0) {
        refuse(d, phases ? phases : root, "'phases' must be a list of at least one phase");
        return;
    }
    if (ynode_count(phases) > WF_PHASES_MAX) {
        refuse(d, phases, "more than %u phases", WF_PHASES_MAX);
        return;
    }
    d->source->phases =
        arena_take(&d->source->arena, ynode_count(phases), sizeof *d->source->phases);
    for (size_t i = 0; d->source->phases && i < ynode_count(phases); i++) {
        read_phase(d, ynode_at(phases, i));
    }
}

enum err
wf_definition_parse(struct slice text, const char *file, struct problems *problems,
                    struct wf_source **source, struct fault *f)
{
    struct fault local = FAULT_INIT;
    struct definition d = {.file = file, .problems = problems, .fault = f ? f : &local};
    enum err err;

    *source = NULL;
    d.source = wf_source_create(4 * (size_t)WF_SOURCE_BYTES_MAX);
    if (!d.source) {
        return fault_set(f, E_OVERLOAD, "no memory for definition %s", file);
    }
    err = ytree_parse(text, NULL, &d.source->tree, d.fault);
    if (err) {
        problems_add(problems, PROBLEM_ERROR, file, d.fault->line, d.fault->column, "%s",
                     d.fault->text);
    } else {
        read_phases(&d);
        err = d.refused ? E_REFUSED : E_OK;
    }
    if (!err && d.source->arena.failed) {
        err = fault_set(f, E_OVERLOAD, "no memory for definition %s", file);
    }
    if (err) {
        wf_source_unref(d.source);
        return err;
    }
    (void)wf_source_place(d.source, NULL, 0);
    wf_source_count(d.source);
    *source = d.source;
    return E_OK;
}
