/* workflow_tasklist_finish.c -- the second half of the task-list parser: from drafts to a source.
 *
 * Which headings are phases: of those with one number the first that has tasks, as long as the
 * numbers rise down the list.  A phase without tasks counts if it fits between them and is of the
 * same level as they are; what is left is a summary and is dropped with a warning unless it repeats
 * a number. */
#include "state/workflow_tasklist_private.h"

#include "state/workflow_labels.h"

#include <stdint.h>
#include <stdio.h>

/* Chooses, of the phases with tasks, the first of each number, rising.  Returns the level of the
 * first one, 0 if there is none. */
static unsigned
choose_phases_with_tasks(struct tasklist *t)
{
    bool seen[WF_NUMBER_MAX + 1] = {false};
    unsigned level = 0;
    int last = -1;

    for (size_t i = 0; i < t->phases.count; i++) {
        struct draft_phase *phase = draft_phase(t, i);

        if (phase->task_count == 0 || seen[phase->number]) {
            continue;
        }
        if (phase->number > last) {
            phase->chosen = seen[phase->number] = true;
            last = phase->number;
            level = level ? level : phase->level;
        } else {
            problems_add(t->problems, PROBLEM_WARNING, t->file, phase->line, 0,
                         "phase %d after phase %d: left out, with its tasks", phase->number, last);
        }
    }
    return level;
}

/* The number of the first chosen phase after phase 'i', or one that is never reached. */
static int
next_number(const struct tasklist *t, size_t i)
{
    for (size_t j = i + 1; j < t->phases.count; j++) {
        if (draft_phase(t, j)->chosen) {
            return draft_phase(t, j)->number;
        }
    }
    return WF_NUMBER_MAX + 1;
}

static void
choose_phases_without_tasks(struct tasklist *t, unsigned level)
{
    bool seen[WF_NUMBER_MAX + 1] = {false};
    int last = -1;

    for (size_t i = 0; i < t->phases.count; i++) {
        seen[draft_phase(t, i)->number] |= draft_phase(t, i)->chosen;
    }
    for (size_t i = 0; i < t->phases.count; i++) {
        struct draft_phase *phase = draft_phase(t, i);

        if (!phase->chosen && phase->task_count == 0 && !seen[phase->number]) {
            phase->chosen =
                phase->level == level && phase->number > last && phase->number < next_number(t, i);
            seen[phase->number] = phase->chosen;
            problems_add(t->problems, PROBLEM_WARNING, t->file, phase->line, 0,
                         phase->chosen ? "phase %d has no task"
                                       : "phase %d has no task and is left out",
                         phase->number);
        }
        last = phase->chosen ? phase->number : last;
    }
}

static bool
is_blank(struct slice line)
{
    return mdl_trim(line).len == 0;
}

static size_t
leading_blanks(struct slice line)
{
    size_t n = 0;

    while (n < line.len && line.data[n] == ' ') {
        n++;
    }
    return n;
}

/* The lines of 'span' as Markdown: without the indentation they share, blank lines at the ends, and
 * rules. */
static const char *
span_text(struct tasklist *t, struct span span)
{
    const struct mdl_line *lines = t->md->lines;
    struct buf text = BUF_INIT;
    size_t shared = SIZE_MAX;
    const char *result;

    while (span.end > span.begin &&
           (is_blank(lines[span.end - 1].raw) || lines[span.end - 1].kind == MDL_BREAK)) {
        span.end--;
    }
    while (span.begin < span.end && is_blank(lines[span.begin].raw)) {
        span.begin++;
    }
    for (size_t i = span.begin; i < span.end; i++) {
        size_t blanks = leading_blanks(lines[i].raw);

        if (!is_blank(lines[i].raw) && blanks < shared) {
            shared = blanks;
        }
    }
    buf_add_slice(&text, mdl_trim(span.first));
    for (size_t i = span.begin; i < span.end; i++) {
        struct slice raw = lines[i].raw;
        size_t cut = raw.len < shared ? raw.len : shared;

        buf_adds(&text, text.len > 0 ? "\n" : "");
        buf_add(&text, raw.data + cut, raw.len - cut);
    }
    result = arena_text(&t->source->arena, buf_slice(&text));
    t->source->arena.failed = t->source->arena.failed || text.failed;
    buf_fini(&text);
    return result;
}

/* The description of a task or phase: below its label, else what stands before the first one. */
static const char *
description_of(struct tasklist *t, const struct span *labelled, const struct span *intro)
{
    struct span span = *intro;

    if (labelled->begin > 0) {
        return span_text(t, *labelled);
    }
    for (size_t i = span.begin; i < span.end; i++) {
        if (t->md->lines[i].kind == MDL_ITEM && t->md->lines[i].box) {
            span.end = i;
        }
    }
    return span.begin > 0 ? span_text(t, span) : "";
}

/* Which marks count: boxes below the label; else bullets there; without a label, boxes. */
static bool
mark_counts(const struct draft_task *task, const struct draft_mark *mark, bool boxed)
{
    return task->labelled ? mark->labelled && mark->boxed == boxed : mark->boxed;
}

static void
fill_criteria(struct tasklist *t, struct wf_task *task, const struct draft_task *draft)
{
    bool boxed = false;
    size_t count = 0;

    for (size_t i = 0; i < draft->mark_count; i++) {
        const struct draft_mark *mark = draft_mark(&t->marks, draft->first_mark + i);

        boxed = boxed || (mark->boxed && mark->labelled);
    }
    for (size_t i = 0; i < draft->mark_count; i++) {
        count += mark_counts(draft, draft_mark(&t->marks, draft->first_mark + i), boxed);
    }
    task->criteria = arena_take(&t->source->arena, count, sizeof *task->criteria);
    for (size_t i = 0; task->criteria && i < draft->mark_count; i++) {
        const struct draft_mark *mark = draft_mark(&t->marks, draft->first_mark + i);

        if (mark_counts(draft, mark, boxed)) {
            task->criteria[task->criterion_count++] =
                (struct wf_criterion){.text = mark->text, .done = mark->done, .line = mark->line};
        }
    }
}

static void
fill_task(struct tasklist *t, struct wf_task *task, const struct draft_task *draft,
          const struct task_ids *ids)
{
    char id[16];

    snprintf(id, sizeof id, "%d.%d", draft_phase(t, draft->phase)->number, draft->number);
    task->number = (unsigned)draft->number;
    task->id = arena_text(&t->source->arena, slice_of(id));
    task->name = draft->name;
    if (task->name && task->name[0] == '\0') {
        char name[24];

        snprintf(name, sizeof name, "Task %s", id);
        task->name = arena_text(&t->source->arena, slice_of(name));
    }
    task->description = description_of(t, &draft->description, &draft->intro);
    task->estimated_time = arena_text(&t->source->arena, draft->time);
    task->text = span_text(t, (struct span){.begin = draft->begin, .end = draft->end});
    task->done = draft->done;
    task->line = draft->line;
    fill_criteria(t, task, draft);
    tasklist_depends(t, task, draft, ids);
}

/* Does 'gate' belong to phase 'i'? */
static bool
gate_is_of(const struct tasklist *t, const struct draft_gate *gate, size_t i)
{
    return gate->phase == NOWHERE ? gate->number == draft_phase(t, i)->number : gate->phase == i;
}

/* How many marks of 'gate' count; stores them at 'to' unless it is null. */
static size_t
gate_marks(const struct tasklist *t, const struct draft_gate *gate, struct wf_criterion *to)
{
    size_t count = 0;

    for (size_t i = 0; i < gate->mark_count; i++) {
        const struct draft_mark *mark = draft_mark(&t->gate_marks, gate->first_mark + i);

        if (mark->boxed == gate->boxed) {
            if (to) {
                to[count] = (struct wf_criterion){
                    .text = mark->text, .done = mark->done, .line = mark->line};
            }
            count++;
        }
    }
    return count;
}

static void
fill_gate(struct tasklist *t, struct wf_phase *phase, size_t index)
{
    size_t count = 0;

    for (size_t g = 0; g < t->gates.count; g++) {
        if (gate_is_of(t, draft_gate(t, g), index)) {
            count += gate_marks(t, draft_gate(t, g), NULL);
        }
    }
    phase->gate = arena_take(&t->source->arena, count, sizeof *phase->gate);
    for (size_t g = 0; phase->gate && g < t->gates.count; g++) {
        if (gate_is_of(t, draft_gate(t, g), index)) {
            phase->gate_count += gate_marks(t, draft_gate(t, g), phase->gate + phase->gate_count);
        }
    }
}

static void
fill_phase(struct tasklist *t, struct wf_phase *phase, size_t index, const struct task_ids *ids)
{
    const struct draft_phase *draft = draft_phase(t, index);
    char label[16];

    snprintf(label, sizeof label, "%d", draft->number);
    phase->number = phase->source_phase = draft->number;
    phase->source_label = arena_text(&t->source->arena, slice_of(label));
    phase->name = draft->name;
    phase->description = description_of(t, &draft->description, &draft->intro);
    phase->duration = arena_text(&t->source->arena, draft->duration);
    phase->line = draft->line;
    phase->tasks = arena_take(&t->source->arena, draft->task_count, sizeof *phase->tasks);
    for (size_t i = 0; phase->tasks && i < draft->task_count; i++) {
        fill_task(t, &phase->tasks[i], draft_task(t, draft->first_task + i), ids);
        phase->task_count++;
    }
    fill_gate(t, phase, index);
}

/* Gates that name a phase which is not there. */
static void
check_gates(struct tasklist *t)
{
    for (size_t g = 0; g < t->gates.count; g++) {
        const struct draft_gate *gate = draft_gate(t, g);
        bool found = gate->phase != NOWHERE;

        for (size_t i = 0; !found && i < t->phases.count; i++) {
            found = draft_phase(t, i)->chosen && draft_phase(t, i)->number == gate->number;
        }
        if (!found) {
            problems_add(t->problems, PROBLEM_WARNING, t->file, gate->line, 0,
                         "this gate is for phase %d, which is not in the list", gate->number);
        }
    }
}

static enum err
build(struct tasklist *t, struct fault *f)
{
    struct wf_source *source = t->source;
    struct task_ids ids = TASK_IDS_INIT;
    size_t count = 0;

    for (size_t i = 0; i < t->phases.count; i++) {
        count += draft_phase(t, i)->chosen;
    }
    source->phases = arena_take(&source->arena, count, sizeof *source->phases);
    if (!source->phases || !task_ids_collect(t, &ids)) {
        return fault_set(f, E_OVERLOAD, "no memory for the task list");
    }
    for (size_t i = 0; i < t->phases.count; i++) {
        if (draft_phase(t, i)->chosen) {
            fill_phase(t, &source->phases[source->phase_count++], i, &ids);
        }
    }
    task_ids_fini(&ids);
    if (source->arena.failed) {
        return fault_set(f, E_OVERLOAD, "no memory for the task list");
    }
    check_gates(t);
    wf_source_count(source);
    return E_OK;
}

enum err
tasklist_finish(struct tasklist *t, struct fault *f)
{
    unsigned level;

    if (t->too_many) {
        return fault_set(f, E_TOO_LARGE, "the task list has more than %zu %s", t->most,
                         t->too_many);
    }
    if (t->source->arena.failed) {
        return fault_set(f, E_OVERLOAD, "no memory for the task list");
    }
    level = choose_phases_with_tasks(t);
    if (level == 0) {
        (void)fault_set(f, E_REFUSED,
                        t->phases.count > 0 ? "none of the phases in the task list has a task"
                                            : "the task list has no phase");
        return fault_remedy(f, "write a heading \"## Phase 1: Name\" and below it tasks such as "
                               "\"- [ ] **Task 1.1**: Name\"");
    }
    if (!t->numbered) {
        choose_phases_without_tasks(t, level);
    }
    return build(t, f);
}
